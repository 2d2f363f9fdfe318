"""Zip archives that people send each other: written without a trace of when or where, read with care.

An archive from outside is unpacked only if every name in it is one that is expected, is no link and
no way out of the folder, and what it says it holds fits a bound; no more than that is read of it.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import atomic_path, reason, staged_folder

#: What every member is dated, so that an archive tells no day.
_DATE = (1980, 1, 1, 0, 0, 0)
_BLOCK = 2**20
#: Characters that a system takes for more than a letter of a name.
_FORBIDDEN = frozenset('\\:*?"<>|\0')


def write_archive(path: Path | str, members: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive, atomically.

    Parameters
    ----------
    path : Path or str
        Ends in ``.zip``.
    members : iterable of (name, content)
        Names divided by ``/``; taken one at a time, so that they may be made on the way.

    Raises
    ------
    FileError
        For another ending, or if nothing can be written there.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise FileError(f"'{path.name}' must end in .zip.")
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name, content in members:
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)


def read_member(path: Path, name: str, largest: int) -> bytes | None:
    """One member of an archive; None where it holds none of that name.

    Raises
    ------
    FileError
        If it is no archive, damaged, or the member is larger than ``largest`` bytes.
    """
    with _opened(path) as archive:
        info = next((each for each in archive.infolist() if each.filename == name), None)
        if info is None:
            return None
        _check_size(path, [info], largest)
        return _content(path, archive, info)


def unpack(path: Path, folder: Path, *, is_expected: Callable[[str], bool], largest: int) -> None:
    """Unpack an archive into a new folder, all of it or nothing.

    Parameters
    ----------
    path : Path
        The archive.
    folder : Path
        Where its members go; made if missing.
    is_expected : callable
        Whether a name belongs into such an archive; one that does not refuses the whole.
    largest : int
        Bytes that all members may have together.

    Raises
    ------
    FileError
        If it is no archive, is damaged, or holds what is not expected.
    """
    with _opened(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:
            _check_name(path, info, is_expected)
        names = [info.filename.casefold() for info in infos]
        if len(set(names)) < len(names):
            raise FileError(f"'{path.name}' holds two files of one name; it was made to harm.")
        _check_size(path, infos, largest)
        _check_room(path, folder, sum(info.file_size for info in infos))
        with staged_folder(folder) as staging:
            for info in infos:
                target = staging.joinpath(*PurePosixPath(info.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(path, archive, info, target)


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise FileError(f"There is no file '{path}'.")
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        raise FileError(f"'{path.name}' is no zip archive, or was cut short on its way.") from None
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {reason(error)}.") from error


def _check_name(path: Path, info: zipfile.ZipInfo, is_expected: Callable[[str], bool]) -> None:
    name = info.orig_filename
    parts = name.split("/")
    strange = (
        bool(_FORBIDDEN & set(name))
        or any(part in ("", ".", "..") or part != part.rstrip(". ") for part in parts)
        or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG)
    )
    if strange or name != info.filename or not is_expected(name):
        raise FileError(
            f"'{path.name}' holds '{name[:60]}', which does not belong there; nothing was unpacked."
        )
    if info.flag_bits & 1:
        raise FileError(f"'{path.name}' is locked with a password; unlock it first.")


def _check_size(path: Path, infos: Iterable[zipfile.ZipInfo], largest: int) -> None:
    size = sum(info.file_size for info in infos)
    if size > largest:
        raise FileError(
            f"'{path.name}' would unpack to {size / 1e6:.0f} MB, more than it can hold by what it "
            f"is ({largest / 1e6:.0f} MB); nothing was unpacked."
        )


def _check_room(path: Path, folder: Path, size: int) -> None:
    place = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    try:
        free = shutil.disk_usage(place).free
    except OSError:  # some network disks do not tell
        return
    if size > free:
        raise FileError(
            f"'{path.name}' takes {size / 1e6:.0f} MB unpacked, but '{place}' has room for "
            f"{free / 1e6:.0f} MB."
        )


def _content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as member:
            return member.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise _damaged(path, info) from None


def _copy(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    try:
        with archive.open(info) as member, target.open("wb") as out:
            shutil.copyfileobj(member, out, _BLOCK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise _damaged(path, info) from None


def _damaged(path: Path, info: zipfile.ZipInfo) -> FileError:
    return FileError(
        f"'{path.name}' is damaged: '{info.filename}' cannot be read. Have it sent again."
    )
