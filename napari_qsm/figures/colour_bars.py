"""Colour bars with their unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_qsm.colormaps import STEPS, effective_window, lookup_table
from napari_qsm.figures.lettering import CAPITAL, DESCENT, MM_PER_PT, Rect, spaced_ticks
from napari_qsm.figures.other_maps import OTHER_MAPS, symbol_of
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Cell, Display
from napari_qsm.figures.picture import PicturePlan
from napari_qsm.figures.plans import Plan
from napari_qsm.figures.slices import values_seen
from napari_qsm.figures.spec import ColourBar
from napari_qsm.units import printed, tick_texts

_THICK_MM = 2.4
_LEAD_MM = 1.6
_TICK_MM = 0.7
#: Height of the tip at an end beyond which values go.
_TIP_MM = 1.5


def bar_unit(plan: Plan, name: str) -> str:
    """The unit written at a display's bar."""
    units = [p.map.volume.unit for p in plan.pictures if p.panel.display == name]
    return plan.spec.unit if units and units[0] in ("ppm", "ppb") else (units or [""])[0]


def bar_symbol(plan: Plan, name: str) -> str:
    """What a display's bar is a scale of: ``"χ"``, ``"R2*"``; the name of any other map."""
    maps = [p.map for p in plan.pictures if p.panel.display == name]
    if symbol := symbol_of(plan.spec.sources.get(maps[0].key)):
        return symbol
    return "χ" if maps[0].volume.unit in ("ppm", "ppb") else maps[0].name


def bar_title(plan: Plan, bar: ColourBar) -> str:
    """Quantity and unit."""
    if bar.title:
        return bar.title
    symbol, unit = bar_symbol(plan, bar.display), printed(bar_unit(plan, bar.display))
    if not unit and symbol in {each.symbol for each in OTHER_MAPS.values()}:
        unit = "a.u."
    return f"{symbol} ({unit})" if unit else symbol


def bar_in_words(plan: Plan, bar: ColourBar) -> str:
    """What a bar says, for somebody who hears it."""
    low, high = effective_window(plan.spec.displays[bar.display])
    factor = 1e3 if bar_unit(plan, bar.display) == "ppb" else 1.0
    ends = f"{low * factor:g} to {high * factor:g}".replace("-", "−")
    return f"Colour bar: {bar_title(plan, bar)}, {ends}"


def _marks(
    plan: Plan, bar: ColourBar, length_mm: float, least_mm: float
) -> tuple[list[float], list[str]]:
    """Ticks in the unit of the display, and as they are written."""
    display = plan.spec.displays[bar.display]
    low, high = effective_window(display)
    unit = bar_unit(plan, bar.display)
    factor = 1e3 if unit == "ppb" else 1.0
    shown = spaced_ticks(low * factor, high * factor, length_mm, least_mm)
    texts = tick_texts(shown)
    return [v / factor for v in shown], texts


def bar_lane(page: Page, plan: Plan, bar: ColourBar) -> float:
    """Breadth of the strip that a bar needs, in mm."""
    size = page.size_pt
    if bar.where == "bottom":
        return _LEAD_MM + _THICK_MM + _TICK_MM + page.line_height(page.small_pt) + 0.6
    _, texts = _marks(plan, bar, 100.0, 5.0)
    labels = max(page.width(text, page.small_pt) for text in texts)
    title = page.width(page.fitted(bar_title(plan, bar), 16.0, size)[0], size)
    return _LEAD_MM + max(_THICK_MM + _TICK_MM + 0.5 + labels, title) + 0.5


@dataclass(frozen=True)
class BarPlace:
    """Where a bar runs: first and last row (column, at the bottom) and how far out."""

    bar: ColourBar
    first: int
    last: int
    offset_mm: float
    lane_mm: float


def place_bars(
    page: Page, plan: Plan, cells: Sequence[Cell | None], grid: tuple[int, int]
) -> list[BarPlace]:
    """Give every bar its rows and lane; bars beside different rows share a lane.

    Parameters
    ----------
    page, plan
        The figure.
    cells : sequence of Cell or None
        Of each panel.
    grid : (rows, columns)
        Of the grid; without rows there is no bar.
    """
    out: list[BarPlace] = []
    if not grid[0]:
        return out
    for where, count in (("right", grid[0]), ("bottom", grid[1])):
        lanes: list[list[BarPlace]] = []
        for bar in (b for b in plan.spec.colour_bars if b.where == where):
            first, last = _span(bar, plan, cells, count)
            for places in lanes:
                if all(last < other.first or first > other.last for other in places):
                    break
            else:
                places = []
                lanes.append(places)
            places.append(BarPlace(bar, first, last, 0.0, bar_lane(page, plan, bar)))
        offset = 0.0
        for places in lanes:
            breadth = max(place.lane_mm for place in places)
            out += [replace(place, offset_mm=offset, lane_mm=breadth) for place in places]
            offset += breadth
    return out


def lanes_mm(places: list[BarPlace], where: str) -> float:
    """Breadth of all lanes on one side."""
    return max((p.offset_mm + p.lane_mm for p in places if p.bar.where == where), default=0.0)


def _span(bar: ColourBar, plan: Plan, cells: Sequence[Cell | None], count: int) -> tuple[int, int]:
    used = []
    for one, cell in zip(plan.panels, cells, strict=True):
        if cell and isinstance(one, PicturePlan) and one.panel.display == bar.display:
            if bar.where == "right":
                used.append((cell.row, cell.row + cell.rows - 1))
            else:
                used.append((cell.column, cell.column + cell.columns - 1))
    first = bar.first if bar.first is not None else min((a for a, _ in used), default=0)
    last = bar.last if bar.last is not None else max((b for _, b in used), default=count - 1)
    return min(first, count - 1), min(max(last, first), count - 1)


def _strip(display: Display, ground: str) -> np.ndarray:
    """Colours along a bar, low end first; (STEPS, 3) uint8."""
    table = lookup_table(display)
    alpha = table[:, 3:] * display.opacity
    paper = 1.0 if ground == "#ffffff" else 0.0
    rgb = table[:, :3] * alpha + paper * (1 - alpha)
    assert len(rgb) == STEPS
    return np.rint(rgb * 255).astype(np.uint8)


def _open_ends(plan: Plan, bar: ColourBar) -> tuple[bool, bool]:
    """Whether pictures show values below and above the bar's ends, and in colour."""
    display = plan.spec.displays[bar.display]
    low, high = effective_window(display)
    below, above = lookup_table(display)[[0, -1], 3] > 0
    values = [
        values_seen(one.map, where, one.view, display)
        * (1e-3 if one.map.volume.unit == "ppb" else 1.0)
        for one in plan.pictures
        if one.panel.display == bar.display and one.panel.unlocked_window is None
        for where in one.slices
    ]
    return (
        bool(below) and any((v < low).any() for v in values),
        bool(above) and any((v > high).any() for v in values),
    )


def _draw_strip(page: Page, display: Display, rect: Rect, open_ends: tuple[bool, bool]) -> None:
    """The colours between the ends, low ones below or left, and a tip at each open end."""
    upright = rect.height > rect.width
    strip = _strip(display, page.ground)
    shown = strip[::-1][:, None] if upright else strip[None]
    page.image(shown, (rect.left, rect.right, rect.bottom, rect.top), rect)
    middle = np.array([(rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2])
    half = np.array([rect.width, rect.height]) / 2
    along = np.array([0, -1]) if upright else np.array([1, 0])
    aside = np.array([1, 0]) if upright else np.array([0, 1])
    outline = []
    for sign, is_open, colour in ((-1, open_ends[0], strip[0]), (1, open_ends[1], strip[-1])):
        corners = [middle + sign * half * (along + turn * aside) for turn in (-1, 1)]
        if is_open:
            tip = middle + sign * along * (half @ abs(along) + _TIP_MM)
            triangle = np.array([corners[0], tip, corners[1]])
            page.lines([triangle], page.ink, 0.0, closed=True, fill="#" + bytes(colour).hex())
            corners.insert(1, tip)
        outline += corners
    page.lines([np.array(outline)], page.ink, 0.4, closed=True)


def draw_right(
    page: Page, plan: Plan, bar: ColourBar, left: float, top: float, bottom: float
) -> None:
    """A bar that runs upwards, its title above it."""
    size = page.size_pt
    display = plan.spec.displays[bar.display]
    x = left + _LEAD_MM
    title, fit = page.fitted(bar_title(plan, bar), 16.0, size)
    page.text(x, top, title, size_pt=fit)
    head = top + page.line_height(size) + 0.4
    below = (DESCENT + CAPITAL / 2) * (page.small_pt) * MM_PER_PT  # half of the lowest tick's text
    open_ends = _open_ends(plan, bar)
    below = max(below, _TIP_MM * open_ends[0])
    start = head + 0.4 + _TIP_MM * open_ends[1]
    length = max(bottom - start - below, 3.0)
    rect = Rect(x, start, _THICK_MM, length)
    _draw_strip(page, display, rect, open_ends)
    low, high = effective_window(display)
    least = min(6.0, max(page.line_height(page.small_pt), length / 3))
    for mark, text in zip(*_marks(plan, bar, length, least), strict=True):
        y = rect.bottom - (mark - low) / (high - low) * rect.height
        page.lines([np.array([[rect.right, y], [rect.right + _TICK_MM, y]])], page.ink, 0.5)
        page.text(rect.right + _TICK_MM + 0.5, y, text, size_pt=page.small_pt, level="middle")


def draw_bottom(
    page: Page, plan: Plan, bar: ColourBar, left: float, right: float, top: float
) -> None:
    """A bar that runs to the right, its title behind it."""
    size = page.size_pt
    display = plan.spec.displays[bar.display]
    title, fit = page.fitted(bar_title(plan, bar), 30.0, size)
    beside = page.width(title, fit) + 1.2
    width = min(right - left - 2 * beside, 70.0)
    width = max(width, 10.0)
    middle = (left + right) / 2
    rect = Rect(middle - width / 2, top + _LEAD_MM, width, _THICK_MM)
    open_ends = _open_ends(plan, bar)
    _draw_strip(page, display, rect, open_ends)
    page.text(
        rect.right + _TIP_MM * open_ends[1] + 1.2,
        rect.top + _THICK_MM / 2,
        title,
        size_pt=fit,
        level="middle",
    )
    low, high = effective_window(display)
    _, widest = _marks(plan, bar, 100.0, 5.0)
    each = max(page.width(text, page.small_pt) for text in widest) + 2.0
    for mark, text in zip(*_marks(plan, bar, width, each), strict=True):
        x = rect.left + (mark - low) / (high - low) * rect.width
        page.lines([np.array([[x, rect.bottom], [x, rect.bottom + _TICK_MM]])], page.ink, 0.5)
        page.text(x, rect.bottom + _TICK_MM + 0.2, text, size_pt=page.small_pt, across="center")
