"""A susceptibility map as DICOM images that archives and viewers show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.io.dicom_out.codes import ppm
from napari_qsm.io.dicom_out.libraries import need_highdicom
from napari_qsm.io.dicom_out.planes import Planes
from napari_qsm.io.dicom_out.whose import Whose

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
#: Stored numbers are whole ppb, so that a viewer that knows nothing of rescaling reads ppb.
PPB = 1000.0
#: Voxels whose value is no number.
PADDING = -32768
_LIMIT = 32767
#: Window of the report: -100 to 200 ppb.
_CENTRE, _WIDTH = 50, 300
MAKER = {
    "manufacturer": "napari-qsm",
    "manufacturer_model_name": "napari-qsm",
    "software_versions": __version__,
    "device_serial_number": "none",
}
DISCLAIMER = "Research software: not a medical device, not for diagnosis."


def common(whose: Whose, *, modality: str, series: int, title: str) -> Any:
    """What every object begins with: patient, study, series, equipment; no pixels yet."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    now = datetime.now()
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    for name, value in whose.entries.items():
        if value is not None:
            setattr(ds, name, value)
    ds.Modality = modality
    ds.SeriesInstanceUID = generate_uid(prefix=None)
    ds.SeriesNumber = series
    ds.SeriesDescription = title
    ds.BodyPartExamined = "BRAIN"
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = now.strftime("%Y%m%d")
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = now.strftime("%H%M%S")
    ds.Manufacturer = MAKER["manufacturer"]
    ds.ManufacturerModelName = MAKER["manufacturer_model_name"]
    ds.SoftwareVersions = __version__
    ds.DeviceSerialNumber = MAKER["device_serial_number"]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def named(ds: Any, sop_class: str) -> Any:
    """Give an object its class and a UID of its own."""
    from pydicom.uid import UID, generate_uid

    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = generate_uid(prefix=None)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def whole_ppb(frames_ppm: Array) -> Array:
    """Susceptibility as stored: int16 ppb, :data:`PADDING` where there is no number."""
    finite = np.isfinite(frames_ppm)
    scaled = np.rint(np.where(finite, frames_ppm, 0).astype(np.float64) * PPB)
    stored = np.clip(scaled, -_LIMIT, _LIMIT).astype("<i2")
    stored[~finite] = PADDING
    return stored


def map_images(frames_ppm: Array, planes: Planes, whose: Whose, *, series: int) -> list[Any]:
    """A map as classic MR images, one for each plane.

    Parameters
    ----------
    frames_ppm : (n, rows, columns) ndarray
        Susceptibility, ppm.
    planes : Planes
        Where each lies.
    whose : Whose
    series : int
        Number of the series.
    """
    stored = whole_ppb(frames_ppm)
    first = common(whose, modality="MR", series=series, title="QSM chi (ppb), not for diagnosis")
    out = []
    for number, pixels in enumerate(stored):
        ds = named(_copied(first), MR_IMAGE)
        ds.ImageType = ["DERIVED", "PRIMARY", "OTHER", "QSM"]
        ds.InstanceNumber, ds.AcquisitionNumber = number + 1, ""
        ds.DerivationDescription = f"Quantitative susceptibility map in ppb. {DISCLAIMER}"
        ds.ImageComments = DISCLAIMER
        _geometry(ds, planes, number)
        _measured(ds, whose)
        _sources(ds, whose, number, len(stored))
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows, ds.Columns = pixels.shape
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.WindowCenter, ds.WindowWidth = _CENTRE, _WIDTH
        ds.WindowCenterWidthExplanation = "QSM"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "ppb"
        ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
        if (pixels == PADDING).any():
            ds.PixelPaddingValue = PADDING
        ds.RealWorldValueMappingSequence = [_in_ppm()]
        ds.PixelData = pixels.tobytes()
        out.append(ds)
    return out


def parametric_map(frames_ppm: Array, images: Sequence[Any], *, series: int) -> Any:
    """A map as one object with float ppm, on the planes of its images; for research programs."""
    need_highdicom()
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from pydicom.uid import generate_uid

    values = np.nan_to_num(np.asarray(frames_ppm, dtype=np.float32))
    mapping = RealWorldValueMapping(
        lut_label="chi",
        lut_explanation="Susceptibility in ppm",
        unit=ppm(),
        value_range=(float(values.min()), float(values.max())),
        slope=1.0,
        intercept=0.0,
    )
    # LINEAR, which is meant where nothing is said, must not be narrower than 1.
    window = VOILUTTransformation(
        window_center=_CENTRE / PPB, window_width=_WIDTH / PPB, voi_lut_function="LINEAR_EXACT"
    )
    made = ParametricMap(
        source_images=list(images),
        pixel_array=values,
        series_instance_uid=generate_uid(prefix=None),
        series_number=series,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        content_label="QSM",
        content_description="Susceptibility in ppm",
        **MAKER,
    )
    made.SeriesDescription = "QSM chi (ppm, float), not for diagnosis"
    made.BodyPartExamined = images[0].BodyPartExamined
    return made


def _copied(ds: Any) -> Any:
    from copy import deepcopy

    out = deepcopy(ds)
    out.file_meta = deepcopy(ds.file_meta)
    return out


def _geometry(ds: Any, planes: Planes, number: int) -> None:
    ds.ImagePositionPatient = [_ds(v) for v in planes.positions_mm[number]]
    ds.ImageOrientationPatient = [_ds(v) for v in planes.orientation]
    ds.PixelSpacing = [_ds(v) for v in planes.spacing_mm]
    ds.SliceThickness = ds.SpacingBetweenSlices = _ds(planes.thickness_mm)
    ds.SliceLocation = _ds(
        planes.positions_mm[number] @ np.cross(*np.reshape(planes.orientation, (2, 3)))
    )


def _ds(value: float) -> str:
    """A decimal string of at most 16 letters."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value) + 0.0)


def _measured(ds: Any, whose: Whose) -> None:
    """How the scan was measured, where that is known; a map has no echo time of its own."""
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "NONE", ""
    ds.MRAcquisitionType, ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = "", "", "", ""
    for name, value in whose.scan.items():
        if value not in (None, ""):
            setattr(ds, name, value)


def _sources(ds: Any, whose: Whose, number: int, count: int) -> None:
    """The plane of the scan that lies here, or the one file that holds them all."""
    if not whose.sources:
        return
    from pydicom.dataset import Dataset

    items = []
    own = [whose.sources[number]] if len(whose.sources) == count else whose.sources
    for sop_class, uid in own:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        item.PurposeOfReferenceCodeSequence = [
            _coded("121322", "DCM", "Source image for image processing operation")
        ]
        items.append(item)
    ds.SourceImageSequence = items


def _coded(value: str, scheme: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _in_ppm() -> Any:
    """How stored numbers become ppm, for programs that read real-world values."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("RealWorldValueLastValueMapped", "SS", _LIMIT)
    item.add_new("RealWorldValueFirstValueMapped", "SS", -_LIMIT)
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 0.0, 1 / PPB
    item.LUTExplanation, item.LUTLabel = "Susceptibility in ppm", "chi"
    unit = ppm()
    item.MeasurementUnitsCodeSequence = [_coded(unit.value, unit.scheme_designator, unit.meaning)]
    return item
