"""Where panels lie on the page: equal columns, aligned rows, room for bars and titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_qsm.errors import QsmError
from napari_qsm.figures.colour_bars import lanes_mm, place_bars
from napari_qsm.figures.kinds import PanelPlan
from napari_qsm.figures.lettering import ASCENT, DESCENT, MM_PER_PT, Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.parts import Cell
from napari_qsm.figures.plans import Plan

_EDGE_MM = 0.3


@dataclass(frozen=True)
class Grid:
    """The page laid out.

    Attributes
    ----------
    height_mm : float
        Of the page.
    bodies : tuple of Rect
        Of each panel, below its title.
    titles : tuple of Rect
        The strip above each panel for its letter and title; of no height where its row has
        neither. In the first row, letters stand beside the titles of columns.
    columns, rows : tuple of (start, end)
        Page mm of the grid's columns and rows.
    top_mm, left_mm : float
        Where the strips of column titles and row titles end.
    bars_right, bars_bottom : float
        Where the lanes of colour bars begin.
    left_out : set of int
        Panels that made room for a neighbour.
    """

    height_mm: float
    bodies: tuple[Rect, ...]
    titles: tuple[Rect, ...]
    columns: tuple[tuple[float, float], ...]
    rows: tuple[tuple[float, float], ...]
    top_mm: float
    left_mm: float
    bars_right: float
    bars_bottom: float
    left_out: frozenset[int] = frozenset()


def cells_of(plan: Plan) -> list[Cell | None]:
    """The cell of each panel; panels without a place fill free cells in reading order.

    Raises
    ------
    QsmError
        If two panels share a cell.
    """
    spec = plan.spec
    taken: dict[tuple[int, int], str] = {}
    out: list[Cell | None] = []
    for one in plan.panels:
        if one.panel.cell is not None:
            _take(one.panel.cell, one.who, taken)
    row = column = 0
    for one in plan.panels:
        panel = one.panel
        if panel.box is not None or panel.cell is not None:
            out.append(panel.cell)
            continue
        while (row, column) in taken:
            row, column = (row, column + 1) if column + 1 < spec.columns else (row + 1, 0)
        cell = Cell(row=row, column=column)
        _take(cell, one.who, taken)
        out.append(cell)
    return out


def _take(cell: Cell, who: str, taken: dict[tuple[int, int], str]) -> None:
    for row in range(cell.row, cell.row + cell.rows):
        for column in range(cell.column, cell.column + cell.columns):
            if (row, column) in taken:
                raise QsmError(
                    f"{who} and {taken[row, column]} share the cell in row {row}, column {column}."
                )
            taken[row, column] = who


def lay_out(plan: Plan, page: Page) -> Grid:
    """Find every panel's place.

    Parameters
    ----------
    plan : Plan
        The figure.
    page : Page
        Measures texts; its own height doesn't matter.

    Raises
    ------
    QsmError
        If there is no room for the panels.
    """
    spec, style = plan.spec, plan.spec.style
    gap = style.gap_mm
    cells = cells_of(plan)
    placed = [(one, cell) for one, cell in zip(plan.panels, cells, strict=True) if cell is not None]
    # Columns that no panel lies in would be white.
    count = max((c.column + c.columns for _, c in placed), default=1)
    rows = max((c.row + c.rows for _, c in placed), default=0)
    strips = [
        max((_strip_mm(page, one) for one, c in placed if c.row == row), default=0.0)
        for row in range(rows)
    ]
    left = _EDGE_MM + (page.line_height() + 0.4 if any(spec.row_titles) else 0.0)
    top, beside = _EDGE_MM, 0.0
    if any(spec.column_titles):
        top += page.line_height() + 1.0
        if strips and not any(one.panel.title for one, c in placed if c.row == 0):
            beside = max(strips[0], page.line_height() + 1.0) if strips[0] else 0.0
            top, strips[0] = max(top, _EDGE_MM + beside), 0.0
    bars = place_bars(page, plan, cells, (rows, count))
    right = style.width_mm - _EDGE_MM - lanes_mm(bars, "right")
    below = lanes_mm(bars, "bottom")
    width = (right - left - (count - 1) * gap) / count
    asked = max(spec.columns, count)
    if placed and (right - left - (asked - 1) * gap) / asked < 6:
        raise QsmError(
            f"{asked} columns do not fit on {style.width_mm:g} mm; choose fewer columns or a "
            "wider figure."
        )
    starts = [left + i * (width + gap) for i in range(count)]
    cells, left_out = _with_room(page, plan, cells, width, gap)
    placed = [
        (one, cell)
        for number, (one, cell) in enumerate(zip(plan.panels, cells, strict=True))
        if cell is not None and number not in left_out
    ]
    wanted = _row_heights(page, placed, strips, width, gap)
    fixed = top + sum(strips) + max(rows - 1, 0) * gap + below + _EDGE_MM
    ends = [_free_rect(one).bottom + _EDGE_MM for one in plan.panels if one.panel.box is not None]
    height = max([fixed + sum(wanted), *ends])
    if style.height_mm is not None:
        height = style.height_mm
        if rows and height - fixed < 4 * rows:
            raise QsmError(f"{rows} rows do not fit on {height:g} mm; make the figure higher.")
        share = (height - fixed) / sum(wanted) if rows else 1.0
        wanted = [row * share for row in wanted]
    bands: list[tuple[float, float]] = []
    y = top
    for strip_mm, body_mm in zip(strips, wanted, strict=True):
        bands.append((y, y + strip_mm + body_mm))
        y += strip_mm + body_mm + gap
    bodies: list[Rect] = []
    titles: list[Rect] = []
    for one, cell in zip(plan.panels, cells, strict=True):
        if cell is None:
            whole, title_mm = _free_rect(one), _strip_mm(page, one)
        else:
            end = starts[cell.column + cell.columns - 1] + width
            bottom = bands[cell.row + cell.rows - 1][1]
            x, y = starts[cell.column], bands[cell.row][0]
            whole, title_mm = Rect(x, y, end - x, bottom - y), strips[cell.row]
        if not Rect(0, 0, style.width_mm, height).holds(whole, 1e-6):
            raise QsmError(
                f"{one.who} reaches beyond the figure ({style.width_mm:g} x {height:g} mm)."
            )
        raised = beside if cell is not None and cell.row == 0 else 0.0
        titles.append(Rect(whole.left, whole.top - raised, whole.width, title_mm + raised))
        bodies.append(Rect(whole.left, whole.top + title_mm, whole.width, whole.height - title_mm))
    return Grid(
        height_mm=height,
        bodies=tuple(bodies),
        titles=tuple(titles),
        columns=tuple((start, start + width) for start in starts),
        rows=tuple(bands),
        top_mm=top,
        left_mm=left,
        bars_right=right,
        bars_bottom=bands[-1][1] if bands else top,
        left_out=left_out,
    )


def _with_room(
    page: Page, plan: Plan, cells: list[Cell | None], width: float, gap: float
) -> tuple[list[Cell | None], frozenset[int]]:
    """Cells of panels that need the place of a neighbour which yields, and who yielded."""
    cells, left_out = list(cells), set()
    for number, one in enumerate(plan.panels):
        cell = cells[number]
        if cell is None:
            continue
        span = cell.columns * (width + gap) - gap
        if one.least_width(page) <= span + 1e-6:
            continue
        for other, beside in enumerate(cells):
            if beside is None or not plan.panels[other].yields:
                continue
            if beside.row == cell.row and beside.column == cell.column + cell.columns:
                cells[number] = cell.model_copy(update={"columns": cell.columns + beside.columns})
                left_out.add(other)
    return cells, frozenset(left_out)


def _row_heights(
    page: Page,
    placed: Sequence[tuple[PanelPlan, Cell]],
    strips: Sequence[float],
    width: float,
    gap: float,
) -> list[float]:
    """Heights of rows, without their strips of titles, that all panels fit into."""
    wanted = [0.0] * len(strips)
    for one, cell in sorted(placed, key=lambda pair: pair[1].rows):
        span = cell.columns * width + (cell.columns - 1) * gap
        need = one.height(page, span)
        last = cell.row + cell.rows
        have = sum(wanted[cell.row : last]) + sum(strips[cell.row + 1 : last])
        have += (cell.rows - 1) * gap
        wanted[last - 1] += max(need - have, 0.0)
    return wanted


def _strip_mm(page: Page, one: PanelPlan) -> float:
    """Room above a panel for its letter and its title: neither ever lies on a picture."""
    if one.panel.letter:
        return (ASCENT + DESCENT) * page.letter_pt * MM_PER_PT + 0.6
    return page.line_height() + 0.4 if one.panel.title else 0.0


def _free_rect(one: PanelPlan) -> Rect:
    box = one.panel.box
    assert box is not None
    return Rect(box.left_mm, box.top_mm, box.width_mm, box.height_mm)
