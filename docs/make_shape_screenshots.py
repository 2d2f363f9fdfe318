"""Makes the pictures of fixed shapes in the documentation, from the built-in head.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_shape_screenshots.py``).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import settle, shoot

from napari_qsm.session.opening import load_head
from napari_qsm.viewer.workspace import Workspace, open_workspace


def place_of(workspace: Workspace, name: str) -> np.ndarray:
    """World mm of a voxel well inside a region."""
    labels = workspace.session.of_role("labels")[0]
    index = next(k for k, region in labels.regions.items() if region.name == name)
    voxels = np.argwhere(labels.volume.data == index)
    middle = np.median(voxels[:, 2])
    voxels = voxels[voxels[:, 2] == int(middle)]
    nearest = np.abs(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()
    return labels.volume.voxel_to_world(voxels[nearest])


def mouse(workspace: Workspace, world: np.ndarray, kind: QEvent.Type) -> None:
    """A mouse event on the large view, over a point of the head."""
    view, frame = workspace.controller.main, workspace.controller.frame
    assert frame is not None
    at = QPointF(*view.camera().to_pixel(frame.world_to_display(world)))
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    down = left if kind == QEvent.Type.MouseButtonPress else none
    event = QMouseEvent(kind, at, at, button, down, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view.native, event)


def click(workspace: Workspace, world: np.ndarray) -> None:
    """Go to the slice and click."""
    workspace.controller.go_to(world)
    settle(0.2)
    mouse(workspace, world, QEvent.Type.MouseButtonPress)
    mouse(workspace, world, QEvent.Type.MouseButtonRelease)
    settle(0.2)


def main() -> None:
    """Make all pictures."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    load_head("control").into(workspace.session)
    session, controller = workspace.session, workspace.controller
    session.set_display(session.of_role("labels")[0], visible=False)
    session.crosshair_visible = False
    panel = workspace.panels.regions
    workspace.tabs.setCurrentWidget(panel)
    box = next(s for s in panel.sections if s.objectName() == "qsm.shapes")
    for section in panel.sections:
        if hasattr(section, "set_open"):
            section.set_open(section is box)
    settle()

    def show(widget: QWidget) -> None:
        """Scroll the panel until a control is at its top."""
        scroll = panel.findChild(QScrollArea)
        top = widget.mapTo(scroll.widget(), widget.rect().topLeft()).y()
        scroll.verticalScrollBar().setValue(top - 8)

    box.activate()
    putamen = place_of(workspace, "Putamen L")
    box.work.set_template(
        kind="ellipse",
        size_mm=(12.0, 5.0),
        rotation_deg=75.0,
        **box.work.region_fields("Putamen L"),
    )
    controller.go_to(putamen)
    show(box)
    settle()
    mouse(workspace, putamen, QEvent.Type.MouseMove)
    shoot(workspace, "fixed-shapes-ghost")
    box.guide_box.start("deep-grey-13")
    for name in ("Caudate L", "Caudate R", "Putamen L", "Putamen R"):
        click(workspace, place_of(workspace, name))
    pallidum = place_of(workspace, "Globus pallidus L")
    controller.go_to(pallidum)
    settle()
    mouse(workspace, pallidum, QEvent.Type.MouseMove)
    show(box)
    shoot(workspace, "fixed-shapes-guided")
    workspace.viewer.window.resize(1280, 720)
    settle()
    mouse(workspace, pallidum, QEvent.Type.MouseMove)
    show(box)
    shoot(workspace, "fixed-shapes-guided-small")
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1600, 1000)
    box.guide.stop()
    size = {"kind": "circle", "size_mm": (4.0,), "slices": 2}
    box.work.set_template(**box.work.region_fields("Globus pallidus L"), **size)
    pallidum_low = pallidum + np.array([-3.0, 2.0, 0.0])
    click(workspace, pallidum)
    box.work.set_template(**box.work.region_fields("Thalamus L"))
    click(workspace, pallidum_low)
    box.work.hover("axial", None)
    show(box.list)
    shoot(workspace, "fixed-shapes-list")
    workspace.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        # Pictures show the program as it first starts, whatever its user has chosen since.
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        os.environ["APPDATA"] = os.environ["LOCALAPPDATA"] = home
        main()
