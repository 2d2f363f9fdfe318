"""The mask method *phase-quality*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.mask.morphology import dilate_mm as dilated
from napari_qsm.recon.mask.morphology import largest_core
from napari_qsm.recon.mask.quality import phase_quality
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    ROMEO,
    Refinement,
    checked_magnitude,
    checked_phase,
    not_noise,
    part_of,
    refinable,
    refined,
)
from napari_qsm.recon.mask.threshold import otsu
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method("mask", "phase-quality", title="Phase quality alone", references=(ROMEO,))
@refinable(
    closing_mm=3.0, fill_holes_mm3=ANY_HOLE_MM3, keep_largest=True, erode_mm=0.0, dilate_mm=0.0
)
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
    refinement: Refinement = NO_REFINEMENT,
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
        If nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = checked_magnitude(magnitude, phase)
    good = phase_quality(phase, magnitude, progress=part_of(progress, 0.0, 0.6))
    not_noise(good)
    coherent = good >= (quality_threshold or _quality_between(good))
    core, radius = largest_core(coherent, opening_mm, voxel_size_mm)
    mask = coherent & dilated(core, radius + max(voxel_size_mm), voxel_size_mm)
    return refined(
        mask,
        phase,
        magnitude,
        voxel_size_mm,
        refinement,
        progress=part_of(progress, 0.6, 1.0),
    )


def _quality_between(quality: Array) -> float:
    """The quality between those of tissue and of noise, told apart by their phase noise.

    Quality q stands for a phase noise of sqrt(-ln(q) / 3) rad; on the scale of its logarithm
    tissue, bone and air are about equally wide. Without noise there is nothing to tell apart.
    """
    if (quality < 0.5).mean() < 0.02:
        return 0.5
    log_noise = np.log(-np.log(np.clip(quality, 1e-4, 1 - 1e-4)))
    return float(np.clip(np.exp(-np.exp(otsu(log_noise))), 0.5, 0.97))
