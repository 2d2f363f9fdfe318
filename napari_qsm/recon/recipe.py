"""Recipes: which method each stage uses, with which settings, as a small YAML or JSON file.

    name: my-recipe
    description: one sentence
    stages:
      unwrap: {method: laplacian}
      background: {method: vsharp, radius_max_mm: 12}

Every stage must be named, so that a file says in full what is done; settings left out take
their defaults.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from napari_qsm.errors import RecipeError
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.recon.stages import CONTRASTS, STAGES, Method, get_method, methods

_TOP_KEYS = ("name", "description", "stages")
#: The recipe that everything begins with.
DEFAULT_PRESET = "case-report"


@dataclass(frozen=True)
class Choice:
    """One stage's method and the settings it runs with, complete with defaults."""

    method: Method
    settings: Mapping[str, Any]


def default_choice(stage: str, method: str) -> Choice:
    """A method with its default settings.

    Raises
    ------
    RecipeError
        If the stage has no such method.
    """
    chosen = get_method(stage, method)
    return Choice(chosen, {name: s.default for name, s in chosen.settings.items()})


def first_choice(stage: str, method: str | None = None) -> Choice:
    """What somebody begins with who picks a stage or a method by itself.

    Bare defaults are a method as its paper has it; what the presets add makes its numbers right
    (without ``updates``, ``star`` loses part of a nucleus's mean).

    Parameters
    ----------
    stage : str
        Which.
    method : str, optional
        One of its methods; that of :data:`DEFAULT_PRESET` unless given.

    Returns
    -------
    Choice
        With the settings of :data:`DEFAULT_PRESET` or, where that has another method, of the first
        preset that has this one; where none has, with the method's defaults, but for settings that it
        shares with the method of :data:`DEFAULT_PRESET` (:func:`exchanged`).

    Raises
    ------
    RecipeError
        If the stage has no such method.
    """
    if method is not None:
        get_method(stage, method)
    for name in (DEFAULT_PRESET, *preset_names()):
        choice = load_recipe(name).choices[stage]
        if method in (None, choice.method.name):
            return choice
    assert method is not None
    return _with_shared(default_choice(stage, method), load_recipe(DEFAULT_PRESET).choices[stage])


def exchanged(choice: Choice, method: str) -> Choice:
    """Another method in the place of a choice: as :func:`first_choice`, with the settings they share.

    A setting is shared if both methods have it by the same name, with the same meaning and default:
    total variation takes over the updates of STAR-QSM; the steps of another kind of solver stay its own.

    Raises
    ------
    RecipeError
        If the stage has no such method.
    """
    return _with_shared(first_choice(choice.method.stage, method), choice)


def _with_shared(found: Choice, other: Choice) -> Choice:
    known, others = found.method.settings, other.method.settings
    shared = {n: v for n, v in other.settings.items() if known.get(n) == others[n]}
    return replace(found, settings={**found.settings, **shared})


@dataclass(frozen=True)
class Recipe:
    """What to run: a name, a sentence, and a choice for every stage in order."""

    name: str
    description: str
    choices: Mapping[str, Choice]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, with every setting written out; :func:`parse_recipe` reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            "stages": {
                stage: {"method": choice.method.name, **choice.settings}
                for stage, choice in self.choices.items()
            },
        }

    def to_yaml(self) -> str:
        """As the text of a recipe file."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


def preset_names() -> list[str]:
    """Names of the recipes that come with the program."""
    folder = resources.files("napari_qsm.recon") / "recipes"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_recipe(name: str | Path) -> Recipe:
    """A preset by its name, or a recipe from a YAML or JSON file.

    Raises
    ------
    RecipeError
        If there is no such preset or file, or the file is not a valid recipe.
    """
    if str(name) in preset_names():
        text = (resources.files("napari_qsm.recon") / "recipes" / f"{name}.yaml").read_text("utf-8")
    else:
        path = Path(name)
        if not path.is_file():
            raise RecipeError(
                f"There is no recipe '{name}'; give a file or one of the presets "
                f"{', '.join(preset_names())}."
            )
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"The recipe '{name}' cannot be read.") from error
    try:
        data = parse_yaml(text)
    except PlainDataError as error:
        raise RecipeError(f"The recipe '{name}' {error}.") from error
    return parse_recipe(data, where=f"The recipe '{name}'")


def parse_recipe(data: Any, *, where: str = "The recipe") -> Recipe:
    """Check plain data and complete it with defaults.

    Raises
    ------
    RecipeError
        Naming the bad key or value and what is allowed.
    """
    if not isinstance(data, Mapping):
        raise RecipeError(f"{where} must be a list of keys: {', '.join(_TOP_KEYS)}.")
    _known(data, _TOP_KEYS, where, "key")
    stages = data.get("stages")
    if not isinstance(stages, Mapping):
        raise RecipeError(f"{where} needs 'stages': {', '.join(STAGES)}.")
    _known(stages, tuple(STAGES), where, "stage")
    missing = [stage for stage in STAGES if stage not in stages]
    if missing:
        raise RecipeError(f"{where} does not say what to do at: {', '.join(missing)}.")
    choices = {stage: _choice(stage, stages[stage], where) for stage in STAGES}
    return Recipe(str(data.get("name", "unnamed")), str(data.get("description", "")), choices)


def recipe_sha256(recipe: Mapping[str, Any]) -> str:
    """Checksum of the methods and settings of a recipe, whatever its name."""
    text = json.dumps(recipe.get("stages"), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def with_settings(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """The recipe changed by ``stage.setting=value`` or ``stage.method=name`` lines.

    A new method takes over the settings that it shares with the one before (:func:`exchanged`);
    methods are changed before settings, whatever the order of the lines.

    Raises
    ------
    RecipeError
        Naming the line and what is allowed.
    """
    data = recipe.to_dict()
    stages = data["stages"]
    split = []
    for line in assignments:
        key, equals, value = line.partition("=")
        stage, dot, setting = key.strip().partition(".")
        if not equals or not dot:
            raise RecipeError(f"'{line}' is not of the form stage.setting=value.")
        _known([stage], tuple(STAGES), f"'{line}'", "stage")
        split.append((stage, setting, value.strip(), line))
    for stage, setting, value, _ in split:
        if setting == "method" and stages[stage]["method"] != value:
            new = exchanged(recipe.choices[stage], value)
            stages[stage] = {"method": value, **new.settings}
    for stage, setting, value, line in split:
        if setting != "method":
            method = get_method(stage, stages[stage]["method"])
            _known([setting], tuple(method.settings), f"'{line}'", f"setting of {method.name}")
            stages[stage][setting] = value
    return parse_recipe(data)


def is_of_contrast(assignment: str) -> bool:
    """Whether a ``name.setting=value`` line sets a map beside chi, not a stage of the recipe."""
    return assignment.partition(".")[0].strip() in methods(CONTRASTS)


def contrast_choices(names: Sequence[str], assignments: Sequence[str] = ()) -> list[Choice]:
    """Maps beside chi that are asked for, and those that they are made of, in order.

    Parameters
    ----------
    names : sequence of str
        ``"swi"``, ``"chi-separation"``, ...; several in one text stand between commas.
    assignments : sequence of str
        ``name.setting=value`` lines.

    Raises
    ------
    RecipeError
        Naming what is unknown, and what there is; or a setting of a map that is not made.
    """
    known = methods(CONTRASTS)
    asked = {name.strip() for text in names for name in text.split(",") if name.strip()}
    _known(sorted(asked), tuple(known), "--also", "map beside chi")
    for method in reversed(list(known.values())):
        if method.name in asked:
            needed = set(method.inputs) - method.optional_inputs
            asked |= {other.name for other in known.values() if needed & set(other.gives)}
    given: dict[str, dict[str, Any]] = {name: {"method": name} for name in known if name in asked}
    for line in assignments:
        key, equals, value = line.partition("=")
        name, _, setting = key.strip().partition(".")
        if not equals or not setting:
            raise RecipeError(f"'{line}' is not of the form name.setting=value.")
        if name not in given:
            raise RecipeError(f"'{line}' sets '{name}', which is not asked for; add --also {name}.")
        given[name][setting] = value.strip()
    return [_choice(CONTRASTS, data, "--also") for data in given.values()]


def _choice(stage: str, data: Any, where: str) -> Choice:
    if isinstance(data, str):
        data = {"method": data}
    if not isinstance(data, Mapping) or "method" not in data:
        raise RecipeError(f"{where} must name a method for '{stage}'.")
    method = get_method(stage, str(data["method"]))
    given = {key: value for key, value in data.items() if key != "method"}
    _known(given, tuple(method.settings), where, f"setting of {stage} method {method.name}")
    settings = {
        name: setting.check(given[name], f"{stage}.{name}") if name in given else setting.default
        for name, setting in method.settings.items()
    }
    return Choice(method, settings)


def _known(keys: Any, allowed: Sequence[str], where: str, what: str) -> None:
    for key in keys:
        if key not in allowed:
            close = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            choices = ", ".join(allowed) if allowed else "none"
            raise RecipeError(f"{where}: '{key}' is no {what}; allowed: {choices}.{hint}")
