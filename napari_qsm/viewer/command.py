"""One thing the user can ask for by key, menu and palette, and the menus it stands in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMenu

    from napari_qsm.viewer.workspace import Workspace


@dataclass(frozen=True)
class Command:
    """One thing the user can ask for.

    Attributes
    ----------
    id : str
        ``qsm.<what>``; its key is kept in the settings under this name.
    title : str
        What menu, palette and help page call it.
    call : callable
        Does it, given the workspace.
    key : str
        The key unless the user has chosen another: ``"N"``, ``"Ctrl+Z"``; empty for none.
    group : str
        Part of a menu (:data:`MENUS`) and of the help page.
    needs : str
        Where it makes sense: an expression of :func:`state_of`; always if empty.
    reach : {"window", "program"}
        In a window of our own the whole window hears its key. In plain napari the views do, and
        none does where it is the key of a program: napari's means stay.
    submenu : str
        Menu within the menu that it stands in with others; none if empty.
    says : callable, optional
        Its title at this moment, such as what would be undone.
    is_on : callable, optional
        Whether it is ticked, for what is either so or not.
    fill : callable, optional
        Fills a menu of its own, each time it opens.
    itksnap, napari : str or None
        Its key in the set of keys of this name, where that is another one; empty for none.
    release : callable, optional
        What happens when the key is let go, for one that is held while the mouse is at work.
    """

    id: str
    title: str
    call: Callable[[Workspace], Any]
    key: str = ""
    group: str = "Views"
    needs: str = ""
    reach: Literal["window", "program"] = "window"
    submenu: str = ""
    says: Callable[[Workspace], str] | None = None
    is_on: Callable[[Workspace], bool] | None = None
    fill: Callable[[Workspace, QMenu], None] | None = None
    itksnap: str | None = None
    napari: str | None = None
    release: Callable[[Workspace], Any] | None = None

    def title_now(self, workspace: Workspace) -> str:
        """What it is called at this moment, with a capital."""
        title = self.says(workspace) if self.says is not None else self.title
        return title[:1].upper() + title[1:]


#: The menus, each with its groups of commands.
MENUS: dict[str, tuple[str, ...]] = {
    "File": ("Cases", "Files", "Saving", "Results", "Program"),
    "Edit": ("Work", "Choices"),
    "View": ("Layout", "Views", "Tabs"),
    "Regions": ("Regions", "Drawing"),
    "Study": ("Pages", "Study", "Cohort"),
    "Help": ("Help", "Demonstration"),
}
#: In plain napari keys of these groups count only while their tab is on show.
TAB_GROUPS = frozenset({"Drawing"})
