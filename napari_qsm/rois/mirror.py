"""To the other side: mirrored voxels and the names of partner regions."""

from __future__ import annotations

import re

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.rois.region import RegionTable, region_side, side_of

_OTHER = {"left": "right", "right": "left"}
_SWAPS = {"l": "r", "lh": "rh", "lt": "rt", "left": "right"}
_SIDE_WORDS = re.compile(r"[\s_.-]*\b(?:left|right|lh|rh|lt|rt|l|r)\b[\s_.-]*", flags=re.IGNORECASE)
_SWAPS.update({right: left for left, right in list(_SWAPS.items())})


def snapped_plane(position: float) -> float:
    """The voxel index of a mirror plane, moved to the nearest voxel centre or boundary.

    Only there do voxels fall on voxels, so that a mirrored region has the same number.
    """
    return float(np.floor(2 * position + 0.5) / 2)


def mirrored(at: Array, shape: tuple[int, int, int], plane: float) -> tuple[Array, int]:
    """Voxels on the other side of a plane across the first axis.

    Parameters
    ----------
    at : (n,) ndarray of int
        Flat positions, Fortran order over (x, y, z).
    shape : (x, y, z)
        Of the array.
    plane : float
        Voxel index along x; see :func:`snapped_plane`.

    Returns
    -------
    at : (m,) ndarray of intp
        Their mirror images inside the array.
    lost : int
        How many fell outside.
    """
    x, y, z = np.unravel_index(np.asarray(at, dtype=np.intp), shape, order="F")
    other = np.rint(2 * snapped_plane(plane) - x).astype(np.intp)
    inside = (other >= 0) & (other < shape[0])
    places = (other[inside], y[inside], z[inside])
    flat = np.ravel_multi_index(places, shape, order="F").astype(np.intp)
    return flat, int((~inside).sum())


def other_side_name(name: str) -> str:
    """A region's name with left and right exchanged; the same name if it tells no side.

    Examples
    --------
    >>> other_side_name("Putamen L"), other_side_name("right-caudate"), other_side_name("Pons")
    ('Putamen R', 'left-caudate', 'Pons')
    """
    if not side_of(name):
        return name

    def swap(found: re.Match[str]) -> str:
        word = found.group()
        other = _SWAPS.get(word.lower(), word)
        if word.isupper():
            return other.upper()
        return other.capitalize() if word[0].isupper() and word.lower() in _SWAPS else other

    swapped = re.sub(r"(?<![^\W_])[A-Za-z]+(?![^\W_])", swap, name)
    if swapped == name:  # "LeftPutamen": the side is glued to the name
        swapped = re.sub(
            r"Left|Right", lambda m: "Right" if m.group() == "Left" else "Left", name, count=1
        )
    return swapped


def without_side(name: str) -> str:
    """A region's name without the words that tell a side; the same name if nothing else is left.

    Examples
    --------
    >>> without_side("Putamen L"), without_side("left")
    ('Putamen', 'left')
    """
    return _SIDE_WORDS.sub(" ", name).strip() or name


def partner(table: RegionTable, index: int) -> int | None:
    """The region of the same name on the other side; None if there is none.

    Parameters
    ----------
    table : RegionTable
        Rows by label.
    index : int
        The region whose partner is wanted.
    """
    region = table.get(index)
    side = region_side(region)
    if region is None or side not in _OTHER:
        return None
    wanted = other_side_name(region.name).casefold()
    for key, each in table.items():
        if key == index or region_side(each) != _OTHER[side]:
            continue
        if each.name.casefold() == wanted:
            return key
    return None
