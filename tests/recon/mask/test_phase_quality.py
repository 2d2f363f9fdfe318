import numpy as np
import pytest

from napari_qsm.errors import GeometryError
from napari_qsm.recon.mask.quality import phase_quality


def wrap(phase):
    return np.angle(np.exp(1j * phase)).astype(np.float32)


@pytest.fixture(scope="module")
def coordinates():
    return np.meshgrid(*[np.arange(n, dtype=float) for n in (24, 20, 16)], indexing="ij")


def noisy(coordinates, sigma, seed=0):
    x, y, z = coordinates
    rng = np.random.default_rng(seed)
    return wrap(0.8 * x - 1.9 * y + 0.3 * z + sigma * rng.standard_normal(x.shape))


def test_a_steep_ramp_has_full_quality(coordinates):
    assert phase_quality(noisy(coordinates, 0.0)).min() > 0.999


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5])
def test_noise_lowers_quality_as_its_second_difference_says(coordinates, sigma):
    quality = phase_quality(noisy(coordinates, sigma))
    assert quality[2:-2, 2:-2, 2:-2].mean() == pytest.approx(np.exp(-3 * sigma**2), abs=0.02)


def test_quality_of_pure_noise_is_low():
    rng = np.random.default_rng(1)
    quality = phase_quality(rng.uniform(-np.pi, np.pi, (24, 24, 24)))
    assert quality.dtype == np.float32
    assert quality.mean() < 0.06
    assert (quality > 0.5).mean() < 1e-3


def test_curvature_is_the_mean_cosine(coordinates):
    x, _, _ = coordinates
    quality = phase_quality(wrap(0.5 * 0.4 * x**2))
    assert quality[3:-3, 3:-3, 3:-3] == pytest.approx((np.cos(0.4) + 2) / 3, abs=1e-4)


def test_offsets_turns_and_sign_do_not_matter(coordinates):
    phase = noisy(coordinates, 0.4)
    quality = phase_quality(phase)
    turns = 2 * np.pi * np.random.default_rng(2).integers(-3, 4, phase.shape)
    assert phase_quality(phase + turns) == pytest.approx(quality, abs=2e-5)
    assert phase_quality(wrap(phase + 1.7)) == pytest.approx(quality, abs=2e-5)
    assert phase_quality(-phase) == pytest.approx(quality, abs=1e-6)


def test_flips_and_turns(coordinates):
    phase = noisy(coordinates, 0.5)
    quality = phase_quality(phase)
    for axis in range(3):
        flipped = phase_quality(np.flip(phase, axis))
        assert flipped == pytest.approx(np.flip(quality, axis), abs=1e-5)
    turned = phase_quality(phase.transpose(2, 0, 1))
    assert turned == pytest.approx(quality.transpose(2, 0, 1), abs=1e-5)


def test_echoes_weigh_by_squared_magnitude(coordinates):
    good, bad = noisy(coordinates, 0.0), noisy(coordinates, 3.0, seed=5)
    equal = phase_quality(np.stack([good, bad]))
    assert equal[2:-2, 2:-2, 2:-2].mean() == pytest.approx(0.5, abs=0.05)
    strong = np.stack([np.full(good.shape, 1000.0), np.full(good.shape, 10.0)])
    assert phase_quality(np.stack([good, bad]), strong).min() > 0.98
    one = phase_quality(np.stack([good, bad]), strong[:1])
    assert one == pytest.approx(equal)


def test_outside_the_mask_counts_for_nothing(coordinates):
    phase = noisy(coordinates, 0.0)
    mask = np.zeros(phase.shape, bool)
    mask[4:20, 4:16, 4:12] = True
    phase[~mask] = np.random.default_rng(3).uniform(-np.pi, np.pi, (~mask).sum())
    quality = phase_quality(phase, mask=mask)
    assert quality[mask].min() > 0.999
    assert not quality[~mask].any()


def test_nan_voxels_have_no_quality_and_do_no_harm(coordinates):
    phase = noisy(coordinates, 0.0)
    phase[10, 10, 8] = np.nan
    quality = phase_quality(phase)
    assert quality[10, 10, 8] == 0
    assert np.delete(quality.ravel(), np.ravel_multi_index((10, 10, 8), phase.shape)).min() > 0.999
    assert not phase_quality(np.full((5, 5, 5), np.nan)).any()


@pytest.mark.parametrize("shape", [(20, 20, 1), (2, 20, 20), (20, 1, 1)])
def test_thin_volumes(shape):
    assert phase_quality(np.zeros(shape)) == pytest.approx(1.0)


def test_a_single_voxel_has_no_neighbours_to_judge_by():
    assert not phase_quality(np.zeros((1, 1, 1))).any()


def test_shapes_that_do_not_fit_are_refused(coordinates):
    phase = noisy(coordinates, 0.0)
    with pytest.raises(GeometryError, match="mask has shape"):
        phase_quality(phase, mask=np.ones((3, 3, 3), bool))
    with pytest.raises(GeometryError, match="magnitude has shape"):
        phase_quality(np.stack([phase, phase]), np.ones((2, 3, 3, 3)))
    with pytest.raises(GeometryError):
        phase_quality(np.zeros((4, 4)))
