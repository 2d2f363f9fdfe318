"""A region moved by whole voxels, and how far a round tool reaches before it pushes an outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.brush import stroke
from napari_qsm.rois.edit import Change, may_write, positions
from napari_qsm.rois.region import Region

#: The tool ends just before the nearest voxel on the other side of the outline.
_SHORT_OF = 1 - 1e-4


def positions_on(labels: Array, index: int, across: int | None, at: int) -> Array:
    """Flat positions of a label's voxels: all, or with ``across`` those of one slice."""
    if across is None:
        return positions(labels, index)
    if not 0 <= at < labels.shape[across]:
        return np.empty(0, dtype=np.intp)
    found = np.nonzero(np.take(labels, at, axis=across) == index)
    places = list(found)
    places.insert(across, np.full(found[0].size, at))
    return np.sort(np.ravel_multi_index(tuple(places), labels.shape, order="F")).astype(np.intp)


def moved(labels: Array, at: Array, steps: Sequence[int]) -> tuple[Array, int]:
    """Flat positions some voxels away, those inside the map, and how many lie outside it."""
    places = np.array(np.unravel_index(at, labels.shape, order="F")) + np.array(steps)[:, None]
    inside = ((places >= 0) & (places < np.array(labels.shape)[:, None])).all(axis=0)
    flat = np.ravel_multi_index(tuple(places[:, inside]), labels.shape, order="F")
    return flat.astype(np.intp), int((~inside).sum())


def move(
    labels: Array, row: Region, steps: Sequence[int], *, across: int | None = None, at: int = 0
) -> Change:
    """A region, or its outline on one slice, moved by whole voxels.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Label values.
    row : Region
        The region, with the name that sentences use.
    steps : (x, y, z)
        Voxels along each axis.
    across : int or None
        Axis through the slice ``at`` whose voxels alone move; None for the whole region.

    Returns
    -------
    Change
        Voxels of other regions stay theirs and are counted in ``missed``.

    Raises
    ------
    QsmError
        If there is nothing to move, the region is locked, or it would leave the map.
    """
    if row.locked:
        raise QsmError(f"'{row.name}' is locked; click its lock to move it.")
    before = positions_on(labels, row.index, across, at)
    if not before.size:
        where = "" if across is None else " on this slice"
        raise QsmError(f"Nothing is drawn of '{row.name}'{where} yet.")
    after, outside = moved(labels, before, steps)
    if outside:
        raise QsmError(f"'{row.name}' would leave the map.")
    there = labels[np.unravel_index(after, labels.shape, order="F")]
    free = may_write(there, row.index, protect=True)
    lost = np.setdiff1d(before, after, assume_unique=True)
    gained = np.setdiff1d(after[free], before, assume_unique=True)
    return Change(
        f"move {row.name}",
        at=np.concatenate([lost, gained]),
        values=np.concatenate([np.zeros(lost.size, np.intp), np.full(gained.size, row.index)]),
        regions=(row.index,),
        missed=int((~free).sum()),
    )


def push_diameter(
    labels: Array,
    index: int,
    voxel_size_mm: Sequence[float],
    at_mm: Sequence[float] | Array,
    diameter_mm: float,
    *,
    across: int | None = None,
) -> tuple[bool, float]:
    """How wide a round tool may be to lie on one side of a region's outline.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Label values.
    index : int
        The region.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel.
    at_mm : (x, y, z)
        Grid mm of the tool's centre (see :mod:`napari_qsm.rois.brush`).
    diameter_mm : float
        Width it may have at most.
    across : int or None
        Axis through the slice that the tool keeps to; None for a ball.

    Returns
    -------
    inside : bool
        Whether the voxel under the centre belongs to the region: the tool then pushes the
        outline outwards, otherwise inwards.
    diameter : float
        So that the tool covers no voxel on the other side of the outline.
    """
    size = np.asarray(voxel_size_mm, dtype=np.float64)
    at = np.array(at_mm, dtype=np.float64)
    voxel = np.floor(at / size + 0.5).astype(int)
    if (voxel < 0).any() or (voxel >= labels.shape).any():
        return False, diameter_mm
    if across is not None:
        at[across] = voxel[across] * size[across]
    inside = bool(labels[tuple(voxel)] == index)
    covered = stroke(labels.shape, size, at, at, diameter_mm, across=across)
    places = np.array(np.unravel_index(covered, labels.shape, order="F"))
    other = (labels[tuple(places)] == index) != inside
    if not other.any():
        return inside, diameter_mm
    away = np.linalg.norm((places[:, other] * size[:, None]) - at[:, None], axis=0)
    return inside, float(2 * away.min() * _SHORT_OF)
