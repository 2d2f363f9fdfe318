"""What a file or folder is, how it lies, in which unit, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_qsm.errors import FileError, GeometryError
from napari_qsm.inspect.files import inspect_image, inspect_table
from napari_qsm.inspect.folders import inspect_folder
from napari_qsm.inspect.report import Item, Report
from napari_qsm.io.dicom_headers import looks_like_dicom
from napari_qsm.io.formats import can_read, read_image, table_endings

__all__ = ["Item", "Report", "inspect_paths"]


def inspect_paths(paths: Sequence[Path | str]) -> Report:
    """Look at files and folders; nothing is changed.

    Parameters
    ----------
    paths : sequence of path
        NIfTI files, label tables, and folders with a BIDS dataset, NIfTI or DICOM files. Images
        that are named together with a phase image must share its grid.

    Returns
    -------
    Report
        Its ``problems`` are empty where all is well; ``text()`` is for people.
    """
    items: list[Item] = []
    for path in map(Path, paths):
        if path.is_dir():
            items += inspect_folder(path)
        else:
            items.append(_inspect_file(path))
    _compare_grids(items)
    return Report(tuple(items))


def _inspect_file(path: Path) -> Item:
    item = Item(path, "file")
    if not path.exists():
        item.problems.append("There is no such file or folder.")
    elif can_read(path):
        return inspect_image(path)
    elif path.suffix.lower() in table_endings():
        return inspect_table(path)
    elif looks_like_dicom(path):
        item.kind = "a DICOM file"
        item.lines.append("Check or import the folder it lies in: one file is no volume.")
    else:
        item.problems.append("This is no NIfTI or DICOM file and no label table.")
    return item


def _compare_grids(items: Sequence[Item]) -> None:
    """Note on each image that does not lie on the grid of the phase named beside it."""
    images = [item for item in items if item.path.is_file() and can_read(item.path)]
    first = next((item for item in images if item.kind == "phase" and item.readable), None)
    if first is None:
        return
    phase = read_image(first.path)
    for item in images:
        if item is not first and item.readable:
            try:
                read_image(item.path).like(phase)
            except (FileError, GeometryError) as error:
                item.problems.append(str(error))
