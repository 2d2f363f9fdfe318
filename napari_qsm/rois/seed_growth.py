"""Growing a region from one voxel, within limits of values and of distance in mm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, Box

_ON_THE_RIM = 1e-6


def box_round(
    shape: Sequence[int],
    seed: Sequence[int],
    voxel_size_mm: Sequence[float],
    radius_mm: float,
    across: int | None = None,
) -> Box:
    """The box of all voxels within a distance of a voxel; one slice thick with ``across``."""
    low, high = [], []
    for axis, (n, at, size) in enumerate(zip(shape, seed, voxel_size_mm, strict=True)):
        steps = 0 if axis == across else int(radius_mm * (1 + _ON_THE_RIM) / size)
        low.append(max(int(at) - steps, 0))
        high.append(min(int(at) + steps + 1, n))
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def grow_from_seed(
    values: Array,
    seed: Sequence[int],
    voxel_size_mm: Sequence[float],
    low: float,
    high: float,
    radius_mm: float,
    *,
    across: int | None = None,
    allowed: Callable[[Box], Array] | None = None,
) -> Array:
    """Voxels that can be reached from a seed through voxels whose values lie within limits.

    Parameters
    ----------
    values : (x, y, z) ndarray
        The map; what is not finite lies within no limits.
    seed : (x, y, z)
        Index of the first voxel.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel, mm.
    low, high : float
        In the unit of ``values``; both ends are within.
    radius_mm : float
        How far a voxel's centre may lie from the seed's, mm, in a straight line.
    across : int or None
        Axis through the slice to which growth keeps; None for three dimensions.
    allowed : callable, optional
        Given a box, which of its voxels may be entered besides, for example those inside a mask
        and in no other region.

    Returns
    -------
    (n,) ndarray of intp
        Flat positions, Fortran order, connected through faces; none if the seed itself lies
        outside the map or the limits.
    """
    at = tuple(int(i) for i in seed)
    if not all(0 <= i < n for i, n in zip(at, values.shape, strict=True)):
        return np.empty(0, dtype=np.intp)
    box = box_round(values.shape, at, voxel_size_mm, radius_mm, across)
    part = values[box]
    with np.errstate(invalid="ignore"):
        free = (part >= low) & (part <= high)
    if allowed is not None:
        free &= allowed(box)
    squares = np.ogrid[box]
    free &= (
        sum(((g - i) * s) ** 2 for g, i, s in zip(squares, at, voxel_size_mm, strict=True))
        <= (radius_mm * (1 + _ON_THE_RIM)) ** 2
    )
    inner = tuple(i - each.start for i, each in zip(at, box, strict=True))
    if not free[inner]:
        return np.empty(0, dtype=np.intp)
    pieces, _ = ndimage.label(free)
    places = np.nonzero(pieces == pieces[inner])
    whole = tuple(p + each.start for p, each in zip(places, box, strict=True))
    return np.ravel_multi_index(whole, values.shape, order="F").astype(np.intp)


def limits_round(
    values: Array, seed: Sequence[int], across: int | None = None, spread: float = 3.0
) -> tuple[float, float]:
    """Limits that fit the tissue round a voxel: its values give or take what they vary.

    Parameters
    ----------
    values : (x, y, z) ndarray
        The map.
    seed : (x, y, z)
        Index of a voxel inside it.
    across : int or None
        Axis through the slice whose voxels alone count.
    spread : float
        How many standard deviations to each side.

    Returns
    -------
    low, high : float
        Median of the finite values among the voxel and its neighbours, give or take ``spread``
        standard deviations (1.4826 times the median absolute deviation), and always round the
        voxel's own value. Not numbers if the voxel itself is none.
    """
    box = tuple(
        slice(int(i), int(i) + 1)
        if axis == across
        else slice(max(int(i) - 1, 0), min(int(i) + 2, n))
        for axis, (i, n) in enumerate(zip(seed, values.shape, strict=True))
    )
    own = float(values[tuple(int(i) for i in seed)])
    near = np.asarray(values[box], dtype=np.float64)
    near = near[np.isfinite(near)]
    if not np.isfinite(own) or not near.size:
        return (np.nan, np.nan)
    middle = float(np.median(near))
    away = spread * 1.4826 * float(np.median(np.abs(near - middle)))
    return min(middle - away, own), max(middle + away, own)
