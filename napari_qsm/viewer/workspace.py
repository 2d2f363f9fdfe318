"""The workspace: napari's window made into one for looking at susceptibility maps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari

from napari_qsm.session import Session
from napari_qsm.viewer import compat
from napari_qsm.viewer.arrangement import ViewArea
from napari_qsm.viewer.controller import Controller

if TYPE_CHECKING:
    import pandas as pd


def open_workspace(
    paths: Iterable[Path | str] | Path | str | None = None, *, show: bool = True
) -> Workspace:
    """Open napari with the workspace.

    Parameters
    ----------
    paths : path or list of paths, optional
        Maps, folders or a saved session to open.
    show : bool
        Whether the window appears at once.

    Returns
    -------
    Workspace
        Closed by :meth:`Workspace.close` or with its window.
    """
    viewer = napari.Viewer(title="napari-qsm", show=False)
    workspace = Workspace(viewer)
    return workspace


class Workspace:
    def __init__(self, viewer: Any, session: Session | None = None) -> None:
        self.viewer = viewer
        self.session = session or Session()
        self.area = ViewArea(viewer)
        self.controller = Controller(viewer, self.session, self.area)

    def close(self):
        self.controller.dispose()
        self.area.dispose()
