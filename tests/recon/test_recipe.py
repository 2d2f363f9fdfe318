"""Recipes: presets are whole, and every mistake is named with what is allowed."""

import pytest
import yaml

from napari_qsm.errors import RecipeError
from napari_qsm.recon.recipe import (
    default_choice,
    first_choice,
    load_recipe,
    parse_recipe,
    preset_names,
    with_settings,
)
from napari_qsm.recon.stages import STAGES, methods


def test_the_two_presets_are_there_and_name_every_stage():
    assert {"case-report", "consensus"} <= set(preset_names())
    for name in preset_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert list(recipe.choices) == list(STAGES)


def test_the_case_report_preset_is_the_papers_pipeline():
    chosen = {s: c.method.name for s, c in load_recipe("case-report").choices.items()}
    assert chosen["unwrap"] == "laplacian"
    assert chosen["background"] == "vsharp"
    assert chosen["inversion"] == "star"


def test_a_recipe_survives_the_way_to_a_file_and_back(tmp_path):
    recipe = with_settings(load_recipe("case-report"), ["background.radius_max_mm=9"])
    path = tmp_path / "mine.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    again = load_recipe(path)
    assert again.to_dict() == recipe.to_dict()
    assert again.choices["background"].settings["radius_max_mm"] == 9


def test_json_is_read_too(tmp_path):
    import json

    path = tmp_path / "mine.json"
    path.write_text(json.dumps(load_recipe("consensus").to_dict()), encoding="utf-8")
    assert load_recipe(path).to_dict() == load_recipe("consensus").to_dict()


def test_another_method_has_settings_of_its_own():
    recipe = with_settings(
        load_recipe("case-report"), ["inversion.threshold=0.2", "inversion.method=tkd"]
    )
    choice = recipe.choices["inversion"]
    assert choice.method.name == "tkd"
    assert choice.settings["threshold"] == 0.2
    assert set(choice.settings) == set(methods("inversion")["tkd"].settings)


def inversion_set(recipe, *changes):
    return dict(with_settings(load_recipe(recipe), changes).choices["inversion"].settings)


def test_another_method_keeps_what_the_recipe_set_for_the_one_before():
    found = inversion_set("case-report", "inversion.method=tv", "inversion.iterations=40")
    own = {"updates": 3, "follow_noise": True, "settle_trend": True, "iterations": 40}
    assert own.items() <= found.items()
    mine = load_recipe("consensus").to_dict()
    mine["stages"]["inversion"].update(updates=5, lambda_ppm=1e-4, threshold_ppm=0.3)
    found = with_settings(parse_recipe(mine), ["inversion.method=two-pass"]).choices["inversion"]
    assert (found.settings["updates"], found.settings["lambda_ppm"]) == (5, 1e-4)
    assert "threshold_ppm" not in found.settings


def test_the_steps_of_another_kind_of_solver_stay_its_own():
    for name in ("ndi", "rts", "tgv", "weak-harmonic", "ilsqr"):
        found = inversion_set("case-report", f"inversion.method={name}")
        assert found["iterations"] == methods("inversion")[name].settings["iterations"].default
    # A preset has it, and what that sets is not in the recipe's own method.
    assert inversion_set("lbv-weak-harmonic", "inversion.method=star")["updates"] == 3


def edited(change):
    data = load_recipe("case-report").to_dict()
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["stages"].pop("unwrap"), ["unwrap"]),
        (lambda d: d["stages"].update(unwarp={"method": "laplacian"}), ["unwarp", "unwrap"]),
        (lambda d: d.update(author="me"), ["author", "description"]),
        (lambda d: d["stages"]["unwrap"].update(method="laplace"), ["laplace", "quality-guided"]),
        (lambda d: d["stages"]["background"].update(radius=3), ["radius", "radius_max_mm"]),
        (
            lambda d: d["stages"]["background"].update(radius_max_mm="wide"),
            ["background.radius_max_mm", "wide", "mm"],
        ),
        (
            lambda d: d["stages"]["background"].update(radius_max_mm=-1),
            ["background.radius_max_mm", "-1", "from"],
        ),
        (lambda d: d.update(stages=[1, 2]), ["stages"]),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(change, words):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(edited(change))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("line", ["background", "background.radius_max_mm", "nonsense.x=1"])
def test_a_set_line_of_the_wrong_form_is_refused(line):
    with pytest.raises(RecipeError, match=line.partition("=")[0].partition(".")[0]):
        with_settings(load_recipe("case-report"), [line])


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"case-report, consensus"):
        load_recipe(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("stages: [", encoding="utf-8")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(broken)
    broken.write_text("just words", encoding="utf-8")
    with pytest.raises(RecipeError, match="list of keys"):
        load_recipe(broken)


def test_every_method_documents_itself():
    for stage in STAGES:
        for method in methods(stage).values():
            assert method.summary, f"{stage}.{method.name} has no docstring"
            assert method.title
            for setting in method.settings.values():
                assert setting.param.help, f"{stage}.{method.name}.{setting.name}"
                # A default must pass its own check.
                assert setting.check(setting.default, setting.name) == setting.default


def test_yaml_of_presets_is_plain():
    for name in preset_names():
        assert yaml.safe_load(load_recipe(name).to_yaml())["name"] == name


def test_a_method_picked_by_itself_begins_as_a_preset_has_it():
    for stage, choice in load_recipe("case-report").choices.items():
        assert first_choice(stage) == first_choice(stage, choice.method.name) == choice
    weighted = load_recipe("consensus").choices["echoes"]
    assert first_choice("echoes", "weighted") == weighted  # of the first preset that has it
    assert first_choice("inversion", "tkd") == default_choice("inversion", "tkd")  # of none
    with pytest.raises(RecipeError, match="stars"):
        first_choice("inversion", "stars")
