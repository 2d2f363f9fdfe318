"""Background removal by the mean value property: SHARP, V-SHARP and RESHARP.

A field without sources inside a ball equals its mean over that ball at the centre. The
background has its sources outside the brain, so ``δ - S`` (the field less its ball mean)
removes it wherever the ball lies inside the mask.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import QsmError
from napari_qsm.recon.balls import apply_ball, balanced_ball, ball_transfer
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.depth import TOLERANCE, depth_mm
from napari_qsm.recon.edge_weights import by_slab
from napari_qsm.recon.fourier import (
    fast_shape,
    irfftn,
    margin_voxels,
    pad_to,
    rfftn,
)
from napari_qsm.recon.region import Region
from napari_qsm.recon.stages import Progress, Warn

Array = npt.NDArray[Any]

#: Products per voxel of the array that cost as much as a transform of it.
DIRECT_SUMS = 20


def usable_radii(radii_mm: Array, region: Region, depth: Array, warn: Warn) -> Array:
    """The radii whose ball is a ball and fits somewhere in the mask, largest first.

    Raises
    ------
    QsmError
        If none is left.
    """
    deepest, sides = float(depth.max()), region.voxel_size_mm
    fits = radii_mm * TOLERANCE < deepest
    if not fits.all():
        warn(
            f"Balls of {deepest:.1f} mm radius or more fit nowhere in the mask; "
            f"{np.count_nonzero(~fits)} of {len(radii_mm)} radii were left out."
        )
    # Over a disc or a line the mean value property does not hold.
    round_ = radii_mm * TOLERANCE >= max(sides)
    if not round_.all():
        warn(
            f"Balls of less than {max(sides):g} mm radius are flat or empty with voxels of that "
            f"length; {np.count_nonzero(~round_)} of {len(radii_mm)} radii were left out, so the "
            "local mask ends deeper than the smallest radius."
        )
    kept = radii_mm[fits & round_]
    if kept.size == 0:
        raise QsmError(
            f"No ball of {radii_mm.min():g} to {radii_mm.max():g} mm radius fits into the mask "
            f"with voxels of {sides[0]:g} x {sides[1]:g} x {sides[2]:g} mm; choose other radii, "
            "a larger mask, or a method without balls."
        )
    return kept


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


def ball_means(field: Array) -> Callable[[Array, Array], Array]:
    """A function that gives ball means of a field at flat voxel indices.

    The balls must lie inside the array. Where numba is installed, balls that are small for
    the number of voxels are summed directly, which is cheaper than a transform of the whole
    array; the sums are the same.
    """
    shape = fast_shape(field.shape)
    spectrum = rfftn(pad_to(field, shape))
    product = np.empty_like(spectrum)
    inside = tuple(slice(0, n) for n in field.shape)
    compiled: Any = None
    with contextlib.suppress(ImportError):
        compiled = importlib.import_module("napari_qsm.recon.balls_numba")

    def by_transform(voxels: Array, weights: Array) -> Array:
        apply_ball(spectrum, weights, shape, product)
        mean = irfftn(product, shape)[inside]
        return mean[np.unravel_index(voxels, field.shape)]

    def directly(voxels: Array, weights: Array) -> Array:
        around = np.argwhere(weights) - np.array(weights.shape) // 2
        offsets = around @ np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
        values, out = weights[weights != 0], np.empty(voxels.size, dtype=field.dtype)
        by_slab(
            voxels.size,
            lambda *ends: compiled.means(field.ravel(), voxels, offsets, values, out, *ends),
        )
        return out

    def means(voxels: Array, weights: Array) -> Array:
        sums = voxels.size * np.count_nonzero(weights)
        if compiled is not None and sums < DIRECT_SUMS * field.size:
            return directly(voxels, weights)
        return by_transform(voxels, weights)

    return means


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
