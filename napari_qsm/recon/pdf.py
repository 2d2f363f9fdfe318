"""Background removal by projection onto dipole fields (PDF)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import (
    dipole_kernel,
    fast_shape,
    irfftn,
    margin_voxels,
    pad_to,
    rfftn,
)
from napari_qsm.recon.region import Region
from napari_qsm.recon.stages import Progress, Warn

Array = npt.NDArray[Any]


def pdf_field(
    region: Region,
    b0_direction: Sequence[float],
    weights: Array,
    padding_mm: float,
    tolerance: float,
    max_iterations: int,
    *,
    progress: Progress,
    warn: Warn,
) -> Array:
    """Local field in the box: what no susceptibility outside the mask explains.

    Minimises ``‖W (f - D χ)‖²`` over χ outside the mask by conjugate gradients on the normal
    equations, from zero, so that the smallest such χ is found.
    """
    margin = [2 * m for m in margin_voxels(padding_mm, region.voxel_size_mm)]
    shape = fast_shape(region.mask.shape, margin)
    dipole = dipole_kernel(shape, region.voxel_size_mm, b0_direction, region.field.dtype)
    inside = tuple(slice(0, n) for n in region.mask.shape)
    progress(0.0)
    outside = ~pad_to(region.mask, shape)
    weights2 = np.square(weights).astype(region.field.dtype)
    # A constant is background too, though no finite set of dipoles makes it exactly.
    total = weights2.sum(dtype=np.float64)
    mean = (weights2 * region.field).sum(dtype=np.float64) / total
    given = np.where(region.mask, region.field - region.field.dtype.type(mean), 0)

    def field(chi: Array) -> Array:
        spectrum = rfftn(chi)
        spectrum *= dipole
        return irfftn(spectrum, shape)

    def back(residual: Array) -> Array:
        source = field(pad_to(weights2 * residual, shape))
        source *= outside
        return source

    seen = back(given)
    progress(0.0)
    chi = conjugate_gradients(
        lambda p: back(field(p)[inside]),
        seen,
        tolerance,
        max_iterations,
        progress=progress,
        warn=warn,
    )
    return given - field(chi)[inside]
