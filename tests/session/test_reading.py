"""Blinded reading without a window: places, keeping, order, refusals, and no name of anybody."""

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.session.reading.desk import Desk, reading_order
from napari_qsm.session.reading.kept import neutral
from napari_qsm.session.reading.opened import open_scan
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import Item, mark, read_key, read_worklist
from tests.session.reading_study import CENTRES, NAMES, make_study, move
from tests.study.cohort_maker import AFFINE, SHAPE, values, write_map

TWO = [("p1", "t0"), ("p1", "t1")]


@pytest.fixture
def desks():
    """Return a maker of desks, which are closed at the end."""
    made = []

    def sit_down(study, rater="AA"):
        made.append(Desk(StudyFolder(study.root), rater))
        return made[-1]

    yield sit_down
    for desk in made:
        desk.close()


def key_of(study, code):
    return read_key(study)[code].key


def reading_of(study, work, rater="AA"):
    return read_reading(study.scan(*key_of(study, work.code)).shapes(rater))


def read_all(desk, work):
    while work.step is not None:
        if work.shape is None and work.suggestion is None:
            work.place(CENTRES.get(work.step.region_name, (26.0, -2.0, 0.0)))
        work.take()
    for flag in work.unanswered:
        work.answer(flag, "looked at")
    work.submit()
    desk.handed_in(work)


def nearest_centre(world):
    """Return the middle of the voxel that holds a point, by numpy alone."""
    index = np.rint(np.linalg.solve(AFFINE[:3, :3], np.array(world) - AFFINE[:3, 3]))
    return tuple(AFFINE[:3, :3] @ index + AFFINE[:3, 3])


def test_a_first_visit_from_the_first_key_to_the_burnt_labels(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    work = desk.open_next()
    assert desk.words == f"AA, 0 of 1 read. Next scan: {work.code}."
    assert [step.region_name for step in work.steps] == list(NAMES)
    # Suggested places lie on the middle of a voxel.
    assert work.suggestion.source == "suggested"
    assert work.suggestion.shape.centre_mm == pytest.approx(nearest_centre(CENTRES["Caudate L"]))
    work.take()
    assert work.step.region_name == "Caudate R"
    assert reading_of(study, work).shapes[0].region_name == "Caudate L"
    # A click puts it elsewhere and keeps it in hand; arrows move it by a voxel.
    work.place((15.2, 5.3, 1.1))
    assert work.step.region_name == "Caudate R"
    assert work.shape.centre_mm == pytest.approx(nearest_centre((15.2, 5.3, 1.1)))
    work.nudge((1, -1, 0))
    moved = np.array(nearest_centre((15.2, 5.3, 1.1))) + (2, -2, 0)
    assert work.shape.centre_mm == pytest.approx(moved)
    assert reading_of(study, work).shapes[1].centre_mm == pytest.approx(moved)
    work.take()
    # An arrow on what is only suggested places it beside.
    work.nudge((0, 1, 0))
    start = np.array(nearest_centre(CENTRES["Putamen L"]))
    assert work.shape.centre_mm == pytest.approx(start + (0, 2, 0))
    assert work.shape.rotation_deg == -60
    work.take()
    # The fourth is in no atlas: the other side, across the middle of the pairs that are known.
    assert work.suggestion.source == "mirrored"
    left, right = work.shapes["Caudate L"].centre_mm, work.shapes["Caudate R"].centre_mm
    # The head lies straight, so display is world; two pairs are known but for this one.
    middle = (left[0] + right[0]) / 2
    other = (2 * middle - (start[0]), *(start + (0, 2, 0))[1:])
    assert work.suggestion.shape.centre_mm == pytest.approx(nearest_centre(other))
    assert (work.suggestion.shape.side, work.suggestion.shape.rotation_deg) == ("right", 60)
    work.back()
    assert work.step.region_name == "Putamen L"
    work.withdraw()
    assert work.suggestion is not None
    work.not_visible("artefact")
    assert work.step.region_name == "Putamen R"
    with pytest.raises(QsmError, match="few words why Putamen R"):
        work.not_visible("other", " ")
    work.not_visible("other", "cut off")
    assert work.step is None
    record = reading_of(study, work).record
    assert record.not_visible == {"Putamen L": "artefact", "Putamen R": "other: cut off"}
    work.go_to("Putamen L")
    work.place((-22, -2, 0))
    work.go_to("Putamen R")
    work.place((24, -2, 0))
    assert not reading_of(study, work).record.not_visible
    work.forward()
    assert work.missing() == ""
    work.submit()
    assert work.is_submitted
    with pytest.raises(QsmError, match="needs a reason"):
        work.nudge((1, 0, 0))
    desk.handed_in(work)
    assert desk.words == "AA, 1 of 1 read. All are handed in."
    scan = study.scan("p1", "t0")
    burnt = read_volume(scan.dseg("AA"))
    at = np.rint(np.linalg.solve(AFFINE[:3, :3], np.array(left) - AFFINE[:3, 3])).astype(int)
    assert burnt.data[tuple(at)] == 1
    # A circle of 6 mm on three slices of 2 mm: five voxels across, and nine beside, each slice.
    inside = sum((2 * x) ** 2 + (2 * y) ** 2 <= 9 for x in range(-2, 3) for y in range(-2, 3))
    assert (burnt.data == 1).sum() == 3 * inside
    assert read_worklist(study, "AA")[0].state == "submitted"


def test_a_later_visit_starts_from_the_raters_own_first_one(tmp_path, desks):
    study = make_study(tmp_path / "study", TWO, raters=("AA",))
    angle = np.radians(3.0)
    matrix = np.eye(4)  # points of t1 to points of t0
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = (3.0, -4.0, 2.0)
    move(study, "p1", "t1", matrix)
    desk = desks(study)
    work = desk.open_next()
    assert key_of(study, work.code) == ("p1", "t0")  # whatever the order: read first
    work.place((-10, 8, 0))
    work.take()
    work.take()
    work.not_visible("lesion")
    work.place((24, -2, 0))
    work.take()
    own = {name: shape.centre_mm for name, shape in work.shapes.items()}
    read_all(desk, work)
    later = desk.open_next()
    assert key_of(study, later.code) == ("p1", "t1")
    back = np.linalg.inv(matrix)
    for name, centre in own.items():
        there = back[:3, :3] @ np.array(centre) + back[:3, 3]
        assert later.opened.places[name].centre_mm == pytest.approx(nearest_centre(there))
    # What was not visible then comes from what is suggested to everybody.
    assert later.opened.places["Putamen L"].centre_mm == pytest.approx(
        nearest_centre(CENTRES["Putamen L"])
    )
    # By how much the head had turned is for the log, and nothing tells that this is a later visit.
    event = next(e for e in read_events(study.root) if e["event"] == "shapes carried")
    assert (event["rater"], event["shapes"], event["notes"]) == ("AA", 3, [])
    assert later.suggestion.source == "suggested"


def test_independent_reading_suggests_nothing(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")], placement="independent")
    work = desks(study).open_next()
    assert work.suggestion is None
    with pytest.raises(QsmError, match="Nothing is suggested for Caudate L"):
        work.take()
    with pytest.raises(QsmError, match="Click where Caudate L lies first"):
        work.nudge((1, 0, 0))
    work.place((-12, 6, 2))
    work.take()
    assert work.suggestion is None  # of the other side neither


def test_what_was_not_registered_starts_from_what_all_are_suggested(tmp_path, desks):
    study = make_study(tmp_path / "study", TWO)
    desk = desks(study)
    read_all(desk, desk.open_next())
    later = desk.open_next()
    assert later.suggestion.shape.centre_mm == pytest.approx(nearest_centre(CENTRES["Caudate L"]))
    event = next(e for e in read_events(study.root) if e["event"] == "nothing to carry")
    assert "not registered" in event["message"]


def test_every_act_is_kept_and_a_killed_reader_goes_on_where_he_was(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    program = (
        "import os, sys\n"
        "from napari_qsm.session.reading.desk import Desk\n"
        "work = Desk(sys.argv[1], 'AA').open_next()\n"
        "work.take(); work.take(); work.place((-22, -2, 0))\n"
        "os.kill(os.getpid(), 9) if hasattr(os, 'kill') and os.name != 'nt' else os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(study.root)], check=False)
    work = desks(study).open_next()
    assert work.done == 3
    assert work.step.region_name == "Putamen R"
    assert work.shapes["Putamen L"].centre_mm == pytest.approx(nearest_centre((-22, -2, 0)))


def test_flags_are_answered_in_words_before_it_is_handed_in(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    scan = study.scan("p1", "t0")
    mask = np.ones(SHAPE, np.uint8)
    mask[:, :12] = 0
    import nibabel as nib

    nib.save(nib.Nifti1Image(mask, AFFINE), scan.path("desc-brain_mask.nii.gz"))
    work = desks(study).open_next()
    work.take()
    work.place((-12, 8, 2))  # on the left shape, and on the wrong side
    assert any("on the patient's left" in words for words in work.flags_in_hand())
    work.take()
    work.place((-24, -28, 0))  # outside the mask and the map
    work.take()
    work.take()
    said = {flag.key for flag in work.flags()}
    assert any(key.startswith("Caudate L: shares") for key in said)
    assert any("outside the mask" in key for key in said)
    assert any("outside the map" in key for key in said)
    with pytest.raises(QsmError, match="flags are to be answered"):
        work.submit()
    with pytest.raises(QsmError, match="Say a few words"):
        work.answer(work.unanswered[0], "  ")
    work.answer(work.unanswered[0], "they do touch")
    # A shape that is put elsewhere takes its flags, and what was said to them, along.
    work.go_to("Caudate R")
    work.place((14, 6, 2))
    assert not any(flag.region_name.startswith("Caudate") for flag in work.flags())
    for flag in work.unanswered:
        work.answer(flag, "at the edge")
    work.submit()
    record = reading_of(study, work).record
    assert set(record.answers) == {flag.key for flag in work.flags()}
    assert set(record.answers.values()) == {"at the edge"}


def test_a_change_afterwards_is_an_amendment_with_a_reason(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    work = desk.open_next()
    read_all(desk, work)
    first = work.shapes["Caudate L"].centre_mm
    again = desk.open_submitted(work.code)
    again.go_to("Caudate L")
    again.nudge((0, 1, 0))
    # Kept beside until it is handed in: the reading is what it was.
    assert reading_of(study, work).shapes[0].centre_mm == pytest.approx(first)
    resumed = desk.open_submitted(work.code)
    assert resumed.shapes["Caudate L"].centre_mm == pytest.approx(np.add(first, (0, 2, 0)))
    for flag in resumed.unanswered:
        resumed.answer(flag, "looked at")
    with pytest.raises(QsmError, match="needs a reason"):
        resumed.submit()
    resumed.submit("clicked beside")
    assert reading_of(study, work).record.amended == ("clicked beside",)
    assert reading_of(study, work).shapes[0].centre_mm == pytest.approx(np.add(first, (0, 2, 0)))
    event = read_events(study.root)[-1]
    assert (event["event"], event["reason"]) == ("reading amended", "clicked beside")
    assert not list((study.reading / "amending").glob("*"))


def test_a_map_that_was_made_anew_is_said_and_read_anew(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    work = desk.open_next()
    work.take()
    desk.close()
    write_map(study.scan("p1", "t0"), 77)
    stale = desks(study).open_next()
    assert stale.opened.stale
    with pytest.raises(QsmError, match=f"The map of {work.code} is another one"):
        stale.take()
    stale.begin_anew()
    assert stale.done == 0
    stale.take()
    assert len(list((study.reading / "amended").glob("*.json"))) == 1
    assert "reading begun anew" in [event["event"] for event in read_events(study.root)]


def test_what_was_handed_in_on_another_map_stays_until_its_change_is_handed_in(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    work = desk.open_next()
    read_all(desk, work)
    write_map(study.scan("p1", "t0"), 77)
    again = desk.open_submitted(work.code)
    assert again.opened.stale
    again.begin_anew()
    assert (again.done, len(reading_of(study, work).shapes)) == (0, 4)
    while again.step is not None:
        again.take()
    for flag in again.unanswered:
        again.answer(flag, "looked at")
    again.submit("the map was made anew")
    now = reading_of(study, work)
    assert now.chi_sha256 != work.reading.chi_sha256
    assert now.record.amended == ("the map was made anew",)


def test_values_are_shown_when_the_protocol_says_so_and_not_before(tmp_path, desks):
    quiet = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(quiet)
    work = desk.open_next()
    read_all(desk, work)
    with pytest.raises(QsmError, match="shows no values"):
        desk.values(work)
    told = make_study(tmp_path / "other", [("p1", "t0")], more="show_values_after_submit: true\n")
    desk = desks(told)
    work = desk.open_next()
    with pytest.raises(QsmError, match="once it is handed in"):
        desk.values(work)
    read_all(desk, work)
    name, found, unit = desk.values(work)[0]
    burnt = read_volume(told.scan("p1", "t0").dseg("AA")).data
    under = values(0)[burnt == 1].astype(np.float64) * 1000
    assert (name, unit) == ("Caudate L", "ppb")
    assert (found.mean, found.sd) == pytest.approx((under.mean(), under.std(ddof=1)), rel=1e-5)


def test_refusals_in_one_sentence_each(tmp_path, desks):
    study = make_study(tmp_path / "study", [*TWO, ("p2", "t0")], raters=("AA", "BB"))
    with pytest.raises(FileError, match="no worklist for CC"):
        Desk(study.root, "CC")
    study.worklist("CC").write_bytes(study.worklist("AA").read_bytes())
    with pytest.raises(FileError, match="belongs to AA"):
        Desk(study.root, "CC")
    desk = desks(study)
    with pytest.raises(QsmError, match="AA is reading in another window"):
        Desk(study.root, "AA")
    desks(study, "BB")  # another rater may read at the same time
    work = desk.open_next()
    work.place((-12, 6, 2))  # freezes the protocol
    desk.close()
    # What has failed or gone since is passed over, by its code.
    codes = {item.key: code for code, item in read_key(study).items() if item.rater == "AA"}
    left = [key for key in codes if key != key_of(study, work.code)]
    failed, gone = (study.scan(*key) for key in left)
    add_rating(failed.folder, make_rating("fail", rater="Q"), prefix=failed.prefix)
    gone.map.unlink()
    desk = desks(study)
    assert f"{codes[left[0]]} was judged to be of no use" in " ".join(desk.notes)
    assert f"{codes[left[1]]} has no map any more; it is passed over." in desk.notes
    assert not any("sub-" in note or "ses-" in note for note in desk.notes)
    read_all(desk, desk.open_next())
    assert desk.words == "AA, 1 of 3 read. 2 cannot be read now."
    with pytest.raises(QsmError, match="2 cannot be read now"):
        desk.open_next()
    desk.close()
    text = study.protocol_file.read_text()
    study.protocol_file.write_text(text.replace("size_mm: 6", "size_mm: 7"))
    with pytest.raises(FileError, match="changed after it was frozen"):
        Desk(study.root, "AA")


def test_a_visit_with_two_maps_is_passed_over_without_its_name(tmp_path, desks):
    study = make_study(tmp_path / "study", TWO)
    twice = study.scan("p1", "t1")
    other = twice.folder / "sub-p1_ses-t1_run-2_Chimap.nii.gz"
    other.write_bytes(twice.map.read_bytes())
    desk = desks(study)
    code = next(code for code, item in read_key(study).items() if item.session == "t1")
    assert desk.notes == [f"{code} cannot be read as it is; it is passed over."]
    read_all(desk, desk.open_next())
    assert desk.words == "AA, 1 of 2 read. 1 cannot be read now."


def test_two_people_with_one_label_are_told(tmp_path, desks, monkeypatch):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    monkeypatch.setattr("getpass.getuser", lambda: "anna")
    desks(study).close()
    again = desks(study)
    assert not again.notes
    again.close()
    monkeypatch.setattr("getpass.getuser", lambda: "ben")
    note = desks(study).notes[0]
    assert "'anna'" in note
    assert "a label of your own" in note


def test_nothing_that_a_window_holds_names_anybody(tmp_path, desks):
    study = make_study(tmp_path / "study", TWO)
    work = desks(study).open_next()
    opened = work.opened
    said = (
        repr(opened) + repr(opened.chi.name) + repr(opened.chi.origin) + repr(work.reading.record)
    )
    for word in ("p1", "t0", "t1", "sub-", "ses-", str(study.root)):
        assert word not in said
    assert opened.chi.stored is None  # a header holds words too
    # Errors of the study come under the code.
    scan = study.scan("p1", "t0")
    told = neutral(f"Cannot write '{scan.map}': no space left.", study, scan, "K7Q2")
    assert told == "Cannot write 'K7Q2_Chimap.nii.gz': no space left."
    told = neutral("sub-p1 ses-t1 is not registered to ses-t0.", study, scan, "K7Q2")
    assert told.startswith("K7Q2 cannot be read as it is.")
    scan.map.write_bytes(b"no image")
    with pytest.raises(QsmError) as caught:
        open_scan(study, read_key(study)[work.code])
    assert work.code in str(caught.value)
    for word in ("p1", "t0", str(study.root)):
        assert word not in str(caught.value)


def test_first_visits_come_before_the_later_ones_and_distances_stay():
    def item(person, session, placement="carried", reading=1):
        return Item(f"{person}{session}{reading}", "AA", person, session, reading, placement)

    items = [item("a", "t2"), item("b", "t0"), item("a", "t1"), item("b", "t1"), item("a", "t0")]
    ordered = reading_order(items, {"a": "t0", "b": "t0"})
    assert [i.participant for i in ordered] == [i.participant for i in items]
    assert [i.session for i in ordered] == ["t0", "t0", "t1", "t1", "t2"]
    # Those that are read without suggestions wait for nobody.
    alone = [item("a", "t1", "independent"), item("a", "t0", "independent")]
    assert reading_order(alone, {"a": "t0"}) == alone


def test_the_next_scan_is_fetched_ahead_and_starts_from_what_was_read_since(tmp_path, desks):
    study = make_study(tmp_path / "study", TWO)
    move(study, "p1", "t1", np.eye(4))
    desk = desks(study)
    work = desk.open_next()
    desk.fetch_ahead(work.code)
    work.place((-8, 12, 2))
    read_all(desk, work)
    later = desk.open_next()
    assert later.opened.places["Caudate L"].centre_mm == pytest.approx((-8, 12, 2))


def test_a_list_that_missed_the_last_moment_catches_up(tmp_path, desks):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    read_all(desk, desk.open_next())
    desk.close()
    mark(study, read_worklist(study, "AA")[0], "open")
    assert read_worklist(study, "AA")[0].state == "open"
    assert desks(study).words.endswith("All are handed in.")


def test_key_and_log_stay_in_the_study(tmp_path, desks, own_settings):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    desk = desks(study)
    read_all(desk, desk.open_next())
    assert not [path for path in own_settings.rglob("*") if path.is_file()]
    assert json.loads(study.key_file.read_text())["codes"]


def test_the_command_needs_a_display_and_a_list(tmp_path, monkeypatch, capsys):
    study = make_study(tmp_path / "study", [("p1", "t0")])
    monkeypatch.setattr("napari_qsm.cli.window.display_problem", lambda: "There is no display.")
    assert main(["read", str(study.root), "--rater", "AA"]) == 1
    assert capsys.readouterr().err == "There is no display. Reading needs a window.\n"
    assert main(["read", str(study.root)]) == 2
