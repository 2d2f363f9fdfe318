"""Commands under the user's hand: keys, menu, palette, and keys of one's own choice.

The register is :data:`~napari_qsm.viewer.commands.COMMANDS`. A key that napari uses in its views
stays napari's; keys of a program (Ctrl+S) are taken from napari's menus in a window of our own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from app_model.backends.qt import QKeyBindingSequence, QModelKeyBindingEdit
from app_model.expressions import parse_expression
from app_model.types import KeyBinding, KeyCode
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QShortcut,
    QWidget,
)

from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.command import TAB_GROUPS, Command
from napari_qsm.viewer.commands import COMMANDS, state_of
from napari_qsm.viewer.frame.menus import Menus

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.workspace import Workspace

_SETTING = "keys"
#: Napari's own undo knows only its layers; the session's one history takes these keys over.
_OVER = frozenset({"qsm.undo", "qsm.redo"})


def taken_keys() -> set[str]:
    """Keys napari uses now, with whatever its user has changed."""
    shortcuts = get_settings().shortcuts.shortcuts
    return {str(key) for keys in shortcuts.values() for key in keys}


def chosen_keys() -> dict[str, str]:
    """The key of each command: the user's choice, or the one it comes with."""
    known = load_settings().get(_SETTING)
    known = known if isinstance(known, dict) else {}
    keys = {each.id: known.get(each.id, each.key) for each in COMMANDS}
    # A damaged settings file must not keep the window from opening.
    return {
        each: key if isinstance(key, str) and _is_key(key) else "" for each, key in keys.items()
    }


def _is_key(key: str) -> bool:
    parts = KeyBinding.from_str(key).parts
    return len(parts) == 1 and parts[0].key != KeyCode.UNKNOWN


class Keys:
    """Binds commands in a window, and lets the user find them and change their keys.

    Attributes
    ----------
    bound : list of (Command, str)
        Commands that have a key here, with that key.
    last_view : SliceView or None
        The view the mouse was last in.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._viewer = workspace.viewer
        self.last_view: SliceView | None = None
        self.bound: list[tuple[Command, str]] = []
        self._shortcuts: list[tuple[QShortcut, Command]] = []
        self._needs = {c.id: parse_expression(c.needs) for c in COMMANDS if c.needs}
        self._subscriptions = ui.Subscriptions()
        self._subscriptions.connect(workspace.controller.entered, to=self._on_entered)
        self._subscriptions.connect(
            workspace.panels.regions.paint.painter.changed, to=self._refresh_shortcuts
        )
        self._menus = Menus(workspace, COMMANDS, self.run, self.enabled)
        self._bind()

    def dispose(self) -> None:
        """Give the keys and the menu back."""
        self._subscriptions.dispose()
        self._unbind()
        self._menus.dispose()
        self.last_view = None

    # -- binding --------------------------------------------------------------------------

    def _bind(self) -> None:
        taken, keys = taken_keys(), chosen_keys()
        for command in COMMANDS:
            key = keys[command.id]
            if key and self._bind_one(command, key, taken):
                self.bound.append((command, key))
        if self._workspace.owns_viewer:
            self._menus.take_keys(key for command, key in self.bound if command.reach != "views")
        self._menus.show_keys({command.id: key for command, key in self.bound})
        self._refresh_shortcuts()

    def _bind_one(self, command: Command, key: str, taken: set[str]) -> bool:
        if command.group in TAB_GROUPS:
            self._hear(command, key, self._workspace.panels.regions)
            return True
        if command.reach != "views" and self._workspace.owns_viewer:
            self._hear(command, key, compat.qt_window(self._viewer))
            return True
        over = command.id in _OVER
        if command.reach == "program" or (not over and self._is_taken(key, taken)):
            return False

        def pressed(viewer: Any) -> None:
            command.call(self._workspace)

        self._viewer.bind_key(key, pressed, overwrite=over)
        return True

    def _is_taken(self, key: str, taken: set[str]) -> bool:
        return key in taken or any(str(each) == key for each in self._viewer.keymap)

    def _hear(self, command: Command, key: str, widget: QWidget) -> None:
        """Let a widget, and all that is in its window, hear a key."""
        both = [QKeySequence(Qt.Key.Key_Return), QKeySequence(Qt.Key.Key_Enter)]
        one = [QKeyBindingSequence(KeyBinding.from_str(key))]
        for sequence in both if key == "Enter" else one:
            shortcut = QShortcut(sequence, widget)
            shortcut.activated.connect(partial(self._on_heard, command))
            shortcut.activatedAmbiguously.connect(partial(self._on_heard, command))
            self._shortcuts.append((shortcut, command))

    def _on_heard(self, command: Command) -> None:
        if self.enabled(command):
            command.call(self._workspace)

    def _unbind(self) -> None:
        in_views = {each for shortcut, each in self._shortcuts}
        for command, key in self.bound:
            if command not in in_views:
                self._viewer.bind_key(key, None)
        self.bound.clear()
        for shortcut, _ in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts.clear()

    def _on_entered(self, view: SliceView) -> None:
        self.last_view = view

    def _refresh_shortcuts(self) -> None:
        """Keys that a field of the tab needs itself are taken only while they mean something."""
        state = state_of(self._workspace)
        for shortcut, command in self._shortcuts:
            if command.group in TAB_GROUPS:
                needs = self._needs.get(command.id)
                shortcut.setEnabled(needs is None or bool(needs.eval(state)))

    # -- what the user does ---------------------------------------------------------------

    def enabled(self, command: Command) -> bool:
        """Whether a command makes sense now."""
        needs = self._needs.get(command.id)
        return needs is None or bool(needs.eval(state_of(self._workspace)))

    def run(self, command_id: str) -> None:
        """Do what a command does."""
        next(each for each in COMMANDS if each.id == command_id).call(self._workspace)

    def open_palette(self) -> None:
        """Let the user find a command by typing a part of its name."""
        palette = Palette(self, compat.qt_window(self._viewer))
        palette.show()
        palette.text.setFocus()

    def edit(self) -> None:
        """Let the user choose keys."""
        KeyEditor(self, compat.qt_window(self._viewer)).show()

    def set_key(self, command: Command, key: str) -> str:
        """Give a command another key, for good; returns why not, or an empty sentence."""
        keys = chosen_keys()
        other = next((c for c in COMMANDS if c is not command and key and keys[c.id] == key), None)
        if other is not None:
            return f"'{key}' already means: {other.title}."
        on_canvas = command.group not in TAB_GROUPS and command.id not in _OVER
        on_canvas &= command.reach == "views" or not self._workspace.owns_viewer
        if key and on_canvas and key in taken_keys():
            return f"'{key}' is a key of napari's."
        own = load_settings().get(_SETTING)
        own = dict(own) if isinstance(own, dict) else {}
        own[command.id] = key
        if key == command.key:
            del own[command.id]
        self._keep(own)
        return ""

    def reset(self) -> None:
        """Give every command the key it comes with."""
        self._keep({})

    def _keep(self, own: dict[str, str]) -> None:
        save_settings({_SETTING: own})
        self._unbind()
        self._bind()


class Palette(QDialog):
    """All commands; typing narrows them, Enter does the one that is marked."""

    def __init__(self, keys: Keys, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.palette")
        self.setWindowTitle("Find a command")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(440, 360)
        self._keys = keys
        self.text = ui.line("qsm.palette.text", example="Type a part of its name")
        self.text.textChanged.connect(self._fill)
        self.text.installEventFilter(self)
        self.list = ui.named(QListWidget(), "qsm.palette.list")
        self.list.itemActivated.connect(self._on_item)
        self.list.itemClicked.connect(self._on_item)
        self.setLayout(ui.column(self.text, self.list, spacing=6, margins=(8, 8, 8, 8)))
        self._fill("")

    def _fill(self, text: str) -> None:
        """Show the commands that have every word of the text."""
        words = text.casefold().split()
        keys = {command.id: key for command, key in self._keys.bound}
        self.list.clear()
        for command in COMMANDS:
            if not all(word in f"{command.group} {command.title}".casefold() for word in words):
                continue
            key = keys.get(command.id)
            title = command.title[0].upper() + command.title[1:]
            item = QListWidgetItem(f"{title}   [{key}]" if key else title)
            item.setData(Qt.ItemDataRole.UserRole, command.id)
            if not self._keys.enabled(command):
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        usable = Qt.ItemFlag.ItemIsEnabled
        rows = range(self.list.count())
        first = next((r for r in rows if self.list.item(r).flags() & usable), -1)
        self.list.setCurrentRow(first)

    def _on_item(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            command = str(item.data(Qt.ItemDataRole.UserRole))
            self.close()
            self._keys.run(command)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Arrows go through the list while the text has the keyboard."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                self.list.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._on_item(self.list.currentItem())
                return True
        return False


class KeyEditor(QDialog):
    """The key of every command, to be changed by pressing another one."""

    def __init__(self, keys: Keys, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.keys")
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(520, 560)
        self._keys = keys
        self._fields: dict[str, QModelKeyBindingEdit] = {}
        grid = QGridLayout()
        chosen = chosen_keys()
        for row, command in enumerate(COMMANDS):
            title = f"{command.group}: {command.title}"
            field = ui.named(QModelKeyBindingEdit(), f"qsm.keys.{command.id.removeprefix('qsm.')}")
            field.setMaximumWidth(150)
            _show_key(field, chosen[command.id])
            field.editingFinished.connect(partial(self._on_key, command))
            none = ui.button(
                "No key", f"{field.objectName()}.none", partial(self._set, command, "")
            )
            for place, widget in enumerate((QLabel(title), field, none)):
                grid.addWidget(widget, row, place)
            self._fields[command.id] = field
        self._says = ui.label(
            "Click a field and press a key. Keys of napari's stay napari's.", "qsm.keys.says"
        )
        reset = ui.button("Back to the keys it came with", "qsm.keys.reset", self._on_reset)
        close = ui.button("Close", "qsm.keys.close", self.close)
        for each in self.findChildren(QWidget):
            each.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setLayout(
            ui.column(
                ui.scrolled(ui.panel(grid)), self._says, ui.row(reset, None, close),
                spacing=6, margins=(10, 10, 10, 10),
            )
        )  # fmt: skip

    def _on_key(self, command: Command) -> None:
        binding = self._fields[command.id].keyBinding()
        # One key: what was pressed after it within a second is not part of it.
        self._set(command, "" if binding is None else str(binding.part0))

    def _set(self, command: Command, key: str) -> None:
        if key != chosen_keys()[command.id]:
            self._says.setText(self._keys.set_key(command, key) or "Kept.")
        self._refresh()

    def _on_reset(self) -> None:
        self._keys.reset()
        self._says.setText("All keys are as they came.")
        self._refresh()

    def _refresh(self) -> None:
        for key, name in chosen_keys().items():
            _show_key(self._fields[key], name)


def _show_key(field: QModelKeyBindingEdit, key: str) -> None:
    with ui.signals_blocked(field):
        if key:
            field.setKeySequence(QKeyBindingSequence(KeyBinding.from_str(key)))
        else:
            field.clear()
