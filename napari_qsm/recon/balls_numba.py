"""Ball means at single voxels and depth below a mask's surface, compiled."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def means(field, voxels, offsets, weights, out, start, stop):  # type: ignore[no-untyped-def]
    """Weighted sums of a flat field at ``voxels[start:stop] + offsets``, summed in float64."""
    for i in range(start, stop):
        centre = voxels[i]
        total = 0.0
        for k in range(offsets.size):
            total += weights[k] * field[centre + offsets[k]]
        out[i] = total


@numba.njit(cache=True, nogil=True)
def depth_along_z(mask, side, out, start, stop):  # type: ignore[no-untyped-def]
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
def depth_along_x(given, side, limit, out, start, stop):  # type: ignore[no-untyped-def]
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
