"""Quality-guided unwrapping as a maximum spanning tree.

Growing a region voxel by voxel over the best remaining edge, as quality-guided unwrapping
does, makes a maximum spanning tree of the edge weights. That tree is built here by letting all
regions, at first single voxels, join their best neighbours round by round (Boruvka). It needs no
seed, serves separate parts of a mask alike, gives the same tree as growing from any seed, and
passes through memory in order.
"""

from __future__ import annotations

from functools import partial

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.parallel import by_slab
from napari_qsm.recon.stages import Progress, no_progress

#: Voxels between two reports of progress.
_CHUNK = 1_000_000
_BINS = 65536
#: Bits of an edge's place within its key: room for grids of 10^13 voxels.
_PLACE_BITS = 45


def grow(
    weights: Array, phases: Array, mask: Array, progress: Progress = no_progress
) -> tuple[Array, Array]:
    """Whole turns that unwrap phases over the maximum spanning tree of the weights.

    Parameters
    ----------
    weights : (3, x, y, z) uint16 ndarray
        As :func:`napari_qsm.recon.unwrap.edge_weights.edge_weights` gives them. Among equal weights the first axis, then the first
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
    count = int(np.count_nonzero(mask))
    region = np.where(mask, np.cumsum(mask, dtype=np.int32).reshape(mask.shape) - 1, -1).ravel()
    region = region.astype(np.int32, copy=False)
    turns = np.zeros((len(phases), region.size), np.int32)
    rounds = 0
    while True:  # Boruvka: each region joins its best neighbour, so at least half of them go
        best = np.zeros(count, np.int64)
        for start in range(0, region.size, _CHUNK):
            _propose(weights, region, best, start, min(start + _CHUNK, region.size))
            progress(1 - 0.75 ** (rounds + start / region.size))
        parent = np.full(count, -1, np.int32)
        region_turns = np.zeros((len(phases), count), np.int32)
        left = _join(mask.shape, phases, region, turns, best, parent, region_turns)
        _relabel(region, turns, parent, region_turns)
        rounds += 1
        if left == count:
            break
        count = left
    inside = mask.ravel()
    progress(1.0)
    return turns[:, inside], region[inside]


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
    mask = np.ascontiguousarray(mask)
    for number in range(max_passes):
        moved = 0
        for colour in (0, 1):
            work = partial(_turn_outliers, out, mask, weights, colour)
            moved += sum(by_slab(len(out), work))
        progress((number + 1) / max_passes)
        if not moved:
            break
    return out


@numba.njit(cache=True, nogil=True)
def _propose(weights, region, best, start, stop):  # type: ignore[no-untyped-def]
    """Let the edges of voxels start..stop stand as the best edge of the regions they join.

    ``best`` holds, for each region, one number that grows with the weight of the edge and, among
    equal weights, falls with its place (axis first, then voxel).
    """
    shape = weights.shape
    strides = (shape[2] * shape[3], shape[3], 1)
    voxels = region.size
    flat = weights.reshape(3, voxels)
    for t in range(start, stop):
        a = region[t]
        if a < 0:
            continue
        for axis in range(3):
            weight = flat[axis, t]
            if weight == 0:
                continue
            b = region[t + strides[axis]]
            if a == b:
                continue
            key = ((np.int64(weight) + 1) << _PLACE_BITS) - 1 - (axis * voxels + t)
            best[a] = max(best[a], key)
            best[b] = max(best[b], key)


@numba.njit(cache=True, nogil=True)
def _find(v, parent, turns):  # type: ignore[no-untyped-def]
    """Root of a region, which is hung directly below it, its turns added up on the way."""
    if parent[v] < 0:
        return v
    while parent[parent[v]] >= 0:
        above = parent[v]
        for c in range(turns.shape[0]):
            turns[c, v] += turns[c, above]
        parent[v] = parent[above]
    return parent[v]


@numba.njit(cache=True, nogil=True)
def _join(shape, phases, region, turns, best, parent, region_turns):  # type: ignore[no-untyped-def]
    """Join regions over their best edges; gives the number of the joint region for each.

    ``parent`` holds the region above, or minus the size at a root, and ``region_turns`` the
    turns relative to it; on return ``parent`` holds the new numbers.
    """
    strides = (shape[1] * shape[2], shape[2], 1)
    voxels = region.size
    p = phases.reshape(phases.shape[0], voxels)
    pi = np.float32(np.pi)
    for r in range(best.size):
        if best[r] == 0:
            continue
        place = (np.int64(1) << _PLACE_BITS) - 1 - (best[r] & ((np.int64(1) << _PLACE_BITS) - 1))
        t = place % voxels
        h = t + strides[place // voxels]
        a = region[t]
        b = region[h]
        root_a = _find(a, parent, region_turns)
        root_b = _find(b, parent, region_turns)
        if root_a == root_b:
            continue
        if parent[root_a] <= parent[root_b]:
            small, large, sign = root_b, root_a, 1
        else:
            small, large, sign = root_a, root_b, -1
        for c in range(p.shape[0]):
            step = p[c, h] - p[c, t]
            turn = -1 if step > pi else (1 if step < -pi else 0)
            # After the search both regions are roots or hang directly below one.
            above_a = region_turns[c, a] if a != root_a else 0
            above_b = region_turns[c, b] if b != root_b else 0
            across = above_a + turns[c, t] + turn - turns[c, h] - above_b
            region_turns[c, small] = sign * across
        parent[large] += parent[small]
        parent[small] = large
    number = 0
    fresh = np.empty(best.size, np.int32)
    for r in range(best.size):
        if _find(r, parent, region_turns) == r:
            fresh[r] = number
            number += 1
    for r in range(best.size):
        if parent[r] >= 0:
            fresh[r] = fresh[parent[r]]
    parent[:] = fresh
    return number


@numba.njit(cache=True, nogil=True)
def _relabel(region, turns, fresh, region_turns):  # type: ignore[no-untyped-def]
    """Carry the joint regions over to the voxels."""
    for v in range(region.size):
        r = region[v]
        if r >= 0:
            for c in range(turns.shape[0]):
                turns[c, v] += region_turns[c, r]
            region[v] = fresh[r]


@numba.njit(cache=True, nogil=True)
def _turn_outliers(u, mask, weights, colour, start, stop):  # type: ignore[no-untyped-def]
    """One colour of one pass over planes start..stop; gives the number of voxels turned."""
    shape = u.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    flat = u.ravel()
    inside = mask.ravel()
    w = weights.reshape(3, flat.size)
    turn = u.dtype.type(2 * np.pi)
    jumps = np.zeros(6, np.int64)
    heavy = np.zeros(6, np.int64)
    moved = 0
    for i in range(start, stop):
        for j in range(shape[1]):
            for k in range((i + j + colour) % 2, shape[2], 2):
                v = (i * shape[1] + j) * shape[2] + k
                if not inside[v]:
                    continue
                any_jump = False
                for side in range(6):
                    axis = side // 2
                    stride = strides[axis]
                    at = i if axis == 0 else (j if axis == 1 else k)
                    jumps[side] = 0
                    heavy[side] = 0
                    if side % 2 == 0:
                        if at + 1 < shape[axis]:
                            heavy[side] = w[axis, v]
                            jumps[side] = int(np.rint((flat[v + stride] - flat[v]) / turn))
                    elif at > 0:
                        heavy[side] = w[axis, v - stride]
                        jumps[side] = int(np.rint((flat[v - stride] - flat[v]) / turn))
                    any_jump |= heavy[side] > 0 and jumps[side] != 0
                if not any_jump:
                    continue
                down = 0
                stay = 0
                up = 0
                for side in range(6):
                    down += heavy[side] * abs(jumps[side] + 1)
                    stay += heavy[side] * abs(jumps[side])
                    up += heavy[side] * abs(jumps[side] - 1)
                if down < stay and down <= up:
                    flat[v] -= turn
                    moved += 1
                elif up < stay:
                    flat[v] += turn
                    moved += 1
    return moved
