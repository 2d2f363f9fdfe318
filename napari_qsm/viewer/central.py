"""What surrounds the views: a message line, the bar of running work, the empty state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.jobs import JobBar


class MessageBar(QFrame):
    """One sentence for the user, until it is closed or another one comes."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.message")
        self.setStyleSheet(
            "#qsm\\.message { background: #6b4a12; border-radius: 4px; }"
            " #qsm\\.message QLabel { color: white; background: transparent; }"
        )
        self._text = QLabel()
        self._text.setObjectName("qsm.message.text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QPushButton("Close")
        close.setObjectName("qsm.message.close")
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 6, 4)
        row.addWidget(self._text, 1)
        row.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence on show; empty if there is none."""
        return "" if self.isHidden() else self._text.text()

    def show_sentence(self, sentence: str) -> None:
        """Show a sentence."""
        self._text.setText(sentence)
        self.show()


class Welcome(QFrame):
    """Three large choices over the empty views."""

    def __init__(self, parent: QWidget, choices: list[tuple[str, str, str, Callable[[], Any]]]):
        super().__init__(parent)
        self.setObjectName("qsm.welcome")
        self.setStyleSheet(
            "#qsm\\.welcome { background: #101418; }"
            " #qsm\\.welcome QLabel { color: #e8edf2; background: transparent; }"
            " #qsm\\.welcome QPushButton { background: #1d2835; color: white; border: 1px solid"
            " #3d5874; border-radius: 8px; padding: 14px 20px; text-align: left; font-size: 16px; }"
            " #qsm\\.welcome QPushButton:hover { background: #2f5d8c; }"
            " #qsm\\.welcome QPushButton:focus { border: 2px solid #6fb1f5; }"
        )
        column = QVBoxLayout()
        column.setSpacing(10)
        title = QLabel("<span style='font-size:22px'><b>Brain iron, from scan to figure</b></span>")
        column.addWidget(title)
        column.addWidget(QLabel("Drop files or a folder anywhere in this window, or choose:"))
        for name, text, explanation, call in choices:
            button = QPushButton(f"{text}\n{explanation}")
            button.setObjectName(f"qsm.welcome.{name}")
            button.setMinimumWidth(380)
            button.clicked.connect(lambda _=False, c=call: c())
            column.addWidget(button)
        column.addWidget(QLabel("<span style='color:#9fb0c0'>F1 shows keys and mouse.</span>"))
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addLayout(column)
        middle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addStretch(1)
        outer.addLayout(middle)
        outer.addStretch(1)


class CentralArea(QWidget):
    """Message line, views and job bar, one above the other; takes files dropped on it."""

    def __init__(self, area: ViewArea, dropped: Callable[[list[Path]], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.stage")
        self.area = area
        self.message = MessageBar()
        self.jobs = JobBar()
        self.drops = Drops(dropped)
        self.setAcceptDrops(True)
        self.installEventFilter(self.drops)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.message)
        layout.addWidget(area, 1)
        layout.addWidget(self.jobs)
        area.installEventFilter(self)

    def offer(self, choices: list[tuple[str, str, str, Callable[[], Any]]]) -> None:
        """Show what an empty window offers: name, text, explanation, what it does."""
        self.welcome = Welcome(self, choices)
        self.show_welcome(True)

    def put_above(self, widget: QWidget) -> None:
        """Show a widget above everything else."""
        layout = self.layout()
        if isinstance(layout, QVBoxLayout):
            layout.insertWidget(0, widget)

    def show_welcome(self, shown: bool) -> None:
        """Offer the three choices, or the views."""
        self.welcome.setGeometry(self.area.geometry())
        self.welcome.setVisible(shown)
        if shown:
            self.welcome.raise_()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the empty state as large as the views."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self.welcome.setGeometry(self.area.geometry())
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
