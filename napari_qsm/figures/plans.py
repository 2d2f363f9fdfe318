"""What each panel will show, worked out and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_qsm.errors import QsmError
from napari_qsm.figures import charts, cohort, locator, tables  # noqa: F401  registers the kinds
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.kinds import PLANS, PanelPlan, Setting
from napari_qsm.figures.numbers import sided_region
from napari_qsm.figures.other_maps import symbol_of
from napari_qsm.figures.picture import PicturePlan
from napari_qsm.figures.slices import crop_family
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.rois.region import region_side

if TYPE_CHECKING:
    import pandas as pd


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
    panels: tuple[PanelPlan, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> list[PicturePlan]:
        """Panels with slices."""
        return [plan for plan in self.panels if isinstance(plan, PicturePlan)]

    def left_out(self) -> list[str]:
        """Sentences that name regions which were asked for and lie on no slice shown.

        Panels that draw all regions of a label map ask for none of them.
        """
        asked: dict[str, dict[int, None]] = {}
        shown: dict[str, set[int]] = {}
        who: dict[str, str] = {}
        for one in self.pictures:
            regions = one.panel.regions
            if one.labels is None or regions is None:
                continue
            shown.setdefault(regions.labels, set()).update(one.shown)
            if regions.which:
                asked.setdefault(regions.labels, {}).update(dict.fromkeys(one.which))
                who.setdefault(regions.labels, one.panel.title or one.map.name)
        said = []
        for key, labels in asked.items():
            source = self.sources[key]
            names = [
                sided_region(
                    source.region_called(label),
                    region_side(source.regions.get(label)),
                    self.spec.called,
                )
                for label in labels
                if label not in shown[key]
            ]
            if names:
                listed = ", ".join(name[0].lower() + name[1:] for name in names)
                said.append(f"{who[key]}: on none of these slices: {listed}.")
        return said

    def table(self) -> pd.DataFrame | None:
        """All numbers behind the figure, each once; None where it has none."""
        import pandas as pd

        frames = [frame for one in self.panels if (frame := one.table()) is not None]
        if not frames:
            return None
        return pd.concat(frames, ignore_index=True).drop_duplicates(ignore_index=True)


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
    setting = Setting(spec, sources, notes)
    plans = [
        PLANS[type(panel)].of(panel, f"Panel {panel.letter or number}", setting)
        for number, panel in enumerate(spec.panels, 1)
    ]
    _check_bars(spec, plans)
    if spec.same_scale:
        plans = _same_scale(plans)
    plan = Plan(spec, sources, tuple(plans), notes)
    notes += plan.left_out()
    return plan


def _check_bars(spec: FigureSpec, plans: list[PanelPlan]) -> None:
    """A colour bar has one unit: a display serves maps of one quantity."""
    units: dict[str, set[str]] = {}
    for plan in plans:
        if isinstance(plan, PicturePlan):
            unit = "ppm" if plan.map.volume.unit == "ppb" else plan.map.volume.unit
            symbol = symbol_of(spec.sources.get(plan.panel.map))
            units.setdefault(plan.panel.display, set()).add(f"{symbol} {unit}".strip())
    for name, found in units.items():
        if len(found) > 1:
            words = " and ".join(sorted(unit or "no unit" for unit in found))
            raise QsmError(
                f"The display '{name}' is used for maps in {words}; give each its own display."
            )
    for bar in spec.colour_bars:
        if bar.display not in units:
            raise QsmError(f"A colour bar shows the display '{bar.display}', which no panel uses.")


def _same_scale(plans: list[PanelPlan]) -> list[PanelPlan]:
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
