"""Commands under the user's hand: keys, menu, palette, and keys of one's own choice.

The register is :data:`~napari_qsm.viewer.commands.COMMANDS`. In a window of our own keys are ours,
in all of it: napari's menus give theirs up, and fields that one types in keep what they need. In
plain napari a key that napari uses stays napari's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from app_model.backends.qt import QKeyBindingSequence
from app_model.expressions import parse_expression
from app_model.types import KeyBinding
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QListWidget,
    QListWidgetItem,
    QShortcut,
    QWidget,
)

from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.command import TAB_GROUPS, Command
from napari_qsm.viewer.commands import COMMANDS, state_of
from napari_qsm.viewer.frame.menus import Menus
from napari_qsm.viewer.key_editor import KeyEditor
from napari_qsm.viewer.key_sets import choose_key, choose_set, chosen_keys, key_set, taken_keys

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.workspace import Workspace

#: Napari's own undo knows only its layers; the session's one history takes these keys over.
_OVER = frozenset({"qsm.undo", "qsm.redo"})


class _Release(QObject):
    """Tells, wherever the keyboard is, that a key was let go or can no longer be heard."""

    def __init__(self, key: int, call: Callable[[], None]) -> None:
        super().__init__()
        self._key, self._call = key, call
        QApplication.instance().installEventFilter(self)

    def stop(self) -> None:
        """Listen no longer."""
        QApplication.instance().removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look at keys that come up; keep nothing from its receiver."""
        if event is None:
            return False
        gone = event.type() in (QEvent.Type.WindowDeactivate, QEvent.Type.ApplicationDeactivate)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyRelease:
            gone = event.key() == self._key and not event.isAutoRepeat()
        if gone:
            self._call()
        return False


class Keys:
    """Binds commands in a window, and lets the user find them and change their keys.

    Attributes
    ----------
    bound : list of (Command, str)
        Commands that have a key here, with that key.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._viewer = workspace.viewer
        self._last_view: SliceView | None = None
        self.bound: list[tuple[Command, str]] = []
        self._shortcuts: list[tuple[QShortcut, Command]] = []
        self._held: tuple[Command, _Release] | None = None
        self._needs = {c.id: parse_expression(c.needs) for c in COMMANDS if c.needs}
        self._subscriptions = ui.Subscriptions()
        self._subscriptions.connect(workspace.controller.entered, to=self._on_entered)
        self._subscriptions.connect(
            workspace.panels.regions.paint.painter.changed,
            workspace.controller.tool_changed,
            to=self._refresh_shortcuts,
        )
        self._menus = Menus(workspace, COMMANDS, self.run, self.enabled)
        self._bind()

    def dispose(self) -> None:
        """Give the keys and the menu back."""
        self._subscriptions.dispose()
        self._unbind()
        self._menus.dispose()
        self._last_view = None

    # -- binding --------------------------------------------------------------------------

    @property
    def are_ours(self) -> bool:
        """Whether the window is our own, so that no key of it is napari's."""
        return self._workspace.owns_viewer

    def _bind(self) -> None:
        taken, keys = taken_keys(), chosen_keys()
        for command in COMMANDS:
            key = keys[command.id]
            if key and self._bind_one(command, key, taken):
                self.bound.append((command, key))
        if self.are_ours:
            self._menus.take_keys(key for _, key in self.bound)
        self._menus.show_keys({command.id: key for command, key in self.bound})
        self._refresh_shortcuts()

    def _bind_one(self, command: Command, key: str, taken: set[str]) -> bool:
        if self.are_ours:
            window = compat.qt_window(self._viewer)
            self._hear(command, key, self._workspace.central if command.release else window)
            return True
        if command.group in TAB_GROUPS and command.release is None:
            self._hear(command, key, self._workspace.panels.regions)
            return True
        over = command.id in _OVER
        if command.reach == "program" or (not over and self._is_taken(key, taken)):
            return False

        def pressed(viewer: Any) -> Iterator[None] | None:
            return _pressed(command, self._workspace)

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
            if command.release is not None:
                shortcut.setAutoRepeat(False)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._on_heard, command))
            shortcut.activatedAmbiguously.connect(partial(self._on_heard, command))
            self._shortcuts.append((shortcut, command))

    def _on_heard(self, command: Command) -> None:
        if not self.enabled(command):
            return
        command.call(self._workspace)
        if command.release is not None:
            self._let_go()
            key = KeyBinding.from_str(chosen_keys()[command.id])
            code = QKeyBindingSequence(key)[0]
            self._held = command, _Release(_key_of(code), self._let_go)

    def _let_go(self) -> None:
        """The key that is held was let go."""
        held, self._held = self._held, None
        if held is not None:
            command, listening = held
            listening.stop()
            if command.release is not None:
                command.release(self._workspace)

    def _unbind(self) -> None:
        self._let_go()
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
        self._last_view = view

    def _refresh_shortcuts(self) -> None:
        """Keys that a field of the tab needs itself are taken only while they mean something."""
        state = state_of(self._workspace)
        for shortcut, command in self._shortcuts:
            if command.group in TAB_GROUPS and command.needs:
                needs = self._needs.get(command.id)
                shortcut.setEnabled(needs is None or bool(needs.eval(state)))

    @property
    def view(self) -> SliceView:
        """The view the mouse was last in; the large one if the layout has since hidden that."""
        controller, view = self._workspace.controller, self._last_view
        if view is None or view not in controller.views or not view.widget.isVisible():
            return controller.main
        return view

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
        if key and on_canvas and not self.are_ours and key in taken_keys():
            return f"'{key}' is a key of napari's."
        choose_key(command, key)
        self._bind_anew()
        return ""

    def use_set(self, name: str) -> None:
        """Give every command the key of a set; see :data:`~napari_qsm.viewer.key_sets.KEY_SETS`."""
        choose_set(name)
        self._bind_anew()

    def reset(self) -> None:
        """Give every command the key of the set in use."""
        self.use_set(key_set())

    def _bind_anew(self) -> None:
        self._unbind()
        self._bind()


def _pressed(command: Command, workspace: Workspace) -> Iterator[None] | None:
    """What napari calls for a key: the rest of an iterator when it is let go."""
    if command.release is None:
        command.call(workspace)
        return None
    return _held(command, workspace)


def _held(command: Command, workspace: Workspace) -> Iterator[None]:
    command.call(workspace)
    yield
    if command.release is not None:
        command.release(workspace)


def _key_of(code: Any) -> int:
    """The key without its modifiers, under Qt 5 and 6."""
    if hasattr(code, "key"):
        return int(getattr(code.key(), "value", code.key()))
    mask = int(getattr(Qt.KeyboardModifier.KeyboardModifierMask, "value", 0)) or int(
        Qt.KeyboardModifier.KeyboardModifierMask
    )
    return int(code) & ~mask


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
