"""Run a recipe on a scan, or from any intermediate, and say how each result was made."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_qsm import __version__
from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.provenance import input_record, methods_paragraph, software_versions
from napari_qsm.recon.recipe import Choice, Recipe
from napari_qsm.recon.relaxometry import fit_r2star, t2star
from napari_qsm.recon.stages import STAGES, get_method
from napari_qsm.scan import Scan
from napari_qsm.volume import Array, Volume, check_same_grid

#: Called with the stage's name and the fraction of that stage that is done.
StageProgress = Callable[[str, float], None]

#: Unit of each quantity that is an image.
UNITS: Mapping[str, str] = {
    "phase": "rad",
    "mask": "",
    "unwrapped": "rad",
    "total_field_ppm": "ppm",
    "noise_ppm": "ppm",
    "local_field_ppm": "ppm",
    "local_mask": "",
    "chi_ppm": "ppm",
    "r2star_per_s": "1/s",
    "t2star_s": "s",
}


@dataclass(frozen=True)
class Inputs:
    """What a reconstruction starts from: a scan, or any intermediate, on one grid.

    Attributes
    ----------
    scan : Scan or None
        Phase and magnitude; not needed when a field is given.
    magnitude : tuple of Volume
        Magnitudes to weight a reconstruction that starts from a field; a scan brings its own.
    mask : Volume or None
        Brain mask of 0 and 1, used instead of the recipe's mask method.
    unwrapped : Volume or None
        Unwrapped phase in rad, 3-D, or 4-D with echoes last; needs echo times and field
        strength, either from ``scan`` or below.
    total_field_ppm, local_field_ppm : Volume or None
        Fields in ppm of B0.
    reference_roi : Volume or None
        Region of 0 and 1 whose mean susceptibility becomes zero.
    echo_times_s : tuple of float
        Only with ``unwrapped`` and no scan.
    field_strength_t : float or None
        Only with ``unwrapped`` and no scan.
    """

    scan: Scan | None = None
    magnitude: tuple[Volume, ...] = ()
    mask: Volume | None = None
    unwrapped: Volume | None = None
    total_field_ppm: Volume | None = None
    local_field_ppm: Volume | None = None
    reference_roi: Volume | None = None
    echo_times_s: tuple[float, ...] = ()
    field_strength_t: float | None = None

    def grid(self) -> Volume:
        """A volume that stands for the grid of all inputs.

        Raises
        ------
        GeometryError
            If they do not share one grid.
        MetadataError
            If there is nothing to start from.
        """
        named = self.named()
        starts = [v for role, v in named if role not in ("magnitude", "mask", "reference_roi")]
        if not starts:
            raise MetadataError(
                "Nothing to reconstruct: give the phase, an unwrapped phase or a field."
            )
        for _, volume in named:
            check_same_grid(volume, starts[0])
        return starts[0]

    def named(self) -> list[tuple[str, Volume]]:
        """Every volume given, with its role."""
        given: list[tuple[str, Volume]] = []
        if self.scan is not None:
            given += [("phase", v) for v in self.scan.phase]
            given += [("magnitude", v) for v in self.scan.magnitude]
        given += [("magnitude", v) for v in self.magnitude]
        for role in ("mask", "unwrapped", "total_field_ppm", "local_field_ppm", "reference_roi"):
            volume = getattr(self, role)
            if volume is not None:
                given.append((role, volume))
        return given


@dataclass(frozen=True)
class Result:
    """Every intermediate of a reconstruction, and how it came about.

    Attributes
    ----------
    grid : Volume
        Stands for the grid of all results (closest-canonical; remembers the file's own).
    arrays : dict
        Quantity name to array; see :data:`napari_qsm.recon.stages.QUANTITIES`. Values that
        are not images (``reference_ppm``) are there too.
    provenance : dict
        JSON-ready: software, inputs with checksums, recipe with every setting, timings, mask
        sizes, warnings and the methods paragraph.
    """

    grid: Volume
    arrays: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What the user should know, in the order in which it came up."""
        return list(self.provenance["warnings"])

    @property
    def methods(self) -> str:
        """A paragraph for the methods section of a paper, with citations."""
        return str(self.provenance["methods"])

    def volume(self, name: str) -> Volume:
        """One result as a volume; echoes come last."""
        data = self.arrays[name]
        if data.ndim == 4:
            data = data[0] if len(data) == 1 else np.moveaxis(data, 0, -1)
        return self.grid.with_data(data, unit=UNITS.get(name, ""), name=name)

    def images(self) -> list[str]:
        """Names of the results that are images, in the order in which they were made."""
        return [name for name in UNITS if isinstance(self.arrays.get(name), np.ndarray)]


@dataclass
class _Run:
    """The state of one run: quantities by name, and what happened."""

    have: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)


def plan(recipe: Recipe, inputs: Inputs) -> list[tuple[str, Choice]]:
    """Which stages a run takes, in order, with the method of each.

    Stages before the latest given intermediate are left out; a given mask takes the place of
    the recipe's mask method.

    Raises
    ------
    MetadataError
        If there is nothing to start from, or a reference region that the recipe does not use.
    """
    if inputs.local_field_ppm is not None:
        skip = {"phase", "unwrap", "echoes", "background"}
    elif inputs.total_field_ppm is not None:
        skip = {"phase", "unwrap", "echoes"}
    elif inputs.unwrapped is not None:
        skip = {"unwrap"} | (set() if inputs.scan else {"phase"})
    elif inputs.scan is not None:
        skip = set()
    else:
        raise MetadataError(
            "Nothing to reconstruct: give the phase, an unwrapped phase or a field."
        )
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


def run(
    recipe: Recipe,
    inputs: Inputs,
    *,
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
    grid = inputs.grid().to_canonical()
    state = _Run(_quantities(inputs, grid))
    state.warnings.extend(_input_warnings(inputs, grid))
    if inputs.local_field_ppm is not None and inputs.mask is None:
        _mask_from_field(state)
        steps = [(stage, choice) for stage, choice in steps if stage != "mask"]
    for stage, choice in steps:
        if stage == "mask" and inputs.scan is None and inputs.mask is not None:
            _take_mask(state)
        else:
            _run_stage(stage, choice, state, progress, cancelled)
        if stage == "echoes":
            _add_r2star(state)
        elif stage == "mask" and inputs.local_field_ppm is not None:
            state.have["local_mask"] = state.have["mask"]
    provenance = _provenance(recipe, inputs, grid, state)
    kept = {n: state.have[n] for n in (*UNITS, "reference_ppm") if state.have.get(n) is not None}
    return Result(grid, kept, provenance)


def _run_stage(
    stage: str,
    choice: Choice,
    state: _Run,
    progress: StageProgress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    method = choice.method
    arguments = {}
    for name in method.inputs:
        if name in state.have:
            arguments[name] = state.have[name]
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
    start = time.perf_counter()
    try:
        results = method.function(**arguments, **choice.settings, **reports)
    except QsmError:
        raise
    except MemoryError as error:
        need = sum(a.nbytes for a in arguments.values() if isinstance(a, np.ndarray)) / 2**30
        raise QsmError(
            f"{method.title} ran out of memory on inputs of {need:.1f} GiB; close other "
            "programs or crop the scan."
        ) from error
    seconds = time.perf_counter() - start
    names = STAGES[stage]
    state.have.update(zip(names, results if len(names) > 1 else (results,), strict=True))
    state.warnings.extend(f"{stage}: {sentence}" for sentence in said)
    state.stages.append(
        {
            "stage": stage,
            "method": method.name,
            "settings": dict(choice.settings),
            "seconds": round(seconds, 3),
            "warnings": said,
        }
    )
    report(1.0)


def _quantities(inputs: Inputs, grid: Volume) -> dict[str, Any]:
    """Everything the stages may ask for, as canonical arrays."""

    def stack(volumes: tuple[Volume, ...]) -> Array:
        return np.stack([np.asarray(v.like(grid).data) for v in volumes])

    def single(volume: Volume) -> Array:
        return np.ascontiguousarray(volume.like(grid).data)

    have: dict[str, Any] = {
        "voxel_size_mm": grid.voxel_size_mm,
        "b0_direction": grid.b0_direction,
        "metadata": {},
        "echo_times_s": inputs.echo_times_s,
        "magnitude": None,
        "magnitude_echo_times_s": (),
        "noise_ppm": None,
        "given_mask": None,
        "reference_roi": None,
    }
    scan = inputs.scan
    if scan is not None:
        have["raw_phase"] = stack(scan.phase)
        have["echo_times_s"] = scan.echo_times_s
        have["field_strength_t"] = scan.field_strength_t
        have["metadata"] = scan.metadata
        have["magnitude_echo_times_s"] = scan.magnitude_echo_times_s
    elif inputs.field_strength_t is not None:
        have["field_strength_t"] = inputs.field_strength_t
    magnitude = inputs.magnitude or (scan.magnitude if scan else ())
    if magnitude:
        have["magnitude"] = stack(magnitude).astype(np.float32, copy=False)
    if inputs.mask is not None:
        have["given_mask"] = _as_bool(inputs.mask.like(grid), "mask")
    if inputs.reference_roi is not None:
        have["reference_roi"] = _as_bool(inputs.reference_roi.like(grid), "reference region")
    if inputs.unwrapped is not None:
        volume = inputs.unwrapped
        count = volume.data.shape[3] if volume.data.ndim == 4 else 1
        have["unwrapped"] = stack(tuple(volume.echo(i) for i in range(count))).astype(
            np.float32, copy=False
        )
        if len(have["echo_times_s"]) != count:
            raise MetadataError(
                f"The unwrapped phase has {count} echoes but {len(have['echo_times_s'])} echo "
                "times were given."
            )
        if "field_strength_t" not in have:
            raise MetadataError("Starting from an unwrapped phase needs the field strength in T.")
    for name in ("total_field_ppm", "local_field_ppm"):
        volume = getattr(inputs, name)
        if volume is not None:
            data = single(volume)
            have[name] = data if data.dtype.kind == "f" else data.astype(np.float32)
    return have


def _as_bool(volume: Volume, what: str) -> Array:
    data = volume.data
    if data.ndim != 3 or not ((data == 0) | (data == 1)).all():
        raise MetadataError(
            f"The {what} '{volume.name}' must be one 3-D image that holds only 0 and 1."
        )
    return np.ascontiguousarray(data == 1)


def _take_mask(state: _Run) -> None:
    """A given mask as it is: without a phase there is nothing to refine it by."""
    mask = state.have["given_mask"]
    if not mask.any():
        raise MetadataError("The mask is empty: it has no voxel of value 1.")
    state.have["mask"] = mask
    state.stages.append(
        {"stage": "mask", "method": "given", "settings": {}, "seconds": 0.0, "warnings": []}
    )


def _mask_from_field(state: _Run) -> None:
    """A local field without a mask is its own mask: fields are exactly zero where not known."""
    known = np.isfinite(state.have["local_field_ppm"]) & (state.have["local_field_ppm"] != 0)
    if known.all():
        raise MetadataError(
            "The local field has no zero voxels, so it does not show where it is valid; give a mask."
        )
    if not known.any():
        raise MetadataError("The local field is zero everywhere.")
    state.have["local_mask"] = known
    state.warnings.append("mask: taken from the non-zero voxels of the local field.")


def _input_warnings(inputs: Inputs, grid: Volume) -> list[str]:
    scan = inputs.scan
    notes = scan.metadata.get("Notes", []) if scan is not None else []
    said = [str(note) for note in notes] if isinstance(notes, list) else []
    if not grid.orientation_known and not any("orientation" in note for note in said):
        said.append(
            f"'{grid.name}' records no orientation: left and right cannot be told apart, and B0 "
            "is assumed to run along the third axis."
        )
    if scan is not None and scan.phase_difference and not any("difference" in n for n in said):
        delta = scan.echo_times_s[0] * 1e3
        said.append(f"The phase is a difference between two echoes; {delta:g} ms is used as time.")
    return said


def _add_r2star(state: _Run) -> None:
    """R2* and T2* as by-products where there are enough magnitude echoes."""
    times = state.have["magnitude_echo_times_s"]
    magnitude = state.have["magnitude"]
    if magnitude is not None and len(times) >= 3:
        rate = fit_r2star(magnitude, times, state.have["mask"])
        state.have["r2star_per_s"] = rate
        state.have["t2star_s"] = t2star(rate)


def _provenance(recipe: Recipe, inputs: Inputs, grid: Volume, state: _Run) -> dict[str, Any]:
    have = state.have
    sizes = {
        name: int(np.count_nonzero(have[name])) for name in ("mask", "local_mask") if name in have
    }
    reference = have.get("reference_ppm")
    return {
        "software": {"napari-qsm": __version__, **software_versions()},
        "python": platform.python_version(),
        "inputs": [input_record(role, volume) for role, volume in inputs.named()],
        "echo_times_s": list(have["echo_times_s"]),
        "field_strength_t": have.get("field_strength_t"),
        "phase_difference": bool(inputs.scan and inputs.scan.phase_difference),
        "voxel_size_mm": list(grid.voxel_size_mm),
        "b0_direction": list(grid.b0_direction),
        "recipe": recipe.to_dict(),
        "stages": state.stages,
        "mask_voxels": sizes,
        "reference_ppm": None if reference is None else float(reference),
        "warnings": state.warnings,
        "methods": methods_paragraph(state.stages),
    }
