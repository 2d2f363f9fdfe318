"""What can be told of phase and field: wraps left, noise, what the map leaves unexplained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.echoes.noise import calibrated
from napari_qsm.recon.fourier import forward_field


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


def noise_of(a: Array, mask: Array) -> float | None:
    """Robust standard deviation of the noise inside a mask; see :func:`~napari_qsm.qc.measures.measure`."""
    box = bounding_box(mask)
    inside = mask[box] & np.isfinite(a[box])
    thick = [n >= 3 for n in inside.shape]
    if not inside.any() or not any(thick):
        return None
    values = np.where(inside, a[box], 0)
    ones = np.ones(values.shape, dtype=values.dtype)
    return float(calibrated(ones, values, inside).flat[0])


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
    explained = forward_field(source, voxel_size_mm, b0_direction)
    part = np.where(inside, local_field_ppm[box] - explained, 0).astype(np.float32)
    out = np.zeros(chi_ppm.shape, dtype=np.float32)
    if inside.any():
        part[inside] -= part[inside].mean(dtype=np.float64)
        out[box] = part
    return out
