"""Sides, places and values: the part of the window that must never be wrong."""

import numpy as np
import pytest

from napari_qsm.anatomy import (
    DEPTH_AXIS,
    DRAWN_AXES,
    PLANES,
    DisplayFrame,
    Letters,
    across_sign,
    file_voxel,
    letters,
    letters_3d,
    nearest_voxel,
    place,
    scale_bar_mm,
    side_mm,
    slice_text,
    snapped,
    value_at,
)
from napari_qsm.session.frames import DIMS_ORDER, Camera2D, camera_orientation, napari_order
from napari_qsm.volume import Volume
from tests.viewer.conftest import ORDERS, SHAPE, SIZE_MM, affine_of, code_of, ramp, rotation

SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def camera(plane, radiological=True, zoom=2.0):
    return Camera2D(plane, radiological, centre=(3.0, 5.0), zoom=zoom, size=(400, 300))


def test_radiological_letters_are_those_of_a_reading_room():
    assert letters("axial") == Letters("R", "L", "A", "P")
    assert letters("coronal") == Letters("R", "L", "S", "I")
    assert letters("sagittal") == Letters("A", "P", "S", "I")
    assert letters("axial", radiological=False) == Letters("L", "R", "A", "P")
    assert letters("coronal", radiological=False) == Letters("L", "R", "S", "I")
    assert letters("sagittal", radiological=False) == Letters("A", "P", "S", "I")


@pytest.mark.parametrize("plane", PLANES)
def test_no_side_is_claimed_where_the_file_does_not_know(plane):
    assert letters(plane, known=False) == Letters("?", "?", "?", "?")


@pytest.mark.parametrize("radiological", [True, False])
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("order", ORDERS, ids=code_of)
def test_letters_name_where_the_picture_really_leads(order, plane, radiological):
    """From the pixel at each edge through the file's own affine into the head."""
    volume = ramp(order).to_canonical()
    frame = DisplayFrame(volume)
    view = camera(plane, radiological)
    middle = frame.world_to_display(volume.voxel_to_world(np.array(SHAPE) / 2))
    depth = middle[DEPTH_AXIS[plane]]
    edges = {"left": (0, 150), "right": (400, 150), "top": (200, 0), "bottom": (200, 300)}
    centre = frame.display_to_world(view.to_display((200, 150), depth))
    for edge, pixel in edges.items():
        letter = getattr(letters(plane, radiological=radiological), edge)
        step = frame.display_to_world(view.to_display(pixel, depth)) - centre
        axis, sign = SIDES[letter]
        assert np.argmax(np.abs(step)) == axis
        assert np.sign(step[axis]) == sign


@pytest.mark.parametrize("order", ORDERS, ids=code_of)
def test_file_voxel_and_value_are_the_files_own(order):
    original = ramp(order)
    canonical = original.to_canonical()
    rng = np.random.default_rng(1)
    for _ in range(20):
        voxel = tuple(int(rng.integers(0, n)) for n in original.shape)
        world = original.voxel_to_world(voxel) + rng.uniform(-0.4, 0.4, 3) * min(SIZE_MM)
        assert file_voxel(canonical, world) == voxel
        assert value_at(canonical, world) == original.data[voxel]


def test_outside_is_outside():
    volume = ramp()
    beyond = volume.voxel_to_world([-0.6, 3, 3])
    assert nearest_voxel(volume, beyond) is None
    assert file_voxel(volume, beyond) is None
    assert value_at(volume, beyond) is None
    assert value_at(volume, volume.voxel_to_world([-0.4, 3, 3])) == volume.data[0, 3, 3]


@pytest.mark.parametrize("degrees", [(0, 0, 0), (10, -20, 5), (0, 40, 0)])
def test_display_frame_goes_there_and_back(degrees):
    frame = DisplayFrame(ramp(degrees=degrees))
    points = np.random.default_rng(0).uniform(-50, 50, (30, 3))
    back = frame.display_to_world(frame.world_to_display(points))
    np.testing.assert_allclose(back, points, atol=1e-9)
    # Lengths are kept: a circle on the screen is a circle in the head.
    display = frame.world_to_display(points)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(display, axis=0), axis=1),
        np.linalg.norm(np.diff(points, axis=0), axis=1),
    )
    if degrees == (0, 0, 0):
        np.testing.assert_allclose(display, points, atol=1e-9)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (10, -20, 5)])
def test_a_grid_places_itself_to_the_bit(degrees):
    volume = ramp(degrees=degrees)
    frame = DisplayFrame(volume)
    placed = place(volume, frame)
    assert placed.aligned and not placed.own_grid
    assert placed.scale == volume.voxel_size_mm
    assert placed.translate == tuple(frame.origin_mm)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (10, -20, 5)])
def test_a_coarser_shifted_grid_is_placed_exactly(degrees):
    reference = ramp(degrees=degrees)
    affine = reference.affine.copy()
    affine[:3, :3] = reference.affine[:3, :3] @ np.diag([2, 1.5, 1 / 3])
    affine[:3, 3] = reference.voxel_to_world([2.5, 1.25, 3])
    other = Volume(np.zeros((5, 6, 7), np.float32), affine)
    placed = place(other, DisplayFrame(reference))
    assert placed.aligned and placed.own_grid
    voxel = np.array([3, 4, 5])
    expected = DisplayFrame(reference).world_to_display(other.voxel_to_world(voxel))
    drawn = np.array(placed.translate) + voxel * np.array(placed.scale)
    np.testing.assert_allclose(drawn, expected, atol=1e-9)


def test_a_turned_grid_is_told_apart():
    reference = ramp()
    turned = Volume(np.zeros(SHAPE), affine_of(degrees=(0, 0, 4)))
    assert not place(turned, DisplayFrame(reference)).aligned
    rounded = Volume(np.zeros(SHAPE), reference.affine + 1e-5)
    assert place(rounded, DisplayFrame(reference)).aligned


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("radiological", [True, False])
def test_pixels_and_millimetres_invert(plane, radiological):
    view = camera(plane, radiological)
    for pixel in ((10, 20), (200, 150), (399, 299)):
        np.testing.assert_allclose(view.to_pixel(view.to_display(pixel, 7.0)), pixel)
    depth = view.to_display((1, 2), 7.0)[DEPTH_AXIS[plane]]
    assert depth == 7.0


@pytest.mark.parametrize("plane", PLANES)
def test_zoom_holds_the_point_under_the_pointer(plane):
    view = camera(plane)
    before = view.to_display((320, 60), 0)
    np.testing.assert_allclose(view.zoomed(3.0, (320, 60)).to_display((320, 60), 0), before)


@pytest.mark.parametrize("plane", PLANES)
def test_pan_takes_the_point_along(plane):
    view = camera(plane)
    before = view.to_display((100, 100), 0)
    np.testing.assert_allclose(view.moved((30, -12)).to_display((130, 88), 0), before)


@pytest.mark.parametrize("plane", PLANES)
def test_napari_draws_the_axes_the_letters_name(plane):
    order = DIMS_ORDER[plane]
    across, up = DRAWN_AXES[plane]
    assert (2 - order[0], 2 - order[1], 2 - order[2]) == (DEPTH_AXIS[plane], up, across)
    for radiological in (True, False):
        depth, vertical, horizontal = camera_orientation(plane, radiological)
        assert vertical == "up"
        assert (horizontal == "right") == (across_sign(plane, radiological) > 0)
        # right, up, towards is right-handed; two changes keep it so, one would mirror 3-D.
        changes = (horizontal == "left") + (depth == "away")
        assert changes % 2 == 0


def test_letters_of_a_turned_volume():
    front = np.array([0.0, -1.0, 0.0])  # looking from the nose to the back
    up = np.array([0.0, 0.0, 1.0])
    assert letters_3d(np.cross(front, up), up) == Letters("R", "L", "S", "I")
    back = -front
    assert letters_3d(np.cross(back, up), up) == Letters("L", "R", "S", "I")
    turned = rotation((0, 0, 30))
    assert letters_3d(turned @ np.cross(front, up), up) == Letters("R", "L", "S", "I")


def test_snapping_stays_inside():
    volume = ramp(degrees=(10, 0, 0))
    for voxel in ([3.3, 4.4, 5.6], [-4, 200, 5]):
        at = volume.world_to_voxel(snapped(volume.voxel_to_world(voxel), volume))
        np.testing.assert_allclose(at, np.clip(np.rint(voxel), 0, np.array(SHAPE) - 1), atol=1e-9)


def test_words():
    assert side_mm(0, 12.52) == "R 12.5 mm"
    assert side_mm(0, -12.5) == "L 12.5 mm"
    assert side_mm(2, -0.01) == "S 0.0 mm"
    assert slice_text("axial", (0, 0, 4.0), 36, 72) == "S 4.0 mm · 37/72"
    assert napari_order((1, 2, 3)) == (3.0, 2.0, 1.0)


@pytest.mark.parametrize("zoom", [0.05, 0.4, 1.0, 3.3, 57.0])
def test_scale_bar_is_round_and_fits(zoom):
    length = scale_bar_mm(zoom, 100)
    assert 100 / 2.6 <= length * zoom <= 100.1
    assert float(f"{length:e}"[0]) in (1, 2, 5)
