"""The reconstruction of a session: inputs, recipe, and what each stage has made from them.

A stage's result belongs to a *making*: its method and settings, and the makings of everything
it was computed from. A result is current as long as its making is the one asked for now, so a
setting changed and changed back leaves nothing stale, and results are those that
:func:`napari_qsm.recon.pipeline.run` gives for the same recipe, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from psygnal import Signal

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.study.scan_source import Facts, ScanSource

if TYPE_CHECKING:
    from napari_qsm.arrays import Array
    from napari_qsm.recon.pipeline import Inputs, Result
    from napari_qsm.recon.recipe import Choice, Recipe
    from napari_qsm.study.stage_task import PreparedInputs, StageResult, Task
    from napari_qsm.volume import Volume

State = Literal["not run", "waiting", "running", "done", "stale", "failed", "given", "not needed"]

#: Intermediates that can be given instead of computed, and the stage that else makes them.
GIVEN_AT: Mapping[str, str] = {
    "mask": "mask",
    "unwrapped": "unwrap",
    "total_field_ppm": "echoes",
    "local_field_ppm": "background",
    "chi_ppm": "inversion",
    "reference_roi": "reference",
}
#: Those of which one at most is used: the reconstruction starts there.
STARTS = ("unwrapped", "total_field_ppm", "local_field_ppm", "chi_ppm")
#: Images of the scan, and what their sidecars say of them.
_IMAGES = frozenset({"raw_phase", "metadata", "magnitude"})


@dataclass(frozen=True)
class ManualEdit:
    """What a brush has done to a mask: the mask now, and how many voxels differ."""

    mask: Array
    added: int
    removed: int
    number: int


@dataclass
class _Aside:
    """What was made of a scan that is not the chosen one."""

    source: ScanSource | None
    facts: Facts
    given: dict[str, Volume] = field(default_factory=dict)
    results: dict[str, StageResult] = field(default_factory=dict)
    before: dict[str, StageResult] = field(default_factory=dict)
    hand: ManualEdit | None = None
    mask_from: Volume | None = None


class Reconstruction:
    """Inputs, recipe, and the state of every stage.

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    made : Signal
        A stage has a new result; sends its name.
    source : ScanSource or None
        The scan to reconstruct.
    facts : Facts
        What is known of it now, typed in or recorded.
    given : dict of str to Volume
        Intermediates to start from, a mask, a reference region; see :data:`GIVEN_AT`.
    origin : Recipe
        The preset or file that the choices came from.
    choices : dict of str to Choice
        Method and settings of each stage now.
    running : tuple of str
        The stages that are running or about to.
    problem : str
        What kept the last run from starting; empty if nothing did.
    """

    changed = Signal()
    made = Signal(str)

    def __init__(self, recipe: str = "case-report") -> None:
        from napari_qsm.recon.recipe import load_recipe

        self.source: ScanSource | None = None
        self.facts = Facts()
        self.given: dict[str, Volume] = {}
        self.origin: Recipe = load_recipe(recipe)
        self.choices: dict[str, Choice] = dict(self.origin.choices)
        self._hand: ManualEdit | None = None
        self._mask_from: Volume | None = None
        self.running: tuple[str, ...] = ()
        self.problem = ""
        self._results: dict[str, StageResult] = {}
        self._before: dict[str, StageResult] = {}
        self._failures: dict[str, tuple[int, str]] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._prepared: PreparedInputs | None = None
        #: What stages used before a given mask or region asked for another method.
        self._replaced: dict[str, Choice] = {}
        self._aside: dict[tuple[Any, ...], _Aside] = {}

    # -- what goes in ---------------------------------------------------------------------

    def use_scan(self, source: ScanSource | None) -> None:
        """Reconstruct this scan; what its files say is taken over, nothing else is assumed.

        What was made of another scan is laid aside, and is there again when it comes back.
        """
        if source is not None and self.source is not None and source.key == self.source.key:
            return
        if self.source is not None:
            self._aside[self.source.key] = _Aside(
                self.source,
                self.facts,
                self.given,
                self._results,
                self._before,
                self._hand,
                self._mask_from,
            )
        fresh = _Aside(source, source.recorded if source is not None else Facts())
        known = self._aside.pop(source.key, fresh) if source is not None else fresh
        self.source, self.facts, self.given = source, known.facts, known.given
        self._results, self._before = known.results, known.before
        self._hand, self._mask_from = known.hand, known.mask_from
        self._failures = {}
        self._prepared = None
        self._suit_given()
        self.changed.emit()

    def forget_others(self, sources: Sequence[ScanSource]) -> None:
        """Drop what was laid aside of scans that are no longer open."""
        kept = {source.key for source in sources}
        self._aside = {key: aside for key, aside in self._aside.items() if key in kept}

    def _suit_given(self) -> None:
        """A given mask and reference region need methods that use them."""
        from napari_qsm.recon.recipe import default_choice

        for role, method in (("mask", "given"), ("reference_roi", "roi")):
            stage = GIVEN_AT[role]
            uses = self.choices[stage].method.name == method
            if role in self.given and not uses:
                self._replaced[stage] = self.choices[stage]
                self.choices[stage] = default_choice(stage, method)
            elif role not in self.given and stage in self._replaced:
                self.choices[stage] = self._replaced.pop(stage)

    def set_facts(self, **facts: Any) -> None:
        """Type in echo times, field strength, or whether the phase is a difference."""
        new = replace(self.facts, **facts)
        if new != self.facts:
            self.facts = new
            self.changed.emit()

    def set_input(self, role: str, volume: Volume) -> None:
        """Start from an intermediate, or use a mask or reference region of one's own.

        Raises
        ------
        GeometryError
            If it lies on another grid than the scan.
        MetadataError
            If its unit is another, or contradicts its values.
        FileError
            If a mask or region holds more than inside and outside.
        """
        from napari_qsm.io.whole_numbers import as_mask

        if self.source is not None:
            volume = volume.like(self.source.phase[0])
        else:
            for other in self.given.values():
                volume.like(other)
        if role in ("mask", "reference_roi"):
            as_mask(volume, role.replace("_roi", " region"))
        if role in STARTS:
            for other_role in STARTS:
                self.given.pop(other_role, None)
        self.given[role] = volume
        self._suit_given()
        self.changed.emit()

    def clear_input(self, role: str) -> None:
        """Compute again what was given."""
        if self.given.pop(role, None) is None:
            return
        self._suit_given()
        self.changed.emit()

    def grid(self) -> Volume | None:
        """A volume that stands for the grid of the inputs; None without any."""
        if self.source is not None:
            return self.source.phase[0]
        return next((self.given[r] for r in STARTS if r in self.given), None)

    def missing(self) -> list[str]:
        """Sentences on what must be known before anything can run; empty if nothing is."""
        from napari_qsm.study.scan_source import check_facts

        if self.source is None:
            if not any(role in self.given for role in STARTS):
                return ["Open a scan first: its phase images are needed."]
            if "unwrapped" in self.given:
                volume = self.given["unwrapped"]
                count = volume.data.shape[3] if volume.data.ndim == 4 else 1
                return _problem(check_facts, replace(self.facts, phase_difference=False), count)
            return []
        return _problem(check_facts, self.facts, self.source.echoes)

    def inputs(self) -> Inputs:
        """What :func:`napari_qsm.recon.pipeline.run` takes; reads files.

        Raises
        ------
        QsmError
            If something is missing or does not fit.
        """
        from napari_qsm.recon.inputs import Inputs

        given: dict[str, Any] = dict(self.given)
        if self.source is not None:
            return Inputs(scan=self.source.make(self.facts), **given)
        return Inputs(
            **given,
            echo_times_s=self.facts.echo_times_s if "unwrapped" in self.given else (),
            field_strength_t=self.facts.field_strength_t if "unwrapped" in self.given else None,
        )

    # -- recipe ---------------------------------------------------------------------------

    def use_recipe(self, recipe: Recipe | str | Path) -> None:
        """Take over a preset, a recipe file or a recipe.

        Raises
        ------
        RecipeError
            If there is no such recipe or it is not valid.
        """
        from napari_qsm.recon.recipe import Recipe, load_recipe

        self.origin = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
        self.choices = dict(self.origin.choices)
        self._replaced.clear()
        self._suit_given()
        self.changed.emit()

    def recipe(self) -> Recipe:
        """The recipe as it stands, with every setting."""
        return replace(self.origin, choices=dict(self.choices))

    @property
    def is_changed(self) -> bool:
        """Whether a method or setting differs from the preset or file it came from."""
        return bool(self.recipe().to_dict() != self.origin.to_dict())

    def choose(self, stage: str, method: str) -> None:
        """Use another method at a stage, with its default settings.

        Raises
        ------
        RecipeError
            If the stage has no such method.
        """
        from napari_qsm.recon.recipe import default_choice

        if self.choices[stage].method.name != method:
            self.choices[stage] = default_choice(stage, method)
            self.changed.emit()

    def set(self, stage: str, **settings: Any) -> None:
        """Change settings of a stage.

        Raises
        ------
        RecipeError
            Naming the setting and what is allowed.
        """
        choice = self.choices[stage]
        checked = {
            name: choice.method.settings[name].check(value, f"{stage}.{name}")
            for name, value in settings.items()
        }
        if {**choice.settings, **checked} != dict(choice.settings):
            self.choices[stage] = replace(choice, settings={**choice.settings, **checked})
            self.changed.emit()

    def reset(self, stage: str) -> None:
        """Put a stage back to what its recipe says."""
        if self.choices[stage] != self.origin.choices[stage]:
            self.choices[stage] = self.origin.choices[stage]
            self.changed.emit()

    # -- states ---------------------------------------------------------------------------

    def active(self) -> list[str]:
        """The stages that take part, in order."""
        from napari_qsm.recon.pipeline import left_out
        from napari_qsm.recon.stages import STAGES

        try:
            skip = left_out(self._roles())
        except MetadataError:
            skip = set()
        return [stage for stage in STAGES if stage not in skip]

    def _roles(self) -> Any:
        """Which inputs there are; :func:`left_out` does not look into them."""
        from napari_qsm.recon.inputs import Inputs

        given: dict[str, Any] = dict(self.given)
        scan: Any = self.source
        return Inputs(scan=scan, **given)

    def state(self, stage: str) -> State:
        """What the light of a stage shows."""
        if stage in self.running:
            return "running" if stage == self.running[0] else "waiting"
        if stage not in self.active():
            is_given = any(GIVEN_AT[role] == stage for role in STARTS if role in self.given)
            return "given" if is_given else "not needed"
        number = self.number(stage)
        failure = self._failures.get(stage)
        if failure is not None and failure[0] == number:
            return "failed"
        result = self._results.get(stage)
        if result is None:
            return "not run"
        if result.number == number or (stage == "mask" and self.hand is not None):
            return "done"
        return "stale"

    def failure(self, stage: str) -> str:
        """The sentence of a failed stage; empty for others."""
        failure = self._failures.get(stage)
        return failure[1] if failure is not None and failure[0] == self.number(stage) else ""

    def result_of(self, stage: str) -> StageResult | None:
        """The last good result of a stage, current or not."""
        return self._results.get(stage)

    def previous_of(self, stage: str) -> StageResult | None:
        """The result before that one, to compare."""
        return self._before.get(stage)

    def stale_stages(self) -> list[str]:
        """The stages that Run all would run."""
        return [s for s in self.active() if self.state(s) != "done"]

    def needed(self, stage: str) -> list[str]:
        """What runs when this one stage is asked for: it, and what it needs that is not current."""
        wanted = {stage}
        queue = [stage]
        while queue:
            for source in self._sources(queue.pop()).values():
                if (
                    isinstance(source, str)
                    and source not in wanted
                    and self.state(source) != "done"
                ):
                    wanted.add(source)
                    queue.append(source)
        return [s for s in self.active() if s in wanted]

    def _sources(self, stage: str) -> dict[str, Any]:
        """What each input of a stage comes from: a stage's name, or what was given."""
        from napari_qsm.recon.stages import STAGES

        method = self.choices[stage].method
        wanted = [*method.inputs]
        if stage == "echoes":  # R2* is fitted there as well
            wanted += ["magnitude", "magnitude_echo_times_s", "mask"]
        active = self.active()
        before = list(STAGES)[: list(STAGES).index(stage)]
        found: dict[str, Any] = {}
        for name in wanted:
            makers = [s for s in before if name in STAGES[s] and s in active]
            if name == "given_mask" or (stage == "mask" and "phase" not in active):
                found["given_mask"] = self.given.get("mask")
            if name in self.given and name != "mask":
                found[name] = self.given[name]
            elif makers:
                found[name] = makers[-1]
            elif name == "local_mask":
                field = self.given.get("chi_ppm") or self.given.get("local_field_ppm")
                found[name] = "mask" if "mask" in active else field
            elif name == "field_strength_t":
                found[name] = (self.facts.field_strength_t,)
            elif name in ("echo_times_s", "magnitude_echo_times_s"):
                found[name] = (self.facts.echo_times_s, self.facts.phase_difference)
            elif name in _IMAGES and self.source is not None:
                # A scan sorts its images by echo time, so times typed in may reorder them.
                times = self.facts.echo_times_s
                order = tuple(sorted(range(len(times)), key=times.__getitem__))
                found[name] = (self.source.key, order)
        return found

    def number(self, stage: str, memo: dict[str, int] | None = None) -> int:
        """A number for the making that is asked for now; equal for equal makings."""
        memo = {} if memo is None else memo
        if stage in memo:
            return memo[stage]
        choice = self.choices[stage]
        grid = self.grid()
        parts: list[Any] = [stage, choice.method.name, tuple(sorted(choice.settings.items()))]
        parts.append(id(grid.data.base) if grid is not None else 0)
        for name, source in sorted(self._sources(stage).items()):
            made = self._number_out(source, memo) if isinstance(source, str) else source
            parts.append((name, made))
        memo[stage] = self._numbers.setdefault(tuple(parts), len(self._numbers))
        return memo[stage]

    def _number_out(self, stage: str, memo: dict[str, int]) -> Any:
        """The number of what a stage hands on: a painted mask is another one."""
        if stage == "mask" and self.hand is not None:
            return ("hand", self.hand.number)
        return self.number(stage, memo)

    @property
    def hand(self) -> ManualEdit | None:
        """What a brush has done to the mask since it was made; None if nothing.

        A painted mask stays what it is until the stage itself is run again or another mask is
        given: a drawing is never replaced unasked.
        """
        return self._hand if self._mask_from is self.given.get("mask") else None

    # -- running --------------------------------------------------------------------------

    def task(self, stages: Sequence[str]) -> Task:
        """Everything a thread needs to run some stages, apart from this object.

        Raises
        ------
        MetadataError
            If something is missing that must be known.
        QsmError
            If stages are running already.
        """
        from napari_qsm.study.stage_task import Task

        if self.running:
            raise QsmError("A reconstruction is running; wait for it, or cancel it first.")
        problems = self.missing()
        if problems:
            raise MetadataError(problems[0])
        active = self.active()
        have: dict[str, Any] = {}
        for stage in active:
            result = self._results.get(stage)
            if result is not None and stage not in stages and self.state(stage) == "done":
                have.update(self._handed_on(stage, result))
        prepared = self._prepared
        if prepared is not None and prepared.key != self._inputs_key():
            prepared = None
        steps = [(s, self.choices[s], self._number_fresh(s, stages)) for s in stages]
        return Task(
            key=self._inputs_key(),
            make_inputs=_frozen_inputs(self),
            steps=steps,
            have=have,
            prepared=prepared,
        )

    def _number_fresh(self, stage: str, stages: Sequence[str]) -> int:
        """The number a stage gets in a run: a mask that is made anew is no longer painted on."""
        if "mask" not in stages or self.hand is None:
            return self.number(stage)
        hand, self._hand = self._hand, None
        try:
            return self.number(stage)
        finally:
            self._hand = hand

    def _handed_on(self, stage: str, result: StageResult) -> dict[str, Any]:
        out = dict(result.quantities)
        if stage == "mask" and self.hand is not None:
            out = dict.fromkeys(out, self.hand.mask)
        return out

    def _inputs_key(self) -> tuple[Any, ...]:
        key = self.source.key if self.source is not None else None
        given = tuple(sorted(self.given.items(), key=lambda item: item[0]))
        return (key, self.facts, given)

    def start(self, stages: Sequence[str]) -> None:
        """The stages are running from now on."""
        self.running = tuple(stages)
        self.problem = ""
        self.changed.emit()

    def take(self, made: StageResult) -> None:
        """A stage has come to its end; what it made replaces its last result."""
        self.running = tuple(s for s in self.running if s != made.stage)
        old = self._results.get(made.stage)
        if old is not None:
            self._before[made.stage] = old
        self._results[made.stage] = made
        self._failures.pop(made.stage, None)
        if made.stage == "mask":
            self._hand = None
            self._mask_from = self.given.get("mask")
        self.made.emit(made.stage)
        self.changed.emit()

    def take_prepared(self, prepared: PreparedInputs) -> None:
        """Inputs as arrays, to be used again by the next run."""
        self._prepared = prepared

    def end(self, stage: str = "", sentence: str = "") -> None:
        """Nothing runs any more; a stage may have failed, with a sentence."""
        self.running = ()
        if stage:
            self._failures[stage] = (self.number(stage), sentence)
        else:
            self.problem = sentence
        self.changed.emit()

    def paint_mask(self, mask: Array) -> None:
        """The mask's voxels as they are now, after somebody drew on it, or undid that.

        Parameters
        ----------
        mask : (x, y, z) ndarray
            Non-zero inside; on the grid of the results.
        """
        result = self._results.get("mask")
        if result is None or "mask" in self.running:
            return
        before = result.quantities["mask"]
        now = np.ascontiguousarray(mask != 0)
        added = int(np.count_nonzero(now & ~before))
        removed = int(np.count_nonzero(before & ~now))
        number = hash(np.packbits(now).tobytes())
        self._hand = ManualEdit(now, added, removed, number) if added or removed else None
        self.changed.emit()

    # -- what comes out -------------------------------------------------------------------

    def arrays(self) -> dict[str, Any]:
        """Every quantity that is current, by name; of one made twice, the later."""
        have = dict(self._prepared.have) if self._prepared is not None else {}
        for stage in self.active():
            result = self._results.get(stage)
            if result is not None and self.state(stage) == "done":
                have.update(self._handed_on(stage, result))
        return have

    def records(self, upto: str | None = None) -> list[dict[str, Any]]:
        """How the results came about, stage by stage, up to one of them."""
        records = []
        for stage in self.active():
            result = self._results.get(stage)
            if result is not None:
                record = dict(result.record)
                if stage == "mask" and self.hand is not None:
                    record["edited_by_hand"] = {
                        "added": self.hand.added,
                        "removed": self.hand.removed,
                    }
                records.append(record)
            if stage == upto:
                break
        return records

    def warnings(self) -> list[str]:
        """What the user should know of the inputs and of all results, in order."""
        said = list(self._prepared.warnings) if self._prepared is not None else []
        for record in self.records():
            said += [f"{record['stage']}: {sentence}" for sentence in record["warnings"]]
            hand = record.get("edited_by_hand")
            if hand:
                said.append(
                    f"mask: edited by hand ({hand['added']} voxels added, "
                    f"{hand['removed']} removed)."
                )
        return said

    def provenance(self, stage: str) -> dict[str, Any]:
        """How the result of one stage was made, ready for JSON."""
        from napari_qsm.recon.provenance import described

        prepared = self._prepared
        return described(
            recipe=self.recipe(),
            records=self.records(stage),
            inputs=prepared.records if prepared is not None else [],
            warnings=self.warnings(),
            facts={
                "echo_times_s": list(self.facts.echo_times_s),
                "field_strength_t": self.facts.field_strength_t,
                "phase_difference": self.facts.phase_difference,
            },
        )

    def result(self) -> Result:
        """The finished reconstruction.

        Raises
        ------
        QsmError
            If a stage has not run, or is stale.
        """
        return self.result_maker()()

    def result_maker(self) -> Callable[[], Result]:
        """What makes the finished reconstruction, for a thread: it needs this object no more.

        Raises
        ------
        QsmError
            If a stage has not run, or is stale.
        """
        from functools import partial

        from napari_qsm.recon.pipeline import finish

        open_stages = self.stale_stages()
        if open_stages or self._prepared is None:
            raise QsmError(
                f"The reconstruction is not finished; still to run: {', '.join(open_stages)}."
            )
        prepared = self._prepared
        return partial(
            finish,
            self.recipe(),
            prepared.inputs,
            prepared.grid,
            self.arrays(),
            self.records(),
            self.warnings(),
        )


def _problem(check: Any, facts: Facts, echoes: int) -> list[str]:
    try:
        check(facts, echoes)
    except MetadataError as error:
        return [str(error)]
    return []


def _frozen_inputs(recon: Reconstruction) -> Any:
    """A callable that makes the inputs as they are chosen now, whatever is changed later."""
    frozen = Reconstruction.__new__(Reconstruction)
    frozen.source, frozen.facts, frozen.given = recon.source, recon.facts, dict(recon.given)
    return frozen.inputs
