"""How deep a voxel lies inside a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.parallel import by_slab

#: Depths must exceed a radius by this factor, so that rounding cannot let a ball poke out.
TOLERANCE = 1 + 1e-6


def depth_mm(mask: Array, voxel_size_mm: Sequence[float], limit_mm: float) -> Array:
    """Distance in mm from each voxel's centre to the nearest centre outside the mask.

    A ball of voxel centres with radius r lies inside the mask exactly where the depth is
    larger than r. Beyond the array's edge counts as outside. Exact up to ``limit_mm``;
    whatever is deeper has that depth.

    Returns
    -------
    ndarray of float32
        Zero outside the mask.
    """
    hx, hy, hz = (np.float32(size) for size in voxel_size_mm)
    limit = np.float32(limit_mm)
    inside = np.ascontiguousarray(mask)
    a, b = (np.empty(mask.shape, dtype=np.float32) for _ in range(2))
    nx, ny, _ = mask.shape
    by_slab(nx, lambda *ends: _along_z(inside, hz, a, *ends))
    # The same pass on the first two axes, once swapped: memory order stays along z.
    swapped = (a.transpose(1, 0, 2), b.transpose(1, 0, 2))
    by_slab(nx, lambda *ends: _along_x(swapped[0], hy, limit, swapped[1], *ends))
    by_slab(ny, lambda *ends: _along_x(b, hx, limit, a, *ends))
    np.sqrt(a, out=a)
    return np.minimum(a, limit, out=a)


@numba.njit(cache=True, nogil=True)
def _along_z(mask, side, out, start, stop):  # type: ignore[no-untyped-def]
    """Squared distance along the last axis to the nearest voxel outside, planes start..stop."""
    _, ny, nz = mask.shape
    for i in range(start, stop):
        for j in range(ny):
            row = mask[i, j]
            target = out[i, j]
            steps = 0
            for k in range(nz):
                steps = steps + 1 if row[k] else 0
                target[k] = steps
            steps = 0
            for k in range(nz - 1, -1, -1):
                steps = steps + 1 if row[k] else 0
                distance = min(target[k], np.float32(steps)) * side
                target[k] = distance * distance


@numba.njit(cache=True, nogil=True)
def _along_x(given, side, limit, out, start, stop):  # type: ignore[no-untyped-def]
    """Least of ``given`` plus the squared way along the first axis; beyond the ends is outside.

    Nothing farther than ``limit`` is looked at; the lines ``start..stop`` of the second axis
    are done.
    """
    nx, _, nz = given.shape
    reach = min(int(limit / side) + 1, nx)
    for i in range(nx):
        ends = np.float32(min(i + 1, nx - i)) * side
        ends = ends * ends
        for j in range(start, stop):
            target = out[i, j]
            highest = np.float32(0)
            for k in range(nz):
                target[k] = min(given[i, j, k], ends)
                highest = max(highest, target[k])
            for step in range(1, reach + 1):
                way = np.float32(step) * side
                way = way * way
                if way >= highest:
                    break
                if i >= step:
                    row = given[i - step, j]
                    for k in range(nz):
                        target[k] = min(target[k], row[k] + way)
                if i + step < nx:
                    row = given[i + step, j]
                    for k in range(nz):
                        target[k] = min(target[k], row[k] + way)
