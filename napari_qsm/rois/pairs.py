"""Left and right: which regions belong together, and how much they differ."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, nan

from napari_qsm.io.region import side_of

#: A structure without its side, lower case, and its side.
Place = tuple[str, str]
_SIDE_WORDS = re.compile(r"(?i)(?<![^\W_])(left|right|lh|rh|lt|rt|l|r)(?![^\W_])")


@dataclass(frozen=True)
class Pair:
    """A structure that has two sides.

    Attributes
    ----------
    name : str
        Without the side.
    left, right : str
        Keys of its rows; empty where a side is missing.
    """

    name: str
    left: str = ""
    right: str = ""


def base_name(name: str) -> str:
    """A region's name without its side.

    Examples
    --------
    >>> base_name("Putamen L"), base_name("Left-Putamen"), base_name("Red nucleus")
    ('Putamen', 'Putamen', 'Red nucleus')
    """
    spaced = re.sub(r"(?<=[a-z])(?=(?:Left|Right)(?![a-z]))", " ", name)
    spaced = re.sub(r"\b(left|Left|right|Right)(?=[A-Z])", r"\1 ", spaced)
    if not side_of(name):
        return name
    plain = re.sub(r"\(\s*\)", " ", _SIDE_WORDS.sub(" ", spaced))
    return " ".join(re.split(r"[\s_\-,.]+", plain)).strip() or name


@lru_cache(maxsize=4096)
def place_of(name: str, side: str = "") -> Place:
    """Under which a region is looked up, whatever its spelling.

    Examples
    --------
    >>> place_of("Putamen L"), place_of("putamen", "left"), place_of("Red nucleus")
    (('putamen', 'left'), ('putamen', 'left'), ('red nucleus', ''))
    """
    found = {"both": ""}.get(side, side) or side_of(name)
    return base_name(name).casefold(), found


def pair_up(rows: Iterable[tuple[str, str, str]]) -> list[Pair]:
    """Join rows of one structure.

    Parameters
    ----------
    rows : iterable of (key, name, side)
        Rows without a side are left out.

    Returns
    -------
    list of Pair
        In the order in which structures first appear. Of several rows for one side, each
        makes a pair of its own, so that nothing is dropped.
    """
    pairs: list[Pair] = []
    open_pairs: dict[str, list[int]] = {}
    for key, name, side in rows:
        if side not in ("left", "right"):
            continue
        base = base_name(name)
        known = open_pairs.setdefault(base.casefold(), [])
        place = next((at for at in known if not getattr(pairs[at], side)), None)
        if place is None:
            known.append(len(pairs))
            pairs.append(Pair(base, **{side: key}))
        else:
            pairs[place] = Pair(**{**vars(pairs[place]), side: key})
    return pairs


def asymmetry(left: float, right: float) -> float:
    """(left - right) / mean of both.

    Returns
    -------
    float
        0.1 where the left is ten percent larger, measured by their mean; NaN if one is
        missing, or if they differ in sign, where such a ratio says nothing.
    """
    if not (isfinite(left) and isfinite(right)) or left * right <= 0:
        return nan
    return (left - right) / ((left + right) / 2)
