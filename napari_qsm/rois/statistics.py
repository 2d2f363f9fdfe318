"""The numbers of each region: voxels, volume, mean, SD and the shape of the distribution."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from napari_qsm.errors import MetadataError
from napari_qsm.io.label_table import side_of
from napari_qsm.io.nifti import as_labels
from napari_qsm.rois.live import LiveStatistics
from napari_qsm.rois.measures import Measures
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["ppm", "ppb"]
#: Columns that carry the unit in their name.
MEASURES = ("mean", "sd", "median", "min", "max", "p05", "p95")


def columns(unit: str = "ppm") -> list[str]:
    """Column names of the region table; values carry the unit in their name."""
    head = ["label", "name", "side", "voxels", "volume_mm3"]
    word = unit_word(unit)
    return [*head, *(f"{each}_{word}" if word else each for each in MEASURES), "skewness"]


def unit_word(unit: str) -> str:
    """A unit as the end of a column's name: ``"per_s"`` for 1/s, nothing if it is not known."""
    return {"1/s": "per_s"}.get(unit, re.sub(r"\W+", "_", unit).strip("_"))


def region_name(region: Any) -> str:
    """Name of a row of a label table: a plain string or an object with ``name``."""
    return "" if region is None else str(getattr(region, "name", region))


def region_side(region: Any) -> str:
    """``"left"``, ``"right"`` or empty: as the table says or, failing that, as the name does."""
    return str(getattr(region, "side", "") or "") or side_of(region_name(region))


def region_statistics(
    values: Volume,
    labels: Volume,
    names: Mapping[int, Any] | None = None,
    *,
    unit: Unit = "ppm",
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Statistics of a map in every region of a label map.

    Parameters
    ----------
    values : Volume
        3-D map in ppm or ppb. A map that does not say its unit is taken to be in ppm.
    labels : Volume
        Whole numbers on the same grid (axis order may differ); 0 is no region.
    names : mapping, optional
        Label value to a name, or to an object with ``name`` and ``side``. Named regions
        without a voxel get a row with 0 voxels.
    unit : {"ppm", "ppb"}
        Unit of the table.
    warn : callable, optional
        Told in a sentence about regions with voxels that hold no number.

    Returns
    -------
    DataFrame
        Columns as :func:`columns` gives them, one row per label in ascending order.

    Raises
    ------
    GeometryError
        If the two do not share a grid: statistics are never taken from resampled maps.
    MetadataError
        If the map holds another quantity than susceptibility.
    FileError
        If the labels are not whole numbers.

    Notes
    -----
    The SD is that of a sample (n - 1), as in ITK-SNAP and 3D Slicer; skewness is the third
    standardised moment m3 / m2^1.5; percentiles are interpolated linearly. Sums run in
    float64. Voxels that hold NaN or infinity count as voxels of the region, not as values.
    """
    if values.unit not in ("", "ppm", "ppb"):
        raise MetadataError(
            f"'{values.name}' is in {values.unit}; the region table needs a susceptibility map "
            "in ppm."
        )
    live = LiveStatistics(as_labels(labels.like(values)), {"": values.data})
    names = {index: region for index, region in (names or {}).items() if index != 0}
    rows = []
    for label in sorted(set(live.labels) | set(names)):
        measures = live.measures("", label, ranks=True)
        name = row_name(label, names.get(label))
        if warn is not None and measures.missing:
            warn(f"{name}: {missing_words(measures)}.")
        rows.append((label, name, region_side(names.get(label)), measures))
    return frame_of(
        rows, unit=unit, voxel_mm3=values.voxel_volume_mm3, factor=factor_of(values, unit)
    )


def frame_of(
    rows: Iterable[tuple[int, str, str, Measures]],
    *,
    unit: str,
    voxel_mm3: float,
    factor: float = 1.0,
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
    """
    import pandas as pd

    kept = [
        [
            *(label, name, side, measures.voxels, measures.voxels * voxel_mm3),
            *(measures.value(each) * factor for each in MEASURES),
            measures.skewness,
        ]
        for label, name, side, measures in rows
    ]
    table = pd.DataFrame(kept, columns=columns(unit))
    return table.astype({"label": int, "voxels": int, "name": object, "side": object})


def row_name(label: int, region: Any) -> str:
    """What a row is called: as the label table says, or after its number."""
    return region_name(region) or f"region {label}"


def missing_words(measures: Measures) -> str:
    """How many voxels hold no number, in words."""
    return f"{measures.missing} of {measures.voxels} voxels hold no number"


def factor_of(values: Volume, unit: str) -> float:
    """From the unit of a map to the unit of the table; a map without a unit is in ppm."""
    return {("ppm", "ppb"): 1e3, ("ppb", "ppm"): 1e-3}.get((values.unit or "ppm", unit), 1.0)
