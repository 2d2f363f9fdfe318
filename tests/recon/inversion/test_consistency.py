"""The background taken anew from the total field, against analytic fields and invariances."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import Cancelled, GeometryError, QsmError
from napari_qsm.recon import background, inversion
from napari_qsm.recon.fourier import dipole_kernel, forward_field
from napari_qsm.recon.inversion.consistency import TotalField
from napari_qsm.recon.inversion.problem import prepare
from napari_qsm.recon.inversion.settings import followed
from napari_qsm.recon.inversion.trend import settled
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings

VOXEL = (1.5, 1.5, 2.0)
B0 = tuple(np.array([0.1, -0.2, 1.0]) / np.sqrt(1.05))
SHAPE = (56, 60, 42)


def axes():
    lines = [(np.arange(n) - (n - 1) / 2) * h for n, h in zip(SHAPE, VOXEL, strict=True)]
    return np.meshgrid(*lines, indexing="ij")


def harmonic():
    """A background of the size that is usual in a head, ppm, harmonic by its formula."""
    x, y, z = (a / 40 for a in axes())
    return 0.1 * (x**2 - z**2) + 0.08 * x * y + 0.05 * (2 * z**3 - 3 * z * (x**2 + y**2)) + 0.07 * y


def brain(mask):
    """White matter, and two nuclei as large as a putamen and a head of the caudate."""
    x, y, z = axes()
    chi = np.where(mask, -0.02, 0.0)
    chi[((x - 14) / 7) ** 2 + (y / 14) ** 2 + (z / 9) ** 2 < 1] = 0.08
    chi[((x + 13) / 8) ** 2 + ((y - 4) / 12) ** 2 + (z / 10) ** 2 < 1] = 0.12
    return chi


@pytest.fixture(scope="module")
def head():
    x, y, z = axes()
    mask = (x / 38) ** 2 + (y / 41) ** 2 + (z / 38) ** 2 < 1
    chi = brain(mask)
    noise = 5e-4 * np.random.default_rng(3).standard_normal(SHAPE)
    total = forward_field(chi, VOXEL, B0) + harmonic() + noise
    return chi, total.astype(np.float32), mask


@pytest.fixture(scope="module")
def removed(head):
    _, total, mask = head
    return background.vsharp(total, mask, VOXEL, B0)


def total_field(total, mask, local_mask, local=None):
    local = np.zeros(SHAPE, np.float32) if local is None else local
    problem = prepare(local, local_mask, VOXEL, B0, extent=mask)
    return TotalField(total, mask, problem), problem


def back(problem, values):
    return values[tuple(slice(0, s.stop - s.start) for s in problem.box)]


def test_the_true_map_explains_the_field_and_the_background_is_gone(head):
    chi, _, mask = head
    local_mask = ndimage.binary_erosion(mask, iterations=3)
    # Smooth, so that two grids on which a field is computed give the same one.
    chi = ndimage.gaussian_filter(chi, 1.5) * mask
    tissue = forward_field(chi, VOXEL, B0)
    fields, problem = total_field((tissue + harmonic()).astype(np.float32), mask, local_mask)
    placed = problem.place(chi).astype(np.float32)
    found = back(problem, fields.local_field(placed, 1.0))
    inside = local_mask[problem.box]
    # The inversion's own model of the field: periodic, beyond its margin.
    kernel = dipole_kernel(problem.shape, VOXEL, B0, np.float64)
    model = np.fft.irfftn(np.fft.rfftn(placed) * kernel, problem.shape, axes=(0, 1, 2))
    assert np.abs((found - back(problem, model))[inside]).max() < 0.02 * tissue[local_mask].std()
    assert (found[~inside] == 0).all()


def test_without_a_map_a_field_from_outside_vanishes(head):
    _, _, mask = head
    local_mask = ndimage.binary_erosion(mask, iterations=3)
    fields, problem = total_field(harmonic().astype(np.float32), mask, local_mask)
    found = back(problem, fields.local_field(np.zeros(problem.shape, np.float32), 1.0))
    assert np.abs(found[local_mask[problem.box]]).max() < 1e-3 * harmonic()[mask].std()


def test_sources_outside_the_mask_are_background(head):
    chi, _, mask = head
    local_mask = ndimage.binary_erosion(mask, iterations=3)
    x, y, z = axes()
    outer = chi + np.where((x**2 + (y - 50) ** 2 + z**2 < 30) & ~mask, 9.0, 0)
    fields, problem = total_field(harmonic().astype(np.float32), mask, local_mask)
    with_outer, without = (
        fields.local_field(problem.place(c).astype(np.float32), 1.0) for c in (outer, chi)
    )
    np.testing.assert_array_equal(with_outer, without)


def test_one_broken_voxel_does_not_spread(head):
    _, _, mask = head
    local_mask = ndimage.binary_erosion(mask, iterations=3)
    clean = harmonic().astype(np.float32)
    broken = clean.copy()
    centre = tuple(n // 2 for n in SHAPE)
    broken[centre] += 3.0
    found = []
    for total in (clean, broken):
        fields, problem = total_field(total, mask, local_mask)
        found.append(back(problem, fields.local_field(np.zeros(problem.shape, np.float32), 1e-3)))
    change = np.abs(found[1] - found[0])
    at = tuple(c - s.start for c, s in zip(centre, problem.box, strict=True))
    assert change[at] > 2.9
    change[at] = 0
    assert change.max() < 1e-4


@pytest.mark.parametrize("name", ["star", "tv"])
def test_means_of_large_nuclei_come_closer_to_the_truth(name, head, removed):
    chi, total, mask = head
    local, local_mask = removed
    reference = chi - chi[local_mask].mean()

    def ratio(map_):
        means = [
            (map_[chi == value].mean(), reference[chi == value].mean()) for value in (0.08, 0.12)
        ]
        r, t = np.array(means).T
        return (r @ t) / (t @ t)

    method = getattr(inversion, name)
    without = method(local, local_mask, VOXEL, B0, iterations=40)
    given = {"total_field_ppm": total, "mask": mask}
    updated = method(local, local_mask, VOXEL, B0, **given, iterations=40, updates=4)
    assert abs(ratio(updated) - 1) < 0.6 * abs(ratio(without) - 1)
    error = [(m - reference)[local_mask].std() for m in (without, updated)]
    assert error[1] < error[0]


def test_the_trend_is_settled_at_each_update(head, removed):
    """By the map's own error: at the end alone, flat patches of total variation hide most of it."""
    chi, total, mask = head
    local, local_mask = removed
    reference, r2 = chi - chi[local_mask].mean(), sum(a**2 for a in axes())
    r2 -= r2[local_mask].mean()
    call = {"total_field_ppm": total, "mask": mask, "iterations": 32, "updates": 3}
    left = inversion.tv(local, local_mask, VOXEL, B0, **call)
    maps = (left, settled(left, local_mask, VOXEL))
    maps += (inversion.tv(local, local_mask, VOXEL, B0, **call, settle_trend=True),)
    errors = [(found - reference)[local_mask] for found in maps]
    without, at_the_end, each_time = (abs(e @ r2[local_mask]) for e in errors)
    assert each_time < 0.65 * at_the_end < 0.65 * without
    assert errors[2].std() < 0.95 * errors[1].std()


def test_a_field_without_all_that_the_balls_took_is_not_overshot(head, removed):
    chi, total, mask = head
    reference = chi - chi[removed[1]].mean()
    local, local_mask = background.vsharp(total, mask, VOXEL, B0, deconvolution="none")
    call = {"total_field_ppm": total, "mask": mask, "iterations": 32}
    error = [
        (inversion.tv(field, local_mask, VOXEL, B0, **call, updates=updates) - reference)[
            local_mask
        ]
        for field, updates in ((local, 0), (local, 3), (removed[0], 3))
    ]
    without, found, after_tissue = (e.std() for e in error)
    assert found < 0.9 * without
    assert found < 1.25 * after_tissue


@pytest.mark.parametrize("name", ["star", "tv"])
def test_without_updates_the_total_field_is_not_looked_at(name, head, removed):
    _, total, mask = head
    local, local_mask = removed
    method = getattr(inversion, name)
    plain = method(local, local_mask, VOXEL, B0, iterations=6)
    np.testing.assert_array_equal(
        method(local, local_mask, VOXEL, B0, total_field_ppm=total, mask=mask, iterations=6), plain
    )


def test_a_local_field_alone_is_inverted_as_it_is_and_that_is_said(removed):
    local, local_mask = removed
    said = []
    found = inversion.star(local, local_mask, VOXEL, B0, iterations=12, updates=2, warn=said.append)
    assert len(said) == 1 and "no total field" in said[0]
    np.testing.assert_array_equal(
        found, inversion.star(local, local_mask, VOXEL, B0, iterations=12)
    )


def test_the_pipeline_hands_over_the_total_field_or_says_that_there_is_none(multi_echo_head):
    quick = ["background.deconvolution=none", "inversion.iterations=16", "inversion.updates=1"]
    recipe = with_settings(load_recipe("consensus"), quick)
    whole = run(recipe, Inputs(scan=multi_echo_head.scan))
    assert not any("no total field" in sentence for sentence in whole.warnings)
    later = run(
        recipe,
        Inputs(local_field_ppm=whole.volume("local_field_ppm"), mask=whole.volume("local_mask")),
    )
    assert [s for s in later.warnings if s.startswith("inversion: There is no total field")]
    plain = with_settings(recipe, ["inversion.updates=0"])
    without = run(plain, Inputs(scan=multi_echo_head.scan))
    # The methods paragraph claims it only where it was done.
    said = ["estimated the background field anew" in r.methods for r in (whole, later, without)]
    assert said == [True, False, False]
    assert not np.array_equal(whole.arrays["chi_ppm"], without.arrays["chi_ppm"])


@pytest.mark.parametrize("noise", [0.0, 2e-3, 5e-2])
def test_lambda_follows_the_noise_between_its_bounds(head, noise):
    chi, _, mask = head
    field = forward_field(chi, VOXEL, B0) + noise * np.random.default_rng(1).standard_normal(SHAPE)
    problem = prepare(field.astype(np.float32), mask, VOXEL, B0)
    assert followed(5e-5, problem, False) == 5e-5
    expected = 5e-5 * np.clip(noise / 1e-3, 1, 10)
    assert expected <= followed(5e-5, problem, True) <= 1.25 * expected


def test_odd_input(head, removed):
    _, total, mask = head
    local, local_mask = removed
    call = {"iterations": 16, "updates": 1}
    with pytest.raises(GeometryError, match="total field has shape"):
        inversion.star(local, local_mask, VOXEL, B0, total_field_ppm=total[:-1], mask=mask, **call)
    broken = np.where(mask, np.nan, 0).astype(np.float32)
    with pytest.raises(QsmError, match="not finite anywhere"):
        inversion.star(local, local_mask, VOXEL, B0, total_field_ppm=broken, mask=mask, **call)
    holes = total.copy()
    holes[30, 30, 20] = np.nan
    for small in (mask, local_mask, mask & (axes()[0] > -10)):
        found = inversion.star(
            local, local_mask, VOXEL, B0, total_field_ppm=holes, mask=small, **call
        )
        assert np.isfinite(found).all() and (found[~local_mask] == 0).all()


def test_it_may_be_stopped(head, removed):
    _, total, mask = head
    local, local_mask = removed
    seen = []

    def stop(fraction):
        seen.append(fraction)
        if fraction > 0.7:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        inversion.star(
            local,
            local_mask,
            VOXEL,
            B0,
            total_field_ppm=total,
            mask=mask,
            iterations=32,
            updates=3,
            progress=stop,
        )
    assert seen == sorted(seen)
    # Within an update too, whose ball means take as long as several steps.
    seen.clear()
    calls = {"total_field_ppm": total, "mask": mask, "iterations": 16, "updates": 1}
    inversion.star(local, local_mask, VOXEL, B0, **calls, progress=seen.append)
    assert max(np.unique(seen, return_counts=True)[1]) > 10
