"""What can be told of phase, field and map: wraps, noise, what is unexplained, and streaks.

Streaks are seen where the dipole kernel cannot see: at the magic angle of Fourier space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.fourier import (
    dipole_kernel,
    fast_shape,
    frequencies,
    pad_to,
    quick_forward_field,
    rfftn,
)

#: |D| near the cone: there the field tells little, and noise is amplified most.
CONE = 0.15
#: |D| well away from it: the same tissue, known well.
BESIDE = (0.3, 0.6)
#: Number of shells of frequency, and the share of the coarsest Nyquist frequency they span.
_SHELLS = 12
_BAND = (0.15, 0.95)
#: Voxels that are enough for a median.
_ENOUGH_VOXELS = 1_000_000


@dataclass(frozen=True)
class Wraps:
    """Wraps left along each axis, and the share of all pairs of neighbours."""

    left: tuple[int, int, int]
    share: float


def count_wraps(unwrapped: Array, mask: Array) -> Wraps:
    """Pairs of neighbours inside the mask whose phases differ by more than pi.

    Parameters
    ----------
    unwrapped : (E, x, y, z) or (x, y, z) ndarray
        Phase, rad.
    mask : (x, y, z) bool ndarray

    Notes
    -----
    A right phase can have such steps too, at a bleed or beside the sinuses; what tells a bad
    unwrapping is many of them.
    """
    box = bounding_box(mask)
    inside = mask[box]
    echoes = unwrapped[None] if unwrapped.ndim == 3 else unwrapped
    left, pairs = [0, 0, 0], 0
    for axis in range(3):
        ahead = (slice(None),) * axis + (slice(1, None),)
        behind = (slice(None),) * axis + (slice(None, -1),)
        both = inside[ahead] & inside[behind]
        pairs += int(np.count_nonzero(both)) * len(echoes)
        for echo in echoes:
            part = echo[box]
            with np.errstate(invalid="ignore"):  # infinite values are counted elsewhere
                step = part[ahead] - part[behind]
            left[axis] += int(np.count_nonzero((np.abs(step) > np.pi) & both))
    return Wraps((left[0], left[1], left[2]), sum(left) / pairs if pairs else 0.0)


def roughness(a: Array, mask: Array) -> float | None:
    """How much neighbours inside a mask differ, as a robust standard deviation of white noise.

    The median absolute second difference over 0.6745 and over the square root of 6, the smallest of
    the three axes: what white noise of that standard deviation would give. Tissue adds to it,
    smoothing takes away. None without three voxels in a row.
    """
    box = bounding_box(mask)
    inside = mask[box] & np.isfinite(a[box])
    values = np.where(inside, a[box], 0)
    found = []
    for axis in range(3):
        # Every few planes of another axis are enough for a median.
        other = 0 if axis else 1
        thin = (slice(None),) * other + (slice(None, None, 1 + values.size // _ENOUGH_VOXELS),)
        ahead = (slice(None),) * axis
        low, mid, high = ((*ahead, slice(*ends)) for ends in ((0, -2), (1, -1), (2, None)))
        part, some = values[thin], inside[thin]
        if part.shape[axis] < 3 or not (row := some[low] & some[mid] & some[high]).any():
            continue
        bend = (part[low] - 2 * part[mid] + part[high])[row]
        found.append(float(np.median(np.abs(bend))) / 0.6745 / 6**0.5)
    return min(found, default=None)


def residual_field(
    local_field_ppm: Array,
    chi_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    *,
    reference_ppm: float = 0.0,
) -> Array:
    """What the map does not explain of the field it was made from, ``f - D chi``, ppm.

    Parameters
    ----------
    local_field_ppm, chi_ppm : (x, y, z) ndarray
        Field and map, ppm.
    local_mask : (x, y, z) bool ndarray
        Where both are valid; the map counts as 0 outside.
    voxel_size_mm : three float
    b0_direction : three float
        Unit vector in voxel axes.
    reference_ppm : float
        What referencing subtracted from the map. It is added again, because a constant in a
        bounded region does make a field.

    Returns
    -------
    (x, y, z) float32 ndarray
        With zero mean inside the mask (phase does not tell the mean of a field), 0 outside.
    """
    box = bounding_box(local_mask)
    inside = local_mask[box] & np.isfinite(local_field_ppm[box]) & np.isfinite(chi_ppm[box])
    source = np.where(inside, chi_ppm[box] + np.float32(reference_ppm), 0).astype(np.float32)
    explained = quick_forward_field(source, voxel_size_mm, b0_direction)
    part = np.where(inside, local_field_ppm[box] - explained, 0).astype(np.float32)
    out = np.zeros(chi_ppm.shape, dtype=np.float32)
    if inside.any():
        part[inside] -= part[inside].mean(dtype=np.float64)
        out[box] = part
    return out


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
    power = np.abs(rfftn(pad_to(part, shape))) ** 2
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
