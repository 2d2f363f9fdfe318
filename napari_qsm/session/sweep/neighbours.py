"""Settings worth comparing with those of now. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor, log10

from napari_qsm.recon.recipe import Choice, default_choice
from napari_qsm.recon.stages import Setting, methods

#: Letters of the columns.
LETTERS = ("A", "B", "C")


def _times(low: float, high: float) -> Callable[[float], tuple[float, float]]:
    return lambda value: (value * low, value * high)


def _beside(step: float) -> Callable[[float], tuple[float, float]]:
    return lambda value: (value - step, value + step)


#: Per stage and method: the setting that matters most, and a smaller and a larger value of it.
_MAIN: Mapping[tuple[str, str], tuple[str, Callable[[float], tuple[float, float]]]] = {
    ("mask", "brain"): ("level", _beside(0.1)),
    ("mask", "bet"): ("fraction", _beside(0.1)),
    ("mask", "threshold"): ("erode_mm", _beside(2.0)),
    ("mask", "phase-quality"): ("opening_mm", _beside(3.0)),
    ("mask", "given"): ("erode_mm", _beside(2.0)),
    ("mask", "whole"): ("erode_mm", _beside(2.0)),
    ("mask", "synthstrip"): ("border_mm", _beside(2.0)),
    ("mask", "hd-bet"): ("erode_mm", _beside(2.0)),
    ("background", "vsharp"): ("radius_max_mm", _times(2 / 3, 4 / 3)),
    ("background", "sharp"): ("radius_mm", _times(0.6, 1.6)),
    ("background", "resharp"): ("radius_mm", _times(0.6, 1.6)),
    ("background", "pdf"): ("tolerance", _times(0.1, 10)),
    ("background", "lbv"): ("peel_mm", _beside(1.0)),
    ("inversion", "star"): ("lambda_ppm", _times(0.3, 3)),
    ("inversion", "tv"): ("lambda_ppm", _times(0.3, 3)),
    ("inversion", "medi"): ("lambda_ppm", _times(0.3, 3)),
    ("inversion", "ilsqr"): ("iterations", _times(0.5, 2)),
    ("inversion", "tkd"): ("threshold", _times(2 / 3, 4 / 3)),
    ("inversion", "l2"): ("lambda_l2", _times(0.3, 3)),
    ("reference", "csf"): ("radius_mm", _times(2 / 3, 4 / 3)),
}


def main_setting(choice: Choice) -> str:
    """The setting that a comparison is about; empty where methods are compared instead."""
    known = _MAIN.get((choice.method.stage, choice.method.name))
    return known[0] if known is not None else ""


def neighbours(choice: Choice) -> list[Choice]:
    """Two or three choices to begin a comparison with, the present one first.

    Parameters
    ----------
    choice : Choice
        Method and settings of now.

    Returns
    -------
    list of Choice
        The present one, and one or two with a smaller and a larger value of the setting that
        matters most; where no setting does, other methods of the stage. Always at least two.
    """
    known = _MAIN.get((choice.method.stage, choice.method.name))
    found = [choice]
    if known is not None:
        name, values = known
        setting = choice.method.settings[name]
        now = choice.settings[name]
        for value in values(float(now)):
            near = _allowed(setting, value)
            if near not in [c.settings[name] for c in found]:
                found.append(replace(choice, settings={**choice.settings, name: near}))
    elif (choice.method.stage, choice.method.name) == ("phase", "scale"):
        turned = {**choice.settings, "invert": not choice.settings["invert"]}
        found.append(replace(choice, settings=turned))
    else:
        stage = choice.method.stage
        others = [name for name in methods(stage) if name != choice.method.name]
        found += [default_choice(stage, name) for name in others if name != "roi"][:2]
    if len(found) == 1:
        found.append(choice)
    return found[: len(LETTERS)]


def _allowed(setting: Setting, value: float) -> float | int:
    """The value with two digits, within the setting's bounds and in its type."""
    param = setting.param
    if param.ge is not None:
        value = max(value, param.ge)
    if param.le is not None:
        value = min(value, param.le)
    if value:
        value = round(value, 1 - floor(log10(abs(value))))
    return int(value) if setting.type is int else float(value)
