"""From relative to absolute noise of a field map."""

from __future__ import annotations

from napari_qsm.arrays import Array
from napari_qsm.recon.noise_level import noise_level


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
        Where the mask is nowhere five voxels thick, the relative noise as it is.

    Notes
    -----
    The factor is that of :func:`napari_qsm.recon.noise_level.noise_level`.
    """
    return noise * noise.dtype.type(noise_level(field, mask, noise) or 1.0)
