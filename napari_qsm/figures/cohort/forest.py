"""Effects of all regions with their intervals, side by side for several questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_qsm.figures.cohort import axes
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Finite, Model

if TYPE_CHECKING:
    import pandas as pd

_ROW = 1.15
_GAP_MM = 2.5


class Effect(Model):
    """One effect with its interval; without numbers it is not known.

    Attributes
    ----------
    estimate, low, high : float or None
        With its 95 % interval.
    survives : bool
        Whether it does after correction; drawn as a filled mark.
    text : str
        Written at the right, for example p and q.
    """

    estimate: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
    survives: bool = False
    text: str = ""


class Forest(Model):
    """One question over all rows.

    Attributes
    ----------
    title : str
        Above it.
    quantity : str
        Of its axis.
    text_title : str
        Above the texts.
    effects : tuple of Effect
        One a row.
    """

    title: str
    quantity: str
    text_title: str = ""
    effects: tuple[Effect, ...] = Field(min_length=1)


@panel_kind
class ForestPanel(BasePanel):
    """Effects by region.

    Attributes
    ----------
    rows : tuple of str
        Regions.
    columns : tuple of Forest
        Questions.
    legend : str
        What filled and hollow marks mean.
    """

    noun: ClassVar[str] = "effect sizes"

    kind: Literal["forest"] = "forest"
    rows: tuple[str, ...] = Field(min_length=1)
    columns: tuple[Forest, ...] = Field(min_length=1, max_length=4)
    legend: str = ""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if any(len(column.effects) != len(self.rows) for column in self.columns):
            raise ValueError("each of 'columns' needs one effect for each of 'rows'")
        return self


@plan_of(ForestPanel)
@dataclass(frozen=True, eq=False)
class ForestPlan(PanelPlan):
    """Rows of marks."""

    panel: ForestPanel

    def _row_mm(self, page: Page) -> float:
        return page.line_height() * _ROW

    def _head_mm(self, page: Page) -> float:
        return 1.2 * page.line_height()

    def _legend_mm(self, page: Page) -> float:
        return page.line_height() + 0.6 if self.panel.legend else 0.0

    def height(self, page: Page, width_mm: float) -> float:
        """A line for each region, a head, an axis, a legend."""
        rows = len(self.panel.rows) * self._row_mm(page)
        return self._head_mm(page) + rows + axes.axis_below(page) + self._legend_mm(page) + 0.8

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        panel = self.panel
        widest = max(page.width(name) for name in panel.rows)
        names_mm = min(widest, 0.3 * rect.width) + 1.5
        count = len(panel.columns)
        width = (rect.width - names_mm - (count - 1) * _GAP_MM) / count
        top = rect.top + self._head_mm(page)
        row_mm = self._row_mm(page)
        for number, name in enumerate(panel.rows):
            y = top + (number + 0.5) * row_mm
            if number % 2 == 0:
                band = Rect(rect.left, y - row_mm / 2, rect.width, row_mm)
                page.fill(band, axes.FAINT, alpha=0.09, zorder=0.5)
            shown, fit = page.fitted(name, names_mm - 1.5, page.size_pt)
            page.text(rect.left, y, shown, size_pt=fit, level="middle")
        for number, column in enumerate(panel.columns):
            left = rect.left + names_mm + number * (width + _GAP_MM)
            place = Rect(left, rect.top, width, self.height(page, width) - self._legend_mm(page))
            self._column(page, place, column, top)
        if panel.legend:
            y = rect.top + self.height(page, rect.width) - self._legend_mm(page)
            y += page.line_height() / 2
            axes.dot(page, rect.left + 0.9, y, 0.75, axes.ACCENT)
            shown, fit = page.fitted(panel.legend, rect.width - 2.5, page.small_pt)
            page.text(rect.left + 2.4, y, shown, size_pt=fit, level="middle")
        return []

    def _column(self, page: Page, place: Rect, column: Forest, top: float) -> None:
        small = page.small_pt
        texts = [column.text_title, *(effect.text for effect in column.effects)]
        text_mm = max(page.width(text, small) for text in texts)
        text_mm += 1.5 if text_mm else 0.0
        row_mm = self._row_mm(page)
        rows = len(column.effects) * row_mm
        plot = Rect(place.left, top, place.width - text_mm, rows + 0.4)
        known = [v for e in column.effects for v in (e.estimate, e.low, e.high) if v is not None]
        at = axes.Axes(plot, axes.span([0.0, *known], 0.05), (0.0, 1.0))
        middle = place.left + plot.width / 2
        shown, fit = page.fitted(column.title, plot.width, page.size_pt, "bold")
        page.text(middle, place.top, shown, size_pt=fit, across="center", weight="bold")
        page.text(place.right, place.top, column.text_title, size_pt=small, across="right")
        axes.horizontal_axis(page, Rect(place.left, top, plot.width, 0), at, column.quantity)
        zero = np.array([[at.x(0), plot.top], [at.x(0), plot.bottom]])
        page.lines([zero], page.ink, 0.5, zorder=1)
        for number, effect in enumerate(column.effects):
            y = top + (number + 0.5) * row_mm
            page.text(place.right, y, effect.text, size_pt=small, across="right", level="middle")
            if effect.estimate is None:
                continue
            colour = axes.ACCENT if effect.survives else axes.MAIN
            if effect.low is not None and effect.high is not None:
                ends = np.array([[at.x(effect.low), y], [at.x(effect.high), y]])
                page.lines([ends], colour, 0.9)
            hollow = not effect.survives
            axes.dot(page, at.x(effect.estimate), y, 0.75, colour, hollow=hollow)

    def phrase(self) -> str:
        """What it shows."""
        said = self.panel.title or self.panel.noun
        return f"{said} ({'; '.join(c.title for c in self.panel.columns)})"

    def sentence(self) -> str:
        """What bars are."""
        return f"Marks {self.panel.legend}" if self.panel.legend else ""

    def table(self) -> pd.DataFrame:
        """All effects."""
        import pandas as pd

        rows = [
            (column.title, name, e.estimate, e.low, e.high, e.survives, e.text)
            for column in self.panel.columns
            for name, e in zip(self.panel.rows, column.effects, strict=True)
        ]
        names = ["panel", "row", "estimate", "ci_low", "ci_high", "survives", "text"]
        return pd.DataFrame(rows, columns=names)
