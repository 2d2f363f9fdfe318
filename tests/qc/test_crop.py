"""What part of the head the report's pictures show."""

import numpy as np

from napari_qsm.qc.pictures import cut_through
from tests.figures.makers import ellipse, volume


def test_specks_apart_from_the_brain_do_not_widen_the_pictures():
    brain = ellipse((0, 0, 0), (20, 18, 12))
    with_speck = brain.copy()
    with_speck[0, 0, :2] = True
    alone, beside = (cut_through(volume(mask)) for mask in (brain, with_speck))
    np.testing.assert_allclose(alone.size_mm, beside.size_mm)
    np.testing.assert_allclose(alone.middle_mm, beside.middle_mm)
    # The brain's voxels of 1.5 x 1.2 x 3 mm, and little more.
    found = np.argwhere(brain)
    breadths = (np.ptp(found, axis=0) + 1) * (1.5, 1.2, 3.0)
    assert ((np.array(alone.size_mm) - breadths) <= 8).all()
    assert (np.array(alone.size_mm) > breadths).all()
