"""What a folder of DICOM files holds, read from headers alone."""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.io.identifying import IDENTIFYING, person, without_person
from napari_qsm.io.names import IMAGINARY, MAGNITUDE, PHASE, REAL, part_of

Progress = Callable[[float], None]

_HOW_TO_INSTALL = 'install it with: pip install "napari-qsm[dicom]"'

_NEEDED = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "ImageType"),
    *("Manufacturer", "EchoTime", "ImagePositionPatient", "ImageOrientationPatient", "Rows"),
    *("Columns", "PixelSpacing", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames"),
    *("ScanningSequence", "EchoPulseSequence", "ComplexImageComponent", "PhaseContrast"),
    *("LossyImageCompression", "SharedFunctionalGroupsSequence"),
    *("PerFrameFunctionalGroupsSequence", "AcquisitionNumber", "TriggerTime"),
    "TemporalPositionIdentifier",
)
_GE_PART = (0x0043, 0x102F)
_GE_PARTS = {0: MAGNITUDE, 1: PHASE, 2: REAL, 3: IMAGINARY}
_IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.4",  # MR image
    "1.2.840.10008.5.1.4.1.1.4.1",  # enhanced MR image
}
_NEVER_DICOM = {".nii", ".gz", ".json", ".txt", ".csv", ".tsv", ".png", ".jpg", ".pdf", ".zip"}


@dataclass(frozen=True)
class Plane:
    """One image plane: where it lies and what it shows."""

    part: str
    echo_time_ms: float
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]


@dataclass(frozen=True)
class DicomFile:
    """One file with images of one series.

    Attributes
    ----------
    path : Path
        The file.
    uid : str
        Of this instance.
    planes : tuple of Plane
        One, or all frames of a multi-frame file.
    shape : tuple of int
        Rows and columns.
    acquisition : tuple
        What tells repeated acquisitions at one position apart.
    """

    path: Path
    uid: str
    planes: tuple[Plane, ...]
    shape: tuple[int, int]
    acquisition: tuple[Any, ...] = ()


@dataclass
class DicomSeries:
    """The images of one series.

    Attributes
    ----------
    number : int
        What the scanner calls it.
    title : str
        Its description, without the patient's name or ID; only for the screen.
    """

    number: int
    title: str
    manufacturer: str
    gradient_echo: bool
    files: list[DicomFile] = field(default_factory=list)
    lossy: bool = False
    label: str = ""

    @property
    def parts(self) -> Counter[str]:
        """Number of planes of each part."""
        return Counter(plane.part for file in self.files for plane in file.planes)

    def echo_times_ms(self, part: str) -> list[float]:
        """The echo times of one part, ascending."""
        planes = (plane for file in self.files for plane in file.planes)
        return sorted({plane.echo_time_ms for plane in planes if plane.part == part})

    @property
    def frame(self) -> tuple[Any, ...]:
        """Size, direction and spacing of its planes."""
        first = self.files[0].planes[0]
        return (
            self.files[0].shape,
            tuple(np.round(first.orientation, 3) + 0.0),
            tuple(np.round(first.spacing_mm, 3)),
        )

    @property
    def slices(self) -> int:
        """Number of places at which there is an image."""
        return len({tuple(np.round(p.position_mm, 1)) for f in self.files for p in f.planes})

    @property
    def grid(self) -> tuple[Any, ...]:
        """What two series on one grid share."""
        return (*self.frame, self.slices)

    @property
    def description(self) -> str:
        """One line for a list to choose from."""
        counts = ", ".join(f"{n} {part or 'other'}" for part, n in sorted(self.parts.items()))
        times = sorted({p.echo_time_ms for f in self.files for p in f.planes if p.echo_time_ms > 0})
        said = f", TE {', '.join(f'{t:g}' for t in times)} ms" if times else ""
        return f"{self.title or 'no description'} ({counts} images{said})"


@dataclass
class DicomFolder:
    """What a folder holds.

    Attributes
    ----------
    series : list of DicomSeries
        In the order of their numbers.
    patients : int
        How many different ones.
    left_out : Counter
        Reason to number of files.
    identifying : list of str
        Kinds of identifying entries that were seen.
    """

    series: list[DicomSeries]
    patients: int
    left_out: Counter[str]
    identifying: list[str]


def need_pydicom() -> ModuleType:
    """The pydicom library, or a sentence on how to get it."""
    try:
        import pydicom
    except ImportError as error:
        raise FileError(f"Reading DICOM needs pydicom; {_HOW_TO_INSTALL}") from error
    return pydicom


def read_folder(folder: Path, progress: Progress) -> DicomFolder:
    """Read the header of every DICOM file in a folder and below.

    Parameters
    ----------
    folder : Path
        Read only; never changed.
    progress : callable
        Called with the fraction done; may raise to stop.

    Raises
    ------
    FileError
        If there is no such folder or no DICOM file in it.
    """
    pydicom = need_pydicom()
    if not folder.is_dir():
        raise FileError(f"There is no folder '{folder}'.")
    left_out: Counter[str] = Counter()
    paths = list(_walk(folder, left_out))
    series: dict[str, DicomSeries] = {}
    patients: set[tuple[str, ...]] = set()
    seen: set[str] = set()
    identifying: dict[str, None] = {}
    wanted = [*_NEEDED, *IDENTIFYING, _GE_PART]
    with _quiet():
        for i, path in enumerate(paths):
            if i % 50 == 0:
                progress(i / len(paths))
            header = _header(pydicom, path, wanted, left_out)
            if header is None:
                continue
            uid = str(header.get("SOPInstanceUID", ""))
            if uid and uid in seen:
                left_out["a copy of another file"] += 1
                continue
            try:
                file = _dicom_file(path, uid, header)
                key = str(header.get("SeriesInstanceUID", ""))
                if key not in series:
                    series[key] = _new_series(header)
            except Exception:  # any of many kinds, for headers that break the standard
                left_out["damaged: its header makes no sense"] += 1
                continue
            seen.add(uid)
            patients.add(person(header))
            for name, words in IDENTIFYING.items():
                if header.get(name):
                    identifying[words] = None
            series[key].files.append(file)
            series[key].lossy = series[key].lossy or header.get("LossyImageCompression") == "01"
    progress(1.0)
    return DicomFolder(_labelled(series.values()), len(patients), left_out, list(identifying))


@contextmanager
def _quiet() -> Iterator[None]:
    """Odd values in headers are no concern of the user's, and their text may name somebody."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def looks_like_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM files do."""
    try:
        return _starts_like_dicom(_start(path))
    except OSError:
        return False


def _start(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(132)


def _starts_like_dicom(start: bytes) -> bool:
    # Old files have no preamble and begin with an element of group 0008 (or 0002).
    return start[128:132] == b"DICM" or start[:4] in (b"\x08\0\0\0", b"\x08\0\5\0", b"\x02\0\0\0")


def _walk(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    def refused(_: OSError) -> None:
        left_out["in a folder that must not be read"] += 1

    for here, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in sorted(names):
            if name.startswith(".") or name.upper() == "DICOMDIR":
                continue
            if Path(name).suffix.lower() in _NEVER_DICOM:
                continue
            yield Path(here) / name


def _header(
    pydicom: ModuleType, path: Path, wanted: list[Any], left_out: Counter[str]
) -> Any | None:
    """The header of an MR image; None, with the reason counted, for anything else."""
    try:
        start = _start(path)
        if not _starts_like_dicom(start):
            left_out["no DICOM file" if start else "empty"] += 1
            return None
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=wanted)
    except PermissionError:
        left_out["not permitted to be read"] += 1
        return None
    except Exception:  # pydicom raises many kinds for damaged files
        left_out["damaged: its header cannot be read"] += 1
        return None
    if "SOPClassUID" not in header:
        left_out["damaged: its header cannot be read"] += 1
        return None
    if header.get("SOPClassUID") not in _IMAGE_CLASSES:
        left_out["no MR image (a report, a screenshot or the like)"] += 1
        return None
    if not _long_enough(path, header):
        left_out["damaged: cut short"] += 1
        return None
    return header


def _long_enough(path: Path, header: Any) -> bool:
    """Whether an uncompressed file can hold the pixels that its header promises."""
    syntax = getattr(header.file_meta, "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_compressed:
        return True
    pixels = int(header.get("Rows") or 0) * int(header.get("Columns") or 0)
    frames = int(header.get("NumberOfFrames") or 1)
    bits = int(header.get("BitsAllocated") or 0) * int(header.get("SamplesPerPixel") or 1)
    return 0 < pixels * frames * bits // 8 <= path.stat().st_size


def _new_series(header: Any) -> DicomSeries:
    sequence = _words(header.get("ScanningSequence"))
    echo = str(header.get("EchoPulseSequence") or "")
    spin = (bool(sequence) and not sequence & {"GR", "RM"}) or "IR" in sequence or echo == "SPIN"
    flow = header.get("PhaseContrast") == "YES"
    title = without_person(str(header.get("SeriesDescription") or ""), header)
    return DicomSeries(
        number=int(header.get("SeriesNumber") or 0),
        title=title,
        manufacturer=str(header.get("Manufacturer") or ""),
        gradient_echo=not spin and not flow,
    )


def _words(value: Any) -> set[str]:
    if value is None:
        return set()
    return {str(v) for v in ([value] if isinstance(value, str) else value)}


def _dicom_file(path: Path, uid: str, header: Any) -> DicomFile:
    shape = int(header.Rows), int(header.Columns)
    if "PerFrameFunctionalGroupsSequence" in header:
        shared = header.get("SharedFunctionalGroupsSequence") or [None]
        frames = [[f, shared[0]] for f in header.PerFrameFunctionalGroupsSequence]
        planes = tuple(_frame(groups, header) for groups in frames)
        return DicomFile(path, uid, planes, shape)
    ge = header.get(_GE_PART)
    if ge is not None and "GE" in str(header.get("Manufacturer", "")).upper():
        value = ge.value if isinstance(ge.value, int) else np.ravel(ge.value)[0]
        part = _GE_PARTS.get(int(value), "")
    else:
        part = _part(header, header.get("ImageType"))
    plane = Plane(
        part=part,
        echo_time_ms=float(header.get("EchoTime") or 0),
        position_mm=tuple(float(v) for v in header.ImagePositionPatient),
        orientation=tuple(float(v) for v in header.ImageOrientationPatient),
        spacing_mm=tuple(float(v) for v in header.PixelSpacing),
    )
    names = ("AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime")
    return DicomFile(path, uid, (plane,), shape, tuple(str(header.get(n)) for n in names))


def _frame(groups: list[Any], header: Any) -> Plane:
    def find(sequence: str, name: str) -> Any:
        for group in groups:
            if group is not None and sequence in group and name in group[sequence].value[0]:
                return group[sequence].value[0].get(name)
        return None

    kind = find("MRImageFrameTypeSequence", "FrameType") or header.get("ImageType")
    component = find("MRImageFrameTypeSequence", "ComplexImageComponent")
    component = component or header.get("ComplexImageComponent")
    echo = find("MREchoSequence", "EffectiveEchoTime")
    return Plane(
        part=_part(header, [*_words(kind), str(component or "")]),
        echo_time_ms=float(echo or 0),
        position_mm=_floats(find("PlanePositionSequence", "ImagePositionPatient")),
        orientation=_floats(find("PlaneOrientationSequence", "ImageOrientationPatient")),
        spacing_mm=_floats(find("PixelMeasuresSequence", "PixelSpacing")),
    )


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _part(header: Any, image_type: Any) -> str:
    words = [word for word in _words(image_type) if word != "MIXED"]
    component = str(header.get("ComplexImageComponent") or "")
    return part_of("", {"ImageType": [*words, component]})


def _labelled(series: Any) -> list[DicomSeries]:
    ordered = sorted(series, key=lambda s: s.number)
    counts = Counter(s.number for s in ordered)
    used: Counter[int] = Counter()
    for one in ordered:
        used[one.number] += 1
        one.label = str(one.number)
        if counts[one.number] > 1:
            one.label += f"#{used[one.number]}"
    return ordered
