"""Region: what one number in a label map means."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass

#: Largest value a label map may hold.
MAX_INDEX = 65535
#: Thirteen hues, each bright and dark. Found by search so that structures that touch in the list
#: of deep-grey substrates, in its order, differ by 26 (CIELAB) or more for normal sight and for
#: people without red, green or blue cones (Machado et al. 2009, doi:10.1109/TVCG.2009.113), and
#: any two hues by 18 for normal sight.
_PAIRS = (
    ("#ff99e9", "#c05eac"),
    ("#49c39b", "#008763"),
    ("#e080fc", "#a144bd"),
    ("#dcea52", "#9cad00"),
    ("#d9c762", "#9a8c28"),
    ("#9df1b1", "#61b377"),
    ("#a0f4ff", "#62b6c1"),
    ("#9d9cff", "#5f64c0"),
    ("#f9a36a", "#b76934"),
    ("#9cc168", "#618631"),
    ("#c4c091", "#89865a"),
    ("#fc8a40", "#b75100"),
    ("#ffca83", "#be8f4b"),
)
#: Places of the hues for labels that follow each other: neighbours in it differ as much, by 26.
_RING = (1, 12, 7, 8, 6, 4, 5, 11, 10, 0, 9, 2, 3)
_SIDES = {
    "left": "left",
    "l": "left",
    "lh": "left",
    "lt": "left",
    "right": "right",
    "r": "right",
    "rh": "right",
    "rt": "right",
}


@dataclass(frozen=True)
class Region:
    """One label.

    Attributes
    ----------
    index : int
        Value in the label map, from 1.
    name : str
        For people, with its side.
    side : str
        ``"left"``, ``"right"`` or empty.
    color : str
        ``"#rrggbb"``.
    abbreviation : str
        Short form for tables and figures; may be empty.
    visible : bool
        Whether it is drawn.
    locked : bool
        Whether tools leave it as it is.
    """

    index: int
    name: str
    side: str
    color: str
    abbreviation: str = ""
    visible: bool = True
    locked: bool = False


def side_of(name: str) -> str:
    """The side that a region's name tells: ``"left"``, ``"right"`` or empty.

    Understands "Putamen R", "L Putamen", "Left-Putamen", "putamen_right", "ctx-lh-insula" and
    "LeftPutamen". A name that tells both sides tells none.

    Examples
    --------
    >>> side_of("Putamen R"), side_of("Left-Putamen"), side_of("Red nucleus")
    ('right', 'left', '')
    """
    spaced = re.sub(r"(?<=[a-z])(?=(?:Left|Right)(?![a-z]))", " ", name)
    spaced = re.sub(r"\b(left|Left|right|Right)(?=[A-Z])", r"\1 ", spaced)
    words = re.split(r"[\W_]+", spaced.lower())
    sides = {_SIDES[word] for word in words if word in _SIDES}
    return sides.pop() if len(sides) == 1 else ""


def pair_color(place: int, *, dark: bool = False) -> str:
    """The colour of a structure by its place in a list, from 0; the hues repeat after thirteen."""
    return _PAIRS[place % len(_PAIRS)][dark]


def default_color(index: int) -> str:
    """A colour for a label that came without one.

    The first 26 are bright and dark by turns in hues that colour-blind readers can tell apart;
    later ones differ clearly in hue.
    """
    if 1 <= index <= 2 * len(_PAIRS):
        return pair_color(_RING[(index - 1) // 2], dark=index % 2 == 0)
    hue = (index * 0.618033988749895) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.55 if index % 2 else 0.68, 0.75)
    return hex_color(round(red * 255), round(green * 255), round(blue * 255))


def rgb(color: str) -> tuple[int, int, int]:
    """``"#rrggbb"`` as three numbers 0-255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def hex_color(red: int, green: int, blue: int) -> str:
    """Three numbers 0-255 as ``"#rrggbb"``."""
    return f"#{red:02x}{green:02x}{blue:02x}"
