"""How fast the window is: a real window on the display, sizes of real studies.

Run with ``python -m benchmarks viewer``; on Linux without a display, under Xvfb. Times are of the
processor, all threads together, as other programs at work change them least.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from qtpy.QtCore import QEvent

    from napari_qsm.study import MapEntry
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.regions.painter import Painter as PaintBrush
    from napari_qsm.viewer.workspace import Workspace

SIZES = {
    "384×312×72": ((384, 312, 72), (0.625, 0.625, 2.0)),
    "512×512×256": ((512, 512, 256), (0.45, 0.45, 0.7)),
}
STEPS = 40

#: Start to picture, in a process of its own: imports, window, file, first drawing.
START = """
import sys, time
start = time.perf_counter()
from napari_qsm.viewer.workspace import open_workspace
from qtpy.QtWidgets import QApplication
workspace = open_workspace(sys.argv[1])
for _ in range(3):
    QApplication.processEvents()
assert len(workspace.session.maps) == 1
print(time.perf_counter() - start)
workspace.close()
"""


def volume_of(size: str):
    """A smooth map and a magnitude of this size."""
    from napari_qsm.volume import Volume

    shape, voxel = SIZES[size]
    x, y, z = (np.linspace(-3, 3, n, dtype=np.float32) for n in shape)
    wave = np.sin(3 * x)[:, None, None] * np.cos(2 * y)[None, :, None] * np.sin(z)[None, None]
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = -np.array(voxel) * (np.array(shape) - 1) / 2
    data = np.asfortranarray(wave.astype(np.float32) * np.float32(0.1))
    chi = Volume(data, affine, unit="ppm", name="χ")
    return chi, chi.with_data(np.asfortranarray(np.abs(data) * 5000), unit="", name="magnitude")


def start_seconds(size: str, runs: int = 3) -> list[float]:
    """Seconds from the start of Python's work to the map on screen; the first run is cold."""
    from napari_qsm.io.nifti import write_volume

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_Chimap.nii.gz"
        write_volume(volume_of(size)[0], path)
        return [
            float(
                subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", START, str(path)],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.split()[-1]
            )
            for _ in range(runs)
        ]


def busy_seconds(act: Callable[[int], None], times: int = STEPS) -> list[float]:
    """Processor seconds of each time something is done and drawn."""
    from qtpy.QtWidgets import QApplication

    seconds = []
    for index in range(times):
        start = time.process_time()
        act(index)
        for _ in range(3):
            QApplication.processEvents()
        seconds.append(time.process_time() - start)
    return seconds


def with_regions(workspace: Workspace, size: str) -> tuple[MapEntry, PaintBrush]:
    """A magnitude, a map and a region map of 26 drawn regions; the brush, not yet in hand."""
    from qtpy.QtWidgets import QApplication, QWidget

    from napari_qsm.rois.presets import built_in_presets
    from napari_qsm.session.regions import new_region_map

    chi, magnitude = volume_of(size)
    workspace.session.add(magnitude, role="magnitude")
    entry = new_region_map(
        workspace.session, workspace.session.add(chi), built_in_presets()[1].regions
    )
    # 26 blocks round the middle, of about the size of the nuclei.
    for index in range(26):
        corner = np.array(chi.shape) // 2 + [(index % 6 - 3) * 24, (index // 6 - 2) * 24, -8]
        entry.editable[tuple(slice(max(c, 0), c + 16) for c in corner)] = index + 1
    workspace.session.take_outside_edit(entry)
    workspace.session.history.clear()
    for _ in range(20):
        QApplication.processEvents()
    return entry, workspace.viewer.window._qt_window.findChild(QWidget, "qsm.paint").painter


def sender(view: SliceView) -> Callable[[QEvent.Type, tuple[float, float]], None]:
    """Sends mouse events to a view as the system does."""
    from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
    from qtpy.QtGui import QMouseEvent, QWheelEvent
    from qtpy.QtWidgets import QApplication

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    plain = Qt.KeyboardModifier.NoModifier

    def send(kind: QEvent.Type, at: tuple[float, float], notches: int = 0) -> None:
        place = QPointF(*at)
        there = QPointF(view.native.mapToGlobal(place.toPoint()))
        if kind == QEvent.Type.Wheel:
            turn = QPoint(0, 120 * notches)
            phase = Qt.ScrollPhase.NoScrollPhase
            event = QWheelEvent(place, there, QPoint(0, 0), turn, none, plain, phase, False)
        else:
            button = none if kind == QEvent.Type.MouseMove else left
            event = QMouseEvent(kind, place, there, button, left, plain)
        QApplication.sendEvent(view.native, event)

    return send


def moving_seconds(size: str) -> dict[str, list[float]]:
    """Processor seconds of a step, a turn of the wheel, a move of a drag and of two brushes."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    from napari_qsm.viewer.workspace import open_workspace

    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    _entry, painter = with_regions(workspace, size)
    controller = workspace.controller
    view = controller.main
    middle = np.array([view.native.width(), view.native.height()]) / 2
    send = sender(view)

    def around(index: int, reach: float) -> tuple[float, float]:
        angle = 2 * np.pi * index / STEPS
        return middle[0] + reach * np.cos(angle), middle[1] + reach * np.sin(angle)

    def there(index: int) -> int:
        return 1 if index < STEPS // 2 else -1

    found = {
        "step": busy_seconds(lambda i: controller.step("axial", there(i))),
        "wheel": busy_seconds(lambda i: send(QEvent.Type.Wheel, tuple(middle), there(i))),
    }
    for name, reach, kind in (
        ("drag", 150.0, ""),
        ("brush", 60.0, "brush"),
        ("adaptive", 100.0, "adaptive"),
    ):
        if kind:
            painter.options.update({"kind": kind, "diameter_mm": 6.0, "protect": False})
        send(QEvent.Type.MouseButtonPress, around(0, reach))
        found[name] = busy_seconds(
            lambda i, reach=reach: send(QEvent.Type.MouseMove, around(i, reach))
        )
        send(QEvent.Type.MouseButtonRelease, around(0, reach))
        QApplication.processEvents()
    workspace.close()
    return found


def case_seconds(size: str) -> list[float]:
    """Processor seconds of showing one of two patients who were reconstructed before."""
    from napari_qsm.viewer.workspace import open_workspace

    workspace = open_workspace()
    session = workspace.session
    for name in ("control", "patient"):
        case = session.case_called(name)
        chi, magnitude = volume_of(size)
        for volume, role in ((magnitude, "magnitude"), (chi, "map")):
            session.add(volume, role=role, case=case)
    cases = [case.id for case in session.cases if case.maps]
    busy_seconds(lambda i: None, 3)
    seconds = busy_seconds(lambda i: setattr(session, "active_case", cases[i % 2]), 8)
    workspace.close()
    return seconds


def main() -> None:
    """Print the table."""
    print("| | " + " | ".join(SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    found = {size: moving_seconds(size) for size in SIZES}
    for size in SIZES:
        found[size]["case"] = case_seconds(size)
    for name, title in (
        ("step", "slice step, ms"),
        ("wheel", "a notch of the wheel, ms"),
        ("drag", "a move of the crosshair, ms"),
        ("brush", "a move of the brush, ms"),
        ("adaptive", "a move of the adaptive brush, ms"),
        ("case", "showing another patient, ms"),
    ):
        cells = (
            f"{1e3 * statistics.median(times):.1f} (worst {1e3 * max(times):.0f})"
            for times in (found[size][name] for size in SIZES)
        )
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    starts = (start_seconds(size) for size in SIZES)
    print("| start, cold / warm, s of the clock | ", end="")
    print(" | ".join(f"{each[0]:.1f} / {min(each[1:]):.1f}" for each in starts) + " |")


if __name__ == "__main__":
    main()
