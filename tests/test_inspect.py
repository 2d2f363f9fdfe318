import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.inspect import inspect_paths
from napari_qsm.io.bids import write_bids_raw
from napari_qsm.io.label_table import write_label_table
from napari_qsm.phantom import make_head, regions
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

AFFINE = np.diag([-2.0, 2, 3, 1])
ACQUISITION = {"EchoTime": 0.02, "MagneticFieldStrength": 3}
RNG = np.random.default_rng(5)
PHASE = RNG.uniform(-np.pi, np.pi, (12, 14, 10)).astype(np.float32)
PHASE.flat[:2] = -np.pi, np.pi


def put(path, data, said=None, affine=AFFINE):
    nib.save(nib.Nifti1Image(data, affine), path)
    if said is not None:
        name = path.name.removesuffix(".gz").removesuffix(".nii")
        path.with_name(f"{name}.json").write_text(json.dumps(said))
    return path


def one(path):
    (item,) = inspect_paths([path]).items
    return item


def lines(item):
    return " ".join(item.lines)


def problems(item):
    return " ".join(item.problems)


def test_phase_with_all_that_is_needed(tmp_path):
    item = one(put(tmp_path / "p_ph.nii", PHASE, ACQUISITION | {"Units": "rad"}))
    assert item.kind == "phase" and not item.problems
    for text in ("12 x 14 x 10", "2 x 2 x 3 mm", "LAS", "left, front, top", "20 ms", "3 T"):
        assert text in lines(item)
    assert "declares rad" in lines(item) and "0.0° off the third" in lines(item)


def test_what_is_missing_for_qsm(tmp_path):
    item = one(put(tmp_path / "p_ph.nii", PHASE))
    assert "echo time" in problems(item) and "field strength" in problems(item)
    assert "±pi rad" in lines(item)


def test_undeclared_unit_is_a_problem(tmp_path):
    item = one(put(tmp_path / "p_ph.nii", PHASE / 900, ACQUISITION))
    assert "unit of the phase is not declared" in problems(item)


def test_milliseconds_are_a_problem(tmp_path):
    item = one(put(tmp_path / "p_ph.nii", PHASE, {"EchoTime": 20, "MagneticFieldStrength": 3}))
    assert "wrong unit" in problems(item)


def blocks():
    data = np.zeros((12, 14, 10), np.uint8)
    data[2:6, 2:8, 2:6] = 3
    data[7:10, 2:8, 2:6] = 4
    return data


@pytest.mark.parametrize(
    ("name", "data", "said", "kind", "text"),
    [
        ("brain_mask", (blocks() > 0).astype(np.uint8), None, "mask", "168 voxels inside"),
        ("a", (blocks() > 0).astype(np.float32), None, "mask", "2.016 ml"),
        ("a", blocks(), None, "label map", "2 labels"),
        ("a", blocks().astype(np.float32), None, "label map", "2 labels"),
        ("chi", PHASE / 30, None, "susceptibility map", "suggests ppm"),
        ("x_Chimap", PHASE * 30, None, "susceptibility map", "suggests ppb"),
        ("a", PHASE / 30, {"Units": "ppm"}, "susceptibility map", "declares ppm"),
        ("a", np.abs(PHASE) * 100, {"ImageType": ["M"]}, "magnitude", "Values from"),
        ("a", PHASE, None, "phase", "±pi rad"),
        ("T1w", np.abs(PHASE) * 100, None, "image of another kind", "Values from"),
    ],
)
def test_kinds(tmp_path, name, data, said, kind, text):
    item = one(put(tmp_path / f"{name}.nii.gz", data, said))
    assert item.kind == kind
    assert text in lines(item)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mask", blocks(), "must hold only 0 and 1"),
        ("mask", np.zeros((12, 14, 10), np.uint8), "empty"),
        ("labels", blocks() + 0.5 * (blocks() > 0), "whole numbers"),
        ("chi", np.ones((12, 14, 10), np.float32), "same value"),
        ("chi", np.ones((12, 14, 10), np.complex64), "complex"),
        ("chi", np.ones((12, 14), np.float32), "2-D"),
    ],
)
def test_wrong_values(tmp_path, name, data, said):
    item = one(put(tmp_path / f"{name}.nii", data))
    assert said in problems(item)


def test_orientation_that_is_not_recorded(tmp_path):
    image = nib.Nifti1Image(np.abs(PHASE), None)
    image.header["qform_code"] = image.header["sform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    assert "left and right cannot be told apart" in problems(one(tmp_path / "a.nii"))


@pytest.mark.parametrize(
    ("qform", "said"),
    [
        (np.diag([-1.0, 1, 1, 1]) @ AFFINE, "left and right"),
        (np.diag([-1.0, -1, 1, 1]) @ AFFINE, "LAS but its qform RPS"),
        (AFFINE + np.array([[0, 0, 0, 6.0], [0] * 4, [0] * 4, [0] * 4]), "6.0 mm apart"),
        (AFFINE, ""),
    ],
    ids=["mirror", "turn", "shift", "equal"],
)
def test_forms_that_contradict_each_other(tmp_path, qform, said):
    image = nib.Nifti1Image(np.abs(PHASE), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(qform, 1)
    nib.save(image, tmp_path / "a.nii")
    item = one(tmp_path / "a.nii")
    assert (said in problems(item)) if said else not item.problems


def test_an_oblique_scan_tells_its_angle(shared_data):
    report = inspect_paths([shared_data / "gre-wholehead-lowres"])
    assert not report.problems
    text = report.text()
    for said in ("LAS", "(0.000, 0.056, 0.998)", "3.2°", "2.46 ms", "phase difference", "3 T"):
        assert said in text
    assert "gaps between the slices" in text and "4096 for pi" in text


def test_a_scan_that_lacks_everything(shared_data):
    text = " ".join(inspect_paths([shared_data / "gre-multiecho-crop"]).problems)
    for said in ("echo time", "field strength", "unit of the phase is not declared"):
        assert said in text


def test_identifiers_in_a_sidecar_are_told_but_not_repeated(tmp_path):
    said = ACQUISITION | {"PatientName": "Zzyzx", "AcquisitionTime": "13:47"}
    put(tmp_path / "p_ph.nii", PHASE, said)
    report = inspect_paths([tmp_path / "p_ph.nii"])
    assert "patient's name" in report.text() and "times" in report.text()
    assert "Zzyzx" not in report.text() and "13:47" not in report.text()
    assert not report.problems


def test_images_named_together_must_share_a_grid(tmp_path):
    phase = put(tmp_path / "p_ph.nii", PHASE, ACQUISITION)
    same = put(tmp_path / "mag.nii", np.abs(PHASE))
    moved = put(tmp_path / "mask.nii", (blocks() > 0).astype(np.uint8), affine=np.eye(4))
    report = inspect_paths([phase, same, moved])
    assert [bool(item.problems) for item in report.items] == [False, False, True]
    assert "p_ph.nii" in report.problems[0] and "mask.nii" in report.problems[0]


def test_label_tables(tmp_path):
    write_label_table(tmp_path / "t.txt", regions())
    item = one(tmp_path / "t.txt")
    assert item.kind == "label table" and "9 left, 9 right" in lines(item)
    (tmp_path / "bad.txt").write_text("1 2 3")
    assert "line 1" in problems(one(tmp_path / "bad.txt"))


@pytest.mark.parametrize("name", ["missing.nii", "notes.docx", "broken.nii.gz"])
def test_files_that_are_nothing(tmp_path, name):
    if name != "missing.nii":
        (tmp_path / name).write_bytes(b"nothing of use")
    assert one(tmp_path / name).problems


def test_status(tmp_path, capsys):
    good = put(tmp_path / "p_ph.nii", PHASE, ACQUISITION)
    assert main(["check", str(good)]) == 0
    assert "No problem found." in capsys.readouterr().out
    bad = put(tmp_path / "q_ph.nii", PHASE)
    assert main(["check", str(good), str(bad)]) == 1
    out = capsys.readouterr().out
    assert "2 problems." in out and "PROBLEM: Missing for QSM: the echo time" in out


def echoes(ramp=0.0):
    """Three echoes of a bowl-shaped field; every second one shifted along the first axis."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 20, 12)), indexing="ij")
    field = 40 * (x**2 - y) + 15 * z
    phase = []
    for i in range(3):
        angle = field * 0.2 * (i + 1) + 0.4 * y + (ramp * x if i == 1 else 0)
        phase.append(Volume(np.angle(np.exp(1j * angle)).astype(np.float32), AFFINE, unit="rad"))
    magnitude = tuple(Volume(np.ones(x.shape, np.float32), AFFINE) for _ in range(3))
    return Scan(tuple(phase), (0.005, 0.01, 0.015), 3.0, magnitude)


@pytest.mark.parametrize("ramp", [0.0, 3.0])
def test_bipolar_readouts(tmp_path, ramp):
    write_bids_raw(echoes(ramp), tmp_path / "data")
    hints = " ".join(h for i in inspect_paths([tmp_path / "data"]).items for h in i.hints)
    assert ("bipolar" in hints) == bool(ramp)
    if ramp:
        assert "first axis" in hints


def test_bids_datasets(tmp_path):
    write_bids_raw(echoes(), tmp_path / "data")
    report = inspect_paths([tmp_path / "data"])
    assert not report.problems
    assert "1 gradient-echo scans" in report.text() and "5, 10, 15 ms" in report.text()
    for path in (tmp_path / "data").rglob("*echo-2*.json"):
        path.unlink()
    text = " ".join(inspect_paths([tmp_path / "data"]).problems)
    assert "echo-2" in text and "echo time" in text


def test_one_file_of_a_dataset_inherits_its_sidecars(tmp_path):
    write_bids_raw(echoes(), tmp_path / "data")
    (path,) = (tmp_path / "data").rglob("*echo-2_part-phase*.nii.gz")
    path.with_name("sub-01_echo-2_part-phase_MEGRE.json").unlink()
    assert len(one(path).problems) == 2
    said = json.dumps({"EchoTime": 0.01, "MagneticFieldStrength": 3})
    (tmp_path / "data" / "echo-2_MEGRE.json").write_text(said)
    assert not one(path).problems and "10 ms" in lines(one(path))


def test_dicom_folders(tmp_path, shared_data):
    pytest.importorskip("pydicom")
    text = inspect_paths([shared_data / "dicom-siemens-enhanced"]).text()
    assert "Series 9" in text and "33 phase images" in text and "No problem found." in text
    assert "Series 9 is probably the phase difference" in text


def test_dicom_without_phase(tmp_path):
    pytest.importorskip("pydicom")
    sys.path.insert(0, str(Path(__file__).parent / "io"))
    from dicom_maker import PLANTED, Maker

    scan = make_head(
        shape=(24, 28, 12), voxel_size_mm=(7, 7, 10), echo_times_s=(0.02,), snr=30
    ).scan
    folder = Maker(tmp_path / "in", scan).write()
    text = inspect_paths([folder]).text()
    assert "QSM can start here" in text and "No problem found." in text
    assert not [v for k, v in PLANTED.items() if v in text and k != "SeriesDescription"]
    for path in folder.glob("IM006*"):
        path.unlink()
    report = inspect_paths([folder])
    assert "holds no phase of a gradient-echo scan" in report.problems[0]
    assert "copy their series" in report.problems[0]  # they were saved, and are not here
    sorted(folder.iterdir())[4].write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 90)
    assert "damaged" in inspect_paths([folder]).text()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("r2star", "R2* map"),
        ("sub-1_R2starmap", "R2* map"),
        ("swi", "susceptibility-weighted image"),
        ("mip", "projection"),
    ],
)
def test_maps_beside_chi_are_known_by_their_names(name, kind):
    from napari_qsm.inspect.files import kind_of

    values = np.random.default_rng(1).uniform(0, 300, (4, 4, 4)).astype(np.float32)
    assert kind_of(Volume(values, np.eye(4), name=name), {}) == kind
