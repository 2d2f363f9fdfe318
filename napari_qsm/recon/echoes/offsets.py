"""Phase at echo time zero: estimating the offset that all echoes share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.recon.fourier import fast_shape, frequencies, irfftn, pad_to, rfftn

#: Voxels that settle the linear trend of an offset.
_TREND_VOXELS = 100_000


def smooth_in_mask(
    values: Array,
    weights: Array | None,
    mask: Array,
    sigma_mm: float,
    voxel_size_mm: Sequence[float],
) -> Array:
    """Gaussian average of the voxels inside a mask, each with its weight; linear ramps are kept.

    Parameters
    ----------
    values : (x, y, z) ndarray
        Only values inside the mask count.
    weights : (x, y, z) ndarray or None
        Not negative; None for equal weights.
    mask : (x, y, z) bool ndarray
    sigma_mm : float
        Standard deviation of the Gaussian, mm. 0 copies the values.
    voxel_size_mm : three floats

    Returns
    -------
    (x, y, z) ndarray
        Of the same precision; 0 outside the mask.
    """
    out = np.zeros_like(values)
    if sigma_mm <= 0:
        out[mask] = values[mask]
        return out
    box = bounding_box(mask)
    inside = mask[box]
    # Zero padding wide enough that opposite faces do not mix: 3.5 sigma is 1e-3 of the peak.
    shape = fast_shape(inside.shape, margin_voxels(3.5 * sigma_mm, voxel_size_mm))
    gaussian = [
        np.exp(-2 * (np.pi * sigma_mm * k) ** 2).astype(values.dtype)
        for k in frequencies(shape, voxel_size_mm)
    ]
    amount = inside.astype(values.dtype)
    if weights is not None:
        amount *= weights[box]
        # Keeps a few strong vessels from drowning the rest, and zeros from leaving holes.
        typical = float(np.median(amount[inside]))
        amount = (
            np.clip(amount, 1e-3 * typical, 10 * typical) * inside
            if typical > 0
            else (inside.astype(values.dtype))
        )
    # A Gaussian bends ramps at the rim of the mask, so only what a ramp leaves is smoothed.
    ramp = _linear_trend(values[box], amount, inside)

    def blurred(a: Array) -> Array:
        spectrum = rfftn(pad_to(a, shape))
        for factor in gaussian:
            spectrum *= factor
        return irfftn(spectrum, shape)[tuple(slice(0, n) for n in a.shape)]

    top = blurred((values[box] - ramp) * amount)
    bottom = blurred(amount)
    bottom = np.maximum(bottom, np.finfo(values.dtype).tiny)
    out[box][inside] = top[inside] / bottom[inside] + ramp[inside]
    return out


def _linear_trend(values: Array, amount: Array, mask: Array) -> Array:
    """Plane ``a + b x + c y + d z`` fitted to the values with their weights, on the whole box."""
    at = np.argwhere(mask)
    at = at[:: 1 + len(at) // _TREND_VOXELS]
    where = tuple(at.T)
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in mask.shape]
    root = np.sqrt(amount[where].astype(np.float64))
    design = np.stack([root] + [root * axis[i] for axis, i in zip(axes, where, strict=True)], 1)
    a, b, c, d = np.linalg.lstsq(design, root * values[where], rcond=None)[0]
    x, y, z = np.ix_(*axes)
    return (a + b * x + c * y + d * z).astype(values.dtype)


def phase_offset(
    first: Array,
    second: Array,
    echo_times_s: Sequence[float],
    mask: Array,
    weights: Array | None,
    sigma_mm: float,
    voxel_size_mm: Sequence[float],
) -> Array:
    """Phase at echo time zero from two echoes, smoothed (MCPC-3D-S).

    Parameters
    ----------
    first, second : (x, y, z) ndarray
        Unwrapped phase of two echoes, rad.
    echo_times_s : two floats
        Their echo times, s.
    mask : (x, y, z) bool ndarray
    weights : (x, y, z) ndarray or None
        Weights of the voxels in the smoothing, such as the product of the magnitudes.
    sigma_mm : float
        Standard deviation of the Gaussian, mm.
    voxel_size_mm : three floats

    Returns
    -------
    (x, y, z) ndarray
        ``phi1 - TE1 / (TE2 - TE1) (phi2 - phi1)`` smoothed, rad; 0 outside the mask.

    References
    ----------
    Eckstein 2018, Magn Reson Med 79:2996, doi:10.1002/mrm.26963.
    """
    te1, te2 = (float(t) for t in echo_times_s[:2])
    ratio = first.dtype.type(te1 / (te2 - te1))
    offset = first - ratio * (second - first)
    return smooth_in_mask(offset, weights, mask, sigma_mm, voxel_size_mm)


def turns_between_echoes(
    first: Array, difference: Array, later: Array, echo_times_s: Sequence[float]
) -> int:
    """Whole turns to add to the difference of the first two echoes.

    Unwrapping in space leaves them open. Phases of later echoes settle them, as they must lie on a
    line over echo time; where echo times are multiples of one spacing they cannot, and the
    difference is taken to be less than half a turn on average.

    Parameters
    ----------
    first, difference : (N,) ndarray
        Unwrapped phase of the first echo, and of the second minus the first, rad.
    later : (L, N) ndarray
        Phases of the third and later echoes, rad, wrapped or not.
    echo_times_s : 2 + L floats
    """
    nearest = -int(np.rint(np.median(difference) / (2 * np.pi)))
    te1, te2 = (float(t) for t in echo_times_s[:2])
    candidates = nearest + np.array([0, 1, -1, 2, -2, 3, -3])
    misfit = 1e-3 * np.abs(candidates - nearest)
    for phase, time in zip(later, echo_times_s[2:], strict=True):
        ratio = (float(time) - te1) / (te2 - te1)
        apart = phase - first - difference * phase.dtype.type(ratio)
        mean = np.mean(np.cos(apart), dtype=np.float64) + 1j * np.mean(
            np.sin(apart), dtype=np.float64
        )
        misfit -= (mean * np.exp(-2j * np.pi * ratio * candidates)).real
    return int(candidates[np.argmin(misfit)])
