"""Running dcm2niix on the files of a scan, and cleaning what it writes.

Li et al. 2016, J Neurosci Methods 264:47, doi:10.1016/j.jneumeth.2016.03.001.
"""

from __future__ import annotations

import copy
import gzip
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib

from napari_qsm.errors import FileError
from napari_qsm.io.dicom_headers import DicomFile, DicomSeries, need_pydicom
from napari_qsm.io.formats import stem
from napari_qsm.io.names import IMAGINARY, MAGNITUDE, PHASE, REAL

_COMPONENTS = {
    MAGNITUDE: ("M", "MAGNITUDE"),
    PHASE: ("P", "PHASE"),
    REAL: ("R", "REAL"),
    IMAGINARY: ("I", "IMAGINARY"),
}


def volumes_of(file: DicomFile) -> dict[tuple[str, float], list[int]]:
    """Frames of each part and echo time (ms) in a file."""
    volumes: dict[tuple[str, float], list[int]] = {}
    for index, plane in enumerate(file.planes):
        volumes.setdefault((plane.part, plane.echo_time_ms), []).append(index)
    return volumes


def split(file: DicomFile, folder: Path, first_number: int) -> list[Path]:
    """Write one multi-frame file for each part and echo of a file.

    Parameters
    ----------
    file : DicomFile
        Multi-frame, as read from its header.
    folder : Path
        Where the new files go.
    first_number : int
        Number in the name of the first one.

    Raises
    ------
    FileError
        If the file cannot be read or its frames cannot be told apart.
    """
    pydicom = need_pydicom()
    from pydicom.encaps import encapsulate, generate_frames
    from pydicom.uid import generate_uid

    try:
        whole = pydicom.dcmread(file.path)
        compressed = whole.file_meta.TransferSyntaxUID.is_compressed
        count = len(file.planes)
        if compressed:
            frames = list(generate_frames(whole.PixelData, number_of_frames=count))
        else:
            size = whole.Rows * whole.Columns * whole.SamplesPerPixel * whole.BitsAllocated // 8
            frames = [whole.PixelData[i * size : (i + 1) * size] for i in range(count)]
        pixel_vr = whole["PixelData"].VR
        groups = list(whole.PerFrameFunctionalGroupsSequence)
        del whole.PixelData, whole.PerFrameFunctionalGroupsSequence
        echoes = sorted({plane.echo_time_ms for plane in file.planes})
        paths: list[Path] = []
        for (part, echo), members in volumes_of(file).items():
            one = copy.deepcopy(whole)
            if part in _COMPONENTS:
                letter, component = _COMPONENTS[part]
                one.ImageType = [*_first_two(one.get("ImageType")), letter, "NONE"]
                one.ComplexImageComponent = component
            one.EchoTime, one.EchoNumbers = echo, echoes.index(echo) + 1
            one.NumberOfFrames = len(members)
            one.PerFrameFunctionalGroupsSequence = [groups[i] for i in members]
            own = [frames[i] for i in members]
            pixels = encapsulate(own) if compressed else b"".join(own)
            one.add_new("PixelData", pixel_vr, pixels)
            one["PixelData"].is_undefined_length = compressed
            one.SOPInstanceUID = generate_uid()
            one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
            one.InstanceNumber = first_number + len(paths)
            path = folder / f"{first_number + len(paths):06d}.dcm"
            one.save_as(path)
            paths.append(path)
    except OSError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise FileError(
            "A multi-frame DICOM file cannot be taken apart into its echoes; it may be damaged."
        ) from error
    return paths


def _first_two(image_type: Any) -> list[str]:
    words = [str(word) for word in image_type or ()][:2]
    return words + ["ORIGINAL", "PRIMARY"][len(words) :]


Progress = Callable[[float], None]

_OPTIONS = (
    *("-g", "i"),  # no file of defaults
    *("-d", "0"),  # no folders below
    *("-z", "n"),  # packed later, once the header is clean
    *("-p", "n"),  # the standard's rescaling, also for Philips
    *("-x", "i"),  # slices stay the third axis
    *("-b", "y", "-ba", "y"),  # sidecars without names
    *("-f", "s%s"),  # files named by the series number alone
)
#: Text fields of a NIfTI-1 header, as (start, end): data_type and db_name, descrip and
#: aux_file, intent_name. dcm2niix puts the time of the scan and comments there.
_TEXT_FIELDS = ((4, 32), (148, 252), (328, 344))
_NIFTI1_START = 352
_POLL_S = 0.05
_LETTERED = re.compile(r"(s\d+)[a-z]+((?:_.*)?)")
_UNNUMBERED = 100


def find_converter() -> str:
    """Path of the dcm2niix program.

    Raises
    ------
    FileError
        With how to install it.
    """
    try:
        import dcm2niix
    except ImportError:
        path = shutil.which("dcm2niix")
    else:
        path = dcm2niix.bin
    if not path or not (Path(path).exists() or Path(path + ".exe").exists()):
        raise FileError(
            'Converting DICOM needs dcm2niix; install it with: pip install "napari-qsm[dicom]"'
        )
    return str(path)


def convert(
    converter: str, together: Sequence[DicomSeries], temporary: Path, progress: Progress
) -> list[Path]:
    """Run dcm2niix on nothing but the files of these series."""
    source, target = temporary / "dicom", temporary / "nifti"
    source.mkdir()
    target.mkdir()
    _gather(together, source, lambda f: progress(0.5 * f))
    command = [converter, *_OPTIONS, "-o", str(target), str(source)]
    # What it prints may name the patient, so nobody gets to see it.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            begun = time.monotonic()
            while process.poll() is None:
                progress(0.5 + 0.5 * min((time.monotonic() - begun) / 60, 0.9))
                time.sleep(_POLL_S)
        except BaseException:
            process.kill()
            raise
    images = _without_letters(sorted(target.glob("*.nii")))
    if process.returncode != 0 or not images:
        raise FileError(
            "dcm2niix could not convert the series "
            f"{together[0].label} (it ended with status {process.returncode}): the files may be "
            "damaged or compressed in a way it does not know, or the disk may be full."
        )
    return images


def _gather(together: Sequence[DicomSeries], folder: Path, progress: Progress) -> None:
    """Put the files of these series into one folder, one volume or one plane a file."""
    files = [(file, one) for one in together for file in one.files]
    number = 0
    for i, (file, one) in enumerate(files):
        if i % 50 == 0:
            progress(i / len(files))
        # Philips files are whole exams by design, and the converter knows them.
        if len(volumes_of(file)) > 1 and "philips" not in one.manufacturer.lower():
            number += len(split(file, folder, number))
        else:
            _offer(file.path.resolve(), folder / f"{number:06d}.dcm")
            number += 1


def _offer(path: Path, name: Path) -> None:
    """Make a file appear under another name, without copying it where that is possible."""
    try:
        name.symlink_to(path)
    except (OSError, NotImplementedError):  # as on Windows without the privilege
        try:
            os.link(path, name)
        except OSError:
            shutil.copyfile(path, name)


def _without_letters(images: Sequence[Path]) -> list[Path]:
    """Undo the letters (``s5a``) by which the converter tells echoes without numbers apart."""
    out = []
    for i, path in enumerate(images):
        match = _LETTERED.fullmatch(stem(path))
        if match:
            name = f"{match[1]}_e{_UNNUMBERED + i}{match[2]}"
            for ending in (".nii", ".json"):
                path.with_suffix(ending).rename(path.with_name(name + ending))
            path = path.with_name(f"{name}.nii")
        out.append(path)
    return out


def write_clean(source: Path, target: Path) -> None:
    """Pack an uncompressed NIfTI file, without the texts and extensions in its header.

    Values, their scaling and the geometry stay as they are to the bit.
    """
    image = nib.load(source)
    data = bytearray(source.read_bytes())
    start = int(image.dataobj.offset)
    size = math.prod(image.shape) * image.get_data_dtype().itemsize
    if not isinstance(image, nib.Nifti1Image) or len(data) != start + size:
        raise FileError("The converter wrote an incomplete file; the disk may be full.")
    for first, last in _TEXT_FIELDS:
        data[first:last] = bytes(last - first)
    image.header["vox_offset"] = _NIFTI1_START
    data[108:112] = image.header["vox_offset"].tobytes()
    data[348:352] = bytes(4)  # no extensions
    del data[_NIFTI1_START:start]
    with target.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        packed.write(data)
