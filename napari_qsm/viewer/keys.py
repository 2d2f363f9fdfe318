"""Keys and mouse of the workspace, beside napari's own, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from napari_qsm.viewer import commands

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.workspace import Workspace


@dataclass(frozen=True)
class Key:
    """One key of ours."""

    key: str
    does: str
    call: Callable[[Workspace], Any]


KEYS: tuple[Key, ...] = (
    Key("PageUp", "next slice up in the view last used", lambda w: commands.step(w, 1)),
    Key("PageDown", "next slice down", lambda w: commands.step(w, -1)),
    Key("N", "next map", commands.next_map),
    Key("Shift-N", "next case: another patient or visit", commands.next_case),
    Key("K", "flicker between two maps", lambda w: commands.flicker(w.services)),
    Key("J", "old or new result of the reconstruction", commands.flip_result),
    Key("G", "grey, inverted, colour, both sides", commands.next_colouring),
    Key("U", "ppm or ppb", commands.toggle_unit),
    Key("H", "crosshair shown or hidden", commands.toggle_crosshair),
    Key("W", "another plane becomes the large one", commands.swap_planes),
    Key("Q", "large view alone or all three", commands.toggle_alone),
    Key("Home", "views centred on the crosshair", commands.centre),
    Key("F1", "this page", lambda w: w.toggle_help()),
)

#: Keys of napari that a reader needs most; they keep doing what they do.
_NAPARI_KEYS = (
    ("← →", "previous and next slice of the large view"),
    ("Ctrl R", "whole field of view"),
    ("V", "chosen map shown or hidden"),
    ("Ctrl Z, Ctrl Shift Z", "undo, redo"),
)
_MOUSE = (
    ("click or drag", "crosshair"),
    ("wheel", "slices"),
    ("Ctrl wheel, right drag", "zoom"),
    ("middle drag, Shift drag", "move the picture"),
    ("double click", "make this view the large one"),
    ("Alt click", "choose the region under the pointer"),
)
#: Bound by the Regions tab, and only while it is on show.
_REGION_KEYS = (
    ("1 – 9", "choose a region of the list"),
    ("B", "brush"),
    ("X", "eraser, and back to the brush"),
    ("[ ]", "narrower, wider brush"),
    ("Enter, Backspace", "close a polygon, take its last corner back"),
    ("Esc", "give up an outline, put the tool away"),
)


def taken_keys() -> set[str]:
    """Keys napari uses now, with whatever its user has changed."""
    shortcuts = get_settings().shortcuts.shortcuts
    return {str(key) for keys in shortcuts.values() for key in keys}


class Keys:
    """Binds our keys in a viewer; a key napari uses already stays napari's."""

    def __init__(self, workspace: Workspace) -> None:
        self._viewer = workspace.viewer
        self._entered = workspace.controller.entered
        self.last_view: SliceView | None = None
        self._entered.connect(self._on_entered)
        self.bound: list[Key] = []
        taken = taken_keys()
        for key in KEYS:
            if key.key in taken or any(str(k) == key.key for k in self._viewer.keymap):
                continue
            self._viewer.bind_key(key.key, self._handler(workspace, key))
            self.bound.append(key)
        history = workspace.session.history
        self._undo = {
            "Control-Z": lambda _: history.undo(),
            "Control-Shift-Z": lambda _: history.redo(),
        }
        for name, call in self._undo.items():
            self._viewer.bind_key(name, call, overwrite=True)

    @staticmethod
    def _handler(workspace: Workspace, key: Key) -> Callable[[Any], None]:
        def pressed(viewer: Any) -> None:
            key.call(workspace)

        return pressed

    def _on_entered(self, view: SliceView) -> None:
        self.last_view = view

    def dispose(self) -> None:
        """Give the keys back."""
        self._entered.disconnect(self._on_entered)
        self.last_view = None
        for key in self.bound:
            self._viewer.bind_key(key.key, None)
        self.bound.clear()
        for name in self._undo:
            self._viewer.bind_key(name, None)


class HelpPage(QFrame):
    """All keys and mouse actions, over the views; a click or any key puts it away."""

    def __init__(self, parent: QWidget, bound: list[Key]) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.help")
        self.setStyleSheet(
            "#qsm\\.help { background: rgba(16, 20, 26, 235); border: 1px solid #5a8fc0;"
            " border-radius: 8px; } QLabel { color: #f2f2f2; background: transparent; }"
        )
        text = QLabel(_page(bound))
        text.setTextFormat(Qt.TextFormat.RichText)
        text.setObjectName("qsm.help.text")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 20, 28, 20)
        layout.addWidget(text)
        self._canvas = parent
        parent.installEventFilter(self)
        self.hide()

    def open(self) -> None:
        """Show the page in the middle of the views."""
        self.adjustSize()
        self._place()
        self.show()
        self.raise_()
        self.setFocus()

    def _place(self) -> None:
        self.move(
            max((self._canvas.width() - self.width()) // 2, 0),
            max((self._canvas.height() - self.height()) // 2, 0),
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


def _page(bound: list[Key]) -> str:
    def table(title: str, rows: list[tuple[str, str]]) -> str:
        lines = "".join(
            f"<tr><td style='padding:2px 18px 2px 0'><b>{key}</b></td>"
            f"<td style='padding:2px 0'>{does}</td></tr>"
            for key, does in rows
        )
        return (
            f"<p style='margin:8px 0 2px 0; color:#8fc3ff'><b>{title}</b></p><table>{lines}</table>"
        )

    ours = [(key.key.replace("Page", "Page "), key.does) for key in bound]
    left = table("Mouse", list(_MOUSE)) + table("napari's own keys", list(_NAPARI_KEYS))
    return (
        "<h3>Keys and mouse</h3><table><tr>"
        f"<td style='padding-right:40px' valign='top'>{left}</td>"
        f"<td valign='top'>{table('Keys', ours)}"
        f"{table('On the Regions tab', list(_REGION_KEYS))}</td></tr></table>"
    )
