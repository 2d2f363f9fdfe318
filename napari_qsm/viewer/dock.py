"""The workspace as a widget of plain napari."""

from __future__ import annotations

import napari
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_qsm.viewer.workspace import Workspace


class WorkspaceDock(QWidget):
    """The workspace around the layers that are there.

    Closing the widget gives napari back as it was.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.setObjectName("qsm.dock")
        self.workspace = Workspace(napari_viewer, side=self)
        self.workspace.saving.offer_recoveries()

    def event(self, event: QEvent | None) -> bool:
        """Leave the workspace when napari takes the widget out of its window."""
        handled = super().event(event)
        if (
            event is not None
            and event.type() == QEvent.Type.ParentChange
            and self.parent() is None
            and hasattr(self, "workspace")
        ):
            self.workspace.leave()
        return bool(handled)
