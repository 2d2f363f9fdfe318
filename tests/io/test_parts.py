"""A word somewhere in a name never decides what an image holds."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_qsm.io.names import base_of, last_word, part_of
from napari_qsm.io.series import group_images, image_file
from napari_qsm.io.sources import find_scans

RANDOM = np.random.default_rng(3)
PHASE = RANDOM.uniform(-np.pi, np.pi, (8, 9, 7)).astype(np.float32)
MAGNITUDE = RANDOM.uniform(0, 800, (8, 9, 7)).astype(np.float32)
SAID = {"EchoTime": 0.02, "MagneticFieldStrength": 3}


def put(folder, name, data, sidecar=SAID):
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.diag([-2.0, 2, 2, 1])), folder / f"{name}.nii")
    (folder / f"{name}.json").write_text(json.dumps(sidecar))


def found(folder):
    """Names of phase and magnitude of every scan in a folder."""
    return [
        ([i.path.stem for i in scan.phase], [i.path.stem for i in scan.magnitude])
        for scan in find_scans([folder])
    ]


@pytest.mark.parametrize(
    ("phase", "magnitude"),
    [
        ("PH_01_gre_ph", "PH_01_gre"),
        ("PH_01_phase", "PH_01_mag"),
        ("magda_gre_ph", "magda_gre"),
        ("real_world_study_phase", "real_world_study"),
        ("phase2study_ph", "phase2study"),
        ("phase2_trial_7_ph", "phase2_trial_7"),
        ("gre_phase_3T", "gre_mag_3T"),
        ("phase-gre", "mag-gre"),
        ("PH_01", "MAG_01"),
        ("s_pha_run", "s_magn_run"),
        ("phase", "magnitude"),
        ("phase_01", "magnitude_01"),
    ],
)
def test_pairs_decide(tmp_path, phase, magnitude):
    put(tmp_path, phase, PHASE)
    put(tmp_path, magnitude, MAGNITUDE)
    assert found(tmp_path) == [([phase], [magnitude])]


@pytest.mark.parametrize("prefix", ["PH", "mag", "real", "phase_study", "MAGN"])
def test_echoes_under_a_prefix_that_is_a_word(tmp_path, prefix):
    for echo in (1, 2, 3):
        said = SAID | {"EchoTime": 0.01 * echo}
        put(tmp_path, f"{prefix}_01_gre_e{echo}", MAGNITUDE, said)
        put(tmp_path, f"{prefix}_01_gre_e{echo}_ph", PHASE, said)
    assert found(tmp_path) == [
        (
            [f"{prefix}_01_gre_e{echo}_ph" for echo in (1, 2, 3)],
            [f"{prefix}_01_gre_e{echo}" for echo in (1, 2, 3)],
        )
    ]


def test_values_decide_where_nothing_else_does(tmp_path):
    put(tmp_path, "PH_01", MAGNITUDE)
    put(tmp_path, "mag_of_mine_7", PHASE)
    assert found(tmp_path) == [(["mag_of_mine_7"], ["PH_01"])]


def test_sidecars_go_before_names_and_values(tmp_path):
    put(tmp_path, "a_ph", MAGNITUDE, SAID | {"ImageType": ["ORIGINAL", "PRIMARY", "M"]})
    put(tmp_path, "b_mag", PHASE, SAID | {"ImageType": ["ORIGINAL", "PRIMARY", "P"]})
    assert found(tmp_path) == [(["b_mag"], ["a_ph"])]


def test_axis_orders_and_rounding_do_not_part_echoes(tmp_path):
    affine = np.diag([-2.0, 2, 2, 1])
    for echo, data in ((1, PHASE), (2, PHASE[::-1, ::-1])):
        turned = affine.copy()
        if echo == 2:
            turned = affine @ np.array([[-1, 0, 0, 7], [0, -1, 0, 8], [0, 0, 1, 0], [0, 0, 0, 1.0]])
            turned[0, 3] += 0.005  # rounded header: the edge of a coarser rounding
        nib.save(nib.Nifti1Image(data, turned), tmp_path / f"s_e{echo}_ph.nii")
        (tmp_path / f"s_e{echo}_ph.json").write_text(json.dumps(SAID | {"EchoTime": 0.01 * echo}))
    images = [image_file(path) for path in sorted(tmp_path.glob("*.nii"))]
    (scan,) = group_images(images)
    assert len(scan.phase) == 2


@given(st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True), st.integers(1, 9))
def test_what_stands_before_a_name_never_changes_its_part(prefix, echo):
    assert part_of(f"{prefix}_scan_e{echo}_ph.nii.gz", {}) == "phase"
    assert part_of(f"{prefix}_scan_e{echo}.nii.gz", {}) == ""
    assert base_of(f"{prefix}_scan_e{echo}_ph.nii.gz") == f"{prefix}_scan"
    assert part_of(f"sub-{prefix}_acq-phase_echo-{echo}_MEGRE.nii.gz", {}) == ""


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("sub-01_desc-mag_Chimap.nii.gz", "chimap"),
        ("phase_e2.nii", "phase"),
        ("qsm_study_T1w.nii", "t1w"),
        ("chi.nii.gz", "chi"),
    ],
)
def test_last_words(name, word):
    assert last_word(name) == word
