"""Colours for a whole list of regions, which colour-blind readers can tell apart."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from napari_qsm.io.region import Region, pair_color
from napari_qsm.rois.edit import Change
from napari_qsm.rois.pairs import base_name
from napari_qsm.rois.presets import built_in_presets
from napari_qsm.rois.region import RegionTable, region_side


def recolour_all(table: RegionTable) -> Change:
    """New colours for every region of a table.

    Each structure has a hue, its left side the brighter one. Structures of the built-in list of
    deep-grey substrates have the hue that they have there, in which those that touch differ most;
    others take the hues that are left over, in their order. See
    :func:`napari_qsm.io.region.pair_color`.
    """
    known = _known_places()
    names = list(dict.fromkeys(base_name(row.name).casefold() for row in table.values()))
    places = {name: known[name] for name in names if name in known}
    free = [n for n in range(len(names) + len(known)) if n not in places.values()]
    places.update(zip((name for name in names if name not in known), free, strict=False))
    rows: dict[int, Region | None] = {}
    for index, row in sorted(table.items()):
        place = places[base_name(row.name).casefold()]
        after = replace(row, color=pair_color(place, dark=region_side(row) == "right"))
        if after != row:
            rows[index] = after
    return Change("colours of all regions", rows, regions=tuple(rows))


@lru_cache(maxsize=1)
def _known_places() -> dict[str, int]:
    """Places of the structures of the longest built-in list."""
    names = [base_name(region.name).casefold() for region in built_in_presets()[-1].regions]
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
