"""Where results are to go, looked at before any work is done for them.

One rule for every command: nothing that exists is replaced unless that was asked for; a file of
another kind, and one that the work is made from, is not replaced even then.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import check_parent, check_place, reason
from napari_qsm.io.moving import finish, passing_prefix, sweep

_HOW = "choose another name or add --overwrite"


def check_out_file(
    path: Path,
    *,
    overwrite: bool,
    is_ours: Callable[[Path], bool] | None = None,
    inputs: Iterable[Path] = (),
    needed_bytes: int = 0,
) -> None:
    """Refuse a file that cannot or must not be written.

    Parameters
    ----------
    path : Path
        The file to be.
    overwrite : bool
        Whether the user allowed to replace a file of the same kind.
    is_ours : callable, optional
        Whether an existing file is of the kind that will be written there; any is, unless given.
    inputs : iterable of Path
        Files that the work is made from.
    needed_bytes : int
        Room that the file takes at least.

    Raises
    ------
    FileError
        Saying which of these it is.
    """
    if path.is_dir():
        raise FileError(f"'{path}' is a folder; a file name is needed.")
    check_parent(path)
    if path.exists():
        _refuse_input(path, inputs)
        if is_ours is not None and not is_ours(path):
            raise FileError(
                f"'{path}' exists and is a file of another kind, which is never replaced; choose "
                "another name."
            )
        if not overwrite:
            raise FileError(f"'{path}' exists already; {_HOW}.")
    _check_writable(path.parent)
    _check_room(path.parent, needed_bytes)


def check_out_folder(
    folder: Path,
    names: Iterable[str] = (),
    *,
    overwrite: bool,
    proof: str = "",
    inputs: Iterable[Path] = (),
    needed_bytes: int = 0,
) -> None:
    """Refuse a folder that results cannot or must not be written into.

    Parameters
    ----------
    folder : Path
        Made later, if missing.
    names : iterable of str
        Files that may be written there, as paths within the folder.
    overwrite : bool
        Whether the user allowed to replace an earlier result.
    proof : str
        File of an earlier result by which it is known; without it, files that have the names
        of results are somebody else's.
    inputs, needed_bytes
        As for :func:`check_out_file`.

    Raises
    ------
    FileError
        Saying which of these it is.
    """
    place = check_place(folder)
    if place == folder:
        finish(folder)
    sweep(place)
    taken = [name for name in names if os.path.lexists(folder / name)]
    for name in taken:
        _refuse_input(folder / name, inputs)
    if taken and not overwrite:
        raise FileError(
            f"'{folder}' already holds '{taken[0]}'; choose another folder or add --overwrite."
        )
    if taken and proof and not (folder / proof).is_file():
        raise FileError(
            f"'{folder}' holds '{taken[0]}' but no '{proof}', so it is no earlier result and is not "
            "replaced; choose another folder."
        )
    _check_writable(place)
    _check_room(place, needed_bytes)


def _refuse_input(path: Path, inputs: Iterable[Path]) -> None:
    if any(given.exists() and path.exists() and given.samefile(path) for given in inputs):
        raise FileError(
            f"'{path}' is what the work starts from, and is never replaced; choose another place."
        )


def _check_writable(folder: Path) -> None:
    try:
        with tempfile.NamedTemporaryFile(prefix=passing_prefix(), dir=folder):
            pass
    except OSError as error:
        raise FileError(f"Cannot write into '{folder}': {reason(error)}.") from error


def _check_room(folder: Path, needed_bytes: int) -> None:
    if not needed_bytes:
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # a disk that does not tell
        return
    if free < needed_bytes:
        raise FileError(
            f"There is too little room in '{folder}': about {needed_bytes / 1e6:.3g} MB are needed "
            f"and {free / 1e6:.3g} MB are free."
        )
