"""R2* and T2* maps from the decay of the magnitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.scan import check_echo_times

_REWEIGHTINGS = 2


def fit_r2star(magnitude: Array, echo_times_s: Sequence[float], mask: Array | None = None) -> Array:
    """Effective transverse relaxation rate from a mono-exponential decay.

    Parameters
    ----------
    magnitude : (E, x, y, z) ndarray
        Magnitudes of at least two echoes, any unit.
    echo_times_s : E floats
        Echo times, s, in any order.
    mask : (x, y, z) bool ndarray, optional
        Where to fit.

    Returns
    -------
    (x, y, z) ndarray
        R2*, 1/s, same precision as the magnitude; 0 outside the mask, where fewer than two
        echoes are positive, and where the signal does not decay.

    Raises
    ------
    GeometryError, MetadataError, QsmError
        If shapes or numbers do not fit, echo times are odd, or there is only one echo.

    Notes
    -----
    The logarithm of the signal is fitted by a line. Its noise is inverse to the signal, so the
    weights are the squared signal: first the measured one, then twice that of the fitted curve,
    which removes most of the bias that noise in the weights brings. Any spacing of the
    echoes will do. The noise floor of magnitudes is not modelled: rates so high that
    the last echoes are noise come out too low.
    """
    magnitude = np.asarray(magnitude)
    if magnitude.ndim != 4:
        raise GeometryError(
            f"The magnitudes have shape {magnitude.shape}; (echo, x, y, z) is needed."
        )
    times = check_echo_times(echo_times_s)
    if len(times) != len(magnitude):
        raise MetadataError(f"There are {len(magnitude)} magnitudes but {len(times)} echo times.")
    if len(times) < 2:
        raise QsmError("R2* needs magnitudes at two echo times or more, but there is one.")
    inside = np.ones(magnitude.shape[1:], bool) if mask is None else np.asarray(mask, dtype=bool)
    if inside.shape != magnitude.shape[1:]:
        raise GeometryError(
            f"The magnitudes have shape {magnitude.shape[1:]} but the mask {inside.shape}."
        )
    out = np.zeros(inside.shape, np.float64 if magnitude.dtype == np.float64 else np.float32)
    t = np.array(times)[:, None]
    for plane in np.flatnonzero(inside.any(axis=(1, 2))):
        signal = magnitude[:, plane][:, inside[plane]].astype(np.float64)
        out[plane][inside[plane]] = _decay_rate(signal, t)
    return out


def _decay_rate(signal: Array, t: Array) -> Array:
    """R2* of voxels along the last axis, 1/s."""
    usable = np.isfinite(signal) & (signal > 0)
    signal = np.where(usable, signal, 0)
    peak = signal.max(axis=0)
    log = np.log(np.where(usable, signal, 1) / np.where(peak > 0, peak, 1))
    weights = np.where(peak > 0, signal / np.where(peak > 0, peak, 1), 0) ** 2
    for again in range(_REWEIGHTINGS + 1):
        total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
        mean_t, mean_log = (weights * t).sum(axis=0) / total, (weights * log).sum(axis=0) / total
        spread = (weights * (t - mean_t) ** 2).sum(axis=0)
        slope = (weights * (t - mean_t) * (log - mean_log)).sum(axis=0)
        slope = np.where(spread > 0, slope / np.where(spread > 0, spread, 1), 0)
        if again < _REWEIGHTINGS:
            # Relative to the first echo, and bounded, so that no weight over- or underflows.
            fitted = np.exp(2 * np.clip(slope * (t - t[0]), -30, 30))
            weights = np.where(usable, fitted, 0)
    return np.where(usable.sum(axis=0) >= 2, np.maximum(-slope, 0), 0)


def t2star(r2star: Array, *, longest_s: float = 1.0) -> Array:
    """T2* in s from R2* in 1/s: its inverse, at most ``longest_s``.

    Voxels with R2* of 0 (outside the mask, or without decay) stay 0: there T2* is unknown.
    """
    r2star = np.asarray(r2star)
    known = r2star > 0
    inverse = 1 / np.where(known, r2star, r2star.dtype.type(1))
    return np.where(known, np.minimum(inverse, r2star.dtype.type(longest_s)), r2star.dtype.type(0))
