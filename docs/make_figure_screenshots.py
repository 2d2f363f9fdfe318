# ruff: noqa: T201, TID253
"""Makes the pictures of the Figure panel in the documentation, from the built-in heads.

Needs a display, and some minutes: both heads are reconstructed as in ``napari-qsm demo``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from make_screenshots import settle, shoot
from qtpy.QtWidgets import QPushButton, QScrollArea

from napari_qsm.viewer.workspace import Workspace, open_workspace


def wait(workspace: Workspace) -> None:
    """Until everything is made and drawn."""
    work = workspace.panels.figure.work
    settle()
    while workspace.central.jobs.busy or work.renderer.busy:
        settle(0.2)


def fold(panel: Any, name: str) -> None:
    """Open or close a section."""
    panel.findChild(QPushButton, f"qsm.figure.{name}_fold").click()
    settle()


def drag(workspace: Workspace, start_mm: Any, end_mm: Any) -> None:
    """Draw with the tool at hand in the large view."""
    view, frame = workspace.controller.main, workspace.controller.frame
    tool = workspace.controller.tool
    assert frame is not None and tool is not None
    start, end = frame.world_to_display(start_mm), frame.world_to_display(end_mm)
    tool.press(view, start)
    for part in (0.5, 1.0):
        tool.drag(view, start + part * (end - start))
    tool.release(view, end)


def marks(workspace: Workspace, panel: Any) -> None:
    """A line of known length and words, beside the template's marks."""
    x, y, z = workspace.session.crosshair_mm
    box = panel._marks
    box._on_tool("line", True)
    drag(workspace, (x - 4, y - 19, z), (x + 3, y + 18, z))
    box._on_tool("text", True)
    drag(workspace, (x - 22, y + 10, z), (x - 22, y + 11, z))
    box._on_field("text", "iron")


def main() -> None:
    """Make all pictures."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    workspace.open_head()
    wait(workspace)
    panel = workspace.panels.figure
    scroll = panel.findChild(QScrollArea).verticalScrollBar()
    shoot(workspace, "figure-panel-demo")
    panel.preview.large.open()
    settle(3)
    shoot(workspace, "figure-panel-large")
    panel.preview.large.hide()
    panel.templates.choose("case-report-2")
    wait(workspace)
    fold(panel, "panel")
    fold(panel, "marks")
    workspace.session.crosshair_visible = False
    view = workspace.controller.main
    view.zoom.factor = 2.2
    workspace.controller.centre()
    marks(workspace, panel)
    wait(workspace)
    scroll.setValue(scroll.maximum())
    shoot(workspace, "figure-panel-marks")
    panel._marks._on_tool("text", False)
    fold(panel, "marks")
    fold(panel, "panel")
    scroll.setValue(scroll.maximum())
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1280, 720)
    settle()
    scroll.setValue(430)
    shoot(workspace, "figure-panel-light")
    workspace.viewer.theme = "dark"
    panel.preview.large.open()
    settle(3)
    workspace.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
            os.environ[name] = home
        main()
        if sys.platform != "win32":
            import resource

            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB at most")
