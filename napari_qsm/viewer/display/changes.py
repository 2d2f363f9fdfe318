"""The table of changes between visits side by side: kept up, judged by what somebody chooses, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QDialog

from napari_qsm.errors import QsmError
from napari_qsm.rois.exports import write_table
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.session import Case
from napari_qsm.session.settings import save_settings
from napari_qsm.session.table.changes import (
    Changes,
    about_changes,
    changes_of,
    content_of_changes,
    frame_of_changes,
    limit_sentence,
    meanings_of_changes,
)
from napari_qsm.session.table.content import Content
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.session.visits import map_at
from napari_qsm.study.repeated import repeatability_of
from napari_qsm.study.visit_linking import study_of
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_save_file
from napari_qsm.viewer.regions.table_actions import as_shown
from napari_qsm.viewer.regions.table_view import ContentTable
from napari_qsm.viewer.services import Services

_FILTERS = "Table (*.csv);;Excel workbook (*.xlsx);;Table with tabs (*.tsv);;JSON (*.json)"
_NONE, _OWN = "none", "own"


class ChangesDialog(QDialog):
    """Regions by visits, in a window beside the views.

    Attributes
    ----------
    changes : Changes
        As shown.
    table : ContentTable
        The table.
    """

    def __init__(self, services: Services, cases: list[Case]) -> None:
        super().__init__(services.window)
        self.setObjectName("qsm.changes")
        self.setWindowTitle("Changes between visits")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._services, self._session, self._cases = services, services.session, cases
        self._numbers = Numbers(services.session)
        self.changes = Changes((), (), ())
        self._limits = self._known_limits()
        choices = [(_NONE, "not marked")]
        choices += [(key, words) for key, (words, _) in self._limits.items()]
        choices += [(_OWN, "a standard deviation of my own")]
        self._by = ui.combo(
            "qsm.changes.by", self._on_limit, choices, characters=34,
            tip="What a change has to be larger than to be marked: the 95 % limit of repeated scans",
        )  # fmt: skip
        self._own = ui.number(
            "qsm.changes.sdw", lambda _: self._on_limit(_OWN), 0.01, 500.0, value=LITERATURE.sdw_ppb,
            step=0.1, suffix=" ppb", tip="Within-subject standard deviation of a region's mean",
        )  # fmt: skip
        self._source = ui.line(
            "qsm.changes.source", lambda: self._on_limit(_OWN), example="where it comes from"
        )
        self.table = ui.named(ContentTable(), "qsm.changes.table")
        self._words = ui.label("", "qsm.changes.words", selectable=True)
        copy = ui.button("Copy table", "qsm.changes.copy", self._copy)
        export = ui.button("Export…", "qsm.changes.export", self._ask_export, main=True)
        close = ui.button("Close", "qsm.changes.close", self.close)
        for each in (copy, export, close):
            each.setAutoDefault(False)
        self.setLayout(
            ui.column(
                ui.row(
                    ui.label("Judged by"), (self._by, 1), self._own, (self._source, 1), spacing=6
                ),
                (self.table, 1),
                self._words,
                ui.row(copy, None, close, export, spacing=6),
                spacing=8,
                margins=(12, 10, 12, 10),
            )
        )
        self.resize(940, 420)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(100)
        self._soon.timeout.connect(self.refresh)
        session = self._session
        self._heard = ui.Subscriptions()
        self._heard.connect(
            session.case_edited, session.events.unit, session.events.visits,
            session.events.compared, session.maps.events.removed, session.events.blinded,
            to=self._refresh_soon,
        )  # fmt: skip
        self._heard.connect(session.labels_edited, to=self._on_labels)
        known = session.change_limit
        key = next((k for k, (_, each) in self._limits.items() if each == known), _NONE)
        if known is not None and key == _NONE:
            key = _OWN
            self._own.setValue(known.sdw_ppb)
            self._source.setText(known.source)
        self._by.setCurrentIndex(self._by.findData(key))
        self._on_limit(key)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Stop listening."""
        self._soon.stop()
        self._heard.dispose()
        super().closeEvent(event)

    # -- what changes are judged by -----------------------------------------------------------

    def _known_limits(self) -> dict[str, tuple[str, Repeatability]]:
        """What the study tells of its readings, then the literature; by key, with words."""
        found: dict[str, tuple[str, Repeatability]] = {}
        case = self._cases[0]
        entry = map_at(self._session, case)
        study = None if entry is None else study_of(entry.volume, case.participant)
        for each in repeatability_of(study) if study is not None else []:
            words = f"the study's readings (SEM {each.sdw_ppb:.1f} ppb)"
            found[f"study {len(found)}"] = (words, each)
        found["literature"] = (
            f"repeated scans ({LITERATURE.sdw_ppb:.2f} ppb, Naji 2022)",
            LITERATURE,
        )
        return found

    def _on_limit(self, key: Any) -> None:
        own = key == _OWN
        for widget in (self._own, self._source):
            widget.setVisible(own)
        if own:
            source = self._source.text().strip() or "a value typed in, without a source"
            self._session.change_limit = Repeatability(float(self._own.value()), source)
        else:
            known = self._limits.get(key)
            self._session.change_limit = None if known is None else known[1]
        self.refresh()

    # -- the table ----------------------------------------------------------------------------

    def _refresh_soon(self, *_: Any) -> None:
        self._soon.start()

    def _on_labels(self, key: str, box: Any) -> None:
        self._numbers.edited(key, box)
        self._soon.start()

    def refresh(self) -> None:
        """Measure what has changed, and show it."""
        self._numbers.forget_gone()
        cases = [case for case in self._cases if case in self._session.cases]
        try:
            self.changes = changes_of(self._session, cases, self._numbers)
        except QsmError as error:
            self.changes = Changes((), (), ())
            self.table.show_content(Content())
            self._words.setText(str(error))
            return
        self.table.show_content(
            content_of_changes(self.changes, self._session.unit, self._session.change_limit)
        )
        sentences = [limit_sentence(self._session.change_limit), *self.changes.notes]
        if not self.changes.rows:
            sentences = ["No region is drawn and no fixed shape placed at these visits yet."]
        self._words.setText(" ".join(sentences))

    # -- away with it -------------------------------------------------------------------------

    def _copy(self) -> None:
        """Put the table on the clipboard as it is shown."""
        board = QApplication.clipboard()
        if board is not None:
            board.setMimeData(as_shown(self.table.content.columns, self.table.lines_as_shown()))

    def _ask_export(self) -> None:
        chosen = ask_save_file(self, "Export the changes", "changes.csv", _FILTERS)
        if chosen is not None:
            self.export(chosen[0])

    def export(self, path: Path) -> None:
        """Write the table; a problem becomes a sentence."""
        unit, limit = self._session.unit, self._session.change_limit
        try:
            files = write_table(
                frame_of_changes(self.changes, unit, limit),
                [about_changes(self.changes, unit, limit)],
                meanings_of_changes(self.changes, unit, limit),
                path,
            )
        except QsmError as error:
            self._words.setText(str(error))
            return
        save_settings({"folder": str(path.parent)})
        named = " and ".join(f"'{file.name}'" for file in files)
        self._words.setText(f"Wrote {named} into '{path.parent}'.")
