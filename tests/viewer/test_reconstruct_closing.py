"""The window closed while a reconstruction runs."""

import threading
import time
from dataclasses import replace

import pytest

from napari_qsm.phantom import make_head
from napari_qsm.session.opening import Loaded, Opened
from tests.viewer.actions import press
from tests.viewer.conftest import settle


@pytest.mark.window
def test_closing_the_window_in_mid_run_ends_cleanly(own_window):
    head = make_head("control", shape=(32, 36, 20), voxel_size_mm=(5.5, 5.5, 7.0))
    magnitude = Opened(head.scan.magnitude[0], "magnitude", case_name="control")
    Loaded(maps=[magnitude], scan=head.scan).into(own_window.session)
    panel = own_window.panels.reconstruct
    own_window.tabs.setCurrentWidget(panel)
    started = threading.Event()

    def endless(*args, progress, **kwargs):
        started.set()
        while True:
            progress(0.5)
            time.sleep(0.01)

    choice = panel.recon.choices["phase"]
    method = replace(choice.method, function=endless, reports=frozenset({"progress"}))
    panel.recon.choices["phase"] = replace(choice, method=method)
    settle()
    press(own_window, "qsm.reconstruct.run_all")
    assert started.wait(60)
    settle()
    assert panel.recon.state("phase") == "running" and panel.recon.state("mask") == "waiting"
    own_window.leave()
    settle(10)
    assert not any(t.name.startswith("qsm: Reading the scan") for t in threading.enumerate())
