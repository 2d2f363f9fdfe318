"""The buttons that change the list of regions: add, delete, merge and split."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, regions
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.midline import midline_of
from napari_qsm.viewer.regions.rows import RegionRows
from napari_qsm.viewer.services import Services


class RegionButtons(QWidget):
    """A row of buttons for the regions that are chosen in the list.

    Parameters
    ----------
    context : Services
    rows : RegionRows
        The list, which knows what is chosen.
    drawn_in : callable
        Gives the region map or mask that is drawn in, or None.
    attempt : callable
        Does what it is given, and says why where that cannot be done.
    """

    def __init__(
        self,
        context: Services,
        rows: RegionRows,
        drawn_in: Callable[[], MapEntry | None],
        attempt: Callable[[Callable[[], Any]], None],
    ) -> None:
        super().__init__()
        self._context = context
        self._session = context.session
        self._rows = rows
        self._drawn_in = drawn_in
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for text, name, tip, call in (
            ("Add", "add", "A new region at the end of the list", self._add),
            ("Delete", "delete", "Take the chosen regions away", self._delete),
            ("Merge", "merge", "Make one of the chosen regions: Ctrl + click", self._merge),
        ):
            layout.addWidget(
                ui.button(text, f"qsm.regions.{name}", partial(attempt, call), tip=tip)
            )
        split = ui.named(QPushButton("Split ▾"), "qsm.regions.split")
        menu = QMenu(self)
        for text, call in (
            ("Into its connected pieces", self._split_pieces),
            ("Into left and right, at the midline", self._split_sides),
        ):
            ui.menu_entry(menu, text, "", partial(attempt, call))
        split.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0; }")
        split.setMenu(menu)
        layout.addWidget(split)

    def _region_map(self) -> MapEntry:
        entry = self._drawn_in()
        if entry is None or entry.role != "labels":
            raise QsmError("Make a region map first.")
        return entry

    def _active(self) -> tuple[MapEntry, int]:
        entry, index = self._region_map(), self._session.active_region
        if index not in entry.regions:
            raise QsmError("Choose a region in the list first.")
        return entry, index

    def _add(self) -> None:
        self._session.active_region = regions.add_region(self._session, self._region_map())
        self._rows.edit_name(self._session.active_region)

    def _delete(self) -> None:
        entry, index = self._active()
        regions.delete_regions(self._session, entry, self._rows.selected() or [index])

    def _merge(self) -> None:
        entry, index = self._active()
        regions.merge_regions(self._session, entry, index, self._rows.selected() or [index])

    def _split_pieces(self) -> None:
        entry, index = self._active()
        regions.split_pieces(self._session, entry, index)

    def _split_sides(self) -> None:
        entry, index = self._active()
        midline = midline_of(self._context.controller, entry)
        regions.split_sides(self._session, entry, index, midline)
