"""The pipeline as a whole: what cannot change the map, where it can start, how it stops."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.errors import Cancelled, FileError, GeometryError, MetadataError, QsmError
from napari_qsm.recon.methods_text import methods_text
from napari_qsm.recon.pipeline import Inputs, plan, quantities, run, run_stage
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.recon.stages import STAGES
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume


@pytest.fixture(scope="module")
def recipe():
    return with_settings(load_recipe("case-report"), ["inversion.method=tkd"])


@pytest.fixture(scope="module")
def result(head, recipe):
    return run(recipe, Inputs(scan=head.scan, mask=head.mask))


def rescaled(scan, *, time_factor=1.0, field_factor=1.0):
    """The same head measured with another echo time or field strength, free of noise."""
    return Scan(
        phase=scan.phase,
        magnitude=scan.magnitude,
        echo_times_s=tuple(t * time_factor for t in scan.echo_times_s),
        field_strength_t=scan.field_strength_t * field_factor,
        metadata=scan.metadata,
    )


def test_a_method_set_over_the_recipes_is_recorded_with_the_settings_it_kept(head):
    tv = with_settings(load_recipe("case-report"), ["inversion.method=tv"])
    made = run(tv, Inputs(scan=head.scan, mask=head.mask)).provenance
    (record,) = [stage for stage in made["stages"] if stage["stage"] == "inversion"]
    for settings in (made["recipe"]["stages"]["inversion"], record["settings"]):
        assert (settings["updates"], settings["settle_trend"]) == (3, True)
    assert "estimated the background field anew" in made["methods"]


def test_echo_time_and_field_strength_trade_off_exactly(head, recipe, result):
    """Half the echo time at twice the field gives the same phase, so the same map."""
    scan = rescaled(head.scan, time_factor=0.5, field_factor=2.0)
    again = run(recipe, Inputs(scan=scan, mask=head.mask))
    np.testing.assert_allclose(again.arrays["chi_ppm"], result.arrays["chi_ppm"], atol=1e-6)


@pytest.mark.parametrize("preset", ["case-report", "consensus"])
def test_chi_does_not_depend_on_the_unit_of_time(head, preset):
    """Every step works in ppm: a field twice as strong with the same phase halves chi exactly."""
    recipe = with_settings(load_recipe(preset), ["inversion.method=l2"])
    one = run(recipe, Inputs(scan=head.scan, mask=head.mask)).arrays["chi_ppm"]
    two = run(recipe, Inputs(scan=rescaled(head.scan, field_factor=2), mask=head.mask)).arrays[
        "chi_ppm"
    ]
    np.testing.assert_allclose(two, one / 2, atol=1e-5)


@pytest.mark.parametrize(
    "order",
    [[(0, -1), (1, 1), (2, 1)], [(2, 1), (0, -1), (1, -1)], [(1, 1), (2, -1), (0, 1)]],
)
def test_axis_order_of_the_file_does_not_change_the_map(head, recipe, result, order):
    def turn(volume):
        return volume._reoriented(order)

    scan = replace(
        head.scan,
        phase=tuple(map(turn, head.scan.phase)),
        magnitude=tuple(map(turn, head.scan.magnitude)),
    )
    again = run(recipe, Inputs(scan=scan, mask=turn(head.mask)))
    assert again.grid.orientation == result.grid.orientation
    np.testing.assert_array_equal(again.arrays["chi_ppm"], result.arrays["chi_ppm"])
    # Written back, the map lies in the turned file's own order.
    back = again.volume("chi_ppm").to_stored()
    assert back.orientation == scan.phase[0].orientation
    np.testing.assert_array_equal(back.data, turn(result.volume("chi_ppm")).data)


def test_starting_from_an_intermediate_gives_the_same_map(head, recipe, result):
    for name in ("total_field_ppm", "local_field_ppm"):
        mask = "local_mask" if name == "local_field_ppm" else "mask"
        inputs = Inputs(
            magnitude=head.scan.magnitude,
            mask=result.volume(mask),
            **{name: result.volume(name)},
        )
        again = run(recipe, inputs)
        np.testing.assert_allclose(
            again.arrays["chi_ppm"], result.arrays["chi_ppm"], atol=2e-6, err_msg=name
        )
    inputs = Inputs(
        unwrapped=result.volume("unwrapped"),
        mask=result.volume("mask"),
        magnitude=head.scan.magnitude,
        echo_times_s=head.scan.echo_times_s,
        field_strength_t=head.scan.field_strength_t,
    )
    again = run(recipe, inputs)
    np.testing.assert_allclose(again.arrays["chi_ppm"], result.arrays["chi_ppm"], atol=2e-6)


def test_a_local_field_is_its_own_mask_and_says_so(recipe, result):
    again = run(recipe, Inputs(local_field_ppm=result.volume("local_field_ppm")))
    assert (again.arrays["local_mask"] <= result.arrays["local_mask"]).all()
    assert any("non-zero voxels" in sentence for sentence in again.warnings)


def test_every_intermediate_comes_back_with_provenance(head, result):
    assert set(result.arrays) >= {
        "phase",
        "mask",
        "unwrapped",
        "total_field_ppm",
        "local_field_ppm",
        "local_mask",
        "chi_ppm",
    }
    provenance = json.loads(json.dumps(result.provenance))
    assert [step["stage"] for step in provenance["stages"]] == list(STAGES)
    assert provenance["mask_voxels"]["mask"] == int(result.arrays["mask"].sum())
    values = np.ascontiguousarray(head.scan.phase[0].data).tobytes()
    assert provenance["inputs"][0]["sha256"] == hashlib.sha256(values).hexdigest()
    # A given mask replaces the recipe's method, visibly.
    assert provenance["stages"][1]["method"] == "given"


def test_the_methods_paragraph_names_each_step_and_cites_it(result):
    text = result.methods
    for words in ("Laplacian", "V-SHARP", "10.1002/mrm.23000", "[1]", "mm"):
        assert words in text, text


def test_the_same_settings_give_the_same_numbers(head, recipe, result):
    again = run(recipe, Inputs(scan=head.scan, mask=head.mask))
    for name in ("unwrapped", "local_field_ppm", "chi_ppm"):
        np.testing.assert_array_equal(again.arrays[name], result.arrays[name])


def test_progress_names_the_stages_in_order_and_ends_each(head, recipe):
    told = []
    run(
        recipe,
        Inputs(scan=head.scan, mask=head.mask),
        progress=lambda stage, fraction: told.append((stage, fraction)),
    )
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == list(STAGES)
    for stage in stages:
        fractions = [f for s, f in told if s == stage]
        assert fractions[0] == 0 and fractions[-1] == 1
        assert all(0 <= f <= 1 for f in fractions)


@pytest.mark.parametrize("preset", ["case-report", "consensus"])
def test_a_cancel_is_obeyed_in_whatever_stage_it_falls(multi_echo_head, preset):
    head = multi_echo_head
    recipe = load_recipe(preset)
    stages = []
    for wanted in STAGES:
        asked = {"stop": False}

        def progress(stage, fraction, wanted=wanted, asked=asked):
            asked["stop"] = stage == wanted

        with pytest.raises(Cancelled):
            run(
                recipe,
                Inputs(scan=head.scan, mask=head.mask),
                progress=progress,
                cancelled=lambda asked=asked: asked["stop"],
            )
        stages.append(wanted)
        if wanted == "background":  # the rest would only repeat the minutes before it
            break
    assert stages


def test_plan_leaves_out_what_is_given(head, recipe, result):
    def names(**given):
        return [stage for stage, _ in plan(recipe, Inputs(**given))]

    assert names(scan=head.scan) == list(STAGES)
    field = result.volume("total_field_ppm")
    assert names(total_field_ppm=field) == ["mask", "background", "inversion", "reference"]
    assert names(local_field_ppm=field) == ["inversion", "reference"]
    known = names(local_field_ppm=field, mask=result.volume("mask"))
    assert known == ["mask", "inversion", "reference"]


def test_nothing_to_start_from_is_said(recipe, head):
    with pytest.raises(MetadataError, match="Nothing to reconstruct"):
        run(recipe, Inputs(mask=head.mask))


def test_a_mask_of_another_grid_names_both(recipe, head):
    small = Volume(np.ones((4, 4, 4), np.uint8), np.eye(4), name="other mask")
    with pytest.raises(GeometryError, match="other mask"):
        run(recipe, Inputs(scan=head.scan, mask=small))


def test_a_mask_with_other_values_is_refused(recipe, head):
    mask = head.mask.with_data(head.mask.data.astype(np.float32) * 0.5, name="soft mask")
    with pytest.raises(FileError, match="only 0 and 1"):
        run(recipe, Inputs(scan=head.scan, mask=mask))


def test_a_reference_region_needs_a_recipe_that_uses_it(recipe, head):
    with pytest.raises(MetadataError, match=r"reference\.method=roi"):
        run(recipe, Inputs(scan=head.scan, mask=head.mask, reference_roi=head.mask))
    roi = head.labels.with_data((head.labels.data == 1).astype(np.uint8))
    chosen = with_settings(recipe, ["reference.method=roi"])
    result = run(chosen, Inputs(scan=head.scan, mask=head.mask, reference_roi=roi))
    inside = (head.labels.data == 1) & result.arrays["local_mask"]
    assert abs(result.arrays["chi_ppm"][inside].mean(dtype=np.float64)) < 1e-5


def test_three_magnitude_echoes_give_r2star(multi_echo_head):
    head = multi_echo_head
    recipe = with_settings(load_recipe("consensus"), ["inversion.method=tkd"])
    result = run(recipe, Inputs(scan=head.scan, mask=head.mask))
    nuclei = (head.labels.data > 0) & result.arrays["local_mask"]
    truth = head.r2star.data[nuclei]
    assert np.median(np.abs(result.arrays["r2star_per_s"][nuclei] - truth)) < 5


def test_stages_run_one_by_one_give_the_same_arrays(head, recipe, result):
    inputs = Inputs(scan=head.scan, mask=head.mask)
    have = quantities(inputs, inputs.grid().to_canonical())
    for stage, choice in plan(recipe, inputs):
        before = dict(have)
        outcome = run_stage(stage, choice, have)
        assert set(have) == set(before)
        assert outcome.record["stage"] == stage and outcome.seconds >= 0
        have.update(outcome.quantities)
    for name in result.arrays:
        np.testing.assert_array_equal(have[name], result.arrays[name], err_msg=name)


def test_a_map_is_referenced_anew(head, recipe, result):
    """Starting from the map, with the mean of the mask as reference: what is known is kept."""
    chi = result.volume("chi_ppm")
    inputs = Inputs(chi_ppm=chi, mask=result.volume("local_mask"))
    assert [stage for stage, _ in plan(recipe, inputs)] == ["mask", "reference"]
    inside = result.arrays["local_mask"]
    shifted = chi.with_data(np.where(inside, chi.data + np.float32(0.25), 0).astype(np.float32))
    again = run(recipe, replace(inputs, chi_ppm=shifted))
    np.testing.assert_allclose(again.arrays["chi_ppm"], chi.data, atol=1e-6)
    assert abs(again.arrays["reference_ppm"] - 0.25) < 1e-5
    alone = run(recipe, Inputs(chi_ppm=shifted))
    assert any("susceptibility map" in sentence for sentence in alone.warnings)
    np.testing.assert_array_equal(alone.arrays["local_mask"], shifted.data != 0)


def test_a_field_beside_its_scan_is_used_and_the_scan_makes_the_mask(head, recipe, result):
    inputs = Inputs(scan=head.scan, total_field_ppm=result.volume("total_field_ppm"))
    stages = [stage for stage, _ in plan(recipe, inputs)]
    assert stages == ["phase", "mask", "background", "inversion", "reference"]
    again = run(recipe, replace(inputs, mask=head.mask))
    np.testing.assert_array_equal(again.arrays["chi_ppm"], result.arrays["chi_ppm"])


def test_memory_that_runs_out_is_explained_with_the_size_it_takes(head, recipe):
    def full(*args, **kwargs):
        raise MemoryError

    choice = recipe.choices["inversion"]
    broken = replace(choice, method=replace(choice.method, function=full))
    have = {
        "local_field_ppm": np.zeros((256, 256, 128), np.float32),
        "local_mask": np.ones((256, 256, 128), bool),
        "voxel_size_mm": (1.0, 1.0, 1.0),
        "b0_direction": (0.0, 0.0, 1.0),
    }
    with pytest.raises(QsmError, match=r"about \d+\.\d GiB"):
        run_stage("inversion", broken, have)


def test_a_mask_painted_on_stands_in_the_methods_paragraph(result):
    steps = [dict(step) for step in result.provenance["stages"]]
    steps[1]["edited_by_hand"] = {"added": 12, "removed": 3}
    assert "edited by hand (12 voxels added, 3 removed)" in methods_text({"stages": steps})
