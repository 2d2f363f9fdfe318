"""Label tables: what the numbers in a label map mean, in the formats of many programs.

Which formats there are is registered in :mod:`napari_qsm.io.formats`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.formats import TableFormat, table_endings, table_formats
from napari_qsm.io.region import MAX_INDEX, Region, default_color, rgb, side_of
from napari_qsm.io.text import read_text

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")

__all__ = [
    "Region",
    "default_color",
    "is_label_table",
    "read_label_table",
    "rgb",
    "side_of",
    "write_label_table",
]


def read_label_table(path: Path | str) -> tuple[Region, ...]:
    """Read a label table of any known kind and encoding, told by its content and its ending.

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
    text = read_text(path, "label table").removeprefix("\ufeff")
    return _checked(_format_of(text, path).read(text, path.name), path)


def _format_of(text: str, path: Path) -> TableFormat:
    """What the content tells, the ending deciding where several fit or none does."""
    formats = table_formats()
    by_ending = [f for f in formats if path.suffix.lower() in f.endings]
    fitting = [f for f in formats if f.recognises(text)]
    both = [f for f in by_ending if f in fitting]
    # FreeSurfer's own tables end in .txt and have the rows of Slicer's, read without its spaces.
    kept = sorted(fitting, key=lambda f: f.write is not None and len(fitting) > 1)
    for found in (*both, *kept, *by_ending):
        return found
    known = ", ".join(table_endings())
    raise FileError(f"'{path.name}' is no label table of a known kind ({known}).")


def is_label_table(path: Path | str) -> bool:
    """Whether a file is a label table that can be read."""
    path = Path(path)
    if path.suffix.lower() not in table_endings():
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
        For any other ending; if two regions share an index, an index or colour is impossible,
        or nothing can be written there.
    """
    path = Path(path)
    writers = {end: f.write for f in table_formats() if f.write for end in f.endings}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise FileError(f"'{path.name}' must end in {', '.join(writers)} to be a label table.")
    write_text(path, write(_checked(list(regions), path, empty=True)))


def _checked(regions: Sequence[Region], path: Path, *, empty: bool = False) -> tuple[Region, ...]:
    if not regions and not empty:
        raise FileError(f"'{path.name}' holds no labels.")
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
