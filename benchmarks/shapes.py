"""How fast a fixed shape follows the hand: 26 shapes on a map of a real study's size.

A step is one mouse move with the button down: the shape moves by a voxel, its numbers and
flags are worked out anew, list and table follow, all views are drawn. Run with
``python -m benchmarks shapes``; on Linux without a display, under Xvfb.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.viewer import volume_of

SHAPES = 26
STEPS = 90


def drag_seconds(size: str) -> list[tuple[float, float, float]]:
    """Seconds of each step of a drag: with drawing, without, and of processor with drawing."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    from napari_qsm.rois.shapes import FixedShape, snap
    from napari_qsm.viewer.workspace import open_workspace

    workspace = open_workspace()
    session, view = workspace.session, workspace.controller.main
    chi, magnitude = volume_of(size)
    session.add(magnitude, role="magnitude")
    session.add(chi, role="map")
    panel = workspace.panels.regions
    workspace.tabs.setCurrentWidget(panel)
    box = next(s for s in panel.sections if s.objectName() == "qsm.shapes")
    box.set_open(True)
    middle = (np.array(chi.shape) - 1) // 2
    shapes = []
    for n in range(SHAPES):
        away = np.array([(n % 6 - 2.5) * 25, (n // 6 - 2) * 25, 0])
        centre = tuple(chi.voxel_to_world(middle + away))
        shape = FixedShape(
            kind="circle", size_mm=(8.0,), slices=3, centre_mm=centre, region_name=f"Shape {n}"
        )
        shapes.append(snap(shape, chi))
    session.case.shapes = tuple(shapes)
    box.activate()
    for _ in range(20):
        QApplication.processEvents()

    def send(kind: QEvent.Type, at: tuple[float, float], buttons: Qt.MouseButton) -> None:
        place = QPointF(*at)
        button = Qt.MouseButton.LeftButton
        if kind == QEvent.Type.MouseMove:
            button = Qt.MouseButton.NoButton
        none = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, place, place, button, buttons, none)
        QApplication.sendEvent(view.native, event)

    frame = workspace.controller.frame
    assert frame is not None
    down = Qt.MouseButton.LeftButton
    start = frame.world_to_display(shapes[8].centre_mm)
    send(QEvent.Type.MouseButtonPress, view.camera().to_pixel(start), down)
    times = []
    for step in range(1, STEPS + 1):
        goal = start + np.array([step, step // 2, 0]) * np.array(chi.voxel_size_mm)
        at = view.camera().to_pixel(goal)
        busy, begin = time.process_time(), time.perf_counter()
        send(QEvent.Type.MouseMove, at, down)
        handled = time.perf_counter() - begin
        QApplication.processEvents()
        whole = time.perf_counter() - begin
        times.append((whole, handled, time.process_time() - busy))
    send(QEvent.Type.MouseButtonRelease, at, Qt.MouseButton.NoButton)
    assert session.case.shapes[8].centre_mm != shapes[8].centre_mm
    workspace.close()
    return times


def main() -> None:
    print(f"{SHAPES} shapes on the map; milliseconds a step of a drag, median and worst.\n")
    print("| map | numbers and flags | with drawing | processor | updates per second |")
    print("|---|---|---|---|---|")
    for size in ("384×312×72", "512×512×256"):
        whole, handled, busy = zip(*drag_seconds(size), strict=True)
        cells = [
            f"{1e3 * statistics.median(each):.1f} / {1e3 * max(each):.1f}"
            for each in (handled, whole, busy)
        ]
        rate = 1 / statistics.median(whole)
        print(f"| {size} | {' | '.join(cells)} | {rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
