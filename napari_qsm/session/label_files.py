"""Regions from and into files of the user's own, with the checks that keep them safe."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from napari_qsm.errors import FileError, GeometryError, QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.formats import stem
from napari_qsm.io.label_table import Region
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.segmentation import on_grid, read_labels, table_beside, write_labels
from napari_qsm.session.folder import ChangedOnDisk
from napari_qsm.session.proposals import provenance_now
from napari_qsm.session.references import Stamp, stamp_of
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume


@dataclass(frozen=True)
class OpenedRegions:
    """A label file, read.

    Attributes
    ----------
    volume : Volume
        On the map's grid if it lies on it, else on its own.
    regions : dict
        What labels mean.
    differs : str
        What is different about its grid; empty if it is the map's.
    """

    volume: Volume
    regions: dict[int, Region]
    differs: str = ""


def open_regions(path: Path | str, grid: Volume | None = None) -> OpenedRegions:
    """Read a label file and compare its grid with a map's.

    Parameters
    ----------
    path : Path or str
        NIfTI with or without a label table beside it, or ``.seg.nrrd``.
    grid : Volume, optional
        The map that the regions are meant for.

    Raises
    ------
    FileError
        If the file cannot be read, or its values are no labels.
    """
    path = Path(path)
    volume, rows = read_labels(path)
    regions = {row.index: row for row in rows}
    if grid is None:
        return OpenedRegions(volume, regions)
    try:
        return OpenedRegions(on_grid(volume, grid), regions)
    except GeometryError as error:
        return OpenedRegions(volume, regions, str(error))


def save_regions(
    entry: MapEntry,
    path: Path | str,
    *,
    table: str = "",
    known: Stamp | None = None,
    overwrite: bool = False,
) -> Stamp:
    """Write a label map and its names into a file of the user's choice.

    Parameters
    ----------
    entry : MapEntry
        A label map.
    path : Path or str
        ``.nii.gz``, ``.nii`` or ``.seg.nrrd``.
    table : str
        Ending of the label table beside it; see :func:`napari_qsm.io.segmentation.write_labels`.
    known : Stamp, optional
        Of the file when this label map was read from it or written to it last.
    overwrite : bool
        Replace a file that is another than ``known``.

    Returns
    -------
    Stamp
        Of the new file.

    Raises
    ------
    ChangedOnDisk
        If the file is there and is not what it was, unless ``overwrite``.
    GeometryError
        If the file there lies on another grid; ``overwrite`` doesn't change that.
    FileError
        If the file there is no label map, or nothing can be written.
    """
    path = Path(path)
    if path.exists():
        if not overwrite and (known is None or not known.agrees(path)):
            said = (
                "already exists"
                if known is None
                else "was changed by another program since it was opened or saved"
            )
            raise ChangedOnDisk(
                f"'{path.name}' {said}; replace it (the other version stays beside it as "
                f"'{previous_name(path).name}'), or choose another name.",
                (path.name,),
            )
        _check_replaceable(entry.volume, path)
        _keep_previous(path)
    write_labels(entry.volume, entry.regions.values(), path, table=table)
    _write_origin(entry, path)
    return stamp_of(path)


def _write_origin(entry: MapEntry, path: Path) -> None:
    """Say beside a label map which of its outlines were proposed, and what became of them."""
    beside = path.with_name(f"{stem(path)}_provenance.json")
    said = provenance_now(entry)
    if not said and not beside.exists():
        return
    if beside.exists():
        try:
            before = parse_json(beside.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, PlainDataError):
            return
        if not isinstance(before, dict) or "atlas" not in before:
            return  # how something else was made
    if said:
        write_text(beside, json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    else:
        beside.unlink()


def previous_name(path: Path) -> Path:
    """Where the version before the last one of a label file stays."""
    name = stem(path)
    return path.with_name(f"{name}_previous{path.name[len(name) :]}")


def _check_replaceable(volume: Volume, path: Path) -> None:
    try:
        there, _ = read_labels(path)
    except QsmError as error:
        raise FileError(
            f"'{path.name}' is there already and is no label map, so it is not replaced; choose "
            "another name."
        ) from error
    back = volume.to_stored()
    try:
        if there.shape != back.shape and path.name.lower().endswith(".nrrd"):
            on_grid(there, back)  # Slicer may have cut off empty margins
        else:
            there.like(back)
    except GeometryError as error:
        raise GeometryError(
            f"'{path.name}' is there already and lies on another grid than these regions, so it "
            f"is not replaced; choose another name. ({error})"
        ) from error


def _keep_previous(path: Path) -> None:
    target = previous_name(path)
    try:
        shutil.copy2(path, target)
        table = table_beside(path)
        if table is not None:
            shutil.copy2(table, table.with_name(f"{table.stem}_previous{table.suffix}"))
    except OSError as error:
        raise FileError(
            f"The version before could not be kept as '{target.name}', so nothing was replaced."
        ) from error
