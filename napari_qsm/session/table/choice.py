"""What the user wants to see in the table of regions, remembered between starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from napari_qsm.session.settings import load_settings, save_settings

#: Columns that can be switched on, beside those that are always there: name and menu entry.
OPTIONAL: dict[str, str] = {
    "median": "Median",
    "min": "Minimum",
    "max": "Maximum",
    "p05": "5th percentile",
    "p25": "25th percentile",
    "p75": "75th percentile",
    "p95": "95th percentile",
    "skewness": "Skewness",
    "missing": "Voxels without a number",
}


@dataclass(frozen=True)
class Choice:
    """What the table shows.

    Attributes
    ----------
    columns : tuple of str
        Optional columns, of :data:`OPTIONAL`.
    pairs : bool
        Left and right of a structure in one row, with their asymmetry.
    total : bool
        A row for all regions together.
    shapes : bool
        Rows for fixed shapes.
    """

    columns: tuple[str, ...] = ("median", "min", "max")
    pairs: bool = False
    total: bool = False
    shapes: bool = True

    def but(self, **changes: Any) -> Choice:
        """The choice with some fields changed."""
        return replace(self, **changes)

    def toggled(self, column: str, shown: bool) -> Choice:
        """The choice with a column switched."""
        kept = {*self.columns, column} if shown else {*self.columns} - {column}
        return replace(self, columns=tuple(name for name in OPTIONAL if name in kept))


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
            value = tuple(name for name in OPTIONAL if name in listed)
        else:
            value = bool(value)
        values[field.name] = value
    return Choice(**values)


def save_choice(choice: Choice) -> None:
    """Remember it."""
    save_settings({"table": asdict(choice)})
