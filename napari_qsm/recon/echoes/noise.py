"""From relative to absolute noise of a field map."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array

_ENOUGH_VOXELS = 1_000_000


def calibrated(noise: Array, field: Array, mask: Array) -> Array:
    """Noise in the unit of the field, from noise known up to a common factor.

    Parameters
    ----------
    noise : (x, y, z) ndarray
        Relative standard deviation of the field, positive inside the mask.
    field : (x, y, z) ndarray
    mask : (x, y, z) bool ndarray

    Returns
    -------
    (x, y, z) ndarray

    Notes
    -----
    The factor is the robust spread (median absolute value over 0.6745) of the second differences of
    the field over the standard deviation that the relative noise gives them, the smallest over
    the three axes. Tissue adds to it, so it is a fair value at ordinary SNR and an upper one
    where the noise is far below the contrast. Without three voxels in a row in the mask the
    relative noise is returned.
    """
    factors = [
        factor for axis in range(3) if (factor := _factor_along(axis, noise, field, mask)) > 0
    ]
    return noise * noise.dtype.type(min(factors, default=1.0))


def _factor_along(axis: int, noise: Array, field: Array, mask: Array) -> float:
    def part(a: Array, start: int, stop: int | None) -> Array:
        return a[(slice(None),) * axis + (slice(start, stop),)]

    if field.shape[axis] < 3:
        return 0.0
    # Every few planes of another axis are enough for a median.
    other = 0 if axis else 1
    thin = (slice(None),) * other + (slice(None, None, 1 + field.size // _ENOUGH_VOXELS),)
    noise, field, mask = noise[thin], field[thin], mask[thin]
    inside = part(mask, 0, -2) & part(mask, 1, -1) & part(mask, 2, None)
    if not inside.any():
        return 0.0
    low, mid, high = (part(field, *ends)[inside] for ends in ((0, -2), (1, -1), (2, None)))
    bend = low - 2 * mid + high
    low, mid, high = (part(noise, *ends)[inside] for ends in ((0, -2), (1, -1), (2, None)))
    return float(np.median(np.abs(bend) / np.sqrt(low**2 + 4 * mid**2 + high**2)) / 0.6745)
