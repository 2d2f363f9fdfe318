"""The head of the table: which map is measured, and under whose regions."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_qsm.session import MapEntry, Session
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.label_choice import choices, choose_labels
from napari_qsm.session.table.numbers import measurable
from napari_qsm.viewer import ui


class MapChoice(QWidget):
    """Two lists; the second one is there where there is something to choose.

    Attributes
    ----------
    map_chosen : Signal
        Id of the map to measure.
    labels_chosen : Signal
        Other regions count, for the whole window.
    """

    map_chosen = Signal(str)
    labels_chosen = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._measured: MapEntry | None = None
        self._map = ui.named(QComboBox(), "qsm.stats.map", "The map that is measured")
        self._map.currentIndexChanged.connect(self._on_map)
        self._labels = ui.combo(
            "qsm.stats.labels",
            self._on_labels,
            tip="Whose regions: table, views, drawing tools and figure use these",
        )
        self._under = ui.quiet("under")
        for box in (self._map, self._labels):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            box.setMinimumWidth(70)
            box.setMaximumWidth(220)  # names of files may be long
        self.setLayout(ui.row(self._map, self._under, self._labels))

    def show_measured(self, measured: MapEntry | None) -> None:
        """Offer what can be measured, with the map that is."""
        session, self._measured = self._session, measured
        maps = [(entry.id, shown_name(session, entry)) for entry in measurable(session)]
        ui.show_choices(self._map, maps, None if measured is None else measured.id)
        offered = [] if measured is None else choices(session, measured)
        labels = None if measured is None else session.labels_of(measured)
        ui.show_choices(self._labels, offered, None if labels is None else labels.id)
        for part in (self._under, self._labels):
            part.setVisible(len(offered) > 1)

    def _on_map(self, index: int) -> None:
        if index >= 0:
            self.map_chosen.emit(self._map.itemData(index))

    def _on_labels(self, key: str) -> None:
        labels = self._session.entry(key)
        if self._measured is not None and labels is not None:
            choose_labels(self._session, self._measured, labels)
            self.labels_chosen.emit()
