"""A lock on a folder that ends with its process, however that ends.

The system's own lock on an open file (flock, msvcrt) rather than the package filelock, which
takes the same one but differs where it matters here (read in its version 4.3): on Windows it
locks the first byte, so that nobody else can read who holds the folder; its file stays in the
folder on Linux and macOS, which for :func:`locked` is the user's own; where a disk knows no
flock it goes on with a marker file, which outlives a power cut, instead of telling the caller.
What is left to write is one call for each system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import reason

_FILE = "in-use"
#: Hidden beside the files of a folder while they are replaced.
_MOMENT = ".replacing"
#: How systems say that somebody else has a lock.
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
#: How disks of other computers say that they know no locks.
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class InUseError(FileError):
    """Somebody else uses a folder."""


class FolderLock:
    """Says that a folder is in use, as long as this process lives and :meth:`release` is not called.

    The system itself holds the lock on an open file and drops it with the process, so that
    neither a kill nor a power cut leaves a folder locked, and a number given to another
    process doesn't either.

    Parameters
    ----------
    folder : Path
        Must exist.

    Raises
    ------
    InUseError
        If somebody else uses the folder, another window of this process included.
    FileError
        If its disk knows no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._handle: IO[bytes] | None = None
        handle = (folder / _FILE).open("ab")
        try:
            _lock(handle)
        except OSError as error:
            handle.close()
            if error.errno in _TAKEN:
                raise InUseError(f"'{folder}' is in use by another window.") from error
            raise FileError(f"'{folder}' cannot be locked: {reason(error)}.") from error
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n".encode())
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        """Give the folder free."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.close()
            self._handle = None


@contextlib.contextmanager
def locked(folder: Path, wait_s: float = 20.0) -> Iterator[None]:
    """Keep other programs that ask for this lock out of a folder for a moment.

    Nothing is left behind. On a disk that knows no locks, nobody is kept out.

    Parameters
    ----------
    folder : Path
        Must exist, and be one that can be written into.
    wait_s : float
        How long somebody else may take.

    Raises
    ------
    FileError
        If somebody else takes longer.
    OSError
        If nothing can be written there.
    """
    path = folder / _MOMENT
    handle = _locked_file(path, time.monotonic() + wait_s)
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            handle.close()
        with contextlib.suppress(OSError):
            path.unlink()
        handle.close()


def _locked_file(path: Path, end: float) -> IO[bytes]:
    while True:
        handle: IO[bytes] | None = None
        try:
            handle = path.open("ab")
            _lock(handle)
            # Whoever had it before may have removed the file that this lock is on.
            if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                return handle
            handle.close()
        except OSError as error:
            if handle is None:
                # Windows refuses for a moment while somebody else removes it.
                if sys.platform != "win32" or time.monotonic() > end:
                    raise
            elif error.errno in _WITHOUT_LOCKS:
                return handle
            else:
                handle.close()
                if error.errno not in (*_TAKEN, errno.ENOENT):
                    raise
        if time.monotonic() > end:
            raise FileError(
                f"'{path.parent}' is being written by another window; save again when it is done."
            )
        time.sleep(0.01)


def in_use(folder: Path) -> bool:
    """Whether a running program uses a folder."""
    try:
        lock = FolderLock(folder)
    except (FileError, OSError):
        return True
    lock.release()
    return False


if sys.platform == "win32":
    import msvcrt

    #: Beyond what is ever written: Windows locks bytes, and the process number stays readable.
    _FAR = 2**20

    def _lock(handle: IO[bytes]) -> None:
        handle.seek(_FAR)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: IO[bytes]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
