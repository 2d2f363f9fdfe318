"""Fixed shapes written into a label map. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.io.label_table import Region, default_color, side_of
from napari_qsm.rois import edit
from napari_qsm.rois.region import RegionTable, name_of
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.session import MapEntry, Session
from napari_qsm.volume import check_same_grid


@dataclass(frozen=True)
class Burnt:
    """What burning has done.

    Attributes
    ----------
    shapes, voxels : int
        How many shapes were written, and how many voxels have changed.
    notes : tuple of str
        Sentences about shapes or voxels that were left as they are.
    """

    shapes: int
    voxels: int
    notes: tuple[str, ...]


def burn(
    session: Session,
    measured: MapEntry,
    labels: MapEntry | None,
    shapes: list[FixedShape],
    *,
    clear_first: bool = False,
    over_others: bool = False,
    keep_shapes: bool = False,
) -> Burnt:
    """Write shapes into a label map, in one undo.

    Parameters
    ----------
    session : Session
        Where all of these live.
    measured : MapEntry
        The map on whose grid the shapes have their voxels.
    labels : MapEntry or None
        The label map; one is made on the map's grid if there is none.
    shapes : list of FixedShape
        What to write. A region is found by its name, and made if there is none of that name.
    clear_first : bool
        Take away what these regions held before, so that each is its shapes and no more.
    over_others : bool
        Write over voxels that belong to other regions, unless those are locked.
    keep_shapes : bool
        Leave the shapes as objects too.

    Returns
    -------
    Burnt

    Raises
    ------
    QsmError
        If there is nothing to write.
    GeometryError
        If label map and map do not share a grid.
    """
    if not shapes:
        raise QsmError("There is no shape to write; place one first.")
    if labels is None:
        labels = _new_labels(session, measured)
    check_same_grid(labels.volume, measured.shown)
    with session.history.group("burn shapes"):
        regions, index_of = _with_regions(labels, shapes)
        notes = [
            f"{regions[index_of[s.id]].name} is locked, so its shape stays a shape."
            for s in shapes
            if regions[index_of[s.id]].locked
        ]
        written = [s for s in shapes if not regions[index_of[s.id]].locked]
        used = {index_of[s.id] for s in written}
        kept = {k: r for k, r in regions.items() if k in labels.regions or k in used}
        if kept != labels.regions:
            session.change("regions", target=labels, regions=kept)
        changed = _clear(session, labels, used) if clear_first else 0
        for shape in written:
            at = voxels_of(shape, measured.shown)
            found, left = _writable(labels, at, index_of[shape.id], over_others)
            changed += session.edit_labels(labels, found, index_of[shape.id], "burn shapes")
            notes += [f"{shape.name}: {number} voxels stay {name}." for name, number in left]
        if not keep_shapes:
            gone = {s.id for s in written}
            case = session.case_of(measured)
            rest = tuple(s for s in case.shapes if s.id not in gone)
            session.change("burn shapes", case, shapes=rest)
    return Burnt(len(written), changed, tuple(notes))


def _new_labels(session: Session, measured: MapEntry) -> MapEntry:
    volume = measured.shown
    empty = volume.with_data(np.zeros(volume.shape, np.uint16), unit="", name="regions")
    case = session.case_of(measured)
    selected = session.selected
    labels = session.add(empty, role="labels", name=f"regions {case.name}", case=case)
    session.selected = selected
    return labels


def _with_regions(labels: MapEntry, shapes: list[FixedShape]) -> tuple[RegionTable, dict[str, int]]:
    """Regions with those that the shapes need, and the label of each shape by its id."""
    regions = dict(labels.regions)
    drawn = {int(k) for k in np.unique(labels.labels)} - {0}
    index_of: dict[str, int] = {}
    for shape in shapes:
        wanted = shape.region_name.casefold()
        index = next((k for k, r in regions.items() if r.name.casefold() == wanted), 0)
        if not index or not wanted:
            free = shape.region not in regions and shape.region not in drawn
            index = shape.region if shape.region and free else _next(set(regions) | drawn)
            name = shape.region_name or _unnamed(shape, {r.name for r in regions.values()})
            regions[index] = Region(index, name, shape.side or side_of(name), default_color(index))
        index_of[shape.id] = index
    return regions, index_of


def _next(taken: set[int]) -> int:
    return next(k for k in range(1, 65536) if k not in taken)


def _unnamed(shape: FixedShape, taken: set[str]) -> str:
    number = 1
    while (name := f"{shape.kind.capitalize()} {number}") in taken:
        number += 1
    return name


def _clear(session: Session, labels: MapEntry, used: set[int]) -> int:
    flat = np.flatnonzero(np.isin(labels.labels.ravel(order="F"), sorted(used)))
    return session.edit_labels(labels, flat, 0, "burn shapes")


def _writable(
    labels: MapEntry, at: Array, index: int, over_others: bool
) -> tuple[Array, list[tuple[str, int]]]:
    """Positions that may be written, and how many voxels stay with which region."""
    values = labels.labels[np.unravel_index(at, labels.labels.shape, order="F")]
    locked = edit.locked_labels(labels.regions)
    stay = ~edit.may_write(values, index, protect=not over_others, locked=locked)
    names = [
        (name_of(labels.regions, int(k)), int((values[stay] == k).sum()))
        for k in np.unique(values[stay])
    ]
    return at[~stay], names
