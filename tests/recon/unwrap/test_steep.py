"""Places where the true phase changes by more than half a turn between neighbours."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.recon.phase import wrap_phase
from napari_qsm.recon.stages import get_method
from napari_qsm.recon.unwrap import laplacian, quality_guided
from napari_qsm.recon.unwrap.extrapolation import extrapolated

VOXEL_MM = (1.0, 1.0, 2.5)


@pytest.fixture(scope="module")
def rim():
    """Phase of a dipole below a mask whose lowest thick slices hang on the rest by one step, rad."""
    shape = (36, 36, 20)
    x, y, z = ((np.arange(n) - n / 2) * h for n, h in zip(shape, VOXEL_MM, strict=True))
    x, y, z = np.meshgrid(x, y, z, indexing="ij")
    mask = (x / 15) ** 2 + (y / 15) ** 2 + (z / 22) ** 2 < 1
    mask &= (z > -14) | (np.maximum(np.abs(x - 5), np.abs(y)) < 4)
    r2 = (x - 5) ** 2 + y**2 + (z + 38) ** 2
    phase = 36000 * (3 * (z + 38) ** 2 - r2) / r2**2.5
    return phase + 0.05 * np.random.default_rng(3).standard_normal(shape), mask


def wrong(unwrapped, phase, mask):
    turns = np.rint((unwrapped - phase)[mask] / (2 * np.pi))
    return int(np.count_nonzero(turns - np.median(turns)))


def test_the_case_has_steps_beyond_half_a_turn_and_single_steps_get_them_wrong(rim):
    phase, mask = rim
    step = np.abs(np.diff(phase, axis=2))[mask[..., 1:] & mask[..., :-1]]
    assert (step > np.pi).sum() > 20
    plain = quality_guided(wrap_phase(phase)[None], mask, voxel_size_mm=VOXEL_MM, correct=False)
    assert wrong(plain[0], phase, mask) > 20


@pytest.mark.parametrize("method", [quality_guided, laplacian])
def test_steep_rims_come_back_to_the_turn(rim, method):
    phase, mask = rim
    options = {} if method is quality_guided else {"exact": True}
    wrapped = wrap_phase(phase)[None]
    out = method(wrapped, mask, voxel_size_mm=VOXEL_MM, **options)
    turns = (out - wrapped)[0][mask] / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() < 1e-6
    assert wrong(out[0], phase, mask) == 0


def test_a_smooth_phase_and_one_of_noise_are_left_as_they_are(rim):
    phase, mask = rim
    smooth = ndimage.gaussian_filter(phase, 3)
    assert np.array_equal(extrapolated(smooth, mask, VOXEL_MM), smooth)
    noise = np.random.default_rng(0).uniform(-np.pi, np.pi, phase.shape)
    assert np.array_equal(extrapolated(noise, mask, VOXEL_MM), noise)


def test_flips_do_not_matter_and_the_input_stays(rim):
    phase, mask = rim
    wrapped = wrap_phase(phase).astype(np.float32)
    before = wrapped.copy()
    there = extrapolated(wrapped, mask, VOXEL_MM)
    back = extrapolated(wrapped[::-1, :, ::-1], mask[::-1, :, ::-1], VOXEL_MM)[::-1, :, ::-1]
    assert np.abs(there - back).max() < 1e-5
    assert np.array_equal(wrapped, before)


def test_later_echoes_of_exact_laplacian_follow_the_field(rim):
    phase, mask = rim
    times = (0.004, 0.010, 0.016)
    phases = np.stack([phase * t / times[0] / 4 for t in times])
    out = laplacian(wrap_phase(phases), mask, VOXEL_MM, None, times, exact=True)
    assert [wrong(o, p, mask) for o, p in zip(out, phases, strict=True)] == [0, 0, 0]


def test_what_is_ours_is_said():
    method = get_method("unwrap", "laplacian")
    assert "exact to whole turns" in method.beyond({"exact": True}, [])
    assert method.beyond({"exact": False}, []) == ""
