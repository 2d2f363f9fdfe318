"""The chosen panel of the figure: title, slice, window, regions, what is written in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_qsm.anatomy import DEPTH_AXIS, side_mm
from napari_qsm.errors import QsmError
from napari_qsm.figures import editing
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import HeadCrop, Regions, RegionsCrop, WholeCrop
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.session.figure.from_session import source_of
from napari_qsm.session.figure.marks import panel_slice, with_marks_shown, with_slice
from napari_qsm.viewer.figure.template_box import narrow
from napari_qsm.viewer.figure.work import FigureWork
from napari_qsm.volume import Volume

_STYLES = (("none", "none"), ("outline", "outlined"), ("fill", "filled"), ("both", "both"))
_NAMES = (("none", "no names"), ("short", "short names"), ("full", "full names"))
_CROPS = (
    ("head", "the head"),
    ("whole", "the whole slice"),
    ("regions", "the regions, close up"),
    ("box", "as in the view"),
)


class SliceSpin(QDoubleSpinBox):
    """A position along an axis that steps from slice to slice: ``"S 4.0 mm"``."""

    def __init__(self) -> None:
        super().__init__()
        self._axis = 2
        self.setDecimals(3)
        self.setKeyboardTracking(False)

    def show_slice(self, volume: Volume, panel: ImagePanel) -> None:
        """Show a panel's slice and step by the slices of a volume."""
        axis = self._axis = DEPTH_AXIS[panel.plane]
        count = volume.shape[axis]
        first, last = (
            panel_slice(_numbered(panel, number), volume).position_mm for number in (1, count)
        )
        self.setRange(first, last)
        self.setSingleStep((last - first) / max(count - 1, 1))
        self.setValue(panel_slice(panel, volume).position_mm)

    def textFromValue(self, v: float) -> str:
        """``"S 4.0 mm"``."""
        return side_mm(self._axis, v)

    def valueFromText(self, text: str | None) -> float:
        """Letter and number, or a number with its sign."""
        words = (text or "").replace("mm", " ").replace("−", "-").replace(",", ".").strip()
        sign = -1.0 if words[:1].upper() in ("I", "P", "L") else 1.0
        try:
            wanted = sign * float(words.lstrip("SIAPRLsiaprl "))
        except ValueError:
            return self.value()
        step = self.singleStep() or 1.0  # to the middle of the nearest slice
        return self.minimum() + round((wanted - self.minimum()) / step) * step

    def validate(self, text: str | None, pos: int) -> tuple[QValidator.State, str, int]:
        """Anything may be typed; what makes no sense changes nothing."""
        return QValidator.State.Acceptable, text or "", pos


def _numbered(panel: ImagePanel, number: int) -> ImagePanel:
    """The panel at another slice, by its number from 1."""
    place = {"slice_index": number, "slice_mm": None, "through_mm": None}
    return panel.model_copy(update=place)


class PanelForm(QWidget):
    """What the chosen panel shows."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._filling = False
        self._form = QFormLayout(self)
        self._form.setContentsMargins(4, 2, 4, 2)
        self._form.setVerticalSpacing(4)
        self._letter = self._line("letter", 4, "The letter in the corner: A, B, C")
        self._letter.setFixedWidth(46)
        self._title = self._line("title", 200, "Above the panel")
        self._letter.setPlaceholderText("A")
        self._title.setPlaceholderText("no title")
        row = QHBoxLayout()
        row.addWidget(self._letter)
        row.addWidget(self._title, 1)
        self._form.addRow("Title", row)
        self._name = self._line("map_name", 200, "What the figure calls this map; never a name")
        self._form.addRow("Map", self._name)
        self._slice = SliceSpin()
        self._slice.setObjectName("qsm.figure.slice")
        self._slice.valueChanged.connect(self._on_slice)
        self._form.addRow("Slice", self._slice)
        self._crop = self._combo("crop", _CROPS)
        self._form.addRow("Shows", self._crop)
        self._low, self._high = self._window_spin("low"), self._window_spin("high")
        self._window = QWidget()
        window = QHBoxLayout(self._window)
        window.setContentsMargins(0, 0, 0, 0)
        window.addWidget(self._low)
        window.addWidget(QLabel("to"))
        window.addWidget(self._high)
        self._form.addRow("Window", self._window)
        self._lock = self._check("lock", "Same window in all panels")
        self._lock.setToolTip(
            "For all panels of this map; where one has a window of its own, the caption says so"
        )
        self._form.addRow(self._lock)
        self._style = self._combo("regions", _STYLES)
        self._names = self._combo("names", _NAMES)
        self._regions = QWidget()
        regions = QHBoxLayout(self._regions)
        regions.setContentsMargins(0, 0, 0, 0)
        regions.addWidget(self._style)
        regions.addWidget(self._names)
        self._form.addRow("Regions", self._regions)
        self._checks = QWidget()
        grid = QGridLayout(self._checks)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self._flags = {
            "orientation_letters": self._check("letters", "R and L"),
            "slice_position": self._check("position", "Slice position"),
            "scale_bar": self._check("scale_bar", "Scale bar"),
        }
        self._bar = self._check("colour_bar", "Colour bar")
        self._marks = self._check("marks", "Marks")
        self._marks.setToolTip("The marks drawn in the views on this slice")
        for number, box in enumerate((*self._flags.values(), self._bar, self._marks)):
            grid.addWidget(box, number // 2, number % 2)
        self._form.addRow(self._checks)
        self._pictures = (
            self._name,
            self._slice,
            self._crop,
            self._window,
            self._lock,
            self._regions,
            self._checks,
        )

    # -- building -------------------------------------------------------------------------

    def _line(self, name: str, longest: int, tip: str) -> QLineEdit:
        line = QLineEdit()
        line.setObjectName(f"qsm.figure.{name}")
        line.setMaxLength(longest)
        line.setToolTip(tip)
        line.editingFinished.connect(lambda n=name: self._apply(n))
        return line

    def _combo(self, name: str, choices: tuple[tuple[str, str], ...]) -> QComboBox:
        combo = narrow(QComboBox(), 5)
        combo.setObjectName(f"qsm.figure.{name}")
        combo.setMinimumWidth(88)
        for key, text in choices:
            combo.addItem(text, key)
        combo.activated.connect(lambda _=0, n=name: self._apply(n))
        return combo

    def _check(self, name: str, text: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setObjectName(f"qsm.figure.{name}")
        box.toggled.connect(lambda _=False, n=name: self._apply(n))
        return box

    def _window_spin(self, name: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setObjectName(f"qsm.figure.{name}")
        spin.setRange(-1e6, 1e6)
        spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        spin.setMinimumWidth(60)
        spin.setKeyboardTracking(False)
        spin.valueChanged.connect(lambda _=0.0: self._apply("window"))
        return spin

    # -- showing --------------------------------------------------------------------------

    @property
    def _panel(self) -> Any:
        spec, at = self._work.spec, self._work.chosen
        return spec.panels[at] if spec is not None and at >= 0 else None

    def refresh(self) -> None:
        """Show the chosen panel."""
        spec, panel = self._work.spec, self._panel
        self.setEnabled(panel is not None)
        if spec is None or panel is None:
            return
        self._filling = True
        try:
            self._fill(spec, panel)
        finally:
            self._filling = False

    def _fill(self, spec: FigureSpec, panel: Any) -> None:
        for line, text in ((self._letter, panel.letter), (self._title, panel.title)):
            if line.text() != text:
                line.setText(text)
        picture = isinstance(panel, editing.PICTURES)
        for widget in self._pictures:
            widget.setVisible(picture)
            label = self._form.labelForField(widget)
            if label is not None:
                label.setVisible(picture)
        if not isinstance(panel, editing.PICTURES):
            return
        name = spec.sources[panel.map].name if panel.map in spec.sources else ""
        if self._name.text() != name:
            self._name.setText(name)
        volume = self._work.volume(panel.map)
        is_slice = isinstance(panel, ImagePanel) and volume is not None
        self._slice.setEnabled(is_slice)
        if isinstance(panel, ImagePanel) and volume is not None:
            try:
                self._slice.show_slice(volume, panel)
            except QsmError:
                self._slice.setEnabled(False)
        self._crop.setCurrentIndex(self._crop.findData(panel.crop.kind))
        self._fill_window(spec, panel, volume)
        style = panel.regions.style if panel.regions is not None else "none"
        self._style.setCurrentIndex(self._style.findData(style))
        self._names.setCurrentIndex(
            self._names.findData(panel.regions.names if panel.regions is not None else "none")
        )
        self._names.setEnabled(panel.regions is not None)
        for field, box in self._flags.items():
            box.setChecked(getattr(panel, field))
        self._bar.setChecked(editing.has_bar(spec, self._work.chosen))
        self._marks.setEnabled(isinstance(panel, ImagePanel))
        self._marks.setChecked(isinstance(panel, ImagePanel) and bool(panel.annotations))

    def _fill_window(self, spec: FigureSpec, panel: Any, volume: Volume | None) -> None:
        susceptibility = volume is None or volume.unit in ("ppm", "ppb")
        self._factor = 1e3 if susceptibility and spec.unit == "ppb" else 1.0
        unit = spec.unit if susceptibility else (volume.unit if volume is not None else "")
        places = (0 if spec.unit == "ppb" else 3) if susceptibility else 2
        low, high = editing.window_of(spec, self._work.chosen)
        for spin, value in ((self._low, low), (self._high, high)):
            spin.setDecimals(places)
            spin.setSingleStep(0.01 * self._factor if susceptibility else (high - low) / 20)
            spin.setSuffix(f" {unit}" if unit else "")
            spin.setValue(value * self._factor)
        self._lock.setChecked(panel.unlocked_window is None)

    # -- changing -------------------------------------------------------------------------

    def _apply(self, name: str) -> None:
        if self._filling or self._work.spec is None or self._panel is None:
            return
        self._work.attempt(lambda: self._change(name))

    def _change(self, name: str) -> None:
        spec, at, panel = self._work.spec, self._work.chosen, self._panel
        assert spec is not None
        after = self._changes()[name](spec, at, panel)
        self._work.change("panel changed", after)
        self.refresh()

    def _changes(self) -> dict[str, Callable[[FigureSpec, int, Any], FigureSpec]]:
        flags = {"letters": "orientation_letters", "position": "slice_position"}

        def flag(field: str) -> Callable[[FigureSpec, int, Any], FigureSpec]:
            box = self._flags[field]
            return lambda spec, at, _: editing.with_panel(spec, at, **{field: box.isChecked()})

        return {
            "letter": lambda s, at, _: editing.with_panel(
                s, at, letter=self._letter.text().strip()
            ),
            "title": lambda s, at, _: editing.with_panel(s, at, title=self._title.text().strip()),
            "map_name": self._renamed,
            "crop": self._cropped,
            "window": self._windowed,
            "lock": lambda s, at, _: editing.with_lock(s, at, self._lock.isChecked()),
            "regions": self._with_regions,
            "names": self._with_regions,
            "letters": flag(flags["letters"]),
            "position": flag(flags["position"]),
            "scale_bar": flag("scale_bar"),
            "colour_bar": lambda s, at, _: editing.with_bar(s, at, self._bar.isChecked()),
            "marks": self._with_marks,
        }

    def _renamed(self, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        name = self._name.text().strip()
        return editing.with_source_name(spec, panel.map, name) if name else spec

    def _on_slice(self, mm: float) -> None:
        if self._filling or self._work.spec is None or not isinstance(self._panel, ImagePanel):
            return
        spec, at = self._work.spec, self._work.chosen
        self._work.attempt(
            lambda: self._work.change(
                "slice of a panel", with_slice(self._work.session, spec, at, round(mm, 3))
            )
        )
        self.refresh()

    def _windowed(self, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        # An end that nobody touched keeps what lies behind the decimals shown.
        before = editing.window_of(spec, at)
        low, high = (
            old
            if abs(spin.value() - old * self._factor) <= 0.51 * 10.0 ** -spin.decimals()
            else spin.value() / self._factor
            for spin, old in zip((self._low, self._high), before, strict=True)
        )
        if not high > low:
            raise QsmError("The window's upper end must lie above its lower end.")
        return editing.with_window(spec, at, (low, high))

    def _labels(self, spec: FigureSpec, panel: Any) -> tuple[FigureSpec, str]:
        """The label map that goes with a panel's map."""
        if panel.regions is not None:
            return spec, panel.regions.labels
        for other in spec.panels:
            regions = getattr(other, "regions", None)
            if regions is not None and getattr(other, "map", "") == panel.map:
                return spec, regions.labels
        entry = self._work.entry(panel.map)
        labels = self._work.session.labels_of(entry) if entry is not None else None
        if labels is None:
            raise QsmError(
                "There are no regions for this map yet. Draw them in the Regions panel, or open a "
                "label map."
            )
        source = source_of(labels, f"{spec.sources[panel.map].name}: regions")
        sources = {**spec.sources, labels.id: spec.sources.get(labels.id, source)}
        return editing.with_fields(spec, sources=sources), labels.id

    def _with_regions(self, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        style = self._style.currentData()
        if style == "none":
            return editing.with_panel(spec, at, regions=None)
        spec, labels = self._labels(spec, panel)
        before = panel.regions or Regions(labels=labels)
        fields = {**before.model_dump(), "style": style, "names": self._names.currentData()}
        return editing.with_panel(spec, at, regions=Regions(**fields))

    def _cropped(self, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        kind = self._crop.currentData()
        if kind == panel.crop.kind:
            return spec
        if kind == "box":
            raise QsmError(
                "Zoom a view to what the panel shall show, then press 'Add current view as a panel'."
            )
        if kind == "regions":
            spec, labels = self._labels(spec, panel)
            which = panel.regions.which if panel.regions is not None else ()
            return editing.with_panel(spec, at, crop=RegionsCrop(labels=labels, which=which))
        return editing.with_panel(spec, at, crop=HeadCrop() if kind == "head" else WholeCrop())

    def _with_marks(self, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        shown = self._marks.isChecked()
        after = with_marks_shown(self._work.session, spec, at, shown)
        if shown and not getattr(after.panels[at], "annotations", ()):
            raise QsmError("No mark lies on this slice. Draw one in the views first.")
        return after
