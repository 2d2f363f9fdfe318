"""Where panels lie on the page: equal columns, aligned rows, room for bars and titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_qsm.errors import QsmError
from napari_qsm.figures.charts import chart_height
from napari_qsm.figures.colour_bars import bar_lane
from napari_qsm.figures.numbers import NumbersPlan
from napari_qsm.figures.page import Page, Rect
from napari_qsm.figures.panels import TablePanel
from napari_qsm.figures.parts import Cell
from napari_qsm.figures.picture import picture_height
from napari_qsm.figures.plans import AnyPlan, PicturePlan, Plan
from napari_qsm.figures.tables import table_height, text_height

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
        The strip above each panel; of no height where there is no title.
    columns, rows : tuple of (start, end)
        Page mm of the grid's columns and rows.
    top_mm, left_mm : float
        Where the strips of column titles and row titles end.
    bars_right, bars_bottom : float
        Where the lanes of colour bars begin.
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
    in_grid = [cell for cell in cells if cell is not None]
    columns = max([spec.columns, *(c.column + c.columns for c in in_grid)]) if in_grid else 1
    rows = max((c.row + c.rows for c in in_grid), default=0)
    strip = page.line_height() + 0.4
    left = _EDGE_MM + (strip if any(spec.row_titles) else 0.0)
    top = _EDGE_MM + (strip + 0.6 if any(spec.column_titles) else 0.0)
    right = (
        style.width_mm
        - _EDGE_MM
        - sum(bar_lane(page, plan, b) for b in spec.colour_bars if b.where == "right")
    )
    below = sum(bar_lane(page, plan, b) for b in spec.colour_bars if b.where == "bottom")
    width = (right - left - (columns - 1) * gap) / columns
    if in_grid and width < 6:
        raise QsmError(
            f"{columns} columns do not fit on {style.width_mm:g} mm; choose fewer columns or a "
            "wider figure."
        )
    lanes = tuple(
        (left + i * (width + gap), left + i * (width + gap) + width) for i in range(columns)
    )
    title_strips = [0.0] * rows
    wanted = [0.0] * rows
    for one, cell in zip(plan.panels, cells, strict=True):
        if cell is not None and one.panel.title:
            title_strips[cell.row] = strip
    for one, cell in sorted(
        ((o, c) for o, c in zip(plan.panels, cells, strict=True) if c is not None),
        key=lambda pair: pair[1].rows,
    ):
        span = cell.columns * width + (cell.columns - 1) * gap
        need = _letter_strip(page, one, cell, title_strips) + panel_height(page, one, span)
        have = sum(wanted[cell.row : cell.row + cell.rows])
        have += (cell.rows - 1) * gap + sum(title_strips[cell.row + 1 : cell.row + cell.rows])
        if need > have:
            wanted[cell.row + cell.rows - 1] += need - have
    used = sum(wanted) + sum(title_strips) + max(rows - 1, 0) * gap
    free = [_free_rect(one) for one in plan.panels if one.panel.box is not None]
    height = max([top + used + below + _EDGE_MM, *(rect.bottom + _EDGE_MM for rect in free)])
    if style.height_mm is not None:
        room = style.height_mm - top - below - _EDGE_MM - sum(title_strips) - max(rows - 1, 0) * gap
        if rows and room < 4 * rows:
            raise QsmError(f"{rows} rows do not fit on {style.height_mm:g} mm; make it higher.")
        share = room / sum(wanted) if rows else 1.0
        wanted = [w * share for w in wanted]
        height = style.height_mm
    bands, y = [], top
    for strip_mm, body_mm in zip(title_strips, wanted, strict=True):
        bands.append((y, y + strip_mm + body_mm))
        y += strip_mm + body_mm + gap
    bodies: list[Rect] = []
    titles: list[Rect] = []
    for one, cell in zip(plan.panels, cells, strict=True):
        if cell is None:
            whole = _free_rect(one)
            strip_mm = strip if one.panel.title else 0.0
        else:
            x0, x1 = lanes[cell.column][0], lanes[cell.column + cell.columns - 1][1]
            y0, y1 = bands[cell.row][0], bands[cell.row + cell.rows - 1][1]
            whole = Rect(x0, y0, x1 - x0, y1 - y0)
            strip_mm = title_strips[cell.row]
        if whole.right > style.width_mm + 1e-6 or whole.bottom > height + 1e-6:
            raise QsmError(
                f"{one.who} reaches beyond the figure ({style.width_mm:g} x {height:g} mm)."
            )
        titles.append(Rect(whole.left, whole.top, whole.width, strip_mm))
        body = Rect(whole.left, whole.top + strip_mm, whole.width, whole.height - strip_mm)
        if cell is not None and not isinstance(one, PicturePlan):
            lead = _letter_strip(page, one, cell, title_strips) - title_strips[cell.row]
            body = Rect(body.left, body.top + lead, body.width, body.height - lead)
        bodies.append(body)
    return Grid(
        height,
        tuple(bodies),
        tuple(titles),
        lanes,
        tuple(bands),
        top,
        left,
        right,
        (bands[-1][1] if bands else top) + 0.0,
    )


def _letter_strip(page: Page, one: AnyPlan, cell: Cell, strips: Sequence[float]) -> float:
    """Room above a panel: its title's or, for panels without pictures, its letter's."""
    if isinstance(one, PicturePlan) or not one.panel.letter:
        return strips[cell.row]
    return max(strips[cell.row], page.line_height(page.style.size_pt + 3) + 0.6)


def _free_rect(one: AnyPlan) -> Rect:
    box = one.panel.box
    assert box is not None
    return Rect(box.left_mm, box.top_mm, box.width_mm, box.height_mm)


def panel_height(page: Page, one: AnyPlan, width_mm: float) -> float:
    """Height that a panel would like to have."""
    if isinstance(one, PicturePlan):
        return picture_height(one, width_mm)
    if isinstance(one, NumbersPlan):
        if isinstance(one.panel, TablePanel):
            return table_height(page, one, width_mm)
        return chart_height(width_mm)
    return text_height(page, one, width_mm)
