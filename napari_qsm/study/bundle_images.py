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
from napari_qsm.io.maps import read_map
from napari_qsm.io.nifti import nifti_bytes
from napari_qsm.recon.mask.morphology import dilate_mm
from napari_qsm.registration.carry import carried
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.study.bundle_card import CodedScan, place_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.magnitudes import magnitude_of, scan_files
from napari_qsm.study.painted import carried_contours
from napari_qsm.study.readings import load_labels, read_reading
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.suggestions import Places, Suggestions, read_suggestions, suggestions_text
from napari_qsm.study.transforms import points_between, visits_of
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
        yield from _starts(study, scan, coded, chi, rater, content)


def _starts(
    study: StudyFolder, scan: StudyScan, coded: CodedScan, chi: Volume, rater: str, content: bytes
) -> Iterator[tuple[str, bytes]]:
    """Suggested places and first contours, as far as the rater may have them."""
    kept = Suggestions()
    labels: Volume | None = None
    digest = hashlib.sha256(scan.map.read_bytes()).hexdigest()
    if (found := read_suggestions(scan.suggestion())).map_sha256 == digest:
        kept = found  # else none, or of a map that is no more
        path = scan.contours()
        labels = read_image(path).like(chi) if path.is_file() else None
    mine = kept.raters.get(rater, Places())
    if coded.placement != "carried" and "reading of" in mine.source:
        mine = Places()
    shapes: tuple[FixedShape, ...] = ()
    painted: Volume | None = None
    if coded.placement == "carried" and not coded.session:  # the first visit does not go along
        shapes, painted = _own_first(study, scan, rater, chi)
    if shapes:
        mine = Places(f"carried from the first visit: reading of {rater}", shapes)
    places = replace(kept, raters={rater: mine}).of(rater)
    folder, prefix = place_of(coded)
    own = replace(
        kept,
        common=replace(
            places, source=re.sub(r"\bses-[A-Za-z0-9]+", "the first visit", places.source)
        ),
        raters={},
        notes=(),
        map_sha256=hashlib.sha256(content).hexdigest(),
    )
    if places.shapes or kept.atlas:
        grid = chi.with_data(np.broadcast_to(np.float32(0), chi.shape))
        text = suggestions_text(own, grid)
        yield f"{folder}/{prefix}desc-suggested_shapes.json", text.encode()
    if painted is not None:
        before = np.zeros(chi.shape, np.uint16) if labels is None else np.asarray(labels.data)
        rest = np.where(np.isin(before, np.unique(painted.data)), 0, before)
        labels = painted.with_data(np.where(painted.data > 0, painted.data, rest).astype(np.uint16))
    if labels is not None:
        name = f"{prefix}desc-suggested_dseg.nii.gz"
        yield f"{folder}/{name}", gzip.compress(nifti_bytes(labels, name), mtime=0)


def _own_first(
    study: StudyFolder, scan: StudyScan, rater: str, chi: Volume
) -> tuple[tuple[FixedShape, ...], Volume | None]:
    """Shapes and painted regions that the rater handed in here of the first visit, in this one's head."""
    sessions = visits_of(study)[scan.participant]
    read = [v for v in sessions if study.scan(scan.participant, v).is_reconstructed]
    before = study.scan(scan.participant, read[0])
    path = before.shapes(rater)
    if before.key == scan.key or not path.is_file():
        return (), None
    reading = read_reading(path)
    if reading.record.state != "submitted":
        return (), None
    try:
        matrix = points_between(study, scan.participant, read[0], scan.session)
    except QsmError:  # as where it is read here: it starts from what all are suggested
        return (), None
    start = read_map(before.map)
    labels = load_labels(study, reading, start, before.dseg(rater)).labels
    shapes = tuple(carried(shape, matrix, start, chi).shape for shape in reading.shapes)
    return shapes, None if labels is None else carried_contours(labels, matrix, chi)


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
