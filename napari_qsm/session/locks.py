"""A lock on a folder that ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

from napari_qsm.errors import FileError

_FILE = "in-use"


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
    FileError
        If somebody else uses the folder, another window of this process included.
    """

    def __init__(self, folder: Path) -> None:
        self._handle: IO[bytes] | None = None
        handle = (folder / _FILE).open("ab")
        try:
            _lock(handle)
        except OSError as error:
            handle.close()
            raise FileError(f"'{folder}' is in use by another window.") from error
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
