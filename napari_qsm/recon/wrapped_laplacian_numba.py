"""The stencil of :mod:`napari_qsm.recon.wrapped_laplacian`, compiled."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, inline="always")
def _wrap(step, pi, turn):  # type: ignore[no-untyped-def]
    if step >= pi:
        return step - turn
    if step < -pi:
        return step + turn
    return step


@numba.njit(cache=True, nogil=True)
def stencil(phase, mask, out, weights, start, stop):  # type: ignore[no-untyped-def]
    """Fill planes start..stop of ``out`` inside the mask; differences across faces are zero."""
    nx, ny, nz = phase.shape
    wx, wy, wz = weights
    pi = phase.dtype.type(np.pi)
    turn = phase.dtype.type(2 * np.pi)
    for i in range(start, stop):
        here = phase[i]
        before = phase[max(i - 1, 0)]
        after = phase[min(i + 1, nx - 1)]
        for j in range(ny):
            row = here[j]
            left = here[max(j - 1, 0)]
            right = here[min(j + 1, ny - 1)]
            up = after[j]
            down = before[j]
            inside = mask[i, j]
            target = out[i, j]
            for k in range(nz):
                v = row[k]
                target[k] = wx * (
                    _wrap(up[k] - v, pi, turn) - _wrap(v - down[k], pi, turn)
                ) + wy * (_wrap(right[k] - v, pi, turn) - _wrap(v - left[k], pi, turn))
            for k in range(nz - 1):
                step = wz * _wrap(row[k + 1] - row[k], pi, turn)
                target[k] += step
                target[k + 1] -= step
            for k in range(nz):
                if not inside[k]:
                    target[k] = 0
