"""What goes on working on each case while another one is on show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_qsm.errors import QsmError
from napari_qsm.session import Case
from napari_qsm.session.stage_results import Results
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.stage_task import StageResult
from napari_qsm.viewer.reconstruct.running import Runner
from napari_qsm.viewer.services import Services


@dataclass
class Bench:
    """The reconstruction of one case at work."""

    recon: Reconstruction
    results: Results
    runner: Runner
    #: The stages whose results are shown as soon as they are there; empty for all.
    asked: tuple[str, ...] = ()


class Benches:
    """A bench for each case that has a reconstruction; one of them runs at a time.

    Parameters
    ----------
    context : Services
    on_made, on_progress, on_failed : callable
        Called with the bench and what it made, the stage and how far it is, or the stage
        that could not be made.
    """

    def __init__(
        self,
        context: Services,
        on_made: Callable[[Bench, StageResult], None],
        on_progress: Callable[[Bench, str, float], None],
        on_failed: Callable[[Bench, str], None],
    ) -> None:
        self._context = context
        self._on_made, self._on_progress, self._on_failed = on_made, on_progress, on_failed
        self._benches: dict[str, Bench] = {}

    def of(self, case: Case, recon: Reconstruction) -> Bench:
        """Return the bench of a case, a new one if the case has another reconstruction now."""
        bench = self._benches.get(case.id)
        if bench is None or bench.recon is not recon:
            self.drop(case)
            bench = self._benches[case.id] = self._new(case, recon)
        return bench

    def _new(self, case: Case, recon: Reconstruction) -> Bench:
        results = Results(self._context.session, case, recon)
        bench = Bench(recon, results, Runner(self._context.jobs, recon))
        bench.runner.on_made = lambda made: self._made(bench, made)
        bench.runner.on_progress = lambda stage, f: self._on_progress(bench, stage, f)
        bench.runner.on_failed = lambda stage: self._on_failed(bench, stage)
        return bench

    def start(self, bench: Bench, stages: list[str], asked: tuple[str, ...]) -> None:
        """Run stages of a case.

        Raises
        ------
        QsmError
            If another case is being reconstructed.
        """
        if not stages:
            return
        cases = {case.id: case for case in self._context.session.cases}
        for name, other in self._benches.items():
            if other is not bench and other.recon.running and name in cases:
                raise QsmError(
                    f"'{cases[name].name}' is being reconstructed; wait for it, "
                    "or cancel it there first."
                )
        bench.asked = asked
        bench.runner.run(stages)

    def drop(self, case: Case) -> None:
        """Stop what is computed of a case, as it is of no use any more."""
        bench = self._benches.pop(case.id, None)
        if bench is not None:
            bench.runner.dispose()

    def dispose(self) -> None:
        """Stop everything."""
        for bench in self._benches.values():
            bench.runner.dispose()
        self._benches.clear()

    def _made(self, bench: Bench, made: StageResult) -> None:
        if made.stage == "mask" and bench.recon.previous_of("mask") is None:
            self._warn_of_mask(bench, made)
        look = made.stage in bench.asked if bench.asked else made.stage != "mask"
        bench.results.show_made(made, look=look)
        self._on_made(bench, made)

    def _warn_of_mask(self, bench: Bench, made: StageResult) -> None:
        """A mask from earlier work, perhaps painted on, is replaced: say how to get it back."""
        entry = bench.results.entry("mask")
        if entry is None or entry.editable is None:
            return
        mask = made.quantities["mask"]
        if entry.editable.shape == mask.shape and ((entry.editable != 0) != mask).any():
            self._context.message(
                "The brain mask that was open was replaced; Ctrl+Z brings it back."
            )
