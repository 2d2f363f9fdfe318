"""Running work in the middle of the window, while there is nothing else to look at."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QFrame, QProgressBar, QWidget

from napari_qsm.viewer import ui


class Working(QFrame):
    """What is being done, how much of it, and a button that stops it.

    Parameters
    ----------
    parent : QWidget
        It stands in the middle of it.
    cancel : callable
        Stops the work.
    """

    def __init__(self, parent: QWidget, cancel: Callable[[], None]) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.working")
        self.setStyleSheet(
            "#qsm\\.working { background: #1d2835; border: 1px solid #6fb1f5; border-radius: 8px; }"
            " #qsm\\.working QLabel { color: #f2f5f8; background: transparent; font-size: 15px; }"
        )
        self._text = ui.label("", "qsm.working.text")
        self._bar = ui.named(QProgressBar(), "qsm.working.progress")
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(12)
        stop = ui.button("Cancel", "qsm.working.cancel", cancel)
        self.setLayout(
            ui.column(
                self._text, self._bar, ui.row(None, stop), spacing=10, margins=(22, 18, 22, 14)
            )
        )
        self.setFixedWidth(460)
        self.hide()

    def tell(self, text: str, fraction: float) -> None:
        """Say what is being done; below 0 nobody knows how much of it."""
        self._text.setText(text)
        self._bar.setRange(0, 1000 if fraction > 0 else 0)
        self._bar.setValue(int(1000 * min(max(fraction, 0.0), 1.0)))

    def place(self) -> None:
        """Stand in the middle."""
        parent = self.parentWidget()
        if parent is not None:
            self.adjustSize()
            self.move((parent.width() - self.width()) // 2, (parent.height() - self.height()) // 2)
            self.raise_()
