"""Run a recipe on a scan, or from any intermediate, and say how each result was made.

:func:`run` runs a whole recipe; :func:`run_stage` runs one stage on what there is. The first
is made of the second, so stages run one by one give the same arrays, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_qsm.errors import Cancelled, MetadataError
from napari_qsm.recon.inputs import NOTHING, Inputs, input_warnings, quantities
from napari_qsm.recon.recipe import Choice, Recipe
from napari_qsm.recon.result import UNITS, Result, finish
from napari_qsm.recon.stage_run import StageOutcome, StageProgress, run_contrasts, run_stage
from napari_qsm.recon.stages import get_method
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
    "run_contrasts",
    "run_stage",
    "start",
]


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
    also: Sequence[Choice] = (),
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
    also : sequence of Choice
        Maps beside chi, from :func:`napari_qsm.recon.recipe.contrast_choices`.
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
    for choice in also:
        choice.method.ready(have, choice.settings)
    records = []
    for stage, choice in steps:
        outcome = run_stage(stage, choice, have, progress=progress, cancelled=cancelled)
        have.update(outcome.quantities)
        if stage == "mask" and makes_local_mask(inputs):
            have["local_mask"] = have["mask"]
        warnings += [f"{stage}: {sentence}" for sentence in outcome.warnings]
        records.append(outcome.record)
    contrasts = run_contrasts(also, have, progress=progress, cancelled=cancelled)
    have.update(contrasts.quantities)
    warnings += contrasts.warnings
    records += contrasts.records
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


def makes_local_mask(inputs: Inputs) -> bool:
    """Whether the mask is also the mask of the local field, because that field was given."""
    return inputs.local_field_ppm is not None or inputs.chi_ppm is not None


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
