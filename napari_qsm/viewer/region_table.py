"""The table of regions below the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.rois.statistics import columns, region_statistics
from napari_qsm.session import MapEntry, Session

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.viewer.controller import Controller

_EVERY_MS = 150


def measured_map(session: Session, key: str = "") -> MapEntry | None:
    """The susceptibility map whose values the table holds."""
    maps = [entry for entry in session if entry.is_susceptibility]
    for wanted in (key, session.selected):
        for entry in maps:
            if entry.id == wanted:
                return entry
    return maps[-1] if maps else None


def table_of(session: Session, key: str = "") -> pd.DataFrame:
    """The region table of a session: the chosen map under the label map that goes with it.

    Without labels or map the table is empty.

    Raises
    ------
    GeometryError
        If labels and map lie on different grids.
    """
    import pandas as pd

    entry = measured_map(session, key)
    labels = session.labels_for(entry) if entry is not None else None
    if entry is None or labels is None:
        return pd.DataFrame(columns=columns(session.unit))
    return region_statistics(entry.shown, labels.volume, labels.regions, unit=session.unit)


class RegionTable(QWidget):
    """One row per region; follows labels, map and unit."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.setObjectName("qsm.stats")
        self._controller = controller
        self._session = controller.session
        self._filling = False
        self._map = QComboBox()
        self._map.setObjectName("qsm.stats.map")
        self._map.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._map.setMinimumWidth(150)
        self._map.currentIndexChanged.connect(self._on_map)
        self._note = QLabel()
        self._note.setObjectName("qsm.stats.note")
        copy = QPushButton("Copy table")
        copy.setObjectName("qsm.stats.copy")
        copy.setToolTip("For a spreadsheet: values separated by tabs")
        copy.clicked.connect(self._on_copy)
        head = QHBoxLayout()
        head.addWidget(QLabel("<b>Regions</b> on"))
        head.addWidget(self._map)
        head.addWidget(self._note, 1)
        head.addWidget(copy)
        self.table = QTableWidget()
        self.table.setObjectName("qsm.stats.table")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        numbers, header = self.table.verticalHeader(), self.table.horizontalHeader()
        if numbers is not None:
            numbers.hide()
            numbers.setDefaultSectionSize(22)
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 4)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.table)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.update_now)
        self._events = [
            self._session.labels_edited,
            self._session.events.unit,
            self._session.events.selected,
            self._session.maps.events.inserted,
            self._session.maps.events.removed,
        ]
        for signal in self._events:
            signal.connect(self.update_soon)
        self.frame = table_of(self._session)

    def dispose(self) -> None:
        """Stop listening."""
        self._timer.stop()
        for signal in self._events:
            signal.disconnect(self.update_soon)

    def update_soon(self) -> None:
        """Update shortly; many changes in a row cost one update."""
        if not self._timer.isActive():
            self._timer.start()

    def update_now(self) -> None:
        """Measure and show."""
        maps = [entry for entry in self._session if entry.is_susceptibility]
        chosen = measured_map(self._session)
        self._filling = True
        wanted = [(entry.id, entry.name) for entry in maps]
        if wanted != [
            (self._map.itemData(i), self._map.itemText(i)) for i in range(self._map.count())
        ]:
            self._map.clear()
            for key, name in wanted:
                self._map.addItem(name, key)
        if chosen is not None:
            self._map.setCurrentIndex(self._map.findData(chosen.id))
        self._filling = False
        try:
            self.frame = table_of(self._session)
        except QsmError as error:
            self._note.setText(str(error))
            self.table.setRowCount(0)
            return
        labels = self._session.labels_for(chosen) if chosen is not None else None
        self._note.setText(f"{labels.name};  SD of a sample (n − 1)" if labels else "")
        self._fill()

    def _fill(self) -> None:
        frame = self.frame
        self.table.setColumnCount(len(frame.columns))
        self.table.setHorizontalHeaderLabels([title(name) for name in frame.columns])
        self.table.setRowCount(len(frame))
        for row in range(len(frame)):
            for column, name in enumerate(frame.columns):
                text = cell_text(name, frame.iat[row, column])
                item = self.table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    if name not in ("name", "side"):
                        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                        item.setTextAlignment(right)
                    self.table.setItem(row, column, item)
                if item.text() != text:
                    item.setText(text)

    def _on_map(self, index: int) -> None:
        if not self._filling and index >= 0:
            self._session.selected = self._map.itemData(index)

    def _on_copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.frame.to_csv(sep="\t", index=False))


def title(column: str) -> str:
    """A column's name as a reader writes it: ``"mean (ppm)"``."""
    if column == "volume_mm3":
        return "volume (mm³)"
    base, _, unit = column.rpartition("_")
    if unit in ("ppm", "ppb"):
        words = {"sd": "SD", "p05": "5 %", "p95": "95 %"}
        return f"{words.get(base, base)} ({unit})"
    return column


def cell_text(column: str, value: object) -> str:
    """A cell as text, with the decimals that the number honestly carries."""
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if number != number:
        return "–"
    if column in ("label", "voxels"):
        return f"{int(number):,}".replace(",", " ")
    places = 1 if column.endswith("_ppb") or column == "volume_mm3" else 3
    if column == "skewness":
        places = 2
    text = f"{number:,.{places}f}".replace(",", " ")
    return text.replace("-", "−")
