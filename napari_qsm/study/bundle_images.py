"""The files of one scan in a bundle: written anew, so that no header or sidecar tells whose it is."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_qsm.errors import FileError, GeometryError, QsmError
from napari_qsm.io.bids import DERIVATIVES
from napari_qsm.io.formats import read_image
from napari_qsm.io.nifti import nifti_bytes
from napari_qsm.recon.mask.morphology import dilate_mm
from napari_qsm.study.bundle_card import CodedScan, place_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.magnitudes import magnitude_of, scan_files
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.suggestions import Places, read_suggestions, suggestions_text
from napari_qsm.volume import Volume

#: Part of the brain's voxels that a map may hold besides without a word.
_FEW_OUTSIDE = 0.1
#: How far beyond the brain the magnitude goes; a face lies further out.
_RIM_MM = 3.0


def files_of(
    study: StudyFolder,
    scan: StudyScan,
    coded: CodedScan,
    chi: Volume,
    rater: str,
    magnitude: bool,
    without: dict[str, str],
) -> Iterator[tuple[str, bytes]]:
    """Map, masks, magnitude and suggestions of one scan, under its code.

    Parameters
    ----------
    study : StudyFolder
    scan : StudyScan
    coded : CodedScan
        What it is called there.
    chi : Volume
        Its map.
    rater : str
        Who may start from own earlier places.
    magnitude : bool
        Whether the magnitude goes along.
    without : dict of str to str
        Is told why a scan goes without its magnitude.
    """
    folder, prefix = place_of(coded)
    start = f"{folder}/{prefix}"
    content = nifti_bytes(chi, "Chimap.nii")
    yield f"{start}Chimap.nii", content
    if chi.unit:
        yield f"{start}Chimap.json", (json.dumps({"Units": chi.unit}) + "\n").encode()
    brain: Volume | None = None
    for quantity in ("mask", "local_mask"):
        path = scan.image(quantity)
        if path.name in scan.files:
            mask = read_image(path)
            inside = (np.nan_to_num(mask.data) > 0).astype(np.uint8)
            brain = brain or mask.with_data(inside)
            name = f"{start}{DERIVATIVES[quantity]}.nii"
            yield name, nifti_bytes(mask.with_data(inside), name)
    if magnitude:
        try:
            yield f"{start}part-mag_desc-combined_T2starw.nii", _magnitude(study, scan, brain)
        except QsmError as error:
            without[scan.name] = str(error)
    if coded.placement != "independent":
        kept = read_suggestions(scan.suggestion())
        if kept.map_sha256 != hashlib.sha256(scan.map.read_bytes()).hexdigest():
            return  # none, or of a map that is no more
        mine = kept.raters.get(rater, Places())
        if coded.placement != "carried" and "reading of" in mine.source:
            mine = Places()
        places = replace(kept, raters={rater: mine}).of(rater)
        source = re.sub(r"\bses-[A-Za-z0-9]+", "the first visit", places.source)
        own = replace(
            kept,
            common=Places(source, places.shapes),
            raters={},
            notes=(),
            map_sha256=hashlib.sha256(content).hexdigest(),
        )
        grid = chi.with_data(np.broadcast_to(np.float32(0), chi.shape))
        yield f"{start}desc-suggested_shapes.json", suggestions_text(own, grid).encode()
        contours = scan.contours()
        if contours.is_file():
            labels = gzip.compress(nifti_bytes(read_image(contours), contours.name), mtime=0)
            yield f"{start}desc-suggested_dseg.nii.gz", labels


def reaches_beyond(scan: StudyScan, chi: Volume) -> bool:
    """Whether a map holds more than a few values outside its brain."""
    path = scan.image("mask")
    if path.name not in scan.files:
        return False
    try:
        brain = np.asarray(read_image(path).like(chi).data) > 0
    except GeometryError:
        return True
    outside = np.count_nonzero(np.nan_to_num(chi.data)[~brain])
    return bool(outside > _FEW_OUTSIDE * np.count_nonzero(brain))


def _magnitude(study: StudyFolder, scan: StudyScan, brain: Volume | None) -> bytes:
    """The magnitude within the brain, as whole numbers.

    Raises
    ------
    QsmError
        If there is none, or nothing tells where the brain is.
    """
    if brain is None:
        raise FileError("The study keeps no mask of the brain, outside which a face would be seen.")
    image = magnitude_of(scan_files(study, scan), scan.name)
    try:
        inside = np.asarray(brain.like(image).data) > 0
    except GeometryError:
        raise FileError(f"The magnitude of {scan.name} is on another grid than its mask.") from None
    near = dilate_mm(inside, _RIM_MM, image.voxel_size_mm)
    values = np.where(near, np.nan_to_num(image.data), 0)
    most = float(values.max()) or 1.0
    whole = np.round(values * (60000 / most)).astype(np.uint16)
    return nifti_bytes(image.with_data(whole), "magnitude.nii")
