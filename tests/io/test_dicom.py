import gzip
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("dcm2niix")

sys.path.insert(0, str(Path(__file__).parent))
from dicom_maker import PLANTED, Maker  # noqa: E402

from napari_qsm.cli import main  # noqa: E402
from napari_qsm.errors import Cancelled, FileError  # noqa: E402
from napari_qsm.io import dicom, dicom_convert, dicom_headers  # noqa: E402
from napari_qsm.io.choosing import AmbiguousSeries  # noqa: E402
from napari_qsm.io.dicom import import_dicom  # noqa: E402
from napari_qsm.io.dicom_checks import check_planes  # noqa: E402
from napari_qsm.io.dicom_headers import read_folder  # noqa: E402
from napari_qsm.io.sources import open_source  # noqa: E402
from napari_qsm.phantom import make_head  # noqa: E402
from napari_qsm.recon.phase import decide_phase_unit, scale  # noqa: E402
from napari_qsm.volume import Volume  # noqa: E402

GRID = {
    "shape": (36, 44, 16),
    "voxel_size_mm": (4.5, 4.5, 7.5),
    "b0_direction": (0.1, 0.15, 0.98),
    "snr": 30,
}


@pytest.fixture(scope="module")
def head():
    return make_head("patient", echo_times_s=(0.006, 0.012), bleed=True, **GRID)


@pytest.fixture(scope="module")
def single():
    return make_head("control", echo_times_s=(0.02,), **GRID)


@pytest.fixture(scope="module")
def siemens(head, tmp_path_factory):
    """A two-echo scan as a classic Siemens folder; read only."""
    return Maker(tmp_path_factory.mktemp("siemens") / "in", head.scan).write()


def copy_of(folder, target):
    shutil.copytree(folder, target)
    return target


def snapshot(folder):
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


def radians(scan):
    raw = np.stack([volume.data for volume in scan.phase])
    unit, _, zero = decide_phase_unit(raw, scan.metadata)
    return (raw - zero) * unit


@pytest.mark.parametrize("echoes", ["one echo", "two echoes"])
@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips"])
def test_each_vendor_comes_back_as_the_same_field(vendor, enhanced, echoes, request, tmp_path):
    head = request.getfixturevalue("single" if echoes == "one echo" else "head")
    Maker(tmp_path / "in", head.scan, vendor, enhanced).write()
    report = import_dicom(tmp_path / "in", tmp_path / "out")
    assert len(report.scan.phase or report.scan.real) == len(head.scan.phase)

    got, true = open_source(tmp_path / "out").to_canonical(), head.scan.to_canonical()
    assert got.echo_times_s == pytest.approx(true.echo_times_s)
    assert got.field_strength_t == 3
    assert not got.phase_difference
    np.testing.assert_allclose(got.grid.affine, true.grid.affine, atol=1e-3)

    mask = head.mask.to_canonical().data > 0
    magnitude = np.stack([v.data for v in true.magnitude])
    mask = mask & (magnitude > 0.02 * magnitude.max()).all(axis=0)
    raw = np.stack([v.data for v in got.phase])
    phase = scale(raw, got.metadata, magnitude=np.stack([v.data for v in got.magnitude]))
    wanted = np.stack([v.data for v in true.phase])
    turned = np.exp(1j * (phase - wanted))
    # Magnitude and phase of the same voxel: left is left, and nothing is turned or mirrored.
    if vendor == "ge":  # its alternation is removed up to one sign for all
        turned *= np.sign(turned[0][mask].mean().real)
    assert np.abs(np.angle(turned[:, mask])).max() < 0.05
    for volume, known in zip(got.magnitude, true.magnitude, strict=True):
        assert np.corrcoef(volume.data[mask], known.data[mask])[0, 1] > 0.9999


def test_a_bleed_on_the_right_stays_on_the_right(head, siemens, tmp_path):
    import_dicom(siemens, tmp_path / "out")
    scan = open_source(tmp_path / "out")
    bleed = next(r for r in head.label_names if r.name == "Bleed")
    index = np.argwhere(head.labels.data == bleed.index).mean(axis=0)
    place = head.labels.voxel_to_world(index)
    assert place[0] > 5  # to the patient's right
    i, j, k = np.rint(scan.magnitude[1].world_to_voxel(place)).astype(int)
    mirrored = np.rint(scan.magnitude[1].world_to_voxel(place * [-1, 1, 1])).astype(int)
    data = scan.magnitude[1].data
    assert data[i, j, k] < 0.6 * data[tuple(mirrored)]


def bytes_of(folder):
    """All bytes in a folder, packed files unpacked as well."""
    out = []
    for path in folder.rglob("*"):
        out.append(path.name.encode())
        if path.is_file():
            data = path.read_bytes()
            out.append(data)
            if path.suffix == ".gz":
                out.append(gzip.decompress(data))
    return b"\n".join(out)


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips"])
def test_no_identifier_is_in_any_output(vendor, single, tmp_path, capfd):
    Maker(tmp_path / "in", single.scan, vendor, enhanced=vendor == "siemens").write()
    report = import_dicom(tmp_path / "in", tmp_path / "out")
    said = (
        bytes_of(tmp_path / "out") + report.text().encode() + "".join(capfd.readouterr()).encode()
    )
    said += repr(open_source(tmp_path / "in").metadata).encode()
    found = [word for word in planted_words() if word.lower().encode() in said.lower()]
    assert not found
    for kind in ("patient's name", "birth date", "institution", "device serial number", "times"):
        assert kind in report.dropped
        assert kind in report.text()


def planted_words():
    words = [w for value in PLANTED.values() for w in value.replace("^", " ").split()]
    words = [w for w in words if w not in ("Doc", "General", "5", "99")]
    return [*words, "13:47:51", "13:47:53", "2019-02-13", "134753", "1.2.826.0.1.3680043"]


def test_no_identifier_is_in_any_output_of_the_whole_chain(single, tmp_path, capfd):
    source, data, result = (str(tmp_path / n) for n in ("in", "data", "result"))
    Maker(tmp_path / "in", single.scan).write()
    assert main(["import", source, "--out", data]) == 0
    assert main(["check", data]) == 0
    quick = ["inversion.method=tkd", "background.method=sharp", "background.radius_mm=10"]
    assert main(["reconstruct", data, "--out", result, "--set", *quick]) == 0
    said = bytes_of(tmp_path / "data") + bytes_of(tmp_path / "result")
    said += "".join(capfd.readouterr()).encode()
    assert b"chi" in said.lower() and b"sha256" in said
    assert not [word for word in planted_words() if word.lower().encode() in said.lower()]


def test_the_converter_does_put_identifiers_into_what_is_cleaned(siemens, tmp_path):
    """Else the test above would prove nothing."""
    found = read_folder(siemens, lambda fraction: None)
    images = dicom_convert.convert(
        dicom_convert.find_converter(), found.series, tmp_path, lambda f: None
    )
    raw = b"".join(path.read_bytes()[:400] for path in images)
    assert b"Time=" in raw and b"QIMGCOMMENT" in raw


def test_phase_difference(shared_data, tmp_path):
    source = shared_data / "dicom-siemens-enhanced"
    report = import_dicom(source, tmp_path / "out")
    assert "phase difference" in report.text() and "2.46 ms" in report.text()
    for scan in (open_source(tmp_path / "out"), open_source(source)):
        assert scan.phase_difference
        assert scan.echo_times_s == pytest.approx((0.00246,))
        assert scan.magnitude_echo_times_s == pytest.approx((0.010, 0.01246))
        assert scan.field_strength_t == 3
        assert decide_phase_unit(scan.phase[0].data, scan.metadata).scale == np.pi / 4096
        assert any("phase difference" in note for note in scan.metadata["Notes"])
    names = {p.name for p in (tmp_path / "out").rglob("*.nii.gz")}
    assert names == {f"sub-01_{n}.nii.gz" for n in ("phasediff", "magnitude1", "magnitude2")}


@pytest.mark.parametrize("code", ["LPS", "PSR", "ASL", "SAL", "LAI"])
def test_any_order_of_axes(code, single, tmp_path):
    """Sagittal and coronal slices, and slices in reverse, keep every voxel in its place."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(code)
    )

    def turned(volume):
        image = nib.Nifti1Image(volume.data, volume.affine).as_reoriented(turn)
        return Volume(np.asarray(image.dataobj), image.affine)

    scan = replace(
        single.scan,
        phase=tuple(map(turned, single.scan.phase)),
        magnitude=tuple(map(turned, single.scan.magnitude)),
    )
    assert scan.grid.orientation == code
    Maker(tmp_path / "in", scan).write()
    import_dicom(tmp_path / "in", tmp_path / "out")
    got, true = open_source(tmp_path / "out").to_canonical(), single.scan.to_canonical()
    np.testing.assert_allclose(got.grid.affine, true.grid.affine, atol=1e-3)
    np.testing.assert_allclose(got.grid.b0_direction, true.grid.b0_direction, atol=1e-5)
    difference = np.angle(np.exp(1j * (radians(got)[0] - true.phase[0].data)))
    assert np.abs(difference).max() < 0.01


@pytest.mark.parametrize("vendor", ["siemens", "philips"])
def test_echoes_without_numbers(vendor, head, tmp_path):
    folder = Maker(tmp_path / "in", head.scan, vendor).write()
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        del ds.EchoNumbers
        ds.save_as(path)
    import_dicom(folder, tmp_path / "out")
    scan = open_source(tmp_path / "out")
    assert scan.echo_times_s == scan.magnitude_echo_times_s == pytest.approx((0.006, 0.012))
    true = head.scan.to_canonical()
    turned = np.exp(1j * (radians(scan.to_canonical()) - np.stack([v.data for v in true.phase])))
    assert np.abs(np.angle(turned)).max() < 0.01


def test_a_dicom_folder_is_opened_without_leaving_anything(siemens, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = snapshot(siemens)
    seen = []
    scan = open_source(siemens, progress=seen.append)
    assert scan.echo_times_s == pytest.approx((0.006, 0.012)) and seen[-1] == 1
    assert scan.grid.origin is None and not list(tmp_path.iterdir())
    assert snapshot(siemens) == before


def test_two_candidates_are_listed_and_one_is_chosen(head, single, siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    Maker(folder / "later", single.scan, first_series=11).write()
    with pytest.raises(AmbiguousSeries, match="--series") as caught:
        import_dicom(folder, tmp_path / "out")
    assert [c.label for c in caught.value.candidates] == ["6", "12"]
    assert not (tmp_path / "out").exists()
    report = import_dicom(folder, tmp_path / "out", series="12")
    assert len(report.scan.phase) == len(report.scan.magnitude) == 1
    assert report.scan.phase[0].echo_times_s == pytest.approx((0.02,))
    with pytest.raises(ValueError, match="no series '99'"):
        import_dicom(folder, tmp_path / "other", series="99")


def test_no_phase_is_said_plainly(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    for path in folder.glob("IM006*"):
        path.unlink()
    with pytest.raises(FileError, match="no phase"):
        import_dicom(folder, tmp_path / "out")


def test_mixed_patients_are_refused(head, single, siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    other = {"PatientID": "OTHER1", "PatientName": "Somebody^Else"}
    Maker(folder / "b", single.scan, header=other, first_series=20).write()
    with pytest.raises(FileError, match="2 patients") as caught:
        import_dicom(folder, tmp_path / "out")
    assert "Else" not in str(caught.value) and "Zzyzxson" not in str(caught.value)


@pytest.mark.parametrize("where", ["middle", "edge"])
def test_missing_slices_are_refused(where, siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    phase = sorted(folder.glob("IM006*"))
    phase[7 if where == "middle" else 0].unlink()
    with pytest.raises(FileError, match="missing"):
        import_dicom(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("which", [0, 7])
def test_a_magnitude_that_lacks_slices_is_refused_too(which, siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    for echo in range(2):
        sorted(folder.glob("IM005*"))[which + echo * 15].unlink()
    with pytest.raises(FileError, match=r"Series 5.*missing"):
        import_dicom(folder, tmp_path / "out")


def test_an_unfit_series_beside_a_good_magnitude_is_noted(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    for path in sorted(folder.glob("IM005*"))[:9]:
        ds = pydicom.dcmread(path)
        ds.SeriesNumber, ds.SeriesInstanceUID = 3, ds.SeriesInstanceUID + ".3"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID + ".3"
        ds.save_as(folder / f"short_{path.name}")
    report = import_dicom(folder, tmp_path / "out")
    assert any("Series 3 has 9 slices" in note for note in report.warnings)
    assert len(report.scan.magnitude) == 2


def test_copies_of_files_are_used_once(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    copy_of(siemens, folder / "again")
    report = import_dicom(folder, tmp_path / "out")
    assert report.left_out["a copy of another file"] == len(list(siemens.iterdir()))
    assert any("copies" in note for note in report.warnings)
    assert report.scan.phase[0].shape == (36, 44, 16)


def test_doubled_slices_are_refused(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    path = sorted(folder.glob("IM006*"))[3]
    ds = pydicom.dcmread(path)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    ds.save_as(folder / "doubled")
    with pytest.raises(FileError, match="more than one image"):
        import_dicom(folder, tmp_path / "out")


def test_other_objects_and_damaged_files_are_left_out_and_told(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    ds = pydicom.dcmread(next(folder.glob("IM005*")))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.6"
    ds.save_as(folder / "screenshot")
    (folder / "readme").write_text("nothing")
    (folder / "empty").touch()
    (folder / "noise").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 300)
    report = import_dicom(folder, tmp_path / "out")
    assert report.left_out["no MR image (a report, a screenshot or the like)"] >= 1
    assert report.left_out["no DICOM file"] == 1
    assert report.left_out["empty"] == 1
    assert any("damaged" in note for note in report.warnings)
    assert sum(report.left_out.values()) == 4


def test_a_file_cut_short_is_a_missing_slice(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    path = sorted(folder.glob("IM006*"))[5]
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(FileError, match="missing"):
        import_dicom(folder, tmp_path / "out")


def test_derived_series_are_no_magnitudes(siemens, tmp_path):
    folder = copy_of(siemens, tmp_path / "in")
    for path in sorted(folder.glob("IM005*")):
        ds = pydicom.dcmread(path)
        ds.ImageType = ["DERIVED", "PRIMARY", "M", "SWI"]
        ds.SeriesNumber, ds.SeriesInstanceUID = 7, ds.SeriesInstanceUID + ".7"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID + ".7"
        ds.PixelData = bytes(len(ds.PixelData))
        ds.save_as(folder / f"swi_{path.name}")
    import_dicom(folder, tmp_path / "out")
    scan = open_source(tmp_path / "out")
    assert len(scan.magnitude) == 2 and scan.magnitude[0].data.any()


def test_compressed_files(siemens, single, tmp_path):
    Maker(tmp_path / "in", single.scan).write()
    import_dicom(tmp_path / "in", tmp_path / "plain")
    for path in (tmp_path / "in").iterdir():
        ds = pydicom.dcmread(path)
        ds.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        ds.save_as(path)
    import_dicom(tmp_path / "in", tmp_path / "packed")
    for plain, packed in zip(
        open_source(tmp_path / "plain").phase, open_source(tmp_path / "packed").phase, strict=True
    ):
        np.testing.assert_array_equal(plain.data, packed.data)


def test_files_that_must_not_be_read(siemens, monkeypatch):
    locked = sorted(siemens.iterdir())[0]
    read = dicom_headers._start

    def refused(path):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(dicom_headers, "_start", refused)
    found = read_folder(siemens, lambda fraction: None)
    assert found.left_out == {"not permitted to be read": 1}
    with pytest.raises(FileError, match="missing"):
        check_planes(found.series[0])


@pytest.mark.parametrize("when", ["writing", "converting"])
def test_a_full_disk_leaves_nothing(when, siemens, tmp_path, monkeypatch):
    before = snapshot(siemens)

    def full(*_):
        raise OSError(28, "No space left on device")

    if when == "writing":
        monkeypatch.setattr(dicom, "write_clean", full)
    else:
        monkeypatch.setattr(dicom_convert, "_offer", full)
    with pytest.raises(FileError, match="No space left"):
        import_dicom(siemens, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert snapshot(siemens) == before


def test_a_converter_that_fails_leaves_nothing(siemens, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "find_converter", lambda: "false")
    with pytest.raises(FileError, match="could not convert"):
        import_dicom(siemens, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_source_stays_untouched(siemens, tmp_path):
    before = snapshot(siemens)
    import_dicom(siemens, tmp_path / "out")
    assert snapshot(siemens) == before


@pytest.mark.parametrize("at", [0.2, 0.6, 0.9])
def test_stopping_leaves_nothing(at, siemens, tmp_path):
    def stop(fraction):
        if fraction >= at:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        import_dicom(siemens, tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_never_goes_back(siemens, tmp_path):
    seen = []
    import_dicom(siemens, tmp_path / "out", progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1


def test_an_earlier_import_is_replaced_only_with_leave(siemens, single, tmp_path):
    import_dicom(siemens, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    Maker(tmp_path / "in", single.scan).write()
    with pytest.raises(FileError, match="already holds"):
        import_dicom(tmp_path / "in", tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    import_dicom(tmp_path / "in", tmp_path / "out", overwrite=True)
    assert open_source(tmp_path / "out").echo_times_s == pytest.approx((0.02,))


def test_missing_programs_are_named(monkeypatch, siemens, tmp_path):
    monkeypatch.setitem(sys.modules, "dcm2niix", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileError, match=r"napari-qsm\[dicom\]"):
        import_dicom(siemens, tmp_path / "out")


@pytest.mark.parametrize("what", ["nothing", "no folder", "no dicom"])
def test_folders_without_a_scan(what, tmp_path):
    if what != "no folder":
        (tmp_path / "in").mkdir()
    if what == "no dicom":
        (tmp_path / "in" / "notes").write_text("hello")
    with pytest.raises(FileError):
        import_dicom(tmp_path / "in", tmp_path / "out")


def test_reading_headers_takes_each_file_once(siemens, monkeypatch):
    """No quadratic work: as many reads as files."""
    read = []
    real = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda p, *a, **k: read.append(p) or real(p, *a, **k))
    read_folder(siemens, lambda fraction: None)
    assert sorted(read) == sorted(siemens.iterdir())


def test_visits_of_one_subject_stand_beside_each_other(siemens, tmp_path):
    out = tmp_path / "out"
    report = import_dicom(siemens, out, subject="07", session="t0")
    assert report.scan.label == "sub-07_ses-t0"
    name = "sub-07/ses-t0/anat/sub-07_ses-t0_echo-1_part-phase_MEGRE.nii.gz"
    assert (out / name).is_file()
    import_dicom(siemens, out, subject="07", session="t1")
    with pytest.raises(FileError, match="already holds visit 't1' of subject '07'"):
        import_dicom(siemens, out, subject="07", session="t1")
    with pytest.raises(FileError, match=r"holds visits of subject '07' \(t0, t1\)"):
        import_dicom(siemens, out, subject="07")
    with pytest.raises(FileError, match="no label for a session"):
        import_dicom(siemens, out, subject="07", session="6 weeks")
    (out / "sub-08" / "anat").mkdir(parents=True)
    with pytest.raises(FileError, match="belongs to no visit"):
        import_dicom(siemens, out, subject="08", session="t0")
    rows = (out / "participants.tsv").read_text().splitlines()
    assert rows == ["participant_id\tgroup\tage\tsex", "sub-07\tn/a\tn/a\tn/a"]
