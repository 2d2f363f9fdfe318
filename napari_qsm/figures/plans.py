"""What each panel will show, worked out and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_qsm.anatomy import across_sign
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Loaded, labels_like, wanted_labels
from napari_qsm.figures.numbers import NumbersPlan, plan_numbers
from napari_qsm.figures.panels import ChartPanel, ImagePanel, MosaicPanel, TablePanel, TextPanel
from napari_qsm.figures.parts import Display, Window
from napari_qsm.figures.slices import (
    Slice,
    View,
    crop_family,
    cut,
    mosaic_slices,
    slice_of,
    view_of,
    visible_on,
)
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.recon.provenance import methods_paragraph


@dataclass(frozen=True, eq=False)
class PicturePlan:
    """One or several slices of a map.

    Attributes
    ----------
    who : str
        How errors and notes call the panel.
    slices : tuple of Slice
        One, but for mosaics.
    which : tuple of int
        Labels drawn.
    """

    who: str
    panel: ImagePanel | MosaicPanel
    map: Loaded
    display: Display
    slices: tuple[Slice, ...]
    view: View
    over: Loaded | None = None
    labels: Loaded | None = None
    which: tuple[int, ...] = ()

    @property
    def window(self) -> Window:
        """Values at the ends of the ramp."""
        return self.panel.unlocked_window or self.display.window

    def region_slices(self, where: Slice, radiological: bool) -> dict[int, Array]:
        """Each region's voxels on a slice, as they lie on the page; absent ones left out."""
        if self.labels is None:
            return {}
        everything = (slice(None), slice(None))
        sign = across_sign(where.plane, radiological)
        found = cut(labels_like(self.labels, self.map), where, everything, sign)
        there = {int(v) for v in np.unique(found)}
        return {label: found == label for label in self.which if label in there}


@dataclass(frozen=True)
class TextPlan:
    """Words, complete."""

    who: str
    panel: TextPanel
    text: str


AnyPlan = PicturePlan | NumbersPlan | TextPlan


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole figure, checked.

    Attributes
    ----------
    spec : FigureSpec
        What it was made from.
    sources : dict
        Volumes by key.
    panels : tuple
        One plan per panel.
    notes : list of str
        What the user should know.
    """

    spec: FigureSpec
    sources: Mapping[str, Loaded]
    panels: tuple[AnyPlan, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> list[PicturePlan]:
        """Panels with slices."""
        return [plan for plan in self.panels if isinstance(plan, PicturePlan)]

    @property
    def numbers(self) -> list[NumbersPlan]:
        """Panels with numbers of regions."""
        return [plan for plan in self.panels if isinstance(plan, NumbersPlan)]


def plan_figure(spec: FigureSpec, sources: Mapping[str, Loaded]) -> Plan:
    """Work out every panel.

    Raises
    ------
    QsmError
        For a slice outside the map, an unknown display, regions on another grid, an empty
        region, a figure without panels; each sentence names the panel.
    """
    if not spec.panels:
        raise QsmError("The figure has no panel yet.")
    notes: list[str] = []
    plans: list[AnyPlan] = []
    for number, panel in enumerate(spec.panels, 1):
        who = f"Panel {panel.letter or number}"
        if isinstance(panel, ImagePanel | MosaicPanel):
            plans.append(_picture(panel, spec, sources, who, notes))
        elif isinstance(panel, TablePanel | ChartPanel):
            plans.append(plan_numbers(panel, spec, sources, who, notes))
        else:
            plans.append(TextPlan(who, panel, _text(panel, sources, who)))
    _check_bars(spec, plans)
    if spec.same_scale:
        plans = _same_scale(plans)
    return Plan(spec, sources, tuple(plans), notes)


def _picture(
    panel: ImagePanel | MosaicPanel,
    spec: FigureSpec,
    sources: Mapping[str, Loaded],
    who: str,
    notes: list[str],
) -> PicturePlan:
    map_ = sources[panel.map]
    display = _display(panel.display, spec, who)
    if isinstance(panel, ImagePanel):
        slices = [slice_of(panel, map_, who)]
    else:
        slices = mosaic_slices(panel, map_, who)
    view = view_of(panel, map_, sources, who)
    labels: Loaded | None = None
    which: tuple[int, ...] = ()
    if panel.regions is not None:
        labels = sources[panel.regions.labels]
        which = wanted_labels(labels, panel.regions.which)
    over = sources[panel.over] if panel.over else None
    plan = PicturePlan(who, panel, map_, display, tuple(slices), view, over, labels, which)
    if labels is not None and not any(plan.region_slices(s, True) for s in slices):
        notes.append(f"{who}: none of its regions lies on its slice.")
    if isinstance(panel, ImagePanel):
        for mark in panel.annotations:
            if mark.plane != panel.plane or not visible_on(mark.at_mm, slices[0], map_.volume):
                raise QsmError(
                    f"{who}: the {mark.kind} at ({', '.join(f'{v:.1f}' for v in mark.at_mm)}) mm "
                    f"was drawn on another slice than {slices[0].text} ({panel.plane})."
                )
    return plan


def _display(name: str, spec: FigureSpec, who: str) -> Display:
    if name not in spec.displays:
        there = ", ".join(f"'{key}'" for key in spec.displays) or "none"
        raise QsmError(f"{who} uses the display '{name}', but the figure has {there}.")
    display = spec.displays[name]
    if display.colouring == "colour":
        import matplotlib

        if display.colormap not in matplotlib.colormaps:
            raise QsmError(
                f"The display '{name}' uses the colours '{display.colormap}', which do not exist; "
                "viridis, inferno, magma and cividis do."
            )
    return display


def _check_bars(spec: FigureSpec, plans: list[AnyPlan]) -> None:
    """A colour bar has one unit: a display serves maps of one quantity."""
    units: dict[str, set[str]] = {}
    for plan in plans:
        if isinstance(plan, PicturePlan):
            unit = plan.map.volume.unit
            units.setdefault(plan.panel.display, set()).add("ppm" if unit == "ppb" else unit)
    for name, found in units.items():
        if len(found) > 1:
            words = " and ".join(sorted(unit or "no unit" for unit in found))
            raise QsmError(
                f"The display '{name}' is used for maps in {words}; give each its own display."
            )
    for bar in spec.colour_bars:
        if bar.display not in units:
            raise QsmError(f"A colour bar shows the display '{bar.display}', which no panel uses.")


def _same_scale(plans: list[AnyPlan]) -> list[AnyPlan]:
    largest: dict[Any, tuple[float, float]] = {}
    for plan in plans:
        if isinstance(plan, PicturePlan):
            family = crop_family(plan.panel.plane, plan.panel.crop)
            width, height = largest.get(family, (0.0, 0.0))
            size = plan.view.size
            largest[family] = (max(width, size[0]), max(height, size[1]))
    return [
        replace(
            plan,
            view=plan.view.resized(largest[crop_family(plan.panel.plane, plan.panel.crop)]),
        )
        if isinstance(plan, PicturePlan)
        else plan
        for plan in plans
    ]


def _text(panel: TextPanel, sources: Mapping[str, Loaded], who: str) -> str:
    parts = [panel.text] if panel.text.strip() else []
    if panel.methods_of:
        parts.append(methods_of(sources[panel.methods_of]))
        if not parts[-1]:
            raise QsmError(
                f"{who}: nothing beside '{sources[panel.methods_of].name}' tells how the map was "
                "made (provenance.json), so there is no methods paragraph."
            )
    if not parts:
        raise QsmError(f"{who} has no words.")
    return "\n\n".join(parts)


def methods_of(map_: Loaded) -> str:
    """The methods paragraph of a map; empty where nothing tells how it was made."""
    said = map_.provenance.get("methods")
    if isinstance(said, str) and said:
        return said
    stages = map_.provenance.get("stages")
    try:
        return methods_paragraph(stages) if stages else ""
    except (QsmError, KeyError, TypeError):
        return ""
