"""The benchmarks' measures against hand computations and scikit-image."""

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.metrics import (
    boxes_fit,
    detrended_nrmse,
    hfen,
    nrmse,
    region_fit,
    region_ratio,
    streak_level,
    xsim,
)

TRUTH = np.array([0.0, 1.0, 2.0, 3.0, 99.0]).reshape(5, 1, 1)
MASK = np.array([1, 1, 1, 1, 0], bool).reshape(5, 1, 1)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.05, (20, 18, 16))
    return truth + rng.normal(0, 0.02, truth.shape), truth, np.ones(truth.shape, bool)


def test_nrmse_by_hand():
    # Demeaned: truth -1.5 -0.5 0.5 1.5 (sum of squares 5); the error is 0.5 -0.5 -0.5 0.5.
    found = TRUTH + np.array([7.5, 6.5, 6.5, 7.5, 0]).reshape(5, 1, 1)
    assert nrmse(found, TRUTH, MASK) == pytest.approx(100 * np.sqrt(1 / 5))


def test_detrended_nrmse_forgives_slope_and_offset_only():
    assert detrended_nrmse(0.6 * TRUTH + 3, TRUTH, MASK) == pytest.approx(0, abs=1e-9)
    # The error above is orthogonal to the truth, so the fitted slope stays 1.
    error = np.array([0.5, -0.5, -0.5, 0.5, 0]).reshape(5, 1, 1)
    found = 0.5 * (TRUTH + error)
    assert detrended_nrmse(found, TRUTH, MASK) == pytest.approx(100 * np.sqrt(1 / 5))
    assert nrmse(found, TRUTH, MASK) > 50
    assert detrended_nrmse(0 * TRUTH, TRUTH, MASK) == np.inf


def test_hfen_sees_detail_not_offset(pair):
    _, truth, mask = pair
    assert hfen(truth + 5, truth, mask) == pytest.approx(0, abs=1e-6)
    assert hfen(1.3 * truth, truth, mask) == pytest.approx(30)
    # Independently: the Laplacian of Gaussian in Fourier space, far from the border.
    image, other = np.zeros((2, 48, 48, 48))
    image[24, 24, 24], other[24, 24, 26] = 1.0, 1.0
    k2 = sum((2 * np.pi * k) ** 2 for k in np.meshgrid(*[np.fft.fftfreq(48)] * 3, indexing="ij"))
    transfer = -k2 * np.exp(-k2 * 1.5**2 / 2)

    def filtered(a):
        return np.fft.ifftn(np.fft.fftn(a) * transfer).real

    whole = np.ones(image.shape, bool)
    expected = np.linalg.norm(filtered(image - other)) / np.linalg.norm(filtered(other))
    assert hfen(image, other, whole) == pytest.approx(100 * expected, rel=0.01)


def test_xsim_is_the_structural_similarity_of_scikit_image(pair):
    metrics = pytest.importorskip("skimage.metrics")
    found, truth, mask = pair
    _, similarity = metrics.structural_similarity(
        found, truth, win_size=7, data_range=1.0, K1=0.01, K2=0.001, full=True
    )
    assert xsim(found, truth, mask) == pytest.approx(similarity.mean(), rel=1e-6)
    assert xsim(truth, truth, mask) == pytest.approx(1)


def test_region_fit_by_hand():
    labels = np.repeat([1, 2, 3, 0], 4).reshape(16, 1, 1)
    truth = np.repeat([0.02, 0.06, 0.10, 0.0], 4).reshape(16, 1, 1)
    mask = np.ones(truth.shape, bool)
    fit = region_fit(0.5 * truth + 0.3, truth, labels, (1, 2, 3), mask)
    assert fit.slope == pytest.approx(0.5)
    # Mean error over the mask: 0.3 - 0.0225. The means come out at 0.0325, 0.0525, 0.0725.
    errors = np.array([12.5, -7.5, -27.5])
    assert fit.intercept_ppb == pytest.approx(22.5)
    assert fit.rmse_ppb == pytest.approx(np.sqrt((errors**2).mean()))
    assert fit.centred_rmse_ppb == pytest.approx(errors.std())
    half = region_fit(truth, truth, labels, (1, 2, 7), mask)  # what is absent is left out
    assert (half.slope, half.rmse_ppb) == pytest.approx((1, 0), abs=1e-6)


def test_streak_level_counts_the_shell_only():
    truth = np.zeros((41, 5, 5))
    source = np.zeros(truth.shape, bool)
    source[20] = True
    mask = np.ones(truth.shape, bool)
    found = truth.copy()
    found[19:22] = 5.0  # at most 2 mm off the source, with voxels of 2 mm
    found[:11] = found[30:] = 7.0  # 18 mm and more
    assert streak_level(found, truth, mask, source, (2, 1, 1)) == 0
    shell = np.abs(np.arange(41) - 20)
    shell = (shell >= 2) & (shell <= 8)
    found[shell] = np.where(np.arange(41)[shell] % 2, 0.01, -0.01)[:, None, None]
    expected = np.where(np.arange(41)[shell] % 2, 0.01, -0.01).std()
    assert streak_level(found, truth, mask, source, (2, 1, 1)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no voxels"):
        streak_level(found, truth, source, source, (2, 1, 1))


def test_means_of_a_pale_map_have_the_ratio_of_its_paleness():
    rng = np.random.default_rng(4)
    truth = 0.05 * ndimage.gaussian_filter(rng.standard_normal((42, 42, 28)), 3) * 30
    mask = np.ones(truth.shape, bool)
    strong = np.zeros_like(mask)
    regions = {"a": truth > np.quantile(truth, 0.95), "b": truth < np.quantile(truth, 0.1)}
    regions["too small"] = np.zeros_like(mask)
    pale = 0.9 * truth + 7.0  # a map is known up to a constant
    means = region_ratio(pale, truth, regions, mask)
    assert means.ratio == pytest.approx(0.9)
    errors = [-1e2 * (truth[r].mean() - truth.mean()) for r in (regions["a"], regions["b"])]
    assert means.rmse_ppb == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert means.worst_ppb == pytest.approx(max(errors, key=abs))
    boxes = boxes_fit(pale, truth, mask, strong, (1.0, 1.0, 2.0))
    assert boxes.slope == pytest.approx(0.9)
    # Cubes of 7 x 7 x 4 voxels, by hand.
    blocks = truth.reshape(6, 7, 6, 7, 7, 4).mean(axis=(1, 3, 5))
    assert boxes.rmse_ppb == pytest.approx(1e2 * blocks.std())


def test_boxes_leave_strong_sources_out():
    truth = np.random.default_rng(5).standard_normal((21, 21, 21))
    strong = np.zeros(truth.shape, bool)
    strong[3, 3, 3] = True
    spoilt = truth.copy()
    spoilt[3, 3, 3] += 1e6
    everywhere = np.ones_like(strong)
    fit = boxes_fit(spoilt, truth, everywhere, strong, (1, 1, 1))
    assert fit.slope == pytest.approx(1) and fit.rmse_ppb == pytest.approx(0, abs=1e-6)
