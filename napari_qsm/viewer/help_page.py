"""The page of keys and mouse actions, made from the register of commands."""

from __future__ import annotations

from itertools import groupby

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QFrame, QLabel, QWidget

from napari_qsm.viewer import ui
from napari_qsm.viewer.command import MENUS
from napari_qsm.viewer.key_sets import digits
from napari_qsm.viewer.keys import Keys

#: Keys of napari that a reader needs most; they keep doing what they do.
_NAPARI_KEYS = (
    ("← →", "previous and next slice of the large view"),
    ("Ctrl R", "whole field of view"),
    ("V", "chosen map shown or hidden"),
)
_MOUSE = (
    ("click or drag", "crosshair"),
    ("wheel", "slices"),
    ("Ctrl wheel, right drag", "zoom"),
    ("Ctrl drag", "brightness and contrast; Ctrl double click: back"),
    ("middle drag, Shift drag", "move the picture"),
    ("double click", "make this view the large one"),
    ("Alt click", "choose the region under the pointer"),
    ("right button, drawing", "erase; a polygon: take a corner out, close it"),
    ("arrows, Move in hand", "the outline, or the region, by a voxel"),
)
_TITLES = {
    **dict.fromkeys(MENUS["View"], "Views"),
    **dict.fromkeys(MENUS["File"] + MENUS["Edit"] + MENUS["Help"] + MENUS["Study"], "Program"),
    "Drawing": "Drawing",
}
_MARGIN = 24
_ON_THE_TAB = " (while the Regions tab is on show)"


class HelpPage(QFrame):
    """All keys and mouse actions, over the window; a click or any key puts it away."""

    def __init__(self, parent: QWidget, keys: Keys) -> None:
        super().__init__(parent)
        self._keys = keys
        self.setObjectName("qsm.help")
        self.setStyleSheet(
            "#qsm\\.help { background: rgba(16, 20, 26, 235); border: 1px solid #5a8fc0;"
            " border-radius: 8px; } QLabel { color: #f2f2f2; background: transparent; }"
        )
        self._text = ui.named(QLabel(), "qsm.help.text")
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self.setLayout(ui.column(self._text, margins=(_MARGIN, 16, _MARGIN, 16)))
        self._text.setText(_page(keys))
        parent.installEventFilter(self)
        self.hide()

    def open(self) -> None:
        """Show the page in the middle of the window."""
        self._text.setText(_page(self._keys))
        self._text.setWordWrap(False)
        wanted, room = self._text.sizeHint().width(), self.window().width() - 2 * _MARGIN
        self._text.setWordWrap(wanted > room)
        self._text.setFixedWidth(min(wanted, room))
        self.adjustSize()
        self._place()
        self.show()
        self.raise_()
        self.setFocus()

    def _place(self) -> None:
        window = self.window()
        self.move(
            max((window.width() - self.width()) // 2, 0),
            max((window.height() - self.height()) // 2, 0),
        )

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay in the middle."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Put it away."""
        self.hide()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Put it away."""
        self.hide()


def _page(keys: Keys) -> str:
    left = [_table("Mouse", _MOUSE), _table("napari's own keys", _NAPARI_KEYS)]
    parts: dict[str, list[tuple[str, str]]] = {}
    for command, key in keys.bound:
        title = _TITLES.get(command.group, command.group)
        parts.setdefault(title, []).append((key, command.title))
    drawing = "Drawing" if keys.are_ours else f"Drawing{_ON_THE_TAB}"
    middle = [_table(drawing, _merged(parts.pop("Drawing", [])))]
    middle += [f"<p>{digits({command.id: key for command, key in keys.bound})}</p>"]
    right = [_table(title, _merged(rows)) for title, rows in parts.items()]
    columns = "".join(
        f"<td style='padding-right:26px' valign='top'>{''.join(each)}</td>"
        for each in (left, middle, right)
    )
    return (
        "<div style='font-size:12px'><h3>Keys and mouse</h3>"
        f"<table><tr>{columns}</tr></table></div>"
    )


def _merged(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rows as they are read: commands that differ by a number alone share one."""
    merged = []
    for _, group in groupby(rows, key=lambda row: "".join(c for c in row[1] if not c.isdigit())):
        first, *others = group
        if others:
            first = (f"{first[0]} – {others[-1][0]}", first[1].replace(" 1 ", " 1, 2, … "))
        merged.append(first)
    return [(_spaced(key), does) for key, does in merged]


def _spaced(key: str) -> str:
    return key.replace("Page", "Page ").replace("+", " ").replace("Escape", "Esc")


def _table(title: str, rows: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> str:
    lines = "".join(
        f"<tr><td style='padding:0 14px 0 0'><b>{key}</b></td><td>{does}</td></tr>"
        for key, does in rows
    )
    return f"<p style='margin:5px 0 1px 0; color:#8fc3ff'><b>{title}</b></p><table>{lines}</table>"
