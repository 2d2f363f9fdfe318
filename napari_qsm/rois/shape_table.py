"""Fixed shapes as rows of the region table, measured where they lie and not burnt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.rois.edge import edge_notes, with_edge
from napari_qsm.rois.high_part import NO_LIMITS, HighLimits
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.noise import NoiseMap
from napari_qsm.rois.pairs import base_name
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.rois.shape_checks import flags_of_all, values_under
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.rois.statistics import frame_of, needs, susceptibility
from napari_qsm.rois.sums import measures_of
from napari_qsm.units import SusceptibilityUnit, factor
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    import pandas as pd


def shape_statistics(
    values: Volume,
    shapes: Sequence[FixedShape],
    *,
    unit: SusceptibilityUnit = "ppm",
    warn: Callable[[str], None] | None = None,
    also: Collection[str] = (),
    high: HighLimits = NO_LIMITS,
    repeatability: Repeatability = LITERATURE,
    noise: NoiseMap | None = None,
) -> pd.DataFrame:
    """Statistics of a map under each of some fixed shapes.

    Parameters
    ----------
    values : Volume
        3-D map in ppm or ppb.
    shapes : sequence of FixedShape
        Voxels of each are counted in full, also those that it shares with others, which a label
        map could give to one of them only.
    unit : {"ppm", "ppb"}
        Unit of the table.
    warn : callable, optional
        Told what may be wrong with where a shape lies.
    also, high, repeatability, noise
        As for :func:`napari_qsm.rois.statistics.region_statistics`.

    Returns
    -------
    DataFrame
        One row a shape, in their order, with the columns of the region table and, behind the
        name, ``region``: the name without its side.

    Raises
    ------
    MetadataError
        If the map is none of susceptibility, or its values cannot be in its unit.
    FileError
        If there is no shape.
    """
    values = susceptibility(values)
    if not shapes:
        raise FileError("There is no shape to measure.")
    rows: list[tuple[int, str, str, Measures]] = []
    for number, shape in enumerate(shapes, 1):
        measures = shape_measures(shape, values, high, edge=needs("edge", also), noise=noise)
        rows.append((shape.region or number, shape.name, shape.side, measures))
    if warn is not None:
        named = ((row[1], row[3]) for row in rows)
        for note in edge_notes(named, factor(values.unit, "ppb"), repeatability):
            warn(f"{note}.")
        for shape, flags in zip(shapes, flags_of_all(shapes, values), strict=True):
            for flag in flags:
                warn(f"{shape.name}: {flag}.")
    table = frame_of(
        rows,
        unit=unit,
        voxel_mm3=values.voxel_volume_mm3,
        factor=factor(values.unit, unit),
        also=also,
    )
    table.insert(2, "region", [region_name(shape) for shape in shapes])
    return table


def shape_measures(
    shape: FixedShape,
    values: Volume,
    high: HighLimits = NO_LIMITS,
    *,
    edge: bool = False,
    noise: NoiseMap | None = None,
) -> Measures:
    """Numbers of a map under a shape, in the map's own unit.

    Parameters
    ----------
    shape : FixedShape
        Any.
    values : Volume
        3-D map.
    high : HighLimits
        What its high part is; for maps in ppm or ppb.
    edge : bool
        Whether its mean without the outer layer of voxels is wanted.
    noise : NoiseMap, optional
        Gives its mean a standard error.
    """
    limit = high.of(shape.name, shape.side)
    in_unit = nan if limit is None else limit * factor("ppm", values.unit)
    measures = measures_of(values_under(shape, values), in_unit)
    if edge:
        at = np.unravel_index(voxels_of(shape, values), values.shape, order="F")
        measures = with_edge(measures, values.data, np.stack(at, axis=1), values.voxel_size_mm)
    if noise is not None:
        own = measures_of(values_under(shape, noise.sd.like(values)))
        measures = noise.with_noise(measures, own, values.unit)
    return measures


def region_name(shape: FixedShape) -> str:
    """What a shape stands for, without its side."""
    return base_name(shape.name) if shape.side else shape.name
