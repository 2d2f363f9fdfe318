"""Work within a radius is bounded."""

import numpy as np
import pytest

from napari_qsm.arrays import MOST_VOXELS, margin_voxels
from napari_qsm.errors import GeometryError
from napari_qsm.recon.fourier import ball
from napari_qsm.recon.mask.morphology import close_mm, dilate_mm, erode_mm


@pytest.mark.parametrize("size", [0.005, 0.01, 1e-6, 1e-300])
def test_radii_of_absurdly_many_voxels_are_refused(size):
    mask = np.ones((6, 6, 6), bool)
    for work in (
        lambda: margin_voxels(5.0, (1.0, size, 1.0)),
        lambda: ball(5.0, (size, size, size)),
        lambda: dilate_mm(mask, 5.0, (size, 1.0, 1.0)),
        lambda: close_mm(mask, 5.0, (size, 1.0, 1.0)),
    ):
        with pytest.raises(GeometryError, match="check the voxel size"):
            work()
    assert not erode_mm(mask & (np.indices(mask.shape)[0] > 0), 5.0, (1.0, 1.0, 1.0)).any()


def test_the_largest_radius_that_is_allowed():
    assert margin_voxels(60.0, (0.25, 1.0, 7.0)) == (240, 60, 9)
    assert margin_voxels(float(MOST_VOXELS), (1.0, 1.0, 1.0)) == (MOST_VOXELS,) * 3
