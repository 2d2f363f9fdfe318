"""The reader's window by real keys and clicks: what is read is kept, and nothing tells whose it is.

One window on a study of three visits; the tests follow each other as a rater does.
"""

import json
import re

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.session.reading.desk import Desk
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import read_key, read_worklist
from napari_qsm.viewer.reading import open_reading
from tests.session.reading_study import CENTRES, make_study, move
from tests.study.cohort_maker import AFFINE, values
from tests.viewer.actions import CTRL, LEFT, NONE, SHIFT, hover, wheel
from tests.viewer.conftest import settle

pytestmark = pytest.mark.window
VISITS = [("p71", "t0"), ("p71", "t1"), ("q82", "t0")]
RETURN = Qt.Key.Key_Return


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = make_study(tmp_path_factory.mktemp("kohorte93") / "study", VISITS)
    turn = np.eye(4)
    turn[:3, 3] = (4.0, -2.0, 2.0)
    move(made, "p71", "t1", turn)
    return made


@pytest.fixture(scope="module")
def window(study, qapp):
    made = open_reading(study.root, "AA")
    made.resize(1280, 720)
    settle(10)
    yield made
    made.close()
    settle(10)


@pytest.fixture(autouse=True)
def own_clipboard(qapp):
    qapp.clipboard().clear()


def press(window, key, modifiers=NONE):
    QTest.keyClick(window.focusWidget() or window, key, modifiers)
    settle()


def pixel(window, view, world):
    x, y = view.camera().to_pixel(window.area.frame.world_to_display(world))
    return QPoint(round(x), round(y))


def click_at(window, world, view=0):
    view = window.area.views[view]
    QTest.mouseClick(view.native, LEFT, NONE, pixel(window, view, world))
    settle()


def begin(window, qtbot):
    press(window, RETURN)
    qtbot.waitUntil(lambda: window.work is not None, timeout=20000)
    settle()


def kept(study, code):
    item = read_key(study)[code]
    return read_reading(study.scan(*item.key).shapes("AA", item.reading))


def everything_said():
    """Return all text in any window, of hidden widgets too, and the clipboard."""
    said = []
    for widget in QApplication.allWidgets():
        if not widget.window().isVisible():  # what other tests left until Qt deletes it
            continue
        said += [widget.windowTitle(), widget.toolTip(), widget.statusTip(), widget.whatsThis()]
        said += [widget.accessibleName(), widget.accessibleDescription(), widget.objectName()]
        if isinstance(widget, QLabel | QAbstractButton | QLineEdit):
            said.append(widget.text())
        if isinstance(widget, QLineEdit):
            said.append(widget.placeholderText())
        if isinstance(widget, QListWidget):
            for row in range(widget.count()):
                said += [widget.item(row).text(), widget.item(row).toolTip()]
        content = getattr(widget, "content", None)
        if content is not None:
            said += [content.title, content.slice_text, *content.notes]
            said += [getattr(item, "text", "") for item in content.items]
            if content.colour_bar is not None:
                said += [content.colour_bar.title, *(text for _, text in content.colour_bar.ticks)]
    said.append(QApplication.clipboard().text())
    return [text for text in said if text]


def test_start_says_who_how_many_and_the_next_code(window, study):
    code = read_worklist(study, "AA")
    start = window.findChild(QLabel, "qsm.reading.start.words").text()
    assert "AA, 0 of 3 read. Next scan: " in start
    assert window.desk.next_code in {item.code for item in code}
    assert window.windowTitle() == "napari-qsm"
    with pytest.raises(QsmError, match="AA is reading in another window"):
        open_reading(study.root, "AA")


def test_a_scan_by_keys_and_a_click(window, study, qtbot):
    begin(window, qtbot)
    work, code = window.work, window.work.code
    assert window.windowTitle() == f"napari-qsm - {code}"
    region = window.findChild(QLabel, "qsm.reading.region")
    assert "Left caudate" in region.text()
    # The slice of the first region, and its shape dashed.
    at = window.area.session.crosshair_mm
    assert at == pytest.approx(CENTRES["Caudate L"], abs=1.01)
    dashed = [patch for patch in window.placing.items(window.area.main) if patch.dashed]
    assert [patch.text for patch in dashed] == ["Caudate L"]
    press(window, RETURN)
    assert "Right caudate" in region.text()
    assert window.area.session.crosshair_mm == pytest.approx(CENTRES["Caudate R"], abs=1.01)
    # A click, and a key in the plane of the view that the mouse is in: left of the screen is right.
    click_at(window, (18.0, 10.0, 2.0))
    assert work.shape.centre_mm == pytest.approx((18.0, 10.0, 2.0))
    assert not any(patch.dashed for patch in window.placing.items(window.area.main))
    press(window, Qt.Key.Key_Left)
    press(window, Qt.Key.Key_Up)
    assert work.shape.centre_mm == pytest.approx((20.0, 12.0, 2.0))
    coronal = window.area.views[1]
    assert coronal.plane == "coronal"
    hover(coronal, QPoint(40, 40))
    press(window, Qt.Key.Key_Up)
    assert work.shape.centre_mm == pytest.approx((20.0, 12.0, 4.0))
    assert kept(study, code).shapes[1].centre_mm == pytest.approx((20.0, 12.0, 4.0))
    hover(window.area.main, QPoint(40, 40))
    press(window, RETURN)
    press(window, RETURN, SHIFT)
    assert work.step.region_name == "Caudate R"
    press(window, RETURN)
    press(window, Qt.Key.Key_Delete)  # nothing to take back; the suggestion stays
    press(window, RETURN)
    press(window, Qt.Key.Key_N)
    assert window.panel.is_asking
    press(window, Qt.Key.Key_Escape)
    assert not window.panel.is_asking
    press(window, Qt.Key.Key_N)
    press(window, Qt.Key.Key_4)
    QTest.keyClicks(window.focusWidget(), "not in the slab")
    press(window, RETURN)
    assert work.step is None
    assert kept(study, code).record.not_visible == {"Putamen R": "other: not in the slab"}
    # Closing here, or Escape, loses nothing.
    press(window, Qt.Key.Key_Escape)
    assert window.work is None
    assert f"Next scan: {code}." in window.findChild(QLabel, "qsm.reading.start.words").text()
    begin(window, qtbot)
    assert window.work.done == 4
    assert window.work.step is None
    assert "All 4 regions are done" in window.findChild(QLabel, "qsm.reading.done").text()


def test_nothing_tells_whose_it_is_or_what_it_measures(window, study, own_settings):
    view = window.area.main
    for spot in ((30, 30), (200, 200), (view.native.width() // 2, view.native.height() // 2)):
        hover(view, QPoint(*spot))
    wheel(view, QPoint(200, 200), 1)
    press(window, Qt.Key.Key_M)  # there is none: that is said
    assert "no magnitude" in window.findChild(QLabel, "qsm.reading.said").text()
    press(window, Qt.Key.Key_C, CTRL)
    press(window, Qt.Key.Key_F12)
    said = everything_said()
    assert any(window.work.code in text for text in said)
    path = re.compile(r"sub-|ses-|p71|q82|\bt[01]\b|kohorte93|[/\\]tmp|\.nii|Chimap", re.IGNORECASE)
    assert not [text for text in said if path.search(text)]
    # No number with decimals: sizes and counts are whole here, values are not.
    numbers = re.compile(r"\d[.,]\d|ppb|ppm")
    sheet = re.compile(r"style='[^']*'")
    assert not [text for text in said if numbers.search(sheet.sub("", text))]
    under = values(0)[20, 15, 6] * 1000
    assert not [text for text in said if f"{under:.1f}" in text or f"{under:.0f} p" in text]
    # Nothing is written outside of the study.
    assert not [each for each in own_settings.rglob("*") if each.is_file()]
    # Nor does anything that the views hold name anybody.
    for entry in window.area.session:
        assert entry.name == window.work.code
        assert entry.volume.origin is None
        assert entry.volume.stored.header is None


def test_submitting_freezes_and_opens_the_next_scan(window, study, qtbot):
    first = window.work
    assert read_key(study)[first.code].key[1] == "t0"
    for _ in list(first.unanswered):
        press(window, Qt.Key.Key_1)
    press(window, RETURN, CTRL)
    qtbot.waitUntil(lambda: window.work is not None and window.work is not first, timeout=20000)
    assert kept(study, first.code).record.state == "submitted"
    assert window.desk.read == 1
    assert window.windowTitle() == f"napari-qsm - {window.work.code}"
    assert window.area.session.reference.name == window.work.code
    assert not any("ppb" in text for text in everything_said())


def test_flags_are_answered_by_a_key_or_in_words(window, study, qtbot):
    work = window.work
    while work.step is not None:
        if work.held is None:
            click_at(window, (27.0, -2.0, 0.0))
        press(window, RETURN)
    window.findChild(QListWidget, "qsm.reading.regions")
    press(window, RETURN)  # all are done: it is said so, and nothing happens
    work.go_to("Caudate R")
    settle()
    click_at(window, work.shapes["Caudate L"].centre_mm)
    press(window, RETURN)
    assert any("shares" in flag.words for flag in work.unanswered)
    press(window, RETURN, CTRL)
    assert "to be answered" in window.findChild(QLabel, "qsm.reading.said").text()
    count = len(work.unanswered)
    press(window, Qt.Key.Key_1)
    assert len(work.unanswered) == count - 1
    if work.unanswered:
        words = window.findChild(QLineEdit, "qsm.reading.flag.words")
        QTest.mouseClick(words, LEFT)
        QTest.keyClicks(words, "drawn by N on purpose")
        QTest.keyClick(words, RETURN)
        settle()
    while work.unanswered:
        press(window, Qt.Key.Key_2)
    answers = kept(study, work.code).record.answers
    assert "looked at again: it belongs there" in answers.values()
    press(window, RETURN, CTRL)
    qtbot.waitUntil(lambda: window.work is not None and window.work is not work, timeout=20000)


def test_a_carried_scan_takes_a_key_a_region(window, study, qtbot):
    work = window.work
    pressed = 0
    while work.step is not None and work.held is not None:
        press(window, RETURN)
        pressed += 1
    assert pressed == len(work.steps) == 4 or work.step.region_name == "Putamen R"


def test_a_change_afterwards_asks_why(window, study, qtbot, monkeypatch):
    press(window, Qt.Key.Key_Escape)
    code = window.desk.submitted[0]
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a: (code, True))
    monkeypatch.setattr(QInputDialog, "getText", lambda *a: ("clicked beside", True))
    QTest.mouseClick(window.findChild(QWidget, "qsm.reading.start.change"), LEFT)
    qtbot.waitUntil(lambda: window.work is not None, timeout=20000)
    before = kept(study, code).shapes[0].centre_mm
    window.work.go_to("Caudate L")
    hover(window.area.main, QPoint(40, 40))
    settle()
    press(window, Qt.Key.Key_Right)
    assert kept(study, code).shapes[0].centre_mm == pytest.approx(before)
    for flag in window.work.unanswered:
        window.work.answer(flag, "looked at")
    press(window, RETURN, CTRL)
    assert kept(study, code).shapes[0].centre_mm == pytest.approx(np.add(before, (-2, 0, 0)))
    events = [event for event in read_events(study.root) if event["event"] == "reading amended"]
    assert [event["reason"] for event in events] == ["clicked beside"]


def test_values_come_after_handing_in_where_the_protocol_says_so(tmp_path, qtbot, qapp):
    study = make_study(tmp_path / "study", [("p1", "t0")], more="show_values_after_submit: true\n")
    window = open_reading(StudyFolder(study.root), "AA")
    begin(window, qtbot)
    while window.work.step is not None:
        press(window, RETURN)
    for flag in window.work.unanswered:
        window.work.answer(flag, "looked at")
    assert not any("±" in text for text in everything_said())
    press(window, RETURN, CTRL)
    table = window.findChild(QLabel, "qsm.reading.values.table").text()
    reading = read_reading(study.scan("p1", "t0").shapes("AA"))
    centre = np.linalg.solve(AFFINE[:3, :3], np.array(reading.shapes[0].centre_mm) - AFFINE[:3, 3])
    i, j, k = np.rint(centre).astype(int)
    x, y = np.mgrid[-3:4, -3:4]
    disc = (2 * x * 2) ** 2 + (2 * y * 2) ** 2 <= 36
    box = values(0)[i - 3 : i + 4, j - 3 : j + 4, k - 1 : k + 2].astype(np.float64)
    assert f"{box[disc].mean() * 1000:.0f}"[:2] in table
    press(window, RETURN)
    press(window, Qt.Key.Key_Escape)
    window.close()
    settle(10)
    Desk(study.root, "AA").close()  # the label is free again
    assert json.loads(study.key_file.read_text())
