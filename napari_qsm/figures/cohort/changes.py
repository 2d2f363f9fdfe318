"""Regions of one person over the visits: lines, or a table of means and changes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_qsm.arrays import Array
from napari_qsm.figures.cohort import axes
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, Setting, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Finite, Model
from napari_qsm.figures.region_marks import SIDE_COLOURS
from napari_qsm.figures.tables import cells_mm, draw_cells
from napari_qsm.units import NOTHING, SusceptibilityUnit, decimals, factor, fixed

if TYPE_CHECKING:
    import pandas as pd

#: A first mean nearer to zero has no meaning as the whole of which a change is a part, ppb.
_NO_WHOLE_PPB = 1.0
_NAMES_MM = 26.0
_LABEL_GAP = 0.3


class RegionOverVisits(Model):
    """A region's means.

    Attributes
    ----------
    region : str
        Its name.
    side : {"left", "right", ""}
        Of its colour.
    means_ppb : tuple of float or None
        One a visit; None where it was not measured.
    carried : tuple of bool
        Where a fixed shape was carried from another visit; empty for nowhere.
    detectable_ppb : float or None
        The smallest change that counts as one; None where nobody has chosen.
    """

    region: str
    side: Literal["left", "right", ""] = ""
    means_ppb: tuple[Finite | None, ...] = Field(min_length=2)
    carried: tuple[bool, ...] = ()
    detectable_ppb: Finite | None = None

    @property
    def means(self) -> Array:
        """The means, NaN where missing; (visits,)."""
        return np.array([nan if mean is None else mean for mean in self.means_ppb])

    @property
    def changes(self) -> Array:
        """Means less the first; (visits,)."""
        return self.means - self.means[0]

    @property
    def percents(self) -> Array:
        """Changes as part of the size of the first mean; NaN where that is below 1 ppb."""
        whole = abs(self.means[0])
        return 100 * self.changes / whole if whole >= _NO_WHOLE_PPB else self.changes * nan

    def is_beyond(self, visit: int) -> bool:
        """Whether a change is larger than the smallest that counts."""
        limit = self.detectable_ppb
        return limit is not None and abs(self.changes[visit]) > limit

    def is_carried(self, visit: int) -> bool:
        """Whether its shape was carried to a visit."""
        return bool(self.carried) and self.carried[visit]


@panel_kind
class ChangesPanel(BasePanel):
    """Regions of one person over the visits.

    Attributes
    ----------
    shown : {"lines", "table"}
        A line a region, or means and changes as a table.
    visits : tuple of str
        In their order; the first is what the others are compared with.
    rows : tuple of RegionOverVisits
        Regions.
    links : tuple of str
        How the head of each visit after the first was brought to the first, in words.
    judged_by : str
        Where the smallest changes come from; empty without.
    """

    noun: ClassVar[str] = "changes of regions"

    kind: Literal["changes"] = "changes"
    shown: Literal["lines", "table"] = "table"
    visits: tuple[str, ...] = Field(min_length=2)
    rows: tuple[RegionOverVisits, ...] = Field(min_length=1)
    links: tuple[str, ...] = ()
    judged_by: str = ""

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        for row in self.rows:
            if len(row.means_ppb) != len(self.visits) or len(row.carried) not in (
                0,
                len(self.visits),
            ):
                raise ValueError("each row needs one mean (or null) at each of 'visits'")
        if self.links and len(self.links) != len(self.visits) - 1:
            raise ValueError("'links' tells of each visit after the first")
        return self


@plan_of(ChangesPanel)
@dataclass(frozen=True, eq=False)
class ChangesPlan(PanelPlan):
    """Lines with names at their ends, or a table."""

    panel: ChangesPanel
    unit: SusceptibilityUnit = "ppm"

    @classmethod
    def of(cls, panel: ChangesPanel, who: str, setting: Setting) -> Self:
        """In the unit of the figure."""
        return cls(who, panel, setting.spec.unit)

    def height(self, page: Page, width_mm: float) -> float:
        """As many rows as there are regions; lines are half as high as wide."""
        if self.panel.shown == "table":
            return cells_mm(page, *self.cells(), width_mm)
        return min(0.5 * width_mm, 62.0)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        if self.panel.shown == "table":
            head, rows = self.cells()
            words = [True] + [False] * (len(head) - 1)
            return draw_cells(page, rect, self.who, head, rows, words)
        return self._draw_lines(page, rect)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of the table, as they are written."""
        panel, scale, places = self.panel, factor("ppb", self.unit), decimals(self.unit)
        head = ["Region", *(f"{visit} ({self.unit})" for visit in panel.visits)]
        for visit in panel.visits[1:]:
            head += [f"Δ {visit}", f"Δ {visit} (%)"]
        rows = []
        for row in panel.rows:
            cells = [row.region]
            for at, mean in enumerate(row.means):
                text = fixed(mean * scale, places) if isfinite(mean) else NOTHING
                cells.append(text + ("°" if row.is_carried(at) else ""))
            for at in range(1, len(panel.visits)):
                mark = "*" if row.is_beyond(at) else ""
                cells.append(fixed(row.changes[at] * scale, places + 1, signed=True) + mark)
                cells.append(fixed(row.percents[at], 1, signed=True))
            rows.append(cells)
        return head, rows

    def _draw_lines(self, page: Page, rect: Rect) -> list[str]:
        panel, scale = self.panel, factor("ppb", self.unit)
        values = np.array([row.means for row in panel.rows]) * scale
        low, high = axes.span(values.ravel())
        left, below = axes.axis_left(page, low, high), axes.names_mm(page, panel.visits)
        names_mm = min(_NAMES_MM, 0.3 * rect.width)
        plot = axes.plot_within(rect, left, below, self.who, names_mm)
        count = len(panel.visits)
        at = axes.Axes(plot, (-0.3, count - 0.8), (low, high))
        axes.vertical_axis(page, rect.left, at, f"χ ({self.unit})")
        page.lines([np.array([[plot.left, plot.bottom], [plot.right, plot.bottom]])], page.ink, 0.5)
        places = [at.x(visit) for visit in range(count)]
        axes.names_below(page, rect, places, panel.visits, plot.bottom)
        ends: list[tuple[float, str, str]] = []
        for row, means in zip(panel.rows, values, strict=True):
            colour = SIDE_COLOURS[row.side]
            seen = np.flatnonzero(np.isfinite(means))
            if len(seen) > 1:
                page.lines([at.points(seen, means[seen])], colour, 1.0, zorder=3)
            for visit in seen:
                x, y = at.x(int(visit)), at.y(float(means[visit]))
                axes.dot(page, x, y, 0.7, colour, hollow=row.is_carried(int(visit)))
                if visit and row.is_beyond(int(visit)):
                    page.text(
                        x, y - 1.2, "*", size_pt=page.size_pt, across="center", level="bottom"
                    )
            if len(seen):
                ends.append((at.y(float(means[seen[-1]])), row.region, colour))
        self._names(page, Rect(plot.right + 0.6, rect.top, names_mm - 0.8, rect.height), ends)
        return []

    def _names(self, page: Page, room: Rect, ends: list[tuple[float, str, str]]) -> None:
        """Names at the ends of the lines, one below the other."""
        size = page.small_pt
        step = page.line_height(size)
        free = room.top + step / 2
        for number, (y, name, colour) in enumerate(sorted(ends)):
            lowest = room.bottom - step * (len(ends) - number - 0.5)
            middle = min(max(y, free), max(lowest, free))
            shown, fit = page.fitted(name, room.width - 2.4, size)
            line = np.array([[room.left, y], [room.left + 1.8, middle]])
            page.lines([line], colour, 0.4)
            page.text(room.left + 2.2, middle, shown, size_pt=fit, level="middle")
            free = middle + step + _LABEL_GAP

    @property
    def reads_itself(self) -> bool:
        """The table, cell by cell."""
        return self.panel.shown == "table"

    def phrase(self) -> str:
        """What it shows, of how many."""
        panel = self.panel
        what = "means" if panel.shown == "lines" else "means and changes"
        count = f"{len(panel.rows)} region{'s' if len(panel.rows) != 1 else ''}"
        title = f"{panel.title}: " if panel.title else ""
        return f"{title}{what} of {count} at {len(panel.visits)} visits of one person (n = 1)"

    def sentence(self) -> str:
        """How visits were brought together, and what is marked."""
        panel, said = self.panel, []
        for visit, words in zip(panel.visits[1:], panel.links, strict=False):
            said.append(f"{visit}: {words[0].lower()}{words[1:].rstrip('.')}" if words else "")
        told = "; ".join(part for part in said if part)
        parts = [f"Heads brought to that of {panel.visits[0]}: {told}."] if told else []
        parts.append(f"Δ, difference to {panel.visits[0]}.")
        if any(any(row.carried) for row in panel.rows):
            parts.append("° or hollow, shape carried by that transform, not placed at the visit.")
        if panel.judged_by:
            parts.append(
                f"*, beyond the smallest detectable change of one region (1.96 √2 SDw; SDw from "
                f"{panel.judged_by})."
            )
        return " ".join(parts)

    def table(self) -> pd.DataFrame:
        """Means and changes in ppb, a row for each region and visit."""
        import pandas as pd

        rows = []
        for row in self.panel.rows:
            for at, visit in enumerate(self.panel.visits):
                rows.append(
                    (row.region, row.side, visit, row.means[at], row.changes[at],
                     row.percents[at], int(row.is_carried(at)), row.detectable_ppb)
                )  # fmt: skip
        names = ["region", "side", "visit", "mean_ppb", "change_ppb", "change_percent", "carried"]
        return pd.DataFrame(rows, columns=[*names, "smallest_detectable_ppb"])
