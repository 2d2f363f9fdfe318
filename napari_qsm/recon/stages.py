"""The register of reconstruction methods.

A method is a plain function. Its positional parameters are *inputs*, named after the
quantities in :data:`QUANTITIES`; the pipeline hands over what it has under that name.
Its keyword-only parameters are *settings*, each annotated with a :class:`Param`. From
that one signature come the check of a recipe, the command line's ``--set``, the form in
the window, the provenance record and the table in the documentation.

    @method("background", "vsharp", title="V-SHARP", references=("Wu 2012 ...",))
    def vsharp(
        total_field_ppm, mask, voxel_size_mm, *,
        radius_max_mm: Annotated[float, Param("Largest ball.", unit="mm", ge=1, le=50)] = 12.0,
        progress: Progress = no_progress,
        warn: Warn = no_warning,
    ): ...

Arrays are C-contiguous or not, float32 or float64 (results keep the input's precision),
masks are bool; inputs are never modified. ``progress(fraction)`` is called often (at least
every 0.3 s of work) and may raise :class:`~napari_qsm.errors.Cancelled`; ``warn(sentence)``
records something the user should know.
"""

from __future__ import annotations

import importlib
import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from napari_qsm import typed
from napari_qsm.errors import RecipeError

Progress = Callable[[float], None]
Warn = Callable[[str], None]


def no_progress(fraction: float) -> None:
    """Ignore progress: the default of every method."""


def no_warning(sentence: str) -> None:
    """Ignore a warning: the default of every method."""


#: What methods take and give, with shape and unit. E is the number of echoes.
QUANTITIES = MappingProxyType(
    {
        "raw_phase": "(E, x, y, z) phase as stored in the file",
        "phase": "(E, x, y, z) wrapped phase, rad, paramagnetic tissue positive",
        "magnitude": "(M, x, y, z) magnitudes, any unit, or None",
        "echo_times_s": "E floats, s, ascending",
        "magnitude_echo_times_s": "M floats, s; empty where unknown",
        "field_strength_t": "float, T",
        "voxel_size_mm": "three floats, mm",
        "b0_direction": "unit vector of B0 in voxel axes",
        "metadata": "dict of BIDS sidecar entries",
        "given_mask": "(x, y, z) bool mask from outside, or None",
        "mask": "(x, y, z) bool, where the phase can be trusted",
        "unwrapped": "(E, x, y, z) unwrapped phase, rad",
        "total_field_ppm": "(x, y, z) field, ppm of B0",
        "noise_ppm": "(x, y, z) standard deviation of the field up to a common factor, or None",
        "local_field_ppm": "(x, y, z) field of the tissue inside the mask, ppm",
        "local_mask": "(x, y, z) bool, where the local field is valid",
        "reference_roi": "(x, y, z) bool region whose mean chi becomes zero, or None",
        "chi_ppm": "(x, y, z) susceptibility, ppm",
        "chi_noise_ppm": "(x, y, z) standard deviation of chi by the scan's noise, ppm",
        "reference_ppm": "float, chi subtracted by referencing, ppm",
        "slice_axis": "0, 1 or 2, along which the file's slices are stacked",
        "r2_per_s": "(x, y, z) transverse relaxation rate R2, 1/s, or None",
        "r2star_per_s": "(x, y, z) effective transverse relaxation rate R2*, 1/s",
        "t2star_s": "(x, y, z) its inverse T2*, s",
        "swi": "(x, y, z) susceptibility-weighted magnitude, unit of the magnitude",
        "tswi": "(x, y, z) magnitude weighted by chi, unit of the magnitude",
        "mip": "(x, y, z) minimum of the SWI over a slab, unit of the magnitude",
        "chi_positive_ppm": "(x, y, z) part of chi from paramagnetic sources, ppm, never negative",
        "chi_negative_ppm": "(x, y, z) part of chi from diamagnetic sources, ppm, never positive",
    }
)

#: The stages in order, and the quantities each one's methods return (in that order).
STAGES = MappingProxyType(
    {
        "phase": ("phase",),
        "mask": ("mask",),
        "unwrap": ("unwrapped",),
        "echoes": ("total_field_ppm", "noise_ppm"),
        "background": ("local_field_ppm", "local_mask"),
        "inversion": ("chi_ppm",),
        "reference": ("chi_ppm", "reference_ppm"),
    }
)
#: Maps beside chi from the same scan. No recipe has this stage: its methods run on request, any
#: number of them, after the stages, and each gives quantities of its own.
CONTRASTS = "contrasts"


@dataclass(frozen=True)
class Param:
    """What a setting means: help text, unit, bounds or choices."""

    help: str
    unit: str = ""
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """One setting of a method, as read from its signature."""

    name: str
    type: type
    default: Any
    param: Param

    def check(self, value: Any, where: str) -> Any:
        """The value in its right type, or a sentence that says what is allowed.

        Raises
        ------
        RecipeError
            Naming ``where``, the value and the allowed values.
        """
        allowed = self.allowed()
        try:
            value = _convert(value, self.type)
        except (TypeError, ValueError, OverflowError):
            raise RecipeError(f"{where} is {_shown(value)}; it must be {allowed}.") from None
        p = self.param
        too_low = p.ge is not None and not value >= p.ge
        too_high = p.le is not None and not value <= p.le
        if too_low or too_high or (p.choices and value not in p.choices):
            raise RecipeError(f"{where} is {value!r}; it must be {allowed}.")
        return value

    def allowed(self) -> str:
        """In words, which values the setting takes."""
        p = self.param
        if p.choices:
            return "one of " + ", ".join(p.choices)
        if self.type is bool:
            return "true or false"
        kind = {int: "a whole number", float: "a number", str: "text"}[self.type]
        unit = f" {p.unit}" if p.unit else ""
        if p.ge is not None and p.le is not None:
            return f"{kind} from {p.ge:g} to {p.le:g}{unit}"
        if p.ge is not None:
            return f"{kind} of at least {p.ge:g}{unit}"
        if p.le is not None:
            return f"{kind} of at most {p.le:g}{unit}"
        return kind + unit


def _shown(value: Any) -> str:
    try:
        said = repr(value)
    except ValueError:  # Python writes no whole numbers of thousands of digits
        said = "a number of thousands of digits"
    return said if len(said) <= 60 else said[:59] + "…"


def _convert(value: Any, kind: type) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        raise ValueError
    if kind is str:
        if isinstance(value, str):
            return value
        raise ValueError
    if isinstance(value, bool):
        raise ValueError
    number = typed.number(value, "a setting") if isinstance(value, str) else float(value)
    if not math.isfinite(number):
        raise ValueError
    if kind is int:
        if number != int(number):
            raise ValueError
        return int(number)
    return number


#: Given what there is before any stage has run and the settings, raises a sentence if a contrast
#: cannot be made of it: nobody waits for a whole reconstruction to learn that.
Ready = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
#: Given the settings of a run and what it warned of, how it departed from the papers it cites:
#: a sentence for the methods paragraph, or nothing.
Beyond = Callable[[Mapping[str, Any], Sequence[str]], str]


def _nothing(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    """A method that does what its papers say."""
    return ""


def _always(have: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """A method that needs nothing beyond its inputs."""


@dataclass(frozen=True)
class Method:
    """A registered method: its function and what its signature says."""

    stage: str
    name: str
    title: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    optional_inputs: frozenset[str]
    settings: MappingProxyType[str, Setting]
    reports: frozenset[str]
    references: tuple[str, ...]
    beyond: Beyond
    gives: tuple[str, ...]
    ready: Ready

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


_REGISTER: dict[str, dict[str, Method]] = {stage: {} for stage in (*STAGES, CONTRASTS)}
#: Callables that a method takes if it has something to report.
_REPORTS = frozenset({"progress", "warn"})


def method(
    stage: str,
    name: str,
    *,
    title: str,
    references: tuple[str, ...] = (),
    beyond: Beyond = _nothing,
    gives: tuple[str, ...] = (),
    ready: Ready = _always,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a method of a stage; the function itself is returned unchanged.

    Parameters
    ----------
    stage : str
        A key of :data:`STAGES`, or :data:`CONTRASTS`.
    name : str
        What recipes call the method.
    title : str
        What people call it.
    references : tuple of str
        Citations, "Author Year, Journal vol:page, doi:...".
    beyond : callable, optional
        From settings and warnings of a run, a sentence on how it departs from what is cited.
    gives : tuple of str
        Quantities that it returns, of a contrast; those of the stage unless given.
    ready : callable, optional
        Of a contrast, asked before any stage runs; raises what would be raised at the end.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = typing.get_type_hints(function, include_extras=True)
        inputs, optional, settings, reports = [], set(), {}, set()
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in _REPORTS:
                reports.add(parameter.name)
                continue
            if parameter.kind is not parameter.KEYWORD_ONLY:
                if parameter.name not in QUANTITIES:
                    raise TypeError(f"{stage}.{name}: unknown input {parameter.name!r}")
                inputs.append(parameter.name)
                if parameter.default is not parameter.empty:
                    optional.add(parameter.name)
                continue
            hint = hints.get(parameter.name)
            extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
            param = next((extra for extra in extras if isinstance(extra, Param)), None)
            if param is None or parameter.default is parameter.empty:
                raise TypeError(f"{stage}.{name}: setting {parameter.name!r} needs Param, default")
            kind = get_args(hint)[0]
            settings[parameter.name] = Setting(parameter.name, kind, parameter.default, param)
        _REGISTER[stage][name] = Method(
            stage=stage,
            name=name,
            title=title,
            function=function,
            inputs=tuple(inputs),
            optional_inputs=frozenset(optional),
            settings=MappingProxyType(settings),
            reports=frozenset(reports),
            references=references,
            beyond=beyond,
            gives=gives or STAGES[stage],
            ready=ready,
        )
        return function

    return register


def methods(stage: str) -> MappingProxyType[str, Method]:
    """All methods of a stage by name, in the order in which its file lists them.

    Raises
    ------
    RecipeError
        If there is no such stage.
    """
    if stage not in _REGISTER:
        raise RecipeError(f"There is no stage '{stage}'; the stages are {', '.join(STAGES)}.")
    importlib.import_module(f"napari_qsm.recon.{stage}")
    return MappingProxyType(_REGISTER[stage])


def get_method(stage: str, name: str) -> Method:
    """The method of that name.

    Raises
    ------
    RecipeError
        Naming the stage and the methods it has.
    """
    known = methods(stage)
    if name not in known:
        raise RecipeError(
            f"Stage '{stage}' has no method '{name}'; its methods are {', '.join(known)}."
        )
    return known[name]
