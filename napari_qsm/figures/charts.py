"""Bars and boxes of regions, one colour for each subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.kinds import Drawing, plan_of
from napari_qsm.figures.lettering import MIN_PT, Rect, spaced_ticks
from napari_qsm.figures.numbers import NumbersPlan, sided_region
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import ChartPanel, Numbers
from napari_qsm.units import tick_texts, ticks

#: Colours of Okabe and Ito (2008); their lightness differs too.
SUBJECT_COLOURS = ("#0072b2", "#d55e00", "#56b4e9", "#cc79a7", "#009e73", "#f0e442", "#e69f00")
_TICK_MM = 0.8
_UPRIGHT_MM = 25.0


@plan_of(ChartPanel)
@dataclass(frozen=True, eq=False)
class ChartPlan(NumbersPlan):
    """A chart with its numbers."""

    panel: ChartPanel

    @classmethod
    def needs_percentiles(cls, panel: Numbers) -> bool:
        """For boxes."""
        return isinstance(panel, ChartPanel) and panel.chart == "boxes"

    def height(self, page: Page, width_mm: float) -> float:
        """Broad charts are higher, within reason."""
        parts = _measure(page, self, width_mm)
        return parts.legend_mm + parts.below_mm + float(np.clip(0.42 * width_mm, 22.0, 48.0))

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it; subjects stand in a legend above.

        Raises
        ------
        QsmError
            If the panel is too low.
        """
        return _draw_chart(page, rect, self)

    def sentence(self) -> str:
        """How SD and boxes are meant."""
        text = super().sentence()
        if self.percentiles:
            text += " Boxes: quartiles and median; whiskers: 5th and 95th percentile."
        return text


@dataclass(frozen=True)
class _Axis:
    """The vertical axis: values into page mm."""

    low: float
    high: float
    plot: Rect

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return self.plot.bottom - part * self.plot.height


@dataclass(frozen=True, eq=False)
class _Parts:
    """What a chart is made of, measured for a width.

    Attributes
    ----------
    left_mm : float
        Room for the vertical axis.
    names : list of list of str
        Names of regions in lines; empty where they run upwards.
    """

    subjects: list[str]
    regions: list[tuple[int, str]]
    low: float
    high: float
    legend_mm: float
    left_mm: float
    names: list[list[str]]
    names_pt: float
    below_mm: float


def _measure(page: Page, plan: ChartPlan, width_mm: float) -> _Parts:
    frame, size = plan.frame, page.size_pt
    subjects = [str(subject) for subject in dict.fromkeys(frame["subject"])]
    rows = dict.fromkeys(zip(frame["label"], frame["name"], frame["side"], strict=True))
    regions = [
        (int(label), sided_region(str(name), str(side), plan.words)) for label, name, side in rows
    ]
    low, high = _range(plan)
    # Any of the ticks that the height may ask for.
    texts = [t for count in range(2, 8) for t in tick_texts(ticks(low, high, count))]
    labels = max(page.width(text, page.small_pt) for text in texts)
    left = page.line_height(size) + labels + _TICK_MM + 0.8
    slot = (width_mm - left) / len(regions)
    lines, name_size = _wrapped_names(page, [name for _, name in regions], slot * 0.96)
    if lines:
        below = max(len(text) for text in lines) * page.line_height(name_size) + 1.2
    else:  # words too long for their place run upwards
        longest = max(page.width(name, name_size) for _, name in regions)
        below = min(longest, _UPRIGHT_MM) + 1.6
    legend = _legend(page, Rect(0, 0, width_mm, 0), subjects, draw=False)
    return _Parts(subjects, regions, low, high, legend, left, lines, name_size, below)


def _draw_chart(page: Page, rect: Rect, plan: ChartPlan) -> list[str]:
    """Draw a chart; subjects stand in a legend above it.

    Raises
    ------
    QsmError
        If the panel is too low.
    """
    parts = _measure(page, plan, rect.width)
    left, top = rect.left + parts.left_mm, rect.top + parts.legend_mm
    plot = Rect(left, top, rect.right - left, rect.bottom - parts.below_mm - top)
    if plot.height < 8 or plot.width < 8:
        raise QsmError(f"{plan.who} is too small for its chart; give it more room.")
    _legend(page, rect, parts.subjects)
    axis = _Axis(parts.low, parts.high, plot)
    _draw_axis(page, rect, plan, axis)
    slot = plot.width / len(parts.regions)
    bar = slot * 0.72 / len(parts.subjects)
    unit, frame = plan.unit, plan.frame
    for number, (label, name) in enumerate(parts.regions):
        middle = left + (number + 0.5) * slot
        lines = parts.names[number] if parts.names else []
        if not lines:
            shown, fit = page.fitted(name, parts.below_mm - 1.6, parts.names_pt)
            end = plot.bottom + 0.8 + page.width(shown, fit) / 2
            page.upright(middle, end, shown, size_pt=fit)
        for line, text in enumerate(lines):
            y = plot.bottom + 0.8 + line * page.line_height(parts.names_pt)
            page.text(middle, y, text, size_pt=parts.names_pt, across="center")
        for order, subject in enumerate(parts.subjects):
            found = frame[(frame["label"] == label) & (frame["subject"] == subject)]
            if found.empty:
                continue
            x = middle + (order - (len(parts.subjects) - 1) / 2) * bar
            colour = SUBJECT_COLOURS[order % len(SUBJECT_COLOURS)]
            if plan.panel.chart == "bars":
                mean, sd = (float(found.iloc[0][f"{m}_{unit}"]) for m in ("mean", "sd"))
                _bar(page, axis, x, bar * 0.86, mean, sd, colour)
            else:
                _box(page, axis, x, bar * 0.74, plan.percentiles[subject, label], colour)
    return []


def _draw_axis(page: Page, rect: Rect, plan: ChartPlan, axis: _Axis) -> None:
    """The vertical axis with its quantity and unit, and the line of zero."""
    size, plot = page.size_pt, axis.plot
    left = plot.left
    marks = spaced_ticks(axis.low, axis.high, plot.height, 1.1 * page.line_height(page.small_pt))
    for mark, label in zip(marks, tick_texts(marks), strict=True):
        y = axis.y(mark)
        page.lines([np.array([[left - _TICK_MM, y], [left, y]])], page.ink, 0.5)
        page.text(
            left - _TICK_MM - 0.5, y, label, size_pt=page.small_pt, across="right", level="middle"
        )
    quantity = f"χ ({plan.unit})" if plan.panel.chart == "boxes" else f"mean χ ± SD ({plan.unit})"
    shown, fit = page.fitted(quantity, plot.height, size)
    middle = plot.top + plot.height / 2
    page.upright(rect.left + page.line_height(size) / 2, middle, shown, size_pt=fit)
    base = axis.y(min(max(0.0, axis.low), axis.high))
    page.lines([np.array([[left, plot.top], [left, plot.bottom]])], page.ink, 0.5)
    page.lines([np.array([[left, base], [plot.right, base]])], page.ink, 0.5)


def _range(plan: ChartPlan) -> tuple[float, float]:
    """Ends of the axis: round, and zero among them for bars."""
    frame, unit = plan.frame, plan.unit
    if plan.panel.chart == "bars":
        spread = frame[f"sd_{unit}"].fillna(0)
        ends = [0.0, *(frame[f"mean_{unit}"] - spread), *(frame[f"mean_{unit}"] + spread)]
    else:
        ends = [end for values in plan.percentiles.values() for end in values]
    finite = [float(end) for end in ends if np.isfinite(end)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if not high > low:
        high = low + (abs(low) or 1.0) * 0.1
    spare = 0.04 * (high - low)
    return (low if low == 0 else low - spare), (high if high == 0 else high + spare)


def _legend(page: Page, rect: Rect, subjects: list[str], *, draw: bool = True) -> float:
    """Colours and names of subjects, in as many lines as they need; returns their height."""
    if len(subjects) < 2:
        return 1.0
    size = page.size_pt
    step, swatch = page.line_height(size), 2.2
    x, y = rect.left, rect.top
    for order, subject in enumerate(subjects):
        name, fit = page.fitted(subject, rect.width - swatch - 0.8, size)
        need = swatch + 0.8 + page.width(name, fit)
        if x > rect.left and x + need > rect.right:
            x, y = rect.left, y + step
        if draw:
            colour = SUBJECT_COLOURS[order % len(SUBJECT_COLOURS)]
            page.fill(Rect(x, y + step * 0.15, swatch, step * 0.5), colour)
            page.text(x + swatch + 0.8, y, name, size_pt=fit)
        x += need + 3.0
    return y - rect.top + step + 0.8


def _wrapped_names(page: Page, names: list[str], width: float) -> tuple[list[list[str]], float]:
    """Names in at most three lines of one size; none where a word would have to be broken."""
    size = page.small_pt
    while True:
        lines = [page.wrapped(name, width, size) for name in names]
        broken = any(page.width(word, size) > width for name in names for word in name.split())
        if max(len(text) for text in lines) <= 3 and not broken:
            return lines, size
        if size <= MIN_PT:
            return [], size
        size = max(size - 0.25, MIN_PT)


def _bar(
    page: Page, axis: _Axis, x: float, width: float, mean: float, sd: float, colour: str
) -> None:
    if not np.isfinite(mean):
        return
    top, bottom = sorted((axis.y(mean), axis.y(min(max(0.0, axis.low), axis.high))))
    page.fill(Rect(x - width / 2, top, width, bottom - top), colour)
    if np.isfinite(sd):
        _whisker(page, x, width * 0.4, axis.y(mean - sd), axis.y(mean + sd))


def _box(
    page: Page, axis: _Axis, x: float, width: float, values: tuple[float, ...], colour: str
) -> None:
    """Box of the quartiles, line at the median, whiskers at the 5th and 95th percentile."""
    if not np.isfinite(values).all():
        return
    p05, p25, p50, p75, p95 = (axis.y(v) for v in values)
    _whisker(page, x, width * 0.5, p05, p95)
    corners = np.array([[x - width / 2, p25], [x + width / 2, p25]])
    corners = np.vstack([corners, np.array([[x + width / 2, p75], [x - width / 2, p75]])])
    page.lines([corners], page.ink, 0.5, closed=True, fill=colour, zorder=3.2)
    page.lines([np.array([[x - width / 2, p50], [x + width / 2, p50]])], page.ink, 1.2, zorder=3.3)


def _whisker(page: Page, x: float, cap: float, low: float, high: float) -> None:
    paths: list[Array] = [
        np.array([[x, low], [x, high]]),
        np.array([[x - cap / 2, low], [x + cap / 2, low]]),
        np.array([[x - cap / 2, high], [x + cap / 2, high]]),
    ]
    page.lines(paths, page.ink, 0.6)
