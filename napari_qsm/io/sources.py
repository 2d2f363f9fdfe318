"""From files or a folder of any kind to a scan."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io import bids
from napari_qsm.io.choosing import choose
from napari_qsm.io.completeness import is_listed, no_phase
from napari_qsm.io.formats import is_image
from napari_qsm.io.moving import finish
from napari_qsm.io.names import by_echo
from napari_qsm.io.scan_reader import load_scan, read_scan
from napari_qsm.io.series import ScanFiles, group_images, image_file
from napari_qsm.scan import Scan

__all__ = ["find_scans", "load_scan", "nifti_files", "open_source", "read_scan"]

Progress = Callable[[float], None]


def open_source(
    source: Path | str | Sequence[Path | str],
    *,
    series: str | None = None,
    echo_times_s: Sequence[float] | None = None,
    field_strength_t: float | None = None,
    phase_difference: bool | None = None,
    progress: Progress = lambda fraction: None,
) -> Scan:
    """Read a scan from a folder (BIDS, imported, plain NIfTI, DICOM) or from files.

    Parameters
    ----------
    source : path or sequence of path
        A folder, one file, or the files of one scan.
    series : str, optional
        Which scan, where there are several.
    echo_times_s, field_strength_t, phase_difference
        As in :func:`load_scan`; they win over the sidecars.
    progress : callable
        Called with the fraction done while DICOM files are converted; may raise to stop.

    Returns
    -------
    Scan

    Raises
    ------
    AmbiguousSeries
        If there are several scans and ``series`` does not choose; it lists them.
    FileError
        If there is no phase image.
    MetadataError, GeometryError
        As in :func:`load_scan`.
    """
    paths = [Path(source)] if isinstance(source, Path | str) else [Path(p) for p in source]
    given: dict[str, Any] = {
        "echo_times_s": echo_times_s,
        "field_strength_t": field_strength_t,
        "phase_difference": phase_difference,
    }
    scans = find_scans(paths)
    where = paths[0].name or str(paths[0])
    if scans is None:
        return _read_dicom(paths, series, given, progress)
    return read_scan(choose(scans, series, where), **given)


def find_scans(paths: Sequence[Path]) -> list[ScanFiles] | None:
    """The scans among NIfTI files or in folders of them; None where there is no NIfTI.

    Raises
    ------
    FileError
        If a path does not exist, or there are images but no phase among them.
    """
    for path in paths:
        if not is_listed(path) and not path.is_dir():
            raise FileError(f"There is no file or folder '{path}'.")
    files = [path for path in paths if is_listed(path) and is_image(path)]
    seen = list(files)
    scans = group_images(image_file(path) for path in by_echo(files))
    found_any = bool(files)
    for folder in (path for path in paths if path.is_dir()):
        finish(folder)
        root = bids.dataset_root(folder)
        if root is not None:
            scans += bids.find_scans(folder)
            seen += bids.images_in(folder.absolute(), root)
            found_any = True
            continue
        inside = nifti_files(folder)
        seen += inside
        scans += group_images(image_file(path) for path in inside)
        found_any = found_any or bool(inside)
    if not found_any:
        return None
    if not scans:
        where = paths[0].name or str(paths[0])
        places = {path.parent for path in seen} | {path for path in paths if path.is_dir()}
        raise FileError(no_phase(where, seen, sorted(places)))
    return scans


def nifti_files(folder: Path) -> list[Path]:
    """NIfTI files in a folder, or else in the folders below it."""
    for found in (folder.iterdir(), folder.rglob("*.nii*")):
        images = [
            path
            for path in found
            if is_image(path)
            and is_listed(path)
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ]
        if images:
            return sorted(images)
    return []


def _read_dicom(
    paths: Sequence[Path], series: str | None, given: dict[str, Any], progress: Progress
) -> Scan:
    """Convert into a temporary folder and read from there, into memory."""
    from napari_qsm.io.dicom import import_dicom

    if len(paths) != 1 or not paths[0].is_dir():
        raise FileError(f"'{paths[0].name}' is neither a NIfTI file nor a folder with a scan.")
    temporary = Path(tempfile.mkdtemp(prefix="napari-qsm-"))
    try:
        report = import_dicom(paths[0], temporary / "bids", series=series, progress=progress)
        scans = find_scans([temporary / "bids"]) or []
        scan = read_scan(scans[0], **given)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    notes = [*report.warnings, *scan.metadata.get("Notes", [])]  # type: ignore[misc]
    return replace(
        scan,
        phase=tuple(replace(v, origin=None) for v in scan.phase),
        magnitude=tuple(replace(v, origin=None) for v in scan.magnitude),
        metadata=scan.metadata | ({"Notes": notes} if notes else {}),
    )
