"""How a scan of 26 shapes is read in the reader's window: keys pressed, and the program's time.

A study of the built-in heads: a person at two visits and another one. The first visit has no
suggestions but the other side; the second one starts from the first, carried. Keys and clicks are
real events; the program's time of one is until everything is written and drawn. Run with
``python -m benchmarks reading``; on Linux without a display, under Xvfb.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_closing, binary_fill_holes

from napari_qsm.phantom.finished import FinishedHead, read_finished
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.study.worklist import assign

VISITS = {("01", "t0"): "control", ("01", "t1"): "control", ("02", "t0"): "patient"}


def make(root: Path) -> StudyFolder:
    """A study with maps, magnitudes, masks and one transform."""
    text = (resources.files("napari_qsm.rois") / "guided_presets/deep-grey-13.yaml").read_text()
    protocol = root / "protocol.yaml"
    protocol.write_text(f"placement: carried\n{text}")
    raw = root / "RAW"
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.9.0"}')
    study = make_study(root / "STUDY", load_protocol(protocol), raw)
    for key, subject in VISITS.items():
        write_scan(study.scan(*key), raw, read_finished(subject))
    moved = np.eye(4)
    moved[:3, 3] = (3.0, -4.0, 2.0)
    write_transform(study, Transform("01", "t1", "t0", moved))
    study.refresh()
    assign(study, "AA", seed=1)
    return StudyFolder(study.root)


def write_scan(scan: StudyScan, raw: Path, head: FinishedHead) -> None:
    """The files that reading needs."""
    folder = raw / f"sub-{scan.participant}" / f"ses-{scan.session}" / "anat"
    for each in (folder, scan.folder):
        each.mkdir(parents=True)
    for part in ("mag", "phase"):
        data = head.magnitude.data if part == "mag" else np.zeros(head.chi.shape)
        path = folder / f"{scan.prefix}part-{part}_T2starw.nii.gz"
        nib.save(nib.Nifti1Image(np.asarray(data, np.float32), head.chi.affine), path)
        about = {"EchoTime": 0.021, "MagneticFieldStrength": 3.0, "Units": "rad"}
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(about))
    chi = np.array(head.chi.data, np.float32)
    brain = binary_fill_holes(binary_closing(chi != 0, iterations=2)).astype(np.uint8)
    chi[(chi == 0) & (brain > 0)] = 1e-5  # whole steps of the finished head; real maps have none
    nib.save(nib.Nifti1Image(chi, head.chi.affine), scan.map)
    scan.path("Chimap.json").write_text('{"Units": "ppm"}')
    nib.save(nib.Nifti1Image(brain, head.chi.affine), scan.image("mask"))


#: Places on the left for regions that the built-in head has not.
ELSEWHERE = {
    "Nucleus accumbens": (-10.0, 26.0, -8.0),
    "Hippocampus": (-30.0, -24.0, -12.0),
    "Amygdala": (-24.0, 4.0, -20.0),
    "Claustrum": (-40.0, 10.0, 4.0),
    "Subthalamic nucleus": (-12.0, -2.0, -12.0),
    "Dentate nucleus": (-16.0, -56.0, -36.0),
}


class Reader:
    """Presses keys, clicks, and keeps the time."""

    def __init__(self, window: Any) -> None:
        self.window = window
        self.presses = self.clicks = 0
        self.times: list[tuple[float, float]] = []

    def _timed(self, act: Callable[[], object]) -> None:
        from qtpy.QtWidgets import QApplication

        start = (time.perf_counter(), time.process_time())
        act()
        for _ in range(4):
            QApplication.processEvents()
        self.times.append((time.perf_counter() - start[0], time.process_time() - start[1]))

    def press(self, key: Any, modifier: Any = None) -> None:
        """One key."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        none = Qt.KeyboardModifier.NoModifier
        target = self.window.focusWidget() or self.window
        self.presses += 1
        self._timed(lambda: QTest.keyClick(target, key, modifier or none))

    def click(self, world: np.ndarray) -> None:
        """One click on a point of the head."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        stage = self.window.stage
        x, y = stage.main.camera().to_pixel(stage.frame.world_to_display(world))
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self.clicks += 1
        self._timed(
            lambda: QTest.mouseClick(stage.main.native, left, none, QPoint(round(x), round(y)))
        )

    def wait(self, ready: Callable[[], bool]) -> float:
        """Seconds until something is so."""
        from qtpy.QtWidgets import QApplication

        start = time.perf_counter()
        while not ready():
            QApplication.processEvents()
            time.sleep(0.001)
        return time.perf_counter() - start

    def report(self, what: str) -> None:
        """One row of the table, and begin anew."""
        wall, cpu = np.array(self.times).sum(axis=0)
        worst = max(wall for wall, _ in self.times)
        print(
            f"| {what} | {self.presses} | {self.clicks} | {wall:.2f} s | {cpu:.2f} s | "
            f"{worst * 1e3:.0f} ms |",
            flush=True,
        )
        self.presses = self.clicks = 0
        self.times.clear()


def places(head: FinishedHead) -> dict[str, np.ndarray]:
    """Where a careful reader would click: the middle of each region of the head."""
    found = {}
    for region in head.label_names:
        voxels = np.argwhere(head.labels.data == region.index)
        if len(voxels):
            found[region.name] = head.labels.voxel_to_world(np.median(voxels, axis=0))
    return found


def read_scan(reader: Reader, known: dict[str, np.ndarray]) -> None:
    """Read what is on show to the end, up to handing it in."""
    from qtpy.QtCore import Qt

    work = reader.window.work
    while work.step is not None:
        if work.held is None:
            name = work.step.region_name
            at = known[name] if name in known else np.array(ELSEWHERE[name[:-2]])
            reader.window.stage.cross(at)  # with the wheel
            reader.click(at)
        reader.press(Qt.Key.Key_Return)
    while work.unanswered:
        reader.press(Qt.Key.Key_1)


def main() -> None:
    """Print the table."""
    from qtpy.QtCore import Qt

    from napari_qsm.viewer.reading import open_reading

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        study = make(Path(folder))
        known = places(read_finished("control"))
        window = open_reading(study, "AA")
        window.resize(1600, 1000)
        reader = Reader(window)
        ctrl = Qt.KeyboardModifier.ControlModifier
        print("| scan of 26 shapes | keys | clicks | program's time | processor | longest |")
        print("|---|---|---|---|---|---|")
        shown = []
        for _ in VISITS:
            if window.work is None:
                reader.press(Qt.Key.Key_Return)
                reader.wait(lambda: window.work is not None)
                reader.times.clear()
                reader.presses = 0
            work = window.work
            is_carried = bool(work.opened.places)
            read_scan(reader, known)
            reader.press(Qt.Key.Key_Return, ctrl)
            begun = reader.times[-1][0]
            waited = reader.wait(lambda work=work: window.work is not work)
            shown.append(begun + waited)
            reader.report("carried from the first visit" if is_carried else "first visit")
        print(f"\nFrom Submit to the next scan on show: {max(shown[:-1]):.2f} s at the most.")
        window.close()


if __name__ == "__main__":
    main()
