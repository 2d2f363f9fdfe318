"""The panels beside the views, in the order of the work.

A panel is a widget made from a :class:`PanelContext`; it has a ``title`` and a
``dispose()`` that stops it listening. :data:`PANELS` names the ones the window shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari_qsm.session import Session
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.workspace import Workspace


@dataclass(frozen=True)
class PanelContext:
    """What a panel may use.

    Attributes
    ----------
    workspace : Workspace
        Opens files, runs jobs, tells the user things.
    session : Session
        What panels observe and change.
    controller : Controller
        Views and layers.
    """

    workspace: Workspace
    session: Session
    controller: Controller


class Panel(Protocol):
    """What the tab area needs of a panel, besides being a QWidget."""

    title: str

    def dispose(self) -> None:
        """Stop listening to the session and the views."""


PanelMaker = Callable[[PanelContext], Panel]
