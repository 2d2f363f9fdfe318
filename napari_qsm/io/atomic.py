"""Writing files so that a name either holds a whole file or what it held before."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from napari_qsm.errors import FileError


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name once the block ends well.

    If the block fails, or the process dies, whatever stood at ``path`` still stands there.

    Parameters
    ----------
    path : Path or str
        The final name. Its folder must exist.

    Yields
    ------
    Path
        A name with the same ending, in the same folder (so that the rename is atomic).

    Raises
    ------
    FileError
        If the folder is missing or cannot be written to, or the disk is full.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(
            f"The folder '{path.parent}' does not exist, so '{path.name}' has no place."
        )
    if path.is_dir():
        raise FileError(f"'{path}' is a folder; a file name is needed.")
    ending = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    try:
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=ending, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise FileError(f"Cannot write into '{path.parent}': {reason(error)}.") from error
    temporary = Path(name)
    try:
        yield temporary
        flush(temporary)
        _copy_mode(path, temporary)
        os.replace(temporary, path)  # noqa: PTH105 - the same call, and the one tests can hook
    except OSError as error:
        raise FileError(f"Cannot write '{path}': {reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text with Unix line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


@contextlib.contextmanager
def staged_folder(folder: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder`` together once the block ends well.

    Parameters
    ----------
    folder : Path or str
        Where the files belong; made if missing.
    overwrite : bool
        Whether files of the same name there may be replaced.

    Yields
    ------
    Path
        An empty folder on the same disk.

    Raises
    ------
    FileError
        If a file would be replaced without leave, or nothing can be written there.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileError(f"'{folder}' is a file; a folder name is needed.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    except OSError as error:
        raise FileError(f"Cannot write into '{folder.parent}': {reason(error)}.") from error
    try:
        yield staging
        files = sorted(p for p in staging.rglob("*") if p.is_file())
        taken = [folder / f.relative_to(staging) for f in files]
        taken = [t for t in taken if t.exists()]
        if taken and not overwrite:
            raise FileError(
                f"'{taken[0]}' exists already; choose another folder or allow overwriting."
            )
        for file in files:
            flush(file)
        for file in files:
            target = folder / file.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)  # noqa: PTH105
    except OSError as error:
        raise FileError(f"Cannot write into '{folder}': {reason(error)}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def flush(path: Path) -> None:
    """Have a file written to the disk itself, not only to the system's memory."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """Have new names in a folder written to the disk itself, where the system can do that."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _copy_mode(old: Path, new: Path) -> None:
    """Give a new file the access rights users expect; temporary files are private."""
    if os.name != "posix":
        return
    if old.exists():
        mode = old.stat().st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    new.chmod(mode)


def reason(error: OSError) -> str:
    """What the system says went wrong, without its full stop."""
    return (error.strerror or str(error)).rstrip(".")
