"""Saving in the window: the folder, what is unsaved, the question at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal as PlainSignal
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QApplication, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.session import Case
from napari_qsm.session.autosave import Autosave
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.folder import PREVIOUS, ChangedOnDisk, save_session, saved_as
from napari_qsm.session.opening import Loaded
from napari_qsm.session.recovery import Recovery, find_recoveries, recovery_home
from napari_qsm.session.settings import save_settings
from napari_qsm.session.sharing import share_session
from napari_qsm.session.work import DirtyTracker
from napari_qsm.viewer import compat
from napari_qsm.viewer.data.recovery_box import RecoveryBox
from napari_qsm.viewer.data.save_dialog import SaveDialog
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder, last_folder
from napari_qsm.viewer.icons import pixmap

if TYPE_CHECKING:
    from napari_qsm.viewer.data.files import Files
    from napari_qsm.viewer.services import Services

TITLE = "napari-qsm"


class _News(QObject):
    """Brings sentences from the thread that keeps work to the window."""

    message = Signal(str)


class Saving:
    """What a workspace saves, and what it keeps in the background.

    Parameters
    ----------
    services : Services
        Whose session it is.
    files : Files
        Shows what was read.
    titled : bool
        Whether the window is the program's own: its title tells what is open, and whether it is
        saved, and its icon is the program's.

    Attributes
    ----------
    unsaved : DirtyTracker
        Whether something drawn or written is not saved.
    autosave : Autosave
        Keeps it all the same.
    box : RecoveryBox
        Offers back what an earlier window kept.
    saved, closing : Signal
        The session was saved: sends the folder. A case is about to be closed: sends it.
    """

    saved = PlainSignal(object)
    closing = PlainSignal(object)

    def __init__(self, services: Services, files: Files, *, titled: bool) -> None:
        self._services, self._files, self._titled = services, files, titled
        self._news = _News()
        self._news.message.connect(
            services.central.message.show_trouble, Qt.ConnectionType.QueuedConnection
        )
        self.unsaved = DirtyTracker(services.session)
        self.autosave = Autosave(services.session, recovery_home(), failed=self._news.message.emit)
        self.box = RecoveryBox(self.restore, self._delete)
        self._unwanted = -1
        self.unsaved.changed.connect(self._on_unsaved)
        if titled:
            services.window.setWindowIcon(QIcon(pixmap("napari-qsm", side=128)))

    # -- saving ---------------------------------------------------------------------------

    @property
    def folder(self) -> Path | None:
        """Where the session was saved or read last."""
        known = saved_as(self._services.session)
        return known.folder if known is not None else None

    def save(self) -> None:
        """Save where it was saved before; ask for a folder the first time."""
        if self.folder is None:
            self.ask()
        else:
            self.save_into(self.folder)

    def ask(self) -> None:
        """Ask for a folder and save the session into it."""
        dialog = self._dialog()
        agreed = dialog.exec()
        dialog.deleteLater()
        if agreed:
            self.save_into(dialog.folder, copy_scans=dialog.copy_scans)

    def save_into(
        self, folder: Path, *, copy_scans: bool | None = None, overwrite: bool = False
    ) -> None:
        """Save in the background; asks if somebody else has changed the folder."""

        def work(progress: Any, cancelled: Any) -> tuple[Path, int] | ChangedOnDisk:
            try:
                return self._save(folder, copy_scans, overwrite)
            except ChangedOnDisk as changed:
                return changed.with_traceback(None)  # its frames would hold the window

        def done(result: tuple[Path, int] | ChangedOnDisk) -> None:
            if not isinstance(result, ChangedOnDisk):
                self._on_saved(result[1], folder)
                self._services.success(f"Saved in '{folder}'.")
                return
            answer = self._ask_replace(result)
            if answer == "replace":
                self.save_into(folder, copy_scans=copy_scans, overwrite=True)
            elif answer == "elsewhere":
                self.ask()

        self._services.run("Saving", work, done)

    def save_now(self, folder: Path, *, overwrite: bool = False) -> Path:
        """Save and come back when it is done; see :func:`~napari_qsm.session.folder.save_session`."""
        path, count = self._save(folder, None, overwrite)
        self._on_saved(count, folder)
        return path

    def _on_saved(self, count: int, folder: Path) -> None:
        self.unsaved.saved(count)
        self.saved.emit(folder)

    def ask_share(self) -> None:
        """Ask for a new folder and write a copy of the session there that can be passed on."""
        folder = ask_folder(self._services.window, "A new folder for what is to be shared")
        if folder is not None:
            self.share_into(folder)

    def share_into(self, folder: Path) -> None:
        """Write a copy to pass on; see :func:`~napari_qsm.session.sharing.share_session`."""

        def work(progress: Any, cancelled: Any) -> list[Path]:
            return share_session(self._services.session, folder)

        def done(written: list[Path]) -> None:
            self._services.success(
                f"{len(written)} files in '{folder}' can be passed on. What you typed yourself is "
                "in them: notes, comments and names of regions."
            )

        self._services.run("Saving for sharing", work, done)

    def _save(self, folder: Path, copy_scans: bool | None, overwrite: bool) -> tuple[Path, int]:
        """Save; returns the file, and how far the work had come that is in it."""
        count, edits = self.unsaved.count, self.autosave.edits
        path = save_session(
            self._services.session, folder, copy_scans=copy_scans, overwrite=overwrite
        )
        self.autosave.forget(at=edits)
        save_settings({"folder": str(folder.parent)})
        return path, count

    def _dialog(self) -> SaveDialog:
        known = saved_as(self._services.session)
        base = Path(last_folder() or Path.home())
        return SaveDialog(
            self._services.session,
            known.folder if known else base / f"qsm-work-{date.today().isoformat()}",
            copy_scans=known.copy_scans if known else False,
            parent=self._services.window,
        )

    def _ask_replace(self, changed: ChangedOnDisk) -> str:
        """``"replace"``, ``"elsewhere"`` or ``"cancel"``."""
        kept = f"The other version goes into the folder '{PREVIOUS}'"
        return ask(
            self._services.window,
            "qsm.changed",
            "Changed by somebody else",
            "Somebody else has changed this folder.",
            str(changed),
            (
                Answer("replace", "Replace", "destroys", kept),
                Answer("elsewhere", "Save elsewhere …"),
                Answer("cancel", "Cancel", "no"),
            ),
        )

    # -- closing --------------------------------------------------------------------------

    def close_case(self, case: Case) -> bool:
        """Take a case out of the window, after asking about what is not saved of it.

        A session that was saved with the case is not saved over without it: the next save asks
        for a place.

        Returns
        -------
        bool
            Whether it was closed.
        """
        session = self._services.session
        if case in self.unsaved.cases:
            answer = ask(
                self._services.window,
                "qsm.close_case",
                "Save before closing the case?",
                f"What was done for '{shown_case(session, case)}' is not saved.",
                "Without saving, it is lost with the case.",
                (
                    Answer("save", "Save"),
                    Answer("drop", "Don't save", "destroys"),
                    Answer("cancel", "Cancel", "no"),
                ),
            )
            if answer == "cancel" or (answer == "save" and not self._save_before_closing()):
                return False
        elsewhere = self.folder
        self.closing.emit(case)
        session.close_case(case)
        if elsewhere is not None:
            session.forget_folder()
            self._services.message(f"The session in '{elsewhere}' keeps the case that you closed.")
        return True

    # -- the end --------------------------------------------------------------------------

    def may_close(self) -> bool:
        """Ask what becomes of unsaved work; False if the window stays open."""
        if not self.unsaved.is_unsaved or self._unwanted == self.unsaved.count:
            return True
        answer = ask(
            self._services.window,
            "qsm.closing",
            "Save before closing?",
            f"{self.unsaved.sentence}.",
            f"{self._whose_work()}Without saving, what was drawn and computed since then is lost.",
            (
                Answer("save", "Save"),
                Answer("drop", "Don't save", "destroys"),
                Answer("cancel", "Cancel", "no"),
            ),
        )
        if answer == "drop":
            self._unwanted = self.unsaved.count
            return True
        return answer == "save" and self._save_before_closing()

    def _whose_work(self) -> str:
        """The cases with unsaved work, where there are several to tell apart."""
        session = self._services.session
        names = [f"'{shown_case(session, case)}'" for case in self.unsaved.cases]
        return f"Cases: {', '.join(names)}. " if names and len(session.cases) > 1 else ""

    def _save_before_closing(self) -> bool:
        folder, copy_scans, overwrite = self.folder, None, False
        while True:
            if folder is None:
                dialog = self._dialog()
                agreed = dialog.exec()
                dialog.deleteLater()
                if not agreed:
                    return False
                folder, copy_scans = dialog.folder, dialog.copy_scans
            try:
                with _waiting():
                    _, count = self._save(folder, copy_scans, overwrite)
            except ChangedOnDisk as changed:
                answer = self._ask_replace(changed)
                if answer == "cancel":
                    return False
                overwrite = answer == "replace"
                if not overwrite:
                    folder = None
            except QsmError as error:
                self._services.message(str(error))
                return False
            else:
                self._on_saved(count, folder)
                return True

    def stop(self) -> None:
        """End; unsaved work stays for the next start unless the user did not want it."""
        self.unsaved.changed.disconnect(self._on_unsaved)
        wanted = self.unsaved.is_unsaved and self._unwanted != self.unsaved.count
        self.unsaved.stop()
        self.autosave.stop(keep=wanted)
        self._news.message.disconnect()
        self._news.deleteLater()

    def _on_unsaved(self) -> None:
        viewer = self._services.viewer
        if self._titled and not compat.is_closed(viewer):
            name = f"{self.folder.name} – " if self.folder else ""
            mark = f" – {self.unsaved.sentence.lower()}" if self.unsaved.is_unsaved else ""
            viewer.title = f"{name}{TITLE}{mark}"

    # -- work of a window that is no more ---------------------------------------------------

    def offer_recoveries(self) -> None:
        """Offer back what earlier windows kept, if there is something."""
        self.box.offer(find_recoveries())

    def restore(self, recovery: Recovery) -> None:
        """Bring work back; it is kept anew before the old copy goes."""
        try:
            recovery.take()
        except QsmError as error:
            self._services.message(str(error))
            return

        def work(progress: Any, cancelled: Any) -> Loaded:
            try:
                saved = recovery.read()
            except QsmError:
                recovery.leave()
                raise
            return Loaded(sessions=[saved], problems=saved.problems)

        def done(loaded: Loaded) -> None:
            self._files.show_loaded(loaded)
            self.unsaved.more()
            self.autosave.keep_all(instead_of=recovery)

        self._services.run("Bringing your work back", work, done)

    def _delete(self, recovery: Recovery) -> None:
        try:
            recovery.delete()
        except QsmError as error:
            self._services.message(str(error))


class Closing(QObject):
    """Asks before a window closes, and notices when it did, before it is destroyed.

    Parameters
    ----------
    may_close : callable
        Whether the window may close; asks about unsaved work.
    closed : callable
        Called when it has.
    alone : bool
        Ours is the only question: napari's own, whether the window shall close, is not asked.
    """

    def __init__(
        self, may_close: Callable[[], bool], closed: Callable[[], None], *, alone: bool
    ) -> None:
        super().__init__()
        self._may_close, self._closed, self._alone = may_close, closed, alone
        self._asked = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """A window that hides after it was asked to close has agreed to."""
        if event is not None:
            if event.type() == QEvent.Type.Close:
                if not self._may_close():
                    event.ignore()
                    return True
                if self._alone and event.spontaneous() and isinstance(watched, QWidget):
                    # napari asks where a hand closes the window, not where a program does.
                    event.ignore()
                    QTimer.singleShot(0, watched.close)
                    return True
                self._asked = True
            elif event.type() == QEvent.Type.Hide and self._asked and not event.spontaneous():
                self._closed()
            elif event.type() == QEvent.Type.Show:
                self._asked = False
        return False


@contextmanager
def _waiting() -> Iterator[None]:
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()
