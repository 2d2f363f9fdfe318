"""The plan of an analysis: every choice that could change a result, in a file, before the results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from napari_qsm.errors import FileError
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.io.text import read_text

Correction = Literal["fdr", "holm", "bonferroni", "none"]
Sides = Literal["averaged", "separate"]
QUESTIONS = ("group", "visits", "posthoc", "correlation", "laterality", "sensitivity")
COVARIATES = ("age", "sex")


@dataclass(frozen=True)
class Plan:
    """What is asked of a cohort, and how.

    Attributes
    ----------
    questions : tuple of str
        Of :data:`QUESTIONS`.
    visits : tuple of str
        In their order; all of the table, in the order of their names, where none are named.
    regions : tuple of str
        The family over which p is corrected; all of the table where none are named.
    reference_group, followed_group : str
        The controls, and those whose visits are compared; told from the table where empty.
    sides : "averaged" or "separate"
        Separate sides make a region of each.
    correction : "fdr", "holm", "bonferroni" or "none"
        Which of them decides whether a region survives; all are written.
    alpha, power : float
        Level of significance, and the power of the smallest change.
    covariates : tuple of str
        Of :data:`COVARIATES`.
    scores, higher_is_better : tuple of str
        Instruments (all of the table where none are named), and those in which more is better.
    rater, reading : str
        Whose readings are analysed, and which of them.
    exclude : dict of str to str
        Participants that are left out, with the reason.
    """

    questions: tuple[str, ...] = QUESTIONS
    visits: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    reference_group: str = ""
    followed_group: str = ""
    sides: Sides = "averaged"
    correction: Correction = "fdr"
    alpha: float = 0.05
    power: float = 0.8
    covariates: tuple[str, ...] = COVARIATES
    scores: tuple[str, ...] = ()
    higher_is_better: tuple[str, ...] = ()
    rater: str = ""
    reading: str = ""
    exclude: Mapping[str, str] = field(default_factory=dict)

    def to_yaml(self) -> str:
        """The plan as a file that :func:`read_plan` takes."""
        said = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return str(yaml.safe_dump(said, sort_keys=False, allow_unicode=True))

    @property
    def sha256(self) -> str:
        """Of the plan's full text, whatever the file left to defaults."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()


def read_plan(path: Path | str | None = None, *, correction: Correction | None = None) -> Plan:
    """The plan in a YAML or JSON file; the defaults for what it does not say.

    Parameters
    ----------
    path : Path or str, optional
        The file.
    correction : str, optional
        In place of the plan's own.

    Raises
    ------
    FileError
        For entries and values that do not exist.
    """
    plan = Plan() if path is None else _read(Path(path))
    return replace(plan, correction=correction) if correction else plan


def _read(path: Path) -> Plan:
    try:
        said = parse_yaml(read_text(path, "plan")) or {}
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}.") from None
    if not isinstance(said, dict):
        raise FileError(f"'{path.name}' is no plan: lines such as 'alpha: 0.05' are needed.")
    return plan_of(said, path.name)


def plan_of(said: Mapping[str, Any], who: str) -> Plan:
    """A plan from plain data; the defaults for what it does not say.

    Raises
    ------
    FileError
        For entries and values that do not exist; ``who`` names the file.
    """
    known = [each.name for each in fields(Plan)]
    for key in said:
        if key not in known:
            raise FileError(f"'{who}': a plan has no '{key}' (it has {', '.join(known)}).")
    return Plan(**{key: _checked(key, value, who) for key, value in said.items()})


#: Entries with a fixed list of what they may hold.
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "questions": QUESTIONS,
    "covariates": COVARIATES,
    "sides": get_args(Sides),
    "correction": get_args(Correction),
}


def _checked(key: str, value: Any, who: str) -> Any:
    default = getattr(Plan(), key)
    if isinstance(default, tuple):
        items = [value] if isinstance(value, str | int) else value
        if value is None:
            return ()
        if not isinstance(items, list) or not all(isinstance(i, str | int) for i in items):
            raise FileError(f"'{who}': '{key}' takes a list of words, not '{value}'.")
        out = tuple(str(item) for item in items)
        _among(key, out, who)
        return out
    if isinstance(default, float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise FileError(f"'{who}': '{key}' takes a number between 0 and 1, not '{value}'.")
        return float(value)
    if isinstance(default, dict):
        if not isinstance(value, dict) or not all(value.values()):
            raise FileError(f"'{who}': '{key}' takes participants, each with a reason.")
        return {str(name): str(why) for name, why in value.items()}
    text = "none" if key == "correction" and value is None else str(value or "")
    _among(key, (text,), who)
    return text


def _among(key: str, words: tuple[str, ...], who: str) -> None:
    choices = _CHOICES.get(key)
    for word in words:
        if choices and word not in choices:
            raise FileError(f"'{who}': '{key}' is one of {', '.join(choices)}, not '{word}'.")
