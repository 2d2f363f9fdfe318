"""Visits side by side: which of a person's visits, how their heads are brought together, and why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QDialog, QLabel, QListWidget, QListWidgetItem
from superqt.utils import signals_blocked

from napari_qsm.session import Case
from napari_qsm.session.opening import Loaded, load
from napari_qsm.session.visits import (
    MOST_VISITS,
    links_for,
    links_on_show,
    map_at,
    show_visits,
    unopened_maps,
    visits_of_person,
)
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.study.visit_linking import images_of, link_visits
from napari_qsm.viewer import ui
from napari_qsm.viewer.display.changes import ChangesDialog
from napari_qsm.viewer.services import Services

_ROWS_SHOWN = 5
_BOARD_WIDTH = 780


class VisitsBox(ui.Section):
    """The section of the Display panel that puts visits of a person side by side.

    Attributes
    ----------
    figure_asked : Signal
        A figure of the visits is wanted.
    """

    figure_asked = Signal()

    def __init__(self, context: Services) -> None:
        super().__init__("Visits of a person", "qsm.visits", is_open=False)
        self._context = context
        self._session = context.session
        self._refused: tuple[VisitLink, ...] = ()
        self._on_disk: tuple[tuple[Any, ...], list[tuple[str, Path]]] = ((), [])
        self._hint = ui.quiet("", "qsm.visits.hint")
        self._list = ui.named(
            QListWidget(),
            "qsm.visits.list",
            "Tick up to four; the first one is what the others are brought to",
        )
        self._list.itemChanged.connect(lambda _: self._show_buttons())
        self._start = ui.button(
            "Visits side by side",
            "qsm.visits.start",
            self.toggle,
            main=True,
            tip="Each visit in its own grid; crosshair, slice, zoom and pan follow at the same place "
            "of the head, by the rigid transform between the visits",
        )
        self._boards = ui.button(
            "Checkerboards …",
            "qsm.visits.boards",
            self._show_boards,
            tip="The registered heads as squares of one board: edges run on where they fit",
        )
        self._changes = ui.button(
            "Changes …",
            "qsm.visits.changes",
            self.show_changes,
            tip="Means of all regions at each visit, and how they differ from the first",
        )
        self._figure = ui.button(
            "Figure",
            "qsm.visits.figure",
            self.figure_asked.emit,
            tip="A figure of the same place at each visit, with shapes, means and changes",
        )
        self.changes: ChangesDialog | None = None
        self._position = ui.button(
            "Link by scanner position",
            "qsm.visits.position",
            self._by_position,
            tip="Show them at the same millimetres of the scanner: the same place of the head "
            "only if it lay the same way; every view says so",
        )
        self._words = ui.label("", "qsm.visits.words", selectable=True)
        more = ui.row(self._changes, self._figure, self._boards, spacing=6)
        parts = (self._hint, self._list, self._start, more, self._words, self._position)
        self.body.addLayout(ui.column(*parts, spacing=5))
        self.refresh()

    def dispose(self) -> None:
        """Close what was opened."""
        if self.changes is not None:
            self.changes.close()

    # -- what there is ----------------------------------------------------------------------

    def refresh(self) -> None:
        """Offer the visits of the person on show, and say how those side by side are linked."""
        session = self._session
        wanted = self._offered()
        known = {
            self._item(row).data(Qt.ItemDataRole.UserRole) for row in range(self._list.count())
        }
        if known != {key for key, _, _ in wanted} or self._texts() != [t for _, t, _ in wanted]:
            with signals_blocked(self._list):
                self._list.clear()
                for key, text, ticked in wanted:
                    item = QListWidgetItem(text)
                    item.setData(Qt.ItemDataRole.UserRole, key)
                    item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
                    item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                    self._list.addItem(item)
        rows = min(max(len(wanted), 1), _ROWS_SHOWN)
        self._list.setFixedHeight(6 + rows * max(self._list.sizeHintForRow(0), 20))
        self._list.setVisible(bool(wanted))
        self._hint.setText(self._hint_text(len(wanted)))
        self._hint.setVisible(bool(self._hint.text()))
        links = session.visits if links_on_show(session) else ()
        said = () if session.blinded else (*links, *self._refused)
        lines = [f"{link.title}: {link.words}" for link in said]
        self._words.setText("\n".join(lines))
        self._words.setVisible(bool(lines))
        self._show_buttons()

    def _offered(self) -> list[tuple[str, str, bool]]:
        """Key, text and tick of every visit that can be shown."""
        session = self._session
        if session.blinded:
            return []
        case = session.case
        own = visits_of_person(session, case)
        if case.participant:
            found = [(each.id, each.title, True) for each in own]
            found += [(str(path), f"{title} (not open yet)", True)
                      for title, path in self._unopened(case)]  # fmt: skip
        else:
            others = [each for each in session.cases if map_at(session, each) is not None]
            found = [(each.id, each.title, False) for each in others]
        ticks = [number < MOST_VISITS and tick for number, (_, _, tick) in enumerate(found)]
        return [(key, text, on) for (key, text, _), on in zip(found, ticks, strict=True)]

    def _unopened(self, case: Case) -> list[tuple[str, Path]]:
        """Maps that the study of a case holds besides; the disk is asked once for each case."""
        entry = map_at(self._session, case)
        key = (case.id, "" if entry is None else entry.id, len(self._session.cases))
        if self._on_disk[0] != key:
            self._on_disk = key, unopened_maps(self._session, case)
        return self._on_disk[1]

    def _hint_text(self, count: int) -> str:
        if self._session.blinded:
            return "While reading blind nobody is told which maps are of one person."
        if count < 2:
            return "Open another visit of this person; BIDS names tell whose a map is."
        if not self._session.case.participant:
            return "Names don't tell whose maps these are: tick the visits of one person."
        return ""

    def _item(self, row: int) -> QListWidgetItem:
        item = self._list.item(row)
        assert item is not None
        return item

    def _texts(self) -> list[str]:
        return [self._item(row).text() for row in range(self._list.count())]

    def _ticked(self) -> list[str]:
        items = [self._item(row) for row in range(self._list.count())]
        on = [item for item in items if item.checkState() == Qt.CheckState.Checked]
        return [item.data(Qt.ItemDataRole.UserRole) for item in on]

    def _show_buttons(self) -> None:
        on = bool(links_on_show(self._session))
        self._start.setText("Stop" if on else "Visits side by side")
        self._start.setEnabled(on or 2 <= len(self._ticked()) <= MOST_VISITS)
        self._changes.setEnabled(on)
        self._figure.setEnabled(on)
        links = (*self._session.visits, *self._refused)
        self._boards.setEnabled(any(link.picture for link in links))
        self._position.setVisible(bool(self._refused))

    # -- side by side -------------------------------------------------------------------------

    def toggle(self) -> None:
        """Put the ticked visits side by side, or go back to one."""
        if links_on_show(self._session):
            self._session.layout = "three"
            return
        ticked = self._ticked()
        if not 2 <= len(ticked) <= MOST_VISITS:
            self.set_open(True)
            words = self._hint.text() or f"Tick two to {MOST_VISITS} visits to put side by side."
            self._context.message(words)
            return
        closed = [key for key in ticked if self._session.study.case(key) is None]
        if not closed:
            self._link([case for case in map(self._session.study.case, ticked) if case])
            return

        def work(progress: Any, cancelled: Any) -> Loaded:
            return load([Path(key) for key in closed], progress=progress, cancelled=cancelled)

        self._context.run("Reading the other visits", work, self._on_read)

    def _on_read(self, loaded: Loaded) -> None:
        session = self._session
        active, selected = session.active_case, session.selected
        wanted = {key for key in self._ticked() if session.study.case(key) is not None}
        before = {case.id for case in session.cases}
        said = [*loaded.problems, *loaded.into(session)]
        session.active_case, session.selected = active, selected
        if said:
            self._context.message(" ".join(said))
        fresh = {case.id for case in session.cases} - before
        cases = visits_of_person(session, session.case)
        self._link([case for case in cases if case.id in wanted | fresh])

    def _link(self, cases: list[Case]) -> None:
        """Find the transforms between cases, unless they are known, and show them."""
        self._refused = ()
        known = links_for(self._session, cases)
        if known:
            show_visits(self._session, known)
            self.refresh()
            return
        pairs = [(case, map_at(self._session, case)) for case in cases]
        images = [images_of(case, entry) for case, entry in pairs if entry is not None]
        if len(images) < 2:
            self._context.message("Two visits with a map are needed.")
            return

        def work(progress: Any, cancelled: Any) -> tuple[VisitLink, ...]:
            return link_visits(images, progress=lambda f: progress(f, "Registering the visits"))

        self._context.run("Registering the visits", work, self._on_linked)

    def _on_linked(self, links: tuple[VisitLink, ...]) -> None:
        there = [link for link in links if self._session.study.case(link.case) is not None]
        self._refused = tuple(link for link in there if not link.is_usable)
        usable = tuple(link for link in there if link.is_usable)
        if len(usable) > 1:
            show_visits(self._session, usable)
        else:
            self._session.visits = usable
        for link in self._refused:
            self._context.message(f"{link.title}: {link.words}")
        if self._refused:
            self.set_open(True)
        self.refresh()

    def _by_position(self) -> None:
        """Show what could not be registered by the scanner's millimetres, as somebody has asked."""
        links = (*self._session.visits, *(link.by_position() for link in self._refused))
        self._refused = ()
        show_visits(self._session, links)
        self.refresh()

    def show_changes(self) -> None:
        """Open the table of changes of the visits on show."""
        if self.changes is not None:
            self.changes.close()
        session = self._session
        shown = [entry.case for entry in map(session.entry, session.compared) if entry is not None]
        cases = [case for case in map(session.study.case, shown) if case is not None]
        dialog = self.changes = ChangesDialog(self._context, cases)
        dialog.finished.connect(lambda _=0: self._forget(dialog))
        dialog.show()

    def _forget(self, dialog: ChangesDialog) -> None:
        if self.changes is dialog:
            self.changes = None

    def _show_boards(self) -> None:
        """The checkerboards, each with how its visit is linked."""
        dialog = ui.named(QDialog(self._context.window), "qsm.visits.board")
        dialog.setWindowTitle("Checkerboards of the visits")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        parts: list[Any] = [
            ui.quiet("Brighter squares are the first visit. Where the heads fit, edges run on.")
        ]
        for link in (*self._session.visits, *self._refused):
            if link.picture:
                picture, shown = QPixmap(), QLabel()
                picture.loadFromData(link.picture, "PNG")
                wide = Qt.TransformationMode.SmoothTransformation
                shown.setPixmap(picture.scaledToWidth(_BOARD_WIDTH, wide))
                parts += [ui.label(f"{link.title}: {link.words}"), shown]
        body = ui.column(*parts, None, spacing=8, margins=(12, 10, 12, 10))
        dialog.setLayout(ui.column(ui.scrolled(ui.panel(body))))
        dialog.resize(840, 440)
        dialog.show()
