"""Drawing the figure in a thread, again and again, with the newest state winning."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal, Slot

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import DRAWING, PREVIEW_DPI, Cache, Rendered, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.spec import FigureSpec

_WAIT_MS = 80


@dataclass(frozen=True, eq=False)
class Preview:
    """A figure drawn for the screen.

    Attributes
    ----------
    drawn : Rendered
        With its notes, its caption, and where its panels lie.
    pixels : ndarray
        RGBA, shape (rows, columns, 4), uint8.
    """

    drawn: Rendered
    pixels: Array


@dataclass(frozen=True, eq=False)
class _Request:
    spec: FigureSpec
    given: Mapping[str, Given]
    dpi: float


class Renderer(QObject):
    """Draws what was asked for last; never more than one drawing at a time.

    Attributes
    ----------
    drawn : Signal
        Sends a :class:`Preview`.
    failed : Signal
        Sends the error.
    cache : Cache
        What one drawing leaves for the next.
    """

    drawn = Signal(object)
    failed = Signal(object)
    _ended = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache()
        self._wanted: _Request | None = None
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._start)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether a drawing is under way or waiting."""
        return self._wanted is not None or self._thread is not None

    def request(
        self, spec: FigureSpec, given: Mapping[str, Given], dpi: float = PREVIEW_DPI
    ) -> None:
        """Draw this soon; what was asked for before and has not begun is forgotten."""
        self._wanted = _Request(spec, given, dpi)
        if self._thread is None:
            self._timer.start()

    def forget(self) -> None:
        """Draw nothing more for now."""
        self._wanted = None
        self._timer.stop()

    def dispose(self) -> None:
        """Stop, and wait for the thread."""
        self.forget()
        self.blockSignals(True)
        if self._thread is not None:
            self._thread.join(10)

    def _start(self) -> None:
        request, self._wanted = self._wanted, None
        if request is None:
            return
        self._thread = threading.Thread(
            target=self._run, args=(request,), name="qsm: figure preview", daemon=True
        )
        self._thread.start()

    def _run(self, request: _Request) -> None:
        result: Any
        try:
            with DRAWING:
                drawn = render(
                    request.spec, request.given, preview=True, dpi=request.dpi, cache=self.cache
                )
                result = Preview(drawn, drawn.pixels())
        except Exception as error:
            result = error
        # The window may have gone in the meantime; then there is nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._ended.emit(result)

    @Slot(object)
    def _on_ended(self, result: Any) -> None:
        self._thread = None
        if self._wanted is not None:  # newer: the old picture is of no use but for the eye
            self._timer.start()
        if isinstance(result, Preview):
            self.drawn.emit(result)
        elif isinstance(result, QsmError):
            self.failed.emit(result)
        else:
            raise result
