"""Background removal by projection onto dipole fields (PDF)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array, margin_voxels
from napari_qsm.errors import QsmError
from napari_qsm.recon.background.region import Region, check_like, checked_direction, make_region
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import dipole_kernel, fast_shape, irfftn, pad_to, rfftn
from napari_qsm.recon.stages import (
    Param,
    Progress,
    Warn,
    method,
    no_progress,
    no_warning,
)


@method(
    "background",
    "pdf",
    title="PDF",
    references=("Liu 2011, NMR Biomed 24:1129, doi:10.1002/nbm.1670",),
)
def pdf(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    noise_ppm: Array | None = None,
    magnitude: Array | None = None,
    *,
    padding_mm: Annotated[
        float, Param("Room for sources around the mask.", unit="mm", ge=0, le=200)
    ] = 20.0,
    tolerance: Annotated[
        float, Param("Relative residual at which to stop.", ge=1e-6, le=0.5)
    ] = 1e-3,
    max_iterations: Annotated[int, Param("Most iterations.", ge=1, le=1000)] = 100,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less what sources outside the mask can explain of it.

    Inputs and results are those of the module, and

    b0_direction : three floats
        Unit vector of B0 in voxel axes.
    noise_ppm : (x, y, z) ndarray, optional
        Standard deviation of the field up to a factor; voxels count by its inverse.
    magnitude : (M, x, y, z) ndarray, optional
        Used in the same sense (more signal, less noise) where there is no noise map.

    The local mask is the mask: PDF takes nothing off its rim.

    Notes
    -----
    Minimises ``‖W (f - D χ)‖²`` over susceptibilities χ outside the mask by conjugate
    gradients from zero. With ever more iterations part of the tissue's field is explained too,
    so the tolerance is part of the regularisation.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    weights = data_weights(region, noise_ppm, magnitude)
    local = pdf_field(
        region,
        checked_direction(b0_direction),
        weights,
        padding_mm,
        tolerance,
        max_iterations,
        progress=progress,
        warn=warn,
    )
    return region.put_back(local, region.mask)


def data_weights(region: Region, noise_ppm: Array | None, magnitude: Array | None) -> Array:
    """Inverse noise in the box relative to its mean, from the noise map or the magnitude.

    Raises
    ------
    GeometryError
        If the map does not fit the field.
    QsmError
        If it says nothing about any voxel of the mask.
    """
    weights = np.zeros(region.mask.shape)
    if noise_ppm is not None:
        check_like(noise_ppm, np.broadcast_to(region.field[:1, :1, :1], region.shape), "noise map")
        noise = region.crop(np.asarray(noise_ppm))
        known = region.mask & np.isfinite(noise) & (noise > 0)
        np.divide(1.0, noise, out=weights, where=known)
    elif magnitude is not None:
        echoes = np.asarray(magnitude)
        echoes = echoes[None] if echoes.ndim == 3 else echoes
        check_like(echoes[0], np.broadcast_to(region.field[:1, :1, :1], region.shape), "magnitude")
        for echo in echoes:
            signal = region.crop(echo)
            known = region.mask & np.isfinite(signal)
            np.add(weights, np.square(signal, dtype=np.float64), out=weights, where=known)
        np.sqrt(weights, out=weights)
    else:
        weights[region.mask] = 1
    if not weights.any():
        raise QsmError(
            "The noise map or magnitude is zero or not finite in the whole mask; "
            "leave it out, or give one that fits."
        )
    return weights / weights[weights > 0].mean()


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
