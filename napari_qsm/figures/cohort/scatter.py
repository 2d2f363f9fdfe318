"""One change against another: persons, the line of least squares and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_qsm.figures.cohort import axes
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Finite

if TYPE_CHECKING:
    import pandas as pd


@panel_kind
class ScatterPanel(BasePanel):
    """Pairs of numbers, one a person.

    Attributes
    ----------
    x, y : tuple of float
        As many of one as of the other.
    x_title, y_title : str
        What they are, with their units.
    note : str
        Numbers written above the plot.
    """

    is_wide: ClassVar[bool] = False
    noun: ClassVar[str] = "scatter plot"

    kind: Literal["scatter"] = "scatter"
    x: tuple[Finite, ...] = Field(min_length=3)
    y: tuple[Finite, ...] = Field(min_length=3)
    x_title: str = ""
    y_title: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError("'x' and 'y' need equally many numbers")
        return self


@plan_of(ScatterPanel)
@dataclass(frozen=True, eq=False)
class ScatterPlan(PanelPlan):
    """Dots, line and band."""

    panel: ScatterPanel

    def height(self, page: Page, width_mm: float) -> float:
        """Nearly square."""
        return min(0.9 * width_mm, 65.0) + axes.note_mm(page, width_mm, self.panel.note)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        panel = self.panel
        noted = axes.note_above(page, rect, panel.note)
        rect = Rect(rect.left, rect.top + noted, rect.width, rect.height - noted)
        x, y = np.array(panel.x), np.array(panel.y)
        up = axes.span(y)
        plot = axes.plot_within(rect, axes.axis_left(page, *up), axes.axis_below(page), self.who)
        at = axes.Axes(plot, axes.span(x), up)
        axes.vertical_axis(page, rect.left, at, panel.y_title)
        axes.horizontal_axis(page, rect, at, panel.x_title)
        zeros = []
        if at.up[0] < 0 < at.up[1]:
            zeros.append(np.array([[plot.left, at.y(0)], [plot.right, at.y(0)]]))
        if at.across[0] < 0 < at.across[1]:
            zeros.append(np.array([[at.x(0), plot.top], [at.x(0), plot.bottom]]))
        page.lines(zeros, axes.FAINT, 0.4, dashed=True, zorder=1)
        if np.ptp(x) > 0:
            self._line(page, at)
        for one, other in zip(x, y, strict=True):
            axes.dot(page, at.x(one), at.y(other), 0.6, axes.MAIN, alpha=0.8)
        return []

    def _line(self, page: Page, at: axes.Axes) -> None:
        """The line of least squares within the data, and the interval of its mean."""
        from scipy import stats  # half a second that most figures do without

        x, y = np.array(self.panel.x), np.array(self.panel.y)
        found = stats.linregress(x, y)
        grid = np.linspace(x.min(), x.max(), 60)
        line = found.intercept + found.slope * grid
        n = len(x)
        rest = y - found.intercept - found.slope * x
        spread = np.sqrt((rest**2).sum() / (n - 2)) if n > 2 else 0.0
        around = np.sqrt(1 / n + (grid - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
        half = stats.t.ppf(0.975, n - 2) * spread * around
        band = at.points([*grid, *grid[::-1]], [*(line - half), *(line + half)[::-1]])
        page.lines(
            [band], axes.MAIN, 0.0, closed=True, fill=axes.MAIN, alpha=0.18, clip=at.plot, zorder=2
        )
        page.lines([at.points(grid, line)], axes.MAIN, 1.1, clip=at.plot, zorder=3)

    def phrase(self) -> str:
        """What it shows."""
        return self.panel.title or self.panel.noun

    def sentence(self) -> str:
        """What the line is."""
        return (
            "Lines of least squares with the 95 % confidence band of the mean; dots: participants."
        )

    def table(self) -> pd.DataFrame:
        """The pairs."""
        import pandas as pd

        count = len(self.panel.x)
        return pd.DataFrame(
            {"panel": [self.panel.title] * count, "x": self.panel.x, "y": self.panel.y}
        )
