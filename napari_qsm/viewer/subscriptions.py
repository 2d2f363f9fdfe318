"""What a panel listens to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Subscriptions:
    """What a panel listens to; one :meth:`dispose` ends it all.

    Signals of psygnal, of Qt and of napari alike; senders outlive the panel. A panel's own
    controls go with it and need no entry here.
    """

    def __init__(self) -> None:
        self._connected: list[tuple[Any, Callable[..., Any]]] = []
        self._calls: list[Callable[[], Any]] = []

    def connect(self, *signals: Any, to: Callable[..., Any]) -> None:
        """Call ``to`` at each of these signals."""
        for signal in signals:
            signal.connect(to)
            self._connected.append((signal, to))

    def on_dispose(self, *calls: Callable[[], Any]) -> None:
        """Call these at the end too, such as the ``dispose`` of the parts of a panel."""
        self._calls.extend(calls)

    def dispose(self) -> None:
        """Stop listening; a second time does nothing."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        connected, self._connected = self._connected, []
        for signal, slot in connected:
            signal.disconnect(slot)
