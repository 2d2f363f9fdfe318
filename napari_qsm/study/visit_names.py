"""The order of visits, as far as their names tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def natural(text: str) -> list[tuple[int, int | str]]:
    """A key that puts t2 before t10."""
    return [(0, int(p)) if p.isdigit() else (1, p) for p in re.split(r"(\d+)", text) if p]


_FIRST = re.compile(r"(pre|before|base|baseline|bl|screening|initial|start|first)(?![a-z])", re.I)
_LENGTHS = {"d": 1, "day": 1, "w": 7, "wk": 7, "week": 7, "m": 30.4, "mo": 30.4, "mon": 30.4,
            "month": 30.4, "y": 365, "yr": 365, "year": 365}  # fmt: skip
_TIME = re.compile(
    r"(?:(?P<before>[a-z]+?)s?[ _-]?(?P<n>\d+)|(?P<m>\d+)[ _-]?(?P<after>[a-z]+?)s?)", re.I
)


def visit_order(name: str) -> tuple[float, list[tuple[int, int | str]]]:
    """A key that puts visits in the order of time, as far as their names tell it.

    Examples
    --------
    >>> sorted(["month3", "post", "week6", "pre"], key=visit_order)
    ['pre', 'week6', 'month3', 'post']
    >>> sorted(["t10", "t2"], key=visit_order)
    ['t2', 't10']
    """
    if _FIRST.match(name):
        return -1.0, natural(name)
    days = _days(name)
    return (days if days is not None else float("inf")), natural(name)


def _days(name: str) -> float | None:
    found = _TIME.fullmatch(name)
    if not found:
        return None
    unit = (found["before"] or found["after"]).lower()
    return _LENGTHS[unit] * int(found["n"] or found["m"]) if unit in _LENGTHS else None


def is_numbered(names: Sequence[str]) -> bool:
    """Whether names differ by a number alone, so that their order is beyond doubt."""
    return len({re.sub(r"\d+", "#", name) for name in names}) < 2
