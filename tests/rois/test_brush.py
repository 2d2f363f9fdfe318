"""Brush, outline and fill against a distance worked out for every voxel of the grid."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import QsmError
from napari_qsm.rois.brush import connected, outline, stroke

SHAPE = (22, 26, 12)
SIZE = (0.9, 0.625, 2.0)


def centres(shape=SHAPE, size=SIZE):
    """Grid mm of every voxel, (x, y, z, 3)."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * np.array(size)


def mask_of(flat, shape=SHAPE):
    out = np.zeros(shape, dtype=bool)
    assert np.unique(flat).size == flat.size
    out[np.unravel_index(flat, shape, order="F")] = True
    return out


def swept(start, end, diameter, tip, across, shape=SHAPE, size=SIZE):
    """The same by brute force: a tip put down at very many places along the way."""
    grid = centres(shape, size)
    start, end = np.array(start, float), np.array(end, float)
    out = np.zeros(shape, dtype=bool)
    if across is not None:
        index = int(np.rint(end[across] / size[across]))
        start[across] = end[across] = index * size[across]
    for t in np.linspace(0, 1, 1 if (start == end).all() else 1500):
        offset = grid - (start + t * (end - start))
        if tip == "round":
            inside = np.linalg.norm(offset, axis=-1) <= diameter / 2
        else:
            inside = np.abs(offset).max(axis=-1) <= diameter / 2
        out |= inside
        under = np.floor((start + t * (end - start)) / size + 0.5).astype(int)
        if ((under >= 0) & (under < shape)).all():
            out[tuple(under)] = True
    if across is not None:
        keep = np.zeros(shape, dtype=bool)
        keep[(slice(None),) * across + (index,)] = True
        out &= keep
    return out


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("tip", ["round", "square"])
@pytest.mark.parametrize("diameter", [0.3, 3.3, 7.1])
def test_a_dab_holds_the_voxels_whose_centres_it_covers(diameter, tip, across):
    at = (9.13, 8.21, 11.2)
    found = mask_of(stroke(SHAPE, SIZE, at, at, diameter, tip=tip, across=across))
    np.testing.assert_array_equal(found, swept(at, at, diameter, tip, across))
    assert found.any()


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("tip", ["round", "square"])
def test_a_fast_stroke_leaves_no_gap(tip, across):
    start, end = (3.0, 2.0, 4.4), (15.7, 13.9, 16.37)
    found = mask_of(stroke(SHAPE, SIZE, start, end, 2.7, tip=tip, across=across))
    wanted = swept(start, end, 2.7, tip, across)
    # Brute force samples the way; a centre exactly on the rim of the sweep may fall between.
    assert (found & ~wanted).sum() <= 0.005 * wanted.sum() and not (wanted & ~found).any()
    assert ndimage.label(found, np.ones((3, 3, 3)))[1] == 1


def test_a_ball_is_round_in_mm_however_flat_the_voxels():
    size = (0.5, 0.5, 2.0)
    shape = (60, 60, 16)
    at = np.array([30, 30, 8]) * size
    found = mask_of(stroke(shape, size, at, at, 20.0), shape)
    spans = [np.ptp(axis) for axis in np.nonzero(found)] * np.array(size)
    np.testing.assert_allclose(spans, 20.0)
    assert found.sum() * 0.5 == pytest.approx(np.pi / 6 * 20**3, rel=0.02)


def test_known_counts_of_circles_on_voxel_centres():
    for diameter, count in ((3, 9), (4, 13), (5, 21), (6, 29), (8, 49), (10, 81)):
        at = (15.0, 15.0, 5.0)
        assert stroke((31, 31, 11), (1, 1, 1), at, at, diameter, across=2).size == count


def test_beyond_the_map_nothing_is_painted():
    outside = (-9.0, 3.0, 4.0)
    assert stroke(SHAPE, SIZE, outside, outside, 4.0, across=2).size == 0
    above = (5.0, 5.0, 900.0)
    assert stroke(SHAPE, SIZE, above, above, 4.0, across=2).size == 0
    edge = (-0.5, 3.0, 4.0)
    np.testing.assert_array_equal(
        mask_of(stroke(SHAPE, SIZE, edge, edge, 4.0)), swept(edge, edge, 4.0, "round", None)
    )


@pytest.mark.parametrize("across", [0, 1, 2])
def test_outline_against_matplotlib(across):
    from matplotlib.path import Path

    rng = np.random.default_rng(across)
    axes = [axis for axis in range(3) if axis != across]
    reach = np.array(SHAPE) * SIZE
    for _ in range(10):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 14))
        radii = rng.uniform(0.15, 0.6, 14)
        corners = np.zeros((14, 3))
        corners[:, across] = 4.3
        corners[:, axes[0]] = reach[axes[0]] * (0.5 + radii * np.cos(angles))
        corners[:, axes[1]] = reach[axes[1]] * (0.5 + radii * np.sin(angles))
        found = mask_of(outline(SHAPE, SIZE, corners, across))
        points = centres()[..., axes].reshape(-1, 2)
        inside = Path(corners[:, axes]).contains_points(points).reshape(SHAPE)
        keep = np.zeros(SHAPE, dtype=bool)
        keep[(slice(None),) * across + (int(np.rint(4.3 / SIZE[across])),)] = True
        np.testing.assert_array_equal(found, inside & keep)


def test_an_outline_may_run_backwards_and_cross_itself():
    square = np.array([(2.1, 2.1, 4), (8.1, 2.1, 4), (8.1, 7.1, 4), (2.1, 7.1, 4)])
    forth = mask_of(outline(SHAPE, SIZE, square, 2))
    np.testing.assert_array_equal(forth, mask_of(outline(SHAPE, SIZE, square[::-1], 2)))
    np.testing.assert_array_equal(
        forth, mask_of(outline(SHAPE, SIZE, np.concatenate([square, square]), 2))
    )
    assert outline(SHAPE, SIZE, square[:2], 2).size == 0


@pytest.mark.parametrize("across", [None, 0, 1, 2])
def test_fill_against_growing_voxel_by_voxel(across):
    rng = np.random.default_rng(5)
    allowed = rng.random(SHAPE) < 0.6
    seed = (10, 12, 6)
    allowed[seed] = True
    found = mask_of(connected(allowed, seed, across=across))
    part = allowed if across is None else np.take(allowed, seed[across], axis=across)
    grown = np.zeros_like(part)
    grown[tuple(i for axis, i in enumerate(seed) if axis != across)] = True
    for _ in range(200):
        grown = ndimage.binary_dilation(grown) & part
    drawn = found if across is None else np.take(found, seed[across], axis=across)
    np.testing.assert_array_equal(drawn, grown)
    assert found.sum() == grown.sum() > 50


def test_a_fill_that_leaks_is_refused_where_it_may_not():
    allowed = np.ones(SHAPE, dtype=bool)
    with pytest.raises(QsmError, match="edge of the slice"):
        connected(allowed, (5, 5, 5), across=2, open_edges=False)
    allowed[3], allowed[9], allowed[:, 3], allowed[:, 9] = False, False, False, False
    assert connected(allowed, (5, 5, 5), across=2, open_edges=False).size == 25
    with pytest.raises(QsmError, match="edge of the map"):
        connected(allowed, (5, 5, 5), open_edges=False)
    assert connected(allowed, (3, 5, 5)).size == 0 == connected(allowed, (-1, 5, 5)).size
