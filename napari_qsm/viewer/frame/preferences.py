"""Choices that hold for every start, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QDialog

from napari_qsm.session import recents
from napari_qsm.viewer import compat, ui

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace

_THEMES = (("dark", "Dark"), ("light", "Light, for a bright room"))
_UNITS = (("ppm", "ppm"), ("ppb", "ppb"))
_SIDES = (
    (True, "Radiological: the patient's right on the left"),
    (False, "Neurological: the patient's right on the right"),
)


class Preferences(QDialog):
    """Theme, unit, sides, links, keys, and what is remembered; each counts at once."""

    def __init__(self, workspace: Workspace) -> None:
        window = workspace.services.window
        super().__init__(window)
        self.setObjectName("qsm.preferences")
        self.setWindowTitle("Preferences")
        session = workspace.session
        self._recents = workspace.central.start

        form = ui.form(
            (
                "Colours of the window",
                _choice("theme", _THEMES, compat.theme_of(workspace.viewer), compat.set_theme),
            ),
            (
                "Unit of susceptibility",
                _choice("unit", _UNITS, session.unit, partial(setattr, session, "unit")),
            ),
            (
                "Sides",
                _choice(
                    "sides", _SIDES, session.radiological, partial(setattr, session, "radiological")
                ),
            ),
        )
        checks = [
            ui.check(text, f"qsm.preferences.{name}", slot, on=on)
            for name, text, slot, on in (
                (
                    "views",
                    "Views zoom and move together",
                    partial(setattr, session, "views_linked"),
                    session.views_linked,
                ),
                (
                    "windows",
                    "Susceptibility maps share window, colours and thresholds",
                    partial(setattr, session, "windows_linked"),
                    session.windows_linked,
                ),
                (
                    "remember",
                    "Remember what was opened, with a small picture, on this computer",
                    self._on_remember,
                    recents.is_remembering(),
                ),
            )
        ]
        keys = ui.button("Change keys …", "qsm.preferences.keys", workspace.keys.edit)
        clear = ui.button(
            "Forget what was opened",
            "qsm.preferences.clear",
            self._on_clear,
            tip="Empties the list on the start page; files stay as they are",
        )
        close = ui.button("Close", "qsm.preferences.close", self.close, main=True)
        self.setLayout(
            ui.column(
                form,
                *checks,
                ui.row(keys, clear, None),
                ui.row(None, close),
                spacing=10,
                margins=(18, 14, 18, 14),
            )
        )
        self.finished.connect(self.deleteLater)

    def _on_remember(self, on: bool) -> None:
        recents.set_remembering(on)
        self._recents.refresh()

    def _on_clear(self) -> None:
        recents.clear()
        self._recents.refresh()


def _choice(
    name: str, items: Sequence[tuple[Any, str]], chosen: object, slot: Callable[[Any], Any]
) -> QComboBox:
    box = ui.combo(f"qsm.preferences.{name}", slot, items, characters=32)
    ui.show_choices(box, items, chosen)
    return box
