"""Buttons and menus of the table: maps, columns, copying, exporting, blinded reading."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.rois.exports import Exported, about_table, joined, recorded_reference, write_export
from napari_qsm.rois.statistics import row_name
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.session.table.choice import optional
from napari_qsm.session.table.measured import measurable, measured_map
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import Answer, ask
from napari_qsm.viewer.regions import clipboard

if TYPE_CHECKING:
    from napari_qsm.session import MapEntry
    from napari_qsm.session.table.numbers import Row
    from napari_qsm.viewer.regions.table import RegionTable

_FILTERS = "Table (*.csv);;Excel workbook (*.xlsx);;Table with tabs (*.tsv);;JSON (*.json)"


class TableActions:
    """What can be done with the table.

    Attributes
    ----------
    left, right : tuple of QWidget
        Buttons before and after the note.
    """

    def __init__(self, table: RegionTable) -> None:
        self._table = table
        self._session = table.context.session
        maps = self._menu_button("More maps", "maps", self._fill_maps)
        maps.setToolTip("Measure other maps in the same rows")
        show = self._menu_button("Columns", "show", self._fill_show)
        show.setToolTip("Columns and rows, left against right, blinded reading")
        copy = QPushButton("Copy table")
        copy.setObjectName("qsm.stats.copy")
        copy.setToolTip("Copy the table as it is shown, for Word, Excel or a text")
        copy.clicked.connect(lambda _=False: self.copy_shown())
        export = QPushButton("Export…")
        export.setObjectName("qsm.stats.export")
        export.setToolTip("Write a .csv, .tsv, .xlsx or .json file")
        export.clicked.connect(lambda _=False: self.ask_export())
        self.left: tuple[QWidget, ...] = (maps, show)
        self.right: tuple[QWidget, ...] = (copy, export)

    # -- copying and exporting ------------------------------------------------------------

    def copy_shown(self) -> None:
        """Put the table on the clipboard as it is shown."""
        self._table.update_now()
        self._put(clipboard.as_shown(self._table.table.content))

    def copy_numbers(self) -> None:
        """Put every number on the clipboard in full."""
        self._put(clipboard.as_numbers(joined(self.exported())))

    def _put(self, data: Any) -> None:
        board = QApplication.clipboard()
        if board is not None:
            board.setMimeData(data)

    def exported(self) -> list[Exported]:
        """The tables of all maps that are measured, with what belongs to them."""
        self._table.update_now()
        return [self._exported_map(shown) for shown in self._table.maps]

    def _exported_map(self, shown: Any) -> Exported:
        table, session = self._table, self._session
        notes = [f"{note}." for note in table.missing_notes(shown)]
        hidden = [row.name for row in table.rows() if row.hidden]
        if hidden:
            notes.append(f"Hidden until locked (blinded reading): {', '.join(hidden)}.")
        labels = "" if shown.labels is None else shown_name(session, shown.labels)
        volume = shown.entry.shown
        about = about_table(
            volume,
            unit=shown.unit,
            map_name=shown.name,
            regions_name=labels,
            reference=recorded_reference(shown.entry.provenance),
            notes=notes,
        )
        return Exported(table.frame_for(shown), shown.unit, about)

    def ask_export(self) -> None:
        """Ask where to write the table, and write it."""
        folder = load_settings().get("folder", "")
        start = str(Path(folder if isinstance(folder, str) else "") / "regions.csv")
        name, kind = QFileDialog.getSaveFileName(self._table, "Export the table", start, _FILTERS)
        if not name:
            return
        path = Path(name)
        if not path.suffix:
            path = path.with_suffix(kind.partition("*")[2].rstrip(")") or ".csv")
        self.export(path)

    def export(self, path: Path) -> None:
        """Write the table; a problem becomes a sentence."""
        try:
            files = write_export(self.exported(), path)
        except QsmError as error:
            self._table.context.message(str(error))
            return
        save_settings({"folder": str(path.parent)})
        named = " and ".join(f"'{file.name}'" for file in files)
        self._table.context.message(f"Wrote {named} into '{path.parent}'.")

    # -- another grid ---------------------------------------------------------------------

    def transfer(self) -> None:
        """Ask whether regions shall be brought onto the map's grid, and do so."""
        entry = measured_map(self._session)
        labels = self._session.labels_of(entry) if entry is not None else None
        if entry is None or labels is None:
            return
        answer = ask(
            self._table,
            "qsm.stats.transfer.ask",
            "Transfer the regions",
            f"'{labels.name}' and '{entry.name}' do not share a grid.",
            "A new label map will be made on the map's grid: each voxel gets the region of the "
            "nearest voxel. Volumes change a little, and small regions may lose voxels. The old "
            "label map stays as it is.",
            (Answer("make", "Make it"), Answer("cancel", "Cancel", "no")),
        )
        if answer == "cancel":
            return
        source = labels.volume.with_data(labels.labels)

        def work(progress: Any, cancelled: Any) -> Any:
            from napari_qsm.rois.transfer import nearest

            return nearest(source, entry.shown)

        self._table.context.run(
            "Transferring the regions", work, lambda made: self._transferred(made, labels, entry)
        )

    def _transferred(self, made: Any, labels: MapEntry, entry: MapEntry) -> None:
        session = self._session
        if entry not in session.maps or labels not in session.maps:
            return
        was_painted = session.painted == labels.id
        new = session.add(
            made.volume,
            role="labels",
            name=f"{labels.name} on {entry.name}",
            regions=dict(labels.regions),
            case=self._session.case_of(entry),
        )
        if was_painted:
            session.painted = new.id
        said = (
            f"Regions transferred to the grid of '{entry.name}' by the nearest voxel; volumes "
            f"changed by up to {100 * made.largest_change:.0f} %. The old label map is unchanged."
        )
        if made.lost:
            names = [row_name(label, labels.regions.get(label)) for label in made.lost]
            said += f" Nothing is left of {', '.join(names)}."
        self._table.context.message(said)

    # -- blinded reading ------------------------------------------------------------------

    def record_unblinding(self, rows: list[Row]) -> None:
        """Write into the notes that values were made visible, and which regions were done."""
        regions = [row for row in rows if row.shape is None]
        done = [row.name for row in regions if not row.hidden]
        open_ = [row.name for row in regions if row.hidden]
        when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
        text = f"{when}: blinded reading switched off. Locked: {', '.join(done) or 'none'}."
        if open_:
            text += f" Not locked: {', '.join(open_)}."
        self._session.notes = f"{self._session.notes}\n{text}".strip()

    # -- menus ----------------------------------------------------------------------------

    def _menu_button(self, text: str, name: str, fill: Any) -> QToolButton:
        button = QToolButton()
        button.setText(f"{text} ▾")
        button.setObjectName(f"qsm.stats.{name}")
        button.setStyleSheet(ui.TOOL_BUTTONS + " QToolButton::menu-indicator { image: none; }")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.setObjectName(f"qsm.stats.{name}.menu")
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: fill(menu))
        button.setMenu(menu)
        return button

    def _add(
        self, menu: QMenu, text: str, name: str, call: Any, checked: bool | None = None
    ) -> QAction:
        action = QAction(text.replace("&", "&&"), menu)
        action.setObjectName(f"qsm.stats.{name}")
        if checked is None:
            action.triggered.connect(lambda _=False: call())
        else:
            action.setCheckable(True)
            action.setChecked(checked)
            action.triggered.connect(lambda state=False: call(state))
        menu.addAction(action)
        return action

    def _fill_maps(self, menu: QMenu) -> None:
        menu.clear()
        first = self._table.maps[0].entry if self._table.maps else None
        for entry in measurable(self._session):
            if entry is first:
                continue
            action = self._add(
                menu,
                shown_name(self._session, entry),
                f"maps.{entry.id}",
                lambda state, key=entry.id: self._set_extra(key, state),
                entry.id in self._table.extra,
            )
            if self._session.labels_of(entry) is None:
                action.setEnabled(False)
                action.setToolTip("No label map goes with this map")
        if menu.isEmpty():
            self._add(menu, "No other map is open", "maps.none", lambda: None).setEnabled(False)

    def _set_extra(self, key: str, shown: bool) -> None:
        kept = tuple(each for each in self._table.extra if each != key)
        self._table.set_extra((*kept, key) if shown else kept)

    def _fill_show(self, menu: QMenu) -> None:
        menu.clear()
        table = self._table
        for name, text in optional().items():
            self._add(
                menu,
                text,
                f"show.{name}",
                lambda state, each=name: table.set_choice(table.choice.toggled(each, state)),
                name in table.choice.columns,
            ).setEnabled(not table.choice.pairs)
        menu.addSeparator()
        for name, text in (
            ("pairs", "Left and right side by side, with asymmetry"),
            ("total", "Row for all regions together"),
            ("shapes", "Rows for fixed shapes"),
        ):
            self._add(
                menu,
                text,
                f"show.{name}",
                lambda state, each=name: table.set_choice(table.choice.but(**{each: state})),
                getattr(table.choice, name),
            )
        menu.addSeparator()
        blind = self._add(
            menu,
            "Blinded: hide values until a region is locked",
            "show.blinded",
            lambda state: setattr(self._session, "blinded", state),
            self._session.blinded,
        )
        blind.setToolTip("Names of subjects are hidden too. Switching it off goes into the notes.")
        menu.addSeparator()
        self._add(menu, "Copy all numbers, mean and SD apart", "copy.numbers", self.copy_numbers)
