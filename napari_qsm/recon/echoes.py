"""Stage *echoes*: from the unwrapped phase of each echo to one field map in ppm and its noise.

Every method gives ``(total_field_ppm, noise_ppm)`` on the grid of the mask, the field zero
outside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import QsmError
from napari_qsm.recon.echo_fits import fit_line, refine_complex
from napari_qsm.recon.echo_inputs import EchoData, paste, prepare
from napari_qsm.recon.field_noise import calibrated
from napari_qsm.recon.fourier import field_ppm_per_rad
from napari_qsm.recon.offsets import phase_offset
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

Array = npt.NDArray[Any]
Field = tuple[Array, Array | None]


@method(
    "echoes",
    "weighted",
    title="Weighted mean of the echoes",
    references=(
        "Eckstein K et al. 2018, Magn Reson Med 79:2996, doi:10.1002/mrm.26963",
        "Wu B et al. 2012, NeuroImage 59:297, doi:10.1016/j.neuroimage.2011.07.019",
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
            "smooths it; 'auto' does so where there are two.",
            choices=("auto", "none", "mcpc3ds"),
        ),
    ] = "auto",
    offset_sigma_mm: Annotated[
        float, Param("Smoothing of that phase.", unit="mm", ge=0, le=50)
    ] = 5.0,
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
        Standard deviation of the field, ppm; see :mod:`napari_qsm.recon.field_noise`. None
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
    return _finish(data, top / bottom, 1 / np.sqrt(bottom), data.times_s[0], progress)


@method("echoes", "linear-fit", title="Weighted line through the echoes", references=())
def linear_fit(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Slope of a line through the phases over echo time, weighted by magnitude².

    Each voxel has its own offset, so nothing is assumed about it; noise is higher than with
    ``weighted``. Parameters, results and errors are those of :func:`weighted`; two echoes are
    needed.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    _need_two(data, "linear-fit")
    progress(0.3)
    _, slope, noise = fit_line(data)
    return _finish(data, slope, noise, data.times_s[0], progress)


@method(
    "echoes",
    "nonlinear-fit",
    title="Nonlinear fit of the complex signal",
    references=("Liu T et al. 2013, Magn Reson Med 69:467, doi:10.1002/mrm.24272",),
)
def nonlinear_fit(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Field:
    """Field and offset that fit the complex signal of each voxel best, from unwrapped phase.

    It does not mind an echo that is a whole turn off in a voxel, and its noise is that of the
    complex signal. Parameters, results and errors are those of :func:`weighted`; two echoes
    are needed. Starts are the weighted line and the line through the first two echoes; the
    better result is kept, so the field comes out unwrapped.
    """
    data = prepare(
        unwrapped, mask, magnitude, echo_times_s, magnitude_echo_times_s, field_strength_t, phase
    )
    _need_two(data, "nonlinear-fit")
    if not data.exact:
        warn(
            "The nonlinear fit takes echoes that are whole turns apart for the same; it was given "
            "phase that is not unwrapped exactly (quality-guided unwrapping is)."
        )
    progress(0.1)
    intercept, slope, noise = fit_line(data)
    progress(0.2)
    slope = refine_complex(data, intercept, slope, lambda f: progress(0.2 + 0.6 * f))
    return _finish(data, slope, noise, data.times_s[0], progress)


@method(
    "echoes",
    "laplacian-sum",
    title="Sum of phases over sum of echo times",
    references=("Wei H et al. 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383",),
)
def laplacian_sum(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    magnitude_echo_times_s: Sequence[float] = (),
    field_strength_t: float = 0.0,
    phase: Array | None = None,
    *,
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
    variance: Array = np.full_like(total, len(data.times_s))
    if data.weights is not None:
        variance = np.sum([1 / weight for weight in data.weights], axis=0)
    return _finish(data, total, np.sqrt(variance), sum(data.times_s), progress)


def _need_two(data: EchoData, name: str) -> None:
    if len(data.times_s) < 2:
        raise QsmError(
            f"echoes.{name} fits a line over echo time and needs two echoes, but there is one; "
            "use echoes.weighted."
        )


def _finish(data: EchoData, phase: Array, noise: Array, time_s: float, progress: Progress) -> Field:
    """Phase gained in a time, and its relative noise, to field and noise in ppm."""
    ppm = phase.dtype.type(field_ppm_per_rad(time_s, data.field_strength_t))
    field = np.where(data.mask, phase * ppm, phase.dtype.type(0))
    noise_ppm = None
    if data.weights is not None:
        noise_ppm = paste(calibrated(noise, field, data.mask), data, outside="largest")
    progress(1.0)
    return paste(field, data), noise_ppm
