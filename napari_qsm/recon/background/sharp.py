"""Background removal by the mean value property: SHARP and V-SHARP.

A field without sources inside a ball equals its mean over that ball at the centre. The
background has its sources outside the brain, so ``δ - S`` (the field less its ball mean)
removes it wherever the ball lies inside the mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from napari_qsm.arrays import Array, margin_voxels
from napari_qsm.errors import QsmError
from napari_qsm.recon.background.balls import balanced_ball, ball_means, ball_transfer, usable_radii
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.background.region import Region, checked_direction, make_region
from napari_qsm.recon.background.tissue import tissue_field
from napari_qsm.recon.fourier import fast_shape, irfftn, pad_to, rfftn
from napari_qsm.recon.stages import (
    Param,
    Progress,
    Warn,
    method,
    no_progress,
    no_warning,
)


def _beyond_the_papers(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    if settings["deconvolution"] != "tissue":
        return ""
    return (
        "Beyond the cited methods, napari-qsm put back what the balls took of the tissue's field, as "
        "the field of a smooth susceptibility inside the mask."
    )


@method(
    "background",
    "vsharp",
    title="V-SHARP",
    references=(
        "Wu 2012, Magn Reson Med 67:137, doi:10.1002/mrm.23000",
        "Li 2014, NMR Biomed 27:219, doi:10.1002/nbm.3056",
    ),
    beyond=_beyond_the_papers,
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
    fields up to degree 5 where they can be (:func:`~napari_qsm.recon.background.balls.balanced_ball`);
    and there are three ways to deal with the mean of the *tissue's* field, which is lost with
    the background:

    ``none``
        It stays lost: fields of large structures come out too small.
    ``truncated``
        As in SHARP, division by the transfer function of the largest ball. That function does
        not hold near the rim, where smaller balls were used.
    ``tissue``
        The tissue's field is first estimated on a coarse grid from a smooth susceptibility
        (:func:`~napari_qsm.recon.background.tissue.tissue_field`), and the balls take the mean of the
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


def vsharp_field(
    region: Region,
    radii_mm: Array,
    *,
    tissue: Array | None = None,
    progress: Progress,
    warn: Warn,
) -> tuple[Array, Array, Array]:
    """Field less its ball mean, the mask where a ball fits, and the radii that were used.

    Each voxel uses the largest ball that fits around it. With an estimate of the tissue's own
    field, the ball mean is taken of the field less that estimate: of the background alone.
    """
    depth = depth_mm(region.mask, region.voxel_size_mm, 1.01 * float(radii_mm.max()))
    radii = usable_radii(radii_mm, region, depth, warn)
    blurred = region.field if tissue is None else region.field - tissue
    progress(0.0)
    mean_at = ball_means(blurred)
    high = np.zeros_like(region.field)
    taken = np.zeros_like(region.mask)
    left = np.flatnonzero(region.mask)
    depth_left = depth.flat[left]
    for step, radius in enumerate(radii):
        fits = depth_left > radius * TOLERANCE
        here, left, depth_left = left[fits], left[~fits], depth_left[~fits]
        mean = mean_at(here, balanced_ball(radius, region.voxel_size_mm))
        high.flat[here] = region.field.flat[here] - mean
        taken.flat[here] = True
        progress((step + 1) / len(radii))
    return high, taken, radii


def deconvolve(
    high: Array, radius_mm: float, voxel_size_mm: tuple[float, ...], threshold: float
) -> Array:
    """Undo ``δ - S`` by division in k-space where its transfer function exceeds a threshold."""
    shape = fast_shape(high.shape, [2 * m for m in margin_voxels(radius_mm, voxel_size_mm)])
    transfer = 1 - ball_transfer(balanced_ball(radius_mm, voxel_size_mm), shape, high.dtype)
    kept = np.abs(transfer) >= threshold
    spectrum = rfftn(pad_to(high, shape))
    np.divide(spectrum, transfer, out=spectrum, where=kept)
    spectrum[~kept] = 0
    return irfftn(spectrum, shape)[tuple(slice(0, n) for n in high.shape)]
