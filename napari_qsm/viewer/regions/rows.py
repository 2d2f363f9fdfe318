"""The rows of the region list: colour, number, name, side, eye and lock."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

from napari_qsm.io.label_table import Region
from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import icon, is_dark

COLOUR, NAME, SIDE, EYE, LOCK = range(5)
_LABEL = Qt.ItemDataRole.UserRole
_ROW_PIXELS = 24
_MOST_ROWS = 9


class RegionRows(QTableWidget):
    """Shows rows and says what was done to them; changes nothing itself."""

    chosen = Signal(int)  # label
    renamed = Signal(int, str)
    colour_asked = Signal(int)
    side_asked = Signal(int)
    eye_clicked = Signal(int)
    lock_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, 5)
        self.setObjectName("qsm.regions.list")
        self._filling = False
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setShowGrid(False)
        self.setIconSize(QSize(18, 18))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The theme's own grey of a chosen row is too faint for what the tools draw in.
        self.setStyleSheet(
            f"QTableWidget::item:selected {{ background: {ui.ACCENT}; color: white; }}"
        )
        numbers, header = self.verticalHeader(), self.horizontalHeader()
        if numbers is not None:
            numbers.hide()
            numbers.setDefaultSectionSize(_ROW_PIXELS)
            numbers.setMinimumSectionSize(_ROW_PIXELS)
        if header is not None:
            header.hide()
            header.setMinimumSectionSize(20)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((COLOUR, 52), (SIDE, 44), (EYE, 30), (LOCK, 30)):
            self.setColumnWidth(column, width)
        self.cellClicked.connect(self._on_cell)
        self.cellDoubleClicked.connect(self._on_double)
        self.itemChanged.connect(self._on_item)
        self.currentCellChanged.connect(self._on_current)

    def show_regions(self, regions: list[Region], active: int, theme: str) -> None:
        """Fill the rows; selected rows stay selected as long as they are there."""
        dark = is_dark(theme)
        kept = set(self.selected())
        self._filling = True
        try:
            self.setRowCount(len(regions))
            for row, region in enumerate(regions):
                self._fill(row, region, dark)
            labels = [region.index for region in regions]
            if active in labels:
                kept = kept if active in kept else {active}
                self.setCurrentCell(labels.index(active), NAME)
            else:
                kept = set()
                self.setCurrentCell(-1, -1)
            self.clearSelection()
            model = self.selectionModel()
            for row, label in enumerate(labels):
                if label in kept and model is not None:
                    index = self.model().index(row, NAME)
                    model.select(index, model.SelectionFlag.Select | model.SelectionFlag.Rows)
        finally:
            self._filling = False
        rows = min(max(len(regions), 3), _MOST_ROWS)
        self.setFixedHeight(rows * _ROW_PIXELS + 4)

    def selected(self) -> list[int]:
        """Labels of the selected rows."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._label(row) for row in rows]

    def edit_name(self, label: int) -> None:
        """Let the user type a region's name."""
        for row in range(self.rowCount()):
            item = self.item(row, NAME)
            if self._label(row) == label and item is not None:
                self.editItem(item)

    def _fill(self, row: int, region: Region, dark: bool) -> None:
        key = f" {row + 1}" if row < 9 else ""
        side = {"left": "L", "right": "R"}.get(region.side, "–")
        cells = (
            (key, icon("swatch", colour=region.color), "Click to change the colour"),
            (region.name, None, f"{region.name} (label {region.index}); double click renames"),
            (side, None, "Side of the patient; click to change"),
            (
                "",
                icon("eye" if region.visible else "eye-off", dark),
                "Shown" if region.visible else "Hidden",
            ),
            (
                "",
                icon("lock" if region.locked else "lock-open", dark),
                "Locked" if region.locked else "Not locked",
            ),
        )
        for column, (text, picture, tip) in enumerate(cells):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
                if column == NAME:
                    flags |= Qt.ItemFlag.ItemIsEditable
                item.setFlags(flags)
                self.setItem(row, column, item)
            item.setText(text)
            if picture is not None:
                item.setIcon(picture)
            item.setToolTip(tip)
            item.setData(_LABEL, region.index)

    def _label(self, row: int) -> int:
        item = self.item(row, NAME)
        return 0 if item is None else int(item.data(_LABEL))

    def _on_cell(self, row: int, column: int) -> None:
        label = self._label(row)
        told = {
            COLOUR: self.colour_asked,
            SIDE: self.side_asked,
            EYE: self.eye_clicked,
            LOCK: self.lock_clicked,
        }.get(column)
        if told is not None:
            told.emit(label)

    def _on_double(self, row: int, column: int) -> None:
        if column in (EYE, LOCK):  # two quick clicks are two clicks
            self._on_cell(row, column)

    def _on_item(self, item: QTableWidgetItem) -> None:
        if not self._filling and item.column() == NAME:
            self.renamed.emit(int(item.data(_LABEL)), item.text())

    def _on_current(self, row: int, column: int, old_row: int, old_column: int) -> None:
        if not self._filling and row >= 0:
            self.chosen.emit(self._label(row))
