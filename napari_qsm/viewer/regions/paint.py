"""Draw: tools, their size, what they spare, and a sentence about the next click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider, QDoubleSlider

from napari_qsm.session.painting import PaintOptions
from napari_qsm.units import decimals, from_shown, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.painter import Painter
from napari_qsm.viewer.services import Services

_TOOLS = (
    ("brush", "Brush", "Paint with the left button (B)"),
    ("eraser", "Eraser", "Take paint away (X)"),
    ("pick", "Pick", "Click a region to choose it; Alt + click does so with any tool"),
    ("polygon", "Polygon", "Click corners; double click or Enter closes it"),
    ("lasso", "Lasso", "Drag round what is to be painted"),
    ("fill", "Fill", "Click inside a closed outline, or within limits of values"),
)
#: How far the slider of limits reaches, ppm.
_REACH_PPM = 0.3
_WIDEST_ON_SLIDER_MM = 20.0


class PaintBox(ui.Section):
    """The drawing tools."""

    painter: Painter
    options: PaintOptions

    def __init__(self, context: Services) -> None:
        super().__init__("Draw", "qsm.paint", is_open=True)
        self._context = context
        self._session = context.session
        self._filling = False
        self.painter = Painter(context.controller)
        self.options = self.painter.options
        layout = self.body
        layout.addLayout(self._tool_rows())
        self._says = QLabel()
        self._says.setObjectName("qsm.paint.says")
        self._says.setWordWrap(True)
        self._says.setMinimumHeight(self._says.fontMetrics().height() * 2 + 2)
        layout.addWidget(self._says)
        layout.addLayout(self._size_rows())
        layout.addLayout(self._limit_rows())
        layout.addLayout(self._undo_row())
        session, controller = context.session, context.controller
        self._connections: list[tuple[Any, Callable[..., Any]]] = [
            (self.painter.changed, self.refresh),
            (session.events.unit, self.refresh),
            (session.history.changed, self._show_undo),
            (controller.drawn_again, self._say),
        ]
        for emitter, call in self._connections:
            emitter.connect(call)
        self.refresh()
        self._show_undo()

    def dispose(self) -> None:
        """Put the tool away and stop listening."""
        for emitter, call in self._connections:
            emitter.disconnect(call)
        self.painter.dispose()

    # -- building -------------------------------------------------------------------------

    def _tool_rows(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(3)
        self._tools: dict[str, QToolButton] = {}
        for place, (kind, text, tip) in enumerate(_TOOLS):
            button = _tool_button(text, f"qsm.paint.{kind}", tip)
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, k=kind: self.painter.use(k))
            self._tools[kind] = button
            grid.addWidget(button, place // 3, place % 3)
        return grid

    def _size_rows(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        row = QHBoxLayout()
        self._slider = QDoubleSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("qsm.paint.slider")
        self._slider.setRange(0.5, _WIDEST_ON_SLIDER_MM)
        self._slider.setMinimumHeight(22)
        self._slider.valueChanged.connect(lambda value: self._set(diameter_mm=round(value * 2) / 2))
        self._size = ui.NumberField()
        self._size.setObjectName("qsm.paint.size")
        self._size.setRange(0.1, 100)
        self._size.setDecimals(1)
        self._size.setSingleStep(0.5)
        self._size.setSuffix(" mm")
        self._size.setKeyboardTracking(False)
        self._size.setToolTip("Width of the brush; the keys [ and ] change it")
        self._size.valueChanged.connect(lambda value: self._set(diameter_mm=value))
        row.addWidget(self._slider, 1)
        row.addWidget(self._size)
        column.addLayout(row)
        forms = QHBoxLayout()
        forms.setSpacing(2)
        self._tips = QButtonGroup(self)
        self._tip: dict[str, QToolButton] = {}
        for number, (tip, text, says) in enumerate(
            (("round", "Round", "A round tip"), ("square", "Square", "A square tip"))
        ):
            button = _tool_button(text, f"qsm.paint.{tip}", says)
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, t=tip: self._set(tip=t))
            self._tips.addButton(button, number)
            self._tip[tip] = button
            forms.addWidget(button)
        self._in_3d = QCheckBox("Through slices (3-D)")
        self._in_3d.setObjectName("qsm.paint.in_3d")
        self._in_3d.setToolTip(
            "Brush and fill reach into the neighbouring slices; the brush is as wide in every "
            "direction, in mm"
        )
        self._in_3d.toggled.connect(lambda on: self._set(in_3d=on))
        forms.addWidget(self._in_3d, 1)
        column.addLayout(forms)
        return column

    def _limit_rows(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        self._protect = QCheckBox("Spare other regions")
        self._protect.setObjectName("qsm.paint.protect")
        self._protect.setToolTip(
            "Tools change only this region and empty voxels; locked regions are always spared"
        )
        self._protect.toggled.connect(lambda on: self._set(protect=on))
        column.addWidget(self._protect)
        self._limited = QCheckBox("Only where the map lies between")
        self._limited.setObjectName("qsm.paint.limited")
        self._limited.setToolTip("Draw only voxels whose susceptibility lies between two values")
        self._limited.toggled.connect(lambda on: self._set(limited=on))
        column.addWidget(self._limited)
        self._limits = QWidget()
        row = QHBoxLayout(self._limits)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._low = self._limit_spin("low")
        self._high = self._limit_spin("high")
        self._range = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self._range.setObjectName("qsm.paint.limits")
        self._range.setMinimumHeight(22)
        self._range.valueChanged.connect(self._on_range)
        self._unit = QLabel()
        row.addWidget(self._low)
        row.addWidget(self._range, 1)
        row.addWidget(self._high)
        row.addWidget(self._unit)
        column.addWidget(self._limits)
        return column

    def _limit_spin(self, name: str) -> QDoubleSpinBox:
        spin = ui.NumberField()
        spin.setObjectName(f"qsm.paint.{name}")
        spin.setRange(-1e6, 1e6)
        spin.setKeyboardTracking(False)
        spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        spin.setFixedWidth(64)
        spin.valueChanged.connect(self._on_typed)
        return spin

    def _undo_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._undo = QPushButton("Undo")
        self._undo.setObjectName("qsm.paint.undo")
        self._redo = QPushButton("Redo")
        self._redo.setObjectName("qsm.paint.redo")
        self._undo.clicked.connect(lambda _=False: self._session.history.undo())
        self._redo.clicked.connect(lambda _=False: self._session.history.redo())
        row.addWidget(self._undo)
        row.addWidget(self._redo)
        return row

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show how the tools are set."""
        options, unit = self.options, self._session.unit
        self._filling = True
        try:
            for kind, button in self._tools.items():
                button.setChecked(kind == options.kind)
            self._slider.setValue(min(options.diameter_mm, _WIDEST_ON_SLIDER_MM))
            self._size.setValue(options.diameter_mm)
            self._tip[options.tip].setChecked(True)
            self._in_3d.setChecked(options.in_3d)
            self._protect.setChecked(options.protect)
            self._limited.setChecked(options.limited)
            low, high = (to_shown(value, "ppm", unit) for value in options.window_ppm)
            reach = to_shown(_REACH_PPM, "ppm", unit)
            places = decimals(unit)
            for spin, value in ((self._low, low), (self._high, high)):
                spin.setDecimals(places)
                spin.setSingleStep(5 * 10.0**-places)
                spin.setValue(value)
            self._range.setRange(min(-reach, low), max(reach, high))
            self._range.setValue((low, high))
            self._limits.setVisible(options.limited)
            self._unit.setText(unit)
        finally:
            self._filling = False
        self._say()

    def _say(self) -> None:
        text, ready = self.painter.sentence()
        self._says.setText(text)
        font = self._says.font()
        font.setBold(ready)
        self._says.setFont(font)

    def _show_undo(self) -> None:
        history = self._session.history
        for button, text, key in (
            (self._undo, history.undo_text, "Ctrl Z"),
            (self._redo, history.redo_text, "Ctrl Shift Z"),
        ):
            button.setEnabled(bool(text))
            button.setToolTip(f"{text} ({key})" if text else key)

    # -- what the user does ---------------------------------------------------------------

    def _set(self, **changes: Any) -> None:
        if not self._filling:
            self.options.update(changes)

    def toggle_eraser(self) -> None:
        """From any tool to the eraser, and from the eraser to the brush."""
        self.painter.use("brush" if self.options.kind == "eraser" else "eraser")

    def escape(self) -> None:
        """First give up an outline, then put the tool away."""
        if not self.painter.cancel():
            self.painter.use("")

    def _on_typed(self) -> None:
        self._on_range((self._low.value(), self._high.value()))

    def _on_range(self, ends: tuple[float, float]) -> None:
        low, high = sorted(from_shown(value, "ppm", self._session.unit) for value in ends)
        self._set(window_ppm=(low, high))


def _tool_button(text: str, name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    button.setMinimumHeight(28)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    button.setStyleSheet(ui.TOOL_BUTTONS)
    return button
