"""The caption: a draft until somebody edits it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QPlainTextEdit, QWidget

from napari_qsm.figures import editing
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.work import FigureWork


class _Text(QPlainTextEdit):
    """Tells when it is left."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Tell it."""
        super().focusOutEvent(event)
        self.left.emit()


class CaptionBox(QWidget):
    """Text that goes beside the picture."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._draft = ""
        self._text = _Text()
        self._text.setObjectName("qsm.figure.caption")
        self._text.setFixedHeight(130)
        self._text.left.connect(self.commit)
        self._again = ui.button(
            "Draft again",
            "qsm.figure.draft",
            self._on_again,
            tip="Write the caption anew from the figure; undo brings yours back",
        )
        self._says = ui.quiet("")
        row = ui.row((self._says, 1), self._again)
        self.setLayout(ui.column(self._text, row, margins=(4, 2, 4, 2)))
        work.previewed.connect(self.refresh)

    def dispose(self) -> None:
        """Stop listening."""
        self._work.previewed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the caption, unless somebody is writing in it."""
        spec, preview = self._work.spec, self._work.preview
        self.setEnabled(spec is not None)
        own = spec.caption if spec is not None else ""
        draft = preview.drawn.caption if preview is not None and not own else ""
        shown = own or draft
        self._again.setEnabled(bool(own))
        self._says.setText("Your own words." if own else "A draft; edit it as you like.")
        if self._text.hasFocus() and self._text.toPlainText() != self._draft:
            return
        self._draft = shown
        if self._text.toPlainText() != shown:
            self._text.setPlainText(shown)

    def commit(self) -> None:
        """Keep what was written."""
        spec, written = self._work.spec, self._text.toPlainText().strip()
        if spec is None or written in (self._draft.strip(), spec.caption):
            return
        self._draft = written
        self._work.change("caption", editing.with_fields(spec, caption=written))

    def _on_again(self) -> None:
        spec = self._work.spec
        if spec is not None:
            self._draft = self._text.toPlainText()
            self._work.change("caption", editing.with_fields(spec, caption=""))
