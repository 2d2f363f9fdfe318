"""How one map is coloured: colours, window, thresholds and opacity, as a form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QToolButton, QWidget
from superqt import QDoubleRangeSlider

from napari_qsm.colormaps import COLORMAPS, effective_window, has_thresholds
from napari_qsm.session import LINKED_FIELDS, MapDisplay, MapEntry, Session, auto_window
from napari_qsm.session.appearance import PRESETS, shown_unit
from napari_qsm.session.speckle import set_smallest_cluster
from napari_qsm.units import decimals, from_shown, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.forms import Control, schema_field

_COLOURINGS = schema_field(
    MapDisplay,
    "colouring",
    "Colours",
    words={"grey": "Grey", "inverted": "Inverted", "colour": "Colour", "both sides": "Both sides"},
)
_TIPS = {
    "grey": "High values bright",
    "inverted": "High values dark, as in inverted QSM images",
    "colour": "A colour ramp, over the magnitude where values are hidden",
    "both sides": "Negative values blue, positive values red to yellow",
}
_COLORMAP = schema_field(
    MapDisplay,
    "colormap",
    "Ramp",
    words={each.name: f"{each.title} – {each.kind}" for each in COLORMAPS},
)
_OPACITY = schema_field(MapDisplay, "opacity", "Opacity")
_LIMIT = 1e9
_LINKED = "Same for all maps"
_LINKED_TIP = (
    "All susceptibility maps share window, colours and thresholds, so that patient and "
    "control are never shown differently by accident"
)
_OWN = "This map only"
_OWN_TIP = "Each map has a window of its own: brightness must not be compared"


class MapForm(QWidget):
    """Colours, window, thresholds and opacity of the chosen map."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._range: dict[str, tuple[float, float]] = {}
        self._colourings = QButtonGroup(self)
        self._colour_buttons: list[QToolButton] = []
        for index, (key, title) in enumerate(_COLOURINGS.choices):
            name = f"qsm.display.{key.replace(' ', '_')}"
            button = ui.tool(name, lambda _: None, text=title, tip=_TIPS[key], checkable=True)
            button.setMinimumHeight(28)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._colourings.addButton(button, index)
            self._colour_buttons.append(button)
        self._colourings.idClicked.connect(self._on_colouring)
        self._ramp = Control(
            _COLORMAP, "qsm.display.ramp", lambda name: self._change(colormap=name)
        )
        self._window_title = ui.label("<b>Window</b>")
        self._link = ui.tool("qsm.display.link", self._on_link_button, checkable=True)
        self._slider = ui.named(QDoubleRangeSlider(Qt.Orientation.Horizontal), "qsm.display.window")
        self._slider.setMinimumHeight(22)
        self._slider.valueChanged.connect(self._on_slider)
        numbers = (
            ("low", self._on_typed, "Value drawn at the low end"),
            ("high", self._on_typed, "Value drawn at the high end"),
            ("below", self._on_threshold, "Lower values are see-through"),
            ("above", self._on_threshold, "Higher values are see-through"),
        )
        self._low, self._high, self._below_at, self._above_at = (
            ui.number(
                f"qsm.display.{name}", partial(_without_value, call), -_LIMIT, _LIMIT, tip=tip
            )
            for name, call, tip in numbers
        )
        self._below, self._above = (
            ui.check(f"Hide {end}", f"qsm.display.hide_{end}", lambda _: self._on_threshold())
            for end in ("below", "above")
        )
        self._opacity = ui.slider(
            "qsm.display.opacity",
            lambda value: self._change(opacity=float(value)),
            _OPACITY.low,
            _OPACITY.high,
        )
        self._opacity.setMinimumHeight(22)
        to = ui.quiet("to")
        to.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._speckle = ui.number(
            "qsm.display.speckle",
            self._on_speckle,
            0,
            100_000,
            decimals=0,
            step=10,
            suffix=" mm³",
            tip="Clusters of what is left between the limits that are smaller than this are not "
            "coloured, as in figures; 0 colours all",
        )
        thresholds = ui.form(
            (self._below, self._below_at),
            (self._above, self._above_at),
            ("Speckle below", self._speckle),
            (_OPACITY.label, self._opacity),
        )
        thresholds.setContentsMargins(0, 0, 0, 0)
        colourings = ui.row(*((b, 1) for b in self._colour_buttons), spacing=2)
        window = ui.column(
            ui.row((self._window_title, 1), self._link),
            self._slider,
            ui.row((self._low, 1), to, (self._high, 1)),
            self._preset_row(),
        )
        self.setLayout(ui.column(colourings, self._ramp.widget, window, thresholds, spacing=6))

    def _preset_row(self) -> QGridLayout:
        row = QGridLayout()
        row.setSpacing(2)
        self._presets = [
            ui.button(
                preset.title,
                f"qsm.display.preset{index}",
                partial(self._on_preset, preset.window_ppm),
                tip=f"Window {preset.title} ppm",
            )
            for index, preset in enumerate(PRESETS)
        ]
        auto = ui.button(
            "Auto",
            "qsm.display.auto",
            self._on_auto,
            tip="From the 1st to the 99th percentile of the values",
        )
        for index, button in enumerate((*self._presets, auto)):
            row.addWidget(button, 0, index)
        return row

    # -- showing the session --------------------------------------------------------------

    def refresh(self) -> None:
        """Show how the chosen map is drawn."""
        entry = self._session.selected_entry
        self.setVisible(entry is not None)
        if entry is None:
            return
        controls = (self._slider, self._low, self._high, self._below, self._below_at)
        more = (self._above, self._above_at, self._speckle, self._opacity)
        for control in (*controls, *more):
            control.blockSignals(True)
        try:
            self._show_colours(entry)
            self._show_window(entry)
            self._show_thresholds(entry)
        finally:
            for control in (*controls, *more):
                control.blockSignals(False)

    def _show_colours(self, entry: MapEntry) -> None:
        display, image = entry.display, entry.editable is None
        for button, (key, _) in zip(self._colour_buttons, _COLOURINGS.choices, strict=True):
            button.setEnabled(image)
            if key == display.colouring:
                button.setChecked(True)
        self._ramp.show(display.colormap)
        self._ramp.widget.setVisible(image and display.colouring == "colour")
        self._opacity.setValue(display.opacity)

    def _show_window(self, entry: MapEntry) -> None:
        display, unit = entry.display, shown_unit(entry, self._session.unit)
        image = entry.editable is None
        low, high = (self._shown(entry, v) for v in effective_window(display))
        places = decimals(unit, high - low)
        step = 5 * 10.0**-places if unit in ("ppm", "ppb") else (high - low) / 50
        for spin in (self._low, self._high, self._below_at, self._above_at):
            spin.setDecimals(places)
            spin.setSingleStep(step)
            spin.setSuffix(f" {unit}" if unit else "")
        self._low.setValue(low)
        self._high.setValue(high)
        self._low.setEnabled(display.colouring != "both sides" and image)
        self._high.setEnabled(image)
        self._slider.setRange(*self._limits(entry, low, high))
        self._slider.setValue((low, high))
        self._slider.setEnabled(image)
        self._window_title.setText(f"<b>Window</b> ({unit})" if unit else "<b>Window</b>")
        factor = 1000 if unit == "ppb" else 1
        for button, preset in zip(self._presets, PRESETS, strict=True):
            ends = [f"{v * factor:g}" for v in preset.window_ppm]
            symmetric = preset.window_ppm[0] == -preset.window_ppm[1]
            button.setText(f"±{ends[1]}" if symmetric else "–".join(ends))
            button.setEnabled(entry.is_susceptibility)
        linked = self._session.windows_linked
        self._link.setVisible(entry.is_susceptibility)
        self._link.setChecked(linked)
        self._link.setText(_LINKED if linked else _OWN)
        self._link.setToolTip(_LINKED_TIP if linked else _OWN_TIP)

    def _show_thresholds(self, entry: MapEntry) -> None:
        display, image = entry.display, entry.editable is None
        low, high = (self._shown(entry, v) for v in effective_window(display))
        of = "|value| " if display.colouring == "both sides" else ""
        for check, spin, end, value, default in (
            (self._below, self._below_at, "below", display.threshold_low, low),
            (self._above, self._above_at, "above", display.threshold_high, high),
        ):
            check.setText(f"Hide {of}{end}")
            check.setChecked(value is not None)
            check.setEnabled(image)
            spin.setEnabled(value is not None)
            spin.setValue(self._shown(entry, value) if value is not None else default)
        self._speckle.setEnabled(image and has_thresholds(display))
        self._speckle.setValue(display.smallest_cluster_mm3)

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

    # -- what the user does ---------------------------------------------------------------

    def _change(self, **changes: Any) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            self._session.set_display(entry, **changes)

    def _on_link_button(self, linked: bool) -> None:
        self._session.windows_linked = linked
        entry = self._session.selected_entry
        if linked and entry is not None:  # what is on show now holds for all from here on
            self._change(**{name: getattr(entry.display, name) for name in LINKED_FIELDS})

    def _on_colouring(self, index: int) -> None:
        key = _COLOURINGS.choices[index][0]
        changes: dict[str, Any] = {"colouring": key}
        entry = self._session.selected_entry
        if (
            entry is not None
            and key == "both sides"
            and key not in entry.display.other_thresholds
            and entry.display.colouring != key
            and entry.is_susceptibility
        ):
            # Without a dead band round zero the magnitude below would not be seen at all.
            changes["threshold_low"] = 0.03 * (1e3 if entry.volume.unit == "ppb" else 1)
        self._change(**changes)

    def _on_slider(self, ends: tuple[float, float]) -> None:
        entry = self._session.selected_entry
        if entry is None:
            return
        low, high = ends
        if entry.display.colouring == "both sides":
            old = self._shown(entry, effective_window(entry.display)[1])
            high = abs(low) if abs(high - old) < 1e-12 else abs(high)
            low = -high
        self._set_window(entry, low, high)

    def _on_typed(self) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            low, high = self._low.value(), self._high.value()
            self._set_window(entry, -high if entry.display.colouring == "both sides" else low, high)

    def _set_window(self, entry: MapEntry, low: float, high: float) -> None:
        if high > low:
            self._change(window=(self._stored(entry, low), self._stored(entry, high)))
        else:
            self.refresh()

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
        if entry is not None:
            low, high = (
                self._stored(entry, spin.value()) if check.isChecked() else None
                for check, spin in ((self._below, self._below_at), (self._above, self._above_at))
            )
            self._change(threshold_low=low, threshold_high=high)

    def _on_speckle(self, mm3: float) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            set_smallest_cluster(self._session, entry, mm3)


def _without_value(call: Callable[[], None], value: float) -> None:
    call()
