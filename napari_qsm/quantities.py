"""A quantity in its canonical unit: the one place where units are read, converted and doubted.

Programs spell units as they like ("PPM", "Hertz", "radians") and leave them out. Every door
through which a number comes in (options of the command line, sidecars, windows, figures) asks
here what it means, so that a map in ppb or a field in Hz never passes for one in ppm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.scan import check_echo_times, check_field_strength
from napari_qsm.volume import Volume

Warn = Callable[[str], None]

#: Gyromagnetic ratio of the proton over 2 pi, Hz/T (CODATA 2018).
GAMMA_BAR_HZ_PER_T = 42.577478518e6

_SPELLINGS: Mapping[str, str] = {
    "ppm": "ppm p.p.m. partspermillion 1e-6 10^-6 10-6 x10^-6",
    "ppb": "ppb p.p.b. partsperbillion 1e-9 10^-9 10-9 x10^-9",
    "rad": "rad rads radian radians",
    "mrad": "mrad mrads milliradian milliradians",
    "deg": "deg degs degree degrees °",
    "Hz": "hz hertz cyclespersecond cycles/s cps",
    "kHz": "khz kilohertz",
    "rad/s": "rad/s rad/sec rads/s radians/s radian/s radians/second radianspersecond "
    "radianpersecond radpersecond rads-1 rads^-1 rad.s-1 rad*s^-1",
    "1/s": "1/s 1/sec 1/second s-1 s^-1 sec-1 sec^-1 persecond /s",
    "1/ms": "1/ms ms-1 ms^-1",
    "s": "s sec secs second seconds",
    "ms": "ms msec msecs millisecond milliseconds",
    "T": "t tesla",
    "mT": "mt millitesla",
    "uT": "ut µt μt microtesla",
    "nT": "nt nanotesla",
    "G": "g gauss",
}
_UNIT_OF = {spelling: unit for unit, all_ in _SPELLINGS.items() for spelling in all_.split()}
_UNDECLARED = frozenset(
    [
        "arbitrary",
        "a.u.",
        "a.u",
        "au",
        "arb",
        "arb.",
        "arbitraryunits",
        "none",
        "unknown",
        "n/a",
        "na",
        "null",
        "unitless",
        "nounit",
        "unspecified",
        "undefined",
        "-",
    ]
)
#: Where sidecars tell the unit of an image.
_KEYS = ("Units", "Unit", "PhaseUnit", "PhaseUnits")

#: Factor to rad.
ANGLES = {"rad": 1.0, "mrad": 1e-3, "deg": np.pi / 180}
_FRACTIONS = {"ppm": 1.0, "ppb": 1e-3}
_TO_HZ = {"Hz": 1.0, "kHz": 1e3, "rad/s": 1 / (2 * np.pi)}
_TO_TESLA = {"T": 1.0, "mT": 1e-3, "uT": 1e-6, "nT": 1e-9, "G": 1e-4}

#: How near both ends of a known range must be for phase to count as filling it.
_FILLED = 0.02
#: Rounding allowed beyond the end of a known range.
_BEYOND = 2e-3
#: More turns than this no phase of a head makes, wrapped or not.
MOST_TURNS = 100
_SAMPLED = 400_000


class PhaseRange(NamedTuple):
    """A range that stored phase fills to both ends: rad are ``(stored - zero) * scale``."""

    start: float
    stop: float
    zero: float
    scale: float
    name: str


PHASE_RANGES = (
    PhaseRange(-np.pi, np.pi, 0.0, 1.0, "±pi rad"),
    PhaseRange(0.0, 2 * np.pi, 0.0, 1.0, "0 to 2 pi rad"),
    PhaseRange(-1000 * np.pi, 1000 * np.pi, 0.0, 1e-3, "±pi in mrad"),
    PhaseRange(-4096.0, 4096.0, 0.0, np.pi / 4096, "12 bits with 4096 for pi"),
    PhaseRange(-2048.0, 2048.0, 0.0, np.pi / 2048, "12 bits with 2048 for pi"),
    PhaseRange(0.0, 4096.0, 2048.0, np.pi / 2048, "12 bits with 0 for -pi and 4096 for pi"),
)


class Role(NamedTuple):
    """What a volume is given as.

    Attributes
    ----------
    title : str
        For sentences.
    unit : str
        The canonical unit.
    least, most : float
        In that unit, what 95 % of the values of a head's map may at least and at most reach;
        outside, values and unit contradict each other.
    """

    title: str
    unit: str
    least: float
    most: float


# A total field reaches a few ppm near the sinuses and the neck; what brain tissue adds is a
# tenth of that. Air beside tissue is 9.4 ppm, which maps of the whole head may hold outside.
ROLES: Mapping[str, Role] = {
    "unwrapped": Role("unwrapped phase", "rad", 0.0, 2 * np.pi * MOST_TURNS),
    "total_field_ppm": Role("total field", "ppm", 1e-3, 20.0),
    "local_field_ppm": Role("local field", "ppm", 3e-4, 2.0),
    "chi_ppm": Role("susceptibility map", "ppm", 3e-4, 20.0),
}


def canonical_unit(said: object) -> str:
    """A unit in the spelling that this program uses.

    Parameters
    ----------
    said : object
        What a sidecar says, in any spelling and case.

    Returns
    -------
    str
        ``"ppm"``, ``"ppb"``, ``"rad"``, ``"mrad"``, ``"deg"``, ``"Hz"``, ``"rad/s"``, ``"1/s"``,
        ``"s"``, ``"ms"``, ``"T"``, ...; empty where nothing, or that there is no unit, is said;
        the text as it stands for units that are not known here.

    Examples
    --------
    >>> canonical_unit("Parts per million"), canonical_unit(" Hertz "), canonical_unit("a.u.")
    ('ppm', 'Hz', '')
    """
    text = said.strip() if isinstance(said, str) else ""
    bare = re.sub(r"^\((.*)\)$|^\[(.*)\]$", r"\1\2", text, flags=re.DOTALL)
    bare = re.sub(r"\s*\(?\bSI\b\)?$", "", bare)  # "ppm (SI)": susceptibility in SI units
    key = re.sub(r"[\s_]+", "", bare.casefold().replace("−", "-"))
    key = key.replace("⁻¹", "^-1").replace("per million", "permillion")
    if not key or key in _UNDECLARED:
        return ""
    return _UNIT_OF.get(key, text)


def unit_of(metadata: Mapping[str, Any]) -> str:
    """The unit that the entries of a sidecar declare, see :func:`canonical_unit`."""
    return next((unit for key in _KEYS if (unit := canonical_unit(metadata.get(key)))), "")


def typical(data: Array) -> float:
    """What 95 % of the values other than zero stay below, without their sign; 0 without any.

    Of large arrays every so many values are taken, always the same ones.
    """
    flat = np.asarray(data).ravel(order="K")
    values = np.abs(flat[:: max(1, flat.size // _SAMPLED)].astype(np.float64))
    values = values[np.isfinite(values) & (values > 0)]
    if values.size < 1000 and flat.size > _SAMPLED:
        values = np.abs(flat[flat != 0].astype(np.float64))
        values = values[np.isfinite(values)]
    return float(np.percentile(values, 95)) if values.size else 0.0


def filled_range(
    low: float, high: float, ranges: Sequence[PhaseRange] = PHASE_RANGES
) -> PhaseRange | None:
    """The range that values fill to both ends, as wrapped phase always does; None without one."""
    for each in ranges:
        width = each.stop - each.start
        inside = low >= each.start - _BEYOND * width and high <= each.stop + _BEYOND * width
        filled = low <= each.start + _FILLED * width and high >= each.stop - _FILLED * width
        if inside and filled:
            return each
    return None


def in_canonical_unit(
    volume: Volume,
    role: str,
    *,
    field_strength_t: float | None = None,
    echo_times_s: Sequence[float] = (),
    warn: Warn | None = None,
) -> Volume:
    """A quantity in the unit that the stages work in.

    Parameters
    ----------
    volume : Volume
        Its ``unit`` as declared, in any spelling; empty where nothing is declared.
    role : str
        A key of :data:`ROLES`.
    field_strength_t : float, optional
        For fields in Hz, rad/s or tesla.
    echo_times_s : sequence of float
        For a field given as the phase that it makes in one echo time, and to judge an
        unwrapped phase.
    warn : callable, optional
        Told in a sentence what was converted or taken for granted.

    Returns
    -------
    Volume
        float32 (or float64 where the file holds that) where it was converted.

    Raises
    ------
    MetadataError
        If the unit is none of this quantity, cannot be converted with what is known, or
        contradicts the values.
    """
    expected = ROLES[role]
    who = f"The {expected.title} '{_name(volume)}'"
    unit = canonical_unit(volume.unit)
    known = unit or expected.unit
    if expected.unit == "rad":
        factor, how = _to_rad(known, who), ""
    else:
        factor, how = _to_ppm(known, role, who, field_strength_t, echo_times_s)
    data = np.asarray(volume.data)
    if factor != 1.0:
        data = data.astype(np.float64 if data.dtype == np.float64 else np.float32)
        data *= data.dtype.type(factor)
    _check_plausible(data, expected, who, unit, factor, field_strength_t, echo_times_s)
    if warn is not None and not unit:
        warn(
            f"{who} does not say its unit; it was taken to be in {expected.unit} "
            "(Units in the JSON sidecar tells it)."
        )
    if warn is not None and factor != 1.0:
        warn(f"{who} was converted from {unit} to {expected.unit}{how}.")
    return volume.with_data(data, unit=expected.unit) if factor != 1.0 else _called(volume, known)


def checked_map(volume: Volume, *, warn: Warn | None = None) -> Volume:
    """A map to be shown or measured, its unit spelled as elsewhere and compared with its values.

    Susceptibility stays in ppm or ppb as it is stored; a map that says no unit is taken to be
    in ppm where its values allow that. Other units are left to whoever measures.

    Raises
    ------
    MetadataError
        If values and unit contradict each other.
    """
    unit = canonical_unit(volume.unit)
    expected = ROLES["chi_ppm"]
    if (unit or "ppm") not in _FRACTIONS:
        return _called(volume, unit)
    who = f"The map '{_name(volume)}'"
    factor = _FRACTIONS[unit or "ppm"]
    _check_plausible(np.asarray(volume.data), expected, who, unit, factor, None, (), scaled=False)
    if warn is not None and not unit:
        warn(
            f"{who} does not say its unit; it was taken to be in ppm (Units in the JSON sidecar "
            "tells it)."
        )
    return _called(volume, unit or "ppm")


def _name(volume: Volume) -> str:
    return volume.origin.name if volume.origin else volume.name or "without a name"


def _called(volume: Volume, unit: str) -> Volume:
    return volume if volume.unit == unit else replace(volume, unit=unit)


def _to_rad(unit: str, who: str) -> float:
    if unit in ANGLES:
        return ANGLES[unit]
    hint = (
        "; a field is given with --total-field or --local-field"
        if unit in ("ppm", "ppb", *_TO_HZ, *_TO_TESLA)
        else ""
    )
    raise MetadataError(f"{who} is in {unit}, which is no unit of phase (rad, mrad, deg){hint}.")


def _to_ppm(
    unit: str,
    role: str,
    who: str,
    field_strength_t: float | None,
    echo_times_s: Sequence[float],
) -> tuple[float, str]:
    """Factor to ppm, and with what it was found."""
    if unit in _FRACTIONS:
        return _FRACTIONS[unit], ""
    convertible = unit in _TO_HZ or unit in _TO_TESLA or unit in ANGLES
    if role == "chi_ppm" or not convertible:
        raise MetadataError(f"{who} is in {unit}; ppm or ppb{_or_field(role)} is needed.")
    if field_strength_t is None:
        raise MetadataError(
            f"{who} is in {unit}, so the field strength is needed to turn it into ppm; give "
            "--field-strength-t, or MagneticFieldStrength in the JSON sidecar."
        )
    field_strength_t = check_field_strength(field_strength_t)
    at = f" at {field_strength_t:g} T"
    if unit in _TO_TESLA:
        return _TO_TESLA[unit] / field_strength_t * 1e6, at
    hz_per_ppm = GAMMA_BAR_HZ_PER_T * field_strength_t * 1e-6
    if unit in _TO_HZ:
        return _TO_HZ[unit] / hz_per_ppm, at
    if len(echo_times_s) != 1:
        raise MetadataError(
            f"{who} is in {unit}, so it is the phase that the field makes in one echo time; give "
            "that time with --echo-times-ms, or save the field in Hz or ppm."
        )
    (time_s,) = check_echo_times(echo_times_s)
    return ANGLES[unit] / (2 * np.pi * time_s * hz_per_ppm), f"{at} and {time_s * 1e3:g} ms"


def _or_field(role: str) -> str:
    return "" if role == "chi_ppm" else ", or Hz, rad/s or T with the field strength,"


def _check_plausible(
    data: Array,
    expected: Role,
    who: str,
    unit: str,
    factor: float,
    field_strength_t: float | None,
    echo_times_s: Sequence[float],
    *,
    scaled: bool = True,
) -> None:
    """Refuse values that cannot be what their unit says; ``scaled`` data are converted already."""
    if expected.unit == "rad":
        finite = data[np.isfinite(data) & (data != 0)] if data.dtype.kind == "f" else data
        data = data - np.median(finite[:: max(1, finite.size // _SAMPLED)]) if finite.size else data
    stored = typical(data) / (factor if scaled else 1.0)
    reached = stored * factor
    most = expected.most
    if expected.unit == "rad" and field_strength_t and echo_times_s:
        longest = max(echo_times_s)
        most = min(
            most,
            # 50 ppm is more than any field in a head.
            max(50e-6 * GAMMA_BAR_HZ_PER_T * field_strength_t * longest * 2 * np.pi, 20 * np.pi),
        )
    if reached == 0 or expected.least <= reached <= most:
        return
    says = f"its sidecar says {unit}" if unit else "nothing says its unit"
    lies = "more" if reached > most else "less"
    taken = unit or expected.unit
    raise MetadataError(
        f"{who} holds values of typically {stored:.3g}, and {says}; that is {lies} than any "
        f"{expected.title} reaches in {taken}. Give the right unit as Units in its JSON sidecar."
    )
