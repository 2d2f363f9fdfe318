"""Try-outs: the same arrays as a full run, previews close to it, nothing chosen or changed."""

import numpy as np
import pytest

from napari_qsm.errors import Cancelled, MetadataError, RecipeError
from napari_qsm.qc.judge import stage_numbers
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.recon.sweep import Slab, quantities_before, reach_mm, run_sweep, variant_choices

QUICK = ["background.deconvolution=none", "inversion.method=tkd"]
SLAB = Slab(2, 26, 32)


@pytest.fixture(scope="module")
def recipe():
    return with_settings(load_recipe("case-report"), QUICK)


@pytest.fixture(scope="module")
def have(head, recipe):
    return quantities_before(recipe, Inputs(scan=head.scan), "background")


def test_a_try_out_gives_what_a_run_with_these_settings_gives(head, recipe, have):
    before = {k: v.copy() for k, v in have.items() if isinstance(v, np.ndarray)}
    variants = [{"radius_max_mm": 6}, {"radius_max_mm": 15}]
    told = []
    tried = run_sweep(recipe, have, "background", variants, with_chi=True, judge=stage_numbers,
                    progress=told.append)  # fmt: skip
    assert [t.choice.settings["radius_max_mm"] for t in tried] == [6, 15]
    for one, radius in zip(tried, (6, 15), strict=True):
        changed = with_settings(recipe, [f"background.radius_max_mm={radius}"])
        whole = run(changed, Inputs(scan=head.scan)).arrays
        assert set(one.arrays) == {"local_field_ppm", "local_mask", "chi_ppm", "reference_ppm"}
        for name, array in one.arrays.items():
            np.testing.assert_array_equal(array, whole[name])
        kept = whole["local_mask"].sum() / whole["mask"].sum()
        assert one.numbers["mask_share_kept"] == pytest.approx(kept)
        assert not one.preview and one.error == "" and one.seconds > 0
    assert told == sorted(told) and told[-1] == 1
    for name, array in before.items():
        np.testing.assert_array_equal(have[name], array)


@pytest.mark.parametrize("axis", [0, 2])
def test_a_preview_is_close_to_the_whole_and_empty_outside_its_slab(recipe, have, axis):
    slab = Slab(axis, 38, 44) if axis == 0 else SLAB
    [whole] = run_sweep(recipe, have, "background", [{}], with_chi=True)
    [part] = run_sweep(recipe, have, "background", [{}], with_chi=True, slab=slab)
    assert part.preview and part.slab == slab
    index = [slice(None)] * 3
    index[axis] = slice(slab.start, slab.stop)
    index = tuple(index)
    outside = np.ones(whole.arrays["chi_ppm"].shape, bool)
    outside[index] = False
    for name in ("local_field_ppm", "chi_ppm"):
        one, two = part.arrays[name], whole.arrays[name]
        assert one.shape == two.shape and not one[outside].any()
        inside = whole.arrays["local_mask"][index]
        apart = (one[index] - two[index])[inside]
        assert apart.std() < 0.25 * two[index][inside].std(), name
        assert np.corrcoef(one[index][inside], two[index][inside])[0, 1] > 0.97, name
    lost = whole.arrays["local_mask"][index] & ~part.arrays["local_mask"][index]
    assert lost.mean() < 0.01


def test_inputs_are_taken_as_far_as_the_stage_needs(head, recipe):
    told = []
    inputs = Inputs(scan=head.scan)
    variants = [{"method": "laplacian"}, {"method": "quality-guided"}]
    tried = run_sweep(recipe, inputs, "unwrap", variants, judge=stage_numbers, progress=told.append)
    assert [t.choice.method.name for t in tried] == ["laplacian", "quality-guided"]
    assert all(t.numbers["wraps_share"] < 0.001 for t in tried)
    assert told == sorted(told) and told[-1] == 1
    field = run(recipe, inputs).volume("local_field_ppm")
    later = Inputs(local_field_ppm=field)
    [one] = run_sweep(recipe, later, "inversion", [{"threshold": 0.1}], judge=stage_numbers)
    assert one.numbers["residual_relative"] < 1 and "chi_ppm" in one.arrays
    with pytest.raises(MetadataError, match="does not run"):
        run_sweep(recipe, later, "unwrap", [{}])


def test_a_variant_that_fails_says_why_and_the_others_run(recipe, have):
    variants = [{"radius_min_mm": 20, "radius_max_mm": 10}, {}]
    failed, fine = run_sweep(recipe, have, "background", variants, judge=stage_numbers)
    assert failed.error.endswith(".") and failed.arrays == {} and failed.numbers == {}
    assert fine.error == "" and fine.arrays["local_mask"].any()


def test_settings_are_checked_before_any_work(recipe):
    kept = variant_choices(recipe, "background", [{"radius_max_mm": 9}])[0]
    assert kept.settings["deconvolution"] == "none"  # the recipe's own
    assert variant_choices(recipe, "inversion", [kept, {"method": "star"}])[1].method.name == "star"
    for bad in ({"radius_mx_mm": 9}, {"radius_max_mm": -1}, {"method": "nothing"}):
        with pytest.raises(RecipeError):
            run_sweep(recipe, {}, "background", [bad])
    with pytest.raises(MetadataError, match="no stage"):
        run_sweep(recipe, {}, "backgrund", [{}])


@pytest.mark.parametrize(
    ("stage", "slab", "words"),
    [
        ("mask", SLAB, "whole head"),
        ("background", Slab(2, 30, 99), "do not lie"),
        ("background", Slab(3, 0, 1), "do not lie"),
        ("background", Slab(2, 9, 9), "do not lie"),
    ],
)
def test_impossible_slabs_are_refused(recipe, have, stage, slab, words):
    with pytest.raises(MetadataError, match=words):
        run_sweep(recipe, have, stage, [{}], slab=slab)


def test_the_margin_follows_the_largest_ball(recipe):
    small, large = variant_choices(
        recipe, "background", [{"radius_max_mm": 5}, {"radius_max_mm": 25}]
    )
    assert reach_mm([("background", small)]) < reach_mm([("background", large)]) == 50


def test_stopping_stops(recipe, have):
    with pytest.raises(Cancelled):
        run_sweep(recipe, have, "background", [{}, {}], cancelled=lambda: True)
