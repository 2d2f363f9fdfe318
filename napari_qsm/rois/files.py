"""The region table from files and into files."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.nifti import read_volume
from napari_qsm.io.sidecar import read_sidecar
from napari_qsm.rois.statistics import Unit, region_statistics

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".json")


def region_table(
    map_path: Path,
    labels_path: Path,
    *,
    names_path: Path | None = None,
    unit: Unit = "ppm",
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Statistics of a map file in the regions of a label file.

    Parameters
    ----------
    map_path, labels_path : Path
        NIfTI files on one grid; the map's unit comes from its sidecar, ppm if that is silent.
    names_path : Path, optional
        Label table of any known kind.
    unit : {"ppm", "ppb"}
        Unit of the table.
    warn : callable, optional
        Told what the user should know.

    Returns
    -------
    DataFrame
        See :func:`napari_qsm.rois.statistics.region_statistics`.
    """
    values = read_volume(map_path, unit=str(read_sidecar(map_path).get("Units", "")))
    labels = read_volume(labels_path)
    regions = read_label_table(names_path) if names_path else ()
    names = {region.index: region for region in regions}
    return region_statistics(values, labels, names, unit=unit, warn=warn)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a region table in full precision as ``.csv``, ``.tsv`` or ``.json``, atomically.

    Raises
    ------
    FileError
        For any other ending, or if nothing can be written there.
    """
    ending = path.suffix.lower()
    if ending == ".json":
        text = table.to_json(orient="records", indent=2, double_precision=15) + "\n"
    elif ending in ENDINGS:
        text = table.to_csv(index=False, sep="\t" if ending == ".tsv" else ",")
    else:
        raise FileError(f"'{path.name}' must end in {', '.join(ENDINGS)}.")
    write_text(path, text)


def rounded(value: float, decimals: int) -> str:
    """A number with so many decimals, halves away from zero as papers round them."""
    return f"{value + math.copysign(1e-9, value):.{decimals}f}"


def table_text(table: pd.DataFrame) -> str:
    """The table for a terminal: mm³ to 0.1, ppm to 0.001, ppb to 1."""
    decimals = {}
    for column in table.columns:
        if column.endswith("_ppm"):
            decimals[column] = 3
        elif column.endswith("_ppb") or column == "volume_mm3":
            decimals[column] = 1
        elif column == "skewness":
            decimals[column] = 2
    formats = {c: partial(rounded, decimals=n) for c, n in decimals.items()}
    return table.to_string(index=False, formatters=formats)
