"""Keeps the list of what was opened lately in step with the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.session import recents
from napari_qsm.session.recents import Recent
from napari_qsm.viewer import ui

if TYPE_CHECKING:
    from napari_qsm.study import Case
    from napari_qsm.viewer.workspace import Workspace


class RecentWork:
    """Remembers what is opened and saved, and how far the work had come when it was left.

    Parameters
    ----------
    workspace : Workspace
        Whose session it is.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        #: Where each case was opened from, by its id.
        self._places: dict[str, list[Path]] = {}
        self._heard = ui.Subscriptions()
        self._heard.connect(workspace.files.opened, to=self._on_opened)
        self._heard.connect(workspace.saving.saved, to=self._on_saved)
        self._heard.connect(workspace.saving.closing, to=self._on_closing)
        workspace.central.start.chosen.connect(self.open)

    def dispose(self) -> None:
        """Remember how far the work has come, and listen no longer."""
        for case in self._workspace.session.cases:
            self._update(case)
        self._heard.dispose()

    def open(self, recent: Recent) -> None:
        """Open it again; what is already open stays beside it."""
        self._workspace.open([Path(path) for path in recent.paths])

    def clear(self) -> None:
        """Forget everything; files stay."""
        recents.clear()
        self._workspace.central.start.refresh()

    def _on_opened(self, paths: Sequence[Path]) -> None:
        session, folder = self._workspace.session, self._workspace.saving.folder
        if not paths:
            return
        if len(paths) == 1 and folder is not None and paths[0].absolute() == folder:
            recents.remember(session, paths, session.cases, is_session=True)
            return
        case = session.case
        before = self._places.get(case.id, [])
        if before:  # regions onto a map that was opened before: together they are one
            recents.forget(recents.key_of(before))
        self._places[case.id] = [*before, *(path for path in paths if path not in before)]
        recents.remember(session, self._places[case.id], [case])

    def _on_saved(self, folder: Path) -> None:
        session = self._workspace.session
        for case in session.cases:
            recents.forget(recents.key_of(self._places.pop(case.id, [])))
        recents.remember(session, [folder], session.cases, is_session=True)

    def _on_closing(self, case: Case) -> None:
        self._update(case)
        self._places.pop(case.id, None)

    def _update(self, case: Case) -> None:
        """Bring the entry of a case up to date; none is made that was cleared."""
        session, folder = self._workspace.session, self._workspace.saving.folder
        known = {each.paths for each in recents.listed()}
        if folder is not None and recents.key_of([folder]) in known:
            recents.remember(session, [folder], session.cases, is_session=True)
        elif recents.key_of(self._places.get(case.id, [])) in known:
            recents.remember(session, self._places[case.id], [case])
