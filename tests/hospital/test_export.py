"""What goes back to a hospital lies where it lay, on its side, with the numbers it had, and names nobody.

Headers are read with pydicom alone, and placed by the formula of the standard (PS3.3, C.7.6.2.1.1);
dcm2niix and dciodvfy, where it is installed, look at the same files.
"""

import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pydicom
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, GeometryError, MetadataError
from napari_qsm.hospital.export import export_dicom
from napari_qsm.io.dicom_convert import find_converter
from napari_qsm.io.label_table import write_label_table
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.region import Region
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume
from tests.io.dicom_maker import PLANTED, Maker

REGIONS = {
    1: Region(1, "Putamen L", "left", "#49c39b"),
    2: Region(2, "Putamen R", "right", "#008763"),
    5: Region(5, "Red nucleus left", "left", "#9d9cff"),
    9: Region(9, "Calcification", "", "#f1f3f5"),
}


def tilted(sizes=(2.0, 2.5, 4.0), degrees=12.0):
    """An oblique affine to RAS mm, with the head beside the middle of the scanner."""
    angle = np.radians(degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * sizes
    affine[:3, 3] = (-17.3, -31.0, 4.2)
    return affine


@pytest.fixture(scope="module")
def head():
    """Map and labels in RAS; the left half is what lies at small x."""
    rng = np.random.default_rng(4)
    shape = (24, 20, 9)
    chi = rng.normal(0, 0.05, shape).astype(np.float32)
    chi[0] = chi[-1] = 0
    labels = np.zeros(shape, np.uint8)
    labels[4:8, 8:13, 3:6], labels[15:19, 8:12, 3:6] = 1, 2
    labels[7:10, 5:7, 1:3], labels[12, 15, 7] = 5, 9
    affine = tilted()
    return (
        Volume(chi, affine, "ppm", "chi"),
        Volume(labels, affine, name="labels"),
    )


@pytest.fixture(scope="module")
def written(head, tmp_path_factory):
    out = tmp_path_factory.mktemp("dicom") / "out"
    chi, labels = head
    export_dicom(chi, out, labels=labels, regions=REGIONS, code="P07", float_map=True)
    return out


@pytest.fixture(scope="module")
def scan(head, tmp_path_factory):
    """The scan of that map, as a scanner writes it."""
    chi, _ = head
    rng = np.random.default_rng(5)
    phase = chi.with_data(rng.uniform(-3.14, 3.14, chi.shape).astype(np.float32), unit="rad")
    magnitude = chi.with_data(rng.uniform(50, 100, chi.shape).astype(np.float32), unit="")
    source = Scan((phase,), (0.02,), 3.0, (magnitude,))
    folder = tmp_path_factory.mktemp("scan") / "dicom"
    names = {"PatientName": "Müller^Jörg", "SpecificCharacterSet": "ISO_IR 100"}
    return Maker(folder, source, "siemens", header=names).write()


def placed(ds, column, row):
    """LPS mm of a pixel of an image, by the formula of the standard."""
    x, y = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    down, across = (float(v) for v in ds.PixelSpacing)
    return np.array(ds.ImagePositionPatient, float) + x * across * column + y * down * row


def images(folder):
    return [pydicom.dcmread(p) for p in sorted((folder / "map").glob("*.dcm"))]


def to_lps(volume, ijk):
    return nib.affines.apply_affine(np.diag([-1, -1, 1, 1]) @ volume.affine, ijk)


@pytest.mark.parametrize("order", [None, [(1, -1), (2, 1), (0, 1)], [(2, 1), (0, -1), (1, -1)]])
def test_every_voxel_lies_where_it_lay(head, order, tmp_path):
    """In files whose slices are axial, sagittal and coronal."""
    chi, _ = head
    volume = chi if order is None else chi._reoriented(order)
    export_dicom(volume, tmp_path / "out")
    seen = 0
    for ds in images(tmp_path / "out"):
        for row, column in ((0, 0), (3, 4), (ds.Rows - 1, ds.Columns - 1)):
            at = placed(ds, column, row) * (-1, -1, 1)
            voxel = np.linalg.inv(chi.affine) @ [*at, 1]
            index = np.rint(voxel[:3]).astype(int)
            np.testing.assert_allclose(voxel[:3], index, atol=2e-3)
            stored = ds.pixel_array[row, column] * ds.RescaleSlope + ds.RescaleIntercept
            assert stored == pytest.approx(chi.data[tuple(index)] * 1000, abs=0.51)
            seen += 1
    assert seen == 3 * volume.shape[2]
    x, y = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    if order is None:  # as radiologists look: to the patient's left, then to the back
        assert x[0] > 0.9 and y[1] > 0.9


def test_dcm2niix_reads_the_map_back(head, written, scan, tmp_path):
    chi, _ = head
    export_dicom(chi, tmp_path / "within", into_source=scan)
    for number, folder in enumerate((written, tmp_path / "within")):
        to = tmp_path / str(number)
        to.mkdir()
        command = [find_converter(), "-z", "n", "-f", "chi", "-o", to, folder / "map"]
        subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=120)
        image = nib.as_closest_canonical(nib.load(to / "chi.nii"))
        np.testing.assert_allclose(image.affine, chi.affine, atol=1e-3)
        np.testing.assert_allclose(image.get_fdata(), chi.data * 1000.0, atol=0.501)


def test_the_float_map_is_the_map(head, written):
    chi, _ = head
    ds = pydicom.dcmread(written / "parametric-map.dcm")
    values = np.frombuffer(ds.FloatPixelData, "<f4").reshape(ds.NumberOfFrames, ds.Rows, ds.Columns)
    first = ds.PerFrameFunctionalGroupsSequence[0]
    at = np.array(first.PlanePositionSequence[0].ImagePositionPatient, float) * (-1, -1, 1)
    index = tuple(np.rint(np.linalg.inv(chi.affine) @ [*at, 1])[:3].astype(int))
    assert values[0, 0, 0] == chi.data[index]
    assert set(values.ravel().tolist()) == set(chi.data.ravel().tolist())
    mapping = (ds.get("SharedFunctionalGroupsSequence") or [first])[0]
    units = [e for e in mapping.iterall() if e.keyword == "CodeValue"]
    assert "[ppm]" in [e.value for e in units]


def test_regions_lie_on_the_side_they_are_called(head, written):
    _, labels = head
    ds = pydicom.dcmread(written / "regions.dcm")
    frames = ds.pixel_array
    shared = ds.SharedFunctionalGroupsSequence[0]
    x, y = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    down, across = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    places, sides, types = {}, {}, {}
    for segment in ds.SegmentSequence:
        points = []
        for frame, groups in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
            number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            if number != segment.SegmentNumber:
                continue
            first = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
            for row, column in np.argwhere(frame):
                points.append(first + x * across * column + y * down * row)
        places[segment.SegmentLabel] = np.array(points)
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        types[segment.SegmentLabel] = (kind.CodingSchemeDesignator, kind.CodeValue)
        modifier = kind.get("SegmentedPropertyTypeModifierCodeSequence")
        sides[segment.SegmentLabel] = modifier[0].CodeValue if modifier else None
    for region in REGIONS.values():
        wanted = to_lps(labels, np.argwhere(labels.data == region.index))
        assert len(places[region.name]) == len(wanted)
        np.testing.assert_allclose(
            sorted(places[region.name].tolist()), sorted(wanted.tolist()), atol=0.01
        )
    # In LPS the patient's left is at larger x.
    assert places["Putamen L"][:, 0].min() > places["Putamen R"][:, 0].max()
    assert sides == {
        "Putamen L": "7771000", "Putamen R": "24028007", "Red nucleus left": "7771000",
        "Calcification": None,
    }  # fmt: skip
    assert types["Putamen L"] == ("SCT", "89278009")
    assert types["Red nucleus left"][0] == "99NAPARIQSM"


def walk(item, found):
    for child in item.get("ContentSequence", ()):
        found.append(child)
        walk(child, found)
    return found


def test_numbers_are_those_of_the_voxels(head, written):
    chi, labels = head
    ds = pydicom.dcmread(written / "numbers.dcm")
    groups = [
        item
        for item in walk(ds, [])
        if item.ValueType == "CONTAINER"
        and item.ConceptNameCodeSequence[0].CodeMeaning == "Measurement Group"
    ]
    assert len(groups) == len(REGIONS)
    for group in groups:
        items = walk(group, [])
        name = next(
            i.TextValue for i in items
            if i.ConceptNameCodeSequence[0].CodeMeaning == "Tracking Identifier"
        )  # fmt: skip
        (region,) = [r for r in REGIONS.values() if r.name == name]
        values = chi.data[labels.data == region.index].astype(float)
        told = {}
        for item in items:
            if item.ValueType == "NUM":
                derived = [
                    c.ConceptCodeSequence[0].CodeMeaning for c in item.get("ContentSequence", ())
                ]
                measured = item.MeasuredValueSequence[0]
                unit = measured.MeasurementUnitsCodeSequence[0]
                assert unit.CodingSchemeDesignator == "UCUM"
                key = (item.ConceptNameCodeSequence[0].CodeMeaning, *derived, unit.CodeValue)
                told[key] = float(measured.NumericValue)
        mean = told.pop(("Magnetic Susceptibility", "Mean", "[ppm]"))
        assert mean == pytest.approx(values.mean(), abs=1e-6)
        assert told.pop(("Number of voxels", "{voxels}")) == len(values)
        assert told.pop(("Volume", "mm3")) == pytest.approx(len(values) * 20.0)
        if len(values) > 1:
            sd = told.pop(("Magnetic Susceptibility", "Standard Deviation", "[ppm]"))
            assert sd == pytest.approx(values.std(ddof=1), abs=1e-6)
        assert not told
        laterality = [i for i in items if i.ConceptNameCodeSequence[0].CodeMeaning == "Laterality"]
        assert [i.ConceptCodeSequence[0].CodeMeaning.lower() for i in laterality] == [
            side for side in [region.side] if side
        ]


def test_all_objects_are_of_one_new_study_that_names_nobody(head, written, scan, tmp_path):
    paths = list(written.rglob("*.dcm"))
    read = [pydicom.dcmread(p, stop_before_pixels=True) for p in paths]
    assert len(read) == 9 + 4
    assert {str(ds.PatientID) for ds in read} == {"P07"}
    assert len({ds.StudyInstanceUID for ds in read}) == 1
    assert len({ds.SeriesInstanceUID for ds in read}) == 5
    assert {ds.PatientIdentityRemoved for ds in read} == {"YES"}
    # With the scan at hand, but not asked for, nothing of it gets in.
    everything = b"".join(p.read_bytes() for p in written.rglob("*") if p.is_file())
    for value in (*PLANTED.values(), "Jörg", "J\xf6rg"):
        assert value.encode("utf-8") not in everything and value.encode("latin-1") not in everything


def test_into_the_scans_own_study_on_request(head, scan, tmp_path):
    chi, labels = head
    turned = chi._reoriented([(1, 1), (0, -1), (2, -1)])
    done = export_dicom(turned, tmp_path / "out", labels=labels, regions=REGIONS, into_source=scan)
    assert "look at both" in done.text()
    source = {}
    for path in scan.iterdir():
        ds = pydicom.dcmread(path)
        source.setdefault(ds.SeriesNumber, []).append(ds)
    phase = source[6]
    for path in (tmp_path / "out").rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        assert ds.PatientID == PLANTED["PatientID"] and str(ds.PatientName) == "Müller^Jörg"
        assert ds.StudyInstanceUID == phase[0].StudyInstanceUID
        assert ds.SeriesInstanceUID not in {s[0].SeriesInstanceUID for s in source.values()}
    by_place = {tuple(ds.ImagePositionPatient): ds for ds in phase}
    for ds in images(tmp_path / "out"):
        origin = by_place[tuple(ds.ImagePositionPatient)]
        assert ds.ImageOrientationPatient == origin.ImageOrientationPatient
        assert ds.PixelSpacing == origin.PixelSpacing
        assert ds.FrameOfReferenceUID == origin.FrameOfReferenceUID
        (reference,) = ds.SourceImageSequence
        assert reference.ReferencedSOPInstanceUID == origin.SOPInstanceUID
    record = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert record["into_the_scans_own_study"] and "Müller" not in json.dumps(record)


def test_what_must_not_go_out_is_refused(head, scan, tmp_path):
    chi, labels = head
    moved = np.array(chi.affine)
    moved[0, 3] += 0.5
    other = Volume(chi.data, moved, "ppm", "chi")
    with pytest.raises(FileError, match=r"up to 0[.]50 mm apart"):
        export_dicom(other, tmp_path / "out", into_source=scan)
    with pytest.raises(FileError, match=r"within the scan's own folder"):
        export_dicom(chi, scan / "out", into_source=scan)
    swapped = dict(REGIONS)
    swapped[1], swapped[2] = (
        Region(1, "Putamen R", "right", "#000000"),
        Region(2, "Putamen L", "left", "#000000"),
    )
    with pytest.raises(
        GeometryError, match=r"is called (left|right) but lies to the (left|right) of"
    ):
        export_dicom(chi, tmp_path / "out", labels=labels, regions=swapped)
    noted = {**REGIONS, 5: Region(5, "Red nucleus left", "right", "#9d9cff")}
    with pytest.raises(GeometryError, match="name contradicts"):
        export_dicom(chi, tmp_path / "out", labels=labels, regions=noted)
    alone = {2: Region(2, "Putamen L", "left", "#000000")}
    single = labels.with_data(np.where(labels.data == 2, 2, 0).astype(np.uint8))
    with pytest.raises(GeometryError, match="to the right of the middle of the map"):
        export_dicom(chi, tmp_path / "out", labels=single, regions=alone)
    unknown = Volume(chi.data, chi.affine, "ppm", "chi", orientation_known=False)
    with pytest.raises(GeometryError, match="left and right cannot be told"):
        export_dicom(unknown, tmp_path / "out")
    with pytest.raises(MetadataError, match=r"code of 1 to 64"):
        export_dicom(chi, tmp_path / "out", code="a^b")
    assert not (tmp_path / "out").exists() and list(scan.glob("out")) == []


def test_the_phase_tells_whether_it_is_the_same_scan(head, scan, tmp_path):
    """Another person's scan on the same grid is refused; whole turns and an offset do not matter."""
    chi, _ = head
    rng = np.random.default_rng(5)  # that of the scan's phase
    measured = rng.uniform(-3.14, 3.14, chi.shape)
    turns = 2 * np.pi * rng.integers(-3, 4, chi.shape)
    own = chi.with_data((measured + turns + 0.4).astype(np.float32), unit="rad")
    turned = own._reoriented([(2, -1), (0, 1), (1, -1)])
    done = export_dicom(chi, tmp_path / "own", into_source=scan, phase=turned)
    assert done.is_same_scan and "look at both" not in done.text()
    other = own.with_data(rng.uniform(-3, 3, chi.shape).astype(np.float32))
    with pytest.raises(FileError, match="may be another person's scan"):
        export_dicom(chi, tmp_path / "other", into_source=scan, phase=other)
    assert not (tmp_path / "other").exists()


def test_another_patients_folder_is_refused(head, scan, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(scan, both)
    path = next(both.iterdir())
    ds = pydicom.dcmread(path)
    ds.PatientID = "SOMEBODY"
    ds.save_as(path)
    with pytest.raises(FileError, match="files of 2 patients"):
        export_dicom(head[0], tmp_path / "out", into_source=both)


def test_the_command_writes_all_or_nothing_and_replaces_on_request(
    head, tmp_path, monkeypatch, capsys
):
    chi, labels = head
    write_volume(chi, tmp_path / "chi.nii.gz")
    (tmp_path / "chi.json").write_text('{"Units": "ppm"}')
    write_volume(labels, tmp_path / "labels.nii.gz")
    write_label_table(tmp_path / "labels.txt", tuple(REGIONS.values()))
    out = tmp_path / "out"
    command = ["export-dicom", str(tmp_path / "chi.nii.gz"), "--out", str(out)]
    assert main([*command, "--labels", str(tmp_path / "labels.nii.gz"), "--code", "P 1"]) == 0
    assert "not for diagnosis" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == [
        "export.json", "map", "numbers.dcm", "page.dcm", "page.pdf", "regions.dcm",
    ]  # fmt: skip
    assert main(command) == 1 and "--overwrite" in capsys.readouterr().err
    # A map of fewer slices replaces it, and nothing of the old one stays.
    write_volume(Volume(chi.data[:, :, :5], chi.affine, "ppm"), tmp_path / "chi.nii.gz")
    assert main([*command, "--overwrite"]) == 0
    assert len(images(out)) == 5 and not (out / "regions.dcm").exists()
    assert main([*command, "--code", "A", "--into-source", str(tmp_path), "--overwrite"]) == 1
    assert "give one of them" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    (other / "page.pdf").write_bytes(b"mine")
    assert main([*command[:3], str(other), "--overwrite"]) == 1
    assert "no earlier result" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert main([*command, "--overwrite"]) == 1
    assert 'pip install "napari-qsm[dicom]"' in capsys.readouterr().err


def test_the_page_is_one_sheet_and_says_what_it_is_not_for(written):
    pdf = (written / "page.pdf").read_bytes()
    ds = pydicom.dcmread(written / "page.dcm")
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == pdf
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page\n") == 1
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    text = subprocess.run(
        ["pdftotext", "-layout", written / "page.pdf", "-"], capture_output=True, text=True
    ).stdout
    assert text.count("not a medical device, not for diagnosis") == 2
    assert "P07" in text and "putamen" in text.lower() and "Mean ± SD (ppm)" in text


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_a_validator_finds_no_error(written):
    for path in (*written.glob("*.dcm"), written / "map" / "0003.dcm"):
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
        errors = [line for line in (said.stdout + said.stderr).splitlines() if "Error" in line]
        assert errors == [], path.name


def test_a_real_multi_frame_scan_takes_its_map_back(shared_data, tmp_path):
    """Siemens XA: all frames in one file, oblique."""
    from napari_qsm.io.dicom import import_dicom
    from napari_qsm.io.formats import read_image

    source = shared_data / "dicom-siemens-enhanced"
    report = import_dicom(source, tmp_path / "raw")
    phase = read_image(report.scan.phase[0].path)
    noise = np.random.default_rng(1).normal(0, 0.05, phase.shape)
    chi = phase.with_data(noise.astype(np.float32), unit="ppm", name="chi")
    assert export_dicom(chi, tmp_path / "out", into_source=source, phase=phase).is_same_scan
    made = images(tmp_path / "out")
    assert len({ds.StudyInstanceUID for ds in made}) == 1 and len(made) == chi.shape[2]
    for ds in made[::8]:
        at = placed(ds, 3, 5) * (-1, -1, 1)
        index = np.rint(chi.world_to_voxel(at)).astype(int)
        np.testing.assert_allclose(chi.world_to_voxel(at), index, atol=0.01)
        assert ds.pixel_array[5, 3] == pytest.approx(chi.data[tuple(index)] * 1000, abs=0.51)
        assert [r.ReferencedSOPClassUID for r in ds.SourceImageSequence] == [
            "1.2.840.10008.5.1.4.1.1.4.1"
        ]
