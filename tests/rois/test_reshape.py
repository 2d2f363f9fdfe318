"""Changes of a region's shape against formulas and brute force."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_qsm.errors import QsmError
from napari_qsm.io.label_table import Region
from napari_qsm.rois import reshape
from napari_qsm.rois.between_slices import interpolate, signed_distance
from napari_qsm.rois.mirror import mirrored, other_side_name, partner, snapped_plane

SHAPE = (40, 44, 20)
SIZE = (0.625, 0.625, 2.0)


def centres(shape=SHAPE, size=SIZE):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * np.array(size)


def ball(radius_mm, shape=SHAPE, size=SIZE, middle=None):
    """A ball about the middle of the grid, moved by a fraction of a voxel."""
    middle = (np.array(shape) - 1) / 2 * size if middle is None else np.array(middle)
    return np.linalg.norm(centres(shape, size) - middle, axis=-1) <= radius_mm


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("by_mm", [0.5, 1.3, 2.6])
def test_grow_and_shrink_against_all_distances(by_mm, across):
    shape, size = (16, 18, 9), (0.7, 0.9, 1.9)
    mask = ball(4.4, shape, size) & (np.random.default_rng(3).random(shape) < 0.95)
    points = centres(shape, size).reshape(-1, 3)
    away = cdist(points, points)
    if across is not None:
        layer = np.round(points[:, across] / size[across])
        away[layer[:, None] != layer[None, :]] = np.inf
    flat = mask.ravel()
    near = (away[:, flat].min(axis=1) <= by_mm).reshape(shape)
    np.testing.assert_array_equal(reshape.grow(mask, by_mm, size, across=across), near)
    kept = (away[:, ~flat].min(axis=1) > by_mm).reshape(shape)
    np.testing.assert_array_equal(reshape.shrink(mask, by_mm, size, across=across), kept)


def test_a_shrunken_ball_is_the_smaller_ball():
    size = (0.5, 0.5, 0.5)
    shape = (48, 48, 48)
    assert dice(reshape.shrink(ball(9, shape, size), 3, size), ball(6, shape, size)) > 0.97
    assert dice(reshape.grow(ball(6, shape, size), 3, size), ball(9, shape, size)) > 0.98


def test_smoothing_takes_spurs_and_notches_and_keeps_the_rest():
    size = (0.5, 0.5, 1.0)
    shape = (48, 48, 24)
    whole = ball(8, shape, size)
    rough = whole.copy()
    rough[23:25, 40:47, 12] = True  # a spur
    rough[23, 36:40, 11] = False  # a notch
    smoothed = reshape.smooth(rough, 1.0, size)
    assert not smoothed[23:25, 42:47].any() and smoothed[23, 36:39, 11].all()
    assert dice(smoothed, whole) > 0.98
    half = np.zeros(shape, dtype=bool)
    half[:20] = True
    np.testing.assert_array_equal(reshape.smooth(half, 2.0, size), half)
    flat = np.zeros(shape, dtype=bool)
    flat[10:30, 10:30, 7] = True
    assert not reshape.smooth(flat, 1.5, size).any()
    assert reshape.smooth(flat, 1.5, size, across=2)[20, 20, 7]
    np.testing.assert_array_equal(reshape.smooth(flat, 0, size), flat)


def test_holes_in_space_and_in_slices():
    tube = ball(7) & ~ball(4)
    np.testing.assert_array_equal(reshape.fill_holes(tube, SIZE), ball(7))
    open_tube = tube.copy()
    open_tube[19:21, 21:23, 10:] = False  # a way out along z
    assert not reshape.fill_holes(open_tube, SIZE)[20, 22, 10]
    closed = reshape.fill_holes(open_tube, SIZE, across=2)
    for index in range(SHAPE[2]):
        np.testing.assert_array_equal(
            closed[..., index], ndimage.binary_fill_holes(open_tube[..., index])
        )


def test_largest_piece_and_all_pieces():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:8, 2:8, 3:6], mask[20:23, 20:23, 3:9], mask[35, 35, 12] = True, True, True
    assert reshape.keep_largest(mask).sum() == 108
    each = reshape.keep_largest(mask, across=2)
    assert [int(s) for s in each.sum(axis=(0, 1))[[3, 7, 12]]] == [36, 9, 1]
    found = reshape.pieces(mask)
    assert [int(piece.sum()) for piece in found] == [108, 54, 1]
    np.testing.assert_array_equal(np.logical_or.reduce(found), mask)
    assert reshape.pieces(np.zeros(SHAPE, bool)) == []
    assert not reshape.keep_largest(np.zeros(SHAPE, bool)).any()


@pytest.mark.parametrize("across", [0, 1, 2])
def test_copied_slice(across):
    mask = ball(6)
    middle = SHAPE[across] // 2
    out = reshape.copy_slice(mask, across, middle, middle + 8)
    wanted = np.take(mask, middle, axis=across) | np.take(mask, middle + 8, axis=across)
    np.testing.assert_array_equal(np.take(out, middle + 8, axis=across), wanted)
    assert out.sum() == mask.sum() + (wanted & ~np.take(mask, middle + 8, axis=across)).sum()
    with pytest.raises(QsmError, match="nothing on this slice"):
        reshape.copy_slice(mask, across, 0, 1)
    with pytest.raises(QsmError, match="outside the map"):
        reshape.copy_slice(mask, across, SHAPE[across] - 1, SHAPE[across])


@pytest.mark.parametrize("across", [0, 1, 2])
def test_a_ball_comes_back_from_every_third_slice(across):
    size = np.array([0.5, 0.5, 0.5])
    size[across] = 1.0
    shape = np.array([56, 56, 56])
    shape[across] = 28
    whole = ball(10, shape, size)
    layers = np.moveaxis(whole, across, 0)
    drawn = np.zeros_like(whole)
    first, *_, last = np.flatnonzero(layers.any(axis=(1, 2)))
    for index in [*range(first, last + 1, 3), last]:
        np.moveaxis(drawn, across, 0)[index] = layers[index]
    found = interpolate(drawn, size, across)
    assert dice(found, whole) > 0.97
    assert found.sum() == pytest.approx(whole.sum(), rel=0.03)
    for index in [*range(first, last + 1, 3), last]:
        np.testing.assert_array_equal(np.moveaxis(found, across, 0)[index], layers[index])
    outside = np.delete(np.moveaxis(found, across, 0), range(first, last + 1), axis=0)
    assert not outside.any()


def test_between_two_equal_outlines_lies_the_same_and_between_discs_the_mean():
    mask = np.zeros((64, 64, 9), dtype=bool)
    x, y = np.mgrid[:64, :64] - 31.5
    mask[..., 0], mask[..., 8] = np.hypot(x, y) < 10, np.hypot(x, y) < 26
    found = interpolate(mask, (0.5, 0.5, 2.0), 2)
    radii = np.sqrt(found.sum(axis=(0, 1)) / np.pi)
    np.testing.assert_allclose(radii, np.linspace(10, 26, 9), atol=0.6)
    mask[..., 8] = mask[..., 0]
    np.testing.assert_array_equal(interpolate(mask, (1, 1, 1), 2), mask[..., :1] & np.ones(9, bool))


def test_outlines_that_do_not_overlap_are_joined_along_their_centres():
    mask = np.zeros((60, 24, 9), dtype=bool)
    mask[4:14, 7:17, 0], mask[44:54, 7:17, 8] = True, True
    found = interpolate(mask, (1, 1, 1), 2)
    for index in range(9):
        centre = ndimage.center_of_mass(found[..., index])
        assert centre == pytest.approx((8.5 + 5 * index, 11.5), abs=0.6)
        assert found[..., index].sum() == pytest.approx(100, rel=0.25)


def test_nothing_to_interpolate_says_so():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5:9, 5:9, 4] = True
    with pytest.raises(QsmError, match="at least two slices"):
        interpolate(mask, SIZE, 2)
    with pytest.raises(QsmError, match="no empty slice"):
        interpolate(mask, SIZE, 0)


def test_signed_distance_against_all_distances():
    outline = np.random.default_rng(1).random((9, 11)) < 0.4
    size = (0.7, 1.2)
    found = signed_distance(outline, size)
    padded = np.pad(outline, 1)
    grid = np.argwhere(np.ones_like(padded)) * size
    away = cdist(grid, grid)
    inside, outside = away[:, ~padded.ravel()].min(axis=1), away[:, padded.ravel()].min(axis=1)
    wanted = np.where(padded.ravel(), inside, -outside).reshape(padded.shape)[1:-1, 1:-1]
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("plane", [19.5, 20.0, 18.26, 3.9])
def test_mirrored_twice_is_where_it_was(plane):
    rng = np.random.default_rng(4)
    at = rng.choice(np.prod(SHAPE), 500, replace=False)
    there, lost = mirrored(at, SHAPE, plane)
    assert there.size + lost == at.size
    back, lost_again = mirrored(there, SHAPE, plane)
    assert lost_again == 0 and np.isin(back, at).all()
    x, y, z = np.unravel_index(at, SHAPE, order="F")
    mirror = 2 * snapped_plane(plane) - x
    keep = (mirror >= 0) & (mirror < SHAPE[0])
    np.testing.assert_array_equal(
        np.transpose(np.unravel_index(there, SHAPE, order="F")),
        np.transpose([mirror[keep], y[keep], z[keep]]),
    )
    if plane == 19.5:
        assert lost == 0
    assert abs(snapped_plane(plane) - plane) <= 0.25


def test_names_of_the_other_side():
    pairs = ("Putamen L", "Putamen R"), ("Left-Caudate", "Right-Caudate"), ("lh.gp", "rh.gp")
    for left, right in (*pairs, ("GP LEFT", "GP RIGHT"), ("LeftPutamen", "RightPutamen")):
        assert other_side_name(left) == right and other_side_name(right) == left
    assert other_side_name("Lateral ventricle L") == "Lateral ventricle R"
    assert other_side_name("Red nucleus") == "Red nucleus"


def test_partner_needs_the_name_and_the_side():
    regions = {
        1: Region(1, "Putamen L", "left", "#ff0000"),
        2: Region(2, "Putamen R", "right", "#ff0000"),
        3: Region(3, "Caudate L", "", "#ff0000"),
        4: Region(4, "Pons", "", "#ff0000"),
        5: Region(5, "caudate r", "", "#ff0000"),
    }
    assert [partner(regions, i) for i in range(7)] == [None, 2, 1, 5, None, 3, None]
