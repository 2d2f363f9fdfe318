"""Quality-guided unwrapping over a spanning tree, exact to whole turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning
from napari_qsm.recon.unwrap.checks import check_phase_and_mask
from napari_qsm.recon.unwrap.exact import unwrap_exactly


@method(
    "unwrap",
    "quality-guided",
    title="Quality-guided (exact)",
    references=(
        "Dymerska 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563",
        "Eckstein 2018, Magn Reson Med 79:2996, doi:10.1002/mrm.26963",
    ),
)
def quality_guided(
    phase: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    voxel_size_mm: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    correct: Annotated[
        bool,
        Param(
            "Afterwards turn single voxels that stand out by a whole turn, and steep places "
            "into line with the phase around them."
        ),
    ] = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Quality-guided unwrapping, exact: the result differs from the phase by whole turns.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    mask : (x, y, z) bool ndarray
    magnitude : (M, x, y, z) ndarray, optional
        Only weighs voxels when the phase offset between echoes is smoothed; edges are weighed
        by the phase alone, see :func:`napari_qsm.recon.unwrap.edge_weights.edge_weights`.
    echo_times_s : E floats
        Needed for more than one echo.
    voxel_size_mm : three floats
        For smoothing the phase offset between echoes.

    Returns
    -------
    (E, x, y, z) ndarray
        Unwrapped phase, rad, same precision; 0 outside the mask. The largest part of the mask
        has a mean within half a turn of zero, other parts follow it.

    Raises
    ------
    GeometryError, QsmError
        See :func:`check_phase_and_mask`.

    Notes
    -----
    The first echo and the difference of the first two are unwrapped in space over one
    maximum spanning tree, and steep places of them settled by
    :func:`~napari_qsm.recon.unwrap.extrapolation.extrapolated`. They give the phase offset (smoothed, as in MCPC-3D-S); every
    later echo then takes the whole turns that the field fitted to the earlier echoes
    predicts, so that gradients too steep for a late echo do no harm.
    """
    phase, mask = check_phase_and_mask(phase, mask)
    box = bounding_box(mask)
    return unwrap_exactly(
        phase, mask, box, magnitude, echo_times_s, voxel_size_mm, correct=correct, progress=progress
    )
