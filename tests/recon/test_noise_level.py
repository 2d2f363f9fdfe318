"""Noise of a field told from the field, against noise that was added to fields made by formula."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.recon.fourier import forward_field
from napari_qsm.recon.noise_level import noise_level


@pytest.fixture(scope="module")
def tissue():
    """Field of nuclei, folds and veins on a grid of 1 mm, ppm, and where it is looked at."""
    rng = np.random.default_rng(2)
    shape = (72, 84, 72)
    at = np.indices(shape)
    middle = np.array(shape)[:, None, None, None] / 2
    inside = (((at - middle) / (middle - 4)) ** 2).sum(axis=0) < 1
    folds = ndimage.gaussian_filter(rng.standard_normal(shape), 2.5)
    chi = np.where(folds > 0, 0.02, -0.02)
    for _ in range(12):
        centre = rng.uniform(20, 50, 3)[:, None, None, None]
        chi[(((at - centre) / rng.uniform(2, 7, 3)[:, None, None, None]) ** 2).sum(axis=0) < 1] = (
            0.1
        )
    chi[ndimage.binary_dilation(rng.random(shape) > 0.9998, iterations=1)] = 0.25
    # Scanners see no sharper edges than their voxels.
    chi = ndimage.gaussian_filter(chi, 0.7)
    return forward_field(np.where(inside, chi, 0), (1, 1, 1), (0, 0, 1)), inside


@pytest.mark.parametrize("voxel_mm", [1, 2, 3])
@pytest.mark.parametrize("noise_ppb", [1, 4])
def test_noise_is_found_whatever_the_voxels(tissue, voxel_mm, noise_ppb):
    def mean(a):
        shape = [v for n in a.shape for v in (n // voxel_mm, voxel_mm)]
        return a.reshape(shape).mean(axis=(1, 3, 5))

    field, mask = mean(tissue[0]), mean(tissue[1]) > 0.99
    noise = 1e-3 * noise_ppb * np.random.default_rng(3).standard_normal(mask.shape)
    assert noise_level(field + noise, mask) == pytest.approx(1e-3 * noise_ppb, rel=0.15)


def test_smooth_fields_and_what_lies_outside_do_not_count():
    rng = np.random.default_rng(1)
    x, y, z = np.indices((40, 36, 30)) - 15.0
    field = 0.002 * x + 1e-4 * y**2 + 1e-5 * z**3
    mask = x**2 + y**2 + z**2 < 200
    field = np.where(mask, field + 0.004 * rng.standard_normal(x.shape), np.nan)
    assert noise_level(field.astype(np.float32), mask) == pytest.approx(0.004, rel=0.03)


def test_what_is_known_of_the_noise_is_taken_into_account():
    rng = np.random.default_rng(4)
    relative = np.linspace(1, 9, 40)[:, None, None] * np.ones((40, 30, 30))
    field = 0.01 * relative * rng.standard_normal(relative.shape)
    assert noise_level(field, np.ones(field.shape, bool), relative) == pytest.approx(0.01, rel=0.03)


def test_thin_masks_take_the_axes_along_which_they_are_thick():
    field = 0.02 * np.random.default_rng(5).standard_normal((60, 50, 4))
    assert noise_level(field, np.ones(field.shape, bool)) == pytest.approx(0.02, rel=0.05)
    line = np.ones((60, 1, 1), bool)
    assert noise_level(field[:, :1, :1], line) == pytest.approx(0.02, rel=0.4)
    assert noise_level(field[:4, :4], np.ones((4, 4, 4), bool)) == 0.0
    assert noise_level(field, np.zeros(field.shape, bool)) == 0.0
