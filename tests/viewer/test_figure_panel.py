"""The Figure panel: templates, views as panels, marks, export, the demo; in a real window."""

import json
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.compositing import compose, unpacked
from napari_qsm.figures import editing
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.draw import Cache, render
from napari_qsm.figures.spec import read_spec
from napari_qsm.io.label_table import Region
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.session import Session, first_display
from napari_qsm.session.figure.from_session import given_of
from napari_qsm.session.figure.from_view import Look, add_view
from napari_qsm.session.opening import load
from napari_qsm.viewer.canvas.sheets import Sheets
from napari_qsm.viewer.demonstration import open_demonstration
from napari_qsm.volume import Volume
from tests.viewer.actions import CTRL, child, click, drag, hover, key, pixel_of, press, wheel
from tests.viewer.conftest import affine_of, renew, settle

pytestmark = pytest.mark.window

SHAPE = (40, 48, 16)
SIZE = (2.0, 2.0, 3.0)
CENTRE = (4.0, -6.0, 12.5)
NAMES = [
    "magnitude control",
    "χ control",
    "magnitude patient",
    "χ patient",
    "regions control",
    "regions patient",
]
REGIONS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#00ff00"),
    3: Region(3, "Globus pallidus L", "left", "#0000ff"),
    4: Region(4, "Globus pallidus R", "right", "#ffff00"),
}


def subject(seed):
    """A map with four boxes of iron, its regions, and a magnitude."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:14, 18:30, 5:11] = 1  # low x is the patient's left
    labels[26:30, 18:30, 5:11] = 2
    labels[15:18, 20:26, 5:11] = 3
    labels[22:25, 20:26, 5:11] = 4
    values = rng.normal(0.0, 0.01, SHAPE)
    values[labels > 0] += 0.03 * seed + 0.02
    affine = affine_of(SHAPE, SIZE)
    chi = Volume(values.astype(np.float32), affine, unit="ppm", name="chi")
    magnitude = Volume(rng.uniform(50, 100, SHAPE).astype(np.float32), affine, name="magnitude")
    return chi, Volume(labels, affine, name="labels"), magnitude


def marks_of(session):
    """The marks of all cases."""
    return [mark for case in session.cases for mark in case.annotations]


def clear_marks(session):
    for case in session.cases:
        case.annotations = ()


def add_subject(session, name, seed):
    case = session.case_called(name)
    chi, labels, magnitude = subject(seed)
    session.add(magnitude, role="magnitude", name=f"magnitude {name}", case=case)
    entry = session.add(chi, role="map", name=f"χ {name}", case=case)
    return entry, session.add(
        labels, role="labels", name=f"regions {name}", case=case, regions=dict(REGIONS)
    )


@pytest.fixture
def two(one_window):
    """A control and a patient with their regions, and the Figure panel on top.

    They stay open from test to test (layers take long to make); all else is as at the start.
    """
    session = one_window.session
    if [e.name for e in session] != NAMES:
        for entry in list(session):
            session.remove(entry)
        for seed, name in enumerate(("control", "patient"), 1):
            add_subject(session, name, seed)
    selected = session.selected
    renew(session, NAMES)
    session.selected = selected
    control, patient = session.entry("χ control"), session.entry("χ patient")
    for seed, entry in enumerate((control, patient), 1):
        labels = session.labels_of(entry)
        labels.regions = dict(REGIONS)
        now = subject(seed)[1].data.ravel(order="F")
        session.edit_labels(labels, np.arange(now.size), now)
        entry.display.update(first_display(entry.volume, "map").model_dump())
    session.history.clear()
    session.selected = patient.id
    panel = one_window.panels.figure
    child(one_window, "qsm.figure.template").setCurrentIndex(0)
    one_window.tabs.setCurrentWidget(panel)
    one_window.central.message.hide()
    one_window.controller.use_tool(None)
    one_window.controller.main.reset_zoom()
    one_window.controller.go_to(CENTRE)
    click(one_window.controller.main, pixel_of(one_window, one_window.controller.main, CENTRE))
    quiet(one_window)
    return control, patient


def wait_for(condition, seconds=20):
    import time

    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        settle(1)
        time.sleep(0.01)
    assert condition()


def quiet(workspace):
    """Wait until nothing is being made or drawn."""
    work = workspace.panels.figure.work
    wait_for(lambda: not workspace.central.jobs.busy and not work.renderer.busy)
    settle()


def choose(workspace, name, key):
    """Choose an entry of a list as a person does: open it, go there, press Return."""
    combo = child(workspace, name)
    at = combo.findData(key)
    assert at >= 0
    combo.showPopup()
    popup = combo.view()
    QTest.keyClick(popup, Qt.Key.Key_Home)
    for _ in range(at):
        QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert combo.currentData() == key
    settle()


def make(workspace, template):
    choose(workspace, "qsm.figure.template", template)
    quiet(workspace)


def tick(workspace, name):
    box = child(workspace, name)
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    settle()


def select_row(workspace, row):
    child(workspace, "qsm.figure.panels").setCurrentRow(row)
    settle()


def export_to(workspace, path, monkeypatch):
    """Press the main button and answer the file dialog."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    press(workspace, "qsm.figure.export")
    quiet(workspace)


# Templates ----------------------------------------------------------------------------------


def test_figure_1_by_clicks_and_exported_as_the_spec_says(two, one_window, tmp_path, monkeypatch):
    control, patient = two
    assert child(one_window, "qsm.figure.control").currentText() == "χ control"
    assert child(one_window, "qsm.figure.patient").currentText() == "χ patient"
    make(one_window, "case-report-1")
    spec = one_window.session.figure
    maps = [p.map for p in spec.panels if p.kind == "image"]
    assert maps == [control.id, control.id, patient.id, patient.id] * 2
    assert spec.column_titles == ("Control", "Control", "Patient", "Patient")
    preview = one_window.panels.figure.work.preview
    assert preview.drawn.spec == spec
    assert preview.pixels[..., :3].std() > 10
    choose(one_window, "qsm.figure.dpi", 150)
    quiet(one_window)
    for ending in ("png", "pdf"):
        export_to(one_window, tmp_path / f"one.{ending}", monkeypatch)
    said = one_window.central.message.text
    assert "one.pdf" in said and "one.json" in said and "one_data" in said
    saved = read_spec(tmp_path / "one.json")
    for ending in ("png", "pdf"):
        again = tmp_path / f"again.{ending}"
        render(saved, base=tmp_path).save(again, companions=False)
        assert again.read_bytes() == (tmp_path / f"one.{ending}").read_bytes()
    # The numbers beside the picture are those of the arrays.
    lines = (tmp_path / "one.csv").read_text().splitlines()
    assert len(lines) == 5
    chi, labels, _ = subject(2)
    inside = chi.data[labels.data == 2].astype(np.float64)
    row = next(line for line in lines if "Patient" in line and "Putamen R" in line)
    assert f"{inside.mean():.4f}"[:5] in row and ",288," in row
    assert "Control" in (tmp_path / "one.txt").read_text()


def test_figure_2_brings_marks_into_the_views_and_undo_takes_them_away(two, one_window):
    make(one_window, "case-report-2")
    session = one_window.session
    marked = [p for p in session.figure.panels if getattr(p, "annotations", ())]
    assert len(marks_of(session)) == sum(len(p.annotations) for p in marked) == 16
    assert len({mark.id for mark in marks_of(session)}) == 16
    assert [len(case.annotations) for case in session.cases] == [8, 8]
    make(one_window, "case-report-2")
    assert len(marks_of(session)) == 16
    session.history.undo()
    session.history.undo()
    assert marks_of(session) == [] and session.figure is None


def test_a_wrong_side_stops_the_export(two, one_window, tmp_path, monkeypatch):
    control, _ = two
    make(one_window, "case-report-1")
    labels = one_window.session.labels_of(control)
    labels.regions = {**REGIONS, 1: Region(1, "Putamen L", "right", "#ff0000")}
    export_to(one_window, tmp_path / "wrong.png", monkeypatch)
    assert "marked as right, but its name says left" in one_window.central.message.text
    assert list(tmp_path.iterdir()) == []


# Views as panels ----------------------------------------------------------------------------


def test_the_current_view_becomes_a_panel_as_it_is(two, one_window):
    control, _ = two
    session, controller = one_window.session, one_window.controller
    session.selected = control.id
    control.display.update({"window": (-0.05, 0.11), "colouring": "colour", "threshold_low": 0.01})
    session.views_linked = False
    view = controller.views[1]
    wheel(view, pixel_of(one_window, view, session.crosshair_mm), 4, CTRL)
    click(view, pixel_of(one_window, view, control.volume.voxel_to_world([14, 22, 9])))
    assert "(coronal)" in child(one_window, "qsm.figure.add_view").text()
    hover(controller.views[2], QPoint(20, 20))  # on the way to the button
    press(one_window, "qsm.figure.add_view")
    quiet(one_window)
    panel = session.figure.panels[0]
    assert (panel.map, panel.plane) == (control.id, "coronal")
    y = control.volume.voxel_to_world(
        [0, np.rint(control.volume.world_to_voxel(session.crosshair_mm)[1]), 0]
    )[1]
    assert panel.slice_mm == pytest.approx(y, abs=1e-3)
    display = session.figure.displays[panel.display]
    assert display.window == (-0.05, 0.11)
    assert (display.colouring, display.threshold_low) == ("colour", 0.01)
    assert panel.over == session.entry("magnitude control").id
    assert panel.regions.labels == session.labels_of(control).id
    # The crop is what the canvas shows, no more than the map itself.
    camera = view.camera()
    frame = controller.frame
    across, up = DRAWN_AXES["coronal"]
    low = frame.origin_mm - frame.size_mm / 2
    high = low + np.array(SHAPE) * SIZE
    expected = []
    for axis, pixels, centre in zip((across, up), camera.size, camera.centre, strict=True):
        half = pixels / camera.zoom / 2
        expected.append(min(centre + half, high[axis]) - max(centre - half, low[axis]))
    assert panel.crop.size_mm == pytest.approx(expected, abs=0.01)
    session.views_linked = True
    controller.main.reset_zoom()


def naive_slice(values, window, opacity, low):
    """Grey of a map over nothing, by hand: 1024 steps through the window, hidden below ``low``."""
    at = np.floor((values - window[0]) / (window[1] - window[0]) * 1024).clip(0, 1023) / 1023
    return np.where(values < low, 0.0, at * opacity) * 255, values < low


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_view_and_its_panel_have_the_same_pixels(two, one_window, plane):
    """A translucent map with a threshold over the magnitude: the blending of both is one."""
    control, _ = two
    session, controller = one_window.session, one_window.controller
    session.selected = control.id
    magnitude = session.entry("magnitude control")
    magnitude.display.window = (40.0, 110.0)
    look = {"window": (-0.02, 0.06), "threshold_low": 0.0, "opacity": 0.6, "visible": True}
    control.display.update({**look, "colouring": "grey"})
    session.labels_of(control).display.visible = False
    settle()
    world = control.volume.voxel_to_world([17, 22, 9])
    size = tuple(control.volume.shape[axis] * SIZE[axis] for axis in DRAWN_AXES[plane])
    centre = control.volume.voxel_to_world((np.array(SHAPE) - 1) / 2)
    at_mm = float(world[DEPTH_AXIS[plane]])
    view = Look(entry=control, plane=plane, at_mm=at_mm, centre_mm=centre, size_mm=size)
    spec = add_view(None, session, view)
    cache = Cache()
    render(spec, given_of(session, spec, {}, {}), dpi=72, cache=cache)
    (figure,) = cache.rasters.values()

    frame, sheets = controller.frame, Sheets(one_window.viewer)
    seen = [sheets.of(layer) for layer in one_window.viewer.layers if layer.visible]
    sheets.dispose()
    across, up = (
        frame.origin_mm[axis] + np.arange(SHAPE[axis]) * SIZE[axis] for axis in DRAWN_AXES[plane]
    )
    depth = frame.world_to_display(world)[DEPTH_AXIS[plane]]
    across = across[::-1] if figure.left > figure.right else across
    window = unpacked(compose(seen, plane, depth, across, up[::-1]))
    np.testing.assert_array_equal(figure.rgb, window)
    # And both are what comes out by hand, to the rounding of two layers.
    index = [slice(None)] * 3
    index[DEPTH_AXIS[plane]] = (17, 22, 9)[DEPTH_AXIS[plane]]
    flipped = np.s_[::-1, ::-1] if figure.left > figure.right else np.s_[::-1]
    chi, hidden = naive_slice(
        control.volume.data[tuple(index)].T[flipped].astype(float), (-0.02, 0.06), 0.6, 0.0
    )
    below, _ = naive_slice(
        magnitude.volume.data[tuple(index)].T[flipped].astype(float), (40.0, 110.0), 1.0, -1.0
    )
    expected = chi + below * np.where(hidden, 1.0, 0.4)
    assert hidden.any() and not hidden.all()
    assert np.abs(window[..., 0] - expected).max() <= 1.5
    session.labels_of(control).display.visible = True


def test_a_whole_view_and_another_window_are_kept_and_said(two, one_window):
    control, patient = two
    session = one_window.session
    session.windows_linked = False
    session.selected = control.id
    press(one_window, "qsm.figure.add_view")
    patient.display.window = (-0.05, 0.3)
    session.selected = patient.id
    press(one_window, "qsm.figure.add_view")
    quiet(one_window)
    first, second = session.figure.panels
    assert first.crop.kind == second.crop.kind == "whole"
    assert (first.title, second.title) == ("Control", "Patient")
    assert first.display == second.display
    assert (first.unlocked_window, second.unlocked_window) == (None, (-0.05, 0.3))
    assert "0.3" in one_window.panels.figure.work.preview.drawn.caption
    select_row(one_window, 1)
    assert not child(one_window, "qsm.figure.lock").isChecked()
    tick(one_window, "qsm.figure.lock")
    assert session.figure.panels[1].unlocked_window is None
    session.windows_linked = True


def test_speckle_is_left_out_from_a_size_that_is_typed(two, one_window):
    make(one_window, "case-report-2")
    session = one_window.session
    field = child(one_window, "qsm.figure.speckle")
    select_row(one_window, len(session.figure.panels) - 3)  # inverted, without thresholds
    assert not field.isEnabled()
    select_row(one_window, 0)
    assert field.isEnabled() and field.value() == 50
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "120")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert session.figure.displays["colour"].smallest_cluster_mm3 == 120
    quiet(one_window)
    drawn = one_window.panels.figure.work.preview.drawn
    assert "nor clusters smaller than 120 mm³" in drawn.caption


# The list and the forms ---------------------------------------------------------------------


def test_panels_are_ordered_copied_deleted_and_titles_stay_true(two, one_window):
    make(one_window, "case-report-1")
    session = one_window.session
    before = session.figure
    select_row(one_window, 1)
    press(one_window, "qsm.figure.down")
    # Second column: the patient above, the control below. One title cannot serve both.
    assert session.figure.column_titles == ()
    titles = [(p.map, p.title) for p in session.figure.panels if p.kind == "image"]
    names = {key: source.name for key, source in session.figure.sources.items()}
    assert all(title == names[key] for key, title in titles)
    assert child(one_window, "qsm.figure.panels").currentRow() == 2
    press(one_window, "qsm.figure.copy")
    assert len(session.figure.panels) == 11
    slices, table = session.figure.panels[-2:]
    assert (table.cell.row, table.cell.columns) == (3, 3)
    assert (slices.kind, slices.cell.row, slices.cell.column) == ("locator", 3, 3)
    press(one_window, "qsm.figure.delete")
    assert len(session.figure.panels) == 10
    quiet(one_window)
    assert one_window.panels.figure.work.problem == ""
    for _ in range(3):
        session.history.undo()
    assert session.figure == before


def test_columns_move_the_table_to_its_own_row(two, one_window):
    make(one_window, "case-report-1")
    spin = child(one_window, "qsm.figure.columns")
    child(one_window, "qsm.figure.page_fold").click()
    spin.setValue(2)
    quiet(one_window)
    spec = one_window.session.figure
    assert spec.columns == 2 and spec.panels[-1].cell.row == 4
    assert child(one_window, "qsm.figure.rows").text() == "× 5 rows"
    assert one_window.panels.figure.work.problem == ""
    # Each column now has control and patient: the names go to the panels.
    assert spec.column_titles == () and spec.panels[0].title == "Control"
    choose(one_window, "qsm.figure.width", 85.0)
    choose(one_window, "qsm.figure.dpi", 600)
    choose(one_window, "qsm.figure.ground", "dark")
    style = one_window.session.figure.style
    assert (style.width_mm, style.dpi, style.ground) == (85.0, 600, "dark")
    child(one_window, "qsm.figure.page_fold").click()


def test_the_tables_difference_goes_by_a_tick_and_comes_back_by_undo(two, one_window):
    make(one_window, "case-report-1")
    session, column = one_window.session, "difference"
    assert session.figure.panels[-1].columns[-1] == column
    child(one_window, "qsm.figure.page_fold").click()
    tick(one_window, "qsm.figure.difference")
    assert column not in session.figure.panels[-1].columns
    session.history.undo()
    assert session.figure.panels[-1].columns[-1] == column
    wait_for(lambda: child(one_window, "qsm.figure.difference").isChecked())
    child(one_window, "qsm.figure.page_fold").click()


def test_the_chosen_panel_is_edited(two, one_window):
    make(one_window, "case-report-1")
    session = one_window.session
    volume = two[0].volume
    select_row(one_window, 0)
    spin = child(one_window, "qsm.figure.slice")
    start = session.figure.panels[0].slice_mm
    spin.setFocus()
    QTest.keyClick(spin, Qt.Key.Key_Up)
    assert session.figure.panels[0].slice_mm == pytest.approx(start + SIZE[2])
    spin.selectAll()
    QTest.keyClicks(spin, "S 9")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    now = session.figure.panels[0].slice_mm
    centres = [volume.voxel_to_world([0, 0, k])[2] for k in range(SHAPE[2])]
    assert now == pytest.approx(min(centres, key=lambda z: abs(z - 9)), abs=1e-3)
    assert spin.text() == f"S {now:.1f} mm"
    title = child(one_window, "qsm.figure.title")
    title.setFocus()
    QTest.keyClicks(title, "Before")
    QTest.keyClick(title, Qt.Key.Key_Return)
    assert session.figure.panels[0].title == "Before"
    tick(one_window, "qsm.figure.scale_bar")
    assert session.figure.panels[0].scale_bar
    tick(one_window, "qsm.figure.colour_bar")
    assert session.figure.colour_bars == ()
    high = child(one_window, "qsm.figure.high")
    high.setFocus()
    high.selectAll()
    QTest.keyClicks(high, "0.15")
    QTest.keyClick(high, Qt.Key.Key_Return)
    assert session.figure.displays["grey"].window == (-0.1, 0.15)
    choose(one_window, "qsm.figure.regions", "fill")
    regions = session.figure.panels[0].regions
    assert (regions.style, regions.labels) == ("fill", session.labels_of(two[0]).id)
    choose(one_window, "qsm.figure.names", "short")
    assert session.figure.panels[0].regions.names == "short"
    quiet(one_window)
    assert one_window.panels.figure.work.problem == ""


def test_a_map_gets_another_word_everywhere(two, one_window):
    make(one_window, "case-report-1")
    select_row(one_window, 2)
    line = child(one_window, "qsm.figure.map_name")
    assert line.text() == "Patient"
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "Case 1")
    QTest.keyClick(line, Qt.Key.Key_Return)
    spec = one_window.session.figure
    assert spec.column_titles == ("Control", "Control", "Case 1", "Case 1")
    assert [m.subject for m in spec.panels[-1].measured] == ["Control", "Case 1"]


def test_the_caption_is_a_draft_until_it_is_edited(two, one_window):
    make(one_window, "case-report-1")
    child(one_window, "qsm.figure.caption_fold").click()
    box = child(one_window, "qsm.figure.caption")
    assert "Control" in box.toPlainText()
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "My words.")
    child(one_window, "qsm.figure.title").setFocus()
    box.left.emit()
    quiet(one_window)
    assert one_window.session.figure.caption == "My words."
    press(one_window, "qsm.figure.draft")
    quiet(one_window)
    assert one_window.session.figure.caption == "" and "Control" in box.toPlainText()
    child(one_window, "qsm.figure.caption_fold").click()


def test_the_preview_follows_the_drawing_of_regions(two, one_window):
    control, _ = two
    make(one_window, "case-report-1")
    labels = one_window.session.labels_of(control)
    before = one_window.panels.figure.work.preview.drawn.table
    at = np.flatnonzero(labels.editable.ravel(order="F") == 1)[:40]
    one_window.session.edit_labels(labels, at, 0)
    work = one_window.panels.figure.work
    wait_for(lambda: work.preview is not None and not work.preview.drawn.table.equals(before))
    assert before["voxels"].max() - work.preview.drawn.table["voxels"].iloc[0] == 40


def test_the_preview_follows_names_and_replaced_images(two, one_window):
    control, _ = two
    make(one_window, "case-report-1")
    work = one_window.panels.figure.work
    labels = one_window.session.labels_of(control)
    labels.regions = {**REGIONS, 1: Region(1, "Putamen left side", "left", "#ff0000")}
    wait_for(
        lambda: (
            work.preview is not None
            and "Putamen left side" in set(work.preview.drawn.table["name"])
        )
    )
    before, volume = work.preview.drawn.table["mean_ppm"].iloc[0], control.volume
    control.volume = volume.with_data(volume.data + np.float32(0.01))
    wait_for(lambda: work.preview.drawn.table["mean_ppm"].iloc[0] > before + 0.009)
    control.volume = volume


def test_figure_and_marks_come_back_with_the_saved_work(two, one_window, tmp_path):
    make(one_window, "case-report-2")
    session = one_window.session
    one_window.save(tmp_path / "work")
    again = Session()
    load([tmp_path / "work"]).into(again)
    assert again.figure == session.figure
    assert marks_of(again) == marks_of(session)
    assert all(again.entry(key) is not None for key in again.figure.sources)


def test_a_blinded_reader_sees_no_figure(two, one_window, tmp_path, monkeypatch):
    make(one_window, "case-report-1")
    one_window.session.blinded = True
    quiet(one_window)
    assert "Blinded" in child(one_window, "qsm.figure.preview").text()
    export_to(one_window, tmp_path / "f.png", monkeypatch)
    assert list(tmp_path.iterdir()) == []
    one_window.session.blinded = False
    work = one_window.panels.figure.work
    wait_for(lambda: work.preview is not None)


def test_the_large_preview_fills_the_views(two, one_window):
    make(one_window, "case-report-1")
    press(one_window, "qsm.figure.preview")
    large = child(one_window, "qsm.figure.large")
    assert large.isVisible() and large.geometry() == one_window.central.area.geometry()
    wait_for(lambda: not one_window.panels.figure.preview.large._renderer.busy)
    press(one_window, "qsm.figure.large.close")
    assert not large.isVisible()


def test_copy_puts_the_figure_into_the_clipboard(two, one_window):
    make(one_window, "qc-montage")
    choose(one_window, "qsm.figure.dpi", 150)
    press(one_window, "qsm.figure.copy_picture")
    quiet(one_window)
    image = QApplication.clipboard().image()
    assert image.width() == int(174 / 25.4 * 150)
    assert "clipboard" in one_window.central.message.text


def test_a_spec_is_saved_and_opened_again(two, one_window, tmp_path, monkeypatch):
    make(one_window, "case-report-2")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "two"), ""))
    press(one_window, "qsm.figure.save_spec")
    quiet(one_window)
    text = (tmp_path / "two.json").read_text()
    assert one_window.session.entry("χ control").id not in text
    assert (tmp_path / "two_data" / "control_chi.nii.gz").is_file()
    before = one_window.panels.figure.work.preview.pixels
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "two.json"), ""))
    press(one_window, "qsm.figure.open_spec")
    quiet(one_window)
    work = one_window.panels.figure.work
    assert work.problem == ""
    np.testing.assert_array_equal(work.preview.pixels, before)
    # Opened elsewhere, it is exported with the way back to its maps.
    (tmp_path / "far").mkdir()
    export_to(one_window, tmp_path / "far" / "three.png", monkeypatch)
    assert not (tmp_path / "far" / "three_data").exists()
    again = read_spec(tmp_path / "far" / "three.json")
    assert again.sources["control_chi"].path == "../two_data/control_chi.nii.gz"
    render(again, base=tmp_path / "far").save(tmp_path / "four.png", companions=False)
    three = (tmp_path / "far" / "three.png").read_bytes()
    assert (tmp_path / "four.png").read_bytes() == three
    (tmp_path / "bad.json").write_text('{"version": 99}')
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "bad.json"), ""))
    press(one_window, "qsm.figure.open_spec")
    assert "newer" in one_window.central.message.text


# Marks --------------------------------------------------------------------------------------


def mark_tool(workspace, kind):
    button = child(workspace, f"qsm.figure.mark_{kind}")
    button.click()
    settle()


@pytest.fixture
def large_view(two, one_window):
    """The axial view on a slice of the control, with nothing else shown."""
    control, _ = two
    one_window.session.selected = control.id
    settle()
    return one_window.controller.main


@pytest.mark.parametrize("kind", ["arrow", "line", "circle", "ellipse", "text"])
def test_a_mark_is_drawn_moved_deleted_and_undone(kind, two, large_view, one_window):
    session, view, volume = one_window.session, large_view, two[0].volume
    start_mm = np.array(volume.voxel_to_world([12, 20, 8]))
    end_mm = np.array(volume.voxel_to_world([22, 28, 8]))
    start, end = (pixel_of(one_window, view, p) for p in (start_mm, end_mm))
    tolerance = 1.0 / view.camera().zoom + 0.02
    mark_tool(one_window, kind)
    if kind == "text":
        click(view, start)
    else:
        drag(view, start, end)
    (mark,) = session.case.annotations
    assert (mark.kind, mark.plane) == (kind, "axial")
    at = end_mm if kind == "arrow" else start_mm
    np.testing.assert_allclose(mark.at_mm, at, atol=tolerance)
    assert mark.at_mm[2] == pytest.approx(start_mm[2], abs=0.01)
    if kind in ("arrow", "line"):
        assert mark.length_mm == pytest.approx(np.hypot(20, 16), abs=2 * tolerance)
    if kind == "circle":
        assert mark.radii_mm[0] == pytest.approx(np.hypot(20, 16), abs=2 * tolerance)
    if kind == "ellipse":
        assert mark.radii_mm == pytest.approx((20, 16), abs=2 * tolerance)
    # Chosen after drawing: a drag that begins on it moves it.
    hold = (
        start
        if kind in ("text",)
        else QPoint((start.x() + end.x()) // 2, (start.y() + end.y()) // 2)
    )
    if kind in ("circle", "ellipse"):
        hold = pixel_of(one_window, view, start_mm + [0, mark.radii_mm[1], 0])
    by = QPoint(30, 14)
    drag(view, hold, hold + by)
    (moved,) = session.case.annotations
    assert moved.id == mark.id
    zoom = view.camera().zoom  # radiological: the screen's right is the patient's left
    expected = np.array(mark.at_mm) + [-30 / zoom, -14 / zoom, 0]
    np.testing.assert_allclose(moved.at_mm, expected, atol=0.02)
    assert moved.radii_mm == mark.radii_mm
    session.history.undo()
    assert session.case.annotations == (mark,)
    session.history.redo()
    assert session.case.annotations == (moved,)
    click(view, QPoint(40, 40)) if kind != "text" else None
    click(view, hold + by)
    key(view, "Delete")
    assert session.case.annotations == ()
    session.history.undo()
    assert session.case.annotations == (moved,)
    mark_tool(one_window, kind)
    assert one_window.controller.tool is None


def test_marks_are_restyled_and_their_ends_pulled(two, large_view, one_window):
    session, view, volume = one_window.session, large_view, two[0].volume
    ends = [volume.voxel_to_world(v) for v in ([12, 20, 8], [22, 20, 8], [22, 30, 8])]
    a, b, c = (pixel_of(one_window, view, p) for p in ends)
    mark_tool(one_window, "line")
    drag(view, a, b)
    drag(view, b, c)  # its end is held: it is pulled, not drawn anew
    (mark,) = session.case.annotations
    tolerance = 2 / view.camera().zoom + 0.05
    np.testing.assert_allclose(mark.to_mm, ends[2], atol=tolerance)
    drawn = one_window.panels.figure._marks.tool.drawn(view)
    assert drawn[0].words == f"{mark.length_mm:.1f} mm"
    child(one_window, "qsm.figure.marks_fold").click()
    choose(one_window, "qsm.figure.mark_colour", "#e69f00")
    words = child(one_window, "qsm.figure.mark_words")
    words.setFocus()
    QTest.keyClicks(words, "edge")
    QTest.keyClick(words, Qt.Key.Key_Return)
    child(one_window, "qsm.figure.mark_width").setValue(3.0)
    (mark,) = session.case.annotations
    assert (mark.colour, mark.text, mark.width_pt) == ("#e69f00", "edge", 3.0)
    child(one_window, "qsm.figure.marks_fold").click()
    mark_tool(one_window, "line")


def test_marks_show_on_their_slice_alone_and_in_the_figure(two, large_view, one_window):
    control, _ = two
    session, view = one_window.session, large_view
    make(one_window, "case-report-1")
    select_row(one_window, 0)
    press(one_window, "qsm.figure.go")
    session.selected = control.id
    mark_tool(one_window, "arrow")
    drag(view, QPoint(200, 200), QPoint(260, 240))
    (mark,) = session.case.annotations
    with_mark = [i for i, p in enumerate(session.figure.panels) if getattr(p, "annotations", ())]
    same = [
        i
        for i, p in enumerate(session.figure.panels)
        if p.kind == "image"
        and p.map == control.id
        and p.slice_mm == session.figure.panels[0].slice_mm
    ]
    assert with_mark == same and len(same) == 2
    tool = one_window.panels.figure._marks.tool
    assert len(tool.drawn(view)) == 1
    wheel(view, QPoint(100, 100), 1)
    assert tool.drawn(view) == []
    select_row(one_window, 0)
    tick(one_window, "qsm.figure.marks")
    assert session.figure.panels[0].annotations == ()
    tick(one_window, "qsm.figure.marks")
    assert session.figure.panels[0].annotations == (mark,)
    quiet(one_window)
    assert one_window.panels.figure.work.problem == ""
    # Another slice: the mark stays behind.
    spin = child(one_window, "qsm.figure.slice")
    spin.stepUp()
    assert session.figure.panels[0].annotations == ()
    mark_tool(one_window, "arrow")


def test_another_tool_puts_the_marks_away(two, large_view, one_window):
    mark_tool(one_window, "circle")
    one_window.tabs.setCurrentWidget(one_window.panels.display)
    press(one_window, "qsm.measure.circle")
    assert not child(one_window, "qsm.figure.mark_circle").isChecked()
    press(one_window, "qsm.measure.circle")


# From an empty window -----------------------------------------------------------------------


def test_what_is_missing_is_said(workspace):
    session = workspace.session
    clear_marks(session)
    workspace.tabs.setCurrentWidget(workspace.panels.figure)
    make(workspace, "case-report-1")
    assert "Open a map first" in workspace.central.message.text
    chi, labels, _ = subject(1)
    session.add(chi, role="map", name="control")
    make(workspace, "case-report-1")
    assert "Control has no regions yet" in workspace.central.message.text
    empty = session.add(labels.with_data(np.zeros(SHAPE, np.uint8)), role="labels", name="rois")
    make(workspace, "case-report-1")
    assert "no voxel in any region" in workspace.central.message.text
    empty.regions = dict(REGIONS)
    session.edit_labels(empty, np.array([5000]), 3)
    make(workspace, "case-report-1")
    assert "'Putamen L' has no voxel yet" in workspace.central.message.text
    at = np.flatnonzero(labels.data.ravel(order="F") == 2)
    session.edit_labels(empty, at, 2)
    make(workspace, "case-report-1")
    said = workspace.central.message.text
    assert "Open the patient's map too" in said and "'Putamen L' has no voxel" in said
    assert session.figure is not None
    work = workspace.panels.figure.work
    work.draw()
    wait_for(lambda: work.renderer._job is not None)  # under way when its labels go
    session.remove(empty)
    work.draw()
    quiet(workspace)
    assert "no longer open" in child(workspace, "qsm.figure.preview").text()


def test_the_command_line_draws_the_same_bytes_from_maps_on_disk(workspace, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from napari_qsm.cli import app

    clear_marks(workspace.session)
    chi, labels, _ = subject(2)
    for name, volume in (("chi", chi), ("labels", labels)):
        write_volume(volume, tmp_path / f"{name}.nii.gz")
    provenance = {"methods": "Made by hand."}
    (tmp_path / "provenance.json").write_text(json.dumps(provenance))
    session = workspace.session
    entry = session.add(read_volume(tmp_path / "chi.nii.gz", unit="ppm"), role="map", name="case")
    regions = session.add(
        read_volume(tmp_path / "labels.nii.gz"), role="labels", regions=dict(REGIONS)
    )
    workspace.tabs.setCurrentWidget(workspace.panels.figure)
    make(workspace, "methods-and-results")
    out = tmp_path / "out"
    out.mkdir()
    # What is drawn after the file was read is in the figure, whose regions are copied.
    session.edit_labels(regions, np.flatnonzero(regions.editable.ravel(order="F") == 1)[:10], 0)
    export_to(workspace, out / "f.png", monkeypatch)
    spec = json.loads((out / "f.json").read_text())
    paths = {key: source["path"] for key, source in spec["sources"].items()}
    assert paths == {
        "patient_chi": "../chi.nii.gz",
        "patient_regions": "f_data/patient_regions.nii.gz",
    }
    assert "Putamen L,left,278," in (out / "f.csv").read_text()
    result = CliRunner().invoke(app, ["figure", str(out / "f.json"), "--out", str(out / "g.png")])
    assert result.exit_code == 0, result.output
    assert (out / "g.png").read_bytes() == (out / "f.png").read_bytes()
    assert entry.volume.origin == tmp_path / "chi.nii.gz"


# The demo -----------------------------------------------------------------------------------


def small_subject(name, progress):
    """A small head whose map comes from its phase."""
    from napari_qsm.phantom import make_head
    from napari_qsm.recon.pipeline import Inputs, run
    from napari_qsm.recon.recipe import load_recipe

    head = make_head(
        name, shape=(48, 48, 32), voxel_size_mm=(4.8, 4.2, 4.5), coil_phase=False, snr=None
    )
    progress(f"{name}: head", 1.0)
    recipe = load_recipe("case-report")
    return head, run(recipe, Inputs(scan=head.scan), progress=progress)


@pytest.mark.slow
def test_the_demo_ends_with_both_figures(workspace):
    session = workspace.session
    clear_marks(session)
    session.history.clear()
    open_demonstration(workspace, small_subject)
    wait_for(lambda: not workspace.central.jobs.busy, 120)
    quiet(workspace)
    assert [e.name for e in session.of_role("map")] == ["χ control", "χ patient"]
    assert workspace.panels.figure.isVisible()
    assert session.figure.column_titles[:1] == ("Control",) and len(session.figure.panels) == 10
    assert len(marks_of(session)) > 0 and session.case.scan is not None
    session.history.undo()
    assert any(getattr(p, "annotations", ()) for p in session.figure.panels)
    session.history.redo()
    assert len(workspace.table()) > 10
    labels = session.entry("regions patient")
    voxel = tuple(np.rint(labels.volume.world_to_voxel(session.crosshair_mm)).astype(int))
    assert labels.regions[int(labels.volume.data[voxel])].name == "Putamen L"
    make(workspace, "methods-and-results")
    assert workspace.panels.figure.work.problem == ""


# Without the window -------------------------------------------------------------------------


def test_arranging_needs_no_window():
    from napari_qsm.figures.panels import ImagePanel, TablePanel
    from napari_qsm.figures.parts import Source
    from napari_qsm.figures.spec import FigureSpec

    panels = tuple(ImagePanel(map="a", slice_mm=k) for k in range(3))
    table = TablePanel(measured=({"map": "a", "labels": "b"},))
    spec = FigureSpec(sources={"a": Source(name="A"), "b": Source(role="labels")}, panels=panels)
    assert editing.rows_of(spec) == 2
    spec = editing.added(spec, table)
    assert [(p.cell.row, p.cell.column, p.cell.columns) for p in spec.panels] == [
        (0, 0, 1),
        (0, 1, 1),
        (1, 0, 1),
        (2, 0, 2),
    ]
    assert spec.panels[:3] != panels and replace is not None
    mark = Annotation(kind="text", plane="axial", at_mm=(0, 0, 0), text="x")
    assert editing.with_marks(spec, 0, [mark]).panels[0].annotations == (mark,)


def test_another_map_of_the_scan_takes_a_panels_place_in_its_own_window(one_window, two, tmp_path):
    session = one_window.session
    _, patient = two
    press(one_window, "qsm.figure.add_view")
    rate = patient.volume.with_data(
        np.abs(patient.volume.data) * 1000, unit="1/s", name="R2*"
    )  # fmt: skip
    entry = session.add(rate, role="other", case=session.case_of(patient), select=False)
    entry.provenance = {"result": "r2star"}
    session.set_display(entry, window=(0.0, 80.0), visible=False)
    quiet(one_window)
    before = session.figure
    box = child(one_window, "qsm.figure.map")
    offered = [box.itemText(i) for i in range(box.count())]
    assert offered == ["magnitude patient", "χ patient", "R2*"]
    box.setCurrentIndex(2)
    box.activated.emit(2)
    quiet(one_window)
    panel = session.figure.panels[0]
    assert panel.map == entry.id and panel.slice_mm == before.panels[0].slice_mm
    assert panel.crop == before.panels[0].crop and panel.regions == before.panels[0].regions
    assert session.figure.displays[panel.display].window == (0, 80)
    assert [bar.display for bar in session.figure.colour_bars] == [panel.display]
    assert session.figure.sources[entry.id].quantity == "r2star"
    assert session.figure.sources[entry.id].name == f"{before.sources[patient.id].name}, R2*"
    assert one_window.panels.figure.work.problem == ""
    caption = render(session.figure, one_window.panels.figure.work.given(), preview=True).caption
    assert "0 to 80 s⁻¹" in caption and "R2*, effective transverse" in caption
    one_window.save(tmp_path / "work")
    from napari_qsm.session.store import read_session

    again = Session()
    read_session(tmp_path / "work").into(again)
    assert again.figure.sources[again.figure.panels[0].map].quantity == "r2star"
    press(one_window, "qsm.figure.add_view")  # χ once more: its own display, not that of R2*
    first, second = session.figure.panels
    assert {first.display, second.display} == set(session.figure.displays)
    session.history.undo()
    session.history.undo()
    assert session.figure == before
    session.remove(entry)


def test_regions_are_called_as_the_figure_panel_says(one_window, two):
    session = one_window.session
    make(one_window, "case-report-1")
    press(one_window, "qsm.figure.called_fold")
    quiet(one_window)
    line = child(one_window, "qsm.figure.called.0")
    assert line.placeholderText() == "Putamen"
    assert one_window.viewer.window._qt_window.findChild(QLineEdit, "qsm.figure.called.1") is None
    line.setFocus()
    QTest.keyClicks(line, "core of the putamen")
    QTest.keyClick(line, Qt.Key.Key_Return)
    quiet(one_window)
    assert session.figure.called == {"Putamen": "core of the putamen"}
    drawn = render(session.figure, one_window.panels.figure.work.given(), preview=True)
    words = {written.text for written in drawn.page.written}
    assert "Left core of the putamen" in words and "left core of the putamen" in drawn.caption
    panel = next(i for i, p in enumerate(session.figure.panels) if getattr(p, "regions", None))
    one_window.panels.figure.work.choose(panel)
    full = session.figure.panels[panel].regions.model_copy(update={"names": "full"})
    named = editing.with_panel(session.figure, panel, regions=full)
    drawn = render(named, one_window.panels.figure.work.given(), preview=True)
    assert sum("core of the putamen" in w.text for w in drawn.page.written) > len(
        [w for w in words if "core" in w]
    )
    assert session.history.undo() == "name of a region"
    quiet(one_window)
    assert session.figure.called == {} and line.text() == ""
