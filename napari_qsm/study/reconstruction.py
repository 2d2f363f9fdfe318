"""The reconstruction of a case: inputs, recipe, and what each stage has made from them.

A stage's result belongs to a *making*: its method and settings, and the makings of everything
it was computed from. A result is current as long as its making is the one asked for now, so a
setting changed and changed back leaves nothing stale, and results are those that
:func:`napari_qsm.recon.pipeline.run` gives for the same recipe, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.study.reconstruction_plan import ENTRY_POINTS, GIVEN_AT, ReconstructionPlan
from napari_qsm.study.scan_results import ManualEdit, ScanResults
from napari_qsm.study.scan_source import Facts, ScanSource

if TYPE_CHECKING:
    from napari_qsm.arrays import Array
    from napari_qsm.recon.pipeline import Result
    from napari_qsm.recon.stage_run import Contrasts
    from napari_qsm.recon.uncertainty import Uncertainty
    from napari_qsm.study.stage_task import PreparedInputs, StageResult, Task
    from napari_qsm.volume import Volume

State = Literal["not run", "waiting", "running", "done", "stale", "failed", "given", "not needed"]


class Reconstruction(ReconstructionPlan):
    """The state of every stage, and what was made, of the inputs and recipe of the plan.

    Attributes
    ----------
    made : Signal
        A stage has a new result; sends its name.
    running : tuple of str
        The stages that are running or about to.
    problem : str
        What kept the last run from starting; empty if nothing did.
    found_noise : tuple of (int, Uncertainty or None)
        The noise of the map that has this number as its reference.
    found_contrasts : tuple of (int, Contrasts or None)
        Maps beside χ, and the number of the reference that χ had.
    contrast_settings : dict
        What was set of each kind of them in the window, where it is not the default.
    """

    made = Signal(str)

    def __init__(self, recipe: str = "case-report") -> None:
        super().__init__(recipe)
        self.running: tuple[str, ...] = ()
        self.problem = ""
        self._kept = ScanResults()
        self._failures: dict[str, tuple[int, str]] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self.found_noise: tuple[int, Uncertainty | None] = (-1, None)
        self.found_contrasts: tuple[int, Contrasts | None] = (-1, None)
        self.contrast_settings: dict[str, dict[str, Any]] = {}
        self._prepared: PreparedInputs | None = None
        #: Facts, given volumes and results of scans that are not the chosen one.
        self._aside: dict[tuple[Any, ...], tuple[Facts, dict[str, Volume], ScanResults]] = {}

    def use_scan(self, source: ScanSource | None) -> None:
        """Reconstruct this scan; what its files say is taken over, nothing else is assumed.

        What was made of another scan is laid aside, and is there again when it comes back.
        """
        if (source and source.key) == (self.source and self.source.key):
            return
        if self.source is not None:
            self._aside[self.source.key] = (self.facts, self.given, self._kept)
        self.source = source
        self.facts, self.given, self._kept = Facts(), {}, ScanResults()
        if source is not None:
            fresh = (source.recorded, self.given, self._kept)
            self.facts, self.given, self._kept = self._aside.pop(source.key, fresh)
        self._failures = {}
        self._prepared = None
        self._suit_given()
        self.changed.emit()

    def forget_others(self, sources: Sequence[ScanSource]) -> None:
        """Drop what was laid aside of scans that are no longer open."""
        kept = {source.key for source in sources}
        self._aside = {key: aside for key, aside in self._aside.items() if key in kept}

    # -- states ---------------------------------------------------------------------------

    def state(self, stage: str) -> State:
        """What the light of a stage shows."""
        if stage in self.running:
            return "running" if stage == self.running[0] else "waiting"
        if stage not in self.active():
            is_given = any(GIVEN_AT[role] == stage for role in ENTRY_POINTS if role in self.given)
            return "given" if is_given else "not needed"
        number = self.number(stage)
        failure = self._failures.get(stage)
        if failure is not None and failure[0] == number:
            return "failed"
        result = self._kept.last.get(stage)
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
        return self._kept.last.get(stage)

    def previous_of(self, stage: str) -> StageResult | None:
        """The result before that one, to compare."""
        return self._kept.before.get(stage)

    def stale_stages(self) -> list[str]:
        """The stages that Run all would run."""
        return [s for s in self.active() if self.state(s) != "done"]

    def needed(self, stage: str) -> list[str]:
        """What runs when this one stage is asked for: it, and what it needs that is not current."""
        wanted = {stage}
        queue = [stage]
        while queue:
            for source in self.sources(queue.pop()).values():
                if (
                    isinstance(source, str)
                    and source not in wanted
                    and self.state(source) != "done"
                ):
                    wanted.add(source)
                    queue.append(source)
        return [s for s in self.active() if s in wanted]

    def number(self, stage: str) -> int:
        """A number for the making that is asked for now; equal for equal makings."""
        return self._number(stage, self.hand, {})

    def _number(self, stage: str, hand: ManualEdit | None, memo: dict[str, int]) -> int:
        if stage in memo:
            return memo[stage]
        choice = self.choices[stage]
        grid = self.grid()
        parts: list[Any] = [stage, choice.method.name, tuple(sorted(choice.settings.items()))]
        parts.append(id(grid.data.base) if grid is not None else 0)
        for name, source in sorted(self.sources(stage).items()):
            made: Any = source
            if isinstance(source, str):
                painted = hand if source == "mask" else None  # which is another mask
                made = ("hand", painted.number) if painted else self._number(source, hand, memo)
            parts.append((name, made))
        memo[stage] = self._numbers.setdefault(tuple(parts), len(self._numbers))
        return memo[stage]

    @property
    def hand(self) -> ManualEdit | None:
        """What a brush has done to the mask since it was made; None if nothing.

        A painted mask stays what it is until the stage itself is run again or another mask is
        given: a drawing is never replaced unasked.
        """
        kept = self._kept
        return kept.painted if kept.given_mask is self.given.get("mask") else None

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
            if stage not in stages and self.state(stage) == "done":
                have.update(self._kept.handed_on(stage, self.hand))
        prepared = self._prepared
        if prepared is not None and prepared.key != self.inputs_key():
            prepared = None
        # A mask that is made anew is no longer painted on.
        hand = None if "mask" in stages else self.hand
        steps = [(s, self.choices[s], self._number(s, hand, {})) for s in stages]
        return Task(
            key=self.inputs_key(),
            make_inputs=self.inputs_maker(),
            steps=steps,
            have=have,
            prepared=prepared,
        )

    def start(self, stages: Sequence[str]) -> None:
        """The stages are running from now on."""
        self.running = tuple(stages)
        self.problem = ""
        self.changed.emit()

    def take(self, made: StageResult) -> None:
        """A stage has come to its end; what it made replaces its last result."""
        self.running = tuple(s for s in self.running if s != made.stage)
        self._kept.take(made, self.given.get("mask"))
        self._failures.pop(made.stage, None)
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
        if "mask" in self._kept.last and "mask" not in self.running:
            self._kept.paint(mask)
            self.changed.emit()

    # -- what comes out -------------------------------------------------------------------

    @property
    def noise(self) -> Uncertainty | None:
        """The noise of the map, if it is known of the one that is current."""
        number, found = self.found_noise
        return found if number == self.number("reference") else None

    @property
    def contrasts(self) -> Contrasts | None:
        """Maps beside χ, if they were made of the one that is current."""
        number, found = self.found_contrasts
        return found if number == self.number("reference") else None

    def arrays(self) -> dict[str, Any]:
        """Every quantity that is current, by name; of one made twice, the later."""
        have = dict(self._prepared.have) if self._prepared is not None else {}
        for stage in self.active():
            if self.state(stage) == "done":
                have.update(self._kept.handed_on(stage, self.hand))
        return have

    def records(self, upto: str | None = None) -> list[dict[str, Any]]:
        """How the results came about, stage by stage, up to one of them."""
        return self._kept.records(self.active(), self.hand, upto)

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

    def provenance(self, stage: str, more: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """How the result of one stage was made, ready for JSON; ``more`` are records behind it."""
        from napari_qsm.recon.provenance import described

        prepared = self._prepared
        return described(
            recipe=self.recipe(),
            records=[*self.records(stage), *more],
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
        open_stages = self.stale_stages()
        if open_stages or self._prepared is None:
            raise QsmError(
                f"The reconstruction is not finished; still to run: {', '.join(open_stages)}."
            )
        return _finisher(self, self._prepared)


def _finisher(recon: Reconstruction, prepared: PreparedInputs) -> Callable[[], Result]:
    """What puts a finished reconstruction together, with the maps beside χ that are current."""
    from dataclasses import replace
    from functools import partial

    from napari_qsm.recon.pipeline import finish

    also = recon.contrasts
    return partial(
        finish,
        recon.recipe(),
        replace(prepared.inputs, r2_per_s=recon.given.get("r2_per_s")),
        prepared.grid,
        {**recon.arrays(), **(also.quantities if also else {})},
        recon.records() + (also.records if also else []),
        recon.warnings() + (also.warnings if also else []),
        recon.noise,
    )
