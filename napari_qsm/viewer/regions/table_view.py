"""The table as Qt shows it: a model over its content, which columns can sort."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    QTimer,
    Signal,
)
from qtpy.QtGui import QFont, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QTableView

from napari_qsm.session.table.content import Content, Line
from napari_qsm.viewer.icons import icon

_ROW_HEIGHT = 22
_SWATCH = 11
_PADDING = 22
_WIDEST = 320
#: How long numbers stand still before rows are put in order again.
_SORT_MS = 400
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_ROOT = QModelIndex()


class ContentModel(QAbstractTableModel):
    """The lines of a :class:`Content`; tells views which of them have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.content = Content()

    def show_content(self, content: Content) -> list[Line]:
        """Take over other lines; returns those that differ from before."""
        old = self.content
        if content.columns != old.columns:
            self.beginResetModel()
            self.content = content
            self.endResetModel()
            return list(content.lines)
        before, after = len(old.lines), len(content.lines)
        if after > before:
            self.beginInsertRows(_ROOT, before, after - 1)
            self.content = content
            self.endInsertRows()
        elif after < before:
            self.beginRemoveRows(_ROOT, after, before - 1)
            self.content = content
            self.endRemoveRows()
        self.content = content
        changed = [
            row
            for row, (one, other) in enumerate(zip(old.lines, content.lines, strict=False))
            if one is not other and one != other
        ]
        if changed:
            last = len(content.columns) - 1
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], last))
        return [content.lines[row] for row in (*changed, *range(before, after))]

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Lines."""
        return 0 if parent.isValid() else len(self.content.lines)

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Columns."""
        return 0 if parent.isValid() else len(self.content.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, swatch, font and side of a cell."""
        line, column = self.content.lines[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return line.cells[column]
        if role == Qt.ItemDataRole.DecorationRole:
            colour = dict(line.colors).get(column)
            return icon("square", colour=colour, side=_SWATCH) if colour else None
        if role == Qt.ItemDataRole.TextAlignmentRole and not self.content.columns[column].is_text:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and line.kind in ("shape", "total"):
            font = QFont()
            font.setItalic(line.kind == "shape")
            font.setBold(line.kind == "total")
            return font
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Title of a column, and what it means."""
        if orientation == Qt.Orientation.Horizontal and section < len(self.content.columns):
            column = self.content.columns[section]
            if role == Qt.ItemDataRole.DisplayRole:
                return column.title
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{column.hint}\nClick to sort".strip()
        return None


class _Sorting(QSortFilterProxyModel):
    """Orders by number or name; cells without a value come last, the row of totals at the end."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Whether one line stands before another."""
        model = self.sourceModel()
        descending = self.sortOrder() == Qt.SortOrder.DescendingOrder
        lines = model.content.lines
        keys = []
        for index in (left, right):
            line = lines[index.row()]
            is_text = model.content.columns[index.column()].is_text
            key = sort_key(line.cells[index.column()], is_text=is_text)
            at_end = 2 if line.kind == "total" else int(key is None)
            keys.append((-at_end if descending else at_end, key, index.row()))
        (end, key, row), (other_end, other, other_row) = keys
        if end != other_end or key == other or key is None or other is None:
            return (end, row) < (other_end, other_row)
        return bool(key < other)


@lru_cache(maxsize=4096)
def sort_key(text: str, *, is_text: bool) -> Any:
    """What a cell is sorted by: its words, or the first number in it; None without one.

    Examples
    --------
    >>> sort_key("−0.012 ± 0.030", is_text=False), sort_key("–", is_text=False)
    (-0.012, None)
    >>> sort_key("Area 10", is_text=True) > sort_key("area 9", is_text=True)
    True
    """
    if is_text:
        parts = re.split(r"(\d+)", text.casefold())
        return [(int(p), "") if p.isdigit() else (-1, p) for p in parts] if text else None
    found = _NUMBER.search(text.replace("−", "-"))
    return float(found.group()) if found else None


class ContentTable(QTableView):
    """Shows a :class:`Content`; rows are named by their place in it, however they are sorted.

    Attributes
    ----------
    line_chosen : Signal
        A row was clicked, or Enter pressed on it; sends its number.
    marked_changed : Signal
        Other rows are marked.
    """

    line_chosen = Signal(int)
    marked_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.stats.table")
        self._model = ContentModel()
        self._sorting = _Sorting(self)
        self._sorting.setDynamicSortFilter(False)  # rows must not jump under a stroke
        self._sorting.setSourceModel(self._model)
        self.setModel(self._sorting)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setIconSize(QSize(_SWATCH, _SWATCH))
        self.setWordWrap(False)
        numbers, header = self.verticalHeader(), self.horizontalHeader()
        numbers.hide()
        numbers.setMinimumSectionSize(_ROW_HEIGHT)
        numbers.setDefaultSectionSize(_ROW_HEIGHT)
        header.setMinimumSectionSize(40)
        header.setHighlightSections(False)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(self._on_sorted)
        self._sorted = (-1, Qt.SortOrder.AscendingOrder)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SORT_MS)
        self._soon.timeout.connect(self._sort_again)
        self._widths: list[int] = []
        self._quiet = False
        self.clicked.connect(lambda index: self.line_chosen.emit(self._line_of(index)))
        self.activated.connect(lambda index: self.line_chosen.emit(self._line_of(index)))
        self.selectionModel().selectionChanged.connect(self._on_selection)

    @property
    def content(self) -> Content:
        """What is shown, in its own order."""
        return self._model.content

    def lines_as_shown(self) -> list[Line]:
        """The lines in the order in which they stand."""
        return [self.content.lines[row] for row in self._source_rows()]

    def show_content(self, content: Content) -> None:
        """Bring the cells up to date; marked rows stay marked."""
        other_columns = content.columns != self.content.columns
        if other_columns:
            self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            self._widths = [0] * len(content.columns)
        changed = self._model.show_content(content)
        for index, column in enumerate(content.columns if changed or other_columns else ()):
            for text in column.title.split("\n"):
                self._fit(index, text)
        for line in changed:
            swatches = dict(line.colors)
            for index, text in enumerate(line.cells):
                self._fit(index, text, swatch=index in swatches)
        if changed or other_columns:
            self._spread()
        if changed and self._sorted[0] >= 0:
            self._soon.start()

    def marked(self) -> list[int]:
        """Numbers of the marked rows, from top to bottom."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._line_of(self._sorting.index(row, 0)) for row in rows]

    def mark(self, line: int) -> None:
        """Mark one row in silence, without a click; -1 marks none."""
        if self.marked() == ([line] if line >= 0 else []):
            return
        self._quiet = True
        try:
            if line < 0:
                self.clearSelection()
                self.setCurrentIndex(_ROOT)
            else:
                self.selectRow(self._sorting.mapFromSource(self._model.index(line, 0)).row())
        finally:
            self._quiet = False

    def _line_of(self, index: QModelIndex) -> int:
        return int(self._sorting.mapToSource(index).row())

    def _source_rows(self) -> Iterator[int]:
        return (self._line_of(self._sorting.index(r, 0)) for r in range(self._sorting.rowCount()))

    def _on_selection(self) -> None:
        if not self._quiet:
            self.marked_changed.emit()

    def _on_sorted(self, column: int, order: Qt.SortOrder) -> None:
        """A third click on a heading gives the rows their own order back."""
        before, self._sorted = self._sorted, (column, order)
        if before == (column, Qt.SortOrder.DescendingOrder):
            self._sorted = (-1, order)
            self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)

    def _sort_again(self) -> None:
        if self._sorted[0] >= 0:
            self._sorting.sort(*self._sorted)

    def _fit(self, column: int, text: str, *, swatch: bool = False) -> None:
        """Widen a column for a text; columns never shrink while numbers run."""
        width = self.fontMetrics().horizontalAdvance(text) + _PADDING + (_SWATCH + 6) * swatch
        self._widths[column] = max(self._widths[column], min(width, _WIDEST))

    def _spread(self) -> None:
        """Give the columns what they need, and an equal share of the room that is left."""
        viewport = self.viewport()
        if not self._widths or viewport is None:
            return
        spare = max(viewport.width() - sum(self._widths), 0)
        shares = [spare // len(self._widths)] * len(self._widths)
        shares[-1] += spare - sum(shares)
        for column, (width, share) in enumerate(zip(self._widths, shares, strict=True)):
            if self.columnWidth(column) != width + share:
                self.setColumnWidth(column, width + share)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Be as wide as the window."""
        super().resizeEvent(event)
        self._spread()
