"""The reconstruction of a session: what is stale, what is needed, and the same arrays as a run."""

from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.errors import Cancelled, FileError, GeometryError, MetadataError, QsmError
from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.recon.stages import STAGES
from napari_qsm.scan import Scan
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import (
    Facts,
    ScanSource,
    check_facts,
    from_ms,
    from_tesla,
    source_of_scan,
)
from napari_qsm.study.stage_task import StageFailed, StageResult
from napari_qsm.volume import Volume

FAST = ["inversion.method=tkd"]


@pytest.fixture(scope="module")
def head():
    return make_head(
        "control",
        shape=(52, 64, 36),
        voxel_size_mm=(3.2, 3.2, 4.0),
        seed=3,
        echo_times_s=(0.008, 0.016),
    )


@pytest.fixture
def recon(head):
    made = Reconstruction()
    made.use_scan(source_of_scan(head.scan, "control"))
    made.use_recipe(with_settings(load_recipe("case-report"), FAST))
    return made


def work(recon, stages=None, **more):
    """Run stages as the window does, but in this thread."""
    stages = recon.stale_stages() if stages is None else stages
    task = recon.task(stages)
    recon.start(stages)

    def took(item):
        (recon.take if isinstance(item, StageResult) else recon.take_prepared)(item)

    try:
        task.run(took, **more)
    except StageFailed as error:
        recon.end(error.stage, str(error))
    except Cancelled:
        recon.end()
    else:
        recon.end()
    return recon


def states(recon):
    return {stage: recon.state(stage) for stage in STAGES}


def assert_equal_results(recon, result):
    made = recon.result()
    assert set(made.arrays) == set(result.arrays)
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], values, err_msg=name)
    return made


@pytest.mark.parametrize("preset", ["case-report", "consensus"])
def test_run_all_gives_the_arrays_of_the_pipeline(head, recon, preset):
    recipe = with_settings(load_recipe(preset), ["inversion.iterations=3"])
    recon.use_recipe(recipe)
    made = assert_equal_results(work(recon), run(recipe, Inputs(scan=head.scan)))
    assert made.provenance["recipe"] == recipe.to_dict()
    assert [s["stage"] for s in made.provenance["stages"]] == list(STAGES)
    assert made.methods


def test_stage_by_stage_and_back_and_forth(head, recon):
    expected = run(recon.recipe(), Inputs(scan=head.scan))
    for stage in STAGES:
        assert recon.needed(stage) == [stage]
        work(recon, [stage])
    assert set(states(recon).values()) == {"done"}
    assert_equal_results(recon, expected)
    recon.set("background", radius_max_mm=8)
    assert recon.stale_stages() == ["background", "inversion", "reference"]
    assert recon.needed("inversion") == ["background", "inversion"]
    recon.set("background", radius_max_mm=12)
    assert recon.stale_stages() == []
    recon.set("background", radius_max_mm=8)
    work(recon)
    other = run(recon.recipe(), Inputs(scan=head.scan))
    assert_equal_results(recon, other)
    assert recon.previous_of("background") is not None
    recon.set("background", radius_max_mm=12.0)
    work(recon)
    assert_equal_results(recon, expected)


def test_what_depends_on_what(recon):
    work(recon)
    recon.choose("reference", "none")
    assert recon.stale_stages() == ["reference"]
    recon.reset("reference")
    recon.choose("unwrap", "quality-guided")
    assert recon.stale_stages() == ["unwrap", "echoes", "background", "inversion", "reference"]
    recon.reset("unwrap")
    recon.set_facts(field_strength_t=1.5)  # the wrapped phase and the mask do not change
    assert recon.stale_stages() == ["echoes", "background", "inversion", "reference"]
    assert recon.is_changed is False
    recon.set("mask", level=0.5)
    assert recon.is_changed
    assert recon.state("mask") == "stale" and recon.state("phase") == "done"


def test_a_method_chosen_again_has_the_settings_of_the_recipe():
    recon = Reconstruction()
    recon.choose("inversion", "tkd")
    recon.choose("inversion", "star")
    assert recon.choices["inversion"].settings["updates"] == 3 and not recon.is_changed


def test_painting_on_the_mask_makes_the_rest_stale(head, recon):
    work(recon)
    mask = recon.arrays()["mask"].copy()
    painted = mask.copy()
    painted[:, :, :6] = False
    removed = int(mask.sum() - painted.sum())
    recon.paint_mask(painted.astype(np.uint8))
    assert recon.state("mask") == "done" and (recon.hand.added, recon.hand.removed) == (0, removed)
    # Laplacian unwrapping works inside the mask.
    assert recon.stale_stages() == ["unwrap", "echoes", "background", "inversion", "reference"]
    recon.paint_mask(mask)  # undone
    assert recon.hand is None and not recon.stale_stages()
    recon.paint_mask(painted)
    work(recon)
    np.testing.assert_array_equal(recon.arrays()["mask"], painted)
    assert not (recon.arrays()["chi_ppm"][:, :, :6]).any()
    result = recon.result()
    assert result.provenance["stages"][1]["edited_by_hand"] == {"added": 0, "removed": removed}
    assert any("edited by hand" in sentence for sentence in result.warnings)
    assert "edited by hand" in result.methods
    # The same from the files that would be written: the mask as it is, without refinement.
    off = [
        "mask.method=given",
        "mask.rim_level=0",
        "mask.quality_threshold=0",
        "mask.closing_mm=0",
        "mask.fill_holes_mm3=0",
    ]
    given = result.volume("mask").with_data(painted.astype(np.uint8))
    again = run(with_settings(recon.recipe(), off), Inputs(scan=head.scan, mask=given))
    np.testing.assert_array_equal(again.arrays["chi_ppm"], result.arrays["chi_ppm"])
    # Only the stage itself replaces a painting.
    recon.set("mask", level=0.6)
    assert "mask" not in recon.stale_stages()
    work(recon, ["mask"])
    assert recon.hand is None
    assert recon.stale_stages() == ["unwrap", "echoes", "background", "inversion", "reference"]


def test_start_anywhere(head, recon):
    first = run(recon.recipe(), Inputs(scan=head.scan))
    for role, stage in (
        ("unwrapped", "unwrap"),
        ("total_field_ppm", "echoes"),
        ("local_field_ppm", "background"),
        ("chi_ppm", "inversion"),
    ):
        recon.set_input(role, first.volume(role))
        assert recon.state(stage) == "given", role
        work(recon)
        inputs = Inputs(scan=head.scan, **{role: first.volume(role)})
        assert_equal_results(recon, run(recon.recipe(), inputs))
    assert recon.state("unwrap") == recon.state("phase") == "not needed"
    recon.clear_input("chi_ppm")
    assert recon.state("unwrap") != "not needed"


def test_start_without_a_scan(head):
    recon = Reconstruction()
    assert "Open a scan" in recon.missing()[0]
    recon.use_recipe(with_settings(load_recipe("case-report"), FAST))
    first = run(recon.recipe(), Inputs(scan=head.scan))
    recon.set_input("unwrapped", first.volume("unwrapped"))
    recon.set_input("mask", first.volume("mask"))
    assert "echo time" in recon.missing()[0]
    recon.set_facts(echo_times_s=head.scan.echo_times_s)
    assert "field strength" in recon.missing()[0]
    recon.set_facts(field_strength_t=3.0)
    assert recon.missing() == []
    work(recon)
    inputs = Inputs(
        unwrapped=first.volume("unwrapped"),
        mask=first.volume("mask"),
        echo_times_s=head.scan.echo_times_s,
        field_strength_t=3.0,
    )
    assert_equal_results(recon, run(recon.recipe(), inputs))


def test_a_given_mask_is_the_recipes_given_method(head, recon):
    recon.set_input("mask", head.mask)
    assert recon.choices["mask"].method.name == "given"
    assert_equal_results(work(recon), run(recon.recipe(), Inputs(scan=head.scan, mask=head.mask)))
    recon.clear_input("mask")
    assert recon.choices["mask"].method.name == "brain"
    small = Volume(np.ones((4, 4, 4), np.uint8), np.eye(4), name="other mask")
    with pytest.raises(GeometryError, match="other mask"):
        recon.set_input("mask", small)
    soft = head.mask.with_data(head.mask.data * np.float32(0.5))
    with pytest.raises(FileError, match="only 0 and 1"):
        recon.set_input("mask", soft)
    assert "mask" not in recon.given


def test_a_mask_given_later_takes_the_place_of_a_painted_one(head, recon):
    work(recon, ["phase", "mask"])
    painted = recon.arrays()["mask"].copy()
    painted[:, :, :10] = False
    recon.paint_mask(painted)
    recon.set_input("mask", head.mask)
    recon.paint_mask(painted)  # what the window tells before each run
    assert recon.hand is None and recon.state("mask") == "stale"
    work(recon, ["mask"])
    expected = run(recon.recipe(), Inputs(scan=head.scan, mask=head.mask)).arrays["mask"]
    np.testing.assert_array_equal(recon.arrays()["mask"], expected)


def test_a_failure_stays_with_its_stage_and_goes_with_its_cause(recon):
    recon.choose("mask", "given")
    work(recon)
    assert recon.state("phase") == "done" and recon.state("mask") == "failed"
    assert "given mask" in recon.failure("mask")
    assert recon.state("unwrap") == "not run"
    recon.choose("mask", "brain")
    assert recon.failure("mask") == "" and recon.state("mask") == "not run"
    work(recon)
    assert not recon.stale_stages()


def test_cancel_leaves_the_last_good_results(recon):
    work(recon)
    before = recon.arrays()["chi_ppm"]
    recon.set("background", radius_max_mm=8)
    seen = []
    work(recon, progress=lambda *told: seen.append(told), cancelled=lambda: len(seen) > 2)
    assert recon.running == () and recon.state("inversion") == "stale"
    np.testing.assert_array_equal(recon.result_of("reference").quantities["chi_ppm"], before)


def test_two_runs_cannot_collide(recon):
    recon.start(["phase"])
    with pytest.raises(QsmError, match="running"):
        recon.task(["mask"])


def test_an_unfinished_reconstruction_is_no_result(recon):
    with pytest.raises(QsmError, match="not finished"):
        recon.result()


def test_recipe_files_are_the_command_lines(tmp_path, recon):
    recon.set("background", radius_max_mm=8)
    path = tmp_path / "mine.yaml"
    path.write_text(recon.recipe().to_yaml(), encoding="utf-8")
    other = Reconstruction()
    other.use_recipe(path)
    assert other.recipe().to_dict() == recon.recipe().to_dict() and not other.is_changed


def test_nothing_clinical_is_assumed(head):
    bare = ScanSource("x", head.scan.phase, head.scan.magnitude, Facts())
    recon = Reconstruction()
    recon.use_scan(bare)
    assert recon.facts == Facts() and recon.missing()
    with pytest.raises(MetadataError, match="echo time"):
        recon.task(["phase"])
    recon.set_facts(echo_times_s=(0.008,), field_strength_t=3.0)
    assert "2 phase images but 1 echo time;" in recon.missing()[0]
    recon.set_facts(echo_times_s=head.scan.echo_times_s)
    scan = bare.make(recon.facts)
    assert isinstance(scan, Scan) and scan.field_strength_t == 3.0


@pytest.mark.parametrize(
    ("text", "times"),
    [("21", (0.021,)), ("4.92, 7.38", (0.00492, 0.00738)), ("5 10", (5e-3, 0.01))],
)
def test_times_are_typed_in_ms(text, times):
    assert from_ms(text) == pytest.approx(times, rel=1e-12)


@pytest.mark.parametrize("text", ["0.021", "2100", "x", "", "5, 5"])
def test_odd_times_are_refused(text):
    with pytest.raises(MetadataError):
        from_ms(text)


def test_field_strengths_are_typed_in_tesla():
    assert from_tesla("3 T") == 3.0 and from_tesla("1,5") == 1.5
    for text in ("3000", "", "three", "0.001"):
        with pytest.raises(MetadataError):
            from_tesla(text)
    with pytest.raises(MetadataError, match="one time"):
        check_facts(Facts((0.005, 0.007), 3.0, True), 1)


def test_values_typed_in_are_used_and_noted(head):
    source = source_of_scan(head.scan, "control")
    scan = source.make(Facts((0.009, 0.018), 1.5))
    assert scan.echo_times_s == (0.009, 0.018) and scan.field_strength_t == 1.5
    notes = " ".join(scan.metadata["Notes"])
    assert "9, 18 ms" in notes and "1.5 T" in notes
    assert source.make(source.recorded) is head.scan


def test_another_scan_lays_results_and_painting_aside(head, recon):
    work(recon, ["phase", "mask"])
    mask = recon.arrays()["mask"].copy()
    mask[:, :, :10] = False
    recon.paint_mask(mask)
    recon.set_input("reference_roi", head.mask)
    first = recon.source
    other = source_of_scan(replace(head.scan, field_strength_t=1.5), "other")
    recon.use_scan(other)
    assert recon.state("mask") == "not run" and recon.hand is None and not recon.given
    assert recon.choices["reference"].method.name == "whole-mask"
    assert recon.facts.field_strength_t == 1.5
    recon.use_scan(first)
    assert recon.state("mask") == "done" and recon.hand is not None
    assert recon.choices["reference"].method.name == "roi"
    np.testing.assert_array_equal(recon.hand.mask, mask)
    recon.use_scan(other)
    recon.forget_others([other])
    recon.use_scan(first)
    assert recon.state("mask") == "not run"


def test_no_scan_instead_of_no_scan_changes_nothing():
    """Maps come and go while one starts from a map; what was given stays."""
    recon = Reconstruction()
    field = Volume(np.zeros((8, 9, 7), np.float32), np.eye(4), unit="ppm", name="field")
    recon.set_input("local_field_ppm", field)
    heard = []
    recon.changed.connect(lambda: heard.append(1))
    recon.use_scan(None)
    assert recon.given == {"local_field_ppm": field} and heard == []
