"""The session's regions, measured: statistics are kept and follow edits box by box."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from napari_qsm.arrays import Array, Box
from napari_qsm.rois.edge import with_edge
from napari_qsm.rois.high_part import NO_LIMITS
from napari_qsm.rois.live import HighFrom, LiveStatistics
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.noise import NoiseMap
from napari_qsm.rois.region import (
    Region,
    RegionTable,
    default_color,
    name_of,
    region_side,
    shape_colour,
)
from napari_qsm.rois.shape_table import shape_measures
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.noise import NoiseMaps
from napari_qsm.units import factor
from napari_qsm.volume import Volume

#: Roles whose values can be measured in regions.
_ROLES = ("map", "magnitude", "other", "phase")


def measurable(session: Session) -> list[MapEntry]:
    """Entries that the table can measure, susceptibilities first."""
    entries = [entry for entry in session if entry.role in _ROLES]
    return sorted(entries, key=lambda entry: not entry.is_susceptibility)


def measured_map(session: Session, key: str = "") -> MapEntry | None:
    """The map whose values the table holds.

    The one asked for; else, of the active case, the selected one if it is a susceptibility map;
    else its topmost susceptibility map; else, without any, the selected map of another kind.
    """
    asked = session.entry(key) if key else None
    if asked is not None and asked.role in _ROLES:
        return asked
    maps = [entry for entry in session.case.maps if entry.is_susceptibility]
    selected = session.selected_entry
    if selected in maps:
        return selected
    if maps:
        return maps[-1]
    return selected if selected is not None and selected.role in _ROLES else None


def shown_unit(session: Session, entry: MapEntry) -> str:
    """The unit in which a map's values are written; susceptibilities follow the switch."""
    return session.unit if entry.in_ppm else entry.volume.unit


def shown_factor(session: Session, entry: MapEntry) -> float:
    """From the map's own unit to the one that is written."""
    return factor(entry.volume.unit, shown_unit(session, entry)) if entry.in_ppm else 1.0


@dataclass(frozen=True)
class ShownMap:
    """One map of the table, with the label map it is measured under."""

    entry: MapEntry
    labels: MapEntry | None
    name: str
    unit: str
    factor: float

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return self.entry.volume.voxel_volume_mm3


@dataclass
class Row:
    """One region or fixed shape.

    Attributes
    ----------
    key : str
        ``"label 3"`` or ``"shape ID"``; rows of two label maps are one where label and name
        agree.
    label : int
        Value in the label map; for a shape the region it stands for, or 0.
    name, side, color : str
        As in the label table.
    shape : FixedShape or None
        For rows of fixed shapes.
    hidden : bool
        Whether a blinded reader must not see the values yet.
    measures : dict of str to Measures
        By the id of the map.
    settling : bool
        Whether what takes longer is not worked out yet, because the region is being drawn.
    """

    key: str
    label: int
    name: str
    side: str
    color: str
    shape: FixedShape | None = None
    hidden: bool = False
    measures: dict[str, Measures] = field(default_factory=dict)
    settling: bool = False


class _Kept:
    """Live statistics of one label map, and the maps as they were when measured."""

    def __init__(self, entry: MapEntry) -> None:
        self.array = entry.editable
        self.live = LiveStatistics(entry.labels)
        self.sources: dict[str, tuple[Volume, int]] = {}
        self.pending: list[Box] = []
        self.values: dict[str, Volume] = {}
        self.edges: dict[tuple[str, int], Measures] = {}


class Numbers:
    """Measures what the table shows, and no more than has changed.

    Parameters
    ----------
    session : Session
        Its label maps, maps and fixed shapes.

    Attributes
    ----------
    high : HighLimits
        What the high part of a region is.
    """

    def __init__(self, session: Session) -> None:
        self.high = NO_LIMITS
        self._session = session
        self._kept: dict[str, _Kept] = {}
        self._shapes: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._noise = NoiseMaps()

    def edited(self, key: str, box: Box) -> None:
        """Remember that a part of a label map has changed."""
        kept = self._kept.get(key)
        if kept is not None:
            kept.pending.append(box)

    def forget_gone(self) -> None:
        """Drop what belongs to maps that have left."""
        there = {entry.id for entry in self._session}
        self._kept = {key: kept for key, kept in self._kept.items() if key in there}
        self._shapes = {key: known for key, known in self._shapes.items() if key[1] in there}
        for kept in self._kept.values():
            for key in set(kept.sources) - there:
                kept.live.remove_map(key)
                del kept.sources[key], kept.values[key]
                kept.edges = {at: known for at, known in kept.edges.items() if at[0] != key}

    def shown(self, entry: MapEntry) -> ShownMap:
        """A map with its label map, name and unit as the table writes them."""
        session = self._session
        return ShownMap(
            entry,
            session.labels_of(entry),
            shown_name(session, entry),
            shown_unit(session, entry),
            shown_factor(session, entry),
        )

    def live(self, shown: ShownMap) -> LiveStatistics:
        """Up-to-date statistics of a map's label map, in which the map is measured.

        Raises
        ------
        GeometryError
            If map and labels lie on different grids.
        """
        labels, entry = shown.labels, shown.entry
        assert labels is not None
        kept = self._kept.get(labels.id)
        if kept is None or kept.array is not labels.editable:
            kept = self._kept[labels.id] = _Kept(labels)
        pending, kept.pending = kept.pending, []
        for box in _joined(pending):
            changed = kept.live.update(box)
            kept.edges = {at: known for at, known in kept.edges.items() if at[1] not in changed}
        source = kept.sources.get(entry.id)
        if source is None or source[0] is not entry.volume or source[1] != entry.echo:
            values = _in_order_of(entry.shown, labels.volume)
            kept.live.set_map(entry.id, values.data)
            kept.sources[entry.id] = (entry.volume, entry.echo)
            kept.values[entry.id] = values
            kept.edges = {at: known for at, known in kept.edges.items() if at[0] != entry.id}
        if entry.in_ppm and self.high:
            limits = self.high.in_map(labels.regions, kept.live.labels, entry.volume.unit)
            kept.live.set_high(entry.id, limits)
        else:
            kept.live.set_high(entry.id, HighFrom())
        return kept.live

    def rows(
        self,
        maps: list[ShownMap],
        *,
        ranks: bool,
        shapes: bool,
        edge: Literal["no", "known", "yes"] = "no",
        noise: bool = False,
    ) -> list[Row]:
        """Rows of the table: regions in the order of their labels, then fixed shapes.

        Parameters
        ----------
        maps : list of ShownMap
            The first one decides on the grid of the others.
        ranks : bool
            Whether median and percentiles are wanted.
        shapes : bool
            Whether fixed shapes are.
        edge : {"no", "known", "yes"}
            Whether means without the outer layer of voxels are; ``"known"`` leaves out those of
            regions that were drawn on since they were last worked out.
        noise : bool
            Whether standard errors of means are, where there is a noise map.

        Raises
        ------
        GeometryError
            If a map and its labels lie on different grids.
        """
        rows: dict[tuple[int, str], Row] = {}
        for shown in maps:
            if shown.labels is None:
                continue
            live, regions = self.live(shown), shown.labels.regions
            under = self._noise_under(shown) if noise else None
            for label in sorted(set(live.labels) | set(regions) - {0}):
                row = self._region_row(label, regions, shown.labels)
                row = rows.setdefault((label, row.name), row)
                measures = live.measures(shown.entry.id, label, ranks=ranks)
                if edge != "no":
                    known = self._edge(shown, label, measures, now=edge == "yes")
                    row.settling |= known is None
                    measures = known or measures
                if under is not None:
                    key, known_noise = under
                    own = live.measures(key, label)
                    measures = known_noise.with_noise(measures, own, shown.entry.volume.unit)
                row.measures[shown.entry.id] = measures
        found = [rows[key] for key in sorted(rows, key=lambda key: key[0])]
        if not shapes:
            return found
        return found + self._shape_rows(maps, edge=edge != "no", noise=noise)

    def _edge(
        self, shown: ShownMap, label: int, measures: Measures, *, now: bool
    ) -> Measures | None:
        """A region with what is told of its edge; None where that must wait."""
        assert shown.labels is not None
        kept, key = self._kept[shown.labels.id], shown.entry.id
        known = kept.edges.get((key, label))
        if known is None and now:
            values = kept.values[key]
            places = kept.live.places(label)
            known = with_edge(measures, values.data, places, values.voxel_size_mm)
            kept.edges[key, label] = known
        told = ("inner_mean", "edge_difference", "inner_voxels")
        return known and measures.with_external({name: known.value(name) for name in told})

    def pooled(
        self, shown: ShownMap, labels: list[int], *, ranks: bool, noise: bool = False
    ) -> Measures:
        """Several regions as one."""
        live = self.live(shown)
        measures = live.pooled(shown.entry.id, labels, ranks=ranks)
        found = self._noise_under(shown) if noise else None
        if found is None:
            return measures
        return found[1].with_noise(measures, live.pooled(found[0], labels), shown.entry.volume.unit)

    def _noise_under(self, shown: ShownMap) -> tuple[str, NoiseMap] | None:
        """The noise map of a map, measured under the same labels, by its key; None without one."""
        found = self._noise.of(self._session, shown.entry)
        if found is None:
            return None
        self.live(replace(shown, entry=found[0]))
        return found[0].id, found[1]

    def values(self, row: Row, shown: ShownMap) -> Array:
        """Values of a row on a map, in the map's own unit; may hold NaN."""
        if row.shape is not None:
            return _inside(row.shape, shown.entry.shown)
        return self.live(shown).values(shown.entry.id, [row.label])

    def _region_row(self, label: int, regions: RegionTable, labels: MapEntry) -> Row:
        region = regions.get(label)
        name = name_of(regions, label)
        return Row(
            f"label {label} {name}",
            label,
            name,
            region_side(region),
            region.color if region is not None else default_color(label),
            hidden=self._session.blinded and not (region is not None and region.locked),
        )

    def _shape_rows(self, maps: list[ShownMap], *, edge: bool, noise: bool) -> list[Row]:
        """A row for each shape of the cases whose maps are shown, measured in its own case."""
        rows = []
        session = self._session
        for case in session.cases:
            own = [shown for shown in maps if session.case_of(shown.entry) is case]
            for shape in case.shapes if own else ():
                labels = own[0].labels
                region = labels.regions.get(shape.region) if labels is not None else None
                row = self._shape_row(shape, region, labels.regions if labels is not None else {})
                for shown in own:
                    row.measures[shown.entry.id] = self._shape_measures(
                        shape, shown.entry, edge=edge, noise=noise
                    )
                rows.append(row)
        return rows

    def _shape_row(self, shape: FixedShape, region: Region | None, regions: RegionTable) -> Row:
        color = shape_colour(shape.region_name, shape.region, regions)
        hidden = self._session.blinded and not (region is not None and region.locked)
        name = f"{shape.name} – {shape.words}" if shape.region_name else shape.words
        return Row(f"shape {shape.id}", shape.region, name, shape.side, color, shape, hidden)

    def _shape_measures(
        self, shape: FixedShape, entry: MapEntry, *, edge: bool, noise: bool
    ) -> Measures:
        known = self._shapes.get((shape.id, entry.id))
        high = self.high if entry.in_ppm else NO_LIMITS
        found = self._noise.of(self._session, entry) if noise else None
        source = (shape, entry.volume, entry.echo, high, edge, found and found[1])
        if known is not None and all(a is b for a, b in zip(known, source, strict=False)):
            return known[-1]
        measures = shape_measures(shape, entry.shown, high, edge=edge, noise=found and found[1])
        self._shapes[shape.id, entry.id] = (*source, measures)
        return measures


def _inside(shape: FixedShape, volume: Volume) -> Array:
    """Values of a map in a fixed shape."""
    at = np.unravel_index(voxels_of(shape, volume), volume.shape, order="F")
    return volume.data[at].astype(np.float64)


def _in_order_of(values: Volume, labels: Volume) -> Volume:
    """A map in the axis order of its labels; the message of a refusal names both."""
    return values.like(labels)


def _joined(boxes: list[Box]) -> list[Box]:
    """Boxes of one stroke as one, unless that would be much larger than they are."""
    if len(boxes) < 2:
        return boxes
    low = [min(box[axis].start for box in boxes) for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) for axis in range(3)]
    whole: Box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    slices = sum(box[2].stop - box[2].start for box in boxes)
    return [whole] if high[2] - low[2] <= max(4, slices) else boxes
