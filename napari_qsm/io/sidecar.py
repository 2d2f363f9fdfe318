"""JSON sidecars in BIDS terms, with nothing in them that names a person, a time or a place.

Only what stands in a list of allowed entries is read or written. A list of forbidden ones
could never be complete: scanners and converters keep inventing entries. Free text such as
the series description stays out too, as in the basic confidentiality profile of DICOM
(PS3.15 annex E), because people do type names there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.formats import stem
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text

_ACQUISITION = """
    AcquisitionDuration AcquisitionMatrixPE BaseResolution BodyPart CoilCombinationMethod
    ConversionSoftware ConversionSoftwareVersion DwellTime EchoNumber EchoTime EchoTime1
    EchoTime2 EchoTrainLength FlipAngle FrequencyEncodingSteps ImageOrientationPatientDICOM
    ImageType ImagingFrequency InPlanePhaseEncodingDirectionDICOM MagneticFieldStrength
    Manufacturer ManufacturersModelName MatrixCoilMode Modality MRAcquisitionType MTState
    NonlinearGradientCorrection NumberOfAverages NumberOfEchoes ParallelAcquisitionTechnique
    ParallelReductionFactorInPlane ParallelReductionFactorOutOfPlane PartialFourier
    PatientPosition PercentPhaseFOV PercentSampling PhaseEncodingAxis
    PhaseEncodingDirection PhaseEncodingSteps PhaseEncodingStepsNoPartialFourier
    PhaseResolution PhaseUnit PhaseUnits PhilipsRescaleIntercept PhilipsRescaleSlope
    PhilipsScaleSlope PixelBandwidth PulseSequenceType RawImage ReceiveCoilName ReconMatrixPE
    RepetitionTime RepetitionTimeExcitation ScanOptions ScanningSequence SequenceName
    SequenceVariant SeriesNumber SliceThickness SoftwareVersions SpacingBetweenSlices
    SpoilingState Units UsePhilipsFloatNotDisplayScaling
"""
_RESULT = """
    Density Description EstimationAlgorithm EstimationReference GeneratedBy LabelTable Method NoiseOfMeans Notes Reference ReferencePpm Resolution
    SkullStripped Sources SpatialReference Type
"""
#: What a sidecar may tell about an acquisition.
SCAN_KEYS = frozenset(_ACQUISITION.split())
#: What this program says about its own results, beside the entries above.
RESULT_KEYS = frozenset(_RESULT.split())
_LONGEST_TEXT = 100


def sidecar_path(nifti_path: Path | str) -> Path:
    """Where the sidecar of an image lies: the same name with ``.json``."""
    path = Path(nifti_path)
    return path.with_name(stem(path) + ".json")


def read_sidecar(nifti_path: Path | str) -> dict[str, Any]:
    """The allowed entries of the sidecar beside an image.

    Parameters
    ----------
    nifti_path : Path or str
        The image; its sidecar has the same name with ``.json``.

    Returns
    -------
    dict
        Empty where there is no sidecar.

    Raises
    ------
    FileError
        If the sidecar cannot be read or is not JSON.
    """
    path = sidecar_path(nifti_path)
    return allowed(read_json(path), SCAN_KEYS) if path.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Everything in a JSON file that holds one object.

    Raises
    ------
    FileError
        If it cannot be read, or is not such a file.
    """
    try:
        said = parse_json(read_text(path, "JSON file"))
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}; mend it or take it away.") from error
    if not isinstance(said, dict):
        raise FileError(f"'{path.name}' holds no JSON object, so it is no sidecar.")
    return said


def write_sidecar(nifti_path: Path | str, metadata: Mapping[str, Any]) -> None:
    """Write the sidecar of an image, atomically.

    Parameters
    ----------
    nifti_path : Path or str
        The image.
    metadata : mapping
        Only entries in :data:`SCAN_KEYS` and :data:`RESULT_KEYS` are written. An image
        without any gets no sidecar.

    Raises
    ------
    FileError
        If the folder cannot be written to.
    """
    kept = allowed(metadata, SCAN_KEYS) | {
        key: value for key, value in metadata.items() if key in RESULT_KEYS
    }
    if not kept:
        return
    text = json.dumps(dict(sorted(kept.items())), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(sidecar_path(nifti_path), text + "\n")


def allowed(metadata: Mapping[str, Any], keys: Iterable[str] = SCAN_KEYS) -> dict[str, Any]:
    """Entries that may be kept: those in ``keys`` that hold numbers or short texts.

    The result is a copy; nested objects and long texts, which could carry anything, are left
    out.
    """
    keys = frozenset(keys)
    return {k: v for k, v in metadata.items() if k in keys and _is_plain(v)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(v) and not isinstance(v, list | tuple) for v in value)
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable()
    if isinstance(value, float):
        return value - value == 0  # neither NaN nor infinite, which JSON has no words for
    return isinstance(value, bool | int)


def numbers(metadata: Mapping[str, Any], key: str, who: str) -> tuple[float, ...]:
    """The number or numbers of one entry; empty where there is none.

    Parameters
    ----------
    metadata : mapping
        Sidecar entries.
    key : str
        The entry.
    who : str
        File name, for the message.

    Raises
    ------
    MetadataError
        If the entry holds something else.
    """
    value = metadata.get(key)
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    try:
        if any(isinstance(v, bool) for v in values):
            raise ValueError
        return tuple(float(v) for v in values)
    except (TypeError, ValueError):
        raise MetadataError(
            f"The sidecar of '{who}' gives {value!r} as {key}; a number is needed."
        ) from None
