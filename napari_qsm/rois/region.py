"""The regions of a label map as a table: label to name, side and colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.io.region import MAX_INDEX, Region, default_color, side_of

__all__ = [
    "MAX_INDEX",
    "Region",
    "RegionTable",
    "clean_name",
    "default_color",
    "free_label",
    "free_name",
    "labels_present",
    "listed",
    "made_up",
    "marked",
    "name_of",
    "no_label_left",
    "region_of",
    "region_side",
    "region_table",
    "shape_colour",
    "side_of",
]
#: Of shapes that stand for no region.
_OF_NO_REGION = "#ffd640"

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


def region_of(table: Mapping[int, Region], label: int) -> Region:
    """The row of a label, made up where the table has none."""
    return table.get(label) or made_up(label)


def name_of(table: Mapping[int, Region], label: int) -> str:
    """What a label is called: as the table says, or after its number."""
    row = table.get(label)
    return row.name if row is not None and row.name else f"region {label}"


def region_side(region: Region | None) -> str:
    """``"left"``, ``"right"`` or empty: as the table says or, failing that, as the name does."""
    return "" if region is None else region.side or side_of(region.name)


def shape_colour(name: str, label: int, regions: Mapping[int, Region]) -> str:
    """The colour of a fixed shape, in views and tables: that of its region, by name or label.

    Parameters
    ----------
    name : str
        Name of its region; may be empty.
    label : int
        Label of its region; 0 for none.
    regions : dict of int to Region
    """
    named = next((each for each in regions.values() if name and each.name == name), None)
    found = named or (regions.get(label) if not name else None)
    if found is not None:
        return found.color or default_color(found.index)
    return default_color(label) if label else _OF_NO_REGION


def clean_name(name: str) -> str:
    """One line without tabs, as every kind of label table can hold it."""
    return " ".join(name.split())


def free_name(table: Mapping[int, Region], name: str, besides: int = 0) -> str:
    """The name, with a number where another region has it."""
    taken = {row.name.casefold() for key, row in table.items() if key != besides}
    number, tried = 1, name
    while tried.casefold() in taken:
        number += 1
        tried = f"{name} {number}"
    return tried


def labels_present(labels: Array) -> list[int]:
    """Labels that have at least one voxel."""
    counts = np.bincount(labels.ravel(order="K"))
    return [int(label) for label in np.flatnonzero(counts) if label]


def listed(labels: Array, table: RegionTable) -> RegionTable:
    """The table with a row for every label that has voxels; the table itself if none lacks."""
    missing = [label for label in labels_present(labels) if label not in table]
    if not missing:
        return table
    return {index: region_of(table, index) for index in sorted({*table, *missing})}


def marked(table: RegionTable, indices: Iterable[int], **marks: bool) -> RegionTable:
    """The table with regions shown or hidden (``visible``), locked or free (``locked``)."""
    rows = dict(table)
    for index in indices:
        rows[index] = replace(region_of(table, index), **marks)  # type: ignore[arg-type]
    return dict(sorted(rows.items()))


def free_label(labels: Array, table: Mapping[int, Region]) -> int:
    """The label above all others; the lowest that is free where there is none above.

    Raises
    ------
    QsmError
        If there is no label left.
    """
    highest = max((int(labels.max(initial=0)), *table), default=0)
    if highest < MAX_INDEX:
        return highest + 1
    taken = {*table, *labels_present(labels)}
    free = next((i for i in range(1, MAX_INDEX + 1) if i not in taken), None)
    if free is None:
        raise no_label_left()
    return free


def no_label_left() -> QsmError:
    """That all labels are taken."""
    return QsmError(f"A label map holds labels up to {MAX_INDEX}; there is none left.")
