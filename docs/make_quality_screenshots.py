"""Makes the pictures of the judgement and of try-outs, from a small built-in head.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_quality_screenshots.py``).
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

from make_screenshots import IMAGES, settle
from PIL import Image
from qtpy.QtWidgets import QApplication, QPushButton, QScrollArea, QWidget

from napari_qsm.phantom import make_head
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.viewer.workspace import Workspace, open_workspace

_HEAD = {"shape": (112, 132, 64), "voxel_size_mm": (1.5, 1.5, 2.2)}


def shoot_screen(name: str) -> None:
    """Write a picture of the whole screen: the window of try-outs stands beside the main one."""
    settle(1.0)
    screen = QApplication.primaryScreen()
    path = IMAGES / f"{name}.png"
    window = max(QApplication.topLevelWidgets(), key=lambda w: w.width() * w.isVisible())
    corner, size = window.frameGeometry().topLeft(), window.frameGeometry().size()
    screen.grabWindow(0, corner.x(), corner.y(), size.width(), size.height()).save(str(path))
    Image.open(path).convert("RGB").save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def press(workspace: Workspace, name: str) -> None:
    """Press a button, wherever it is."""
    for window in QApplication.topLevelWidgets():
        for button in window.findChildren(QPushButton, name):
            if button.isVisible():
                button.click()
                settle(0.2)
                return
    raise LookupError(name)


def wait(workspace: Workspace, seconds: float = 400) -> None:
    """Let the work in the background end."""
    end = time.monotonic() + seconds
    settle(0.3)
    while workspace.central.jobs.busy and time.monotonic() < end:
        settle(0.1)
    settle(0.3)


def scroll_to(panel: Any, widget: QWidget, room: int = 0) -> None:
    """Bring a widget to the top of the panel."""
    area = panel.findChild(QScrollArea, "qsm.reconstruct.scroll")
    top = widget.mapTo(area.widget(), widget.rect().topLeft()).y()
    area.verticalScrollBar().setValue(max(top - room, 0))


def main() -> None:
    """Make all pictures."""
    head = make_head("patient", **_HEAD)
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    session = workspace.session
    for volume, role in ((head.scan.magnitude[0], "magnitude"), (head.scan.phase[0], "phase")):
        session.add(volume, role=role, case=session.case_called("patient"))
    session.case.scan = head.scan
    panel = workspace.panels.reconstruct
    workspace.tabs.setCurrentWidget(panel)
    panel.recon.use_recipe(load_recipe("case-report"))
    settle()
    press(workspace, "qsm.reconstruct.run_all")
    wait(workspace)
    scroll_to(panel, panel.quality)
    shoot_screen("quality-judged")
    panel.recon.set("phase", invert=True)  # as if the scanner counted the phase the other way
    press(workspace, "qsm.reconstruct.run_all")
    wait(workspace)
    press(workspace, "qsm.quality.unexplained")
    wait(workspace)
    scroll_to(panel, panel.quality)
    shoot_screen("quality-warnings")
    panel.recon.set("phase", invert=False)
    press(workspace, "qsm.reconstruct.run_all")
    wait(workspace)
    panel.sections["inversion"].open(True)
    settle()
    press(workspace, "qsm.tryouts.open.inversion")
    press(workspace, "qsm.tryouts.run")
    wait(workspace)
    shoot_screen("try-outs-inversion")
    panel.sweeps.close()
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1280, 720)
    settle()
    panel.sections["inversion"].open(False)
    settle()
    form = panel.quality.form
    scroll_to(panel, panel.quality.histogram)
    form.findChild(QWidget, "qsm.quality.doubtful").click()
    shoot_screen("quality-rating-light")
    panel.sweeps.open(panel.recon, "background")
    press(workspace, "qsm.tryouts.run")
    wait(workspace)
    shoot_screen("try-outs-background-light")
    workspace.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_CONFIG_HOME"] = os.environ["APPDATA"] = home
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_DATA_HOME"] = home
        main()
