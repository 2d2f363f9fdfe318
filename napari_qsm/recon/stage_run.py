"""Run one stage, or the maps beside chi, on what there is, and say how each came about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.memory import needed_gib
from napari_qsm.recon.recipe import Choice
from napari_qsm.recon.relaxometry import fit_r2star, t2star
from napari_qsm.recon.stages import CONTRASTS

#: Called with the stage's name and the fraction of that stage that is done.
StageProgress = Callable[[str, float], None]


@dataclass(frozen=True)
class StageOutcome:
    """What one stage has made.

    Attributes
    ----------
    quantities : dict
        Name to value: what the stage's methods return, and by-products (R2* and T2* of the
        stage ``echoes`` where there are three magnitude echoes).
    warnings : list of str
        What the user should know.
    record : dict
        JSON-ready: stage, method, settings, seconds, warnings.
    """

    quantities: Mapping[str, Any]
    warnings: list[str]
    record: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long the method took."""
        return float(self.record["seconds"])


def run_stage(
    stage: str,
    choice: Choice,
    have: Mapping[str, Any],
    *,
    progress: StageProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> StageOutcome:
    """Run one stage on what there is.

    Parameters
    ----------
    stage : str
        A key of :data:`~napari_qsm.recon.stages.STAGES`, or ``"contrasts"``.
    choice : Choice
        Its method and settings.
    have : mapping
        Quantities by name, from :func:`start` and from earlier stages; not modified.
    progress : callable, optional
        Told the stage and the fraction done, from 0 to 1.
    cancelled : callable, optional
        Asked as often as the method reports.

    Returns
    -------
    StageOutcome
        What the stage makes; put its ``quantities`` into ``have`` for the next one.

    Raises
    ------
    MetadataError
        If something the method needs is missing.
    Cancelled
        Once ``cancelled`` says so.
    QsmError
        In the method's own words, or if memory runs out.
    """
    method = choice.method
    if stage == "mask" and "phase" not in have and have.get("given_mask") is not None:
        return _taken_mask(have["given_mask"])
    arguments = {}
    for name in method.inputs:
        if name in have:
            arguments[name] = have[name]
        elif name not in method.optional_inputs:
            raise MetadataError(
                f"{method.title} needs the {name.removesuffix('_ppm').replace('_', ' ')}, "
                "which was not given." + (" Give a mask." if stage == "mask" else "")
            )

    def report(fraction: float) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The reconstruction was stopped.")
        if progress is not None:
            progress(stage, min(max(float(fraction), 0.0), 1.0))

    said: list[str] = []
    reports = {
        name: take
        for name, take in (("progress", report), ("warn", said.append))
        if name in method.reports
    }
    report(0.0)
    began = time.perf_counter()
    try:
        results = method.function(**arguments, **choice.settings, **reports)
        names = method.gives
        made = dict(zip(names, results if len(names) > 1 else (results,), strict=True))
        seconds = time.perf_counter() - began
        if stage == "echoes":
            made.update(_relaxation(have))
    except MemoryError as error:
        raise QsmError(
            f"{method.title} ran out of memory: this scan needs about "
            f"{needed_gib(method, arguments):.1f} GiB of it. Close other programs, or crop the "
            "scan to the head."
        ) from error
    report(1.0)
    record = {
        "stage": stage,
        "method": method.name,
        "settings": dict(choice.settings),
        "seconds": round(seconds, 3),
        "warnings": said,
    }
    return StageOutcome(made, said, record)


@dataclass(frozen=True)
class Contrasts:
    """Maps beside chi.

    Attributes
    ----------
    quantities : dict
        Name to array.
    warnings : list of str
        Each begins with the name of its method.
    records : list of dict
        As :attr:`StageOutcome.record`, one a method.
    """

    quantities: Mapping[str, Any]
    warnings: list[str]
    records: list[dict[str, Any]]

    def joined(self, later: Contrasts) -> Contrasts:
        """These and later ones; of one made twice the later."""
        again = {record["method"] for record in later.records}
        return Contrasts(
            {**self.quantities, **later.quantities},
            [s for s in self.warnings if s.partition(":")[0] not in again] + later.warnings,
            [r for r in self.records if r["method"] not in again] + later.records,
        )


def run_contrasts(
    also: Sequence[Choice],
    have: Mapping[str, Any],
    *,
    progress: StageProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Contrasts:
    """Make maps beside chi, one after the other: a later one may take what an earlier one gave.

    Parameters
    ----------
    also : sequence of Choice
        In order.
    have : mapping
        What the stages have made; not modified.
    progress, cancelled : callables, optional
        As for :func:`run`; the work is told as one stage ``contrasts``.
    """
    made: dict[str, Any] = {}
    warnings: list[str] = []
    records = []
    for number, choice in enumerate(also):

        def reported(stage: str, fraction: float, done: int = number) -> None:
            if progress is not None:
                progress(stage, (done + fraction) / len(also))

        outcome = run_stage(
            CONTRASTS, choice, {**have, **made}, progress=reported, cancelled=cancelled
        )
        made.update(outcome.quantities)
        warnings += [f"{choice.method.name}: {sentence}" for sentence in outcome.warnings]
        records.append(outcome.record)
    return Contrasts(made, warnings, records)


def _taken_mask(mask: Any) -> StageOutcome:
    """A given mask as it is: without a phase there is nothing to refine it by."""
    if not mask.any():
        raise MetadataError("The mask is empty: it has no voxel of value 1.")
    record = {"stage": "mask", "method": "given", "settings": {}, "seconds": 0.0, "warnings": []}
    return StageOutcome({"mask": mask}, [], record)


def _relaxation(have: Mapping[str, Any]) -> dict[str, Any]:
    """R2* and T2* as by-products where there are enough magnitude echoes."""
    times = have.get("magnitude_echo_times_s", ())
    magnitude = have.get("magnitude")
    if magnitude is None or len(times) < 3:
        return {}
    rate = fit_r2star(magnitude, times, have["mask"])
    return {"r2star_per_s": rate, "t2star_s": t2star(rate)}
