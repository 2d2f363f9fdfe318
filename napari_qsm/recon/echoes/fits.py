"""Fits over echo time, voxel by voxel: a weighted line, and the complex signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.echoes.prepare import EchoData, Field, finish, prepare
from napari_qsm.recon.stages import Progress, Warn, method, no_progress, no_warning

_MOST_STEPS = 40

#: Steps smaller than this, well below any noise, end the fit of a voxel.
_SETTLED_RAD = 1e-5

#: Weighted ``1 - cos(residual)`` that one echo about 1 rad off the fit leaves.
_POOR_FIT = 0.5

_CHUNK_VOXELS = 200_000


@method("echoes", "linear-fit", title="Weighted line through the echoes", references=())
def linear_fit(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Slope of a line through the phases over echo time, weighted by magnitude².

    Each voxel has its own offset, so nothing is assumed about it; noise is higher than with
    ``weighted``. Parameters, results and errors are those of :func:`weighted`; two echoes are
    needed.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    _need_two(data, "linear-fit")
    progress(0.3)
    _, slope, noise = fit_line(data)
    return finish(data, slope, noise, data.times_s[0], progress)


@method(
    "echoes",
    "nonlinear-fit",
    title="Nonlinear fit of the complex signal",
    references=("Liu 2013, Magn Reson Med 69:467, doi:10.1002/mrm.24272",),
)
def nonlinear_fit(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Field and offset that fit the complex signal of each voxel best, from unwrapped phase.

    It does not mind an echo that is a whole turn off in a voxel, and its noise is that of the
    complex signal. Parameters, results and errors are those of :func:`weighted`; two echoes
    are needed. Starts are the weighted line and the line through the first two echoes; the
    better result is kept, so the field comes out unwrapped.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    _need_two(data, "nonlinear-fit")
    if not data.exact:
        warn(
            "The nonlinear fit takes echoes that are whole turns apart for the same; it was given "
            "phase that is not unwrapped exactly (quality-guided unwrapping is)."
        )
    progress(0.1)
    intercept, slope, noise = fit_line(data)
    progress(0.2)
    slope = refine_complex(data, intercept, slope, lambda f: progress(0.2 + 0.6 * f))
    return finish(data, slope, noise, data.times_s[0], progress)


def _need_two(data: EchoData, name: str) -> None:
    if len(data.times_s) < 2:
        raise QsmError(
            f"echoes.{name} fits a line over echo time and needs two echoes, but there is one; "
            "use echoes.weighted."
        )


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
    times = (np.array(data.times_s) / data.times_s[0]).astype(out.dtype)
    flat = data.unwrapped.reshape(len(times), -1)
    weighing = None if data.weights is None else data.weights.reshape(len(times), -1)
    for begin in range(0, where.size, _CHUNK_VOXELS):
        at = where[begin : begin + _CHUNK_VOXELS]
        phases = flat[:, at]
        weights = np.ones_like(phases) if weighing is None else weighing[:, at]
        line = intercept.reshape(-1)[at], slope.reshape(-1)[at]
        best, cost = _gauss_newton(phases, weights, times, *line)
        # Only where an echo misses the fit widely can another start end elsewhere.
        poor = np.flatnonzero(cost > _POOR_FIT * weights.min(axis=0))
        if poor.size:
            some, heavy = phases[:, poor], weights[:, poor]
            rate = (some[1] - some[0]) / (times[1] - times[0])
            start = some[0] - rate * times[0], rate
            other, other_cost = _gauss_newton(some, heavy, times, *start)
            best[poor] = np.where(other_cost < cost[poor], other, best[poor])
        out.reshape(-1)[at] = best
        progress((begin + at.size) / where.size)
    return out


def _gauss_newton(
    phases: Array, weights: Array, times: Array, intercept: Array, slope: Array
) -> tuple[Array, Array]:
    """Slope and remaining cost for voxels along the last axis."""
    t = times[:, None]
    total = weights.sum(axis=0)
    mean_time = (weights * t).sum(axis=0) / total
    since = t - mean_time  # about its mean, time makes the normal matrix diagonal
    spread = (weights * since * since).sum(axis=0)
    middle = intercept + slope * mean_time
    slope = slope.copy()
    moving = np.arange(slope.size)
    for _ in range(_MOST_STEPS):
        heavy, after = weights[:, moving], since[:, moving]
        pull = heavy * np.sin(phases[:, moving] - middle[moving] - slope[moving] * after)
        up = pull.sum(axis=0) / total[moving]
        tilt = (pull * after).sum(axis=0) / spread[moving]
        middle[moving] += up
        slope[moving] += tilt
        moving = moving[np.maximum(np.abs(up), np.abs(tilt)) > _SETTLED_RAD]
        if moving.size == 0:
            break
    cost = (weights * (1 - np.cos(phases - middle - slope * since))).sum(axis=0)
    return slope, cost
