"""From what is open in the session to a figure. Knows no Qt.

Keys of a figure's sources are the ids of the session's entries; sources read from files of
an opened spec have a ``path`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_qsm.errors import FileError, QsmError
from napari_qsm.figures.editing import with_fields
from napari_qsm.figures.gather import Given, Loaded
from napari_qsm.figures.other_maps import OTHER_MAPS, quantity_of
from napari_qsm.figures.parts import Display, Quantity, Regions, Source
from napari_qsm.figures.spec import FigureSpec, Style
from napari_qsm.figures.subjects import NUCLEI, Subject
from napari_qsm.figures.templates import from_template
from napari_qsm.io.formats import stem
from napari_qsm.io.sidecar import read_json
from napari_qsm.session import MapDisplay, MapEntry, Session
from napari_qsm.session.stage_results import RESULT_KEY
from napari_qsm.study.case import NEUTRAL_NAME
from napari_qsm.volume import Volume, same_grid

_CONTROL = r"controls?|ctrl|healthy|hc"
_PATIENT = r"patients?|pat|als|case"
#: Templates that draw regions of these names.
_NEEDED = {"case-report-1": ("putamen",), "case-report-2": ("putamen", "pallidum")}
_WITHOUT_REGIONS = ("qc-montage", "other-maps")
_MOST = 4


def maps_of(session: Session) -> list[MapEntry]:
    """The susceptibility maps that are open, without try-outs."""
    return [entry for entry in session.lasting if entry.is_susceptibility]


def guess(session: Session, who: str) -> MapEntry | None:
    """The map whose name, or whose case or folder, says ``"control"`` or ``"patient"``.

    None if no name says so, or several do.
    """
    words = _CONTROL if who == "control" else _PATIENT
    pattern = re.compile(rf"(?i)(?<![a-z])({words})(?![a-z])")
    found = [
        entry
        for entry in maps_of(session)
        if any(pattern.search(name) for name in _names(session, entry))
    ]
    return found[0] if len(found) == 1 else None


def _names(session: Session, entry: MapEntry) -> list[str]:
    case = session.case_of(entry)
    given = [] if re.fullmatch(rf"{NEUTRAL_NAME} \d+", case.name) else [case.name]
    return [entry.name, *given, case.participant, *(folder.name for folder in case.folders)]


def source_of(entry: MapEntry, name: str = "") -> Source:
    """How a figure refers to an entry."""
    if entry.role in ("labels", "mask"):
        role: Any = "labels"
    elif entry.is_susceptibility:
        role = "map"
    else:
        role = "magnitude" if entry.role == "magnitude" else "other"
    return Source(
        role=role,
        name=name or entry.name,
        unit=entry.volume.unit,
        echo=entry.echo,
        quantity=quantity_of_entry(entry),
    )


def quantity_of_entry(entry: MapEntry) -> Quantity | Literal[""]:
    """Which map beside χ an entry is, as it was made or as its file is called; else empty."""
    made = str(entry.provenance.get(RESULT_KEY, "")).removesuffix("_ppm")
    return next((key for key in OTHER_MAPS if key == made), quantity_of(entry.volume.origin))


def others_of(session: Session, entry: MapEntry) -> dict[Quantity, MapEntry]:
    """The maps beside a map that lie on its grid, by quantity."""
    found = ((quantity_of_entry(e), e) for e in session.case_of(entry).maps if e.editable is None)
    return {q: e for q, e in found if q and same_grid(e.shown, entry.shown)}


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
    looks : dict
        Regions as the views show them, by the keys of their label maps.
    display : MapDisplay
        How the first map is shown in the window.
    others : dict
        How maps beside χ are, by quantity.
    notes : tuple of str
        What the user should know.
    """

    template: str
    subjects: tuple[Subject, ...]
    sources: Mapping[str, Source]
    given: Mapping[str, Given]
    looks: Mapping[str, Regions]
    display: MapDisplay
    others: Mapping[str, Display]
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
    subjects, sources, looks = [], {}, {}
    shown: dict[str, Display] = {}
    for name, entry in people:
        labels = session.labels_of(entry)
        magnitude = next(
            (
                e
                for e in session.case_of(entry).of_role("magnitude")
                if e.volume.shape[:3] == entry.volume.shape[:3]
            ),
            None,
        )
        if template not in _WITHOUT_REGIONS:
            _check_regions(name, labels, _NEEDED.get(template, ()), notes)
        sources[entry.id] = source_of(entry, name)
        if labels is not None:
            sources[labels.id] = source_of(labels, f"{name}: regions")
            looks[labels.id] = regions_as_viewed(labels)
        if magnitude is not None:
            sources[magnitude.id] = source_of(magnitude, f"{name}: magnitude")
        others = others_of(session, entry) if template == "other-maps" else {}
        for quantity, beside in others.items():
            sources[beside.id] = source_of(beside, f"{name}, {OTHER_MAPS[quantity].symbol}")
            shown.setdefault(quantity, display_of(beside.display, beside.volume.unit == "ppb"))
        subjects.append(
            Subject(
                name,
                entry.id,
                labels.id if labels is not None else "",
                magnitude.id if magnitude is not None else "",
                tuple(beside.id for beside in others.values()),
            )
        )
    spec = FigureSpec(sources=sources)
    first = people[0][1]
    return Wanted(
        template,
        tuple(subjects),
        sources,
        given_of(session, spec, revisions, provenance),
        looks,
        first.display,
        shown,
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
        rows = {k: r.name for k, r in labels.regions.items() if words.search(r.name)}
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
        if name in what.others:
            displays[name] = what.others[name]
        elif display.colouring == own.colouring and own.colouring == "colour":
            displays[name] = own
        elif {display.colouring, own.colouring} <= {"grey", "inverted"}:
            displays[name] = display.model_copy(update={"window": own.window})
    return with_fields(
        spec,
        panels=tuple(_as_viewed(panel, what.looks) for panel in spec.panels),
        displays=displays,
        unit=what.unit,
        radiological=what.radiological,
        style=_style(style, spec.style),
    )


def _style(kept: Style | None, own: Style) -> Style:
    """The style of the figure before, with no fewer dots than the template's content needs."""
    return own if kept is None else kept.model_copy(update={"dpi": max(kept.dpi, own.dpi)})


def _as_viewed(panel: Any, looks: Mapping[str, Regions]) -> Any:
    """A template's panel with its regions in the colours, width and strength of the views."""
    regions = getattr(panel, "regions", None)
    if regions is None or regions.labels not in looks:
        return panel
    return panel.model_copy(update={"regions": with_look(regions, looks[regions.labels])})


def with_look(regions: Regions, look: Regions) -> Regions:
    """Regions as the views show them; filled ones become outlines where the views have outlines."""
    fields = {name: getattr(look, name) for name in ("colours", "width_pt", "opacity")}
    if look.style == "outline":
        fields["style"] = "outline"
    return regions.model_copy(update=fields)


def regions_as_viewed(labels: MapEntry) -> Regions:
    """Regions of a figure that look as they do in the views: style, width, colours, opacity."""
    display = labels.display
    return Regions(
        labels=labels.id,
        style="outline" if display.outline else "fill",
        colours="table",
        width_pt=Regions.model_fields["width_pt"].default * display.outline_width,
        opacity=display.opacity,
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
        smallest_cluster_mm3=display.smallest_cluster_mm3,
        opacity=display.opacity,
    )


def known_provenance(session: Session) -> dict[str, dict[str, Any]]:
    """How the maps were made, by entry id: as the entry has it, or the file beside it."""
    out: dict[str, dict[str, Any]] = {}
    for entry in session.of_role("map"):
        said = dict(entry.provenance) or _beside(entry.volume)
        if said:
            out[entry.id] = said
    return out


def _beside(volume: Volume) -> dict[str, Any]:
    """What ``provenance.json`` beside a map's file says."""
    path = volume.origin
    if path is None:
        return {}
    name = stem(path)
    prefix = name.rpartition("_")[0] + "_" if "_" in name else ""
    for candidate in (f"{prefix}provenance.json", "provenance.json"):
        if (path.parent / candidate).is_file():
            try:
                return read_json(path.parent / candidate)
            except (FileError, ValueError):
                return {}
    return {}
