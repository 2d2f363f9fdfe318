"""The table widget: writes only the cells that have changed."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_qsm.session.table.content import Column, Content, Line

_ROW_HEIGHT = 22
_SWATCH = 11
_PADDING = 22
_WIDEST = 320


class Grid(QTableWidget):
    """Shows a :class:`Content`; items are kept from one update to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.stats.table")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setIconSize(QSize(_SWATCH, _SWATCH))
        self.setWordWrap(False)
        numbers, header = self.verticalHeader(), self.horizontalHeader()
        if numbers is not None:
            numbers.hide()
            numbers.setMinimumSectionSize(_ROW_HEIGHT)
            numbers.setDefaultSectionSize(_ROW_HEIGHT)
        if header is not None:
            header.setMinimumSectionSize(40)
            header.setHighlightSections(False)
        self.content = Content()
        self._widths: list[int] = []
        self._swatches: dict[str, QIcon] = {}

    def show_content(self, content: Content) -> None:
        """Bring the cells up to date."""
        old = self.content
        if content.columns != old.columns:
            self._set_columns(content.columns)
            old = Content(content.columns)
        if len(content.lines) != self.rowCount():
            self.setRowCount(len(content.lines))
        for row, line in enumerate(content.lines):
            before = old.lines[row] if row < len(old.lines) else None
            if before is None or before != line:
                self._set_line(row, line, before)
        self.content = content

    def show_row(self, row: int) -> None:
        """Mark a row as the active one; -1 marks none."""
        if row == self.currentRow() and len(self.selectedItems()) > 0:
            return
        self.blockSignals(True)
        if row < 0:
            self.clearSelection()
            self.setCurrentCell(-1, -1)
        else:
            self.selectRow(row)
        self.blockSignals(False)

    def _set_columns(self, columns: tuple[Column, ...]) -> None:
        self.clear()
        self.setColumnCount(len(columns))
        self._widths = [0] * len(columns)
        for index, column in enumerate(columns):
            item = QTableWidgetItem(column.title)
            item.setToolTip(column.hint)
            self.setHorizontalHeaderItem(index, item)
            for text in column.title.split("\n"):
                self._fit(index, text)

    def _set_line(self, row: int, line: Line, before: Line | None) -> None:
        colors = dict(line.colors)
        same_kind = before is not None and before.kind == line.kind
        for column, text in enumerate(line.cells):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                if not self._is_text(column):
                    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(right)
                self.setItem(row, column, item)
                same_kind = False
            if item.text() != text:
                item.setText(text)
                self._fit(column, text, icon=column in colors)
            if not same_kind:
                font = QFont(self.font())
                font.setItalic(line.kind == "shape")
                font.setBold(line.kind == "total")
                item.setFont(font)
            if before is None or before.colors != line.colors:
                color = colors.get(column)
                item.setIcon(self._swatch(color) if color else QIcon())

    def _is_text(self, column: int) -> bool:
        header = self.horizontalHeaderItem(column)
        return header is not None and header.text() in ("region", "side")

    def _fit(self, column: int, text: str, *, icon: bool = False) -> None:
        """Widen a column for a text; columns never shrink while numbers run."""
        width = self.fontMetrics().horizontalAdvance(text) + _PADDING + (_SWATCH + 6) * icon
        if width > self._widths[column]:
            self._widths[column] = min(width, _WIDEST)
            self.setColumnWidth(column, self._widths[column])

    def _swatch(self, color: str) -> QIcon:
        if color not in self._swatches:
            picture = QPixmap(_SWATCH, _SWATCH)
            picture.fill(QColor(color))
            icon = QIcon(picture)
            icon.addPixmap(picture, QIcon.Mode.Selected)  # not tinted in the row that is marked
            self._swatches[color] = icon
        return self._swatches[color]
