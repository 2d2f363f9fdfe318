"""Streaks, seen where the dipole kernel cannot see: at the magic angle of Fourier space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.fourier import dipole_kernel, fast_shape, frequencies, pad_to

#: |D| near the cone: there the field tells little, and noise is amplified most.
CONE = 0.15
#: |D| well away from it: the same tissue, known well.
BESIDE = (0.3, 0.6)
#: Number of shells of frequency, and the share of the coarsest Nyquist frequency they span.
_SHELLS = 12
_BAND = (0.15, 0.95)


def cone_ratio(
    chi_ppm: Array, mask: Array, voxel_size_mm: Sequence[float], b0_direction: Sequence[float]
) -> float | None:
    """Amplitude of a map's spectrum at the magic angle over the amplitude away from it.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    mask : (x, y, z) bool ndarray
        Where it is valid.
    voxel_size_mm : three float
    b0_direction : three float
        Unit vector in voxel axes.

    Returns
    -------
    float or None
        0.84 for the true map of the built-in head. Well above 1 the cone is full of amplified
        noise, which streaks are; far below, the method left it empty. None for masks too
        small to tell.

    Notes
    -----
    Root mean squares of the spectrum of the map less its mean, in shells of equal ``|k|``
    between 0.15 and 0.95 of the coarsest axis's Nyquist frequency: in each shell where
    ``|D| < 0.15`` over where ``0.3 < |D| < 0.6``; the median over shells. Comparing a map's
    spectrum between regions of ``|D|`` follows Milovic 2021, Magn Reson Med 85:480
    (PMC7722179); bounds and shells are ours. Streaks round one strong source fill few
    frequencies and are better seen in the map than in this number.
    """
    box = bounding_box(mask)
    inside = mask[box]
    if np.count_nonzero(inside) < 1000:
        return None
    part = np.where(inside, chi_ppm[box], 0).astype(np.float32)
    part[inside] -= part[inside].mean(dtype=np.float64)
    shape = fast_shape(part.shape)
    power = np.abs(scipy.fft.rfftn(pad_to(part, shape), workers=-1)) ** 2
    strength = np.abs(dipole_kernel(shape, voxel_size_mm, b0_direction))
    k2 = sum(f.astype(np.float32) ** 2 for f in frequencies(shape, voxel_size_mm))
    nyquist = 0.5 / max(voxel_size_mm)
    edges = np.linspace(*_BAND, _SHELLS + 1) * nyquist
    shell = np.digitize(np.sqrt(k2), edges)  # 0 below, _SHELLS + 1 above

    def mean_power(where: Array) -> tuple[Array, Array]:
        counts = np.bincount(shell[where], minlength=_SHELLS + 2)[1:-1]
        sums = np.bincount(shell[where], weights=power[where], minlength=_SHELLS + 2)[1:-1]
        return counts, sums / np.maximum(counts, 1)

    in_cone, cone = mean_power(strength < CONE)
    near, beside = mean_power((strength > BESIDE[0]) & (strength < BESIDE[1]))
    good = (in_cone >= 20) & (near >= 20) & (beside > 0)
    if not good.any():
        return None
    return float(np.median(np.sqrt(cone[good] / beside[good])))
