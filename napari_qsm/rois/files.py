"""The region table from files and into files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.maps import read_map
from napari_qsm.io.neutral_names import shared_name
from napari_qsm.io.segmentation import on_grid, read_labels
from napari_qsm.io.spreadsheet import defused
from napari_qsm.io.targets import check_out_file
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.exports import about_table, check_ending, what_was_asked, write_xlsx
from napari_qsm.rois.high_part import NO_LIMITS, HighLimits
from napari_qsm.rois.histogram import histogram_frame
from napari_qsm.rois.live import LiveStatistics
from napari_qsm.rois.noise import read_noise
from napari_qsm.rois.region import name_of, region_side
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.rois.shape_checks import values_under
from napari_qsm.rois.shape_files import read_shapes
from napari_qsm.rois.shape_table import shape_statistics
from napari_qsm.rois.statistics import column_decimals, region_statistics, susceptibility
from napari_qsm.units import SusceptibilityUnit, factor, rounded

if TYPE_CHECKING:
    import pandas as pd


def region_table(
    map_path: Path,
    labels_path: Path,
    *,
    names_path: Path | None = None,
    unit: SusceptibilityUnit = "ppm",
    warn: Callable[[str], None] | None = None,
    also: Collection[str] = (),
    high: HighLimits = NO_LIMITS,
    repeatability: Repeatability = LITERATURE,
    noise_path: Path | None = None,
) -> pd.DataFrame:
    """Statistics of a map file in the regions of a label file.

    Parameters
    ----------
    map_path : Path
        NIfTI file; its unit comes from its sidecar (inherited ones too), ppm if that is silent
        and its values allow it.
    labels_path : Path
        NIfTI file on the same grid; or a ``.seg.nrrd`` file on the same grid or a part of it; or
        a ``.json`` file of fixed shapes, each of which is a row, without being burnt.
    names_path : Path, optional
        Label table of any known kind; unless given, the names in the ``.seg.nrrd`` file or in
        a label table that lies beside the labels under their name.
    unit : {"ppm", "ppb"}
        Unit of the table.
    warn : callable, optional
        Told what the user should know.
    also, high, repeatability
        See :func:`napari_qsm.rois.statistics.region_statistics`.
    noise_path : Path, optional
        The map's noise map, see :func:`napari_qsm.rois.noise.read_noise`; means get standard errors,
        in a column ``se`` of ``also``.

    Returns
    -------
    DataFrame
        See :func:`napari_qsm.rois.statistics.region_statistics` and, for shapes,
        :func:`napari_qsm.rois.shape_table.shape_statistics`.
    """
    values = read_map(map_path, warn=warn)
    noise = read_noise(noise_path) if noise_path is not None else None
    if labels_path.suffix.lower() == ".json":
        if names_path:
            raise FileError("Fixed shapes have names of their own; leave out the label table.")
        shapes = read_shapes(labels_path).shapes
        table = shape_statistics(
            values,
            shapes,
            unit=unit,
            warn=warn,
            also=also,
            high=high,
            repeatability=repeatability,
            noise=noise,
        )
        table.attrs["about"] = about_table(
            values,
            unit=unit,
            map_name=values.name,
            regions_name=labels_path.name,
            more=what_was_asked(values, unit, also, high),
        )
        return table
    labels, regions = read_labels(labels_path, warn=warn, table=names_path is None)
    if names_path:
        regions = read_label_table(names_path)
    names = {region.index: region for region in regions}
    table = region_statistics(
        values,
        on_grid(labels, values),
        names,
        unit=unit,
        warn=warn,
        also=also,
        high=high,
        repeatability=repeatability,
        noise=noise,
    )
    if warn is not None and names:
        for label in sorted(set(table["label"]) - set(names)):
            warn(f"Label {label} has no name in the label table.")
    regions_name = shared_name(labels.name, labels.origin or labels_path, "labels")
    table.attrs["about"] = about_table(
        values,
        unit=unit,
        map_name=values.name,
        regions_name=regions_name,
        more=what_was_asked(values, unit, also, high),
    )
    return table


def histogram_table(
    map_path: Path,
    labels_path: Path,
    *,
    names_path: Path | None = None,
    unit: SusceptibilityUnit = "ppm",
    width: float | None = None,
) -> pd.DataFrame:
    """Histograms of a map file in the regions of a label file.

    Parameters
    ----------
    map_path, labels_path, names_path, unit
        As for :func:`region_table`.
    width : float, optional
        Breadth of a bin in that unit.

    Returns
    -------
    DataFrame
        See :func:`napari_qsm.rois.histogram.histogram_frame`.
    """
    values = susceptibility(read_map(map_path))
    scale = factor(values.unit, unit)
    if labels_path.suffix.lower() == ".json":
        shapes = read_shapes(labels_path).shapes
        told = [
            (shape.region or number, shape.name, shape.side, values_under(shape, values))
            for number, shape in enumerate(shapes, 1)
        ]
        return histogram_frame(told, unit=unit, factor_=scale, width=width)
    labels, regions = read_labels(labels_path, table=names_path is None)
    if names_path:
        regions = read_label_table(names_path)
    table = {region.index: region for region in regions}
    live = LiveStatistics(as_labels(on_grid(labels, values).like(values)), {"": values.data})
    rows = (
        (label, name_of(table, label), region_side(table.get(label)), live.values("", [label]))
        for label in live.labels
    )
    return histogram_frame(rows, unit=unit, factor_=scale, width=width)


def write_table(table: pd.DataFrame, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write a region table in full precision, atomically, by its ending.

    Parameters
    ----------
    table : DataFrame
        As from :func:`region_table`.
    path : Path
        ``.csv``, ``.tsv``, ``.json`` (a list of rows) or ``.xlsx``.
    about : mapping, optional
        What goes into the second sheet of an ``.xlsx`` file; what :func:`region_table` knows
        unless given.

    Raises
    ------
    FileError
        For any other ending, or if nothing can be written there.
    """
    check_ending(path)
    ending = path.suffix.lower()
    if ending == ".xlsx":
        write_xlsx(table, path, [about or table.attrs.get("about", {})])
        return
    write_text(path, _text(table, path))


def _text(table: pd.DataFrame, path: Path) -> str:
    ending = path.suffix.lower()
    if ending == ".json":
        return table.to_json(orient="records", indent=2, double_precision=15) + "\n"
    return defused(table).to_csv(index=False, sep="\t" if ending == ".tsv" else ",")


def check_table_out(
    path: Path,
    *,
    overwrite: bool,
    inputs: Iterable[Path] = (),
    same_as: pd.DataFrame | None = None,
) -> None:
    """Refuse a file that a region table cannot or must not be written to.

    Parameters
    ----------
    path : Path
        The file to be.
    overwrite : bool
        Whether a table that is there may be replaced. No other file is.
    inputs : iterable of Path
        Files that the table is made from.
    same_as : DataFrame, optional
        A table that the file may hold already, to the last digit.

    Raises
    ------
    FileError
        Saying why.
    """
    check_ending(path)
    if same_as is not None and path.is_file() and path.suffix.lower() != ".xlsx":
        overwrite = overwrite or path.read_bytes() == _text(same_as, path).encode()
    check_out_file(path, overwrite=overwrite, is_ours=_is_table, inputs=inputs)


def _is_table(path: Path) -> bool:
    """Whether a file holds a region table, of this program or of another one."""
    with path.open("rb") as handle:
        start = handle.read(4096)
    if path.suffix.lower() == ".xlsx":
        return start[:2] in (b"PK", b"")
    words = start.decode("utf-8", errors="replace").lower()
    return not words.strip() or ("label" in words and "voxels" in words)


def table_text(table: pd.DataFrame) -> str:
    """The table for a terminal, in the decimals of :mod:`napari_qsm.units`."""
    formats = {
        column: partial(rounded, places=places)
        for column, places in (column_decimals("ppm") | column_decimals("ppb")).items()
        if column in table
    }
    return table.to_string(index=False, formatters=formats)
