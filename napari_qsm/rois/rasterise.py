"""Fixed shapes written into labels ("burnt"), as one edit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.rois.edit import Change, locked_labels, may_write
from napari_qsm.rois.region import Region, RegionTable, default_color, name_of, side_of
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.volume import Volume


def rasterise(
    labels: Array,
    table: RegionTable,
    shapes: Sequence[FixedShape],
    volume: Volume,
    *,
    clear_first: bool = False,
    over_others: bool = False,
) -> tuple[Change, list[FixedShape], list[str]]:
    """Write shapes into labels, the first ones first.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Label values, which are not changed.
    table : dict of int to Region
        Their regions. A shape goes into that of its name; one is made if there is none.
    shapes : sequence of FixedShape
    volume : Volume
        On whose grid the labels lie.
    clear_first : bool
        Take away what these regions held before, so that each is its shapes and no more.
    over_others : bool
        Write over voxels that belong to other regions, unless those are locked.

    Returns
    -------
    change : Change
    written : list of FixedShape
        All but those of locked regions.
    notes : list of str
        Sentences about shapes or voxels that were left as they are.
    """
    rows, index_of = _with_rows(labels, table, shapes)
    locked = locked_labels(rows)
    written = [shape for shape in shapes if index_of[shape.id] not in locked]
    notes = [
        f"{rows[index_of[shape.id]].name} is locked, so its shape stays a shape."
        for shape in shapes
        if index_of[shape.id] in locked
    ]
    used = {index_of[shape.id] for shape in written}
    before = labels.ravel(order="F")
    after = before.copy()
    if clear_first:
        after[np.isin(before, sorted(used))] = 0
    for shape in written:
        at, index = voxels_of(shape, volume), index_of[shape.id]
        there = after[at]
        free = may_write(there, index, protect=not over_others, locked=locked)
        after[at[free]] = index
        for label, count in zip(*np.unique(there[~free], return_counts=True), strict=True):
            notes.append(f"{shape.name}: {count} voxels stay {name_of(rows, int(label))}.")
    at = np.flatnonzero(after != before)
    new: dict[int, Region | None] = {k: rows[k] for k in sorted(used) if k not in table}
    return Change("burn shapes", new, at, after[at], tuple(sorted(used))), written, notes


def _with_rows(
    labels: Array, table: RegionTable, shapes: Sequence[FixedShape]
) -> tuple[RegionTable, dict[str, int]]:
    """Rows with those that the shapes need, and the label of each shape by its id."""
    rows = dict(table)
    taken = {int(k) for k in np.unique(labels)} - {0}
    index_of: dict[str, int] = {}
    for shape in shapes:
        wanted = shape.region_name.casefold()
        index = next((k for k, row in rows.items() if row.name.casefold() == wanted), 0)
        if not index or not wanted:
            free = shape.region and shape.region not in rows and shape.region not in taken
            index = (
                shape.region
                if free
                else next(k for k in range(1, 65536) if k not in taken | set(rows))
            )
            name = shape.region_name or _unnamed(shape, {row.name for row in rows.values()})
            rows[index] = Region(index, name, shape.side or side_of(name), default_color(index))
        index_of[shape.id] = index
    return rows, index_of


def _unnamed(shape: FixedShape, taken: set[str]) -> str:
    number = 1
    while (name := f"{shape.kind.capitalize()} {number}") in taken:
        number += 1
    return name
