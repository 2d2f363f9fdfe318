"""Fixed shapes as rows of the region table, measured where they lie and not burnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari_qsm.errors import FileError
from napari_qsm.rois.measures import Measures, measures_of
from napari_qsm.rois.pairs import base_name
from napari_qsm.rois.shape_checks import flags_of_all, values_under
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.rois.statistics import frame_of, susceptibility
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
        measures = measures_of(values_under(shape, values))
        rows.append((shape.region or number, shape.name, shape.side, measures))
    if warn is not None:
        for shape, flags in zip(shapes, flags_of_all(shapes, values), strict=True):
            for flag in flags:
                warn(f"{shape.name}: {flag}.")
    table = frame_of(
        rows, unit=unit, voxel_mm3=values.voxel_volume_mm3, factor=factor(values.unit, unit)
    )
    table.insert(2, "region", [region_name(shape) for shape in shapes])
    return table


def region_name(shape: FixedShape) -> str:
    """What a shape stands for, without its side."""
    return base_name(shape.name) if shape.side else shape.name
