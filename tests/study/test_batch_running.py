"""Scans handed out to workers: order, deaths, second tries, time; real processes in two tests."""

import json

import pytest

from napari_qsm.study.batch.running import run_all
from napari_qsm.study.batch.task import Outcome, Task
from napari_qsm.study.batch.workers import Ended, OneProcess
from tests.study import batch_work


def task(scan, visit=None, **more):
    return Task(scan, visit or scan, "raw", more.pop("out", "study"), f"{scan}.nii.gz", "", **more)


class Scripted:
    """Workers whose lanes answer as a script says: scan to what happens at its first, second try."""

    def __init__(self, lanes, script):
        self.known = dict.fromkeys(lanes, 1)
        self.script = {scan: list(said) for scan, said in script.items()}
        self.held = {lane: [] for lane in lanes}
        self.most = {}
        self.handed = []

    def lanes(self):
        return self.known

    def start(self, lane, task):
        self.held[lane].append(task)
        self.handed.append((lane, task.scan, sorted(t.scan for h in self.held.values() for t in h)))

    def ended(self, seconds):
        for lane, held in self.held.items():
            if not held:
                continue
            first = held[0]
            said = self.script.get(first.scan, [])
            end = said.pop(0) if said else "done"
            if end == "dies":
                gone, self.held[lane] = held, []
                return [Ended(each, None) for each in gone]
            del held[0]
            again = end == "memory"
            state = "failed" if again or end == "failed" else end
            return [Ended(first, Outcome(state, end, 0.01, host="h", again=again))]
        return []

    def kill(self, lane):
        self.script[self.held[lane][0].scan] = ["dies"]

    def close(self, *, at_once=False):
        pass


def outcomes(tasks, workers):
    ends = {}
    run_all(tasks, workers, on_end=lambda task, outcome: ends.setdefault(task.scan, outcome))
    return ends


def test_every_scan_is_done_once():
    workers = Scripted(["one", "two"], {})
    ends = outcomes([task(name) for name in "abcdefg"], workers)
    assert {end.state for end in ends.values()} == {"done"}
    assert sorted(scan for _, scan, _ in workers.handed) == list("abcdefg")


def test_a_scan_whose_process_died_is_tried_again_alone_and_blames_nobody():
    workers = Scripted(["one", "two"], {"b": ["dies"]})
    ends = outcomes([task(name) for name in "abcde"], workers)
    assert {scan: end.state for scan, end in ends.items()} == dict.fromkeys("abcde", "done")
    tries = [(scan, beside) for _, scan, beside in workers.handed if scan == "b"]
    assert len(tries) == 2
    assert tries[1][1] == ["b"]  # nothing else ran
    assert workers.handed[-1][1] == "b"


def test_one_that_dies_twice_has_failed_and_one_short_of_memory_is_tried_twice():
    workers = Scripted(["one"], {"a": ["dies", "dies"], "b": ["memory"], "c": ["memory", "memory"]})
    ends = outcomes([task(name) for name in "abcd"], workers)
    assert {scan: end.state for scan, end in ends.items()} == {
        "a": "failed", "b": "done", "c": "failed", "d": "done",
    }  # fmt: skip
    assert "memory" in ends["a"].message


def test_what_is_wrong_with_a_scan_is_not_tried_again():
    workers = Scripted(["one"], {"a": ["failed"]})
    assert outcomes([task("a"), task("b")], workers)["a"].state == "failed"
    assert [scan for _, scan, _ in workers.handed].count("a") == 1


def test_two_scans_of_a_visit_never_run_at_once():
    workers = Scripted(["one", "two"], {})
    outcomes([task("a1", "a"), task("a2", "a"), task("b")], workers)
    assert all(not {"a1", "a2"} <= set(beside) for _, _, beside in workers.handed)


def test_scans_behind_one_that_died_are_handed_out_again_unblamed():
    """Short scans are handed out one ahead; what waited in the lane was not at fault."""
    workers = Scripted(["one"], {"c": ["dies"]})
    ends = outcomes([task(name) for name in "abcdef"], workers)
    assert {end.state for end in ends.values()} == {"done"}
    handed = [scan for _, scan, _ in workers.handed]
    assert handed.count("d") == 2  # it waited behind c
    assert handed[-1] == "c"


def test_a_process_that_does_not_stop_in_time_is_ended(monkeypatch):
    monkeypatch.setattr("napari_qsm.study.batch.running._GRACE_S", -1.0)

    class Stuck(Scripted):
        def ended(self, seconds):
            held = self.held["one"]
            return super().ended(seconds) if held and self.script.get(held[0].scan) else []

    ends = outcomes([task("a", longest_s=0.5)], Stuck(["one"], {}))
    assert ends["a"].state == "failed"


def test_the_process_beside_us_dies_with_its_scan_only(tmp_path):
    workers = OneProcess(3, batch_work.die_once)
    try:
        ends = outcomes([task(name, out=str(tmp_path)) for name in "ab"], workers)
    finally:
        workers.close()
    assert {scan: end.state for scan, end in ends.items()} == {"a": "done", "b": "done"}


def test_workers_of_dask_die_with_their_scan_only(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from napari_qsm.study.batch import clusters

    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one").touch()
    (tmp_path / "batch").mkdir()
    notes = []
    workers = clusters.local(
        1, 3, 2**32, tmp_path / "raw", tmp_path, note=notes.append, work=batch_work.die_once
    )
    try:
        ends = outcomes([task(name, out=str(tmp_path)) for name in "abdef"], workers)
    finally:
        workers.close()
    assert {end.state for end in ends.values()} == {"done"}
    assert len(ends) == 5
    # Threads as told, for transforms and loops; memory is not given back after every array.
    assert {end.message for end in ends.values()} == {"3 3 1 -"}
    assert not notes
    assert not list((tmp_path / "batch").iterdir())  # nothing is left behind


def test_options_of_slurm_are_the_users_and_memory_of_arrays_is_kept(tmp_path):
    pytest.importorskip("distributed")
    from napari_qsm.study.batch.clusters import slurm_options

    path = tmp_path / "slurm.yaml"
    path.write_text("jobqueue:\n  slurm:\n    queue: short\n    memory: 7GiB\n    job-name: q\n")
    said = slurm_options(path, 4.0)
    assert said["queue"] == "short" and said["memory"] == "7GiB" and said["job_name"] == "q"
    assert said["processes"] == 1
    assert json.dumps(said["job_script_prologue"]).count("MALLOC_TRIM_THRESHOLD_") == 1
    assert slurm_options(None, 4.0)["memory"] == "6GiB"  # 1.3 times what a scan needs, rounded up
