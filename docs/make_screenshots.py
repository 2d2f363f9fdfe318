"""Makes the pictures of the window in the documentation, from the built-in heads.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_screenshots.py``).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_qsm.viewer.opening import load_head
from napari_qsm.viewer.settings import settings_file
from napari_qsm.viewer.workspace import Workspace, open_workspace

IMAGES = Path(__file__).parent / "images"
SIZE = (1440, 900)
LARGEST_BYTES = 400_000


def settle(seconds: float = 0.4) -> None:
    """Let the window finish drawing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def shoot(workspace: Workspace, name: str) -> None:
    """Write a picture of the window, small enough for a web page."""
    settle()
    shot = workspace.viewer.window.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(np.asarray(shot)[..., :3])
    path = IMAGES / f"{name}.png"
    picture.save(path, optimize=True)
    for colours in (256, 128, 64):
        if path.stat().st_size <= LARGEST_BYTES:
            break
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def at_putamen(workspace: Workspace, subject: str) -> None:
    """Put the crosshair into the left putamen."""
    labels = workspace.session.entry(f"regions {subject}")
    index = next(k for k, region in labels.regions.items() if region.name == "Putamen L")
    voxels = np.argwhere(labels.volume.data == index)
    workspace.controller.go_to(labels.volume.voxel_to_world(voxels.mean(axis=0)))


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(exist_ok=True)
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    shoot(workspace, "workspace-empty")
    session = workspace.session
    for subject in ("patient", "control"):
        load_head(subject).into(session)
    workspace.tabs.setCurrentIndex(1)
    chi, patient = session.entry("χ control"), session.entry("χ patient")
    at_putamen(workspace, "control")
    shoot(workspace, "workspace-three-views")
    for labels in session.of_role("labels"):
        session.set_display(labels, visible=False)
    session.set_display(chi, colouring="inverted")
    shoot(workspace, "workspace-inverted")
    session.set_display(chi, colouring="colour", window=(0.0, 0.15), threshold_low=0.02)
    shoot(workspace, "workspace-colour")
    session.set_display(chi, colouring="both sides", window=(-0.1, 0.1), threshold_low=0.03)
    shoot(workspace, "workspace-both-sides")
    session.set_display(chi, colouring="colour", window=(0.0, 0.15), threshold_low=0.02)
    session.compared = (chi.id, patient.id)
    session.layout = "compare"
    shoot(workspace, "workspace-compare")
    session.set_display(chi, colouring="grey", window=(-0.1, 0.2), threshold_low=None)
    session.mix = "curtain"
    shoot(workspace, "workspace-curtain")
    session.mix = "checkerboard"
    shoot(workspace, "workspace-checkerboard")
    session.mix = "side by side"
    session.layout = "one"
    shoot(workspace, "workspace-one-view")
    session.layout = "volume"
    settle(2)
    shoot(workspace, "workspace-volume")
    session.layout = "three"
    workspace.toggle_help()
    shoot(workspace, "workspace-keys")
    workspace.toggle_help()
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1280, 720)
    workspace.tabs.setCurrentIndex(0)
    shoot(workspace, "workspace-light")
    workspace.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        # Pictures show the program as it first starts, whatever its user has chosen since.
        import os

        os.environ["XDG_CONFIG_HOME"] = os.environ["APPDATA"] = home
        if sys.platform == "darwin" and settings_file().exists():
            sys.exit("Rename the settings file first; the pictures show a first start.")
        main()
