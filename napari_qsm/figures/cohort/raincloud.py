"""Groups as rainclouds: density, quartiles, and every person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_qsm.arrays import Array
from napari_qsm.figures.cohort import axes
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Finite, Model

if TYPE_CHECKING:
    import pandas as pd

#: Persons below whom a density would be invented.
_FEWEST = 5
#: Room above and below the values, for the ends of the density.
_SPARE = 0.15
_COLOURS = (axes.MAIN, axes.ACCENT, axes.THIRD, "#cc79a7", "#e69f00")


class Cloud(Model):
    """The values of one group."""

    name: str
    values: tuple[Finite, ...] = Field(min_length=1)


@panel_kind
class RaincloudPanel(BasePanel):
    """One region in several groups.

    Attributes
    ----------
    groups : tuple of Cloud
        From left to right.
    quantity : str
        Of the axis, with its unit.
    note : str
        Numbers written above the plot.
    """

    is_wide: ClassVar[bool] = False
    noun: ClassVar[str] = "groups"

    kind: Literal["raincloud"] = "raincloud"
    groups: tuple[Cloud, ...] = Field(min_length=1, max_length=8)
    quantity: str = "χ (ppb)"
    note: str = ""


@plan_of(RaincloudPanel)
@dataclass(frozen=True, eq=False)
class RaincloudPlan(PanelPlan):
    """Clouds, boxes and drops."""

    panel: RaincloudPanel

    def height(self, page: Page, width_mm: float) -> float:
        """Nearly square."""
        return min(0.85 * width_mm, 60.0) + axes.note_mm(page, width_mm, self.panel.note)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        panel = self.panel
        noted = axes.note_above(page, rect, panel.note)
        rect = Rect(rect.left, rect.top + noted, rect.width, rect.height - noted)
        clouds = [np.array(group.values) for group in panel.groups]
        low, high = axes.span(np.concatenate(clouds), _SPARE)
        names = [f"{group.name}\n({len(group.values)})" for group in panel.groups]
        left, below = axes.axis_left(page, low, high), axes.names_mm(page, names)
        plot = axes.plot_within(rect, left, below, self.who)
        at = axes.Axes(plot, (-0.55, len(clouds) - 0.45), (low, high))
        axes.vertical_axis(page, rect.left, at, panel.quantity)
        base = np.array([[plot.left, plot.bottom], [plot.right, plot.bottom]])
        page.lines([base], page.ink, 0.5)
        axes.names_below(page, rect, [at.x(n) for n in range(len(clouds))], names, plot.bottom)
        for number, values in enumerate(clouds):
            self._cloud(page, at, number, values, _COLOURS[number % len(_COLOURS)])
        return []

    def _cloud(self, page: Page, at: axes.Axes, number: int, values: Array, colour: str) -> None:
        if len(values) >= _FEWEST and np.ptp(values) > 0:
            from scipy import stats  # half a second that most figures do without

            low, high = axes.span(values, 0.7 * _SPARE)
            grid = np.linspace(max(low, at.up[0]), min(high, at.up[1]), 120)
            density = stats.gaussian_kde(values)(grid)
            shape = number + 0.1 + 0.36 * density / density.max()
            edge = at.points([*shape, number + 0.1, number + 0.1], [*grid, grid[-1], grid[0]])
            page.lines([edge], colour, 0.0, closed=True, fill=colour, alpha=0.35, zorder=2)
            page.lines([at.points(shape, grid)], colour, 0.6, zorder=3)
        q1, median, q3 = np.percentile(values, [25, 50, 75])
        box = at.points([number - 0.06, number + 0.06, number + 0.06, number - 0.06],
                        [q1, q1, q3, q3])  # fmt: skip
        page.lines([box], colour, 0.8, closed=True, fill=page.ground, zorder=3)
        page.lines([at.points([number - 0.06, number + 0.06], [median] * 2)], colour, 1.5, zorder=4)
        order = np.argsort(values, kind="stable")
        for rank, which in enumerate(order):  # spread evenly, the same at every drawing
            aside = number - 0.14 - 0.24 * ((rank * 0.618034) % 1.0)
            axes.dot(page, at.x(aside), at.y(values[which]), 0.42, colour, alpha=0.75)

    def phrase(self) -> str:
        """What it shows."""
        return self.panel.title or self.panel.noun

    def sentence(self) -> str:
        """What clouds and boxes are."""
        return (
            "Dots: participants; boxes: quartiles and median; clouds: Gaussian kernel density "
            "(Scott's bandwidth), of equal breadth. Vertical axes differ between panels."
        )

    def table(self) -> pd.DataFrame:
        """Number, mean, SD and quartiles of each group."""
        import pandas as pd

        rows = []
        for group in self.panel.groups:
            values = np.array(group.values)
            sd = values.std(ddof=1) if len(values) > 1 else np.nan
            quartiles = np.percentile(values, [25, 50, 75])
            rows.append((self.panel.title, group.name, len(values), values.mean(), sd, *quartiles))
        names = ["panel", "group", "n", "mean", "sd", "p25", "median", "p75"]
        return pd.DataFrame(rows, columns=names)
