"""What a ``.seg.nrrd`` file holds: its grid, its layers of labels, and its segments."""

from __future__ import annotations

import contextlib
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.region import MAX_INDEX, Region, default_color, hex_color, side_of
from napari_qsm.volume import check_affine

#: World of the file to RAS, by each name that the format has for it.
_TO_RAS = {
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
}


@dataclass(frozen=True)
class NrrdContent:
    """One file, read.

    Attributes
    ----------
    layers : (n, x, y, z) ndarray
        Layers of labels; several where segments overlap.
    fields : dict
        Fields of the header as text.
    affine : (4, 4) ndarray
        Voxel to RAS mm.
    orientation_known : bool
        False where the file does not name its world.
    """

    layers: Array
    fields: dict[str, str]
    affine: Array
    orientation_known: bool


def read_nrrd(path: Path) -> NrrdContent:
    """Read grid, layers and fields.

    Raises
    ------
    FileError
        If the file is missing, damaged or not of whole numbers.
    GeometryError
        If it is not 3-D, or does not place voxels in the world.
    """
    import nrrd

    if not path.is_file():
        raise FileError(f"There is no file '{path}'.")
    try:
        with path.open("rb") as handle:
            # Custom fields of two segments never share a name in sound files.
            header = nrrd.read_header(handle)
            if str(header.get("encoding", "")).lower() in ("gzip", "gz"):
                # The reader of the values does not look at the checksum.
                start = handle.tell()
                gzip.decompress(handle.read())
                handle.seek(start)
            data = nrrd.read_data(header, handle, str(path), index_order="F")
        fields = _fields(path)
    except MemoryError as error:
        raise FileError(f"'{path.name}' is too large for this computer's memory.") from error
    except Exception as error:  # the reader raises many kinds for damaged files
        raise FileError(f"'{path.name}' is damaged or not a segmentation (.seg.nrrd).") from error
    if data.dtype.kind not in "iuf":
        raise FileError(f"'{path.name}' holds no whole numbers, so it is no segmentation.")
    layers, spatial = _layers(data, header, path)
    affine, known = _affine(header, spatial, path)
    return NrrdContent(layers, fields, affine, known)


def merge_layers(
    layers: Array, fields: dict[str, str], path: Path
) -> tuple[Array, tuple[Region, ...]]:
    """Layers of a segmentation as one label map, with its regions.

    Returns
    -------
    data : (x, y, z) ndarray
        Labels. Segments keep their value; where two layers use one value, they are numbered
        in the file's order.
    regions : tuple of Region
        In the order of their indices.

    Raises
    ------
    FileError
        If segments overlap.
    """
    segments = _segments(fields, len(layers))
    if len(layers) == 1 and len({value for _, _, value in segments}) == len(segments):
        regions = [_region(fields, number, value) for number, _, value in segments if value]
        return layers[0], tuple(sorted(regions, key=lambda region: region.index))
    values = [value for _, _, value in segments]
    kept = len(set(values)) == len(values)
    data = np.zeros(layers.shape[1:], np.uint16, order="F")
    regions = []
    for place, (number, layer, value) in enumerate(segments, start=1):
        region = _region(fields, number, value if kept else place)
        inside = layers[layer] == value
        taken = np.unique(data[inside & (data != 0)])
        if taken.size:
            other = next(each for each in regions if each.index == taken[0])
            raise FileError(
                f"'{path.name}': the segments '{other.name}' and '{region.name}' overlap, and a "
                "voxel can belong to one region only; separate them first."
            )
        data[inside] = region.index
        regions.append(region)
    return data, tuple(sorted(regions, key=lambda region: region.index))


def _fields(path: Path) -> dict[str, str]:
    """Header fields in UTF-8; the reader of the values knows ASCII only."""
    fields = {}
    with path.open("rb") as handle:
        for line in handle:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                break
            key, mark, value = text.partition(":=")
            if mark:
                fields[key.strip()] = value.strip()
    return fields


def _layers(data: Array, header: Any, path: Path) -> tuple[Array, list[int]]:
    """The layers first, and which axes of the file are spatial."""
    if data.ndim == 3:
        return data[np.newaxis], [0, 1, 2]
    if data.ndim != 4:
        raise GeometryError(f"'{path.name}' is {data.ndim}-D; a 3-D segmentation is needed.")
    kinds = [str(kind).lower() for kind in header.get("kinds", ())]
    lists = [axis for axis, kind in enumerate(kinds) if kind not in ("domain", "space")]
    axis = lists[0] if len(lists) == 1 else 0
    return np.moveaxis(data, axis, 0), [each for each in range(4) if each != axis]


def _affine(header: Any, spatial: list[int], path: Path) -> tuple[Array, bool]:
    directions = header.get("space directions")
    if directions is None:
        raise GeometryError(
            f"'{path.name}' does not say how its voxels lie in space, so it cannot be laid on a map."
        )
    rows = [[np.nan] * 3 if row is None else list(row) for row in directions]
    columns = np.array([rows[axis] for axis in spatial], dtype=np.float64).T
    origin = np.asarray(header.get("space origin", (0.0, 0.0, 0.0)), dtype=np.float64)
    if columns.shape != (3, 3) or origin.shape != (3,):
        raise GeometryError(f"'{path.name}' does not lie in 3-D space.")
    signs = _TO_RAS.get(str(header.get("space", "")).lower())
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    affine = np.diag([*(signs or (-1, -1, 1)), 1.0]) @ affine
    check_affine(affine, f"'{path.name}'")
    return affine, signs is not None


def _segments(fields: dict[str, str], layers: int) -> list[tuple[int, int, int]]:
    """Number, layer and value of each segment; old files hold one per layer, as ones."""
    found = (re.fullmatch(r"Segment(\d+)_\w+", key) for key in fields)
    numbers = sorted({int(match.group(1)) for match in found if match})
    segments = []
    for number in numbers:
        value, layer = 1, number
        if f"Segment{number}_LabelValue" in fields:
            value = _whole(fields, f"Segment{number}_LabelValue", 1)
            layer = _whole(fields, f"Segment{number}_Layer", 0)
        segments.append((number, layer if layer < layers else 0, value))
    return segments


def _whole(fields: dict[str, str], key: str, default: int) -> int:
    try:
        return int(fields.get(key, default))
    except ValueError:
        return default


def _region(fields: dict[str, str], number: int, index: int) -> Region:
    if not 1 <= index <= MAX_INDEX:
        raise FileError(f"Segment {number} has the label {index}, outside 1-{MAX_INDEX}.")
    name = fields.get(f"Segment{number}_Name", "") or f"Segment {number + 1}"
    color = default_color(index)
    with contextlib.suppress(ValueError):
        parts = [float(word) for word in fields.get(f"Segment{number}_Color", "").split()]
        if len(parts) == 3 and all(0 <= part <= 1 for part in parts):
            red, green, blue = (round(part * 255) for part in parts)
            color = hex_color(red, green, blue)
    tags = dict(tag.split(":", 1) for tag in _tags(fields, number) if ":" in tag)
    side = tags.get("napari-qsm.side", "")
    return Region(
        index,
        name,
        side if side in ("left", "right") else side_of(name),
        color,
        locked=tags.get("Segmentation.Status") == "completed",
    )


def _tags(fields: dict[str, str], number: int) -> list[str]:
    return fields.get(f"Segment{number}_Tags", "").split("|")
