"""R2* against decays whose rate is known, and against scipy's own least squares."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from napari_qsm.errors import MetadataError
from napari_qsm.recon.contrasts import r2star
from napari_qsm.recon.contrasts.decay import noise_of_magnitudes, slope_through_slice

TIMES = (0.004, 0.012, 0.020, 0.028, 0.036)
SHAPE = (16, 16, 60)
MASK = np.ones(SHAPE, bool)
FITS = ("nonlinear", "log-linear", "arlo")


def decay(rate, times=TIMES, *, snr=None, seed=3):
    """Magnitudes of one rate, or of a rate a voxel; signal 1 at time zero."""
    signal = np.exp(-np.array(times)[:, None, None, None] * np.broadcast_to(rate, SHAPE))
    if snr is not None:
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((2, *signal.shape)) / snr
        signal = np.abs(signal + noise[0] + 1j * noise[1])
    return signal.astype(np.float32)


@pytest.mark.parametrize("fit", FITS)
def test_a_clean_decay_gives_its_rate(fit):
    rates = np.linspace(5, 60, SHAPE[2])
    found, inverse = r2star(decay(rates), TIMES, MASK, 2, fit=fit, noise=1e-6)
    rtol = 2e-3 if fit == "arlo" else 1e-4  # Simpson's rule
    np.testing.assert_allclose(found[3, 4], rates, rtol=rtol)
    np.testing.assert_allclose(inverse[3, 4], 1 / found[3, 4], rtol=1e-6)


def test_the_noise_floor_is_taken_off_where_other_fits_come_out_too_slow():
    signal = decay(100, snr=20)  # the last echoes are noise alone
    error = {fit: np.median(r2star(signal, TIMES, MASK, 2, fit=fit)[0]) - 100 for fit in FITS}
    # Of 15360 voxels that scatter by about 17 the median is known to 0.2.
    assert abs(error["nonlinear"]) < 1
    assert error["log-linear"] < -4 and error["arlo"] < -6


@pytest.mark.parametrize("rate", [15, 40])
def test_ordinary_tissue_is_unbiased_and_as_sharp_as_noise_allows(rate):
    found, _ = r2star(decay(rate, snr=40), TIMES, MASK, 2)
    # Cramér and Rao: the least scatter of any unbiased fit of A exp(-R t), noise 1/40.
    t = np.array(TIMES)
    curve = np.exp(-rate * t)
    information = np.array([curve, -t * curve]) @ np.array([curve, -t * curve]).T * 40**2
    least = np.sqrt(np.linalg.inv(information)[1, 1])
    assert abs(found.mean() - rate) < 0.25
    assert found.std() == pytest.approx(least, rel=0.06)


def test_single_voxels_equal_another_least_squares():
    signal, sigma = decay(70, snr=25), 1 / 25
    found, _ = r2star(signal, TIMES, MASK, 2, noise=sigma)
    t = np.array(TIMES)
    for voxel in ((0, 0, 0), (5, 9, 31), (15, 15, 59), (8, 1, 44)):
        m = signal[(slice(None), *voxel)].astype(float)
        a, rate = 1.0, 70.0
        for _ in range(6):  # weights of the fit before, until nothing moves
            model = a**2 * np.exp(-2 * rate * t)
            weight = 1 / np.sqrt(model + sigma**2)
            a, rate = least_squares(
                lambda p, m=m, weight=weight: (
                    weight * (m**2 - 2 * sigma**2 - p[0] ** 2 * np.exp(-2 * p[1] * t))
                ),
                (a, rate),
                xtol=1e-12,
            ).x
        assert found[voxel] == pytest.approx(rate, rel=0.05)


def test_noise_is_found_in_the_images():
    signal = decay(np.linspace(20, 40, SHAPE[2]), snr=50)
    assert noise_of_magnitudes(signal, MASK) == pytest.approx(1 / 50, rel=0.06)
    assert noise_of_magnitudes(signal[..., :1], MASK[..., :1]) == pytest.approx(1 / 50, rel=0.15)
    assert noise_of_magnitudes(signal, np.zeros(SHAPE, bool)) == 0


@pytest.mark.parametrize("fit", FITS)
def test_a_slope_through_the_slice_is_undone(fit):
    """A voxel of even profile over which the frequency runs from -f/2 to f/2 loses sinc(f t)."""
    ppm = 0.12  # from slice to slice: 15.3 Hz at 3 T, half a turn at 33 ms
    field = np.broadcast_to(ppm * np.arange(SHAPE[2]), SHAPE).astype(np.float32)
    hz = 42.577478518 * 3 * ppm * np.linspace(-0.5, 0.5, 2001)
    times = TIMES[:4]
    lost = np.array([abs(np.mean(np.exp(2j * np.pi * hz * t))) for t in times])
    signal = decay(25, times) * lost[:, None, None, None].astype(np.float32)
    kept, _ = r2star(signal, times, MASK, 2, field, 3.0, fit=fit, noise=1e-6)
    undone, _ = r2star(signal, times, MASK, 2, field, 3.0, fit=fit, noise=1e-6, slope="z-sinc")
    assert kept.mean() > 30
    np.testing.assert_allclose(undone, 25, rtol=3e-3)


def test_the_slope_uses_the_neighbours_that_lie_in_the_mask():
    field = np.zeros((3, 3, 5), np.float32)
    field[...] = [0, 1, 4, 9, 16]
    mask = np.ones(field.shape, bool)
    mask[0, 0, 2] = False
    found = slope_through_slice(field, mask, 2)
    np.testing.assert_array_equal(found[1, 1], [1, 2, 4, 6, 7])
    np.testing.assert_array_equal(found[0, 0], [1, 1, 0, 7, 7])


def test_odd_voxels_stay_finite():
    signal = decay(20)
    signal[:, 0, 0, 0] = 0
    signal[:, 0, 0, 1] = np.nan
    signal[:, 0, 0, 2] = [1, 2, 3, 4, 5]
    for fit in FITS:
        found, inverse = r2star(signal, TIMES, MASK, 2, fit=fit, noise=0.01)
        assert np.isfinite(found).all() and np.isfinite(inverse).all()
        assert (found[0, 0, :3] == 0).all()
        assert found[0, 0, 3] == pytest.approx(20, rel=1e-2)
    mask = MASK.copy()
    mask[:8] = False
    assert not r2star(decay(20), TIMES, mask, 2)[0][:8].any()


def test_one_echo_and_uneven_echoes_are_refused_in_a_sentence():
    with pytest.raises(MetadataError, match="two echo times, but there is one"):
        r2star(decay(20)[:1], TIMES[:1], MASK, 2)
    with pytest.raises(MetadataError, match="three echo times, but there are 2"):
        r2star(decay(20)[:2], TIMES[:2], MASK, 2, fit="arlo")
    with pytest.raises(MetadataError, match="equal distances, but they are at 4, 12, 40 ms"):
        r2star(decay(20)[:3], (0.004, 0.012, 0.04), MASK, 2, fit="arlo")
    with pytest.raises(MetadataError, match="z-sinc needs the total field"):
        r2star(decay(20), TIMES, MASK, 2, slope="z-sinc")
