"""Tools that look at the map or at what is drawn, with real mouse and key events."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path
from qtpy.QtCore import QEvent, QPoint, Qt
from scipy import ndimage
from skimage.segmentation import flood

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.compositing import outline_pixels
from napari_qsm.io.region import pair_color
from napari_qsm.viewer.canvas.overlay_items import Outline, Patch, Ring
from napari_qsm.volume import Volume
from tests.viewer.actions import (
    NONE,
    RIGHT,
    SHIFT,
    _send,
    child,
    click,
    drag,
    hover,
    key,
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
    view_of,
)

pytestmark = pytest.mark.window
PLANES = ["axial", "coronal", "sagittal"]


def two_tissues():
    """A slanted edge through the middle, and a little noise."""
    i, j, k = np.indices(SHAPE)
    dark = (i - 20.3) * SIZE[0] + (j - 21.7) * SIZE[1] + 0.7 * (k - 8.6) * SIZE[2] < 0
    noise = np.random.default_rng(3).normal(0, 0.004, SHAPE)
    return dark, (np.where(dark, 0.02, 0.12) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def opened(one_window):
    """One map and one region map for all tests."""
    renew(one_window.session)
    open_map(one_window, two_tissues()[1])
    return one_window


@pytest.fixture
def work(opened):
    begin(opened)
    options_of(opened).update(
        {"edge": 3.0, "radius_mm": 12.0, "inside_mask": False, "window_ppm": (0.08, 0.16)}
    )
    yield opened
    child(opened, "qsm.paint").painter.use("")


def drawn(work):
    return entry_of(work).editable == 1


def under(work, view, pixel):
    """Index of the voxel under a pixel."""
    away = display(work) - at_pixel(view, pixel)
    return np.unravel_index(np.argmin((away**2).sum(axis=-1)), SHAPE)


def connected(allowed, voxel):
    return flood(allowed.astype(np.uint8), tuple(voxel), connectivity=1) & allowed


def block(work, slices):
    """Draw a block of region 1."""
    entry = entry_of(work)
    entry.editable[slices] = 1
    work.session.take_outside_edit(entry)
    work.session.history.clear()
    settle()
    return entry.editable == 1


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("ball", [False, True])
def test_the_adaptive_brush_stops_at_the_edge(work, plane, ball):
    dark, _ = two_tissues()
    options_of(work).update({"diameter_mm": 9.0, "in_3d": ball})
    press(work, "qsm.paint.adaptive")
    view = view_of(work, plane)
    at = middle(work, view) + QPoint(4, 3)
    hover(view, at)
    assert sum(isinstance(item, Patch) for item in view.overlay.content.items) == 1
    assert not drawn(work).any()
    click(view, at)
    voxel = under(work, view, at)
    tip = disc(work, view, [at], 9.0, ball=ball)
    wanted = connected(tip & (dark == dark[voxel]), voxel)
    assert 3 < wanted.sum() < tip.sum()
    np.testing.assert_array_equal(drawn(work), wanted)
    assert work.session.history.undo() == "adaptive Putamen L"
    assert not drawn(work).any()


def test_a_stroke_of_the_adaptive_brush_keeps_to_its_side(work):
    dark, _ = two_tissues()
    main = work.controller.main
    press(work, "qsm.paint.adaptive")
    at = middle(work, main)
    voxel = under(work, main, at)
    # Along the edge: it runs from one upper corner of the slice to the lower one opposite.
    across, up = DRAWN_AXES["axial"]
    way = np.zeros(3)
    way[[across, up]] = (1, -1)
    zoom = main.camera().zoom
    start = at_pixel(main, at) - 7 * way
    ends = [QPoint(*map(round, main.camera().to_pixel(start + t * way))) for t in (0, 14)]
    drag(main, *ends, steps=5)
    assert drawn(work).sum() > 30 and zoom > 0
    assert not (drawn(work) & (dark != dark[voxel])).any()
    assert work.session.history.undo() and not drawn(work).any()


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("ball", [False, True])
def test_growth_is_seen_first_and_painted_with_enter(work, plane, ball):
    dark, values = two_tissues()
    options_of(work).in_3d = ball
    press(work, "qsm.paint.grow")
    view = view_of(work, plane)
    depth = DEPTH_AXIS[plane]
    places = display(work)
    on = ~ndimage.binary_dilation(dark, iterations=2)
    on &= np.abs(places[..., depth] - view.depth_mm) < SIZE[depth] / 2
    away = np.linalg.norm(places - at_pixel(view, middle(work, view)), axis=-1)
    seed = np.unravel_index(np.argmin(np.where(on, away, np.inf)), SHAPE)
    at = QPoint(*map(round, view.camera().to_pixel(places[seed])))
    click(view, at)
    assert seed == under(work, view, at)
    near = np.linalg.norm((np.stack(np.indices(SHAPE), -1) - seed) * SIZE, axis=-1) <= 12.0
    if not ball:
        near &= np.indices(SHAPE)[DEPTH_AXIS[plane]] == seed[DEPTH_AXIS[plane]]

    def wanted(low, high):
        return connected(near & (values >= low) & (values <= high), seed)

    items = view.overlay.content.items
    assert any(isinstance(item, Patch) for item in items)
    assert any(isinstance(item, Ring) for item in items)
    assert not drawn(work).any() and not work.session.history.undo_text
    said = child(work, "qsm.paint.says").text()
    assert f"{wanted(0.08, 0.16).sum()} voxels" in said and "Enter" in said
    work.session.unit = "ppb"
    child(work, "qsm.paint.limits").setValue((118.0, 160.0))
    settle()
    assert f"{wanted(0.118, 0.16).sum()} voxel" in child(work, "qsm.paint.says").text() or (
        values[seed] < 0.118
    )
    child(work, "qsm.paint.limits").setValue((85.0, 160.0))
    settle()
    press(work, "qsm.paint.take")
    np.testing.assert_array_equal(drawn(work), wanted(0.085, 0.16))
    assert drawn(work).sum() > 20
    assert work.session.history.undo() == "grow Putamen L" and not drawn(work).any()


def test_growth_keeps_to_mask_and_other_regions_and_can_be_dropped(work):
    _, values = two_tissues()
    session, main = work.session, work.controller.main
    inside = np.zeros(SHAPE, np.uint8)
    inside[:, 14:40] = 1
    mask = session.add(Volume(inside, affine_of(SHAPE, SIZE), name="brain"), role="mask")
    entry = entry_of(work)
    entry.editable[:, 30:33] = 2
    session.take_outside_edit(entry)
    options_of(work).update({"in_3d": True, "inside_mask": True, "window_ppm": (-1.0, 1.0)})
    press(work, "qsm.paint.grow")
    assert child(work, "qsm.paint.inside_mask").isEnabled()
    at = middle(work, main)
    click(main, at)
    seed = under(work, main, at)
    near = np.linalg.norm((np.stack(np.indices(SHAPE), -1) - seed) * SIZE, axis=-1) <= 12.0
    wanted = connected(near & (inside != 0) & (entry.editable != 2), seed)
    assert f"{wanted.sum()} voxels" in child(work, "qsm.paint.says").text()
    press(work, "qsm.paint.drop")
    assert not drawn(work).any() and not any(
        isinstance(item, Patch) for item in main.overlay.content.items
    )
    click(main, at)
    press(work, "qsm.paint.fit")
    low, high = options_of(work).window_ppm
    assert low <= values[seed] <= high and high - low < 0.06
    options_of(work).window_ppm = (-1.0, 1.0)
    settle()
    press(work, "qsm.paint.take")
    np.testing.assert_array_equal(drawn(work), wanted)
    session.remove(mask)
    settle()
    assert not child(work, "qsm.paint.inside_mask").isEnabled()


def inside_of(work, view, corners):
    """Voxels of the slice inside corners given in display mm."""
    axes = list(DRAWN_AXES[view.plane])
    depth = DEPTH_AXIS[view.plane]
    places = display(work)
    path = Path(np.array(corners)[:, axes])
    inside = path.contains_points(places[..., axes].reshape(-1, 2)).reshape(SHAPE)
    return inside & (np.abs(places[..., depth] - view.depth_mm) < SIZE[depth] / 2)


@pytest.mark.parametrize("plane", PLANES)
def test_corners_are_put_in_between_and_taken_out(work, plane):
    press(work, "qsm.paint.polygon")
    view = view_of(work, plane)
    at = middle(work, view)
    corners = [at + QPoint(*p) for p in ((-40, -40), (40, -40), (40, 40), (-40, 40))]
    for corner in (*corners, at + QPoint(0, 90)):
        click(view, corner)
    right = at + QPoint(0, 90)
    _send(view, QEvent.Type.MouseButtonPress, right, RIGHT, RIGHT, NONE)
    _send(view, QEvent.Type.MouseButtonRelease, right, RIGHT, Qt.MouseButton.NoButton, NONE)
    between = at + QPoint(0, -40)
    hover(view, between)
    (item,) = view.overlay.content.items
    assert isinstance(item, Outline) and item.dots == 5  # offered before it is set
    drag(view, between, at + QPoint(0, -70))
    assert not drawn(work).any()
    key(view, "Return") if work.viewer.window._qt_window.isActiveWindow() else press(
        work, "qsm.paint.take"
    )
    way = [corners[0], at + QPoint(0, -70), *corners[1:]]
    wanted = inside_of(work, view, [at_pixel(view, c) for c in way])
    assert wanted.sum() > 10
    np.testing.assert_array_equal(drawn(work), wanted)


def test_an_outline_is_opened_and_reshaped(work):
    main = work.controller.main
    at = middle(work, main)
    options_of(work).diameter_mm = 20.0
    press(work, "qsm.paint.brush")
    hover(main, at)
    click(main, at)
    press(work, "qsm.paint.polygon")
    before = drawn(work)
    press(work, "qsm.paint.open")
    (outline,) = main.overlay.content.items
    assert 5 < outline.dots < 40
    press(work, "qsm.paint.take")  # as it is: nothing changes
    np.testing.assert_array_equal(drawn(work), before)
    assert work.session.history.undo_text == "brush Putamen L"
    press(work, "qsm.paint.open")
    (outline,) = main.overlay.content.items
    points = [QPoint(round(x), round(y)) for x, y in outline.points[: outline.dots]]
    far = max(range(len(points)), key=lambda i: points[i].x())
    drag(main, points[far], at)  # a dent to the middle
    (outline,) = main.overlay.content.items
    corners = [main.camera().to_display(p, main.depth_mm) for p in outline.points[: outline.dots]]
    press(work, "qsm.paint.take")
    wanted = inside_of(work, main, corners)
    assert 0 < wanted.sum() < before.sum()
    np.testing.assert_array_equal(drawn(work), wanted)
    assert work.session.history.undo() == "reshape Putamen L"
    np.testing.assert_array_equal(drawn(work), before)


@pytest.mark.parametrize("plane", PLANES)
def test_pushing_starts_at_the_outline_and_goes_its_way(work, plane):
    view = view_of(work, plane)
    at = middle(work, view)
    options_of(work).diameter_mm = 18.0
    press(work, "qsm.paint.brush")
    click(view, at)
    before = drawn(work)
    press(work, "qsm.paint.push")
    options_of(work).diameter_mm = 6.0
    zoom = view.camera().zoom
    click(view, at + QPoint(round(6 * zoom), 0))  # put down near the outline: nothing happens
    np.testing.assert_array_equal(drawn(work), before)
    drag(view, at, at + QPoint(round(11 * zoom), 0), steps=12)
    after = drawn(work)
    assert (after & before).sum() == before.sum() and after.sum() > before.sum()
    wide = disc(work, view, [at, at + QPoint(round(11 * zoom), 0)], 6.0)
    assert not (after & ~before & ~wide).any()
    assert work.session.history.undo() == "push Putamen L"
    drag(view, at - QPoint(round(14 * zoom), 0), at - QPoint(round(4 * zoom), 0), steps=12)
    after = drawn(work)
    assert (after & ~before).sum() == 0 and after.sum() < before.sum()
    wide = disc(
        work, view, [at - QPoint(round(14 * zoom), 0), at - QPoint(round(4 * zoom), 0)], 6.0
    )
    assert not (before & ~after & ~wide).any()


@pytest.mark.parametrize("plane", PLANES)
def test_arrows_and_a_drag_move_the_outline_or_the_region(work, plane):
    view = view_of(work, plane)
    at = middle(work, view)
    here = np.array(under(work, view, at))
    low = here - (3, 4, 2)
    before = block(work, tuple(slice(a, a + n) for a, n in zip(low, (5, 6, 4), strict=True)))
    press(work, "qsm.paint.move")
    depth = DEPTH_AXIS[plane]
    across, up = DRAWN_AXES[plane]
    on = np.indices(SHAPE)[depth] == here[depth]
    hover(view, at)
    native = view.native
    native.setFocus()
    key(view, "Up")
    wanted = np.where(on, np.roll(before, 1, axis=up), before)
    np.testing.assert_array_equal(drawn(work), wanted)
    right = at_pixel(view, at + QPoint(50, 0))[across] - at_pixel(view, at)[across]
    key(view, "Right")
    wanted = np.where(on, np.roll(wanted, int(np.sign(right)), axis=across), wanted)
    np.testing.assert_array_equal(drawn(work), wanted)
    assert work.session.history.undo() == "move Putamen L"
    work.session.history.undo()
    np.testing.assert_array_equal(drawn(work), before)
    child(work, "qsm.paint.in_3d").click()
    pixels = round(3 * SIZE[up] * view.camera().zoom)
    drag(view, at, at - QPoint(0, pixels))
    np.testing.assert_array_equal(drawn(work), np.roll(before, 3, axis=up))
    assert work.session.history.undo() and (drawn(work) == before).all()


def test_what_falls_on_other_regions_stays_theirs_and_is_said(work):
    main = work.controller.main
    entry = entry_of(work)
    here = under(work, main, middle(work, main))
    i, j, k = here
    entry.editable[i : i + 3, j + 3, k] = 2
    block(work, (slice(i, i + 3), slice(j, j + 3), slice(k, k + 1)))
    press(work, "qsm.paint.move")
    key(main, "Up")
    assert (entry.editable == 2).sum() == 3 and drawn(work).sum() == 6
    assert "3 voxels fell on other regions" in work.central.message.text
    work.session.history.undo()
    assert drawn(work).sum() == 9


def test_the_outline_is_copied_by_keys(work):
    window = work.viewer.window._qt_window
    window.activateWindow()
    settle(10)
    if not window.isActiveWindow():
        pytest.skip("this display gives no window the keyboard")
    main = work.controller.main
    i, j, k = under(work, main, middle(work, main))
    before = block(work, (slice(i, i + 3), slice(j, j + 2), slice(k, k + 1)))
    hover(main, middle(work, main))
    main.native.setFocus()
    key(main, "PageUp", SHIFT)
    np.testing.assert_array_equal(drawn(work)[..., k + 1], before[..., k])
    key(main, "PageUp", SHIFT)
    assert drawn(work)[..., k : k + 3].sum() == 18 and drawn(work).sum() == 18
    work.session.history.undo()
    assert drawn(work).sum() == 12


def test_only_the_settings_of_the_tool_in_hand_are_shown(work):
    def shown():
        names = ("slider", "round", "edge", "radius", "in_3d", "protect", "limits", "fit", "open")
        return {name for name in names if child(work, f"qsm.paint.{name}").isVisible()}

    assert shown() == set()
    for kind, wanted in {
        "brush": {"slider", "round", "in_3d", "protect"},
        "adaptive": {"slider", "round", "edge", "in_3d", "protect"},
        "push": {"slider", "in_3d", "protect"},
        "polygon": {"protect", "open"},
        "grow": {"radius", "in_3d", "protect", "limits", "fit"},
        "move": {"in_3d"},
        "pick": set(),
    }.items():
        press(work, f"qsm.paint.{kind}")
        assert shown() == wanted, kind
    tip = child(work, "qsm.paint.adaptive").toolTip()
    assert tip.startswith("Adaptive brush (Shift+B)")


def test_how_regions_look_in_views_and_figures(work):
    from napari_qsm.session.figure.from_view import regions_as_viewed

    session, main = work.session, work.controller.main
    entry = entry_of(work)
    child(work, "qsm.looks").set_open(True)
    session.crosshair_visible = False
    i, j, k = under(work, main, middle(work, main))
    before = picture(main)
    drawn_on_slice = block(work, (slice(i - 6, i + 7), slice(j - 6, j + 7), slice(k, k + 1)))
    style, width = child(work, "qsm.looks.style"), child(work, "qsm.looks.width")
    assert not width.isEnabled()
    style.setCurrentIndex(1)
    style.activated.emit(1)
    width.setValue(3)
    child(work, "qsm.looks.opacity").setValue(0.8)
    settle()
    display_ = entry.display
    assert (display_.outline, display_.outline_width, display_.opacity) == (True, 3, 0.8)
    # A line along the edge is coloured, what lies deeper is as without the region.
    shot = picture(main)
    scale = shot.shape[1] / main.native.width()
    places = display(work)
    edge = (places[i + 6, j, k] + places[i + 7, j, k]) / 2
    inwards = np.sign(main.camera().to_pixel(places[i, j, k])[0] - main.camera().to_pixel(edge)[0])
    x, y = (part * scale for part in main.camera().to_pixel(edge))
    broad = outline_pixels(3)
    for away, coloured in ((-3, False), (1, True), (broad - 1, True), (broad + 2, False)):
        at = round(y), int(np.floor(x + inwards * away))
        assert (np.abs(shot[at] - before[at]).max() > 15) == coloured, away
    assert drawn_on_slice.sum() == 169
    look = regions_as_viewed(entry)
    assert (look.style, look.colours, look.opacity) == ("outline", "table", 0.8)
    assert look.width_pt == pytest.approx(2.4)
    session.history.clear()
    entry.regions = {n: replace(row, color="#112233") for n, row in entry.regions.items()}
    press(work, "qsm.looks.colours")
    assert [entry.regions[n].color for n in (1, 2)] == [pair_color(1), pair_color(1, dark=True)]
    assert session.history.undo() == "colours of all regions"
    assert entry.regions[1].color == "#112233"
    session.set_display(entry, outline=False, outline_width=1, opacity=0.5)
    child(work, "qsm.looks").set_open(False)


def test_fields_of_the_tools_show_their_largest_numbers_whole(work):
    work.tabs.setCurrentWidget(work.panels.regions)
    painter = child(work, "qsm.paint").painter
    for kind, name in (("grow", "radius"), ("adaptive", "edge"), ("brush", "size")):
        painter.use(kind)
        settle()
        field = child(work, f"qsm.paint.{name}")
        line = field.lineEdit()
        written = f"{field.maximum():.1f}{field.suffix()}"
        assert field.isVisible()
        assert line.width() >= line.fontMetrics().horizontalAdvance(written) + 4, name
