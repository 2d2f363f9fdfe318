"""What a view shows as a panel of a figure. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane, triple
from napari_qsm.errors import QsmError
from napari_qsm.figures.editing import PICTURES, add_display, added, with_fields, with_panel
from napari_qsm.figures.other_maps import OTHER_MAPS
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import BoxCrop, Crop, HeadCrop, Regions, RegionsCrop, WholeCrop
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style
from napari_qsm.session import MapEntry, Session, same_case
from napari_qsm.session.figure.from_session import (
    display_of,
    quantity_of_entry,
    regions_as_viewed,
    source_of,
)
from napari_qsm.session.shown import grey_below
from napari_qsm.volume import same_grid


@dataclass(frozen=True)
class Look:
    """What a view shows.

    Attributes
    ----------
    entry : MapEntry
        The map.
    plane : Plane
        Its plane.
    at_mm : (x, y, z)
        RAS mm of a point on the slice.
    centre_mm : (x, y, z)
        RAS mm at the middle of the view, on the slice.
    size_mm : (across, up)
        What the view shows.
    """

    entry: MapEntry
    plane: Plane
    at_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    size_mm: tuple[float, float]


def slice_mm(entry_volume: Any, plane: Plane, at_mm: Any) -> float:
    """The position that a figure writes for the slice of a volume nearest to a point.

    Raises
    ------
    QsmError
        If the volume does not reach there.
    """
    axis = DEPTH_AXIS[plane]
    depth = float(entry_volume.world_to_voxel(at_mm)[axis])
    if not -0.5 <= depth <= entry_volume.shape[axis] - 0.5:
        raise QsmError(
            "This view shows a slice that the map does not reach. Go to a slice of the map first."
        )
    voxel = (np.array(entry_volume.shape[:3]) - 1) / 2
    voxel[axis] = np.clip(np.rint(depth), 0, entry_volume.shape[axis] - 1)
    return round(float(entry_volume.voxel_to_world(voxel)[axis]), 3)


def crop_of(look: Look) -> Crop:
    """The part of the slice that a view shows; the whole slice if all of it is in sight."""
    volume = look.entry.shown
    frame = DisplayFrame(volume)
    centre = frame.world_to_display(look.centre_mm)
    low = frame.origin_mm - 0.5 * frame.size_mm
    high = low + np.array(volume.shape) * frame.size_mm
    size = []
    for axis, length in zip(DRAWN_AXES[look.plane], look.size_mm, strict=True):
        start = max(centre[axis] - length / 2, low[axis])
        end = min(centre[axis] + length / 2, high[axis])
        if end - start <= 0:
            raise QsmError("This view shows nothing of the map. Bring the map into view first.")
        centre[axis] = (start + end) / 2
        size.append(float(end - start))
    whole = [high[axis] - low[axis] for axis in DRAWN_AXES[look.plane]]
    if np.allclose(size, whole, atol=1e-6):
        return WholeCrop()
    x, y, z = triple(np.round(frame.display_to_world(centre), 3))
    return BoxCrop(centre_mm=(x, y, z), size_mm=(round(size[0], 3), round(size[1], 3)))


def add_view(
    spec: FigureSpec | None, session: Session, look: Look, *, name: str = ""
) -> FigureSpec:
    """The figure with what a view shows as a further panel.

    Parameters
    ----------
    spec : FigureSpec or None
        A new figure is begun if there is none.
    look : Look
        The view.
    name : str
        What the figure calls the map, if it is new to it.

    Raises
    ------
    QsmError
        If the view shows nothing of the map.
    """
    if spec is None or not spec.panels:
        style = spec.style if spec is not None else Style()
        spec = FigureSpec(
            displays={}, unit=session.unit, radiological=session.radiological, style=style
        )
    entry = look.entry
    if entry.preview:
        raise QsmError(f"'{entry.name}' is a try-out, which goes again. Keep it as a map first.")
    sources = dict(spec.sources)
    sources.setdefault(entry.id, source_of(entry, name))
    called = sources[entry.id].name
    regions = _regions_in_view(session, entry)
    if regions is not None:
        labels = session.entry(regions.labels)
        assert labels is not None
        sources.setdefault(labels.id, source_of(labels, f"{called}: regions"))
    over, over_window = _below(session, entry)
    if over is not None:
        sources.setdefault(over.id, source_of(over, f"{called}: {over.role}"))
    spec = with_fields(spec, sources=sources)
    display = display_of(entry.display, entry.volume.unit == "ppb")
    spec, shown_as, unlocked = add_display(spec, display, entry.id)
    panel = ImagePanel(
        map=entry.id,
        plane=look.plane,
        slice_mm=slice_mm(entry.shown, look.plane, look.at_mm),
        display=shown_as,
        unlocked_window=unlocked,
        over=over.id if over is not None else "",
        over_window=over_window,
        crop=crop_of(look),
        regions=regions,
        title="" if any(spec.column_titles) else called,
    )
    bars = _bars(spec, shown_as)
    return with_fields(added(spec, panel), colour_bars=bars)


def _bars(spec: FigureSpec, display: str) -> tuple[ColourBar, ...]:
    """The bars of a figure once a panel has a display: with that of a new one where it has bars."""
    shown = {p.display for p in spec.panels if isinstance(p, PICTURES)}
    if display in shown or (shown and not spec.colour_bars):
        return spec.colour_bars
    return (*spec.colour_bars, ColourBar(display=display))


def maps_for(session: Session, spec: FigureSpec, index: int) -> list[MapEntry]:
    """The images that a panel may show instead of its map: those of its head, on its grid."""
    panel: Any = spec.panels[index]
    now = session.entry(panel.map)
    if now is None:
        return []
    images = (e for e in session.case_of(now).maps if e.editable is None and not e.preview)
    return [e for e in images if e.role != "phase" and same_grid(e.shown, now.shown)]


def with_map(session: Session, spec: FigureSpec, index: int, key: str) -> FigureSpec:
    """The figure with another map of the same head in a panel, coloured as the views show it.

    Its slice, crop, regions and marks stay. It shares a colour bar with panels of maps that
    measure the same.
    """
    panel: Any = spec.panels[index]
    entry = session.entry(key)
    if entry is None or key == panel.map:
        return spec
    old = spec.sources[panel.map]
    if key not in spec.sources:
        before = session.entry(panel.map)
        who = old.name if before is None else old.name.removesuffix(f", {_word(before)}")
        name = f"{who}, {_word(entry)}".removesuffix(", ")
        spec = with_fields(spec, sources={**spec.sources, key: source_of(entry, name)})
    look = display_of(entry.display, entry.volume.unit == "ppb")
    spec, shown_as, unlocked = add_display(spec, look, key)
    bars = _bars(spec, shown_as)
    over, over_window = _below(session, entry)
    if over is not None:
        below = source_of(over, f"{spec.sources[key].name}: {over.role}")
        spec = with_fields(spec, sources={over.id: below, **spec.sources})
    fields: dict[str, Any] = {
        "map": key,
        "display": shown_as,
        "unlocked_window": unlocked,
        "over": "" if over is None else over.id,
        "over_window": over_window,
    }
    if panel.title == old.name:
        fields["title"] = spec.sources[key].name
    return with_panel(with_fields(spec, colour_bars=bars), index, **fields)


def _word(entry: MapEntry) -> str:
    """What a figure says behind a subject's name to tell maps of one head apart."""
    quantity = quantity_of_entry(entry)
    if quantity:
        return OTHER_MAPS[quantity].symbol
    return (
        "" if entry.is_susceptibility else entry.role if entry.role == "magnitude" else entry.name
    )


def _regions_in_view(session: Session, entry: MapEntry) -> Regions | None:
    labels = session.labels_of(entry)
    if labels is None or not session.is_shown(labels) or not np.any(labels.editable):
        return None
    if labels.shown.shape != entry.shown.shape:
        return None
    return regions_as_viewed(labels)


def _below(session: Session, entry: MapEntry) -> tuple[MapEntry | None, tuple[float, float] | None]:
    """What is seen through a map with thresholds or opacity, and its window.

    It is the magnitude, or where that is not on show the map itself in grey.
    """
    shown = entry.display
    if shown.threshold_low is None and shown.threshold_high is None and shown.opacity >= 1:
        return None, None
    at = session.maps.index(entry)
    below = [
        e
        for e in list(session.maps)[:at]
        if e.role == "magnitude" and session.is_shown(e) and same_case(e, entry)
    ]
    if below:
        return below[-1], below[-1].display.window
    own = grey_below(session, entry)
    return (None if own is None else entry), own


def describe(spec: FigureSpec, index: int, slice_text: str = "") -> str:
    """One line for the list of panels: letter, map, plane and slice."""
    panel: Any = spec.panels[index]
    letter = f"{panel.letter}  " if panel.letter else ""
    if isinstance(panel, ImagePanel | MosaicPanel):
        source = spec.sources.get(panel.map)
        name = source.name if source is not None else "?"
        what = f"{name}, {panel.plane}"
        if isinstance(panel, MosaicPanel):
            what += ", many slices"
        elif slice_text:
            what += f" {slice_text}"
        extras = []
        colouring = spec.displays[panel.display].colouring if panel.display in spec.displays else ""
        extras.append({"both sides": "two-sided"}.get(colouring, colouring))
        if panel.regions is not None:
            extras.append("regions")
        if isinstance(panel, ImagePanel) and panel.annotations:
            extras.append("marks")
        return f"{letter}{what} · {', '.join(e for e in extras if e)}"
    return f"{letter}{panel.title or panel.noun}"


def labels_of_panel(session: Session, spec: FigureSpec, panel: Any) -> tuple[FigureSpec, str]:
    """The label map that goes with a panel's map, and the figure that knows it as a source.

    Raises
    ------
    QsmError
        If there is none.
    """
    if panel.regions is not None:
        return spec, panel.regions.labels
    for other in spec.panels:
        regions = getattr(other, "regions", None)
        if regions is not None and getattr(other, "map", "") == panel.map:
            return spec, regions.labels
    entry = session.entry(panel.map)
    labels = session.labels_of(entry) if entry is not None else None
    if labels is None:
        raise QsmError(
            "There are no regions for this map yet. Draw them in the Regions panel, or open a "
            "label map."
        )
    source = source_of(labels, f"{spec.sources[panel.map].name}: regions")
    sources = {**spec.sources, labels.id: spec.sources.get(labels.id, source)}
    return with_fields(spec, sources=sources), labels.id


def with_regions(
    session: Session, spec: FigureSpec, index: int, style: str, names: str
) -> FigureSpec:
    """The figure with regions drawn on a panel, or with none.

    Parameters
    ----------
    session : Session
        Whose label map is taken where the figure shows none yet.
    spec : FigureSpec
    index : int
        Of the panel.
    style, names : str
        As :class:`~napari_qsm.figures.parts.Regions` has them; style ``"none"`` draws none.
    """
    panel: Any = spec.panels[index]
    if style == "none":
        return with_panel(spec, index, regions=None)
    spec, labels = labels_of_panel(session, spec, panel)
    entry = session.entry(labels)
    before = panel.regions or (
        Regions(labels=labels) if entry is None else regions_as_viewed(entry)
    )
    fields = {**before.model_dump(), "style": style, "names": names}
    return with_panel(spec, index, regions=Regions(**fields))


def with_crop(session: Session, spec: FigureSpec, index: int, kind: str) -> FigureSpec:
    """The figure with a panel that shows the ``"head"``, the ``"whole"`` slice or its ``"regions"``."""
    panel: Any = spec.panels[index]
    if kind == panel.crop.kind:
        return spec
    crop: HeadCrop | WholeCrop | RegionsCrop = HeadCrop() if kind == "head" else WholeCrop()
    if kind == "regions":
        spec, labels = labels_of_panel(session, spec, panel)
        which = panel.regions.which if panel.regions is not None else ()
        crop = RegionsCrop(labels=labels, which=which)
    return with_panel(spec, index, crop=crop)
