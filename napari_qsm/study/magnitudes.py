"""The magnitude of a visit, from the raw data of a study."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.io.bids import derivative_names, find_scans
from napari_qsm.io.maps import read_volume
from napari_qsm.io.scan_reader import read_scan
from napari_qsm.io.series import ScanFiles
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.volume import Volume


def magnitude_beside(folder: StudyFolder, scan: StudyScan) -> Volume:
    """The magnitude of a scan that is read: the one that a bundle keeps, else from the raw data.

    Raises
    ------
    FileError
        Naming the visit, if there is neither.
    """
    if scan.magnitude.is_file():
        return read_volume(scan.magnitude)
    return magnitude_of(scan_files(folder, scan), scan.name)


def scan_files(folder: StudyFolder, scan: StudyScan) -> ScanFiles:
    """The raw images that a scan of a study was made from.

    Raises
    ------
    FileError
        Naming the visit, if the study knows no raw data, or they hold no such scan.
    """
    if folder.raw is None:
        raise FileError(
            f"'{folder.root.name}' names no raw data that are there (SourceDatasets in "
            "dataset_description.json); magnitudes are read from them."
        )
    place = folder.raw_folder(scan)
    found = [] if place is None else find_scans(place)
    own = [each for each in found if _map_name(each) == scan.map.name] or found
    if len(own) == 1:
        return own[0]
    what = f"{len(own)} scans" if own else "no scan"
    raise FileError(f"'{folder.raw.name}' holds {what} of {scan.name}.")


def _map_name(files: ScanFiles) -> str:
    return Path(derivative_names(files, ["chi_ppm"])["chi_ppm"]).name


def magnitude_of(files: ScanFiles, name: str) -> Volume:
    """One magnitude of all echoes: the root of the sum of their squares.

    Parameters
    ----------
    files : ScanFiles
        The raw images.
    name : str
        Whose they are, for messages.

    Raises
    ------
    FileError
        Naming the visit, if it has no magnitude.
    """
    if files.magnitude:
        images = [read_volume(image.path) for image in files.magnitude]
    elif files.real:
        images = list(read_scan(files).magnitude)
    else:
        raise FileError(f"{name} has no magnitude, which registration needs.")
    total = np.zeros(images[0].shape, np.float32)
    for image in images:
        data = np.nan_to_num(np.asarray(image.like(images[0]).data, np.float32))
        total += np.square(data if data.ndim == 4 else data[..., None]).sum(axis=-1)
    return images[0].with_data(np.sqrt(total), name=f"magnitude of {name}")


def checksums(files: ScanFiles) -> dict[str, str]:
    """Name and checksum of every image that :func:`magnitude_of` reads."""
    found = {}
    for image in files.magnitude or files.real + files.imaginary:
        with image.path.open("rb") as handle:
            found[image.path.name] = f"sha256 {hashlib.file_digest(handle, 'sha256').hexdigest()}"
    return found
