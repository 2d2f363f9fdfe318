"""Tables of regions, and words, on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.kinds import Drawing, PanelPlan, Setting, plan_of
from napari_qsm.figures.lettering import MIN_PT, Rect, Side
from napari_qsm.figures.numbers import NumbersPlan, region_words, sided_region
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import Numbers, TablePanel, TextPanel
from napari_qsm.recon.methods_text import methods_text
from napari_qsm.rois.measures import STATISTICS
from napari_qsm.rois.repeatability import (
    LITERATURE,
    Measured,
    Repeatability,
    differences_between,
)
from napari_qsm.rois.statistics import column_of
from napari_qsm.units import decimals, factor, fixed, mean_sd, number

if TYPE_CHECKING:
    import pandas as pd

_HEADS = {
    "difference": "Difference ± 95 % ({unit})",
    "subject": "Subject",
    "region": "Region",
    "side": "Side",
    "voxels": "Voxels (n)",
    "volume": "Volume (mm³)",
    "mean_sd": "Mean ± SD ({unit})",
    "range": "Minimum to maximum ({unit})",
}
_WORDS = ("subject", "region", "side")
_ROW = 1.55
_GAP_MM, _LEAST_GAP_MM = 2.2, 1.4


@plan_of(TablePanel)
@dataclass(frozen=True, eq=False)
class TablePlan(NumbersPlan):
    """A table with its numbers."""

    panel: TablePanel

    @classmethod
    def of(cls, panel: TablePanel, who: str, setting: Setting) -> Self:  # type: ignore[override]
        """Measure what it shows, and how subjects differ from the first one if that is asked for."""
        plan = super().of(panel, who, setting)
        if "difference" not in panel.columns:
            return plan
        return replace(plan, frame=_with_difference(plan.frame, plan.unit, repeatability(panel)))

    @classmethod
    def also(cls, panel: Numbers) -> tuple[str, ...]:
        """Columns that are not in every file."""
        columns = panel.columns if isinstance(panel, TablePanel) else ()
        return tuple(c for c in columns if c in STATISTICS and c != "difference")

    def sentence(self) -> str:
        """How SD is meant, and ±."""
        said = super().sentence()
        if "difference" in self.panel.columns:
            said += f" {repeatability(self.panel).sentence}"
        return said

    @property
    def reads_itself(self) -> bool:
        """Yes, cell by cell."""
        return True

    def height(self, page: Page, width_mm: float) -> float:
        """As many rows as there are regions."""
        return cells_mm(page, *table_cells(self), width_mm)

    def least_width(self, page: Page) -> float:
        """Where the smallest letters still fit."""
        widths = _fit_table(page, *table_cells(self), 0.0).widths
        return sum(widths) + _LEAST_GAP_MM * (len(widths) - 1)

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it with rules above, below and under its head."""
        words = [column in _WORDS for column in self.panel.columns]
        by_subject = self.panel.columns[0] == "subject"
        return draw_cells(page, rect, self.who, *table_cells(self), words, grouped=by_subject)


def repeatability(panel: TablePanel) -> Repeatability:
    """What a table's ± of differences comes from."""
    if panel.sdw_ppb is None:
        return LITERATURE
    return Repeatability(panel.sdw_ppb, f"our own repeated scans ({panel.sdw_ppb:g} ppb)")


def _with_difference(frame: pd.DataFrame, unit: str, repeats: Repeatability) -> pd.DataFrame:
    """The numbers with each region's difference from the first subject's, and its ±."""
    to_ppb = factor(unit, "ppb")
    rows = [
        (
            str(row["subject"]),
            Measured(row["name"], row["side"], row["voxels"], row[f"mean_{unit}"] * to_ppb),
        )
        for row in frame.to_dict("records")
    ]
    first = [measured for subject, measured in rows if subject == rows[0][0]]
    found = differences_between([measured for _, measured in rows], first, repeats)
    names = ("difference", "difference_95")
    columns = {
        f"{name}_{unit}": [
            nan if subject == rows[0][0] else told[name] / to_ppb
            for (subject, _), told in zip(rows, found, strict=True)
        ]
        for name in names
    }
    return frame.assign(**columns)


def table_cells(plan: TablePlan) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table, as they are written.

    Volumes have one decimal and thousands set apart, as in the case report's Table 1.
    """
    columns = plan.panel.columns
    head = [_head(column, plan.unit) for column in columns]
    rows: list[list[str]] = []
    last = ""
    for row in plan.frame.to_dict("records"):
        cells = [_cell(str(column), row, plan, "side" in columns) for column in columns]
        if columns[0] == "subject":
            subject, cells[0] = cells[0], "" if cells[0] == last else cells[0]
            last = subject
        rows.append(cells)
    return head, rows


def _head(column: str, unit: str) -> str:
    known = STATISTICS.get(column)
    if known is None or column in _HEADS:
        return _HEADS[column].format(unit=unit)
    return f"{known.title} ({unit})" if known.in_map_unit else known.title


def _cell(column: str, row: dict[Any, Any], plan: TablePlan, side_apart: bool) -> str:
    unit = plan.unit
    if column == "subject":
        return str(row["subject"])
    if column == "region":
        name, side = str(row["name"]), str(row["side"])
        words = region_words if side_apart else sided_region
        return words(name, side, plan.words)
    if column == "side":
        return str(row["side"]) or "–"
    if column == "voxels":
        return f"{int(row['voxels']):,}"
    if column == "volume":
        return fixed(row["volume_mm3"], decimals("mm³"), thousands=True)
    if column == "mean_sd":
        return mean_sd(row[f"mean_{unit}"], row[f"sd_{unit}"], decimals(unit))
    if column == "range":
        return f"{number(row[f'min_{unit}'], unit)} to {number(row[f'max_{unit}'], unit)}"
    if column == "difference":
        half = row[f"difference_95_{unit}"]
        return mean_sd(row[f"difference_{unit}"], half, decimals(unit))
    known = STATISTICS[column]
    return fixed(
        row[column_of(known, unit)], decimals(unit) if known.in_map_unit else known.decimals
    )


def cells_mm(page: Page, head: list[str], rows: list[list[str]], width_mm: float) -> float:
    """Height of a table, mm."""
    fit = _fit_table(page, head, rows, width_mm)
    return len(rows) * _row_mm(page, fit.size) + fit.head_mm(page) + 1.2


def _row_mm(page: Page, size: float) -> float:
    return page.line_height(size) / 1.3 * _ROW


@dataclass(frozen=True)
class _TableFit:
    """How a table is written: size of letters, its head in lines, widths of its columns (mm)."""

    size: float
    head: list[list[str]]
    widths: list[float]

    def head_mm(self, page: Page) -> float:
        """Height of the head."""
        more = max(len(lines) for lines in self.head) - 1
        return _row_mm(page, self.size) + more * page.line_height(self.size) * 0.9


def _fit_table(page: Page, head: list[str], rows: list[list[str]], width_mm: float) -> _TableFit:
    """How a table fits: with its head in two lines first, then in smaller letters, then closer."""
    ways = [(page.size_pt, False, _GAP_MM)]
    sizes = [*np.arange(page.size_pt, MIN_PT, -0.25).tolist(), MIN_PT]
    ways += [(size, True, _GAP_MM) for size in sizes] + [(MIN_PT, True, _LEAST_GAP_MM)]
    for size, in_two, gap in ways:
        lines = [_two_lines(page, text) if in_two else [text] for text in head]
        widths = [
            max(
                *(page.width(line, size, "bold") for line in lines[i]),
                *(page.width(row[i], size) for row in rows),
            )
            for i in range(len(head))
        ]
        if sum(widths) + gap * (len(widths) - 1) <= width_mm:
            break
    return _TableFit(size, lines, widths)


def _two_lines(page: Page, text: str) -> list[str]:
    """A head in two lines, broken before its unit or its ± so that it is narrow."""
    at = [number for number, letter in enumerate(text) if letter in "(±" and number]
    parts = [[text[:number].strip(), text[number:]] for number in at]
    return min(
        parts, key=lambda two: max(page.width(t, weight="bold") for t in two), default=[text]
    )


def draw_cells(
    page: Page,
    rect: Rect,
    who: str,
    head: list[str],
    rows: list[list[str]],
    words: Sequence[bool],
    *,
    grouped: bool = False,
) -> list[str]:
    """Draw a table with rules above, below and under its head.

    Parameters
    ----------
    page, rect : Page, Rect
        Where.
    who : str
        What notes and errors call it.
    head, rows : list of str, list of list of str
        At least one row.
    words : sequence of bool
        Columns that hold words, which stand on the left.
    grouped : bool
        A thin rule above each row whose first cell is not empty.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    QsmError
        If there is too little room for the rows.
    """
    fit = _fit_table(page, head, rows, rect.width)
    size, widths = fit.size, fit.widths
    notes = []
    spare = rect.width - sum(widths)
    if spare < 0:  # too narrow for the smallest letters: the widest columns are shortened
        notes.append(f"{who}: too narrow for its table; some words are shortened.")
        excess = -spare + 0.5 * len(widths)
        while excess > 1e-6:
            widest = int(np.argmax(widths))
            cut = min(excess, max(widths[widest] * 0.1, 0.1))
            widths[widest] -= cut
            excess -= cut
        spare = rect.width - sum(widths)
    gap = spare / max(len(widths) - 1, 1)
    head_mm = fit.head_mm(page)
    step = min(_row_mm(page, size), (rect.height - 0.6 - head_mm) / len(rows))
    if step < page.line_height(size) / 1.3 * 1.05:
        raise QsmError(f"{who} is too low for a table of {len(rows)} rows; give it more room.")
    _rule(page, rect, rect.top + 0.2, 0.8)
    top = rect.top + 0.2 + head_mm
    _rule(page, rect, top, 0.5)
    starts = [rect.left + sum(widths[:i]) + i * gap for i in range(len(widths))]

    def write(column: int, middle: float, text: str, weight: str = "normal") -> None:
        across: Side = "left" if words[column] else "right"
        shown, own = page.fitted(text, widths[column], size, weight)
        x = starts[column] + (0.0 if words[column] else widths[column])
        page.text(x, middle, shown, size_pt=own, across=across, level="middle", weight=weight)

    with page.element("Table"):
        with page.element("TR"):
            for column, lines in enumerate(fit.head):
                with page.element("TH"):
                    for number, line in enumerate(lines, 1 - len(lines)):  # the last on the rule
                        up = _row_mm(page, size) / 2 - number * page.line_height(size) * 0.9
                        write(column, top - up, line, "bold")
        for at, cells in enumerate(rows):
            if at and cells[0] and grouped:
                _rule(page, rect, top + at * step, 0.25)
            with page.element("TR"):
                for column, text in enumerate(cells):
                    with page.element("TD"):
                        write(column, top + (at + 0.5) * step, text)
    _rule(page, rect, top + len(rows) * step, 0.8)
    return notes


def _rule(page: Page, rect: Rect, y: float, width_pt: float) -> None:
    page.lines([np.array([[rect.left, y], [rect.right, y]])], page.ink, width_pt)


@plan_of(TextPanel)
@dataclass(frozen=True, eq=False)
class TextPlan(PanelPlan):
    """Words, complete."""

    panel: TextPanel
    text: str

    @classmethod
    def of(cls, panel: TextPanel, who: str, setting: Setting) -> Self:
        """The words, with a methods paragraph where one is asked for.

        Raises
        ------
        QsmError
            If there are none.
        """
        return cls(who, panel, _text(panel, setting.sources, who))

    @property
    def reads_itself(self) -> bool:
        """Yes, as a paragraph."""
        return True

    def height(self, page: Page, width_mm: float) -> float:
        """That of the wrapped words."""
        lines = page.wrapped(self.text, width_mm, page.size_pt)
        return len(lines) * page.line_height() + 0.6

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Write them, smaller where the panel is too low.

        Raises
        ------
        QsmError
            If they don't fit in the smallest letters: words are never cut off.
        """
        size = page.size_pt
        while True:
            lines = page.wrapped(self.text, rect.width, size)
            if len(lines) * page.line_height(size) <= rect.height + 0.05:
                break
            if size <= MIN_PT:
                raise QsmError(f"{self.who} is too small for its words; give it more room.")
            size = max(size - 0.25, MIN_PT)
        with page.element("P"):
            for at, line in enumerate(lines):
                page.text(rect.left, rect.top + at * page.line_height(size), line, size_pt=size)
        return []


def _text(panel: TextPanel, sources: Mapping[str, Loaded], who: str) -> str:
    parts = [panel.text] if panel.text.strip() else []
    if panel.methods_of:
        parts.append(methods_of(sources[panel.methods_of]))
        if not parts[-1]:
            raise QsmError(
                f"{who}: nothing beside '{sources[panel.methods_of].name}' tells how the map was "
                "made (provenance.json), so there is no methods paragraph."
            )
    if not parts:
        raise QsmError(f"{who} has no words.")
    return "\n\n".join(parts)


def methods_of(map_: Loaded) -> str:
    """The methods paragraph of a map; empty where nothing tells how it was made."""
    said = map_.provenance.get("methods")
    if isinstance(said, str) and said:
        return said
    try:
        return methods_text(map_.provenance) if map_.provenance.get("stages") else ""
    except (QsmError, KeyError, TypeError):
        return ""
