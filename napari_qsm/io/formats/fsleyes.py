"""Look-up tables of FSLeyes: ``index r g b name`` with colours from 0 to 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_qsm.io.formats import TableFormat, register
from napari_qsm.io.formats.rows import bad_line, checked_bytes, first_row, one_line, region, rows
from napari_qsm.io.region import Region, hex_color, rgb

_NUMBER = r"((?:[01](?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)"
_ROW = re.compile(rf"\s*(\d+)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*(.*)")


def _recognises(text: str) -> bool:
    match = _ROW.fullmatch(first_row(text))
    if match is None or re.match(r'[\d.]+\s+[01]\s+[01]\s+"', match.group(5)):  # ITK-SNAP's
        return False
    return bool(re.search(r"[^\W\d]", match.group(5)))


def _read(text: str, who: str) -> list[Region]:
    regions = []
    for number, line in rows(text):
        match = _ROW.fullmatch(line)
        try:
            if match is None:
                raise ValueError
            parts = [float(match.group(place).replace(",", ".")) for place in (2, 3, 4)]
            colors = checked_bytes([round(255 * part) for part in parts])
        except ValueError:
            raise bad_line(who, number, "index, name and three colours are needed") from None
        if int(match.group(1)) != 0:
            regions.append(region(int(match.group(1)), match.group(5), hex_color(*colors)))
    return regions


def _write(regions: Sequence[Region]) -> str:
    lines = []
    for each in regions:
        colors = " ".join(f"{value / 255:.5f}" for value in rgb(each.color))
        lines.append(f"{each.index} {colors} {one_line(each)}\n")
    return "".join(lines)


register(
    TableFormat(
        "FSLeyes look-up table",
        (".lut",),
        _recognises,
        _read,
        _write,
        saved_as="names for FSLeyes",
        rank=2,
    )
)
