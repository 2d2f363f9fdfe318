"""The numbers of each region: voxels, volume, mean, SD and the shape of the distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_qsm.errors import MetadataError
from napari_qsm.io.label_table import side_of
from napari_qsm.io.nifti import as_labels
from napari_qsm.volume import Array, Volume

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["ppm", "ppb"]


def columns(unit: str = "ppm") -> list[str]:
    """Column names of the region table; values carry the unit in their name."""
    measures = ["mean", "sd", "median", "min", "max", "p05", "p95"]
    head = ["label", "name", "side", "voxels", "volume_mm3"]
    return [*head, *(f"{measure}_{unit}" for measure in measures), "skewness"]


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
    import pandas as pd

    if values.unit not in ("", "ppm", "ppb"):
        raise MetadataError(
            f"'{values.name}' is in {values.unit}; the region table needs a susceptibility map "
            "in ppm."
        )
    labels = labels.like(values)
    factor = {("ppm", "ppb"): 1e3, ("ppb", "ppm"): 1e-3}.get((values.unit or "ppm", unit), 1.0)
    groups = _by_label(values.data, as_labels(labels))
    names = dict(names or {})
    names.pop(0, None)
    rows = []
    for label in sorted(set(groups) | set(names)):
        region = names.get(label)
        inside = groups.get(label, np.empty(0))
        finite = inside[np.isfinite(inside)]
        name = region_name(region) or f"region {label}"
        if warn is not None and finite.size < inside.size:
            warn(f"{name}: {inside.size - finite.size} of {inside.size} voxels hold no number.")
        rows.append(
            [
                label,
                name,
                region_side(region),
                inside.size,
                inside.size * values.voxel_volume_mm3,
                *_measures(finite * factor),
            ]
        )
    table = pd.DataFrame(rows, columns=columns(unit))
    return table.astype({"label": int, "voxels": int, "name": object, "side": object})


def _by_label(values: Array, labels: Array) -> dict[int, Array]:
    """Values of each label as float64, from one pass over the labelled voxels."""
    # Both arrays in one memory order, so that flat positions agree.
    flat_labels = labels.ravel(order="F")
    at = np.flatnonzero(flat_labels)
    if at.size == 0:
        return {}
    found = flat_labels[at]
    # Indexing by coordinates reads only the labelled voxels; ravel would copy a whole map.
    inside = values[np.unravel_index(at, values.shape, order="F")].astype(np.float64)
    order = np.argsort(found, kind="stable")
    present, first = np.unique(found[order], return_index=True)
    parts = np.split(inside[order], first[1:])
    return {int(label): part for label, part in zip(present, parts, strict=True)}


def _measures(values: Array) -> list[float]:
    """Mean, SD, median, minimum, maximum, 5th and 95th percentile, skewness."""
    if values.size == 0:
        return [float("nan")] * 8
    mean = float(values.mean())
    low, median, high = (float(v) for v in np.percentile(values, [5, 50, 95]))
    deviation = values - mean
    second = float(np.mean(deviation**2))
    skewness = (
        float(np.mean(deviation**3)) / second**1.5 if second > (1e-9 * mean) ** 2 else float("nan")
    )
    sd = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    return [mean, sd, median, float(values.min()), float(values.max()), low, high, skewness]
