"""Background removal: the field of the tissue inside the mask, without that of everything else.

Every method takes

total_field_ppm : (x, y, z) float ndarray
    Field in ppm of B0. Only the mask is looked at; voxels of it that are not finite are taken
    out of it with a warning. The result has its precision.
mask : (x, y, z) bool ndarray
    Where the field can be trusted. Beyond the array's edge counts as outside.
voxel_size_mm : three floats
    Edge lengths of a voxel.

and gives

local_field_ppm : (x, y, z) ndarray
    Field of the tissue in ppm, zero outside the local mask, known up to a constant.
local_mask : (x, y, z) bool ndarray
    Where the local field is valid; never larger than the mask.

All raise :class:`~napari_qsm.errors.GeometryError` where shapes do not fit, and
:class:`~napari_qsm.errors.QsmError` where the mask is empty or too thin for the method. The
settings are explained by their :class:`~napari_qsm.recon.stages.Param`.

Which one to take: on heads simulated at several grids and noise levels, the error of the local
field was lowest with V-SHARP and its estimate of the tissue's field, and its regression on the
truth nearest to one. RESHARP and PDF come next; LBV is as good or better where the rim of the
mask is clean and poor where it is not. ``python -m benchmarks.background`` prints the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.recon.depth import TOLERANCE, depth_mm
from napari_qsm.recon.lbv import lbv_field
from napari_qsm.recon.pdf import pdf_field
from napari_qsm.recon.region import Region, check_like, make_region
from napari_qsm.recon.sharp import deconvolve, resharp_field, vsharp_field
from napari_qsm.recon.stages import (
    Param,
    Progress,
    Warn,
    method,
    no_progress,
    no_warning,
)
from napari_qsm.recon.tissue import tissue_field

Array = npt.NDArray[Any]


@method(
    "background",
    "vsharp",
    title="V-SHARP",
    references=(
        "Wu 2012, Magn Reson Med 67:137, doi:10.1002/mrm.23000",
        "Li 2014, NMR Biomed 27:219, doi:10.1002/nbm.3056",
    ),
)
def vsharp(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float] | None = None,
    *,
    radius_max_mm: Annotated[float, Param("Largest ball.", unit="mm", ge=0.5, le=60)] = 12.0,
    radius_min_mm: Annotated[
        float,
        Param("Smallest ball; the local mask ends this far inside.", unit="mm", ge=0.1, le=60),
    ] = 3.0,
    step_mm: Annotated[float, Param("Step between radii.", unit="mm", ge=0.1, le=20)] = 1.0,
    deconvolution: Annotated[
        str,
        Param(
            "How to put back what the balls took from the tissue's own field: not at all, by "
            "truncated division in k-space, or by estimating that field first.",
            choices=("none", "truncated", "tissue"),
        ),
    ] = "tissue",
    threshold: Annotated[
        float,
        Param("Truncated: smallest transfer to divide by; what is below is cut.", ge=1e-3, le=1),
    ] = 0.05,
    regularization: Annotated[
        float, Param("Tissue: weight of the smoothness of susceptibility.", ge=0, le=1)
    ] = 5e-5,
    iterations: Annotated[int, Param("Tissue: steps of the estimate.", ge=1, le=500)] = 25,
    coarse_mm: Annotated[
        float, Param("Tissue: cells of the estimate, in whole voxels.", unit="mm", ge=0.5, le=4)
    ] = 2.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less its mean over balls that shrink towards the rim of the mask.

    Inputs and results are those of the module; ``b0_direction`` is the unit vector of B0 in
    voxel axes, which only the deconvolution ``tissue`` needs.

    Notes
    -----
    The mean of the background over a ball inside the mask is its value at the centre, so the
    difference holds tissue alone; each voxel uses the largest ball that fits around it. Two
    things depart from the paper. The balls are weighted so that they are exact for harmonic
    fields up to degree 5 where they can be (:func:`~napari_qsm.recon.balls.balanced_ball`);
    and there are three ways to deal with the mean of the *tissue's* field, which is lost with
    the background:

    ``none``
        It stays lost: fields of large structures come out too small.
    ``truncated``
        As in SHARP, division by the transfer function of the largest ball. That function does
        not hold near the rim, where smaller balls were used.
    ``tissue``
        The tissue's field is first estimated on a coarse grid from a smooth susceptibility
        (:func:`~napari_qsm.recon.tissue.tissue_field`), and the balls take the mean of the
        field less this estimate. Only what the balls cannot see comes from the estimate; all
        detail stays that of the measured field.
    """
    if radius_min_mm > radius_max_mm:
        raise QsmError(
            f"The smallest V-SHARP radius ({radius_min_mm:g} mm) is above the largest "
            f"({radius_max_mm:g} mm)."
        )
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    count = int((radius_max_mm - radius_min_mm) / step_mm * (1 + 1e-9)) + 1
    radii = radius_max_mm - step_mm * np.arange(count)
    estimate = None
    if deconvolution == "tissue":
        estimate = tissue_field(
            region,
            checked_direction(b0_direction),
            coarse_mm,
            regularization,
            iterations,
            progress=lambda fraction: progress(fraction / 2),
            warn=warn,
        )
    local, local_mask, used = vsharp_field(
        region,
        radii,
        tissue=estimate,
        progress=lambda fraction: progress((1 + fraction) / 2),
        warn=warn,
    )
    if deconvolution == "truncated":
        local = deconvolve(local, used[0], region.voxel_size_mm, threshold)
    return region.put_back(local, local_mask)


@method(
    "background",
    "sharp",
    title="SHARP",
    references=("Schweser 2011, NeuroImage 54:2789, doi:10.1016/j.neuroimage.2010.10.070",),
)
def sharp(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    radius_mm: Annotated[float, Param("Radius of the ball.", unit="mm", ge=0.5, le=60)] = 5.0,
    threshold: Annotated[
        float, Param("Smallest transfer to divide by; what is below is cut.", ge=1e-3, le=1)
    ] = 0.05,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less its mean over one ball, deconvolved by truncated division in k-space.

    Inputs and results are those of the module. The local mask ends a radius inside the mask.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    high, local_mask, _ = vsharp_field(region, np.array([radius_mm]), progress=progress, warn=warn)
    local = deconvolve(high, radius_mm, region.voxel_size_mm, threshold)
    return region.put_back(local, local_mask)


@method(
    "background",
    "resharp",
    title="RESHARP",
    references=("Sun, Wilman 2014, Magn Reson Med 71:1151, doi:10.1002/mrm.24765",),
)
def resharp(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    radius_mm: Annotated[float, Param("Radius of the ball.", unit="mm", ge=0.5, le=60)] = 5.0,
    regularization: Annotated[
        float, Param("Weight of the Tikhonov term; larger is smaller fields.", ge=0, le=1)
    ] = 1e-4,
    tolerance: Annotated[
        float, Param("Relative residual at which to stop.", ge=1e-6, le=0.5)
    ] = 1e-3,
    max_iterations: Annotated[int, Param("Most iterations.", ge=1, le=1000)] = 200,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """SHARP whose deconvolution is a regularised least squares problem.

    Inputs and results are those of the module. The local mask ends a radius inside the mask.

    Notes
    -----
    Minimises ``‖M (δ-S) (f - l)‖² + λ ‖l‖²`` over the local field l by conjugate gradients,
    where S is the ball mean and M marks voxels whose ball lies inside the mask.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    return region.put_back(
        *resharp_field(
            region,
            radius_mm,
            regularization,
            tolerance,
            max_iterations,
            progress=progress,
            warn=warn,
        )
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


@method(
    "background",
    "lbv",
    title="LBV",
    references=("Zhou 2014, NMR Biomed 27:312, doi:10.1002/nbm.3064",),
)
def lbv(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    peel_mm: Annotated[
        float, Param("Thickness taken off the mask afterwards.", unit="mm", ge=0, le=20)
    ] = 2.0,
    tolerance: Annotated[
        float, Param("Relative residual at which to stop.", ge=1e-6, le=0.5)
    ] = 1e-4,
    max_iterations: Annotated[int, Param("Most iterations.", ge=1, le=1000)] = 100,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less the harmonic field with the same values on the rim of the mask.

    Inputs and results are those of the module.

    Notes
    -----
    Solves ``∇²b = 0`` inside the mask with ``b = f`` on its outermost voxels. The tissue's field
    is taken to vanish there, and whatever is wrong with those voxels is carried inwards, so a
    mask without noisy rim matters more than for other methods.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    local = lbv_field(region, tolerance, max_iterations, progress=progress, warn=warn)
    kept = depth_mm(region.mask, region.voxel_size_mm, 1.01 * peel_mm + 1) > peel_mm * TOLERANCE
    if not kept.any():
        raise QsmError(f"Peeling {peel_mm:g} mm off the mask leaves nothing; choose less.")
    return region.put_back(local, kept)


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


def checked_direction(b0_direction: Sequence[float] | None) -> tuple[float, float, float]:
    """B0 as a unit vector.

    Raises
    ------
    MetadataError
        If it is missing or has no length.
    """
    if b0_direction is None:
        raise MetadataError(
            "The direction of B0 is needed to estimate the tissue's field; give it, or set "
            "V-SHARP's deconvolution to none or truncated."
        )
    b = np.asarray(b0_direction, dtype=np.float64)
    length = float(np.linalg.norm(b)) if b.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise MetadataError(f"The direction of B0 must be three numbers, not {b0_direction}.")
    return float(b[0] / length), float(b[1] / length), float(b[2] / length)
