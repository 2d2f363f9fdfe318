"""The window under a hand: mouse and keys, in several orientations."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint

from napari_qsm.anatomy import PLANES, nearest_voxel
from napari_qsm.volume import Volume
from tests.viewer.actions import (
    CTRL,
    MIDDLE,
    RIGHT,
    SHIFT,
    assert_slice_is_drawn,
    child,
    click,
    double_click,
    drag,
    hover,
    key,
    picture,
    pixel_of,
    press,
    slice_of,
    wheel,
)
from tests.viewer.conftest import ORDERS, SHAPE, affine_of, code_of, ramp, settle, stored_in

pytestmark = pytest.mark.window


def blob(voxel, order=None, degrees=(0, 0, 0)):
    """A map that is zero but for one bright 3 x 3 x 3 block."""
    values = np.zeros(SHAPE, np.float32)
    values[tuple(slice(v - 1, v + 2) for v in voxel)] = 1.0
    volume = Volume(values, affine_of(degrees=degrees), unit="ppm", name="χ blob")
    return volume if order is None else stored_in(volume, order)


def view_of(workspace, plane):
    return next(view for view in workspace.controller.views if view.plane == plane)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (11, -7, 5)], ids=["straight", "oblique"])
@pytest.mark.parametrize("order", [ORDERS[i] for i in (0, 13, 26, 35, 47)], ids=code_of)
def test_click_moves_the_other_views_to_the_right_voxel(workspace, order, degrees):
    original = stored_in(ramp(degrees=degrees), order)
    entry = workspace.session.add(original)
    settle()
    goal = np.array([17, 9, 12])
    world = ramp(degrees=degrees).voxel_to_world(goal)
    for plane in PLANES:
        workspace.controller.go_to(entry.volume.voxel_to_world(np.array(SHAPE) // 2))
        view = view_of(workspace, plane)
        depth = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
        click(view, pixel_of(workspace, view, world))
        expected = goal.copy()
        expected[depth] = SHAPE[depth] // 2
        here = workspace.session.crosshair_mm
        assert nearest_voxel(entry.volume, here) == tuple(expected)
        for other in workspace.controller.views:
            assert_slice_is_drawn(workspace, entry, other)
            axis = {"axial": 2, "coronal": 1, "sagittal": 0}[other.plane]
            assert slice_of(workspace, entry, other) == expected[axis]
        main = workspace.controller.main
        axis = {"axial": 2, "coronal": 1, "sagittal": 0}[main.plane]
        assert workspace.viewer.dims.point[2 - axis] == pytest.approx(main.depth_mm)


@pytest.mark.parametrize("radiological", [True, False])
@pytest.mark.parametrize("order", [ORDERS[i] for i in (0, 22, 47)], ids=code_of)
def test_what_lies_right_front_and_up_is_drawn_there(workspace, order, radiological):
    """Seen in the pixels of the canvas, not in any property."""
    workspace.session.radiological = radiological
    workspace.session.crosshair_visible = False
    voxel = np.array([19, 24, 14])  # to the right, front and top of the middle
    entry = workspace.session.add(blob(voxel, order))
    workspace.session.set_display(entry, window=(0.0, 1.0))
    workspace.controller.go_to(blob(voxel).voxel_to_world(voxel))
    settle()
    for view in workspace.controller.views:
        shot = picture(view)
        rows, columns = np.nonzero(shot.sum(axis=2) > 600)
        assert rows.size > 4
        x, y = columns.mean() / shot.shape[1] - 0.5, rows.mean() / shot.shape[0] - 0.5
        marks = view.overlay.content.letters
        across = {"R": 1, "A": 1}[marks.right] if marks.right in "RA" else -1
        assert np.sign(x) == across, (view.plane, marks)
        assert y < 0 and marks.top in "AS"
        if view.plane == "sagittal":
            assert marks.left == "A"
        else:
            assert (marks.left == "R") == radiological
        expected = pixel_of(workspace, view, workspace.session.crosshair_mm)
        scale = shot.shape[1] / view.native.width()
        assert abs(columns.mean() / scale - expected.x()) < 1.5 * view.camera().zoom
        assert abs(rows.mean() / scale - expected.y()) < 1.5 * view.camera().zoom


def bright_place(workspace, view):
    """Where the bright block is in the canvas' own pixels, from -0.5 (left, top) to 0.5."""
    shot = picture(view)
    rows, columns = np.nonzero(shot.sum(axis=2) > 600)
    assert rows.size > 4, view.plane
    return columns.mean() / shot.shape[1] - 0.5, rows.mean() / shot.shape[0] - 0.5


def assert_letters_are_true(workspace, voxel):
    """The block lies to the right, front and top in the head: so must the pixels say."""
    workspace.controller.go_to(blob(voxel).voxel_to_world(voxel))
    settle()
    for view in workspace.controller.views:
        x, y = bright_place(workspace, view)
        marks = view.overlay.content.letters
        assert np.sign(x) == (1 if marks.right in "RA" else -1), (view.plane, marks)
        assert y < 0 and marks.top in "AS", (view.plane, marks)
        expected = pixel_of(workspace, view, workspace.session.crosshair_mm)
        size = view.native.size()
        reach = 1.5 * view.camera().zoom
        assert abs((x + 0.5) * size.width() - expected.x()) < reach
        assert abs((y + 0.5) * size.height() - expected.y()) < reach


@pytest.fixture
def asymmetric(workspace):
    """A block to the right, front and top, and its voxel."""
    workspace.session.crosshair_visible = False
    voxel = np.array([19, 24, 14])
    entry = workspace.session.add(blob(voxel))
    workspace.session.set_display(entry, window=(0.0, 1.0))
    settle()
    return voxel


@pytest.mark.parametrize("depth", ["towards", "away"])
@pytest.mark.parametrize("vertical", ["up", "down"])
@pytest.mark.parametrize("horizontal", ["left", "right"])
def test_preferences_of_napari_turn_no_side(workspace, asymmetric, horizontal, vertical, depth):
    from napari.settings import get_settings

    application = get_settings().application
    tell = workspace.viewer._update_camera_orientation  # each test has settings of its own
    names = [f"{axis}_axis_orientation" for axis in ("horizontal", "vertical", "depth")]
    before = {name: getattr(application, name) for name in names}
    try:
        for name, value in zip(names, (horizontal, vertical, depth), strict=True):
            setattr(application, name, value)
            tell()
            assert_letters_are_true(workspace, asymmetric)
    finally:
        for name, value in before.items():
            setattr(application, name, value)
        tell()


@pytest.mark.parametrize("radiological", [True, False])
def test_writes_to_camera_and_axes_turn_no_side(workspace, asymmetric, radiological):
    workspace.session.radiological = radiological
    viewer = workspace.viewer
    camera = viewer.scene.camera
    writes = [
        lambda: setattr(camera, "orientation", ("away", "down", "left")),
        lambda: setattr(camera, "orientation", ("towards", "up", "right")),
        lambda: setattr(camera, "orientation2d", ("down", "right")),
        lambda: setattr(camera, "angles", (0.0, 0.0, 180.0)),
        lambda: setattr(camera, "zoom", -camera.zoom),
        lambda: camera.update({"orientation": ("towards", "down", "right"), "zoom": 2.0}),
        lambda: setattr(viewer.dims, "order", (0, 2, 1)),
        lambda: setattr(viewer.dims, "order", (2, 1, 0)),
        viewer.dims.roll,
        viewer.dims.transpose,
        viewer.reset_view,
    ]
    for plane in PLANES:
        workspace.session.large_plane = plane
        for write in writes:
            write()
            assert_letters_are_true(workspace, asymmetric)


def test_a_turned_volume_is_never_mirrored(workspace, asymmetric):
    """From the front, the patient's right lies on the left, whatever is written to the camera."""
    workspace.session.layout = "volume"
    settle(20)
    view = workspace.controller.main
    camera = view.canvas.model.scene.camera
    for orientation in [("away", "down", "left"), ("towards", "up", "left")]:
        camera.orientation = orientation
        settle()
        x, y = bright_place(workspace, view)
        marks = view.overlay.content.letters
        assert np.sign(x) == (1 if marks.right == "R" else -1)
        assert y < 0 and marks.top == "S"


def test_dragging_takes_the_crosshair_along(workspace):
    entry = workspace.session.add(ramp())
    settle()
    view = view_of(workspace, "axial")
    start = pixel_of(workspace, view, entry.volume.voxel_to_world([6, 8, 9]))
    end = pixel_of(workspace, view, entry.volume.voxel_to_world([18, 20, 9]))
    seen = []
    workspace.session.events.crosshair_mm.connect(lambda v: seen.append(v))
    drag(view, start, end)
    assert nearest_voxel(entry.volume, workspace.session.crosshair_mm)[:2] == (18, 20)
    assert len(seen) >= 4


def test_wheel_steps_slices_and_ctrl_wheel_zooms(workspace):
    entry = workspace.session.add(ramp())
    middle = nearest_voxel(entry.volume, workspace.session.crosshair_mm)
    for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        view = view_of(workspace, plane)
        wheel(view, QPoint(60, 60), 2)
        now = nearest_voxel(entry.volume, workspace.session.crosshair_mm)
        assert now[axis] == middle[axis] + 2
        wheel(view, QPoint(60, 60), -2)
    view = view_of(workspace, "axial")
    at = QPoint(150, 120)
    before = view.camera().to_display((150, 120), 0)
    zoom = view.camera().zoom
    wheel(view, at, 3, CTRL)
    assert view.camera().zoom == pytest.approx(zoom * 1.2**3)
    assert workspace.viewer.scene.camera.zoom == pytest.approx(view.camera().zoom)
    np.testing.assert_allclose(view.camera().to_display((150, 120), 0), before)


def test_zoom_and_pan_are_linked_or_free(workspace):
    workspace.session.add(ramp())
    axial, coronal = view_of(workspace, "axial"), view_of(workspace, "coronal")
    was = coronal.camera()
    drag(axial, QPoint(100, 100), QPoint(100, 60), RIGHT)
    assert axial.camera().zoom > 1.2 * was.zoom or coronal.camera().zoom > 1.2 * was.zoom
    assert coronal.zoom.factor == axial.zoom.factor > 1.2
    drag(axial, QPoint(100, 100), QPoint(140, 100), MIDDLE)
    assert coronal.camera().centre[0] == pytest.approx(axial.camera().centre[0])
    moved = axial.camera().centre
    drag(axial, QPoint(100, 100), QPoint(60, 100), modifiers=SHIFT)
    assert axial.camera().centre[0] != pytest.approx(moved[0])
    press(workspace, "qsm.view.link")
    assert not workspace.session.views_linked
    kept = coronal.camera()
    wheel(axial, QPoint(90, 90), 2, CTRL)
    assert coronal.camera() == kept
    workspace.viewer.reset_view()
    settle()
    assert axial.zoom.factor == 1.0


def test_napari_slider_and_arrow_keys_move_the_crosshair(workspace):
    entry = workspace.session.add(ramp())
    view = workspace.controller.main
    start = nearest_voxel(entry.volume, workspace.session.crosshair_mm)
    view.native.setFocus()
    key(view, "Right")
    assert nearest_voxel(entry.volume, workspace.session.crosshair_mm)[2] == start[2] + 1
    workspace.viewer.dims.set_current_step(0, 3)
    settle()
    assert nearest_voxel(entry.volume, workspace.session.crosshair_mm)[2] == 3


def test_double_click_makes_a_view_large_and_alone(workspace):
    workspace.session.add(ramp())
    main = workspace.controller.main
    coronal = view_of(workspace, "coronal")
    double_click(coronal, QPoint(50, 50))
    assert main.plane == "coronal" and workspace.session.large_plane == "coronal"
    assert {view.plane for view in workspace.controller.views} == set(PLANES)
    assert main.overlay.content.letters.top == "S"
    double_click(main, QPoint(50, 50))
    assert workspace.session.layout == "one"
    assert not workspace.controller.views[1].widget.isVisible()
    double_click(main, QPoint(50, 50))
    assert workspace.controller.views[1].widget.isVisible()


def test_keys(workspace):
    session = workspace.session
    chi = session.add(ramp(name="χ control"))
    patient = session.add(ramp(name="χ patient"))
    main = workspace.controller.main
    hover(main, QPoint(60, 60))
    key(main, "U")
    assert session.unit == "ppb"
    key(main, "H")
    assert not session.crosshair_visible and main.overlay.content.crosshair is None
    key(main, "G")
    assert patient.display.colouring == "inverted" == chi.display.colouring
    key(main, "W")
    assert main.plane == "coronal"
    key(main, "Q")
    assert session.layout == "one"
    before = nearest_voxel(chi.volume, session.crosshair_mm)
    key(main, "PageUp")
    assert nearest_voxel(chi.volume, session.crosshair_mm)[1] == before[1] + 1
    assert session.selected == patient.id
    key(main, "K")
    assert (chi.display.visible, patient.display.visible) == (True, False)
    key(main, "K")
    assert (chi.display.visible, patient.display.visible) == (False, True)
    key(main, "F1")
    assert workspace.help.isVisible()
    key(main, "F1")
    assert not workspace.help.isVisible()


def test_keys_work_from_every_view(workspace):
    workspace.session.add(ramp())
    key(view_of(workspace, "sagittal"), "U")
    assert workspace.session.unit == "ppb"


def test_no_key_of_naparis_is_taken(workspace):
    from napari.utils.shortcuts import default_shortcuts

    theirs = {str(k) for keys in default_shortcuts.values() for k in keys}
    ours = {
        key for command, key in workspace.keys.bound if command.group not in ("Drawing", "Work")
    }
    assert ours and not ours & theirs


def test_readout_at_crosshair_and_pointer(workspace):
    order = ORDERS[29]
    original = stored_in(ramp(degrees=(5, 4, 3)), order)
    entry = workspace.session.add(original)
    goal = np.array([7, 20, 6])
    world = ramp(degrees=(5, 4, 3)).voxel_to_world(goal)
    stored = np.rint(original.world_to_voxel(world)).astype(int)
    workspace.controller.go_to(world)
    view = view_of(workspace, "axial")
    hover(view, pixel_of(workspace, view, ramp(degrees=(5, 4, 3)).voxel_to_world([8, 20, 6])))
    workspace.readout.update_now()
    assert child(workspace, "qsm.readout.crosshair.voxel").text() == " ".join(map(str, stored))
    text = child(workspace, "qsm.readout.crosshair.position").text()
    sides = [
        ("R" if v >= 0 else "L")
        if i == 0
        else ("A" if v >= 0 else "P")
        if i == 1
        else ("S" if v >= 0 else "I")
        for i, v in enumerate(world)
    ]
    expected = "  ".join(f"{s} {abs(v):.1f}" for s, v in zip(sides, world, strict=True)) + " mm"
    assert text == expected
    table = child(workspace, "qsm.readout.table")
    assert table.item(0, 1).text() == f"{entry.volume.data[tuple(goal)]:.3f} ppm"
    assert table.item(0, 2).text() == f"{entry.volume.data[8, 20, 6]:.3f} ppm"
    workspace.session.unit = "ppb"
    workspace.readout.update_now()
    assert table.item(0, 1).text() == f"{entry.volume.data[tuple(goal)] * 1000:.0f} ppb"


def test_a_map_on_another_grid_is_read_through_its_own(workspace):
    workspace.session.add(ramp())
    coarse = Volume(
        np.arange(60, dtype=np.float32).reshape(3, 4, 5),
        affine_of(shape=(3, 4, 5), size=(14.0, 10.0, 9.0), degrees=(0, 0, 8)),
        name="magnitude coarse",
    )
    other = workspace.session.add(coarse)
    workspace.controller.go_to(coarse.voxel_to_world([1, 2, 3]))
    settle()
    workspace.readout.update_now()
    table = child(workspace, "qsm.readout.table")
    rows = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount())}
    assert rows["magnitude coarse *"] == "33"
    assert other.shown.data[1, 2, 3] == 33
    note = child(workspace, "qsm.readout.note").text()
    assert "own grid" in note and "8.0°" in note and "nearest voxel" in note


def test_three_large_choices_while_empty(workspace):
    assert child(workspace, "qsm.welcome").isVisible()
    for name in ("folder", "map", "head"):
        assert child(workspace, f"qsm.welcome.{name}").isVisible()
    entry = workspace.session.add(ramp())
    assert not child(workspace, "qsm.welcome").isVisible()
    workspace.session.remove(entry)
    assert child(workspace, "qsm.welcome").isVisible()


def test_the_wheel_changes_no_number_that_has_no_focus(workspace):
    """Over every control of every tab and of the table, shown or folded away."""
    from qtpy.QtCore import QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import (
        QAbstractSlider,
        QAbstractSpinBox,
        QApplication,
        QComboBox,
        QScrollBar,
        QWidget,
    )

    def state(widget):
        if isinstance(widget, QComboBox):
            return widget.currentIndex()
        return widget.text() if isinstance(widget, QAbstractSpinBox) else widget.value()

    workspace.session.add(ramp())
    settle()
    workspace.viewer.window._qt_window.setFocus()
    kinds = (QAbstractSlider, QAbstractSpinBox, QComboBox)
    turned = 0
    for root in (workspace.side, workspace.table_panel):
        for widget in root.findChildren(QWidget):
            if not isinstance(widget, kinds) or isinstance(widget, QScrollBar):
                continue
            for notches in (1, -1):
                before = state(widget)
                at = QPointF(widget.rect().center())
                event = QWheelEvent(
                    at,
                    QPointF(widget.mapToGlobal(widget.rect().center())),
                    QPoint(0, 0),
                    QPoint(0, 120 * notches),
                    Qt.MouseButton.NoButton,
                    Qt.KeyboardModifier.NoModifier,
                    Qt.ScrollPhase.NoScrollPhase,
                    False,
                )
                QApplication.sendEvent(widget, event)
                assert state(widget) == before, widget.objectName()
                turned += 1
    assert turned > 20
