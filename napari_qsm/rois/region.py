"""The regions of a label map as a table: label to name, side and colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from napari_qsm.io.region import MAX_INDEX, Region, default_color, side_of

__all__ = [
    "MAX_INDEX",
    "Region",
    "RegionTable",
    "default_color",
    "made_up",
    "name_of",
    "region_table",
    "side_of",
]

#: What the values of a label map mean, in the order of the labels.
RegionTable = dict[int, Region]


def region_table(rows: Mapping[int, Region | str] | Iterable[Region] | None) -> RegionTable:
    """A table of regions from rows, or from names alone.

    Parameters
    ----------
    rows : mapping of int to Region or str, or iterable of Region
        A plain name gets the side that it tells and a colour of its label.

    Raises
    ------
    TypeError
        If a row is neither a region nor a name.
    ValueError
        If a label is not a whole number from 0 to 65535.

    Examples
    --------
    >>> region_table({2: "Putamen R"})[2].side
    'right'
    """
    if rows is None:
        return {}
    pairs = rows.items() if isinstance(rows, Mapping) else ((row.index, row) for row in rows)
    table: RegionTable = {}
    for index, row in pairs:
        if isinstance(index, bool) or not 0 <= int(index) <= MAX_INDEX:
            raise ValueError(f"{index!r} is no label; labels are whole numbers to {MAX_INDEX}.")
        label = int(index)
        if isinstance(row, Region):
            table[label] = row if row.index == label else replace(row, index=label)
        elif isinstance(row, str):
            table[label] = Region(label, row, side_of(row), default_color(label))
        else:
            raise TypeError(f"{row!r} is neither a region nor its name.")
    return dict(sorted(table.items()))


def made_up(label: int) -> Region:
    """The row of a label that has voxels but no name."""
    return Region(label, f"Region {label}", "", default_color(label))


def name_of(table: Mapping[int, Region], label: int) -> str:
    """What a label is called: as the table says, or after its number."""
    row = table.get(label)
    return row.name if row is not None and row.name else f"region {label}"
