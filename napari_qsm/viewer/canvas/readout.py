"""Numbers under the crosshair and under the pointer."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QFontDatabase, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)
from superqt import QElidingLabel

from napari_qsm.anatomy import (
    DisplayFrame,
    Vector,
    file_voxel,
    obliquity_deg,
    place,
    side_mm,
    value_at,
)
from napari_qsm.arrays import Array
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.appearance import value_text
from napari_qsm.session.blinding import HIDDEN, hides_values, shown_name
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.session.visits import at_visit, links_on_show
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.controller import Controller

#: Whether more than one line is shown, as it is remembered.
_OPENED = "readout_open"
#: The pointer may send hundreds of places a second; eyes read far fewer.
_EVERY_MS = 33


@dataclass(frozen=True)
class Place:
    """What is said about one point.

    Attributes
    ----------
    voxel : str
        Index in the reference's file, counted from 0; empty outside it.
    position : str
        RAS mm with sides.
    values : tuple of str
        One per entry, with unit.
    """

    voxel: str
    position: str
    values: tuple[str, ...]


def describe(session: Session, entries: list[MapEntry], world_mm: Vector) -> Place:
    """Read every map at a point of the active case, each through its own affine, never interpolated.

    Visits that stand side by side are read where the point lies in their own head.
    """
    reference = session.reference
    voxel = file_voxel(reference, world_mm) if reference is not None else None
    known = reference is not None and reference.orientation_known
    if known:
        sides = (side_mm(axis, float(world_mm[axis])) for axis in range(3))
        position = "  ".join(side.removesuffix(" mm") for side in sides) + " mm"
    else:
        position = "  ".join(f"{float(v):.1f}" for v in world_mm) + " mm"
    return Place(
        voxel="" if voxel is None else " ".join(str(index) for index in voxel),
        position=position,
        values=tuple(
            HIDDEN
            if hides_values(session, entry)
            else value_text(
                value_at(entry.shown, at_visit(session, world_mm, entry.case)), entry, session.unit
            )
            for entry in entries
        ),
    )


def line(session: Session, world_mm: Vector) -> str:
    """The same in one line: ``"voxel 187 160 36 · R 12.5 mm … · χ 0.041 ppm"``."""
    entries = [entry for entry in session if session.is_shown(entry)]
    place = describe(session, entries, world_mm)
    parts = [f"voxel {place.voxel}" if place.voxel else "outside", place.position]
    parts += [f"{shown_name(session, e)} {v}" for e, v in zip(entries, place.values, strict=True)]
    return "  ·  ".join(parts)


def read_entries(session: Session) -> list[MapEntry]:
    """What is read, the topmost first; of visits side by side, the map of each besides."""
    entries = [entry for entry in reversed(list(session)) if session.is_shown(entry)]
    if links_on_show(session):
        beside = [each for each in map(session.entry, session.compared) if each is not None]
        entries += [each for each in beside if each not in entries]
    return entries


def grid_note(entry: MapEntry, frame: DisplayFrame | None) -> str:
    """What is said about a map whose grid is not the reference's; empty for one whose is."""
    placement = place(entry.shown, frame) if frame is not None else None
    if frame is None or placement is None or not placement.own_grid:
        return ""
    sizes = " × ".join(f"{size:.3g}" for size in entry.volume.voxel_size_mm)
    if placement.aligned:
        return f"own grid, {sizes} mm voxels"
    turned = obliquity_deg(frame.display_of(entry.shown))
    return f"own grid, {sizes} mm voxels, turned {turned:.1f}°: drawn by nearest voxel"


class Readout(QWidget):
    """Voxel, millimetres and the value of every visible map, at crosshair and pointer."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.readout")
        self._controller = controller
        self._pointer: Array | None = None
        self._grid_notes: dict[str, str] = {}  # by entry, until maps or their frame change
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        self._voxel, self._position, self._voxel_p, self._position_p = (QLabel() for _ in range(4))
        rows = (
            ("Crosshair", self._position, self._voxel, "crosshair"),
            ("Pointer", self._position_p, self._voxel_p, "pointer"),
        )
        for row, (title, position, voxel, name) in enumerate(rows):
            grid.addWidget(QLabel(f"<b>{title}</b>"), 2 * row, 0)
            grid.addWidget(QLabel("voxel, from 0"), 2 * row + 1, 0)
            for line_, (label, what) in enumerate(((position, "position"), (voxel, "voxel"))):
                label.setObjectName(f"qsm.readout.{name}.{what}")
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                grid.addWidget(label, 2 * row + line_, 1)
            voxel.setFont(fixed)
            voxel.setToolTip("Voxel index as in the file, counted from 0")
            position.setToolTip(
                "Millimetres in the scanner's frame: right/left, front/back, up/down"
            )
        grid.setColumnStretch(1, 1)
        self.table = ui.named(QTableWidget(0, 3), "qsm.readout.table")
        self.table.setHorizontalHeaderLabels(["Map", "Crosshair", "Pointer"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        header, numbers = self.table.horizontalHeader(), self.table.verticalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        if numbers is not None:
            numbers.hide()
            numbers.setDefaultSectionSize(22)
        self._note = ui.label("", "qsm.readout.note")
        self._fold = ui.tool(
            "qsm.readout.fold", self._on_fold, tip="Everything at both places", checkable=True
        )
        self._fold.setStyleSheet("QToolButton { border: none; padding: 2px; }")
        # Elided, so that a long name never widens the window.
        self._line = ui.named(QElidingLabel(), "qsm.readout.line")
        self._line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._more = ui.panel(ui.column(grid, self.table, self._note))
        head = ui.row(self._fold, (self._line, 1), spacing=0)
        self.setLayout(ui.column(head, self._more, margins=(4, 2, 4, 4)))
        opened = load_settings().get(_OPENED) is True
        self._fold.setChecked(opened)
        self._show_folded(opened)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.update_now)
        session = controller.session
        self._heard = ui.Subscriptions()
        self._heard.connect(controller.hovered, to=self._on_hover)
        self._heard.connect(
            session.events.crosshair_mm,
            session.events.unit,
            session.labels_edited,
            to=self.update_soon,
        )
        self._heard.connect(controller.drawn_again, to=self._on_drawn)
        self._heard.on_dispose(self._timer.stop)

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def _on_fold(self, opened: bool) -> None:
        save_settings({_OPENED: opened})
        self._show_folded(opened)

    def _show_folded(self, opened: bool) -> None:
        self._more.setVisible(opened)
        self._fold.setText("▾" if opened else "▸")

    def update_soon(self) -> None:
        """Update within a few hundredths of a second."""
        if not self._timer.isActive():
            self._timer.start()

    def _on_drawn(self) -> None:
        self._grid_notes.clear()
        self.update_soon()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Fill in what was left out while hidden."""
        super().showEvent(event)
        self.update_soon()

    def update_now(self) -> None:
        """Read everything at both places."""
        session = self._controller.session
        entries = read_entries(session)
        none = Place("", "", ("",) * len(entries))
        here = describe(session, entries, session.crosshair_mm) if entries else none
        there = none if self._pointer is None else describe(session, entries, self._pointer)
        for label, text in (
            (self._position, here.position),
            (self._voxel, here.voxel),
            (self._position_p, there.position),
            (self._voxel_p, there.voxel),
        ):
            if label.text() != text:
                label.setText(text)
        self._say_shortly(entries, here if self._pointer is None else there)
        if self.table.rowCount() != len(entries):
            self.table.setRowCount(len(entries))
            self.table.setFixedHeight(28 + 22 * min(max(len(entries), 1), 6))
        notes = []
        for row, entry in enumerate(entries):
            note = self._grid_notes.get(entry.id)
            if note is None:
                note = grid_note(entry, self._controller.sync.frame_of(entry))
                self._grid_notes[entry.id] = note
            if note:
                notes.append(f"{shown_name(session, entry)}: {note}")
            self._cell(row, 0, shown_name(session, entry) + (" *" if note else ""), note)
            self._cell(row, 1, here.values[row], note)
            self._cell(row, 2, there.values[row], note)
        self.setVisible(bool(entries))
        self._note.setText("* " + "; ".join(notes) if notes else "")
        self._note.setVisible(bool(notes))

    def _say_shortly(self, entries: list[MapEntry], place: Place) -> None:
        """One line: where, the value of the map on top, and the region there."""
        said, image = [], False
        for entry, value in zip(entries, place.values, strict=True):
            if entry.case != self._controller.session.active_case:
                continue
            is_image = entry.editable is None
            if (is_image and not image) or (not is_image and value not in ("–", "outside")):
                said.append(value if is_image else value.partition(" ")[2] or value)
            image |= is_image
        position = place.position.replace("  ", " ")
        text = " · ".join([position, *reversed(said)])
        if self._line.text() != text:
            where = "the crosshair" if self._pointer is None else "the pointer"
            self._line.setText(text)
            self._line.setToolTip(f"At {where}: {text}")

    def _cell(self, row: int, column: int, text: str, note: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        if item.toolTip() != note:
            item.setToolTip(note)

    def _on_hover(self, world_mm: Array | None) -> None:
        self._pointer = world_mm
        self.update_soon()
