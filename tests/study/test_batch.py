"""A batch from a raw data set to maps, status and page; done again, it does what is left."""

import csv
import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.bids import find_scans, write_bids_raw
from napari_qsm.io.scan_reader import read_scan
from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import contrast_choices, load_recipe, with_settings
from napari_qsm.study.batch import planning, whole
from napari_qsm.study.batch.ledger import Ledger
from napari_qsm.study.batch.status import ScanStatus, read_status
from napari_qsm.study.batch.task import Outcome, carry_out
from napari_qsm.study.batch.whole import Means, NothingAsked, plan_batch, share_of
from napari_qsm.study.batch.workers import Ended
from napari_qsm.study.folder import make_derivatives

#: What a grid of so few voxels can be reconstructed with, in hundredths of a second.
QUICK = ["mask.method=threshold", "background.method=lbv", "inversion.method=tkd"]
VISITS = (("01", "t0"), ("01", "t1"), ("02", "t0"))


@pytest.fixture(scope="module")
def head():
    return make_head(
        shape=(36, 30, 20), voxel_size_mm=(5.5, 6.5, 7.5), oversampling=(1, 1, 1), snr=None
    )


@pytest.fixture(scope="module")
def recipe():
    return with_settings(load_recipe("case-report"), QUICK)


@pytest.fixture(scope="module")
def visits(head, tmp_path_factory):
    """Three visits of two persons, each with values of its own."""
    root = tmp_path_factory.mktemp("visits")
    write_bids_raw(head.scan, root / "one")
    for number, (person, session) in enumerate(VISITS):
        folder = root / "raw" / f"sub-{person}" / f"ses-{session}" / "anat"
        folder.mkdir(parents=True)
        for path in (root / "one" / "sub-01" / "anat").iterdir():
            target = folder / path.name.replace("sub-01_", f"sub-{person}_ses-{session}_")
            shutil.copy(path, target)
            if "part-phase" in path.name and path.name.endswith(".nii.gz"):
                image = nib.load(path)
                values = np.asarray(image.dataobj) + np.float32(0.001 * number)
                nib.Nifti1Image(values, image.affine, image.header).to_filename(target)
    shutil.copy(root / "one" / "dataset_description.json", root / "raw")
    return root / "raw"


@pytest.fixture
def raw(visits, tmp_path):
    return shutil.copytree(visits, tmp_path / "raw", copy_function=shutil.copy2)


class Here:
    """The work done at once, in this process."""

    def __init__(self, work=carry_out):
        self.work, self.over, self.tried = work, [], []

    def lanes(self):
        return {"here": 1}

    def start(self, lane, task):
        self.tried.append(task.scan)
        self.over.append(Ended(task, self.work(task)))

    def ended(self, seconds):
        over, self.over = self.over, []
        return over

    def kill(self, lane):
        raise AssertionError

    def close(self, *, at_once=False):
        pass


@pytest.fixture
def here(monkeypatch):
    """Work in this process, with a report that is not drawn."""
    workers = Here()
    monkeypatch.setattr(whole, "_workers", lambda *args: workers)
    monkeypatch.setattr("napari_qsm.qc.files.report_html", lambda *a, **k: "Made with napari-qsm")
    return workers


def batch(raw, study, *more):
    return main(["batch", str(raw), "--out", str(study), *more, "--set", *QUICK])


def states(study):
    return {name: row.state for name, row in read_status(study / "batch" / "status.tsv").items()}


def maps(study):
    return {path.name: path.stat().st_mtime_ns for path in study.rglob("*_Chimap.nii.gz")}


def break_file(path):
    path.write_bytes(path.read_bytes()[:400])


def test_maps_are_those_of_single_runs_and_the_same_command_again_touches_none(
    raw, here, head, recipe, tmp_path
):
    study = tmp_path / "study"
    assert batch(raw, study) == 0
    assert states(study) == dict.fromkeys(
        ["sub-01_ses-t0", "sub-01_ses-t1", "sub-02_ses-t0"], "done"
    )
    alone = run(recipe, Inputs(scan=head.scan))
    anat = study / "sub-01" / "ses-t0" / "anat"
    image = nib.load(anat / "sub-01_ses-t0_Chimap.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), alone.volume("chi_ppm").to_stored().data)
    with (study / "batch" / "status.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert rows[0]["participant_id"] == "sub-01" and rows[0]["session_id"] == "ses-t0"
    assert float(rows[0]["peak_mb"]) > 50 and float(rows[0]["seconds"]) > 0 and rows[0]["host"]
    log = (study / "batch" / "logs" / "sub-01_ses-t0.txt").read_text()
    assert "tkd" in log and str(tmp_path) not in log
    before = maps(study)
    assert batch(raw, study) == 0
    assert maps(study) == before and here.tried == sorted(set(here.tried))
    assert not [p for p in study.rglob(".*") if p.name != ".bidsignore"]  # nothing half-written


def test_one_broken_scan_costs_one_scan_and_is_named_first(raw, here, tmp_path, capsys):
    study = tmp_path / "study"
    break_file(next((raw / "sub-01" / "ses-t1").rglob("*part-phase*.nii.gz")))
    for path in (raw / "sub-02").rglob("*.json"):
        said = json.loads(path.read_text())
        said.pop("EchoTime")
        path.write_text(json.dumps(said))
    assert batch(raw, study, "--log", str(tmp_path / "log.jsonl")) == 1
    assert states(study) == {
        "sub-01_ses-t0": "done", "sub-01_ses-t1": "failed", "sub-02_ses-t0": "failed",
    }  # fmt: skip
    told = capsys.readouterr().err
    assert "sub-01_ses-t1 failed: " in told and "sub-02_ses-t0 failed: " in told
    assert "Traceback" not in told
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["event"] for e in events if e.get("scan") == "sub-01_ses-t1"] == ["running", "failed"]
    page = (study / "group" / "index.html").read_text()
    assert page.index("sub-02_ses-t0") < page.index("Numbers of all scans")
    # As long as nothing changed, what failed is not tried again unless that is asked for.
    tried = len(here.tried)
    assert batch(raw, study) == 1 and len(here.tried) == tried
    assert batch(raw, study, "--retry-failed") == 1 and len(here.tried) == tried + 2
    for path in (raw / "sub-02").rglob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"EchoTime": 0.021}))
    assert batch(raw, study) == 1 and here.tried[tried + 2 :] == ["sub-02_ses-t0"]
    assert states(study)["sub-02_ses-t0"] == "done"


def test_a_damaged_sidecar_costs_its_visit_only(raw, recipe, tmp_path):
    next((raw / "sub-01" / "ses-t1").rglob("*part-phase*.json")).write_text("{")
    planned = plan_batch(raw, tmp_path / "study", recipe)
    assert {scan.name: bool(scan.problem) for scan in planned.scans} == {
        "sub-01_ses-t0": False, "sub-01_ses-t1": True, "sub-02_ses-t0": False,
    }  # fmt: skip


def test_what_was_made_otherwise_stays_unless_overwriting_is_allowed(raw, here, recipe, tmp_path):
    study = tmp_path / "study"
    assert (
        batch(raw, study, "participant", "--participant-label", "sub-01", "--session-label", "t0")
        == 0
    )
    assert here.tried == ["sub-01_ses-t0"]

    def look(**more):
        planned = plan_batch(raw, study, more.pop("recipe", recipe), participants=["01"], **more)
        scan = planned.scans[0]
        return scan.state, scan.why, [each.name for each in planned.todo]

    assert look()[:2] == ("done", "")
    # Another time of a file is no other input: then the values decide.
    image = next((raw / "sub-01" / "ses-t0").rglob("*part-mag*.nii.gz"))
    os.utime(image, (1, 1))
    assert look()[0] == "done"
    (study / "batch" / "plan.json").unlink()
    assert look()[0] == "done"
    state, why, todo = look(recipe=with_settings(recipe, ["inversion.threshold=0.1"]))
    assert (state, why) == ("stale", "made with another recipe") and "sub-01_ses-t0" not in todo
    loaded = nib.load(image)
    values = np.asarray(loaded.dataobj) * np.float32(1.5)
    nib.Nifti1Image(values, loaded.affine, loaded.header).to_filename(image)
    assert look()[:2] == ("stale", "made from other images")
    assert look(overwrite=True)[2] == ["sub-01_ses-t0", "sub-01_ses-t1"]
    before = maps(study)
    assert (
        batch(raw, study, "participant", "--participant-label", "01", "--session-label", "t0") == 1
    )
    assert maps(study) == before and states(study)["sub-01_ses-t0"] == "skipped"
    assert batch(raw, study, "participant", "--session-label", "t0", "--overwrite") == 0
    assert maps(study)["sub-01_ses-t0_Chimap.nii.gz"] > before["sub-01_ses-t0_Chimap.nii.gz"]
    provenance = study / "sub-01" / "ses-t0" / "anat" / "sub-01_ses-t0_provenance.json"
    said = json.loads(provenance.read_text())
    said["software"]["napari-qsm"] = "0.0.1"
    provenance.write_text(json.dumps(said))
    assert look()[:2] == ("stale", "made by version 0.0.1")


def test_stopping_keeps_what_is_done_and_marks_the_rest_as_waiting(
    raw, here, tmp_path, monkeypatch
):
    study = tmp_path / "study"

    def work(task):
        if task.scan == "sub-01_ses-t1":
            raise KeyboardInterrupt
        return carry_out(task)

    here.work = work
    assert batch(raw, study) == 130
    assert states(study) == {
        "sub-01_ses-t0": "done", "sub-01_ses-t1": "waiting", "sub-02_ses-t0": "waiting",
    }  # fmt: skip
    before = maps(study)
    here.work = carry_out
    assert batch(raw, study) == 0
    assert maps(study)["sub-01_ses-t0_Chimap.nii.gz"] == before["sub-01_ses-t0_Chimap.nii.gz"]


def test_work_stops_in_time_and_on_request(raw, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_qsm.study.batch.task._ASKED_S", -1.0)
    study = make_derivatives(tmp_path / "study", raw)
    scan = plan_batch(raw, study.root, recipe).scans[0]
    late = carry_out(scan.task(study.root, recipe.to_yaml(), longest_s=1e-6))
    assert (late.state, late.again) == ("failed", True) and "longer than" in late.message
    (tmp_path / "stop").touch()
    stopped = carry_out(scan.task(study.root, recipe.to_yaml(), stop_file=str(tmp_path / "stop")))
    assert stopped.state == "stopped" and not maps(study.root)


def test_a_dry_run_writes_nothing_and_wrong_commands_are_usage(raw, tmp_path, capsys):
    study = tmp_path / "study"
    assert batch(raw, study, "--dry-run") == 0
    assert "3 of 3 scans to do" in capsys.readouterr().out
    assert not study.exists()
    for wrong in (
        ["batch", str(tmp_path / "nowhere"), "--out", str(study)],
        ["batch", str(raw)],
        ["batch", str(raw), "everything", "--out", str(study)],
        ["batch", str(raw), "--out", str(study), "--participant-label", "07"],
        ["batch", str(raw), "--out", str(study), "--recipe", "no-such"],
        ["batch", str(raw), "--out", str(study), "--jobs", "0"],
        ["batch", str(raw), "--out", str(study), "--memory-gib", "0"],
        ["batch", str(raw), "--out", str(study), "--slurm", "--scheduler", "tcp://h:1"],
    ):
        assert main(wrong) == 2, wrong
    assert not study.exists()
    assert batch(raw, raw) == 1  # a data set is not written into


def test_two_scans_of_one_name_are_not_guessed_between(raw, recipe, tmp_path):
    for path in (raw / "sub-02" / "ses-t0" / "anat").iterdir():
        shutil.copy(path, path.with_name(path.name.replace("T2starw", "MEGRE")))
    planned = plan_batch(raw, tmp_path / "study", recipe, participants=["02"])
    assert len(planned.scans) == 2 and all("acq-" in scan.problem for scan in planned.scans)
    assert not planned.todo


def test_visits_without_phase_are_told(raw, recipe, tmp_path):
    for path in (raw / "sub-02").rglob("*part-phase*"):
        path.unlink()
    planned = plan_batch(raw, tmp_path / "study", recipe)
    assert planned.without == ["sub-02 ses-t0"]
    with pytest.raises(NothingAsked):
        plan_batch(raw, tmp_path / "study", recipe, participants=["02"])


def test_runs_side_by_side_keep_each_others_rows(raw, recipe, tmp_path):
    study = make_derivatives(tmp_path / "study", raw)
    ledgers = [Ledger(study, raw, recipe) for _ in range(2)]
    for number, ledger in enumerate(ledgers):
        ledger.rows[f"sub-0{number}"] = ScanStatus(f"sub-0{number}", f"0{number}", "", "waiting")
        ledger.records[f"sub-0{number}"] = {"version": str(number)}
        ledger.write()
    ledgers[0].rows["sub-00"] = (
        ledgers[0]
        .rows["sub-00"]
        .ended(Outcome("failed", "a tab\tand a\nline", 1.25, 99.6, "node7"))
    )
    ledgers[0].write()
    rows = read_status(study.status_file)
    assert rows["sub-01"].state == "waiting"
    assert rows["sub-00"] == ScanStatus(
        "sub-00", "00", "", "failed", 1.2, 100.0, "node7", "a tab and a line"
    )
    assert set(planning.read_records(study.plan_file)) == {"sub-00", "sub-01"}
    study.status_file.write_text("a\tb\n1\t2\n")
    with pytest.raises(FileError, match="no status of a batch"):
        ledgers[0].write()


def test_lanes_follow_processors_and_memory(raw, recipe, tmp_path, monkeypatch):
    planned = plan_batch(raw, tmp_path / "study", recipe)
    monkeypatch.setenv("NAPARI_QSM_THREADS", "6")
    each = 1.3 * planned.needed_gib
    assert share_of(planned, Means(memory_gib=100.0)).lanes == 3  # as many as scans
    assert share_of(planned, Means(memory_gib=100.0)).threads == 2
    assert share_of(planned, Means(memory_gib=2.5 * each)).lanes == 2
    assert share_of(planned, Means(memory_gib=0.1 * each)).lanes == 1
    told = []
    assert share_of(planned, Means(jobs=3, memory_gib=1.5 * each), told.append).lanes == 3
    assert len(told) == 1


def test_without_dask_it_is_done_one_after_the_other_with_one_note(
    raw, recipe, tmp_path, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "napari_qsm.study.batch.clusters", None)
    monkeypatch.delattr("napari_qsm.study.batch.clusters", raising=False)
    planned = plan_batch(raw, tmp_path / "study", recipe)
    study = make_derivatives(tmp_path / "study", raw)
    study.batch.mkdir()
    told = []
    workers = whole._workers(planned, Means(), study, study.batch / "stop", told.append)
    assert list(workers.lanes()) == ["here"] and len(told) == 1 and "napari-qsm[cluster]" in told[0]
    with pytest.raises(QsmError, match=r"napari-qsm\[cluster\]"):
        whole._workers(
            planned, Means(scheduler="tcp://h:1"), study, study.batch / "stop", told.append
        )


def test_other_maps_of_every_scan_are_made_as_reconstruct_makes_them(
    raw, here, recipe, tmp_path, capsys
):
    study = tmp_path / "study"
    only = ["participant", "--participant-label", "01", "--session-label", "t0"]
    assert batch(raw, study, *only) == 0
    asked = ["--also", "swi,mip", "--set", *QUICK, "mip.thickness_mm=16"]

    def looked(*more):
        args = [str(raw), *only, "--out", str(study), *more, "--dry-run"]
        code = main(["batch", *args])
        return code, capsys.readouterr()

    capsys.readouterr()
    assert "made without swi" in looked(*asked)[1].out
    assert batch(raw, study, *only, *asked[:2], "--set", asked[-1]) == 1  # left as it is
    assert batch(raw, study, *only, *asked[:2], "--set", asked[-1], "--overwrite") == 0
    capsys.readouterr()
    anat = study / "sub-01" / "ses-t0" / "anat"
    inputs = Inputs(scan=read_scan(find_scans(raw / "sub-01" / "ses-t0")[0]))
    own = run(recipe, inputs, also=contrast_choices(["swi,mip"], ["mip.thickness_mm=16"]))
    for name, words in (("swi", "SWI"), ("mip", "minIP")):
        (path,) = anat.glob(f"*_desc-{words}_T2starw.nii.gz")
        np.testing.assert_array_equal(
            np.asarray(nib.load(path).dataobj), own.volume(name).to_stored().data
        )
    plan = json.loads((study / "batch" / "plan.json").read_text())
    assert plan["also"]["mip"]["thickness_mm"] == 16
    assert "0 of 1 scans to do" in looked(*asked)[1].out
    assert "0 of 1 scans to do" in looked("--set", *QUICK)[1].out  # more than asked for is enough
    assert "made with other settings of mip" in looked(*asked[:-1], "mip.thickness_mm=8")[1].out
    code, told = looked("--also", "swj", "--set", *QUICK)
    assert code == 2 and "swj" in told.err
    code, told = looked("--set", *QUICK, "swi.power=3")
    assert code == 2 and "add --also swi" in told.err


def test_a_failed_scan_is_tried_again_once_something_else_is_asked_for(raw, here, recipe, tmp_path):
    study = tmp_path / "study"
    only = ["participant", "--participant-label", "01", "--session-label", "t0"]
    assert batch(raw, study, *only, "--also", "r2star") == 1  # one echo has no decay
    assert batch(raw, study, *only, "--also", "r2star") == 1 and len(here.tried) == 1
    assert batch(raw, study, *only) == 0 and len(here.tried) == 2
