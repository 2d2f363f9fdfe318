"""Label tables: what the numbers in a label map mean.

Written for and read from ITK-SNAP (``.txt``), BIDS (``dseg.tsv``), FSLeyes (``.lut``) and
3D Slicer (``.ctbl``); read from NiiVue (``.json``) too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.label_parsers import from_itksnap, from_niivue, from_tsv, from_words
from napari_qsm.io.region import MAX_INDEX, Region, default_color, rgb, side_of

#: ITK-SNAP knows its own files by this second line.
_ITKSNAP_TITLE = "# ITK-SnAP Label Description File"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")

__all__ = [
    "Region",
    "default_color",
    "is_label_table",
    "read_label_table",
    "rgb",
    "side_of",
    "write_dseg_tsv",
    "write_fsleyes_lut",
    "write_itksnap",
    "write_label_table",
    "write_slicer_ctbl",
]


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
        return _checked(from_niivue(path), path)
    text = _text(path)
    if ending == ".tsv":
        return _checked(from_tsv(text, path), path)
    if ending in (".lut", ".ctbl"):
        return _checked(from_words(text, path, ending), path)
    return _checked(from_itksnap(text, path), path)


def is_label_table(path: Path | str) -> bool:
    """Whether a file is a label table that can be read."""
    path = Path(path)
    if path.suffix.lower() not in (".txt", ".label", ".tsv", ".lut", ".ctbl", ".json"):
        return False
    try:
        return bool(read_label_table(path))
    except FileError:
        return False


def write_label_table(path: Path | str, regions: Iterable[Region]) -> None:
    """Write a label table of the kind that the ending names, atomically.

    Parameters
    ----------
    path : Path or str
        ``.txt`` or ``.label`` for ITK-SNAP, ``.tsv`` for BIDS, ``.lut`` for FSLeyes, ``.ctbl``
        for 3D Slicer.
    regions : iterable of Region
        In any order; written in that of their indices.

    Raises
    ------
    FileError
        For any other ending, and as for :func:`write_itksnap`.
    """
    path = Path(path)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise FileError(f"'{path.name}' must end in {', '.join(WRITERS)} to be a label table.")
    write(path, regions)


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
        # A quote would end the name, and there is no way to write one.
        name = _one_line(region).replace('"', "'")
        shown = int(region.visible)
        lines.append(
            f"{region.index:5d}   {red:3d}  {green:3d}  {blue:3d}        1  {shown}  {shown}"
            f'    "{name}"'
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
        short = " ".join(region.abbreviation.split()) or "n/a"
        writer.writerow((region.index, _one_line(region), short, region.color.lower()))
    write_text(path, out.getvalue())


def write_fsleyes_lut(path: Path | str, regions: Iterable[Region]) -> None:
    """Write an FSLeyes lookup table (``index r g b name``, colours 0-1), atomically.

    Raises
    ------
    FileError
        As for :func:`write_itksnap`.
    """
    lines = []
    for region in _checked(list(regions), Path(path)):
        colors = " ".join(f"{value / 255:.5f}" for value in rgb(region.color))
        lines.append(f"{region.index} {colors} {_one_line(region)}\n")
    write_text(path, "".join(lines))


def write_slicer_ctbl(path: Path | str, regions: Iterable[Region]) -> None:
    """Write a colour table of 3D Slicer (``index name r g b a``, colours 0-255), atomically.

    Slicer separates fields by spaces, so spaces in names are written as underscores, which it
    (and :func:`read_label_table`) shows as spaces again.

    Raises
    ------
    FileError
        As for :func:`write_itksnap`.
    """
    checked = _checked(list(regions), Path(path))
    lines = ["# Color table file", f"# {len(checked) + 1} values", "0 Background 0 0 0 0"]
    for region in checked:
        name = _one_line(region).replace(" ", "_").replace('"', "'")
        lines.append(f"{region.index} {name} {' '.join(map(str, rgb(region.color)))} 255")
    write_text(path, "\n".join(lines) + "\n")


#: Which function writes which ending.
WRITERS: dict[str, Callable[[Path | str, Iterable[Region]], None]] = {
    ".txt": write_itksnap,
    ".label": write_itksnap,
    ".tsv": write_dseg_tsv,
    ".lut": write_fsleyes_lut,
    ".ctbl": write_slicer_ctbl,
}


def _one_line(region: Region) -> str:
    """The name without tabs and line ends, which would break any table; never empty."""
    return " ".join(region.name.split()) or f"Label {region.index}"


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
        if not 1 <= region.index <= MAX_INDEX:
            raise FileError(
                f"'{path.name}': label {region.index} ('{region.name}') lies outside 1-{MAX_INDEX}."
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
