"""From what is open in the session to a figure. Knows no Qt.

Keys of a figure's sources are the ids of the session's entries; sources read from files of
an opened spec have a ``path`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Given, Loaded
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import BoxCrop, Crop, Display, Regions, Source, WholeCrop
from napari_qsm.figures.spec import FigureSpec, Style
from napari_qsm.figures.subjects import NUCLEI, Subject
from napari_qsm.figures.templates import from_template
from napari_qsm.looks.geometry import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane, triple
from napari_qsm.rois.statistics import region_name
from napari_qsm.session import MapDisplay, MapEntry, Session
from napari_qsm.viewer.figure.editing import add_display, added, with_fields

_CONTROL = r"controls?|ctrl|healthy|hc"
_PATIENT = r"patients?|pat|als|case"
#: Templates that draw regions of these names.
_NEEDED = {"case-report-1": ("putamen",), "case-report-2": ("putamen", "pallidum")}
_WITHOUT_REGIONS = ("qc-montage",)
_MOST = 4


def maps_of(session: Session) -> list[MapEntry]:
    """The susceptibility maps that are open, without try-outs."""
    return [entry for entry in session.lasting if entry.is_susceptibility]


def guess(session: Session, who: str) -> MapEntry | None:
    """The map whose name, or whose folder's name, says ``"control"`` or ``"patient"``.

    None if no name says so, or several do.
    """
    words = _CONTROL if who == "control" else _PATIENT
    pattern = re.compile(rf"(?i)(?<![a-z])({words})(?![a-z])")
    found = [
        entry
        for entry in maps_of(session)
        if pattern.search(entry.name) or pattern.search(Path(entry.group).name)
    ]
    return found[0] if len(found) == 1 else None


def source_of(entry: MapEntry, name: str = "") -> Source:
    """How a figure refers to an entry."""
    if entry.role in ("labels", "mask"):
        role: Any = "labels"
    elif entry.is_susceptibility:
        role = "map"
    else:
        role = "magnitude" if entry.role == "magnitude" else "other"
    return Source(role=role, name=name or entry.name, unit=entry.volume.unit, echo=entry.echo)


def given_of(
    session: Session,
    spec: FigureSpec,
    revisions: Mapping[str, int],
    provenance: Mapping[str, Mapping[str, Any]],
) -> dict[str, Given]:
    """The volumes of the session that a figure uses.

    Raises
    ------
    QsmError
        If one of them is no longer open.
    """
    out = {}
    for key, source in spec.sources.items():
        if source.path:
            continue
        entry = session.entry(key)
        if entry is None:
            raise QsmError(
                f"'{source.name}' is no longer open. Open it again, or delete its panels."
            )
        # Names and colours of regions count as well as their voxels.
        revision = hash((revisions.get(key, 0), repr(sorted(entry.regions.items()))))
        out[key] = Given(entry.volume, dict(entry.regions), provenance.get(key, {}), revision)
    return out


# Templates ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What a template is made from, taken in the window's thread.

    Attributes
    ----------
    template : str
        A key of :data:`napari_qsm.figures.templates.TEMPLATES`.
    subjects, sources, given
        As for :func:`napari_qsm.figures.templates.from_template`.
    displays : MapDisplay
        How the first map is shown in the window.
    notes : tuple of str
        What the user should know.
    """

    template: str
    subjects: tuple[Subject, ...]
    sources: Mapping[str, Source]
    given: Mapping[str, Given]
    display: MapDisplay
    in_ppb: bool
    unit: Any
    radiological: bool
    notes: tuple[str, ...]


def wanted(
    session: Session,
    template: str,
    people: Sequence[tuple[str, MapEntry]],
    revisions: Mapping[str, int],
    provenance: Mapping[str, Mapping[str, Any]],
) -> Wanted:
    """Collect what a template needs.

    Parameters
    ----------
    people : sequence of (name, entry)
        Control and patient as chosen; all maps under their own names if empty.

    Raises
    ------
    QsmError
        If nothing is open, or regions are missing; the sentence says what to do.
    """
    notes = []
    if not maps_of(session):
        raise QsmError("Open a map first: a figure is made from what is open in the window.")
    if not people:
        people = [(entry.name, entry) for entry in maps_of(session)[:_MOST]]
        notes.append("Choose control and patient above to call them so in the figure.")
    elif len(people) == 1 and template.startswith("case-report"):
        other = "patient" if people[0][0] == "Control" else "control"
        notes.append(
            f"Open the {other}'s map too; for now the figure shows the {people[0][0].lower()} only."
        )
    subjects, sources = [], {}
    for name, entry in people:
        labels = session.labels_for(entry)
        magnitude = next(
            (
                e
                for e in session.of_role("magnitude")
                if e.group == entry.group and e.volume.shape[:3] == entry.volume.shape[:3]
            ),
            None,
        )
        if template not in _WITHOUT_REGIONS:
            _check_regions(name, labels, _NEEDED.get(template, ()), notes)
        sources[entry.id] = source_of(entry, name)
        if labels is not None:
            sources[labels.id] = source_of(labels, f"{name}: regions")
        if magnitude is not None:
            sources[magnitude.id] = source_of(magnitude, f"{name}: magnitude")
        subjects.append(
            Subject(
                name,
                entry.id,
                labels.id if labels is not None else "",
                magnitude.id if magnitude is not None else "",
            )
        )
    spec = FigureSpec(sources=sources)
    first = people[0][1]
    return Wanted(
        template,
        tuple(subjects),
        sources,
        given_of(session, spec, revisions, provenance),
        first.display,
        first.volume.unit == "ppb",
        session.unit,
        session.radiological,
        tuple(notes),
    )


def _check_regions(
    name: str, labels: MapEntry | None, nuclei: Sequence[str], notes: list[str]
) -> None:
    if labels is None:
        raise QsmError(
            f"{name} has no regions yet. Draw them in the Regions panel, or open a label map."
        )
    counts = np.bincount(np.asarray(labels.editable).ravel(order="K"), minlength=2)
    if not counts[1:].any():
        raise QsmError(f"'{labels.name}' has no voxel in any region yet. Draw the regions first.")
    for nucleus in nuclei:
        words = re.compile(rf"(?i)(?<![a-z])({NUCLEI[nucleus]})(?![a-z])")
        rows = {
            k: region_name(r) for k, r in labels.regions.items() if words.search(region_name(r))
        }
        empty = [text for k, text in rows.items() if k >= counts.size or not counts[k]]
        if rows and len(empty) == len(rows):
            raise QsmError(f"{name}: '{empty[0]}' has no voxel yet. Draw it first.")
        notes += [f"{name}: '{text}' has no voxel, so it is not in the figure." for text in empty]


def make(what: Wanted, known: dict[str, Loaded], style: Style | None = None) -> FigureSpec:
    """Make a template's figure; may run in a thread.

    Raises
    ------
    QsmError
        As for :func:`napari_qsm.figures.templates.from_template`.
    """
    spec = from_template(what.template, what.subjects, what.sources, what.given, known=known)
    displays = dict(spec.displays)
    own = display_of(what.display, what.in_ppb)
    for name, display in displays.items():
        if display.colouring == own.colouring and own.colouring == "colour":
            displays[name] = own
        elif {display.colouring, own.colouring} <= {"grey", "inverted"}:
            displays[name] = display.model_copy(update={"window": own.window})
    return with_fields(
        spec,
        displays=displays,
        unit=what.unit,
        radiological=what.radiological,
        style=style or spec.style,
    )


def display_of(display: MapDisplay, in_ppb: bool) -> Display:
    """A display of the window as a figure has it, in ppm where the map is a susceptibility."""
    factor = 1e-3 if in_ppb else 1.0
    low, high = (
        None if v is None else v * factor for v in (display.threshold_low, display.threshold_high)
    )
    return Display(
        colouring=display.colouring,
        colormap=display.colormap,
        window=(display.window[0] * factor, display.window[1] * factor),
        threshold_low=low,
        threshold_high=high,
        opacity=display.opacity,
    )


# The current view ---------------------------------------------------------------------------


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
    over = _below(session, entry)
    if over is not None:
        sources.setdefault(over.id, source_of(over, f"{called}: {over.role}"))
    spec = with_fields(spec, sources=sources)
    display = display_of(entry.display, entry.volume.unit == "ppb")
    spec, shown_as, unlocked = add_display(spec, display)
    panel = ImagePanel(
        map=entry.id,
        plane=look.plane,
        slice_mm=slice_mm(entry.shown, look.plane, look.at_mm),
        display=shown_as,
        unlocked_window=unlocked,
        over=over.id if over is not None else "",
        over_window=over.display.window if over is not None else None,
        crop=crop_of(look),
        regions=regions,
        title="" if any(spec.column_titles) else called,
    )
    first = not spec.panels
    spec = added(spec, panel)
    if first:
        spec = with_fields(spec, colour_bars=(*spec.colour_bars, _bar(shown_as)))
    return spec


def _bar(display: str) -> Any:
    from napari_qsm.figures.spec import ColourBar

    return ColourBar(display=display)


def _regions_in_view(session: Session, entry: MapEntry) -> Regions | None:
    labels = session.labels_for(entry)
    if labels is None or not session.is_shown(labels) or not np.any(labels.editable):
        return None
    if labels.shown.shape != entry.shown.shape:
        return None
    return Regions(labels=labels.id, style="fill", colours="table", opacity=labels.display.opacity)


def _below(session: Session, entry: MapEntry) -> MapEntry | None:
    """The image that is seen through a map with thresholds or opacity."""
    shown = entry.display
    if shown.threshold_low is None and shown.threshold_high is None and shown.opacity >= 1:
        return None
    at = session.maps.index(entry)
    below = [
        e
        for e in list(session.maps)[:at]
        if e.role == "magnitude" and session.is_shown(e) and e.group in ("", entry.group)
    ]
    return below[-1] if below else None


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
    words = {"table": "table of regions", "chart": "chart of regions", "text": "words"}
    return f"{letter}{panel.title or words[panel.kind]}"
