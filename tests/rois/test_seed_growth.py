"""Growth from a seed against a flood of scikit-image and distances in numpy."""

import numpy as np
import pytest
from skimage.segmentation import flood

from napari_qsm.rois.seed_growth import box_round, grow_from_seed, limits_round

SHAPE, SIZE = (23, 19, 13), np.array([0.6, 0.9, 2.2])


@pytest.fixture(scope="module")
def values():
    from scipy import ndimage

    noise = np.random.default_rng(2).normal(size=SHAPE)
    return ndimage.gaussian_filter(noise, 1.2).astype(np.float32)


def wanted(values, seed, low, high, radius, across=None, free=None):
    grid = np.stack(np.indices(SHAPE), axis=-1)
    near = np.linalg.norm((grid - seed) * SIZE, axis=-1) <= radius + 1e-9
    allowed = (values >= low) & (values <= high) & near
    if free is not None:
        allowed &= free
    if across is not None:
        allowed &= grid[..., across] == seed[across]
    if not allowed[tuple(seed)]:
        return np.zeros(SHAPE, dtype=bool)
    return flood(allowed.astype(np.uint8), tuple(seed), connectivity=1)


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("radius", [0.4, 3.0, 6.6, 50.0])
@pytest.mark.parametrize("seed", [(11, 9, 6), (0, 18, 12)])
def test_grows_as_a_flood_does(values, seed, radius, across):
    low, high = values[seed] - 0.1, values[seed] + 0.15
    found = grow_from_seed(values, seed, SIZE, low, high, radius, across=across)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[np.unravel_index(found, SHAPE, order="F")] = True
    assert mask.sum() == found.size > 0
    np.testing.assert_array_equal(mask, wanted(values, seed, low, high, radius, across))


def test_keeps_to_where_it_may_go(values):
    seed = (11, 9, 6)
    free = np.indices(SHAPE)[0] >= 10
    found = grow_from_seed(values, seed, SIZE, -9, 9, 5.0, allowed=lambda box: free[box])
    mask = np.zeros(SHAPE, dtype=bool)
    mask[np.unravel_index(found, SHAPE, order="F")] = True
    np.testing.assert_array_equal(mask, wanted(values, seed, -9, 9, 5.0, free=free))


def test_nothing_grows_from_outside(values):
    for seed in ((-1, 3, 3), (23, 0, 0)):
        assert not grow_from_seed(values, seed, SIZE, -9, 9, 5.0).size
    assert not grow_from_seed(values, (3, 3, 3), SIZE, 50, 60, 5.0).size
    holed = values.copy()
    holed[3, 3, 3] = np.nan
    assert not grow_from_seed(holed, (3, 3, 3), SIZE, -9, 9, 5.0).size


def test_the_box_is_no_larger_than_the_ball():
    box = box_round(SHAPE, (11, 9, 6), SIZE, 4.5)
    assert box == (slice(4, 19), slice(4, 15), slice(4, 9))
    assert box_round(SHAPE, (11, 9, 6), SIZE, 4.5, across=1)[1] == slice(9, 10)


def test_limits_hold_the_tissue_round_the_seed():
    rng = np.random.default_rng(3)
    values = np.where(np.indices((20, 20, 20))[0] < 10, 0.0, 1.0) + rng.normal(0, 0.02, (20,) * 3)
    low, high = limits_round(values, (5, 10, 10))
    tissue = values[:9]
    assert ((tissue >= low) & (tissue <= high)).mean() > 0.9 and high < 0.3 and low > -0.3
    flat = np.full((5, 5, 5), 0.2)
    assert limits_round(flat, (2, 2, 2)) == (0.2, 0.2)
    flat[2, 2, 2] = np.nan
    assert np.isnan(limits_round(flat, (2, 2, 2))).all()
    odd = np.zeros((5, 5, 5))
    odd[2, 2, 2] = 0.7
    low, high = limits_round(odd, (2, 2, 2), across=2)
    assert low <= 0 and high == 0.7
