"""The judgement of a map in the window, through its buttons."""

import json

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QLabel, QScrollArea, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.qc.judge import magnitude_of, measure
from napari_qsm.qc.quality import Finding, map_checksum
from napari_qsm.qc.rating import RATING_FILE, make_rating, read_ratings
from napari_qsm.recon.fourier import forward_field
from napari_qsm.session import Session
from napari_qsm.session.folder import save_session
from napari_qsm.session.noise import NAME
from napari_qsm.session.quality import finished_map, iron_rich_labels, unexplained_field
from napari_qsm.session.stage_results import Results
from napari_qsm.session.store import read_session
from napari_qsm.session.work import DirtyTracker
from napari_qsm.viewer.reconstruct.quality_box import QualityBox
from napari_qsm.viewer.reconstruct.quality_lists import FIRST_ROWS, FindingList, sign
from tests.viewer import actions
from tests.viewer.conftest import settle
from tests.viewer.reconstructed import GROUP, reconstruction_of, run, settled_jobs, small_head

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def head():
    return small_head()


@pytest.fixture(scope="module")
def finished(head):
    """Shared by tests that do not change it."""
    return run(reconstruction_of(head))


@pytest.fixture
def recon(head, finished):
    """One of its own, with the same results."""
    own = reconstruction_of(head)
    own.take_prepared(finished._prepared)
    for stage in finished.active():
        own.number(stage)
        own.take(finished.result_of(stage))
    assert not own.stale_stages()
    return own


@pytest.fixture
def box(workspace, recon):
    made = QualityBox(
        workspace.services,
        lambda: finished_map(recon, workspace.session.case_called(GROUP)),
        {},
    )
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(made)
    workspace.tabs.addTab(area, "Quality")
    workspace.tabs.setCurrentWidget(area)
    recon.changed.connect(made.refresh)
    settle()
    yield made
    recon.changed.disconnect(made.refresh)
    made.dispose()
    workspace.tabs.removeTab(workspace.tabs.indexOf(area))
    area.setParent(None)
    area.deleteLater()
    settle()


@pytest.fixture
def judged(workspace, box):
    box.refresh()
    settled_jobs(workspace)
    return box


def child(workspace, name):
    """A control of the box under test; the Reconstruct panel has one of its own."""
    box = workspace.tabs.widget(workspace.tabs.count() - 1).widget()
    return box if box.objectName() == name else box.findChild(QWidget, name)


def press(workspace, name):
    QTest.mouseClick(child(workspace, name), Qt.MouseButton.LeftButton)
    settle()


def type_text(workspace, name, text):
    field = child(workspace, name)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    settle()


def test_nothing_is_judged_before_every_stage_has_run(workspace, head):
    recon = reconstruction_of(head)
    made = QualityBox(workspace.services, lambda: finished_map(recon, workspace.session.case), {})
    assert finished_map(recon, Session().case) is None
    made.refresh()
    assert made.judgement is None and not workspace.central.jobs.busy
    assert "Once every stage above has run" in made.findChild(QLabel, "qsm.quality.state").text()
    made.dispose()
    made.deleteLater()


def test_the_map_is_judged_in_the_background(workspace, head, recon, box):
    assert box.judgement is None
    box.refresh()
    assert box.judgement is None and workspace.central.jobs.busy
    box.refresh()  # asked again meanwhile: judged once
    settled_jobs(workspace)
    result = recon.result()
    magnitude = magnitude_of(recon._prepared.inputs, result.grid)
    assert box.judgement.quality == measure(result, magnitude=magnitude)
    shown = {row.name: row.value for row in (*box.numbers.rows, *box.more_numbers.rows)}
    assert [row.name for row in box.numbers.rows] == list(FIRST_ROWS)
    assert shown["Streaks"] == f"{box.judgement.quality['streak_ratio']:.2f}"
    counts = np.histogram(
        result.arrays["chi_ppm"][result.arrays["local_mask"]], np.arange(-0.3, 0.305, 0.01)
    )[0]
    heights = np.array(box.histogram.bars)
    assert np.abs(heights - counts / counts.max()).max() < 0.02
    assert len(box.findings.texts) == max(len(box.judgement.findings), 1)
    labels = child(workspace, "qsm.quality.numbers").findChildren(QLabel)
    assert all(label.toolTip() for label in labels)


def test_findings_have_a_word_a_shape_and_a_sentence(qtbot):
    found = [
        Finding("sign", "serious", "The sign is in doubt."),
        Finding("noise", "warning", "Much noise."),
        Finding("x", "note", "Good to know."),
    ]
    shown = FindingList("findings")
    qtbot.addWidget(shown)
    shown.show_findings(found)
    assert shown.texts == [
        "Serious. The sign is in doubt.", "Warning. Much noise.", "Note. Good to know."
    ]  # fmt: skip
    shown.show_findings([])
    assert shown.texts[0].startswith("Nothing unusual")
    pictures = []
    for kind in ("serious", "warning", "note", "good", "doubtful"):
        image = sign(kind).toImage()
        alpha = [
            [image.pixelColor(x, y).alpha() > 127 for x in range(0, image.width(), 4)]
            for y in range(0, image.height(), 4)
        ]
        pictures.append(np.array(alpha))
    octagon, triangle, circle, good, diamond = pictures
    assert (circle == good).all()
    for other in (octagon, triangle, diamond):  # told apart without colour
        assert (circle != other).sum() > 4


def test_what_is_left_unexplained_is_an_image_replaced_in_place(workspace, recon, judged):
    session = workspace.session
    session.add(
        recon.result().volume("chi_ppm"), role="map", name="χ", case=session.case_called(GROUP)
    )
    settle()
    press(workspace, "qsm.quality.unexplained")
    settled_jobs(workspace)
    entry = session.entry("unexplained field")
    assert session.selected == entry.id and entry.display.window == (-0.02, 0.02)
    assert entry.role == "other" and entry.provenance and not entry.is_susceptibility
    result = recon.result()
    have, mask = result.arrays, result.arrays["local_mask"]
    source = np.where(mask, have["chi_ppm"] + have["reference_ppm"], 0)
    field = forward_field(source, result.grid.voxel_size_mm, result.grid.b0_direction)
    expected = (have["local_field_ppm"] - field)[mask]
    np.testing.assert_allclose(entry.volume.data[mask], expected - expected.mean(), atol=2e-5)
    assert not entry.volume.data[~mask].any()
    before = entry.volume.data
    recon.set("inversion", threshold=0.3)
    assert "Something above has changed" in child(workspace, "qsm.quality.state").text()
    run(recon)
    settled_jobs(workspace)
    assert [e.name for e in session if e.name.startswith("unexplained")] == ["unexplained field"]
    after = session.entry("unexplained field").volume.data
    assert after is not before and (after != before).any()
    np.testing.assert_array_equal(after, unexplained_field(recon.result()).data)


def test_a_map_given_from_outside_has_nothing_to_compare_with(finished):
    from dataclasses import replace

    result = finished.result()
    arrays = {k: v for k, v in result.arrays.items() if k != "local_field_ppm"}
    with pytest.raises(QsmError, match="not made from a field"):
        unexplained_field(replace(result, arrays=arrays))


def test_a_verdict_belongs_to_its_map(workspace, recon, judged, tmp_path):
    session = workspace.session
    unsaved = DirtyTracker(session)
    save = child(workspace, "qsm.quality.save_rating")
    assert not save.isEnabled()
    press(workspace, "qsm.quality.doubtful")
    assert save.isEnabled()
    press(workspace, "qsm.quality.save_rating")
    assert "name or initials" in child(workspace, "qsm.quality.rating_said").text()
    assert session.case.ratings == ()
    type_text(workspace, "qsm.quality.rater", "AB")
    type_text(workspace, "qsm.quality.comment", "streaks below the sinus")
    press(workspace, "qsm.quality.save_rating")
    [rating] = session.case.ratings
    chi = recon.result().arrays["chi_ppm"]
    assert (rating.verdict, rating.rater) == ("doubtful", "AB")
    assert rating.comment == "streaks below the sinus"
    assert rating.chi_sha256 == map_checksum(chi)
    assert unsaved.is_unsaved
    unsaved.stop()
    [line] = judged.form.past
    assert line.startswith("Doubtful, AB, ") and line.endswith(": streaks below the sinus")
    assert not save.isEnabled() and child(workspace, "qsm.quality.comment").text() == ""

    folder = tmp_path / "result"
    folder.mkdir()
    judged.result_saved(folder)
    assert read_ratings(folder).ratings == (rating,)
    press(workspace, "qsm.quality.pass")
    press(workspace, "qsm.quality.save_rating")  # the name is still there
    assert read_ratings(folder).ratings == session.case.ratings and len(session.case.ratings) == 2
    assert json.loads((folder / RATING_FILE).read_text())["ratings"][1]["verdict"] == "pass"

    recon.set("inversion", threshold=0.3)
    run(recon)
    settled_jobs(workspace)
    assert all("for an earlier or another map" in text for text in judged.form.past)
    press(workspace, "qsm.quality.fail")
    press(workspace, "qsm.quality.save_rating")
    assert len(read_ratings(folder).ratings) == 2  # another map than the one in the folder
    assert judged.form.past[0].startswith("Fail") and "earlier" not in judged.form.past[0]


def test_ratings_are_saved_with_the_session(tmp_path):
    session = Session()
    one = make_rating("pass", rater="AB", chi_sha256="1" * 64)
    two = make_rating("fail", rater="CD", comment="noise", chi_sha256="2" * 64)
    session.case.ratings = (one, two)
    save_session(session, tmp_path / "work")
    back = Session()
    assert read_session(tmp_path / "work").into(back) == []
    assert back.case.ratings == (one, two)


def test_previews_are_not_saved(tmp_path, head):
    session = Session()
    kept = session.add(head.chi, role="map", name="kept")
    session.add(head.chi, role="other", name="preview A").preview = True
    assert session.lasting == [kept]
    save_session(session, tmp_path / "work")
    back = Session()
    read_session(tmp_path / "work").into(back)
    assert [e.name for e in back] == ["kept"]


def test_the_report_is_written_where_the_user_says(workspace, judged, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    opened = []
    monkeypatch.setattr(
        "napari_qsm.viewer.reconstruct.quality_box.QDesktopServices.openUrl",
        lambda url: opened.append(url.toLocalFile()) or True,
    )
    workspace.session.case.ratings = (
        make_rating("pass", rater="AB", chi_sha256=judged.judgement.quality.chi_sha256),
    )
    assert child(workspace, "qsm.quality.open_report").isHidden()
    press(workspace, "qsm.quality.report")
    settled_jobs(workspace)
    text = path.read_text("utf-8")
    assert "Pictures of each stage" in text and "AB" in text
    assert str(path) in workspace.central.message.text
    press(workspace, "qsm.quality.open_report")
    assert [str(path)] == opened


def test_regions_on_the_grid_settle_the_sign(workspace, head, recon, judged):
    assert judged.judgement.quality["iron_contrast_ppm"] is None
    session = workspace.session
    regions = {region.index: region for region in head.label_names}
    entry = session.add(
        head.labels, role="labels", regions=regions, case=session.case_called(GROUP)
    )
    settle()
    press(workspace, "qsm.quality.again")
    settled_jobs(workspace)
    contrast = judged.judgement.quality["iron_contrast_ppm"]
    assert contrast is not None and contrast > 0
    grid = recon.result().grid
    assert iron_rich_labels(session.study.new_case("somebody else"), grid) is None
    entry.regions = dict.fromkeys(regions, "white matter")
    assert iron_rich_labels(session.case, grid) is None


def test_a_failure_is_one_sentence_and_can_be_taken_up(workspace, recon, box, monkeypatch):
    def fails(*args, **kwargs):
        raise QsmError("This cannot be judged.")

    with monkeypatch.context() as patch:
        patch.setattr("napari_qsm.viewer.reconstruct.quality_box.judge", fails)
        box.refresh()
        settled_jobs(workspace)
    assert child(workspace, "qsm.quality.state").text() == "This cannot be judged."
    press(workspace, "qsm.quality.again")
    settled_jobs(workspace)
    assert box.judgement is not None and child(workspace, "qsm.quality.state").isHidden()


def test_a_run_stops_the_judging_in_silence(workspace, recon, box):
    workspace.central.message.hide()
    box.refresh()
    recon.start(["inversion"])
    settled_jobs(workspace)
    assert box.judgement is None and workspace.central.message.text == ""
    recon.end()
    settled_jobs(workspace)
    assert box.judgement is not None


def test_the_histogram_follows_unit_and_theme(workspace, judged):
    shown = child(workspace, "qsm.quality.histogram")
    dark = shown.grab().toImage()
    workspace.session.unit = "ppb"
    settle()
    assert shown.grab().toImage() != dark
    ink = judged.histogram._ink().lightness()
    theme = workspace.viewer.theme
    workspace.viewer.theme = "light"
    settle()
    try:
        assert ink > 200 > 60 > judged.histogram._ink().lightness()
    finally:
        workspace.viewer.theme = theme


def test_in_the_panel_a_run_is_judged_and_settings_can_be_tried(workspace, head):
    session = workspace.session
    for volume, role in ((head.scan.magnitude[0], "magnitude"), (head.scan.phase[0], "phase")):
        session.add(volume, role=role, case=session.case_called(GROUP))
    session.case.scan = head.scan
    panel = workspace.panels.reconstruct
    workspace.tabs.setCurrentWidget(panel)
    panel.recon.use_recipe(reconstruction_of(head).recipe())
    settle()
    assert panel.quality.judgement is None
    actions.press(workspace, "qsm.reconstruct.run_all")
    settled_jobs(workspace)
    judged = panel.quality.judgement
    assert judged.quality.chi_sha256 == map_checksum(panel.recon.arrays()["chi_ppm"])
    assert judged.subject.case is session.case
    assert judged.quality["dark_share"] is not None  # the magnitude was at hand
    panel.sections["inversion"].open(True)
    settle()
    actions.press(workspace, "qsm.tryouts.open.inversion")
    assert panel.sweeps.dialog.stage == "inversion"
    old = panel.quality
    session.case.reconstruction = None  # another session is opened
    settle()
    assert panel.sweeps.dialog is None and panel.quality is not old
    assert panel.quality.judgement is None


def test_noise_of_the_map_is_found_saved_and_told_in_the_table(workspace, head, recon, tmp_path):
    from napari_qsm.viewer.reconstruct.export import result_writer
    from napari_qsm.viewer.reconstruct.noise_box import NoiseBox

    session = workspace.session
    results = Results(session, session.case, recon)
    for stage in recon.active():
        results.show_made(recon.result_of(stage), look=False)
    made = NoiseBox(workspace.services, recon, lambda: finished_map(recon, session.case))
    recon.changed.connect(made.refresh)
    made.refresh()
    button, state = (made.findChild(QWidget, f"qsm.noise.{n}") for n in ("find", "state"))
    assert "takes about" in state.text() and recon.noise is None
    button.click()
    settled_jobs(workspace)
    assert "ppb (median)" in state.text() and not button.isEnabled()
    entry = next(e for e in session.case.maps if e.name == NAME)
    np.testing.assert_array_equal(entry.volume.data, recon.noise.noise_ppm)
    result_writer(recon, tmp_path / "out")(lambda *told: None, lambda: False)
    assert (tmp_path / "out" / "chi_noise.nii.gz").is_file()
    assert "standard errors" in (tmp_path / "out" / "methods.txt").read_text("utf-8")
    recon.changed.disconnect(made.refresh)
    made.deleteLater()


def test_other_maps_of_the_scan_are_made_shown_and_refused_in_words(workspace, head, recon):
    from napari_qsm.viewer.reconstruct.contrast_box import ContrastBox

    session = workspace.session
    results = Results(session, session.case, recon)
    for stage in recon.active():
        results.show_made(recon.result_of(stage), look=False)
    made = ContrastBox(workspace.services, recon, lambda: finished_map(recon, session.case))
    made.set_open(True)
    recon.changed.connect(made.refresh)
    made.resize(320, 700)
    made.show()
    settle()

    def part(name):
        return made.findChild(QWidget, f"qsm.contrasts.{name}")

    def click(name):
        QTest.mouseClick(part(name), Qt.MouseButton.LeftButton, pos=QPoint(8, 10))
        settle()

    assert not part("make").isEnabled() and not part("care").isVisible()
    click("r2star")
    click("make")
    assert (
        "two echo times, but there is one" in workspace.central.message.text
    )  # before anything is computed
    click("r2star")
    click("chi-separation")
    assert part("care").isVisible() and "Checked on simulated signals only" in part("care").text()
    click("chi-separation")
    assert not part("care").isVisible() and not part("tswi.set").isVisible()
    click("tswi")
    click("settings")
    assert part("tswi.set").isVisible() and not part("swi.set").isVisible()
    part("tswi.set.to_ppm").setValue(0.5)
    click("make")
    settled_jobs(workspace)
    (entry,) = [e for e in session.case.maps if e.name == "tSWI"]
    assert entry.display.visible and "Made: tSWI." in part("state").text()
    magnitude, chi = (recon.arrays()[name] for name in ("magnitude", "chi_ppm"))
    expected = magnitude[0] * np.clip(1 - chi / 0.5, 0, 1) ** 2
    np.testing.assert_allclose(entry.volume.data, expected, rtol=1e-4, atol=1e-3)
    # What a session brings is shown, and what it does not set is at its default again.
    recon.contrast_settings = {"chi-separation": {"r2": 14.5}}
    recon.changed.emit()
    assert part("chi-separation.set.r2").value() == 14.5
    assert part("tswi.set.to_ppm").value() == 1.0
    recon.changed.disconnect(made.refresh)
    made.close()
    made.deleteLater()
