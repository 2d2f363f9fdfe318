"""What the window says about a map's values and on its colour bar. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.session import MapEntry
from napari_qsm.units import SusceptibilityUnit, to_shown, with_unit


@dataclass(frozen=True)
class Preset:
    """A window on offer, in ppm."""

    title: str
    window_ppm: tuple[float, float]


PRESETS: tuple[Preset, ...] = (
    Preset("±0.1", (-0.1, 0.1)),
    Preset("±0.2", (-0.2, 0.2)),
    Preset("0–0.15", (0.0, 0.15)),
)


def shown_unit(entry: MapEntry, unit: SusceptibilityUnit) -> str:
    """The unit written behind an entry's values."""
    return unit if entry.in_ppm else entry.volume.unit


def value_text(value: float | None, entry: MapEntry, unit: SusceptibilityUnit) -> str:
    """What a read-out says about one voxel."""
    if value is None:
        return "outside"
    if not np.isfinite(value):
        return "no value"
    if entry.role in ("labels", "mask"):
        row = entry.regions.get(int(value))
        if int(value) == 0:
            return "–"
        return f"{int(value)} {row.name if row is not None else ''}".rstrip()
    shown = shown_unit(entry, unit)
    return with_unit(to_shown(value, entry.volume.unit, unit), shown)


def quantity(entry: MapEntry, unit: SusceptibilityUnit) -> str:
    """Title of a colour bar: ``"χ (ppm)"``."""
    written = shown_unit(entry, unit)
    symbol = "χ" if entry.is_susceptibility else entry.name
    return f"{symbol} ({written})" if written else symbol
