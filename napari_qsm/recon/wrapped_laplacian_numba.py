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


@numba.njit(cache=True, nogil=True, boundscheck=False)
def stencil(phase, out, weights, start, stop):  # type: ignore[no-untyped-def]
    """Fill planes start..stop of ``out``, which may be larger than the phase (edge values)."""
    nx, ny, nz = phase.shape
    wx, wy, wz = weights
    zero = phase.dtype.type(0)
    pi = phase.dtype.type(np.pi)
    turn = phase.dtype.type(2 * np.pi)
    for i in range(start, stop):
        here = phase[min(i, nx - 1)]
        before = phase[min(max(i - 1, 0), nx - 1)]
        after = phase[min(i + 1, nx - 1)]
        for j in range(out.shape[1]):
            j0 = min(j, ny - 1)
            left = here[min(max(j - 1, 0), ny - 1)]
            right = here[min(j + 1, ny - 1)]
            row = here[j0]
            up = after[j0]
            down = before[j0]
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
            # Beyond the data the rows go on with the last value: steps across them only.
            v = row[nz - 1]
            beyond = wx * (
                _wrap(up[nz - 1] - v, pi, turn) - _wrap(v - down[nz - 1], pi, turn)
            ) + wy * (_wrap(right[nz - 1] - v, pi, turn) - _wrap(v - left[nz - 1], pi, turn))
            for k in range(nz, out.shape[2]):
                target[k] = beyond + zero
