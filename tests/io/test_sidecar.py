import json

import pytest

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.sidecar import numbers, read_sidecar, sidecar_path, write_sidecar

PERSONAL = {
    "PatientName": "Doe^Jane",
    "PatientID": "4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "PatientAge": "053Y",
    "PatientWeight": 71,
    "AcquisitionDateTime": "2020-01-02T03:04:05",
    "AcquisitionTime": "03:04:05",
    "InstitutionName": "Hospital",
    "InstitutionalDepartmentName": "Ward",
    "InstitutionAddress": "Street",
    "StationName": "MR1",
    "DeviceSerialNumber": "12345",
    "StudyInstanceUID": "1.2.3",
    "SeriesDescription": "for Jane",
    "ProtocolName": "for Jane",
    "ReferringPhysicianName": "Doc",
    "ImageComments": "Jane",
    "SomethingNewThatAConverterInvents": "Jane",
}
SCAN = {
    "EchoTime": 0.021,
    "MagneticFieldStrength": 3,
    "ImageType": ["ORIGINAL", "PRIMARY", "P"],
    "Manufacturer": "Siemens",
}


def test_where_it_lies(tmp_path):
    assert sidecar_path(tmp_path / "a.b_ph.nii.gz") == tmp_path / "a.b_ph.json"
    assert sidecar_path(tmp_path / "a.nii") == tmp_path / "a.json"


def test_only_allowed_entries_are_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(SCAN | PERSONAL))
    assert read_sidecar(tmp_path / "a.nii.gz") == SCAN


def test_only_allowed_entries_are_written(tmp_path):
    write_sidecar(tmp_path / "a.nii", SCAN | PERSONAL | {"Units": "ppm", "Description": "chi"})
    said = json.loads((tmp_path / "a.json").read_text())
    assert said == SCAN | {"Units": "ppm", "Description": "chi"}


def test_an_allowed_entry_cannot_carry_a_story(tmp_path):
    smuggled = {"SequenceName": "x" * 500, "Manufacturer": {"PatientName": "Jane"}, "ImageType": []}
    (tmp_path / "a.json").write_text(json.dumps(smuggled))
    assert read_sidecar(tmp_path / "a.nii") == {"ImageType": []}


def test_none_beside_the_image(tmp_path):
    assert read_sidecar(tmp_path / "a.nii") == {}
    write_sidecar(tmp_path / "a.nii", PERSONAL)
    assert list(tmp_path.iterdir()) == []


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(SCAN).encode())
    assert read_sidecar(tmp_path / "a.nii") == SCAN


@pytest.mark.parametrize("text", ["{", "", "[1]", '"x"', "\xff", '{"a": 1,}', "[" * 100_000])
def test_broken_ones_are_named(tmp_path, text):
    (tmp_path / "scan.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileError, match=r"'scan\.json'"):
        read_sidecar(tmp_path / "scan.nii")


def test_numbers():
    assert numbers({"EchoTime": 0.02}, "EchoTime", "a") == (0.02,)
    assert numbers({"EchoTime": [0.01, "0.02"]}, "EchoTime", "a") == (0.01, 0.02)
    assert numbers({}, "EchoTime", "a") == ()
    for wrong in ("soon", True, [0.1, None], {}):
        with pytest.raises(MetadataError, match=r"'a\.nii'.*EchoTime"):
            numbers({"EchoTime": wrong}, "EchoTime", "a.nii")


def test_an_existing_one_survives_a_failed_write(tmp_path, monkeypatch):
    write_sidecar(tmp_path / "a.nii", SCAN)
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises((TypeError, ValueError)):
        write_sidecar(tmp_path / "a.nii", {"Notes": [float("nan")]})
    assert (tmp_path / "a.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
