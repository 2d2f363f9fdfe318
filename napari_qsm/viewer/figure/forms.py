"""Forms of a figure: its page, and the chosen panel. Fields come from the schema of the spec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget
from superqt.utils import signals_blocked

from napari_qsm.colormaps import has_thresholds
from napari_qsm.errors import QsmError
from napari_qsm.figures import editing
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import Regions, Source
from napari_qsm.figures.spec import WIDTHS_MM, FigureSpec, Style
from napari_qsm.session.figure.from_view import maps_for, with_crop, with_map, with_regions
from napari_qsm.session.figure.marks import with_marks_shown, with_slice
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.slice_spin import SliceSpin
from napari_qsm.viewer.figure.work import FigureWork
from napari_qsm.viewer.forms import Control, Field, Form, schema_field
from napari_qsm.volume import Volume

_WIDTHS = dict(zip(WIDTHS_MM, ("one column", "one and a half", "two columns"), strict=True))
_PAGE = (
    schema_field(FigureSpec, "columns", "Columns", high=12),
    schema_field(
        Style,
        "width_mm",
        "Width",
        key="width",
        words={mm: f"{mm:g} mm, {words}" for mm, words in _WIDTHS.items()},
        unit="mm",
    ),
    schema_field(
        Style,
        "dpi",
        "Resolution",
        words={dpi: f"{dpi} dpi" for dpi in (150, 300, 450, 600)},
        unit="dpi",
        tip="Dots per inch of PNG and TIFF; journals ask for 300 to 600",
    ),
    schema_field(Style, "size_pt", "Letters", key="font_size", kind=int, low=6, high=14, unit="pt"),
    schema_field(Style, "ground", "Ground", words={"light": "white", "dark": "black"}),
    schema_field(
        FigureSpec,
        "radiological",
        "Patient's right",
        key="side",
        words={True: "left (radiological)", False: "right (neurological)"},
    ),
    schema_field(FigureSpec, "unit", "Unit"),
    Field("difference", "difference", bool, "Patient less control in the table"),
)


class PageForm(QWidget):
    """Columns, width, resolution, letters, ground, side and unit of the whole figure."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._rows = ui.named(QLabel(), "qsm.figure.rows")
        self._form = Form(_PAGE, "qsm.figure", self._on_field, beside={"columns": self._rows})
        self._form.setObjectName("qsm.figure.page")
        self.setLayout(ui.column(self._form, margins=(4, 2, 4, 2)))

    def refresh(self) -> None:
        """Show the settings as they are."""
        spec = self._work.spec
        self.setEnabled(spec is not None)
        if spec is None:
            return
        rows = editing.rows_of(spec)
        self._rows.setText(f"× {rows} row{'s' if rows != 1 else ''}")
        values = {name: getattr(_owner(spec, name), name) for name in _NAMES}
        self._form.show_values({**values, "difference": bool(editing.has_differences(spec))})

    def _on_field(self, name: str, value: Any) -> None:
        spec = self._work.spec
        if spec is None:
            return
        changes: dict[str, Any] = {name: value}
        if name == "difference":
            make: Callable[[], FigureSpec] = partial(editing.with_differences, spec, value)
        elif name == "columns":
            make = partial(editing.with_columns, spec, value)
        elif name in FigureSpec.model_fields:
            make = partial(editing.with_fields, spec, **changes)
        else:
            make = partial(editing.with_style, spec, **changes)
        self._work.attempt(lambda: self._work.change("page of the figure", make()))
        self.refresh()


_NAMES = tuple(field.name for field in _PAGE if field.name != "difference")


def _owner(spec: FigureSpec, name: str) -> FigureSpec | Style:
    return spec if name in FigureSpec.model_fields else spec.style


_HEAD = (
    schema_field(ImagePanel, "letter", "Letter", tip="The letter in the corner: A, B, C"),
    schema_field(ImagePanel, "title", "Title", tip="Above the panel"),
)
_NAME = schema_field(
    Source, "name", "Called", key="map_name", tip="What the figure calls this map; never a name"
)
_CROP = Field(
    "crop",
    "crop",
    str,
    "Shows",
    choices=(
        ("head", "the head"),
        ("whole", "the whole slice"),
        ("regions", "the regions, close up"),
        ("box", "as in the view"),
    ),
)
_REGIONS = (
    schema_field(
        Regions,
        "style",
        "Regions",
        key="regions",
        words={"none": "none", "outline": "outlined", "fill": "filled", "both": "both"},
    ),
    schema_field(
        Regions,
        "names",
        "Names",
        words={"none": "no names", "short": "short names", "full": "full names"},
    ),
)
_FLAGS = (
    schema_field(ImagePanel, "orientation_letters", "R and L", key="letters"),
    schema_field(ImagePanel, "slice_position", "Slice position", key="position"),
    schema_field(ImagePanel, "scale_bar", "Scale bar"),
)


class PanelForm(QWidget):
    """What the chosen panel shows: title, slice, window, regions, what is written in it."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        fields = (*_HEAD, _NAME, _CROP, *_REGIONS, *_FLAGS)
        self._controls = {
            field.key: Control(field, f"qsm.figure.{field.key}", partial(self._on_field, field.key))
            for field in fields
        }
        parts = {key: control.widget for key, control in self._controls.items()}
        parts["letter"].setFixedWidth(46)
        for key, example in (("letter", "A"), ("title", "no title")):
            parts[key].setPlaceholderText(example)
        self._map = ui.combo(
            "qsm.figure.map",
            lambda key: self._change(
                lambda s, at, _: with_map(work.session, s, at, key), "map of a panel"
            ),
            tip="χ or another map of the same scan, such as R2*, in its own window and colours",
            characters=14,
        )
        self._slice = ui.named(SliceSpin(), "qsm.figure.slice")
        self._slice.valueChanged.connect(self._on_slice)
        self._low, self._high = (
            ui.number(f"qsm.figure.{end}", self._on_window, -1e6, 1e6, buttons=False)
            for end in ("low", "high")
        )
        for spin in (self._low, self._high):
            spin.setMinimumWidth(60)
        self._window = ui.panel(ui.row((self._low, 1), QLabel("to"), (self._high, 1)))
        self._lock = ui.check(
            "Same window in all panels",
            "qsm.figure.lock",
            lambda on: self._change(lambda s, at, _: editing.with_lock(s, at, on)),
            tip="For all panels of this map; where one has a window of its own, the caption says so",
        )
        self._speckle = ui.number(
            "qsm.figure.speckle", self._on_speckle, 0, 100_000, decimals=0, suffix=" mm³",
            tip="Clusters of what thresholds leave that are smaller are not drawn; 0 draws all. For "
            "all panels in these colours; the caption says so", buttons=False,
        )  # fmt: skip
        regions = ui.panel(ui.row((parts["regions"], 1), (parts["names"], 1)))
        self._bar = ui.check(
            "Colour bar",
            "qsm.figure.colour_bar",
            lambda on: self._change(lambda s, at, _: editing.with_bar(s, at, on)),
        )
        self._marks = ui.check(
            "Marks",
            "qsm.figure.marks",
            lambda on: self._change(partial(self._with_marks, on)),
            tip="The marks drawn in the views on this slice",
        )
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        flags = [parts[field.key] for field in _FLAGS]
        for number, box in enumerate((*flags, self._bar, self._marks)):
            grid.addWidget(box, number // 2, number % 2)
        checks = ui.panel(grid)
        self._rows = ui.form(
            ("Title", ui.row(parts["letter"], (parts["title"], 1))),
            ("Map", self._map),
            ("Called", parts["map_name"]),
            ("Slice", self._slice),
            ("Shows", parts["crop"]),
            ("Window", self._window),
            self._lock,
            ("Speckle", self._speckle),
            ("Regions", regions),
            checks,
        )
        self.setLayout(self._rows)
        self._pictures = (
            self._map,
            parts["map_name"],
            self._slice,
            parts["crop"],
            self._window,
            self._lock,
            self._speckle,
            regions,
            checks,
        )

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
        for field in _HEAD:
            self._controls[field.key].show(getattr(panel, field.name))
        picture = isinstance(panel, editing.PICTURES)
        for widget in self._pictures:
            widget.setVisible(picture)
            label = self._rows.labelForField(widget)
            if label is not None:
                label.setVisible(picture)
        if isinstance(panel, editing.PICTURES):
            self._show_picture(spec, panel)

    def _show_picture(self, spec: FigureSpec, panel: Any) -> None:
        volume = self._work.volume(panel.map)
        self._slice.setEnabled(isinstance(panel, ImagePanel) and volume is not None)
        if isinstance(panel, ImagePanel) and volume is not None:
            try:
                self._slice.show_slice(volume, panel)
            except QsmError:
                self._slice.setEnabled(False)
        show_name = spec.sources[panel.map].name if panel.map in spec.sources else ""
        offered = [(e.id, e.name) for e in maps_for(self._work.session, spec, self._work.chosen)]
        ui.show_choices(self._map, offered or [(panel.map, show_name)], panel.map)
        self._map.setEnabled(len(offered) > 1)
        regions = panel.regions
        show = {field.key: getattr(panel, field.name) for field in _FLAGS}
        show["map_name"] = show_name
        show["crop"] = panel.crop.kind
        show["regions"] = regions.style if regions is not None else "none"
        show["names"] = regions.names if regions is not None else "none"
        for key, value in show.items():
            self._controls[key].show(value)
        self._controls["names"].widget.setEnabled(regions is not None)
        self._show_window(spec, volume)
        display = spec.displays[panel.display]
        self._speckle.setEnabled(has_thresholds(display))
        with signals_blocked(self._speckle):
            self._speckle.setValue(display.smallest_cluster_mm3)
        self._marks.setEnabled(isinstance(panel, ImagePanel))
        _tick(self._lock, panel.unlocked_window is None)
        _tick(self._bar, editing.has_bar(spec, self._work.chosen))
        _tick(self._marks, bool(getattr(panel, "annotations", ())))

    def _show_window(self, spec: FigureSpec, volume: Volume | None) -> None:
        susceptibility = volume is None or volume.unit in ("ppm", "ppb")
        self._factor = 1e3 if susceptibility and spec.unit == "ppb" else 1.0
        unit = spec.unit if susceptibility else (volume.unit if volume is not None else "")
        places = (0 if spec.unit == "ppb" else 3) if susceptibility else 2
        low, high = editing.window_of(spec, self._work.chosen)
        for spin, value in ((self._low, low), (self._high, high)):
            with signals_blocked(spin):
                spin.setDecimals(places)
                spin.setSingleStep(0.01 * self._factor if susceptibility else (high - low) / 20)
                spin.setSuffix(f" {unit}" if unit else "")
                spin.setValue(value * self._factor)

    # -- changing -------------------------------------------------------------------------

    def _change(
        self, make: Callable[[FigureSpec, int, Any], FigureSpec], text: str = "panel changed"
    ) -> None:
        spec, at, panel = self._work.spec, self._work.chosen, self._panel
        if spec is not None and panel is not None:
            self._work.attempt(lambda: self._work.change(text, make(spec, at, panel)))
            self.refresh()

    def _on_field(self, key: str, value: Any) -> None:
        special = {
            "map_name": self._renamed,
            "crop": self._cropped,
            "regions": self._with_regions,
            "names": self._with_regions,
        }
        if key in special:
            self._change(partial(special[key], value))
        else:
            name = self._controls[key].field.name
            self._change(lambda spec, at, _: editing.with_panel(spec, at, **{name: value}))

    @staticmethod
    def _renamed(name: str, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        return editing.with_source_name(spec, panel.map, name) if name else spec

    def _on_slice(self, mm: float) -> None:
        if isinstance(self._panel, ImagePanel):
            session = self._work.session
            self._change(
                lambda spec, at, _: with_slice(session, spec, at, round(mm, 3)), "slice of a panel"
            )

    def _on_window(self, _: float) -> None:
        self._change(self._windowed)

    def _on_speckle(self, mm3: float) -> None:
        self._change(lambda spec, at, _: editing.with_smallest_cluster(spec, at, mm3))

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

    def _with_regions(self, _: Any, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        style, names = (self._controls[key].value for key in ("regions", "names"))
        return with_regions(self._work.session, spec, at, style, names)

    def _cropped(self, kind: str, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        if kind == "box" != panel.crop.kind:
            raise QsmError(
                "Zoom a view to what the panel shall show, then press 'Add current view as a panel'."
            )
        return with_crop(self._work.session, spec, at, kind)

    def _with_marks(self, shown: bool, spec: FigureSpec, at: int, panel: Any) -> FigureSpec:
        after = with_marks_shown(self._work.session, spec, at, shown)
        if shown and not getattr(after.panels[at], "annotations", ()):
            raise QsmError("No mark lies on this slice. Draw one in the views first.")
        return after


def _tick(box: QCheckBox, on: bool) -> None:
    with signals_blocked(box):
        box.setChecked(on)
