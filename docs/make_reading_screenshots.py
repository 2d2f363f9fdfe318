"""Makes the pictures of the reader's window in the documentation, from the built-in heads.

Needs a display (``xvfb-run -s "-screen 0 1700x1100x24" python docs/make_reading_screenshots.py``).
A folder as argument takes the pictures instead, in both themes and two sizes, to be looked at.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy.ndimage import binary_closing, binary_fill_holes

from napari_qsm.io.segmentation import write_labels
from napari_qsm.phantom.finished import FinishedHead, read_finished
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.painted import painted_regions
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.suggestions import Places, Suggestions, write_suggestions
from napari_qsm.study.worklist import assign
from napari_qsm.viewer.reading.window import ReadingWindow, open_reading

IMAGES = Path(__file__).resolve().parent / "images"
#: Places on the left for regions that the built-in heads have not, RAS mm; the claustrum is put beside.
ELSEWHERE = {
    "Nucleus accumbens": (-10.0, 26.0, -8.0),
    "Hippocampus": (-30.0, -24.0, -12.0),
    "Amygdala": (-24.0, 4.0, -20.0),
    "Claustrum": (-27.0, 6.0, 1.0),
    "Subthalamic nucleus": (-12.0, -2.0, -12.0),
    "Dentate nucleus": (-16.0, -56.0, -36.0),
}
SCANS = {("01", "t0"): "control", ("01", "t1"): "control", ("02", "t0"): "patient"}


def demonstration(root: Path) -> StudyFolder:
    """A study of three maps of the built-in heads, with places from their own labels."""
    raw, protocol = root / "RAW", root / "protocol.yaml"
    protocol.write_text(
        "placement: suggested\n" + Path(_list_of_regions()).read_text("utf-8"), "utf-8"
    )
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.9.0"}')
    study = make_study(root / "STUDY", load_protocol(protocol), raw)
    for key, subject in SCANS.items():
        _write_scan(study, raw, key, read_finished(subject))
    study.refresh()
    assign(study, "AA", seed=4)
    return StudyFolder(study.root)


def _list_of_regions() -> str:
    import napari_qsm.rois

    return str(Path(napari_qsm.rois.__file__).parent / "guided_presets" / "deep-grey-13.yaml")


def _write_scan(study: StudyFolder, raw: Path, key: tuple[str, str], head: FinishedHead) -> None:
    scan = study.scan(*key)
    folder = raw / f"sub-{key[0]}" / f"ses-{key[1]}" / "anat"
    for each in (folder, scan.folder):
        each.mkdir(parents=True)
    phase = np.zeros(head.chi.shape, np.float32)
    for part, data in (("mag", head.magnitude.data), ("phase", phase)):
        path = folder / f"{scan.prefix}part-{part}_T2starw.nii.gz"
        nib.save(nib.Nifti1Image(np.asarray(data, np.float32), head.chi.affine), path)
        about = {"EchoTime": 0.021, "MagneticFieldStrength": 3.0, "Units": "rad"}
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(about))
    chi = np.array(head.chi.data, np.float32)
    brain = binary_fill_holes(binary_closing(chi != 0, iterations=2)).astype(np.uint8)
    chi[(chi == 0) & (brain > 0)] = 1e-5
    nib.save(nib.Nifti1Image(chi, head.chi.affine), scan.map)
    scan.path("Chimap.json").write_text('{"Units": "ppm"}')
    nib.save(nib.Nifti1Image(brain, head.chi.affine), scan.image("mask"))
    shapes = [s for step in study.protocol.steps() for s in _in_label(step, head)]
    write_suggestions(scan, Suggestions(Places("atlas", tuple(shapes))), head.chi)


def _in_label(step: Step, head: FinishedHead) -> list[FixedShape]:
    index = next((r.index for r in head.label_names if r.name == step.region_name), 0)
    voxels = np.argwhere(head.labels.data == index) if index else np.empty((0, 3))
    if not len(voxels):
        return []
    x, y, z = head.labels.voxel_to_world(voxels.mean(axis=0))
    return [step.shape.but(centre_mm=(float(x), float(y), float(z)))]


def painted_demonstration(root: Path) -> StudyFolder:
    """A study of one map, whose regions are painted, from the head's own labels."""
    protocol = root / "painted.yaml"
    rows = "".join(
        f"  - {{name: {name}, sides: [left, right]}}\n"
        for name in ("Caudate", "Putamen", "Globus pallidus")
    )
    protocol.write_text(f"name: x\nplacement: suggested\nmethod: painted\nregions:\n{rows}")
    raw = root / "RAW"
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.9.0"}')
    study = make_study(root / "STUDY", load_protocol(protocol), raw)
    head, scan = read_finished("patient"), study.scan("01", "t0")
    _write_scan(study, raw, ("01", "t0"), head)
    names = {r.name: r.index for r in head.label_names}
    regions = painted_regions(study.protocol.all_steps())
    values = np.zeros(head.chi.shape, np.uint16)
    for region in regions:
        values[head.labels.data == names[region.name]] = region.index
    write_labels(head.chi.with_data(values, unit=""), regions, scan.contours())
    study.refresh()
    assign(study, "AA", seed=4)
    return StudyFolder(study.root)


def paint(window: ReadingWindow, shoot) -> None:
    """Take some contours, and add to one by a stroke."""
    settle()
    key(window, Qt.Key.Key_Return)
    while window.work is None:
        settle(0.1)
    for _ in range(3):
        settle()
        key(window, Qt.Key.Key_Return)
    settle()
    work, area = window.work, window.area
    assert area.frame is not None and work.middle_mm is not None
    for shift in ((0, 0), (4, -6), (8, -12)):
        click(window, shift)
    shoot("painted")


def settle(seconds: float = 0.4) -> None:
    """Let the window draw."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def key(window: ReadingWindow, which: Qt.Key, modifier: Qt.KeyboardModifier | None = None) -> None:
    """Press a key."""
    none = Qt.KeyboardModifier.NoModifier
    QTest.keyClick(QApplication.focusWidget() or window, which, modifier or none)
    settle(0.05)


def click(window: ReadingWindow, shift: tuple[int, int]) -> None:
    """Click so many pixels beside the middle of the shape in hand."""
    area, work = window.area, window.work
    assert area.frame is not None and work is not None
    shape = work.held
    world = area.session.crosshair_mm if shape is None else shape.centre_mm
    view = area.main
    x, y = view.camera().to_pixel(area.frame.world_to_display(world))
    at = QPoint(round(x) + shift[0], round(y) + shift[1])
    QTest.mouseMove(view.native, at)
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, down in (
        (QEvent.Type.MouseButtonPress, left),
        (QEvent.Type.MouseButtonRelease, none),
    ):
        event = QMouseEvent(
            kind, QPointF(at), QPointF(at), left, down, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(view.native, event)
    settle(0.1)


def tour(window: ReadingWindow, shoot) -> None:
    """Read a scan, with a picture where there is something to see."""
    settle()
    shoot("start")
    key(window, Qt.Key.Key_Return)
    while window.work is None:
        settle(0.1)
    settle()
    shoot("suggested")
    for _ in range(4):
        key(window, Qt.Key.Key_Return)
    click(window, (14, -10))
    shoot("placed")
    key(window, Qt.Key.Key_Return)
    key(window, Qt.Key.Key_N)
    shoot("reason")
    key(window, Qt.Key.Key_1)
    key(window, Qt.Key.Key_M)
    shoot("magnitude")
    key(window, Qt.Key.Key_M)
    while window.work.step is not None:
        if window.work.held is None:
            at = ELSEWHERE[window.work.step.region_name[:-2]]
            window.area.cross(np.array(at))
            settle(0.1)
            click(window, (0, 0))
        key(window, Qt.Key.Key_Return)
    settle()
    shoot("flags")
    while window.work.unanswered:
        key(window, Qt.Key.Key_1)
    settle()
    shoot("done")


def main(folder: Path | None) -> None:
    """Make all pictures."""
    from napari.qt import get_qapp
    from napari.settings import get_settings

    app = get_qapp()
    sizes = [(1280, 720)] if folder is None else [(1600, 1000), (1280, 720)]
    for theme in ("dark",) if folder is None else ("dark", "light"):
        get_settings().appearance.theme = theme
        for size in sizes:
            study = demonstration(Path(tempfile.mkdtemp()))
            window = open_reading(study, "AA")
            window.resize(*size)

            def shoot(name: str, window: ReadingWindow = window, theme: str = theme) -> None:
                settle(0.2)
                if folder is None:
                    window.grab().save(str(IMAGES / f"reading-{name}.png"))
                else:
                    window.grab().save(str(folder / f"{theme}-{window.width()}-{name}.png"))

            tour(window, shoot)
            window.close()
            settle()
            window = open_reading(painted_demonstration(Path(tempfile.mkdtemp())), "AA")
            window.resize(*size)
            paint(window, lambda name, window=window, shoot=shoot: shoot(name, window))
            window.close()
            settle()
    del app


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
