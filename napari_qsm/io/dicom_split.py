"""Multi-frame DICOM files that hold several echoes or parts, made into one file for each.

Converters stack the frames of such files in ways that depend on the vendor, and some take the
slices of two echoes for one volume of twice the height. One volume a file leaves no doubt.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.dicom_headers import DicomFile, need_pydicom
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
