"""The unwrap stage: Laplacian and quality-guided."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import Cancelled, GeometryError, QsmError
from napari_qsm.recon.fourier import fast_shape
from napari_qsm.recon.phase import wrap_phase
from napari_qsm.recon.stages import get_method
from napari_qsm.recon.unwrap import edge_weights, laplacian, quality_guided, spanning_tree
from napari_qsm.recon.unwrap.laplacian import solve_poisson, wrapped_laplacian
from tests.recon.unwrap import plain

VOXEL_MM = (1.0, 1.2, 2.0)
TIMES_S = (0.004, 0.010, 0.016)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def field(shape=(40, 36, 24), steep=1.0):
    """Smooth phase of several turns (gradients up to about 1.7 rad per voxel) and a mask, rad."""
    x, y, z = np.meshgrid(
        *(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij"
    )
    phase = 18 * np.exp(-((x - 0.3) ** 2 + (y + 0.2) ** 2 + z**2) / 0.25) + 6 * x * y - 4 * z * x
    mask = (x / 0.9) ** 2 + (y / 0.9) ** 2 + (z / 0.95) ** 2 < 1
    return steep * phase, mask


def measured(phases, snr, rng, outside=None):
    """Wrapped phases with complex noise; pure noise where ``outside`` says so."""
    signal = np.exp(1j * np.asarray(phases))
    if outside is not None:
        signal = np.where(outside, 0, signal)
    noise = rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)
    return np.angle(signal + noise / snr)


def whole_turns(unwrapped, phase, mask):
    turns = (unwrapped - phase)[..., mask] / (2 * np.pi)
    return np.abs(turns - np.rint(turns)).max() * 2 * np.pi


def jumps(phase, mask):
    """Pairs of neighbours inside the mask more than pi apart."""
    count = 0
    for axis in range(3):
        a, b = (slice(None),) * axis + (slice(None, -1),), (slice(None),) * axis + (slice(1, None),)
        count += int(((np.abs(np.diff(phase, axis=axis)) > np.pi) & mask[a] & mask[b]).sum())
    return count


def wrong_voxels(unwrapped, truth, mask):
    """Voxels on another turn than most, relative to the truth (noise counted into the truth)."""
    turns = np.rint((unwrapped - truth)[mask] / (2 * np.pi))
    return int(mask.sum() - np.unique(turns, return_counts=True)[1].max())


# --- Laplacian -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 36, 24), (23, 31, 17), (33, 29, 1), (1, 20, 30)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_laplacian_recovers_the_field_where_it_fills_the_grid(shape, dtype):
    truth, _ = field(shape, steep=0.4)
    everywhere = np.ones(shape, bool)
    out = laplacian(wrap_phase(truth)[None].astype(dtype), everywhere, VOXEL_MM)
    assert out.dtype == dtype
    apart = out[0] - truth
    # Fast sizes put zeros beyond the faces, so the free border is only exact without them.
    smooth = apart - apart.mean()
    exact = all(n == m for n, m in zip(shape, fast_shape(shape), strict=True))
    limit = 2e-3 if exact else 1.5
    assert np.abs(smooth).max() < limit


def test_what_laplacian_unwrapping_adds_is_harmonic_inside(rng):
    """Noise outside the mask must not matter but for a harmonic function."""
    truth, mask = field(steep=0.7)
    noisy = measured(truth, 1e6, rng, outside=~mask)
    out = laplacian(noisy[None], mask, VOXEL_MM)[0]
    added = np.where(mask, out - truth, 0)
    inner = ndimage.binary_erosion(mask)
    curvature = wrapped_laplacian(np.where(mask, wrap_phase(out), 0), VOXEL_MM) - wrapped_laplacian(
        np.where(mask, wrap_phase(truth), 0), VOXEL_MM
    )
    assert np.abs(curvature[inner]).max() < 1e-4
    assert added[mask].std() < 0.5 * truth[mask].std()
    assert (out[~mask] == 0).all()


def test_stencil_is_the_laplacian_of_a_parabola(rng):
    x, y, z = np.meshgrid(
        *(np.arange(n) * h for n, h in zip((12, 10, 8), VOXEL_MM, strict=True)), indexing="ij"
    )
    parabola = 0.03 * x**2 - 0.05 * y**2 + 0.02 * z**2 + 0.4 * x + 0.3 * y
    out = wrapped_laplacian(wrap_phase(parabola), VOXEL_MM)
    np.testing.assert_allclose(out[1:-1, 1:-1, 1:-1], 2 * (0.03 - 0.05 + 0.02), atol=1e-9)


def test_poisson_solver_inverts_the_stencil(rng):
    smooth = ndimage.gaussian_filter(rng.standard_normal((15, 12, 10)), 1.5) * 3
    curvature = wrapped_laplacian(smooth, VOXEL_MM)
    np.testing.assert_allclose(
        solve_poisson(curvature, VOXEL_MM), smooth - smooth.mean(), atol=1e-9
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stencil_is_the_sum_of_wrapped_differences(rng, dtype):
    for shape, grid in (((13, 9, 7), (15, 10, 8)), ((6, 5, 1), (6, 5, 1)), ((1, 1, 4), (1, 1, 4))):
        noise = rng.uniform(-np.pi, np.pi, shape).astype(dtype)
        mask = rng.random(shape) > 0.3
        found = wrapped_laplacian(noise, VOXEL_MM, mask, grid)
        expected = np.zeros(grid)
        expected[tuple(slice(0, n) for n in shape)] = plain.laplacian(noise, VOXEL_MM) * mask
        np.testing.assert_allclose(found, expected, atol=3e-6 if dtype == np.float32 else 1e-13)


def test_laplacian_ignores_whole_turns_and_follows_flips(rng):
    truth, mask = field()
    phase = measured(truth, 20, rng)[None]
    out = laplacian(phase, mask, VOXEL_MM)
    turned = phase + 2 * np.pi * rng.integers(-3, 4, phase.shape)
    np.testing.assert_allclose(laplacian(turned, mask, VOXEL_MM), out, atol=1e-9)
    flipped = laplacian(phase[:, ::-1, :, ::-1], mask[::-1, :, ::-1], VOXEL_MM)
    np.testing.assert_allclose(flipped[:, ::-1, :, ::-1], out, atol=1e-6)
    swapped = laplacian(
        phase.transpose(0, 3, 1, 2), mask.transpose(2, 0, 1), [VOXEL_MM[i] for i in (2, 0, 1)]
    )
    np.testing.assert_allclose(swapped.transpose(0, 2, 3, 1), out, atol=1e-6)


def test_a_constant_only_adds_itself_up_to_whole_turns(rng):
    truth, mask = field()
    phase = measured(truth, 30, rng)[None]
    plain, shifted = (laplacian(p, mask, VOXEL_MM)[0] for p in (phase, wrap_phase(phase + 1)))
    apart = (shifted - plain)[mask]
    assert np.ptp(apart) < 1e-9
    assert wrap_phase(apart.mean() - 1) == pytest.approx(0, abs=1e-9)


def test_laplacian_single_precision_is_near_double(rng):
    truth, mask = field()
    phase = measured(truth, 20, rng)[None].astype(np.float32)
    single, double = (laplacian(phase.astype(t), mask, VOXEL_MM) for t in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, atol=2e-3)


# --- quality-guided --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_steep_field_comes_back_to_the_turn(rng, dtype):
    truth, mask = field(steep=1.2)
    phase = measured(truth, 1e6, rng, outside=~mask)[None].astype(dtype)
    out = quality_guided(phase, mask)
    assert out.dtype == dtype
    assert whole_turns(out, phase, mask) < 2e-5
    apart = (out[0] - truth)[mask]
    assert np.ptp(apart) < 1e-3
    assert (out[:, ~mask] == 0).all()
    assert abs(out[0][mask].mean()) <= np.pi + 1e-3


@pytest.mark.parametrize(("snr", "allowed"), [(20, 0), (8, 0), (4, 3)])
def test_noise_leaves_hardly_a_voxel_a_turn_off(rng, snr, allowed):
    truth, mask = field()
    phase = measured(truth, snr, rng, outside=~mask)[None]
    noisy_truth = truth + wrap_phase(phase[0] - truth)
    out = quality_guided(phase, mask)
    assert wrong_voxels(out[0], noisy_truth, mask) <= allowed


def test_it_is_at_least_as_good_as_an_independent_unwrapper(rng):
    restoration = pytest.importorskip("skimage.restoration")
    truth, mask = field(steep=1.6)
    phase = measured(truth, 4, rng, outside=~mask)
    noisy_truth = truth + wrap_phase(phase - truth)
    theirs = np.ma.filled(restoration.unwrap_phase(np.ma.array(phase, mask=~mask), rng=0), 0)
    ours = quality_guided(phase[None], mask)[0]
    assert wrong_voxels(ours, noisy_truth, mask) <= wrong_voxels(theirs, noisy_truth, mask)


def echoes_with_offset(rng, snr=15):
    """Three echoes of one field, the last far too steep to unwrap in space, and an offset."""
    rate, mask = field(steep=0.8)
    offset = 2.5 * np.linspace(-1, 1, mask.shape[0])[:, None, None] + 1.0
    truth = np.array([offset + rate * t / TIMES_S[0] for t in TIMES_S])
    return measured(truth, snr, rng, outside=~mask), truth, mask


def test_later_echoes_follow_the_field_even_where_it_is_too_steep(rng):
    phase, truth, mask = echoes_with_offset(rng)
    assert jumps(truth[2], mask) > 500
    out = quality_guided(phase, mask, None, TIMES_S, VOXEL_MM)
    assert whole_turns(out, phase, mask) < 1e-9
    for echo in range(3):
        noisy_truth = truth[echo] + wrap_phase(phase[echo] - truth[echo])
        assert wrong_voxels(out[echo], noisy_truth, mask) == 0
    # Echoes are consistent: a straight line over time, but for one constant of the field.
    apart = [np.median((out[e] - truth[e])[mask]) for e in range(3)]
    rate = (apart[1] - apart[0]) / (TIMES_S[1] - TIMES_S[0])
    assert apart[2] == pytest.approx(apart[1] + rate * (TIMES_S[2] - TIMES_S[1]), abs=0.05)


def test_a_strong_uniform_field_does_not_mislead_later_echoes(rng):
    """1.5 turns per first echo time, so more than two turns between the first two echoes."""
    times = (0.004, 0.010, 0.017)
    rate, mask = field(steep=0.5)
    truth = np.array([0.3 + (rate + 3 * np.pi) * t / times[0] for t in times])
    phase = measured(truth, 15, rng, outside=~mask)
    out = quality_guided(phase, mask, None, times, VOXEL_MM)
    for echo in range(3):
        noisy_truth = truth[echo] + wrap_phase(phase[echo] - truth[echo])
        assert wrong_voxels(out[echo], noisy_truth, mask) == 0


def test_magnitudes_may_be_one_or_many_or_hold_zeros(rng):
    phase, _, mask = echoes_with_offset(rng)
    plain = quality_guided(phase, mask, None, TIMES_S, VOXEL_MM)
    magnitude = np.ones_like(phase)
    magnitude[:, 18:21, 18:21, 10:13] = 0
    magnitude[0, 20, 20, 12] = np.nan
    for strength in (magnitude, magnitude[:1]):
        out = quality_guided(phase, mask, strength, TIMES_S, VOXEL_MM)
        np.testing.assert_allclose(out, plain)


def test_echo_time_scale_does_not_matter(rng):
    phase, _, mask = echoes_with_offset(rng)
    a, b = (quality_guided(phase, mask, None, [k * t for t in TIMES_S], VOXEL_MM) for k in (1, 2.5))
    np.testing.assert_array_equal(a, b)


def test_whole_turns_and_flips_and_permutations_do_not_matter(rng):
    truth, mask = field()
    phase = measured(truth, 10, rng, outside=~mask)[None]
    out = quality_guided(phase, mask)
    turned = phase + 2 * np.pi * rng.integers(-2, 3, phase.shape)
    np.testing.assert_allclose(quality_guided(turned, mask), out, atol=1e-9)
    flipped = quality_guided(phase[:, ::-1, :, ::-1], mask[::-1, :, ::-1])
    np.testing.assert_allclose(flipped[:, ::-1, :, ::-1], out, atol=1e-9)
    swapped = quality_guided(phase.transpose(0, 3, 1, 2), mask.transpose(2, 0, 1))
    np.testing.assert_allclose(swapped.transpose(0, 2, 3, 1), out, atol=1e-9)


def test_separate_parts_are_each_unwrapped_and_near_one_another(rng):
    truth, _ = field()
    mask = np.zeros(truth.shape, bool)
    mask[:18], mask[22:] = True, True
    mask[20, 5, 5] = True
    phase = measured(truth, 1e6, rng)[None]
    out = quality_guided(phase, mask)[0]
    parts, count = ndimage.label(mask)
    assert count == 3
    means = [out[parts == n].mean() for n in (1, 2, 3)]
    for n in range(1, count + 1):
        apart = (out - truth)[parts == n]
        assert np.ptp(apart) < 1e-3
        assert abs(means[n - 1] - means[int(np.argmax(np.bincount(parts.ravel())[1:]))]) <= np.pi


@pytest.mark.parametrize("shape", [(24, 20, 1), (1, 19, 23), (5, 1, 1), (2, 2, 2)])
def test_thin_volumes(rng, shape):
    truth, _ = field(shape, steep=0.5)
    mask = np.ones(shape, bool)
    phase = np.stack([wrap_phase(truth * 0.1), wrap_phase(truth * 0.2)])
    out = quality_guided(phase, mask, None, TIMES_S[:2], VOXEL_MM)
    assert whole_turns(out, phase, mask) < 1e-9
    assert laplacian(phase, mask, VOXEL_MM).shape == phase.shape


def test_one_voxel_mask():
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 2, 3] = True
    phase = np.full((1, 4, 4, 4), 2.0)
    for out in (quality_guided(phase, mask), laplacian(phase, mask, VOXEL_MM)):
        assert out[0, 1, 2, 3] == pytest.approx(2.0)
        assert np.count_nonzero(out) == 1


def test_tree_is_that_of_scipy(rng):
    truth, mask = field((20, 18, 14), steep=0.8)
    # Noise enough for many ties of choice.
    phase = measured([truth, 2.2 * truth], 1.5, rng, outside=~mask)
    mask |= rng.random(mask.shape) > 0.7
    weights = edge_weights.edge_weights(phase[0], mask, phase[1], 0.4)
    np.testing.assert_array_equal(weights, plain.edge_weights(phase[0], mask, phase[1], 0.4))
    turns, part = spanning_tree.grow(weights, phase, mask)
    expected, expected_part = plain.grow(weights, phase.astype(np.float32), mask)
    # The parts may be numbered otherwise, and each has one number of turns to itself.
    numbering = np.unique(np.stack([part, expected_part]), axis=1)
    assert numbering.shape[1] == part.max() + 1 == expected_part.max() + 1
    for n in range(part.max() + 1):
        apart = (turns - expected)[:, part == n]
        np.testing.assert_array_equal(apart, np.broadcast_to(apart[:, :1], apart.shape))


def weighted_jumps(phase, weights):
    total = 0.0
    for axis in range(3):
        lower = (slice(None),) * axis + (slice(None, -1),)
        turns = np.abs(np.rint(np.diff(phase, axis=axis) / (2 * np.pi)))
        total += float((turns * weights[axis][lower]).sum())
    return total


def test_correction_repairs_single_voxels_and_never_adds_jumps(rng):
    truth, mask = field(steep=0.6)
    weights = edge_weights.edge_weights(wrap_phase(truth), mask)
    spoilt = np.where(mask, truth, 0)
    inner = np.argwhere(ndimage.binary_erosion(mask, iterations=2))
    for i, j, k in inner[rng.choice(len(inner), 30, replace=False)]:
        spoilt[i, j, k] += 2 * np.pi * rng.choice([-1, 1])
    np.testing.assert_allclose(
        spanning_tree.remove_isolated_jumps(spoilt, mask, weights),
        np.where(mask, truth, 0),
        atol=1e-9,
    )
    noise = np.where(mask, rng.uniform(-9, 9, mask.shape), 0)
    better = spanning_tree.remove_isolated_jumps(noise, mask, weights)
    assert weighted_jumps(better, weights) < weighted_jumps(noise, weights)
    assert whole_turns(better, noise, mask) < 1e-9


# --- both ------------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda p, m, **k: laplacian(p, m, VOXEL_MM, **k), id="laplacian"),
        pytest.param(lambda p, m, **k: quality_guided(p, m, **k), id="quality-guided"),
    ],
)


@BOTH
def test_bad_input_is_refused(run):
    phase, mask = np.zeros((1, 4, 4, 4)), np.ones((4, 4, 4), bool)
    with pytest.raises(QsmError, match="mask is empty"):
        run(phase, ~mask)
    with pytest.raises(GeometryError, match=r"\(1, 4, 4, 4\)"):
        run(phase, mask[:3])
    phase[0, 1, 1, 1] = np.nan
    with pytest.raises(QsmError, match="1 phase voxels inside the mask"):
        run(phase, mask)
    mask[1, 1, 1] = False
    assert np.isfinite(run(phase, mask)).all()
    assert np.isnan(phase[0, 1, 1, 1])


@BOTH
def test_progress_rises_to_the_end_and_may_cancel(run, rng):
    truth, mask = field((20, 20, 20))
    phase = wrap_phase(truth)[None]
    seen = []
    run(phase, mask, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(fraction):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run(phase, mask, progress=stop)


def test_echo_times_are_needed_for_several_echoes():
    with pytest.raises(QsmError, match="2 phase echoes but 0 echo times"):
        quality_guided(np.zeros((2, 3, 3, 3)), np.ones((3, 3, 3), bool))


def test_they_are_registered():
    method = get_method("unwrap", "laplacian")
    assert method.inputs == ("phase", "mask", "voxel_size_mm", "magnitude", "echo_times_s")
    assert "echo_times_s" in get_method("unwrap", "quality-guided").inputs


def real(folder, shared_data):
    nib = pytest.importorskip("nibabel")
    stored = nib.load(shared_data / folder / "Phase.nii").get_fdata(dtype=np.float32)
    stored = stored[..., None] if stored.ndim == 3 else stored
    return np.moveaxis(stored, 3, 0) * np.float32(np.pi / np.abs(stored).max())


def test_real_heavily_wrapped_crop(shared_data):
    restoration = pytest.importorskip("skimage.restoration")
    phase = real("phase-wrapped-crop", shared_data)
    mask = np.ones(phase.shape[1:], bool)
    out = quality_guided(phase, mask)
    assert whole_turns(out, phase, mask) < 1e-5
    assert jumps(phase[0], mask) > 1000
    assert jumps(out[0], mask) <= min(140, jumps(restoration.unwrap_phase(phase[0], rng=0), mask))


def test_real_echoes_at_high_field(shared_data):
    phase = real("gre-multiecho-crop", shared_data)
    mask = np.ones(phase.shape[1:], bool)
    out = quality_guided(phase, mask, None, (0.004, 0.008, 0.012), (0.469, 0.469, 1.0))
    assert whole_turns(out, phase, mask) < 2e-5
    left = [jumps(echo, mask) for echo in out]
    assert left[0] == 0
    assert left[1] <= 1
    # The third echo keeps true jumps beside veins; before there were over 7000.
    assert left[2] < 150
