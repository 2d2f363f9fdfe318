"""Tables with a header line: ``dseg.tsv`` of BIDS, ``.csv`` of 3D Slicer and of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from napari_qsm.errors import FileError
from napari_qsm.io.formats import TableFormat, register
from napari_qsm.io.formats.rows import bad_line, checked_bytes, one_line, region
from napari_qsm.io.region import Region, default_color, hex_color
from napari_qsm.io.spreadsheet import quoted_text, unquoted_text

_INDEX = ("index", "labelvalue", "value", "labelid", "id", "number", "no", "label")
_NAME = ("name", "labelname", "structure", "region", "regionname", "text", "label")
_SHORT = ("abbreviation", "abbr", "short")
_COLOR = ("color", "colour", "hex", "colorhex")
_CHANNELS = (
    ("colorr", "colorg", "colorb"),
    ("r", "g", "b"),
    ("red", "green", "blue"),
)
_MISSING = {"", "n/a"}
#: Letters among which the line with the names of the columns stands; a cell holds no more.
_HEAD = 100_000
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


def _recognises(text: str) -> bool:
    return _layout(text) is not None


def _layout(text: str) -> tuple[int, str, dict[str, int]] | None:
    """Line of the header, delimiter, and where each known column stands; None for other texts."""
    lines = re.split(r"\r\n|\r|\n", text[:_HEAD])
    for number, line in enumerate(lines[:50]):
        bare = line.lstrip("#").strip(" ")
        if not bare.strip() or bare.lower().startswith("sep="):  # a hint for spreadsheets
            continue
        for delimiter in "\t;,":
            cells = next(csv.reader([bare], delimiter=delimiter))
            # "Color_R", "Label value" and "R" are told apart by their letters alone.
            keys = [re.sub(r"[^a-z]+", "", cell.lower()) for cell in cells]
            columns = {key: place for place, key in reversed(list(enumerate(keys)))}
            index = next((key for key in _INDEX if key in columns), None)
            name = next((key for key in _NAME if key in columns and key != index), None)
            if index and name:
                return number, delimiter, {**columns, "@": columns[index], "@name": columns[name]}
        if not line.lstrip().startswith("#"):
            return None
    return None


def _read(text: str, who: str) -> list[Region]:
    layout = _layout(text)
    if layout is None:
        raise FileError(f"'{who}' is no label table: columns index and name are needed.")
    start, delimiter, columns = layout
    lines = re.split(r"\r\n|\r|\n", text)
    body = "\n".join(lines[start + 1 :])
    regions = []
    for line, cells in _cells(body, delimiter, who, start):
        number = start + 1 + line
        if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        row = {key: cells[place].strip() for key, place in columns.items() if place < len(cells)}
        index = _whole(row.get("@", ""))
        if index is None:
            raise bad_line(who, number, "index must be a whole number")
        if index == 0:
            continue
        short = unquoted_text(next((row[key] for key in _SHORT if key in row), ""))
        name = unquoted_text(row.get("@name", ""))
        try:
            color = _color(row, index)
        except (ValueError, OverflowError):
            raise bad_line(who, number, "a colour must be #rrggbb or three numbers") from None
        regions.append(
            region(
                index,
                "" if name.lower() in _MISSING else name,
                color,
                "" if short.lower() in _MISSING else short,
            )
        )
    return regions


def _cells(body: str, delimiter: str, who: str, start: int) -> Iterator[tuple[int, list[str]]]:
    """Each row and the number of its line."""
    reader = csv.reader(io.StringIO(body), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error:  # a cell of more letters than any name has
        raise bad_line(who, start + 1 + reader.line_num, "a row of cells is needed") from None


def _whole(text: str) -> int | None:
    """A whole number, also as a spreadsheet may have saved it (``3.0``, ``3,0``)."""
    match = re.fullmatch(r"\s*([+-]?\d{1,9})(?:[.,]0*)?\s*", text)
    return int(match.group(1)) if match else None


def _color(row: Mapping[str, str], index: int) -> str:
    said = next((row[key] for key in _COLOR if row.get(key, "").lower() not in _MISSING), "")
    if said:
        match = _HEX.fullmatch(said)
        numbers = [int(n) for n in re.findall(r"\d+", said)]
        if match:
            return f"#{match.group(1)}"
        return hex_color(*checked_bytes(numbers)) if len(numbers) == 3 else said
    for keys in _CHANNELS:
        if all(row.get(key, "").lower() not in _MISSING for key in keys):
            values = [float(row[key].replace(",", ".")) for key in keys]
            if all(0 <= value <= 1 for value in values) and any(v != int(v) for v in values):
                values = [255 * value for value in values]
            return hex_color(*checked_bytes([round(value) for value in values]))
    return default_color(index)


def _write(regions: Sequence[Region]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(("index", "name", "abbreviation", "color"))
    for each in regions:
        short = " ".join(each.abbreviation.split()) or "n/a"
        words = (quoted_text(one_line(each)), quoted_text(short))
        writer.writerow((each.index, *words, each.color.lower()))
    return out.getvalue()


register(
    TableFormat(
        "BIDS label table",
        (".tsv",),
        _recognises,
        _read,
        _write,
        saved_as="names as in BIDS",
        stem_ending="_dseg",
        rank=1,
    )
)
register(TableFormat("table of a spreadsheet or of 3D Slicer", (".csv",), _recognises, _read))
