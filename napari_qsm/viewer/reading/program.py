"""Reading as a program of its own."""

from __future__ import annotations

from pathlib import Path

from napari.qt import get_qapp

from napari_qsm.session.reading.desk import Desk
from napari_qsm.viewer.reading.window import show_reading


def run_reading(study: Path, rater: str) -> None:
    """Open the reader's window, until it is closed.

    Raises
    ------
    QsmError
        If there is nothing that this rater may read.
    """
    desk = Desk(study, rater)  # refuses before there is a window
    app = get_qapp()
    show_reading(desk)
    app.exec_() if hasattr(app, "exec_") else app.exec()
