"""The echo method *weighted*: a mean of the echoes, weighted by their noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.echoes.curvature import Curvature, without_bowl
from napari_qsm.recon.echoes.offsets import phase_offset
from napari_qsm.recon.echoes.prepare import Field, finish, prepare
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: First echo time over the spacing of the first two echoes, up to which *auto* estimates the phase at
#: echo time zero: by so much, and a half, it is noisier than the phase itself before it is smoothed, and
#: smoothing over 5 mm takes away a factor of 10 to 40.
_LONGEST_LEVER = 10.0


@method(
    "echoes",
    "weighted",
    title="Weighted mean of the echoes",
    references=(
        "Eckstein 2018, Magn Reson Med 79:2996, doi:10.1002/mrm.26963",
        "Wu 2012, NeuroImage 59:297, doi:10.1016/j.neuroimage.2011.07.019",
    ),
)
def weighted(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    voxel_size_mm: Sequence[float] = (1.0, 1.0, 1.0),
    phase: Array | None = None,
    *,
    offset: Annotated[
        str,
        Param(
            "Phase at echo time zero: 'mcpc3ds' estimates it from the first two echoes and "
            "smooths it; 'auto' does so where there are two that lie far enough apart.",
            choices=("auto", "none", "mcpc3ds"),
        ),
    ] = "auto",
    offset_sigma_mm: Annotated[
        float, Param("Smoothing of that phase.", unit="mm", ge=0, le=50)
    ] = 5.0,
    coil_curvature: Curvature = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Mean of the echoes' fields, weighted by their precision (magnitude² TE²).

    Parameters
    ----------
    unwrapped : (E, x, y, z) ndarray
        Unwrapped phase, rad.
    mask : (x, y, z) bool ndarray
    magnitude : (M, x, y, z) ndarray, optional
        One per echo, or one for all; for a phase difference those of its two echoes.
    echo_times_s : E floats
    magnitude_echo_times_s : M floats
    field_strength_t : float
    voxel_size_mm : three floats
    phase : (E, x, y, z) ndarray, optional
        Wrapped phase, rad: tells whether the unwrapping was exact to whole turns.

    Returns
    -------
    total_field_ppm : (x, y, z) ndarray
        ppm of B0, same precision as the phase; 0 outside the mask.
    noise_ppm : (x, y, z) ndarray or None
        Standard deviation of the field, ppm; see :mod:`napari_qsm.recon.echoes.noise`. None
        without magnitudes.

    Raises
    ------
    GeometryError, QsmError
        If arrays do not fit, the mask is empty, or the offset is asked of a single echo.

    Notes
    -----
    The noise of the phase is inverse to the magnitude, so that of an echo's field is inverse to
    magnitude times echo time. Echoes whose unwrapping is exact but started on different whole
    turns are first brought into line. Laplacian unwrapping loses the constant of each
    echo instead: then all echoes get mean zero, which only changes the field by a constant.
    The offset is taken from unwrapped echoes in both cases, since what Laplacian unwrapping
    distorts is smooth and goes into both echoes alike.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    echoes = len(data.times_s)
    if offset == "mcpc3ds" and echoes == 1:
        raise QsmError(
            "The phase offset cannot be estimated from a single echo; set echoes.offset to auto "
            "or none."
        )
    progress(0.2)
    start: Array | float = 0.0
    if echoes > 1 and offset == "auto":
        apart_s = abs(data.times_s[1] - data.times_s[0])
        if data.times_s[0] > _LONGEST_LEVER * apart_s:
            warn(
                f"The first two echoes lie only {1e3 * apart_s:.3g} ms apart, at "
                f"{1e3 * data.times_s[0]:.3g} ms, which says nothing about the phase at echo time zero; "
                "it was taken for zero, as with a single echo."
            )
            offset = "none"
    if echoes > 1 and offset != "none":
        start = phase_offset(
            data.unwrapped[0],
            data.unwrapped[1],
            data.times_s,
            data.mask,
            None if data.weights is None else np.sqrt(data.weights[0] * data.weights[1]),
            offset_sigma_mm,
            voxel_size_mm,
        )
        progress(0.5)
    top = np.zeros_like(data.unwrapped[0])
    bottom = np.zeros_like(top)
    for echo, time_s in enumerate(data.times_s):
        te = top.dtype.type(time_s / data.times_s[0])  # near 1: no tiny squares in float32
        weight = top.dtype.type(1) if data.weights is None else data.weights[echo]
        top += weight * te * (data.unwrapped[echo] - start)
        bottom += weight * te * te
        progress(0.5 + 0.3 * (echo + 1) / echoes)
    mean = top / bottom
    if coil_curvature and (echoes == 1 or offset == "none"):
        mean = without_bowl(mean * data.mask, data.mask, voxel_size_mm, lambda: progress(0.8))
    return finish(data, mean, 1 / np.sqrt(bottom), data.times_s[0], progress)
