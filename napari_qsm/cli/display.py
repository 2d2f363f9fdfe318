"""Whether a window can be opened here, and why not; found out without opening one."""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from napari_qsm.recon.caches import can_write

_BINDINGS = ("PyQt5", "PyQt6", "PySide6")
_NONE = "There is no display to open a window on"
_WAIT_S = 2.0
#: Qt itself ends the process where it finds no display, so another process has to try.
_TRY = "from qtpy.QtGui import QGuiApplication; QGuiApplication(['napari-qsm'])"
_TRY_S = 60


@cache
def display_problem() -> str:
    """Why no window can be opened, as a sentence; empty where one can."""
    if not any(importlib.util.find_spec(name) for name in _BINDINGS):
        return (
            "No Qt binding is installed, so no window can be opened; 'pip install "
            '"napari-qsm[pyqt6]"\' brings one.'
        )
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return f"{_NONE}: Qt is told to draw nothing (QT_QPA_PLATFORM)."
    if sys.platform in ("win32", "darwin"):
        return ""
    display, wayland = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if not display and not wayland:
        return f"{_NONE}."
    if display and not wayland and not _answers(display):
        return f"{_NONE}: '{display}' (DISPLAY) does not answer."
    return _tried()


def _answers(display: str) -> bool:
    """Whether an X server listens where DISPLAY says."""
    found = re.fullmatch(r"(?P<host>.*):(?P<number>\d+)(\.\d+)?", display)
    if found is None:
        return False
    host, screen = found["host"], int(found["number"])
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{screen}"  # where X servers listen
        if any(_listens(socket.AF_UNIX, where) for where in (path, f"\0{path}")):
            return True
        host = "localhost"
    try:
        with socket.create_connection((host, 6000 + screen), timeout=_WAIT_S):
            return True
    except (OSError, OverflowError):
        return host.startswith("/") and os.path.exists(host)  # noqa: PTH110 - launchd's sockets


def _listens(family: int, where: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as end:
            end.settimeout(_WAIT_S)
            end.connect(where)
    except OSError:
        return False
    return True


def _tried() -> str:
    """What a process that opens Qt on the display comes to."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRY], capture_output=True, timeout=_TRY_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # not found out: let Qt say it
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace")
    if "could not connect to display" in said:  # Qt 6 blames a library for it, too
        display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        return f"{_NONE}: '{display}' (DISPLAY) does not let this user in."
    if "xcb-cursor" in said or "Could not load the Qt platform plugin" in said:
        missing = re.search(r"lib[\w-]*cursor\w*", said)
        if missing:
            return (
                f"Qt cannot open a window here: it needs {missing[0]} (on Debian and Ubuntu: apt "
                "install libxcb-cursor0)."
            )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        lines = lines[-1:]
    return f"Qt cannot open a window here: {lines[0].rstrip('.') if lines else 'it ended'}."


#: Variables that say where programs keep settings, caches and the like, with their usual places.
_PLACES = (
    {"APPDATA": "AppData/Roaming", "LOCALAPPDATA": "AppData/Local"}
    if sys.platform == "win32"
    else {
        "XDG_CONFIG_HOME": ".config",
        "XDG_CACHE_HOME": ".cache",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
    }
)


def settle_home() -> str:
    """Give this process a home where it has none.

    Returns
    -------
    str
        What the user of a window should know; empty where all is as usual.
    """
    try:
        home: Path | None = Path.home()
    except RuntimeError:  # nobody knows this user's home
        home = None
    lacking = {}
    for variable, usual in _PLACES.items():
        said = os.environ.get(variable)
        place = Path(said) if said else home / usual if home else None
        if place is None or not can_write(place):
            lacking[variable] = usual
    if not lacking:
        return ""
    folder = Path(tempfile.mkdtemp(prefix="napari-qsm-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for variable, usual in lacking.items():
        (folder / usual).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(folder / usual)
    if home is None or not can_write(home):
        os.environ["HOME"] = str(folder)
    os.environ.setdefault("MPLCONFIGDIR", str(folder))
    return (
        "There is no home folder that can be written to, so settings, and work that was not saved, "
        "will not be there at the next start."
    )
