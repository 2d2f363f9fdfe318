"""Mask stage: which voxels hold brain whose phase can be trusted.

Each method first finds a region (in the magnitude, in the phase, by another program, from
outside) and then refines it in the same steps, see :mod:`napari_qsm.recon.refine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.brain import brain_mask, combined_magnitude
from napari_qsm.recon.morphology import dilate_mm as dilated
from napari_qsm.recon.morphology import largest_core
from napari_qsm.recon.quality import phase_quality
from napari_qsm.recon.refine import (
    ANY_HOLE_MM3,
    Closing,
    Dilate,
    Erode,
    FillHoles,
    KeepLargest,
    QualityThreshold,
    checked_magnitude,
    checked_phase,
    needed_magnitude,
    part_of,
    refined,
    without_dim_rim,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

Array = npt.NDArray[Any]

_ROMEO = "Dymerska 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563"


@method(
    "mask",
    "brain",
    title="Brain from magnitude and phase quality",
    references=("Smith 2002, Hum Brain Mapp 17:143, doi:10.1002/hbm.10062", _ROMEO),
)
def brain(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    level: Annotated[
        float,
        Param("Tissue is what exceeds this share of the brain's signal nearby.", ge=0.1, le=0.9),
    ] = 0.65,
    opening_mm: Annotated[
        float,
        Param(
            "Connections thinner than twice this do not belong to the brain.",
            unit="mm",
            ge=0,
            le=30,
        ),
    ] = 7.0,
    quality_threshold: QualityThreshold = 0.6,
    closing_mm: Closing = 3.0,
    fill_holes_mm3: FillHoles = ANY_HOLE_MM3,
    keep_largest: KeepLargest = True,
    erode_mm: Erode = 0.0,
    dilate_mm: Dilate = 0.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Brain extraction from the magnitude, less the rim where the phase is noise.

    Works on whole heads and on crops from inside the brain.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    magnitude : (M, x, y, z) ndarray or None
        Magnitudes, any unit.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    level, opening_mm
        See :func:`napari_qsm.recon.brain.brain_mask`.
    quality_threshold, closing_mm, fill_holes_mm3, keep_largest, erode_mm, dilate_mm
        See :func:`~napari_qsm.recon.refine.refined`.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a magnitude.
    QsmError
        If nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "brain")
    mask = brain_mask(
        magnitude,
        voxel_size_mm,
        level=level,
        opening_mm=opening_mm,
        progress=part_of(progress, 0.0, 0.6),
        warn=warn,
    )
    return refined(
        mask,
        phase,
        magnitude,
        voxel_size_mm,
        quality_threshold=quality_threshold,
        closing_mm=closing_mm,
        fill_holes_mm3=fill_holes_mm3,
        keep_largest=keep_largest,
        erode_mm=erode_mm,
        dilate_mm=dilate_mm,
        progress=part_of(progress, 0.6, 1.0),
    )


@method("mask", "threshold", title="Magnitude threshold")
def threshold(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    level: Annotated[
        float,
        Param(
            "Share of the bright signal (98th percentile) that a voxel must exceed; "
            "0 finds the level between dark and bright (Otsu).",
            ge=0,
            le=1,
        ),
    ] = 0.0,
    quality_threshold: QualityThreshold = 0.0,
    closing_mm: Closing = 0.0,
    fill_holes_mm3: FillHoles = ANY_HOLE_MM3,
    keep_largest: KeepLargest = True,
    erode_mm: Erode = 0.0,
    dilate_mm: Dilate = 0.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Everything brighter than a level in the magnitude: scalp and skull are not told apart.

    Parameters
    ----------
    phase, magnitude, voxel_size_mm
        As for :func:`brain`.
    level : float
        Share of the 98th percentile of the combined magnitude; 0 takes Otsu's threshold.
    quality_threshold, closing_mm, fill_holes_mm3, keep_largest, erode_mm, dilate_mm
        See :func:`~napari_qsm.recon.refine.refined`.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a magnitude.
    QsmError
        If nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "threshold")
    image = combined_magnitude(magnitude)
    cut = level * float(np.percentile(image, 98)) if level > 0 else _otsu(image)
    return refined(
        image > cut,
        phase,
        magnitude,
        voxel_size_mm,
        quality_threshold=quality_threshold,
        closing_mm=closing_mm,
        fill_holes_mm3=fill_holes_mm3,
        keep_largest=keep_largest,
        erode_mm=erode_mm,
        dilate_mm=dilate_mm,
        progress=progress,
    )


@method("mask", "phase-quality", title="Phase quality alone", references=(_ROMEO,))
def phase_quality_mask(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    quality_threshold: Annotated[
        float,
        Param(
            "Leave out voxels whose phase is less coherent than this; "
            "0 finds the level between tissue and noise (Otsu, within 0.5 and 0.97).",
            ge=0,
            le=1,
        ),
    ] = 0.0,
    opening_mm: Annotated[
        float,
        Param("Connections thinner than twice this are cut.", unit="mm", ge=0, le=30),
    ] = 7.0,
    closing_mm: Closing = 3.0,
    fill_holes_mm3: FillHoles = ANY_HOLE_MM3,
    keep_largest: KeepLargest = True,
    erode_mm: Erode = 0.0,
    dilate_mm: Dilate = 0.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Everything whose phase is coherent: for data without a magnitude.

    Scalp and muscles with a good phase are cut off only where the bridge to them is thin.

    Parameters
    ----------
    phase, magnitude, voxel_size_mm
        As for :func:`brain`; the magnitude may be None and only weighs echoes.
    quality_threshold : float
        Voxels below are left out; 0 finds the level between tissue and noise.
    opening_mm : float
        Radius of the ball that must fit through a connection.
    closing_mm, fill_holes_mm3, keep_largest, erode_mm, dilate_mm
        See :func:`~napari_qsm.recon.refine.refined`.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    QsmError
        If nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = checked_magnitude(magnitude, phase)
    good = phase_quality(phase, magnitude, progress=part_of(progress, 0.0, 0.6))
    coherent = good >= (quality_threshold or _quality_between(good))
    core, radius = largest_core(coherent, opening_mm, voxel_size_mm)
    mask = coherent & dilated(core, radius + max(voxel_size_mm), voxel_size_mm)
    return refined(
        mask,
        phase,
        magnitude,
        voxel_size_mm,
        closing_mm=closing_mm,
        fill_holes_mm3=fill_holes_mm3,
        keep_largest=keep_largest,
        erode_mm=erode_mm,
        dilate_mm=dilate_mm,
        progress=part_of(progress, 0.6, 1.0),
    )


@method("mask", "given", title="A mask of your own")
def given(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    given_mask: Array | None = None,
    *,
    rim_level: Annotated[
        float,
        Param(
            "Leave out rim voxels darker than this share of the tissue around them; 0 keeps them.",
            ge=0,
            le=1,
        ),
    ] = 0.5,
    quality_threshold: QualityThreshold = 0.5,
    closing_mm: Closing = 3.0,
    fill_holes_mm3: FillHoles = ANY_HOLE_MM3,
    keep_largest: KeepLargest = False,
    erode_mm: Erode = 0.0,
    dilate_mm: Dilate = 0.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """The mask that came with the scan, less rim voxels that are dark or whose phase is noise.

    Such a rim spoils the background removal far into the brain, so it is left out unless
    ``rim_level`` and ``quality_threshold`` are 0; nothing is added to the mask unless
    ``dilate_mm`` asks for it.

    Parameters
    ----------
    phase, magnitude, voxel_size_mm
        As for :func:`brain`; the magnitude may be None.
    given_mask : (x, y, z) ndarray of bool, or of 0 and 1
        The mask.
    rim_level : float
        See :func:`~napari_qsm.recon.refine.without_dim_rim`; needs a magnitude.
    quality_threshold, closing_mm, fill_holes_mm3, keep_largest, erode_mm, dilate_mm
        See :func:`~napari_qsm.recon.refine.refined`.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a mask.
    GeometryError
        For a mask of another shape.
    QsmError
        For values other than 0 and 1, or if nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = checked_magnitude(magnitude, phase)
    if given_mask is None:
        raise MetadataError(
            "The recipe asks for a given mask but none was given; "
            "give one, or choose another mask method."
        )
    mask = _as_mask(given_mask, phase.shape[1:])
    if mask.all():
        warn(
            "The given mask covers the whole volume, so nothing lies outside it for the "
            "background field to come from; check that it is the right file."
        )
    trimmed = mask
    if rim_level > 0 and magnitude is not None and mask.any():
        trimmed = without_dim_rim(mask, combined_magnitude(magnitude), voxel_size_mm, rim_level)
    kept = refined(
        trimmed,
        phase,
        magnitude,
        voxel_size_mm,
        quality_threshold=quality_threshold,
        closing_mm=closing_mm,
        fill_holes_mm3=fill_holes_mm3,
        keep_largest=keep_largest,
        erode_mm=erode_mm,
        progress=progress,
    )
    kept &= mask  # holes that came with the mask stay
    dropped = 100 * (1 - np.count_nonzero(kept) / np.count_nonzero(mask))
    if dropped >= 0.1:
        warn(
            f"{dropped:.1f} % of the given mask was left out, rim that is dark or whose phase is noise."
        )
    if dilate_mm > 0:
        kept = dilated(kept, dilate_mm, voxel_size_mm)
    return kept


@method("mask", "whole", title="The whole volume")
def whole(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    quality_threshold: QualityThreshold = 0.0,
    closing_mm: Closing = 0.0,
    fill_holes_mm3: FillHoles = ANY_HOLE_MM3,
    keep_largest: KeepLargest = False,
    erode_mm: Erode = 0.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """All voxels, for crops from inside the brain; those without a phase are left out.

    Parameters
    ----------
    phase, magnitude, voxel_size_mm
        As for :func:`brain`; the magnitude may be None.
    quality_threshold, closing_mm, fill_holes_mm3, keep_largest, erode_mm
        See :func:`~napari_qsm.recon.refine.refined`.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    QsmError
        If nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = checked_magnitude(magnitude, phase)
    return refined(
        np.asarray(np.isfinite(phase).all(axis=0)),
        phase,
        magnitude,
        voxel_size_mm,
        quality_threshold=quality_threshold,
        closing_mm=closing_mm,
        fill_holes_mm3=fill_holes_mm3,
        keep_largest=keep_largest,
        erode_mm=erode_mm,
        progress=progress,
    )


def _as_mask(values: Array, shape: tuple[int, ...]) -> Array:
    """A mask from outside as bool, refused unless it holds zeros and ones on the right grid."""
    values = np.asarray(values)
    if values.shape != shape:
        raise GeometryError(f"The given mask has shape {values.shape} but the phase has {shape}.")
    if values.dtype == bool:
        return values
    ones = values == 1
    if not (ones | (values == 0)).all():
        odd = values[~(ones | (values == 0))].flat[0]
        raise QsmError(
            f"The given mask holds the value {odd:g}; a mask may hold only 0 and 1. "
            "For a label image, choose the labels first."
        )
    return ones


def _otsu(image: Array) -> float:
    """Threshold between two classes of brightness with the largest variance between them.

    Otsu 1979, IEEE Trans Syst Man Cybern 9:62, doi:10.1109/TSMC.1979.4310076
    """
    counts, edges = np.histogram(image, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sum_below = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = sum_below / below - (sum_below[-1] - sum_below) / above
        between = np.nan_to_num(below * above * apart**2)
    return float(edges[1:][between.argmax()])


def _quality_between(quality: Array) -> float:
    """The quality between those of tissue and of noise, told apart by their phase noise.

    Quality q stands for a phase noise of sqrt(-ln(q) / 3) rad; on the scale of its logarithm
    tissue, bone and air are about equally wide. Without noise there is nothing to tell apart.
    """
    if (quality < 0.5).mean() < 0.02:
        return 0.5
    log_noise = np.log(-np.log(np.clip(quality, 1e-4, 1 - 1e-4)))
    return float(np.clip(np.exp(-np.exp(_otsu(log_noise))), 0.5, 0.97))


# Registers the methods that need other programs, after those that do not.
from napari_qsm.recon import brain_tools as _brain_tools  # noqa: E402, F401
