"""The mask method *threshold*, and where it cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.mask.extraction import combined_magnitude
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    Refinement,
    checked_phase,
    needed_magnitude,
    refinable,
    refined,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method("mask", "threshold", title="Magnitude threshold")
@refinable(
    quality_threshold=0.0,
    closing_mm=0.0,
    fill_holes_mm3=ANY_HOLE_MM3,
    keep_largest=True,
    erode_mm=0.0,
    dilate_mm=0.0,
)
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
    refinement: Refinement = NO_REFINEMENT,
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
        If nothing is left, or if the phase is noise.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "threshold")
    image = combined_magnitude(magnitude)
    cut = level * float(np.percentile(image, 98)) if level > 0 else otsu(image)
    return refined(
        image > cut,
        phase,
        magnitude,
        voxel_size_mm,
        refinement,
        refuse_noise=True,
        progress=progress,
    )


def otsu(image: Array) -> float:
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
