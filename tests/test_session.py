"""The state of one piece of work, without a window."""

import json

import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.session import (
    MapDisplay,
    Session,
    auto_window,
    guess_role,
    same_case,
    sampled,
    unique_name,
)
from napari_qsm.session.records import add_entry, apply_labels, case_record, entry_record
from napari_qsm.volume import Volume


def volume(name, unit="", values=None):
    data = np.zeros((4, 5, 6), np.float32) if values is None else np.asarray(values)
    return Volume(data, np.diag([1.0, 2.0, 3.0, 1.0]), unit=unit, name=name)


@pytest.mark.parametrize(
    ("name", "unit", "role"),
    [
        ("sub-01_Chimap", "", "map"),
        ("anything", "ppm", "map"),
        ("local_field", "ppm", "other"),
        ("sub-01_part-mag_GRE", "", "magnitude"),
        ("sub-01_part-phase_GRE", "", "phase"),
        ("unknown", "rad", "phase"),
        ("brain_mask", "", "mask"),
        ("image", "", "other"),
        ("child", "", "other"),
        ("Mag", "", "magnitude"),
        ("χ patient", "", "map"),
    ],
)
def test_roles_come_from_unit_and_name(name, unit, role):
    assert guess_role(volume(name, unit)) == role


def test_a_label_map_is_whole_numbers_under_a_name_that_says_so():
    whole = np.zeros((3, 3, 3), np.uint8)
    assert guess_role(volume("cit168_labels", values=whole)) == "labels"
    assert guess_role(volume("sub-01_dseg", values=whole)) == "labels"
    assert guess_role(volume("cit168_labels", values=whole.astype(float))) == "labels"
    assert guess_role(volume("cit168_labels", values=whole + 0.3)) == "other"
    assert guess_role(volume("scan", values=whole)) == "other"


def test_images_stay_below_labels_and_names_stay_unique():
    session = Session()
    labels = session.add(volume("labels", values=np.ones((4, 5, 6), np.uint8)), role="labels")
    first = session.add(volume("χ", "ppm"))
    second = session.add(volume("χ", "ppm"))
    assert [e.name for e in session] == ["χ", "χ 2", "labels"]
    assert session.selected == second.id
    assert labels.editable is not None and first.editable is None
    assert session.entry("χ 2") is second and session.entry(first.id) is first


def test_the_same_name_in_another_case_is_told_by_the_cases_ids():
    session = Session()
    session.add(volume("chi", "ppm"), case=session.case_called("a", participant="01", visit="t0"))
    other = session.case_called("b", participant="02")
    assert session.add(volume("chi", "ppm"), case=other).name == "sub-02 chi"
    assert session.add(volume("chi", "ppm"), case=other).name == "sub-02 chi 2"
    nobody = session.study.new_case("Anna")  # what a user calls a case never gets into names
    assert session.add(volume("chi", "ppm"), case=nobody).name == "chi 2"


def test_a_label_map_can_be_painted_and_the_file_behind_it_is_untouched():
    values = np.zeros((4, 5, 6), np.int16)
    session = Session()
    entry = session.add(volume("labels", values=values), role="labels")
    entry.editable[1, 2, 3] = 7
    assert entry.volume.data[1, 2, 3] == 7
    assert values.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        entry.volume.data[0, 0, 0] = 1
    with pytest.raises(FileError, match="whole numbers"):
        session.add(volume("labels", values=np.full((4, 5, 6), 0.5)), role="labels")


def test_images_are_not_copied():
    values = np.random.default_rng(0).random((4, 5, 6))
    flipped = Volume(values, np.diag([-1.0, 2.0, 3.0, 1.0]), name="x")
    assert np.shares_memory(Session().add(flipped).volume.data, values)


def test_linked_windows_move_together_and_across_units():
    session = Session()
    control = session.add(volume("control", "ppm"))
    patient = session.add(volume("patient", "ppb"), role="map")
    magnitude = session.add(volume("magnitude"))
    before = magnitude.display.window
    session.set_display(control, window=(-0.1, 0.1), threshold_low=0.02, colouring="colour")
    assert patient.display.window == pytest.approx((-100, 100))
    assert patient.display.threshold_low == pytest.approx(20)
    assert patient.display.colouring == "colour"
    assert magnitude.display.window == before
    session.set_display(patient, opacity=0.3)
    assert control.display.opacity == 1.0


def test_unlinked_windows_do_not():
    session = Session(windows_linked=False)
    control = session.add(volume("control", "ppm"))
    patient = session.add(volume("patient", "ppm"))
    session.set_display(control, window=(0.0, 0.5))
    assert patient.display.window == (-0.1, 0.2)


def test_a_new_map_takes_the_window_of_those_it_is_linked_to():
    session = Session()
    control = session.add(volume("control", "ppm"))
    session.set_display(control, window=(0.0, 0.15), colouring="inverted")
    patient = session.add(volume("patient", "ppm"))
    assert patient.display.window == (0.0, 0.15)
    assert patient.display.colouring == "inverted"


def test_one_case_is_drawn_at_a_time():
    session = Session()
    control = session.add(volume("control", "ppm"), case=session.case_called("control"))
    patient = session.add(volume("patient", "ppm"), case=session.case_called("patient"))
    more = session.add(volume("magnitude"))  # of whom is on show
    assert [session.is_shown(e) for e in (control, patient, more)] == [False, True, True]
    session.active_case = session.case_of(control).id
    assert [session.is_shown(e) for e in (control, patient, more)] == [True, False, False]
    assert same_case(patient, more) and not same_case(control, patient)


def test_removing_moves_the_selection_on():
    session = Session()
    first = session.add(volume("a", "ppm"))
    second = session.add(volume("b", "ppm"))
    session.compared = (first.id, second.id)
    session.remove(second)
    assert session.selected == first.id
    assert session.compared == (first.id,)
    session.remove(first)
    assert session.selected == "" and session.reference is None
    session.remove(first)  # again: nothing to do


def test_events_say_what_changed():
    session = Session()
    seen = []
    session.events.crosshair_mm.connect(lambda value: seen.append(value))
    session.crosshair_mm = (1.0, 2.0, 3.0)
    session.crosshair_mm = (1.0, 2.0, 3.0)
    assert seen == [(1.0, 2.0, 3.0)]


def test_misspelt_fields_are_refused():
    with pytest.raises(ValueError, match="extra"):
        Session(radiologic=True)
    with pytest.raises(ValueError, match="unit"):
        Session().unit = "ppt"
    with pytest.raises(ValueError, match="opacity"):
        MapDisplay(opacity=2)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((6, 6, 6)),
        np.full((6, 6, 6), np.nan),
        np.full((6, 6, 6), 3.0),
        np.full((6, 6, 6), -1e30),
        np.full((6, 6, 6), np.inf),
    ],
    ids=["zero", "nan", "constant", "huge", "infinite"],
)
def test_auto_window_of_odd_maps_is_a_window(values):
    low, high = auto_window(volume("odd", values=values))
    assert np.isfinite([low, high]).all() and high > low


def test_auto_window_ignores_air_and_holes():
    rng = np.random.default_rng(5)
    values = np.zeros((40, 40, 40))
    values[10:30, 10:30, 10:30] = rng.normal(0.05, 0.02, (20, 20, 20))
    values[12, 12, 12] = np.nan
    low, high = auto_window(volume("map", values=values))
    assert low == pytest.approx(0.05 - 2.33 * 0.02, abs=0.003)
    assert high == pytest.approx(0.05 + 2.33 * 0.02, abs=0.003)
    low, high = auto_window(volume("map", values=values), symmetric=True)
    assert low == -high


def test_sampling_is_bounded():
    assert sampled(volume("x", values=np.ones((80, 80, 80))), limit=10_000).size < 20_000


def test_unique_names():
    assert unique_name("a", ["b"]) == "a"
    assert unique_name("a", ["a", "a 2"]) == "a 3"


def test_thresholds_of_each_colouring_are_shared_and_saved_with_the_session():
    session = Session()
    first = session.add(volume("χ first", "ppm"))
    second = session.add(volume("χ second", unit="ppb"))
    session.set_display(first, colouring="colour", threshold_low=0.04)
    session.set_display(first, colouring="grey")
    assert (first.display.threshold_low, second.display.threshold_low) == (None, None)
    record = json.loads(json.dumps(entry_record(second)))
    other = Session()
    again, problems = add_entry(other, record, second.volume, other.case)
    assert problems == []
    other.set_display(again, colouring="colour")
    session.set_display(second, colouring="colour")
    assert again.display.threshold_low == pytest.approx(40) == second.display.threshold_low
    assert first.display.threshold_low == pytest.approx(0.04)


def test_the_grid_of_a_case_stays_while_its_maps_change_places_and_is_saved(tmp_path):
    session = Session()
    first, second = session.add(volume("χ first", "ppm")), session.add(volume("χ second", "ppm"))
    labels = session.add(Volume(np.zeros((4, 5, 6)), np.eye(4), name="labels"), role="labels")
    session.place_over(first, labels)  # clamped: an image never hides what is drawn
    assert [e.name for e in session] == ["χ second", "χ first", "labels"]
    assert session.case.grid_of is first and session.reference is first.volume
    session.place_over(labels, None)
    assert list(session) == [second, first, labels]
    record = case_record(session.case, tmp_path)
    session.remove(first)
    assert session.case.grid_of is second
    other = Session()
    one, two = other.add(volume("χ second", "ppm")), other.add(volume("χ first", "ppm"))
    apply_labels(record, other.case, {second.id: one.id, first.id: two.id})
    assert other.case.grid_of is two
