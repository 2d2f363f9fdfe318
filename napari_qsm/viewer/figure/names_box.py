"""What a figure calls its regions: a line for each, empty where it is called as it is named."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QFormLayout, QLineEdit, QWidget

from napari_qsm.figures import editing
from napari_qsm.figures.numbers import regions_told
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.work import FigureWork

_HINT = (
    "What table, charts, pictures and caption say instead, without the side: 'core of the putamen' "
    "for an outline that covers only part of it."
)
_NONE = "Once the figure shows or measures regions, their names stand here."


class NamesBox(QWidget):
    """Words for the regions of the figure."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._lines: dict[str, QLineEdit] = {}
        self._hint = ui.quiet(_NONE)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(ui.column(self._hint, self._form, margins=(4, 2, 4, 2)))
        work.previewed.connect(self.refresh)

    def dispose(self) -> None:
        """Stop listening."""
        self._work.previewed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show a line for each region of the figure."""
        spec = self._work.spec
        names = [] if spec is None else regions_told(spec, self._work.region_tables())
        if names != list(self._lines):
            while self._form.rowCount():
                self._form.removeRow(0)
            self._lines = {}
            for number, name in enumerate(names):
                line = ui.line(
                    f"qsm.figure.called.{number}",
                    partial(self._on_written, name),
                    tip=f"What the figure calls {name}; empty for its own name",
                    example=name,
                )
                self._lines[name] = line
                self._form.addRow(name, line)
        self._hint.setText(_HINT if names else _NONE)
        for name, line in self._lines.items():
            said = spec.called.get(name, "") if spec is not None else ""
            if not (line.hasFocus() and line.isModified()) and line.text() != said:
                line.setText(said)

    def _on_written(self, name: str) -> None:
        spec, line = self._work.spec, self._lines.get(name)
        if spec is None or line is None:
            return
        line.setModified(False)
        called = {key: words for key, words in spec.called.items() if key != name}
        if written := line.text().strip():
            called[name] = written
        if called != spec.called:
            self._work.change("name of a region", editing.with_fields(spec, called=called))
