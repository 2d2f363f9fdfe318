"""The ways into the workspace: a program of its own, its demonstration, a widget of napari."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import napari
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QShowEvent

from napari_qsm.viewer import compat
from napari_qsm.viewer.frame.placing import place
from napari_qsm.viewer.plain.docking import DockedWidget
from napari_qsm.viewer.workspace import Workspace, open_workspace


def run_program(paths: Sequence[Path]) -> None:
    """Open the window with files or folders, until it is closed."""
    open_workspace(paths or None)
    _run()


def run_demo() -> None:
    """Open the window, make the built-in heads in it up to both figures, until it is closed."""
    workspace = open_workspace()
    workspace.open_head()
    _run()


def _run() -> None:
    # napari collects garbage whenever a layer leaves a view. What is there now stays until the
    # end, so it need not be gone through each time (0.2 s in every view).
    gc.collect()
    gc.freeze()
    napari.run()


class WorkspaceDock(DockedWidget):
    """The workspace around the layers that are in plain napari.

    Closing the widget gives napari back as it was.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.setObjectName("qsm.dock")
        self.workspace = Workspace(compat.unwrapped(napari_viewer), side=self)
        self.workspace.saving.offer_recoveries()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Come into sight whole: at its first show, napari makes its window as wide as all docks ask for."""
        super().showEvent(event)
        QTimer.singleShot(0, self._keep_on_screen)

    def _keep_on_screen(self) -> None:
        if compat.is_closed(self.workspace.viewer):
            return
        window = compat.qt_window(self.workspace.viewer)
        screen = window.screen()
        if screen is not None and not screen.availableGeometry().contains(window.frameGeometry()):
            place(window, [window.width(), window.height()])

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
