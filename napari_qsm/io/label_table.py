"""Label tables: what the numbers in a label map mean.

Written as ITK-SNAP label descriptions and as BIDS ``dseg.tsv``; read from these and from the
tables of 3D Slicer (``.ctbl``), FSLeyes (``.lut``) and NiiVue (``.json``).
"""

from __future__ import annotations

import colorsys
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.sidecar import read_json

#: ITK-SNAP knows its own files by this second line.
_ITKSNAP_TITLE = "# ITK-SnAP Label Description File"
_MAX_INDEX = 65535
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_SIDES = {
    "left": "left",
    "l": "left",
    "lh": "left",
    "lt": "left",
    "right": "right",
    "r": "right",
    "rh": "right",
    "rt": "right",
}
_MISSING = {"", "n/a"}


@dataclass(frozen=True)
class Region:
    """One label.

    Attributes
    ----------
    index : int
        Value in the label map, from 1.
    name : str
        For people, with its side.
    side : str
        ``"left"``, ``"right"`` or empty.
    color : str
        ``"#rrggbb"``.
    abbreviation : str
        Short form for tables and figures; may be empty.
    visible : bool
        Whether it is drawn.
    locked : bool
        Whether tools leave it as it is.
    """

    index: int
    name: str
    side: str
    color: str
    abbreviation: str = ""
    visible: bool = True
    locked: bool = False


def side_of(name: str) -> str:
    """The side that a region's name tells: ``"left"``, ``"right"`` or empty.

    Understands "Putamen R", "L Putamen", "Left-Putamen", "putamen_right", "ctx-lh-insula" and
    "LeftPutamen". A name that tells both sides tells none.

    Examples
    --------
    >>> side_of("Putamen R"), side_of("Left-Putamen"), side_of("Red nucleus")
    ('right', 'left', '')
    """
    spaced = re.sub(r"(?<=[a-z])(?=(?:Left|Right)(?![a-z]))", " ", name)
    spaced = re.sub(r"\b(left|Left|right|Right)(?=[A-Z])", r"\1 ", spaced)
    words = re.split(r"[\W_]+", spaced.lower())
    sides = {_SIDES[word] for word in words if word in _SIDES}
    return sides.pop() if len(sides) == 1 else ""


def default_color(index: int) -> str:
    """A colour for a label that came without one; neighbours differ clearly in hue."""
    hue = (index * 0.618033988749895) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.55 if index % 2 else 0.68, 0.75)
    return _hex(round(red * 255), round(green * 255), round(blue * 255))


def read_label_table(path: Path | str) -> tuple[Region, ...]:
    """Read a label table of any known kind, told by its ending and first lines.

    Returns
    -------
    tuple of Region
        In the order of their indices, without the background (index 0).

    Raises
    ------
    FileError
        If the file cannot be read, is of no known kind, or gives an index twice.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".json":
        return _checked(_from_niivue(path), path)
    text = _text(path)
    if ending == ".tsv":
        return _checked(_from_tsv(text, path), path)
    if ending in (".lut", ".ctbl"):
        return _checked(_from_words(text, path, ending), path)
    return _checked(_from_itksnap(text, path), path)


def is_label_table(path: Path | str) -> bool:
    """Whether a file is a label table that can be read."""
    path = Path(path)
    if path.suffix.lower() not in (".txt", ".label", ".tsv", ".lut", ".ctbl", ".json"):
        return False
    try:
        return bool(read_label_table(path))
    except FileError:
        return False


def write_itksnap(path: Path | str, regions: Iterable[Region]) -> None:
    """Write an ITK-SNAP label description, atomically.

    Raises
    ------
    FileError
        If two regions share an index, an index or colour is impossible, or nothing can be
        written there.
    """
    lines = [
        "#" * 48,
        _ITKSNAP_TITLE,
        "# File format:",
        "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
        "# IDX: value in the label map; R, G, B: 0 to 255; A: 0 to 1;",
        "# VIS: label shown; MSH: mesh shown",
        "#" * 48,
        '    0     0    0    0        0  0  0    "Clear Label"',
    ]
    for region in _checked(list(regions), Path(path)):
        red, green, blue = rgb(region.color)
        name = " ".join(region.name.replace('"', "'").split())
        lines.append(
            f'{region.index:5d}   {red:3d}  {green:3d}  {blue:3d}        1  1  1    "{name}"'
        )
    write_text(path, "\n".join(lines) + "\n")


def write_dseg_tsv(path: Path | str, regions: Iterable[Region]) -> None:
    """Write a BIDS ``dseg.tsv`` table, atomically.

    Raises
    ------
    FileError
        As for :func:`write_itksnap`.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(("index", "name", "abbreviation", "color"))
    for region in _checked(list(regions), Path(path)):
        name = " ".join(region.name.split())
        writer.writerow((region.index, name, region.abbreviation or "n/a", region.color.lower()))
    write_text(path, out.getvalue())


def rgb(color: str) -> tuple[int, int, int]:
    """``"#rrggbb"`` as three numbers 0-255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _hex(red: int, green: int, blue: int) -> str:
    return f"#{red:02x}{green:02x}{blue:02x}"


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileError(f"There is no file '{path}'.") from error
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise FileError(f"'{path.name}' is not a text file, so it is no label table.") from error
    if "\0" in text:
        raise FileError(f"'{path.name}' is not a text file, so it is no label table.")
    return text


def _checked(regions: Sequence[Region], path: Path) -> tuple[Region, ...]:
    seen: set[int] = set()
    for region in regions:
        if not 1 <= region.index <= _MAX_INDEX:
            raise FileError(
                f"'{path.name}': label {region.index} ('{region.name}') lies outside "
                f"1-{_MAX_INDEX}."
            )
        if region.index in seen:
            raise FileError(f"'{path.name}' has two rows for label {region.index}.")
        if not _COLOR.fullmatch(region.color):
            raise FileError(
                f"'{path.name}': label {region.index} has the colour '{region.color}'; "
                "#rrggbb is needed."
            )
        seen.add(region.index)
    return tuple(sorted(regions, key=lambda r: r.index))


def _region(index: int, name: str, color: str, abbreviation: str = "") -> Region:
    name = name.strip() or f"Label {index}"
    return Region(index, name, side_of(name), color.lower(), abbreviation)


def _bad_line(path: Path, number: int, needed: str) -> FileError:
    return FileError(f"'{path.name}', line {number}: {needed}.")


def _rows(text: str) -> list[tuple[int, str]]:
    """Lines that are neither blank nor comments, with their numbers."""
    lines = enumerate(text.splitlines(), start=1)
    return [(n, line) for n, line in lines if line.strip() and not line.lstrip().startswith("#")]


def _from_itksnap(text: str, path: Path) -> list[Region]:
    regions = []
    for number, line in _rows(text):
        head, _, rest = line.partition('"')
        words = head.split()
        try:
            index, red, green, blue = (int(word) for word in words[:4])
            if len(words) != 7 or '"' not in rest or not _are_bytes(red, green, blue):
                raise ValueError
        except ValueError:
            raise _bad_line(
                path, number, 'index, R, G, B, A, two flags and a "name" are needed'
            ) from None
        if index != 0:
            regions.append(_region(index, rest.partition('"')[0], _hex(red, green, blue)))
    if not regions:
        raise FileError(f"'{path.name}' holds no labels.")
    return regions


def _are_bytes(*values: int) -> bool:
    return all(0 <= value <= 255 for value in values)


def _from_tsv(text: str, path: Path) -> list[Region]:
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


def _from_words(text: str, path: Path, ending: str) -> list[Region]:
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
            regions.append(_region(index, name, _hex(*colors)))
    return regions


def _from_niivue(path: Path) -> list[Region]:
    if not path.is_file():
        raise FileError(f"There is no file '{path}'.")
    said = read_json(path)
    try:
        names = said["labels"]
        count = len(names)
        indices = said.get("I", range(count))
        rows = list(zip(indices, names, said["R"], said["G"], said["B"], strict=True))
        return [_region(int(i), str(n), _hex(r, g, b)) for i, n, r, g, b in rows if i != 0]
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"'{path.name}' is no label table: lists R, G, B and labels of one length are needed."
        ) from error
