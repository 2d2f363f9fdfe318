"""Label descriptions of ITK-SNAP."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_qsm.io.formats import TableFormat, register
from napari_qsm.io.formats.rows import bad_line, checked_bytes, first_row, one_line, region, rows
from napari_qsm.io.region import Region, hex_color, rgb

#: ITK-SNAP knows its own files by this second line.
_TITLE = "# ITK-SnAP Label Description File"
_ROW = re.compile(r'\s*\d+\s+\d+\s+\d+\s+\d+\s+[\d.,]+\s+[01]\s+[01]\s+"')


def _recognises(text: str) -> bool:
    return "itk-snap" in text[:2000].lower() or bool(_ROW.match(first_row(text)))


def _read(text: str, who: str) -> list[Region]:
    """``index R G B A visible mesh "name"`` (0-255, A 0-1)."""
    regions = []
    for number, line in rows(text):
        head, _, rest = line.partition('"')
        words = head.split()
        try:
            index, *colors = (int(word) for word in words[:4])
            checked_bytes(colors)
            shown = words[5] != "0"
            if len(words) != 7 or '"' not in rest:
                raise ValueError
        except (ValueError, IndexError):
            needed = 'index, R, G, B, A, two flags and a "name" are needed'
            raise bad_line(who, number, needed) from None
        if index != 0:
            name = rest.rpartition('"')[0]  # a name may hold quotes of its own
            regions.append(region(index, name, hex_color(*colors), "", shown))
    return regions


def _write(regions: Sequence[Region]) -> str:
    lines = [
        "#" * 48,
        _TITLE,
        "# File format:",
        "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
        "# IDX: value in the label map; R, G, B: 0 to 255; A: 0 to 1;",
        "# VIS: label shown; MSH: mesh shown",
        "#" * 48,
        '    0     0    0    0        0  0  0    "Clear Label"',
    ]
    for each in regions:
        red, green, blue = rgb(each.color)
        # ITK-SNAP ends the name at the next quote, and there is no way to write one.
        name = one_line(each).replace('"', "'")
        shown = int(each.visible)
        lines.append(
            f"{each.index:5d}   {red:3d}  {green:3d}  {blue:3d}        1  {shown}  {shown}"
            f'    "{name}"'
        )
    return "\n".join(lines) + "\n"


register(
    TableFormat(
        "ITK-SNAP label description",
        (".txt", ".label"),
        _recognises,
        _read,
        _write,
        saved_as="names for ITK-SNAP",
        rank=0,
    )
)
