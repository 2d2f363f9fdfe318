"""Files of one result taking their places in a folder together, whatever stops the program.

The finished files stand in :data:`MOVING` within the folder, with a plan, before the first of
them moves. Then the old files move away, all of them, and only after that the new ones move in:
whoever looks at the folder sees files of one result, never of two. Where the program ends on the
way, the next one that reads or writes there finds the plan and carries it out.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import psutil

from napari_qsm.errors import FileError

#: Folder that holds a result whose files are taking their places.
MOVING = ".moving-napari-qsm"
#: What files and folders that are being written begin with.
WRITING = ".writing-"
_PLAN, _NEW, _OLD = "plan.json", "new", "old"
_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:24] or "host"
_NAMED = re.compile(re.escape(WRITING) + r"([A-Za-z0-9]+)-(\d+)-(\d+)-.*")
#: Start times of one process that differ by less are the same; clocks are set now and then.
_SAME_START_S = 5
#: What another computer has not touched for so long is no longer being written.
_LONGEST_WORK_S = 24 * 3600
_LEVELS_UP = 3


def passing_prefix() -> str:
    """Beginning of a passing name, which tells the process that it belongs to."""
    return f"{WRITING}{_HOST}-{os.getpid()}-{_started(os.getpid()):.0f}-"


def _started(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def _is_alive(host: str, pid: int, started: float, sign: Path) -> bool:
    """Whether a process may still be writing; that of another computer, by the age of a file."""
    if host != _HOST:
        return time.time() - sign.stat().st_mtime < _LONGEST_WORK_S
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < _SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def sweep(folder: Path) -> None:
    """Take away what killed programs of this computer left half-written in a folder."""
    with contextlib.suppress(OSError):
        for left in folder.glob(f"{WRITING}*"):
            named = _NAMED.fullmatch(left.name)
            if named is None or _is_alive(named[1], int(named[2]), float(named[3]), left):
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def move_in(work: Path, folder: Path, gone: Iterable[str]) -> None:
    """Let the files under ``work/new`` take their places in a folder.

    Parameters
    ----------
    work : Path
        Folder within ``folder``; its ``new`` holds whole files, flushed to the disk.
    folder : Path
        Where they belong.
    gone : iterable of str
        Files of the folder that leave it at the same time.

    Raises
    ------
    OSError
        If a file cannot be moved; the folder then is as before.
    FileError
        If another program is moving files into the folder at this moment.
    """
    pid, leaving = os.getpid(), sorted(gone)
    plan = {"host": _HOST, "pid": pid, "started": _started(pid), "gone": leaving}
    (work / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    new = _files(work / _NEW)
    moving = folder / MOVING
    finish(folder)
    work.rename(moving)
    try:
        _carry_out(moving, folder, leaving, new)
    except BaseException:
        _undo(moving, folder, new)
        raise
    with contextlib.suppress(OSError):
        _clear(moving)


def finish(folder: Path) -> None:
    """Carry out what a stopped program had begun to move into a folder; most often nothing.

    Raises
    ------
    FileError
        If another program is at it, or the folder cannot be written to: its files then are
        incomplete.
    """
    moving = folder / MOVING
    if not moving.is_dir():
        return
    try:
        plan = json.loads((moving / _PLAN).read_text(encoding="utf-8"))
        alive = _is_alive(plan["host"], int(plan["pid"]), float(plan["started"]), moving)
        plan["gone"] = list(plan["gone"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        plan, alive = {"gone": []}, False
    if alive:
        raise FileError(f"Results are being written into '{folder}' at this moment; try again.")
    try:
        gone = [name for name in plan["gone"] if _is_within(name)]
        _carry_out(moving, folder, gone, _files(moving / _NEW))
        _clear(moving)
    except OSError as error:
        raise FileError(
            f"A program was stopped while it replaced the files in '{folder}', and they cannot be "
            f"put in order here ({error.strerror or error}); make the results again."
        ) from error


def finish_above(path: Path) -> None:
    """As :func:`finish`, for the folder of a file and for the folders that it lies in."""
    for folder in list(path.absolute().parents)[: _LEVELS_UP + 1]:
        finish(folder)


def _is_within(name: object) -> bool:
    """Whether a name from a plan, which anybody may have written, stays in its folder."""
    parts = PurePosixPath(name).parts if isinstance(name, str) else ("..",)
    return ".." not in parts and not Path(*parts).is_absolute() and ":" not in "".join(parts)


def _clear(moving: Path) -> None:
    """Take a plan away once it is carried out; first of all, so that it is not done again."""
    (moving / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(moving)


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _carry_out(moving: Path, folder: Path, gone: Iterable[str], new: list[str]) -> None:
    """Old files away, then new files in; files that have moved already are let be."""
    for name in [*gone, *new]:
        if (folder / name).exists():
            _move(folder / name, moving / _OLD / name)
    for name in new:
        _move(moving / _NEW / name, folder / name)


def _undo(moving: Path, folder: Path, new: list[str]) -> None:
    """Everything back where it was; what cannot be moved back is left for :func:`finish`."""
    with contextlib.suppress(OSError):
        for name in new:
            if not (moving / _NEW / name).exists() and (folder / name).exists():
                _move(folder / name, moving / _NEW / name)
        for name in _files(moving / _OLD):
            _move(moving / _OLD / name, folder / name)
        _clear(moving)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)  # noqa: PTH105 - the call that tests can hook
