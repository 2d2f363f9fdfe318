"""A brush that stops at edges: of its tip, the part on the centre's side. Lengths in mm.

Works on the values of a map on the grid of the labels; places are grid mm, as in
:mod:`napari_qsm.rois.brush`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.rois import brush
from napari_qsm.rois.brush import Tip

#: A step between two tissues counts from so many times the noise on, unless told otherwise.
EDGE = 2.0
#: A second step within the centre's side counts if it is not much smaller than the first.
_MUCH_SMALLER = 1 / 3
_MOST_STEPS = 3
#: How often voxels look round at their neighbours.
_LOOKS = 2
#: Standard deviation of normal noise from the median size of differences of two voxels.
_NOISE = 1.4826 / np.sqrt(2)
#: Rounding of values must not make steps.
_ROUNDING = 1e-6


def stroke(
    values: Array,
    voxel_size_mm: Sequence[float],
    start_mm: Sequence[float] | Array,
    end_mm: Sequence[float] | Array,
    diameter_mm: float,
    *,
    tip: Tip = "round",
    across: int | None = None,
    edge: float = EDGE,
) -> Array:
    """Voxels that an edge-aware brush paints on its straight way from one place to another.

    Parameters
    ----------
    values : (x, y, z) ndarray
        The map whose edges count, in any unit.
    voxel_size_mm, start_mm, end_mm, diameter_mm, tip, across
        As for :func:`napari_qsm.rois.brush.stroke`.
    edge : float
        Steps of at least so many times the noise are edges; see :func:`side_of_edge`.

    Returns
    -------
    (n,) ndarray of intp
        Flat positions, Fortran order, each once; always among those of the plain brush.

    Notes
    -----
    The tip is put down at the end of the way, and on the way at most a third of its width (but
    no less than a voxel) apart; each time the side is that of the voxel under its centre.
    """
    size = np.asarray(voxel_size_mm, dtype=np.float64)
    found = [
        dab(values, size, place, diameter_mm, tip=tip, across=across, edge=edge)
        for place in _dabs(size, start_mm, end_mm, diameter_mm, across)
    ]
    return np.unique(np.concatenate(found))


def _dabs(
    size: Array,
    start_mm: Sequence[float] | Array,
    end_mm: Sequence[float] | Array,
    diameter_mm: float,
    across: int | None,
) -> Iterator[Array]:
    """Where the tip is put down; not at the start of a way, where it has been before."""
    start, end = (np.array(p, dtype=np.float64) for p in (start_mm, end_mm))
    if across is not None:
        start[across] = end[across]
    step = max(diameter_mm / 3, float(size.min()))
    count = max(int(np.ceil(np.linalg.norm(end - start) / step)), 1)
    for number in range(1, count + 1):
        yield start + (end - start) * (number / count)


def dab(
    values: Array,
    voxel_size_mm: Sequence[float] | Array,
    at_mm: Sequence[float] | Array,
    diameter_mm: float,
    *,
    tip: Tip = "round",
    across: int | None = None,
    edge: float = EDGE,
) -> Array:
    """The same for a brush that is put down once."""
    covered = brush.stroke(
        values.shape, voxel_size_mm, at_mm, at_mm, diameter_mm, tip=tip, across=across
    )
    centre = np.floor(np.asarray(at_mm) / voxel_size_mm + 0.5).astype(int)
    if not covered.size or (centre < 0).any() or (centre >= values.shape).any():
        return np.empty(0, dtype=np.intp)
    places = np.array(np.unravel_index(covered, values.shape, order="F"))
    low, high = places.min(axis=1), places.max(axis=1) + 1
    under = np.zeros(high - low, dtype=bool)
    under[tuple(places - low[:, None])] = True
    part = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    kept = side_of_edge(part, under, tuple(centre - low), voxel_size_mm, edge=edge)
    return covered[kept[tuple(places - low[:, None])]]


def side_of_edge(
    values: Array,
    tip: Array,
    centre: Sequence[int],
    voxel_size_mm: Sequence[float] | Array,
    *,
    edge: float = EDGE,
) -> Array:
    """The part of a tip that is connected with its centre and lies on the centre's side.

    Parameters
    ----------
    values : (x, y, z) ndarray
        Values under the tip and round it; what is not finite is never painted.
    tip : (x, y, z) bool ndarray
        Voxels under the tip.
    centre : (x, y, z)
        Index of the voxel under the tip's centre.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel.
    edge : float
        Two tissues are told apart if their means differ by at least so many times the noise.

    Returns
    -------
    (x, y, z) bool ndarray
        Connected through faces of voxels.

    Notes
    -----
    1. The noise is the standard deviation that normal noise would have, from the median
       absolute difference of neighbours under the tip (1.4826 times it, by the square root of
       two), which few pairs across an edge do not change.
    2. The values are parted in two so that the variance between the parts is largest [1]_.
    3. A voxel belongs to the part whose mean is nearer, weighed against its neighbours, each of
       which counts as much as a squared distance of twice the noise squared [2]_: noisy voxels
       go with their surroundings, a thin vein of high contrast stays. Neighbours touch by face,
       edge or corner and lie no farther than the square root of three times the shortest edge
       of a voxel, so that thick slices decide by themselves; the eight of a slice and the 26 of
       a ball weigh the same. If the means of the parts then differ by less than ``edge`` times
       the noise, there is no edge and the whole tip is painted; normal noise alone parts into
       means 1.6 times the noise apart, less after this step.
    4. What is connected with the centre in the centre's part is parted again, at most three
       times in all, while there is a step of at least a third of the first one: a brush within
       putamen that reaches over pallidum and white matter keeps to putamen.

    References
    ----------
    .. [1] Otsu N. A threshold selection method from gray-level histograms. IEEE Trans Syst Man
       Cybern 1979;9(1):62-66. doi:10.1109/TSMC.1979.4310076
    .. [2] Besag J. On the statistical analysis of dirty pictures. J R Stat Soc B
       1986;48(3):259-302. doi:10.1111/j.2517-6161.1986.tb01412.x
    """
    middle = tuple(int(i) for i in centre)
    inside = np.asarray(tip, dtype=bool) & np.isfinite(values)
    if not inside[middle]:
        return np.zeros(inside.shape, dtype=bool)
    data = np.where(inside, values, 0).astype(np.float64)
    near = _near(tuple(n > 1 for n in inside.shape), tuple(map(float, voxel_size_mm)))
    noise = _noise_of(data, inside, near)
    side = _piece(inside, middle)
    first = 0.0
    for _ in range(_MOST_STEPS):
        means = _parted(data[side])
        if means is None:
            break
        high = _smoothed(data, side, means, noise, near)
        if high[side].all() or not high[side].any():
            break
        step = data[side & high].mean() - data[side & ~high].mean()
        tiny = _ROUNDING * max(abs(means[0]), abs(means[1]))
        if step < edge * noise or step < _MUCH_SMALLER * first or step <= tiny:
            break
        side = _piece(side & (high == high[middle]), middle)
        first = max(first, step)
    return side


@lru_cache(maxsize=64)
def _near(wide: tuple[bool, ...], size: tuple[float, ...]) -> list[tuple[int, int, int]]:
    """Steps to a voxel's neighbours along wide axes, one of each pair of opposite ones."""
    axes = [(-1, 0, 1) if is_wide else (0,) for is_wide in wide]
    longest = np.sqrt(3) * min(size) * (1 + _ROUNDING)
    steps = [(i, j, k) for i, j, k in product(*axes) if (i, j, k) > (0, 0, 0)]
    return [step for step in steps if np.linalg.norm(np.multiply(step, size)) <= longest]


def _pair(step: tuple[int, int, int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the voxels with a neighbour in a direction lie, and where those neighbours lie."""
    here = tuple(slice(max(-s, 0), -s if s > 0 else None) for s in step)
    there = tuple(slice(max(s, 0), s if s < 0 else None) for s in step)
    return here, there


def _noise_of(data: Array, inside: Array, near: list[tuple[int, int, int]]) -> float:
    differences = []
    for step in near:
        if np.abs(step).sum() == 1:
            here, there = _pair(step)
            differences.append(np.abs(data[here] - data[there])[inside[here] & inside[there]])
    found = np.concatenate(differences) if differences else np.empty(0)
    return float(_NOISE * np.median(found)) if found.size else 0.0


def _parted(values: Array) -> tuple[float, float] | None:
    """Means of the two parts with the largest variance between them; None if all are equal."""
    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:
        return None
    # Seen from their middle, so that an offset does not eat digits.
    shift = ordered[ordered.size // 2]
    sums = np.cumsum(ordered - shift)
    count = np.arange(1, ordered.size)
    below = sums[:-1] / count
    above = (sums[-1] - sums[:-1]) / (ordered.size - count)
    between = count * (ordered.size - count) * (above - below) ** 2
    at = int(np.argmax(np.where(ordered[1:] > ordered[:-1], between, -1.0)))
    return float(below[at] + shift), float(above[at] + shift)


def _smoothed(
    data: Array,
    side: Array,
    means: tuple[float, float],
    noise: float,
    near: list[tuple[int, int, int]],
) -> Array:
    """Which voxels belong to the higher part, by their values and by their neighbours."""
    low, high = means
    # Twice the noise squared times the difference of squared distances to the two means.
    own = 2 * (high - low) * (data - (low + high) / 2)
    is_high: Array = own > 0
    weight = 2 * noise**2 * 4 / max(len(near), 4)  # pairs: four in a slice, 13 in a ball
    for _ in range(_LOOKS):
        vote = np.where(side, np.where(is_high, 1, -1), 0).astype(np.int8)
        around = np.zeros(data.shape, dtype=np.int8)
        for step in near:
            here, there = _pair(step)
            around[here] += vote[there]
            around[there] += vote[here]
        is_high = own + weight * around > 0
    return is_high


def _piece(allowed: Array, middle: tuple[int, ...]) -> Array:
    """What is connected with a voxel through faces."""
    pieces, _ = ndimage.label(allowed)
    return np.asarray(pieces == pieces[middle])
