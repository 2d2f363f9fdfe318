"""Hands at work: both buttons, held keys, brightness by dragging."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QModelIndex, QPoint, Qt
from qtpy.QtTest import QTest

from napari_qsm.anatomy import DRAWN_AXES
from napari_qsm.session import region_looks
from napari_qsm.viewer.canvas.overlay_items import Outline
from napari_qsm.viewer.canvas.windowing import Words, dragged
from napari_qsm.volume import Volume
from tests.viewer.actions import (
    CTRL,
    LEFT,
    NONE,
    RIGHT,
    _send,
    child,
    click,
    drag,
    hover,
    picture,
    press,
)
from tests.viewer.conftest import affine_of, renew, settle
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
)

pytestmark = pytest.mark.window
PRESS = QEvent.Type.MouseButtonPress
MOVE = QEvent.Type.MouseMove
RELEASE = QEvent.Type.MouseButtonRelease


@pytest.fixture(scope="module")
def opened(one_window):
    renew(one_window.session)
    open_map(one_window)
    return one_window


@pytest.fixture
def work(opened):
    begin(opened)
    return opened


def right_click(view, at):
    QTest.mouseClick(view.native, RIGHT, NONE, at)
    settle()


def test_the_right_button_erases_with_the_brush_in_hand(work):
    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    zoom = main.zoom.factor
    press(work, "qsm.paint.brush")
    click(main, at)
    painted = disc(work, main, [at], 7.0)
    np.testing.assert_array_equal(entry.editable == 1, painted)
    way = [at - QPoint(60, 0), at]
    drag(main, *way, button=RIGHT)
    np.testing.assert_array_equal(entry.editable == 1, painted & ~disc(work, main, way, 7.0))
    assert main.zoom.factor == zoom and options_of(work).kind == "brush"
    assert work.session.history.undo_text == "erase Putamen L"
    work.session.history.undo()  # the whole stroke at once
    np.testing.assert_array_equal(entry.editable == 1, painted)
    # A second button pressed in the midst of a stroke neither ends nor turns it.
    other = at + QPoint(90, 40)
    _send(main, PRESS, other, LEFT, LEFT, NONE)
    _send(main, PRESS, other, RIGHT, LEFT | RIGHT, NONE)
    _send(main, RELEASE, other, RIGHT, LEFT, NONE)
    assert work.session.history.is_open
    _send(main, RELEASE, other, LEFT, Qt.MouseButton.NoButton, NONE)
    assert not work.session.history.is_open
    assert (entry.editable[disc(work, main, [other], 7.0)] == 1).all()


def test_the_right_button_empties_with_lasso_and_fill_and_zooms_without_a_tool(work):
    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    press(work, "qsm.paint.brush")
    options_of(work).diameter_mm = 20.0
    click(main, at)
    full = entry.editable == 1
    press(work, "qsm.paint.fill")
    right_click(main, at + QPoint(8, 8))
    assert full.any() and not entry.editable.any()
    work.session.history.undo()
    press(work, "qsm.paint.lasso")
    corners = [at + QPoint(*p) for p in ((-90, -90), (90, -90), (90, 90), (-90, 90))]
    _send(main, PRESS, corners[0], RIGHT, RIGHT, NONE)
    for corner in corners[1:]:
        _send(main, MOVE, corner, Qt.MouseButton.NoButton, RIGHT, NONE)
    _send(main, RELEASE, corners[-1], RIGHT, Qt.MouseButton.NoButton, NONE)
    assert not entry.editable.any()
    press(work, "qsm.paint.lasso")  # put away
    zoom = main.zoom.factor
    drag(main, at, at - QPoint(0, 30), button=RIGHT)
    assert main.zoom.factor > zoom
    main.reset_zoom()


def test_corners_of_a_polygon_are_dragged_and_the_right_button_closes_it(work):
    from matplotlib.path import Path

    entry, main = entry_of(work), work.controller.main
    at = middle(work, main)
    corners = [at + QPoint(*p) for p in ((-50, -40), (60, -30), (40, 50), (-30, 35))]
    press(work, "qsm.paint.polygon")
    for corner in (at - QPoint(20, 20), *corners[1:]):
        click(main, corner)
    assert outline_of(main).dots == 4
    drag(main, at - QPoint(20, 20), corners[0])  # the first one: dragged, not closed
    assert not entry.editable.any() and outline_of(main).dots == 4
    drag(main, corners[2], at + QPoint(200, 90))
    drag(main, at + QPoint(200, 90), corners[2])
    right_click(main, at)
    across, up = DRAWN_AXES["axial"]
    places = display(work)
    path = Path(np.array([at_pixel(main, c) for c in corners])[:, [across, up]])
    inside = path.contains_points(places[..., [across, up]].reshape(-1, 2)).reshape(SHAPE)
    inside &= np.abs(places[..., 2] - main.depth_mm) < SIZE[2] / 2
    np.testing.assert_array_equal(entry.editable == 1, inside)


def outline_of(view):
    (item,) = view.overlay.content.items
    assert isinstance(item, Outline)
    return item


def test_while_aiming_the_left_button_moves_the_crosshair(work):
    main = work.controller.main
    at = middle(work, main) + QPoint(40, 30)
    press(work, "qsm.paint.brush")
    hover(main, at)
    assert main.overlay.content.items
    work.controller.aim(True)
    assert not main.overlay.content.items
    drag(main, at - QPoint(20, 0), at)
    wanted = work.controller.frame.display_to_world(at_pixel(main, at))
    assert np.abs(np.subtract(work.session.crosshair_mm, wanted)).max() <= SIZE.max() / 2
    assert not entry_of(work).editable.any()
    work.controller.aim(False)
    click(main, at)
    assert entry_of(work).editable.any()


def test_a_drag_is_part_of_the_canvas_wide_and_high():
    assert dragged((0.0, 1.0), 0, 0) == (0.0, 1.0)
    assert dragged((0.0, 1.0), 0, 0.5) == pytest.approx((-1.0, 0.0))
    assert dragged((0.0, 1.0), 0, 0.5, falling=True) == pytest.approx((1.0, 2.0))
    low, high = dragged((0.0, 1.0), 0.25, 0)
    assert high - low == pytest.approx(np.exp(0.5)) and low + high == pytest.approx(1.0)


def test_dragging_with_ctrl_sets_the_window_and_a_double_click_takes_it_back(work):
    main, session = work.controller.main, work.session
    chi = session.entry("χ test")
    press(work, "qsm.paint.brush")  # whatever the tool
    at = middle(work, main)
    session.set_display(chi, window=(-0.05, 0.25))
    for end in (at + QPoint(60, 0), at - QPoint(0, 40)):
        _send(main, PRESS, at, LEFT, LEFT, CTRL)
        before = chi.display.window
        _send(main, MOVE, end, Qt.MouseButton.NoButton, LEFT, CTRL)
        (words,) = (i for i in main.overlay.content.items if isinstance(i, Words))
        low, high = chi.display.window
        assert words.lines[0] == f"{low:.3f} to {high:.3f} ppm".replace("-", "−")
        _send(main, RELEASE, end, LEFT, Qt.MouseButton.NoButton, CTRL)
        assert not any(isinstance(i, Words) for i in main.overlay.content.items)
        width = high - low
        if end.y() == at.y():  # to the right: wider about the same middle
            assert width > before[1] - before[0] and low + high == pytest.approx(0.2)
        else:  # up: brighter, as wide
            assert width == pytest.approx(before[1] - before[0]) and low < before[0]
    assert not entry_of(work).editable.any()
    QTest.mouseDClick(main.native, LEFT, CTRL, at)
    assert chi.display.window == pytest.approx((-0.05, 0.25))
    QTest.mouseDClick(main.native, LEFT, CTRL, at)
    assert chi.display.window == pytest.approx((-0.1, 0.2))


def test_regions_are_hidden_outlined_and_made_fainter(work):
    entry, main, session = entry_of(work), work.controller.main, work.session
    at = middle(work, main)
    session.crosshair_visible = False
    before = picture(main)
    press(work, "qsm.paint.brush")
    options_of(work).diameter_mm = 16.0
    click(main, at)
    press(work, "qsm.paint.brush")

    def differs(offset):
        place = at + QPoint(*offset)
        shot = picture(main)
        scale = shot.shape[1] / main.native.width()
        row, column = round(place.y() * scale), round(place.x() * scale)
        return np.abs(shot[row, column] - before[row, column]).max() > 20

    zoom = main.camera().zoom
    edge = (round(7.4 * zoom), 0)
    assert differs((0, 0)) and differs(edge)
    region_looks.toggle_outline(session)
    borders = [(round(mm * zoom), 0) for mm in np.linspace(6.5, 9.0, 26)]
    assert not differs((0, 0)) and any(map(differs, borders))
    assert work.controller.layers[entry.id].contour == 1
    region_looks.toggle_outline(session)
    assert region_looks.toggle_shown(session) is False
    assert not differs((0, 0)) and not entry.display.visible
    assert region_looks.toggle_shown(session) is True and differs((0, 0))
    for _ in range(9):
        faint = region_looks.change_opacity(session, -1)
    assert faint == pytest.approx(0.1) == entry.display.opacity
    assert region_looks.change_opacity(session, 4) == pytest.approx(0.5)


def test_a_dragged_row_lies_on_top_in_every_view_and_the_grid_stays(workspace):
    session, controller = workspace.session, workspace.controller
    session.crosshair_visible = False
    half = np.full(SHAPE, 100.0, np.float32)
    chi = session.add(Volume(half * 0 - 0.1, affine_of(SHAPE, SIZE), unit="ppm", name="chi"))
    coarse = affine_of((20, 22, 18), SIZE * (2, 2, 1))
    magnitude = Volume(np.full((20, 22, 18), 90.0, np.float32), coarse, name="magnitude")
    other = session.add(magnitude, role="magnitude")
    labels = session.add(Volume(half * 0, affine_of(SHAPE, SIZE), name="regions"), role="labels")
    session.set_display(other, window=(0.0, 100.0), visible=True)
    workspace.tabs.setCurrentWidget(workspace.panels.data)
    settle()
    grid = session.reference
    assert grid is chi.volume and top_of(workspace) == {"magnitude"}
    assert in_the_middle(controller.main).min() > 200
    listed = child(workspace, "qsm.data.maps")

    def drop(row, before):
        """As Qt does when a row is let go: to where it shall stand before another."""
        none = QModelIndex()
        listed.model().moveRow(none, row, none, before)
        settle()
        return [listed.item(row).text() for row in range(3)]

    assert drop(1, 3) == ["regions", "chi", "magnitude"]
    assert top_of(workspace) == {"chi"} and session.reference is grid
    assert all(in_the_middle(view).max() < 20 for view in controller.views)
    names = [layer.name for layer in workspace.viewer.layers]
    assert names == ["magnitude", "chi", "regions"]
    # An image cannot hide what is drawn; napari's own list is followed.
    assert drop(2, 0) == ["regions", "magnitude", "chi"]
    workspace.viewer.layers.move(1, 0)
    settle()
    assert [entry.name for entry in session] == ["magnitude", "chi", "regions"]
    assert top_of(workspace) == {"chi"} and labels.display.visible


def in_the_middle(view):
    shot = picture(view)
    return shot[shot.shape[0] // 2, shot.shape[1] // 2]


def top_of(workspace):
    titles = [view.overlay.content.title for view in workspace.controller.views]
    return {title.split(" · ")[1].removesuffix(" (ppm)") for title in titles}


def test_colours_lie_over_the_map_in_grey_where_there_is_no_magnitude(workspace):
    session, main = workspace.session, workspace.controller.main
    session.crosshair_visible = False
    values = np.full(SHAPE, -0.04, np.float32)  # a fifth of the way from black to white
    chi = session.add(Volume(values, affine_of(SHAPE, SIZE), unit="ppm", name="chi"))
    ones = Volume(np.ones(SHAPE, np.float32), affine_of(SHAPE, SIZE), name="magnitude")
    session.set_display(chi, colouring="colour", window=(0.0, 0.15), threshold_low=0.05)
    settle()
    grey = in_the_middle(main)
    np.testing.assert_allclose(grey, 0.2 * 255, atol=3)
    session.set_display(chi, window=(-0.1, 0.01), threshold_low=None, threshold_high=-0.06)
    np.testing.assert_allclose(in_the_middle(main), grey, atol=3)
    magnitude = session.add(ones, role="magnitude")
    session.set_display(magnitude, window=(0.0, 1.0), visible=True)
    session.place_over(magnitude, None)
    np.testing.assert_allclose(in_the_middle(main), 255, atol=3)
    session.set_display(magnitude, visible=False)
    np.testing.assert_allclose(in_the_middle(main), grey, atol=3)
    # What napari's own slider says is the map's window, not that of the grey below it.
    layer = workspace.controller.layers[chi.id]
    layer.opacity = 0.9
    assert chi.display.window == (-0.1, 0.01)
    layer.contrast_limits = (-0.2, 0.3)
    assert chi.display.window == (-0.2, 0.3)
