"""Fixed shapes in the window, with real mouse and key events, against numpy."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_qsm.io.label_table import Region
from napari_qsm.rois.shape_files import read_shapes
from napari_qsm.rois.shapes import realised, voxels_of
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.regions.shape_drawing import edges
from napari_qsm.viewer.regions.shape_work import DEFAULT
from napari_qsm.volume import Volume
from tests.viewer.actions import (
    LEFT,
    NONE,
    Answers,
    child,
    click,
    drag,
    hover,
    key,
    pixel_of,
    press,
    wheel,
)
from tests.viewer.conftest import SHAPE, affine_of, renew, settle

pytestmark = pytest.mark.window


def noisy(degrees=(0, 0, 0), name="χ", seed=3, **more):
    values = np.random.default_rng(seed).normal(0.05, 0.02, SHAPE).astype(np.float32)
    return Volume(values, affine_of(degrees=degrees, **more), unit="ppm", name=name)


@pytest.fixture
def workspace(one_window, request):
    """The module's workspace at its start; a map that is there already is used again."""
    session = one_window.session
    keep = {"χ"} if "chi" in request.fixturenames else set()
    for case in session.cases[1:]:
        session.close_case(case)
    renew(session, keep)
    one_window.central.message.hide()
    one_window.controller.main.reset_zoom()
    settle()
    return one_window


@pytest.fixture
def box(workspace):
    """The section for shapes, as it is at its start."""
    found = child(workspace, "qsm.shapes")
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    found.set_open(True)
    found.deactivate()
    found.guide.stop()
    found.work.placing = True
    found.work.set_template(**dict(DEFAULT.but(size_mm=(9.0,))))
    workspace.session.history.clear()
    settle()
    yield found
    found.deactivate()
    found.guide.stop()


@pytest.fixture
def chi(workspace, box):
    entry = workspace.session.entry("χ") or workspace.session.add(noisy())
    workspace.session.selected = entry.id
    workspace.controller.go_to(entry.volume.voxel_to_world([11, 14, 9]))
    settle()
    return entry


def view_of(workspace, plane):
    return next(view for view in workspace.controller.views if view.plane == plane)


def at(workspace, view, voxel, volume=None):
    volume = volume or workspace.session.reference
    return pixel_of(workspace, view, volume.voxel_to_world(voxel))


def under(shape, volume):
    return volume.data.ravel(order="F")[voxels_of(shape, volume)].astype(np.float64)


def patches(view):
    return [ring for ring in view.overlay.content.items if isinstance(ring, Patch)]


def list_text(workspace, row=0):
    return child(workspace, "qsm.shapes.list").item(row).text()


def numbers(shape, volume):
    values = under(shape, volume)
    return f"{values.size} voxels · {values.mean():.3f} ± {values.std(ddof=1):.3f} ppm"


def test_ghost_click_undo_redo(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    press(workspace, "qsm.shapes.place")
    hover(main, at(workspace, main, [11, 14, 9]))
    (ghost,) = patches(main)
    expected = realised(box.work.template, chi.volume)
    assert ghost.filled and not ghost.dashed and ghost.curve
    assert ghost.text == (
        f"{expected.voxels} voxels\n{expected.area_mm2:.1f} mm² · {expected.volume_mm3:.1f} mm³"
    )
    assert expected.words in box.findChild(type(box._hint), "qsm.shapes.result").text()
    assert session.case.shapes == ()
    click(main, at(workspace, main, [11, 14, 9]))
    (shape,) = session.case.shapes
    assert voxels_of(shape, chi.volume).size == expected.voxels
    np.testing.assert_allclose(chi.volume.world_to_voxel(shape.centre_mm), [11, 14, 9], atol=1e-9)
    assert list_text(workspace) == "circle\n" + numbers(shape, chi.volume)
    assert session.history.undo_text == "place circle"
    key(main, "Z", Qt.KeyboardModifier.ControlModifier)
    assert session.case.shapes == () and "No shapes yet" in list_text(workspace)
    session.history.redo()
    assert session.case.shapes == (shape,)
    # Without the tool a click is the crosshair's again.
    key(main, "Escape")
    assert workspace.controller.tool is None
    click(main, at(workspace, main, [5, 5, 9]))
    assert len(session.case.shapes) == 1


def test_drag_is_one_undo_and_numbers_follow(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [8, 10, 9]))
    (before,) = session.case.shapes
    seen = []
    box.work.rows_changed.connect(lambda: seen.append(list_text(workspace)))
    start, end = at(workspace, main, [8, 10, 9]), at(workspace, main, [15, 18, 9])
    drag(main, start + QPoint(3, 2), end + QPoint(3, 2), steps=6)
    (after,) = session.case.shapes
    assert after.id == before.id and len(set(seen)) > 4
    np.testing.assert_allclose(chi.volume.world_to_voxel(after.centre_mm), [15, 18, 9], atol=1e-9)
    assert list_text(workspace).endswith(numbers(after, chi.volume))
    (patch,) = [p for p in patches(main) if p.text]
    assert numbers(after, chi.volume) in patch.text
    assert session.history.undo() == "move circle" and session.case.shapes == (before,)
    assert list_text(workspace).endswith(numbers(before, chi.volume))
    # In another view its section is moved through the slices.
    coronal = view_of(workspace, "coronal")
    workspace.controller.go_to(np.array(before.centre_mm))
    drag(coronal, at(workspace, coronal, [8, 10, 9]), at(workspace, coronal, [8, 10, 12]))
    centre = chi.volume.world_to_voxel(session.case.shapes[0].centre_mm)
    np.testing.assert_allclose(centre, [8, 10, 12], atol=1e-9)


@pytest.mark.parametrize("radiological", [True, False])
def test_keys_nudge_by_a_voxel_as_the_screen_shows_it(workspace, box, chi, radiological):
    session = workspace.session
    session.radiological = radiological
    press(workspace, "qsm.shapes.place")
    click(workspace.controller.main, at(workspace, workspace.controller.main, [11, 14, 9]))
    shape = session.case.shapes[0]
    for plane, (across, up, depth) in (
        ("axial", (0, 1, 2)),
        ("coronal", (0, 2, 1)),
        ("sagittal", (1, 2, 0)),
    ):
        view = view_of(workspace, plane)
        for name, axis, way in (
            ("Right", across, 0),
            ("Left", across, 0),
            ("Up", up, 1),
            ("Down", up, -1),
            ("PageUp", depth, 1),
            ("PageDown", depth, -1),
        ):
            session.case.shapes = (shape,)
            before = view.camera().to_pixel(
                workspace.controller.frame.world_to_display(shape.centre_mm)
            )
            key(view, name)
            moved = session.case.shapes[0]
            step = np.rint(
                chi.volume.world_to_voxel(moved.centre_mm)
                - chi.volume.world_to_voxel(shape.centre_mm)
            )
            assert np.abs(step).tolist() == [float(a == axis) for a in range(3)], (plane, name)
            after = view.camera().to_pixel(
                workspace.controller.frame.world_to_display(moved.centre_mm)
            )
            if name in ("Left", "Right"):
                assert (after[0] > before[0]) == (name == "Right")
            else:
                assert step[axis] == way
    key(view, "Delete")
    assert session.case.shapes == ()


def test_wheel_turns_what_can_turn_and_else_steps(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    box.work.set_template(kind="ellipse", size_mm=(16.0, 7.0), rotation_deg=0.0)
    press(workspace, "qsm.shapes.place")
    spot = at(workspace, main, [11, 14, 9])
    click(main, spot)
    first = session.case.shapes[0]
    spot = at(workspace, main, [11, 14, 9])  # the table may have come up
    wheel(main, spot, 2)
    # The picture is mirrored in the radiological view: up turns it counter-clockwise there.
    assert session.case.shapes[0].rotation_deg == -10.0
    count = realised(first.but(rotation_deg=-10.0), chi.volume).voxels
    assert voxels_of(session.case.shapes[0], chi.volume).size == count
    session.history.undo()
    assert session.case.shapes[0].rotation_deg == 0.0
    depth = main.depth_mm
    wheel(main, at(workspace, main, [3, 3, 9]), 1)
    assert main.depth_mm == pytest.approx(depth + 3.0)
    box.work.choose("")
    hover(main, at(workspace, main, [4, 5, 9]))
    wheel(main, at(workspace, main, [4, 5, 9]), 1, Qt.KeyboardModifier.ShiftModifier)
    assert box.work.template.rotation_deg == -5.0 and len(session.case.shapes) == 1


def test_mirror_is_asked_for_the_middle_and_one_undo(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    names = {
        1: Region(1, "Putamen L", "left", "#ff0000"),
        2: Region(2, "Putamen R", "right", "#00ff00"),
    }
    labels = np.zeros(SHAPE, np.uint8)
    session.add(chi.volume.with_data(labels, unit="", name="labels"), role="labels", regions=names)
    settle()
    box.refresh()
    box.work.set_template(
        kind="ellipse",
        size_mm=(12.0, 7.0),
        rotation_deg=30.0,
        **box.work.region_fields("putamen l"),
    )
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [6, 14, 9]))
    assert session.case.shapes[0].region == 1 and session.case.shapes[0].side == "left"
    press(workspace, "qsm.shapes.mirror")
    assert len(session.case.shapes) == 1 and "middle of the head" in workspace.central.message.text
    workspace.controller.go_to(chi.volume.voxel_to_world([11, 14, 9]))
    press(workspace, "qsm.shapes.set_middle")
    assert session.case.midline_mm is not None
    press(workspace, "qsm.shapes.mirror")
    left, right = session.case.shapes
    assert (right.region, right.region_name, right.side) == (2, "Putamen R", "right")
    np.testing.assert_allclose(chi.volume.world_to_voxel(right.centre_mm), [16, 14, 9], atol=1e-9)
    assert right.rotation_deg == -left.rotation_deg
    assert voxels_of(right, chi.volume).size == voxels_of(left, chi.volume).size
    box.work.choose(left.id)
    press(workspace, "qsm.shapes.mirror")
    assert (
        len(session.case.shapes) == 2 and "Putamen R has a shape" in workspace.central.message.text
    )
    session.history.undo()
    assert session.case.shapes == (left,)


def test_guided_by_clicks(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    choice = child(workspace, "qsm.shapes.guide.list")
    choice.setCurrentIndex(choice.findData("basal-ganglia"))
    choice.activated.emit(choice.currentIndex())
    settle()
    now, progress = (child(workspace, f"qsm.shapes.guide.{n}") for n in ("now", "progress"))
    assert workspace.controller.tool is box.tool
    assert now.text() == "Now: left caudate, circle 6 mm, 3 slices"
    assert progress.text().startswith("1 of 6")
    assert "Check regions and sizes" in child(workspace, "qsm.shapes.guide.note").text()
    click(main, at(workspace, main, [6, 20, 9]))
    assert (
        session.case.shapes[0].region_name == "Caudate L" and session.case.shapes[0].side == "left"
    )
    assert now.text().startswith("Now: right caudate") and progress.text().startswith("2 of 6")
    key(main, "Z", Qt.KeyboardModifier.ControlModifier)
    assert now.text().startswith("Now: left caudate") and session.case.shapes == ()
    click(main, at(workspace, main, [6, 20, 9]))
    press(workspace, "qsm.shapes.guide.skip")
    assert now.text().startswith("Now: left putamen")
    press(workspace, "qsm.shapes.guide.back")
    press(workspace, "qsm.shapes.guide.back")
    assert (
        now.text() == "Now: left caudate, circle 6 mm, 3 slices (placed; click to put it elsewhere)"
    )
    click(main, at(workspace, main, [5, 24, 9]))
    assert len(session.case.shapes) == 1
    centre = chi.volume.world_to_voxel(session.case.shapes[0].centre_mm)
    np.testing.assert_allclose(centre, [5, 24, 9], atol=1e-9)
    press(workspace, "qsm.shapes.guide.skip")
    for voxel in ([4, 12, 9], [19, 12, 9], [8, 6, 9], [15, 6, 9]):
        click(main, at(workspace, main, voxel))
    assert now.text() == "Still missing (1 of 6): Caudate R."
    click(main, at(workspace, main, [11, 27, 9]))
    assert len(session.case.shapes) == 5  # nothing is placed once the list is through
    press(workspace, "qsm.shapes.guide.again")
    click(main, at(workspace, main, [18, 24, 9]))
    assert now.text() == "Done: all 6 shapes are placed."
    assert sorted(s.region_name for s in session.case.shapes) == [
        "Caudate L",
        "Caudate R",
        "Globus pallidus L",
        "Globus pallidus R",
        "Putamen L",
        "Putamen R",
    ]
    press(workspace, "qsm.shapes.guide.stop")
    assert box.work.template.size_mm == (9.0,) and box.work.free_plane


def test_burnt_into_regions_equals_numpy(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    labels = np.zeros(SHAPE, np.uint8)
    labels[14:17, 14, 9] = 3
    labels[8, 12, 9] = 4
    regions = {
        3: Region(3, "Vein", "", "#0000ff", locked=True),
        4: Region(4, "Bleed", "", "#00ffff"),
        5: Region(5, "Caudate L", "left", "#ff0000"),
    }
    entry = session.add(
        chi.volume.with_data(labels, unit="", name="labels"), role="labels", regions=regions
    )
    settle()
    press(workspace, "qsm.shapes.place")
    for name, voxel in (("Caudate L", [8, 12, 9]), ("Caudate R", [15, 14, 9])):
        box.work.set_template(**box.work.region_fields(name))
        click(main, at(workspace, main, voxel))
    left, right = session.case.shapes
    expected = labels.ravel(order="F").copy()
    for shape, index in ((left, 5), (right, 1)):
        where = voxels_of(shape, chi.volume)
        expected[where[expected[where] == 0]] = index
    press(workspace, "qsm.shapes.burn")
    np.testing.assert_array_equal(entry.editable.ravel(order="F"), expected)
    assert entry.regions[1].name == "Caudate R" and entry.regions[1].side == "right"
    assert session.case.shapes == ()
    said = workspace.central.message.text
    assert (
        "Wrote 2 shapes" in said and "1 voxels stay Bleed" in said and "3 voxels stay Vein" in said
    )
    table = workspace.table().set_index("name")
    for name, index in (("Caudate L", 5), ("Caudate R", 1)):
        inside = chi.volume.data.ravel(order="F")[expected == index].astype(np.float64)
        assert table.voxels[name] == inside.size
        assert table.mean_ppm[name] == pytest.approx(inside.mean())
        assert table.sd_ppm[name] == pytest.approx(inside.std(ddof=1))
    session.history.undo()
    np.testing.assert_array_equal(entry.editable, labels)
    assert session.case.shapes == (left, right) and set(entry.regions) == {3, 4, 5}
    # Over unlocked regions, with the shapes kept; the locked one keeps its voxels.
    child(workspace, "qsm.shapes.burn_over").setChecked(True)
    child(workspace, "qsm.shapes.burn_keep").setChecked(True)
    press(workspace, "qsm.shapes.burn")
    child(workspace, "qsm.shapes.burn_over").setChecked(False)
    child(workspace, "qsm.shapes.burn_keep").setChecked(False)
    flat = entry.editable.ravel(order="F")
    assert (flat[voxels_of(left, chi.volume)] == 5).all() and (flat == 3).sum() == 3
    assert session.case.shapes == (left, right)
    # Moved and burnt again, cleared first: the region is the shape and no more.
    box.work.choose(left.id)
    box.work.nudge((0, 2, 0))
    child(workspace, "qsm.shapes.burn_clear").setChecked(True)
    press(workspace, "qsm.shapes.burn")
    child(workspace, "qsm.shapes.burn_clear").setChecked(False)
    moved = np.sort(np.flatnonzero(entry.editable.ravel(order="F") == 5))
    np.testing.assert_array_equal(moved, voxels_of(left, chi.volume) + 2 * SHAPE[0])


def test_burning_makes_a_label_map_where_there_is_none(workspace, box, chi):
    main = workspace.controller.main
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [11, 14, 9]))
    (shape,) = workspace.session.case.shapes
    press(workspace, "qsm.shapes.burn")
    (labels,) = workspace.session.of_role("labels")
    assert labels.regions[1].name == "Circle 1"
    np.testing.assert_array_equal(
        np.flatnonzero(labels.editable.ravel(order="F")), voxels_of(shape, chi.volume)
    )


def test_flags_in_words_and_dashed(workspace, box, chi):
    main = workspace.controller.main
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [1, 14, 9]))
    click(main, at(workspace, main, [12, 14, 9]))
    assert "voxels outside the map" in list_text(workspace, 0)
    assert "!" not in list_text(workspace, 1)
    assert [p.dashed for p in patches(main)] == [True, False]
    box.work.set_template(size_mm=(5.0,), slices=1)
    result = child(workspace, "qsm.shapes.result").text()
    assert "Fewer than 10 voxels" in result
    hover(main, at(workspace, main, [20, 25, 9]))
    assert "only 9 voxels" in [p for p in patches(main) if p.filled and p.text][-1].text
    second = workspace.session.case.shapes[1]
    workspace.session.case.shapes = (
        *workspace.session.case.shapes,
        second.but(id="twin", region_name="GP L"),
    )
    count = voxels_of(second, chi.volume).size
    assert f"! shares {count} voxels with GP L" in list_text(workspace, 1)
    workspace.session.case.shapes = workspace.session.case.shapes[:2]
    assert "!" not in list_text(workspace, 1)
    # A click beside the map places nothing.
    click(main, at(workspace, main, [11, -4, 9]))
    assert (
        len(workspace.session.case.shapes) == 2
        and "outside the map" in workspace.central.message.text
    )


def test_list_jumps_and_deletes(workspace, box, chi):
    main = workspace.controller.main
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [6, 8, 9]))
    click(main, at(workspace, main, [15, 20, 9]))
    key(main, "PageUp")
    shapes = child(workspace, "qsm.shapes.list")
    first, second = workspace.session.case.shapes
    QTest.mouseClick(shapes.viewport(), LEFT, NONE, shapes.visualItemRect(shapes.item(0)).center())
    settle()
    assert box.work.chosen == first.id
    np.testing.assert_allclose(workspace.session.crosshair_mm, first.centre_mm, atol=1e-6)
    QTest.keyClick(shapes, Qt.Key.Key_Delete)
    settle()
    assert workspace.session.case.shapes == (second,) and box.work.chosen == ""


def test_size_from_area_and_volume(workspace, box, chi):
    area, volume = (child(workspace, f"qsm.shapes.{n}") for n in ("area", "volume"))
    area.setValue(50.0)
    assert box.work.template.size_mm[0] == pytest.approx(2 * np.sqrt(50 / np.pi))
    assert child(workspace, "qsm.shapes.size0").value() == pytest.approx(7.98)
    assert volume.value() == pytest.approx(450.0)  # three slices of 3 mm
    kind = child(workspace, "qsm.shapes.kind")
    kind.setCurrentIndex(kind.findData("sphere"))
    kind.activated.emit(kind.currentIndex())
    volume.setValue(1000.0)
    assert box.work.template.kind == "sphere" and box.work.template.slices == 1
    assert box.work.template.size_mm[0] == pytest.approx((6000 / np.pi) ** (1 / 3))
    assert not child(workspace, "qsm.shapes.slices").isVisible()


def test_values_stay_hidden_while_reading_blind(workspace, box, chi):
    session, main = workspace.session, workspace.controller.main
    press(workspace, "qsm.shapes.place")
    click(main, at(workspace, main, [11, 14, 9]))
    session.blinded = True
    settle()
    assert "values hidden" in list_text(workspace) and "ppm" not in list_text(workspace)
    workspace.controller.repaint_all()
    assert all("ppm" not in p.text for view in workspace.controller.views for p in patches(view))
    session.blinded = False
    assert "ppm" in list_text(workspace)


def test_edges_enclose_their_cells():
    rng = np.random.default_rng(4)
    for _ in range(30):
        mask = rng.random((7, 9)) < 0.5
        area = 0.0
        for loop in edges(np.argwhere(mask)):
            x, y = np.array(loop, dtype=float).T
            area += 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
        assert area == mask.sum()


@pytest.mark.parametrize("degrees", [(0, 0, 0), (9, -6, 12)])
def test_every_click_in_every_view_has_the_same_count(workspace, box, degrees):
    volume = workspace.session.add(noisy(degrees)).volume
    settle()
    press(workspace, "qsm.shapes.place")
    rng = np.random.default_rng(5)
    for plane in ("axial", "coronal", "sagittal"):
        view = view_of(workspace, plane)
        counts = set()
        for _ in range(4):
            workspace.session.case.shapes = ()
            spot = at(workspace, view, rng.uniform([8, 9, 7], [15, 20, 10]))
            click(view, spot + QPoint(int(rng.integers(-4, 5)), int(rng.integers(-4, 5))))
            (shape,) = workspace.session.case.shapes
            assert shape.plane == plane
            counts.add(voxels_of(shape, volume).size)
        assert counts == {realised(box.work.template.but(plane=plane), volume).voxels}


def test_files_and_another_visit(workspace, box, monkeypatch, tmp_path, qtbot):
    session, main = workspace.session, workspace.controller.main
    first = session.add(noisy(name="χ t0"), case=session.case_called("t0"))
    second = session.add(
        noisy((4, 0, 6), "χ t1", 9, centre=(4.0, -6.2, 10.1)), case=session.case_called("t1")
    )
    session.selected = first.id
    settle()
    press(workspace, "qsm.shapes.place")
    for n, voxel in enumerate(([8, 12, 9], [15, 14, 9])):
        box.work.set_template(**box.work.region_fields(f"Caudate {'LR'[n]}"))
        click(main, at(workspace, main, voxel))
    placed = session.case.shapes
    path = tmp_path / "shapes.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(path), ""))
    press(workspace, "qsm.shapes.save")
    assert read_shapes(path).shapes == placed
    assert child(workspace, "qsm.shapes.groups").currentText() == "t1"
    # Noise fits nothing, so it is not known where the other head lies; that is said, and asked.
    answers = Answers("qsm.shapes.apart.copy")
    press(workspace, "qsm.shapes.copy")
    qtbot.waitUntil(lambda: bool(session.case_of(second).shapes), timeout=20000)
    answers.done()
    assert "is not known: " in answers.texts[0] and "No transform leads to 't1'" in answers.texts[0]
    copies = session.case_of(second).shapes
    assert session.case.shapes == placed and len(copies) == 2
    assert "Copied 2 shapes" in workspace.central.message.text
    assert list_text(workspace, 0).startswith("Caudate L") and len(box.work.rows) == 2
    session.selected = second.id
    settle()
    assert [row.shape.id for row in box.work.rows] == [c.id for c in copies]
    for row, copy in enumerate(copies):
        assert realised(copy, second.volume).voxels == realised(placed[row], first.volume).voxels
        assert list_text(workspace, row).endswith(numbers(copy, second.volume))
    press(workspace, "qsm.shapes.open")
    assert len(box.work.rows) == 4 and "Placed 2 shapes" in workspace.central.message.text
    assert "shares" in list_text(workspace, 0)
    path.write_text("{}")
    press(workspace, "qsm.shapes.open")
    assert "no fixed shapes" in workspace.central.message.text and len(box.work.rows) == 4


def test_no_map_says_so(workspace, box):
    press(workspace, "qsm.shapes.place")
    assert workspace.controller.tool is None
    assert "Open a map first" in workspace.central.message.text
