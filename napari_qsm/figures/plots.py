"""How values are distributed: histograms and boxes, for window, report and figures alike.

Each function draws on a :class:`~napari_qsm.figures.page.Page`, in its ink; :func:`plot_page`
makes a page for one plot alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.figures.lettering import Lettering, Rect, spaced_ticks
from napari_qsm.figures.page import Page
from napari_qsm.figures.spec import Style
from napari_qsm.rois.measures import Measures
from napari_qsm.units import tick_texts

_BINS = 40
_TICK_MM = 0.8
_EDGE_MM = 2.5
#: Beyond this share of values at either end the histogram's axis is cut, in percent.
_TAIL = 0.5
_HISTOGRAM_MM = 30.0
_BOX_MM = 11.5


@dataclass(frozen=True, eq=False)
class Group:
    """One region on one map.

    Attributes
    ----------
    name : str
        For the legend.
    color : str
        ``"#rrggbb"``.
    values : (n,) ndarray
        In the unit shown; finite.
    measures : Measures
        Of these values, with percentiles.
    text : str
        Mean and SD, as the table writes them.
    dashed : bool
        For a second map, so that colour does not carry the meaning alone.
    high_from : float
        Above which values are the region's high part, marked in histograms; NaN for none.
    """

    name: str
    color: str
    values: Array
    measures: Measures
    text: str
    dashed: bool = False
    high_from: float = math.nan


def plot_page(
    width_mm: float,
    height_mm: float,
    *,
    dpi: float = 96.0,
    size_pt: float = 8.0,
    ink: str = "#000000",
    ground: str = "none",
) -> Page:
    """A page for one plot: as broad as a place in the window or the report."""
    width_mm = max(width_mm, 20.0)
    style = Style(width_mm=width_mm, size_pt=size_pt)
    return Page(style, max(height_mm, 10.0), dpi, ink=ink, ground=ground)


def value_axis(
    page: Page, plot: Rect, low: float, high: float, title: str
) -> Callable[[float], float]:
    """The axis of values below a plot; returns where a value lies across."""

    def across(value: float) -> float:
        return plot.left + (value - low) / (high - low) * plot.width

    size = page.small_pt
    page.lines([np.array([[plot.left, plot.bottom], [plot.right, plot.bottom]])], page.ink, 0.6)
    marks = spaced_ticks(low, high, plot.width, 9.0)
    for mark, text in zip(marks, tick_texts(marks), strict=True):
        x = across(mark)
        page.lines([np.array([[x, plot.bottom], [x, plot.bottom + _TICK_MM]])], page.ink, 0.6)
        half = page.width(text, size) / 2 + 0.2
        at = min(max(x, page.rect.left + half), page.rect.right - half)
        page.text(at, plot.bottom + _TICK_MM + 0.3, text, size_pt=size, across="center")
    below = plot.bottom + _TICK_MM + page.line_height(size) + 0.3
    middle = plot.left + plot.width / 2
    page.text(middle, below, title, size_pt=page.size_pt, across="center")
    return across


def axis_mm(page: Lettering) -> float:
    """Height of the axis of values with its numbers and title."""
    return _TICK_MM + page.line_height(page.small_pt) + page.line_height() + 0.6


def draw_histogram(
    page: Page,
    rect: Rect,
    edges: Sequence[float],
    counts: Sequence[int],
    title: str,
    *,
    colour: str,
) -> Rect:
    """Bars of equal breadth, with zero marked; returns the place of the bars."""
    plot = Rect(
        rect.left + _EDGE_MM,
        rect.top + 1.0,
        rect.width - 2 * _EDGE_MM,
        rect.height - 1.0 - axis_mm(page),
    )
    highest = max(counts, default=0)
    step = plot.width / max(len(counts), 1)
    bars = []
    for n, count in enumerate(counts):
        if count:
            tall = max(plot.height * count / highest, 0.25)
            left, right = plot.left + n * step, plot.left + (n + 1) * step - min(0.25, step / 4)
            top = plot.bottom - tall
            corners = [[left, plot.bottom], [left, top], [right, top], [right, plot.bottom]]
            bars.append(np.array(corners))
    page.lines(bars, colour, 0.0, closed=True, fill=colour)
    across = value_axis(page, plot, edges[0], edges[-1], title)
    if edges[0] < 0 < edges[-1]:
        x = across(0.0)
        page.lines([np.array([[x, plot.top], [x, plot.bottom]])], page.ink, 0.5, alpha=0.45)
    return plot


def distributions_height(page: Lettering, groups: Sequence[Group]) -> float:
    """Height of :func:`draw_distributions` in mm."""
    return 1.0 + _HISTOGRAM_MM + axis_mm(page) + 1.0 + len(groups) * _legend_mm(page)


def draw_distributions(page: Page, rect: Rect, groups: Sequence[Group], unit: str) -> None:
    """Histograms of several regions as outlines, a legend below.

    Heights are shares, so that a small region stands beside a large one.
    """
    low, high = _range(groups, cut=_TAIL)
    plot = Rect(
        rect.left + _EDGE_MM, rect.top + 1.0, rect.width - 2 * _EDGE_MM, _HISTOGRAM_MM
    )  # fmt: skip
    across = value_axis(page, plot, low, high, unit or "unit not known")
    edges = np.linspace(low, high, _BINS + 1)
    shares = [np.histogram(g.values, edges)[0] / g.values.size for g in groups]
    top = max(float(share.max()) for share in shares) or 1.0
    x = np.repeat([across(float(edge)) for edge in edges], 2)
    for group, share in zip(groups, shares, strict=True):
        y = plot.bottom - plot.height * np.concatenate([[0], np.repeat(share / top, 2), [0]])
        outline = np.stack([x, y], axis=1)
        page.lines([outline], group.color, 0.0, closed=True, fill=group.color, alpha=0.2)
        page.lines([outline], group.color, 1.2, dashed=group.dashed)
    for limit in sorted({g.high_from for g in groups if low < g.high_from < high}):
        at = across(limit)
        line = np.array([[at, plot.top], [at, plot.bottom]])
        page.lines([line], page.ink, 0.8, dashed=True)
    step = _legend_mm(page)
    for number, group in enumerate(groups):
        below = plot.bottom + axis_mm(page) + 1.0 + number * step
        _legend(page, Rect(plot.left, below, plot.width, step), group)


def _legend_mm(page: Lettering) -> float:
    return 2 * page.line_height() + 0.5


def _legend(page: Page, rect: Rect, group: Group) -> None:
    swatch = 6.5
    middle = rect.top + page.line_height() / 2 - 0.3
    line = np.array([[rect.left, middle], [rect.left + swatch, middle]])
    page.lines([line], group.color, 1.6, dashed=group.dashed)
    left = rect.left + swatch + 1.5
    for number, text in enumerate((group.name, group.text)):
        shown, size = page.fitted(text, rect.right - left, page.size_pt)
        page.text(left, rect.top + number * page.line_height(), shown, size_pt=size)


def boxes_height(page: Lettering, groups: Sequence[Group]) -> float:
    """Height of :func:`draw_boxes` in mm."""
    return 1.0 + len(groups) * _BOX_MM + axis_mm(page) + 0.5


def draw_boxes(page: Page, rect: Rect, groups: Sequence[Group], unit: str) -> None:
    """Boxes of the quartiles, whiskers to the extremes, mean with SD below each."""
    low, high = _range(groups, cut=0.0)
    plot = Rect(
        rect.left + _EDGE_MM,
        rect.top + 1.0,
        rect.width - 2 * _EDGE_MM,
        len(groups) * _BOX_MM,
    )
    across = value_axis(page, plot, low, high, unit or "unit not known")
    for number, group in enumerate(groups):
        top = plot.top + number * _BOX_MM
        shown, size = page.fitted(f"{group.name}: {group.text}", plot.width, page.size_pt)
        page.text(plot.left, top, shown, size_pt=size)
        _box(page, group, top + page.line_height() + 2.6, across)


def _box(page: Page, group: Group, middle: float, across: Callable[[float], float]) -> None:
    told, half = group.measures, 1.7
    names = ("min", "p25", "median", "p75", "max")
    low, q1, median, q3, high = (across(told.value(name)) for name in names)
    whiskers = [np.array([[low, middle], [q1, middle]]), np.array([[q3, middle], [high, middle]])]
    page.lines(whiskers, group.color, 1.2, dashed=group.dashed)
    q3 = max(q3, q1 + 0.3)
    corners = np.array(
        [[q1, middle - half], [q3, middle - half], [q3, middle + half], [q1, middle + half]]
    )
    page.lines([corners], group.color, 0.0, closed=True, fill=group.color, alpha=0.35)
    page.lines([corners], group.color, 1.2, closed=True, dashed=group.dashed)
    page.lines([np.array([[median, middle - half], [median, middle + half]])], page.ink, 1.5)
    mean, below = across(told.mean), middle + half + 1.1
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    dot = np.array([mean, below]) + 0.6 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    page.lines([dot], page.ink, 0.0, closed=True, fill=page.ink)
    if np.isfinite(told.sd):
        ends = [[across(told.mean - told.sd), below], [across(told.mean + told.sd), below]]
        page.lines([np.array(ends)], page.ink, 0.8)


def _range(groups: Sequence[Group], *, cut: float) -> tuple[float, float]:
    """Ends of the axis of values; ``cut`` percent at either end may lie beyond."""
    low = min(float(np.percentile(g.values, cut)) for g in groups)
    high = max(float(np.percentile(g.values, 100 - cut)) for g in groups)
    pad = 0.04 * (high - low) or abs(low) * 0.1 or 1.0
    return low - pad, high + pad
