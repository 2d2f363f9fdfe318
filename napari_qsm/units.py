"""Units and how their numbers read: one table for read-out, tables, figures, report and terminal.

A susceptibility is written to 0.001 ppm, which is 1 ppb: repeated scans of one person differ by
2 to 5 ppb in large nuclei and by 10 in small ones, so that a further digit would tell nothing.
The same holds for its standard deviation. Files of tables keep all digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

SusceptibilityUnit = Literal["ppm", "ppb"]
#: What stands where there is no number.
NOTHING = "–"


@dataclass(frozen=True)
class Unit:
    """A unit of the quantities that the program writes.

    Attributes
    ----------
    decimals : int
        That its numbers honestly carry.
    ppm : float or None
        Its size in ppm; None for what is no susceptibility or field.
    column : str
        How it ends the name of a table's column; the unit itself unless given.
    printed : str
        As journals print it; the unit itself unless given.
    """

    decimals: int
    ppm: float | None = None
    column: str = ""
    printed: str = ""


UNITS: dict[str, Unit] = {
    "ppm": Unit(3, ppm=1.0),
    "ppb": Unit(0, ppm=1e-3),
    "rad": Unit(2),
    "Hz": Unit(1),
    "1/s": Unit(1, column="per_s", printed="s⁻¹"),
    "s": Unit(4),
    "ms": Unit(1),
    "mm": Unit(1),
    "mm²": Unit(1, column="mm2"),
    "mm³": Unit(1, column="mm3"),
    "ml": Unit(0),
    "°": Unit(1, column="deg"),
}


def factor(stored: str, shown: str) -> float:
    """From the unit of a volume to the unit written; 1 for other quantities.

    A volume without a unit counts as one in ppm where a susceptibility is asked for.
    """
    return {("ppm", "ppb"): 1e3, ("ppb", "ppm"): 1e-3}.get((stored or "ppm", shown), 1.0)


def to_shown(value: float, stored: str, shown: SusceptibilityUnit) -> float:
    """A susceptibility in the unit the window writes; other quantities stay as they are."""
    if stored == shown or stored not in ("ppm", "ppb"):
        return value
    return value * 1e3 if shown == "ppb" else value / 1e3


def from_shown(value: float, stored: str, shown: SusceptibilityUnit) -> float:
    """The inverse of :func:`to_shown`."""
    return to_shown(value, shown, stored) if stored in ("ppm", "ppb") else value  # type: ignore[arg-type]


def column_word(unit: str) -> str:
    """A unit as the end of a column's name: ``"per_s"`` for 1/s, nothing if it is not known."""
    known = UNITS.get(unit)
    return (known.column if known else "") or re.sub(r"\W+", "_", unit).strip("_")


def printed(unit: str) -> str:
    """A unit as journals print it: ``"s⁻¹"`` for 1/s."""
    known = UNITS.get(unit)
    return (known.printed if known else "") or unit


def decimals(unit: str, scale: float = math.nan) -> int:
    """Decimals of values in a unit; of unknown units by the size of the values.

    Parameters
    ----------
    unit : str
        As it is written.
    scale : float
        Size of a typical value; matters for units that :data:`UNITS` does not know.
    """
    if unit in UNITS:
        return UNITS[unit].decimals
    if not math.isfinite(scale) or scale <= 0:
        return 2
    return 0 if scale >= 1000 else 1 if scale >= 10 else 2 if scale >= 1 else 4


def rounded(value: float, places: int) -> str:
    """A number with so many decimals and a plain hyphen, halves away from zero as in papers."""
    text = f"{value + math.copysign(1e-9, value):.{places}f}"
    return text if float(text) != 0 else text.lstrip("-")


def fixed(value: float, places: int, *, signed: bool = False, thousands: bool = False) -> str:
    """A number for people, with a true minus; :data:`NOTHING` where there is none.

    Parameters
    ----------
    value : float
        Any.
    places : int
        Decimals.
    signed : bool
        Write a plus before positive numbers.
    thousands : bool
        Set thousands apart, as printed tables do; cells that are pasted into spreadsheets
        must not.
    """
    if not math.isfinite(value):
        return NOTHING
    if abs(value) >= 1e12:  # more digits than such a number has
        return f"{value:.4g}".replace("-", "−")
    text = rounded(value, places)
    if thousands:
        whole, dot, rest = text.lstrip("-").partition(".")
        text = ("-" if text.startswith("-") else "") + f"{int(whole):,}" + dot + rest
    plus = "+" if signed and float(rounded(value, places)) > 0 else ""
    return plus + text.replace("-", "−")


def number(value: float, unit: str, *, scale: float | None = None) -> str:
    """A value as text, without its unit.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit : str
        As it is written.
    scale : float, optional
        Size of typical values beside it, see :func:`decimals`; its own unless given.
    """
    if scale is None and unit not in UNITS and float(value).is_integer():
        return fixed(value, 0)  # a magnitude of 512, an echo number
    return fixed(value, decimals(unit, abs(value) if scale is None else scale))


def with_unit(value: float, unit: str) -> str:
    """``"0.041 ppm"``."""
    return f"{number(value, unit)} {unit}".rstrip()


def mean_sd(mean: float, sd: float, places: int) -> str:
    """``"0.034 ± 0.005"``; only the mean where one voxel has no spread."""
    said = fixed(mean, places)
    return f"{said} ± {fixed(sd, places)}" if math.isfinite(mean) and math.isfinite(sd) else said


def percent(share: float, places: int = 1, *, signed: bool = False) -> str:
    """A share of 1 in percent."""
    said = fixed(100 * share, places, signed=signed)
    return said if said == NOTHING else f"{said} %"


def sizes_text(sizes_mm: Sequence[float], cross: str = " × ") -> str:
    """Edge lengths of a voxel or a shape: ``"0.625 × 0.625 × 2 mm"``."""
    return cross.join(f"{size:.4g}" for size in sizes_mm) + " mm"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within a range, about ``count`` of them, for an axis or a colour bar."""
    if not high > low:
        return [low]
    rough = (high - low) / max(count - 1, 1)
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    first = np.ceil(low / step - 1e-9) * step
    out = np.arange(first, high + step * 1e-6, step)
    return [float(np.round(v, 12)) + 0.0 for v in out]


def tick_texts(values: Sequence[float]) -> list[str]:
    """Ticks as text, all with as many decimals as the finest needs."""
    places = 0
    while places < 6 and any(abs(v - round(v, places)) > 1e-9 * max(1, abs(v)) for v in values):
        places += 1
    return [f"{v + 0.0:.{places}f}".replace("-", "−") for v in values]
