"""How fast the window is: a real window on the display, sizes of real studies.

Run with ``python benchmarks/viewer.py``; on Linux without a display, under Xvfb.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

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


def draw_all(workspace, drawn: list[int]) -> None:
    """Let Qt paint until every canvas whose picture changed has been drawn."""
    from qtpy.QtWidgets import QApplication

    before = len(drawn)
    for _ in range(20):
        QApplication.processEvents()
        if len(drawn) > before:
            break
    QApplication.sendPostedEvents()


def moving_seconds(size: str) -> tuple[list[float], list[float], float, int, int]:
    """Seconds per slice step and per crosshair move, in three linked views with two maps.

    Also the mean processor seconds of all of them, which other programs at work change less;
    the bytes of the maps; and the bytes by which the process grew on showing them.
    """
    import psutil
    from qtpy.QtWidgets import QApplication

    from napari_qsm.viewer.workspace import open_workspace

    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    for _ in range(20):
        QApplication.processEvents()
    drawn: list[int] = []
    for view in workspace.controller.views:
        view.qt.canvas.events.draw.connect(lambda event: drawn.append(1))
    chi, magnitude = volume_of(size)
    process = psutil.Process()
    before = process.memory_info().rss
    workspace.session.add(magnitude)
    workspace.session.add(chi)
    draw_all(workspace, drawn)
    grown = process.memory_info().rss - before
    for layer in workspace.viewer.layers:
        for view in workspace.controller.views[1:]:
            assert np.shares_memory(view.layers[layer].data, layer.data)
    steps, drags = [], []
    busy = time.process_time()
    for index in range(STEPS):
        start = time.perf_counter()
        workspace.controller.step("axial", 1 if index < STEPS // 2 else -1)
        draw_all(workspace, drawn)
        steps.append(time.perf_counter() - start)
    reference = workspace.session.reference
    centre = np.array(reference.shape) / 2
    for index in range(STEPS):
        angle = 2 * np.pi * index / STEPS
        voxel = centre * (1 + 0.4 * np.array([np.cos(angle), np.sin(angle), 0]))
        start = time.perf_counter()
        workspace.controller.go_to(reference.voxel_to_world(voxel))
        draw_all(workspace, drawn)
        drags.append(time.perf_counter() - start)
    busy = (time.process_time() - busy) / (2 * STEPS)
    assert len(drawn) >= STEPS + 2 * STEPS  # one canvas per step, two per crosshair move
    held = chi.data.nbytes + magnitude.data.nbytes
    workspace.close()
    return steps, drags, busy, held, grown


def main() -> None:
    """Print the table."""
    print(
        f"{'size':14}{'start, cold / warm':>22}{'slice step':>16}{'crosshair':>18}{'processor':>13}{'memory':>34}"
    )
    for size in SIZES:
        starts = start_seconds(size)
        steps, drags, busy, held, grown = moving_seconds(size)
        step, drag = statistics.median(steps), statistics.median(drags)
        print(
            f"{size:14}{starts[0]:>9.1f} s /{min(starts[1:]):>7.1f} s"
            f"{1e3 * step:>11.0f} ms   {1 / drag:>9.0f} per s"
            f"{1e3 * busy:>10.0f} ms  "
            f"maps {held / 2**20:.0f} MiB, shown +{grown / 2**20:.0f} MiB"
        )


if __name__ == "__main__":
    main()
