"""Compare: maps side by side, in one picture, in turn, or subtracted."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt import QCollapsible, QDoubleSlider

from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.blinding import shown_name
from napari_qsm.viewer import commands, ui
from napari_qsm.viewer.canvas.compare import add_difference
from napari_qsm.viewer.services import Services

_WAYS = (
    ("side by side", "Side by side"),
    ("curtain", "Curtain"),
    ("checkerboard", "Checkerboard"),
)


class CompareBox(QCollapsible):
    """Choice of two maps and of the way they are put against each other."""

    def __init__(self, context: Services) -> None:
        super().__init__("Compare")
        self.setObjectName("qsm.compare")
        self._context = context
        self._session = context.session
        self._filling = False
        body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(4, 2, 4, 2)
        form.setVerticalSpacing(4)
        self._hint = ui.quiet("Open a second map to compare with.")
        form.addRow(self._hint)
        self._first, self._second = QComboBox(), QComboBox()
        for combo, name in ((self._first, "first"), (self._second, "second")):
            combo.setObjectName(f"qsm.compare.{name}")
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.currentIndexChanged.connect(self._on_pair)
        form.addRow("First", self._first)
        form.addRow("Second", self._second)
        self._way = QComboBox()
        self._way.setObjectName("qsm.compare.way")
        for key, title in _WAYS:
            self._way.addItem(title, key)
        self._way.currentIndexChanged.connect(self._on_way)
        form.addRow("Shown", self._way)
        self._slider = QDoubleSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("qsm.compare.slider")
        self._slider.setRange(0, 1)
        self._slider.setValue(0.5)
        self._slider.setMinimumHeight(22)
        self._slider.valueChanged.connect(self._on_slider)
        self._slider_title = QLabel("Curtain")
        form.addRow(self._slider_title, self._slider)
        row = QHBoxLayout()
        self._start = QPushButton("Compare")
        self._start.setObjectName("qsm.compare.start")
        self._start.setCheckable(True)
        self._start.setToolTip("Put the two against each other, with one cursor and one window")
        self._start.clicked.connect(self._on_start)
        self._flicker = QPushButton("Flicker (K)")
        self._flicker.setObjectName("qsm.compare.flicker")
        self._flicker.setToolTip("Show the two in turn, at the same place; the key K does it too")
        self._flicker.clicked.connect(lambda _=False: commands.flicker(context))
        self._subtract = QPushButton("Difference")
        self._subtract.setObjectName("qsm.compare.difference")
        self._subtract.setToolTip("Add the map first − second; both must lie on one grid")
        self._subtract.clicked.connect(self._on_subtract)
        for button in (self._start, self._flicker, self._subtract):
            row.addWidget(button)
        form.addRow(row)
        self.toggleButton().setStyleSheet(ui.FOLDING)
        self.addWidget(body)
        self.expand(animate=False)

    def dispose(self) -> None:
        """Nothing is listened to here: the panel around it refreshes it."""

    def refresh(self) -> None:
        """Show what can be compared and what is."""
        maps = [entry for entry in self._session if entry.editable is None]
        preferred = [e for e in maps if e.role == "map"]
        enough = len(maps) > 1
        self._filling = True
        try:
            self._hint.setVisible(not enough)
            for widget in (
                self._first,
                self._second,
                self._way,
                self._start,
                self._flicker,
                self._subtract,
            ):
                widget.setEnabled(enough)
            first, second = self._pair(maps, preferred)
            for combo, entry in ((self._first, first), (self._second, second)):
                _fill(combo, self._session, maps, entry)
            self._way.setCurrentIndex(self._way.findData(self._session.mix))
            active = self._session.layout == "compare"
            self._start.setChecked(active)
            self._start.setText("Stop comparing" if active else "Compare")
            mixed = self._session.mix
            for widget in (self._slider, self._slider_title):
                widget.setVisible(mixed != "side by side")
            self._slider_title.setText("Curtain" if mixed == "curtain" else "Squares")
        finally:
            self._filling = False

    def _pair(
        self, maps: list[MapEntry], preferred: list[MapEntry]
    ) -> tuple[MapEntry | None, MapEntry | None]:
        keys = self._session.compared
        if len(keys) > 1:
            return self._session.entry(keys[0]), self._session.entry(keys[1])
        pool = preferred if len(preferred) > 1 else maps
        return (pool[0], pool[1]) if len(pool) > 1 else (None, None)

    def _chosen(self) -> tuple[MapEntry, MapEntry] | None:
        first = self._session.entry(self._first.currentData() or "")
        second = self._session.entry(self._second.currentData() or "")
        return (first, second) if first and second and first is not second else None

    def _on_pair(self) -> None:
        pair = self._chosen()
        if not self._filling and pair is not None:
            rest = tuple(k for k in self._session.compared[2:] if k not in {e.id for e in pair})
            self._session.compared = (pair[0].id, pair[1].id, *rest)

    def _on_way(self, index: int) -> None:
        if not self._filling:
            self._session.mix = self._way.itemData(index)

    def _on_start(self) -> None:
        if self._session.layout == "compare":
            self._session.layout = "three"
            return
        if self._chosen() is None:
            self._context.message("Choose two different maps to compare.")
            self.refresh()
            return
        self._on_pair()
        self._session.layout = "compare"

    def _on_slider(self, value: float) -> None:
        mixed = self._context.controller.mixed
        if self._session.mix == "curtain":
            mixed.set_edge(value)
        else:
            mixed.set_tile(5.0 + 45.0 * value)

    def _on_subtract(self) -> None:
        pair = self._chosen()
        if pair is None:
            self._context.message("Choose two different maps to subtract.")
            return
        try:
            add_difference(self._session, *pair)
        except QsmError as error:
            self._context.message(str(error))


def _fill(
    combo: QComboBox, session: Session, entries: list[MapEntry], chosen: MapEntry | None
) -> None:
    wanted = [(entry.id, shown_name(session, entry)) for entry in entries]
    if wanted != [(combo.itemData(i), combo.itemText(i)) for i in range(combo.count())]:
        combo.clear()
        for key, name in wanted:
            combo.addItem(name, key)
    if chosen is not None:
        combo.setCurrentIndex(combo.findData(chosen.id))
