"""The numbers of each region: voxels, volume, mean, SD and the shape of the distribution."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from napari_qsm.errors import MetadataError
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.quantities import checked_map
from napari_qsm.rois.edge import edge_notes, with_edge
from napari_qsm.rois.high_part import NO_LIMITS, HighLimits
from napari_qsm.rois.live import LiveStatistics
from napari_qsm.rois.measures import STATISTICS, Measures
from napari_qsm.rois.noise import NoiseMap
from napari_qsm.rois.region import Region, name_of, region_side, region_table
from napari_qsm.rois.register import Needs, Statistic
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.units import SusceptibilityUnit, column_word, decimals, factor
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

_HEAD = {
    "label": "Value in the label map.",
    "name": "Name of the region, from the label table.",
    "side": "left, right or empty.",
    "voxels": "All voxels of the region.",
    "volume_mm3": "Their volume, mm³.",
}


#: The noise map's key beside that of the map.
_NOISE = "noise"


def columns(unit: str = "ppm", also: Collection[str] = ()) -> list[str]:
    """Column names of the region table; values carry the unit in their name."""
    return list(column_meanings(unit, also))


def column_meanings(unit: str = "ppm", also: Collection[str] = ()) -> dict[str, str]:
    """The data dictionary of the region table: what each column holds.

    Parameters
    ----------
    unit : str
        Of the values.
    also : collection of str
        Statistics that stand in files only where they are asked for.
    """
    said = dict(_HEAD)
    for each in exported_statistics(also):
        in_unit = f", {unit}" if each.in_map_unit and unit else ""
        said[column_of(each, unit)] = f"{each.meaning.rstrip('.')}{in_unit}."
    return said


def column_of(each: Statistic, unit: str) -> str:
    """The name of a statistic's column: ``"mean_ppm"``, ``"skewness"``."""
    word = column_word(unit) if each.in_map_unit else ""
    return f"{each.name}_{word}" if word else each.name


def exported_statistics(also: Collection[str] = ()) -> list[Statistic]:
    """Statistics that tables in files hold: those that all do, then those asked for."""
    every = STATISTICS.values()
    asked = [each for each in every if each.name in also and not each.exported]
    return [each for each in every if each.exported] + asked


def column_decimals(unit: str = "ppm") -> dict[str, int]:
    """Decimals in which the columns of numbers are shown; files hold all digits."""
    shown = {"volume_mm3": decimals("mm³")}
    for each in STATISTICS.values():
        places = decimals(unit) + each.finer if each.in_map_unit else each.decimals
        shown[column_of(each, unit)] = places
    return shown


def region_statistics(
    values: Volume,
    labels: Volume,
    names: Mapping[int, Region | str] | None = None,
    *,
    unit: SusceptibilityUnit = "ppm",
    warn: Callable[[str], None] | None = None,
    also: Collection[str] = (),
    high: HighLimits = NO_LIMITS,
    repeatability: Repeatability = LITERATURE,
    noise: NoiseMap | None = None,
) -> pd.DataFrame:
    """Statistics of a map in every region of a label map.

    Parameters
    ----------
    values : Volume
        3-D map in ppm or ppb. A map that does not say its unit is taken to be in ppm.
    labels : Volume
        Whole numbers on the same grid (axis order may differ); 0 is no region.
    names : mapping, optional
        Label value to a region or its name. Named regions without a voxel get a row with 0
        voxels.
    unit : {"ppm", "ppb"}
        Unit of the table.
    warn : callable, optional
        Told in a sentence about regions with voxels that hold no number, and about those whose
        mean hangs on their edge if that is asked for.
    also : collection of str
        More statistics by name, in columns after the others.
    high : HighLimits
        What the high part of regions is.
    repeatability : Repeatability
        By how much the mean of a region may hang on its edge without a word.
    noise : NoiseMap, optional
        Gives means their standard errors, the statistic ``se``.

    Returns
    -------
    DataFrame
        Columns as :func:`columns` gives them, one row per label in ascending order.

    Raises
    ------
    GeometryError
        If the two do not share a grid: statistics are never taken from resampled maps.
    MetadataError
        If the map holds another quantity than susceptibility, its values cannot be in its
        unit, or there is no such statistic.
    FileError
        If the labels are not whole numbers.

    Notes
    -----
    The SD is that of a sample (n - 1), as in ITK-SNAP and 3D Slicer; skewness is the third
    standardised moment m3 / m2^1.5; percentiles are interpolated linearly. Sums run in
    float64. Voxels that hold NaN or infinity count as voxels of the region, not as values.
    """
    unknown = [name for name in also if name not in STATISTICS]
    if unknown:
        raise MetadataError(
            f"There is no statistic '{unknown[0]}'; there are {', '.join(STATISTICS)}."
        )
    values = susceptibility(values)
    live = LiveStatistics(as_labels(labels.like(values)), {"": values.data})
    table = {index: region for index, region in region_table(names).items() if index != 0}
    live.set_high("", high.in_map(table, live.labels, values.unit))
    live.measure_all("")
    if noise is not None:
        live.set_map(_NOISE, noise.sd.like(values).data)
    rows = []
    for label in sorted(set(live.labels) | set(table)):
        measures = live.measures("", label, ranks=True)
        name = name_of(table, label)
        if warn is not None and measures.missing:
            warn(f"{name}: {missing_words(measures)}.")
        if needs("edge", also):
            measures = with_edge(measures, values.data, live.places(label), values.voxel_size_mm)
        if noise is not None:
            measures = noise.with_noise(measures, live.measures(_NOISE, label), values.unit)
        rows.append((label, name, region_side(table.get(label)), measures))
    for note in edge_notes(
        ((row[1], row[3]) for row in rows), factor(values.unit, "ppb"), repeatability
    ):
        if warn is not None:
            warn(f"{note}.")
    return frame_of(
        rows,
        unit=unit,
        voxel_mm3=values.voxel_volume_mm3,
        factor=factor(values.unit, unit),
        also=also,
    )


def needs(what: Needs, names: Collection[str]) -> bool:
    """Whether one of some statistics takes a limit, an edge, controls or another map."""
    return any(STATISTICS[name].needs == what for name in names if name in STATISTICS)


def susceptibility(values: Volume) -> Volume:
    """A map that regions can be measured on, with its unit.

    Raises
    ------
    MetadataError
        If it holds another quantity, or its values cannot be in its unit.
    """
    values = checked_map(values)
    if values.unit not in ("ppm", "ppb"):
        raise MetadataError(
            f"'{values.name}' is in {values.unit}; the region table needs a susceptibility map "
            "in ppm."
        )
    return values


def frame_of(
    rows: Iterable[tuple[int, str, str, Measures]],
    *,
    unit: str,
    voxel_mm3: float,
    factor: float = 1.0,
    also: Collection[str] = (),
) -> pd.DataFrame:
    """Numbers of regions as the region table.

    Parameters
    ----------
    rows : iterable of (label, name, side, Measures)
        With percentiles.
    unit : str
        In which the columns are named.
    voxel_mm3 : float
        Volume of a voxel.
    factor : float
        From the map's unit to that of the table.
    also : collection of str
        More statistics by name.
    """
    import pandas as pd

    told = exported_statistics(also)
    kept = [
        [
            *(label, name, side, measures.voxels, measures.voxels * voxel_mm3),
            *(measures.value(each.name) * (factor if each.in_map_unit else 1) for each in told),
        ]
        for label, name, side, measures in rows
    ]
    table = pd.DataFrame(kept, columns=columns(unit, also))
    return table.astype({"label": int, "voxels": int, "name": object, "side": object})


def missing_words(measures: Measures) -> str:
    """How many voxels hold no number, in words."""
    return f"{measures.missing} of {measures.voxels} voxels hold no number"
