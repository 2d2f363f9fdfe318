"""Label maps with their names and colours, as one file of 3D Slicer or as image and table."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.atomic import atomic_path
from napari_qsm.io.formats import format_of, image_formats, read_image, stem, table_endings
from napari_qsm.io.forms import side_notes
from napari_qsm.io.label_table import is_label_table, read_label_table, write_label_table
from napari_qsm.io.region import Region, rgb
from napari_qsm.io.segments import merge_layers, read_nrrd
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.volume import StoredGrid, Volume, grids_differ, relative_axis_order

_SIDE_TAG = "napari-qsm.side"

Warn = Callable[[str], None]


def write_labels(
    volume: Volume, regions: Iterable[Region], path: Path | str, *, table: str = ""
) -> list[Path]:
    """Write a label map with what its labels mean.

    Parameters
    ----------
    volume : Volume
        Labels 0-65535, in any axis order; written on the grid of the file it came from, as
        uint8 if the largest label allows it and as uint16 otherwise.
    regions : iterable of Region
        What the labels mean.
    path : Path or str
        ``.seg.nrrd`` holds everything in one file; ``.nii`` and ``.nii.gz`` get a label table
        of the same name beside them.
    table : str
        Ending of that table, see :func:`~napari_qsm.io.label_table.write_label_table`. Unless
        given ``.tsv`` for BIDS names (``..._dseg.nii.gz``) and ``.txt`` (ITK-SNAP) for others.

    Returns
    -------
    list of Path
        The files written, the image first.

    Raises
    ------
    FileError
        For other endings, values that are no labels, and a file of the table's name that is
        no label table and would be lost.
    """
    path = Path(path)
    regions = tuple(regions)
    labels = replace(volume, data=as_labels(volume), origin=None)
    format_ = format_of(path)
    if format_ is not None and format_.write_labels is not None:
        format_.write_labels(labels, regions, path)
        return [path]
    if format_ is None or format_.write is None:
        known = ", ".join(
            e for f in image_formats() if f.write or f.write_labels for e in f.endings
        )
        raise FileError(f"'{path.name}' must end in one of {known}.")
    ending = table or (".tsv" if stem(path).endswith("_dseg") else ".txt")
    beside = path.with_name(stem(path) + ending)
    if beside.exists() and beside.stat().st_size and not is_label_table(beside):
        raise FileError(
            f"'{beside.name}' would be replaced by the names of the regions, but it is another "
            "kind of file; choose another name."
        )
    format_.write(labels, path)
    if not regions:
        return [path]
    write_label_table(beside, regions)
    return [path, beside]


def read_labels(
    path: Path | str, *, warn: Warn | None = None, table: bool = True
) -> tuple[Volume, tuple[Region, ...]]:
    """Read a label map with what its labels mean.

    Parameters
    ----------
    path : Path or str
        ``.seg.nrrd`` or ``.nrrd``; or ``.nii``, ``.nii.gz`` with or without a label table of
        the same name beside it (:func:`napari_qsm.io.formats.table_endings`).
    warn : callable, optional
        Told if values were rounded, if a file of the same name beside it is no label table, and
        what the file leaves open about its sides.
    table : bool
        Whether to look for a label table beside an image.

    Returns
    -------
    volume : Volume
        uint8 or uint16, in the file's own axis order.
    regions : tuple of Region
        In the order of their indices; empty if nothing tells names.

    Raises
    ------
    FileError
        If the file cannot be read or holds anything but labels.
    """
    path = Path(path)
    format_ = format_of(path)
    if format_ is not None and format_.read_labels is not None:
        return format_.read_labels(path)
    volume = read_image(path)
    if warn is not None:
        for note in side_notes(volume):
            warn(note)
    labels = replace(volume, data=as_labels(volume, warn=warn))
    return labels, regions_beside(path, warn=warn) if table else ()


def regions_beside(path: Path | str, *, warn: Warn | None = None) -> tuple[Region, ...]:
    """What the label table of the same name beside an image says; empty without one.

    The one look-up of names for labels, for every command and the window.

    Parameters
    ----------
    path : Path or str
        The image.
    warn : callable, optional
        Told of each file of that name that is no label table and was passed over.
    """
    path = Path(path)
    for ending in table_endings(beside=True):
        table = path.with_name(stem(path) + ending)
        if not table.is_file():
            continue
        try:
            return read_label_table(table)
        except FileError as error:
            if warn is not None:
                warn(f"'{table.name}' lies beside '{path.name}' but was passed over: {error}")
    return ()


def table_beside(path: Path | str) -> Path | None:
    """The label table of the same name beside an image, if there is one."""
    path = Path(path)
    found = (path.with_name(stem(path) + ending) for ending in table_endings(beside=True))
    return next((table for table in found if is_label_table(table)), None)


def write_segmentation(volume: Volume, regions: Iterable[Region], path: Path | str) -> None:
    """Write a ``.seg.nrrd`` file as 3D Slicer does, atomically.

    Parameters
    ----------
    volume : Volume
        Labels; written in the axis order of the file it came from.
    regions : iterable of Region
        Labels without a region in the map get a segment without voxels, and labels of the map
        without a region one that is called after its number.
    path : Path or str
        Must end in ``.nrrd``.

    Raises
    ------
    FileError
        If the values are no labels, two regions share an index, or nothing can be written
        there.

    Notes
    -----
    The file's world is LPS, so the first two rows of the affine change their sign. Text is
    UTF-8, as Slicer reads it.
    """
    path = Path(path)
    if not path.name.lower().endswith(".nrrd"):
        raise FileError(f"'{path.name}' must end in .seg.nrrd.")
    back = volume.to_stored()
    data = as_labels(back)
    known = {region.index: region for region in regions}
    if len(known) < len(tuple(regions)):
        raise FileError(f"'{path.name}' would hold two regions for one label.")
    for index in np.unique(data).tolist():
        if index and index not in known:
            known[index] = unnamed(index)
    lines = _grid_lines(back, data)
    for number, index in enumerate(sorted(known)):
        lines += _segment_lines(number, known[index], data)
    lines += [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    packed = gzip.compress(data.ravel(order="F").tobytes(), compresslevel=4, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes("\n".join([*lines, "", ""]).encode("utf-8") + packed)


def read_segmentation(path: Path | str) -> tuple[Volume, tuple[Region, ...]]:
    """Read a ``.seg.nrrd`` file of 3D Slicer.

    Slicer may save only the part of the grid that holds segments; :func:`on_grid` brings such
    labels back to the map's own grid.

    Returns
    -------
    volume : Volume
        uint8 or uint16 labels in the file's own axis order.
    regions : tuple of Region
        One per segment, in the order of their labels.

    Raises
    ------
    FileError
        If the file is damaged, holds no labels, or its segments overlap, which a label map
        cannot hold.
    GeometryError
        If its grid is impossible.
    """
    path = Path(path)
    content = read_nrrd(path)
    data, regions = merge_layers(content.layers, content.fields, path)
    shape = (data.shape[0], data.shape[1], data.shape[2])
    volume = Volume(
        data=data,
        affine=content.affine,
        name=path.name.removesuffix(".nrrd").removesuffix(".seg"),
        origin=path,
        stored=StoredGrid(shape, content.affine),
        orientation_known=content.orientation_known,
    )
    labels = as_labels(volume)
    return replace(volume, data=labels), regions


def unnamed(index: int) -> Region:
    """The region of a label that no table names."""
    from napari_qsm.io.region import default_color

    return Region(index, f"region {index}", "", default_color(index))


def on_grid(labels: Volume, grid: Volume) -> Volume:
    """Labels on a map's grid, if they are saved on a part of just that grid; nothing is resampled.

    Parameters
    ----------
    labels, grid : Volume
        In any axis order.

    Returns
    -------
    Volume
        In the axis order and with the shape of ``grid``; 0 where the labels' file had nothing.

    Raises
    ------
    GeometryError
        If voxels do not coincide, or labels lie outside the map.
    """
    turned = labels._reoriented(relative_axis_order(labels.affine, grid.affine))
    if turned.shape == grid.shape:
        return labels.like(grid)
    first = np.rint(grid.world_to_voxel(turned.affine[:3, 3])).astype(int)
    stop = first + np.array(turned.shape)
    moved = np.array(grid.affine)
    moved[:3, 3] = grid.voxel_to_world(first)
    if grids_differ(turned.shape, turned.affine, turned.shape, moved):
        return labels.like(grid)  # says what differs
    inside = np.maximum(first, 0), np.minimum(stop, grid.shape)
    source = tuple(slice(a - f, max(b - f, a - f)) for a, b, f in zip(*inside, first, strict=True))
    target = tuple(slice(a, max(a, b)) for a, b in zip(*inside, strict=True))
    part = turned.data[source]
    if np.count_nonzero(part) < np.count_nonzero(turned.data):
        raise GeometryError(
            f"'{labels.name}' has regions outside the map '{grid.name}', so they would be cut off."
        )
    data = np.zeros(grid.shape, turned.data.dtype, order="F")
    data[target] = part
    return grid.with_data(data, unit="", name=labels.name)


def _grid_lines(volume: Volume, data: Array) -> list[str]:
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    directions = " ".join(_vector(lps[:3, axis]) for axis in range(3))
    return [
        "NRRD0005",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {'unsigned char' if data.dtype == np.uint8 else 'unsigned short'}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, data.shape))}",
        f"space directions: {directions}",
        "kinds: domain domain domain",
        "endian: little" if data.dtype.newbyteorder("=") == data.dtype.newbyteorder("<")
        else "endian: big",
        "encoding: gzip",
        f"space origin: {_vector(lps[:3, 3])}",
    ]  # fmt: skip


def _vector(values: Any) -> str:
    return "(" + ",".join(repr(float(value) + 0.0) for value in values) + ")"


def _segment_lines(number: int, region: Region, data: Array) -> list[str]:
    at = np.nonzero(data == region.index)
    # Slicer writes an extent that ends before it begins where there are no voxels.
    extent = [(int(a.min()), int(a.max())) if a.size else (0, -1) for a in at]
    tags = "Segmentation.Status:completed|" if region.locked else "Segmentation.Status:inprogress|"
    if region.side:
        tags += f"{_SIDE_TAG}:{region.side}|"
    fields = {
        "ID": f"Segment_{region.index}",
        "Name": " ".join(region.name.split()) or f"Label {region.index}",
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{value / 255:.6g}" for value in rgb(region.color)),
        "ColorAutoGenerated": "0",
        "Extent": " ".join(f"{a} {b}" for a, b in extent),
        "LabelValue": str(region.index),
        "Layer": "0",
        "Tags": tags,
    }
    return [f"Segment{number}_{key}:={value}" for key, value in fields.items()]
