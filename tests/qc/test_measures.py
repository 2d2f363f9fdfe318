"""Each number against what is known without it: formulas, counts by hand, made noise."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.qc.field import cone_ratio, count_wraps, residual_field, roughness
from napari_qsm.qc.judge import measure
from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, from_dict, map_checksum
from napari_qsm.recon.pipeline import Result
from napari_qsm.volume import Volume

BOX = np.ones((24, 20, 16), bool)
B0 = (0.0, 0.0, 1.0)


def test_wraps_are_counted_along_each_axis():
    phase = np.zeros((2, 6, 5, 4))
    phase[0, 3:] += 2 * np.pi  # one step for each of 5 x 4 columns, in one of two echoes
    phase[1, :, 2, 1] -= 2 * np.pi  # a line of 6 voxels, two neighbours on two axes
    mask = np.ones((6, 5, 4), bool)
    wraps = count_wraps(phase, mask)
    assert wraps.left == (20, 12, 12)
    pairs = 2 * (5 * 5 * 4 + 6 * 4 * 4 + 6 * 5 * 3)
    assert wraps.share == pytest.approx(44 / pairs)
    mask[3:] = False
    assert count_wraps(phase[0], mask).left == (0, 0, 0)


def test_noise_is_the_standard_deviation_of_white_noise_whatever_smooth_field_lies_below():
    rng = np.random.default_rng(1)
    x, y, z = np.indices((40, 36, 30))
    smooth = 0.002 * x + 1e-4 * (y - 18) ** 2 + 0.01 * z
    noisy = (smooth + rng.normal(0, 0.004, x.shape)).astype(np.float32)
    assert roughness(noisy, np.ones(x.shape, bool)) == pytest.approx(0.004, rel=0.03)
    assert roughness(noisy[:2, :2, :2], np.ones((2, 2, 2), bool)) is None


def analytic_sphere(shape, sizes, radius_mm, chi_ppm):
    """Susceptibility, and its field by the formula of a sphere in a uniform field."""
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(shape, sizes, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    inside = r <= radius_mm
    with np.errstate(divide="ignore", invalid="ignore"):
        field = chi_ppm / 3 * (radius_mm / r) ** 3 * (3 * (z / r) ** 2 - 1)
    field[inside] = 0
    return np.where(inside, chi_ppm, 0).astype(np.float32), field.astype(np.float32), r


def test_the_field_of_a_sphere_leaves_no_residual():
    sizes = (1.0, 1.0, 1.2)
    chi, field, r = analytic_sphere((48, 48, 40), sizes, 8.0, 0.3)
    mask = np.ones(chi.shape, bool)
    residual = residual_field(field, chi, mask, sizes, B0)
    away = (r < 5) | (r > 11)  # the staircase of voxels at the surface is no sphere
    assert np.abs(residual[away]).max() < 0.06 * np.abs(field).max()
    assert abs(residual.mean()) < 1e-6
    flipped = residual_field(field, -chi, mask, sizes, B0)
    assert np.linalg.norm(flipped[away]) > 10 * np.linalg.norm(residual[away])


def test_referencing_does_not_change_the_residual():
    rng = np.random.default_rng(2)
    chi, field = rng.normal(0, 0.05, (2, *BOX.shape)).astype(np.float32)
    one = residual_field(field, chi, BOX, (1, 1, 2), B0)
    two = residual_field(field, chi - np.float32(0.3), BOX, (1, 1, 2), B0, reference_ppm=0.3)
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_streak_ratio_of_noise_is_one_and_rises_where_the_cone_is_amplified():
    from napari_qsm.recon.fourier import dipole_kernel, irfftn, rfftn

    rng = np.random.default_rng(3)
    shape, sizes = (60, 64, 48), (1.0, 1.0, 1.5)
    noise = rng.normal(size=shape).astype(np.float32)
    mask = np.ones(shape, bool)
    assert cone_ratio(noise, mask, sizes, B0) == pytest.approx(1, abs=0.05)
    kernel = dipole_kernel(shape, sizes, B0)
    cut = np.where(np.abs(kernel) < 0.05, 0.05, np.abs(kernel))
    streaky = irfftn(rfftn(noise) / cut, shape)
    assert cone_ratio(streaky, mask, sizes, B0) > 2
    empty = irfftn(rfftn(noise) * (np.abs(kernel) > 0.15), shape)
    assert cone_ratio(empty, mask, sizes, B0) < 0.2
    # The same volume on its side, with the field direction turned along.
    turned = cone_ratio(streaky.transpose(2, 0, 1), mask.transpose(2, 0, 1), (1.5, 1, 1), (1, 0, 0))
    assert turned == pytest.approx(cone_ratio(streaky, mask, sizes, B0), rel=0.05)
    assert cone_ratio(noise, np.zeros(shape, bool), sizes, B0) is None


def test_numbers_of_a_run_agree_with_plain_recomputation(head, sound):
    result, quality = sound
    have, chi = result.arrays, result.arrays["chi_ppm"]
    mask, valid = have["mask"], have["local_mask"]
    voxel_ml = np.prod(result.grid.voxel_size_mm) / 1000
    assert quality["mask_ml"] == pytest.approx(mask.sum() * voxel_ml)
    assert quality["mask_share_kept"] == pytest.approx((mask & valid).sum() / mask.sum())
    assert quality["mask_share_of_volume"] == pytest.approx(mask.mean())
    inside = chi[valid]
    counts = [
        int(((inside >= low) & (inside < high)).sum())
        for low, high in pairwise(HISTOGRAM_EDGES_PPM)
    ]
    assert np.abs(np.array(counts) - quality.histogram).sum() <= 2  # the last edge is closed
    total = sum(quality.histogram) + quality.below_histogram + quality.above_histogram
    assert total == valid.sum()
    low, high = np.quantile(inside.astype(float), [0.158655, 0.841345])
    assert quality["chi_spread_ppm"] == pytest.approx((high - low) / 2, rel=1e-3)
    magnitude = head.scan.magnitude[0].data
    dark = (magnitude[mask] < 0.15 * np.median(magnitude[mask])).mean()
    assert quality["dark_share"] == pytest.approx(dark)
    assert quality.seconds.keys() == {s["stage"] for s in result.provenance["stages"]}
    assert from_dict(json.loads(json.dumps(quality.to_dict()))) == quality
    with pytest.raises(QsmError):
        from_dict({"mask_ml": 3})


def test_sign_numbers_turn_with_the_map_and_know_named_regions(head, sound):
    result, quality = sound
    names = {region.index: region.name for region in head.label_names}
    labels = np.asarray(head.labels.data)
    again = measure(result, labels=labels, label_names=names)
    assert again["iron_contrast_ppm"] > 0.03
    assert quality["iron_contrast_ppm"] is None
    other = Result(
        result.grid, {**result.arrays, "chi_ppm": -result.arrays["chi_ppm"]}, result.provenance
    )
    turned = measure(other, labels=labels, label_names=names)
    assert turned["iron_contrast_ppm"] == pytest.approx(-again["iron_contrast_ppm"])
    assert turned["tail_asymmetry"] == pytest.approx(-again["tail_asymmetry"], abs=1e-6)
    assert turned.chi_sha256 != again.chi_sha256 == map_checksum(result.arrays["chi_ppm"])


def test_a_map_alone_can_be_measured():
    rng = np.random.default_rng(0)
    chi = rng.normal(0, 0.02, BOX.shape).astype(np.float32)
    grid = Volume(chi, np.diag([1, 1, 2, 1.0]), orientation_known=True)
    quality = measure(Result(grid, {"chi_ppm": chi}, {}))
    assert quality["wraps_left"] is None and quality["residual_rms_ppm"] is None
    assert quality["chi_noise_ppm"] == pytest.approx(0.02, rel=0.1)
    with pytest.raises(QsmError, match="no susceptibility"):
        measure(Result(grid, {}, {}))
    with pytest.raises(GeometryError, match="magnitude"):
        measure(Result(grid, {"chi_ppm": chi}, {}), magnitude=chi[1:])


def test_numbers_that_are_missing_are_counted_and_do_no_harm(sound):
    result, quality = sound
    chi = result.arrays["chi_ppm"].copy()
    chi[tuple(np.argwhere(result.arrays["local_mask"])[::5000].T)] = np.nan
    holes = int(np.isnan(chi).sum())
    broken = measure(Result(result.grid, {**result.arrays, "chi_ppm": chi}, result.provenance))
    assert broken["not_finite"] == holes > 0 == quality["not_finite"]
    assert "NaN" not in json.dumps(broken.to_dict())
    assert replace(broken, chi_sha256="") != replace(quality, chi_sha256="")
