"""The mask method *brain*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from napari_qsm.arrays import Array
from napari_qsm.recon.mask.extraction import brain_mask
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    ROMEO,
    Refinement,
    checked_phase,
    needed_magnitude,
    part_of,
    refinable,
    refined,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method(
    "mask",
    "brain",
    title="Brain from magnitude and phase quality",
    references=(ROMEO,),
)
@refinable(
    quality_threshold=0.6,
    closing_mm=3.0,
    fill_holes_mm3=ANY_HOLE_MM3,
    keep_largest=True,
    erode_mm=0.0,
    dilate_mm=0.0,
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
    refinement: Refinement = NO_REFINEMENT,
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
        See :func:`napari_qsm.recon.mask.extraction.brain_mask`.
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
        refinement,
        progress=part_of(progress, 0.6, 1.0),
    )
