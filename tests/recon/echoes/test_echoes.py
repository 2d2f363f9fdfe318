"""The echoes stage: offset, weights, fits, noise; and R2* and T2*."""

import numpy as np
import pytest

from napari_qsm.errors import Cancelled, GeometryError, MetadataError, QsmError
from napari_qsm.recon.echoes import laplacian_sum, linear_fit, nonlinear_fit, weighted
from napari_qsm.recon.echoes.offsets import phase_offset, smooth_in_mask
from napari_qsm.recon.fourier import field_ppm_per_rad
from napari_qsm.recon.phase import wrap_phase
from napari_qsm.recon.relaxometry import fit_r2star, t2star
from napari_qsm.recon.stages import methods

TIMES_S = (0.004, 0.010, 0.017, 0.025)
VOXEL_MM = (1.5, 1.0, 2.0)
B0_T = 3.0
SHAPE = (30, 34, 20)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def truth():
    """Field in ppm and a mask; mean of the field inside the mask is zero."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    mask = x**2 + y**2 + z**2 < 0.9
    field = 0.3 * x * y + 0.2 * np.exp(-((x - 0.2) ** 2 + y**2 + z**2) / 0.02)
    return field - field[mask].mean(), mask


def offset_map():
    return 1.2 + 1.5 * np.linspace(-1, 1, SHAPE[0])[:, None, None] * np.ones(SHAPE)


def echoes(rng, *, snr=None, offset=0.0, times=TIMES_S, b0=B0_T, r2star=25.0):
    """Unwrapped phases, magnitudes; noise as a complex signal of that SNR at time 0 has it."""
    field, _ = truth()
    clean = np.array([field / field_ppm_per_rad(t, b0) + offset for t in times])
    magnitude = np.exp(-r2star * np.array(times))[:, None, None, None] * np.ones(clean.shape)
    if snr is None:
        return clean, magnitude
    noise = rng.standard_normal(clean.shape) + 1j * rng.standard_normal(clean.shape)
    signal = magnitude * np.exp(1j * clean) + noise / snr
    return clean + wrap_phase(np.angle(signal) - clean), np.abs(signal)


def run(function, unwrapped, magnitude=None, mask=None, **more):
    mask = truth()[1] if mask is None else mask
    given = {
        "echo_times_s": TIMES_S[: len(unwrapped)],
        "magnitude_echo_times_s": TIMES_S[: 0 if magnitude is None else len(magnitude)],
        "field_strength_t": B0_T,
        "phase": wrap_phase(unwrapped),
    }
    if function is weighted:
        given["voxel_size_mm"] = VOXEL_MM
    return function(unwrapped, mask, magnitude, **(given | more))


def apart(field, about_mean=True):
    expected, mask = truth()
    difference = (field - expected)[mask]
    return difference - difference.mean() * about_mean


ALL = pytest.mark.parametrize("function", [weighted, linear_fit, nonlinear_fit, laplacian_sum])
FITS = pytest.mark.parametrize("function", [linear_fit, nonlinear_fit])


@ALL
def test_clean_echoes_give_the_field(rng, function):
    phase, magnitude = echoes(rng)
    for strength in (magnitude, magnitude[:1], None):
        field, noise = run(function, phase, strength)
        assert np.abs(apart(field, about_mean=False)).max() < 1e-9
        assert (field[~truth()[1]] == 0).all()
        assert (noise is None) == (strength is None)


@pytest.mark.parametrize("function", [weighted, laplacian_sum])
def test_a_single_echo_is_scaled(rng, function):
    phase, magnitude = echoes(rng, times=TIMES_S[2:3])
    field, noise = run(function, phase, magnitude, echo_times_s=TIMES_S[2:3])
    assert np.abs(apart(field, about_mean=False)).max() < 1e-9
    assert np.isfinite(noise).all()


@pytest.mark.parametrize("function", [weighted, linear_fit, nonlinear_fit])
def test_the_phase_offset_is_removed(rng, function):
    phase, magnitude = echoes(rng, offset=offset_map())
    error = np.abs(apart(run(function, phase, magnitude)[0])).max()
    assert error < (1e-3 if function is weighted else 1e-8)
    plain = np.abs(apart(run(weighted, phase, magnitude, offset="none")[0])).max()
    assert plain > 5 * error


def test_a_constant_offset_is_removed_exactly(rng):
    phase, magnitude = echoes(rng, offset=2.0)
    assert np.abs(apart(run(weighted, phase, magnitude)[0], about_mean=False)).max() < 1e-9


def test_echoes_that_hardly_differ_say_nothing_about_the_phase_at_time_zero(rng):
    times, said = (0.02, 0.0201), []
    phase, magnitude = echoes(rng, snr=40, times=times)
    single = apart(run(weighted, phase[:1], magnitude[:1], echo_times_s=times[:1])[0]).std()
    given = {"echo_times_s": times, "magnitude_echo_times_s": times}
    both = apart(run(weighted, phase, magnitude, **given, warn=said.append)[0]).std()
    assert both < single  # by a factor of the square root of two
    assert "only 0.1 ms apart, at 20 ms" in said[0]
    forced = run(weighted, phase, magnitude, **given, offset="mcpc3ds")[0]
    assert apart(forced).std() > 3 * single


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_weights_lower_the_noise_as_theory_says(rng, offset):
    snr = 40
    phase, magnitude = echoes(rng, snr=snr, offset=offset)
    t, m = np.array(TIMES_S), np.exp(-25 * np.array(TIMES_S))
    scale = field_ppm_per_rad(1.0, B0_T) / snr
    measured = apart(run(weighted, phase, magnitude)[0]).std()
    assert measured == pytest.approx(scale / np.sqrt(np.sum(m**2 * t**2)), rel=0.06)
    centred = t - np.sum(m**2 * t) / np.sum(m**2)
    for fit in (linear_fit, nonlinear_fit):
        measured = apart(run(fit, phase, magnitude)[0]).std()
        assert measured == pytest.approx(scale / np.sqrt(np.sum(m**2 * centred**2)), rel=0.06)


@ALL
def test_noise_map_is_the_standard_deviation_in_ppm(rng, function):
    phase, magnitude = echoes(rng, snr=15)
    field, noise = run(function, phase, magnitude)
    mask = truth()[1]
    assert np.median(noise[mask]) == pytest.approx(apart(field).std(), rel=0.15)


@ALL
def test_noise_map_follows_the_magnitude_and_stays_finite(rng, function):
    phase, magnitude = echoes(rng, snr=30)
    magnitude = np.ones_like(magnitude)
    magnitude[:, :15] = 0.5
    magnitude[:, 14, 17, 10] = 0
    magnitude[1, 13, 17, 10] = np.nan
    field, noise = run(function, phase, magnitude)
    assert np.isfinite(field).all()
    assert np.isfinite(noise).all()
    assert (noise > 0).all()
    assert noise[10, 17, 10] == pytest.approx(2 * noise[20, 17, 10])
    assert noise[14, 17, 10] == noise.max() == noise[0, 0, 0]
    # Without any signal all echoes count alike, and the field there is still that of the phase.
    assert abs(apart(field, about_mean=False)).max() < 0.2


def test_phase_difference_takes_the_noise_of_both_magnitudes(rng):
    field, mask = truth()
    phase = (field / field_ppm_per_rad(0.00246, B0_T))[None]
    magnitude = np.stack([np.ones(SHAPE), np.ones(SHAPE)])
    magnitude[1, :15] = 0.5
    out, noise = run(
        weighted,
        phase,
        magnitude,
        echo_times_s=(0.00246,),
        magnitude_echo_times_s=(0.00519, 0.00765),
    )
    assert np.abs(apart(out, about_mean=False)).max() < 1e-9
    assert noise[10, 17, 10] / noise[20, 17, 10] == pytest.approx(np.sqrt((1 + 4) / (1 + 1)))
    assert mask[10, 17, 10]


@ALL
def test_echo_times_and_field_strength_do_not_change_the_field(rng, function):
    phase, magnitude = echoes(rng, offset=0.0)
    base, _ = run(function, phase, magnitude)
    slower, _ = run(function, 2 * phase, magnitude, echo_times_s=[2 * t for t in TIMES_S])
    higher, _ = run(function, 2 * phase, magnitude, field_strength_t=2 * B0_T)
    np.testing.assert_allclose(slower, base, atol=1e-8)
    np.testing.assert_allclose(higher, base, atol=1e-8)


@ALL
def test_magnitude_unit_does_not_matter(rng, function):
    phase, magnitude = echoes(rng, snr=20)
    a, b = (run(function, phase, magnitude * unit) for unit in (1, 4000.0))
    np.testing.assert_allclose(a[0], b[0], atol=1e-12)
    np.testing.assert_allclose(a[1], b[1], rtol=1e-9)


@ALL
def test_whole_turns_per_echo_only_move_the_field_by_a_constant(rng, function):
    """Exactly unwrapped echoes may each have started on their own turn."""
    phase, magnitude = echoes(rng, snr=30)
    base, _ = run(function, phase, magnitude)
    turns = 2 * np.pi * np.array([1, -2, 3, 5])[:, None, None, None]
    shifted, _ = run(function, phase + turns, magnitude)
    assert np.ptp((shifted - base)[truth()[1]]) < 1e-6


def test_a_strong_uniform_field_is_told_by_uneven_echo_times(rng):
    """Two turns between the first echoes: later ones settle it where spacing is uneven."""
    field, mask = truth()
    field = field + 2 * field_ppm_per_rad(TIMES_S[1] - TIMES_S[0], B0_T) * 2 * np.pi
    true = np.array([field / field_ppm_per_rad(t, B0_T) for t in TIMES_S])
    whole = np.rint(true[:, mask].mean(axis=1) / (2 * np.pi))
    centred = true - 2 * np.pi * whole[:, None, None, None]
    out, _ = run(weighted, centred)
    # The first echo's own turn stays open: it goes into the offset.
    np.testing.assert_allclose(out[mask], field[mask], atol=1e-9)


def test_constants_lost_by_laplacian_unwrapping_do_no_harm(rng):
    """Inexact echoes have arbitrary constants; weights that vary must not turn them into field."""
    phase, _ = echoes(rng)
    magnitude = np.exp(-np.array(TIMES_S)[:, None, None, None] * np.linspace(5, 80, SHAPE[2]))
    magnitude = magnitude * np.ones(phase.shape)
    spoilt = phase + np.array([0.4, -1.1, 2.0, 0.7])[:, None, None, None]
    field, _ = run(weighted, spoilt, magnitude, phase=wrap_phase(phase))
    assert np.abs(apart(field)).max() < 1e-9


def test_a_turn_too_many_in_one_echo_does_not_mislead_the_nonlinear_fit(rng):
    phase, magnitude = echoes(rng)
    where = rng.random(SHAPE) < 0.05
    phase[3][where] += 2 * np.pi
    assert np.abs(apart(run(nonlinear_fit, phase, magnitude)[0], about_mean=False)).max() < 1e-5
    assert np.abs(apart(run(linear_fit, phase, magnitude)[0])).max() > 0.05


def test_nonlinear_fit_warns_of_inexact_phase(rng):
    phase, magnitude = echoes(rng)
    said = []
    run(nonlinear_fit, phase, magnitude, warn=said.append)
    assert said == []
    run(nonlinear_fit, phase + 0.3, magnitude, phase=wrap_phase(phase), warn=said.append)
    assert len(said) == 1
    assert "quality-guided" in said[0]


@ALL
def test_single_precision_is_near_double(rng, function):
    phase, magnitude = echoes(rng, snr=20, offset=1.0)
    double, noise = run(function, phase, magnitude)
    single, noise32 = run(function, phase.astype(np.float32), magnitude.astype(np.float32))
    assert single.dtype == noise32.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-5)
    np.testing.assert_allclose(noise32, noise, rtol=2e-2)


@ALL
def test_flips_and_permutations_do_not_matter(rng, function):
    phase, magnitude = echoes(rng, snr=20, offset=offset_map())
    mask = truth()[1]
    base, noise = run(function, phase, magnitude)
    more = {"voxel_size_mm": [VOXEL_MM[i] for i in (2, 0, 1)]} if function is weighted else {}
    turned, turned_noise = run(
        function,
        phase.transpose(0, 3, 1, 2)[:, ::-1],
        magnitude.transpose(0, 3, 1, 2)[:, ::-1],
        mask.transpose(2, 0, 1)[::-1],
        **more,
    )
    np.testing.assert_allclose(turned[::-1].transpose(1, 2, 0), base, atol=1e-9)
    np.testing.assert_allclose(turned_noise[::-1].transpose(1, 2, 0), noise, rtol=1e-6)


@ALL
def test_inputs_are_not_changed_and_the_outside_is_not_read(rng, function):
    phase, magnitude = echoes(rng, snr=20)
    mask = truth()[1]
    base, _ = run(function, phase, magnitude)
    wild_phase, wild_magnitude = phase.copy(), magnitude.copy()
    wild_phase[:, ~mask] = np.nan
    wild_magnitude[:, ~mask] = np.inf
    kept = wild_phase.copy(), wild_magnitude.copy()
    field, noise = run(function, wild_phase, wild_magnitude, phase=wrap_phase(phase))
    np.testing.assert_allclose(field, base, atol=1e-12)
    assert np.isfinite(noise).all()
    np.testing.assert_array_equal(wild_phase, kept[0])
    np.testing.assert_array_equal(wild_magnitude, kept[1])


@ALL
@pytest.mark.parametrize("shape", [(9, 7, 1), (1, 1, 8), (3, 5, 7)])
def test_thin_volumes(function, shape):
    rate = np.random.default_rng(0).uniform(-50, 50, shape)
    phase = np.array([rate * t for t in TIMES_S])
    field, noise = run(function, phase, np.ones_like(phase), np.ones(shape, bool))
    expected = rate * field_ppm_per_rad(1.0, B0_T)
    if function is not weighted:
        np.testing.assert_allclose(field, expected, atol=1e-9)
    else:  # so few voxels that smoothing mixes all of them
        np.testing.assert_allclose(field, expected, atol=1e-2)
    assert np.isfinite(noise).all()


@ALL
def test_bad_input_is_refused(rng, function):
    phase, magnitude = echoes(rng)
    mask = truth()[1]
    with pytest.raises(QsmError, match="mask is empty"):
        run(function, phase, magnitude, np.zeros_like(mask))
    with pytest.raises(GeometryError, match="unwrapped phase has shape"):
        run(function, phase, magnitude, mask[1:])
    with pytest.raises(GeometryError, match="magnitude has shape"):
        run(function, phase, magnitude[:, 1:])
    with pytest.raises(GeometryError, match="4 phase echoes but 2 magnitudes"):
        run(function, phase, magnitude[:2])
    with pytest.raises(GeometryError, match="4 unwrapped echoes but 3 echo times"):
        run(function, phase, magnitude, echo_times_s=TIMES_S[:3])
    with pytest.raises(MetadataError, match="unit"):
        run(function, phase, magnitude, echo_times_s=[4.0, 10.0, 17.0, 25.0])
    with pytest.raises(MetadataError, match="field strength"):
        run(function, phase, magnitude, field_strength_t=0.0)
    phase[0, 15, 17, 10] = np.nan
    with pytest.raises(QsmError, match="1 voxels of the unwrapped phase"):
        run(function, phase, magnitude)


def test_what_needs_two_echoes_says_so(rng):
    phase, _ = echoes(rng)
    for fit in (linear_fit, nonlinear_fit):
        with pytest.raises(QsmError, match="needs two echoes"):
            run(fit, phase[:1])
    with pytest.raises(QsmError, match="single echo"):
        run(weighted, phase[:1], offset="mcpc3ds")


@ALL
def test_progress_rises_to_the_end_and_may_cancel(rng, function):
    phase, magnitude = echoes(rng)
    seen = []
    run(function, phase, magnitude, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(fraction):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run(function, phase, magnitude, progress=stop)


def test_they_are_registered():
    assert list(methods("echoes")) == ["weighted", "linear-fit", "nonlinear-fit", "laplacian-sum"]


def test_smoothing_keeps_constants_and_is_a_weighted_mean(rng):
    mask = truth()[1]
    weights = rng.uniform(0.5, 2, SHAPE)
    flat = smooth_in_mask(np.full(SHAPE, 7.0), weights, mask, 4.0, VOXEL_MM)
    np.testing.assert_allclose(flat[mask], 7.0)
    assert (flat[~mask] == 0).all()
    spike = np.zeros(SHAPE)
    spike[15, 17, 10] = 1
    out = smooth_in_mask(spike, weights, mask, 2.0, VOXEL_MM)
    # The same by a sum over all voxels for one place.
    at = np.array([17, 15, 11])
    where = np.argwhere(mask)
    root = np.sqrt(weights[mask])
    design = root[:, None] * np.column_stack([np.ones(len(where)), where])
    ramp = np.linalg.lstsq(design, root * spike[mask], rcond=None)[0]
    left = spike[mask] - ramp[0] - where @ ramp[1:]
    distance = (where - at) * VOXEL_MM
    kernel = np.exp(-np.sum(distance**2, axis=1) / (2 * 2.0**2)) * weights[mask]
    direct = np.sum(kernel * left) / kernel.sum() + ramp[0] + at @ ramp[1:]
    assert out[tuple(at)] == pytest.approx(direct, rel=1e-2)


def test_smoothing_keeps_ramps():
    mask = truth()[1]
    ramp = 3.0 + np.add.outer(np.add.outer(np.arange(30.0), -2.0 * np.arange(34)), np.arange(20))
    np.testing.assert_allclose(
        smooth_in_mask(ramp, None, mask, 5.0, VOXEL_MM)[mask], ramp[mask], atol=1e-9
    )


def test_offset_is_the_phase_at_time_zero(rng):
    phase, _ = echoes(rng, offset=0.7)
    offset = phase_offset(phase[0], phase[1], TIMES_S, truth()[1], None, 0.0, VOXEL_MM)
    np.testing.assert_allclose(offset[truth()[1]], 0.7, atol=1e-9)


# --- R2* and T2* -----------------------------------------------------------------------------


@pytest.mark.parametrize("times", [TIMES_S, TIMES_S[:2], (0.005, 0.010, 0.015)])
def test_r2star_of_a_clean_decay(rng, times):
    rate = rng.uniform(5, 120, (6, 5, 4))
    decay = 900 * np.exp(-rate * np.array(times)[:, None, None, None])
    np.testing.assert_allclose(fit_r2star(decay, times), rate, rtol=1e-9)
    np.testing.assert_allclose(fit_r2star(decay[::-1], times[::-1]), rate, rtol=1e-9)
    single = fit_r2star(decay.astype(np.float32), times)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, rate, rtol=1e-3)
    np.testing.assert_allclose(t2star(single) * rate, 1, rtol=1e-3)


def test_r2star_from_noise_is_nearly_unbiased_and_efficient(rng):
    rate, snr, t = 40.0, 50, np.array(TIMES_S)
    decay = np.exp(-rate * t)[:, None, None, None] * np.ones((4, 30, 30, 10))
    noise = rng.standard_normal(decay.shape) + 1j * rng.standard_normal(decay.shape)
    found = fit_r2star(np.abs(decay + noise / snr), TIMES_S)
    weights = np.exp(-2 * rate * t) * snr**2
    centred = t - np.sum(weights * t) / weights.sum()
    bound = 1 / np.sqrt(np.sum(weights * centred**2))
    assert found.mean() == pytest.approx(rate, abs=0.02 * rate)
    assert found.std() == pytest.approx(bound, rel=0.1)


def test_r2star_of_odd_voxels_is_zero_and_finite():
    magnitude = np.zeros((3, 2, 2, 2))
    magnitude[:, 0, 0, 0] = 1, 2, 3  # grows
    magnitude[:, 0, 0, 1] = 1, 0, 0  # one positive echo
    magnitude[:, 0, 1, 0] = 4, np.nan, 1  # two usable echoes
    rate = fit_r2star(magnitude, (0.01, 0.02, 0.03))
    assert rate[0, 1, 0] == pytest.approx(np.log(4) / 0.02)
    assert np.count_nonzero(rate) == 1
    assert t2star(rate).max() == pytest.approx(0.02 / np.log(4))
    assert t2star(np.array([0.1]))[0] == 1.0


def test_r2star_stays_inside_the_mask(rng):
    magnitude = rng.uniform(1, 2, (3, 4, 5, 6)) * np.array([4, 2, 1])[:, None, None, None]
    mask = rng.random((4, 5, 6)) > 0.5
    rate = fit_r2star(magnitude, (0.01, 0.02, 0.03), mask)
    assert (rate[~mask] == 0).all()
    np.testing.assert_array_equal(rate[mask], fit_r2star(magnitude, (0.01, 0.02, 0.03))[mask])


def test_r2star_refuses_what_cannot_be_fitted():
    magnitude = np.ones((2, 3, 3, 3))
    with pytest.raises(QsmError, match="two echo times"):
        fit_r2star(magnitude[:1], (0.01,))
    with pytest.raises(MetadataError, match="2 magnitudes but 3"):
        fit_r2star(magnitude, (0.01, 0.02, 0.03))
    with pytest.raises(MetadataError, match="unit"):
        fit_r2star(magnitude, (10.0, 20.0))
    with pytest.raises(GeometryError):
        fit_r2star(magnitude[0], (0.01, 0.02))
    with pytest.raises(GeometryError):
        fit_r2star(magnitude, (0.01, 0.02), np.ones((2, 2, 2), bool))
