"""The list of regions, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QToolButton,
    QWidget,
)

from napari_qsm.anatomy import nearest_voxel
from napari_qsm.arrays import Array, Box
from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, regions
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.region_buttons import RegionButtons
from napari_qsm.viewer.regions.region_presets import PresetsButton
from napari_qsm.viewer.regions.rows import RegionRows
from napari_qsm.viewer.services import Services

_NEXT_SIDE = {"": "left", "left": "right", "right": ""}


class RegionList(QWidget):
    """Which region map is drawn in, its regions, and lists to start from."""

    def __init__(self, context: Services) -> None:
        super().__init__()
        self._context = context
        self._session = context.session
        self._followed: MapEntry | None = None
        self._filling = False
        self._unlisted = False
        self._hint = ui.quiet(" ")
        self._hint.setObjectName("qsm.regions.hint")
        self._new = ui.button("New region map", "qsm.regions.new", self.make_new, main=True)
        self._map = ui.combo(
            "qsm.regions.map", self._on_map, tip="The region map, or mask, that is drawn in"
        )
        self._map.setPlaceholderText("or draw in …")
        tip = "A new, empty region map on the grid of the map under view"
        self._another = ui.named(QToolButton(), "qsm.regions.another", tip)
        self._another.setText("New")
        self._another.setStyleSheet(ui.TOOL_BUTTONS)
        self._another.clicked.connect(self.make_new)
        self._presets = PresetsButton(context, self._like)
        head = ui.row((self._map, 1), self._another, self._presets)
        self.rows = RegionRows()
        self._buttons = RegionButtons(context, self.rows, lambda: self.entry, self._try)
        self.setLayout(ui.column(self._hint, self._new, head, self.rows, self._buttons, spacing=5))
        session, controller = context.session, context.controller
        self._heard = ui.Subscriptions()
        hear = self._heard.connect
        hear(
            session.maps.events.inserted,
            session.maps.events.removed,
            session.events.active_case,
            session.events.selected,
            to=self._on_maps,
        )
        hear(session.events.painted, to=self._on_painted)
        hear(session.events.active_region, to=self.refresh)
        hear(session.history.changed, to=self._on_history)
        hear(session.labels_edited, to=self._on_labels)
        hear(controller.region_picked, to=self._on_picked)
        hear(context.viewer.events.theme, to=self._on_theme)
        hear(self.rows.chosen, to=self._on_chosen)
        hear(self.rows.renamed, to=self._on_renamed)
        hear(self.rows.colour_asked, to=self._on_colour)
        hear(self.rows.side_asked, to=self._on_side)
        hear(self.rows.eye_clicked, to=self._on_eye)
        hear(self.rows.lock_clicked, to=self._on_lock)
        self._on_maps()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()
        self._follow(None)

    @property
    def entry(self) -> MapEntry | None:
        """The region map or mask that is drawn in."""
        entry = self._session.entry(self._session.painted) if self._session.painted else None
        return entry if entry is not None and entry.editable is not None else None

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the session's regions."""
        if self._filling:
            return
        entry, like = self.entry, self._like()
        drawn = self._session.of_role("labels", "mask")
        self._filling = True
        try:
            offered = [(each.id, each.name) for each in drawn]
            ui.show_choices(self._map, offered, None if entry is None else entry.id)
            is_list = entry is not None and entry.role == "labels"
            if entry is not None and is_list:
                self.rows.show_regions(
                    regions.regions_of(entry),
                    self._session.active_region,
                    self._context.viewer.theme,
                )
            if not self._session.maps:
                text = "Open a map first; regions are drawn on it."
            elif entry is None:
                text = (
                    "Regions are drawn in a region map of their own, on the grid of the map on top."
                    if like is not None
                    else "Open a map first."
                )
            elif not is_list:
                text = f"The tools draw in the mask '{entry.name}'."
            else:
                text = "No regions yet: add one, or take a list." if not entry.regions else ""
            self._hint.setText(text)
            self._hint.setVisible(bool(text))
            self._new.setVisible(entry is None and like is not None)
            self._map.setVisible(bool(drawn))
            self._another.setVisible(entry is not None)
            self._presets.setVisible(like is not None)
            self._presets.stand_alone(not drawn)
            self.rows.setVisible(is_list and bool(entry and entry.regions))
            self._buttons.setVisible(is_list)
        finally:
            self._filling = False

    def _like(self) -> MapEntry | None:
        """The map under view, whose grid a new region map takes."""
        return self._context.controller.worked_map

    def _on_maps(self) -> None:
        """Choose what is drawn in, where the last choice is gone or not on show."""
        session = self._session
        entry = self.entry
        if entry is None or entry.case != session.active_case:
            like = self._like()
            found = session.labels_of(like) if like is not None else None
            if found is not None and found.case != session.active_case:
                found = None
            session.painted = "" if found is None else found.id
        self._on_painted()

    def _on_painted(self) -> None:
        entry = self.entry
        if entry is not self._followed:
            self._follow(entry)
            if entry is not None:
                regions.list_labels(entry)
                if self._session.active_region not in entry.regions:
                    # A stroke goes somewhere at once; the sentence of the tools says where.
                    self._session.active_region = min(entry.regions, default=0)
            else:
                self._session.active_region = 0
        self.refresh()

    def _follow(self, entry: MapEntry | None) -> None:
        if self._followed is not None:
            self._followed.events.regions.disconnect(self.refresh)
            self._followed.events.name.disconnect(self.refresh)
        self._followed = entry
        if entry is not None:
            entry.events.regions.connect(self.refresh)
            entry.events.name.connect(self.refresh)

    def _on_labels(self, key: str, box: Box) -> None:
        """Notice labels without a row; looking at the box alone costs nothing during a stroke."""
        entry = self.entry
        if entry is not None and entry.id == key and entry.role == "labels":
            highest = max(entry.regions, default=0)
            self._unlisted = self._unlisted or int(entry.labels[box].max()) > highest

    def _on_history(self) -> None:
        """Labels that came with an edit from outside get a row of their own."""
        if self._unlisted and self.entry is not None and not self._session.history.is_open:
            self._unlisted = False
            regions.list_labels(self.entry)

    def _on_theme(self, event: Any = None) -> None:
        self.refresh()

    # -- what the user does ---------------------------------------------------------------

    def _try(self, call: Callable[[], Any]) -> None:
        """Do it, and say why where it cannot be done."""
        try:
            call()
        except QsmError as error:
            self._context.message(str(error))
            self.refresh()

    def make_new(self) -> None:
        """Make an empty region map on the grid of the map on show."""
        like = self._like()
        if like is not None:
            regions.new_region_map(self._session, like)

    def _on_map(self, key: str) -> None:
        self._session.painted = key

    def _on_chosen(self, label: int) -> None:
        self._session.active_region = label

    def choose_row(self, row: int) -> None:
        """Make a region of the list the one that is drawn, by its place from 0."""
        entry = self.entry
        if entry is not None and row < len(entry.regions) and entry.role == "labels":
            self.rows.clearSelection()
            self._session.active_region = sorted(entry.regions)[row]

    def step(self, steps: int) -> None:
        """Make the region so many rows further on the one that is drawn, round the end."""
        entry = self.entry
        if entry is not None and entry.regions and entry.role == "labels":
            rows = sorted(entry.regions)
            here = self._session.active_region
            at = rows.index(here) if here in rows else (-1 if steps > 0 else 0)
            self.choose_row((at + steps) % len(rows))

    def _on_renamed(self, label: int, name: str) -> None:
        entry = self.entry
        if entry is not None:
            self._try(lambda: regions.rename_region(self._session, entry, label, name))

    def _on_colour(self, label: int) -> None:
        entry = self.entry
        if entry is None:
            return
        row = regions.region_of(entry, label)
        color = QColorDialog.getColor(QColor(row.color), self, f"Colour of {row.name}")
        if color.isValid():
            regions.recolour_region(self._session, entry, label, color.name())

    def _on_side(self, label: int) -> None:
        entry = self.entry
        if entry is not None:
            side = _NEXT_SIDE[regions.region_of(entry, label).side]
            self._try(lambda: regions.set_side(self._session, entry, label, side))

    def _on_eye(self, label: int) -> None:
        entry = self.entry
        if entry is not None:
            shown = not regions.region_of(entry, label).visible
            regions.set_visible(entry, self._with_row(label), shown)

    def _on_lock(self, label: int) -> None:
        entry = self.entry
        if entry is not None:
            locked = not regions.region_of(entry, label).locked
            regions.set_locked(entry, self._with_row(label), locked)

    def _with_row(self, label: int) -> list[int]:
        selected = self.rows.selected()
        return selected if label in selected else [label]

    def _on_picked(self, world_mm: Array) -> None:
        """Make the region under a place the active one."""
        for entry in reversed(self._session.of_role("labels")):
            if not self._session.is_shown(entry):
                continue
            voxel = nearest_voxel(entry.volume, world_mm)
            label = 0 if voxel is None else int(entry.labels[voxel])
            if label and regions.region_of(entry, label).visible:
                self._session.painted = entry.id
                regions.list_labels(entry)
                self.rows.clearSelection()
                self._session.active_region = label
                return
        self._context.message("There is no region here.")
