"""The window in which a rater reads a study, scan after scan, by keys and a click now and then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QCloseEvent, QKeyEvent
from qtpy.QtWidgets import QMainWindow, QStackedWidget

from napari_qsm.errors import QsmError
from napari_qsm.session.reading.desk import Desk
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.study.folder import StudyFolder
from napari_qsm.viewer import compat
from napari_qsm.viewer.frame.placing import place
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.reading.page import ENTER, ReadingPage
from napari_qsm.viewer.reading.pages import StartPage, ValuesPage

_TITLE = "napari-qsm"
#: Windows that are open; whoever opened one may not keep it.
_OPEN: set[ReadingWindow] = set()


def open_reading(study: StudyFolder | Path | str, rater: str) -> ReadingWindow:
    """Open the window in which a rater reads a study.

    Parameters
    ----------
    study : StudyFolder or path
    rater : str
        Their label, who has a worklist.

    Returns
    -------
    ReadingWindow
        Shown. Its signal ``closed`` tells when the rater has left; nothing is lost then.

    Raises
    ------
    QsmError
        If there is nothing that this rater may read; see
        :class:`napari_qsm.session.reading.desk.Desk`.
    """
    return show_reading(Desk(study, rater))


def show_reading(desk: Desk) -> ReadingWindow:
    """Show the window of somebody who sits at a desk."""
    compat.application()
    window = ReadingWindow(desk)
    place(window, None)
    window.show()
    return window


class ReadingWindow(QMainWindow):
    """What comes next, the scan that is read, and, where the protocol says so, its numbers.

    Parameters
    ----------
    desk : Desk
        Closed with the window.

    Attributes
    ----------
    desk : Desk
    page : ReadingPage
        The scan; ``area``, ``panel``, ``placing`` and ``brushing`` are its own.
    """

    closed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._job: Job | None = None
        self.setObjectName("qsm.reading")
        self.setStyleSheet(compat.style_sheet())
        self.page = page = ReadingPage()
        self.area, self.panel = page.area, page.panel
        self.placing, self.brushing = page.placing, page.brushing
        self._start = StartPage(self._begin, self._change)
        self._values = ValuesPage(self._begin)
        self._pages = QStackedWidget()
        for each in (self._start, page, self._values):
            self._pages.addWidget(each)
        self.setCentralWidget(self._pages)
        self.setMinimumSize(900, 600)
        page.submitted.connect(self._on_submitted)
        page.paused.connect(self.pause)
        self.pause()
        _OPEN.add(self)

    @property
    def work(self) -> ReadingWork | None:
        """The scan that is shown."""
        return self.page.work

    # -- from scan to scan ----------------------------------------------------------------

    def pause(self) -> None:
        """Go back to where the next scan is offered; what is begun goes on there."""
        self.page.let_go()
        self.setWindowTitle(_TITLE)
        self._start.show_desk(self.desk)
        self._pages.setCurrentWidget(self._start)
        self.desk.fetch_ahead()

    def _begin(self) -> None:
        if self._job is not None or not self.desk.next_code:
            return
        self._start.wait(self.desk.next_code)
        self._open(lambda progress, cancelled: self.desk.open_next())

    def _change(self, code: str) -> None:
        self._start.wait(code)
        self._open(lambda progress, cancelled: self.desk.open_submitted(code))

    def _open(self, work: Callable[[Any, Any], ReadingWork]) -> None:
        self._job = Job("opening a scan", work, self.show_work, self._not_opened)
        self._job.start_alone()

    def _not_opened(self, error: Exception) -> None:
        self._job = None
        self.pause()
        if not isinstance(error, QsmError):
            raise error
        self._start.say(str(error))

    def show_work(self, work: ReadingWork) -> None:
        """Show a scan, where its rater left it."""
        self._job = None
        self.setWindowTitle(f"{_TITLE} - {work.code}")
        self.page.show_work(work)
        self._pages.setCurrentWidget(self.page)
        self.page.begin()
        self.desk.fetch_ahead(work.code)

    def _on_submitted(self, work: ReadingWork) -> None:
        self.desk.handed_in(work)
        if self.desk.shows_values:
            self._values.show_values(work.code, self.desk.values(work))
            self.page.let_go()
            self._pages.setCurrentWidget(self._values)
        elif work.opened.file.amending or not self.desk.next_code:
            self.pause()
        else:
            self._begin()

    # -- keys and life --------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Begin, go on, or leave; on the page of a scan, what that page makes of a key."""
        if event is None:
            return
        shown, key = self._pages.currentWidget(), event.key()
        if shown is self.page and self.page.key(event):
            return
        if shown is not self.page and key in ENTER:
            self._begin()
        elif shown is not self.page and key == Qt.Key.Key_Escape:
            self.close() if shown is self._start else self.pause()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Leave: everything is kept already."""
        if self in _OPEN:
            _OPEN.discard(self)
            if self._job is not None:
                self._job.let_go()
            self.page.dispose()
            self.desk.close()
            self.closed.emit()
        super().closeEvent(event)
        self.deleteLater()
