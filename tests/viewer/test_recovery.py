"""What becomes of work when a window closes, is taken away or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_qsm.io.nifti import read_volume
from napari_qsm.session.recovery import find_recoveries
from tests.viewer.actions import Answers, child, press
from tests.viewer.conftest import SHAPE, settle
from tests.viewer.test_saving import wait_for, with_regions

pytestmark = pytest.mark.window
ROOT = Path(__file__).resolve().parents[2]


def test_closing_asks_and_keeps_its_word(own_window, tmp_path):
    workspace = own_window
    window = workspace.viewer.window._qt_window
    labels = with_regions(workspace, tmp_path)
    workspace.save(tmp_path / "work")
    workspace.session.edit_labels(labels, np.arange(40), 2)
    answers = Answers("qsm.closing.cancel")
    assert not window.close() and window.isVisible()
    answers.done()
    answers = Answers("qsm.closing.save")
    assert workspace.saving.may_close()
    answers.done()
    assert (read_volume(tmp_path / "work" / "regions.nii.gz").data == 2).sum() == 40
    assert workspace.saving.may_close()  # nothing to ask now
    workspace.session.edit_labels(labels, np.arange(60), 2)
    assert workspace.saving.autosave.flush()
    answers = Answers("qsm.closing.drop")
    assert workspace.saving.may_close()
    answers.done()
    workspace.leave()
    assert find_recoveries() == []
    assert (read_volume(tmp_path / "work" / "regions.nii.gz").data == 2).sum() == 40


def test_a_window_that_is_taken_away_unasked_leaves_its_work(own_window, tmp_path):
    labels = with_regions(own_window, tmp_path)
    own_window.session.edit_labels(labels, np.arange(40), 2)
    own_window.leave()
    (recovery,) = find_recoveries()
    assert recovery.drawn == {"regions": ["Putamen R", "Putamen L"]}


KILLED = """
import os, sys
from pathlib import Path
import napari
import numpy as np
from qtpy.QtCore import QTimer
from napari_qsm.viewer.workspace import open_workspace
from napari_qsm.session.opening import load
from tests.viewer.test_saving import with_regions

workspace = open_workspace()
labels = with_regions(workspace, Path(sys.argv[1]))

def draw():
    workspace.session.edit_labels(labels, np.arange(1000, 1123), 2)
    QTimer.singleShot(2000, lambda: print("drawn", flush=True))

QTimer.singleShot(200, draw)
napari.run()
"""


def test_the_next_start_offers_what_a_killed_window_kept(own_window, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # On this display: one of its own would outlive it.
        env={**os.environ, "NAPARI_CONFIG": "", "NAPARI_QSM_OWN_DISPLAYS": ""},
    )
    try:
        assert process.stdout.readline() == "drawn\n"
        own_window.saving.offer_recoveries()
        assert child(own_window, "qsm.recovery").isHidden()  # its window is still open
    finally:
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait(20)
        process.stdout.close()
    own_window.saving.offer_recoveries()
    settle()
    assert child(own_window, "qsm.recovery").isVisible()
    text = child(own_window, "qsm.recovery.text").text()
    assert "today" in text or "yesterday" in text
    assert "Maps: chi" in text and "Putamen R, Putamen L" in text
    (recovery,) = find_recoveries()
    press(own_window, "qsm.recovery.restore")
    wait_for(lambda: not recovery.folder.exists())
    labels = own_window.session.entry("regions")
    expected = np.zeros(SHAPE, np.uint16)
    expected[2:5, 3:6, 4:7] = 1
    flat = expected.ravel(order="F")
    flat[1000:1123] = 2
    np.testing.assert_array_equal(labels.editable.ravel(order="F"), flat)
    assert own_window.session.entry("chi").volume.origin.name == "chi.nii.gz"
    assert child(own_window, "qsm.recovery").isHidden()
    assert own_window.saving.unsaved.is_unsaved


def test_the_offer_can_wait_and_deleting_asks_twice(own_window, make_napari_viewer, tmp_path):
    from napari_qsm.viewer.workspace import Workspace

    labels = with_regions(own_window, tmp_path)
    own_window.session.edit_labels(labels, np.arange(40), 2)
    own_window.leave()
    second = Workspace(make_napari_viewer(show=True))
    second.saving.offer_recoveries()
    press(second, "qsm.recovery.later")
    assert child(second, "qsm.recovery").isHidden() and len(find_recoveries()) == 1
    second.saving.offer_recoveries()
    press(second, "qsm.recovery.delete")
    assert len(find_recoveries()) == 1
    press(second, "qsm.recovery.restore")  # now "Keep it"
    assert len(find_recoveries()) == 1 and not second.session.maps
    press(second, "qsm.recovery.delete")
    press(second, "qsm.recovery.delete")
    assert find_recoveries() == []
    second.leave()
