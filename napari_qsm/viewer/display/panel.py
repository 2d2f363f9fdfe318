"""Display: how a map is coloured."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider, QDoubleSlider

from napari_qsm.colormaps import COLORMAPS, effective_window
from napari_qsm.session import LINKED_FIELDS, MapEntry, Session, auto_window
from napari_qsm.session.appearance import PRESETS, shown_unit
from napari_qsm.session.blinding import shown_name
from napari_qsm.units import decimals, from_shown, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.display.compare import CompareBox
from napari_qsm.viewer.display.measure import MeasureBox
from napari_qsm.viewer.services import Services

_COLOURINGS = (
    ("grey", "Grey", "High values bright"),
    ("inverted", "Inverted", "High values dark, as in inverted QSM images"),
    ("colour", "Colour", "A colour ramp, over the magnitude where values are hidden"),
    ("both sides", "Both sides", "Negative values blue, positive values red to yellow"),
)
_LIMIT = 1e9


class DisplayPanel(QWidget):
    """Colours, window, thresholds and opacity of the chosen map; compare; measure."""

    title = "Display"

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.display")
        self._context = context
        self._session = context.session
        self._filling = False
        self._range: dict[str, tuple[float, float]] = {}
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        self._hint = ui.quiet("Open a map first; how it is coloured is chosen here.")
        layout.addWidget(self._hint)
        self._form = QWidget()
        layout.addWidget(self._form)
        self._build(self._form)
        self._compare = CompareBox(context)
        self._measure = MeasureBox(context)
        layout.addWidget(self._compare)
        layout.addWidget(self._measure)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        context.controller.drawn_again.connect(self.refresh)
        self._session.events.unit.connect(self.refresh)
        self._session.events.windows_linked.connect(self._on_linked)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._context.controller.drawn_again.disconnect(self.refresh)
        self._session.events.unit.disconnect(self.refresh)
        self._session.events.windows_linked.disconnect(self._on_linked)
        self._compare.dispose()
        self._measure.dispose()

    # -- building -------------------------------------------------------------------------

    def _build(self, parent: QWidget) -> None:
        column = QVBoxLayout(parent)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._map = QComboBox()
        self._map.setObjectName("qsm.display.map")
        self._map.currentIndexChanged.connect(self._on_map)
        column.addWidget(self._map)
        column.addLayout(self._colouring_row())
        self._ramp = QComboBox()
        self._ramp.setObjectName("qsm.display.ramp")
        for ramp in COLORMAPS:
            self._ramp.addItem(f"{ramp.title} – {ramp.kind}", ramp.name)
        self._ramp.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._ramp.setMinimumContentsLength(12)
        self._ramp.currentIndexChanged.connect(self._on_ramp)
        column.addWidget(self._ramp)
        column.addLayout(self._window_rows())
        column.addLayout(self._threshold_rows())

    def _colouring_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self._colourings = QButtonGroup(self)
        for index, (key, title, tip) in enumerate(_COLOURINGS):
            button = QToolButton()
            button.setObjectName(f"qsm.display.{key.replace(' ', '_')}")
            button.setText(title)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setMinimumHeight(28)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setStyleSheet(ui.TOOL_BUTTONS)
            self._colourings.addButton(button, index)
            row.addWidget(button)
        self._colourings.idClicked.connect(self._on_colouring)
        return row

    def _window_rows(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        head = QHBoxLayout()
        self._window_title = QLabel("<b>Window</b>")
        head.addWidget(self._window_title, 1)
        self._link = QToolButton()
        self._link.setObjectName("qsm.display.link")
        self._link.setCheckable(True)
        self._link.setStyleSheet(ui.TOOL_BUTTONS)
        self._link.setChecked(self._session.windows_linked)
        self._link.toggled.connect(self._on_link_button)
        head.addWidget(self._link)
        column.addLayout(head)
        self._slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("qsm.display.window")
        self._slider.setMinimumHeight(22)
        self._slider.valueChanged.connect(self._on_slider)
        column.addWidget(self._slider)
        ends = QHBoxLayout()
        self._low = _number("qsm.display.low", self._on_typed, "Value drawn at the low end")
        self._high = _number("qsm.display.high", self._on_typed, "Value drawn at the high end")
        ends.addWidget(self._low)
        ends.addWidget(ui.quiet("to"), 0, Qt.AlignmentFlag.AlignCenter)
        ends.addWidget(self._high)
        column.addLayout(ends)
        presets = QGridLayout()
        presets.setSpacing(2)
        self._presets: list[QPushButton] = []
        for index, preset in enumerate(PRESETS):
            button = QPushButton(preset.title)
            button.setObjectName(f"qsm.display.preset{index}")
            button.clicked.connect(lambda _=False, p=preset: self._on_preset(p.window_ppm))
            presets.addWidget(button, 0, index)
            self._presets.append(button)
        auto = QPushButton("Auto")
        auto.setObjectName("qsm.display.auto")
        auto.setToolTip("From the 1st to the 99th percentile of the values")
        auto.clicked.connect(self._on_auto)
        presets.addWidget(auto, 0, len(PRESETS))
        column.addLayout(presets)
        return column

    def _threshold_rows(self) -> QFormLayout:
        form = QFormLayout()
        form.setVerticalSpacing(4)
        self._below = QCheckBox("Hide below")
        self._above = QCheckBox("Hide above")
        self._below_at = _number(
            "qsm.display.below", self._on_threshold, "Lower values are see-through"
        )
        self._above_at = _number(
            "qsm.display.above", self._on_threshold, "Higher values are see-through"
        )
        for check, spin, name in (
            (self._below, self._below_at, "qsm.display.hide_below"),
            (self._above, self._above_at, "qsm.display.hide_above"),
        ):
            check.setObjectName(name)
            check.toggled.connect(self._on_threshold)
            form.addRow(check, spin)
        self._opacity = QDoubleSlider(Qt.Orientation.Horizontal)
        self._opacity.setObjectName("qsm.display.opacity")
        self._opacity.setRange(0, 1)
        self._opacity.setMinimumHeight(22)
        self._opacity.valueChanged.connect(self._on_opacity)
        form.addRow("Opacity", self._opacity)
        return form

    # -- showing the session --------------------------------------------------------------

    def refresh(self) -> None:
        """Show how the chosen map is drawn."""
        if self._filling:
            return
        entries = list(reversed(list(self._session)))
        entry = self._session.selected_entry
        self._filling = True
        try:
            _fill_combo(self._map, self._session, entries, entry)
            self._form.setVisible(entry is not None)
            self._hint.setVisible(entry is None)
            if entry is not None:
                self._show(entry)
        finally:
            self._filling = False
        self._compare.refresh()
        self._measure.refresh()

    def _show(self, entry: MapEntry) -> None:
        display, unit = entry.display, shown_unit(entry, self._session.unit)
        image = entry.editable is None
        keys = [key for key, _, _ in _COLOURINGS]
        for button in self._colourings.buttons():
            button.setEnabled(image)
        chosen = self._colourings.button(keys.index(display.colouring))
        if chosen is not None:
            chosen.setChecked(True)
        index = self._ramp.findData(display.colormap)
        if index < 0:
            self._ramp.addItem(display.colormap, display.colormap)
            index = self._ramp.count() - 1
        self._ramp.setCurrentIndex(index)
        self._ramp.setVisible(image and display.colouring == "colour")
        low, high = (self._shown(entry, v) for v in effective_window(display))
        places = decimals(unit, high - low)
        step = 10.0**-places if unit in ("ppm", "ppb") else (high - low) / 50
        for spin in (self._low, self._high, self._below_at, self._above_at):
            spin.setDecimals(places)
            spin.setSingleStep(step * (5 if unit in ("ppm", "ppb") else 1))
            spin.setSuffix(f" {unit}" if unit else "")
        self._low.setValue(low)
        self._high.setValue(high)
        self._low.setEnabled(display.colouring != "both sides" and image)
        self._high.setEnabled(image)
        bottom, top = self._limits(entry, low, high)
        self._slider.setRange(bottom, top)
        self._slider.setValue((low, high))
        self._slider.setEnabled(image)
        self._window_title.setText(f"<b>Window</b> ({unit})" if unit else "<b>Window</b>")
        for button, preset in zip(self._presets, PRESETS, strict=True):
            factor = 1000 if unit == "ppb" else 1
            ends = [f"{v * factor:g}" for v in preset.window_ppm]
            symmetric = preset.window_ppm[0] == -preset.window_ppm[1]
            button.setText(f"±{ends[1]}" if symmetric else "–".join(ends))
            button.setToolTip(f"Window {preset.title} ppm")
            button.setEnabled(entry.is_susceptibility)
        self._link.setVisible(entry.is_susceptibility)
        self._on_linked()
        for check, spin, value, default in (
            (self._below, self._below_at, display.threshold_low, low),
            (self._above, self._above_at, display.threshold_high, high),
        ):
            check.setChecked(value is not None)
            check.setEnabled(image)
            spin.setEnabled(value is not None)
            spin.setValue(self._shown(entry, value) if value is not None else default)
        both = display.colouring == "both sides"
        self._below.setText("Hide |value| below" if both else "Hide below")
        self._above.setText("Hide |value| above" if both else "Hide above")
        self._opacity.setValue(display.opacity)

    def _limits(self, entry: MapEntry, low: float, high: float) -> tuple[float, float]:
        """How far the slider reaches: past the values most maps hold, and past the window."""
        if entry.id not in self._range:
            self._range[entry.id] = auto_window(entry.volume, percentiles=(0.05, 99.95))
        ends = [self._shown(entry, v) for v in self._range[entry.id]]
        if entry.is_susceptibility:
            most = self._shown(entry, 0.3 * (1e3 if entry.volume.unit == "ppb" else 1))
            ends = [-most, most]
        return min(ends[0], low), max(ends[1], high)

    def _shown(self, entry: MapEntry, value: float) -> float:
        return to_shown(value, entry.volume.unit, self._session.unit)

    def _stored(self, entry: MapEntry, value: float) -> float:
        return from_shown(value, entry.volume.unit, self._session.unit)

    def _on_linked(self) -> None:
        linked = self._session.windows_linked
        self._link.setChecked(linked)
        self._link.setText("Same for all maps" if linked else "This map only")
        self._link.setToolTip(
            "All susceptibility maps share window, colours and thresholds, so that patient and "
            "control are never shown differently by accident"
            if linked
            else "Each map has a window of its own: brightness must not be compared"
        )

    def _on_link_button(self, linked: bool) -> None:
        if linked == self._session.windows_linked:
            return
        self._session.windows_linked = linked
        entry = self._session.selected_entry
        if linked and entry is not None:  # what is on show now holds for all from here on
            self._session.set_display(
                entry, **{name: getattr(entry.display, name) for name in LINKED_FIELDS}
            )

    # -- what the user does ---------------------------------------------------------------

    def _change(self, **changes: Any) -> None:
        entry = self._session.selected_entry
        if entry is not None and not self._filling:
            self._session.set_display(entry, **changes)

    def _on_map(self, index: int) -> None:
        if not self._filling and index >= 0:
            self._session.selected = self._map.itemData(index)

    def _on_colouring(self, index: int) -> None:
        key = _COLOURINGS[index][0]
        changes: dict[str, Any] = {"colouring": key}
        entry = self._session.selected_entry
        if (
            entry is not None
            and key == "both sides"
            and entry.display.threshold_low is None
            and entry.is_susceptibility
        ):
            # Without a dead band round zero the magnitude below would not be seen at all.
            changes["threshold_low"] = 0.03 * (1e3 if entry.volume.unit == "ppb" else 1)
        self._change(**changes)

    def _on_ramp(self, index: int) -> None:
        self._change(colormap=self._ramp.itemData(index))

    def _on_slider(self, ends: tuple[float, float]) -> None:
        entry = self._session.selected_entry
        if self._filling or entry is None:
            return
        low, high = ends
        if entry.display.colouring == "both sides":
            old = self._shown(entry, effective_window(entry.display)[1])
            high = -low if abs(high - old) < 1e-12 else high
            low = -abs(high)
            high = abs(high)
        self._set_window(low, high)

    def _on_typed(self) -> None:
        low, high = self._low.value(), self._high.value()
        entry = self._session.selected_entry
        if entry is not None and entry.display.colouring == "both sides":
            low = -high
        self._set_window(low, high)

    def _set_window(self, low: float, high: float) -> None:
        entry = self._session.selected_entry
        if entry is None or self._filling:
            return
        if not high > low:
            self.refresh()
            return
        self._change(window=(self._stored(entry, low), self._stored(entry, high)))

    def _on_preset(self, window_ppm: tuple[float, float]) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            factor = 1e3 if entry.volume.unit == "ppb" else 1.0
            self._change(window=(window_ppm[0] * factor, window_ppm[1] * factor))

    def _on_auto(self) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            both = entry.display.colouring == "both sides"
            self._change(window=auto_window(entry.volume, symmetric=both))

    def _on_threshold(self) -> None:
        entry = self._session.selected_entry
        if entry is None or self._filling:
            return
        values = []
        for check, spin in ((self._below, self._below_at), (self._above, self._above_at)):
            values.append(self._stored(entry, spin.value()) if check.isChecked() else None)
        self._change(threshold_low=values[0], threshold_high=values[1])

    def _on_opacity(self, value: float) -> None:
        self._change(opacity=float(value))


def _number(name: str, call: Any, tip: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setObjectName(name)
    spin.setRange(-_LIMIT, _LIMIT)
    spin.setKeyboardTracking(False)
    spin.setToolTip(tip)
    spin.valueChanged.connect(lambda _=0.0: call())
    return spin


def _fill_combo(
    combo: QComboBox, session: Session, entries: list[MapEntry], chosen: MapEntry | None
) -> None:
    known = [(combo.itemData(i), combo.itemText(i)) for i in range(combo.count())]
    wanted = [(entry.id, shown_name(session, entry)) for entry in entries]
    if known != wanted:
        combo.clear()
        for key, name in wanted:
            combo.addItem(name, key)
    if chosen is not None:
        combo.setCurrentIndex(combo.findData(chosen.id))
