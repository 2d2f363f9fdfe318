"""A home for programs that run where none can be written to: containers, shares, service users.

napari, matplotlib and the window's own settings each keep something below the user's home, and some
of them end with an error where they cannot. A folder for this process alone takes its place.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from napari_qsm.recon.caches import can_write

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
