"""The table of regions below the views: it follows every stroke."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_qsm.arrays import Box
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.rois.statistics import columns, needs
from napari_qsm.session import MapEntry, sampled
from napari_qsm.session.table.choice import Choice, load_choice, optional, save_choice
from napari_qsm.session.table.content import Content, Line, content_of, needs_ranks
from napari_qsm.session.table.in_context import InContext
from napari_qsm.session.table.notes import also_of, frame_of_map, notes_of
from napari_qsm.session.table.numbers import Numbers, Row, ShownMap, measured_map
from napari_qsm.units import UNITS, decimals
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.map_choice import MapChoice
from napari_qsm.viewer.regions.table_actions import TableActions
from napari_qsm.viewer.regions.table_view import ContentTable
from napari_qsm.viewer.services import Services

if TYPE_CHECKING:
    import pandas as pd

#: Least time between two updates; the first of many changes is shown at once.
_EVERY_MS = 30
#: How long the hand rests before that is worked out which takes longer.
_REST_MS = 400


class RegionTable(QWidget):
    """One row per region; follows labels, maps, fixed shapes and unit.

    Attributes
    ----------
    updated : Signal
        The numbers or the rows that are selected have changed.
    numbers : Numbers
        The regions, measured.
    beside : InContext
        What the first map is compared with.
    """

    updated = Signal()
    actions_: TableActions

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.stats")
        self.context = context
        self._session = context.session
        self._asked = ""
        self._extra: tuple[str, ...] = ()
        self.choice = load_choice()
        self.numbers = Numbers(self._session)
        self.beside = InContext()
        self.maps: list[ShownMap] = []
        self._rows: list[Row] = []
        self._places: dict[str, tuple[Any, int]] = {}
        self._followed: dict[str, MapEntry] = {}
        self._blinded = self._session.blinded
        self._build()
        self._dirty = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._on_timer)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.update_soon)
        events = self._session.events
        self._heard = ui.Subscriptions()
        hear = self._heard.connect
        hear(self._session.labels_edited, to=self._on_edited)
        hear(
            self._session.maps.events.inserted, self._session.maps.events.removed, to=self._on_maps
        )
        hear(events.unit, events.selected, events.painted, to=self.update_soon)
        hear(self._session.case_events.shapes, to=self.update_early)
        hear(events.blinded, to=self._on_blinded)
        hear(events.active_region, to=self._show_active)
        self._on_maps()

    def _build(self) -> None:
        self._head = MapChoice(self._session)
        self._head.map_chosen.connect(self._on_map)
        self._head.labels_chosen.connect(self.update_soon)
        # Elided, so that a long note never widens the window.
        self._note = QElidingLabel()
        self._note.setObjectName("qsm.stats.note")
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._problem = QLabel()
        self._problem.setObjectName("qsm.stats.problem")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self.actions_ = TableActions(self)
        self._transfer = QPushButton("Transfer the regions to this map's grid (nearest voxel)…")
        self._transfer.setObjectName("qsm.stats.transfer")
        self._transfer.clicked.connect(lambda _=False: self.actions_.transfer())
        self._transfer.hide()
        head = QHBoxLayout()
        head.addWidget(ui.WholeLabel("<b>Regions</b> on"))  # the first to give way
        head.addWidget(self._head)
        for button in self.actions_.left:
            head.addWidget(button)
        head.addWidget(self._note, 1)
        for button in self.actions_.right:
            head.addWidget(button)
        self.table = ContentTable()
        self.table.line_chosen.connect(self._on_line)
        self.table.marked_changed.connect(self.updated)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 4)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self._problem)
        layout.addWidget(self._transfer, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.table)

    def dispose(self) -> None:
        """Stop listening."""
        self._timer.stop()
        self._rest.stop()
        self._heard.dispose()
        for entry in self._followed.values():
            entry.events.disconnect(self._on_entry)
        self._followed.clear()

    # -- what others ask ------------------------------------------------------------------

    def frame_now(self) -> pd.DataFrame:
        """The regions and fixed shapes of the first map, in full precision.

        Raises
        ------
        GeometryError
            If labels and map lie on different grids.
        """
        import pandas as pd

        entry = measured_map(self._session, self._asked)
        self.settle()
        if entry is None:
            return pd.DataFrame(columns=columns(self._session.unit, also_of(self.choice_now())))
        return self.frame_for(self.numbers.shown(entry))

    def frame_for(self, shown: ShownMap) -> pd.DataFrame:
        """The table of one map in full precision."""
        return frame_of_map(self.numbers, shown, self.choice_now(), self.beside, self.maps)

    def rows(self) -> list[Row]:
        """The rows as they were last measured."""
        return self._rows

    def selected_rows(self) -> list[Row]:
        """The regions that the user has marked, in the order of the table."""
        lines = [self.table.content.lines[line] for line in self.table.marked()]
        return [line.target for line in lines if line.target is not None]

    @property
    def extra(self) -> tuple[str, ...]:
        """Ids of the maps measured beside the first one."""
        return self._extra

    def set_extra(self, keys: tuple[str, ...]) -> None:
        """Measure more maps beside the first one."""
        self._extra = keys
        self.update_soon()

    def set_choice(self, choice: Choice) -> None:
        """Show other columns or rows, and remember that."""
        self.choice = choice
        save_choice(choice)
        self.update_soon()

    # -- updating -------------------------------------------------------------------------

    def update_soon(self) -> None:
        """Update shortly; many changes in a row cost one update."""
        self._dirty = True
        if not self._timer.isActive():
            self._timer.start()

    def update_early(self) -> None:
        """Update now unless the last update was a moment ago; then shortly."""
        if self._timer.isActive() or not self.isVisible():
            self._dirty = True
            return
        self.update_now()
        self._timer.start()

    def update_now(self) -> None:
        """Measure and show."""
        self._dirty = False
        chosen = measured_map(self._session, self._asked)
        self._head.show_measured(chosen)
        problem: QsmError | None = None
        try:
            self.maps = [] if chosen is None else self._shown_maps(chosen)
            content = self._content()
        except QsmError as error:
            problem, self.maps, self._rows, content = error, [], [], Content()
        self.table.show_content(content)
        self._transfer.setVisible(isinstance(problem, GeometryError))
        self._problem.setText("" if problem is None else str(problem))
        self._problem.setVisible(problem is not None)
        text = "" if problem is not None else " · ".join(self._notes())
        if self._note.text() != text:
            self._note.setText(text)
            self._note.setToolTip(text)
        self._show_active()
        self.updated.emit()

    def settle(self) -> None:
        """Measure and show all of it, without waiting for the hand to rest."""
        self._rest.stop()
        self.update_now()

    def _shown_maps(self, chosen: MapEntry) -> list[ShownMap]:
        """The first map, and those of the others that have regions on their grid."""
        maps = [self.numbers.shown(chosen)]
        for key in self._extra:
            entry = self._session.entry(key)
            if entry is not None and entry is not chosen:
                shown = self.numbers.shown(entry)
                with suppress(GeometryError):
                    if shown.labels is not None:
                        self.numbers.live(shown)
                        maps.append(shown)
        return maps

    def _content(self) -> Content:
        if not self.maps:
            self._rows = []
            return Content()
        choice = self.choice_now()
        self.numbers.high = choice.high
        edge: Literal["no", "known", "yes"] = "no"
        if needs("edge", choice.columns):
            edge = "known" if self._rest.isActive() else "yes"
        ranks, noise = needs_ranks(choice), needs("noise", choice.columns)
        self._rows = self.numbers.rows(
            self.maps, ranks=ranks, shapes=choice.shapes, edge=edge, noise=noise
        )
        self.beside.tell(self.numbers, self._rows, self.maps, choice.columns)
        places = {shown.entry.id: self._places_of(shown) for shown in self.maps}
        return content_of(self.numbers, self.maps, self._rows, choice, places)

    def choice_now(self) -> Choice:
        """The choice without columns that there is nothing to fill with."""
        return self.beside.available(self.choice, self.maps)

    def set_beside(self, beside: InContext, columns: tuple[str, ...] = ()) -> None:
        """Compare with something else, and show what that fills."""
        self.beside = beside
        kept = tuple(name for name in optional() if name in {*self.choice.columns, *columns})
        self.set_choice(self.choice.but(columns=kept))

    def _places_of(self, shown: ShownMap) -> int:
        """Decimals of a map; looked up once per map, so that they stay while numbers run."""
        volume = shown.entry.volume
        key = f"{shown.entry.id} {shown.unit}"
        known = self._places.get(key)
        if known is None or known[0] is not volume:
            scale = 0.0
            if shown.unit not in UNITS:
                values = np.abs(sampled(volume, 50_000))
                scale = float(np.percentile(values, 90)) if values.size else 0.0
            known = self._places[key] = (volume, decimals(shown.unit, scale))
        return known[1]

    def _notes(self) -> list[str]:
        """What is said beside the table."""
        if not self.maps:
            return ["Open a map to measure regions on."]
        return notes_of(self._session, self.maps[0], self._rows, self.choice_now(), self.beside)

    # -- events ---------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        """Catch up with what happened while the table was hidden."""
        super().showEvent(event)
        self.update_soon()

    def _on_timer(self) -> None:
        if self._dirty and self.isVisible():
            self.update_now()
            self._timer.start()

    def _on_edited(self, key: str, box: Box) -> None:
        self.numbers.edited(key, box)
        if needs("edge", self.choice_now().columns):
            self._rest.start()
        self.update_early()

    def _on_maps(self) -> None:
        there = {entry.id: entry for entry in self._session}
        for key in set(self._followed) - set(there):
            self._followed.pop(key).events.disconnect(self._on_entry)
        for key in set(there) - set(self._followed):
            there[key].events.connect(self._on_entry)
            self._followed[key] = there[key]
        self._extra = tuple(key for key in self._extra if key in there)
        self._asked = self._asked if self._asked in there else ""
        self._places = {k: v for k, v in self._places.items() if k.split()[0] in there}
        self.numbers.forget_gone()
        self.update_soon()

    def _on_entry(self, *_: Any) -> None:
        self.update_soon()

    def _on_map(self, key: str) -> None:
        entry = self._session.entry(key)
        if entry is None:
            return
        # Another susceptibility map is another map for the whole window; a magnitude is not.
        self._asked = "" if entry.is_susceptibility else entry.id
        if entry.is_susceptibility:
            self._session.selected = entry.id
        self.update_soon()

    def _on_blinded(self, blinded: bool) -> None:
        if self._blinded and not blinded:
            self.actions_.record_unblinding(self._rows)
        self._blinded = blinded
        self.update_soon()

    def _on_line(self, line: int) -> None:
        target = self.table.content.lines[line].target
        if target is not None and self.maps:
            self.go_to(target)

    def go_to(self, row: Row) -> None:
        """Bring the crosshair to a region's middle, and make it the active one."""
        labels = self.maps[0].labels
        if row.shape is not None:
            self.context.controller.go_to(np.array(row.shape.centre_mm))
            return
        for shown in self.maps:
            if shown.labels is not None and shown.entry.id in row.measures:
                labels = shown.labels
                centre = self.numbers.live(shown).centre(row.label)
                if centre is not None:
                    self.context.controller.go_to(labels.volume.voxel_to_world(centre))
                break
        if labels is not None and self._session.painted in ("", labels.id):
            self._session.active_region = row.label

    def _show_active(self, *_: Any) -> None:
        """Mark the row of the active region, unless several rows are marked for a chart."""
        if len(self.table.marked()) > 1:
            return
        label = self._session.active_region
        lines = self.table.content.lines
        found = (i for i, line in enumerate(lines) if label and _is_region(line, label))
        row = next(found, -1)
        if row >= 0:
            self.table.mark(row)


def _is_region(line: Line, label: int) -> bool:
    row = line.target
    return line.kind == "region" and row is not None and row.label == label
