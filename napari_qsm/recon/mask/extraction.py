"""Brain extraction from gradient-echo magnitudes: skull, scalp and eyes off.

The image is brought to about 2 mm and freed of its receive bias. What remains of bright
tissue after erosion by a ball is the heart of the brain: the ball does not pass the bridges of
dura, nerves and vessels that lead to scalp, eyes and neck. From there the mask grows back to the
edge of the tissue, but not across a valley of low signal, which is what bone leaves even where
the grid is too coarse to show it black. Last, the rim is fitted to the tissue at full resolution.

An image without any air or bone (a crop from inside the brain) comes out nearly whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.recon.mask.morphology import (
    close_mm,
    dilate_mm,
    erode_mm,
    fill_holes,
    largest_component,
    largest_core,
    open_mm,
)
from napari_qsm.recon.stages import Progress, Warn, no_progress, no_warning

#: Coarse grids: of the extraction and of the receive bias, mm.
_GRID_MM = 1.75
_BIAS_GRID_MM = 6.0

#: Width of the Gaussian that tells receive bias from anatomy, mm (standard deviation): over
#: all bright tissue, and over brain alone, whose contrast is less.
_HEAD_SIGMA_MM = 20.0
_BRAIN_SIGMA_MM = 10.0

#: Normalised signal that only tissue reaches, used to find the heart of the brain.
_CORE_LEVEL = 0.6

#: A voxel that can only be reached from the brain through signal below this share of its own
#: lies behind a valley.
_VALLEY = 0.75

#: How far beyond the first ball's reach the brain may go on in thinner parts, mm.
_GYRUS_MM = 12.0

#: The largest human brains, with their fluid, stay below this volume, mm³.
LARGEST_BRAIN_MM3 = 2.2e6


def combined_magnitude(magnitude: Array) -> Array:
    """Root of the sum of squares over echoes, float32; what is not finite counts as no signal.

    Parameters
    ----------
    magnitude : (x, y, z) or (M, x, y, z) ndarray
        Magnitudes, any unit.

    Returns
    -------
    (x, y, z) float32 ndarray
        Combined magnitude, scaled to a maximum of 1.

    Raises
    ------
    QsmError
        If there is no signal at all.
    """
    magnitude = np.asarray(magnitude)
    echoes = magnitude[None] if magnitude.ndim == 3 else magnitude
    if echoes.ndim != 4 or echoes.size == 0:
        raise GeometryError(
            f"A 3-D magnitude or a stack of echoes is needed, not shape {magnitude.shape}."
        )
    finite = [np.where(np.isfinite(echo), np.abs(echo), 0) for echo in echoes]
    peak = max(float(echo.max()) for echo in finite)
    if peak <= 0:
        raise QsmError(
            "The magnitude is zero everywhere, so no brain can be found in it; check the file, "
            "or use a mask of your own or the phase-quality mask."
        )
    # Scaled first: squares of a scanner's own units may leave the range of float32.
    total = np.zeros(echoes.shape[1:], dtype=np.float32)
    for echo in finite:
        total += np.square(np.divide(echo, peak, dtype=np.float32))
    np.sqrt(total, out=total)
    total /= total.max()
    return total


def brain_mask(
    magnitude: Array,
    voxel_size_mm: Sequence[float],
    *,
    level: float = 0.65,
    opening_mm: float = 7.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """The brain in a magnitude image of a head or of a part of it.

    Parameters
    ----------
    magnitude : (x, y, z) or (M, x, y, z) ndarray
        Magnitudes, any unit; echoes are combined by the root of their sum of squares.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    level : float
        Tissue is what exceeds this share of the brain's signal nearby.
    opening_mm : float
        Radius of the ball that must fit through a connection for it to belong to the brain.
        Where no tissue holds such a ball, the largest one that fits is used, with a warning.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The brain, without holes.

    Raises
    ------
    QsmError
        If the magnitude is empty or holds no compact tissue.

    Notes
    -----
    Opening a thresholded head by a ball and keeping the largest piece goes back to [1]_; the
    local threshold and the smooth surface to [2]_; growing along the strongest path, whose
    weakest link counts, is fuzzy connectedness [3]_. No shape or position of the brain is
    assumed, so crops, slabs and wrapped fields of view do no harm.

    References
    ----------
    .. [1] Hoehne & Hanson 1992, J Comput Assist Tomogr 16:285,
       doi:10.1097/00004728-199203000-00019
    .. [2] Smith 2002, Hum Brain Mapp 17:143, doi:10.1002/hbm.10062
    .. [3] Udupa & Samarasekera 1996, Graph Models Image Process 58:246,
       doi:10.1006/gmip.1996.0021
    """
    image = combined_magnitude(magnitude)
    coarse_shape, coarse_size = coarser_grid(image.shape, voxel_size_mm, _GRID_MM)
    coarse = resampled(image, coarse_shape)
    progress(0.1)
    log_bias = _bias_of_tissue(coarse, coarse_size)
    for _ in range(2):
        # The bias of the brain alone is smoother than that of brain and scalp together.
        normal = _normalised(coarse, log_bias)
        tissue = normal > _CORE_LEVEL
        core, radius = largest_core(tissue, opening_mm, coarse_size)
        tissue &= dilate_mm(core, radius, coarse_size)
        log_bias = _smooth_log(coarse, tissue, coarse_size, _BRAIN_SIGMA_MM)
    progress(0.3)
    if radius < opening_mm:
        warn(
            f"No tissue holds a ball of {opening_mm:g} mm radius; {radius:g} mm was used to "
            "find the brain. Check the mask."
        )
    normal = _normalised(coarse, log_bias)
    core, radius = largest_core(normal > _CORE_LEVEL, radius, coarse_size)
    if not core.any():
        raise QsmError(
            "No tissue was found in the magnitude; check the images, or use a mask of your own."
        )
    brain = _grown(normal, core, radius, level, coarse_size, progress)
    progress(0.6)
    mask = _fitted(image, brain, log_bias, level, voxel_size_mm, lambda: progress(0.6))
    volume = mask.sum(dtype=np.int64) * float(np.prod(voxel_size_mm))
    if volume > LARGEST_BRAIN_MM3:
        warn(
            f"The brain mask holds {volume / 1000:.0f} cm³, more than a human brain; "
            "it may contain scalp or neck. Check it before you trust the map."
        )
    progress(1.0)
    return mask


def _grown(
    normal: Array,
    core: Array,
    radius_mm: float,
    level: float,
    voxel_size_mm: Sequence[float],
    progress: Progress,
) -> Array:
    """The core grown back to the edge of its tissue, without crossing valleys."""
    largest = max(voxel_size_mm)
    box = bounding_box(core, margin_voxels(radius_mm + _GYRUS_MM + largest, voxel_size_mm))
    core, part = core[box], np.minimum(normal[box], 1.5)
    connected = _strongest_path(part, core, level, progress)
    tissue = (part > level) & (connected >= _VALLEY * part)
    near = dilate_mm(core, radius_mm + _GYRUS_MM, voxel_size_mm)
    # Gyri between dark sulci are thinner than the first ball; a second, smaller one gets into
    # them from the heart, but not through the bone, and not far.
    fine = max(radius_mm / 2, 1.5 * largest)
    if fine < radius_mm:
        thin = erode_mm(tissue & near, fine, voxel_size_mm)
        core = core | _touching(thin, dilate_mm(core, largest, voxel_size_mm))
    reach = dilate_mm(core, fine + largest, voxel_size_mm)
    brain = largest_component(open_mm(tissue & reach, min(1.5 * largest, radius_mm), voxel_size_mm))
    brain = fill_holes(close_mm(brain, 2 * largest + 2, voxel_size_mm), voxel_size_mm)
    out = np.zeros(normal.shape, dtype=bool)
    out[box] = brain
    return out


def _touching(mask: Array, other: Array) -> Array:
    """The pieces of a mask that another mask touches."""
    labels, count = ndimage.label(mask)
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels[other]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _strongest_path(image: Array, core: Array, level: float, progress: Progress) -> Array:
    """The lowest signal on the best path from each voxel to the core, in steps of 0.05."""
    strength = np.zeros(image.shape, dtype=np.float32)
    levels = np.arange(level, 1.5, 0.05)
    for i, threshold in enumerate(levels):
        strength[_touching(image >= threshold, core)] = threshold
        progress(0.3 + 0.3 * i / len(levels))
    return strength


def _fitted(
    image: Array,
    brain: Array,
    log_bias: Array,
    level: float,
    voxel_size_mm: Sequence[float],
    alive: Callable[[], None],
) -> Array:
    """The coarse mask on the full grid, its rim fitted to the tissue there."""
    if brain.shape == image.shape:
        return brain
    smooth = ndimage.gaussian_filter(brain.astype(np.float32), 0.6, mode="nearest")
    inside = _interpolate(smooth, image.shape)
    alive()
    box = bounding_box(inside > 0.1, 1)
    inside = inside[box]
    bias = np.exp(_interpolate(log_bias, image.shape)[box])
    alive()
    tissue = ndimage.gaussian_filter(image[box], 0.6, mode="nearest") > level * bias
    mask = (inside > 0.85) | ((inside > 0.15) & tissue)
    alive()
    # Sulcal veins and single noisy voxels leave notches and spurs in the rim.
    finest = float(min(voxel_size_mm))
    mask = close_mm(mask, max(2.0, finest), voxel_size_mm)
    alive()
    mask = largest_component(open_mm(mask, max(1.0, finest), voxel_size_mm))
    alive()
    out = np.zeros(image.shape, dtype=bool)
    out[box] = fill_holes(mask, voxel_size_mm)
    return out


def _bias_of_tissue(image: Array, voxel_size_mm: Sequence[float]) -> Array:
    """Log of the receive bias over all bright tissue, bright and dark outliers dropped."""
    tissue = image > 0.25 * np.percentile(image[image > 0], 98)
    for _ in range(3):
        log_bias = _smooth_log(image, tissue, voxel_size_mm, _HEAD_SIGMA_MM)
        # Half to one and a half times the brightness nearby: not fat, not fluid, not bone.
        tissue = np.abs(np.log(np.maximum(image, 1e-6)) - log_bias) < 0.5
    return _smooth_log(image, tissue, voxel_size_mm, _HEAD_SIGMA_MM)


def _smooth_log(
    image: Array, tissue: Array, voxel_size_mm: Sequence[float], sigma_mm: float
) -> Array:
    """Gaussian mean of the log signal over some voxels, carried on into all others."""
    shape, size = coarser_grid(image.shape, voxel_size_mm, _BIAS_GRID_MM)
    weight = tissue.astype(np.float32)
    signal = np.log(np.maximum(image, 1e-6)) * weight
    sigma = [sigma_mm / s for s in size]
    signal, weight = (
        ndimage.gaussian_filter(resampled(a, shape).astype(np.float64), sigma, truncate=6)
        for a in (signal, weight)
    )
    # Far from all tissue both are nearly nothing, and their ratio is that of the nearest.
    smooth = signal / np.maximum(weight, 1e-12)
    return _interpolate(smooth.astype(np.float32), image.shape)


def _normalised(image: Array, log_bias: Array) -> Array:
    return np.asarray(image * np.exp(-log_bias))


def coarser_grid(
    shape: Sequence[int], voxel_size_mm: Sequence[float], target_mm: float
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """A grid over the same box with voxels of about a size, and that size; never a finer one."""
    counts = tuple(
        max(1, min(n, round(n * size / target_mm)))
        for n, size in zip(shape, voxel_size_mm, strict=True)
    )
    sizes = tuple(
        n * size / count for n, size, count in zip(shape, voxel_size_mm, counts, strict=True)
    )
    return counts, sizes


def resampled(image: Array, shape: Sequence[int]) -> Array:
    """Mean over the part of the image under each voxel of a coarser grid on the same box."""
    return _along_axes(image, [_mean_matrix(n, m) for n, m in zip(image.shape, shape, strict=True)])


def _interpolate(image: Array, shape: Sequence[int]) -> Array:
    """Linear interpolation onto a finer grid over the same box."""
    return _along_axes(
        image, [_linear_matrix(n, m) for n, m in zip(image.shape, shape, strict=True)]
    )


def _along_axes(image: Array, matrices: Sequence[Array]) -> Array:
    for axis, matrix in enumerate(matrices):
        if matrix.shape[0] != matrix.shape[1]:
            image = np.moveaxis(np.tensordot(matrix, image, (1, axis)), 0, axis)
    return np.ascontiguousarray(image)


def _mean_matrix(n: int, m: int) -> Array:
    edges = np.arange(m + 1) * (n / m)
    low = np.maximum(edges[:-1, None], np.arange(n))
    high = np.minimum(edges[1:, None], np.arange(1, n + 1))
    return (np.maximum(high - low, 0) * (m / n)).astype(np.float32)


def _linear_matrix(n: int, m: int) -> Array:
    at = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0).astype(np.float32)
