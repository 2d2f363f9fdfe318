"""Whose study the images go into: a new one that names nobody, or the scan's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.dicom_headers import DicomSeries, Plane, read_folder
from napari_qsm.io.dicom_out.planes import Planes, from_series
from napari_qsm.io.dicom_out.same_scan import SAME, agreement, as_rad, stored_planes
from napari_qsm.io.names import PHASE
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume, grids_differ, same_lattice

#: What is taken over from the scan: who, which study, in which frame.
_PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("OtherPatientIDs", "PatientAge", "PatientSize", "PatientWeight", "EthnicGroup"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "PatientSpeciesDescription"),
)
_STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "StudyDescription", "FrameOfReferenceUID"),
    *("PositionReferenceIndicator", "PatientPosition"),
)
#: What tells how the scan was measured.
_SCAN = (
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType"),
    *("RepetitionTime", "EchoTrainLength", "FlipAngle", "MagneticFieldStrength"),
    *("ImagingFrequency", "PixelBandwidth"),
)
_LONGEST_CODE = 64


@dataclass(frozen=True, eq=False)
class Whose:
    """The patient and the study that the images will belong to.

    Attributes
    ----------
    entries : dict
        DICOM keyword to value, of the modules Patient, Study and Frame of Reference.
    scan : dict
        The same of how it was measured, where the scan told.
    planes : Planes or None
        Those of the scan; None for a study of our own.
    sources : tuple of (class, instance)
        UIDs of the images that the map was made from.
    series : str
        What the series of the scan is called in sentences; empty for a study of our own.
    is_same_scan : bool
        Whether the scan's phase is that which the map was made from; False where nothing tells.
    """

    entries: dict[str, Any]
    scan: dict[str, Any] = field(default_factory=dict)
    planes: Planes | None = None
    sources: tuple[tuple[str, str], ...] = ()
    series: str = ""
    is_same_scan: bool = False

    def complete(self, made: Any) -> Any:
        """Give an object that a library made what it left out of patient, study and codes."""
        from napari_qsm.io.dicom_out.codes import own_scheme

        frames = ("FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition")
        for name, value in self.entries.items():
            if value is not None and name not in made and name not in frames:
                setattr(made, name, value)
        made.SpecificCharacterSet = "ISO_IR 192"
        made.CodingSchemeIdentificationSequence = [own_scheme()]
        return made

    @property
    def into_source(self) -> bool:
        """Whether they go into the scan's own study."""
        return self.planes is not None


def neutral(code: str) -> Whose:
    """A new patient and study that name nobody and say that they do.

    Parameters
    ----------
    code : str
        What the patient is called, and their ID: a pseudonym.

    Raises
    ------
    MetadataError
        If the code is empty or too long, or holds what DICOM keeps for itself.
    """
    from pydicom.uid import generate_uid

    code = code.strip()
    if not code or len(code) > _LONGEST_CODE or any(c in "\\^=" or ord(c) < 32 for c in code):
        raise MetadataError(
            f"A code of 1 to {_LONGEST_CODE} letters without \\, ^ and = is needed for the patient, "
            f"not '{code}'."
        )
    now = datetime.now()
    return Whose(
        {
            "PatientName": f"{code}^",  # with a caret it is a family name of one part
            "PatientID": code,
            "PatientBirthDate": "",
            "PatientSex": "",
            "PatientIdentityRemoved": "YES",
            "DeidentificationMethod": "Written anew by napari-qsm; no header was copied",
            "StudyInstanceUID": generate_uid(prefix=None),
            # Of the export: the day of the scan would tell something of the patient.
            "StudyDate": now.strftime("%Y%m%d"),
            "StudyTime": now.strftime("%H%M%S"),
            "StudyID": "QSM",
            "AccessionNumber": "",
            "ReferringPhysicianName": "",
            "StudyDescription": "QSM, for research, not for diagnosis",
            "FrameOfReferenceUID": generate_uid(prefix=None),
            "PositionReferenceIndicator": "",
            "PatientPosition": "",
        }
    )


def of_scan(
    folder: Path, map_: Volume, *, phase: Volume | None = None, progress: Progress = no_progress
) -> Whose:
    """The patient and study of the scan that a map was made from, found by its grid.

    Parameters
    ----------
    folder : Path
        DICOM files of the scan; only read.
    map_ : Volume
        Its grid has to be that of one of the gradient-echo series, voxel by voxel.
    phase : Volume, optional
        Phase of the first echo that the map was made from, rad, wrapped or not: it has to be
        that of the scan.
    progress : callable

    Raises
    ------
    FileError
        If no series has that grid, its phase is another one, or there are several patients or
        studies.
    """
    import pydicom

    found = read_folder(folder, progress)
    if found.patients > 1:
        raise FileError(
            f"'{folder.name}' holds files of {found.patients} patients; give the folder of the one "
            "whose map this is."
        )
    differences = []
    matching: list[_Match] = []
    for series in sorted(found.series, key=lambda s: (not s.parts[PHASE], s.number)):
        for part, planes, files in _stacks(series):
            if same_lattice(map_.shape, map_.affine, planes.shape, planes.affine):
                matching.append((series, part, planes, files))
                break
            canonical = Volume(np.broadcast_to(np.uint8(0), planes.shape), planes.affine)
            there = canonical.to_canonical()
            here = map_.to_canonical()
            names = ("The map", f"series {series.label}")
            differences.append(
                grids_differ(here.shape, here.affine, there.shape, there.affine, names)
            )
    if not matching:
        why = differences[0] if differences else "There is no series of planes among them."
        raise FileError(
            f"No series in '{folder.name}' has the grid of the map, so it was not made from that scan "
            f"or was resampled: {why}"
        )
    agrees: float | None = None
    series, _, planes, files = matching[0]
    if phase is not None:
        compared = [(_agreement(phase, map_, one), one) for one in matching if one[1] == PHASE]
        told = [(value, one) for value, one in compared if value is not None]
        if told:
            agrees, (series, _, planes, files) = max(told, key=lambda each: each[0])
    header = pydicom.dcmread(files[0].path, stop_before_pixels=True)
    studies = {
        str(pydicom.dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
        for path in _first_files(matching)
    }
    if len(studies) > 1:
        raise FileError(
            f"Series of {len(studies)} studies in '{folder.name}' have the grid of the map; give the "
            "folder of the one that it was made from."
        )
    for name in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not header.get(name):
            raise FileError(
                f"The scan in '{folder.name}' has no {name}; nothing can be added to it."
            )
    entries = {name: header[name].value for name in (*_PATIENT, *_STUDY) if name in header}
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
                 "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
                 "PositionReferenceIndicator", "PatientPosition"):  # fmt: skip
        entries.setdefault(name, "")
    title = f"series {series.label}, {series.description}"
    if agrees is not None and agrees < SAME:
        raise FileError(
            f"The phase in {title} is not that which the map was made from (they agree to "
            f"{agrees:.4f} of 1), although the grid is the same: it may be another person's scan, or "
            "another of this person. If the phase was changed before it was unwrapped, copy the map "
            "out of its folder and export the copy; then only the grid is compared."
        )
    return Whose(
        entries,
        {name: header[name].value for name in _SCAN if name in header},
        planes,
        tuple(dict.fromkeys((str(header.SOPClassUID), file.uid) for file in files)),
        title,
        is_same_scan=agrees is not None,
    )


def _agreement(phase: Volume, map_: Volume, of: _Match) -> float | None:
    """How well the map's phase agrees with a series; None where nothing can be said."""
    _, _, planes, files = of
    if not same_lattice(phase.shape, phase.affine, map_.shape, map_.affine):
        return None
    own = phase.data if phase.unit == "rad" else as_rad(phase.data)
    stored = stored_planes([(file.path, file.frame) for file in files])
    scan = None if stored is None else as_rad(stored)
    if own is None or scan is None:
        return None
    known = np.isfinite(map_.data) & (map_.data != 0)
    inside = planes.frames(map_.with_data(known)) > 0
    return agreement(planes.frames(phase.with_data(own)), scan, inside)


def _first_files(matching: Iterable[_Match]) -> list[Path]:
    return [files[0].path for _, _, _, files in matching]


class _Member(NamedTuple):
    """One plane of a stack, and where it is stored."""

    plane: Plane
    path: Path
    uid: str
    shape: tuple[int, int]
    frame: int


#: A series, the part of the signal in its stack, and where that lies and is stored.
_Match = tuple[DicomSeries, str, Planes, list[_Member]]


def _stacks(series: DicomSeries) -> Iterable[tuple[str, Planes, list[_Member]]]:
    """The volumes of a series, one for each part and echo: planes, and their files in order."""
    groups: dict[tuple[str, float], list[_Member]] = {}
    for file in series.files:
        for frame, plane in enumerate(file.planes):
            if plane.part:
                key = (plane.part, round(plane.echo_time_ms, 3))
                member = _Member(plane, file.path, file.uid, file.shape, frame)
                groups.setdefault(key, []).append(member)
    for (part, _), members in sorted(groups.items(), key=lambda g: (g[0][0] != PHASE, g[0][1])):
        first = members[0]
        planes, order = from_series(
            np.array([member.plane.position_mm for member in members]),
            first.plane.orientation,
            first.plane.spacing_mm,
            first.shape,
        )
        yield part, planes, [members[i] for i in order]
