"""Turns of steep places, by extrapolation of the phase around them.

Where the true phase changes by more than half a turn from voxel to voxel (beside air at the rim
of a brain cut into thick slices, round a bleed), the wrapped difference points the other way, and
an unwrapping that goes by single differences puts whole patches a turn off. The phase itself stays
smooth there: continued in a straight line from the voxels further in, it says which turn comes
next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array

#: A place is steep where the phase changes by more than this part of half a turn in one step ...
_STEEP = 0.75
#: ... and is unwrapped anew together with this many voxels around it.
_AROUND_VOXELS = 2
#: Beyond this part of the mask the phase is noise, not steep.
_MOST = 0.2
#: Turns that a straight line may miss: at first, how much more each time nothing is that close.
_MISS, _MORE = 0.15, 0.1


def extrapolated(unwrapped: Array, mask: Array, voxel_size_mm: Sequence[float]) -> Array:
    """Choose the turns of steep places anew, from their surroundings inwards.

    Parameters
    ----------
    unwrapped : (x, y, z) ndarray
        Unwrapped phase, rad, right but for whole turns in steep places.
    mask : (x, y, z) bool ndarray
    voxel_size_mm : three floats

    Returns
    -------
    (x, y, z) ndarray
        A copy that differs by whole turns; the same values where nothing is steep, or so much
        that the phase is noise.

    Notes
    -----
    The largest part of the mask that is not steep is taken as right; what is steep, or cut off by
    it, is settled from there voxel by voxel. Each is predicted from the two voxels before it along
    every axis and direction in which both are settled, with weights that fall with the fourth
    power of the step, as the error of a straight line grows with its square. Voxels that are
    predicted well come first.
    """
    out = np.ascontiguousarray(unwrapped).copy()
    mask = np.ascontiguousarray(mask)
    steep = np.zeros_like(mask)
    _mark_steep(out, mask, np.float32(_STEEP * np.pi), steep)
    if not steep.any():
        return out
    zone = ndimage.binary_dilation(steep, iterations=_AROUND_VOXELS) & mask
    parts, count = ndimage.label(mask & ~zone)
    if not count:
        return out
    settled = parts == np.bincount(parts[parts > 0]).argmax()
    open_ = np.argwhere(mask & ~settled)
    if len(open_) > _MOST * np.count_nonzero(mask):
        return out
    sides = np.asarray(voxel_size_mm, dtype=np.float64)
    _settle(out, settled, open_, (sides.min() / sides) ** 4, _MISS, _MORE)
    return out


@numba.njit(cache=True, nogil=True)
def _mark_steep(u, mask, limit, steep):  # type: ignore[no-untyped-def]
    """Mark both ends of every step inside the mask that exceeds the limit."""
    nx, ny, nz = u.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                for axis in range(3):
                    a, b, c = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if a >= nx or b >= ny or c >= nz or not mask[a, b, c]:
                        continue
                    if abs(u[a, b, c] - u[i, j, k]) > limit:
                        steep[i, j, k] = True
                        steep[a, b, c] = True


@numba.njit(cache=True, nogil=True)
def _settle(u, settled, voxels, weights, miss, more):  # type: ignore[no-untyped-def]
    """Give the voxels their turns in rounds, those predicted to within ``miss`` turns first.

    ``u`` and ``settled`` are changed; voxels that are never predicted keep their turn.
    """
    turn = 2 * np.pi
    count = len(voxels)
    turns = np.zeros(count)
    state = np.zeros(count, np.int8)  # 1: predicted in this round, 2: settled
    allowed = miss
    while True:
        found = 0
        predicted = 0
        for t in range(count):
            if state[t] == 2:
                continue
            i, j, k = voxels[t]
            top = 0.0
            bottom = 0.0
            for axis in range(3):
                for way in (-1, 1):
                    a = way if axis == 0 else 0
                    b = way if axis == 1 else 0
                    c = way if axis == 2 else 0
                    p, q, r = i + 2 * a, j + 2 * b, k + 2 * c
                    if p < 0 or q < 0 or r < 0:
                        continue
                    if p >= u.shape[0] or q >= u.shape[1] or r >= u.shape[2]:
                        continue
                    if settled[p, q, r] and settled[i + a, j + b, k + c]:
                        top += weights[axis] * (2 * u[i + a, j + b, k + c] - u[p, q, r])
                        bottom += weights[axis]
            if bottom == 0:
                continue
            predicted += 1
            apart = (top / bottom - u[i, j, k]) / turn
            whole = np.rint(apart)
            if abs(apart - whole) <= allowed:
                turns[t] = whole
                state[t] = 1
                found += 1
        if not predicted:
            return
        if not found:
            allowed += more
            continue
        for t in range(count):
            if state[t] == 1:
                i, j, k = voxels[t]
                u[i, j, k] += turn * turns[t]
                settled[i, j, k] = True
                state[t] = 2
        allowed = miss
