"""A place for compiled code where neither the program's folder nor the home can be written to.

In a container, on a hospital's share or without a home, numba refuses to compile a function that
asks for a cache. A folder for this process alone serves then; one that others could write to must
not be used, because what lies in a cache is run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"


def settle_cache() -> None:
    """Give numba a cache of its own if it has none; to be called before it is imported."""
    if os.environ.get(_VARIABLE) or any(map(can_write, _usual_places())):
        return
    folder = tempfile.mkdtemp(prefix="napari-qsm-compiled-")
    os.environ[_VARIABLE] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _usual_places() -> list[Path]:
    """Where numba keeps compiled code: beside the source, or in the user's own cache."""
    places = [Path(__file__).parent / "__pycache__"]
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    with contextlib.suppress(RuntimeError):  # nobody knows this user's home
        places.append(Path(home) if home else Path.home() / ".cache")
    return places


def can_write(folder: Path) -> bool:
    """Whether a folder, or the nearest one above that exists, can be written into."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
