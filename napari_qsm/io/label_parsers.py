"""The text of label tables as regions, one function for each kind of table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.region import Region, default_color, hex_color, side_of
from napari_qsm.io.sidecar import read_json

_MISSING = {"", "n/a"}


def _region(
    index: int, name: str, color: str, abbreviation: str = "", visible: bool = True
) -> Region:
    name = name.strip() or f"Label {index}"
    return Region(index, name, side_of(name), color.lower(), abbreviation, visible)


def _bad_line(path: Path, number: int, needed: str) -> FileError:
    return FileError(f"'{path.name}', line {number}: {needed}.")


def _rows(text: str) -> list[tuple[int, str]]:
    """Lines that are neither blank nor comments, with their numbers."""
    lines = enumerate(text.splitlines(), start=1)
    return [(n, line) for n, line in lines if line.strip() and not line.lstrip().startswith("#")]


def from_itksnap(text: str, path: Path) -> list[Region]:
    """``index R G B A visible mesh "name"`` of ITK-SNAP (0-255, A 0-1)."""
    regions = []
    for number, line in _rows(text):
        head, _, rest = line.partition('"')
        words = head.split()
        try:
            index, red, green, blue = (int(word) for word in words[:4])
            shown = words[5] != "0"
            if len(words) != 7 or '"' not in rest or not _are_bytes(red, green, blue):
                raise ValueError
        except (ValueError, IndexError):
            raise _bad_line(
                path, number, 'index, R, G, B, A, two flags and a "name" are needed'
            ) from None
        if index != 0:
            name = rest.partition('"')[0]
            regions.append(_region(index, name, hex_color(red, green, blue), "", shown))
    if not regions:
        raise FileError(f"'{path.name}' holds no labels.")
    return regions


def _are_bytes(*values: int) -> bool:
    return all(0 <= value <= 255 for value in values)


def from_tsv(text: str, path: Path) -> list[Region]:
    """Columns ``index, name`` and perhaps ``abbreviation, color`` of BIDS."""
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    if not {"index", "name"} <= set(rows.fieldnames or ()):
        raise FileError(f"'{path.name}' is no label table: columns index and name are needed.")
    regions = []
    for number, row in enumerate(rows, start=2):
        try:
            index = int(row["index"])
        except (TypeError, ValueError):
            raise _bad_line(path, number, "index must be a whole number") from None
        if index == 0:
            continue
        color = (row.get("color") or "").strip()
        short = (row.get("abbreviation") or "").strip()
        regions.append(
            _region(
                index,
                row["name"] or "",
                default_color(index) if color in _MISSING else color,
                "" if short in _MISSING else short,
            )
        )
    return regions


def from_words(text: str, path: Path, ending: str) -> list[Region]:
    """``index r g b name`` (0-1) of FSLeyes, or ``index name r g b a`` (0-255) of Slicer."""
    regions = []
    for number, line in _rows(text):
        words = line.split()
        try:
            index = int(words[0])
            if ending == ".lut":
                colors = [round(float(word) * 255) for word in words[1:4]]
                name = " ".join(words[4:])
            else:
                colors = [int(word) for word in words[2:5]]
                name = words[1].replace("_", " ")
            if len(colors) != 3 or not _are_bytes(*colors):
                raise ValueError
        except (ValueError, IndexError):
            raise _bad_line(path, number, "index, name and three colours are needed") from None
        if index != 0:
            regions.append(_region(index, name, hex_color(*colors)))
    return regions


def from_niivue(path: Path) -> list[Region]:
    """Lists ``R, G, B, labels`` and perhaps ``I`` of NiiVue."""
    if not path.is_file():
        raise FileError(f"There is no file '{path}'.")
    said = read_json(path)
    try:
        names = said["labels"]
        count = len(names)
        indices = said.get("I", range(count))
        rows = list(zip(indices, names, said["R"], said["G"], said["B"], strict=True))
        return [_region(int(i), str(n), hex_color(r, g, b)) for i, n, r, g, b in rows if i != 0]
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"'{path.name}' is no label table: lists R, G, B and labels of one length are needed."
        ) from error
