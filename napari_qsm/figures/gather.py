"""The volumes behind a figure: read from its files, or handed over by the window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError, QsmError
from napari_qsm.figures.parts import Source
from napari_qsm.figures.spec import FigureSpec, resolved
from napari_qsm.io.formats import read_image, stem
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.maps import declared_unit, read_map
from napari_qsm.io.segmentation import read_labels
from napari_qsm.io.sidecar import read_json
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.presets import with_abbreviation
from napari_qsm.rois.region import Region, RegionTable, name_of, region_table
from napari_qsm.volume import Volume


@dataclass(frozen=True, eq=False)
class Given:
    """A volume that is in memory already.

    Attributes
    ----------
    volume : Volume
        In any axis order.
    regions : dict
        What the values of a label map mean: rows of a label table, or their names.
    provenance : dict
        How a map was made, as in ``provenance.json``.
    revision : int
        Count it up when the values change in place, so that nothing old is drawn.
    """

    volume: Volume
    regions: Mapping[int, Region | str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, eq=False)
class Loaded:
    """A volume of the figure, 3-D and in canonical axis order.

    Attributes
    ----------
    key, name : str
        The spec's key, and what the figure calls it.
    volume : Volume
        Whole numbers where ``role`` is ``"labels"``.
    regions, provenance : dict
        As in :class:`Given`.
    stamp : tuple
        Equal only while the values are.
    origin : Volume or None
        The volume handed over.
    notes : tuple of str
        What should be known of its file: its unit, its sides, its labels.
    measured : dict
        Tables made from the map, kept between previews.
    """

    key: str
    name: str
    role: str
    volume: Volume
    regions: RegionTable
    provenance: Mapping[str, Any]
    stamp: tuple[Any, ...]
    origin: Volume | None = None
    notes: tuple[str, ...] = ()
    measured: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def present(self) -> tuple[int, ...]:
        """Labels with voxels, in ascending order."""
        data = self.volume.data.ravel(order="K")
        return tuple(int(label) for label in np.flatnonzero(np.bincount(data[data > 0])))

    @cached_property
    def filled(self) -> Array:
        """First and last voxel along each axis with a value other than zero; shape (3, 2)."""
        data = self.volume.data
        with np.errstate(invalid="ignore"):
            solid = (data != 0) & np.isfinite(data) if data.dtype.kind == "f" else data != 0
        ends = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            at = np.flatnonzero(solid.any(axis=others))
            ends.append((at[0], at[-1]) if at.size else (0, data.shape[axis] - 1))
        return np.array(ends)

    @cached_property
    def grey_window(self) -> tuple[float, float]:
        """A window for a magnitude with head room above white matter, as in the viewer."""
        data = self.volume.data
        step = max(1, round((data.size / 400_000) ** (1 / 3)))
        values = np.asarray(data[::step, ::step, ::step], dtype=np.float64).ravel()
        values = values[np.isfinite(values) & (values != 0)]
        if values.size == 0:
            return 0.0, 1.0
        low, high = (float(v) for v in np.percentile(values, (1, 99)))
        low, high = min(0.0, low), 1.25 * high if high > 0 else high
        return (low, high) if high > low else (low, low + 1.0)

    def region_called(self, label: int) -> str:
        """Name of a region, or its number."""
        return name_of(self.regions, label)


def gather(
    spec: FigureSpec,
    given: Mapping[str, Given] | None = None,
    base: Path | str = ".",
    known: dict[str, Loaded] | None = None,
) -> dict[str, Loaded]:
    """Every volume that the panels use.

    Parameters
    ----------
    spec : FigureSpec
        The figure.
    given : dict, optional
        Volumes in memory, by the spec's keys; they go before files.
    base : Path or str
        Folder that the spec's paths start from.
    known : dict, optional
        Kept between calls: volumes read before are not read again while their files stay.

    Raises
    ------
    QsmError
        Naming the panel and the source, the file or the grids that do not fit.
    """
    known = {} if known is None else known
    given = given or {}
    out: dict[str, Loaded] = {}
    for number, panel in enumerate(spec.panels, 1):
        for key, part in panel.sources():
            if key not in spec.sources and key not in given:
                there = ", ".join(f"'{name}'" for name in spec.sources) or "none"
                raise QsmError(
                    f"Panel {number} names the {part} '{key}', but the figure has no such source; "
                    f"it has {there}."
                )
            if key not in out:
                source = spec.sources.get(key) or Source()
                out[key] = load(key, source, given.get(key), Path(base), known)
            if part == "regions" and out[key].volume.data.dtype.kind not in "iu":
                labels = replace(out[key].volume, data=as_labels(out[key].volume))
                out[key] = replace(out[key], volume=labels, role="labels")
                known[key] = out[key]
    return out


def load(
    key: str, source: Source, given: Given | None, base: Path, known: dict[str, Loaded]
) -> Loaded:
    """One volume, from memory, from ``known`` or from its file.

    Raises
    ------
    QsmError
        If the file is missing, cannot be read, or holds no number.
    """
    old = known.get(key)
    notes: list[str] = []
    regions: RegionTable
    if given is not None:
        stamp: tuple[Any, ...] = (id(given.volume), given.revision, source.echo, source.role)
        if old is not None and old.stamp == stamp and old.origin is given.volume:
            return _named(old, source)
        volume = given.volume
        if volume.data.dtype.kind == "f" and not np.isfinite(volume.data).any():
            raise FileError(f"'{source.name or key}' holds no number at all: every voxel is NaN.")
        regions, provenance = region_table(given.regions), given.provenance
    else:
        if not source.path:
            raise FileError(f"The figure's source '{key}' has no 'path'.")
        path = resolved(source.path, base)
        if not path.is_file():
            raise FileError(f"There is no file '{path}' (the figure's source '{key}').")
        stamp = (str(path), path.stat().st_mtime_ns, *source.model_dump(exclude={"name"}).values())
        if old is not None and old.stamp == stamp:
            return _named(old, source)
        regions = {}
        if source.role == "map":
            volume = read_map(path, unit=source.unit, warn=notes.append)
        elif source.role == "labels":
            volume, rows = read_labels(path, warn=notes.append, table=not source.table)
            if source.table:
                rows = read_label_table(resolved(source.table, base))
            regions = {row.index: row for row in rows}
        else:
            volume = read_image(path, unit=source.unit or declared_unit(path))
        provenance = _provenance_beside(path) if source.role == "map" or source.quantity else {}
    if volume.data.ndim == 4:
        if source.echo >= volume.data.shape[3]:
            raise GeometryError(
                f"'{source.name or key}' has {volume.data.shape[3]} echoes; there is no echo "
                f"{source.echo} (counted from 0)."
            )
        volume = volume.echo(source.echo)
    volume = volume.to_canonical()
    if source.role == "labels":
        volume = replace(volume, data=as_labels(volume))
        regions = {n: with_abbreviation(region) for n, region in regions.items()}
    elif source.role == "map" and not volume.unit:
        volume = replace(volume, unit="ppm")
    name = source.name or volume.name or key
    origin = given.volume if given is not None else None
    loaded = Loaded(
        key, name, source.role, volume, regions, provenance, stamp, origin, tuple(notes)
    )
    known[key] = loaded
    return loaded


def _named(old: Loaded, source: Source) -> Loaded:
    name = source.name or old.volume.name or old.key
    return old if old.name == name else replace(old, name=name)


def _provenance_beside(path: Path) -> dict[str, Any]:
    name = stem(path)
    prefix = name.rpartition("_")[0] + "_" if "_" in name else ""
    for candidate in (f"{prefix}provenance.json", "provenance.json"):
        if (path.parent / candidate).is_file():
            try:
                return read_json(path.parent / candidate)
            except (FileError, json.JSONDecodeError):
                return {}
    return {}


def labels_like(labels: Loaded, map_: Loaded) -> Array:
    """The label map in the axis order of a map, if both lie on one grid.

    Raises
    ------
    GeometryError
        If they don't: regions are never resampled.
    """
    if labels.volume is map_.volume:
        return labels.volume.data
    try:
        return labels.volume.like(map_.volume).data
    except GeometryError as error:
        raise GeometryError(
            f"The regions '{labels.name}' do not fit the map '{map_.name}': {error}"
        ) from None


def wanted_labels(labels: Loaded, which: tuple[int, ...]) -> tuple[int, ...]:
    """The labels asked for, or all there are; each has voxels.

    Raises
    ------
    QsmError
        Naming a region without a voxel.
    """
    present = labels.present
    if not present:
        raise QsmError(f"'{labels.name}' holds no region: every voxel is 0.")
    for label in which:
        if label not in present:
            raise QsmError(
                f"The region '{labels.region_called(label)}' (label {label}) has no voxel in "
                f"'{labels.name}'."
            )
    return which or present
