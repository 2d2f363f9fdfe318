"""The inversion *two-pass*: tissue whose phase is reliable on its own, then all of it.

Bleeds, calcifications and large veins have fields that the scan cannot follow, and what is wrong in
them spreads over the map as streaks. The first pass takes them out of the mask: they are then part
of what lies outside, whose field background removal takes away, and the tissue is inverted without
them. The second pass inverts the whole local field, and gives what the first has left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.background.sharp import vsharp
from napari_qsm.recon.inversion.consistency import Updates, beyond_the_papers
from napari_qsm.recon.inversion.problem import same_shape
from napari_qsm.recon.inversion.settings import FollowNoise, Iterations, Lambda
from napari_qsm.recon.inversion.star import star
from napari_qsm.recon.inversion.trend import SettleTrend
from napari_qsm.recon.mask.quality import phase_quality
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Parts of the work, for the progress report: quality, background, each pass.
_QUALITY, _BACKGROUND = 0.04, 0.15


@method(
    "inversion",
    "two-pass",
    title="Two passes: reliable phase, then all",
    references=(
        "Stewart 2022, Magn Reson Med 87:1289, doi:10.1002/mrm.29048",
        "Wei 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383",
    ),
    beyond=beyond_the_papers,
)
def two_pass(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    phase: Array,
    total_field_ppm: Array,
    mask: Array,
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    quality_threshold: Annotated[
        float,
        Param(
            "The first pass leaves out voxels whose phase is less coherent than this "
            "(0.5 stands for an SNR of about 2).",
            ge=0,
            le=1,
        ),
    ] = 0.5,
    smallest_mm3: Annotated[
        float, Param("Smaller pieces of poor phase are left in.", unit="mm³", ge=0, le=1e6)
    ] = 100.0,
    margin_mm: Annotated[
        float,
        Param(
            "The first pass ends this far from what it leaves out: V-SHARP's smallest ball.",
            unit="mm",
            ge=0.1,
            le=12,
        ),
    ] = 3.0,
    lambda_ppm: Lambda = 5e-5,
    iterations: Iterations = 24,
    updates: Updates = 0,
    follow_noise: FollowNoise = False,
    settle_trend: SettleTrend = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Tissue of reliable phase inverted without bleeds and the like, which a second pass adds.

    Parameters and errors are those of :func:`~napari_qsm.recon.inversion.star.star`, and

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad; tells where it is reliable.
    total_field_ppm : (x, y, z) ndarray
        Field before background removal, ppm.
    mask : (x, y, z) ndarray of bool
        Where the total field is known; holes filled, as the second pass is to have them.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    Where the first pass is valid its map stands, elsewhere the second one's, shifted by the median
    of their differences where both are. Without poor phase inside the mask the second pass alone is
    the result, and this is said. Ours: both passes are V-SHARP and STAR-QSM, where the paper takes TGV
    from the wrapped phase; poor phase is told by second differences
    (:func:`~napari_qsm.recon.mask.quality.phase_quality`); and the shift.

    References
    ----------
    Stewart, Robinson, O'Brien et al. 2022, Magn Reson Med 87:1289, doi:10.1002/mrm.29048.
    """
    for name, array in (("phase", phase), ("total field", total_field_ppm), ("mask", mask)):
        same_shape(array.shape[-3:], local_mask.shape, name)
    poor = poor_pieces(
        phase,
        magnitude,
        mask,
        quality_threshold,
        smallest_mm3 / float(np.prod(voxel_size_mm)),
        lambda fraction: progress(_QUALITY * fraction),
    )

    def inverted(field: Array, valid: Array, whole: Array, told: Progress) -> Array:
        return star(
            field,
            valid,
            voxel_size_mm,
            b0_direction,
            magnitude,
            noise_ppm,
            total_field_ppm,
            whole,
            lambda_ppm=lambda_ppm,
            iterations=iterations,
            updates=updates,
            follow_noise=follow_noise,
            settle_trend=settle_trend,
            progress=told,
            warn=warn,
        )

    if not poor.any():
        warn("No phase inside the mask is poor enough to be left out, so one pass was made.")
        return inverted(
            local_field_ppm,
            local_mask,
            mask,
            lambda fraction: progress(_QUALITY + (1 - _QUALITY) * fraction),
        )
    share = (1 - _QUALITY - _BACKGROUND) / 2
    reliable = mask & ~poor
    field, valid = vsharp(
        total_field_ppm,
        reliable,
        voxel_size_mm,
        b0_direction,
        radius_min_mm=margin_mm,
        progress=lambda fraction: progress(_QUALITY + _BACKGROUND * fraction),
        warn=warn,
    )
    start = _QUALITY + _BACKGROUND
    first = inverted(field, valid, reliable, lambda part: progress(start + share * part))
    del field
    second = inverted(
        local_field_ppm, local_mask, mask, lambda part: progress(start + share * (1 + part))
    )
    return combined(first, valid, second, local_mask)


def poor_pieces(
    phase: Array,
    magnitude: Array | None,
    mask: Array,
    threshold: float,
    fewest: float,
    progress: Progress = no_progress,
) -> Array:
    """Connected voxels of the mask whose phase is poor, in pieces of at least so many voxels.

    Parameters
    ----------
    phase, magnitude
        As for :func:`~napari_qsm.recon.mask.quality.phase_quality`.
    mask : (x, y, z) ndarray of bool
    threshold : float
        Quality below this is poor.
    fewest : float
        Voxels of a piece.
    progress : callable
    """
    if threshold == 0:
        return np.zeros_like(mask)
    poor = mask & (phase_quality(phase, magnitude, mask, progress=progress) < threshold)
    pieces, _ = ndimage.label(poor)
    large = np.bincount(pieces.ravel()) >= fewest
    large[0] = False
    return np.asarray(large[pieces])


def combined(first: Array, valid: Array, second: Array, local_mask: Array) -> Array:
    """The first map where it is valid, elsewhere the second; mean zero over the local mask.

    Parameters
    ----------
    first, second : (x, y, z) ndarray
        Maps, ppm.
    valid, local_mask : (x, y, z) ndarray of bool
        Where the first and the second are valid; only the local mask is filled.

    Raises
    ------
    QsmError
        If they have no voxel in common.
    """
    both = valid & local_mask
    if not both.any():
        raise QsmError(
            "The passes have no voxel in common; lower the quality threshold of the first."
        )
    shift = np.median(first[both] - second[both])
    chi = np.where(both, first, second + shift)
    chi -= chi[local_mask].mean(dtype=np.float64)
    return np.where(local_mask, chi, 0).astype(second.dtype)
