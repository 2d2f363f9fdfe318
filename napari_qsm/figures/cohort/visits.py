"""Each person's line over the visits, and the mean with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_qsm.arrays import Array
from napari_qsm.figures.cohort import axes
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Finite

if TYPE_CHECKING:
    import pandas as pd


@panel_kind
class VisitsPanel(BasePanel):
    """One region (or score) of everybody over the visits.

    Attributes
    ----------
    visits : tuple of str
        In their order.
    persons : tuple of tuple of float or None
        A line for each person: a value at each visit, None where it is missing.
    quantity : str
        Of the axis, with its unit.
    note : str
        Numbers written above the plot.
    """

    is_wide: ClassVar[bool] = False
    noun: ClassVar[str] = "values over visits"

    kind: Literal["visits"] = "visits"
    visits: tuple[str, ...] = Field(min_length=2)
    persons: tuple[tuple[Finite | None, ...], ...] = Field(min_length=1)
    quantity: str = "χ (ppb)"
    note: str = ""

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        if any(len(person) != len(self.visits) for person in self.persons):
            raise ValueError("each person needs one value (or null) at each of 'visits'")
        return self


@plan_of(VisitsPanel)
@dataclass(frozen=True, eq=False)
class VisitsPlan(PanelPlan):
    """Lines, means and intervals."""

    panel: VisitsPanel

    @property
    def values(self) -> Array:
        """(persons, visits), NaN where missing."""
        return np.array(self.panel.persons, dtype=float)

    def height(self, page: Page, width_mm: float) -> float:
        """Nearly square."""
        return min(0.85 * width_mm, 60.0) + axes.note_mm(page, width_mm, self.panel.note)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        panel, values = self.panel, self.values
        noted = axes.note_above(page, rect, panel.note)
        rect = Rect(rect.left, rect.top + noted, rect.width, rect.height - noted)
        low, high = axes.span(values.ravel())
        left, below = axes.axis_left(page, low, high), axes.names_mm(page, panel.visits)
        plot = axes.plot_within(rect, left, below, self.who)
        count = len(panel.visits)
        at = axes.Axes(plot, (-0.4, count - 0.6), (low, high))
        axes.vertical_axis(page, rect.left, at, panel.quantity)
        end = np.array([[plot.left, plot.bottom], [plot.right, plot.bottom]])
        page.lines([end], page.ink, 0.5)
        places = [at.x(visit) for visit in range(count)]
        axes.names_below(page, rect, places, panel.visits, plot.bottom)
        lines = []
        for person in values:
            seen = np.flatnonzero(np.isfinite(person))
            if len(seen) > 1:
                lines.append(at.points(seen, person[seen]))
            elif len(seen):
                axes.dot(page, at.x(seen[0]), at.y(person[seen[0]]), 0.3, axes.FAINT, alpha=0.7)
        page.lines(lines, axes.FAINT, 0.4, alpha=0.6)
        means = [axes.mean_interval(values[:, visit]) for visit in range(count)]
        known = [visit for visit in range(count) if np.isfinite(means[visit][0])]
        middle = at.points(known, [means[visit][0] for visit in known])
        page.lines([middle], axes.ACCENT, 1.4, zorder=4)
        for visit in known:
            mean, low_, high_ = means[visit]
            x = at.x(visit)
            page.lines([at.points([visit] * 2, [low_, high_])], axes.ACCENT, 1.2, zorder=4)
            ends = [np.array([[x - 0.7, at.y(v)], [x + 0.7, at.y(v)]]) for v in (low_, high_)]
            page.lines(ends, axes.ACCENT, 1.0, zorder=4)
            axes.dot(page, x, at.y(mean), 0.75, axes.ACCENT, zorder=5)
        return []

    def phrase(self) -> str:
        """What it shows."""
        return self.panel.title or self.panel.noun

    def sentence(self) -> str:
        """What lines and bars are."""
        return (
            "Thin lines: participants; thick line and bars: mean with its 95 % confidence interval "
            "of those seen at the visit. Vertical axes differ between panels."
        )

    def table(self) -> pd.DataFrame:
        """Mean, interval and number at each visit."""
        import pandas as pd

        rows = []
        for visit, column in zip(self.panel.visits, self.values.T, strict=True):
            mean, low, high = axes.mean_interval(column)
            seen = int(np.isfinite(column).sum())
            rows.append((self.panel.title, visit, seen, mean, low, high))
        names = ["panel", "visit", "n", "mean", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=names)
