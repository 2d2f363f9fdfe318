"""Work that was kept in the background and is offered back at the next start."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.session.grids import volume_on
from napari_qsm.session.locks import FolderLock, in_use
from napari_qsm.session.references import own_volume
from napari_qsm.session.saved import SavedMap, SavedSession, checked, look_up
from napari_qsm.volume import Volume

RECOVERY_FILE = "recovery.json"
FORMAT = 1
#: An unused folder without content is left alone for so long: it may be just being made.
_YOUNG_S = 60.0


def recovery_home() -> Path:
    """Where recovery folders lie on this system."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "napari-qsm" / "recovery"


@dataclass
class Recovery:
    """Work of a window that did not end as it should.

    Attributes
    ----------
    folder : Path
        Where it lies.
    when : datetime
        Of the last change that was kept, with time zone.
    maps : tuple of str
        Names of the maps that were open, without label maps.
    drawn : dict
        For each label map, the regions that have voxels.
    """

    folder: Path
    when: datetime
    maps: tuple[str, ...] = ()
    drawn: dict[str, list[str]] = field(default_factory=dict)
    _lock: FolderLock | None = None

    def take(self) -> None:
        """Keep other windows from offering it too.

        Raises
        ------
        FileError
            If another window has taken it.
        """
        if self._lock is None:
            try:
                self._lock = FolderLock(self.folder)
            except OSError as error:
                raise FileError("This work is no longer there.") from error

    def leave(self) -> None:
        """Let other windows have it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self) -> SavedSession:
        """Read everything back; see :func:`read_recovery`."""
        return read_recovery(self.folder)

    def delete(self) -> None:
        """Remove it for good.

        Raises
        ------
        FileError
            If another window has taken it.
        """
        self.take()
        with contextlib.suppress(OSError):
            (self.folder / RECOVERY_FILE).unlink(missing_ok=True)
        self.leave()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_recoveries(home: Path | None = None) -> list[Recovery]:
    """Work left behind by windows that are no more, the latest first.

    Folders of windows that are still open are passed over; those without content go.
    """
    home = home or recovery_home()
    try:
        folders = [folder for folder in home.iterdir() if folder.is_dir()]
    except OSError:
        return []
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            if in_use(folder):
                continue
            if not (folder / RECOVERY_FILE).is_file():
                if time.time() - folder.stat().st_mtime > _YOUNG_S:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
        recovery = _about(folder)
        if recovery is not None:
            found.append(recovery)
    return sorted(found, key=lambda each: each.when, reverse=True)


def _about(folder: Path) -> Recovery | None:
    try:
        content = _content(folder)
        return Recovery(
            folder,
            datetime.fromisoformat(content["saved"]),
            tuple(each["name"] for each in content["maps"] if each["role"] != "labels"),
            {str(key): list(value) for key, value in content["drawn"].items()},
        )
    except (QsmError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _content(folder: Path) -> dict[str, Any]:
    path = folder / RECOVERY_FILE
    return checked(json.loads(path.read_text(encoding="utf-8")), path, FORMAT)


def read_recovery(folder: Path) -> SavedSession:
    """Read back the work in a recovery folder.

    Returns
    -------
    SavedSession
        Maps whose files are gone are among its ``missing``; the drawings are there.

    Raises
    ------
    FileError
        If the folder is damaged beyond use.
    """
    try:
        content = _content(folder)
        saved = SavedSession(
            folder, [], content["session"], content["scan"], content.get("reconstruction")
        )
        for record in content["maps"]:
            saved.maps.append(_read_map(folder, record, saved.problems))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, QsmError):
            raise
        raise FileError(f"The work kept in '{folder}' cannot be read.") from error
    return saved


def _read_map(folder: Path, record: dict[str, Any], problems: list[str]) -> SavedMap:
    each = SavedMap(record, reference=record.get("reference"))
    name, unit = record["name"], record["unit"]
    try:
        if "store" in record:
            each.volume = _unpacked(folder, record, problems)
        elif each.reference:
            problems += look_up(each, folder)
        elif "file" in record:
            path = folder / Path(record["file"]["name"]).name
            each.volume = own_volume(path, unit=unit, name=name)
        elif record.get("origin"):
            each.volume = read_volume(record["origin"], unit=unit, name=name)
            problems.append(f"'{name}' was read from its file again; check its values and unit.")
        else:
            problems.append(f"'{name}' had not been kept yet; open it again.")
    except QsmError as error:
        problems.append(str(error))
    return each


def _unpacked(folder: Path, record: dict[str, Any], problems: list[str]) -> Volume:
    store = record["store"]
    shape = tuple(store["shape"])
    values = np.zeros(shape, dtype=store["dtype"], order="F")
    depth = int(store["depth"])
    for key, (file, crc) in store["slabs"].items():
        first = int(key) * depth
        part = values[:, :, first : first + depth]
        try:
            packed = (folder / Path(file).name).read_bytes()
            if zlib.crc32(packed) != crc:
                raise ValueError
            raw = np.frombuffer(zlib.decompress(packed), dtype=values.dtype)
            part[...] = raw.reshape(part.shape, order="F")
        except (OSError, ValueError, zlib.error):
            problems.append(
                f"Slices {first + 1} to {first + part.shape[2]} of '{record['name']}' are damaged "
                "and come back empty."
            )
    return volume_on(store, values, unit=record["unit"], name=record["name"])
