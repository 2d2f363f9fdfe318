import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import GeometryError
from napari_qsm.recon.mask import morphology
from napari_qsm.recon.mask.morphology import (
    close_mm,
    dilate_mm,
    erode_mm,
    fill_holes,
    largest_component,
    largest_core,
    open_mm,
)


def grid(shape, voxel):
    return np.meshgrid(
        *[(np.arange(n) - n // 2) * v for n, v in zip(shape, voxel, strict=True)],
        indexing="ij",
        sparse=True,
    )


def ball(shape, voxel, radius):
    return sum(x**2 for x in grid(shape, voxel)) <= radius**2


@pytest.fixture
def blobs():
    noise = np.random.default_rng(0).standard_normal((22, 18, 15))
    return ndimage.gaussian_filter(noise, 1.2) > 0.08


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (0.7, 1.1, 2.3)])
@pytest.mark.parametrize("radius", [0.5, 1.0, 2.5, 4.6])
def test_one_voxel_grows_to_the_ball_of_centres_within_the_radius(voxel, radius):
    shape = (17, 15, 13)
    point = np.zeros(shape, bool)
    point[tuple(n // 2 for n in shape)] = True
    assert np.array_equal(dilate_mm(point, radius, voxel), ball(shape, voxel, radius * 1.0001))


def test_boxes_grow_and_shrink_by_whole_voxels():
    mask = np.zeros((20, 20, 20), bool)
    mask[5:15, 6:14, 7:13] = True
    shrunk = erode_mm(mask, 2.0, (1.0, 2.0, 4.0))
    expected = np.zeros_like(mask)
    expected[7:13, 7:13, 7:13] = True
    assert np.array_equal(shrunk, expected)
    line = np.zeros((9, 9, 9), bool)
    line[4, 4, 4] = True
    assert dilate_mm(line, 1.0, (1.0, 2.0, 4.0)).sum() == 3


def test_volumes_of_balls_follow_the_formula():
    voxel = (0.5, 0.5, 1.0)
    mask = ball((61, 61, 33), voxel, 10.0)
    for change, radius in ((erode_mm(mask, 3.0, voxel), 7.0), (dilate_mm(mask, 3.0, voxel), 13.0)):
        volume = change.sum() * np.prod(voxel)
        assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.06)


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (0.6, 0.6, 2.0), (2.0, 0.9, 1.3)])
@pytest.mark.parametrize("radius", [0.9, 2.0, 3.3])
def test_shifts_equal_the_distance_transform(blobs, voxel, radius):
    run, lines = morphology._ball_lines(radius, voxel)
    by_shifts = morphology._near_by_shifts(blobs, run, lines)
    assert np.array_equal(by_shifts, morphology._near_by_distance(blobs, radius, voxel))


def test_large_balls_take_the_distance_transform(blobs, monkeypatch):
    few = dilate_mm(blobs, 2.0, (1.0, 1.0, 1.0)), erode_mm(blobs, 1.0, (1.0, 1.0, 1.0))
    monkeypatch.setattr(morphology, "_MAX_LINES", 0)
    assert np.array_equal(dilate_mm(blobs, 2.0, (1.0, 1.0, 1.0)), few[0])
    assert np.array_equal(erode_mm(blobs, 1.0, (1.0, 1.0, 1.0)), few[1])


def test_erosion_is_dilation_of_the_outside(blobs):
    voxel = (0.8, 1.0, 1.7)
    assert np.array_equal(erode_mm(blobs, 1.9, voxel), ~dilate_mm(~blobs, 1.9, voxel))


def test_the_edge_of_the_array_is_not_the_edge_of_the_mask():
    mask = np.ones((9, 9, 9), bool)
    assert erode_mm(mask, 3.0, (1.0, 1.0, 1.0)).all()
    assert erode_mm(mask, 3.0, (1.0, 1.0, 1.0), from_edges=True).sum() == 3**3


def test_opening_cuts_a_bridge_and_closing_a_cleft():
    mask = np.zeros((40, 20, 20), bool)
    mask[3:15, 4:16, 4:16] = mask[25:37, 4:16, 4:16] = True
    bridged = mask.copy()
    bridged[15:25, 9:11, 9:11] = True
    opened = open_mm(bridged, 2.0, (1.0, 1.0, 1.0))
    assert not opened[17:23].any() and opened[5:13, 6:14, 6:14].all()
    cleft = mask[:20].copy()
    cleft[8:10, :, 8:] = False
    closed = close_mm(cleft, 2.0, (1.0, 1.0, 1.0))
    assert closed[8:10, 6:14, 8:14].all()
    assert not closed[16:].any()


def test_closing_does_not_reach_for_the_edge_of_the_array():
    mask = np.zeros((12, 12, 12), bool)
    mask[2:10, 2:10, 2:10] = True
    closed = close_mm(mask, 4.0, (1.0, 1.0, 1.0))
    assert np.array_equal(closed, mask)


def test_holes_are_filled_up_to_their_volume():
    mask = np.zeros((20, 20, 20), bool)
    mask[1:19, 1:19, 1:19] = True
    mask[4:6, 4:6, 4:6] = False  # 8 voxels of 2 mm³
    mask[10:14, 10:14, 10:14] = False  # 64
    mask[8, 8, :3] = False  # opens to the outside
    voxel = (1.0, 1.0, 2.0)
    assert (fill_holes(mask, voxel) & ~mask).sum() == 72
    assert (fill_holes(mask, voxel, max_mm3=16.0) & ~mask).sum() == 8
    assert (fill_holes(mask, voxel, max_mm3=15.9) & ~mask).sum() == 0


def test_holes_in_slices_close_tunnels():
    mask = np.zeros((12, 12, 12), bool)
    mask[1:11, 1:11, 1:11] = True
    mask[5, 5, :] = False
    voxel = (1.0, 1.0, 1.0)
    assert np.array_equal(fill_holes(mask, voxel), mask)
    assert fill_holes(mask, voxel, slices_along=2)[1:11, 1:11, 1:11].all()
    assert np.array_equal(fill_holes(mask, voxel, slices_along=0), mask)


def test_a_cavity_at_the_edge_of_the_array_is_no_hole():
    mask = np.ones((8, 8, 8), bool)
    mask[:2, 3:5, 3:5] = False
    assert np.array_equal(fill_holes(mask, (1.0, 1.0, 1.0)), mask)


def test_the_largest_component_counts_faces_not_corners():
    mask = np.zeros((8, 8, 8), bool)
    mask[:3, :3, :3] = True
    mask[3:5, 3:5, 3:5] = True  # touches at a corner only
    kept = largest_component(mask)
    assert kept.sum() == 27 and kept[:3, :3, :3].all()
    assert not largest_component(np.zeros((3, 3, 3), bool)).any()


def test_the_core_halves_a_ball_that_does_not_fit():
    mask = np.zeros((30, 30, 30), bool)
    mask[3:12, 3:12, 3:12] = True
    mask[20:24, 20:24, 20:24] = True
    core, radius = largest_core(mask, 3.0, (1.0, 1.0, 1.0))
    assert radius == 3.0 and core.sum() == 27
    core, radius = largest_core(mask, 8.0, (1.0, 1.0, 1.0))
    assert radius == 4.0 and core.sum() == 1
    core, radius = largest_core(np.zeros((4, 4, 4), bool), 8.0, (1.0, 1.0, 1.0))
    assert radius == 0 and not core.any()


def test_inputs_stay_as_they_are(blobs):
    before = blobs.copy()
    voxel = (1.0, 1.0, 1.0)
    for change in (dilate_mm, erode_mm, open_mm, close_mm):
        out = change(blobs, 1.5, voxel)
        assert out is not blobs and out.dtype == bool
    fill_holes(blobs, voxel)
    assert np.array_equal(blobs, before)
    assert np.array_equal(erode_mm(blobs, 0.0, voxel), blobs)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flips_and_turns_change_nothing(blobs, axis):
    voxel = (0.8, 1.2, 2.0)
    for change in (dilate_mm, erode_mm, open_mm, close_mm):
        out = change(blobs, 2.1, voxel)
        assert np.array_equal(change(np.flip(blobs, axis), 2.1, voxel), np.flip(out, axis))
        order = np.roll(range(3), axis)
        turned = change(blobs.transpose(order), 2.1, [voxel[a] for a in order])
        assert np.array_equal(turned, out.transpose(order))


@pytest.mark.parametrize(
    ("mask", "radius", "voxel"),
    [
        (np.ones((3, 3), bool), 1.0, (1, 1, 1)),
        (np.ones((3, 3, 3)), 1.0, (1, 1, 1)),
        (np.ones((3, 3, 3), bool), -1.0, (1, 1, 1)),
        (np.ones((3, 3, 3), bool), float("nan"), (1, 1, 1)),
        (np.ones((3, 3, 3), bool), 1.0, (1, 1, 0)),
        (np.ones((3, 3, 3), bool), 1.0, (1, 1)),
    ],
)
def test_impossible_input_is_refused(mask, radius, voxel):
    with pytest.raises(GeometryError):
        dilate_mm(mask, radius, voxel)
