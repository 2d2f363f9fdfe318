"""Makes the pictures of the window in the documentation, from the built-in heads.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_screenshots.py``); names
of parts (``workspace``, ``tools``) make these alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QPushButton, QScrollArea, QToolButton, QWidget

from napari_qsm.phantom.finished import read_finished
from napari_qsm.rois.presets import built_in_presets
from napari_qsm.session import recents
from napari_qsm.session.opening import load_head
from napari_qsm.session.settings import settings_file
from napari_qsm.study.controls import read_controls
from napari_qsm.viewer.demonstration import finished_subject, show_subject
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


def shoot_screen(workspace: Workspace, name: str) -> None:
    """The same with what stands before the window, such as an open menu."""
    window = workspace.viewer.window._qt_window
    window.move(0, 0)
    settle()
    screen = QApplication.primaryScreen()
    path = IMAGES / f"{name}.png"
    screen.grabWindow(0).copy(window.geometry()).save(str(path))
    picture = Image.open(path).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def hold_brush(
    workspace: Workspace, path_mm: list[tuple[float, float, float]]
) -> Callable[[], None]:
    """Paint along a way in the large view and keep the button down; call the result to let go."""
    view = workspace.controller.main
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton

    def send(kind: QEvent.Type, point: tuple[float, float, float], button: Qt.MouseButton) -> None:
        display = workspace.controller.frame.world_to_display(point)
        at = QPointF(*view.camera().to_pixel(display))
        everywhere = QPointF(view.native.mapToGlobal(at.toPoint()))
        plain = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(view.native, QMouseEvent(kind, at, everywhere, button, left, plain))

    send(QEvent.Type.MouseButtonPress, path_mm[0], left)
    for point in path_mm:
        send(QEvent.Type.MouseMove, point, none)
        settle(0.1)
    return lambda: send(QEvent.Type.MouseButtonRelease, path_mm[-1], left)


def regions() -> None:
    """Pictures of the Regions tab: starting, painting, changing, mirroring."""
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    loaded = load_head("control")
    loaded.maps = [each for each in loaded.maps if each.role != "labels"]
    loaded.into(workspace.session)
    workspace.controller.go_to((26, 2, 2))
    panel = workspace.panels.regions
    workspace.tabs.setCurrentWidget(panel)
    lists = panel.findChild(QToolButton, "qsm.regions.presets")
    settle()
    lists.menu().popup(lists.mapToGlobal(lists.rect().bottomLeft()))
    shoot_screen(workspace, "regions-lists")
    lists.menu().hide()
    lists.use_preset(built_in_presets()[0])
    workspace.session.active_region = 2
    painter = panel.findChild(QWidget, "qsm.paint").painter
    painter.options.update(
        {"diameter_mm": 6.0, "in_3d": True, "limited": True, "window_ppm": (0.025, 0.3)}
    )
    painter.use("brush")
    settle()
    way = [(22, 14, 2), (25, 6, 2), (27, 0, 2), (28, -6, 2), (27.5, -9, 2), (27, -4, 2), (26, 2, 2)]
    let_go = hold_brush(workspace, way)
    shoot(workspace, "regions-painting")
    let_go()
    painter.use("")
    workspace.session.case.midline_mm = 0.0
    for name in ("qsm.change", "qsm.mirror"):
        panel.findChild(QWidget, name).set_open(True)
    settle()
    panel.findChild(QPushButton, "qsm.mirror.do").click()
    workspace.central.message.clear()
    bar = panel.findChild(QScrollArea).verticalScrollBar()
    bar.setValue(bar.maximum())
    shoot(workspace, "regions-other-side")
    for name in ("qsm.change", "qsm.mirror"):
        panel.findChild(QWidget, name).set_open(False)
    bar.setValue(0)
    workspace.close()


def tools() -> None:
    """Pictures of the tools that look at the map: growth, adaptive brush, an opened outline."""
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    loaded = load_head("control")
    loaded.maps = [each for each in loaded.maps if each.role != "labels"]
    loaded.into(workspace.session)
    workspace.controller.go_to((26, 2, 2))
    panel = workspace.panels.regions
    workspace.tabs.setCurrentWidget(panel)
    panel.findChild(QToolButton, "qsm.regions.presets").use_preset(built_in_presets()[0])
    workspace.session.active_region = 2
    painter = panel.paint.painter
    view = workspace.controller.main
    painter.options.update({"in_3d": True, "window_ppm": (0.04, 0.3), "radius_mm": 16.0})
    painter.use("grow")
    settle()
    hold_brush(workspace, [(26, 2, 2)])()
    shoot(workspace, "regions-grow")
    painter.take()
    painter.options.update({"in_3d": False, "diameter_mm": 9.0})
    painter.open_outline()
    shoot(workspace, "regions-polygon")
    painter.cancel()
    painter.use("adaptive")
    workspace.session.active_region = 4
    frame = workspace.controller.frame
    none = Qt.MouseButton.NoButton
    plain = Qt.KeyboardModifier.NoModifier
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1280, 720)
    settle()
    at = QPointF(*view.camera().to_pixel(frame.world_to_display((17.0, -2.0, 2.0))))
    there = QPointF(view.native.mapToGlobal(at.toPoint()))
    event = QMouseEvent(QEvent.Type.MouseMove, at, there, none, none, plain)
    QApplication.sendEvent(view.native, event)
    shoot(workspace, "regions-adaptive")
    workspace.close()


def reconstruct() -> None:
    """The Reconstruct tab in each of its states, on a small head."""
    from napari_qsm.phantom import SMALL, make_head
    from napari_qsm.session.opening import Loaded, Opened

    workspace = open_workspace()
    window = workspace.viewer.window
    window.resize(*SIZE)
    panel = workspace.panels.reconstruct
    workspace.tabs.setCurrentWidget(panel)
    head = make_head("control", **SMALL, echo_times_s=(0.008, 0.016), seed=3)
    magnitude = Opened(head.scan.magnitude[0], "magnitude", case_name="control")
    Loaded(maps=[magnitude], scan=head.scan).into(workspace.session)

    def press(name: str) -> None:
        found = panel.findChild((QPushButton, QToolButton), f"qsm.reconstruct.{name}")
        found.click()
        settle()

    def wait(stage: str = "") -> None:
        while panel.recon.running and panel.recon.running[0] != stage:
            settle(0.05)

    def at(stage: str) -> None:
        scroll = panel.findChild(QScrollArea, "qsm.reconstruct.scroll")
        top = panel.sections[stage].y()
        scroll.verticalScrollBar().setValue(top - 60)

    shoot(workspace, "reconstruct-not-run")
    press("run_all")
    wait("inversion")
    at("phase")
    shoot(workspace, "reconstruct-running")
    wait()
    at("phase")
    shoot(workspace, "reconstruct-done")
    panel.recon.set("background", radius_max_mm=8)
    panel.sections["background"].open(True)
    settle()
    at("echoes")
    shoot(workspace, "reconstruct-stale")
    panel.sections["background"].open(False)
    panel.recon.reset("background")
    panel.recon.choose("mask", "given")
    press("mask.run")
    wait()
    workspace.viewer.theme = "light"
    window.resize(1280, 720)
    settle()
    at("mask")
    shoot(workspace, "reconstruct-failed")
    workspace.close()


def frame() -> None:
    """The start page with what was opened lately, a menu, and what unsaved work brings with it."""
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    session = workspace.session
    with tempfile.TemporaryDirectory() as there:
        for subject in ("patient", "control"):
            show_subject(workspace, finished_subject(read_finished(subject)))
            folder = Path(there) / f"{subject}-visit-1"
            folder.mkdir()
            recents.remember(session, [folder], [session.case], is_session=True)
        settle(1)
        workspace.services.success("Saved in 'control-visit-1'.")
        file = next(iter(workspace.services.window.menuBar().actions())).menu()
        file.popup(workspace.services.window.menuBar().mapToGlobal(QPoint(4, 22)))
        shoot_screen(workspace, "workspace-menus")
        file.close()
        labels = session.entry("regions control")
        session.edit_labels(labels, np.flatnonzero(labels.labels.ravel("F") == 3)[:40], 0)

        def answer() -> None:
            box = next(w for w in QApplication.topLevelWidgets() if w.objectName() == "qsm.closing")
            box.move(450, 330)
            shoot_screen(workspace, "saving-closing")
            box.reject()

        QTimer.singleShot(1500, answer)
        workspace.saving.may_close()
        workspace.saving.autosave.flush()
        workspace.close()  # unasked, as if the program had ended
        workspace = open_workspace()
        workspace.viewer.window.resize(*SIZE)
        workspace.saving.offer_recoveries()
        shoot(workspace, "saving-recovery")
        workspace.saving.box.offer([])
        shoot(workspace, "workspace-empty")
        workspace.close()


def main() -> None:
    """Pictures of the window as a whole."""
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    session = workspace.session
    for subject in ("patient", "control"):
        show_subject(workspace, finished_subject(read_finished(subject)))
    workspace.tabs.setCurrentWidget(workspace.panels.display)
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


def context() -> None:
    """The patient's numbers beside made-up controls and the control subject."""
    workspace = open_workspace()
    workspace.viewer.window.resize(*SIZE)
    for subject in ("control", "patient"):
        load_head(subject).into(workspace.session)
    session, table = workspace.session, workspace.table_panel
    session.unit = "ppb"
    control, patient = (
        next(e for e in session.maps if e.is_susceptibility and who in e.name)
        for who in ("control", "patient")
    )
    session.selected = patient.id
    settle(1)
    frame = table.frame_for(table.numbers.shown(control))
    spread = np.random.default_rng(7)
    lines = ["participant_id,group,age,region,side,chi_ppb"]
    for person in range(14):
        age, shift = int(spread.integers(45, 72)), spread.normal(0, 5)
        for row in frame.itertuples():
            if "ventricle" not in row.name:
                chi = row.mean_ppb + shift + spread.normal(0, 4)
                lines.append(f"c{person},controls,{age},{row.name[:-2]},{row.side},{chi:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my-controls.csv"
        path.write_text("\n".join(lines) + "\n")
        controls = read_controls(path)
    box = workspace.panels.regions.context
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    table.set_choice(table.choice.but(columns=("difference",)))
    table.set_extra((control.id,))
    box.heading.setChecked(True)
    box.age.setValue(61)
    box.use_controls(controls)
    settle(1)
    if box.anyway.isVisible():
        box.anyway.click()
    settle(1)
    at_putamen(workspace, "patient")
    area = workspace.panels.regions.findChild(QScrollArea)
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    shoot(workspace, "table-in-context")
    workspace.close()


if __name__ == "__main__":
    if sys.platform == "darwin" and settings_file().exists():
        sys.exit("Rename the settings file first; the pictures show a first start.")
    IMAGES.mkdir(exist_ok=True)
    parts: dict[str, Callable[[], None]] = {
        "workspace": main,
        "frame": frame,
        "reconstruct": reconstruct,
        "regions": regions,
        "context": context,
        "tools": tools,
    }
    for part in sys.argv[1:] or parts:
        # Each part shows the program as it first starts: no choices, no work left by another.
        with tempfile.TemporaryDirectory() as home:
            for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
                os.environ[name] = home
            parts[part]()
