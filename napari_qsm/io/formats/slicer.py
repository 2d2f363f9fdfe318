"""Colour tables of 3D Slicer (``.ctbl``) and look-up tables of FreeSurfer: one layout.

``index name R G B A`` with colours from 0 to 255. Slicer writes the spaces of names as
underscores, FreeSurfer keeps underscores as they are; newer versions of Slicer put names that
hold spaces between quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_qsm.io.formats import TableFormat, register
from napari_qsm.io.formats.rows import bad_line, checked_bytes, first_row, one_line, region, rows
from napari_qsm.io.region import Region, hex_color, rgb

_ROW = re.compile(r"\s*(\d+)\s+(.*?)\s+(\d+)\s+(\d+)\s+(\d+)(?:\s+(\d+))?\s*")


def _recognises(text: str) -> bool:
    match = _ROW.fullmatch(first_row(text))
    return bool(match and re.search(r"[^\W\d]", match.group(2)))


def _read(text: str, who: str, *, spaces: bool) -> list[Region]:
    regions = []
    for number, line in rows(text):
        match = _ROW.fullmatch(line)
        try:
            if match is None:
                raise ValueError
            colors = checked_bytes([int(match.group(place)) for place in (3, 4, 5)])
        except ValueError:
            raise bad_line(who, number, "index, name and three colours are needed") from None
        name = match.group(2)
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1]
        elif spaces:
            name = name.replace("_", " ")
        if int(match.group(1)) != 0:
            regions.append(region(int(match.group(1)), name, hex_color(*colors)))
    return regions


def _read_slicer(text: str, who: str) -> list[Region]:
    return _read(text, who, spaces=True)


def _read_freesurfer(text: str, who: str) -> list[Region]:
    return _read(text, who, spaces=False)


def _write(regions: Sequence[Region]) -> str:
    lines = ["# Color table file", f"# {len(regions) + 1} values", "0 Background 0 0 0 0"]
    for each in regions:
        name = one_line(each).replace(" ", "_").replace('"', "'")
        lines.append(f"{each.index} {name} {' '.join(map(str, rgb(each.color)))} 255")
    return "\n".join(lines) + "\n"


register(
    TableFormat(
        "3D Slicer colour table",
        (".ctbl",),
        _recognises,
        _read_slicer,
        _write,
        saved_as="names for 3D Slicer",
        rank=3,
    )
)
# Named .txt by FreeSurfer itself; there it is told by its content.
register(TableFormat("FreeSurfer look-up table", (".ctab",), _recognises, _read_freesurfer))
