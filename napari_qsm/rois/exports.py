"""Region tables as files that say what was measured, in what unit, by what and when."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import atomic_path, check_parent, staged_folder, write_text
from napari_qsm.io.formats import stem
from napari_qsm.io.neutral_names import shared_name, told_apart
from napari_qsm.io.plain_data import parse_json
from napari_qsm.io.spreadsheet import defused, defused_text
from napari_qsm.recon.recipe import recipe_sha256
from napari_qsm.rois.edge import edge_words
from napari_qsm.rois.high_part import HighLimits
from napari_qsm.rois.statistics import (
    column_decimals,
    column_meanings,
    column_of,
    exported_statistics,
    needs,
)
from napari_qsm.units import UNITS, sizes_text
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".xlsx", ".json")
#: What stands where a map does not say which susceptibility counts as zero.
NOT_RECORDED = "not recorded"
_WIDTHS = {"name": 26, "map": 22}


@dataclass(frozen=True)
class Exported:
    """One table and what belongs to it.

    Attributes
    ----------
    frame : DataFrame
        Columns as :func:`napari_qsm.rois.statistics.columns` gives them.
    unit : str
        Of the values.
    about : dict
        Words for people, see :func:`about_table`.
    also : tuple of str
        Statistics in it that other tables do not hold.
    """

    frame: pd.DataFrame
    unit: str
    about: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()


def about_table(
    values: Volume,
    *,
    unit: str,
    map_name: str,
    regions_name: str,
    reference: str = "",
    notes: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """What a reader of a table has to know besides the numbers.

    Parameters
    ----------
    values : Volume
        The map measured.
    unit : str
        Unit of the table.
    map_name, regions_name : str
        What the user calls map and label map. Where that is only the map's file name, its kind
        stands there instead: names of files often carry the patient's.
    reference : str
        What counts as zero; looked up beside the map's file unless given.
    notes : sequence of str
        More sentences, for example about voxels without a number.
    more : mapping of str to str
        What else was asked for, see :func:`what_was_asked`.
    provenance : mapping, optional
        How the map was made; looked up beside its file unless given.
    """
    from napari_qsm._version import __version__

    about = {
        "Map": shared_name(map_name, values.origin),
        "Regions": regions_name,
        "Unit": unit or "not known",
        "Voxel size": sizes_text(values.voxel_size_mm, " x "),
        "SD": "of a sample (n - 1)",
        "Percentiles": "interpolated linearly",
        **(more or {}),
        "Program": f"napari-qsm {__version__}",
        "Exported": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    if values.unit in ("ppm", "ppb", ""):
        about["Reference"] = reference or map_reference(values.origin) or NOT_RECORDED
        about |= how_made(provenance or provenance_beside(values.origin))
    if notes:
        about["Notes"] = " ".join(notes)
    return about


def how_made(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Recipe, its checksum and field strength of a map, for comparisons with others."""
    recipe, strength = provenance.get("recipe"), provenance.get("field_strength_t")
    said = {}
    if isinstance(recipe, Mapping):
        said["Recipe"] = str(recipe.get("name", ""))
        said["Recipe SHA-256"] = recipe_sha256(recipe)
    if isinstance(strength, int | float):
        said["Field strength"] = f"{strength:g} T"
    return said


def what_was_asked(
    values: Volume, unit: str, also: Collection[str], high: HighLimits
) -> dict[str, str]:
    """How the columns beyond the usual ones were made, by a heading for each kind."""
    said = {}
    if high and unit in ("ppm", "ppb") and needs("high", also):
        said["High part"] = high.words("ppm" if unit == "ppm" else "ppb")
    if needs("edge", also):
        said["Edge"] = edge_words(values.voxel_size_mm)
    if needs("noise", also):
        said["Standard error"] = "by the scan's noise alone; no systematic or repeated-scan error"
    return said


def map_reference(origin: Path | None) -> str:
    """What a susceptibility map is referenced to, from the files beside it; empty if unknown."""
    if origin is None:
        return ""
    from napari_qsm.io.sidecar import sidecar_path

    said = object_in(sidecar_path(origin))
    if said.get("Reference"):
        shift = said.get("ReferencePpm")
        return str(said["Reference"]) + (f" ({shift} ppm subtracted)" if shift is not None else "")
    return recorded_reference(provenance_beside(origin))


def provenance_beside(origin: Path | None) -> dict[str, Any]:
    """How a map was made, from the file beside it; empty if nothing tells."""
    if origin is None:
        return {}
    # Beside a map with a name of BIDS, the provenance has its entities in front.
    entities, divider, _ = stem(origin).rpartition("_")
    names = (f"{entities}{divider}provenance.json", "provenance.json")
    return next(filter(None, (object_in(origin.with_name(name)) for name in names)), {})


def recorded_reference(provenance: Mapping[str, Any]) -> str:
    """What a result of this program is referenced to, from its provenance; empty if unknown."""
    steps = provenance.get("stages")
    for step in steps if isinstance(steps, list | tuple) else ():
        if isinstance(step, Mapping) and step.get("stage") == "reference":
            shift = provenance.get("reference_ppm")
            words = str(step.get("method", ""))
            return words + (f" ({shift:.4g} ppm subtracted)" if isinstance(shift, float) else "")
    return ""


def write_export(tables: Sequence[Exported], path: Path | str) -> list[Path]:
    """Write one table or several, atomically.

    Parameters
    ----------
    tables : sequence of Exported
        One keeps the columns of the region table. Several are put below each other with the
        columns ``map`` and ``unit`` in front and no unit in the names of columns.
    path : Path or str
        ``.csv`` and ``.tsv`` are plain tables, and what belongs to them stands in a file
        ``NAME.about.json`` beside; ``.xlsx`` has two sheets, Regions and About; ``.json``
        holds ``about``, ``columns`` (what each one holds) and ``rows``.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    FileError
        For any other ending, or if nothing can be written there.
    """
    check_ending(Path(path))
    return write_table(
        joined(tables), [dict(table.about) for table in tables], meanings(tables), path
    )


def write_table(
    frame: pd.DataFrame,
    about: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    path: Path | str,
) -> list[Path]:
    """Write any table with what belongs to it, in the files of :func:`write_export`.

    Parameters
    ----------
    frame : DataFrame
    about : sequence of mappings
        Words for people, by their headings.
    columns : mapping
        What each column holds.
    path : Path or str
        Its ending decides.

    Raises
    ------
    FileError
        For any other ending, or if nothing can be written there.
    """
    path = Path(path)
    check_ending(path)
    ending = path.suffix.lower()
    said = {"about": [dict(each) for each in about], "columns": dict(columns)}
    if ending == ".json":
        content = {**said, "rows": _records(frame)}
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return [path]
    if ending == ".xlsx":
        write_xlsx(frame, path, [*about, columns])
        return [path]
    check_parent(path)
    beside = path.with_name(f"{path.stem}.about.json")
    with staged_folder(path.parent, overwrite=True) as staging:
        text = defused(frame).to_csv(index=False, sep="\t" if ending == ".tsv" else ",")
        write_text(staging / path.name, text)
        write_text(staging / beside.name, json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    return [path, beside]


def check_ending(path: Path) -> None:
    """Refuse a file of another kind.

    Raises
    ------
    FileError
        Naming the endings there are.
    """
    if path.suffix.lower() not in ENDINGS:
        raise FileError(f"'{path.name}' must end in {', '.join(ENDINGS)}.")


def joined(tables: Sequence[Exported]) -> pd.DataFrame:
    """One table as it is; several below each other, with their maps and units in columns."""
    import pandas as pd

    if len(tables) == 1:
        return tables[0].frame
    parts = []
    names = told_apart(table.about.get("Map", "") for table in tables)
    for name, table in zip(names, tables, strict=True):
        plain = {column_of(each, table.unit): each.name for each in exported_statistics(table.also)}
        part = table.frame.rename(columns=plain)
        part.insert(0, "map", name)
        part.insert(1, "unit", table.unit)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def meanings(tables: Sequence[Exported]) -> dict[str, str]:
    """The data dictionary of one table, or of several below each other."""
    if len(tables) == 1:
        return column_meanings(tables[0].unit, tables[0].also)
    return {
        "map": "What was measured.",
        "unit": "Of the columns that have the unit of the map.",
        **column_meanings("", {name for table in tables for name in table.also}),
    }


def write_xlsx(frame: pd.DataFrame, path: Path, about: Sequence[Mapping[str, str]] = ({},)) -> None:
    """Write a table as an Excel workbook with the sheets Regions and About."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Regions"
    formats = _formats(frame)
    for number, name in enumerate(frame.columns, start=1):
        cell = sheet.cell(1, number, defused_text(str(name)))
        cell.font = Font(bold=True)
        sheet.column_dimensions[cell.column_letter].width = _WIDTHS.get(str(name), 13)
        places = formats.get(str(name), "")
        for row, value in enumerate(frame[name].tolist(), start=2):
            _fill(sheet.cell(row, number), value, places)
    sheet.freeze_panes = "A2"
    second = book.create_sheet("About")
    second.column_dimensions["A"].width, second.column_dimensions["B"].width = 16, 70
    row = 1
    for each in about:
        for key, words in each.items():
            second.cell(row, 1, key).font = Font(bold=True)
            _fill(second.cell(row, 2), str(words), "")
            row += 1
        row += 1
    with atomic_path(path) as temporary:
        book.save(temporary)


def _fill(cell: Any, value: Any, places: str) -> None:
    if isinstance(value, str):
        cell.value = defused_text(value)
        cell.data_type = "s"
    elif isinstance(value, int) or math.isfinite(value):
        cell.value = value
        if places:
            cell.number_format = places


def _formats(frame: pd.DataFrame) -> dict[str, str]:
    """How Excel shows each column; the cells hold all digits."""
    places: dict[str, int] = {}
    for unit in set(frame["unit"]) if "unit" in frame else set(UNITS):
        names = column_decimals("") if "unit" in frame else column_decimals(unit)
        for column, n in zip(names, column_decimals(unit).values(), strict=True):
            places[column] = max(n, places.get(column, 0))
    return {column: "0." + "0" * n if n else "0" for column, n in places.items()}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: nothing where there is no number."""
    rows: list[dict[str, Any]] = []
    for row in frame.to_dict(orient="records"):
        kept = {str(key): value for key, value in row.items()}
        rows.append({k: None if isinstance(v, float) and v != v else v for k, v in kept.items()})
    return rows


def object_in(path: Path) -> dict[str, Any]:
    """A JSON object beside a map; empty if there is none that can be read."""
    try:
        said = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
