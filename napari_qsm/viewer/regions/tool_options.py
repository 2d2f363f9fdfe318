"""The settings of the drawing tools, one row each; of the tool in hand only its own are shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget
from superqt import QDoubleRangeSlider

from napari_qsm.session.painting import TIPPED, PaintOptions
from napari_qsm.units import SusceptibilityUnit, decimals, from_shown, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.number_fields import NumberField

#: How far the slider of limits reaches, ppm.
_REACH_PPM = 0.3
_WIDEST_MM, _FARTHEST_MM, _MOST_NOISE = 20.0, 40.0, 8.0
_FLAT_TOOLS = frozenset({"polygon", "lasso"})
#: Which tools have which rows.
_ROWS: dict[str, frozenset[str]] = {
    "size": TIPPED,
    "tip": TIPPED - {"push"},
    "edge": frozenset({"adaptive"}),
    "radius": frozenset({"grow"}),
    "in_3d": TIPPED | {"fill", "grow", "move"},
    "protect": TIPPED | _FLAT_TOOLS | {"fill", "grow"},
    "inside_mask": frozenset({"grow"}),
    "limited": TIPPED - {"push"} | _FLAT_TOOLS | {"fill"},
}
_REACHES = {
    "move": (
        "Whole region (3-D)",
        "The region moves in all its slices; without this, its outline in this slice",
    )
}
_REACHES_TIP = (
    "Through slices (3-D)",
    "The tool reaches into the neighbouring slices; a tip is as wide in every direction, in mm",
)


#: Round a number in its field, and what the theme's letters are wider, pixels.
_ROOM = 30


class ToolOptions(QWidget):
    """Fields that follow and set the options of the drawing tools.

    Parameters
    ----------
    options : PaintOptions
        What they set.
    fit_limits : callable
        Sets the limits to what fits the seed.
    """

    def __init__(self, options: PaintOptions, fit_limits: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.paint.options")
        self._options = options
        self._unit: SusceptibilityUnit = "ppm"
        self._filling = False
        self._fields: dict[str, tuple[Any, NumberField, float]] = {}
        self._rows: dict[str, QWidget] = {
            "size": self._length_row(
                "diameter_mm", "size", "Width", 0.5, _WIDEST_MM, 0.1, 100.0, 0.5, " mm",
                "Width of the tip; the keys [ and ] change it",
            ),
            "edge": self._length_row(
                "edge", "edge", "Edge to noise", 1.0, _MOST_NOISE, 0.5, 20.0, 0.1, "",
                "A step between two tissues stops the brush if it is so many times the noise; "
                "smaller stops at fainter edges, larger at strong ones alone",
            ),
            "radius": self._length_row(
                "radius_mm", "radius", "Reach", 0.5, _FARTHEST_MM, 0.5, 100.0, 0.5, " mm",
                "How far from the seed it grows at most, in a straight line",
            ),
        }  # fmt: skip
        self._tip: dict[str, Any] = {}
        self._rows["tip"] = self._tip_row()
        self._checks = {
            "in_3d": self._check("in_3d", *_REACHES_TIP),
            "protect": self._check(
                "protect", "Spare other regions",
                "Tools change only this region and empty voxels; locked regions are always spared",
            ),
            "inside_mask": self._check(
                "inside_mask", "Only inside the mask",
                "Grow only where the patient's mask is; without a mask, everywhere",
            ),
            "limited": self._check(
                "limited", "Only where the map lies between",
                "Draw only voxels whose susceptibility lies between two values",
            ),
        }  # fmt: skip
        self._rows.update(self._checks)
        self._rows["tip"].layout().addWidget(self._checks["in_3d"], 1)
        self._limits = self._limit_row()
        self._fit = ui.button(
            "Limits from the seed", "qsm.paint.fit", fit_limits,
            tip="Values round the seed, give or take three times how much they vary",
        )  # fmt: skip
        order = ("size", "tip", "edge", "radius", "protect", "inside_mask", "limited")
        self.setLayout(
            ui.column(*(self._rows[key] for key in order), self._limits, self._fit, spacing=4)
        )

    # -- building -------------------------------------------------------------------------

    def _length_row(
        self,
        field: str,
        name: str,
        text: str,
        low: float,
        high: float,
        lowest: float,
        highest: float,
        step: float,
        suffix: str,
        tip: str,
    ) -> QWidget:
        """A slider and a field for one number."""

        def slid(value: float) -> None:
            self._set(**{field: round(value / step) * step})

        slides = ui.slider(f"qsm.paint.{'slider' if name == 'size' else name + '_slider'}", slid,
                           low, high, tip=tip)  # fmt: skip
        slides.setMinimumHeight(22)
        types = ui.number(
            f"qsm.paint.{name}", lambda value: self._set(**{field: value}), lowest, highest,
            step=step, decimals=1, suffix=suffix, tip=tip,
        )  # fmt: skip
        written = types.fontMetrics().horizontalAdvance(f"{highest:.1f}{suffix}")
        types.setStyleSheet(f"min-width: {written + _ROOM}px")  # that of the theme is narrower
        self._fields[field] = (slides, types, high)
        return ui.panel(ui.row(ui.WholeLabel(text), slides, types, spacing=6))

    def _tip_row(self) -> QWidget:
        for tip, text in (("round", "Round"), ("square", "Square")):
            made = ui.tool(
                f"qsm.paint.{tip}", partial(self._on_tip, tip), text=text,
                tip=f"A {tip} tip", checkable=True,
            )  # fmt: skip
            made.setMinimumHeight(26)
            self._tip[tip] = made
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        for made in self._tip.values():
            line.addWidget(made)
        return row

    def _check(self, field: str, text: str, tip: str) -> Any:
        return ui.check(text, f"qsm.paint.{field}", lambda on: self._set(**{field: on}), tip=tip)

    def _limit_row(self) -> QWidget:
        self._low, self._high = self._limit_field("low"), self._limit_field("high")
        self._range = ui.named(
            QDoubleRangeSlider(Qt.Orientation.Horizontal), "qsm.paint.limits",
            "Values that are drawn",
        )  # fmt: skip
        self._range.setMinimumHeight(22)
        self._range.valueChanged.connect(self._on_range)
        self._unit_label = QLabel()
        row = ui.row(self._low, self._range, self._high, self._unit_label, spacing=4)
        return ui.panel(row)

    def _limit_field(self, name: str) -> NumberField:
        made = ui.number(f"qsm.paint.{name}", self._on_typed, -1e6, 1e6, buttons=False)
        made.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        made.setFixedWidth(64)
        return made

    # -- showing --------------------------------------------------------------------------

    def show_options(self, unit: SusceptibilityUnit, *, has_mask: bool) -> None:
        """Show how the tools are set, in a unit of susceptibility."""
        options, kind = self._options, self._options.kind
        self._unit = unit
        self._filling = True
        try:
            for field, (slides, types, high) in self._fields.items():
                value = getattr(options, field)
                slides.setValue(min(value, high))
                types.setValue(value)
            for tip, made in self._tip.items():
                made.setChecked(tip == options.tip)
            for field, box in self._checks.items():
                box.setChecked(getattr(options, field))
            self._show_limits()
        finally:
            self._filling = False
        for row, kinds in _ROWS.items():
            self._rows[row].setVisible(kind in kinds)
        # Tip and reach share a row, which is there if one of them is.
        self._rows["tip"].setVisible(kind in _ROWS["in_3d"])
        for made in self._tip.values():
            made.setVisible(kind in _ROWS["tip"])
        text, says = _REACHES.get(kind, _REACHES_TIP)
        self._checks["in_3d"].setText(text)
        self._checks["in_3d"].setToolTip(says)
        self._checks["inside_mask"].setEnabled(has_mask)
        self._limits.setVisible(kind == "grow" or (options.limited and kind in _ROWS["limited"]))
        self._fit.setVisible(kind == "grow")

    def _show_limits(self) -> None:
        unit = self._unit
        low, high = (to_shown(value, "ppm", unit) for value in self._options.window_ppm)
        reach = to_shown(_REACH_PPM, "ppm", unit)
        places = decimals(unit)
        for field, value in ((self._low, low), (self._high, high)):
            field.setDecimals(places)
            field.setSingleStep(5 * 10.0**-places)
            field.setValue(value)
        self._range.setRange(min(-reach, low), max(reach, high))
        self._range.setValue((low, high))
        self._unit_label.setText(unit)

    # -- what the user does ---------------------------------------------------------------

    def _set(self, **changes: Any) -> None:
        if not self._filling:
            self._options.update(changes)

    def _on_tip(self, tip: str, _: bool) -> None:
        self._set(tip=tip)
        for each, made in self._tip.items():
            made.setChecked(each == self._options.tip)

    def _on_typed(self, _: float) -> None:
        self._on_range((self._low.value(), self._high.value()))

    def _on_range(self, ends: tuple[float, float]) -> None:
        low, high = sorted(from_shown(value, "ppm", self._unit) for value in ends)
        self._set(window_ppm=(low, high))
