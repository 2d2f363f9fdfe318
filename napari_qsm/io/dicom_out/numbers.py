"""Numbers of regions as a structured report: TID 1500, Measurement Report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.io.dicom_out.codes import (
    OWN_SCHEME,
    code,
    cubic_mm,
    ppm,
    side_code,
    structure_code,
    susceptibility,
)
from napari_qsm.io.dicom_out.libraries import need_highdicom
from napari_qsm.io.dicom_out.regions import Segment


def measurement_report(
    rows: Mapping[int, Mapping[Any, Any]],
    segments: Sequence[Segment],
    images: Sequence[Any],
    segmentation: Any,
    *,
    series: int,
) -> Any:
    """Mean and SD (ppm), volume (mm³) and number of voxels of every region.

    Parameters
    ----------
    rows : dict
        Label to its ``mean_ppm``, ``sd_ppm``, ``volume_mm3`` and ``voxels``; what is not finite
        is left out.
    segments : sequence of Segment
    images : sequence of Dataset
        Of the map.
    segmentation : Dataset
        Of the regions.
    series : int
    """
    need_highdicom()
    from highdicom import sr
    from pydicom.uid import generate_uid

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=generate_uid(prefix=None),
        name="napari-qsm",
        manufacturer_name="napari-qsm",
        model_name=f"napari-qsm {__version__}",
    )
    observer = sr.ObserverContext(
        observer_type=code("121007", "DCM", "Device"), observer_identifying_attributes=device
    )
    groups = [
        _group(sr, rows[segment.label], segment, images, segmentation) for segment in segments
    ]
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=code("QSM", OWN_SCHEME, "Quantitative susceptibility mapping"),
        imaging_measurements=groups,
        title=code("126000", "DCM", "Imaging Measurement Report"),
    )
    made = sr.ComprehensiveSR(
        evidence=[*images, segmentation],
        content=content[0],
        series_instance_uid=generate_uid(prefix=None),
        series_number=series,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="napari-qsm",
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    made.SeriesDescription = "QSM numbers, not for diagnosis"
    made.ManufacturerModelName = "napari-qsm"
    made.SoftwareVersions = __version__
    return made


def _group(
    sr: Any, row: Mapping[Any, Any], segment: Segment, images: Sequence[Any], segmentation: Any
) -> Any:
    from math import isfinite

    structure = structure_code(segment.name, segment.side)
    place = sr.FindingSite(anatomic_location=structure, laterality=side_code(segment.side))
    asked = (
        ("mean_ppm", susceptibility(), ppm(), code("373098007", "SCT", "Mean")),
        ("sd_ppm", susceptibility(), ppm(), code("386136009", "SCT", "Standard Deviation")),
        ("volume_mm3", code("118565006", "SCT", "Volume"), cubic_mm(), None),
        (
            "voxels",
            code("VOXELS", OWN_SCHEME, "Number of voxels"),
            code("{voxels}", "UCUM", "voxels"),
            None,
        ),
    )
    measured = [
        sr.Measurement(name=name, value=round(float(row[key]), 6), unit=unit, derivation=how)
        for key, name, unit, how in asked
        if isfinite(float(row[key]))
    ]
    reference = sr.ReferencedSegment(
        sop_class_uid=segmentation.SOPClassUID,
        sop_instance_uid=segmentation.SOPInstanceUID,
        segment_number=segment.number,
        source_series=sr.SourceSeriesForSegmentation(images[0].SeriesInstanceUID),
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=segment.uid, identifier=segment.name[:64]),
        referenced_segment=reference,
        finding_type=structure,
        finding_sites=[place],
        measurements=measured,
    )
