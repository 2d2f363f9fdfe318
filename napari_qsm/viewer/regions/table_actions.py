"""Buttons and menus of the table: maps, columns, copying, exporting, blinded reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QMimeData
from qtpy.QtWidgets import (
    QApplication,
    QMenu,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.io.neutral_names import shared_name
from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.rois.exports import (
    Exported,
    about_table,
    joined,
    recorded_reference,
    what_was_asked,
    write_export,
)
from napari_qsm.rois.region import name_of
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.proposals import note_on
from napari_qsm.session.settings import save_settings
from napari_qsm.session.table.choice import optional
from napari_qsm.session.table.notes import also_of, missing_notes, notes_on_edges
from napari_qsm.session.table.numbers import measurable, measured_map
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import Answer, ask, ask_save_file

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.session import MapEntry
    from napari_qsm.session.table.content import Column, Line
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
        maps = ui.menu_button(
            "More maps",
            "qsm.stats.maps",
            self._fill_maps,
            tip="Measure other maps in the same rows",
        )
        show = ui.menu_button(
            "Columns",
            "qsm.stats.show",
            self._fill_show,
            tip="Columns and rows, left against right, blinded reading",
        )
        copy = ui.button(
            "Copy table",
            "qsm.stats.copy",
            self.copy_shown,
            tip="Copy the table as it is shown, for Word, Excel or a text",
        )
        export = ui.button(
            "Export…",
            "qsm.stats.export",
            self.ask_export,
            tip="Write a .csv, .tsv, .xlsx or .json file",
        )
        self.left: tuple[QWidget, ...] = (maps, show)
        self.right: tuple[QWidget, ...] = (copy, export)

    # -- copying and exporting ------------------------------------------------------------

    def copy_shown(self) -> None:
        """Put the table on the clipboard as it is shown."""
        self._table.settle()
        shown = self._table.table
        self._put(as_shown(shown.content.columns, shown.lines_as_shown()))

    def copy_numbers(self) -> None:
        """Put every number on the clipboard in full."""
        self._put(as_numbers(joined(self.exported())))

    def _put(self, data: Any) -> None:
        board = QApplication.clipboard()
        if board is not None:
            board.setMimeData(data)

    def exported(self) -> list[Exported]:
        """The tables of all maps that are measured, with what belongs to them."""
        self._table.settle()
        return [self._exported_map(shown) for shown in self._table.maps]

    def _exported_map(self, shown: Any) -> Exported:
        table, session = self._table, self._session
        choice, rows = table.choice_now(), table.rows()
        also = also_of(choice)
        on_edges = notes_on_edges(shown, rows, choice, table.beside.repeatability)
        notes = [f"{note}." for note in (*missing_notes(shown, rows), *on_edges)]
        hidden = [row.name for row in table.rows() if row.hidden]
        if hidden:
            notes.append(f"Hidden until locked (blinded reading): {', '.join(hidden)}.")
        proposed = note_on(shown.labels)
        if proposed:
            notes.append(f"{proposed}.")
        labels = ""
        if shown.labels is not None:
            name = shown_name(session, shown.labels)
            labels = shared_name(name, shown.labels.volume.origin, "labels")
        volume = shown.entry.shown
        about = about_table(
            volume,
            unit=shown.unit,
            map_name=shown.name,
            regions_name=labels,
            reference=recorded_reference(shown.entry.provenance),
            notes=notes,
            provenance=shown.entry.provenance,
            more={
                **what_was_asked(volume, shown.unit, also, choice.high),
                **(table.beside.notes(rows, table.maps, also) if shown is table.maps[0] else {}),
            },
        )
        return Exported(table.frame_for(shown), shown.unit, about, also)

    def ask_export(self) -> None:
        """Ask where to write the table, and write it."""
        chosen = ask_save_file(self._table, "Export the table", "regions.csv", _FILTERS)
        if chosen is not None:
            self.export(chosen[0])

    def export(self, path: Path) -> None:
        """Write the table; a problem becomes a sentence."""
        try:
            files = write_export(self.exported(), path)
        except QsmError as error:
            self._table.context.message(str(error))
            return
        save_settings({"folder": str(path.parent)})
        named = " and ".join(f"'{file.name}'" for file in files)
        self._table.context.success(f"Wrote {named} into '{path.parent}'.")

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
            from napari_qsm.rois.canonical_grid import nearest

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
            names = [name_of(labels.regions, label) for label in made.lost]
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

    def _fill_maps(self, menu: QMenu) -> None:
        first = self._table.maps[0].entry if self._table.maps else None
        for entry in measurable(self._session):
            if entry is first:
                continue
            action = ui.menu_entry(
                menu,
                shown_name(self._session, entry),
                f"qsm.stats.maps.{entry.id}",
                lambda state, key=entry.id: self._set_extra(key, state),
                checked=entry.id in self._table.extra,
            )
            if self._session.labels_of(entry) is None:
                action.setEnabled(False)
                action.setToolTip("No label map goes with this map")
        if menu.isEmpty():
            ui.menu_entry(
                menu, "No other map is open", "qsm.stats.maps.none", lambda: None
            ).setEnabled(False)

    def _set_extra(self, key: str, shown: bool) -> None:
        kept = tuple(each for each in self._table.extra if each != key)
        self._table.set_extra((*kept, key) if shown else kept)

    def _fill_show(self, menu: QMenu) -> None:
        table = self._table
        for name, text in optional().items():
            ui.menu_entry(
                menu,
                text,
                f"qsm.stats.show.{name}",
                lambda state, each=name: table.set_choice(table.choice.toggled(each, state)),
                checked=name in table.choice.columns,
            ).setEnabled(not table.choice.pairs)
        menu.addSeparator()
        for name, text in (
            ("pairs", "Left and right side by side, with asymmetry"),
            ("total", "Row for all regions together"),
            ("shapes", "Rows for fixed shapes"),
        ):
            ui.menu_entry(
                menu,
                text,
                f"qsm.stats.show.{name}",
                lambda state, each=name: table.set_choice(table.choice.but(**{each: state})),
                checked=getattr(table.choice, name),
            )
        menu.addSeparator()
        blind = ui.menu_entry(
            menu,
            "Blinded: hide values until a region is locked",
            "qsm.stats.show.blinded",
            lambda state: setattr(self._session, "blinded", state),
            checked=self._session.blinded,
        )
        blind.setToolTip("Names of subjects are hidden too. Switching it off goes into the notes.")
        menu.addSeparator()
        ui.menu_entry(
            menu, "Copy all numbers, mean and SD apart", "qsm.stats.copy.numbers", self.copy_numbers
        )


def as_shown(columns: Sequence[Column], lines: Sequence[Line]) -> QMimeData:
    """The table as it is shown, with mean and SD in one cell: text for spreadsheets and HTML."""
    titles = [defused_text(column.title.replace("\n", " ")) for column in columns]
    left = [column.is_text for column in columns]
    rows = [
        [
            defused_text(" ".join(_plain(text).split())) if words else _plain(text)
            for text, words in zip(line.cells, left, strict=True)
        ]
        for line in lines
    ]
    return _mime([titles, *rows], left)


def as_numbers(frame: pd.DataFrame) -> QMimeData:
    """Every number in full, mean and SD in columns of their own."""
    rows = [
        ["" if value != value else _cell(value) for value in row]
        for row in frame.itertuples(index=False)
    ]
    left = [frame[column].dtype.kind not in "biufc" for column in frame]
    return _mime([list(map(_cell, frame.columns)), *rows], left)


def _cell(value: object) -> str:
    """A value as text; of words, none may be run as a formula."""
    return defused_text(" ".join(value.split())) if isinstance(value, str) else str(value)


def _plain(text: str) -> str:
    """A minus that spreadsheets read, and nothing where there is no number."""
    return "" if text == "–" else text.replace("−", "-")


def _mime(rows: list[list[str]], left: list[bool]) -> QMimeData:
    data = QMimeData()
    one_line = [[" ".join(text.split()) for text in row] for row in rows]
    data.setText("\n".join("\t".join(row) for row in one_line) + "\n")
    data.setHtml(_html(one_line, left))
    return data


def _html(rows: list[list[str]], left: list[bool]) -> str:
    def row_html(row: list[str], tag: str) -> str:
        cells = "".join(
            f'<{tag} align="{"left" if is_text else "right"}">{escape(text)}</{tag}>'
            for text, is_text in zip(row, left, strict=True)
        )
        return f"<tr>{cells}</tr>"

    head, *body = rows
    lines = [row_html(head, "th"), *(row_html(row, "td") for row in body)]
    table = '<table border="1" cellspacing="0" cellpadding="3">' + "".join(lines) + "</table>"
    return f'<html><head><meta charset="utf-8"></head><body>{table}</body></html>'
