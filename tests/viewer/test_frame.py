"""The window as a program: its menus and keys, its status line, what it remembers."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QCloseEvent, QCursor, QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QListWidget, QMenu, QWidget

from napari_qsm.io.nifti import write_volume
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.session import recents, regions
from napari_qsm.session.settings import save_settings
from napari_qsm.viewer.command import MENUS
from napari_qsm.viewer.data.saving import Closing
from napari_qsm.viewer.frame.placing import fitted
from napari_qsm.viewer.workspace import Workspace
from tests.viewer.actions import CTRL, child, press
from tests.viewer.conftest import ramp, settle

pytestmark = pytest.mark.window


def titles(menu):
    return [action.text().replace("&", "") for action in menu.actions() if action.text()]


def until(condition, rounds=400):
    for _ in range(rounds):
        settle(1)
        if condition():
            return
        QTest.qWait(10)
    raise AssertionError("it did not come")


def test_a_window_of_our_own_and_napari_as_it_was_afterwards(make_napari_viewer, tmp_path, request):
    """One window for all of it: windows are dear."""
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    bar, status = window.menuBar(), window.statusBar()
    theirs = titles(bar)
    open_files = next(a for a in viewer.window.file_menu.actions() if "Open File" in a.text())
    their_key = open_files.shortcut().toString()
    made = Workspace(viewer, owns_viewer=True)
    request.addfinalizer(made.leave)  # a failed test must not wait for an answer
    asked = []
    made.files.ask_map = lambda: asked.append("map")
    settle()

    # Menus: ours, and napari's in one submenu, still working.
    assert titles(bar) == list(MENUS)
    inner = window.findChild(QMenu, "qsm.menu.napari")
    assert titles(inner) == theirs
    assert open_files.shortcut().toString() == ""
    # Status: neither napari's hints nor its values.
    viewer.add_image(np.ones((4, 5, 6)), name="secret patient")
    viewer.help = "use <1> for eraser"
    viewer.status = {
        "layer_base": "secret patient", "source_type": "", "plugin": "", "coordinates": "[1] 0.7",
    }  # fmt: skip
    settle()
    shown = [label.text() for label in status.findChildren(QLabel) if label.isVisible()]
    assert not any("eraser" in text or "secret" in text or "0.7" in text for text in shown)
    viewer.layers.clear()

    # Keys are heard in the whole window; the computer's own pointer is away from the views, so
    # that the view last used is that of the events below.
    QCursor.setPos(window.mapToGlobal(QPoint(2, 2)))
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 10_000)
    made.tabs.setFocus()
    QTest.keyClick(made.tabs, Qt.Key.Key_O, CTRL)
    assert asked == ["map"]

    # What is opened is remembered, with what was done to it, and comes back by one click.
    folder = tmp_path / "sub-01" / "ses-t0"
    folder.mkdir(parents=True)
    write_volume(ramp(), folder / "sub-01_ses-t0_Chimap.nii.gz")
    made.open([folder / "sub-01_ses-t0_Chimap.nii.gz"])
    until(lambda: recents.listed())
    assert recents.listed()[0].state == "map"
    before = made.area.geometry()
    made.services.message("A warning.")
    made.services.success("It went well.")
    settle()
    assert made.area.geometry() == before  # nothing on the screen moves for a sentence
    assert made.central.message.text == "A warning. It went well."
    made.central.message._timer.timeout.emit()
    assert made.central.message.text == "A warning."
    press(made, "qsm.message.close")
    assert made.central.message.text == ""
    # Work that cannot be kept stays said until it can.
    made.saving._news.message.emit("The disk is full.")
    settle()
    made.services.success("It went well.")
    made.central.message._timer.timeout.emit()
    assert made.central.message.text == "The disk is full."
    made.saving._news.message.emit("")
    settle()
    assert made.central.message.text == ""
    QTest.keyClick(made.tabs, Qt.Key.Key_N, CTRL)  # a new case: the start page
    settle()
    assert made.central.start_shown and made.session.case.is_empty
    row = child(made, "qsm.welcome.recent")
    assert isinstance(row, QListWidget) and row.count() == 1
    assert "sub-01" in row.item(0).text()
    made.session.step_case()
    settle()
    assert not made.central.start_shown

    check_that_keys_are_ours(made, tmp_path)
    made.saving._unwanted = made.saving.unsaved.count
    made.leave()
    settle()
    assert titles(bar) == theirs
    assert open_files.shortcut().toString() == their_key
    assert any(label.isVisible() for label in status.findChildren(QLabel))
    assert not [w for w in QApplication.allWidgets() if w.objectName() == "qsm.status"]


def check_that_keys_are_ours(made, tmp_path):
    """In any tab, held ones too; what is being typed keeps its own."""
    session, main = made.session, made.controller.main
    paint = made.panels.regions.paint
    made.keys.run("qsm.new_regions")
    labels = session.painted_entry
    for name in ("one", "two", "three"):
        regions.add_region(session, labels, name)
    made.tabs.setCurrentWidget(made.panels.display)
    QTest.keyClick(made.tabs, Qt.Key.Key_2)
    assert session.active_region == 2
    QTest.keyClick(made.tabs, Qt.Key.Key_Period)
    assert session.active_region == 3
    high = child(made, "qsm.display.high")
    high.setFocus()
    QTest.keyClick(high, Qt.Key.Key_1)
    assert session.active_region == 3 and "1" in high.text()
    QTest.keyClick(made.tabs, Qt.Key.Key_B)  # the brush, and its settings
    assert paint.options.kind == "brush" and made.tabs.currentWidget() is made.panels.regions
    at = QPoint(main.native.width() // 2 + 60, main.native.height() // 2)
    before = session.crosshair_mm
    main.native.setFocus()
    QTest.keyPress(main.native, Qt.Key.Key_Space)
    assert made.controller.is_aiming
    QTest.mouseClick(main.native, Qt.MouseButton.LeftButton, pos=at)
    assert session.crosshair_mm != before and not labels.editable.any()
    QTest.keyRelease(main.native, Qt.Key.Key_Space)
    assert not made.controller.is_aiming
    QTest.mouseClick(main.native, Qt.MouseButton.LeftButton, pos=at)
    assert labels.editable.any()
    QTest.keyClick(made.tabs, Qt.Key.Key_D)
    assert labels.display.opacity == pytest.approx(0.6)
    QTest.keyClick(made.tabs, Qt.Key.Key_S)
    assert not labels.display.visible
    QTest.keyClick(made.tabs, Qt.Key.Key_Escape)
    assert paint.options.kind == ""
    # A picture of the view, for the clipboard and a folder that is made when it is needed.
    save_settings({"picture_folder": str(tmp_path / "pictures" / "new")})
    QTest.keyClick(made.tabs, Qt.Key.Key_F12)
    (path,) = (tmp_path / "pictures" / "new").iterdir()
    assert path.name.startswith("axial-slice-")
    kept, board = QImage(str(path)), QApplication.clipboard().image()
    assert kept == board.convertToFormat(kept.format())
    letters = kept.copy(0, kept.height() // 2 - 12, 40, 24)
    assert any(
        letters.pixelColor(x, y).lightness() > 200 for x in range(40) for y in range(24)
    )  # the letter at the left edge
    press(made, "qsm.message.close")
    session.remove(labels)
    settle(20)


def test_a_blinded_reader_is_not_told_by_naparis_status_in_plain_napari(workspace):
    status = workspace.viewer.window._qt_window.statusBar()
    assert any(label.isVisible() for label in status.findChildren(QLabel))
    workspace.session.blinded = True
    settle()
    assert not any(label.isVisible() for label in status.findChildren(QLabel))
    workspace.session.blinded = False
    settle()
    assert any(label.isVisible() for label in status.findChildren(QLabel))


def test_a_window_is_within_a_screen_that_is_there():
    screen = QRect(0, 0, 1280, 720)
    first = fitted(screen, None, QRect(-4000, 30, 100, 100))
    assert (first.width(), first.height()) == (1152, 648) and screen.contains(first)
    assert screen.contains(fitted(screen, [1967, 1237], QRect(0, 0, 10, 10)))
    kept = fitted(screen, [900, 600], QRect(40, 50, 10, 10))
    assert (kept.x(), kept.y(), kept.width(), kept.height()) == (40, 50, 900, 600)
    assert screen.contains(fitted(screen, ["wide", 3], QRect(0, 0, 10, 10)))


class ByHand(QCloseEvent):
    """A close as it comes from the frame of the window."""

    def spontaneous(self):
        return True


def test_closing_by_hand_is_asked_once(qtbot):
    """Napari's own question, which only a hand gets, is left out after ours."""
    asked, window = [], QWidget()
    qtbot.addWidget(window)
    closing = Closing(lambda: bool(asked.append(1)) or True, lambda: None, alone=True)
    window.installEventFilter(closing)
    window.show()
    event = ByHand()
    assert closing.eventFilter(window, event) and not event.isAccepted()
    until(lambda: not window.isVisible())
    assert len(asked) == 2  # the second time there is nothing left to ask about
    plain = Closing(lambda: True, lambda: None, alone=False)
    assert not plain.eventFilter(window, ByHand())


def test_the_demonstration_is_there_at_once_and_nobodys_work(workspace, monkeypatch):
    from napari_qsm.phantom import finished, make_head
    from napari_qsm.viewer import demonstration

    def small(subject):
        head = make_head(subject, shape=(42, 50, 28), voxel_size_mm=(4.0, 4.0, 5.0), snr=None)
        known = finished.read_finished(subject).provenance
        return finished.FinishedHead(
            subject, head.scan.magnitude[0], head.chi, head.labels, head.label_names, known
        )

    monkeypatch.setattr(demonstration, "read_finished", small)
    monkeypatch.setattr(demonstration, "show_figures", lambda workspace: None)
    workspace.saving.unsaved.saved()
    demonstration.open_demonstration(workspace)
    assert workspace.central._working.isVisible()  # in the middle, while there is nothing else
    until(lambda: not workspace.central.jobs.busy, 3000)
    assert [e.name for e in workspace.session.of_role("map")] == ["χ control", "χ patient"]
    assert not workspace.saving.unsaved.is_unsaved and not workspace.central._working.isVisible()
    assert child(workspace, "qsm.data.next_step").text().startswith("Make a figure")
    assert not child(workspace, "qsm.data.head_control").isVisible()
    # By another recipe than now it is no result of this program: it is made anew.
    made = []
    monkeypatch.setattr(demonstration, "_next", lambda *given: made.append(given[2]))
    monkeypatch.setattr(
        demonstration, "load_recipe", lambda name: load_recipe("consensus"), raising=True
    )
    demonstration.open_demonstration(workspace)
    until(lambda: made, 3000)
    assert made == [["control", "patient"]]
