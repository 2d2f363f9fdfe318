"""Writing files so that a name either holds a whole file or what it held before."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.moving import finish, move_in, passing_prefix, sweep


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
    check_parent(path)
    if path.is_dir():
        raise FileError(f"'{path}' is a folder; a file name is needed.")
    ending = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    _sweep_once(path.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=passing_prefix(), suffix=ending, dir=path.parent)
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


def check_parent(path: Path) -> None:
    """Refuse a file whose folder is not there.

    Raises
    ------
    FileError
        Naming both.
    """
    if not path.parent.is_dir():
        raise FileError(
            f"The folder '{path.parent}' does not exist, so '{path.name}' has no place."
        )


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text with Unix line ends, atomically."""
    with atomic_path(path) as temporary:
        # A file name that is no text in this system's encoding may stand in a sentence.
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


@contextlib.contextmanager
def staged_folder(
    folder: Path | str, *, overwrite: bool = False, replaces: Iterable[str] = ()
) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder`` together once the block ends well.

    They are written within ``folder`` (or beside it, if it isn't there yet), so that a mount
    point and a folder of one's own under somebody else's can be written to. A program that is
    stopped on the way leaves the earlier files, the new ones, or what
    :func:`napari_qsm.io.moving.finish` makes the new ones of.

    Parameters
    ----------
    folder : Path or str
        Where the files belong; made if missing.
    overwrite : bool
        Whether files of the same name there may be replaced.
    replaces : iterable of str
        With ``overwrite``: files of an earlier result, which leave the folder with it.

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
    place = check_place(folder)
    is_new = place != folder
    sweep(place)
    if not is_new:
        finish(folder)
    try:
        work = Path(tempfile.mkdtemp(prefix=passing_prefix(), dir=place))
        staging = work / "new"
        staging.mkdir()
    except OSError as error:
        raise FileError(f"Cannot write into '{place}': {reason(error)}.") from error
    try:
        yield staging
        files = [p for p in sorted(staging.rglob("*")) if p.is_file()]
        names = [file.relative_to(staging).as_posix() for file in files]
        taken = [folder / name for name in names if (folder / name).exists()]
        if taken and not overwrite:
            raise FileError(
                f"'{taken[0]}' exists already; choose another folder or allow overwriting."
            )
        for file in files:
            flush(file)
        if is_new and not folder.exists():
            _rename_into(staging, folder)
        else:
            move_in(_within(work, folder), folder, set(replaces) - set(names) if overwrite else ())
        flush_folder(folder)
    except OSError as error:
        raise FileError(f"Cannot write into '{folder}': {reason(error)}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_place(folder: Path) -> Path:
    """The folder in which the first thing on the way to ``folder`` has to be written.

    Returns
    -------
    Path
        ``folder`` itself, or the nearest folder above that exists.

    Raises
    ------
    FileError
        If a file is in the way.
    """
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            return place
        if place.is_symlink() and not place.exists():
            raise FileError(f"'{place}' is a link that leads nowhere; a folder is needed.")
        if place.exists():
            raise FileError(f"'{place}' is a file; a folder name is needed.")
    raise FileError(f"There is no place for '{folder}'.")


def _rename_into(staging: Path, folder: Path) -> None:
    """Give a finished folder its name, with the folders above made; all of it or nothing."""
    made = [above for above in folder.absolute().parents if not above.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging.rename(folder)
    except BaseException:
        for above in made:
            with contextlib.suppress(OSError):
                above.rmdir()
        raise


def _within(work: Path, folder: Path) -> Path:
    """The working folder within ``folder``, which somebody may have made meanwhile."""
    if work.parent == folder:
        return work
    return work.rename(folder / work.name)


_swept: set[Path] = set()


def _sweep_once(folder: Path) -> None:
    """Clean a folder when this process first writes into it; later it holds only our own."""
    place = folder.absolute()
    if place not in _swept:
        _swept.add(place)
        sweep(place)


def flush(path: Path) -> None:
    """Have a file written to the disk itself, not only to the system's memory."""
    with path.open("rb+") as handle:
        try:
            os.fsync(handle.fileno())
        except OSError as error:  # some network and memory disks have no such call
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise


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
    with contextlib.suppress(OSError):  # disks of other systems know no such rights
        new.chmod(mode)


def reason(error: OSError) -> str:
    """What the system says went wrong, without its full stop."""
    return (error.strerror or str(error)).rstrip(".")
