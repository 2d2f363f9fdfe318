import json

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.io import bids
from napari_qsm.io.choosing import AmbiguousSeries
from napari_qsm.io.sources import find_scans, load_scan, open_source
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

AFFINE = np.diag([-1.0, 1.0, 2.0, 1.0])
B0 = {"MagneticFieldStrength": 7}


def put(root, name, value=1.0, said=None):
    path = root / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.full((4, 5, 3), value, dtype=np.float32)
    data.flat[0] = 0
    nib.save(nib.Nifti1Image(data, AFFINE), path)
    if said is not None:
        (root / f"{name}.json").write_text(json.dumps(said))
    return path


def values(volumes):
    return [float(v.data.flat[-1]) for v in volumes]


@pytest.fixture
def dataset(tmp_path):
    """Two subjects, one with sessions; sidecars at all levels."""
    root = tmp_path / "data"
    for name in ("sub-01/anat/sub-01", "sub-02/ses-b/anat/sub-02_ses-b"):
        for echo in (1, 2, 3):
            put(root, f"{name}_echo-{echo}_part-mag_MEGRE", 10 + echo)
            put(root, f"{name}_echo-{echo}_part-phase_MEGRE", echo)
    put(root, "sub-01/anat/sub-01_T1w", 99)
    put(root, "sub-01/func/sub-01_task-rest_part-phase_bold", 98, {"EchoTime": 0.03, **B0})
    put(root, "derivatives/x/sub-01/anat/sub-01_part-phase_MEGRE", 97)
    (root / bids.DESCRIPTION).write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    for echo in (1, 2, 3):
        (root / f"echo-{echo}_MEGRE.json").write_text(json.dumps({"EchoTime": echo / 100}))
    (root / "MEGRE.json").write_text(json.dumps({**B0, "EchoTime": 0.5, "PatientName": "Doe"}))
    (root / "part-phase_MEGRE.json").write_text('{"Units": "rad"}')
    (root / "T1w.json").write_text('{"EchoTime": 0.001}')
    return root


def test_scans_are_found_with_inherited_sidecars(dataset):
    scan = open_source(dataset, series="sub-01")
    assert values(scan.phase) == [1, 2, 3] and values(scan.magnitude) == [11, 12, 13]
    assert scan.echo_times_s == (0.01, 0.02, 0.03)
    assert scan.field_strength_t == 7
    assert scan.metadata["Units"] == "rad"
    assert "Doe" not in repr(scan.metadata)


def test_files_named_one_by_one_inherit_too(dataset):
    folder = dataset / "sub-02" / "ses-b" / "anat"
    scan = load_scan(sorted(folder.glob("*phase*")), sorted(folder.glob("*mag*")))
    assert scan.echo_times_s == (0.01, 0.02, 0.03) and scan.field_strength_t == 7


def test_nearer_sidecars_win(dataset):
    (dataset / "sub-01" / "sub-01_MEGRE.json").write_text('{"MagneticFieldStrength": 3}')
    beside = dataset / "sub-01/anat/sub-01_echo-3_part-phase_MEGRE.json"
    beside.write_text('{"EchoTime": 0.04}')
    scan = open_source(dataset, series="sub-01")
    assert scan.field_strength_t == 3
    assert scan.echo_times_s == (0.01, 0.02, 0.04)


def test_several_subjects_are_listed(dataset):
    with pytest.raises(AmbiguousSeries) as caught:
        open_source(dataset)
    assert [c.label for c in caught.value.candidates] == ["sub-01_MEGRE", "sub-02_ses-b_MEGRE"]


@pytest.mark.parametrize("part", ["sub-02", "sub-02/ses-b", "sub-02/ses-b/anat"])
def test_a_folder_inside_the_dataset(dataset, part):
    scan = open_source(dataset / part)
    assert values(scan.phase) == [1, 2, 3] and scan.field_strength_t == 7


def test_without_a_description_the_folders_tell(dataset):
    (dataset / bids.DESCRIPTION).unlink()
    assert bids.is_bids(dataset) and bids.is_bids(dataset / "sub-01" / "anat")
    assert open_source(dataset, series="sub-01").field_strength_t == 7
    assert not bids.is_bids(dataset.parent)


def test_what_lies_beside_the_subjects_is_no_part_of_the_dataset(dataset):
    put(dataset, "sourcedata/gre_5_ph", 42, {"EchoTime": 0.02, **B0})
    assert not bids.is_bids(dataset / "sourcedata")
    assert values(open_source(dataset / "sourcedata").phase) == [42]
    assert len(bids.find_scans(dataset)) == 2


@pytest.mark.parametrize("suffix", ["T2starw", "SWI", "GRE"])
def test_single_echo(tmp_path, suffix):
    for part, value in (("mag", 5), ("phase", 1)):
        name = f"sub-x/anat/sub-x_part-{part}_{suffix}"
        put(tmp_path, name, value, {"EchoTime": 0.02, **B0})
    scan = open_source(tmp_path)
    assert scan.echo_times_s == (0.02,)
    assert values(scan.phase) == [1] and values(scan.magnitude) == [5]


def field_map(root):
    put(root, "sub-x/fmap/sub-x_phasediff", 1, {"EchoTime1": 0.005, "EchoTime2": 0.0075, **B0})
    put(root, "sub-x/fmap/sub-x_magnitude1", 5, {"EchoTime": 0.005})
    put(root, "sub-x/fmap/sub-x_magnitude2", 6, {"EchoTime": 0.0075})


def test_phase_difference(tmp_path):
    field_map(tmp_path)
    scan = open_source(tmp_path)
    assert scan.phase_difference and scan.echo_times_s == (0.0025,)
    assert values(scan.magnitude) == [5, 6]


def test_a_field_map_gives_way_to_a_scan(tmp_path):
    field_map(tmp_path)
    put(tmp_path, "sub-x/anat/sub-x_part-phase_T2starw", 3, {"EchoTime": 0.02, **B0})
    assert values(open_source(tmp_path).phase) == [3]


def test_inversion_recovery_and_spin_echo_are_no_candidates(tmp_path):
    put(tmp_path, "sub-x/anat/sub-x_inv-1_part-phase_MP2RAGE", 3, {"EchoTime": 0.002, **B0})
    assert bids.find_scans(tmp_path) == []
    with pytest.raises(FileError, match="no phase"):
        open_source(tmp_path)


def made(echoes=2, *, difference=False):
    rng = np.random.default_rng(3)

    def volume(unit):
        data = rng.uniform(-3, 3, (4, 5, 3)).astype(np.float32)
        return Volume(data, AFFINE, unit=unit)

    count = 1 if difference else echoes
    times = (0.0025,) if difference else tuple(0.005 * (i + 1) for i in range(echoes))
    return Scan(
        phase=tuple(volume("rad") for _ in range(count)),
        magnitude=tuple(volume("") for _ in range(2 if difference else echoes)),
        echo_times_s=times,
        magnitude_echo_times_s=(0.005, 0.0075) if difference else (),
        field_strength_t=3.0,
        phase_difference=difference,
        metadata={"FlipAngle": 15, "PatientName": "Doe", "Notes": ["a note"]},
    )


@pytest.mark.parametrize(
    ("scan", "names"),
    [
        (made(1), {"anat/sub-01_part-phase_T2starw", "anat/sub-01_part-mag_T2starw"}),
        (
            made(2),
            {f"anat/sub-01_echo-{e}_part-{p}_MEGRE" for e in (1, 2) for p in ("phase", "mag")},
        ),
        (
            made(difference=True),
            {f"fmap/sub-01_{s}" for s in ("phasediff", "magnitude1", "magnitude2")},
        ),
    ],
    ids=["one echo", "two echoes", "difference"],
)
def test_written_and_read_back(tmp_path, scan, names):
    bids.write_bids_raw(scan, tmp_path / "out")
    written = {
        p.relative_to(tmp_path / "out" / "sub-01").as_posix().removesuffix(".nii.gz")
        for p in (tmp_path / "out").rglob("*.nii.gz")
    }
    assert written == names
    back = open_source(tmp_path / "out")
    assert back.echo_times_s == scan.echo_times_s
    assert back.phase_difference == scan.phase_difference
    assert back.magnitude_echo_times_s == scan.magnitude_echo_times_s
    assert back.field_strength_t == 3 and back.metadata["FlipAngle"] == 15
    assert back.metadata["Units"] == "rad"
    for kind in ("phase", "magnitude"):
        for one, other in zip(getattr(back, kind), getattr(scan, kind), strict=True):
            np.testing.assert_array_equal(one.data, other.data)
            np.testing.assert_array_equal(one.affine, other.affine)
    everything = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*.json"))
    assert b"Doe" not in everything and b"a note" not in everything
    description = json.loads((tmp_path / "out" / bids.DESCRIPTION).read_text())
    assert description["DatasetType"] == "raw" and description["BIDSVersion"]


def test_an_existing_dataset_is_not_overwritten(tmp_path):
    bids.write_bids_raw(made(1), tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(FileError, match="exists already"):
        bids.write_bids_raw(made(1), tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    bids.write_bids_raw(made(2), tmp_path, subject="02")
    assert len(find_scans([tmp_path])) == 2


@pytest.mark.parametrize("subject", ["Jane Doe", "a_b", "", "é", "../x"])
def test_impossible_subjects(tmp_path, subject):
    with pytest.raises(FileError, match="letters and digits"):
        bids.write_bids_raw(made(1), tmp_path / "out", subject=subject)
    assert not (tmp_path / "out").exists()


def test_names_of_derivatives(dataset):
    one, two = bids.find_scans(dataset)
    names = bids.derivative_names(one, ["chi_ppm", "mask", "unwrapped"])
    assert names == {
        "chi_ppm": "sub-01/anat/sub-01_Chimap.nii.gz",
        "mask": "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "unwrapped": "sub-01/anat/sub-01_part-phase_desc-unwrapped_T2starw.nii.gz",
    }
    every = bids.derivative_names(two, bids.DERIVATIVES)
    assert len(set(every.values())) == len(bids.DERIVATIVES)
    assert all(n.startswith("sub-02/ses-b/anat/sub-02_ses-b_") for n in every.values())
    for name in every.values():
        entities, suffix = bids.bids_entities(name.rsplit("/", 1)[1])
        assert entities["sub"] == "02" and suffix.isalnum()
