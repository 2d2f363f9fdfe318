"""Which voxels a brush, an outline or a fill covers. Lengths in mm, on grids of any voxel shape.

Places are *grid mm*: voxel index times voxel size along the array's axes (x, y, z), so the
centre of voxel (0, 0, 0) lies at the origin. A voxel is covered if its centre is. Results are
flat positions in Fortran order, as :meth:`napari_qsm.session.Session.edit_labels` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError

Tip = Literal["round", "square"]

#: Rounding of sums must not decide about a centre that lies on the rim.
_ON_THE_RIM = 1e-6


def stroke(
    shape: Sequence[int],
    voxel_size_mm: Sequence[float] | Array,
    start_mm: Sequence[float] | Array,
    end_mm: Sequence[float] | Array,
    diameter_mm: float,
    *,
    tip: Tip = "round",
    across: int | None = None,
) -> Array:
    """Voxels that a brush sweeps on its straight way from one place to another.

    Parameters
    ----------
    shape : (x, y, z)
        Of the array.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel, mm.
    start_mm, end_mm : (x, y, z)
        Grid mm of the brush's centre; equal for a dab. Only the part inside counts.
    diameter_mm : float
        Width of a round tip, edge of a square one, mm.
    tip : {"round", "square"}
        Distance to the centre, or to it along each axis.
    across : int or None
        Axis through the slice for a flat brush, which paints the slice of ``end_mm`` alone;
        None for a ball or cube of the same width along all three axes.

    Returns
    -------
    (n,) ndarray of intp
        Flat positions, Fortran order, each once. The voxels under the brush's centre are
        always among them, however small the brush.
    """
    size = np.asarray(voxel_size_mm, dtype=np.float64)
    start, end = (np.array(p, dtype=np.float64) for p in (start_mm, end_mm))
    if across is not None:
        index = round(float(end[across] / size[across]))
        if not 0 <= index < shape[across]:
            return np.empty(0, dtype=np.intp)
        start[across] = end[across] = index * size[across]
    radius = diameter_mm / 2 * (1 + _ON_THE_RIM)
    reach = np.full(3, radius)
    if across is not None:
        reach[across] = 0.25 * size[across]
    low = np.ceil((np.minimum(start, end) - reach) / size).astype(int)
    high = np.floor((np.maximum(start, end) + reach) / size).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, np.asarray(shape) - 1)
    under = _line(shape, size, start, end)
    if (high < low).any():
        return under
    away = [
        (np.arange(a, b + 1) * step - origin).reshape([-1 if i == axis else 1 for i in range(3)])
        for axis, (a, b, step, origin) in enumerate(zip(low, high, size, start, strict=True))
    ]
    axes = [axis for axis in range(3) if axis != across]
    swept = _swept_ball if tip == "round" else _swept_cube
    inside = swept([away[axis] for axis in axes], (end - start)[axes], radius)
    inside = np.broadcast_to(inside, [a.size for a in np.ogrid[tuple(map(slice, high - low + 1))]])
    found = np.nonzero(inside)
    places = tuple(part + first for part, first in zip(found, low, strict=True))
    flat = np.ravel_multi_index(places, tuple(shape), order="F").astype(np.intp)
    # Far quicker than a union: few voxels lie under the way itself.
    missing = [each for each in under.tolist() if not (flat == each).any()]
    return np.sort(np.concatenate([flat, np.array(missing, dtype=np.intp)]))


def _swept_ball(away: list[Array], way: Array, radius: float) -> Array:
    """Whether a point lies within ``radius`` of the way; ``away`` is seen from its start."""
    length2 = float(way @ way)
    if length2 == 0:
        return np.asarray(sum(a**2 for a in away) <= radius**2)
    along = sum(a * w for a, w in zip(away, way, strict=True)) / length2
    along = np.clip(along, 0, 1)
    distance2 = sum((a - along * w) ** 2 for a, w in zip(away, way, strict=True))
    return np.asarray(distance2 <= radius**2)


def _swept_cube(away: list[Array], way: Array, radius: float) -> Array:
    """The same for a tip that is as wide along each axis: all axes must agree at one moment."""
    first: Array = np.zeros(1)
    last: Array = np.ones(1)
    inside: Array = np.ones(1, dtype=bool)
    for a, w in zip(away, way, strict=True):
        if w == 0:
            inside = inside & (np.abs(a) <= radius)
            continue
        ends = ((a - radius) / w, (a + radius) / w)
        first = np.maximum(first, np.minimum(*ends))
        last = np.minimum(last, np.maximum(*ends))
    return np.asarray(inside & (first <= last + _ON_THE_RIM))


def _line(shape: Sequence[int], size: Array, start: Array, end: Array) -> Array:
    """Voxels under the way itself, those inside the array."""
    steps = int(np.ceil(np.abs((end - start) / size).max() * 4)) + 1
    points = start + np.linspace(0, 1, steps + 1)[:, None] * (end - start)
    voxels = np.floor(points / size + 0.5).astype(int)
    voxels = voxels[((voxels >= 0) & (voxels < np.asarray(shape))).all(axis=1)]
    flat = np.ravel_multi_index(tuple(voxels.T), tuple(shape), order="F")
    return np.unique(flat).astype(np.intp)


def outline(
    shape: Sequence[int],
    voxel_size_mm: Sequence[float],
    corners_mm: Sequence[Sequence[float]] | Array,
    across: int,
) -> Array:
    """Voxels of one slice inside a closed outline.

    Parameters
    ----------
    shape, voxel_size_mm
        As for :func:`stroke`.
    corners_mm : (n, 3) array
        Grid mm, at least three; the first one names the slice. The last is joined to the
        first. What the line goes round more than once, as in a loop of a lasso, is inside.
    across : int
        Axis through the slice.

    Returns
    -------
    (n,) ndarray of intp
        Flat positions, Fortran order.
    """
    size = np.asarray(voxel_size_mm, dtype=np.float64)
    corners = np.asarray(corners_mm, dtype=np.float64) / size
    if len(corners) < 3:
        return np.empty(0, dtype=np.intp)
    index = round(float(corners[0, across]))
    if not 0 <= index < shape[across]:
        return np.empty(0, dtype=np.intp)
    first, second = (axis for axis in range(3) if axis != across)
    # Winding number of each voxel: an edge that is crossed upwards on its left counts 1,
    # downwards -1. One row of voxels and one edge at a time touch only what they must.
    turns = np.zeros((shape[second], shape[first] + 1), dtype=np.int32)
    for (u0, v0), (u1, v1) in zip(
        corners[:, [first, second]], np.roll(corners, -1, axis=0)[:, [first, second]], strict=True
    ):
        sign, bottom, top = (1, v0, v1) if v1 > v0 else (-1, v1, v0)
        rows = np.arange(max(int(np.ceil(bottom)), 0), min(int(np.ceil(top)), shape[second]))
        if rows.size == 0:
            continue
        crossed = u0 + (rows - v0) * (u1 - u0) / (v1 - v0)
        columns = np.clip(np.ceil(crossed), 0, shape[first]).astype(int)
        np.add.at(turns, (rows, columns), sign)
    inside = np.cumsum(turns, axis=1)[:, :-1] != 0
    rows, columns = np.nonzero(inside)
    places: list[Array] = [np.full(rows.size, index)] * 3
    places[first], places[second] = columns, rows
    return np.ravel_multi_index(tuple(places), tuple(shape), order="F").astype(np.intp)


def connected(
    allowed: Array, seed: Sequence[int], *, across: int | None = None, open_edges: bool = True
) -> Array:
    """Voxels that can be reached from a voxel through faces, without leaving ``allowed``.

    Parameters
    ----------
    allowed : (x, y, z) bool ndarray
        Where the fill may run.
    seed : (x, y, z)
        Index of the first voxel; nothing is filled if it is not allowed.
    across : int or None
        Axis through the slice to which the fill keeps; None for three dimensions.
    open_edges : bool
        Whether the fill may touch the edge of the array.

    Returns
    -------
    (n,) ndarray of intp
        Flat positions, Fortran order.

    Raises
    ------
    QsmError
        If the fill runs to the edge and may not.
    """
    at = tuple(int(i) for i in seed)
    if not all(0 <= i < n for i, n in zip(at, allowed.shape, strict=True)) or not allowed[at]:
        return np.empty(0, dtype=np.intp)
    part: Array = allowed
    if across is not None:
        part = np.take(allowed, [at[across]], axis=across)
    inner = tuple(0 if axis == across else i for axis, i in enumerate(at))
    pieces, _ = ndimage.label(part)
    places = [np.asarray(p) for p in np.nonzero(pieces == pieces[inner])]
    if not open_edges:
        for axis in range(3):
            if axis != across and (
                places[axis].min() == 0 or places[axis].max() == allowed.shape[axis] - 1
            ):
                where = "the slice" if across is not None else "the map"
                raise QsmError(
                    f"The fill would run to the edge of {where}: close the outline first, or "
                    "limit the values that are painted."
                )
    if across is not None:
        places[across] = places[across] + at[across]
    return np.ravel_multi_index(tuple(places), allowed.shape, order="F").astype(np.intp)
