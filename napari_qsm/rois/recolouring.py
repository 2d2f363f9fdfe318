"""Colours for a whole list of regions, which colour-blind readers can tell apart."""

from __future__ import annotations

from dataclasses import replace

from napari_qsm.io.region import Region, pair_color
from napari_qsm.rois.edit import Change
from napari_qsm.rois.pairs import base_name
from napari_qsm.rois.region import RegionTable, region_side


def recolour_all(table: RegionTable) -> Change:
    """New colours for every region of a table.

    Each structure has a hue, in the order in which structures stand in the table; its left side
    is the brighter one. See :func:`napari_qsm.io.region.pair_color`.
    """
    places: dict[str, int] = {}
    rows: dict[int, Region | None] = {}
    for index, row in sorted(table.items()):
        side = region_side(row)
        place = places.setdefault(base_name(row.name).casefold(), len(places))
        after = replace(row, color=pair_color(place, dark=side == "right"))
        if after != row:
            rows[index] = after
    return Change("colours of all regions", rows, regions=tuple(rows))
