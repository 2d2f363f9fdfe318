"""What tables of labels have in common, whatever program they are from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from napari_qsm.errors import FileError
from napari_qsm.io.region import Region, side_of


def region(
    index: int, name: str, color: str, abbreviation: str = "", visible: bool = True
) -> Region:
    """One row; its side from its name."""
    name = name.strip() or f"Label {index}"
    return Region(index, name, side_of(name), color.lower(), abbreviation, visible)


def rows(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank nor comments, with their numbers."""
    # Not str.splitlines: it breaks lines at characters that names may hold.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def first_row(text: str) -> str:
    """The first such line; empty without one."""
    return next((line for _, line in rows(text)), "")


def bad_line(who: str, number: int, needed: str) -> FileError:
    """A sentence that names the file and the line."""
    return FileError(f"'{who}', line {number}: {needed}.")


def checked_bytes(values: Sequence[int]) -> Sequence[int]:
    """Colours as they are, if they are three numbers from 0 to 255; else a ValueError."""
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise ValueError(values)
    return values


def one_line(region: Region) -> str:
    """The name without tabs and line ends, which would break any table; never empty."""
    return " ".join(region.name.split()) or f"Label {region.index}"
