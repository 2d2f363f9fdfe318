"""Work kept while it is being done: label maps, shapes and notes, in a folder of their own.

The hand that draws never waits: an edit only notes which slices it reached. A thread copies
those slices, packs and writes them, and then replaces one small file that ties everything
together; a crash at any moment leaves the state before or the state after. The user's own
files are read, never written.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from napari_qsm.arrays import Box
from napari_qsm.io.atomic import reason
from napari_qsm.session.locks import FolderLock
from napari_qsm.session.model import Session
from napari_qsm.session.records import finished
from napari_qsm.session.recovery import Recovery
from napari_qsm.session.recovery_writer import RecoveryWriter
from napari_qsm.session.store import RECOVERY_FILE
from napari_qsm.session.work import STARTS_KEEPING, Work

#: How long edits are gathered before they are written.
DELAY_S = 0.6
#: After a failure, how long until the next attempt.
_AGAIN_S = 15.0


class Autosave:
    """Keeps a session's work in a recovery folder, from the first change on.

    Parameters
    ----------
    session : Session
        Listened to until :meth:`stop`.
    home : Path
        Where recovery folders lie; see :func:`napari_qsm.session.recovery.recovery_home`.
    failed : callable, optional
        Told a sentence, from the thread, when work could not be kept; once, and an empty one when
        it is kept again or need not be.
    delay_s : float
        How long edits are gathered.

    Attributes
    ----------
    folder : Path or None
        The recovery folder of this session, once there is something to keep.
    edits : int
        Grows with each change.
    written : int
        Grows each time that the state of the drawings is on the disk.
    """

    def __init__(
        self,
        session: Session,
        home: Path,
        *,
        failed: Callable[[str], None] | None = None,
        delay_s: float = DELAY_S,
    ) -> None:
        self.folder: Path | None = None
        self.edits = 0
        self.written = 0
        self._session, self._home = session, home
        self._failed, self._delay_s = failed, delay_s
        self._wake = threading.Condition()
        self._slices: dict[str, tuple[int, int]] = {}
        self._pending = self._stopping = self._hurry = False
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        self._writer: RecoveryWriter | None = None
        self._lock: FolderLock | None = None
        self._replaced: list[Recovery] = []
        self._trouble = ""
        self._attempts = 0
        self._work = Work(session)
        self._work.painted.connect(self._on_painted)
        self._work.made.connect(self._on_made)

    @property
    def trouble(self) -> str:
        """Why work is not being kept at the moment; empty if it is."""
        return self._trouble

    def keep_all(self, *, instead_of: Recovery | None = None) -> None:
        """Keep everything that has been drawn, for example after it was restored.

        Parameters
        ----------
        instead_of : Recovery, optional
            Removed once its content is kept here.
        """
        with self._wake:
            if instead_of is not None:
                self._replaced.append(instead_of)
            for entry in self._session.lasting:
                if entry.editable is not None:
                    self._reach(entry.id, 0, entry.editable.shape[2])
        self._mark()

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Write what is waiting now; returns whether all of it is on the disk."""
        end = time.monotonic() + timeout_s
        # An attempt that is under way may be about to fail for a reason of before.
        if self._writing.acquire(timeout=timeout_s):
            self._writing.release()
        attempts = self._attempts
        while time.monotonic() < end:
            with self._wake:
                waiting = self._hurry = self._pending
                self._wake.notify_all()
                if self._trouble and self._attempts > attempts:
                    return False
            if not waiting and self._writing.acquire(timeout=0.05):
                self._writing.release()
                with self._wake:
                    if not self._pending:
                        return not self._trouble
            time.sleep(0.005)
        return False

    def forget(self, at: int | None = None) -> None:
        """Remove what was kept, because it is saved elsewhere or not wanted.

        Work that goes on afterwards is kept anew.

        Parameters
        ----------
        at : int, optional
            Value of :attr:`edits` when it was saved; if there were more, nothing is removed.
        """
        with self._writing:
            with self._wake:
                if at is not None and at != self.edits:
                    return
                self._slices.clear()
                self._pending = False
                replaced, self._replaced = self._replaced, []
            self._remove()
            for recovery in replaced:
                recovery.delete()

    def stop(self, *, keep: bool) -> None:
        """End the thread.

        Parameters
        ----------
        keep : bool
            Write what is waiting and leave it for the next start; otherwise remove all.
        """
        self._work.stop()
        if keep:
            self.flush()
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(30)
        if keep:
            self._release()
        else:
            self.forget()

    # -- what the hand waits for ------------------------------------------------------------

    def _on_painted(self, key: str, box: Box) -> None:
        with self._wake:
            self._reach(key, box[2].start, box[2].stop)
        self._mark()

    def _on_made(self, name: str, case: str) -> None:
        if name in STARTS_KEEPING or self._writer is not None:
            self._mark()

    def _reach(self, key: str, first: int, end: int) -> None:
        known = self._slices.get(key, (first, end))
        self._slices[key] = (min(known[0], first), max(known[1], end))

    def _mark(self) -> None:
        with self._wake:
            if self._stopping:
                return
            self.edits += 1
            self._pending = True
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="qsm: keeping work", daemon=True
                )
                self._thread.start()
            self._wake.notify_all()

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._pending or self._stopping):
                    self._wake.wait()
                if self._stopping:
                    return
                wait = _AGAIN_S if self._trouble else self._delay_s
                self._wake.wait_for(lambda: self._stopping or self._hurry, wait)
            with self._writing:
                with self._wake:
                    self._hurry = False
                    if not self._pending:
                        continue
                    slices, self._slices = self._slices, {}
                    self._pending = False
                self._write(slices)

    def _write(self, slices: dict[str, tuple[int, int]]) -> None:
        try:
            if self._writer is None:
                self._writer = RecoveryWriter(self._session, self._make_folder())
            finished(lambda: self._write_all(slices))
        except Exception as error:  # whatever it is, the work must go on and be kept later
            with self._wake:
                for key, (first, end) in slices.items():
                    self._reach(key, first, end)
                self._pending = True
            self._say(error)
        else:
            self._over()
            replaced, self._replaced = self._replaced, []
            for recovery in replaced:
                recovery.delete()
        finally:
            self._attempts += 1

    def _write_all(self, slices: dict[str, tuple[int, int]]) -> None:
        writer = self._writer
        if writer is not None:
            writer.drawings(slices)
            writer.tie()
            self.written += 1
            if writer.maps():
                writer.tie()

    def _say(self, error: Exception) -> None:
        why = reason(error) if isinstance(error, OSError) else str(error).rstrip(".")
        first, self._trouble = not self._trouble, why or type(error).__name__
        if first and self._failed is not None:
            self._failed(
                f"Your work cannot be kept in the background: {self._trouble}. Save it yourself."
            )

    def _over(self) -> None:
        """Work is kept again, or need not be."""
        was, self._trouble = self._trouble, ""
        if was and self._failed is not None:
            self._failed("")

    def _make_folder(self) -> Path:
        when = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = self._home / f"{when}-{os.getpid()}-{secrets.token_hex(3)}"
        folder.mkdir(parents=True)
        self._lock = FolderLock(folder)
        self.folder = folder
        return folder

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _remove(self) -> None:
        self._writer = None
        folder, self.folder = self.folder, None
        if folder is not None:
            with suppress(OSError):  # without this file there is nothing to be offered
                (folder / RECOVERY_FILE).unlink(missing_ok=True)
            self._release()
            shutil.rmtree(folder, ignore_errors=True)
        self._over()
