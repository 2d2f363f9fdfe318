"""How fast drawing is: a real window on the display, sizes of real studies, 26 regions.

Run with ``python -m benchmarks regions``; on Linux without a display, under Xvfb.
"""

from __future__ import annotations

import statistics
import time
from itertools import product

import numpy as np

from benchmarks.timing import machine, pair_seconds

SIZES = {
    "384×312×72": ((384, 312, 72), (0.625, 0.625, 2.0)),
    "512×512×256": ((512, 512, 256), (0.45, 0.45, 0.7)),
}
MOVES = 60


def opened(size: str):
    """A workspace with a map and a region map of 26 drawn regions, the brush in hand."""
    from qtpy.QtWidgets import QApplication, QWidget

    from napari_qsm.rois.presets import built_in_presets
    from napari_qsm.session.regions import new_region_map
    from napari_qsm.viewer.workspace import open_workspace
    from napari_qsm.volume import Volume

    shape, voxel = SIZES[size]
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32) * 0.05
    values[: shape[0] // 2] += 0.25  # an edge under the adaptive brush
    affine = np.diag([*voxel, 1.0])
    chi = workspace.session.add(Volume(values, affine, unit="ppm", name="χ"))
    entry = new_region_map(workspace.session, chi, built_in_presets()[1].regions)
    # 26 blocks round the middle, of about the size of the nuclei.
    middle = np.array(shape) // 2
    for index in range(26):
        corner = middle + np.array([(index % 6 - 3) * 24, (index // 6 - 2) * 24, -8])
        part = tuple(slice(max(c, 0), c + 16) for c in corner)
        entry.editable[part] = index + 1
    workspace.session.take_outside_edit(entry)
    workspace.session.history.clear()
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    painter = workspace.viewer.window._qt_window.findChild(QWidget, "qsm.paint").painter
    painter.options.update({"kind": "brush", "diameter_mm": 6.0, "protect": False})
    for _ in range(30):
        QApplication.processEvents()
    return workspace, painter, entry


def paint_seconds(workspace, painter, kind: str, *, in_3d: bool) -> tuple[list[float], list[float]]:
    """Seconds of each move of the hand while painting, and of each undo and redo.

    From the mouse event until the session, the label map and what has to be drawn are up to
    date; the graphics card draws when Qt next asks for a picture, which is not counted.
    """
    from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    painter.options.update({"kind": kind, "in_3d": in_3d})
    view = workspace.controller.main
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    centre = QPoint(view.native.width() // 2, view.native.height() // 2)

    def send(kind, at, button, buttons):
        where = QPointF(view.native.mapToGlobal(at))
        plain = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, QPointF(at), where, button, buttons, plain)
        start = time.perf_counter()
        QApplication.sendEvent(view.native, event)
        return time.perf_counter() - start

    moves, undos = [], []
    for stroke in range(3):
        send(QEvent.Type.MouseButtonPress, centre, left, left)
        for step in range(MOVES // 3):
            angle = 2 * np.pi * step / (MOVES // 3)
            away = QPoint(round(70 * np.cos(angle)), round((40 + 10 * stroke) * np.sin(angle)))
            moves.append(send(QEvent.Type.MouseMove, centre + away, none, left))
            QApplication.processEvents()
        send(QEvent.Type.MouseButtonRelease, centre, left, none)
        QApplication.processEvents()
        history = workspace.session.history
        for call in (history.undo, history.redo, history.undo):
            start = time.perf_counter()
            assert call()
            undos.append(time.perf_counter() - start)
            QApplication.processEvents()
    return moves, undos


def painting() -> None:
    """Print what a move of the brush and an undo cost."""
    print(f"painting with a 6 mm tip, 26 regions, three views; {machine()}")
    print(f"{'size':14}{'tip':>16}{'paint move':>24}{'undo, redo':>24}")
    for size, (shape, _) in SIZES.items():
        workspace, painter, _entry = opened(size)
        pair = pair_seconds(shape)
        for kind, in_3d in product(("brush", "adaptive"), (False, True)):
            moves, undos = paint_seconds(workspace, painter, kind, in_3d=in_3d)
            texts = []
            for times in (moves, undos):
                middle, worst = statistics.median(times), max(times)
                texts.append(f"{1e3 * middle:.1f} ms, worst {1e3 * worst:.1f}")
            tip = f"{kind}, {'ball' if in_3d else 'flat'}"
            print(f"{size:14}{tip:>16}{texts[0]:>24}{texts[1]:>24}", end="")
            print(f"   (FFT pair {1e3 * pair:.0f} ms)")
        workspace.close()


def table_seconds(workspace, entry) -> list[float]:
    """Seconds from an edit of one brush step to the numbers that stand in the table."""
    from qtpy.QtWidgets import QApplication

    table, session = workspace.table_panel, workspace.session
    middle = np.array(entry.editable.shape) // 2
    offsets = np.arange(-5, 6)
    across, up = np.meshgrid(offsets, offsets, indexing="ij")
    disc = across**2 + up**2 <= 25
    times = []
    for step in range(MOVES):
        angle = 2 * np.pi * step / MOVES
        x = across[disc] + middle[0] + round(40 * np.cos(angle))
        y = up[disc] + middle[1] + round(40 * np.sin(angle))
        z = np.full_like(x, middle[2])
        at = np.ravel_multi_index((x, y, z), entry.editable.shape, order="F")
        label = 1 + step % 26
        row = next(i for i, each in enumerate(table.rows()) if each.label == label)
        before = table.table.content.lines[row].cells[3]
        start = time.perf_counter()
        changed = session.edit_labels(entry, at, label)
        while changed and table.table.content.lines[row].cells[3] == before:
            QApplication.processEvents()
        times.append(time.perf_counter() - start)
        # As between two moves of a hand: the table's own pause is over.
        until = time.perf_counter() + 0.04
        while time.perf_counter() < until:
            QApplication.processEvents()
    return times


def stroke_to_table() -> None:
    """Print how long numbers take to follow the brush."""
    print(f"stroke to table: 26 regions, median and extremes shown; {machine()}")
    for size, (shape, _) in SIZES.items():
        workspace, _painter, entry = opened(size)
        workspace.table_panel.update_now()
        times = table_seconds(workspace, entry)
        middle, worst = statistics.median(times), max(times)
        print(
            f"{size:14}{1e3 * middle:.1f} ms, worst {1e3 * worst:.1f}   "
            f"(FFT pair {1e3 * pair_seconds(shape):.0f} ms)"
        )
        workspace.close()


def main() -> None:
    """Print the tables."""
    painting()
    stroke_to_table()


if __name__ == "__main__":
    main()
