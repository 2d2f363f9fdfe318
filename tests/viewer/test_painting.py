"""Drawing with real mouse events, against voxels worked out from millimetres."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.session import regions
from napari_qsm.viewer.canvas.overlay_items import Outline, Ring
from tests.viewer.actions import (
    LEFT,
    NONE,
    _send,
    child,
    click,
    double_click,
    drag,
    hover,
    picture,
    press,
    wheel,
)
from tests.viewer.conftest import renew, settle
from tests.viewer.drawn_on import (
    SHAPE,
    SIZE,
    at_pixel,
    begin,
    disc,
    display,
    entry_of,
    middle,
    open_map,
    options_of,
    view_of,
)

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def opened(one_window):
    """One map and one region map for all tests: taking layers away takes napari long."""
    renew(one_window.session)
    open_map(one_window)
    return one_window


@pytest.fixture
def work(opened):
    begin(opened)
    return opened


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize(("tip", "ball"), [("round", False), ("square", False), ("round", True)])
def test_a_click_paints_the_voxels_under_the_brush(work, plane, tip, ball):
    options_of(work).update({"tip": tip, "in_3d": ball})
    press(work, "qsm.paint.brush")
    view = view_of(work, plane)
    at = middle(work, view) + QPoint(13, -7)
    click(view, at)
    entry = entry_of(work)
    wanted = disc(work, view, [at], 7.0, tip, ball)
    np.testing.assert_array_equal(entry.editable == 1, wanted)
    assert wanted.sum() > 5
    assert work.table().set_index("name").loc["Putamen L", "voxels"] == wanted.sum()


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_fast_stroke_has_no_gap_and_is_one_undo(work, plane):
    press(work, "qsm.paint.brush")
    options_of(work).diameter_mm = 4.0
    view = view_of(work, plane)
    start, end = middle(work, view) - QPoint(60, 31), middle(work, view) + QPoint(57, 40)
    drag(view, start, end, steps=2)
    entry = entry_of(work)
    half = QPoint(round((start.x() + end.x()) / 2), round((start.y() + end.y()) / 2))
    wanted = disc(work, view, [start, half, end], 4.0)
    # Densely put down, not swept: a centre on the very rim may be missed.
    found = entry.editable == 1
    assert not (wanted & ~found).any() and (found & ~wanted).sum() <= 1
    assert work.session.history.undo_text == "brush Putamen L"
    press(work, "qsm.paint.undo")
    assert not entry.editable.any()
    press(work, "qsm.paint.redo")
    np.testing.assert_array_equal(entry.editable == 1, found)


def test_the_picture_shows_paint_in_every_view_at_once(work):
    press(work, "qsm.paint.brush")
    options_of(work).in_3d = True
    work.session.crosshair_visible = False
    before = [picture(view) for view in work.controller.views]
    main = work.controller.main
    click(main, middle(work, main))
    for view, old in zip(work.controller.views, before, strict=True):
        changed = np.abs(picture(view) - old).max(axis=-1) > 20
        at = middle(work, view)
        height, width = changed.shape
        x = at.x() * width // view.native.width()
        y = at.y() * height // view.native.height()
        assert changed[y, x] and changed.mean() < 0.3
    work.session.history.undo()
    for view, old in zip(work.controller.views, before, strict=True):
        np.testing.assert_allclose(picture(view), old, atol=2)


def test_erase_spare_and_lock(work):
    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    press(work, "qsm.paint.brush")
    click(main, at)
    first = entry.editable == 1
    work.session.active_region = 2
    click(main, at + QPoint(15, 0))
    other = disc(work, main, [at + QPoint(15, 0)], 7.0)
    np.testing.assert_array_equal(entry.editable == 2, other & ~first)
    np.testing.assert_array_equal(entry.editable == 1, first)
    press(work, "qsm.paint.eraser")
    click(main, at)  # region 1 is spared while region 2 is active
    np.testing.assert_array_equal(entry.editable == 1, first)
    np.testing.assert_array_equal(
        entry.editable == 2, other & ~first & ~disc(work, main, [at], 7.0)
    )
    child(work, "qsm.paint.protect").click()
    click(main, at)
    assert not (entry.editable[first]).any()
    for _ in range(2):
        work.session.history.undo()
    regions.set_locked(entry, [1], True)
    click(main, at)
    np.testing.assert_array_equal(entry.editable == 1, first)
    work.session.active_region = 1
    before = entry.editable.copy()
    click(main, at)
    np.testing.assert_array_equal(entry.editable, before)
    assert "locked" in work.central.message.text


def test_only_values_within_the_limits(work):
    options_of(work).update({"limited": True, "window_ppm": (0.02, 0.09), "in_3d": True})
    press(work, "qsm.paint.brush")
    main = work.controller.main
    at = middle(work, main)
    click(main, at)
    chi = work.session.entry("χ test").volume.data
    wanted = disc(work, main, [at], 7.0, ball=True) & (chi >= 0.02) & (chi <= 0.09)
    np.testing.assert_array_equal(entry_of(work).editable == 1, wanted)
    work.session.unit = "ppb"
    settle()
    assert child(work, "qsm.paint.low").value() == 20
    child(work, "qsm.paint.low").setValue(50)
    assert options_of(work).window_ppm == pytest.approx((0.05, 0.09))


def test_polygon_lasso_and_fill(work):
    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    corners = [at + QPoint(*p) for p in ((-50, -40), (60, -30), (40, 50), (-30, 35))]
    press(work, "qsm.paint.polygon")
    for corner in corners:
        click(main, corner)
    hover(main, at)
    assert any(isinstance(ring, Outline) for ring in main.overlay.content.items)
    click(main, corners[0] + QPoint(2, 1))  # near the first corner: closed
    from matplotlib.path import Path

    across, up = DRAWN_AXES["axial"]
    places = display(work)
    outline = np.array([at_pixel(main, c) for c in corners])
    inside = Path(outline[:, [across, up]]).contains_points(
        places[..., [across, up]].reshape(-1, 2)
    )
    inside = inside.reshape(SHAPE) & (np.abs(places[..., 2] - main.depth_mm) < SIZE[2] / 2)
    np.testing.assert_array_equal(entry.editable == 1, inside)
    work.session.history.undo()
    assert not entry.editable.any()
    click(main, corners[0])
    click(main, corners[1])
    double_click(main, corners[2])
    assert entry.editable.sum() > 20
    work.session.history.undo()
    press(work, "qsm.paint.lasso")
    for kind, corner in zip(
        [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 3], corners, strict=True
    ):
        _send(main, kind, corner, LEFT, LEFT, NONE)
    _send(main, QEvent.Type.MouseButtonRelease, corners[-1], LEFT, Qt.MouseButton.NoButton, NONE)
    settle()
    np.testing.assert_array_equal(entry.editable == 1, inside)
    work.session.history.undo()
    # A closed outline, then a fill; the same fill without it would leak.
    press(work, "qsm.paint.fill")
    click(main, at)
    assert not entry.editable.any()
    press(work, "qsm.paint.brush")
    options_of(work).diameter_mm = 2.0
    ring = [
        at + QPoint(round(50 * np.cos(a)), round(50 * np.sin(a))) for a in np.arange(0, 6.3, 0.2)
    ]
    _send(main, QEvent.Type.MouseButtonPress, ring[0], LEFT, LEFT, NONE)
    for place in [*ring, ring[0]]:
        _send(main, QEvent.Type.MouseMove, place, LEFT, LEFT, NONE)
    _send(main, QEvent.Type.MouseButtonRelease, ring[0], LEFT, Qt.MouseButton.NoButton, NONE)
    edge = entry.editable == 1
    press(work, "qsm.paint.fill")
    click(main, at)
    from scipy import ndimage

    k = int(np.flatnonzero(edge.any(axis=(0, 1)))[0])
    filled = ndimage.binary_fill_holes(edge[..., k])
    np.testing.assert_array_equal(entry.editable[..., k] == 1, filled)
    assert (entry.editable == 1).sum() == filled.sum() > edge.sum()


def test_cursor_shows_its_width_in_mm_and_where_a_ball_reaches(work):
    press(work, "qsm.paint.brush")
    main, others = work.controller.main, work.controller.views[1:3]
    at = middle(work, main) + QPoint(10, 6)
    hover(main, at)
    (ring,) = main.overlay.content.items
    assert isinstance(ring, Ring)
    assert ring.radius == pytest.approx(3.5 * main.camera().zoom)
    assert ring.centre == pytest.approx((at.x(), at.y()), abs=0.6)
    assert all(not view.overlay.content.items for view in others)
    options_of(work).update({"in_3d": True, "diameter_mm": 12.0})
    hover(main, at)
    place = at_pixel(main, at)
    for view in others:
        (ring,) = view.overlay.content.items
        away = view.depth_mm - place[DEPTH_AXIS[view.plane]]
        assert ring.radius == pytest.approx(np.sqrt(36 - away**2) * view.camera().zoom, rel=1e-3)
    assert "12 mm round, in 5 slices" in child(work, "qsm.paint.says").text()
    press(work, "qsm.paint.brush")
    assert work.controller.tool is None and not main.overlay.content.items


def test_picking_follows_the_image(work):
    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    press(work, "qsm.paint.brush")
    work.session.active_region = 2
    click(main, at)
    work.session.active_region = 1
    click(main, at, Qt.KeyboardModifier.AltModifier)
    assert work.session.active_region == 2
    rows = child(work, "qsm.regions.list")
    assert rows.selected() == [2]
    work.session.active_region = 1
    press(work, "qsm.paint.pick")
    click(main, at)
    assert work.session.active_region == 2
    assert (entry.editable == 1).sum() == 0


def test_hidden_regions_and_new_colours_show_at_once(work):
    entry, main = entry_of(work), work.controller.main
    work.session.crosshair_visible = False
    empty = picture(main)
    press(work, "qsm.paint.brush")
    at = middle(work, main)
    click(main, at)
    painted = picture(main)
    rows = child(work, "qsm.regions.list")
    rows.cellClicked.emit(0, 3)  # its eye
    settle()
    assert not entry.regions[1].visible
    np.testing.assert_allclose(picture(main), empty, atol=2)
    assert "hidden" in child(work, "qsm.paint.says").text()
    rows.cellClicked.emit(0, 3)
    settle()
    np.testing.assert_allclose(picture(main), painted, atol=2)
    regions.recolour_region(work.session, entry, 1, "#00ff00")
    settle()
    shot = picture(main)
    x = at.x() * shot.shape[1] // main.native.width()
    y = at.y() * shot.shape[0] // main.native.height()
    red, green, _ = shot[y, x]
    assert green > red + 50


def test_keys_of_the_tab(work):
    from qtpy.QtTest import QTest

    window = work.viewer.window._qt_window
    window.activateWindow()
    settle(10)
    if not window.isActiveWindow():
        pytest.skip("this display gives no window the keyboard")
    native = work.controller.main.native
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_B)
    assert options_of(work).kind == "brush"
    QTest.keyClick(native, Qt.Key.Key_X)
    assert options_of(work).kind == "eraser"
    QTest.keyClick(native, Qt.Key.Key_X)
    QTest.keyClick(native, Qt.Key.Key_2)
    assert work.session.active_region == 2
    QTest.keyClick(native, Qt.Key.Key_BracketRight)
    assert options_of(work).diameter_mm == 8.0
    QTest.keyClick(native, Qt.Key.Key_BracketLeft)
    assert options_of(work).diameter_mm == 6.0
    QTest.keyClick(native, Qt.Key.Key_Escape)
    assert options_of(work).kind == "" and work.controller.tool is None


def test_list_buttons_and_mirror(work):
    entry, main = entry_of(work), work.controller.main
    press(work, "qsm.paint.brush")
    click(main, middle(work, main) + QPoint(40, 0))
    child(work, "qsm.mirror").set_open(True)
    assert not child(work, "qsm.mirror.do").isEnabled()
    press(work, "qsm.mirror.here")
    settle()
    assert "Putamen L  →  Putamen R" in child(work, "qsm.mirror.do").text()
    child(work, "qsm.mirror.do").click()
    plane = work.session.case.midline_mm
    places = display(work)
    left, right = places[entry.editable == 1], places[entry.editable == 2]
    assert len(left) == len(right) > 10
    np.testing.assert_allclose(left[:, 0].mean() + right[:, 0].mean(), 2 * plane, atol=0.63)
    np.testing.assert_allclose(left[:, 1:].mean(axis=0), right[:, 1:].mean(axis=0))
    child(work, "qsm.mirror").set_open(False)
    rows = child(work, "qsm.regions.list")
    rows.selectRow(0)
    press(work, "qsm.regions.delete")
    assert list(entry.regions) == [2] and not (entry.editable == 1).any()
    press(work, "qsm.paint.undo")
    assert list(entry.regions) == [1, 2] and (entry.editable == 1).sum() == len(left)
    item = rows.item(1, 1)
    item.setText("Caudate R")
    assert entry.regions[2].name == "Caudate R"
    item.setText("Putamen L")
    assert entry.regions[2].name == "Caudate R" and rows.item(1, 1).text() == "Caudate R"


def test_copy_to_the_next_slice_and_interpolate(work):
    entry, main = entry_of(work), work.controller.main
    press(work, "qsm.paint.brush")
    click(main, middle(work, main))
    k = int(np.flatnonzero((entry.editable == 1).any(axis=(0, 1)))[0])
    first = entry.editable[..., k].copy()
    child(work, "qsm.change").set_open(True)
    child(work, "qsm.change.up").click()
    np.testing.assert_array_equal(entry.editable[..., k + 1], first)
    wheel(main, middle(work, main), 3)
    click(main, middle(work, main))
    assert (entry.editable == 1).any(axis=(0, 1)).sum() == 3
    child(work, "qsm.change.interpolate").click()
    drawn = np.flatnonzero((entry.editable == 1).any(axis=(0, 1)))
    np.testing.assert_array_equal(drawn, np.arange(k, k + 5))
    assert work.session.history.undo() == "interpolate Putamen L"
    assert (entry.editable == 1).any(axis=(0, 1)).sum() == 3
    child(work, "qsm.change").set_open(False)


def test_enter_ends_a_rename_and_closes_a_polygon(work):
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QLineEdit

    window = work.viewer.window._qt_window
    window.activateWindow()
    settle(10)
    if not window.isActiveWindow():
        pytest.skip("this display gives no window the keyboard")
    entry, main = entry_of(work), work.controller.main
    rows = child(work, "qsm.regions.list")
    rows.edit_name(1)
    settle()
    (editor,) = rows.findChildren(QLineEdit)
    editor.setText("Caudate L")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    settle()
    assert entry.regions[1].name == "Caudate L"
    press(work, "qsm.paint.polygon")
    at = middle(work, main)
    for offset in ((-30, -30), (30, -30), (0, 40), (90, 90)):
        click(main, at + QPoint(*offset))
    QTest.keyClick(main.native, Qt.Key.Key_Backspace)
    QTest.keyClick(main.native, Qt.Key.Key_Return)
    settle()
    assert (entry.editable == 1).sum() > 20
    places = display(work)[entry.editable == 1]
    assert (at_pixel(main, at + QPoint(90, 90))[1] < places[:, 1] - 1).all()
