"""The grid of a study: a row a participant, a block of columns a visit, letters on colours."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.study.overview import STEP_HEADS, Cell, Column, Kind, Overview
from napari_qsm.study.study_scan import Key
from napari_qsm.viewer import ui

#: Okabe and Ito's colours, which people of every kind of colour vision tell apart, with the ink on
#: them. Letters say the same.
COLOURS: dict[Kind, tuple[str, str]] = {
    "done": ("#009e73", "#ffffff"),
    "begun": ("#56b4e9", "#00131f"),
    "waiting": ("#b9c2cc", "#20262c"),
    "doubtful": ("#f0e442", "#2a2700"),
    "failed": ("#c44a00", "#ffffff"),
    "stale": ("#cc79a7", "#1f0012"),
}
LEGEND: tuple[tuple[Kind, str, str], ...] = (
    ("done", "+", "done"),
    ("begun", "r", "running"),
    ("waiting", "w", "waits"),
    ("doubtful", "D", "doubtful"),
    ("failed", "F", "failed"),
    ("stale", "!", "earlier map"),
    ("not done", "·", "not done"),
    ("no scan", "–", "no visit"),
)
#: Every letter in words.
LETTERS_IN_WORDS = (
    "I imported, R reconstructed, Q quality as judged, X registered to the first visit, then each "
    "reader.\n+ done, P judged pass, S handed in, 1 first visit; r running, o reading begun; w waits; "
    "D doubtful, s left as it was;\nF failed, ? cannot be used; ! read on an earlier map; · not done; "
    "– no such visit."
)
_ROW, _NARROWEST = 22, 24
_FAINT = 0.22
_CELL = Qt.ItemDataRole.UserRole
_FAINT_ROLE = Qt.ItemDataRole.UserRole + 1
_ROOT = QModelIndex()


class GridModel(QAbstractTableModel):
    """Participants that are shown, over all columns of an overview."""

    def __init__(self) -> None:
        super().__init__()
        self.overview: Overview | None = None
        self.participants: list[str] = []
        self._wanted: set[Key] = set()

    def show_rows(self, overview: Overview, participants: list[str], wanted: set[Key]) -> None:
        """Show these participants; their scans that are not wanted stay faint."""
        self.beginResetModel()
        self.overview, self.participants, self._wanted = overview, participants, wanted
        self.endResetModel()

    def column(self, section: int) -> Column:
        """What stands in a column."""
        assert self.overview is not None
        return self.overview.columns[section]

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Participants."""
        return 0 if parent.isValid() else len(self.participants)

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Steps of all visits."""
        return 0 if parent.isValid() or self.overview is None else len(self.overview.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Letter, state, sentence of a cell."""
        if self.overview is None or not index.isValid():
            return None
        participant, column = self.participants[index.row()], self.column(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, _CELL):
            cell = self.overview.cell(participant, column)
            return cell if role == _CELL else cell.letter
        if role == _FAINT_ROLE:
            return (participant, column.visit) not in self._wanted
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.words(index)
        return None

    def words(self, index: QModelIndex) -> str:
        """A cell in a sentence."""
        if self.overview is None or not index.isValid():
            return ""
        participant, column = self.participants[index.row()], self.column(index.column())
        try:
            return self.overview.words(participant, column)
        except (QsmError, OSError) as error:  # a file that cannot be read says so itself
            return str(error)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Whose row it is; the step of a column."""
        if self.overview is None:
            return None
        if orientation == Qt.Orientation.Vertical:
            if role != Qt.ItemDataRole.DisplayRole or section >= len(self.participants):
                return None
            participant = self.participants[section]
            person = self.overview.people.get(participant)
            group = f"  ·  {person.group}" if person and person.group else ""
            return f"sub-{participant}{group}"
        if section >= len(self.overview.columns):
            return None
        column = self.column(section)
        if role == Qt.ItemDataRole.DisplayRole:
            return column.head
        if role == Qt.ItemDataRole.ToolTipRole:
            title = STEP_HEADS[column.step][1] if column.step in STEP_HEADS else ""
            visit = f"ses-{column.visit}: " if column.visit else ""
            return f"{visit}{title or 'readings of ' + column.step}\nClick: what fails comes first"
        return None


class _Cells(QStyledItemDelegate):
    """Paints a letter on the colour of its state, whatever the theme."""

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint one cell."""
        cell = index.data(_CELL)
        if painter is None or not isinstance(cell, Cell):
            return
        painter.save()
        if index.data(_FAINT_ROLE):
            painter.setOpacity(_FAINT)
        body: QRect = option.rect.adjusted(1, 1, -1, -1)
        fill, ink = COLOURS.get(cell.kind, ("", ""))
        if fill:
            painter.fillRect(body, QColor(fill))
            painter.setPen(QColor(ink))
        else:
            painter.setPen(option.palette.color(option.palette.ColorRole.WindowText))
        letter = "·" if cell.letter == "." else cell.letter
        painter.drawText(body, Qt.AlignmentFlag.AlignCenter, letter)
        view = self.parent()
        if isinstance(view, QTableView) and view.currentIndex() == index:
            painter.setOpacity(1.0)
            painter.setPen(option.palette.color(option.palette.ColorRole.WindowText))
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))
        painter.restore()


class _Heads(QHeaderView):
    """Two lines: the visit over its block of columns, the step over each."""

    def __init__(self, model: GridModel, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._grid = model
        self.setSectionsClickable(True)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumSectionSize(_NARROWEST)
        self.setHighlightSections(False)

    def sizeHint(self) -> QSize:
        """Room for two lines."""
        return QSize(super().sizeHint().width(), 2 * self.fontMetrics().height() + 10)

    def paintSection(self, painter: QPainter | None, rect: QRect, logicalIndex: int) -> None:
        """Paint a step, and the part of its visit that lies over it."""
        overview = self._grid.overview
        if painter is None or overview is None or logicalIndex >= len(overview.columns):
            return
        columns = overview.columns
        column, half = columns[logicalIndex], rect.height() // 2
        palette = self.palette()
        painter.save()
        painter.setClipRect(rect)
        painter.fillRect(rect, palette.color(palette.ColorRole.Window))
        painter.setPen(palette.color(palette.ColorRole.WindowText))
        block = [n for n, other in enumerate(columns) if other.visit == column.visit]
        left = self.sectionViewportPosition(block[0])
        right = self.sectionViewportPosition(block[-1]) + self.sectionSize(block[-1])
        if column.visit:
            over = QRect(left, rect.top(), right - left, half)
            painter.drawText(over, Qt.AlignmentFlag.AlignCenter, f"ses-{column.visit}")
        step = QRect(rect.left(), rect.top() + half, rect.width(), half)
        painter.drawText(step, Qt.AlignmentFlag.AlignCenter, column.head)
        if self.isSortIndicatorShown() and self.sortIndicatorSection() == logicalIndex:
            painter.fillRect(
                QRect(rect.left() + 2, rect.bottom() - 2, rect.width() - 4, 2), QColor(ui.ACCENT)
            )
        if logicalIndex == block[0] and logicalIndex:
            painter.drawLine(rect.topLeft(), rect.bottomLeft())
        painter.restore()


class GridView(QTableView):
    """The grid; a click or Enter on a cell asks to open what it stands for.

    Attributes
    ----------
    opened : Signal
        Participant and :class:`~napari_qsm.study.overview.Column` of a cell that is to be opened.
    message : Signal
        The sentence of the cell that one is at.
    """

    opened = Signal(str, object)
    message = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.study.grid")
        self.grid = GridModel()
        self.setModel(self.grid)
        self.setItemDelegate(_Cells(self))
        self.heads = ui.named(_Heads(self.grid, self), "qsm.study.heads")
        self.setHorizontalHeader(self.heads)
        self.heads.setSortIndicatorShown(False)
        self.names = QHeaderView(Qt.Orientation.Vertical, self)
        self.names.setObjectName("qsm.study.names")
        self.names.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.names.setDefaultSectionSize(_ROW)
        self.names.setHighlightSections(False)
        self.names.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setVerticalHeader(self.names)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.clicked.connect(self._open)

    def show_rows(self, overview: Overview, participants: list[str], wanted: set[Key]) -> None:
        """Show these participants; the cell that one is at stays, if it is still there."""
        before = self.place()
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        at = (across.value() if across else 0, down.value() if down else 0)
        columns = self.grid.overview.columns if self.grid.overview else ()
        self.grid.show_rows(overview, participants, wanted)
        if overview.columns != columns:
            metrics = QFontMetrics(self.heads.font())
            for number, column in enumerate(overview.columns):
                wide = metrics.horizontalAdvance(column.head) + 10
                self.heads.resizeSection(number, max(wide, _NARROWEST))
        if before and before[0] in participants and before[1] in overview.columns:
            row, place = participants.index(before[0]), overview.columns.index(before[1])
            self.setCurrentIndex(self.grid.index(row, place))
        if across and down:
            across.setValue(at[0])
            down.setValue(at[1])

    def place(self) -> tuple[str, Column] | None:
        """The cell that one is at."""
        index = self.currentIndex()
        if not index.isValid():
            return None
        return self.grid.participants[index.row()], self.grid.column(index.column())

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Tell the sentence of the cell."""
        super().currentChanged(current, previous)
        for index in (current, previous):
            if index.isValid():
                self.update(index)
        self.message.emit(self.grid.words(current))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter opens; arrows move."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            participant, column = (
                self.grid.participants[index.row()],
                self.grid.column(index.column()),
            )
            self.opened.emit(participant, column)
