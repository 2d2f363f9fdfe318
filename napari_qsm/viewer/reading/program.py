"""Reading as a program of its own."""

from __future__ import annotations

from pathlib import Path

from napari_qsm.session.reading.desk import Desk
from napari_qsm.viewer import compat
from napari_qsm.viewer.reading.window import show_reading


def run_reading(study: Path, rater: str) -> None:
    """Open the reader's window, until it is closed.

    Raises
    ------
    QsmError
        If there is nothing that this rater may read.
    """
    desk = Desk(study, rater)  # refuses before there is a window
    show_reading(desk)
    compat.application().exec()
