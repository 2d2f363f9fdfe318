"""Fixed shapes from and into files: JSON with sizes in mm and centres in RAS mm.

    {
      "format": "napari-qsm shapes",
      "version": 1,
      "units": {"size": "mm", "centre": "mm, RAS: right, front and top are positive",
                "rotation": "degree"},
      "map": {"name": "χ control", "voxel_size_mm": [0.6, 0.6, 2.0], "chi_sha256": "9f..."},
      "shapes": [
        {"kind": "circle", "size_mm": [6.0], "slices": 3, "plane": "axial", ..., "voxels": 87}
      ]
    }

``map`` and ``voxels`` say what the shapes came to where they were drawn; they are read to tell
differences and never to make voxels. ``reading``, where there is one, says whose reading of a
study it is (:mod:`napari_qsm.study.readings`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.rois.canonical_grid import canonical_spacing
from napari_qsm.rois.shapes import FixedShape, indices_of
from napari_qsm.volume import Volume

FORMAT = "napari-qsm shapes"
VERSION = 1
_UNITS = {
    "size": "mm",
    "centre": "mm, RAS: right, front and top are positive",
    "rotation": "degree",
}
_KEYS = ("format", "version", "units", "map", "reading", "shapes")


@dataclass(frozen=True)
class ShapeFile:
    """What a file of shapes holds.

    Attributes
    ----------
    shapes : tuple of FixedShape
        In the order of the file.
    counts : dict
        Voxels that each shape (by id) had where it was drawn, as far as the file says.
    map_name : str
        The map that they were drawn on; empty if the file doesn't say.
    chi_sha256 : str
        Checksum of that map's values; empty if the file doesn't say.
    reading : dict
        What the file says of the reading that it is; empty if it is none.
    """

    shapes: tuple[FixedShape, ...]
    counts: dict[str, int] = field(default_factory=dict)
    map_name: str = ""
    chi_sha256: str = ""
    reading: dict[str, Any] = field(default_factory=dict)


def write_shapes(
    path: Path | str,
    shapes: Iterable[FixedShape],
    volume: Volume | None = None,
    name: str = "",
    *,
    chi_sha256: str = "",
    reading: Mapping[str, Any] | None = None,
) -> None:
    """Write shapes into a JSON file, atomically.

    Parameters
    ----------
    path : Path or str
        Ends in ``.json``.
    shapes : iterable of FixedShape
        In the order wanted.
    volume : Volume, optional
        The map they were drawn on, whose voxel counts are noted.
    name : str
        What the user calls that map; the volume's own name unless given.
    chi_sha256 : str
        Checksum of its values.
    reading : mapping, optional
        Whose reading it is, ready for JSON.

    Raises
    ------
    FileError
        For another ending, or if nothing can be written there.
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        raise FileError(f"'{path.name}' must end in .json to hold shapes.")
    whole: dict[str, Any] = {"format": FORMAT, "version": VERSION, "units": _UNITS}
    if volume is not None:
        spacing = [float(f"{size:.7g}") for size in canonical_spacing(volume)]
        whole["map"] = {"name": name or volume.name, "voxel_size_mm": spacing}
        if chi_sha256:
            whole["map"]["chi_sha256"] = chi_sha256
    if reading:
        whole["reading"] = dict(reading)
    rows = []
    for shape in shapes:
        row = shape.model_dump(mode="json")
        if volume is not None:
            row["voxels"] = len(indices_of(shape, volume))
        rows.append(row)
    whole["shapes"] = rows
    write_text(path, json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_shapes(path: Path | str) -> ShapeFile:
    """Read a file of shapes.

    Raises
    ------
    FileError
        If it cannot be read, is another kind of file, is of a newer version, or holds a
        shape that cannot be; the message names what.
    """
    path = Path(path)
    try:
        whole = parse_json(path.read_text("utf-8-sig"))
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {error.strerror or error}.") from error
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}.") from error
    except UnicodeDecodeError as error:
        raise FileError(f"'{path.name}' is not a text file, so it holds no shapes.") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise FileError(f"'{path.name}' holds no fixed shapes of napari-qsm.")
    version = whole.get("version")
    if version != VERSION:
        raise FileError(
            f"'{path.name}' has version {version!r} of the shape format; this program reads "
            f"version {VERSION}. A newer napari-qsm may read it."
        )
    unknown = sorted(set(whole) - set(_KEYS))
    if unknown:
        raise FileError(f"'{path.name}' has unknown entries: {', '.join(unknown)}.")
    if whole.get("units", _UNITS) != _UNITS:
        raise FileError(f"'{path.name}' has other units than mm and degree: {whole['units']}.")
    rows = whole.get("shapes")
    if not isinstance(rows, list):
        raise FileError(f"'{path.name}' has no list of shapes.")
    reading = whole.get("reading", {})
    if not isinstance(reading, dict):
        raise FileError(f"'{path.name}': 'reading' is no list of named entries.")
    shapes, counts = _checked(path, rows)
    drawn_on = whole.get("map")
    said = drawn_on if isinstance(drawn_on, dict) else {}
    name, checksum = str(said.get("name", "")), str(said.get("chi_sha256", ""))
    return ShapeFile(shapes, counts, name, checksum, reading)


def _checked(path: Path, rows: list[Any]) -> tuple[tuple[FixedShape, ...], dict[str, int]]:
    shapes: list[FixedShape] = []
    counts: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise FileError(f"Shape {number} in '{path.name}' is no list of named entries.")
        row = dict(row)
        voxels = row.pop("voxels", None)
        called = row.get("region_name") or row.get("kind") or "?"
        if "centre_mm" not in row:
            raise FileError(f"Shape {number} ({called}) in '{path.name}' has no centre_mm.")
        try:
            shape = FixedShape.model_validate(row)
        except ValidationError as error:
            raise FileError(f"Shape {number} ({called}) in '{path.name}': {_why(error)}") from error
        if any(shape.id == other.id for other in shapes):
            raise FileError(f"Two shapes in '{path.name}' have the id '{shape.id}'.")
        shapes.append(shape)
        if isinstance(voxels, int):
            counts[shape.id] = voxels
    return tuple(shapes), counts


def _why(error: ValidationError) -> str:
    """The first thing wrong, in a sentence."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"unknown entry '{where}'."
    return f"{where}: {message}." if where else f"{message}."
