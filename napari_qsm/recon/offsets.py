"""Phase at echo time zero: estimating the offset that all echoes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon.fourier import (
    bounding_box,
    fast_shape,
    frequencies,
    irfftn,
    margin_voxels,
    pad_to,
    rfftn,
)

Array = npt.NDArray[Any]


def smooth_in_mask(
    values: Array,
    weights: Array | None,
    mask: Array,
    sigma_mm: float,
    voxel_size_mm: Sequence[float],
) -> Array:
    """Gaussian average of the voxels inside a mask, each with its weight.

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
    # Without the mean, values far from zero lose no digits in single precision.
    mean = np.average(values[box], weights=amount).astype(values.dtype)

    def blurred(a: Array) -> Array:
        spectrum = rfftn(pad_to(a, shape))
        for factor in gaussian:
            spectrum *= factor
        return irfftn(spectrum, shape)[tuple(slice(0, n) for n in a.shape)]

    top = blurred((values[box] - mean) * amount)
    bottom = blurred(amount)
    out[box][inside] = top[inside] / np.maximum(bottom[inside], np.finfo(values.dtype).tiny) + mean
    return out


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
