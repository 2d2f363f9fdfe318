"""What was opened lately, as a menu."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.session import recents
from napari_qsm.viewer import ui

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMenu

    from napari_qsm.viewer.workspace import Workspace


def fill(workspace: Workspace, menu: QMenu) -> None:
    """Fill the menu; what is no longer there is grey."""
    found = recents.listed()
    for number, recent in enumerate(found, 1):
        text = ", ".join(recent.names) or "?"
        where = Path(recent.paths[0]).name
        action = ui.menu_entry(
            menu,
            f"{number}  {text}" if workspace.session.blinded else f"{number}  {text}  ({where})",
            f"qsm.recent.{number}",
            partial(workspace.recents.open, recent),
        )
        action.setEnabled(recent.is_there)
    if not found:
        ui.menu_entry(menu, "Nothing was opened yet", "qsm.recent.none", lambda: None).setEnabled(
            False
        )
        return
    menu.addSeparator()
    ui.menu_entry(menu, "Forget what was opened", "qsm.recent.clear", workspace.recents.clear)
