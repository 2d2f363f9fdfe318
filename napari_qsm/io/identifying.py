"""What in a DICOM header can tell who was scanned, where or when."""

from __future__ import annotations

from typing import Any

#: Attributes that can tell who, where or when; they are looked at only to say that they were
#: dropped.
IDENTIFYING: dict[str, str] = {
    "PatientName": "patient's name",
    "PatientID": "patient ID",
    "OtherPatientIDs": "other patient IDs",
    "PatientBirthDate": "birth date",
    "PatientSex": "sex",
    "PatientAge": "age",
    "PatientSize": "height",
    "PatientWeight": "weight",
    "PatientAddress": "address",
    "PatientTelephoneNumbers": "telephone number",
    "PatientComments": "comments on the patient",
    "EthnicGroup": "ethnic group",
    "AccessionNumber": "accession number",
    "StudyID": "study ID",
    "StudyDate": "dates",
    "SeriesDate": "dates",
    "AcquisitionDate": "dates",
    "ContentDate": "dates",
    "StudyTime": "times",
    "SeriesTime": "times",
    "AcquisitionTime": "times",
    "ContentTime": "times",
    "AcquisitionDateTime": "times",
    "InstitutionName": "institution",
    "InstitutionAddress": "institution",
    "InstitutionalDepartmentName": "institution",
    "StationName": "station name",
    "DeviceSerialNumber": "device serial number",
    "ReferringPhysicianName": "physicians' names",
    "PerformingPhysicianName": "physicians' names",
    "PhysiciansOfRecord": "physicians' names",
    "RequestingPhysician": "physicians' names",
    "OperatorsName": "operators' names",
    "StudyDescription": "free-text descriptions",
    "SeriesDescription": "free-text descriptions",
    "ProtocolName": "free-text descriptions",
    "ImageComments": "comments",
    "RequestedProcedureDescription": "free-text descriptions",
    "StudyInstanceUID": "unique identifiers",
}


def person(header: Any) -> tuple[str, ...]:
    """What tells one patient from another; only ever compared."""
    names = ("PatientID", "PatientName", "PatientBirthDate")
    return tuple(str(header.get(name) or "").strip().lower() for name in names)


def without_person(title: str, header: Any) -> str:
    """A description in which neither the patient's name nor the ID occurs."""
    for name in ("PatientName", "PatientID", "PatientBirthDate"):
        for word in str(header.get(name) or "").replace("^", " ").replace("=", " ").split():
            if len(word) > 2 and word.lower() in title.lower():
                return "(description hidden: it names the patient)"
    return title
