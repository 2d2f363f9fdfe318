"""The weights and the merging of :mod:`napari_qsm.recon.region_growing`, compiled."""

from __future__ import annotations

import numba
import numpy as np

_BINS = 65536
#: Bits of an edge's place within its key: room for grids of 10^13 voxels.
_PLACE_BITS = 45


@numba.njit(cache=True, inline="always")
def _wrap(step):  # type: ignore[no-untyped-def]
    if step >= np.float32(np.pi):
        return step - np.float32(2 * np.pi)
    if step < -np.float32(np.pi):
        return step + np.float32(2 * np.pi)
    return step


@numba.njit(cache=True, nogil=True)
def reliability(out, phase, mask, start, stop):  # type: ignore[no-untyped-def]
    """Fill planes start..stop: mean smoothness of the phase along the three axes."""
    shape = phase.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    p = phase.ravel()
    inside = mask.ravel()
    target = out.ravel()
    per_pi = np.float32(1 / np.pi)
    for i in range(start, stop):
        for j in range(shape[1]):
            for k in range(shape[2]):
                v = (i * shape[1] + j) * shape[2] + k
                if not inside[v]:
                    continue
                total = np.float32(0)
                count = 0
                for axis in range(3):
                    at = i if axis == 0 else (j if axis == 1 else k)
                    stride = strides[axis]
                    if at == 0 or at + 1 >= shape[axis]:
                        continue
                    if not inside[v - stride] or not inside[v + stride]:
                        continue
                    bend = _wrap(_wrap(p[v + stride] - p[v]) - _wrap(p[v] - p[v - stride]))
                    total += np.float32(1) - abs(bend) * per_pi
                    count += 1
                target[v] = total / np.float32(count) if count > 0 else np.float32(0.5)


@numba.njit(cache=True, nogil=True)
def weights(  # type: ignore[no-untyped-def]
    out, phase, mask, reliable, later, ratio, has_later, start, stop
):
    """Fill planes start..stop of the weights of all three axes."""
    shape = phase.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    p = phase.ravel()
    inside = mask.ravel()
    q = later.ravel()
    r = reliable.ravel()
    one = np.float32(1)
    low = np.float32(0.1)
    gain = np.float32(0.9)
    per_pi = np.float32(1 / np.pi)
    for axis in range(3):
        stride = strides[axis]
        length = shape[axis]
        target = out[axis].ravel()
        for i in range(start, stop):
            for j in range(shape[1]):
                a = (i * shape[1] + j) * shape[2]
                for k in range(shape[2]):
                    t = a + k
                    h = t + stride
                    at = i if axis == 0 else (j if axis == 1 else k)
                    if at + 1 >= length or not inside[t] or not inside[h]:
                        continue
                    step = _wrap(p[h] - p[t])
                    coherent = low + gain * (one - abs(step) * per_pi)
                    total = np.float32(0)
                    count = 0
                    if at > 0 and inside[t - stride]:
                        bend = _wrap(step - _wrap(p[t] - p[t - stride]))
                        total += one - abs(bend) * per_pi
                        count += 1
                    if at + 2 < length and inside[h + stride]:
                        bend = _wrap(_wrap(p[h + stride] - p[h]) - step)
                        total += one - abs(bend) * per_pi
                        count += 1
                    linear = total / np.float32(count) if count > 0 else np.float32(0.5)
                    weight = coherent * coherent * (low + gain * linear)
                    weight *= (low + gain * r[t]) * (low + gain * r[h])
                    if has_later:
                        later_step = _wrap(q[h] - q[t])
                        alike = one - abs(step - later_step * ratio)
                        weight *= low + gain * max(np.float32(0), alike)
                    target[t] = np.uint16(one + weight * np.float32(_BINS - 2))


@numba.njit(cache=True, nogil=True)
def propose(weights, region, best, start, stop):  # type: ignore[no-untyped-def]
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
def join(shape, phases, region, turns, best, parent, region_turns):  # type: ignore[no-untyped-def]
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
def relabel(region, turns, fresh, region_turns):  # type: ignore[no-untyped-def]
    """Carry the joint regions over to the voxels."""
    for v in range(region.size):
        r = region[v]
        if r >= 0:
            for c in range(turns.shape[0]):
                turns[c, v] += region_turns[c, r]
            region[v] = fresh[r]


@numba.njit(cache=True, nogil=True)
def turn_outliers(u, mask, weights, colour, start, stop):  # type: ignore[no-untyped-def]
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
