"""What the user wants to see in the table of regions, remembered between starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from napari_qsm.rois.high_part import NO_LIMITS, HighLimits, high_limits
from napari_qsm.rois.measures import STATISTICS
from napari_qsm.session.settings import load_settings, save_settings


def optional() -> dict[str, str]:
    """Columns that can be switched on, beside those always there: name and menu entry."""
    return {name: each.title for name, each in STATISTICS.items() if each.optional}


@dataclass(frozen=True)
class Choice:
    """What the table shows.

    Attributes
    ----------
    columns : tuple of str
        Optional columns, of :func:`optional`.
    pairs : bool
        Left and right of a structure in one row, with their asymmetry.
    total : bool
        A row for all regions together.
    shapes : bool
        Rows for fixed shapes.
    high : HighLimits
        What the high part of a region is; its columns are empty until somebody says.
    """

    columns: tuple[str, ...] = ("median", "min", "max")
    pairs: bool = False
    total: bool = False
    shapes: bool = True
    high: HighLimits = NO_LIMITS

    def but(self, **changes: Any) -> Choice:
        """The choice with some fields changed."""
        return replace(self, **changes)

    def toggled(self, column: str, shown: bool) -> Choice:
        """The choice with a column switched."""
        kept = {*self.columns, column} if shown else {*self.columns} - {column}
        return replace(self, columns=tuple(name for name in optional() if name in kept))


def load_choice() -> Choice:
    """What was chosen last; anything odd in the settings counts for nothing."""
    known = load_settings().get("table")
    if not isinstance(known, dict):
        return Choice()
    plain = Choice()
    values: dict[str, Any] = {}
    for field in fields(Choice):
        value = known.get(field.name, getattr(plain, field.name))
        if field.name == "columns":
            listed = value if isinstance(value, list | tuple) else plain.columns
            value = tuple(name for name in optional() if name in listed)
        elif field.name == "high":
            value = _limits(value)
        else:
            value = bool(value)
        values[field.name] = value
    return Choice(**values)


def _limits(value: Any) -> HighLimits:
    """Limits as they were saved; none for anything odd."""
    kept = value.get("ppm") if isinstance(value, dict) else None
    try:
        texts = [f"{name}={ppm:.12g}" if name else f"{ppm:.12g}" for name, ppm in kept or ()]
        return high_limits(texts, "ppm")
    except (TypeError, ValueError):
        return NO_LIMITS


def save_choice(choice: Choice) -> None:
    """Remember it."""
    save_settings({"table": asdict(choice)})
