"""Makes the pictures of visits side by side in the documentation, from the built-in head.

The second visit is the same head after it moved, with a little less iron in the putamen.
Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_visits_screenshots.py``).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QWidget
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import IMAGES, settle, shoot

from napari_qsm.io.nifti import write_volume
from napari_qsm.phantom import make_head
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.opening import load
from napari_qsm.session.visits import links_on_show
from napari_qsm.viewer.workspace import Workspace, open_workspace
from napari_qsm.volume import Volume

GRID = {"shape": (150, 180, 76), "voxel_size_mm": (1.2, 1.2, 2.0)}


def motion() -> np.ndarray:
    """Points of the first head to points of the second."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (5, -3, 8), degrees=True).as_matrix()
    matrix[:3, 3] = (6.0, -5.0, 4.0)
    return matrix


def write_visits(folder: Path) -> list[Path]:
    """Maps and magnitudes of two visits under BIDS names."""
    paths = []
    for number, matrix in enumerate((np.eye(4), motion())):
        b0 = tuple(np.linalg.inv(matrix[:3, :3]) @ [0, 0, 1])
        head = make_head("patient", b0_direction=b0, seed=number + 1, **GRID)
        rng = np.random.default_rng(number)
        chi = np.array(head.chi.data, dtype=np.float32)
        names = {region.name: region.index for region in head.label_names}
        for side in "LR":
            putamen = head.labels.data == names[f"Putamen {side}"]
            chi[putamen] -= 0.012 * number
        chi = (chi + rng.normal(0, 0.008, chi.shape).astype(np.float32)) * (head.mask.data > 0)
        where = folder / "sub-01" / f"ses-t{number}" / "anat"
        where.mkdir(parents=True)
        stem = where / f"sub-01_ses-t{number}"
        affine = matrix @ head.chi.affine
        Path(f"{stem}_Chimap.json").write_text('{"Units": "ppm"}', "utf-8")
        files = {"Chimap": Volume(chi, affine, unit="ppm")}
        files["part-mag_T2starw"] = Volume(head.scan.magnitude[0].data, affine)
        for name, volume in files.items():
            path = Path(f"{stem}_{name}.nii.gz")
            write_volume(volume, path)
            paths.append(path)
    return paths


def place_shapes(workspace: Workspace) -> None:
    """Circles of 6 mm in the putamina of the first visit."""
    head = make_head("patient", **GRID)
    names = {region.name: region.index for region in head.label_names}
    case = next(c for c in workspace.session.cases if c.visit == "t0")
    volume = case.of_role("map")[0].volume
    shapes = []
    for name in ("Putamen L", "Putamen R", "Globus pallidus L", "Globus pallidus R"):
        voxels = np.argwhere(head.labels.data == names[name])
        middle = voxels[voxels[:, 2] == int(np.median(voxels[:, 2]))].mean(axis=0)
        x, y, z = (float(v) for v in head.labels.voxel_to_world(middle))
        made = FixedShape(kind="circle", size_mm=(6.0,), slices=3, centre_mm=(x, y, z),
                          region_name=name, side="left" if name.endswith("L") else "right")  # fmt: skip
        shapes.append(snap(made, volume))
    case.shapes = tuple(shapes)


def main() -> None:
    """Make all pictures."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_visits(Path(folder))
        workspace.show_loaded(load(paths), paths=paths)
        session, box = workspace.session, workspace.panels.display.visits
        session.unit = "ppb"
        session.active_case = next(c.id for c in session.cases if c.visit == "t0")
        workspace.tabs.setCurrentWidget(workspace.panels.display)
        box.set_open(True)
        place_shapes(workspace)
        box.toggle()
        for _ in range(600):
            settle(0.1)
            if links_on_show(session):
                break
        workspace.controller.go_to(np.array(session.case.shapes[0].centre_mm))
        settle(0.5)
        shoot(workspace, "visits-beside")
        box.show_changes()
        assert box.changes is not None
        by = box.changes.findChild(QWidget, "qsm.changes.by")
        by.setCurrentIndex(by.findData("literature"))
        by.activated.emit(by.currentIndex())
        settle(0.5)
        box.changes.grab().save(str(IMAGES / "visits-changes.png"))
        box.changes.close()
        box.figure_asked.emit()
        for _ in range(100):
            settle(0.1)
        shoot(workspace, "visits-figure")
        workspace.tabs.setCurrentWidget(workspace.panels.display)
        box._show_boards()
        settle(0.5)
        board = workspace.services.window.findChild(QWidget, "qsm.visits.board")
        board.grab().save(str(IMAGES / "visits-checkerboard.png"))
        board.close()
        workspace.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        # Pictures show the program as it first starts, whatever its user has chosen since.
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        os.environ["APPDATA"] = os.environ["LOCALAPPDATA"] = home
        main()
