"""The key of every command, to be changed by pressing another one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app_model.backends.qt import QKeyBindingSequence, QModelKeyBindingEdit
from app_model.types import KeyBinding
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from napari_qsm.viewer import ui
from napari_qsm.viewer.command import Command
from napari_qsm.viewer.commands import COMMANDS
from napari_qsm.viewer.key_sets import KEY_SETS, chosen_keys, digits, key_set

if TYPE_CHECKING:
    from napari_qsm.viewer.keys import Keys


class KeyEditor(QDialog):
    """Sets of keys to start from, and a field for each command."""

    def __init__(self, keys: Keys, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.keys")
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(520, 560)
        self._keys = keys
        self._fields: dict[str, QModelKeyBindingEdit] = {}
        self._set_box = ui.combo(
            "qsm.keys.set",
            self._on_set,
            KEY_SETS.items(),
            tip="Takes all keys from a set; keys that you have changed are forgotten",
        )
        self._digits = ui.quiet("", "qsm.keys.digits")
        grid = QGridLayout()
        for row, command in enumerate(COMMANDS):
            title = f"{command.group}: {command.title}"
            field = ui.named(QModelKeyBindingEdit(), f"qsm.keys.{command.id.removeprefix('qsm.')}")
            field.setMaximumWidth(150)
            field.editingFinished.connect(partial(self._on_key, command))
            none = ui.button(
                "No key", f"{field.objectName()}.none", partial(self._set, command, "")
            )
            for place, widget in enumerate((QLabel(title), field, none)):
                grid.addWidget(widget, row, place)
            self._fields[command.id] = field
        self._says = ui.label(
            "Click a field and press a key."
            if keys.are_ours
            else "Click a field and press a key. Keys of napari's stay napari's.",
            "qsm.keys.says",
        )
        reset = ui.button("Back to the keys of the set", "qsm.keys.reset", self._on_reset)
        close = ui.button("Close", "qsm.keys.close", self.close)
        for each in self.findChildren(QWidget):
            each.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setLayout(
            ui.column(
                ui.row(QLabel("Keys as in"), self._set_box),
                self._digits,
                ui.scrolled(ui.panel(grid)),
                self._says,
                ui.row(reset, None, close),
                spacing=6,
                margins=(10, 10, 10, 10),
            )
        )
        self._refresh()

    def _on_set(self, name: str) -> None:
        self._keys.use_set(name)
        self._says.setText(f"The keys are those of {KEY_SETS[name]}.")
        self._refresh()

    def _on_key(self, command: Command) -> None:
        binding = self._fields[command.id].keyBinding()
        # One key: what was pressed after it within a second is not part of it.
        self._set(command, "" if binding is None else str(binding.part0))

    def _set(self, command: Command, key: str) -> None:
        if key != chosen_keys()[command.id]:
            self._says.setText(self._keys.set_key(command, key) or "Kept.")
        self._refresh()

    def _on_reset(self) -> None:
        self._keys.use_set(key_set())
        self._says.setText("All keys are those of the set.")
        self._refresh()

    def _refresh(self) -> None:
        chosen = chosen_keys()
        ui.show_choices(self._set_box, list(KEY_SETS.items()), key_set())
        self._digits.setText(digits(chosen))
        for key, name in chosen.items():
            _show_key(self._fields[key], name)


def _show_key(field: QModelKeyBindingEdit, key: str) -> None:
    with ui.signals_blocked(field):
        if key:
            field.setKeySequence(QKeyBindingSequence(KeyBinding.from_str(key)))
        else:
            field.clear()
