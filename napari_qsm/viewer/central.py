"""What surrounds the views: start page, messages, running work; takes files dropped on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget

from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.frame.messages import MessageBar
from napari_qsm.viewer.frame.start_page import Choice, StartPage
from napari_qsm.viewer.frame.working import Working
from napari_qsm.viewer.jobs import JobBar


class CentralArea(QWidget):
    """The views, and what lies over them; nothing that comes or goes moves them.

    Attributes
    ----------
    message : MessageBar
        Sentences for the user.
    jobs : JobBar
        Below the views, unless the window has a better place for it.
    start : StartPage
        Once there is something to offer.
    """

    start: StartPage

    def __init__(self, area: ViewArea, dropped: Callable[[list[Path]], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.stage")
        self.area = area
        self.jobs = JobBar()
        policy = self.jobs.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.jobs.setSizePolicy(policy)
        self.drops = Drops(dropped)
        self.setAcceptDrops(True)
        self.installEventFilter(self.drops)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(area, 1)
        layout.addWidget(self.jobs)
        self.message = MessageBar(area)
        self._working = Working(self, self.jobs.cancel)
        self.jobs.progressed.connect(self._on_progress)
        self._offer: QFrame | None = None
        self._page: QWidget | None = None
        area.installEventFilter(self)

    def offer(self, choices: list[Choice], recovered: QFrame) -> None:
        """Say what an empty window offers, and what shows work that was left behind."""
        self.start = StartPage(self, choices)
        self._offer = recovered
        recovered.installEventFilter(self)
        self.show_start(True)

    def put_page(self, page: QWidget) -> None:
        """Take a page that can lie over views and start page."""
        self._page = page

    def show_page(self, shown: bool) -> None:
        """Show the page, or what lies below it."""
        if self._page is None:
            return
        self._page.setGeometry(self.area.geometry())
        self._page.setVisible(shown)
        if shown:
            self._page.raise_()
            self.message.raise_()

    @property
    def start_shown(self) -> bool:
        """Whether the start page lies over the views."""
        return not self.start.isHidden()

    def show_start(self, shown: bool) -> None:
        """Show the start page, or the views."""
        if shown and not self.start_shown:
            self.start.refresh()
        self.start.setGeometry(self.area.geometry())
        self.start.setVisible(shown)
        if self._offer is not None:
            self._place_offer(self._offer, shown)
        if shown:
            self.start.raise_()
        if self._page is not None and not self._page.isHidden():
            self._page.raise_()
        self._working.setVisible(shown and self.jobs.busy)
        self._working.place()
        self.message.raise_()

    def _on_progress(self, text: str, fraction: float) -> None:
        """Show work in the middle, where nothing else is to be seen."""
        self._working.tell(text, fraction)
        shown = bool(text) and self.start_shown
        if shown != self._working.isVisible():
            self._working.setVisible(shown)
            self._working.place()

    def _place_offer(self, offer: QFrame, on_page: bool) -> None:
        """Left work is offered on the start page, or over the views; asked for only once."""
        was = offer.isHidden()
        if on_page:
            self.start.put_first(offer)
        else:
            offer.setParent(self)
            self._put_on_top(offer)
        offer.setVisible(not was)

    def _put_on_top(self, offer: QFrame) -> None:
        area = self.area.geometry()
        width = min(area.width() - 20, 760)
        height = max(offer.sizeHint().height(), offer.heightForWidth(width))
        offer.setGeometry(area.left() + (area.width() - width) // 2, area.top() + 8, width, height)
        offer.raise_()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the start page as large as the views, and what is offered at their top."""
        if event is None:
            return False
        offer = self._offer
        on_top = offer is not None and offer.parentWidget() is self
        if watched is offer:
            if offer is not None and on_top and event.type() == QEvent.Type.LayoutRequest:
                self._put_on_top(offer)  # its words have changed
        elif event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self.start.setGeometry(self.area.geometry())
            if self._page is not None:
                self._page.setGeometry(self.area.geometry())
            self._working.place()
            if offer is not None and on_top:
                self._put_on_top(offer)
        return False


class Drops(QObject):
    """Takes files dropped on a widget."""

    def __init__(self, dropped: Callable[[list[Path]], None]) -> None:
        super().__init__()
        self._dropped = dropped

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Accept local files and folders; leave the rest to others."""
        if isinstance(event, QDragEnterEvent) and _paths(event):
            event.acceptProposedAction()
            return True
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            paths = _paths(event)
            if paths:
                event.acceptProposedAction()
                self._dropped(paths)
                return True
        return False


def _paths(event: QDropEvent) -> list[Path]:
    data = event.mimeData()
    if data is None or not data.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
