"""Work kept while it is being done: label maps, shapes and notes, in a folder of their own.

The hand that draws never waits: an edit only notes which slices it reached. A thread copies
those slices, packs and writes them, and then replaces one small file that ties everything
together; a crash at any moment leaves the state before or the state after. The user's own
files are read, never written.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from napari_qsm.arrays import Array, Box
from napari_qsm.io.atomic import flush_folder, reason, write_text
from napari_qsm.io.nifti import write_volume
from napari_qsm.scan import Scan
from napari_qsm.session.grids import grid_record
from napari_qsm.session.locks import FolderLock
from napari_qsm.session.model import Session
from napari_qsm.session.records import Record, entry_record, finished
from napari_qsm.session.recovery import RECOVERY_FILE, Recovery
from napari_qsm.session.references import References, path_from, stamp_of
from napari_qsm.session.scan_record import content_of, scan_record
from napari_qsm.session.work import STARTS_KEEPING, Work, region_names
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume

#: How long edits are gathered before they are written.
DELAY_S = 0.6
#: After a failure, how long until the next attempt.
_AGAIN_S = 15.0
#: Voxels that are packed at a time; a few milliseconds of work.
_SLAB_VOXELS = 2**19


class Autosave:
    """Keeps a session's work in a recovery folder, from the first change on.

    Parameters
    ----------
    session : Session
        Listened to until :meth:`stop`.
    home : Path
        Where recovery folders lie; see :func:`napari_qsm.session.recovery.recovery_home`.
    failed : callable, optional
        Told a sentence, from the thread, when work could not be kept; once until it works
        again.
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
        self._writer: _Writer | None = None
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
                self._writer = _Writer(self._session, self._make_folder())
            finished(lambda: self._write_all(slices))
        except Exception as error:  # whatever it is, the work must go on and be kept later
            with self._wake:
                for key, (first, end) in slices.items():
                    self._reach(key, first, end)
                self._pending = True
            self._say(error)
        else:
            self._trouble = ""
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
        self._trouble = ""


class _Writer:
    """Writes one recovery folder; only ever used by one thread at a time."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._number = 0
        #: For each label map: file and labels of its slabs.
        self._slabs: dict[str, dict[int, tuple[str, int, list[int]]]] = {}
        self._places: dict[str, tuple[Array, Record]] = {}
        self._references = References()
        self._scans: dict[str, tuple[Scan | None, Record | None]] = {}
        self._old: list[str] = []

    @property
    def _kept(self) -> list[MapEntry]:
        """What is kept: also what was removed, for as long as an undo could bring it back."""
        here = self._session.lasting
        return [*here, *(gone for gone in self._session.history.removed if gone not in here)]

    def drawings(self, slices: dict[str, tuple[int, int]]) -> None:
        """Pack the slices that were reached."""
        for entry in self._kept:
            if entry.editable is None or entry.id not in slices:
                continue
            slabs = self._slabs.get(entry.id)
            first, end = slices[entry.id]
            if slabs is None:
                slabs = {}
                first, end = 0, entry.editable.shape[2]
            depth = slab_depth(entry.editable.shape)
            for slab in range(first // depth, -(-end // depth)):
                self._slab(entry, slabs, slab, depth)
            self._slabs[entry.id] = slabs  # only now: a first writing that fails begins anew

    def _slab(
        self,
        entry: MapEntry,
        slabs: dict[int, tuple[str, int, list[int]]],
        slab: int,
        depth: int,
    ) -> None:
        values = np.array(entry.labels[:, :, slab * depth : (slab + 1) * depth], order="F")
        before = slabs.pop(slab, None)
        if before is not None:
            self._old.append(before[0])
        if not values.any():
            return
        self._number += 1
        name = f"{entry.id}-{slab}-{self._number}.part"
        packed = zlib.compress(values.tobytes(order="F"), 1)
        with (self._folder / name).open("wb") as handle:
            handle.write(packed)
            handle.flush()
            os.fsync(handle.fileno())
        present = np.flatnonzero(np.bincount(values.ravel(order="K"))).tolist()
        slabs[slab] = (name, zlib.crc32(packed), present)

    def maps(self) -> bool:
        """Find or write what the other maps need; returns whether anything is new."""
        new = False
        here = {entry.id for entry in self._kept}
        for gone in [key for key in self._places if key not in here]:
            del self._places[gone]
        for entry in self._kept:
            if entry.id in self._slabs:
                continue
            known = self._places.get(entry.id)
            if known is None or known[0] is not entry.volume.data:
                self._places[entry.id] = (entry.volume.data, self._keep(entry.id, entry.volume))
                new = True
        for case in self._session.cases:
            if case.scan is not self._scans.get(case.id, (None, None))[0]:
                self._scans[case.id] = (case.scan, scan_record(case, self._keep))
                new = True
        return new

    def _scan_of(self, case: Case) -> Record | None:
        """What is kept of a case's scan already; its images wait for the drawings."""
        scan, record = self._scans.get(case.id, (None, None))
        return record if scan is case.scan else None

    def _keep(self, key: str, volume: Volume, name: str = "") -> Record:
        reference = self._references.of(key, volume)
        if reference is not None:
            return {"reference": reference.record(self._folder)}
        file = f"{key.replace(' ', '-')}.nii"
        write_volume(volume, self._folder / file)
        return {"file": {"name": file, "sha256": stamp_of(self._folder / file).sha256}}

    def tie(self) -> None:
        """Replace the file that ties everything together; what it no longer needs goes."""
        folder = self._folder.resolve()
        maps = []
        drawn: dict[str, list[str]] = {}
        here = {entry.id for entry in self._session.lasting}
        for entry in self._kept:
            slabs = self._slabs.get(entry.id)
            record = entry_record(entry)
            if entry.id not in here:
                record["removed"] = True
            if slabs is not None and entry.editable is not None:
                record["store"] = {
                    **grid_record(entry.volume),
                    "shape": list(entry.editable.shape),
                    "dtype": entry.editable.dtype.name,
                    "depth": slab_depth(entry.editable.shape),
                    "slabs": {str(k): [file, crc] for k, (file, crc, _) in slabs.items()},
                }
                present = {label for _, _, labels in slabs.values() for label in labels}
                drawn[entry.name] = region_names(entry, present)
            elif entry.id in self._places:
                record |= self._places[entry.id][1]
            else:
                origin = entry.volume.origin
                record["origin"] = path_from(origin.resolve(), folder) if origin else ""
            maps.append(record)
        saved_as = self._session._saved
        content = {
            **content_of(self._session, self._scan_of, maps, folder),
            "saved": datetime.now(UTC).isoformat(),
            "drawn": drawn,
            "saved_as": saved_as.record() if saved_as is not None else None,
        }
        write_text(self._folder / RECOVERY_FILE, json.dumps(content))
        flush_folder(self._folder)
        for name in self._old:
            (self._folder / name).unlink(missing_ok=True)
        self._old.clear()


def slab_depth(shape: tuple[int, ...]) -> int:
    """How many slices are packed together."""
    return max(1, _SLAB_VOXELS // (shape[0] * shape[1]))
