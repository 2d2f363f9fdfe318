"""What a panel may use: the session, the views, and ways to work and to talk to the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.viewer import compat
from napari_qsm.viewer.jobs import Job, JobBar, Work

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QMainWindow

    from napari_qsm.session import Session
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.central import CentralArea


class Services:
    """Handed to every panel and to whatever acts for one; none of them sees the workspace.

    A panel asks another one for something by a signal, which the workspace connects.

    Parameters
    ----------
    session : Session
        What panels observe and change.
    controller : Controller
        Views and layers.
    central : CentralArea
        Where messages and running work are shown.

    Attributes
    ----------
    session, controller, central
        As given.
    jobs : JobBar
        Runs work one after the other; for work that wants to hear of its own errors.
    """

    def __init__(self, session: Session, controller: Controller, central: CentralArea) -> None:
        self.session = session
        self.controller = controller
        self.central = central
        self.jobs: JobBar = central.jobs

    @property
    def viewer(self) -> Viewer:
        """Napari's viewer, for its theme and its own commands."""
        return self.controller.viewer

    @property
    def window(self) -> QMainWindow:
        """The window that dialogs belong to."""
        return compat.qt_window(self.viewer)

    def message(self, sentence: str) -> None:
        """Tell the user something that must be seen; it stays until it is closed."""
        self.central.message.show_sentence(sentence)

    def success(self, sentence: str) -> None:
        """Tell the user that something went well; it goes by itself."""
        self.central.message.show_good(sentence)

    def run(self, title: str, work: Work, done: Callable[[Any], None]) -> Job:
        """Run long work in the background, with progress and cancel; errors become a sentence.

        Parameters
        ----------
        title : str
            What the bar says.
        work : callable
            Called in a thread with ``progress(fraction, what)`` and ``cancelled()``; must not
            touch layers or widgets.
        done : callable
            Called in the window with the result.
        """
        return self.jobs.run(title, work, done=done, failed=self.failed)

    def failed(self, error: Exception) -> None:
        """Tell the user why work has failed; an error of the program itself is raised."""
        if isinstance(error, (Cancelled, QsmError)):
            self.message(str(error))
        elif isinstance(error, MemoryError):
            self.message("This computer's memory is too small for that; close other maps first.")
        else:
            raise error


class Panel(Protocol):
    """What the tab area needs of a panel, besides being a QWidget."""

    title: str

    def dispose(self) -> None:
        """Stop listening to the session and the views."""
