"""Colour maps of NiiVue: lists ``R, G, B, labels`` and perhaps ``I`` in a JSON file."""

from __future__ import annotations

from napari_qsm.errors import FileError
from napari_qsm.io.formats import TableFormat, register
from napari_qsm.io.formats.rows import region
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.region import Region, hex_color


def _recognises(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def _read(text: str, who: str) -> list[Region]:
    try:
        said = parse_json(text)
    except PlainDataError as error:
        raise FileError(f"'{who}' {error}, so it is no label table.") from None
    try:
        names = said["labels"]
        indices = said.get("I", range(len(names)))
        rows = list(zip(indices, names, said["R"], said["G"], said["B"], strict=True))
        return [region(int(i), str(n), hex_color(r, g, b)) for i, n, r, g, b in rows if i != 0]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise FileError(
            f"'{who}' is no label table: lists R, G, B and labels of one length are needed."
        ) from None


# Beside an image a .json file is its sidecar.
register(TableFormat("NiiVue colour map", (".json",), _recognises, _read, beside=False))
