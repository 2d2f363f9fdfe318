"""Panels, comparing, painting and bad input, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_qsm.anatomy import nearest_voxel
from napari_qsm.errors import Cancelled
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.session.measuring import under_circle
from napari_qsm.session.opening import load
from napari_qsm.viewer import commands
from napari_qsm.volume import Volume
from tests.viewer.actions import (
    LEFT,
    assert_slice_is_drawn,
    cell,
    child,
    click,
    drag,
    key,
    picture,
    pixel_of,
    press,
)
from tests.viewer.conftest import ORDERS, SHAPE, affine_of, ramp, settle, stored_in

pytestmark = pytest.mark.window


def noisy(name, seed, unit="ppm"):
    values = np.random.default_rng(seed).normal(0.05, 0.03, SHAPE).astype(np.float32)
    return Volume(values, affine_of(), unit=unit, name=name)


def type_into(spin, text):
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, text)
    QTest.keyClick(spin, Qt.Key.Key_Return)
    settle()


def wait_for(condition, seconds=10):
    import time

    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        settle(1)
        time.sleep(0.01)
    assert condition()


def test_window_is_typed_linked_and_drawn(workspace):
    control = workspace.session.add(noisy("χ control", 1))
    patient = workspace.session.add(noisy("χ patient", 2))
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    settle()
    type_into(child(workspace, "qsm.display.high"), "0.15")
    type_into(child(workspace, "qsm.display.low"), "0")
    for entry in (control, patient):
        assert entry.display.window == (0.0, 0.15)
        layer = workspace.controller.layers[entry.id]
        assert tuple(layer.contrast_limits) == (0.0, 0.15)
    for view in workspace.controller.views:
        assert_slice_is_drawn(workspace, patient, view)
    press(workspace, "qsm.display.preset0")
    assert control.display.window == patient.display.window == (-0.1, 0.1)
    press(workspace, "qsm.display.link")
    press(workspace, "qsm.display.preset1")
    assert patient.display.window == (-0.2, 0.2)
    assert control.display.window == (-0.1, 0.1)
    press(workspace, "qsm.display.link")
    assert control.display.window == (-0.2, 0.2)


def test_unit_switch_changes_every_number_and_no_picture(workspace):
    entry = workspace.session.add(noisy("χ", 1))
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    before = picture(workspace.controller.main)
    press(workspace, "qsm.view.unit")
    bar = workspace.controller.main.overlay.content.colour_bar
    assert bar.title == "χ (ppb)" and bar.high == pytest.approx(200)
    assert child(workspace, "qsm.display.high").value() == pytest.approx(200)
    type_into(child(workspace, "qsm.display.high"), "150")
    assert entry.display.window[1] == pytest.approx(0.15)
    entry.display.window = (-0.1, 0.2)
    np.testing.assert_array_equal(picture(workspace.controller.main), before)


def test_colouring_buttons_draw_what_they_say(workspace):
    values = np.zeros(SHAPE, np.float32)
    values[:8], values[8:16], values[16:] = -0.1, 0.001, 0.1
    entry = workspace.session.add(Volume(values, affine_of(), unit="ppm", name="χ"))
    workspace.session.crosshair_visible = False
    main = workspace.controller.main
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    settle()

    def colour(x):
        shot = picture(main)
        at = pixel_of(workspace, main, entry.volume.voxel_to_world([x, 20, 9]))
        scale = shot.shape[1] / main.native.width()
        return shot[round(at.y() * scale), round(at.x() * scale)]

    press(workspace, "qsm.display.preset0")
    assert colour(2).max() < 10 and colour(20).min() > 245
    press(workspace, "qsm.display.inverted")
    assert colour(2).min() > 245 and colour(20).max() < 10
    press(workspace, "qsm.display.both_sides")
    low, middle, high = colour(2), colour(12), colour(20)
    assert low[2] > low[0] and high[0] > high[2]
    assert np.ptp(middle) < 2 and 70 < middle[0] < 100  # near zero the map in grey shows
    press(workspace, "qsm.display.colour")
    child(workspace, "qsm.display.hide_below").setChecked(True)
    type_into(child(workspace, "qsm.display.below"), "0.05")
    assert np.ptp(colour(12)) < 2 < 50 < colour(20).max()


def test_naparis_own_controls_are_followed(workspace):
    entry = workspace.session.add(noisy("χ", 1))
    layer = workspace.controller.layers[entry.id]
    layer.contrast_limits = (0.0, 0.07)
    layer.opacity = 0.4
    layer.colormap = "viridis"
    assert entry.display.window == (0.0, 0.07)
    assert (entry.display.opacity, entry.display.colormap) == (0.4, "viridis")
    assert entry.display.colouring == "colour"
    layer.visible = False
    assert not entry.display.visible
    layer.name = "renamed"
    assert entry.name == "renamed"


def test_side_by_side_has_one_cursor_one_slice_one_scale(workspace):
    a, b = (workspace.session.add(noisy(name, i)) for i, name in enumerate("ab"))
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    settle()
    press(workspace, "qsm.compare.start")
    first, second = workspace.controller.views[:2]
    assert first.overlay.content.title == "a" and second.overlay.content.title == "b"
    assert first.plane == second.plane == "axial"
    assert first.camera().zoom == second.camera().zoom
    world = a.volume.voxel_to_world([4, 22, 5])
    click(second, pixel_of(workspace, second, world))
    assert nearest_voxel(a.volume, workspace.session.crosshair_mm)[:2] == (4, 22)
    commands.step(workspace, 2)
    assert first.depth_mm == second.depth_mm
    layer_a = workspace.controller.layers[a.id]
    layer_b = workspace.controller.layers[b.id]
    assert (layer_a.visible, layer_b.visible) == (True, False)
    assert_slice_is_drawn(workspace, a, first)
    assert_slice_is_drawn(workspace, b, second)
    key(first, "K")
    assert first.overlay.content.title == "b"
    press(workspace, "qsm.compare.start")
    assert workspace.session.layout == "three" and layer_a.visible and layer_b.visible


def test_four_maps_side_by_side_and_back(workspace):
    entries = [workspace.session.add(noisy(name, i)) for i, name in enumerate("abcd")]
    workspace.session.compared = tuple(e.id for e in entries)
    workspace.session.layout = "compare"
    settle()
    titles = [view.overlay.content.title for view in workspace.controller.views]
    assert titles == list("abcd")
    assert all(view.widget.isVisible() for view in workspace.controller.views)
    workspace.session.layout = "three"
    settle()
    assert len(workspace.controller.views) == 3


def test_curtain_shows_one_map_on_each_side(workspace):
    low = noisy("low", 1).with_data(np.full(SHAPE, -0.1, np.float32), name="low")
    high = noisy("high", 1).with_data(np.full(SHAPE, 0.2, np.float32), name="high")
    a, b = workspace.session.add(low), workspace.session.add(high)
    workspace.session.crosshair_visible = False
    workspace.session.compared = (a.id, b.id)
    workspace.session.mix = "curtain"
    workspace.session.layout = "compare"
    settle()
    main = workspace.controller.main
    shot = picture(main)

    def shade(x):
        at = pixel_of(workspace, main, a.volume.voxel_to_world([x, 20, 9]))
        scale = shot.shape[1] / main.native.width()
        return shot[round(at.y() * scale), round(at.x() * scale)].mean()

    assert shade(3) < 10 and shade(20) > 245
    child(workspace, "qsm.compare.slider").setValue(0.95)
    settle()
    shot = picture(main)
    assert shade(20) < 10
    workspace.session.layout = "three"
    settle()
    assert len(workspace.viewer.layers) == 2


def test_volume_mode_is_never_mirrored(workspace):
    values = np.zeros(SHAPE, np.float32)
    values[18:22, 12:18, 12:16] = 1.0  # to the patient's right, and up
    entry = workspace.session.add(Volume(values, affine_of(), unit="ppm", name="χ"))
    workspace.session.set_display(entry, window=(0.0, 1.0))
    press(workspace, "qsm.view.volume")
    main = workspace.controller.main
    assert main.is_3d
    assert main.overlay.content.letters.left == "R"
    shot = picture(main)
    rows, columns = np.nonzero(shot.sum(axis=2) > 500)
    assert rows.size > 20
    assert columns.mean() < shot.shape[1] / 2 and rows.mean() < shot.shape[0] / 2
    before = workspace.session.crosshair_mm
    press(workspace, "qsm.view.three")
    assert not main.is_3d and main.plane == "axial"
    assert workspace.session.crosshair_mm == before
    key(main, "Y", Qt.KeyboardModifier.ControlModifier)  # napari's own
    assert workspace.session.layout == "volume" and main.overlay.content.crosshair is None
    key(main, "Y", Qt.KeyboardModifier.ControlModifier)
    assert workspace.session.layout == "three"
    assert workspace.session.crosshair_mm == before


def test_circle_gives_highest_and_lowest(workspace):
    entry = workspace.session.add(noisy("χ", 4))
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    settle()
    child(workspace, "qsm.measure.circle").click()
    main = workspace.controller.main
    world = entry.volume.voxel_to_world([10, 12, 9])
    centre = pixel_of(workspace, main, world)
    before = workspace.session.crosshair_mm
    click(main, centre)
    assert workspace.session.crosshair_mm == before  # the circle, not the crosshair
    text = child(workspace, "qsm.measure.result").text()
    display = main.camera().to_display((centre.x(), centre.y()), main.depth_mm)
    expected = under_circle(entry, workspace.controller.frame, "axial", display, 4.0)
    assert f"{expected.high:.3f} ppm" in text and f"{expected.voxels} voxels" in text
    assert main.overlay.content.items[0].radius == pytest.approx(4 * main.camera().zoom)
    drag(main, centre, centre + QPoint(round(12 * main.camera().zoom), 0))
    assert child(workspace, "qsm.measure.size").value() == pytest.approx(24, abs=0.6)
    child(workspace, "qsm.measure.go_high").click()
    at = nearest_voxel(entry.volume, workspace.session.crosshair_mm)
    shown = float(child(workspace, "qsm.readout.table").item(0, 1) is not None)
    assert shown and entry.volume.data[at] >= expected.high
    child(workspace, "qsm.measure.circle").click()
    assert not main.overlay.content.items


def test_painting_in_any_view_shows_in_all_and_is_undone_once(workspace):
    chi = workspace.session.add(noisy("χ", 4))
    empty = chi.volume.with_data(np.zeros(SHAPE, np.uint8), name="regions", unit="")
    labels = workspace.session.add(empty, role="labels", regions={1: "Putamen L"})
    layer = workspace.controller.layers[labels.id]
    workspace.viewer.layers.selection.active = layer
    layer.mode, layer.brush_size, layer.selected_label = "paint", 3, 1
    edited = []
    workspace.session.labels_edited.connect(lambda key, box: edited.append(key))
    coronal = workspace.controller.views[1]
    assert str(coronal.layers[layer].mode) == "paint"
    world = chi.volume.voxel_to_world([9, 15, 6])
    workspace.controller.go_to(world)
    crosshair = workspace.session.crosshair_mm
    start = pixel_of(workspace, coronal, world)
    drag(coronal, start, start + QPoint(4, 0))
    assert workspace.session.crosshair_mm == crosshair
    painted = int((labels.volume.data == 1).sum())
    assert painted >= 5 and labels.volume.data[9, 15, 6] == 1
    assert edited and set(edited) == {labels.id}
    for view in workspace.controller.views[1:]:
        assert np.shares_memory(view.layers[layer].data, layer.data)
    table = workspace.table()
    assert list(table["voxels"]) == [painted]
    shown = child(workspace, "qsm.stats.table")
    assert cell(shown, 0, 3) == str(painted)
    mean, sd = table["mean_ppm"][0], table["sd_ppm"][0]
    assert cell(shown, 0, 5) == f"{mean:.3f} ± {sd:.3f}"
    assert workspace.session.history.undo() == "drawing"
    assert (labels.volume.data == 0).all()
    main = workspace.controller.main
    start = pixel_of(workspace, main, world)
    drag(main, start, start + QPoint(4, 0))
    again = int((labels.volume.data == 1).sum())
    assert again >= 5
    coronal.native.setFocus()
    QTest.keyClick(coronal.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle()
    assert (labels.volume.data == 0).all()
    layer.mode = "pan_zoom"


def test_one_copy_of_each_map(workspace):
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    entry = workspace.session.add(Volume(values, affine_of(), unit="ppm", name="χ"))
    layer = workspace.controller.layers[entry.id]
    sheets = [workspace.controller.painting.sheets_of(view) for view in workspace.controller.views]
    layer.mode = "transform"  # one of napari's own tools, for which napari draws every view
    copies = [view.layers[layer] for view in workspace.controller.views[1:]]
    layer.mode = "pan_zoom"
    for each in (layer, *copies, *(sheet for (sheet,) in sheets)):
        assert np.shares_memory(each.data, values)
        assert each.data.nbytes == values.nbytes


def test_a_map_is_copied_for_napari_only_once_it_draws(workspace):
    session, viewer = workspace.session, workspace.viewer
    first = workspace.controller.layers[session.add(noisy("a", 1)).id]
    first.mode = "transform"
    first.mode = "pan_zoom"
    session.add(noisy("b", 2))
    beside = workspace.controller.views[1:]
    for view in beside:
        assert [layer.name for layer in view.canvas.model.layers] == ["a"]
    first.mode = "transform"
    for view in beside:
        copies = view.canvas.model.layers
        assert [layer.name for layer in copies] == [layer.name for layer in viewer.layers]
        assert [layer.visible for layer in copies] == [layer.visible for layer in viewer.layers]
    first.mode = "pan_zoom"


@pytest.mark.parametrize("way", ["viewer", "panel"])
def test_a_layer_removed_while_linked(workspace, way):
    first = workspace.session.add(noisy("a", 1))
    second = workspace.session.add(noisy("b", 2))
    workspace.session.compared = (first.id, second.id)
    workspace.session.layout = "compare"
    settle()
    if way == "viewer":
        workspace.viewer.layers.remove(workspace.controller.layers[first.id])
    else:
        workspace.session.selected = first.id
        child(workspace, "qsm.data.remove").click()
    settle()
    assert [e.name for e in workspace.session] == ["b"]
    shown = workspace.controller.painting.sheets_of
    assert [len(shown(view)) for view in workspace.controller.views] == [1, 1, 1]
    click(workspace.controller.main, QPoint(80, 80))


ODD = {
    "all zero": np.zeros(SHAPE, np.float32),
    "NaN holes": np.where(np.arange(SHAPE[2]) % 2, np.nan, 0.1) * np.ones(SHAPE),
    "huge": np.full(SHAPE, 1e30),
    "whole": np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int64),
    "bool": np.ones(SHAPE, bool),
    "one voxel thick": np.ones((20, 20, 1), np.float32),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_values_are_shown_and_read(workspace, kind):
    values = ODD[kind]
    entry = workspace.session.add(Volume(values, affine_of(values.shape), name=kind))
    settle()
    click(workspace.controller.main, QPoint(120, 140))
    workspace.readout.update_now()
    at = nearest_voxel(entry.volume, workspace.session.crosshair_mm)
    text = child(workspace, "qsm.readout.table").item(0, 1).text()
    if kind == "NaN holes" and at[2] % 2:
        assert text == "no value"
    else:
        assert float(text) == pytest.approx(float(values[at]), rel=1e-3)


def test_four_d_data_shows_one_volume_and_says_which(workspace):
    echoes = np.stack([np.full(SHAPE, e, np.float32) for e in (1, 2, 3)], axis=-1)
    entry = workspace.session.add(Volume(echoes, affine_of(), name="magnitude"))
    workspace.tabs.setCurrentWidget(workspace.panels.data)
    settle()
    spin = child(workspace, "qsm.data.echo")
    assert spin.isVisible() and spin.text() == "volume 1 of 3"
    spin.setValue(3)
    workspace.readout.update_now()
    assert child(workspace, "qsm.readout.table").item(0, 1).text() == "3"
    for view in workspace.controller.views:
        (sheet,) = workspace.controller.painting.sheets_of(view)
        assert sheet.data.max() == 3
    assert np.shares_memory(workspace.controller.layers[entry.id].data, echoes)


def test_layers_that_cannot_be_three_views_are_left_alone(workspace):
    workspace.session.add(ramp())
    flat = workspace.viewer.add_image(np.ones((20, 30)), name="drawing")
    settle()
    assert "'drawing' is 2-D" in workspace.central.message.text
    assert flat in workspace.viewer.layers and len(workspace.session.maps) == 1
    workspace.viewer.layers.remove(flat)
    points = workspace.viewer.add_points(np.array([[11.0, -7.0, 3.0]]), name="marks")
    settle()
    assert points in workspace.controller.views[1].layers
    workspace.viewer.layers.remove(points)


def test_files_are_dropped_read_in_the_background_and_problems_said(workspace, tmp_path):
    good = tmp_path / "sub_Chimap.nii.gz"
    write_volume(stored_in(ramp(), ORDERS[21]), good)
    bad = tmp_path / "broken.nii.gz"
    bad.write_bytes(b"no such thing")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in (good, bad, tmp_path / "gone.nii")])
    rest = (Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    enters = QDragEnterEvent(QPoint(50, 50), *rest)
    QApplication.sendEvent(workspace.central, enters)
    assert enters.isAccepted()
    QApplication.sendEvent(workspace.central, QDropEvent(QPointF(50, 50), *rest))
    assert workspace.central.jobs.busy
    wait_for(lambda: not workspace.central.jobs.busy)
    assert [e.name for e in workspace.session] == ["sub_Chimap"]
    said = workspace.central.message.text
    assert "'broken.nii.gz'" in said and "gone.nii" in said and "Traceback" not in said
    # The file goes; the map stays.
    good.unlink()
    click(workspace.controller.main, QPoint(90, 90))
    workspace.controller.drawn_again.emit()
    assert len(workspace.session.maps) == 1


def test_waiting_has_progress_and_cancel(workspace):
    import time

    results = []

    def work(progress, cancelled):
        for step in range(2000):
            progress(step / 2000, f"step {step}")
            time.sleep(0.002)
        return "done"

    workspace.services.run("Counting", work, results.append)
    bar = child(workspace, "qsm.jobs.progress")
    wait_for(lambda: bar.maximum() == 1000 and bar.value() > 5)
    assert child(workspace, "qsm.jobs").isVisible()
    press(workspace, "qsm.jobs.cancel")
    wait_for(lambda: not workspace.central.jobs.busy)
    assert results == [] and "stopped" in workspace.central.message.text
    with pytest.raises(Cancelled):
        load(["x.nii"], cancelled=lambda: True)


def test_a_saved_session_comes_back(workspace, tmp_path):
    chi = workspace.session.add(
        stored_in(noisy("χ one", 4), ORDERS[40]), case=workspace.session.case_called("patient")
    )
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:9, 5:9, 6:9] = 2
    regions = chi.volume.with_data(labels, name="regions", unit="")
    workspace.session.add(
        regions,
        role="labels",
        regions={2: "Putamen R"},
        case=workspace.session.case_called("patient"),
    )
    workspace.session.set_display(chi, colouring="inverted", window=(0.0, 0.1))
    workspace.controller.go_to(chi.volume.voxel_to_world([3, 4, 5]))
    table, here = workspace.table(), workspace.session.crosshair_mm
    workspace.save(tmp_path / "work")
    for entry in list(workspace.session):
        workspace.session.remove(entry)
    workspace.show_loaded(load([tmp_path / "work"]))
    again = workspace.session.entry("χ one")
    assert again.display.colouring == "inverted" and again.display.window == (0.0, 0.1)
    assert workspace.session.crosshair_mm == pytest.approx(here)
    assert workspace.table().equals(table)
    saved = read_volume(tmp_path / "work" / "chi_one.nii.gz")
    np.testing.assert_array_equal(saved.affine, stored_in(noisy("", 4), ORDERS[40]).affine)


def test_a_blinded_reader_learns_neither_names_nor_values(workspace):
    session = workspace.session
    for subject in ("Smith", "Jones"):
        session.add(noisy(f"χ {subject}", 1), case=session.case_called(subject))
    session.blinded = True
    settle()
    workspace.readout.update_now()
    listed = child(workspace, "qsm.data.maps")
    texts = [listed.item(row).text() for row in range(listed.count())]
    read = child(workspace, "qsm.readout.table")
    texts += [read.item(0, column).text() for column in (0, 1)]
    session.compared = tuple(entry.id for entry in session)
    session.layout = "compare"
    settle()
    texts += [view.overlay.content.title for view in workspace.controller.views[:2]]
    assert not any(name in text for name in ("Smith", "Jones") for text in texts), texts
    assert read.item(0, 1).text() == "hidden" and any("case A" in text for text in texts)
    session.blinded = False
    settle()
    workspace.readout.update_now()
    assert "Jones" in listed.item(0).text() and "ppm" in read.item(0, 1).text()


def flat(name, value, unit=""):
    return Volume(np.full(SHAPE, value, np.float32), affine_of(), unit=unit, name=name)


def middle_of(workspace):
    shot = picture(workspace.controller.main).astype(float)
    rows, columns = shot.shape[0] // 2, shot.shape[1] // 2
    return shot[rows - 20 : rows - 10, columns - 20 : columns - 10].mean()


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_opened_shows_the_map_and_its_bar_is_that_of_the_picture(
    workspace, tmp_path, turned
):
    """Phase bright, map black: the pixels tell which lies on top."""
    session = workspace.session
    session.crosshair_visible = False
    folder = tmp_path / "sub-01"
    folder.mkdir()
    volumes = {
        "chi": flat("chi", -0.1, "ppm"),
        "local_field": flat("local_field", 0.5, "ppm"),
        "magnitude": flat("magnitude", 1000.0),
        "phase": flat("phase", 3.0, "rad"),
        "brain_mask": flat("brain_mask", 1.0),
    }
    for name, volume in volumes.items():
        write_volume(volume, folder / f"{name}.nii.gz")
    names = sorted(volumes, reverse=turned)
    paths = [folder / f"{name}.nii.gz" for name in names] if turned else [folder]
    workspace.show_loaded(load(paths))
    settle()
    shown = {entry.name for entry in session if entry.display.visible}
    assert "chi" in shown and not shown & {"local_field", "phase", "brain_mask"}
    content = workspace.controller.main.overlay.content
    assert content.colour_bar.title == "χ (ppm)" and "chi" in content.title
    assert middle_of(workspace) < 10
    for entry in session:  # whichever row is chosen, the bar stays that of the picture
        session.selected = entry.id
        settle()
        assert workspace.controller.main.overlay.content.colour_bar.title == "χ (ppm)"


def test_colours_lie_over_the_magnitude_never_over_phase(workspace):
    session = workspace.session
    session.crosshair_visible = False
    magnitude = session.add(flat("magnitude", 1000.0), role="magnitude")
    phase = session.add(flat("phase", -3.0, "rad"))
    chi = session.add(flat("chi", 0.01, "ppm"))
    session.set_display(magnitude, window=(0.0, 1000.0))
    session.set_display(phase, visible=True)
    session.set_display(chi, colouring="colour")
    session.set_display(chi, threshold_low=0.05)  # all of it transparent
    settle()
    assert middle_of(workspace) > 150


def test_the_bar_follows_what_is_ticked_on_top(workspace):
    session = workspace.session
    chi = session.add(flat("chi", 0.1, "ppm"))
    magnitude = session.add(flat("magnitude", 500.0), role="magnitude")
    session.selected = chi.id
    settle()
    content = workspace.controller.main.overlay.content
    assert "magnitude" in content.title and content.colour_bar.title == "magnitude"
    session.set_display(magnitude, visible=False)
    settle()
    content = workspace.controller.main.overlay.content
    assert "chi" in content.title and content.colour_bar.title == "χ (ppm)"
