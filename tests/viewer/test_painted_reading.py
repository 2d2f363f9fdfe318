"""Painting in the reader's window by real strokes and keys: kept at each stroke, and blind.

One window on a study of two scans; the tests follow each other as a rater does.
"""

import re

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import read_key
from napari_qsm.viewer.reading import open_reading
from tests.session.painting_study import LEFT, RIGHT, contours, make_painting_study
from tests.study.cohort_maker import AFFINE, SHAPE
from tests.viewer import actions
from tests.viewer.actions import CTRL, NONE, SHIFT, drag
from tests.viewer.conftest import settle
from tests.viewer.test_reading import everything_said, own_clipboard

__all__ = ["own_clipboard"]  # a fixture for every test here

pytestmark = pytest.mark.window
RETURN = Qt.Key.Key_Return


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("kohorte94") / "study"
    return make_painting_study(root, [("p71", "t0"), ("q82", "t0")], placement="suggested")


@pytest.fixture(scope="module")
def window(study, qapp):
    made = open_reading(study.root, "AA")
    made.resize(1280, 720)
    settle(10)
    yield made
    made.close()
    settle(10)


def press(window, key, modifiers=NONE):
    QTest.keyClick(window.focusWidget() or window, key, modifiers)
    settle()


def begin(window, qtbot):
    press(window, RETURN)
    qtbot.waitUntil(lambda: window.work is not None, timeout=20000)
    settle()


def pixel(window, index):
    """Return where the middle of a voxel lies in the large view."""
    view = window.area.main
    world = (AFFINE @ [*index, 1])[:3]
    x, y = view.camera().to_pixel(window.area.frame.world_to_display(world))
    return QPoint(round(x), round(y))


def stroke(window, start, end, button=actions.LEFT):
    drag(window.area.main, pixel(window, start), pixel(window, end), button=button, steps=8)


def labels_of(study, code):
    """Return what is on the disk of a scan's painted regions."""
    path = study.scan(*read_key(study)[code].key).dseg("AA")
    return np.asanyarray(nib.load(path).dataobj) if path.is_file() else np.zeros(SHAPE, np.uint8)


def colour_at(window, index):
    """Return red, green and blue that the large view shows at a voxel."""
    at, view = pixel(window, index), window.area.main
    picture = view.surface.picture()
    scale = picture.shape[0] / view.native.height()
    return picture[round(at.y() * scale), round(at.x() * scale)].astype(int)


def is_yellow(colour):
    return colour[0] > colour[2] + 40


def said(window, name):
    return window.findChild(QLabel, f"qsm.reading.{name}").text()


def test_a_contour_is_taken_changed_and_taken_back(window, study, qtbot):
    begin(window, qtbot)
    work = window.work
    assert "Left putamen" in said(window, "region")
    assert "Suggested (outline)" in said(window, "state")
    assert "brush, eraser" in said(window, "keys")
    depth = int(np.rint(np.linalg.solve(AFFINE, [*window.area.session.crosshair_mm, 1]))[2])
    assert depth in (5, 6)
    # Only suggested: its edge is drawn, its inside is not, and nothing is on the disk.
    border = [(x, 14, depth) for x in np.linspace(7.4, 8.0, 13)]
    qtbot.waitUntil(lambda: any(is_yellow(colour_at(window, at)) for at in border), timeout=20000)
    assert not is_yellow(colour_at(window, (10, 14, depth)))
    assert not labels_of(study, work.code).any()
    # A narrow stroke beside the contour takes it and goes on from there.
    for _ in range(8):
        press(window, Qt.Key.Key_BracketLeft)
    stroke(window, (5, 13, depth), (5, 16, depth))
    wanted = np.where(contours() == LEFT, LEFT, 0)
    wanted[5, 13:17, depth] = LEFT
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)
    qtbot.waitUntil(lambda: is_yellow(colour_at(window, (10, 14, depth))), timeout=20000)
    assert "in 2 pieces" in said(window, "flags")
    press(window, Qt.Key.Key_Z, CTRL)
    np.testing.assert_array_equal(
        labels_of(study, work.code), np.where(contours() == LEFT, LEFT, 0)
    )
    press(window, Qt.Key.Key_Z, CTRL | SHIFT)
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)
    # The right button erases; so does E with the left one. B paints again.
    stroke(window, (5, 13, depth), (5, 14, depth), button=actions.RIGHT)
    wanted[5, 13:15, depth] = 0
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)
    press(window, Qt.Key.Key_E)
    stroke(window, (5, 15, depth), (5, 16, depth))
    wanted[5] = 0
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)
    press(window, Qt.Key.Key_B)
    # Wider: a dab of 5 mm on the middle of a voxel of 2 mm reaches its four neighbours.
    while window.brushing.painter.options.diameter_mm < 5:
        press(window, Qt.Key.Key_BracketRight)
    stroke(window, (20, 24, depth), (20, 24, depth))
    assert np.argwhere(labels_of(study, work.code) != wanted).tolist() == [
        [19, 24, depth], [20, 23, depth], [20, 24, depth], [20, 25, depth], [21, 24, depth],
    ]  # fmt: skip
    press(window, Qt.Key.Key_Z, CTRL)
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)


def test_the_next_region_never_takes_voxels_of_another(window, study, qtbot):
    work = window.work
    press(window, RETURN)
    assert "Right putamen" in said(window, "region")
    press(window, RETURN)
    np.testing.assert_array_equal(labels_of(study, work.code), contours())
    press(window, RETURN, SHIFT)
    assert work.step.region_name == "Putamen R"
    depth = 5
    while True:
        now = np.rint(np.linalg.solve(AFFINE, [*window.area.session.crosshair_mm, 1]))[2]
        if now == depth:
            break
        press(window, Qt.Key.Key_Up if now < depth else Qt.Key.Key_Down)
    for _ in range(8):
        press(window, Qt.Key.Key_BracketLeft)
    stroke(window, (10, 14, depth), (16, 14, depth))
    wanted = contours()
    wanted[13:17, 14, depth] = RIGHT
    np.testing.assert_array_equal(labels_of(study, work.code), wanted)
    assert "pieces" in said(window, "flags")
    press(window, Qt.Key.Key_Delete)
    np.testing.assert_array_equal(
        labels_of(study, work.code), np.where(contours() == LEFT, LEFT, 0)
    )
    assert "Suggested (outline)" in said(window, "state")
    press(window, RETURN)
    # The shape that follows is placed, not painted.
    assert "Left caudate" in said(window, "region")
    assert "put it there" in said(window, "keys")
    QTest.mouseClick(window.area.main.native, actions.LEFT, NONE, pixel(window, (14, 22, depth)))
    settle()
    assert work.shape is not None
    np.testing.assert_array_equal(labels_of(study, work.code), contours())
    press(window, RETURN)
    assert work.step is None


def test_it_is_left_taken_up_again_and_handed_in(window, study, qtbot):
    code = window.work.code
    press(window, Qt.Key.Key_Escape)
    assert window.work is None
    begin(window, qtbot)
    assert window.work.code == code
    assert window.work.done == 3
    window.area.go_to((AFFINE @ [10, 14, 5, 1])[:3])
    qtbot.waitUntil(lambda: colour_at(window, (10, 14, 5))[2] > 0, timeout=20000)
    press(window, Qt.Key.Key_Z, CTRL)  # nothing of before can be taken back
    np.testing.assert_array_equal(labels_of(study, code), contours())
    texts = everything_said()
    telling = re.compile(r"sub-|ses-|p71|q82|\bt0\b|kohorte94|[/\\]tmp|\.nii|Chimap", re.IGNORECASE)
    assert not [text for text in texts if telling.search(text)]
    for entry in window.area.session:
        assert entry.name.startswith(code)
    while window.work.unanswered:
        press(window, Qt.Key.Key_1)
    press(window, RETURN, CTRL)
    qtbot.waitUntil(lambda: window.work is not None and window.work.code != code, timeout=20000)
    settle()
    shapes = study.scan(*read_key(study)[code].key).shapes("AA")
    assert read_reading(shapes).record.state == "submitted"
    burnt = labels_of(study, code)
    np.testing.assert_array_equal(np.where(burnt == 3, 0, burnt), contours())
    # The next scan begins with nothing, and nothing of the last one comes back.
    press(window, Qt.Key.Key_Z, CTRL)
    assert not labels_of(study, window.work.code).any()
    assert len([e for e in window.area.session if e.role == "labels"]) == 1
