"""Parameter sweep: one stage in several ways, side by side, on the whole or on a slab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.pipeline import Inputs, plan, run_stage, start
from napari_qsm.recon.recipe import Choice, Recipe, parse_recipe
from napari_qsm.recon.stages import STAGES, Progress, no_progress

Judge = Callable[[str, Mapping[str, Any]], Mapping[str, float]]

#: What a variant run to the end also gives.
_FINAL = ("chi_ppm", "reference_ppm")

#: Stages that can run on a slab, and how far beyond it they look, mm. The others need the whole
#: head (a brain mask, a reference) or take no time (scaling).
_REACH_MM: Mapping[str, float] = {
    "unwrap": 20.0,
    "echoes": 4.0,
    "background": 20.0,  # at least; more where a setting says how far
    "inversion": 30.0,
    "reference": 0.0,
}

#: A ball looks one radius far, its deconvolution about as far again.
_RADIUS_FACTOR = 2.0

#: Stages at which a slab may start.
SLAB_STAGES = ("unwrap", "echoes", "background", "inversion")


@dataclass(frozen=True, eq=False)
class Variant:
    """What one variant of a stage made.

    Attributes
    ----------
    stage : str
    choice : Choice
        The method with all its settings.
    arrays : dict
        What the stage makes, by name, on the whole grid, and ``chi_ppm`` and ``reference_ppm``
        if asked for; zero outside the slab of a preview. Empty if the variant failed.
    numbers : dict
        What the judge said of it; for a preview of its slab with the margin.
    seconds : float
        Time of the stage alone.
    warnings : tuple of str
        What the methods had to say.
    preview : bool
        True for a slab: values near its faces differ from a run on the whole, so a preview
        serves to choose settings and is never a result.
    slab : Slab or None
    error : str
        Why it failed, in a sentence; empty if it did not.
    """

    stage: str
    choice: Choice
    arrays: Mapping[str, Any]
    numbers: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    preview: bool = False
    slab: Slab | None = None
    error: str = ""


def variant_choices(
    recipe: Recipe, stage: str, variants: Sequence[Choice | Mapping[str, Any]]
) -> list[Choice]:
    """Variants as checked choices.

    Parameters
    ----------
    recipe : Recipe
        Settings that a variant does not name are the recipe's, if its method is.
    stage : str
    variants : sequence of Choice or dict
        Settings, with ``method`` where it is another one than the recipe's.

    Raises
    ------
    RecipeError
        Naming the setting and what is allowed.
    """
    if stage not in STAGES:
        raise MetadataError(f"There is no stage '{stage}'; the stages are {', '.join(STAGES)}.")
    choices = []
    for variant in variants:
        if isinstance(variant, Choice):
            choices.append(variant)
            continue
        data = recipe.to_dict()
        own = data["stages"][stage]
        same = variant.get("method", own["method"]) == own["method"]
        data["stages"][stage] = {**(own if same else {}), **variant}
        choices.append(parse_recipe(data, where="The variant").choices[stage])
    return choices


def quantities_before(
    recipe: Recipe,
    inputs: Inputs,
    stage: str,
    *,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Run a recipe up to a stage, and give what that stage starts from.

    Parameters
    ----------
    recipe : Recipe
    inputs : Inputs
        A scan or any intermediate.
    stage : str
        The stage that does not run any more.
    progress, cancelled : callables, optional
        As for :func:`run_sweep`.

    Raises
    ------
    MetadataError
        If the stage is left out because something later is given.
    QsmError
        In the words of the stage that failed.
    """
    steps = plan(recipe, inputs)
    names = [name for name, _ in steps]
    if stage not in names:
        raise MetadataError(
            f"There is nothing to try at the stage '{stage}': it does not run on what was given."
        )
    have, _ = start(inputs)
    before = steps[: names.index(stage)]
    for n, (name, choice) in enumerate(before):

        def report(_: str, fraction: float, n: int = n) -> None:
            progress((n + fraction) / len(before))

        have.update(run_stage(name, choice, have, progress=report, cancelled=cancelled).quantities)
    if "local_mask" not in have and ("local_field_ppm" in have or "chi_ppm" in have):
        have["local_mask"] = have["mask"]
    return have


def run_sweep(
    recipe: Recipe,
    inputs: Inputs | Mapping[str, Any],
    stage: str,
    variants: Sequence[Choice | Mapping[str, Any]],
    *,
    slab: Slab | None = None,
    with_chi: bool = False,
    judge: Judge | None = None,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] | None = None,
) -> list[Variant]:
    """Run one stage in several ways on the same input; nothing is chosen here.

    Parameters
    ----------
    recipe : Recipe
        The other stages' methods, and the settings that variants do not name.
    inputs : Inputs or mapping
        What the stages before made, by name (:data:`napari_qsm.recon.stages.QUANTITIES`), as
        :func:`napari_qsm.recon.pipeline.start` begins and each stage adds to; or inputs, on
        which the stages before are run first. Never modified.
    stage : str
        Which stage.
    variants : sequence of Choice or dict
        See :func:`variant_choices`.
    slab : Slab, optional
        Only these slices, with a margin that fits the methods' reach; the result is a preview.
    with_chi : bool
        Also run the stages after it, down to a referenced map.
    judge : callable, optional
        Gives numbers for a stage and its quantities; usually
        :func:`napari_qsm.qc.judge.stage_numbers`.
    progress : callable, optional
        Told the fraction done of all variants.
    cancelled : callable, optional
        Asked often; once it returns True the work stops.

    Returns
    -------
    list of Variant
        In the order of the variants. A variant that fails says why; the others still run.

    Raises
    ------
    RecipeError
        For settings that are not allowed.
    MetadataError
        For a slab that the stage cannot run on or that lies outside the grid.
    QsmError
        If a stage before it fails.
    Cancelled
        If it was stopped.

    Notes
    -----
    On the built-in head of 0.625 x 0.625 x 2 mm, a preview of 8 axial slices of V-SHARP's field
    differs from the whole run by 5 % of its spread, one of STAR's map by 12 %, and both together
    by 14 %; correlations are above 0.99.
    """
    choices = variant_choices(recipe, stage, variants)
    names = list(STAGES)
    after = names[names.index(stage) + 1 :] if with_chi else []
    if slab is not None and stage not in SLAB_STAGES:
        raise MetadataError(
            f"The stage '{stage}' needs the whole head; try its settings without a slab."
        )
    rounds = len(choices) + isinstance(inputs, Inputs)

    def told(round_: int) -> Progress:
        return lambda fraction: progress((round_ + fraction) / rounds)

    if isinstance(inputs, Inputs):
        have: Mapping[str, Any] = quantities_before(
            recipe, inputs, stage, progress=told(0), cancelled=cancelled
        )
    else:
        have = inputs
    shape = _grid_shape(have)
    if slab is not None:
        check_slab(slab, shape)
    done = []
    for n, choice in enumerate(choices, start=rounds - len(choices)):
        steps = [(stage, choice), *((later, recipe.choices[later]) for later in after)]
        done.append(_one(steps, have, shape, slab, judge, told(n), cancelled))
    return done


def _one(
    steps: Sequence[tuple[str, Choice]],
    quantities: Mapping[str, Any],
    shape: tuple[int, ...],
    slab: Slab | None,
    judge: Judge | None,
    progress: Progress,
    cancelled: Callable[[], bool] | None,
) -> Variant:
    """One variant, and the stages after it."""
    stage, choice = steps[0]
    preview = slab is not None
    box = box_of(slab, steps, quantities["voxel_size_mm"], shape)
    have = {name: cropped(value, box, shape) for name, value in quantities.items()}
    outcomes = []
    try:
        for n, (name, method) in enumerate(steps):

            def report(_: str, fraction: float, n: int = n) -> None:
                progress((n + fraction) / len(steps))

            outcome = run_stage(name, method, have, progress=report, cancelled=cancelled)
            have.update(outcome.quantities)
            outcomes.append(outcome)
            if n == 0 and judge is not None:
                numbers = dict(judge(stage, have))
    except Cancelled:
        raise
    except QsmError as error:
        return Variant(stage, choice, {}, preview=preview, slab=slab, error=str(error))
    made = {*outcomes[0].quantities, *(set(_FINAL) & set(outcomes[-1].quantities))}
    return Variant(
        stage=stage,
        choice=choice,
        arrays={k: put_back(v, box, slab, shape) for k, v in have.items() if k in made},
        numbers=numbers if judge is not None else {},
        seconds=float(outcomes[0].record["seconds"]),
        warnings=tuple(said for outcome in outcomes for said in outcome.warnings),
        preview=preview,
        slab=slab,
    )


def _grid_shape(quantities: Mapping[str, Any]) -> tuple[int, ...]:
    for value in quantities.values():
        if isinstance(value, np.ndarray) and value.ndim in (3, 4):
            return tuple(value.shape[-3:])
    raise MetadataError("Nothing to try settings on: there is no image yet.")


@dataclass(frozen=True)
class Slab:
    """A range of slices.

    Attributes
    ----------
    axis : int
        0, 1 or 2 of the closest-canonical RAS grid.
    start, stop : int
        First slice, and the one after the last.
    """

    axis: int
    start: int
    stop: int


def check_slab(slab: Slab, shape: tuple[int, ...]) -> None:
    """Refuse a slab that does not lie within the image.

    Raises
    ------
    MetadataError
        Naming the slab and the image.
    """
    if slab.axis not in (0, 1, 2) or not 0 <= slab.start < slab.stop <= shape[slab.axis]:
        raise MetadataError(
            f"Slices {slab.start} to {slab.stop} along axis {slab.axis} do not lie within the "
            f"image of {' x '.join(map(str, shape))} voxels."
        )


def reach_mm(steps: Sequence[tuple[str, Choice]]) -> float:
    """How far beyond a slab the given stages look, mm: the widest of them."""
    reach = 0.0
    for stage, choice in steps:
        radii = [
            float(value)
            for name, value in choice.settings.items()
            if "radius" in name and choice.method.settings[name].param.unit == "mm"
        ]
        reach = max(reach, _REACH_MM.get(stage, 0.0), _RADIUS_FACTOR * max(radii, default=0.0))
    return reach


def box_of(
    slab: Slab | None,
    steps: Sequence[tuple[str, Choice]],
    voxel_size_mm: Sequence[float],
    shape: tuple[int, ...],
) -> tuple[slice, ...]:
    """The slab with its margin, as far as the image goes."""
    box = [slice(0, n) for n in shape]
    if slab is not None:
        margin = int(np.ceil(reach_mm(steps) / voxel_size_mm[slab.axis]))
        low, high = max(slab.start - margin, 0), slab.stop + margin
        box[slab.axis] = slice(low, min(high, shape[slab.axis]))
    return tuple(box)


def cropped(value: Any, box: tuple[slice, ...], shape: tuple[int, ...]) -> Any:
    """The part of an image inside a box (view); anything else as it is."""
    if isinstance(value, np.ndarray) and value.ndim >= 3 and value.shape[-3:] == shape:
        index: tuple[Any, ...] = (Ellipsis, *box)
        return value[index]
    return value


def put_back(value: Any, box: tuple[slice, ...], slab: Slab | None, shape: tuple[int, ...]) -> Any:
    """On the whole grid, zero outside the slab: the margin is not for looking at."""
    if slab is None or not (isinstance(value, np.ndarray) and value.ndim >= 3):
        return value
    out = np.zeros((*value.shape[:-3], *shape), dtype=value.dtype)
    keep = [slice(None)] * 3
    start = box[slab.axis].start
    keep[slab.axis] = slice(slab.start - start, slab.stop - start)
    target = [slice(None)] * 3
    target[slab.axis] = slice(slab.start, slab.stop)
    lead: tuple[Any, ...] = (Ellipsis,)
    out[lead + tuple(target)] = value[lead + tuple(keep)]
    return out
