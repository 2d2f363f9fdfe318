"""The line at the foot of the window: running work, and whether everything is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_qsm.viewer import compat, ui

if TYPE_CHECKING:
    from napari_qsm.session import Session
    from napari_qsm.viewer.data.saving import Saving
    from napari_qsm.viewer.jobs import JobBar


class StatusLine(QWidget):
    """What is being worked on, and on the right what is unsaved.

    It takes the place of napari's status text in a window of our own. There, napari's would name
    keys that mean something else here, and say name and value to a blinded reader; that it must
    not do in plain napari either, where it is hidden as long as reading is blinded.

    Parameters
    ----------
    session : Session
        Whether reading is blinded.
    saving : Saving
        What is unsaved.
    jobs : JobBar
        Moves in here in a window of our own.
    viewer : napari.Viewer
        Whose status bar it is.
    own : bool
        Whether the window is ours.
    """

    def __init__(
        self, session: Session, saving: Saving, jobs: JobBar, viewer: object, *, own: bool
    ) -> None:
        super().__init__()
        self.setObjectName("qsm.status")
        self._session, self._saving, self._viewer, self._own = session, saving, viewer, own
        self._saved = ui.named(ui.label(""), "qsm.status.saved")
        self._saved.setWordWrap(False)
        self._heard = ui.Subscriptions()
        self._heard.connect(session.events.blinded, to=self._hide_napari)
        if own:
            policy = jobs.sizePolicy()
            policy.setHorizontalPolicy(QSizePolicy.Policy.Expanding)
            jobs.setSizePolicy(policy)
            self.setLayout(ui.row((jobs, 3), None, self._saved, spacing=8, margins=(8, 0, 8, 0)))
            self.setFixedHeight(max(jobs.sizeHint().height(), 24))
            compat.add_to_status_bar(viewer, self)
            self._heard.connect(saving.unsaved.changed, saving.saved, to=self._refresh)
            self._refresh()
        self._hide_napari()

    def dispose(self) -> None:
        """Give napari its own back."""
        self._heard.dispose()
        compat.show_status(self._viewer, True)
        if self._own:
            compat.remove_from_status_bar(self._viewer, self)
        self.setParent(None)
        self.deleteLater()

    def _hide_napari(self) -> None:
        compat.show_status(self._viewer, not (self._own or self._session.blinded))

    def _refresh(self) -> None:
        unsaved, folder = self._saving.unsaved, self._saving.folder
        if unsaved.is_unsaved:
            self._saved.setText(f"● {unsaved.sentence}")
        else:
            self._saved.setText(f"Saved in '{folder.name}'" if folder is not None else "")
        self._saved.setToolTip(str(folder) if folder is not None else "")
