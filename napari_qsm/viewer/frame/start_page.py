"""The start page: four ways to begin, and what was opened lately."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.session import recents
from napari_qsm.session.recents import Recent
from napari_qsm.viewer import ui
from napari_qsm.viewer.data.recovery_box import when_words

#: Name, text, explanation, what it does.
Choice = tuple[str, str, str, Callable[[], Any]]
_PICTURE = QSize(64, 64)
_STYLE = (
    "#qsm\\.welcome { background: #101418; }"
    " #qsm\\.welcome\\.recent_box { background: transparent; }"
    " #qsm\\.welcome QLabel { color: #e8edf2; background: transparent; }"
    " #qsm\\.welcome QPushButton { background: #1d2835; color: white; border: 1px solid #3d5874;"
    " border-radius: 8px; padding: 12px 18px; text-align: left; font-size: 16px; }"
    " #qsm\\.welcome QPushButton:hover { background: #2f5d8c; }"
    " #qsm\\.welcome QPushButton:focus { border: 2px solid #6fb1f5; }"
    " #qsm\\.welcome QPushButton[small=true] { font-size: 12px; padding: 4px 10px;"
    " border-radius: 4px; }"
    " #qsm\\.welcome QListWidget { background: #161c23; color: #e8edf2; border: 1px solid #2a3846;"
    " border-radius: 8px; padding: 4px; font-size: 13px; }"
    " #qsm\\.welcome QListWidget::item { padding: 5px; border-radius: 5px; color: #e8edf2; }"
    " #qsm\\.welcome QListWidget::item:disabled { color: #77828e; }"
    " #qsm\\.welcome QListWidget::item:hover { background: #22303e; }"
    " #qsm\\.welcome QListWidget::item:selected { background: #2f5d8c; color: white; }"
)


class StartPage(QFrame):
    """Over the empty views: choices on the left, recent work on the right.

    Parameters
    ----------
    parent : QWidget
        What it lies in.
    choices : list of Choice
        The large buttons.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget, choices: list[Choice]) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.welcome")
        self.setStyleSheet(_STYLE)
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(
            QLabel("<span style='font-size:22px'><b>Brain iron, from scan to figure</b></span>")
        )
        says = QLabel("Drop files or a folder anywhere in this window, or choose:")
        says.setWordWrap(True)
        left.addWidget(says)
        for name, text, explanation, call in choices:
            button = QPushButton(f"{text}\n{explanation}")
            button.setObjectName(f"qsm.welcome.{name}")
            button.setMinimumWidth(330)
            button.clicked.connect(lambda _=False, c=call: c())
            left.addWidget(button)
        left.addWidget(QLabel("<span style='color:#9fb0c0'>F1 shows keys and mouse.</span>"))
        left.addStretch(1)
        self._recent = self._build_recent()
        middle = QHBoxLayout()
        middle.setSpacing(28)
        middle.addStretch(1)
        middle.addLayout(left)
        middle.addWidget(self._recent, 3)
        middle.addStretch(1)
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(24, 20, 24, 20)
        self._outer.addStretch(1)
        self._outer.addLayout(middle, 4)
        self._outer.addStretch(1)
        self.hide()
        self.refresh()

    def _build_recent(self) -> QWidget:
        self._list = ui.named(QListWidget(), "qsm.welcome.recent")
        self._list.setIconSize(_PICTURE)
        self._list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setMinimumWidth(280)
        self._list.itemActivated.connect(self._on_item)
        self._list.itemClicked.connect(self._on_item)
        gone = ui.button(
            "Drop what is gone",
            "qsm.welcome.drop_gone",
            self._on_drop_gone,
            tip="Takes out of the list what can no longer be found",
        )
        forget = ui.button(
            "Clear the list",
            "qsm.welcome.clear",
            self._on_clear,
            tip="Forgets what was opened, with the pictures; files stay as they are",
        )
        for each in (gone, forget):
            each.setProperty("small", True)
        self._gone = gone
        box = ui.panel(
            ui.column(
                ui.row(QLabel("<b>Recent</b>"), None, gone, forget),
                (self._list, 1),
                spacing=6,
            )
        )
        box.setObjectName("qsm.welcome.recent_box")
        box.setMaximumWidth(620)
        return box

    def put_first(self, widget: QWidget) -> None:
        """Show a widget above everything else: work that a window left behind."""
        self._outer.insertWidget(0, widget)

    def refresh(self) -> None:
        """Read the list anew."""
        found = recents.listed()
        self._list.clear()
        there = [each.is_there for each in found]
        for recent, is_there in zip(found, there, strict=True):
            self._list.addItem(_item(recent, is_there))
        self._gone.setVisible(not all(there))
        self._recent.setVisible(bool(found))

    def _on_item(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))

    def _on_clear(self) -> None:
        recents.clear()
        self.refresh()

    def _on_drop_gone(self) -> None:
        for recent in recents.listed():
            if not recent.is_there:
                recents.forget(recent.paths)
        self.refresh()


def _item(recent: Recent, is_there: bool) -> QListWidgetItem:
    place = Path(recent.paths[0])
    first = ", ".join(recent.names) or place.name
    if recent.moment is not None:
        first += f" · {when_words(recent.moment)}"
    kind = "the study" if recent.is_study else "saved in" if recent.is_session else "from"
    more = f" and {len(recent.paths) - 1} more" if len(recent.paths) > 1 else ""
    third = f"{kind} {place.name}{more}" if is_there else f"no longer in {place.parent}"
    item = QListWidgetItem(f"{first}\n{recent.state or 'opened'}\n{third}")
    item.setData(Qt.ItemDataRole.UserRole, recent)
    item.setToolTip("\n".join(recent.paths))
    item.setIcon(QIcon(_picture(recent)))
    if not is_there:
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def _picture(recent: Recent) -> QPixmap:
    ground = QPixmap(_PICTURE)
    ground.fill(QColor("#0a0d10"))
    found = QPixmap(str(recent.thumbnail)) if recent.thumbnail is not None else QPixmap()
    return ground if found.isNull() else found
