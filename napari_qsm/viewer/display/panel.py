"""Display: how a map is coloured."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_qsm.session.blinding import shown_name
from napari_qsm.viewer import ui
from napari_qsm.viewer.display.compare import CompareBox
from napari_qsm.viewer.display.map_form import MapForm
from napari_qsm.viewer.display.measure import MeasureBox
from napari_qsm.viewer.display.visits import VisitsBox
from napari_qsm.viewer.services import Services


class DisplayPanel(QWidget):
    """The chosen map and its colours; compare; visits of a person; measure."""

    title = "Display"
    visits: VisitsBox

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.display")
        self._session = session = context.session
        self._hint = ui.quiet("Open a map first; how it is coloured is chosen here.")
        self._map = ui.combo("qsm.display.map", self._on_map)
        self._form = MapForm(session)
        self._compare = CompareBox(context)
        self.visits = VisitsBox(context)
        self._measure = MeasureBox(context)
        body = ui.column(
            self._hint,
            self._map,
            self._form,
            self._compare,
            self.visits,
            self._measure,
            None,
            spacing=6,
            margins=(8, 6, 8, 6),
        )
        self.setLayout(ui.column(ui.scrolled(ui.panel(body))))
        self._heard = ui.Subscriptions()
        self._heard.connect(
            context.controller.drawn_again,
            session.events.unit,
            session.events.windows_linked,
            session.events.blinded,
            session.events.active_case,
            to=self.refresh,
        )
        self._heard.on_dispose(self._measure.dispose, self.visits.dispose)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def refresh(self) -> None:
        """Show how the chosen map is drawn."""
        entries = list(reversed(list(self._session)))
        entry = self._session.selected_entry
        names = [(each.id, shown_name(self._session, each)) for each in entries]
        ui.show_choices(self._map, names, entry.id if entry is not None else None)
        self._map.setVisible(entry is not None)
        self._hint.setVisible(entry is None)
        self._form.refresh()
        self._compare.refresh()
        self.visits.refresh()
        self._measure.refresh()

    def _on_map(self, key: str) -> None:
        self._session.selected = key
