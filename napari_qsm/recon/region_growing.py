"""Quality-guided unwrapping as a maximum spanning tree.

Growing a region voxel by voxel over the best remaining edge, as quality-guided unwrapping
does, makes a maximum spanning tree of the edge weights. The tree is built here by merging
regions over the edges in descending order of weight, which needs no seed, serves separate
parts of a mask alike and gives the same result as growing from any seed.

:mod:`napari_qsm.recon.region_growing_numba` holds the compiled twins of the weights and the
merging.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from napari_qsm.recon.fourier import WORKERS
from napari_qsm.recon.stages import Progress, no_progress

Array = npt.NDArray[Any]

#: Weights lie in 1..WEIGHT_MAX; 0 marks a pair of voxels that is not an edge. Fine steps keep
#: ties rare, so that flipping the axes does not change the tree.
WEIGHT_MAX = 65535
_CHUNK = 1_000_000


class Edges(NamedTuple):
    """Edges in descending order of weight.

    Attributes
    ----------
    tail, head : (N,) int32 ndarray
        The two voxels, numbered within the mask in array order.
    turns : (P, N) int8 ndarray
        Turns to add to each of P phases when going from tail to head.
    """

    tail: Array
    head: Array
    turns: Array


def compiled() -> ModuleType | None:
    """The compiled kernels, or None where numba is not installed."""
    try:
        return importlib.import_module("napari_qsm.recon.region_growing_numba")
    except ImportError:
        return None


def edge_weights(
    phase: Array,
    mask: Array,
    magnitude: Array | None = None,
    later_phase: Array | None = None,
    time_ratio: float = 0.0,
) -> Array:
    """Trust in the phase difference between each voxel and the next one along each axis.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Wrapped phase of the template echo, rad.
    mask : (x, y, z) bool ndarray
        Only pairs with both voxels inside are edges.
    magnitude : (x, y, z) ndarray, optional
        Magnitude of that echo.
    later_phase : (x, y, z) ndarray, optional
        Wrapped phase of a later echo, rad, to compare gradients with.
    time_ratio : float
        Echo time of the template over that of the later echo.

    Returns
    -------
    (3, x, y, z) uint16 ndarray

    Notes
    -----
    The product of ``0.1 + 0.9 w`` over these w, after ROMEO (Dymerska 2021,
    doi 10.1002/mrm.28563): spatial coherence ``1 - |d|/pi``; linearity, here the mean of
    ``1 - |second difference|/pi`` over the differences the pair is part of; gradient coherence over
    time ``max(0, 1 - |d1 - d2 TE1/TE2|)``; magnitude coherence ``(min/max)²``.
    """
    has_magnitude, has_later = magnitude is not None, later_phase is not None
    phase = np.ascontiguousarray(phase, dtype=np.float32)
    mask = np.ascontiguousarray(mask)
    nothing = np.zeros((1, 1, 1), np.float32)
    magnitude = np.ascontiguousarray(magnitude, np.float32) if magnitude is not None else nothing
    later = np.ascontiguousarray(later_phase, np.float32) if later_phase is not None else nothing
    ratio = np.float32(time_ratio)
    fast = compiled()
    out = np.zeros((3, *phase.shape), np.uint16)
    if fast is None:
        for axis in range(3):
            _weights_along(
                axis,
                out[axis],
                phase,
                mask,
                magnitude if has_magnitude else None,
                later if has_later else None,
                ratio,
            )
        return out
    edges = np.linspace(0, phase.shape[0], 4 * WORKERS + 1).astype(int)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(
            pool.map(
                lambda i: fast.weights(
                    out,
                    phase,
                    mask,
                    magnitude,
                    later,
                    ratio,
                    has_magnitude,
                    has_later,
                    edges[i],
                    edges[i + 1],
                ),
                range(len(edges) - 1),
            )
        )
    return out


def _weights_along(
    axis: int,
    out: Array,
    phase: Array,
    mask: Array,
    magnitude: Array | None,
    later: Array | None,
    ratio: np.float32,
) -> None:
    def pairs(a: Array) -> tuple[Array, Array]:
        n = a.shape[axis]
        return a.take(range(n - 1), axis), a.take(range(1, n), axis)

    if phase.shape[axis] < 2:
        return
    f = np.float32
    step = _wrapped(np.diff(phase, axis=axis))
    weight = f(0.1) + f(0.9) * (f(1) - np.abs(step) * f(1 / np.pi))
    inside = np.logical_and(*pairs(mask))
    # Second differences centred on the tail and on the head; pairs at the rim have one or none.
    bend = np.abs(_wrapped(np.diff(step, axis=axis))) * f(1 / np.pi)
    bend_inside = np.logical_and(*pairs(inside))
    total, count = np.zeros_like(step), np.zeros(step.shape, np.int64)
    bend = np.where(bend_inside, f(1) - bend, f(0))
    for part in (slice(1, None), slice(None, -1)):
        where = (slice(None),) * axis + (part,)
        total[where] += bend
        count[where] += bend_inside
    linear = np.where(count > 0, total / np.maximum(count, 1).astype(f), f(0.5))
    weight *= f(0.1) + f(0.9) * linear
    if later is not None:
        later_step = _wrapped(np.diff(later, axis=axis))
        weight *= f(0.1) + f(0.9) * np.maximum(f(0), f(1) - np.abs(step - later_step * ratio))
    if magnitude is not None:
        a, b = pairs(magnitude)
        low, high = np.minimum(a, b), np.maximum(a, b)
        alike = np.where(high > 0, low / np.where(high > 0, high, f(1)), f(0))
        weight *= f(0.1) + f(0.9) * (alike * alike)
    quantised = (f(1) + weight * f(WEIGHT_MAX - 1)).astype(np.uint16)
    where = (slice(None),) * axis + (slice(None, -1),)
    out[where] = np.where(inside, quantised, 0)


def _wrapped(step: Array) -> Array:
    """Differences within (-2 pi, 2 pi) wrapped to [-pi, pi)."""
    pi, turn = step.dtype.type(np.pi), step.dtype.type(2 * np.pi)
    return step + np.where(step >= pi, -turn, np.where(step < -pi, turn, step.dtype.type(0)))


def sorted_edges(weights: Array, phases: Array, mask: Array) -> Edges:
    """The edges of a mask in descending order of weight; ties keep array order.

    Parameters
    ----------
    weights : (3, x, y, z) uint16 ndarray
        As :func:`edge_weights` gives them.
    phases : (P, x, y, z) ndarray
        Wrapped phases, rad, that will be unwrapped over the same tree.
    mask : (x, y, z) bool ndarray
    """
    phases = np.ascontiguousarray(phases, dtype=np.float32)
    number = np.cumsum(mask.ravel(), dtype=np.int32)
    number -= 1
    fast = compiled()
    if fast is not None:
        return Edges(*fast.sorted_edges(weights, phases, number))
    flat = [np.flatnonzero(w) for w in weights]
    order = np.argsort(
        -np.concatenate(
            [w.ravel()[i].astype(np.int32) for w, i in zip(weights, flat, strict=True)]
        ),
        kind="stable",
    )
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    voxel = np.concatenate(flat)[order]
    other = np.concatenate([i + s for i, s in zip(flat, strides, strict=True)])[order]
    turn = np.float32(2 * np.pi)
    turns = [-np.rint((p.ravel()[other] - p.ravel()[voxel]) / turn).astype(np.int8) for p in phases]
    return Edges(number[voxel], number[other], np.array(turns))


def grow(edges: Edges, voxels: int, progress: Progress = no_progress) -> tuple[Array, Array]:
    """Merge voxels over the edges, best first.

    Parameters
    ----------
    edges : Edges
    voxels : int
        Number of voxels in the mask.
    progress : callable
        Told the fraction done.

    Returns
    -------
    turns : (P, voxels) int32 ndarray
        Turns to add to each phase, up to one number per part of the mask.
    part : (voxels,) int32 ndarray
        Which connected part each voxel belongs to, from 0.
    """
    fast = compiled()
    if fast is None:
        return _grow_by_tree(edges, voxels, progress)
    parent = np.full(voxels, -1, np.int32)
    turns = np.zeros((len(edges.turns), voxels), np.int32)
    for start, stop in _chunks(len(edges.tail)):
        fast.merge(edges.tail, edges.head, edges.turns, start, stop, parent, turns)
        progress(stop / len(edges.tail))
    roots = np.flatnonzero(parent < 0)
    fast.flatten(parent, turns)
    label = np.zeros(voxels, np.int32)
    label[roots] = np.arange(len(roots), dtype=np.int32)
    return turns, label[parent]


def _chunks(total: int) -> Iterator[tuple[int, int]]:
    for start in range(0, total, _CHUNK):
        yield start, min(start + _CHUNK, total)


def _grow_by_tree(edges: Edges, voxels: int, progress: Progress) -> tuple[Array, Array]:
    """The same by scipy's spanning tree, with ranks as costs so that the tree is unique."""
    tail, head, steps = edges
    rank = np.arange(1, len(tail) + 1, dtype=np.float64)
    graph = sparse.coo_matrix((rank, (tail, head)), shape=(voxels, voxels)).tocsr()
    tree = csgraph.minimum_spanning_tree(graph)
    progress(0.6)
    count, part = csgraph.connected_components(tree, directed=False)
    kept = np.rint(tree.data).astype(np.int64) - 1
    # One more node, joined to the first voxel of each part, roots the whole forest.
    first = np.full(count, voxels, np.int64)
    np.minimum.at(first, part, np.arange(voxels))
    rows = np.concatenate([tail[kept], np.full(count, voxels)])
    columns = np.concatenate([head[kept], first])
    forest = sparse.coo_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(voxels + 1, voxels + 1)
    ).tocsr()
    parent = csgraph.breadth_first_order(forest, voxels, directed=False)[1]
    progress(0.8)
    parent[voxels] = voxels
    turns = np.zeros((len(steps), voxels + 1), np.int32)
    down = parent[head[kept]] == tail[kept]
    child = np.where(down, head[kept], tail[kept])
    turns[:, child] = np.where(down, steps[:, kept], -steps[:, kept])
    # Each pass adds the turns of the parent and skips to the grandparent: log2(depth) passes.
    while (parent != voxels).any():
        turns += turns[:, parent]
        parent = parent[parent]
    progress(1.0)
    return turns[:, :voxels], part.astype(np.int32)


def centre(unwrapped: Array, part: Array, turns: Array) -> Array:
    """Whole turns per voxel that bring each part of the mask near zero, or near the largest part.

    Parameters
    ----------
    unwrapped : (voxels,) ndarray
        Phase with its turns added, rad.
    part : (voxels,) int32 ndarray
        Part of each voxel.
    turns : (voxels,) int32 ndarray
        The turns so far.

    Returns
    -------
    (voxels,) int32 ndarray
        The turns with one whole number added for each part.
    """
    sizes = np.bincount(part)
    means = np.bincount(part, weights=unwrapped) / sizes / (2 * np.pi)
    largest = int(np.argmax(sizes))
    main = -np.rint(means[largest])
    shift = np.rint(means[largest] + main - means)
    shift[largest] = main
    return turns + shift.astype(np.int32)[part]


def remove_isolated_jumps(
    unwrapped: Array, mask: Array, weights: Array, *, max_passes: int = 20
) -> Array:
    """Turn single voxels by 2 pi where that lowers the weighted number of jumps.

    Parameters
    ----------
    unwrapped : (x, y, z) ndarray
        Unwrapped phase, rad.
    mask : (x, y, z) bool ndarray
    weights : (3, x, y, z) uint16 ndarray
        Weights of the edges.

    Returns
    -------
    (x, y, z) ndarray
        A copy in which no single voxel can be turned to lower
        ``sum(weight * |rint(difference / 2 pi)|)``, or the state after ``max_passes``.

    Notes
    -----
    Voxels of one colour of a three-dimensional chess board have no common edge, so that all of
    one colour may turn at once and the sum never grows.
    """
    out = unwrapped.copy()
    flat, w = out.reshape(-1), weights.reshape(3, -1)
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    candidates = _voxels_at_jumps(out, weights)
    parity = np.arange(2)
    for _ in range(max_passes):
        moved_any = []
        for colour in parity:
            own = candidates[_colour(candidates, mask.shape) == colour]
            moves = _best_turn(own, flat, w, strides)
            moved = own[moves != 0]
            flat[moved] += (2 * np.pi * moves[moves != 0]).astype(out.dtype)
            moved_any.append(moved)
        moved = np.concatenate(moved_any)
        if moved.size == 0:
            break
        around = [moved, *(moved + s for s in strides), *(moved - s for s in strides)]
        near = np.unique(np.concatenate(around))
        near = near[(near >= 0) & (near < flat.size)]
        candidates = near[mask.reshape(-1)[near]]
    return out


def _voxels_at_jumps(unwrapped: Array, weights: Array) -> Array:
    at_jump = np.zeros(unwrapped.shape, bool)
    for axis in range(3):
        lower = (slice(None),) * axis + (slice(None, -1),)
        upper = (slice(None),) * axis + (slice(1, None),)
        jump = np.abs(np.diff(unwrapped, axis=axis)) > np.pi
        jump &= weights[axis][lower] > 0
        at_jump[lower] |= jump
        at_jump[upper] |= jump
    return np.flatnonzero(at_jump)


def _colour(index: Array, shape: Sequence[int]) -> Array:
    i, rest = np.divmod(index, shape[1] * shape[2])
    j, k = np.divmod(rest, shape[2])
    return (i + j + k) % 2


def _best_turn(own: Array, flat: Array, w: Array, strides: Sequence[int]) -> Array:
    """For each voxel -1, 0 or 1: the turn that lowers the weighted jumps to its neighbours."""
    cost = np.zeros((3, own.size))
    for axis, stride in enumerate(strides):
        for other, at in ((own + stride, own), (own - stride, own - stride)):
            inside = (at >= 0) & (other >= 0) & (other < flat.size)
            safe_other, safe_at = np.where(inside, other, 0), np.where(inside, at, 0)
            weight = np.where(inside, w[axis][safe_at], 0).astype(np.float64)
            jump = np.rint((flat[safe_other] - flat[own]) / (2 * np.pi))
            for row, turn in enumerate((-1, 0, 1)):
                cost[row] += weight * np.abs(jump - turn)
    best = np.argmin(cost, axis=0) - 1
    return np.where(cost.min(axis=0) < cost[1], best, 0)
