"""Chi-separation against signals of random spheres whose susceptibilities are known."""

import numpy as np
import pytest

from napari_qsm.errors import MetadataError
from napari_qsm.recon.contrasts import chi_separation, r2star

B0_T = 3.0
#: rad/s that 1 ppm makes at 3 T.
RAD_PER_PPM = 2 * np.pi * 42.577478518 * B0_T
#: Static dephasing by few small spheres (Yablonskiy and Haacke 1994): R2' of 1 ppm, 1/s.
STATIC = 2 * np.pi / (9 * np.sqrt(3)) * RAD_PER_PPM
TIMES = np.array([0.004, 0.008, 0.012, 0.016, 0.020, 0.024])


def frequencies(rng, chi_ppm, *, samples=6000, spheres=300, fraction=2e-4):
    """Of protons among random spheres of that mean susceptibility, rad/s, about the mean of a ball.

    Each proton sits in the middle of a ball of its own with spheres at random places; each sphere
    is a point dipole outside of itself. What lies inside a sphere is left out.
    """
    radius = (fraction / spheres) ** (1 / 3)
    distance = rng.random((samples, spheres)) ** (1 / 3)
    cosine = rng.uniform(-1, 1, (samples, spheres))
    shift = chi_ppm / fraction / 3 * (radius / distance) ** 3 * (3 * cosine**2 - 1)
    return np.where((distance > radius).all(axis=1), RAD_PER_PPM * shift.sum(axis=1), np.nan)


def signal_of(seed, positive_ppm, negative_ppm, r2):
    """Magnitudes (echo, 1, 1, 1) of protons among spheres of both kinds."""
    rng = np.random.default_rng(seed)
    w = frequencies(rng, positive_ppm) + frequencies(rng, negative_ppm)
    w = w[np.isfinite(w)]
    gone = [abs(np.mean(np.exp(1j * w * t))) * np.exp(-r2 * t) for t in TIMES]
    return np.array(gone, np.float32).reshape(-1, 1, 1, 1)


def test_spheres_of_both_signs_are_told_apart_by_their_decay():
    truth = [(0.10, -0.02), (0.05, -0.05), (0.02, -0.09)]
    signal = np.concatenate(
        [signal_of(n, up, down, 15.0) for n, (up, down) in enumerate(truth)], axis=1
    )
    here = np.ones(signal.shape[1:], bool)
    rate, _ = r2star(signal, TIMES, here, 2, noise=1e-6)
    expected = [15 + STATIC * (up - down) for up, down in truth]
    np.testing.assert_allclose(rate.ravel(), expected, rtol=0.06)
    # The phase of the mean field is that of the bulk; so chi is what the map would hold.
    chi = np.array([up + down for up, down in truth], np.float32).reshape(here.shape)
    found = chi_separation(
        chi, here, rate, B0_T, r2=15.0, constant_positive=STATIC, constant_negative=STATIC
    )
    np.testing.assert_allclose(found[0].ravel(), [up for up, _ in truth], atol=0.006)
    np.testing.assert_allclose(found[1].ravel(), [down for _, down in truth], atol=0.006)


@pytest.mark.parametrize("b0", [1.5, 3.0, 7.0])
def test_what_goes_in_comes_out_with_unequal_constants_at_any_field(b0):
    rng = np.random.default_rng(2)
    up = rng.uniform(0, 0.2, (6, 5, 4)).astype(np.float32)
    down = -rng.uniform(0, 0.1, up.shape).astype(np.float32)
    r2 = rng.uniform(8, 25, up.shape).astype(np.float32)
    rate = r2 + b0 / 3 * (140 * up - 90 * down)
    found = chi_separation(
        up + down, up >= 0, rate, b0, r2, constant_positive=140.0, constant_negative=90.0
    )
    np.testing.assert_allclose(found[0], up, atol=1e-5)
    np.testing.assert_allclose(found[1], down, atol=1e-5)


def test_the_two_maps_always_add_up_to_chi_and_keep_their_signs():
    rng = np.random.default_rng(4)
    chi = rng.normal(0, 0.1, (10, 10, 10)).astype(np.float32)
    rate = rng.uniform(0, 60, chi.shape).astype(np.float32)
    mask = rng.random(chi.shape) > 0.2
    said = []
    up, down = chi_separation(chi, mask, rate, 3.0, r2=15.0, warn=said.append)
    np.testing.assert_allclose(up + down, np.where(mask, chi, 0), atol=1e-6)
    assert (up >= 0).all() and (down <= 0).all() and not up[~mask].any() and not down[~mask].any()
    # Where R2' is not enough for chi, chi itself is the one source there.
    few = mask & (rate <= 15)
    np.testing.assert_allclose(up[few], np.maximum(chi, 0)[few], atol=1e-6)
    one = ((up[mask] == 0) | (down[mask] > -1e-7)).mean()
    assert f"in {one:.0%} of the voxels" in said[-1]


def test_r2_is_never_assumed_and_what_is_assumed_is_said():
    chi, here = np.full((2, 2, 2), 0.1, np.float32), np.ones((2, 2, 2), bool)
    rate = np.full((2, 2, 2), 30.0, np.float32)
    with pytest.raises(MetadataError, match="The program assumes none"):
        chi_separation(chi, here, rate, 3.0)
    said = []
    chi_separation(chi, here, rate, 1.5, r2=12.0, warn=said.append)
    text = " ".join(said)
    assert "12/s in every voxel" in text and "68.5/s" in text and "1.5 T, scaled from 3 T" in text
    assert "simulated signals only" in text
    said.clear()
    r2 = np.full(chi.shape, 12.0, np.float32)
    r2[0, 0, 0] = np.nan
    up, _ = chi_separation(chi, here, rate, 1.5, r2, warn=said.append)
    assert up[0, 0, 0] == 0 and up[1, 1, 1] > 0 and np.isfinite(up).all()
    assert "R2 is not known" in said[0] and "R2 is the map given" in said[1]
