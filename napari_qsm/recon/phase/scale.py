"""Stage *phase*: from the numbers a scanner stored to wrapped phase in radians.

No scanner writes radians by default and few files say what they hold, so the unit is taken
from what is declared, else from a range that is filled to both ends (wrapped phase always
fills its range), else it is refused. The range is never stretched to fit unless the user
says so: a masked or narrow-range phase would come out silently wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, MetadataError
from napari_qsm.quantities import ANGLES, MOST_TURNS, PhaseRange, filled_range, unit_of
from napari_qsm.recon.phase.alternate_slices import find_alternate_slices, flip_alternate_slices
from napari_qsm.recon.stages import (
    Param,
    Progress,
    Warn,
    method,
    no_progress,
    no_warning,
)

#: Ranges of degrees, which only contradict other units: half a turn is also other numbers.
_DEGREES = (
    PhaseRange(-180.0, 180.0, 0.0, np.pi / 180, "±180 degrees"),
    PhaseRange(0.0, 360.0, 0.0, np.pi / 180, "0 to 360 degrees"),
)
_HOW_TO_STATE = (
    "State the unit with phase.unit (rad, mrad, deg, siemens, range) or give the stored value "
    "that means pi with phase.full_scale."
)


class PhaseUnit(NamedTuple):
    """How stored values become radians: ``(stored - zero) * scale``.

    Attributes
    ----------
    scale : float
        Radians per stored unit.
    explanation : str
        One sentence on how this was decided.
    zero : float
        The stored value that means a phase of zero.
    """

    scale: float
    explanation: str
    zero: float = 0.0


def wrap_phase(phase: Array) -> Array:
    """Phase wrapped to [-pi, pi), rad; same shape, float32 or float64 as given.

    Angles are not changed: pi becomes -pi, and values already inside stay bit by bit.
    """
    phase = np.asarray(phase)
    pi, turn = phase.dtype.type(np.pi), phase.dtype.type(2 * np.pi)
    out = phase - turn * np.rint(phase / turn)
    return np.where(out >= pi, out - turn, out)


def decide_phase_unit(
    raw_phase: Array,
    metadata: Mapping[str, Any] | None = None,
    *,
    unit: str = "auto",
    full_scale: float = 0.0,
) -> PhaseUnit:
    """What the stored values of a phase image mean, and how that was decided.

    Parameters
    ----------
    raw_phase : ndarray
        Phase as read from the file (after its own slope and intercept), all echoes together.
    metadata : dict, optional
        BIDS sidecar entries; ``Units``, ``PhaseUnit`` and ``Manufacturer`` are read.
    unit : str
        ``"auto"``, or what the user states: ``"rad"``, ``"mrad"``, ``"deg"``, ``"siemens"``
        (12-bit: -4096..4094 or 0..4095 for one turn) or ``"range"`` (lowest and highest value
        are the two ends of one turn).
    full_scale : float
        The stored value that means pi; 0 where not given. It overrules everything else.

    Returns
    -------
    PhaseUnit
        Unpacks to ``scale, explanation, zero``.

    Raises
    ------
    MetadataError
        If nothing is declared and the range fits no known unit, if what is declared
        contradicts the values, or if the image is constant or holds no number.
    """
    low, high = _observed_range(raw_phase)
    said = f"values from {low:.6g} to {high:.6g}"
    if full_scale > 0:
        return PhaseUnit(np.pi / full_scale, f"The stored value {full_scale:g} was given as pi.")
    if unit != "auto":
        return _stated_unit(unit, low, high, said)
    declared = _declared_unit(metadata or {}, said)
    if declared:
        return _check_declared(declared, raw_phase, low, high, said)
    known = _known_range(low, high, said)
    if known:
        return known
    siemens = "siemens" in str((metadata or {}).get("Manufacturer", "")).lower()
    # Numbers within ±2048 could also be 12 bits as they are; spread over ±4096 they are even.
    wide = max(-low, high) > 2048 * 1.02
    whole = _is_whole(raw_phase) if wide else _is_even(raw_phase)
    if siemens and -4096 <= low < 0 and -low > 100 and high <= 4096 and whole:
        return PhaseUnit(
            np.pi / 4096,
            f"Whole numbers ({said}) from a Siemens scanner: 4096 stands for pi.",
        )
    raise MetadataError(
        f"The unit of the phase is not declared and its {said} do not fill a known range "
        f"(±3.14159 rad, ±3142 mrad, ±4096, ±2048 or 0-4095). {_HOW_TO_STATE}"
    )


def _observed_range(raw_phase: Array) -> tuple[float, float]:
    raw = np.asarray(raw_phase)
    if raw.size == 0:
        raise MetadataError("The phase image holds no voxels.")
    low, high = float(raw.min()), float(raw.max())
    if not np.isfinite(low + high):  # the masked copy is only made where it is needed
        finite = raw[np.isfinite(raw)]
        if finite.size == 0:
            raise MetadataError("The phase image holds no finite number.")
        low, high = float(finite.min()), float(finite.max())
    if low == high:
        raise MetadataError(
            f"The phase image has the same value ({low:g}) everywhere, so it holds no phase."
        )
    return low, high


def _is_even(raw: Array) -> bool:
    """Whether all are even whole numbers, as 12 bits that a header spreads over ±4096."""
    raw = np.asarray(raw)
    finite = raw if np.issubdtype(raw.dtype, np.integer) else raw[np.isfinite(raw)]
    return bool((finite % 2 == 0).all())


def _is_whole(raw: Array) -> bool:
    if np.issubdtype(raw.dtype, np.integer):
        return True
    finite = raw[np.isfinite(raw)]
    return bool((finite == np.rint(finite)).all())


def _stated_unit(unit: str, low: float, high: float, said: str) -> PhaseUnit:
    stated = f"The unit was stated as {unit} ({said})."
    if unit == "rad":
        return PhaseUnit(1.0, stated)
    if unit == "mrad":
        return PhaseUnit(1e-3, stated)
    if unit == "deg":
        return PhaseUnit(np.pi / 180, stated)
    if unit == "range":
        # One turn spans the observed range plus nothing: both ends are the same angle.
        return PhaseUnit(
            2 * np.pi / (high - low),
            f"As stated, the lowest and highest value ({low:.6g}, {high:.6g}) are taken for "
            "-pi and pi.",
            (low + high) / 2,
        )
    if unit == "siemens":
        if low < -4096 or high > 4096:
            raise MetadataError(
                f"The phase was stated to be in Siemens 12-bit units, but has {said}, "
                f"beyond ±4096. {_HOW_TO_STATE}"
            )
        if low < 0:
            return PhaseUnit(np.pi / 4096, f"{stated} 4096 stands for pi.")
        return PhaseUnit(np.pi / 2048, f"{stated} 0 stands for -pi and 4096 for pi.", 2048.0)
    raise MetadataError(f"There is no phase unit '{unit}'. {_HOW_TO_STATE}")


def _declared_unit(metadata: Mapping[str, Any], said: str) -> str:
    declared = unit_of(metadata)
    if declared and declared not in ANGLES:
        raise MetadataError(
            f'The sidecar gives the phase in "{declared}" ({said}), which is no unit of '
            f"phase. {_HOW_TO_STATE}"
        )
    return declared


def _check_declared(
    declared: str, raw_phase: Array, low: float, high: float, said: str
) -> PhaseUnit:
    scale = ANGLES[declared]
    turns = max(abs(low), abs(high)) * scale / (2 * np.pi)
    whole = declared == "rad" and turns > 1.01 and _is_whole(np.asarray(raw_phase))
    known = _known_range(low, high, said, degrees=True)
    if whole or turns > MOST_TURNS or (known and not np.isclose(known.scale, scale)):
        looks = "fill another known range"
        if known is None:
            looks = "look like whole stored numbers"
        if known is None and not whole:
            looks = (
                f"would span {(high - low) * scale / (2 * np.pi):.0f} turns, which no phase does"
            )
        raise MetadataError(
            f"The sidecar declares the phase in {declared}, but its {said} {looks}. {_HOW_TO_STATE}"
        )
    return PhaseUnit(scale, f"The sidecar declares {declared} ({said}).")


def _known_range(low: float, high: float, said: str, *, degrees: bool = False) -> PhaseUnit | None:
    """The known range that the values fill to both ends, if there is one."""
    found = (filled_range(low, high, _DEGREES) if degrees else None) or filled_range(low, high)
    if found is None:
        return None
    return PhaseUnit(found.scale, f"The {said} fill the range {found.name}.", found.zero)


@method(
    "phase",
    "scale",
    title="Scale to radians",
    references=(),
)
def scale(
    raw_phase: Array,
    metadata: Mapping[str, Any] | None = None,
    magnitude: Array | None = None,
    *,
    unit: Annotated[
        str,
        Param(
            "What the stored phase values mean; 'auto' reads the sidecar and known ranges.",
            choices=("auto", "rad", "mrad", "deg", "siemens", "range"),
        ),
    ] = "auto",
    full_scale: Annotated[
        float, Param("The stored value that means pi; 0 if not known.", ge=0)
    ] = 0.0,
    invert: Annotated[
        bool, Param("Change the sign: iron and veins must come out positive.")
    ] = False,
    slice_pi: Annotated[
        str,
        Param("Remove an offset of pi in every second slice (GE).", choices=("auto", "off", "on")),
    ] = "auto",
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Scale stored phase to radians, wrapped to [-pi, pi).

    Parameters
    ----------
    raw_phase : (E, x, y, z) ndarray
        Phase as stored.
    metadata : dict, optional
        BIDS sidecar entries.
    magnitude : (M, x, y, z) ndarray, optional
        Only used to look for alternating slices where there is signal.

    Returns
    -------
    (E, x, y, z) ndarray
        Phase in rad; float64 where the input is, else float32. Voxels that are not finite
        become 0.

    Raises
    ------
    MetadataError
        Where the unit is unknown; see :func:`decide_phase_unit`.
    GeometryError
        Where the array is not (E, x, y, z).
    """
    raw = np.asarray(raw_phase)
    if raw.ndim != 4:
        raise GeometryError(f"Phase echoes have shape {raw.shape}; (echo, x, y, z) is needed.")
    decided = decide_phase_unit(raw, metadata, unit=unit, full_scale=full_scale)
    progress(0.2)
    dtype = np.float64 if raw.dtype == np.float64 else np.float32
    factor = dtype(-decided.scale if invert else decided.scale)
    phase = np.empty(raw.shape, dtype)
    missing = 0
    for echo in range(len(raw)):
        angle = raw[echo].astype(dtype)
        if decided.zero:
            angle -= dtype(decided.zero)
        angle *= factor
        finite = np.isfinite(angle)
        if not finite.all():
            missing += angle.size - int(finite.sum())
            angle[~finite] = 0
        phase[echo] = wrap_phase(angle)
        progress(0.2 + 0.6 * (echo + 1) / len(raw))
    if missing:
        warn(f"{missing} phase voxels are not finite (NaN or infinite); they were set to 0.")
    if slice_pi != "off":
        phase = _without_alternation(phase, magnitude, forced=slice_pi == "on", warn=warn)
    progress(1.0)
    return phase


def _without_alternation(
    phase: Array, magnitude: Array | None, *, forced: bool, warn: Warn
) -> Array:
    axis = find_alternate_slices(phase[0], None if magnitude is None else magnitude[0])
    if axis is None and not forced:
        return phase
    if axis is None:
        axis = 2
        warn(
            "No axis shows the offset of pi in every second slice that was to be removed; "
            "the last axis was taken for the slices."
        )
    else:
        warn(
            f"Every second slice along axis {axis + 1} was offset by pi, as some GE scans are; "
            "the offset was removed."
        )
    return flip_alternate_slices(phase, axis)


def from_real_imaginary(real: Array, imaginary: Array) -> tuple[Array, Array]:
    """Magnitude and phase of complex data given as two images.

    Parameters
    ----------
    real, imaginary : ndarray
        The two parts, same shape, same unit.

    Returns
    -------
    magnitude : ndarray
        In the unit of the parts; float64 where an input is, else float32.
    phase : ndarray
        rad, in [-pi, pi); 0 where both parts are 0.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    real, imaginary = np.asarray(real), np.asarray(imaginary)
    if real.shape != imaginary.shape:
        raise GeometryError(
            f"The real image has shape {real.shape} but the imaginary one {imaginary.shape}."
        )
    both = (real.dtype, imaginary.dtype)
    dtype = np.float64 if np.dtype(np.float64) in both else np.float32
    re, im = real.astype(dtype, copy=False), imaginary.astype(dtype, copy=False)
    return np.hypot(re, im), wrap_phase(np.arctan2(im, re))
