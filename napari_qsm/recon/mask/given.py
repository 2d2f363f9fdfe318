"""The mask method *given*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.mask.extraction import combined_magnitude
from napari_qsm.recon.mask.left_out import left_out
from napari_qsm.recon.mask.morphology import dilate_mm as dilated
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    Refinement,
    checked_magnitude,
    checked_phase,
    refinable,
    refined,
    without_dim_rim,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method("mask", "given", title="A mask of your own")
@refinable(
    quality_threshold=0.5,
    closing_mm=3.0,
    fill_holes_mm3=ANY_HOLE_MM3,
    keep_largest=False,
    erode_mm=0.0,
    dilate_mm=0.0,
)
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
    refinement: Refinement = NO_REFINEMENT,
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
        See :func:`~napari_qsm.recon.mask.refine.without_dim_rim`; needs a magnitude.
    refinement : Refinement
        The last steps; its fields are given as settings of their own.
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
        replace(refinement, dilate_mm=0.0),
        progress=progress,
    )
    kept &= mask  # holes that came with the mask stay
    dropped = 100 * (1 - np.count_nonzero(kept) / np.count_nonzero(mask))
    if dropped >= 0.1:
        warn(
            f"{dropped:.1f} % of the given mask was left out, rim that is dark or whose phase is noise."
        )
    if refinement.dilate_mm > 0:
        kept = dilated(kept, refinement.dilate_mm, voxel_size_mm)
    missing = None if magnitude is None else left_out(kept, magnitude, voxel_size_mm)
    if missing is not None and missing.sentence:
        warn(missing.sentence)
    return kept


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
