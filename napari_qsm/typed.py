"""Numbers as people type them: one rule for command line, window and tables, whatever the locale.

A decimal point and a decimal comma mean the same, and there are no marks of thousands. In a list
a comma may also divide; where a text can be read in two ways that are both possible, it is not
read at all.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence

from napari_qsm.errors import MetadataError

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MINUS = str.maketrans({"−": "-", "–": "-", "\u00a0": " ", "\u202f": " "})

Reading = tuple[float, ...]


def number(text: str, what: str, *, unit: str = "") -> float:
    """One number from text.

    Parameters
    ----------
    text : str
        For example ``"1.5"``, ``"1,5"``, ``"−3"`` or, with ``unit="T"``, ``"3 T"``.
    what : str
        What the number is for, for the message.
    unit : str
        May follow the number.

    Raises
    ------
    MetadataError
        If it is no finite number.

    Examples
    --------
    >>> number("1,5", "--field-strength-t"), number("3 T", "The field strength", unit="T")
    (1.5, 3.0)
    """
    word = _without_unit(text.translate(_MINUS).strip(), unit)
    found = _value(word)
    if found is None:
        why = (
            "; it holds more than one point or comma, and marks of thousands are not known"
            if len(re.findall("[.,]", word)) > 1 and not re.search("[^-+.,0-9]", word)
            else ""
        )
        raise MetadataError(f"{what} takes a number, not '{_shown(text)}'{why}.")
    return found


def numbers(
    texts: Sequence[str],
    what: str,
    *,
    count: int | None = None,
    unit: str = "",
    possible: Callable[[Reading], bool] = lambda reading: True,
) -> Reading:
    """Several numbers from texts; spaces, semicolons and commas divide them.

    Parameters
    ----------
    texts : sequence of str
        Words of a command line, or one text from a field.
    what : str
        What the numbers are for, for the message.
    count : int, optional
        How many there must be.
    unit : str
        May follow the numbers.
    possible : callable
        Whether a reading can be meant; it settles what a comma is where both would do.

    Raises
    ------
    MetadataError
        If they are no finite numbers, not ``count`` of them, or can be read in two ways.

    Examples
    --------
    >>> numbers(["4.9,9.8"], "--echo-times-ms"), numbers(["4,9; 9,8"], "--echo-times-ms")
    ((4.9, 9.8), (4.9, 9.8))
    >>> numbers(["5,11,17"], "--echo-times-ms"), numbers(["21,5"], "--echo-times-ms", count=1)
    ((5.0, 11.0, 17.0), (21.5,))
    """
    found = readings(texts, unit=unit)
    shown = _shown(" ".join(texts))
    if not found:
        raise MetadataError(f"{what} takes numbers, not '{shown}'.")
    counted = [r for r in found if count is None or len(r) == count]
    if not counted:
        raise MetadataError(f"{what} takes {count} numbers, not {len(found[0])} ('{shown}').")
    fitting = [r for r in counted if possible(r)]
    if not fitting:  # "2,46,3,69": every other comma may be a decimal one
        fitting = counted[:1] + [r for r in _in_pairs(texts) if possible(r)]
    if len(fitting) > 1:
        ways = " or as ".join(" and ".join(_written(r)) for r in fitting)
        apart = " or ".join(f"'{'; '.join(_written(r))}'" for r in fitting)
        raise MetadataError(
            f"{what}: '{shown}' can be read as {ways}, because a comma may divide numbers or stand "
            f"in one. Write a decimal point, and a semicolon or space between numbers: {apart}."
        )
    return fitting[0]


def ascending(low: float, high: float) -> Callable[[Reading], bool]:
    """Whether numbers grow and lie within limits: what a reading as echo times has to do."""

    def possible(reading: Reading) -> bool:
        grows = all(a < b for a, b in itertools.pairwise(reading))
        return grows and all(low <= value <= high for value in reading)

    return possible


def readings(texts: Sequence[str], *, unit: str = "") -> list[Reading]:
    """Every way in which texts can be read as a list of numbers, none twice.

    The first takes commas as dividing marks, the second as decimal marks.
    """
    whole = " ".join(texts).translate(_MINUS).strip()
    whole = _without_unit(whole, unit)
    spaced = re.sub(r"\s*;\s*|,\s+", " ; ", whole)  # marks that can only divide
    decided = " ; " in spaced
    out: list[Reading] = []
    parts = spaced.replace(";", " ").split()
    if not (decided and any("," in part for part in parts)) or "." in whole:
        divided = [p for part in parts for p in part.split(",")]
        _add(out, divided)
    if "." not in whole:
        _add(out, parts)
    return out


def _add(out: list[Reading], words: Sequence[str]) -> None:
    values = [_value(word) for word in words]
    reading = tuple(v for v in values if v is not None)
    if words and len(reading) == len(words) and reading not in out:
        out.append(reading)


def _in_pairs(texts: Sequence[str]) -> list[Reading]:
    """A list without spaces and points in which every other comma is a decimal one."""
    pieces = " ".join(texts).strip().split(",")
    out: list[Reading] = []
    if len(pieces) >= 4 and len(pieces) % 2 == 0:
        _add(out, [f"{a}.{b}" for a, b in zip(pieces[::2], pieces[1::2], strict=True)])
    return out


def _written(reading: Reading) -> list[str]:
    return [f"{value:g}" for value in reading]


def _value(word: str) -> float | None:
    if not _NUMBER.fullmatch(word):
        return None
    value = float(word.replace(",", "."))
    return value if math.isfinite(value) else None


def _without_unit(text: str, unit: str) -> str:
    if unit and text.lower().endswith(unit.lower()):
        return text[: -len(unit)].strip()
    return text


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
