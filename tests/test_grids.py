"""One comparison of grids: any turn, any axis order, and how far apart is too far."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_qsm.errors import GeometryError
from napari_qsm.volume import Volume, same_grid

ORDERS = [
    (axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)
]
angles = st.floats(-180, 180)
turned_heads = st.tuples(angles, angles, angles)
sizes = st.tuples(*[st.floats(0.3, 4.0)] * 3)
shapes = st.tuples(*[st.integers(2, 6)] * 3)


def grid(degrees, size, origin=(3.0, -40.0, 12.5)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * size
    affine[:3, 3] = origin
    return affine


def in_order(data, affine, axes, flips):
    """The same voxels stored in another order, by numpy alone."""
    first = np.array(
        [data.shape[a] - 1 if flip else 0 for a, flip in zip(axes, flips, strict=True)]
    )
    index = np.zeros(3)
    index[list(axes)] = first
    out = np.eye(4)
    for new, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        out[:3, new] = affine[:3, axis] * (-1 if flip else 1)
    out[:3, 3] = affine[:3, :3] @ index + affine[:3, 3]
    turned = np.transpose(data, axes)
    return np.flip(turned, [i for i, flip in enumerate(flips) if flip]), out


@settings(max_examples=60, deadline=None)
@given(turned_heads, sizes, shapes, st.sampled_from(ORDERS))
def test_any_axis_order_of_any_head_comes_back_voxel_for_voxel(degrees, size, shape, order):
    affine = grid(degrees, size)
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    phase = Volume(data, affine, name="phase")
    mask = Volume(*in_order(data, affine, *order), name="mask").like(phase)
    np.testing.assert_array_equal(mask.data, data)
    assert same_grid(mask, phase)


@settings(max_examples=60, deadline=None)
@given(turned_heads, sizes, shapes, st.sampled_from(ORDERS), st.integers(0, 2), st.booleans())
def test_a_grid_beside_the_other_is_told_and_a_rounded_one_is_not(
    degrees, size, shape, order, axis, far
):
    affine = grid(degrees, size)
    phase = Volume(np.zeros(shape, np.float32), affine, name="phase")
    # Half a hundredth of the smallest voxel side, or five hundredths, along one world axis.
    moved = affine.copy()
    moved[axis, 3] += min(size) * (0.05 if far else 0.005)
    other = Volume(*in_order(np.zeros(shape, np.float32), moved, *order), name="mask")
    if far:
        with pytest.raises(GeometryError, match=r"'mask'.*'phase'.*same grid"):
            other.like(phase)
    else:
        assert same_grid(other.like(phase), phase)
