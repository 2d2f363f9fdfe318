"""Data: what is loaded, and how to open more."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.session import MapEntry
from napari_qsm.session.blinding import shown_name
from napari_qsm.viewer import ui
from napari_qsm.viewer.data.case_bar import CaseBar
from napari_qsm.viewer.data.files import Files
from napari_qsm.viewer.data.save_buttons import SaveButtons
from napari_qsm.viewer.data.saving import Saving
from napari_qsm.viewer.regions.files import RegionFiles
from napari_qsm.viewer.services import Services

_ROLE_TITLES = {
    "map": "susceptibility map",
    "magnitude": "magnitude",
    "phase": "phase",
    "mask": "mask",
    "labels": "regions",
    "other": "image",
}


class DataPanel(QWidget):
    """The list of maps with what their files say, and the three ways to open data."""

    title = "Data"

    def __init__(
        self, context: Services, files: Files, saving: Saving, region_files: RegionFiles
    ) -> None:
        super().__init__()
        self.setObjectName("qsm.data")
        self._context = context
        self._session = context.session
        self._filling = False
        self._open = ui.button("Open a map …", "qsm.data.open_map", files.ask_map, main=True)
        self._open.setToolTip("One or more NIfTI files; you can also drop them on the window")
        folder = QPushButton("Open a scanner folder …")
        folder.setObjectName("qsm.data.open_folder")
        folder.setToolTip("A folder of DICOM files, a BIDS folder, or a saved session")
        folder.clicked.connect(files.ask_folder)
        heads = QHBoxLayout()
        for subject in ("control", "patient"):
            button = QPushButton(f"Built-in head: {subject}")
            button.setObjectName(f"qsm.data.head_{subject}")
            button.setToolTip("A head made by formula, with known susceptibilities")
            button.clicked.connect(lambda _=False, s=subject: files.open_head(s))
            heads.addWidget(button)
        self._list = QListWidget()
        self._list.setObjectName("qsm.data.maps")
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setToolTip("Tick: shown or hidden. Double click: rename.")
        self._list.itemChanged.connect(self._on_item)
        self._list.currentRowChanged.connect(self._on_row)
        self._hint = ui.quiet(
            "Nothing is open yet. Open a map or a scanner folder, or try the built-in head."
        )
        self._remove = QPushButton("Remove")
        self._remove.setObjectName("qsm.data.remove")
        self._remove.setToolTip("Take this map out of the window; its file stays where it is")
        self._remove.clicked.connect(self._on_remove)
        self._keep = SaveButtons(saving, region_files)
        self._cases = CaseBar(context, saving)
        below = QHBoxLayout()
        below.addWidget(self._remove)
        below.addStretch(1)
        self._facts = QFormLayout()
        self._facts.setHorizontalSpacing(12)
        self._facts.setVerticalSpacing(3)
        self._echo = QSpinBox()
        self._echo.setObjectName("qsm.data.echo")
        self._echo.setPrefix("volume ")
        self._echo.valueChanged.connect(self._on_echo)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(self._open)
        layout.addWidget(folder)
        layout.addLayout(heads)
        layout.addWidget(self._hint)
        layout.addWidget(self._cases)
        layout.addWidget(self._list, 1)
        layout.addLayout(below)
        layout.addWidget(self._echo)
        layout.addLayout(self._facts)
        layout.addWidget(self._keep)
        context.controller.drawn_again.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._keep.dispose()
        self._cases.dispose()
        self._context.controller.drawn_again.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the maps of the case on show, the top one first."""
        entries = list(reversed(self._session.case.maps))
        self._filling = True
        try:
            while self._list.count() > len(entries):
                self._list.takeItem(self._list.count() - 1)
            while self._list.count() < len(entries):
                self._list.addItem(QListWidgetItem())
            for row, entry in enumerate(entries):
                self._fill(self._list.item(row), entry)
                if entry.id == self._session.selected:
                    self._list.setCurrentRow(row)
        finally:
            self._filling = False
        self._hint.setVisible(not entries)
        self._list.setVisible(bool(entries))
        self._remove.setVisible(bool(entries))
        self._keep.setVisible(bool(entries))
        self._show_facts(self._session.selected_entry)

    def _fill(self, item: QListWidgetItem | None, entry: MapEntry) -> None:
        if item is None:
            return
        item.setData(Qt.ItemDataRole.UserRole, entry.id)
        item.setText(shown_name(self._session, entry))
        item.setToolTip(_ROLE_TITLES[entry.role])
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        flags |= Qt.ItemFlag.ItemIsUserCheckable
        if not self._session.blinded:
            flags |= Qt.ItemFlag.ItemIsEditable
        item.setFlags(flags)
        shown = Qt.CheckState.Checked if entry.display.visible else Qt.CheckState.Unchecked
        item.setCheckState(shown)

    def _show_facts(self, entry: MapEntry | None) -> None:
        while self._facts.rowCount():
            self._facts.removeRow(0)
        four_d = entry is not None and entry.volume.data.ndim == 4
        self._echo.setVisible(four_d)
        if entry is None:
            return
        if four_d:
            count = entry.volume.data.shape[3]
            self._filling = True
            self._echo.setRange(1, count)
            self._echo.setSuffix(f" of {count}")
            self._echo.setValue(entry.echo + 1)
            self._filling = False
        for title, text in facts(entry, with_file=not self._session.blinded):
            value = QLabel(text)
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._facts.addRow(ui.quiet(title), value)

    def _on_item(self, item: QListWidgetItem) -> None:
        entry = self._session.entry(item.data(Qt.ItemDataRole.UserRole) or "")
        if self._filling or entry is None:
            return
        visible = item.checkState() == Qt.CheckState.Checked
        if visible != entry.display.visible:
            self._session.set_display(entry, visible=visible)
        name = item.text().strip()
        if name and name != entry.name and not self._session.blinded:
            entry.name = name

    def _on_row(self, row: int) -> None:
        item = self._list.item(row)
        if not self._filling and item is not None:
            self._session.selected = item.data(Qt.ItemDataRole.UserRole)

    def _on_echo(self, number: int) -> None:
        entry = self._session.selected_entry
        if not self._filling and entry is not None and entry.volume.data.ndim == 4:
            entry.echo = number - 1

    def _on_remove(self) -> None:
        entry = self._session.selected_entry
        if entry is not None:
            self._session.remove(entry)


def facts(entry: MapEntry, *, with_file: bool = True) -> list[tuple[str, str]]:
    """What a reader may want to know about a map, from its file."""
    volume = entry.volume
    stored = volume.to_stored()
    size = " × ".join(f"{v:.4g}" for v in stored.voxel_size_mm)
    shape = " × ".join(str(n) for n in stored.data.shape)
    lines = [
        ("Holds", _ROLE_TITLES[entry.role] + (f" ({volume.unit})" if volume.unit else "")),
        ("Voxels", shape),
        ("Voxel size", f"{size} mm"),
        (
            "Axes in the file",
            f"{stored.orientation} (towards)" if volume.orientation_known else "not recorded",
        ),
    ]
    if with_file and volume.origin is not None:
        missing = "" if volume.origin.exists() else " (no longer there; the map stays open)"
        lines.append(("File", f"{volume.origin.name}{missing}"))
    return lines
