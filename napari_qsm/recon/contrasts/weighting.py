"""Magnitudes weighted by phase or susceptibility: SWI, tSWI, and the minimum over a slab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.quantities import GAMMA_BAR_HZ_PER_T
from napari_qsm.recon.contrasts.echoes import magnitudes_with_times
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


def _ready(have: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    magnitudes_with_times(have["magnitude"], have["magnitude_echo_times_s"], "A weighted image")


def _swi_ready(have: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    _ready(have, settings)
    if settings["source"] == "homodyne":
        _check_phase(have.get("raw_phase"), have["magnitude_echo_times_s"], have["echo_times_s"])
    else:
        _check_field(have.get("field_strength_t"))


def _check_phase(
    phase: Array | None, times_s: Sequence[float], phase_times_s: Sequence[float]
) -> None:
    if phase is None or len(phase_times_s) != len(times_s):
        raise MetadataError(
            "SWI by the homodyne filter needs a phase image for each magnitude; "
            "set swi.source=local-field."
        )


def _check_field(field_strength_t: float | None) -> None:
    if field_strength_t is None:
        raise MetadataError("SWI from the local field needs the field strength of the scanner.")


def _swi_departs(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    said = _echoes_said(settings)
    if settings["source"] == "local-field":
        return f"Beyond the cited method, the phase was that of the local field. {said}"
    return said


def _echoes_said(settings: Mapping[str, Any], warnings: Sequence[str] = ()) -> str:
    if settings["echoes"] == "longest":
        return "The longest echo was taken."
    return "Of several echoes the weighted images were averaged."


_Power = Annotated[int, Param("How often the weight is multiplied on.", ge=1, le=16)]
_Echoes = Annotated[
    str,
    Param(
        "Several echoes: the mean of the weighted images of all, or the longest alone.",
        choices=("mean", "longest"),
    ),
]


@method(
    "contrasts",
    "swi",
    title="SWI",
    references=("Haacke 2004, Magn Reson Med 52:612, doi:10.1002/mrm.20198",),
    beyond=_swi_departs,
    gives=("swi",),
    ready=_swi_ready,
)
def swi(
    magnitude: Array | None,
    magnitude_echo_times_s: Sequence[float],
    voxel_size_mm: Sequence[float],
    slice_axis: int,
    local_field_ppm: Array,
    field_strength_t: float | None = None,
    phase: Array | None = None,
    echo_times_s: Sequence[float] = (),
    *,
    source: Annotated[
        str,
        Param(
            "Phase from the local field, or the wrapped phase high-passed as in the paper.",
            choices=("local-field", "homodyne"),
        ),
    ] = "local-field",
    power: _Power = 4,
    darkens: Annotated[
        str,
        Param(
            "Which phase is made dark: that of veins and iron, or that of calcium.",
            choices=("paramagnetic", "diamagnetic"),
        ),
    ] = "paramagnetic",
    filter_mm: Annotated[
        float, Param("Detail that the homodyne filter's low-pass keeps.", unit="mm", ge=1, le=50)
    ] = 4.0,
    echoes: _Echoes = "mean",
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Magnitude times a power of a mask that falls from 1 at phase 0 to 0 at phase π.

    Parameters
    ----------
    magnitude : (M, x, y, z) ndarray or None
        Any unit.
    magnitude_echo_times_s : M floats
        s.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    slice_axis : int
        The homodyne filter works within slices, across this axis.
    local_field_ppm : (x, y, z) ndarray
        Paramagnetic sources positive; zero where unknown.
    field_strength_t : float, optional
        T; turns that field into phase.
    phase : (E, x, y, z) ndarray, optional
        Wrapped, rad, paramagnetic positive; for ``homodyne``.
    echo_times_s : E floats
        Of the phase, s.
    source, power, darkens, filter_mm, echoes
        Settings.
    progress, warn : callables
        See :mod:`napari_qsm.recon.stages`.

    Returns
    -------
    (x, y, z) ndarray
        float32, unit of the magnitude. Where the local field is not known it is the magnitude.

    Raises
    ------
    MetadataError
        Without magnitudes and their echo times, or without what the setting ``source`` needs.

    Notes
    -----
    Each echo is weighted by its own phase. With ``local-field`` that is the local field times the
    echo time, which has no wraps to hide and no filter's edges; beyond π the image is black.
    The field of a vein depends on how it lies to B0; across it, its own field is negative, and
    the SWI shows its surroundings. The homodyne filter divides the complex image by itself
    after a Hann window in k-space of the total width ``1 / filter_mm``, slice by slice.
    """
    images, times = magnitudes_with_times(magnitude, magnitude_echo_times_s, "SWI")
    if source == "homodyne":
        _check_phase(phase, times, echo_times_s)
    else:
        _check_field(field_strength_t)
    sign = 1.0 if darkens == "paramagnetic" else -1.0

    def weighted() -> Iterator[Array]:
        for number in _chosen(times, echoes):
            progress(number / len(times))
            if source == "homodyne":
                assert phase is not None
                angle = homodyne(
                    images[number], phase[number], voxel_size_mm, slice_axis, filter_mm=filter_mm
                )
            else:
                assert field_strength_t is not None
                turns = GAMMA_BAR_HZ_PER_T * field_strength_t * 1e-6 * times[number]
                angle = np.float32(2 * np.pi * turns) * local_field_ppm
            yield images[number] * phase_mask(sign * angle) ** power

    if source == "local-field":
        _tell_of_short_echo(times, field_strength_t, warn)
    return _mean(weighted(), images.shape[1:])


def _tell_of_short_echo(times: Sequence[float], field_strength_t: float | None, warn: Warn) -> None:
    """Phase of 0.1 ppm below 30 degrees hardly darkens anything."""
    degrees = 360 * GAMMA_BAR_HZ_PER_T * (field_strength_t or 0.0) * 1e-7 * max(times)
    if degrees < 30:
        warn(
            f"at the longest echo ({1e3 * max(times):.3g} ms) a field of 0.1 ppm makes a phase of "
            f"{degrees:.0f}° only, so that the image hardly differs from the magnitude."
        )


def phase_mask(angle: Array) -> Array:
    """1 where the angle (rad) is not positive, falling in a straight line to 0 at π and beyond."""
    return np.clip(1 - angle / angle.dtype.type(np.pi), 0, 1)


def homodyne(
    magnitude: Array,
    phase: Array,
    voxel_size_mm: Sequence[float],
    slice_axis: int,
    *,
    filter_mm: float,
) -> Array:
    """Phase against that of the image's own low-pass, within slices.

    Parameters
    ----------
    magnitude, phase : (x, y, z) ndarrays
        Phase in rad.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    slice_axis : int
        The axis that is not filtered.
    filter_mm : float
        The Hann window in k-space has the total width ``1 / filter_mm``.

    Returns
    -------
    (x, y, z) ndarray
        rad, within ±π.
    """
    signal = (magnitude * np.exp(1j * phase)).astype(np.complex64)
    axes = [axis for axis in range(3) if axis != slice_axis]
    spectrum = np.fft.fftn(signal, axes=axes)
    for axis in axes:
        k = np.fft.fftfreq(signal.shape[axis], voxel_size_mm[axis])
        window = np.where(
            np.abs(k) < 0.5 / filter_mm, 0.5 + 0.5 * np.cos(2 * np.pi * k * filter_mm), 0
        )
        spectrum *= window.reshape([-1 if a == axis else 1 for a in range(3)])
    low = np.fft.ifftn(spectrum, axes=axes)
    return np.angle(signal * low.conj()).astype(np.float32)


@method(
    "contrasts",
    "tswi",
    title="True SWI (tSWI)",
    references=("Liu 2014, J Magn Reson Imaging 40:698, doi:10.1002/jmri.24413",),
    beyond=_echoes_said,
    gives=("tswi",),
    ready=_ready,
)
def tswi(
    magnitude: Array | None,
    magnitude_echo_times_s: Sequence[float],
    chi_ppm: Array,
    *,
    from_ppm: Annotated[
        float, Param("Up to this χ nothing is darkened.", unit="ppm", ge=-1, le=1)
    ] = 0.0,
    to_ppm: Annotated[
        float, Param("From this χ on the image is black.", unit="ppm", ge=0.01, le=5)
    ] = 1.0,
    power: _Power = 2,
    echoes: _Echoes = "mean",
) -> Array:
    """Magnitude times a power of a weight that falls from 1 to 0 as χ rises.

    Parameters
    ----------
    magnitude : (M, x, y, z) ndarray or None
        Any unit.
    magnitude_echo_times_s : M floats
        s.
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    from_ppm, to_ppm, power, echoes
        Settings; the defaults are the paper's.

    Returns
    -------
    (x, y, z) ndarray
        float32, unit of the magnitude; the magnitude itself where χ is zero or unknown.

    Raises
    ------
    MetadataError
        Without magnitudes, or where the two limits are in the wrong order.

    Notes
    -----
    Unlike the phase, χ darkens the source itself, in whatever direction a vein runs. Where the
    zero of χ lies decides what is darkened, so the reference matters.
    """
    if not to_ppm > from_ppm:
        raise MetadataError("tSWI: the limit to_ppm must lie above from_ppm.")
    images, times = magnitudes_with_times(magnitude, magnitude_echo_times_s, "tSWI")
    weight = np.clip(1 - (chi_ppm - np.float32(from_ppm)) / np.float32(to_ppm - from_ppm), 0, 1)
    weight = weight.astype(np.float32) ** power
    return _mean((images[n] * weight for n in _chosen(times, echoes)), images.shape[1:])


@method(
    "contrasts",
    "mip",
    title="Minimum intensity projection of the SWI",
    references=("Haacke 2004, Magn Reson Med 52:612, doi:10.1002/mrm.20198",),
    gives=("mip",),
)
def mip(
    swi: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    slice_axis: int,
    *,
    thickness_mm: Annotated[
        float, Param("Of the slab that each slice is the middle of.", unit="mm", ge=1, le=60)
    ] = 10.0,
    warn: Warn = no_warning,
) -> Array:
    """In each slice the darkest value of a slab around it, so that veins read as lines.

    Parameters
    ----------
    swi : (x, y, z) ndarray
        The susceptibility-weighted image.
    mask : (x, y, z) bool ndarray
        Only voxels of the brain take part.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    slice_axis : int
        The axis that the slices are stacked along.
    thickness_mm : float
        Rounded to a whole number of slices, at least one.
    warn : callable
        Told where the slab holds a single slice.

    Returns
    -------
    (x, y, z) ndarray
        As many slices as before; 0 outside the mask. At the ends the slab is cut.
    """
    slices = max(1, round(thickness_mm / voxel_size_mm[slice_axis]))
    if slices == 1:
        warn("the slab holds one slice only, so it is the SWI itself; take a larger thickness_mm.")
    inside = np.where(mask, swi, np.inf).astype(np.float32)
    lowest = ndimage.minimum_filter1d(inside, slices, axis=slice_axis, mode="constant", cval=np.inf)
    return np.where(mask, lowest, 0).astype(np.float32)


def _chosen(times: Sequence[float], echoes: str) -> Sequence[int]:
    return range(len(times)) if echoes == "mean" else [int(np.argmax(times))]


def _mean(images: Iterator[Array], shape: tuple[int, ...]) -> Array:
    total, count = np.zeros(shape, np.float32), 0
    for image in images:
        total += image.astype(np.float32)
        count += 1
    return total / np.float32(count)
