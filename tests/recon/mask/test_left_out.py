"""Masks that end inside the brain, or have holes in it, are told; sound and somewhat small ones are not."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.recon.mask.left_out import left_out
from napari_qsm.recon.stages import get_method
from tests.recon.mask.test_mask import make_scan

VOXEL = (2.0, 2.0, 2.5)
ML = np.prod(VOXEL) / 1000


@pytest.fixture(scope="module")
def drawn():
    phase, magnitude, truth = make_scan(VOXEL)
    depth = ndimage.distance_transform_edt(truth["brain"], sampling=VOXEL)
    return phase, magnitude, truth["brain"], depth


def mm(shape, axis):
    return (np.arange(shape[axis]) - (shape[axis] - 1) / 2) * VOXEL[axis]


def said(drawn, mask, **settings):
    phase, magnitude, *_ = drawn
    told = []
    get_method("mask", "given").function(
        phase, magnitude, VOXEL, mask, warn=told.append, **settings
    )
    return [sentence for sentence in told if "are not in the mask" in sentence]


@pytest.mark.parametrize("smaller_mm", [0, 2.5, 4.5])
def test_sound_masks_and_ones_without_the_rim_are_not_told(drawn, smaller_mm):
    _, magnitude, _, depth = drawn
    mask = depth > smaller_mm
    found = left_out(mask, magnitude, VOXEL)
    assert found.deep_ml < 2.5 and found.holes_ml == 0 and not found.sentence
    assert said(drawn, mask) == []


@pytest.mark.parametrize(("axis", "at_mm"), [(0, 25.0), (1, -10.0), (2, -15.0)])
def test_a_cut_through_the_brain_is_told_with_what_is_missing(drawn, axis, at_mm):
    _, magnitude, brain, depth = drawn
    kept = np.expand_dims(mm(brain.shape, axis) < at_mm, [a for a in range(3) if a != axis])
    found = left_out(brain & kept, magnitude, VOXEL)
    expected = np.count_nonzero((depth > 10) & ~kept) * ML
    assert found.deep_ml == pytest.approx(expected, rel=0.15)
    assert f"{found.deep_ml:.1f} ml of tissue" in found.sentence
    assert said(drawn, brain & kept) != []


def test_holes_of_tissue_are_told_and_a_bleed_is_none(drawn):
    _, magnitude, brain, _ = drawn
    x, y, z = np.meshgrid(*(mm(brain.shape, axis) for axis in range(3)), indexing="ij", sparse=True)
    ball = (x + 35) ** 2 + (y - 10) ** 2 + (z - 12) ** 2 < 7**2  # as large as a small putamen
    found = left_out(brain & ~ball, magnitude, VOXEL)
    assert found.holes_ml == pytest.approx(ball.sum() * ML, rel=0.01)
    [sentence] = said(drawn, brain & ~ball)
    assert sentence.startswith("Holes with")
    bleed = (x - 30) ** 2 + (y + 20) ** 2 + (z - 25) ** 2 < 7**2  # dark in the magnitude
    assert left_out(brain & ~bleed, magnitude, VOXEL).sentence == ""


def test_where_nothing_can_be_known_nothing_is_told(drawn):
    _, magnitude, brain, _ = drawn
    assert left_out(np.zeros_like(brain), magnitude, VOXEL) is None
    assert left_out(brain, np.zeros_like(magnitude), VOXEL) is None
    part = np.s_[20:60, 30:70, 20:50]  # from inside a brain, whose edges are those of the image
    inner = left_out(brain[part], magnitude[0][part], VOXEL)
    assert inner.sentence == ""
