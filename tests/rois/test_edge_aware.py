"""The edge-aware tip against heads of two and three tissues, where the edge is known."""

import numpy as np
import pytest
from skimage.measure import label

from napari_qsm.rois import brush, edge_aware

SIZE = np.array([0.5, 0.75, 2.0])


def under(shape, at, diameter, across=None, size=SIZE):
    """The plain tip, from distances."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * size
    away = grid - at
    if across is not None:
        on = np.abs(away[..., across]) < size[across] / 2
        away[..., across] = 0
        return (np.linalg.norm(away, axis=-1) <= diameter / 2) & on
    return np.linalg.norm(away, axis=-1) <= diameter / 2


def as_mask(flat, shape):
    out = np.zeros(shape, dtype=bool)
    out.ravel(order="F")[:] = False
    out[np.unravel_index(flat, shape, order="F")] = True
    return out


def connected_with(mask, voxel):
    pieces = label(mask, connectivity=1)
    return (pieces == pieces[tuple(voxel)]) & mask


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("side", [0, 1])
def test_paints_up_to_the_edge_and_no_farther(across, side):
    shape = (31, 27, 11)
    i, j, k = np.indices(shape)
    first = 0.8 * i * SIZE[0] + 0.6 * j * SIZE[1] + 0.7 * k * SIZE[2]
    first = first < np.median(first)
    values = np.where(first, 0.12, 0.02).astype(np.float32)
    centre = np.array([14, 12, 5]) if side == 0 else np.array([17, 14, 5])
    assert first[tuple(centre)] == (side == 0)
    tip = under(shape, centre * SIZE, 9.0, across)
    wanted = connected_with(tip & (first == (side == 0)), centre)
    assert 5 < wanted.sum() < tip.sum()
    found = edge_aware.dab(values, SIZE, centre * SIZE, 9.0, across=across)
    np.testing.assert_array_equal(as_mask(found, shape), wanted)


@pytest.mark.parametrize("ball", [False, True])
def test_noise_leaves_few_voxels_on_the_wrong_side(ball):
    rng = np.random.default_rng(4)
    shape, wrong, missed = (25, 25, 25), [], []
    size = np.ones(3)
    first = np.indices(shape)[0] <= 13
    for _ in range(12):
        values = np.where(first, 0.10, 0.02) + rng.normal(0, 0.02, shape)  # contrast: four times
        found = as_mask(
            edge_aware.dab(values, size, [11, 12, 12], 9.0, across=None if ball else 2), shape
        )
        tip = under(shape, [11, 12, 12], 9.0, None if ball else 2, size)
        wrong.append((found & ~first).sum() / (tip & ~first).sum())
        missed.append((tip & first & ~found).sum() / (tip & first).sum())
    assert np.mean(wrong) < 0.03 and np.mean(missed) < 0.03


def test_without_an_edge_the_whole_tip_is_painted():
    rng = np.random.default_rng(5)
    shape = (25, 25, 9)
    for across in (2, None):
        plain = brush.stroke(shape, SIZE, [6, 9, 8], [6, 9, 8], 6.0, across=across)
        for values in (np.full(shape, 0.05), rng.normal(0.05, 0.02, shape)):
            found = edge_aware.dab(values, SIZE, [6, 9, 8], 6.0, across=across)
            np.testing.assert_array_equal(found, plain)


def test_a_vein_one_voxel_wide_is_painted_alone():
    rng = np.random.default_rng(6)
    values = rng.normal(0.0, 0.02, (21, 21, 3))
    values[10, :, 1] = 0.25
    found = as_mask(edge_aware.dab(values, np.ones(3), [10, 10, 1], 9.0, across=2), values.shape)
    wanted = np.zeros(values.shape, dtype=bool)
    wanted[10, 6:15, 1] = True
    np.testing.assert_array_equal(found, wanted)


def test_between_two_other_tissues_it_keeps_to_its_own():
    values = np.zeros((31, 15, 3)) + np.random.default_rng(7).normal(0, 0.005, (31, 15, 3))
    values[12:18] += 0.06  # putamen between white matter and pallidum
    values[18:] += 0.15
    found = as_mask(edge_aware.dab(values, np.ones(3), [14, 7, 1], 11.0, across=2), values.shape)
    tip = under(values.shape, [14, 7, 1], 11.0, 2, np.ones(3))
    own = np.zeros_like(tip)
    own[12:18] = True
    np.testing.assert_array_equal(found, tip & own)


def test_unit_offset_sign_and_order_of_axes_do_not_matter():
    rng = np.random.default_rng(8)
    shape = (19, 17, 9)
    values = np.where(np.indices(shape)[1] > 8, 0.1, 0.0) + rng.normal(0, 0.02, shape)
    at = np.array([9, 7, 4]) * SIZE
    one = as_mask(edge_aware.dab(values, SIZE, at, 6.0), shape)
    assert 0 < one.sum() < under(shape, at, 6.0).sum()
    for other in (1000 * values, -values, values + 1e4):
        np.testing.assert_array_equal(as_mask(edge_aware.dab(other, SIZE, at, 6.0), shape), one)
    turned = edge_aware.dab(values.transpose(2, 0, 1), SIZE[[2, 0, 1]], at[[2, 0, 1]], 6.0)
    np.testing.assert_array_equal(as_mask(turned, (9, 19, 17)), one.transpose(2, 0, 1))


def test_what_is_no_number_is_never_painted():
    values = np.zeros((11, 11, 3))
    values[6:] = np.nan
    size = np.ones(3)
    found = as_mask(edge_aware.dab(values, size, [4, 5, 1], 7.0, across=2), values.shape)
    np.testing.assert_array_equal(
        found, under(values.shape, [4, 5, 1], 7.0, 2, size) & (values == 0)
    )
    assert not edge_aware.dab(values, size, [8, 5, 1], 7.0, across=2).size
    assert not edge_aware.dab(values, size, [-3, 5, 1], 20.0).size


def test_a_stroke_has_no_gap_and_keeps_to_the_plain_one():
    shape = (60, 30, 3)
    values = np.where(np.indices(shape)[1] > 15, 0.1, 0.0)
    way = ([5, 11, 1], [52, 13, 1])
    found = edge_aware.stroke(values, np.ones(3), *way, 6.0, across=2)
    plain = brush.stroke(shape, np.ones(3), *way, 6.0, across=2)
    assert np.isin(found, plain).all()
    mask = as_mask(found, shape)
    assert not mask[:, 16:].any() and mask[6:52, 12, 1].all()
