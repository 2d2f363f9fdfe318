"""Circles and regions against brute force; grids and mixtures drawn slice by slice."""

import numpy as np
import pytest

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, PLANES, DisplayFrame
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.composites import MixedMaps, TurnedGrid
from napari_qsm.session.measuring import in_region, under_circle
from napari_qsm.viewer.canvas.compare import add_difference
from napari_qsm.volume import Volume
from tests.viewer.conftest import SHAPE, affine_of, ramp


def noisy(degrees=(0, 0, 0)):
    values = np.random.default_rng(8).normal(0.05, 0.02, SHAPE).astype(np.float32)
    return Volume(values, affine_of(degrees=degrees), unit="ppm", name="χ")


@pytest.mark.parametrize("degrees", [(0, 0, 0), (12, -9, 4)])
@pytest.mark.parametrize("plane", PLANES)
def test_circle_against_every_voxel_of_the_slice(plane, degrees):
    volume = noisy(degrees)
    frame = DisplayFrame(volume)
    entry = MapEntry(name="χ", role="map", volume=volume)
    voxel = np.array([11, 14, 8])
    centre = frame.world_to_display(volume.voxel_to_world(voxel)) + 0.3
    found = under_circle(entry, frame, plane, centre, 9.0)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    display = frame.world_to_display(volume.voxel_to_world(grid))
    across, up = DRAWN_AXES[plane]
    inside = np.hypot(display[..., across] - centre[across], display[..., up] - centre[up]) <= 9.0
    inside &= grid[..., DEPTH_AXIS[plane]] == voxel[DEPTH_AXIS[plane]]
    values = volume.data[inside].astype(np.float64)
    assert found.voxels == inside.sum() > 20
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std(ddof=1))
    at = np.rint(volume.world_to_voxel(found.high_mm)).astype(int)
    assert volume.data[tuple(at)] == values.max()


def test_circle_between_voxels_or_outside_says_so():
    volume = noisy()
    frame = DisplayFrame(volume)
    entry = MapEntry(name="χ", role="map", volume=volume)
    with pytest.raises(QsmError, match="no voxel under the circle"):
        under_circle(entry, frame, "axial", np.array([900.0, 0, 0]), 5.0)


def test_region_extremes():
    volume = noisy()
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:9, 4:12, 5:8] = 2
    session = Session()
    chi = session.add(volume)
    regions = session.add(volume.with_data(labels, name="labels", unit=""), role="labels")
    found = in_region(chi, regions, 2)
    inside = volume.data[labels == 2]
    assert (found.voxels, found.high) == (inside.size, inside.max())
    with pytest.raises(QsmError, match="no voxel in the region"):
        in_region(chi, regions, 9)


def test_turned_grid_reads_the_nearest_voxel_of_its_own():
    reference = ramp()
    turned = Volume(
        np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE),
        affine_of(degrees=(5, -8, 20), centre=(5.0, -4.0, 9.0)),
    )
    frame = DisplayFrame(reference)
    drawn = TurnedGrid(turned, frame)
    rng = np.random.default_rng(2)
    whole = np.asarray(drawn)
    assert whole.shape == drawn.shape
    for _ in range(200):
        index = [int(rng.integers(0, n)) for n in drawn.shape]
        display = drawn.translate + np.array(index[::-1]) * drawn.scale
        voxel = np.rint(turned.world_to_voxel(frame.display_to_world(display))).astype(int)
        if (voxel >= 0).all() and (voxel < np.array(SHAPE)).all():
            assert whole[tuple(index)] == turned.data[tuple(voxel)]
        else:
            assert np.isnan(whole[tuple(index)])
    np.testing.assert_array_equal(drawn[4], whole[4])
    np.testing.assert_array_equal(drawn[:, 3], whole[:, 3])
    np.testing.assert_array_equal(drawn[..., 2], whole[..., 2])
    np.testing.assert_array_equal(drawn[2:6, ::2, -3], whole[2:6, ::2, -3])
    # No corner of the volume lies beyond the drawn box.
    assert np.isfinite(whole[1:-1, 1:-1, 1:-1]).any(axis=(1, 2)).all()


def test_turned_label_maps_stay_whole_numbers():
    labels = Volume(np.ones(SHAPE, np.uint8), affine_of(degrees=(0, 0, 30)))
    drawn = np.asarray(TurnedGrid(labels, DisplayFrame(ramp())))
    assert drawn.dtype == np.uint8 and set(np.unique(drawn)) == {0, 1}


def test_curtain_and_checkerboard_take_each_voxel_from_one_of_the_two():
    first, second = np.zeros((6, 20, 30)), np.ones((6, 20, 30))
    curtain = MixedMaps(first, second, (3.0, 1.0, 1.0), "curtain")
    curtain.edge = 0.4
    axial = curtain[2]
    assert (axial[:, :12] == 0).all() and (axial[:, 12:] == 1).all()
    sagittal = curtain[:, :, 5]  # the horizontal axis is y there
    assert (sagittal[:, :8] == 0).all() and (sagittal[:, 8:] == 1).all()
    board = MixedMaps(first, second, (3.0, 1.0, 1.0), "checkerboard")
    board.tile_mm = 10.0
    square = board[0]
    assert square[0, 0] == 0 and square[0, 10] == 1 and square[10, 10] == 0
    assert square.mean() == pytest.approx(0.5, abs=0.05)


def test_difference_is_exact_and_keeps_out_of_the_link():
    session = Session()
    a = session.add(noisy())
    b = session.add(a.volume.with_data(a.volume.data * 1000 + 7, unit="ppb", name="b"), role="map")
    made = add_difference(session, a, b)
    np.testing.assert_allclose(made.volume.data, -0.007, atol=1e-5)
    assert made.volume.unit == "ppm" and made.volume.data.dtype == np.float32
    before = a.display.window
    session.set_display(made, window=(-1.0, 1.0))
    assert a.display.window == before
    assert made.display.colormap == "coolwarm"


def test_difference_never_resamples():
    session = Session()
    a = session.add(noisy())
    b = session.add(noisy(degrees=(0, 0, 5)))
    c = session.add(a.volume.with_data(a.volume.data, unit="rad", name="phase"))
    with pytest.raises(GeometryError, match="same grid"):
        add_difference(session, a, b)
    with pytest.raises(GeometryError, match="one quantity"):
        add_difference(session, a, c)
    assert len(session.maps) == 3
