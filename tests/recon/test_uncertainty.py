"""Noise of a map, and of means over regions: against theory, and against many noisy fields."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import QsmError
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.recon.uncertainty import NO_NOISE, uncertainty_of

SHAPE, SIDES, B0 = (36, 40, 32), (1.5, 1.5, 2.0), (0.0, 0.0, 1.0)
NOISE_PPM = 0.004


def ball(radius_mm, at=(0.0, 0.0, 0.0)):
    places = [
        (np.arange(n) - n / 2) * size - c for n, size, c in zip(SHAPE, SIDES, at, strict=True)
    ]
    x, y, z = np.meshgrid(*places, indexing="ij")
    return x * x + y * y + z * z <= radius_mm**2


@pytest.fixture(scope="module")
def known():
    """A field of noise whose size is known: twice as large on the left as on the right."""
    mask = ball(26)
    relative = np.where(np.arange(SHAPE[0]) < SHAPE[0] // 2, 2.0, 1.0)[:, None, None] * np.ones(
        SHAPE
    )
    rng = np.random.default_rng(5)
    field = (NOISE_PPM * relative * rng.standard_normal(SHAPE)).astype(np.float32)
    return {
        "voxel_size_mm": SIDES,
        "b0_direction": B0,
        "mask": mask,
        "local_mask": mask,
        "total_field_ppm": np.where(mask, field, 0),
        "noise_ppm": (7 * relative).astype(np.float32),  # known up to a factor only
        "magnitude": None,
    }, relative


def smoothing(voxels):
    """A reconstruction whose answer to noise is known: the field, or its mean over a box."""

    def run_stage(stage, have):
        if stage == "background":
            return {"local_field_ppm": have["total_field_ppm"], "local_mask": have["mask"]}
        field = have["local_field_ppm"]
        return {"chi_ppm": ndimage.uniform_filter(field, voxels)} if stage == "inversion" else {}

    return run_stage


def finished(have, run_stage):
    have = dict(have)
    for stage in ("background", "inversion", "reference"):
        have.update(run_stage(stage, have))
    return have


@pytest.mark.parametrize("voxels", [1, 3])
def test_noise_and_that_of_means_are_those_of_theory(known, voxels):
    have, relative = known
    run_stage = smoothing(voxels)
    found = uncertainty_of(finished(have, run_stage), run_stage, repeats=4)
    expected = NOISE_PPM * relative / np.sqrt(voxels**3)
    for inside in (ball(7, (-14, 0, 0)), ball(7, (14, 0, 0))):
        assert np.median(found.noise_ppm[inside]) == pytest.approx(
            np.median(expected[inside]), rel=0.12
        )
    assert not found.noise_ppm[~have["mask"]].any()
    assert found.record["field_noise_ppm"] == pytest.approx(
        NOISE_PPM * np.median(relative[have["mask"]]), rel=0.1
    )
    # A mean over a box of n voxels and over a ball of m: with large m as of m independent voxels.
    volumes, parts = np.array(found.record["volumes_mm3"]), np.array(found.record["parts"])
    voxel = np.prod(SIDES)
    assert parts[0] == 1 and volumes[0] == voxel and (np.diff(parts) < 0).all()
    of_independent = np.sqrt(voxel / volumes[-2:]) * np.sqrt(voxels**3)
    np.testing.assert_allclose(parts[-2:], of_independent, rtol=0.3)


def test_it_is_the_same_each_time_and_leaves_what_it_is_given(known):
    have, _ = known
    run_stage = smoothing(1)
    done = finished(have, run_stage)
    before = {name: value.copy() for name, value in done.items() if isinstance(value, np.ndarray)}
    first, second = (uncertainty_of(done, run_stage, repeats=2) for _ in range(2))
    np.testing.assert_array_equal(first.noise_ppm, second.noise_ppm)
    assert first.record == second.record
    for name, value in before.items():
        np.testing.assert_array_equal(done[name], value)


def test_magnitudes_tell_the_noise_where_no_map_of_it_is_given(known):
    have, relative = known
    run_stage = smoothing(1)
    done = finished(have | {"noise_ppm": None, "magnitude": (50 / relative)[None]}, run_stage)
    found = uncertainty_of(done, run_stage, repeats=4)
    assert found.record["field_noise_ppm"] == pytest.approx(
        NOISE_PPM * np.median(relative[have["mask"]]), rel=0.1
    )


def test_what_cannot_be_known_is_refused_or_left_out(known):
    have, _ = known
    run_stage = smoothing(1)
    done = finished(have, run_stage)
    assert uncertainty_of({**done, "noise_ppm": None}, run_stage) is None
    with pytest.raises(QsmError, match="from 2 to 20"):
        uncertainty_of(done, run_stage, repeats=1)
    thin = np.zeros(SHAPE, bool)
    thin[9:13, 9:13, 9:13] = True
    with pytest.raises(QsmError, match="five voxels in a row"):
        uncertainty_of({**done, "mask": thin, "local_mask": thin}, run_stage)
    fields = ("total_field_ppm", "local_field_ppm")
    given = {name: value for name, value in done.items() if name not in fields}
    with pytest.raises(QsmError, match="start from a field"):
        uncertainty_of(given, run_stage)


@pytest.fixture(scope="module")
def whole():
    """A total field of known noise, magnitudes, and a quick recipe for it."""
    from napari_qsm.recon.fourier import forward_field
    from napari_qsm.recon.pipeline import Inputs
    from napari_qsm.volume import Volume

    mask = ball(26)
    chi = 0.1 * ball(6, (-9, 0, 0)) + 0.05 * ball(8, (10, 4, 3))
    clean = forward_field(chi.astype(np.float32), SIDES, B0)
    affine = np.diag([*SIDES, 1.0])

    def volume(data, unit=""):
        return Volume(data.astype(np.float32), affine, unit=unit)

    def inputs(seed, magnitude=True):
        noise = NOISE_PPM * np.random.default_rng(seed).standard_normal(SHAPE)
        return Inputs(
            total_field_ppm=volume(clean + noise, "ppm"),
            mask=volume(mask),
            magnitude=(volume(100 * mask + 1.0),) if magnitude else (),
        )

    settings = ["background.deconvolution=none", "inversion.method=tkd"]
    return inputs, with_settings(load_recipe("consensus"), settings)


def test_standard_errors_are_those_of_many_noisy_scans(whole):
    from napari_qsm.recon.pipeline import run

    inputs, recipe = whole
    result = run(recipe, inputs(0), uncertainty=4)
    maps = np.stack([run(recipe, inputs(seed)).arrays["chi_ppm"] for seed in range(1, 25)])
    inside, noise = result.arrays["local_mask"], result.arrays["chi_noise_ppm"]
    truth = np.sqrt(np.mean(maps.var(axis=0, ddof=1)[inside]))
    assert np.sqrt(np.mean(noise[inside] ** 2)) == pytest.approx(truth, rel=0.1)
    record = result.provenance["uncertainty"]
    means = []
    for at in ((0, 0, 0), (9, 9, 0), (-9, 0, 0), (0, -9, 6), (0, 6, -8)):
        region = ball(5, at)
        volume = region.sum() * np.prod(SIDES)
        part = np.interp(np.log(volume), np.log(record["volumes_mm3"]), record["parts"])
        predicted = part * np.sqrt(np.mean(noise[region] ** 2))
        means.append(predicted / maps[:, region].mean(axis=1).std(ddof=1))
    assert np.mean(means) == pytest.approx(1, abs=0.2)
    assert "standard errors" in result.methods
    assert record["field_noise_ppm"] == pytest.approx(NOISE_PPM, rel=0.1)


def test_without_magnitudes_the_map_is_made_and_one_sentence_says_what_lacks(whole):
    from napari_qsm.recon.pipeline import run

    inputs, recipe = whole
    result = run(recipe, inputs(0, magnitude=False), uncertainty=2)
    assert "chi_noise_ppm" not in result.arrays and NO_NOISE in result.warnings
    assert "uncertainty" not in result.provenance and "standard errors" not in result.methods
