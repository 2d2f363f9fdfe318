"""RESHARP: SHARP whose deconvolution is a regularised least squares problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.background.balls import balanced_ball, ball_transfer, usable_radii
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.background.region import Region, make_region
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import fast_shape, irfftn, pad_to, rfftn
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
    "resharp",
    title="RESHARP",
    references=("Sun 2014, Magn Reson Med 71:1151, doi:10.1002/mrm.24765",),
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


def resharp_field(
    region: Region,
    radius_mm: float,
    regularization: float,
    tolerance: float,
    max_iterations: int,
    *,
    progress: Progress,
    warn: Warn,
) -> tuple[Array, Array]:
    """Local field and mask: ``min ‖M(δ-S)(f-l)‖² + λ‖l‖²`` by conjugate gradients.

    The normal equations are solved for l directly; ``M`` marks voxels whose whole ball is
    inside the mask, so nothing outside the mask enters and no padding is needed.
    """
    depth = depth_mm(region.mask, region.voxel_size_mm, 1.01 * radius_mm)
    (radius,) = usable_radii(np.array([radius_mm]), region, depth, warn)
    taken = depth > radius * TOLERANCE
    shape = fast_shape(region.mask.shape)
    valid = pad_to(taken, shape)
    weights = balanced_ball(radius, region.voxel_size_mm)
    transfer = 1 - ball_transfer(weights, shape, region.field.dtype)

    def high_pass(a: Array) -> Array:
        spectrum = rfftn(a)
        spectrum *= transfer
        return irfftn(spectrum, shape)

    def normal(a: Array) -> Array:
        b = high_pass(a)
        b *= valid
        b = high_pass(b)
        b += regularization * a
        return b

    given = high_pass(pad_to(region.field, shape))
    given *= valid
    local = conjugate_gradients(
        normal, high_pass(given), tolerance, max_iterations, progress=progress, warn=warn
    )
    return local[tuple(slice(0, n) for n in region.mask.shape)], taken
