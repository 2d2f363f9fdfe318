"""Whether there is a screen; how large the window is at first, and where: always within one."""

from __future__ import annotations

from qtpy.QtCore import QRect, QSize
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_qsm.cli.display import display_problem
from napari_qsm.errors import QsmError
from napari_qsm.viewer import compat

#: Of the screen, for the very first window.
_SHARE = 0.9


def prepare() -> None:
    """Before the first window: see that there is a display, and keep napari from warning of its Qt.

    Raises
    ------
    QsmError
        Where Qt has no display to draw on, and would end the whole process.
    """
    if QApplication.instance() is None:
        problem = display_problem()
        if problem:
            raise QsmError(problem)
    compat.no_binding_warning()


def place(window: QMainWindow, size: object) -> None:
    """Give a window the size of last time, or most of the screen, and bring it into sight.

    Parameters
    ----------
    window : QMainWindow
        Maximised and full-screen ones stay as they are.
    size : object
        ``[width, height]`` as remembered, or anything else where nothing is.
    """
    screen = window.screen() or QApplication.primaryScreen()
    if screen is None or window.isMaximized() or window.isFullScreen():
        return
    wanted = fitted(screen.availableGeometry(), size, window.frameGeometry())
    window.resize(wanted.size())
    window.move(wanted.topLeft())


def fitted(screen: QRect, size: object, now: QRect) -> QRect:
    """Where a window goes: inside of the screen, where it is now if that is possible."""
    match size:
        case [int(width), int(height)] if width > 0 and height > 0:
            inner = QSize(width, height)
        case _:
            inner = QSize(round(_SHARE * screen.width()), round(_SHARE * screen.height()))
    inner = inner.boundedTo(screen.size())
    place = QRect(now.topLeft(), inner)
    if not screen.contains(place):
        place.moveCenter(screen.center())
    return place
