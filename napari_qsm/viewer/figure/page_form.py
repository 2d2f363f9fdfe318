"""The page of a figure: columns, width, dots, letters, ground."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_qsm.figures import editing
from napari_qsm.figures.spec import WIDTHS_MM, FigureSpec
from napari_qsm.viewer.figure.template_box import narrow
from napari_qsm.viewer.figure.work import FigureWork

_WIDTHS = {
    85.0: "85 mm, one column",
    114.0: "114 mm, one and a half",
    174.0: "174 mm, two columns",
}
_DPI = (150, 300, 450, 600)


class PageForm(QWidget):
    """Settings of the whole figure."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._filling = False
        form = QFormLayout(self)
        form.setContentsMargins(4, 2, 4, 2)
        form.setVerticalSpacing(4)
        self._columns = QSpinBox()
        self._columns.setObjectName("qsm.figure.columns")
        self._columns.setRange(1, 12)
        self._columns.setKeyboardTracking(False)
        self._columns.valueChanged.connect(lambda _=0: self._apply("columns"))
        self._rows = QLabel()
        self._rows.setObjectName("qsm.figure.rows")
        row = QHBoxLayout()
        row.addWidget(self._columns)
        row.addWidget(self._rows, 1)
        form.addRow("Columns", row)
        self._width = self._combo("width", [(mm, _WIDTHS[mm]) for mm in WIDTHS_MM])
        form.addRow("Width", self._width)
        self._dpi = self._combo("dpi", [(dpi, f"{dpi} dpi") for dpi in _DPI])
        self._dpi.setToolTip("Dots per inch of PNG and TIFF; journals ask for 300 to 600")
        form.addRow("Resolution", self._dpi)
        self._size = QSpinBox()
        self._size.setObjectName("qsm.figure.font_size")
        self._size.setRange(5, 14)
        self._size.setSuffix(" pt")
        self._size.setKeyboardTracking(False)
        self._size.valueChanged.connect(lambda _=0: self._apply("font_size"))
        form.addRow("Letters", self._size)
        self._ground = self._combo("ground", [("light", "white"), ("dark", "black")])
        form.addRow("Ground", self._ground)
        self._side = self._combo(
            "side", [(True, "left (radiological)"), (False, "right (neurological)")]
        )
        form.addRow("Patient's right", self._side)
        self._unit = self._combo("unit", [("ppm", "ppm"), ("ppb", "ppb")])
        form.addRow("Unit", self._unit)

    def _combo(self, name: str, choices: list[tuple[Any, str]]) -> QComboBox:
        combo = narrow(QComboBox(), 10)
        combo.setObjectName(f"qsm.figure.{name}")
        for key, text in choices:
            combo.addItem(text, key)
        combo.activated.connect(lambda _=0, n=name: self._apply(n))
        return combo

    def refresh(self) -> None:
        """Show the settings as they are."""
        spec = self._work.spec
        self.setEnabled(spec is not None)
        if spec is None:
            return
        self._filling = True
        style = spec.style
        self._columns.setValue(spec.columns)
        rows = editing.rows_of(spec)
        self._rows.setText(f"× {rows} row{'s' if rows != 1 else ''}")
        self._show(self._width, style.width_mm, f"{style.width_mm:g} mm")
        self._show(self._dpi, style.dpi, f"{style.dpi} dpi")
        self._size.setValue(round(style.size_pt))
        self._show(self._ground, style.ground, "")
        self._show(self._side, spec.radiological, "")
        self._show(self._unit, spec.unit, "")
        self._filling = False

    @staticmethod
    def _show(combo: QComboBox, value: Any, text: str) -> None:
        """Choose a value; one that an opened spec brings along is offered too."""
        if combo.findData(value) < 0:
            combo.addItem(text, value)
        combo.setCurrentIndex(combo.findData(value))

    def _apply(self, name: str) -> None:
        spec = self._work.spec
        if self._filling or spec is None:
            return
        self._work.attempt(lambda: self._work.change("page of the figure", self._new(name, spec)))
        self.refresh()

    def _new(self, name: str, spec: FigureSpec) -> FigureSpec:
        if name == "columns":
            return editing.with_columns(spec, self._columns.value())
        if name == "side":
            return editing.with_fields(spec, radiological=self._side.currentData())
        if name == "unit":
            return editing.with_fields(spec, unit=self._unit.currentData())
        fields: dict[str, Any] = {
            "width": ("width_mm", self._width.currentData()),
            "dpi": ("dpi", self._dpi.currentData()),
            "font_size": ("size_pt", float(self._size.value())),
            "ground": ("ground", self._ground.currentData()),
        }
        field, value = fields[name]
        return editing.with_style(spec, **{field: value})
