"""When a window closes."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject


class Closing(QObject):
    """Asks before a window closes, and notices when it did, before it is destroyed."""

    def __init__(self, may_close: Callable[[], bool], closed: Callable[[], None]) -> None:
        super().__init__()
        self._may_close, self._closed = may_close, closed
        self._asked = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """A window that hides after it was asked to close has agreed to."""
        if event is not None:
            if event.type() == QEvent.Type.Close:
                if not self._may_close():
                    event.ignore()
                    return True
                self._asked = True
            elif event.type() == QEvent.Type.Hide and self._asked and not event.spontaneous():
                self._closed()
            elif event.type() == QEvent.Type.Show:
                self._asked = False
        return False
