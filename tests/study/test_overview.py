"""A study at a glance: its grid, filters, problems, steps; what leaders state in the log."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.io.maps import read_map
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.study.batch import whole
from napari_qsm.study.bundle_card import opened_bundle
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.openings import OPENED, files_of, reader_warning, state_opening
from napari_qsm.study.overview import Column, load_overview, moments_of
from napari_qsm.study.overview_filter import Filter, filters_of, shown
from napari_qsm.study.protocol import amend, freeze
from napari_qsm.study.reading_log import read_events, write_event
from napari_qsm.study.readings import checksum_of, new_reading, submit_reading
from napari_qsm.study.stale import stale_readings
from napari_qsm.study.status import status_of
from napari_qsm.study.step_work import (
    StepDone,
    assign_step,
    batch_step,
    bundle_step,
    import_step,
    merge_step,
    new_study,
    read_step,
    return_step,
    unblind_step,
)
from napari_qsm.study.steps import is_bundle, label_problem, results_of, study_steps, to_send
from napari_qsm.study.worklist import assign, read_key
from napari_qsm.volume import Volume
from tests.study.cohort_maker import make_cohort, placed
from tests.study.grid_maker import SCANS, make_grid_study, write_batch, write_reading
from tests.study.test_batch_running import Scripted


@pytest.fixture
def study(tmp_path):
    return make_grid_study(tmp_path)


def letters(overview, participant):
    return "".join(overview.cell(participant, column).letter for column in overview.columns)


def step_of(study, name):
    return next(step for step in study_steps(load_overview(study.root)) if step.id == name)


def test_the_grid_has_a_row_a_participant_and_a_block_a_visit(study):
    scan = study.scan("02", "t0")
    add_rating(scan.folder, make_rating("fail", rater="NN", comment="motion"), prefix=scan.prefix)
    xfm = study.xfm("01", "t1", "t0")
    xfm.parent.mkdir()
    xfm.touch()
    study.scan("c1", "t0").map.unlink()
    write_batch(study, [("c1", "t0", "failed", "No echo times.")])
    study.refresh()
    assign(study, "AA", seed=1)  # without the map that was judged to fail, and the one that is none
    overview = load_overview(study.root)
    assert overview.visits == ("t0", "t1")
    assert [column.head for column in overview.columns] == list("IRQX") + ["AA"] + list("IRQX") + [
        "AA"
    ]
    assert letters(overview, "01") == "++.1w" + "++.+w"
    assert letters(overview, "02") == "++F.." + "–––––"
    assert letters(overview, "c1") == "+F..." + "–––––"
    assert overview.summary() == (
        "3 participants, 4 scans: 3 maps, 1 failed, 1 judged, 1 of them fail; 1 visit missing."
    )
    assert overview.missing == {("02", "t1")}
    assert overview.counts("AA") == (0, 2)
    assert overview.unread == 2
    assert overview.is_blind


def test_every_cell_says_in_words_what_its_letter_means(study):
    scan = study.scan("02", "t0")
    assign(study, "AA", seed=1)
    add_rating(scan.folder, make_rating("fail", rater="NN", comment="motion"), prefix=scan.prefix)
    write_batch(study, [("c1", "t0", "done", ""), ("02", "t0", "failed", "No echo times.")])
    overview = load_overview(study.root)

    def words(participant, visit, step):
        return overview.words(participant, Column(visit, step))

    assert "made in 12 s" in words("c1", "t0", "reconstructed")
    said = words("02", "t0", "qc")
    assert "judged fail by NN" in said
    assert "motion" in said
    assert "still on the list of AA" in said
    assert "sub-02 ses-t1 is missing: others of the group 'patient'" in words("02", "t1", "qc")
    assert "nobody of the group" in words("c1", "t1", "AA")
    assert "only visit" in words("c1", "t0", "registered")
    assert "not registered" in words("01", "t1", "registered")
    assert "on the list of AA, not begun" in words("01", "t0", "AA")
    assert all(overview.words(p, c) for p in overview.participants for c in overview.columns)


def test_filters_and_order(study):
    write_batch(study, [("c1", "t0", "failed", "No echo times.")])
    study.scan("c1", "t0").map.unlink()
    study.refresh()
    assign(study, "BB", sample="1", seed=3)
    overview = load_overview(study.root)
    (only,) = [item.key for item in read_key(study).values()]

    def people(*args, **order):
        return shown(overview, Filter(*args), **order)

    assert people()[0] == ["01", "02", "c1"]
    assert people("failed") == (["c1"], {("c1", "t0")})
    assert people("unread:BB") == ([only[0]], {only})
    assert people("missing") == (["02"], {("02", "t0")})
    assert people("not judged")[1] == {("01", "t0"), ("01", "t1"), ("02", "t0")}
    assert people("all", "control")[0] == ["c1"]
    assert people("all", "", "ses-T1") == (["01"], {("01", "t1")})
    assert people(order="group")[0] == ["c1", "01", "02"]
    assert people(falling=True)[0] == ["c1", "02", "01"]
    assert people(order=Column("t0", "reconstructed"))[0] == ["c1", "01", "02"]
    assert people(order=Column("t1", "reconstructed"), falling=True)[0][-1] == "01"
    assert ("unread:BB", "Not read by BB") in filters_of(overview)


def test_what_is_damaged_is_said_and_the_rest_is_shown(study):
    write_reading(study.scan("01", "t0"), "AA", rater="XX")  # two people with one label
    write_reading(study.scan("02", "t0"), "BB")
    study.scan("c1", "t0").rating.write_text("{")
    (study.raw / "participants.tsv").write_text(
        "participant_id\tgroup\nsub-01\tp\nsub-01\tp\nsub-99\tp\n"
    )
    study.refresh()
    with pytest.raises(QsmError):
        status_of(study)
    overview = load_overview(study.root)
    assert any("two raters must not have one label" in each for each in overview.problems)
    assert any("sub-01 stands twice" in each for each in overview.problems)
    assert overview.cell("01", Column("t0", "AA")).letter == "?"
    assert overview.cell("c1", Column("t0", "qc")).kind == "failed"
    assert overview.cell("02", Column("t0", "BB")).letter == "S"


def test_a_worklist_with_the_code_of_another_rater_is_said(study):
    assign(study, "AA", seed=1)
    assign(study, "BB", seed=1)
    study.worklist("BB").write_text(study.worklist("AA").read_text())
    overview = load_overview(study.root)
    assert any("belongs to AA" in each for each in overview.problems)
    assert overview.counts("AA") == (0, 4)


def test_a_label_under_two_accounts_is_said(study):
    for account in ("anna on desk", "anna on laptop"):
        write_event(study.root, "rater began", rater="AA", account=account)
    assert not load_overview(study.root).problems
    write_event(study.root, "rater began", rater="AA", account="bert on desk")
    assert "AA has read under the accounts anna and bert" in load_overview(study.root).problems[0]


def test_a_protocol_that_was_edited_after_the_freeze_stops_steps_until_it_is_stated(study):
    freeze(study.protocol_file)
    text = study.protocol_file.read_text()
    study.protocol_file.write_text(text.replace("placement: independent", "placement: carried"))
    overview = load_overview(study.root)
    assert overview.is_changed
    assert any("was changed after it was frozen" in each for each in overview.problems)
    assert len(overview.rows) == 4
    for name in ("suggest", "assign", "collect"):
        assert "state the change first" in step_of(study, name).why_not
    amend(study.protocol_file, "shapes are carried after all")
    assert not load_overview(study.root).is_changed
    assert not step_of(study, "assign").why_not


def test_steps_say_how_far_they_are_and_why_they_cannot_be_done(study, tmp_path):
    assert step_of(study, "batch").words == "4 of 4"
    assert step_of(study, "batch").is_done
    assert step_of(study, "register").words == "0 of 1"
    assert "without a suggestion" in step_of(study, "suggest").why_not
    assert "assign readers first" in step_of(study, "read").why_not
    assert "Nobody has handed in" in step_of(study, "collect").why_not
    assert "collect first" in step_of(study, "analyse").why_not
    assert "Nothing was assigned" in step_of(study, "unblind").why_not
    done = assign_step(study.root, "AA", sample="", repeat="1", seed=7, add=False)
    assert isinstance(done, StepDone)
    assert done.sentence == "AA has 5 readings, 1 of them repeats."
    assert step_of(study, "read").words == "0 of 5"
    assert step_of(study, "unblind").words == "5 unread"
    overview = load_overview(study.root)
    assert "has a list already (0 of 5 read)" in label_problem(overview, "AA", adds=False)
    assert label_problem(overview, "AA", adds=True) == ""
    assert "no list yet" in label_problem(overview, "BB", adds=True)
    assert "letters and digits" in label_problem(overview, "B B", adds=False)
    text = unblind_step(study.root, "all read").text
    assert text.count("AA") == 5
    assert step_of(study, "unblind").is_done
    assert not load_overview(study.root).is_blind
    assert results_of(overview) == [("Folder of the study", "."), ("Protocol", "study.yaml")]
    (tmp_path / "alone").mkdir()
    alone = make_grid_study(tmp_path / "alone", raw=False)
    assert "no raw data" in step_of(alone, "batch").why_not
    assert "magnitudes" in step_of(alone, "register").why_not


class Writing(Scripted):
    """Workers that leave the provenance of a scan, as those that reconstruct do."""

    def start(self, lane, task):
        super().start(lane, task)
        anat = Path(task.out) / task.visit / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        (anat / f"{task.scan}_provenance.json").touch()


def test_a_batch_from_the_page_keeps_the_ledger_of_the_command(tmp_path, monkeypatch):
    study = make_grid_study(tmp_path)
    for key in SCANS:
        study.scan(*key).map.unlink()
    failing = {f"sub-{p}_ses-{v}": ["done" if p == "01" else "failed"] for p, v in SCANS}
    monkeypatch.setattr(whole, "_workers", lambda *args: Writing(["here"], failing))

    def stop(part, words):
        if part > 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        batch_step(study.root, stop, jobs=1)
    states = {key: row.state for key, row in load_overview(study.root).batch.items()}
    assert states["01", "t0"] == "done"
    assert states["c1", "t0"] == "waiting"
    told = []
    done = batch_step(study.root, lambda part, words: told.append((part, words)), jobs=1)
    assert done.is_bad
    assert "2 failed" in done.sentence
    assert "sub-02_ses-t0 failed" in done.text
    assert done.opens == study.group / "index.html"
    assert done.opens.is_file()
    assert told[-1][0] == 1.0
    assert load_overview(study.root).cell("02", Column("t0", "reconstructed")).letter == "F"


def test_an_import_in_which_every_visit_fails_says_so_and_changes_nothing(tmp_path):
    study = make_grid_study(tmp_path, [], raw=False)
    table = tmp_path / "visits.tsv"
    table.write_text("folder\tsubject\tsession\nnowhere\t01\tt0\n")
    done = import_step(study.root, tmp_path / "new raw", table, lambda part, words: None)
    assert done.is_bad
    assert done.sentence == "0 imported, 0 there already, 1 failed."
    assert "sub-01 ses-t0" in done.text
    assert load_overview(study.root).study.raw is None


def test_the_reading_window_is_a_process_of_its_own_whose_error_is_told(tmp_path, monkeypatch):
    began = []

    def run(command, *, stderr, **more):
        began.append(command[1:])
        stderr.write("a warning\nAA is reading in another window.\n")
        return subprocess.CompletedProcess(command, len(began) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    read_step(tmp_path, "AA")
    assert began == [["-m", "napari_qsm", "read", str(tmp_path), "--rater", "AA"]]
    with pytest.raises(QsmError, match=r"^AA is reading in another window\.$"):
        read_step(tmp_path, "AA")


def test_a_bundle_is_sent_read_and_taken_back(tmp_path):
    study = make_cohort(tmp_path / "study", [("01", "t0"), ("02", "t0")], readings=())
    assign_step(study.root, "BB", sample="", repeat="", seed=1, add=False)
    overview = load_overview(study.root)
    assert (to_send(overview), is_bundle(overview)) == (["BB"], False)
    out = tmp_path / "for-BB.zip"
    done = bundle_step(study.root, "BB", out, lambda part, words: None, magnitude=False)
    assert done.sentence.startswith("2 scans for BB in 'for-BB.zip'")
    there = StudyFolder(opened_bundle(out))
    steps = {step.id: step for step in study_steps(load_overview(there.root))}
    assert steps["bundle"].title == "Send back …"
    assert "Nothing is handed in" in steps["bundle"].why_not
    assert all("bundle" in steps[name].why_not for name in ("assign", "merge", "unblind"))
    scan = next(scan for scan in there.scans)
    volume = read_map(scan.map)
    begun = new_reading(there, "BB", volume)
    submit_reading(there, scan, replace(begun, shapes=placed(there)), volume)
    back = tmp_path / "back.zip"
    sent = return_step(there.root, back, lambda part, words: None)
    assert sent.sentence == "1 readings of BB in 'back.zip'."
    merged = merge_step(study.root, back, lambda part, words: None)
    assert merged.sentence == "1 readings of BB joined the study."
    assert load_overview(study.root).counts("BB") == (1, 2)


def test_readings_of_an_earlier_map_are_found_without_opening_others(tmp_path, monkeypatch):
    study = make_grid_study(tmp_path)
    values = np.random.default_rng(1).normal(size=(4, 3, 2)).astype(np.float32)
    checksum = checksum_of(Volume(values, np.eye(4), "ppm"))
    for key in SCANS:
        scan = study.scan(*key)
        nib.save(nib.Nifti1Image(values, np.eye(4)), scan.map)
        os.utime(scan.map, ns=(10**18, 10**18))
        scan.quality.write_text(json.dumps({"chi_sha256": checksum}))
        write_reading(scan, "AA", checksum=checksum)
    opened = []
    monkeypatch.setattr(
        "napari_qsm.study.stale.read_map",
        lambda path: opened.append(path) or Volume(nib.load(path).get_fdata(), np.eye(4), "ppm"),
    )
    study.refresh()
    assert stale_readings(study) == {}
    assert opened == []
    # Made anew by hand, with the numbers of quality of before; and made anew with them.
    by_hand, again = study.scan("01", "t0"), study.scan("02", "t0")
    nib.save(nib.Nifti1Image(values + 1, np.eye(4)), by_hand.map)
    nib.save(nib.Nifti1Image(values + 2, np.eye(4)), again.map)
    again.quality.write_text(json.dumps({"chi_sha256": "f" * 64}))
    known = {}
    found = stale_readings(study, known=known)
    assert set(found) == {(("01", "t0"), "AA"), (("02", "t0"), "AA")}
    assert "has changed since AA read it" in found[("01", "t0"), "AA"]
    assert sorted(opened) == sorted([by_hand.map, again.map])
    assert stale_readings(study, known=known) == found
    assert len(opened) == 2
    overview = load_overview(study.root).with_stale(found)
    assert overview.cell("01", Column("t0", "AA")).letter == "!"
    assert shown(overview, Filter("stale"))[0] == ["01", "02"]
    assert "2 readings of an earlier map" in overview.summary()


def test_a_scan_opened_under_its_name_is_stated_in_the_log(study):
    assign(study, "AA", seed=1)
    overview = load_overview(study.root)
    row = overview.row("01", "t0")
    scan = study.scan("01", "t0")
    magnitude = study.raw / "sub-01" / "ses-t0" / "anat" / "sub-01_ses-t0_part-mag_T2starw.nii.gz"
    assert files_of(overview, row)[0] == scan.map
    assert set(files_of(overview, row)) <= {scan.map, magnitude}
    assert files_of(overview, row, raw=True) == [study.raw / "sub-01" / "ses-t0"]
    assert reader_warning(overview, "lead") == ""
    assert "AA has still to hand in 4 readings" in reader_warning(overview, "aa")
    with pytest.raises(QsmError, match="needs a reason"):
        state_opening(overview, row, "lead", " ")
    state_opening(overview, row, "aa", "looks odd")
    event = read_events(study.root)[-1]
    assert (event["event"], event["scan"], event["by"]) == (OPENED, "sub-01_ses-t0", "AA")
    assert (event["reason"], event["unread"]) == ("looks odd", ["AA"])
    scan.dseg("AA", 2).touch()
    assert scan.dseg("AA", 2) in files_of(overview, row, label="AArep2")
    assert scan.dseg("AA", 2) not in files_of(overview, row, label="AA")
    scan.map.unlink()
    (study.raw / "sub-01").rename(study.raw / "sub-77")
    with pytest.raises(QsmError, match="neither a map nor raw data"):
        files_of(load_overview(study.root), row)


def test_codes_and_scans_never_stand_together_before_unblinding(study):
    assign(study, "AA", seed=1)
    study.scan("c1", "t0").map.unlink()
    overview = load_overview(study.root)
    assert "sub-c1 ses-t0 is on the list of AA, but has no map." in overview.problems
    said = [*overview.problems, *overview.notes, overview.summary()]
    said += [overview.words(p, c) for p in overview.participants for c in overview.columns]
    said += [f"{step.words} {step.why_not}" for step in study_steps(overview)]
    for code in read_key(study):
        assert not [text for text in said if code in text]


def test_a_look_tells_cheaply_whether_something_has_changed(study):
    before = moments_of(study)
    assert moments_of(study) == before
    assign(study, "AA", seed=1)
    assert moments_of(study) != before


def test_a_new_study_takes_what_the_form_says_over_the_source(tmp_path):
    made = new_study(
        tmp_path / "s", "basal-ganglia", None, name="Mine", placement="carried", recipe="consensus",
        window_ppb=(-50.0, 150.0),
    )  # fmt: skip
    protocol = made.protocol
    assert (protocol.name, protocol.placement, protocol.recipe) == ("Mine", "carried", "consensus")
    assert protocol.window_ppb == (-50.0, 150.0)
    with pytest.raises(QsmError, match="is a study already"):
        new_study(tmp_path / "s", "basal-ganglia", None)
