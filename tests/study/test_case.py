"""A patient at a visit: which label map a map is measured under, and whose files are whose."""

import numpy as np
import pytest

from napari_qsm.session import Session
from napari_qsm.study import Study, identity_of
from napari_qsm.volume import Volume

SHAPE = (6, 7, 8)


def volume(name, values=None, unit="", size=1.0):
    data = np.zeros(SHAPE, np.float32) if values is None else np.asarray(values)
    return Volume(data, np.diag([size, size, size, 1.0]), unit=unit, name=name)


def labels(name, size=1.0):
    return volume(name, np.ones(SHAPE, np.uint8), size=size)


def session_of_two_raters():
    session = Session()
    chi = session.add(volume("chi", unit="ppm"))
    first = session.add(labels("AA"), role="labels", rater="AA")
    second = session.add(labels("BB"), role="labels", rater="BB")
    return session, chi, first, second


def test_the_label_map_being_painted_counts_then_the_chosen_then_the_first():
    session, chi, first, second = session_of_two_raters()
    case = session.case
    assert session.labels_of(chi) is first
    session.painted = second.id
    assert session.labels_of(chi) is second and case.labels_of(chi) is second
    session.painted = first.id
    assert session.labels_of(chi) is first
    case.use_labels(chi, second)
    assert session.labels_of(chi) is second
    session.painted = ""
    session.painted = first.id  # drawing on it again
    assert session.labels_of(chi) is first


def test_numbers_of_one_rater_never_stand_under_anothers_name():
    session, chi, first, second = session_of_two_raters()
    session.painted = second.id
    assert session.labels_of(chi, "AA") is first
    assert session.labels_of(chi, "BB") is second
    assert session.labels_of(chi, "CC") is None
    assert session.case.raters == ["AA", "BB"]


def test_a_painted_label_map_on_another_grid_is_not_taken_while_one_fits():
    session = Session()
    chi = session.add(volume("chi", unit="ppm"))
    fine = session.add(volume("fine", unit="ppm", size=0.5))
    on_chi = session.add(labels("on chi"), role="labels")
    on_fine = session.add(labels("on fine", size=0.5), role="labels")
    session.painted = on_fine.id
    assert session.labels_of(chi) is on_chi
    assert session.labels_of(fine) is on_fine


def test_another_patients_label_map_is_never_taken():
    session, chi, _, second = session_of_two_raters()
    other = session.case_called("other")
    theirs = session.add(volume("theirs", unit="ppm"), case=other)
    assert session.labels_of(theirs) is None
    session.painted = second.id  # of the first patient; the grid is the same
    assert session.labels_of(theirs) is None
    own = session.add(labels("own"), role="labels", case=other)
    assert session.labels_of(theirs) is own and session.labels_of(chi) is second


def test_a_label_map_that_goes_is_forgotten():
    session, chi, first, second = session_of_two_raters()
    session.case.use_labels(chi, second)
    session.remove(second)
    assert session.labels_of(chi) is first and session.case.labels_used == {}


def test_each_case_keeps_its_own_midline_and_what_was_painted_last():
    session, _, _, second = session_of_two_raters()
    one = session.case
    session.painted = second.id
    one.midline_mm = -2.5
    two = session.case_called("two")
    session.add(volume("chi two", unit="ppm"), case=two)
    own = session.add(labels("own"), role="labels", case=two)
    assert session.case is two and session.painted == ""
    session.painted = own.id
    two.midline_mm = 2.5
    session.active_case = one.id
    assert session.case.midline_mm == -2.5 and session.painted == second.id
    session.step_case()
    assert session.case.midline_mm == 2.5 and session.painted == own.id


def test_undo_goes_back_to_the_case_it_changes():
    session, _, first, _ = session_of_two_raters()
    one = session.case
    session.edit_labels(first, np.array([0, 1]), 5)
    two = session.case_called("two")
    session.add(volume("chi two", unit="ppm"), case=two)
    session.change("middle", two, midline_mm=3.0)
    assert session.history.undo() == "middle" and session.case is two
    session.history.undo()
    assert session.case is one and first.editable[0, 0, 0] == 1


def test_closing_a_case_takes_all_of_it_and_nothing_else():
    session, _, first, _ = session_of_two_raters()
    one = session.case
    two = session.case_called("two")
    kept = session.add(volume("chi two", unit="ppm"), case=two)
    session.edit_labels(first, np.array([0]), 9)
    session.close_case(one)
    assert session.cases == [two] and list(session) == [kept] and session.case is two
    assert session.history.undo() == ""  # its strokes went with it
    session.close_case(two)
    assert [case.name for case in session.cases] == ["Case 1"] and session.case.is_empty
    assert list(session) == []


def test_two_cases_of_one_id_and_visit_are_told_apart():
    study = Study()
    first = study.new_case(participant="01", visit="t0")
    second = study.new_case(participant="01", visit="t0")
    assert (first.name, second.name) == ("sub-01 ses-t0", "sub-01 ses-t0 2")
    assert study.case("sub-01 ses-t0") is first and first.id != second.id


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/d/sub-01/ses-t0/anat/sub-01_ses-t0_Chimap.nii.gz", "sub-01 ses-t0"),
        ("/d/derivatives/qsm/sub-01/ses-t0/anat/sub-01_ses-t0_dseg.nii.gz", "sub-01 ses-t0"),
        ("/d/sub-02/anat/chi.nii", "sub-02"),
        ("/d/sub-02/sub-03_Chimap.nii.gz", "sub-03"),  # the file's own name counts first
        ("/home/anna/Doe^Jane/chi.nii.gz", ""),
        ("/home/subject-9/chi.nii.gz", ""),
    ],
)
def test_names_of_cases_come_from_ids_never_from_paths(path, name):
    assert identity_of(path, is_folder=False).name == name


def test_a_case_without_ids_gets_a_neutral_name():
    study = Study()
    assert [study.new_case().name for _ in range(3)] == ["Case 1", "Case 2", "Case 3"]


def test_derivatives_belong_to_the_data_set_they_came_from():
    raw = identity_of("/d/set/sub-01/ses-1/anat/sub-01_ses-1_MEGRE.nii", is_folder=False)
    made = identity_of("/d/set/derivatives/x/sub-01/ses-1/anat/a.nii", is_folder=False)
    elsewhere = identity_of("/other/sub-01/ses-1/anat/sub-01_ses-1_MEGRE.nii", is_folder=False)
    study = Study()
    case = study.new_case(participant="01", visit="1")
    case.belongs(raw)
    assert case.is_of(made) is True
    assert case.is_of(elsewhere) is None  # the same ids in another data set: to be asked
    assert case.is_of(identity_of("/d/set/sub-01/ses-2/anat/a.nii", is_folder=False)) is False
    assert case.is_of(identity_of("/d/set/sub-02/ses-1/anat/a.nii", is_folder=False)) is False
    assert case.is_of(identity_of("/tmp/a.nii", is_folder=False)) is None
