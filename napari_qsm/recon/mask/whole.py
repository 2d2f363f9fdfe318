"""The mask method *whole*."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    Refinement,
    checked_magnitude,
    checked_phase,
    refinable,
    refined,
)
from napari_qsm.recon.stages import Progress, Warn, method, no_progress, no_warning


@method("mask", "whole", title="The whole volume")
@refinable(
    quality_threshold=0.0,
    closing_mm=0.0,
    fill_holes_mm3=ANY_HOLE_MM3,
    keep_largest=False,
    erode_mm=0.0,
)
def whole(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    refinement: Refinement = NO_REFINEMENT,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """All voxels, for crops from inside the brain; those without a phase are left out.

    Parameters
    ----------
    phase, magnitude, voxel_size_mm
        As for :func:`brain`; the magnitude may be None.
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
    QsmError
        If nothing is left, or if the phase is noise.
    """
    phase = checked_phase(phase)
    magnitude = checked_magnitude(magnitude, phase)
    return refined(
        np.asarray(np.isfinite(phase).all(axis=0)),
        phase,
        magnitude,
        voxel_size_mm,
        refinement,
        refuse_noise=True,
        progress=progress,
    )
