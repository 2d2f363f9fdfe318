"""Data: what is loaded, and how to open more."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QGridLayout, QListWidget, QListWidgetItem, QWidget

from napari_qsm.session import MapEntry
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.work import holds_work
from napari_qsm.viewer import ui
from napari_qsm.viewer.central import Drops
from napari_qsm.viewer.data.case_bar import CaseBar
from napari_qsm.viewer.data.files import Files
from napari_qsm.viewer.data.next_step import NextStep
from napari_qsm.viewer.data.saving import Saving
from napari_qsm.viewer.dialogs import Answer, ask
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
        self.next_step = NextStep(files, lambda: self._session.case)
        self._hint = ui.quiet(
            "Nothing is open yet. Open a map or a scanner folder, or try the built-in head."
        )
        self._list = ui.named(
            QListWidget(),
            "qsm.data.maps",
            "Tick: shown or hidden. Drag: the upper one lies on top. Double click: rename.",
        )
        self._list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self._drops = Drops(files.open)
        viewport, model = self._list.viewport(), self._list.model()
        assert viewport is not None and model is not None
        viewport.installEventFilter(self._drops)
        model.rowsMoved.connect(self._on_dragged)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.itemChanged.connect(self._on_item)
        self._list.currentRowChanged.connect(self._on_row)
        self._remove = ui.button(
            "Remove",
            "qsm.data.remove",
            self._on_remove,
            tip="Take this map out of the window; its file stays where it is",
        )
        self._echo = ui.whole_number("qsm.data.echo", self._on_echo, 1, 1)
        self._echo.setPrefix("volume ")
        self._facts = ui.form()
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setHorizontalSpacing(12)
        self._facts.setVerticalSpacing(3)
        self._keep = SaveButtons(saving, region_files)
        self._cases = CaseBar(context, saving)
        body = ui.column(
            self.next_step,
            self._hint,
            self._cases,
            (self._list, 1),
            ui.row(self._remove, None),
            self._echo,
            self._facts,
            self._keep,
            spacing=6,
            margins=(9, 9, 9, 9),
        )
        self._list.setMinimumHeight(90)
        self.setLayout(ui.column(ui.scrolled(ui.panel(body))))
        self._heard = ui.Subscriptions()
        self._heard.connect(context.controller.drawn_again, to=self.refresh)
        self._heard.on_dispose(self._keep.dispose, self._cases.dispose)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

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
        self.next_step.refresh()
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
        flags |= Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsDragEnabled
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
            self._facts.addRow(ui.quiet(title), ui.label(text, selectable=True))

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

    def _on_dragged(self) -> None:
        """Rows are in another order: bring the maps to it, from the bottom up."""
        if self._filling:
            return
        items = [self._list.item(row) for row in reversed(range(self._list.count()))]
        keys = [item.data(Qt.ItemDataRole.UserRole) for item in items if item is not None]
        below: MapEntry | None = None
        for entry in filter(None, map(self._session.entry, keys)):
            self._session.place_over(entry, below)
            below = entry
        self.refresh()

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
        if entry is None or (holds_work(entry) and not self._agrees(entry)):
            return
        self._session.discard(entry)

    def _agrees(self, entry: MapEntry) -> bool:
        """Ask before something drawn or computed goes."""
        what = "drawn" if entry.editable is not None and not entry.provenance else "computed"
        answer = ask(
            self.window(),
            "qsm.remove",
            "Remove the map?",
            f"'{shown_name(self._session, entry)}' holds what was {what}. Remove it?",
            "Undo (Ctrl+Z) brings it back until the window closes. Files stay as they are.",
            (Answer("remove", "Remove", "destroys"), Answer("keep", "Keep it", "no")),
        )
        return answer == "remove"


class SaveButtons(QWidget):
    """Save everything, files of regions, and whether something is unsaved."""

    def __init__(self, saving: Saving, files: RegionFiles) -> None:
        super().__init__()
        self.setObjectName("qsm.data.keep")
        self._saving = saving
        self._state = ui.label("", "qsm.data.state")
        grid = QGridLayout()
        grid.setSpacing(6)
        for number, (name, text, call, tip) in enumerate(
            (
                (
                    "save",
                    "Save",
                    saving.save,
                    "All of this work into its folder (asked for the first time)",
                ),
                (
                    "save_as",
                    "Save elsewhere …",
                    saving.ask,
                    "All of this work into another folder",
                ),
                (
                    "open_regions",
                    "Open regions …",
                    files.ask_open,
                    "Regions drawn in this or another program, onto the chosen map",
                ),
                (
                    "save_regions",
                    "Save regions as …",
                    files.ask_save,
                    "One label map with its names, for ITK-SNAP, 3D Slicer, FSLeyes or BIDS",
                ),
                (
                    "share",
                    "Save for sharing …",
                    saving.ask_share,
                    "A copy of all of this work, without paths and names of files, to pass on",
                ),
            )
        ):
            button = ui.button(text, f"qsm.data.{name}", call, tip=tip)
            grid.addWidget(button, number // 2, number % 2)
        self.setLayout(ui.column(self._state, grid, spacing=6, margins=(0, 4, 0, 0)))
        self._saving.unsaved.changed.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._saving.unsaved.changed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Say whether something is unsaved, and where it is saved."""
        folder = self._saving.folder
        if self._saving.unsaved.is_unsaved:
            self._state.setText(f"<b>●</b> {self._saving.unsaved.sentence}")
        elif folder is not None:
            self._state.setText(f"Saved in '{folder.name}'")
            self._state.setToolTip(str(folder))
        self._state.setVisible(self._saving.unsaved.is_unsaved or folder is not None)


def facts(entry: MapEntry, *, with_file: bool = True) -> list[tuple[str, str]]:
    """What a reader may want to know about a map, from its file."""
    volume = entry.volume
    stored = volume.to_stored()
    size = " × ".join(f"{v:.4g}" for v in stored.voxel_size_mm)
    shape = " × ".join(str(n) for n in stored.data.shape)
    said = f" ({volume.unit})" if volume.unit else ""
    if not said and entry.role == "other":
        said = " (nothing tells its unit)"
    lines = [
        ("Holds", _ROLE_TITLES[entry.role] + said),
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
