"""The shapes that are placed, with their numbers and what may be wrong with them."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QIcon, QKeyEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_qsm.session.appearance import shown_unit
from napari_qsm.session.blinding import hides_region
from napari_qsm.session.shape_row import Row
from napari_qsm.units import number, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import icon
from napari_qsm.viewer.regions.shape_work import ShapeWork

_HEIGHT = 190


def numbers_text(row: Row, work: ShapeWork) -> str:
    """Voxels, mean and SD of a shape in the unit that the window writes."""
    entry = work.entry
    count = f"{row.numbers.voxels} voxels"
    if entry is None:
        return count
    if hides_region(work.session, work.labels, row.shape.region_name):
        return f"{count} · values hidden"
    if row.numbers.finite == 0:
        return f"{count} · no value"
    unit = shown_unit(entry, work.session.unit)
    mean, sd = (
        number(to_shown(value, entry.volume.unit, work.session.unit), unit)
        if np.isfinite(value)
        else "–"
        for value in (row.numbers.mean, row.numbers.sd)
    )
    return f"{count} · {mean} ± {sd} {unit}".rstrip()


class ShapeList(QListWidget):
    """A row per shape of the map on show; a click goes there."""

    def __init__(self, work: ShapeWork) -> None:
        super().__init__()
        self.setObjectName("qsm.shapes.list")
        self.setWordWrap(True)
        self.setMinimumHeight(_HEIGHT)
        self.setMaximumHeight(_HEIGHT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet(
            "QListWidget::item { padding: 2px; }"
            f" QListWidget::item:selected {{ background: {ui.ACCENT}; color: white; }}"
        )
        self._work = work
        self.itemClicked.connect(self._on_clicked)
        self.itemActivated.connect(self._on_clicked)
        self.installEventFilter(self)
        work.rows_changed.connect(self.refresh)
        work.chosen_changed.connect(self._on_chosen)
        work.session.events.unit.connect(self.refresh)
        work.session.events.blinded.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._work.rows_changed.disconnect(self.refresh)
        self._work.chosen_changed.disconnect(self._on_chosen)
        self._work.session.events.unit.disconnect(self.refresh)
        self._work.session.events.blinded.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the rows as they are now, touching only what differs."""
        rows = self._work.rows
        while self.count() > max(len(rows), 1):
            self.takeItem(self.count() - 1)
        if not rows:
            self._show_empty()
            return
        for at, row in enumerate(rows):
            item = self.item(at)
            if item is None:
                item = QListWidgetItem()
                self.addItem(item)
            side = f" · {row.shape.side}" if row.shape.side else ""
            lines = [f"{row.shape.name}{side}", numbers_text(row, self._work)]
            lines += [f"! {flag}" for flag in row.flags]
            text = "\n".join(lines)
            if item.text() != text:
                item.setText(text)
            if item.data(Qt.ItemDataRole.UserRole) != row.shape.id:
                item.setData(Qt.ItemDataRole.UserRole, row.shape.id)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            [colour] = self._work.colours([row.shape])
            if item.data(Qt.ItemDataRole.UserRole + 1) != colour:
                item.setData(Qt.ItemDataRole.UserRole + 1, colour)
                item.setIcon(icon("square", colour=colour, side=14))
            if item.toolTip() != row.shape.words:
                item.setToolTip(row.shape.words)
        self._on_chosen(self._work.chosen)

    def _show_empty(self) -> None:
        item = self.item(0)
        if item is None:
            item = QListWidgetItem()
            self.addItem(item)
        item.setText("No shapes yet.\nPress 'Place shapes' and click on a nucleus.")
        item.setData(Qt.ItemDataRole.UserRole, "")
        item.setData(Qt.ItemDataRole.UserRole + 1, "")
        item.setIcon(QIcon())
        item.setToolTip("")
        item.setFlags(Qt.ItemFlag.NoItemFlags)

    def _on_clicked(self, item: QListWidgetItem) -> None:
        self._work.choose(str(item.data(Qt.ItemDataRole.UserRole)))
        shape = self._work.chosen_shape
        if shape is not None:
            self._work.controller.go_to(np.array(shape.centre_mm))

    def _on_chosen(self, key: str) -> None:
        for at in range(self.count()):
            item = self.item(at)
            if item is not None and key and item.data(Qt.ItemDataRole.UserRole) == key:
                if self.currentItem() is not item or not item.isSelected():
                    self.setCurrentItem(item)
                    self.scrollToItem(item)
                return
        self.clearSelection()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Delete takes the chosen shape away."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
        ):
            self._work.delete()
            return True
        return False
