"""Run a recipe on a scan, or from any intermediate, and say how each result was made.

:func:`run` runs a whole recipe; :func:`run_stage` runs one stage on what there is. The first
is made of the second, so stages run one by one give the same arrays, bit by bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.inputs import NOTHING, Inputs, input_warnings, quantities
from napari_qsm.recon.memory import needed_gib
from napari_qsm.recon.recipe import Choice, Recipe
from napari_qsm.recon.relaxometry import fit_r2star, t2star
from napari_qsm.recon.result import UNITS, Result, finish
from napari_qsm.recon.stages import STAGES, get_method
from napari_qsm.recon.uncertainty import (
    NO_NOISE,
    STAGE,
    Uncertainty,
    check_repeats,
    uncertainty_of,
)
from napari_qsm.volume import Volume

__all__ = [
    "UNITS",
    "Inputs",
    "Result",
    "StageOutcome",
    "finish",
    "left_out",
    "makes_local_mask",
    "noise_of",
    "plan",
    "quantities",
    "run",
    "run_stage",
    "start",
]

#: Called with the stage's name and the fraction of that stage that is done.
StageProgress = Callable[[str, float], None]


def left_out(inputs: Inputs) -> set[str]:
    """Stages that do not run, because what they make, or something later, is given.

    Raises
    ------
    MetadataError
        If there is nothing to start from.
    """
    if inputs.chi_ppm is not None:
        skip = {"unwrap", "echoes", "background", "inversion"}
    elif inputs.local_field_ppm is not None:
        skip = {"unwrap", "echoes", "background"}
    elif inputs.total_field_ppm is not None:
        skip = {"unwrap", "echoes"}
    elif inputs.unwrapped is not None:
        skip = {"unwrap"}
    elif inputs.scan is not None:
        skip = set()
    else:
        raise MetadataError(NOTHING)
    if skip and inputs.mask is None and (inputs.local_field_ppm or inputs.chi_ppm):
        skip |= {"phase", "mask"}  # what is known of the field is the mask
    return skip if inputs.scan is not None else skip | {"phase"}


def plan(recipe: Recipe, inputs: Inputs) -> list[tuple[str, Choice]]:
    """Which stages a run takes, in order, with the method of each.

    Stages before the latest given intermediate are left out; a given mask takes the place of
    the recipe's mask method.

    Raises
    ------
    MetadataError
        If there is nothing to start from, or a reference region that the recipe does not use.
    """
    skip = left_out(inputs)
    steps = []
    for stage, choice in recipe.choices.items():
        if stage in skip:
            continue
        if stage == "mask" and inputs.mask is not None and choice.method.name != "given":
            given = get_method("mask", "given")
            choice = Choice(given, {n: s.default for n, s in given.settings.items()})
        steps.append((stage, choice))
    if inputs.reference_roi is not None and recipe.choices["reference"].method.name != "roi":
        raise MetadataError(
            "A reference region was given, but the recipe does not use it; "
            "set reference.method=roi."
        )
    return steps


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


def start(inputs: Inputs, grid: Volume | None = None) -> tuple[dict[str, Any], list[str]]:
    """What there is before the first stage runs, and what the user should know about it.

    A local field or a susceptibility map that comes without a mask is its own mask: both are
    exactly zero where not known.

    Parameters
    ----------
    inputs : Inputs
        In any axis order.
    grid : Volume, optional
        The canonical grid, if it is at hand.

    Returns
    -------
    have : dict
        Quantities by name; see :func:`napari_qsm.recon.inputs.quantities`.
    warnings : list of str
        One sentence each.

    Raises
    ------
    QsmError
        If the inputs do not fit together.
    """
    grid = grid or inputs.grid().to_canonical()
    have = quantities(inputs, grid)
    warnings = input_warnings(inputs, grid)
    for name, what in (("chi_ppm", "susceptibility map"), ("local_field_ppm", "local field")):
        if name in have and inputs.mask is None:
            have["local_mask"] = _known(have[name], what)
            warnings.append(f"mask: taken from the non-zero voxels of the {what}.")
            break
    return have, warnings


def run(
    recipe: Recipe,
    inputs: Inputs,
    *,
    uncertainty: int = 0,
    progress: StageProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Reconstruct.

    Parameters
    ----------
    recipe : Recipe
        Methods and settings of each stage.
    inputs : Inputs
        Volumes in any axis order on one grid.
    uncertainty : int
        How many perturbed maps the noise of the map is found from, see
        :mod:`napari_qsm.recon.uncertainty`; 0 for none.
    progress : callable, optional
        Told the stage and how much of it is done.
    cancelled : callable, optional
        Asked often; once it returns True the run stops with
        :class:`~napari_qsm.errors.Cancelled`.

    Returns
    -------
    Result
        Every intermediate, closest-canonical, with provenance.

    Raises
    ------
    QsmError
        Of the kind and in the words of the stage that failed; nothing is tried instead.
    """
    steps = plan(recipe, inputs)
    if uncertainty:
        check_repeats(uncertainty)
    grid = inputs.grid().to_canonical()
    have, warnings = start(inputs, grid)
    records = []
    for stage, choice in steps:
        outcome = run_stage(stage, choice, have, progress=progress, cancelled=cancelled)
        have.update(outcome.quantities)
        if stage == "mask" and makes_local_mask(inputs):
            have["local_mask"] = have["mask"]
        warnings += [f"{stage}: {sentence}" for sentence in outcome.warnings]
        records.append(outcome.record)
    found = None
    if uncertainty:
        found = noise_of(recipe, have, uncertainty, progress=progress, cancelled=cancelled)
        warnings += [NO_NOISE] if found is None else []
    return finish(recipe, inputs, grid, have, records, warnings, found)


def noise_of(
    recipe: Recipe,
    have: Mapping[str, Any],
    repeats: int,
    *,
    progress: StageProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Uncertainty | None:
    """The noise of a map that a recipe has made; see :mod:`napari_qsm.recon.uncertainty`.

    Parameters
    ----------
    recipe : Recipe
        That the map was made with.
    have : mapping
        All quantities, those of the stages included; not modified.
    repeats : int
        How many perturbed maps are made.
    progress, cancelled : callables, optional
        As for :func:`run`; the work is told as a stage ``uncertainty``.

    Returns
    -------
    Uncertainty or None
        None where there is no magnitude to tell the noise from.

    Raises
    ------
    QsmError
        See :func:`napari_qsm.recon.uncertainty.uncertainty_of`.
    """

    def again(stage: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return run_stage(stage, recipe.choices[stage], given, cancelled=cancelled).quantities

    def report(fraction: float) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The reconstruction was stopped.")
        if progress is not None:
            progress(STAGE, fraction)

    return uncertainty_of(have, again, repeats=repeats, progress=report)


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
        A key of :data:`~napari_qsm.recon.stages.STAGES`.
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
        names = STAGES[stage]
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


def makes_local_mask(inputs: Inputs) -> bool:
    """Whether the mask is also the mask of the local field, because that field was given."""
    return inputs.local_field_ppm is not None or inputs.chi_ppm is not None


def _taken_mask(mask: Any) -> StageOutcome:
    """A given mask as it is: without a phase there is nothing to refine it by."""
    if not mask.any():
        raise MetadataError("The mask is empty: it has no voxel of value 1.")
    record = {"stage": "mask", "method": "given", "settings": {}, "seconds": 0.0, "warnings": []}
    return StageOutcome({"mask": mask}, [], record)


def _known(values: Any, what: str) -> Any:
    """Where a map that is exactly zero outside its mask holds something."""
    known = np.isfinite(values) & (values != 0)
    if known.all():
        raise MetadataError(
            f"The {what} has no zero voxels, so it does not show where it is valid; give a mask."
        )
    if not known.any():
        raise MetadataError(f"The {what} is zero everywhere.")
    return known


def _relaxation(have: Mapping[str, Any]) -> dict[str, Any]:
    """R2* and T2* as by-products where there are enough magnitude echoes."""
    times = have.get("magnitude_echo_times_s", ())
    magnitude = have.get("magnitude")
    if magnitude is None or len(times) < 3:
        return {}
    rate = fit_r2star(magnitude, times, have["mask"])
    return {"r2star_per_s": rate, "t2star_s": t2star(rate)}
