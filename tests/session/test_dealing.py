"""Whose files are opened: another patient's begin a case of their own, and nothing is mixed."""

import numpy as np
import pytest

from napari_qsm.io.nifti import write_volume
from napari_qsm.session import Session
from napari_qsm.session.dealing import unclear
from napari_qsm.session.opening import load
from napari_qsm.volume import Volume


def write(path, *, kind="map", size=1.0, at=0.0):
    affine = np.diag([size, size, size, 1.0])
    affine[0, 3] = at
    data = np.full((6, 7, 8), 0.05, np.float32)
    if kind == "labels":
        data = np.zeros((6, 7, 8), np.uint8)
        data[1:3, 1:3, 1:3] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(data, affine, unit="ppm" if kind == "map" else ""), path)
    return path


def opened(session, *paths, same=None):
    loaded = load(paths)
    asked = unclear(loaded.maps, session)
    return asked, loaded.into(session, same_case=same)


def cases(session):
    return {case.name: [entry.name for entry in case.maps] for case in session.cases}


def test_files_of_one_folder_are_one_case_and_another_folder_another(tmp_path):
    session = Session()
    first = write(tmp_path / "anna" / "chi.nii.gz")
    assert opened(session, first) == (False, [])
    asked, _ = opened(session, write(tmp_path / "anna" / "magnitude.nii.gz"))
    assert (not asked and cases(session) == {"Case 1": ["magnitude", "chi"]}) or len(
        cases(session)
    ) == 1
    asked, _ = opened(session, write(tmp_path / "berta" / "chi.nii.gz"))
    assert asked  # a window would ask; without one it is another patient
    assert [case.name for case in session.cases] == ["Case 1", "Case 2"]
    assert session.case.name == "Case 2" and "anna" not in str(cases(session))


def test_the_answer_counts_and_is_asked_once(tmp_path):
    session = Session()
    opened(session, write(tmp_path / "a" / "chi.nii.gz"))
    asked, _ = opened(session, write(tmp_path / "b" / "swi.nii.gz"), same=True)
    assert asked and len(session.cases) == 1
    asked, _ = opened(session, write(tmp_path / "b" / "more_chi.nii.gz"))
    assert not asked and len(session.cases) == 1


def test_ids_decide_and_name_the_case(tmp_path):
    session = Session()
    raw, made = tmp_path / "set", tmp_path / "set" / "derivatives" / "qsm"
    one = "sub-01/ses-t0/anat/sub-01_ses-t0"
    opened(session, write(raw / f"{one}_T1w.nii.gz"))
    asked, _ = opened(session, write(made / f"{one}_Chimap.nii.gz"))
    assert not asked and list(cases(session)) == ["sub-01 ses-t0"]
    other = raw / "sub-01/ses-t1/anat/sub-01_ses-t1_Chimap.nii.gz"
    asked, _ = opened(session, write(other))
    assert not asked and list(cases(session)) == ["sub-01 ses-t0", "sub-01 ses-t1"]
    assert (session.case.participant, session.case.visit) == ("01", "t1")


def test_the_same_ids_in_another_data_set_are_asked_about(tmp_path):
    session = Session()
    name = "sub-01/anat/sub-01_Chimap.nii.gz"
    opened(session, write(tmp_path / "study one" / name))
    asked, _ = opened(session, write(tmp_path / "study two" / name), same=False)
    assert asked and list(cases(session)) == ["sub-01", "sub-01 2"]


def test_a_label_map_finds_the_case_on_whose_grid_it_lies(tmp_path):
    session = Session()
    opened(session, write(tmp_path / "a" / "chi.nii.gz"))
    opened(session, write(tmp_path / "b" / "chi.nii.gz", at=5.0))
    second = session.case
    session.active_case = session.cases[0].id
    asked, said = opened(session, write(tmp_path / "rois" / "labels.nii.gz", kind="labels", at=5.0))
    assert (asked, said) == (False, []) and session.case is second
    assert [entry.role for entry in second.maps] == ["map", "labels"]


def test_a_label_map_that_fits_nobody_is_said_and_mixed_with_nobody(tmp_path):
    session = Session()
    opened(session, write(tmp_path / "a" / "chi.nii.gz"))
    path = write(tmp_path / "rois" / "labels.nii.gz", kind="labels", size=2.0)
    asked, said = opened(session, path)
    assert asked and len(session.cases) == 2
    assert "a case of its own" in " ".join(said)


def test_files_of_one_patient_on_two_grids_stay_together_and_it_is_said(tmp_path):
    session = Session()
    fine, coarse = tmp_path / "a" / "chi.nii.gz", tmp_path / "a" / "coarse_chi.nii.gz"
    asked, said = opened(session, write(fine), write(coarse, size=2.0))
    assert not asked and len(session.cases) == 1 and len(session.case.maps) == 2
    assert "another grid" in " ".join(said)


def test_a_map_and_its_labels_from_two_folders_opened_together_are_one_case(tmp_path):
    session = Session()
    chi = write(tmp_path / "maps" / "chi.nii.gz")
    rois = write(tmp_path / "rois" / "labels.nii.gz", kind="labels")
    opened(session, rois, chi)
    assert len(session.cases) == 1
    (measured,) = session.of_role("map")
    assert session.labels_of(measured) is session.of_role("labels")[0]


@pytest.mark.parametrize("word", ["seg.label", "seg.txt"])
def test_a_table_beside_a_label_map_gives_names_in_the_window_too(tmp_path, word):
    write(tmp_path / "seg.nii.gz", kind="labels")
    lines = "################\n# ITK-SnAP Label Description File\n"
    (tmp_path / word).write_text(lines + '    1   255    0    0        1  1  1    "Putamen L"\n')
    session = Session()
    opened(session, tmp_path / "seg.nii.gz")
    (entry,) = session
    assert entry.role == "labels" and entry.regions[1].name == "Putamen L"
    assert entry.regions[1].side == "left"
