"""The protocol of a study: everything that was decided before anybody read, in ``study.yaml``.

::

    name: Iron in restless legs
    regions:
      - {name: Caudate, sides: [left, right], kind: circle, size_mm: 6, slices: 3}
    unit: ppb
    recipe: case-report
    placement: carried          # independent, suggested or carried
    window_ppb: [-100, 200]     # the same for every scan that is read
    show_values_after_submit: false
    analysis: {correction: fdr}

A region without a shape is painted by hand where it says so, ``{name: Putamen, sides: [left, right],
method: painted}``; ``method: painted`` for all of the file says so of every region without a shape.

It is frozen, by a checksum of all that it says, when the first reading is made. A change after
that is refused until it is stated with a reason (:func:`amend`); what was frozen before is kept
in ``reading/``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.io.text import read_text
from napari_qsm.recon.recipe import Recipe, load_recipe, parse_recipe, preset_names
from napari_qsm.rois.guided import Step, guided_presets, guided_text
from napari_qsm.study.painted import PaintedStep, all_steps, with_methods
from napari_qsm.study.plan import Plan, plan_of
from napari_qsm.study.reading_log import write_event
from napari_qsm.units import SusceptibilityUnit

PROTOCOL_FILE = "study.yaml"
DEFAULT_RECIPE = "case-report"
Placement = Literal["independent", "suggested", "carried"]

#: Divides what people may edit from what the program notes below it.
_MARK = "# Noted by napari-qsm; not to be edited:"
_NOTED = frozenset(["frozen", "amendments"])


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Frozen(_Part):
    """When a protocol was frozen, and the checksum of what it then said."""

    sha256: str
    at: datetime


class Amendment(_Part):
    """A change of a frozen protocol.

    Attributes
    ----------
    at : datetime
    reason : str
        In the words of whoever made it.
    changed : tuple of str
        Entries that differ.
    was, sha256 : str
        Checksums before and after.
    """

    at: datetime
    reason: str = Field(min_length=1)
    changed: tuple[str, ...]
    was: str
    sha256: str


class Protocol(_Part):
    """What a study does, the same for every scan and rater.

    Attributes
    ----------
    name, note : str
        For people.
    regions : tuple of dict
        As in :mod:`napari_qsm.rois.guided`: name, sides, kind, size in mm, slices, plane, turn; or
        name, sides and ``method: painted``.
    unit : {"ppb", "ppm"}
        In which values are shown; tables of a study are in ppb.
    recipe : str or dict
        A preset's name, or a recipe in full.
    reference : str
        What counts as zero, as maps record it; that of the recipe unless given.
    placement : {"independent", "suggested", "carried"}
        Whether a rater begins with nothing, with places from an atlas, or with the shapes of the
        person's first visit.
    window_ppb : (low, high)
        Grey window of every map that is read.
    show_values_after_submit : bool
        Whether a rater sees the numbers of a reading that is handed in.
    raters : dict of str to str
        Label of each rater, with training and experience for the methods section.
    analysis : dict
        The plan of the analysis, see :class:`napari_qsm.study.plan.Plan`.
    frozen : Frozen or None
    amendments : tuple of Amendment
    """

    name: str = Field(min_length=1)
    note: str = ""
    regions: tuple[dict[str, Any], ...] = Field(min_length=1)
    unit: SusceptibilityUnit = "ppb"
    recipe: str | dict[str, Any] = DEFAULT_RECIPE
    reference: str = ""
    placement: Placement = "independent"
    window_ppb: tuple[float, float] = (-100.0, 200.0)
    show_values_after_submit: bool = False
    raters: dict[str, str] = Field(default_factory=dict)
    analysis: dict[str, Any] = Field(default_factory=dict)
    frozen: Frozen | None = None
    amendments: tuple[Amendment, ...] = ()

    @field_validator("window_ppb")
    @classmethod
    def _ascending(cls, window: tuple[float, float]) -> tuple[float, float]:
        if not window[0] < window[1]:
            raise ValueError("the lower end must come first")
        return window

    @model_validator(mode="after")
    def _possible(self) -> Protocol:
        self.all_steps()
        self.chosen_recipe()
        self.plan()
        return self

    def all_steps(self) -> tuple[Step | PaintedStep, ...]:
        """What is placed or painted in every scan, in order."""
        return all_steps(self.regions, PROTOCOL_FILE)

    def steps(self) -> tuple[Step, ...]:
        """What is placed in every scan, in order."""
        return tuple(step for step in self.all_steps() if isinstance(step, Step))

    def painted(self) -> tuple[PaintedStep, ...]:
        """What is painted in every scan, in order."""
        return tuple(step for step in self.all_steps() if isinstance(step, PaintedStep))

    def chosen_recipe(self) -> Recipe:
        """The recipe of all maps."""
        if isinstance(self.recipe, str):
            if self.recipe not in preset_names():
                raise QsmError(
                    f"there is no recipe '{self.recipe}' (there are {', '.join(preset_names())})"
                )
            return load_recipe(self.recipe)
        return parse_recipe(self.recipe, where=f"The recipe in '{PROTOCOL_FILE}'")

    def plan(self) -> Plan:
        """The plan of the analysis."""
        return plan_of(self.analysis, PROTOCOL_FILE)

    def for_readers(self) -> Protocol:
        """What concerns readers alone: without raters, plan and history, which may name people."""
        nothing: dict[str, Any] = {"raters": {}, "analysis": {}, "frozen": None, "amendments": ()}
        return self.model_copy(update=nothing)

    @property
    def sha256(self) -> str:
        """Of everything that the protocol says, in whatever order or layout it says it."""
        said = self.model_dump(mode="json", exclude=set(_NOTED))
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The protocol as a file, every entry written out."""
        said = self.model_dump(mode="json", exclude=set(_NOTED))
        return _yaml(said) + self._noted()

    def _noted(self) -> str:
        said = self.model_dump(mode="json", include=set(_NOTED), exclude_defaults=True)
        return f"\n{_MARK}\n{_yaml(said)}" if said else ""


def _yaml(said: Mapping[str, Any]) -> str:
    return str(
        yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True, default_flow_style=None)
    )


def parse_protocol(said: Any, who: str) -> Protocol:
    """A protocol from plain data.

    Parameters
    ----------
    said : mapping
        As in the file; that of a list of regions (:mod:`napari_qsm.rois.guided`) is a protocol
        whose other entries are the defaults.
    who : str
        The file, for messages.

    Raises
    ------
    FileError
        Naming the first entry that is wrong.
    """
    if not isinstance(said, dict):
        raise FileError(
            f"'{who}' is no protocol: lines such as 'name: ...' and 'regions:' are needed."
        )
    try:
        return Protocol.model_validate(with_methods(said, who))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = [name for name in Protocol.model_fields if name not in _NOTED]
            raise FileError(
                f"'{who}': a protocol has no '{where}' (it has {', '.join(known)})."
            ) from None
        if first["type"] == "missing":
            raise FileError(f"'{who}' has no '{where}'.") from None
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        if f"'{PROTOCOL_FILE}'" in message:
            raise FileError(message.replace(f"'{PROTOCOL_FILE}'", f"'{who}'") + ".") from None
        raise FileError(f"'{who}': {where + ': ' if where else ''}{message}.") from None


def load_protocol(source: Path | str) -> Protocol:
    """A protocol to start a study from: a file, or a list of regions that comes with the program.

    A recipe given as the name of a file is read from beside the protocol and kept in full.

    Raises
    ------
    FileError
        If it cannot be used.
    """
    path = Path(source)
    shipped = not path.suffix and str(source) in guided_presets()
    said = _plain(guided_text(str(source)) if shipped else read_text(path, "protocol"), path.name)
    if isinstance(said, dict):
        for entry in _NOTED:
            said.pop(entry, None)  # of the study that the file was copied from
        recipe = said.get("recipe")
        if isinstance(recipe, str) and Path(recipe).suffix:
            said["recipe"] = load_recipe(path.parent / recipe).to_dict()
    return parse_protocol(said, path.name)


def read_protocol(path: Path, *, changed: bool = False) -> Protocol:
    """The protocol of a study.

    Parameters
    ----------
    path : Path
        Its ``study.yaml``.
    changed : bool
        Take a protocol that was changed after it was frozen; see :func:`amend`.

    Raises
    ------
    FileError
        If it cannot be read, or was changed after it was frozen.
    """
    protocol = _read(read_text(path, "protocol"), path.name)
    frozen = protocol.frozen
    if frozen is not None and frozen.sha256 != protocol.sha256 and not changed:
        raise FileError(
            f"'{path}' was changed after it was frozen on {frozen.at:%Y-%m-%d}. Take the change back, "
            f'or state it: napari-qsm study amend {path.parent} --reason "...".'
        )
    return protocol


@lru_cache(maxsize=4)
def _read(text: str, who: str) -> Protocol:
    """Kept by what the file says: it is read at every click of a reader."""
    return parse_protocol(_plain(text, who), who)


def recipe_for(study: Path, name: str | None = None) -> Recipe:
    """The recipe that is named, else that of a study's protocol, else the first preset.

    Raises
    ------
    QsmError
        If recipe or protocol cannot be used.
    """
    if name:
        return load_recipe(name)
    path = study / PROTOCOL_FILE
    return read_protocol(path).chosen_recipe() if path.is_file() else load_recipe(DEFAULT_RECIPE)


def _plain(text: str, who: str) -> Any:
    try:
        return parse_yaml(text)
    except PlainDataError as error:
        raise FileError(f"'{who}' {error}.") from None


def freeze(path: Path) -> Protocol:
    """Freeze a study's protocol, if it is not frozen yet.

    Parameters
    ----------
    path : Path
        Its ``study.yaml``. What people wrote in it stays as it is, comments too.

    Returns
    -------
    Protocol
        As frozen.
    """
    protocol = read_protocol(path)
    if protocol.frozen is not None:
        return protocol
    at = datetime.now(UTC).replace(microsecond=0)
    done = protocol.model_copy(update={"frozen": Frozen(sha256=protocol.sha256, at=at)})
    _note(path, done)
    write_event(path.parent, "protocol frozen", sha256=done.sha256)
    return done


def amend(path: Path, reason: str) -> Protocol:
    """State a change of a frozen protocol, with its reason; it is then frozen as it is now.

    Raises
    ------
    FileError
        If it was not frozen or is unchanged.
    QsmError
        Without a reason.
    """
    if not reason.strip():
        raise QsmError("A change of the protocol needs a reason.")
    now = read_protocol(path, changed=True)
    if now.frozen is None:
        raise FileError(f"'{path}' is not frozen yet, as nobody has read; it can simply be edited.")
    if now.frozen.sha256 == now.sha256:
        raise FileError(
            f"'{path}' says what it said when it was frozen; there is nothing to amend."
        )
    at = datetime.now(UTC).replace(microsecond=0)
    change = Amendment(
        at=at,
        reason=reason.strip(),
        changed=_changed(path, now),
        was=now.frozen.sha256,
        sha256=now.sha256,
    )
    done = now.model_copy(
        update={
            "frozen": Frozen(sha256=now.sha256, at=at),
            "amendments": (*now.amendments, change),
        }
    )
    _note(path, done)
    write_event(
        path.parent, "protocol amended", reason=change.reason, changed=list(change.changed),
        was=change.was, sha256=change.sha256,
    )  # fmt: skip
    return done


def _changed(path: Path, now: Protocol) -> tuple[str, ...]:
    """Entries in which a protocol differs from what was frozen."""
    assert now.frozen is not None
    kept = _kept(path, now.frozen.sha256)
    if not kept.is_file():
        return ()
    before = parse_protocol(_plain(read_text(kept, "protocol"), kept.name), kept.name)
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    return tuple(name for name in new if name not in _NOTED and old[name] != new[name])


def _kept(path: Path, sha256: str) -> Path:
    return path.parent / "reading" / f"protocol-{sha256[:12]}.yaml"


def _note(path: Path, protocol: Protocol) -> None:
    """Write what the program notes below what people wrote, and keep what was frozen."""
    text = read_text(path, "protocol").partition(_MARK)[0].rstrip("\n") + "\n"
    if set(parse_yaml(text) or {}) & _NOTED:  # somebody moved it
        text = _yaml(protocol.model_dump(mode="json", exclude=set(_NOTED)))
    (path.parent / "reading").mkdir(exist_ok=True)
    write_text(_kept(path, protocol.sha256), protocol.to_yaml())
    write_text(path, text + protocol._noted())
