"""Who was enrolled, excluded and analysed: the flow of participants (STROBE, item 13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Model

if TYPE_CHECKING:
    import pandas as pd

_GAP_MM, _PAD_MM, _ARROW_MM = 5.0, 1.6, 1.4


class Step(Model):
    """One step down.

    Attributes
    ----------
    title : str
        In bold.
    lines : tuple of str
        Below it.
    left_out : tuple of str
        In a box at the right of the arrow to the next step.
    """

    title: str
    lines: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@panel_kind
class FlowPanel(BasePanel):
    """Steps from top to bottom, the last ones side by side.

    Attributes
    ----------
    steps : tuple of Step
        One below the other.
    ends : tuple of Step
        Side by side at the bottom.
    """

    noun: ClassVar[str] = "flow of participants"

    kind: Literal["flow"] = "flow"
    steps: tuple[Step, ...] = Field(min_length=1)
    ends: tuple[Step, ...] = Field(default=(), max_length=8)


@plan_of(FlowPanel)
@dataclass(frozen=True, eq=False)
class FlowPlan(PanelPlan):
    """Boxes and arrows."""

    panel: FlowPanel

    def _box_mm(self, page: Page, step: Step, width: float) -> float:
        return len(_wrapped(page, step, width)) * page.line_height() + 2 * _PAD_MM

    def _side_mm(self, page: Page, step: Step, width: float) -> float:
        if not step.left_out:
            return 0.0
        lines = sum(len(_wrap(page, line, width)) for line in step.left_out)
        return lines * page.line_height() + 2 * _PAD_MM

    def _below_mm(self, page: Page, step: Step, width: float) -> float:
        """Room between a step and the next, where those who are left out stand."""
        return max(_GAP_MM, self._side_mm(page, step, width) + 2.0)

    def _end_mm(self, width: float) -> float:
        count = max(len(self.panel.ends), 1)
        return (width - (count - 1) * 2.0) / count

    def height(self, page: Page, width_mm: float) -> float:
        """As high as its texts need."""
        main, side = 0.48 * width_mm, 0.44 * width_mm
        steps = self.panel.steps
        tall = sum(self._box_mm(page, step, main) for step in steps)
        last = len(steps) - (0 if self.panel.ends else 1)
        tall += sum(self._below_mm(page, step, side) for step in steps[:last])
        if self.panel.ends:
            end = self._end_mm(width_mm)
            tall += max(self._box_mm(page, step, end) for step in self.panel.ends) + _GAP_MM
        elif steps[-1].left_out:
            tall += self._below_mm(page, steps[-1], side)
        return tall + 0.6

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it."""
        main, side = 0.48 * rect.width, 0.44 * rect.width
        has_sides = any(step.left_out for step in self.panel.steps)
        left = rect.left + (0.0 if has_sides else (rect.width - main) / 2)
        middle, y = left + main / 2, rect.top + 0.3
        for number, step in enumerate(self.panel.steps):
            tall = self._box_mm(page, step, main)
            _box(page, Rect(left, y, main, tall), _wrapped(page, step, main))
            y += tall
            if number + 1 == len(self.panel.steps) and not self.panel.ends and not step.left_out:
                break
            below = self._below_mm(page, step, side)
            goes_on = number + 1 < len(self.panel.steps) or bool(self.panel.ends)
            if goes_on:
                tip = y + below if number + 1 < len(self.panel.steps) else None
                _arrow(page, [(middle, y), (middle, y + below)], head=tip is not None)
            if step.left_out:
                high = self._side_mm(page, step, side)
                box = Rect(rect.right - side, y + (below - high) / 2, side, high)
                lines = [(t, "normal") for line in step.left_out for t in _wrap(page, line, side)]
                _box(page, box, lines, across="left")
                centre = box.top + high / 2
                _arrow(page, [(middle, centre), (box.left, centre)])
            y += below
        if self.panel.ends:
            self._ends(page, rect, middle, y)
        return []

    def _ends(self, page: Page, rect: Rect, middle: float, y: float) -> None:
        width = self._end_mm(rect.width)
        tall = max(self._box_mm(page, step, width) for step in self.panel.ends)
        for number, step in enumerate(self.panel.ends):
            left = rect.left + number * (width + 2.0)
            centre = left + width / 2
            _arrow(page, [(middle, y), (centre, y), (centre, y + _GAP_MM)])
            _box(page, Rect(left, y + _GAP_MM, width, tall), _wrapped(page, step, width))

    def phrase(self) -> str:
        """What it shows."""
        return self.panel.title or self.panel.noun

    def table(self) -> pd.DataFrame:
        """Its texts."""
        import pandas as pd

        rows = [
            (step.title, "; ".join(step.lines), "; ".join(step.left_out))
            for step in (*self.panel.steps, *self.panel.ends)
        ]
        return pd.DataFrame(rows, columns=["step", "who", "left_out"])


def _wrap(page: Page, line: str, width: float) -> list[str]:
    return page.wrapped(line, width - 2 * _PAD_MM, page.size_pt)


def _wrapped(page: Page, step: Step, width: float) -> list[tuple[str, str]]:
    """Lines of a box with their weights."""
    title = page.wrapped(step.title, width - 2 * _PAD_MM, page.size_pt, "bold")
    rest = [text for line in step.lines for text in _wrap(page, line, width)]
    return [(text, "bold") for text in title] + [(text, "normal") for text in rest]


def _box(
    page: Page,
    rect: Rect,
    lines: list[tuple[str, str]],
    across: Literal["left", "center"] = "center",
) -> None:
    corners = [
        [rect.left, rect.top], [rect.right, rect.top],
        [rect.right, rect.bottom], [rect.left, rect.bottom],
    ]  # fmt: skip
    page.lines([np.array(corners)], page.ink, 0.6, closed=True, fill=page.ground, zorder=3)
    x = rect.left + (_PAD_MM if across == "left" else rect.width / 2)
    for number, (text, weight) in enumerate(lines):
        y = rect.top + _PAD_MM + 0.3 + number * page.line_height()
        page.text(x, y, text, across=across, weight=weight)


def _arrow(page: Page, path: list[tuple[float, float]], *, head: bool = True) -> None:
    page.lines([np.array(path)], page.ink, 0.6, zorder=2)
    if not head:
        return
    tip, before = np.array(path[-1]), np.array(path[-2])
    length = np.linalg.norm(tip - before)
    along = (tip - before) / (length or 1.0)
    aside = np.array([-along[1], along[0]])
    base = tip - _ARROW_MM * along
    wings = np.array([tip, base + 0.45 * _ARROW_MM * aside, base - 0.45 * _ARROW_MM * aside])
    page.lines([wings], page.ink, 0.0, closed=True, fill=page.ink, zorder=4)
