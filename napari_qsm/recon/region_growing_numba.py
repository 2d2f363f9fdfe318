"""The weights and the merging of :mod:`napari_qsm.recon.region_growing`, compiled."""

from __future__ import annotations

import numba
import numpy as np

_BINS = 65536


@numba.njit(cache=True, inline="always")
def _wrap(step):  # type: ignore[no-untyped-def]
    if step >= np.float32(np.pi):
        return step - np.float32(2 * np.pi)
    if step < -np.float32(np.pi):
        return step + np.float32(2 * np.pi)
    return step


@numba.njit(cache=True, nogil=True)
def weights(  # type: ignore[no-untyped-def]
    out, phase, mask, magnitude, later, ratio, has_magnitude, has_later, start, stop
):
    """Fill planes start..stop of the weights of all three axes."""
    shape = phase.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    p = phase.ravel()
    inside = mask.ravel()
    m = magnitude.ravel()
    q = later.ravel()
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
                    weight = low + gain * (one - abs(step) * per_pi)
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
                    weight *= low + gain * linear
                    if has_later:
                        later_step = _wrap(q[h] - q[t])
                        alike = one - abs(step - later_step * ratio)
                        weight *= low + gain * max(np.float32(0), alike)
                    if has_magnitude:
                        most = max(m[t], m[h])
                        alike = min(m[t], m[h]) / most if most > 0 else np.float32(0)
                        weight *= low + gain * (alike * alike)
                    target[t] = np.uint16(one + weight * np.float32(_BINS - 2))


@numba.njit(cache=True, nogil=True)
def sorted_edges(weights, phases, number):  # type: ignore[no-untyped-def]
    """Edges by counting sort: heaviest first, ties in array order."""
    shape = weights.shape
    strides = (shape[2] * shape[3], shape[3], 1)
    place = np.zeros(_BINS, np.int64)
    for axis in range(3):
        for weight in weights[axis].ravel():
            place[weight] += 1
    edges = place[1:].sum()
    before = 0
    for bin_ in range(_BINS - 1, 0, -1):
        here = place[bin_]
        place[bin_] = before
        before += here
    tail = np.empty(edges, np.int32)
    head = np.empty(edges, np.int32)
    turns = np.empty((phases.shape[0], edges), np.int8)
    p = phases.reshape(phases.shape[0], -1)
    pi = np.float32(np.pi)
    for axis in range(3):
        stride = strides[axis]
        flat = weights[axis].ravel()
        for t in range(flat.size):
            if flat[t] == 0:
                continue
            e = place[flat[t]]
            place[flat[t]] += 1
            tail[e] = number[t]
            head[e] = number[t + stride]
            for c in range(p.shape[0]):
                step = p[c, t + stride] - p[c, t]
                turns[c, e] = -1 if step > pi else (1 if step < -pi else 0)
    return tail, head, turns


@numba.njit(cache=True, nogil=True)
def _find(v, parent, turns):  # type: ignore[no-untyped-def]
    """Root of a voxel, which is hung directly below it, its turns added up on the way."""
    if parent[v] < 0:
        return v
    while parent[parent[v]] >= 0:
        above = parent[v]
        for c in range(turns.shape[0]):
            turns[c, v] += turns[c, above]
        parent[v] = parent[above]
    return parent[v]


@numba.njit(cache=True, nogil=True)
def merge(tail, head, steps, start, stop, parent, turns):  # type: ignore[no-untyped-def]
    """Join the regions at both ends of edges start..stop where they are not one yet.

    ``parent`` holds the voxel above, or minus the size at a root; ``turns`` those relative
    to the parent.
    """
    phases = turns.shape[0]
    for e in range(start, stop):
        t = tail[e]
        h = head[e]
        a = _find(t, parent, turns)
        b = _find(h, parent, turns)
        if a == b:
            continue
        # After the search both voxels are roots or hang directly below one.
        small, large, sign = (b, a, 1) if parent[a] <= parent[b] else (a, b, -1)
        for c in range(phases):
            above_t = turns[c, t] if t != a else 0
            above_h = turns[c, h] if h != b else 0
            turns[c, small] = sign * (above_t + steps[c, e] - above_h)
        parent[large] += parent[small]
        parent[small] = large


@numba.njit(cache=True, nogil=True)
def flatten(parent, turns):  # type: ignore[no-untyped-def]
    """Hang every voxel directly below its root; roots become their own parents."""
    for v in range(parent.size):
        _find(v, parent, turns)
    for v in range(parent.size):
        if parent[v] < 0:
            parent[v] = v
