"""Background removal by ball means taken again and again (iSMV)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.background.balls import balanced_ball, ball_transfer, usable_radii
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.background.region import make_region
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import fast_shape, irfftn, pad_to, rfftn
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method(
    "background",
    "ismv",
    title="iSMV",
    references=("Wen 2014, Magn Reson Med 72:1065, doi:10.1002/mrm.24998",),
)
def ismv(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    radius_mm: Annotated[float, Param("Radius of the ball.", unit="mm", ge=0.5, le=60)] = 5.0,
    tolerance: Annotated[
        float, Param("Relative residual at which to stop.", ge=1e-8, le=0.5)
    ] = 1e-3,
    max_iterations: Annotated[int, Param("Most iterations.", ge=1, le=1000)] = 100,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less the one that equals its own ball means, with the same values at the rim.

    Inputs and results are those of the module. The local mask ends a radius inside the mask.

    Notes
    -----
    The paper replaces the field by its ball mean wherever the ball lies inside the mask, again
    and again, until nothing changes; what does not change is the background. With S the ball mean
    and M those voxels, the local field is then the solution of ``M (δ-S) M l = M (δ-S) f``,
    which is found here by conjugate gradients: the same field in far fewer steps.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
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
        b = irfftn(spectrum, shape)
        b *= valid
        return b

    local = conjugate_gradients(
        high_pass,
        high_pass(pad_to(region.field, shape)),
        tolerance,
        max_iterations,
        progress=progress,
        warn=warn,
    )
    inside = tuple(slice(0, n) for n in taken.shape)
    return region.put_back(local[inside], taken)
