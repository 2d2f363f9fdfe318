"""What stands round the views: docks of ours, and napari's own, which can be folded away."""

from __future__ import annotations

from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer import compat

_TABLE_HEIGHT = 170


class Docks:
    """Puts panels and table beside the views, and takes them away again.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window it is.

    Attributes
    ----------
    napari_changed : Signal
        Napari's own docks were shown or folded away.
    """

    napari_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._ours: list[Any] = []
        self._table: Any = None
        self._corners: Any = None
        self._before: list[bool] = []

    def add(self, side: QWidget, table: QWidget, holder: QWidget | None) -> None:
        """Dock the panels on the right, unless a widget holds them, and the table below."""
        if holder is None:
            self._ours.append(self._dock(side, "right", "QSM", add_vertical_stretch=False))
        else:
            inner = QVBoxLayout(holder)
            inner.setContentsMargins(0, 0, 0, 0)
            inner.addWidget(side)
        self._table = self._dock(table, "bottom", "Regions")
        self._ours.append(self._table)
        self._table.hide()
        self._corners = compat.full_height_sides(self._viewer)
        self._before = [dock.isHidden() for dock in compat.napari_docks(self._viewer)]

    def _dock(self, widget: QWidget, area: str, name: str, **options: Any) -> Any:
        dock = self._viewer.window.add_dock_widget(widget, area=area, name=name, **options)
        compat.plain_dock(dock)
        return dock

    def show_table(self, shown: bool) -> None:
        """Show the table in its first height, or hide it."""
        if shown and self._table.isHidden():
            self._table.show()
            compat.dock_height(self._viewer, self._table, _TABLE_HEIGHT)
        self._table.setVisible(shown)

    @property
    def napari_shown(self) -> bool:
        """Whether napari's own layer list is on show."""
        return not compat.napari_docks(self._viewer)[1].isHidden()

    def show_napari(self, shown: bool) -> None:
        """Show or fold away napari's own layer list and controls, at the next start too."""
        for dock in compat.napari_docks(self._viewer):
            dock.setVisible(shown)
        save_settings({"napari_docks": shown})
        self.napari_changed.emit()

    def show_napari_as_last(self) -> None:
        """Show or fold them away as they were when the program was used last."""
        self.show_napari(bool(load_settings().get("napari_docks", False)))

    def remove(self) -> None:
        """Give the window back as it was."""
        compat.give_corners_back(self._viewer, self._corners)
        for dock, hidden in zip(compat.napari_docks(self._viewer), self._before, strict=True):
            dock.setVisible(not hidden)
        for dock in self._ours:
            compat.remove_dock(self._viewer, dock)
