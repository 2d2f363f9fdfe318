"""Fits over echo time, voxel by voxel: a weighted line, and the complex signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon.echo_inputs import EchoData
from napari_qsm.recon.stages import Progress, no_progress

Array = npt.NDArray[Any]

_GAUSS_NEWTON_STEPS = 8
_CHUNK_VOXELS = 200_000


def fit_line(data: EchoData) -> tuple[Array, Array, Array]:
    """Weighted least-squares line ``intercept + slope t`` with t in units of the first echo time.

    Returns
    -------
    intercept, slope : (x, y, z) ndarray
        rad, and rad per first echo time.
    noise : (x, y, z) ndarray
        Standard deviation of the slope relative to that of a phase of weight 1.
    """
    phases, dtype = data.unwrapped, data.unwrapped.dtype
    times = [dtype.type(t / data.times_s[0]) for t in data.times_s]
    weights: Any = [dtype.type(1)] * len(times) if data.weights is None else data.weights
    total = sum(weights)
    mean_time = sum(w * t for w, t in zip(weights, times, strict=True)) / total
    mean_phase = sum(w * p for w, p in zip(weights, phases, strict=True)) / total
    top = np.zeros_like(phases[0])
    spread = np.zeros_like(top)
    for w, t, p in zip(weights, times, phases, strict=True):
        # Centred times: no small difference of large sums in single precision.
        top += w * (t - mean_time) * (p - mean_phase)
        spread += w * (t - mean_time) ** 2
    slope = top / spread
    return mean_phase - slope * mean_time, slope, 1 / np.sqrt(spread)


def refine_complex(
    data: EchoData, intercept: Array, slope: Array, progress: Progress = no_progress
) -> Array:
    """Slope that minimises ``sum_e w_e |exp(i phase_e) - exp(i (intercept + slope t_e))|²``.

    Parameters
    ----------
    data : EchoData
    intercept, slope : (x, y, z) ndarray
        Where to start, as :func:`fit_line` gives them; the line through the first two echoes
        is tried too and the better end kept.

    Returns
    -------
    (x, y, z) ndarray
        rad per first echo time.

    Notes
    -----
    Gauss-Newton: the normal matrix does not change, and the right-hand side holds the sines of
    the residuals, so that residuals near a whole turn pull no more than small ones.
    """
    where = np.flatnonzero(data.mask)
    out = slope.copy()
    times = np.array(data.times_s) / data.times_s[0]
    for start in range(0, where.size, _CHUNK_VOXELS):
        at = where[start : start + _CHUNK_VOXELS]
        phases = data.unwrapped.reshape(len(times), -1)[:, at].astype(np.float64)
        weights = np.ones_like(phases)
        if data.weights is not None:
            weights = data.weights.reshape(len(times), -1)[:, at].astype(np.float64)
        rate = (phases[1] - phases[0]) / (times[1] - times[0])
        line = intercept.reshape(-1)[at].astype(np.float64), slope.reshape(-1)[at].astype(float)
        ends = [
            _gauss_newton(phases, weights, times, *line),
            _gauss_newton(phases, weights, times, phases[0] - rate * times[0], rate),
        ]
        best = np.where(ends[0][1] <= ends[1][1], ends[0][0], ends[1][0])
        out.reshape(-1)[at] = best.astype(out.dtype)
        progress((start + at.size) / where.size)
    return out


def _gauss_newton(
    phases: Array, weights: Array, times: Array, intercept: Array, slope: Array
) -> tuple[Array, Array]:
    """Slope and remaining cost for voxels along the last axis."""
    t = times[:, None]
    w0, w1, w2 = weights.sum(0), (weights * t).sum(0), (weights * t * t).sum(0)
    determinant = w0 * w2 - w1 * w1
    for _ in range(_GAUSS_NEWTON_STEPS):
        pull = weights * np.sin(phases - intercept - slope * t)
        b0, b1 = pull.sum(0), (pull * t).sum(0)
        intercept = intercept + (w2 * b0 - w1 * b1) / determinant
        slope = slope + (w0 * b1 - w1 * b0) / determinant
    cost = (weights * (1 - np.cos(phases - intercept - slope * t))).sum(0)
    return slope, cost
