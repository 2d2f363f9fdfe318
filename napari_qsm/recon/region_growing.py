"""Quality-guided unwrapping as a maximum spanning tree.

Growing a region voxel by voxel over the best remaining edge, as quality-guided unwrapping
does, makes a maximum spanning tree of the edge weights. That tree is built here by letting all
regions, at first single voxels, join their best neighbours round by round (Boruvka). It needs no
seed, serves separate parts of a mask alike, gives the same tree as growing from any seed, and
passes through memory in order.

:mod:`napari_qsm.recon.region_growing_numba` holds the compiled twins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from napari_qsm.recon.edge_weights import by_slab, compiled
from napari_qsm.recon.stages import Progress, no_progress

Array = npt.NDArray[Any]

#: Voxels between two reports of progress.
_CHUNK = 1_000_000


def grow(
    weights: Array, phases: Array, mask: Array, progress: Progress = no_progress
) -> tuple[Array, Array]:
    """Whole turns that unwrap phases over the maximum spanning tree of the weights.

    Parameters
    ----------
    weights : (3, x, y, z) uint16 ndarray
        As :func:`napari_qsm.recon.edge_weights.edge_weights` gives them. Among equal weights the first axis, then the first
        voxel comes first.
    phases : (P, x, y, z) ndarray
        Wrapped phases, rad, all unwrapped over the same tree.
    mask : (x, y, z) bool ndarray
    progress : callable
        Told the fraction done.

    Returns
    -------
    turns : (P, voxels) int32 ndarray
        Turns to add to each phase inside the mask, up to one number per part of the mask.
    part : (voxels,) int32 ndarray
        Which connected part each voxel belongs to, from 0.
    """
    phases = np.ascontiguousarray(phases, dtype=np.float32)
    fast = compiled()
    if fast is None:
        return _grow_by_scipy(weights, phases, mask, progress)
    count = int(np.count_nonzero(mask))
    region = np.where(mask, np.cumsum(mask, dtype=np.int32).reshape(mask.shape) - 1, -1).ravel()
    region = region.astype(np.int32, copy=False)
    turns = np.zeros((len(phases), region.size), np.int32)
    rounds = 0
    while True:  # Boruvka: each region joins its best neighbour, so at least half of them go
        best = np.zeros(count, np.int64)
        for start in range(0, region.size, _CHUNK):
            fast.propose(weights, region, best, start, min(start + _CHUNK, region.size))
            progress(1 - 0.75 ** (rounds + start / region.size))
        parent = np.full(count, -1, np.int32)
        region_turns = np.zeros((len(phases), count), np.int32)
        left = fast.join(mask.shape, phases, region, turns, best, parent, region_turns)
        fast.relabel(region, turns, parent, region_turns)
        rounds += 1
        if left == count:
            break
        count = left
    inside = mask.ravel()
    progress(1.0)
    return turns[:, inside], region[inside]


def _grow_by_scipy(
    weights: Array, phases: Array, mask: Array, progress: Progress
) -> tuple[Array, Array]:
    """The same by scipy's spanning tree, with ranks as costs so that the tree is unique."""
    number = np.cumsum(mask.ravel()) - 1
    voxels = int(number[-1]) + 1
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    lower = [np.flatnonzero(w) for w in weights]
    at = np.concatenate(lower)
    beyond = np.concatenate([i + s for i, s in zip(lower, strides, strict=True)])
    heaviness = np.concatenate([w.ravel()[i] for w, i in zip(weights, lower, strict=True)])
    order = np.argsort(-heaviness.astype(np.int32), kind="stable")
    rank = np.empty(order.size)
    rank[order] = np.arange(1, order.size + 1)
    graph = sparse.coo_matrix((rank, (number[at], number[beyond])), shape=(voxels, voxels))
    progress(0.3)
    tree = csgraph.minimum_spanning_tree(graph.tocsr())
    progress(0.7)
    count, part = csgraph.connected_components(tree, directed=False)
    kept = order[np.rint(tree.data).astype(np.int64) - 1]
    at, beyond = at[kept], beyond[kept]
    # One more node, joined to the first voxel of each part, roots the whole forest.
    first = np.full(count, voxels, np.int64)
    np.minimum.at(first, part, np.arange(voxels))
    rows = np.concatenate([number[at], np.full(count, voxels)])
    columns = np.concatenate([number[beyond], first])
    forest = sparse.coo_matrix((np.ones(rows.size), (rows, columns)), shape=(voxels + 1,) * 2)
    parent = csgraph.breadth_first_order(forest.tocsr(), voxels, directed=False)[1]
    parent[voxels] = voxels
    progress(0.9)
    flat = phases.reshape(len(phases), -1)
    step = flat[:, beyond] - flat[:, at]
    across = (step < -np.float32(np.pi)).astype(np.int32) - (step > np.float32(np.pi))
    down = parent[number[beyond]] == number[at]
    turns = np.zeros((len(phases), voxels + 1), np.int32)
    turns[:, np.where(down, number[beyond], number[at])] = np.where(down, across, -across)
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
    unwrapped: Array,
    mask: Array,
    weights: Array,
    *,
    max_passes: int = 10,
    progress: Progress = no_progress,
) -> Array:
    """Turn single voxels by 2 pi where that lowers the weighted number of jumps.

    Parameters
    ----------
    unwrapped : (x, y, z) ndarray
        Unwrapped phase, rad.
    mask : (x, y, z) bool ndarray
    weights : (3, x, y, z) uint16 ndarray
        Weights of the edges.
    max_passes : int
        Passes over the volume at most; two or three are the rule.
    progress : callable
        Told the fraction done.

    Returns
    -------
    (x, y, z) ndarray
        A copy in which no single voxel can be turned to lower
        ``sum(weight * |rint(difference / 2 pi)|)``, or the state after the last pass.

    Notes
    -----
    Voxels of one colour of a three-dimensional chess board have no common edge, so that all of
    one colour may turn at once and the sum never grows.
    """
    out = np.ascontiguousarray(unwrapped).copy()
    fast = compiled()
    if fast is None:
        _turn_outliers(out, mask, weights, max_passes)
        return out
    mask = np.ascontiguousarray(mask)
    for number in range(max_passes):
        moved = 0
        for colour in (0, 1):
            work = partial(fast.turn_outliers, out, mask, weights, colour)
            moved += sum(by_slab(len(out), work))
        progress((number + 1) / max_passes)
        if not moved:
            break
    return out


def _turn_outliers(out: Array, mask: Array, weights: Array, max_passes: int) -> None:
    """The same on a list of the voxels that may turn, in place."""
    flat, w, inside = out.reshape(-1), weights.reshape(3, -1), mask.reshape(-1)
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    candidates = _voxels_at_jumps(out, weights)
    for _ in range(max_passes):
        moved_any = False
        fresh = []
        for colour in (0, 1):
            own = candidates[_colour(candidates, mask.shape) == colour]
            moves = _best_turn(own, flat, w, strides)
            moved = own[moves != 0]
            flat[moved] += (2 * np.pi * moves[moves != 0]).astype(out.dtype)
            moved_any |= moved.size > 0
            near = np.concatenate([moved + s for s in (0, *strides, *(-s for s in strides))])
            near = near[(near >= 0) & (near < flat.size)]
            fresh.append(near[inside[near]])
            candidates = np.union1d(candidates, fresh[-1])
        if not moved_any:
            return
        candidates = np.unique(np.concatenate(fresh))


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
