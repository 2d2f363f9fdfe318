"""The figure of a person's visits: the same place of the head at each, shapes, means and changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.anatomy import triple
from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, MetadataError, QsmError
from napari_qsm.figures.cohort.changes import ChangesPanel, RegionOverVisits
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import BoxCrop, Cell, Regions, ShapeMark, Source
from napari_qsm.figures.spec import ColourBar, FigureSpec
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.rois.shape_files import read_shapes
from napari_qsm.rois.shapes import indices_of
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.figure.from_session import (
    display_of,
    regions_as_viewed,
    source_of,
    with_look,
)
from napari_qsm.session.model import Session
from napari_qsm.session.opening import load
from napari_qsm.session.table.changes import ChangeRow, Changes, changes_of
from napari_qsm.session.visits import MOST_VISITS, map_at, matrix_between, shapes_at, show_visits
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.repeated import repeatability_of
from napari_qsm.study.transforms import visits_of
from napari_qsm.study.visit_linking import images_of, link_visits
from napari_qsm.typed import number
from napari_qsm.volume import Volume, same_grid

#: Around shapes and regions, and the least that is shown, mm.
_MARGIN_MM, _LEAST_MM = 22.0, 70.0


def visits_figure(session: Session) -> FigureSpec:
    """A slice of each visit through the same place of the head, and how its regions changed.

    Parameters
    ----------
    session : Session
        Visits that were put side by side; ``session.change_limit`` is what changes are judged by.

    Returns
    -------
    FigureSpec
        Keys of its sources are the ids of the session's entries. The slice is the axial one of
        the first visit that most shapes (else most of the regions) lie on, else that of the
        crosshair.

    Raises
    ------
    MetadataError
        If no visits are linked by their heads, or the reader is blinded.
    """
    cases = [case for case in map(session.study.case, _linked(session)) if case is not None]
    cases = cases[:MOST_VISITS]
    if len(cases) < 2:
        raise MetadataError(
            "Put the visits of a person side by side first: Display, 'Visits of a person'. A figure "
            "needs two visits whose heads are registered."
        )
    changes = changes_of(session, cases)
    entries = [entry for entry in (map_at(session, case) for case in cases) if entry is not None]
    titles = [case.visit or shown_case(session, case) for case in cases]
    place, size = _place(session, cases[0], entries[0])
    sources: dict[str, Source] = {}
    panels: list[Any] = []
    for case, entry, title in zip(cases, entries, titles, strict=True):
        matrix = matrix_between(session, cases[0].id, case.id)
        assert matrix is not None
        there = triple(np.round(matrix[:3, :3] @ place + matrix[:3, 3], 3))
        sources[entry.id] = source_of(entry, title)
        labels = session.labels_of(entry)
        drawn = labels is not None and same_grid(labels.volume, entry.shown)
        if labels is not None and drawn:
            sources[labels.id] = source_of(labels, f"{title}: regions")
        shapes = tuple(
            ShapeMark(shape=each.shape, carried=each.source is not None)
            for each in shapes_at(session, case)
        )
        panels.append(
            ImagePanel(
                map=entry.id,
                display="map",
                through_mm=there,
                crop=BoxCrop(centre_mm=there, size_mm=size),
                regions=_outlined(labels) if labels is not None and drawn else None,
                shapes=shapes,
            )
        )
    panels[0].letter, panels[-1].scale_bar = "A", True
    panels += _numbers(session, changes, titles, len(cases))
    return FigureSpec(
        sources=sources,
        panels=tuple(panels),
        columns=len(cases),
        column_titles=tuple(titles),
        colour_bars=(ColourBar(display="map"),),
        displays={"map": display_of(entries[0].display, entries[0].volume.unit == "ppb")},
        unit=session.unit,
        radiological=session.radiological,
    )


def _outlined(labels: MapEntry) -> Regions:
    """Outlines, under which the map is seen, in the colours of the views."""
    return with_look(Regions(labels=labels.id), regions_as_viewed(labels))


def _linked(session: Session) -> list[str]:
    """Cases whose heads are known to each other, the first one first."""
    if not session.visits:
        return []
    first = session.visits[0].case
    known = [link.case for link in session.visits]
    return [case for case in known if matrix_between(session, first, case) is not None]


def _numbers(
    session: Session, changes: Changes, titles: Sequence[str], columns: int
) -> list[ChangesPanel]:
    """Lines and table of what was measured; none without regions."""
    rows = tuple(
        _row(row, session.change_limit)
        for row in changes.rows
        if any(cell is not None for cell in row.cells)
    )
    if not rows:
        return []
    limit = session.change_limit
    common: dict[str, Any] = {
        "visits": tuple(titles),
        "rows": rows,
        "links": tuple(visit.link for visit in changes.visits[1:]),
        "judged_by": limit.source if limit is not None else "",
    }
    wide = [Cell(row=at, column=0, columns=columns) for at in (1, 2)]
    return [
        ChangesPanel(letter="B", shown="lines", cell=wide[0], **common),
        ChangesPanel(letter="C", shown="table", cell=wide[1], **common),
    ]


def _row(row: ChangeRow, limit: Repeatability | None) -> RegionOverVisits:
    means = [None if cell is None else cell.mean_ppb for cell in row.cells]
    carried = tuple(cell is not None and bool(cell.carried_from) for cell in row.cells)
    return RegionOverVisits(
        region=row.region or row.name,
        side=row.side if row.side in ("left", "right") else "",  # type: ignore[arg-type]
        means_ppb=tuple(None if m is None or not np.isfinite(m) else float(m) for m in means),
        carried=carried if any(carried) else (),
        detectable_ppb=limit.half_width(row.region) if limit is not None else None,
    )


def _place(session: Session, case: Case, entry: MapEntry) -> tuple[Array, tuple[float, float]]:
    """A point of the first visit, RAS mm, and how much of the slice through it is shown."""
    volume = entry.shown
    voxels = [indices_of(each.shape, volume) for each in shapes_at(session, case)]
    if not voxels:
        labels = session.labels_of(entry)
        if labels is not None and same_grid(labels.volume, volume):
            found = np.argwhere(np.asarray(labels.editable) > 0)
            voxels = [found] if len(found) else []
    if not voxels:
        return np.array(session.crosshair_mm), (_LEAST_MM * 2, _LEAST_MM * 2)
    index = _fullest(voxels, volume)
    here = np.vstack([each[each[:, 2] == index] for each in voxels])
    low, high = here.min(axis=0), here.max(axis=0)
    sizes = (high - low + 1) * np.array(volume.voxel_size_mm) + 2 * _MARGIN_MM
    across, up = (round(max(float(length), _LEAST_MM), 1) for length in sizes[:2])
    return volume.voxel_to_world((low + high) / 2), (across, up)


def _fullest(voxels: Sequence[Array], volume: Volume) -> int:
    """The axial slice on which most shapes lie; of several, the one with most voxels."""
    counts = np.array([np.bincount(each[:, 2], minlength=volume.shape[2]) for each in voxels])
    score = (counts > 0).sum(axis=0) + counts.sum(axis=0) / (counts.sum() + 1)
    return int(np.argmax(score))


# Without a window ----------------------------------------------------------------------------


def study_visits_figure(
    root: Path | str, participant: str, *, rater: str = "", judged_by: str = ""
) -> FigureSpec:
    """The figure of a participant of a study, from its maps, readings and transforms.

    Parameters
    ----------
    root : Path or str
        The study.
    participant : str
        Label, with or without ``sub-``.
    rater : str
        Whose readings; the only rater's unless given.
    judged_by : str
        ``"literature"``, ``"study"`` for the agreement of its readings, or a within-subject
        standard deviation in ppb; changes are not marked unless given.

    Returns
    -------
    FigureSpec
        Its sources have absolute paths.

    Raises
    ------
    QsmError
        If there are no two visits, a head does not fit, or it is unclear whose readings are meant.
    """
    folder, label = StudyFolder(root), participant.removeprefix("sub-")
    visits = visits_of(folder).get(label)
    if visits is None:
        raise FileError(f"'{folder.root.name}' has no participant '{label}'.")
    scans = [folder.scan(label, visit) for visit in visits]
    scans = [scan for scan in scans if scan.is_reconstructed][:MOST_VISITS]
    if len(scans) < 2:
        raise FileError(f"sub-{label} has {len(scans)} visit with a map; a figure needs two.")
    session = Session(unit="ppb")
    session.change_limit = _limit(folder, judged_by)
    loaded = load([scan.map for scan in scans])
    if loaded.problems:
        raise FileError(" ".join(loaded.problems))
    loaded.into(session)
    cases = [case for case in session.cases if case.maps]
    raters = sorted({name for scan in scans for name, _ in scan.readings()})
    if not rater and len(raters) > 1:
        raise MetadataError(f"Readings are by {', '.join(raters)}; choose one with --rater.")
    whose = rater or (raters[0] if raters else "")
    if rater and rater not in raters:
        raise FileError(f"'{rater}' has read no visit of sub-{label}.")
    for case, scan in zip(cases, scans, strict=True):
        path = scan.shapes(whose) if whose else None
        if path is not None and path.is_file():
            case.shapes = tuple(read_shapes(path).shapes)
    entries = [map_at(session, case) for case in cases]
    images = [images_of(c, entry) for c, entry in zip(cases, entries, strict=True) if entry]
    links = link_visits(images)
    for link in links:
        if not link.is_usable:
            raise QsmError(f"{link.title}: {link.words}")
    show_visits(session, links)
    spec = visits_figure(session)
    paths = {entry.id: entry.volume.origin for entry in session}
    sources = {
        key: source.model_copy(update={"path": Path(str(paths[key])).absolute().as_posix()})
        for key, source in spec.sources.items()
    }
    keys = {key: f"{source.role}-{source.name}" for key, source in sources.items()}
    return spec.model_copy(
        update={
            "sources": {keys[key]: source for key, source in sources.items()},
            "panels": tuple(panel.renamed(keys) for panel in spec.panels),
        }
    )


def _limit(folder: StudyFolder, judged_by: str) -> Repeatability | None:
    if not judged_by:
        return None
    if judged_by == "literature":
        return LITERATURE
    if judged_by == "study":
        found = repeatability_of(folder)
        if not found:
            raise FileError(
                f"'{folder.root.name}' has no agreement of readings yet; run 'napari-qsm study agree'."
            )
        return found[0]
    value = number(judged_by, "--judged-by", unit="ppb")
    if value <= 0:
        raise MetadataError("A standard deviation is above zero.")
    return Repeatability(value, f"a value given by hand, {value:g} ppb")
