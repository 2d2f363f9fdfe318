"""Rows of a table from anybody's program: tab, semicolon or comma, decimal point or comma.

And the tables that this program writes, divided by tabs.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.text import read_text
from napari_qsm.typed import number

#: Unpacked, larger workbooks are no tables of regions.
_LARGEST_BOOK = 256 * 2**20
#: What BIDS writes where nothing is known.
_MISSING = frozenset({"", "n/a"})
#: What other programs write in place of a number; a region may well be called NA.
_NO_NUMBER = frozenset({"", "na", "nan", "-", ".", "null", "none", "#n/a", "#nv"})


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    line : int
        Where it stands in its file, for messages.
    cells : dict of str to str
        Column to text; empty where nothing is known.
    """

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


class Rows(NamedTuple):
    """A table: its file's name, its columns in order, its rows."""

    who: str
    columns: list[str]
    rows: list[Row]

    def need(self, columns: Sequence[str]) -> None:
        """Refuse a table that lacks a column.

        Raises
        ------
        FileError
            Naming what is missing and what there is.
        """
        missing = [column for column in columns if column not in self.columns]
        if missing:
            raise FileError(
                f"'{self.who}' has no column {_listed(missing)}; its columns are "
                f"{_listed(self.columns)}."
            )

    def number(self, row: Row, column: str, whose: str = "") -> float:
        """The number in a cell; NaN where nothing is known.

        Raises
        ------
        MetadataError
            If the cell holds anything else.
        """
        text = row[column]
        if text.casefold() in _NO_NUMBER:
            return math.nan
        try:
            return number(text, f"'{self.who}', line {row.line}{whose}: column '{column}'")
        except MetadataError as error:
            raise MetadataError(
                f"{str(error).rstrip('.')}; write n/a where it is not known."
            ) from None

    def is_numeric(self, column: str) -> bool:
        """Whether every known cell of a column is a number, and there is one."""
        known = [t for row in self.rows if (t := row[column]).casefold() not in _NO_NUMBER]
        try:
            for text in known:
                number(text, column)
        except MetadataError:
            return False
        return bool(known)


def read_rows(path: Path | str) -> Rows:
    """Read a table with a line of column names.

    Parameters
    ----------
    path : Path or str
        In any encoding of :func:`napari_qsm.io.text.read_text`; divided by tabs, semicolons or
        commas. Numbers may have a decimal comma unless commas divide (then in quotes). Of an
        ``.xlsx`` workbook the sheet *Regions* is read, or the first one.

    Raises
    ------
    FileError
        If it cannot be read, has no rows, names a column twice, or a row has too many cells.
    """
    path = Path(path)
    if path.suffix.lower() == ".xlsx":
        lines = _sheet_lines(path)
    else:
        lines = _lines(read_text(path, "table").removeprefix("\ufeff"), path.name)
    first = next(lines, None)
    if first is None:
        raise FileError(f"'{path.name}' is empty; a line of column names is needed.")
    columns = [name.strip() for name in first[1]]
    while columns and not columns[-1]:
        columns.pop()
    _check_letters(columns, path.name, first[0])
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FileError(f"'{path.name}' has more than one column named {_listed(twice)}.")
    rows = []
    for line, cells in lines:
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise FileError(
                f"'{path.name}', line {line}: {len(cells)} cells under {len(columns)} columns; a "
                "decimal comma in a table divided by commas must stand in quotes."
            )
        texts = [cell.strip() for cell in cells[: len(columns)]]
        _check_letters(texts, path.name, line)
        known = ["" if text.casefold() in _MISSING else text for text in texts]
        rows.append(Row(line, dict(zip(columns, known, strict=False))))
    if not rows:
        raise FileError(f"'{path.name}' has column names but no rows.")
    return Rows(path.name, columns, rows)


def _check_letters(texts: Sequence[str], who: str, line: int) -> None:
    """Line breaks and other control characters within a cell are nobody's name and no number."""
    for text in texts:
        if any(unicodedata.category(letter) == "Cc" for letter in text):
            shown = "".join(c if c.isprintable() else "·" for c in text[:40])
            raise FileError(
                f"'{who}', line {line}: '{shown}' holds a line break or control character."
            )


def _lines(text: str, who: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold anything, as cells with their number; the first is that of the names."""
    hint, _, rest = text.partition("\n")
    skipped = hint.lower().startswith("sep=")  # spreadsheets write it above the names
    head = (rest if skipped else text).lstrip("\r\n").partition("\n")[0]
    delimiter = _delimiter(head)
    reader = csv.reader(io.StringIO(rest if skipped else text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + skipped, cells
    except csv.Error as error:
        raise FileError(f"'{who}', line {reader.line_num + skipped}: {error}.") from None


def _sheet_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The same of a workbook; numbers with all their digits."""
    from openpyxl import load_workbook

    try:
        with ZipFile(path) as packed:
            if sum(each.file_size for each in packed.infolist()) > _LARGEST_BOOK:
                raise FileError(f"'{path.name}' is far too large for a table.")
        book = load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError:
        raise FileError(f"There is no file '{path}'.") from None
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise FileError(f"'{path.name}' is no workbook that can be read ({error}).") from None
    try:
        sheet = book["Regions"] if "Regions" in book.sheetnames else book.worksheets[0]
        for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            texts = ["" if value is None else str(value) for value in cells]
            if any(text.strip() for text in texts):
                yield line, texts
    finally:
        book.close()


def _delimiter(head: str) -> str:
    """The mark that divides a line of names; one within a name in quotes does not."""

    def cells(mark: str) -> list[str]:
        return [cell.strip() for cell in next(csv.reader([head], delimiter=mark), [])]

    marks = [mark for mark in "\t;," if "participant_id" in cells(mark)]
    return marks[0] if marks else max("\t;,", key=lambda mark: len(cells(mark)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def plain_id(text: str) -> str:
    """A participant's or session's label without the prefix of BIDS."""
    return re.sub(r"^(sub|ses)-", "", text.strip())


def people(table: Rows, leave_out: Sequence[str]) -> Rows:
    """The rows of a table of people but for some of them.

    Raises
    ------
    FileError
        If a row names nobody, or nobody is left.
    """
    table.need(["participant_id"])
    out = {plain_id(each) for each in leave_out}
    for row in table.rows:
        if not row["participant_id"]:
            raise FileError(f"'{table.who}', line {row.line}: no participant_id.")
    rows = [row for row in table.rows if plain_id(row["participant_id"]) not in out]
    if not rows:
        raise FileError(f"'{table.who}' holds nobody but those who are left out.")
    return table._replace(rows=rows)


def some(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def cell(value: float) -> str:
    """A number to the digits it carries, ``n/a`` for none."""
    return f"{value:.10g}" if math.isfinite(value) else "n/a"


def tsv(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Lines under names, divided by tabs."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return out.getvalue()
