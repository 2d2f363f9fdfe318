"""Results take their places together, wherever the program is stopped."""

import json
import os
import subprocess
import sys

import pytest

from napari_qsm.errors import FileError
from napari_qsm.io import moving
from napari_qsm.io.atomic import atomic_path, staged_folder, write_text
from napari_qsm.io.moving import MOVING, finish, finish_above
from napari_qsm.io.targets import check_out_file, check_out_folder

NAMES = ("a.txt", "b.txt", "sub/c.txt", "d.txt")

#: A run that ends at the n-th call of one function, as if the power had failed there.
KILLED = """
import os, sys
from pathlib import Path
from napari_qsm.io import atomic, moving
folder, n, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
calls = 0
def dying(real):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == n:
            os._exit(9)
        return real(*arguments, **options)
    return call
if where == "replace": os.replace = dying(os.replace)
if where == "fsync": os.fsync = dying(os.fsync)
if where == "rename": Path.rename = dying(Path.rename)
if where == "unlink": Path.unlink = dying(Path.unlink)
with atomic.staged_folder(folder, overwrite=True, replaces=["old-only.txt"]) as staging:
    for name in {names!r}:
        (staging / name).parent.mkdir(exist_ok=True)
        (staging / name).write_text("new")
"""


def earlier(folder):
    """An earlier result, with a file that the new one does not have and one of the user's."""
    for name in (*NAMES, "old-only.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old")
    (folder / "mine.txt").write_text("mine")


def content(folder):
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_text() for p in files}


OLD = {**dict.fromkeys((*NAMES, "old-only.txt"), "old"), "mine.txt": "mine"}
NEW = {**dict.fromkeys(NAMES, "new"), "mine.txt": "mine"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "n"),
    [("replace", n) for n in range(1, 11)]
    + [("fsync", n) for n in (1, 4, 5)]
    + [("rename", 1), ("unlink", 1)],
)
def test_a_run_killed_anywhere_leaves_one_result(tmp_path, where, n):
    folder = tmp_path / "out"
    earlier(folder)
    code = KILLED.replace("{names!r}", repr(NAMES))
    subprocess.run(
        [sys.executable, "-c", code, str(folder), str(n), where], check=False, timeout=60
    )
    # Whoever looks now sees files of one result, be they all or not.
    seen = {name: text for name, text in content(folder).items() if not name.startswith(".")}
    assert len(set(seen.values()) - {"mine"}) <= 1
    # The next reader puts it in order, and the next run cleans up.
    finish(folder)
    assert {n: t for n, t in content(folder).items() if not n.startswith(".")} in (OLD, NEW)
    check_out_folder(folder, overwrite=True)
    assert content(folder) in (OLD, NEW)


@pytest.mark.parametrize("failing", range(1, 10))
def test_a_move_that_fails_leaves_the_earlier_result(tmp_path, monkeypatch, failing):
    folder = tmp_path / "out"
    earlier(folder)
    calls, real = [], os.replace

    def replace(*paths):
        calls.append(paths)
        if len(calls) == failing:
            raise PermissionError(13, "Permission denied")
        return real(*paths)

    monkeypatch.setattr(os, "replace", replace)
    with (
        pytest.raises(FileError, match="Cannot write"),
        staged_folder(folder, overwrite=True, replaces=["old-only.txt"]) as staging,
    ):
        (staging / "sub").mkdir()
        for name in NAMES:
            (staging / name).write_text("new")
    assert content(folder) == OLD


def test_a_stop_in_the_middle_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "x/y/out") as staging:
        (staging / "a.txt").write_text("new")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_plan_of_a_program_that_runs_is_not_touched(tmp_path):
    work = tmp_path / MOVING
    (work / "new").mkdir(parents=True)
    plan = {"host": moving._HOST, "pid": os.getpid(), "started": moving._started(os.getpid())}
    (work / "plan.json").write_text(json.dumps({**plan, "gone": []}))
    with pytest.raises(FileError, match="being written"):
        finish_above(tmp_path / "sub" / "chi.nii.gz")
    with (
        pytest.raises(FileError, match="being written"),
        staged_folder(tmp_path) as staging,
    ):
        (staging / "a.txt").write_text("new")


def test_a_plan_made_to_harm_reaches_nothing_outside(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    work = tmp_path / "out" / MOVING
    (work / "new").mkdir(parents=True)
    gone = ["../precious.txt", str(precious), "sub/../../precious.txt", 7, None]
    plan = {"host": moving._HOST, "pid": 2**22 + 1, "started": 0, "gone": gone}
    (work / "plan.json").write_text(json.dumps(plan))
    finish(tmp_path / "out")
    assert precious.read_text() == "mine" and not work.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"host": 1}', '{"gone": 5}', "[" * 100_000])
def test_a_damaged_plan_is_no_obstacle(tmp_path, text):
    work = tmp_path / MOVING
    (work / "new").mkdir(parents=True)
    (work / "new" / "a.txt").write_text("new")
    (work / "plan.json").write_text(text)
    finish(tmp_path)
    assert content(tmp_path) == {"a.txt": "new"}


def test_leftovers_of_killed_programs_go_and_those_of_others_stay(tmp_path):
    dead = tmp_path / f".writing-{moving._HOST}-{2**22 + 1}-5-x.nii.gz"
    other = tmp_path / ".writing-elsewhere-1-5-x.nii.gz"
    users = tmp_path / ".writing-notes"
    for path in (dead, other, users):
        path.write_text("x")
    write_text(tmp_path / "new.txt", "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([other.name, users.name, "new.txt"])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs rights that can lack")
def test_a_folder_of_ones_own_under_a_foreign_parent(tmp_path):
    own = tmp_path / "foreign" / "own"
    own.mkdir(parents=True)
    own.parent.chmod(0o555)
    try:
        with staged_folder(own) as staging:
            (staging / "a.txt").write_text("new")
        assert content(own) == {"a.txt": "new"}
    finally:
        own.parent.chmod(0o755)


def test_nothing_is_written_outside_the_folder_itself(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    with staged_folder(tmp_path / "out"):
        assert [p.name for p in tmp_path.iterdir()] == ["out"]


class TestBeforeTheWork:
    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(FileError, match="is a file"):
                check_out_folder(path, overwrite=True)

    def test_a_link_that_leads_nowhere(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "gone")
        with pytest.raises(FileError, match="leads nowhere"):
            check_out_folder(tmp_path / "link", overwrite=True)

    def test_results_need_leave_and_a_proof(self, tmp_path):
        (tmp_path / "chi.nii.gz").write_text("x")
        with pytest.raises(FileError, match="--overwrite"):
            check_out_folder(tmp_path, ["chi.nii.gz"], overwrite=False, proof="p.json")
        with pytest.raises(FileError, match="no earlier result"):
            check_out_folder(tmp_path, ["chi.nii.gz"], overwrite=True, proof="p.json")
        (tmp_path / "p.json").write_text("{}")
        check_out_folder(tmp_path, ["chi.nii.gz"], overwrite=True, proof="p.json")
        with pytest.raises(FileError, match="starts from"):
            check_out_folder(
                tmp_path, ["chi.nii.gz"], overwrite=True, inputs=[tmp_path / "chi.nii.gz"]
            )

    def test_room(self, tmp_path):
        with pytest.raises(FileError, match="too little room"):
            check_out_folder(tmp_path / "new", overwrite=False, needed_bytes=10**18)

    def test_a_file_of_another_kind_is_never_replaced(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("my notes")
        with pytest.raises(FileError, match="another kind"):
            check_out_file(path, overwrite=True, is_ours=lambda p: False)
        with pytest.raises(FileError, match="--overwrite"):
            check_out_file(path, overwrite=False)
        with pytest.raises(FileError, match="is a folder"):
            check_out_file(tmp_path, overwrite=True)
        check_out_file(path, overwrite=True)
        assert path.read_text() == "my notes"


def test_a_name_that_is_no_text_can_stand_in_a_file(tmp_path):
    write_text(tmp_path / "t.txt", "a\udce4b")
    assert (tmp_path / "t.txt").read_bytes() == b"a?b"


def test_a_disk_without_rights_takes_files(tmp_path, monkeypatch):
    def chmod(self, mode):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(tmp_path), "chmod", chmod)
    with atomic_path(tmp_path / "t.txt") as path:
        path.write_text("x")
    assert (tmp_path / "t.txt").read_text() == "x"
