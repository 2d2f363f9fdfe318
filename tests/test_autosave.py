"""Work kept in the background, and offered back after the process was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.io.label_table import Region
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session import Session
from napari_qsm.session.autosave import Autosave
from napari_qsm.session.folder import ChangedOnDisk, save_session, saved_as
from napari_qsm.session.locks import FolderLock, in_use
from napari_qsm.session.recovery import find_recoveries, recovery_home
from napari_qsm.session.store import read_session
from napari_qsm.session.work import DirtyTracker
from napari_qsm.study.reconstruction import Reconstruction
from tests.viewer.conftest import ORDERS, SHAPE, code_of, ramp, stored_in

ROOT = Path(__file__).resolve().parents[1]
PUTAMEN = Region(3, "Putamen R", "right", "#ff8800")


@pytest.fixture
def kept(tmp_path):
    """Make sessions that are kept in a folder of their own, and end them."""
    made = []

    def make(session, **options):
        autosave = Autosave(session, tmp_path / "recovery", delay_s=0.01, **options)
        made.append(autosave)
        return autosave

    yield make
    for autosave in made:
        autosave.stop(keep=False)


def session_on(folder, order=ORDERS[0]):
    path = folder / "chi.nii.gz"
    write_volume(stored_in(ramp(name="chi"), order), path)
    session = Session()
    chi = session.add(read_volume(path, unit="ppm"))
    empty = chi.volume.with_data(np.zeros(SHAPE, np.uint16), name="regions", unit="")
    labels = session.add(empty, role="labels", regions={3: PUTAMEN})
    session.painted = labels.id
    return session, labels


def restored(home):
    (recovery,) = find_recoveries(home)
    saved = recovery.read()
    session = Session()
    problems = saved.problems + saved.into(session)
    return session, problems, recovery


@pytest.mark.parametrize("order", ORDERS[::11], ids=code_of)
def test_strokes_come_back_on_the_grid_they_were_drawn_on(tmp_path, kept, order):
    session, labels = session_on(tmp_path, order)
    autosave = kept(session)
    rng = np.random.default_rng(1)
    for _ in range(12):
        at = rng.choice(labels.editable.size, 40, replace=False)
        session.edit_labels(labels, at, int(rng.integers(0, 300)))
        autosave.flush()
    session.history.undo()
    session.change("shape", session.case, shapes=(FixedShape(kind="sphere", size_mm=(5.0,)),))
    session.notes = "größer"
    autosave.stop(keep=True)
    back, problems, recovery = restored(tmp_path / "recovery")
    assert problems == []
    again = back.entry("regions")
    np.testing.assert_array_equal(again.editable, labels.editable)
    np.testing.assert_array_equal(again.volume.affine, labels.volume.affine)
    stored = again.volume.to_stored()
    np.testing.assert_array_equal(stored.affine, read_volume(tmp_path / "chi.nii.gz").affine)
    assert back.case.shapes == session.case.shapes and back.notes == "größer"
    assert back.painted == again.id and again.regions == {3: PUTAMEN}
    assert back.entry("chi").volume.unit == "ppm"
    assert recovery.maps == ("chi",)
    files = {p.suffix for p in recovery.folder.iterdir()}
    assert ".nii" not in files  # the map stays in its own file
    recovery.delete()
    assert find_recoveries(tmp_path / "recovery") == []


def test_only_slices_that_changed_are_written_again(tmp_path, kept):
    volume = ramp()
    data = np.zeros((256, 256, 40), np.uint16)  # eight slices at a time
    session = Session()
    labels = session.add(
        volume.__class__(data, np.eye(4), name="regions"), role="labels", regions={1: "a"}
    )
    autosave = kept(session)
    session.edit_labels(labels, np.arange(0, data.size, 5000), 1)
    assert autosave.flush()
    before = {p.name for p in autosave.folder.glob("*.part")}
    assert len(before) == 5
    session.edit_labels(labels, [7], 2)
    assert autosave.flush()
    after = {p.name for p in autosave.folder.glob("*.part")}
    assert len(after) == 5 and len(after & before) == 4


def test_computed_maps_are_kept_once_and_nothing_before_something_is_drawn(tmp_path, kept):
    session = Session()
    autosave = kept(session)
    chi = session.add(ramp(name="computed"))
    labels = session.add(
        chi.volume.with_data(np.zeros(SHAPE, np.uint16), name="regions"), role="labels"
    )
    autosave.flush()
    assert autosave.folder is None and not (tmp_path / "recovery").exists()
    session.edit_labels(labels, [5], 1)
    assert autosave.flush()
    (copy,) = autosave.folder.glob("*.nii")
    first = copy.stat()
    session.edit_labels(labels, [6], 1)
    assert autosave.flush()
    assert copy.stat().st_mtime_ns == first.st_mtime_ns
    autosave.stop(keep=True)
    back, problems, _ = restored(tmp_path / "recovery")
    assert problems == []
    np.testing.assert_array_equal(back.entry("computed").volume.data, chi.volume.data)


def test_what_was_saved_or_is_not_wanted_is_not_offered(tmp_path, kept):
    session, labels = session_on(tmp_path)
    autosave = kept(session)
    session.edit_labels(labels, [5], 1)
    assert autosave.flush()
    autosave.forget()
    assert list((tmp_path / "recovery").iterdir()) == []
    session.edit_labels(labels, [6], 1)  # work goes on after saving
    assert autosave.flush()
    autosave.stop(keep=False)
    assert list((tmp_path / "recovery").iterdir()) == []


def test_an_open_window_keeps_its_work_from_others(tmp_path, kept):
    session, labels = session_on(tmp_path)
    autosave = kept(session)
    session.edit_labels(labels, [5], 1)
    assert autosave.flush()
    assert find_recoveries(tmp_path / "recovery") == []
    assert in_use(autosave.folder)
    with pytest.raises(FileError, match="in use"):
        FolderLock(autosave.folder)
    autosave.stop(keep=True)
    first = find_recoveries(tmp_path / "recovery")
    second = find_recoveries(tmp_path / "recovery")
    first[0].take()
    with pytest.raises(FileError):
        second[0].take()
    first[0].leave()
    second[0].delete()
    with pytest.raises(FileError, match="no longer there"):
        first[0].take()


def test_restored_work_is_kept_anew_before_the_old_goes(tmp_path, kept):
    session, labels = session_on(tmp_path)
    autosave = kept(session)
    session.edit_labels(labels, [5, 6], 1)
    autosave.stop(keep=True)
    back, _, recovery = restored(tmp_path / "recovery")
    recovery.take()
    again = kept(back)
    again.keep_all(instead_of=recovery)
    assert again.flush()
    assert not recovery.folder.exists()
    again.stop(keep=True)
    third, problems, _ = restored(tmp_path / "recovery")
    assert problems == []
    np.testing.assert_array_equal(third.entry("regions").editable, labels.editable)


@pytest.mark.parametrize("where", ["part", "tie"])
def test_a_full_disk_is_told_and_the_state_before_stays(tmp_path, kept, monkeypatch, where):
    session, labels = session_on(tmp_path)
    told = []
    autosave = kept(session, failed=told.append)
    session.edit_labels(labels, [5], 1)
    assert autosave.flush()
    full = OSError(28, "No space left on device")
    real_fsync, real_replace = os.fsync, os.replace

    def no_fsync(handle):
        raise full

    def no_replace(source, target):
        raise full

    if where == "part":
        monkeypatch.setattr(os, "fsync", no_fsync)
    else:
        monkeypatch.setattr(os, "replace", no_replace)
    session.edit_labels(labels, [6], 1)
    assert not autosave.flush()
    assert len(told) == 1 and "No space left" in told[0]
    autosave._lock.release()  # as if the process had died now
    back, problems, _ = restored(tmp_path / "recovery")
    assert problems == [] and np.flatnonzero(back.entry("regions").editable.ravel("F")) == [5]
    assert (os.fsync, os.replace) != (real_fsync, real_replace)
    monkeypatch.undo()
    assert autosave.flush()  # there is room again, and that is told too
    assert told[1:] == [""]
    back, problems, _ = restored(tmp_path / "recovery")
    np.testing.assert_array_equal(back.entry("regions").editable, labels.editable)


def test_a_damaged_part_costs_its_slices_only(tmp_path, kept):
    data = np.zeros((256, 256, 24), np.uint16)
    session = Session()
    labels = session.add(ramp().__class__(data, np.eye(4), name="regions"), role="labels")
    autosave = kept(session)
    session.edit_labels(labels, np.arange(0, data.size, 1000), 1)
    autosave.stop(keep=True)
    (recovery,) = find_recoveries(tmp_path / "recovery")
    (part,) = recovery.folder.glob("*-1-*.part")
    part.write_bytes(part.read_bytes()[:-3])
    back, problems, _ = restored(tmp_path / "recovery")
    assert len(problems) == 1 and "Slices 9 to 16 of 'regions'" in problems[0]
    again = back.entry("regions").editable
    np.testing.assert_array_equal(again[:, :, :8], labels.editable[:, :, :8])
    assert not again[:, :, 8:16].any() and again[:, :, 16:].any()


def test_drawing_goes_on_while_work_is_being_written(tmp_path, kept):
    session, labels = session_on(tmp_path)
    autosave = kept(session)
    rng = np.random.default_rng(3)
    for number in range(150):
        at = rng.choice(labels.editable.size, 20, replace=False)
        session.edit_labels(labels, at, number % 7)
        if number % 25 == 0:
            session.add(ramp(name=f"more {number}"))
        time.sleep(0.001)
    autosave.stop(keep=True)
    back, problems, _ = restored(tmp_path / "recovery")
    assert problems == []
    np.testing.assert_array_equal(back.entry("regions").editable, labels.editable)
    assert len(back.maps) == len(session.maps)


def test_users_own_files_are_left_alone(tmp_path, kept):
    (tmp_path / "mine").mkdir()
    session, labels = session_on(tmp_path / "mine")
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "mine").iterdir()}
    autosave = kept(session)
    session.edit_labels(labels, [5], 1)
    autosave.stop(keep=True)
    assert before == {
        p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "mine").iterdir()
    }


def test_what_is_kept_is_what_is_saved(tmp_path, kept):
    """Two folders of one layout: only where voxels lie may differ, and who is told of what."""
    session, labels = session_on(tmp_path)
    chi = session.of_role("map")[0]
    computed(session, chi)
    session.case.midline_mm, session.notes = 1.5, "seen twice"
    session.case.use_labels(chi, labels)
    autosave = kept(session)
    session.edit_labels(labels, [5], 3)
    assert autosave.flush()
    save_session(session, autosave.folder.parent / "saved")  # as far from the maps
    files = autosave.folder / "recovery.json", tmp_path / "recovery" / "saved" / "session.json"
    background, saved = (json.loads(path.read_text("utf-8")) for path in files)
    assert set(background) - set(saved) == {"drawn", "saved_as"}
    for content in (background, saved):
        for name in ("drawn", "saved_as", "saved"):
            content.pop(name, None)
        for each in content["maps"]:
            places = {"reference", "file", "store", "table"} & set(each)
            assert places - {"table"}
            for name in places - {"reference"}:
                del each[name]
    assert background == saved
    own = read_session(autosave.folder)
    np.testing.assert_array_equal(own.maps[-1].volume.data, labels.volume.data)


def test_a_kept_map_that_was_changed_is_told(tmp_path, kept):
    session, labels = session_on(tmp_path)
    made = computed(session, session.of_role("map")[0])
    autosave = kept(session)
    session.edit_labels(labels, [5], 3)
    autosave.stop(keep=True)
    (folder,) = (tmp_path / "recovery").iterdir()
    write_volume(made.volume.with_data(made.volume.data * 2), folder / f"{made.id}.nii")
    _, problems, _ = restored(tmp_path / "recovery")
    assert len(problems) == 1 and "was changed by another program" in problems[0]


def test_the_place_is_the_users_own(own_settings):
    assert str(recovery_home()).startswith(str(own_settings))


def test_unsaved_counts_what_is_drawn(tmp_path):
    session, labels = session_on(tmp_path)
    unsaved = DirtyTracker(session)
    heard = []
    unsaved.changed.connect(heard.append)
    session.crosshair_mm = (1.0, 1.0, 1.0)
    session.set_display(labels, opacity=0.3)
    assert not unsaved.is_unsaved
    session.edit_labels(labels, [5], 1)
    count = unsaved.count
    session.edit_labels(labels, [6], 1)  # while it is being saved
    unsaved.saved(count)
    assert unsaved.is_unsaved
    unsaved.saved()
    assert not unsaved.is_unsaved and heard == [True, True, False]
    session.change("name", labels, regions={3: "other"})
    assert unsaved.is_unsaved
    unsaved.stop()
    assert heard[-1] is True and threading.active_count() >= 1


def autosave_content(autosave):
    return read_session(autosave.folder)


def computed(session, chi, name="χ made", key="result"):
    """A map as a stage of a reconstruction puts it into the session."""
    made = chi.volume.with_data(np.full(chi.volume.shape, 0.25, np.float32), name=name)
    entry = session.add(replace(made, origin=None), role="map", name=name)
    entry.provenance = {key: "inversion"}
    return entry


def test_what_was_computed_is_work_and_comes_back(kept, tmp_path):
    session, _ = session_on(tmp_path)
    unsaved, autosave = DirtyTracker(session), kept(session)
    chi = next(entry for entry in session if entry.role == "map")
    made = computed(session, chi)
    assert unsaved.is_unsaved and unsaved.sentence == "Results changed since the last save"
    autosave.stop(keep=True)
    unsaved.stop()
    (recovery,) = find_recoveries(autosave.folder.parent)
    back = Session()
    assert recovery.read().into(back) == []
    np.testing.assert_array_equal(back.entry("χ made").volume.data, made.volume.data)
    assert back.entry("χ made").provenance == {"result": "inversion"}


def test_a_removed_map_is_still_work_kept_and_undone(kept, tmp_path):
    session, labels = session_on(tmp_path)
    unsaved, autosave = DirtyTracker(session), kept(session)
    session.edit_labels(labels, [5, 6, 7], 2)
    values = labels.labels.copy()
    assert autosave.flush()
    session.discard(labels)
    assert labels not in session.maps and unsaved.is_unsaved and autosave.flush()
    back = Session()
    (words,) = autosave_content(autosave).into(back)
    assert "had been removed" in words
    found = back.entry(labels.name)
    assert not found.display.visible
    np.testing.assert_array_equal(found.labels, values)
    unsaved.saved()
    session.history.undo()
    assert session.entry(labels.id) is labels and unsaved.is_unsaved
    np.testing.assert_array_equal(labels.labels, values)
    session.history.undo()  # strokes from before it went can still be undone
    assert (labels.labels != values).sum() == 3
    session.history.redo()
    session.history.redo()
    assert session.entry(labels.id) is None
    autosave.stop(keep=False)
    unsaved.stop()


def test_the_last_map_of_a_case_comes_back_with_its_case(tmp_path):
    session, labels = session_on(tmp_path)
    other = session.study.new_case("sub-02")
    entry = session.add(labels.volume, role="labels", name="theirs", case=other)
    session.discard(entry)
    assert other not in session.cases
    session.history.undo()
    assert other in session.cases and session.case is other and other.maps == [entry]


def test_a_session_that_was_only_opened_is_unchanged_and_not_kept(kept, tmp_path):
    session, labels = session_on(tmp_path)
    computed(session, session.of_role("map")[0])
    session.case.shapes = (FixedShape(kind="sphere", size_mm=(4.0,), centre_mm=(0.0, 0.0, 0.0)),)
    session.edit_labels(labels, [5], 1)
    save_session(session, tmp_path / "work")
    opened = Session()
    unsaved, autosave = DirtyTracker(opened), kept(opened)
    read_session(tmp_path / "work").into(opened)
    opened.case.reconstruction = Reconstruction()  # as the panel does for any scan
    assert not unsaved.is_unsaved and autosave.edits == 0 and autosave.folder is None
    opened.edit_labels(opened.of_role("labels")[0], [9], 1)
    assert unsaved.is_unsaved and autosave.flush()
    back = Session()
    autosave_content(autosave).into(back)
    assert saved_as(back).folder == tmp_path / "work"
    path = save_session(back, tmp_path / "work")  # it is known for its own: nobody is asked
    assert path.parent == tmp_path / "work"
    autosave.stop(keep=False)
    unsaved.stop()


def test_a_folder_that_somebody_changed_since_the_crash_is_not_written_over(kept, tmp_path):
    session, labels = session_on(tmp_path)
    save_session(session, tmp_path / "work")
    autosave = kept(session)
    session.edit_labels(labels, [5], 1)
    assert autosave.flush()
    back = Session()
    autosave_content(autosave).into(back)
    session.notes = "somebody else's"
    save_session(session, tmp_path / "work")
    with pytest.raises(ChangedOnDisk):
        save_session(back, tmp_path / "work")
    autosave.stop(keep=False)


DRAWING = """
import sys, time
from pathlib import Path
import numpy as np
from napari_qsm.session.autosave import Autosave
from napari_qsm.session.recovery import recovery_home
from tests.test_autosave import session_on

session, labels = session_on(Path(sys.argv[1]))
autosave = Autosave(session, recovery_home(), delay_s=0.05)
rng = np.random.default_rng(7)
number = 0
while True:
    at = rng.choice(labels.editable.size, 30, replace=False)
    session.edit_labels(labels, at, number % 9 + 1)
    number += 1
    if number == 40:
        autosave.flush()
        print(number, flush=True)
    if number > 40:
        time.sleep(0.002)
"""


def test_a_killed_process_gives_its_strokes_back(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", DRAWING, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        # It is killed: a display of its own would outlive it.
        env={**os.environ, "NAPARI_QSM_OWN_DISPLAYS": ""},
    )
    try:
        assert process.stdout.readline() == "40\n"
        assert find_recoveries() == []  # it is still alive
        time.sleep(0.4)
    finally:
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait(20)
        process.stdout.close()
    back, problems, recovery = restored(recovery_home())
    assert problems == []
    assert recovery.drawn["regions"][2] == "Putamen R"
    # The same strokes again: what came back is the state after one of them, not before the 40th.
    rng = np.random.default_rng(7)
    values = np.zeros(np.prod(SHAPE), np.uint16)
    found = back.entry("regions").editable.ravel(order="F")
    for number in range(5000):
        values[rng.choice(values.size, 30, replace=False)] = number % 9 + 1
        if number >= 39 and np.array_equal(values, found):
            break
    else:
        pytest.fail("what came back is no state of the drawing")
