"""Two axes in a panel: where values lie on the page, their ticks and titles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.lettering import Lettering, Rect, spaced_ticks
from napari_qsm.figures.page import Page
from napari_qsm.units import tick_texts, ticks

#: Colours of Okabe and Ito (2008), which colour-blind readers tell apart; lightness differs too.
MAIN, ACCENT, THIRD = "#0072b2", "#d55e00", "#009e73"
FAINT = "#8c8c8c"
_TICK_MM = 0.8
_LEAST_MM = 8.0


@dataclass(frozen=True)
class Axes:
    """A place for values; ``x`` and ``y`` give page mm."""

    plot: Rect
    across: tuple[float, float]
    up: tuple[float, float]

    def x(self, value: float) -> float:
        """Where a value lies from the left edge."""
        low, high = self.across
        return self.plot.left + (value - low) / (high - low) * self.plot.width

    def y(self, value: float) -> float:
        """Where a value lies from the upper edge."""
        low, high = self.up
        return self.plot.bottom - (value - low) / (high - low) * self.plot.height

    def points(self, xs: Iterable[float], ys: Iterable[float]) -> Array:
        """A polyline on the page, shape (n, 2)."""
        return np.array([[self.x(x), self.y(y)] for x, y in zip(xs, ys, strict=True)])


def span(values: Iterable[float], spare: float = 0.06) -> tuple[float, float]:
    """Ends of an axis for values, a little beyond them."""
    known = np.array([v for v in values if v is not None and np.isfinite(v)], dtype=float)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if not high > low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return low - spare * (high - low), high + spare * (high - low)


def mean_interval(values: Array, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and the ends of its t interval; both ends the mean where one value is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.nan, np.nan, np.nan
    mean = float(known.mean())
    if known.size < 2:
        return mean, mean, mean
    from scipy import stats  # half a second that most figures do without

    half = float(stats.t.ppf((1 + level) / 2, known.size - 1) * stats.sem(known))
    return mean, mean - half, mean + half


def axis_left(page: Lettering, low: float, high: float) -> float:
    """Room that a vertical axis needs with its numbers and title, mm."""
    # Any of the ticks that the height may ask for.
    texts = [t for count in range(2, 8) for t in tick_texts(ticks(low, high, count))]
    widest = max(page.width(text, page.small_pt) for text in texts)
    return page.line_height() + widest + _TICK_MM + 0.8


def axis_below(page: Lettering, *, titled: bool = True) -> float:
    """Room that a horizontal axis needs below it, mm."""
    return _TICK_MM + page.line_height(page.small_pt) + 0.6 + titled * page.line_height()


def plot_within(rect: Rect, left: float, below: float, who: str, right: float = 1.0) -> Rect:
    """What is left of a panel beside and above its axes.

    Raises
    ------
    QsmError
        If that is too small for anything.
    """
    plot = Rect(
        rect.left + left, rect.top + 0.8, rect.width - left - right, rect.height - below - 0.8
    )
    if plot.width < _LEAST_MM or plot.height < _LEAST_MM:
        raise QsmError(f"{who} is too small for its axes; give it more room.")
    return plot


def vertical_axis(page: Page, edge: float, axes: Axes, title: str) -> None:
    """The line at the left of a plot, its ticks, and its title at ``edge`` (page mm)."""
    plot, size = axes.plot, page.size_pt
    low, high = axes.up
    marks = spaced_ticks(low, high, plot.height, 1.1 * page.line_height(page.small_pt))
    for mark, label in zip(marks, tick_texts(marks), strict=True):
        y = axes.y(mark)
        page.lines([np.array([[plot.left - _TICK_MM, y], [plot.left, y]])], page.ink, 0.5)
        page.text(
            plot.left - _TICK_MM - 0.5,
            y,
            label,
            size_pt=page.small_pt,
            across="right",
            level="middle",
        )
    shown, fit = page.fitted(title, plot.height, size)
    if shown:
        middle = plot.top + plot.height / 2
        page.upright(edge + page.line_height() / 2, middle, shown, size_pt=fit)
    page.lines([np.array([[plot.left, plot.top], [plot.left, plot.bottom]])], page.ink, 0.5)


def horizontal_axis(page: Page, rect: Rect, axes: Axes, title: str) -> None:
    """The line below a plot with its ticks and title; no letter leaves ``rect``."""
    plot, size = axes.plot, page.size_pt
    low, high = axes.across
    page.lines([np.array([[plot.left, plot.bottom], [plot.right, plot.bottom]])], page.ink, 0.5)
    widest = max(page.width(t, page.small_pt) for t in tick_texts(ticks(low, high, 7)))
    marks = spaced_ticks(low, high, plot.width, widest + 1.2)
    for mark, text in zip(marks, tick_texts(marks), strict=True):
        x = axes.x(mark)
        page.lines([np.array([[x, plot.bottom], [x, plot.bottom + _TICK_MM]])], page.ink, 0.5)
        half = page.width(text, page.small_pt) / 2
        at = min(max(x, rect.left + half), rect.right - half)
        page.text(at, plot.bottom + _TICK_MM + 0.3, text, size_pt=page.small_pt, across="center")
    shown, fit = page.fitted(title, rect.width - 0.4, size)
    half = page.width(shown, fit) / 2
    at = plot.left + plot.width / 2
    at = min(max(at, rect.left + half), rect.right - half)
    below = plot.bottom + axis_below(page, titled=False)
    page.text(at, below, shown, size_pt=fit, across="center")


def names_below(
    page: Page, rect: Rect, places: Sequence[float], names: Sequence[str], top: float
) -> None:
    """Words under a plot, each in the middle of its place, in the lines of :func:`names_mm`.

    Parameters
    ----------
    page, rect : Page, Rect
        No word leaves the panel's rectangle.
    places : sequence of float
        Middles, page mm.
    names : sequence of str
        With line breaks.
    top : float
        Of the axis, page mm.
    """
    size = page.small_pt
    room = min((b - a for a, b in itertools.pairwise(places)), default=rect.width)
    for x, name in zip(places, names, strict=True):
        within = min(room - 0.6, 2 * (x - rect.left), 2 * (rect.right - x))
        for number, line in enumerate(name.split("\n")):
            shown, fit = page.fitted(line, max(within, 4.0), size)
            y = top + _TICK_MM + 0.3 + number * page.line_height(size)
            page.text(x, y, shown, size_pt=fit, across="center")


def names_mm(page: Lettering, names: Sequence[str]) -> float:
    """Height of :func:`names_below`."""
    lines = max(name.count("\n") for name in names) + 1
    return _TICK_MM + 0.6 + lines * page.line_height(page.small_pt)


def dot(page: Page, x: float, y: float, radius: float, colour: str, *, alpha: float = 1.0,
        hollow: bool = False, zorder: float = 4) -> None:  # fmt: skip
    """A round mark, in page mm; hollow ones have a rim."""
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    ring = np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])
    fill = page.ground if hollow else colour
    page.lines(
        [ring], colour, 0.8 if hollow else 0.0, closed=True, fill=fill, alpha=alpha, zorder=zorder
    )


def note_above(page: Page, rect: Rect, note: str) -> float:
    """A line of numbers at the top of a panel; returns the room that it takes."""
    if not note:
        return 0.0
    lines = page.wrapped(note, rect.width, page.small_pt)
    for number, line in enumerate(lines):
        y = rect.top + number * page.line_height(page.small_pt)
        page.text(rect.left, y, line, size_pt=page.small_pt, colour=page.faint)
    return len(lines) * page.line_height(page.small_pt) + 0.6


def note_mm(page: Lettering, width_mm: float, note: str) -> float:
    """Height of :func:`note_above`."""
    if not note:
        return 0.0
    lines = page.wrapped(note, width_mm, page.small_pt)
    return len(lines) * page.line_height(page.small_pt) + 0.6
