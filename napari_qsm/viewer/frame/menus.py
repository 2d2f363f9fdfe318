"""The menus, made from the register of commands.

In a window of our own they are the menu bar, and napari's become one submenu; in plain napari
they are submenus of one menu, QSM, beside napari's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from app_model.backends.qt import QKeyBindingSequence
from app_model.types import KeyBinding
from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QMenu, QMenuBar, QWidget

from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.command import MENUS, Command

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace

_NAPARI = "napari"


class Menus:
    """Menus of all commands; what makes no sense now is grey.

    Parameters
    ----------
    workspace : Workspace
        Whose window gets them.
    commands : sequence of Command
        In their order.
    run : callable
        Does what a command does.
    enabled : callable
        Whether a command makes sense now.
    """

    def __init__(
        self,
        workspace: Workspace,
        commands: tuple[Command, ...],
        run: Callable[[str], None],
        enabled: Callable[[Command], bool],
    ) -> None:
        self._workspace, self._commands = workspace, commands
        self._run, self._enabled = run, enabled
        self._viewer = workspace.viewer
        self._actions: dict[str, QAction] = {}
        self._top: list[QMenu] = []
        self._folded: compat.FoldedMenus | None = None
        bar = compat.qt_window(self._viewer).menuBar()
        if workspace.owns_viewer:
            napari = ui.named(QMenu(_NAPARI, bar), "qsm.menu.napari")
            self._folded = compat.fold_menus(self._viewer, napari)
            for title in MENUS:
                menu = self._menu(title, f"&{title}", bar)
                if title == "View":
                    menu.addSeparator()
                    menu.addMenu(napari)
                    self._top.append(napari)
                bar.addMenu(menu)
                self._top.append(menu)
        else:
            whole = ui.named(QMenu("&QSM", bar), "qsm.menu")
            for title in MENUS:
                whole.addMenu(self._menu(title, title, whole))
            bar.addMenu(whole)
            self._top.append(whole)

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the key of each command beside it; who acts on keys is another matter."""
        for name, action in self._actions.items():
            key = keys.get(name)
            action.setShortcut(
                QKeyBindingSequence(KeyBinding.from_str(key)) if key else QKeySequence()
            )

    def take_keys(self, keys: Iterable[str]) -> None:
        """Take these keys from napari's menus; earlier ones go back."""
        if self._folded is not None:
            self._folded.take_keys(keys)

    def dispose(self) -> None:
        """Take the menus away and give napari its own back."""
        bar: QMenuBar = compat.qt_window(self._viewer).menuBar()
        for menu in self._top:
            bar.removeAction(menu.menuAction())
        if self._folded is not None:
            self._folded.restore()
        for menu in self._top:
            menu.setParent(None)
            menu.deleteLater()
        self._top.clear()
        self._actions.clear()

    def _menu(self, title: str, text: str, parent: QWidget) -> QMenu:
        menu = ui.named(QMenu(text, parent), f"qsm.menu.{title.lower()}")
        menu.setToolTipsVisible(True)
        mine: list[Command] = []
        within: dict[str, QMenu] = {}
        for group in MENUS[title]:
            here = [each for each in self._commands if each.group == group]
            if mine and here:
                menu.addSeparator()
            for command in here:
                place = menu
                if command.submenu:
                    known = within.get(command.submenu)
                    place = known or QMenu(command.submenu, menu)
                    if known is None:
                        within[command.submenu] = place
                        menu.addMenu(place)
                self._add(place, command)
            mine += here
        menu.aboutToShow.connect(partial(self._refresh, mine))
        return menu

    def _add(self, menu: QMenu, command: Command) -> None:
        if command.fill is not None:
            own = ui.named(QMenu(command.title_now(self._workspace), menu), command.id)
            own.setToolTipsVisible(True)
            own.aboutToShow.connect(partial(self._fill, command, own))
            action = menu.addMenu(own)
        else:
            action = QAction(command.title_now(self._workspace), menu)
            action.setObjectName(command.id)
            action.setCheckable(command.is_on is not None)
            # Shown here; Keys acts on them, never a field that one types in.
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.setMenuRole(QAction.MenuRole.NoRole)  # macOS would move some by their words
            action.triggered.connect(partial(self._on_triggered, command.id))
            menu.addAction(action)
        if action is not None:
            self._actions[command.id] = action

    def _on_triggered(self, command_id: str, checked: bool = False) -> None:
        self._run(command_id)

    def _fill(self, command: Command, menu: QMenu) -> None:
        menu.clear()
        if command.fill is not None:
            command.fill(self._workspace, menu)

    def _refresh(self, commands: list[Command]) -> None:
        for command in commands:
            action = self._actions.get(command.id)
            if action is None:
                continue
            action.setText(command.title_now(self._workspace).replace("&", "&&"))
            action.setEnabled(self._enabled(command))
            if command.is_on is not None:
                action.setChecked(command.is_on(self._workspace))
