"""Bland-Altman: difference of two readings against their mean, bias and limits with intervals."""

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
from napari_qsm.units import fixed

if TYPE_CHECKING:
    import pandas as pd


@panel_kind
class BlandAltmanPanel(BasePanel):
    """Two readings of the same.

    Attributes
    ----------
    first, second : tuple of float
        As many of one as of the other.
    first_name, second_name : str
        Who or what read.
    unit : str
        Of both.
    note : str
        Numbers written above the plot.
    """

    is_wide: ClassVar[bool] = False
    noun: ClassVar[str] = "Bland-Altman plot"

    kind: Literal["bland-altman"] = "bland-altman"
    first: tuple[Finite, ...] = Field(min_length=3)
    second: tuple[Finite, ...] = Field(min_length=3)
    first_name: str = "first"
    second_name: str = "second"
    unit: str = "ppb"
    note: str = ""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.first) != len(self.second):
            raise ValueError("'first' and 'second' need equally many numbers")
        return self


@dataclass(frozen=True)
class _Level:
    """A horizontal line with its interval and word."""

    word: str
    value: float
    half: float


@plan_of(BlandAltmanPanel)
@dataclass(frozen=True, eq=False)
class BlandAltmanPlan(PanelPlan):
    """Differences, bias, limits."""

    panel: BlandAltmanPanel

    @property
    def pairs(self) -> tuple[Array, Array]:
        """Means and differences."""
        first, second = np.array(self.panel.first), np.array(self.panel.second)
        return (first + second) / 2, first - second

    def levels(self) -> list[_Level]:
        """Upper limit, bias, lower limit, with half their 95 % intervals.

        References
        ----------
        Bland & Altman, Stat Methods Med Res 1999;8:135.
        """
        from scipy import stats  # half a second that most figures do without

        _, difference = self.pairs
        n = len(difference)
        bias, sd = float(difference.mean()), float(difference.std(ddof=1))
        t = float(stats.t.ppf(0.975, n - 1))
        half = t * sd * np.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
        return [
            _Level("+1.96 SD", bias + 1.96 * sd, half),
            _Level("bias", bias, t * sd / np.sqrt(n)),
            _Level("−1.96 SD", bias - 1.96 * sd, half),
        ]

    def height(self, page: Page, width_mm: float) -> float:
        """Nearly square."""
        return min(0.85 * width_mm, 60.0) + axes.note_mm(page, width_mm, self.panel.note)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        panel, (mean, difference) = self.panel, self.pairs
        noted = axes.note_above(page, rect, panel.note)
        rect = Rect(rect.left, rect.top + noted, rect.width, rect.height - noted)
        levels = self.levels()
        reach = [level.value + sign * level.half for level in levels for sign in (-1, 1)]
        up = axes.span([0.0, *difference, *reach])
        small = page.small_pt
        words = [fixed(level.value, 1, signed=True) for level in levels]
        right = max(page.width(w, small) for w in [*words, *(level.word for level in levels)])
        left, below = axes.axis_left(page, *up), axes.axis_below(page)
        plot = axes.plot_within(rect, left, below, self.who, right + 1.2)
        at = axes.Axes(plot, axes.span(mean), up)
        title = f"{panel.first_name} − {panel.second_name} ({panel.unit})"
        axes.vertical_axis(page, rect.left, at, title)
        axes.horizontal_axis(page, rect, at, f"mean ({panel.unit})")
        zero = np.array([[plot.left, at.y(0)], [plot.right, at.y(0)]])
        page.lines([zero], axes.FAINT, 0.4, zorder=1)
        for level in levels:
            colour = axes.MAIN if level.word == "bias" else axes.ACCENT
            low, high = level.value - level.half, level.value + level.half
            ends = [at.across[0], at.across[1]]
            band = at.points([*ends, *ends[::-1]], [low, low, high, high])
            page.lines([band], colour, 0.0, closed=True, fill=colour, alpha=0.15, zorder=1)
            line = at.points(ends, [level.value] * 2)
            page.lines([line], colour, 0.9, dashed=level.word != "bias", zorder=2)
        apart = 2 * page.line_height(small) + 0.4
        middle = at.y(levels[1].value)
        upper = min(at.y(levels[0].value), middle - apart)
        lower = max(at.y(levels[2].value), middle + apart)
        for level, word, y in zip(levels, words, (upper, middle, lower), strict=True):
            page.text(plot.right + 0.8, y, level.word, size_pt=small, level="bottom")
            page.text(plot.right + 0.8, y, word, size_pt=small)
        for x, y in zip(mean, difference, strict=True):
            axes.dot(page, at.x(x), at.y(y), 0.5, page.ink, alpha=0.55)
        return []

    def phrase(self) -> str:
        """What it shows."""
        panel = self.panel
        who = f"{panel.first_name} minus {panel.second_name}"
        return f"{panel.title}, {who}" if panel.title else who

    def sentence(self) -> str:
        """What the lines are."""
        return (
            "Solid line: bias; dashed lines: 95 % limits of agreement (bias ± 1.96 SD); bands: "
            "their 95 % confidence intervals."
        )

    def table(self) -> pd.DataFrame:
        """Bias and limits."""
        import pandas as pd

        rows = [
            (self.panel.title, len(self.panel.first), level.word, level.value,
             level.value - level.half, level.value + level.half)
            for level in self.levels()
        ]  # fmt: skip
        names = ["panel", "n", "level", "value", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=names)
