"""The page of a study: opened, clicked on, followed, its steps done; in one window."""

import time

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_qsm.io.nifti import write_volume
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.session import recents
from napari_qsm.study.overview import Column
from napari_qsm.study.protocol import freeze
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.worklist import assign, is_unblinded
from napari_qsm.viewer.study import studies, work
from napari_qsm.viewer.study.dialogs import NewStudy
from tests.study.grid_maker import make_grid_study, write_batch
from tests.study.test_folder import protocol_file
from tests.viewer.actions import LEFT, NONE, Answers, press
from tests.viewer.conftest import ramp, settle

pytestmark = pytest.mark.window
WAIT = {"timeout": 20000}


@pytest.fixture
def study(tmp_path):
    return make_grid_study(tmp_path)


@pytest.fixture
def page(workspace, study, qtbot, monkeypatch):
    """Return the page of the study, shown; what it gives to other programs is listed in ``given``."""
    given = []
    fake = type(
        "Desktop", (), {"openUrl": staticmethod(lambda url: given.append(url.toLocalFile()))}
    )
    monkeypatch.setattr(work, "QDesktopServices", fake)
    monkeypatch.setattr(studies, "LOOK_MS", 50)
    workspace.files.open([study.root])
    own = workspace.studies
    qtbot.waitUntil(lambda: own.is_shown and own.root == study.root, **WAIT)
    own._timer.setInterval(50)
    own.page.given = given
    yield own.page
    qtbot.waitUntil(lambda: own._looking is None and own._checking is None, **WAIT)
    own.show(False)
    own._root = None
    own._stated = None
    own.page.begin()
    settle()


def place(page, participant, visit, step):
    """Index of a cell."""
    row = page.grid.grid.participants.index(participant)
    column = page.overview.columns.index(Column(visit, step))
    return page.grid.grid.index(row, column)


def click(page, participant, visit, step):
    index = place(page, participant, visit, step)
    page.grid.scrollTo(index)
    settle()
    at = page.grid.visualRect(index).center()
    QTest.mouseClick(page.grid.viewport(), LEFT, NONE, at)
    settle()


def letters(page):
    model = page.grid.grid
    columns = range(model.columnCount())
    return ["".join(model.index(r, c).data() for c in columns) for r in range(model.rowCount())]


def choose(page, name, data):
    """Choose in a combobox by its data, as a hand does."""
    box = child_of(page, name)
    box.setFocus()
    wanted = box.findData(data)
    while box.currentIndex() != wanted:
        QTest.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < wanted else Qt.Key.Key_Up)
    settle()


def child_of(page, name):
    from qtpy.QtWidgets import QWidget

    return page.findChild(QWidget, name)


def test_a_study_opens_with_its_grid_and_is_remembered(workspace, page, study, qtbot):
    assert letters(page) == ["++.1++..", "++..––––", "++..––––"]
    assert page.grid.grid.headerData(2, Qt.Orientation.Vertical) == "sub-c1  ·  control"
    assert "3 participants, 4 scans: 4 maps" in child_of(page, "qsm.study.summary").text()
    assert "1 visit missing" in child_of(page, "qsm.study.summary").text()
    assert recents.listed()[0].paths == (str(study.root),)
    assert (recents.listed()[0].is_study, recents.listed()[0].names) == (True, ("RLS",))
    # Colours in the picture are those of the states; what is not done has none.
    shot = page.grid.viewport().grab().toImage()
    for step, wanted in (("reconstructed", "#009e73"), ("qc", None)):
        at = page.grid.visualRect(place(page, "01", "t0", step))
        colour = shot.pixelColor(at.left() + 3, at.top() + 3).name()
        assert (colour == wanted) if wanted else (colour != "#009e73")
    # A batch in a terminal is followed.
    study.scan("c1", "t0").map.unlink()
    write_batch(study, [("c1", "t0", "running", "")])
    qtbot.waitUntil(lambda: letters(page)[2][1] == "r", **WAIT)
    write_batch(study, [("c1", "t0", "failed", "No echo times.")])
    qtbot.waitUntil(lambda: letters(page)[2][1] == "F", **WAIT)
    # Filters, search and order.
    choose(page, "qsm.study.filter", "failed")
    assert page.grid.grid.participants == ["c1"]
    assert child_of(page, "qsm.study.count").text() == "1 of 4 scans"
    choose(page, "qsm.study.filter", "all")
    QTest.keyClicks(child_of(page, "qsm.study.search"), "sub-02")
    assert page.grid.grid.participants == ["02"]
    child_of(page, "qsm.study.search").clear()
    heads = page.grid.heads
    section = page.overview.columns.index(Column("t0", "reconstructed"))
    at = heads.viewport().rect().topLeft()
    at.setX(heads.sectionViewportPosition(section) + 5)
    at.setY(heads.height() - 5)
    QTest.mouseClick(heads.viewport(), LEFT, NONE, at)
    assert page.grid.grid.participants[0] == "c1"
    # The key of the page, and back.
    press(workspace, "qsm.study.leave")
    assert not workspace.studies.is_shown
    assert workspace.keys.enabled(
        next(c for c, _ in workspace.keys.bound if c.id == "qsm.study_page")
    )
    workspace.keys.run("qsm.study_page")
    assert workspace.studies.is_shown


def test_cells_open_reports_logs_and_scans(workspace, page, study, qtbot):
    scan = study.scan("01", "t0")
    scan.report.write_text("<html>")
    write_volume(ramp(), scan.map)
    log = study.log_of(study.scan("02", "t0"))
    log.parent.mkdir(parents=True)
    log.write_text("No echo times.")
    study.scan("02", "t0").map.unlink()
    write_batch(study, [("02", "t0", "failed", "No echo times.")])
    qtbot.waitUntil(lambda: letters(page)[1][1] == "F", **WAIT)
    click(page, "01", "t0", "qc")
    click(page, "02", "t0", "reconstructed")
    assert page.given == [str(scan.report), str(log)]
    assert "No echo times." in child_of(page, "qsm.study.cell").text()
    page.grid.setCurrentIndex(place(page, "01", "t0", "reconstructed"))
    QTest.keyClick(page.grid, Qt.Key.Key_Return)  # nobody reads blind: no question
    qtbot.waitUntil(lambda: len(workspace.session.maps) == 1, **WAIT)
    assert not workspace.studies.is_shown
    assert workspace.session.case.participant == "01"


def test_opening_a_scan_by_name_while_readers_are_blind_is_stated(workspace, page, study, qtbot):
    write_volume(ramp(), study.scan("01", "t0").map)
    assign(study, "AA", seed=1)
    qtbot.waitUntil(lambda: page.overview.is_blind, **WAIT)
    assert child_of(page, "qsm.study.blind").isVisible()
    warned = []

    def fill(dialog):
        from qtpy.QtWidgets import QLabel, QLineEdit

        go = dialog.findChild(object, "qsm.study_name.go")
        assert not go.isEnabled()
        QTest.keyClicks(dialog.findChild(QLineEdit, "qsm.study_name.field.who"), "AA")
        QTest.keyClicks(dialog.findChild(QLineEdit, "qsm.study_name.field.reason"), "odd map")
        warned.append(dialog.findChild(QLabel, "qsm.study_name.wrong").text())
        assert go.isEnabled()

    answers = Answers("qsm.study_name.cancel")
    click(page, "01", "t0", "reconstructed")
    answers.done()
    assert workspace.studies.is_shown
    answers = Answers("qsm.study_name.go", before=fill)
    click(page, "01", "t0", "reconstructed")
    answers.done()
    assert "AA has still to hand in 4 readings" in warned[0]
    event = read_events(study.root)[-1]
    assert (event["by"], event["reason"], event["scan"]) == ("AA", "odd map", "sub-01_ses-t0")
    qtbot.waitUntil(lambda: len(workspace.session.maps) == 1, **WAIT)
    # Blinded reading in this window and a page that names people do not go together.
    workspace.studies.show(True)
    workspace.session.blinded = True
    assert not workspace.studies.is_shown
    workspace.studies.open(study.root)
    assert "names people" in workspace.central.message.text
    workspace.session.blinded = False


def test_steps_are_asked_for_and_done(workspace, page, study, qtbot):
    assert not child_of(page, "qsm.study.collect").isEnabled()
    assert "Nobody has handed in" in child_of(page, "qsm.study.collect").toolTip()

    def reader(dialog):
        from qtpy.QtWidgets import QLineEdit

        line = dialog.findChild(QLineEdit, "qsm.study_assign.field.rater")
        QTest.keyClicks(line, "A A")
        assert not dialog.findChild(object, "qsm.study_assign.go").isEnabled()
        line.clear()
        QTest.keyClicks(line, "AA")

    answers = Answers("qsm.study_assign.go", before=reader)
    press(workspace, "qsm.study.assign")
    answers.done()
    qtbot.waitUntil(lambda: study.worklist("AA").is_file(), **WAIT)
    qtbot.waitUntil(lambda: "AA" in page.overview.labels, **WAIT)
    done = child_of(page, "qsm.study.done")
    qtbot.waitUntil(lambda: "AA has 4 readings" in done.text(), **WAIT)
    assert child_of(page, "qsm.study.progress.AA").text() == "AA 0/4"
    assert child_of(page, "qsm.study.read").isEnabled()

    def why(dialog):
        from qtpy.QtWidgets import QLineEdit

        QTest.keyClicks(dialog.findChild(QLineEdit, "qsm.study_unblind.field.reason"), "a test")

    answers = Answers("qsm.study_unblind.go", before=why)
    press(workspace, "qsm.study.unblind")
    answers.done()
    qtbot.waitUntil(lambda: is_unblinded(study.root), **WAIT)
    qtbot.waitUntil(lambda: not page.overview.is_blind, **WAIT)
    assert read_events(study.root)[-1]["reason"] == "a test"
    qtbot.waitUntil(
        lambda: "AA     sub-01 ses-t0" in child_of(page, "qsm.study.report").toPlainText(), **WAIT
    )
    # A protocol that was edited after the freeze says what to do, and it can be done here.
    freeze(study.protocol_file)
    text = study.protocol_file.read_text()
    study.protocol_file.write_text(text.replace("placement: independent", "placement: carried"))
    qtbot.waitUntil(lambda: child_of(page, "qsm.study.amend").isVisible(), **WAIT)
    assert "was changed after it was frozen" in child_of(page, "qsm.study.problem").text()
    answers = Answers("qsm.study_amend.go", before=lambda dialog: _reason(dialog))
    press(workspace, "qsm.study.amend")
    answers.done()
    qtbot.waitUntil(lambda: not child_of(page, "qsm.study.amend").isVisible(), **WAIT)
    assert study.protocol_file.read_text().count("carried") == 1


def _reason(dialog):
    from qtpy.QtWidgets import QLineEdit

    QTest.keyClicks(dialog.findChild(QLineEdit, "qsm.study_amend.field.reason"), "decided anew")


def test_the_reading_window_opens_by_itself_and_names_leave_the_screen(
    workspace, page, study, qtbot, monkeypatch
):
    began, minimised = [], []
    monkeypatch.setattr(work.step_work, "read_step", lambda root, rater: began.append(rater))
    monkeypatch.setattr(workspace.services.window, "showMinimized", lambda: minimised.append(1))
    assign(study, "AA", seed=1)
    qtbot.waitUntil(lambda: child_of(page, "qsm.study.read").isEnabled(), **WAIT)
    answers = Answers("qsm.study_read.go")
    press(workspace, "qsm.study.read")
    answers.done()
    qtbot.waitUntil(lambda: began == ["AA"], **WAIT)
    assert minimised == [1]


def test_long_work_is_cancelled_on_the_page_and_does_not_block_the_window(
    workspace, page, study, qtbot, monkeypatch
):
    began = []

    def slow(root, progress, **said):
        began.append(said)
        while True:
            progress(0.5, "Reconstructing: 1/4 done")
            time.sleep(0.02)

    monkeypatch.setattr(work.step_work, "batch_step", slow)
    answers = Answers("qsm.study_batch.go")
    press(workspace, "qsm.study.batch")
    answers.done()
    qtbot.waitUntil(lambda: child_of(page, "qsm.study.jobs").isVisible() and bool(began), **WAIT)
    assert began == [{"jobs": None, "retry_failed": False, "overwrite": False}]
    assert not child_of(page, "qsm.study.register").isEnabled()
    assert "going on" in child_of(page, "qsm.study.register").toolTip()
    assert not workspace.services.jobs.busy  # scans can be opened meanwhile
    answers = Answers("qsm.study_stop.stay")
    assert not workspace.studies.may_close()
    answers.done()
    cancel = page.jobs.findChild(object, "qsm.study.jobs.cancel")
    QTest.mouseClick(cancel, LEFT, NONE, cancel.rect().center())
    qtbot.waitUntil(lambda: not page.jobs.busy, **WAIT)
    assert "Stopped" in child_of(page, "qsm.study.done").text()
    qtbot.waitUntil(lambda: child_of(page, "qsm.study.register").isEnabled(), **WAIT)


def test_a_new_study_is_made_from_a_form(workspace, page, tmp_path, qtbot):
    folder = tmp_path / "mine"

    def fill(dialog):
        from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit

        assert "a folder for the study" in dialog.findChild(QLabel, "qsm.new_study.wrong").text()
        QTest.keyClicks(dialog.findChild(QLineEdit, "qsm.new_study.field.folder"), str(folder))
        box = dialog.findChild(QComboBox, "qsm.new_study.field.placement")
        box.setFocus()
        while box.currentData() != "carried":
            QTest.keyClick(box, Qt.Key.Key_Down)

    answers = Answers("qsm.new_study.go", before=fill)
    workspace.keys.run("qsm.new_study")
    answers.done()
    qtbot.waitUntil(lambda: workspace.studies.root == folder, **WAIT)
    qtbot.waitUntil(
        lambda: page.overview is not None and page.overview.study.root == folder, **WAIT
    )
    assert page.overview.protocol.placement == "carried"
    assert letters(page) == []


def test_the_form_of_a_new_study_keeps_what_a_protocols_file_says(workspace, tmp_path):
    recipe = load_recipe("consensus").to_dict()
    path = protocol_file(tmp_path, placement="suggested", recipe=recipe, window_ppb=[-50, 150])
    box = NewStudy(workspace.services.window)
    box.form.show_values({"folder": str(tmp_path / "s"), "source": "", "file": str(path)})
    box._refresh()
    said = box.values()
    assert (said["name"], said["placement"], said["recipe"]) == ("RLS", "suggested", "")
    assert (said["window_low"], said["window_high"]) == (-50, 150)
    assert child_of(box, "qsm.new_study.go").isEnabled()
    box.form.show_values({"file": str(tmp_path / "none.yaml")})
    box._refresh()
    assert not child_of(box, "qsm.new_study.go").isEnabled()
    assert "none.yaml" in child_of(box, "qsm.new_study.wrong").text()
    box.deleteLater()
