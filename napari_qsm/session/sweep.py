"""Settings of one stage side by side: the variants worth a look, the slices, the previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Any

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.arrays import Array
from napari_qsm.qc.quality import MEASURES
from napari_qsm.recon.pipeline import UNITS
from napari_qsm.recon.recipe import Choice, first_choice
from napari_qsm.recon.stages import Setting, methods
from napari_qsm.recon.sweep import Slab, Variant
from napari_qsm.session import Case, MapDisplay, MapEntry, Role, Session, auto_window
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.study.display import LINKED_FIELDS
from napari_qsm.volume import Volume

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
        found += [first_choice(stage, name) for name in others if name != "roi"][:2]
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


#: Where grey values of a local field begin and end, ppm, the same for all variants.
_LOCAL_PPM = (-0.05, 0.05)
#: How bright the outside of a mask is drawn.
_DIMMED = 0.35


@dataclass(frozen=True)
class Look:
    """What the session showed before the previews came."""

    layout: str
    compared: tuple[str, ...]
    mix: str
    selected: str


class Previews:
    """Puts images of variants into the compare layout, and takes them away again.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: Look | None = None
        self._entries: list[MapEntry] = []
        self._copying = False

    @property
    def entries(self) -> list[MapEntry]:
        """The previews that are there."""
        return [entry for entry in self._entries if entry in self._session.maps]

    def show(
        self,
        tried: Sequence[Variant],
        grid: Volume,
        case: Case,
        *,
        magnitude: Array | None = None,
        quantity: str = "",
    ) -> None:
        """Show variants side by side, in place of those shown before.

        Parameters
        ----------
        tried : sequence of Variant
            The n-th belongs to the n-th letter; those that failed are left out.
        grid : Volume
            Stands for the grid of their arrays.
        case : Case
            What the images belong to.
        magnitude : (M, x, y, z) ndarray, optional
            Masks are drawn on it.
        quantity : str
            What to show; what the stage makes unless given.
        """
        if self._before is None:
            session = self._session
            self._before = Look(session.layout, session.compared, session.mix, session.selected)
        self._remove()
        window: tuple[float, float] | None = None
        for letter, one in zip(LETTERS, tried, strict=False):
            if one.error:
                continue
            volume, role = _image(one, grid, quantity, magnitude)
            window = window or self._window(volume, one.stage, quantity)
            entry = self._session.add(
                volume,
                role=role,
                name=f"preview {letter}",
                case=case,
                display=MapDisplay(window=window, visible=False),
                linked=False,
            )
            entry.preview = True
            entry.provenance = {"preview": letter, "stage": one.stage}
            entry.display.events.connect(self._on_display)
            self._entries.append(entry)
        if not self._entries:
            return
        self._session.mix = "side by side"
        self._session.compared = tuple(entry.id for entry in self._entries)
        self._session.layout = "compare"
        self._session.selected = self._entries[0].id

    def clear(self) -> None:
        """Take the previews away and show again what was shown before."""
        self._remove()
        before, self._before = self._before, None
        if before is None:
            return
        session = self._session
        session.update(
            {
                "compared": tuple(key for key in before.compared if session.entry(key)),
                "mix": before.mix,
                "layout": before.layout,
            }
        )
        if session.entry(before.selected) is not None:
            session.selected = before.selected

    def _remove(self) -> None:
        for entry in self._entries:
            entry.display.events.disconnect(self._on_display)
            if entry in self._session.maps:
                self._session.remove(entry)
        self._entries.clear()

    def _on_display(self, info: Any) -> None:
        """Windows and colours are the same in all: otherwise they would not compare."""
        if self._copying or info.signal.name not in LINKED_FIELDS:
            return
        self._copying = True
        try:
            for entry in self._entries:
                if getattr(entry.display, info.signal.name) != info.args[0]:
                    setattr(entry.display, info.signal.name, info.args[0])
        finally:
            self._copying = False

    def _window(self, volume: Volume, stage: str, quantity: str) -> tuple[float, float]:
        if (quantity or STAGE_TEXTS[stage].quantity) == "chi_ppm":
            maps = [e for e in self._session if e.is_susceptibility and e.volume.unit == "ppm"]
            return maps[-1].display.window if maps else (-0.1, 0.2)
        if (quantity or STAGE_TEXTS[stage].quantity) == "local_field_ppm":
            return _LOCAL_PPM
        known = STAGE_TEXTS[stage].window
        if known is not None:
            return known
        return auto_window(volume, symmetric=stage != "mask")


def _image(
    one: Variant, grid: Volume, quantity: str, magnitude: Array | None
) -> tuple[Volume, Role]:
    name = quantity or STAGE_TEXTS[one.stage].quantity
    data = one.arrays[name]
    if name == "mask":
        if magnitude is None:
            return grid.with_data(data.astype(np.float32), unit="", name="mask"), "other"
        first = magnitude[0] if magnitude.ndim == 4 else magnitude
        dimmed = first * np.where(data, np.float32(1), np.float32(_DIMMED))
        return grid.with_data(dimmed.astype(np.float32), unit="", name="mask"), "other"
    if data.ndim == 4:  # the last echo has most wraps to get wrong
        data = data[-1]
    role: Role = "phase" if UNITS[name] == "rad" else "other"
    return grid.with_data(data, unit=UNITS[name], name=name), role


def number_rows(tried: Sequence[Variant | None]) -> Mapping[str, list[str]]:
    """The numbers of variants as texts: name to one text for each, empty where not known."""
    rows: dict[str, list[str]] = {}
    for each in MEASURES.values():
        texts = [
            each.written(one.numbers[each.name]) if one and each.name in one.numbers else ""
            for one in tried
        ]
        if each.title and any(texts):
            rows[each.title] = texts
    seconds = [f"{one.seconds:.1f} s" if one is not None and not one.error else "" for one in tried]
    if any(seconds):
        rows["Time"] = seconds
    return rows


def slab_at_crosshair(session: Session, grid: Volume, slices: int) -> Slab:
    """Slices of the large view's plane, the crosshair's in the middle, within the image.

    Parameters
    ----------
    session : Session
        Its crosshair and large plane.
    grid : Volume
        Closest-canonical.
    slices : int
        How many; fewer if the image has no more.
    """
    axis = DEPTH_AXIS[session.large_plane]
    count = grid.shape[axis]
    at = round(float(np.asarray(grid.world_to_voxel(session.crosshair_mm))[axis]))
    slices = min(max(slices, 1), count)
    start = min(max(at - slices // 2, 0), count - slices)
    return Slab(axis, start, start + slices)
