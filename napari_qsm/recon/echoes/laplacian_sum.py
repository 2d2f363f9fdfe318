"""The echo method *laplacian-sum*."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.echoes.curvature import Curvature, without_bowl
from napari_qsm.recon.echoes.prepare import Field, finish, prepare
from napari_qsm.recon.stages import Progress, Warn, method, no_progress, no_warning


@method(
    "echoes",
    "laplacian-sum",
    title="Sum of phases over sum of echo times",
    references=("Wei 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383",),
)
def laplacian_sum(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    voxel_size_mm: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    coil_curvature: Curvature = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Sum of the phases over the sum of the echo times, usual after Laplacian unwrapping.

    The magnitudes only serve the noise map. Parameters, results and errors are those of
    :func:`weighted`.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    progress(0.3)
    total = np.sum(data.unwrapped, axis=0)
    if coil_curvature:
        total = without_bowl(total * data.mask, data.mask, voxel_size_mm, lambda: progress(0.5))
    progress(0.6)
    variance: Array = np.full_like(total, len(data.times_s))
    if data.weights is not None:
        variance = np.sum([1 / weight for weight in data.weights], axis=0)
    return finish(data, total, np.sqrt(variance), sum(data.times_s), progress)
