"""Work that was kept in the background and is offered back at the next start."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from platformdirs import user_state_dir

from napari_qsm.errors import FileError
from napari_qsm.session.locks import FolderLock, in_use
from napari_qsm.session.records import BROKEN
from napari_qsm.session.saved import SavedSession
from napari_qsm.session.store import RECOVERY_FILE, read_content, read_session

#: An unused folder without content is left alone for so long: it may be just being made.
_YOUNG_S = 60.0


def recovery_home() -> Path:
    """Where recovery folders lie on this system; settings may roam, these never do."""
    return Path(user_state_dir("napari-qsm", appauthor=False, roaming=False)) / "recovery"


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
        """Read everything back; maps whose files are gone are ``missing``, the drawings are there.

        Raises
        ------
        FileError
            If the folder is damaged beyond use.
        """
        return read_session(self.folder)

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
        content = read_content(folder / RECOVERY_FILE)
        return Recovery(
            folder,
            datetime.fromisoformat(content["saved"]),
            tuple(str(m["name"]) for m in content["maps"] if m["role"] != "labels"),
            {str(key): [str(each) for each in value] for key, value in content["drawn"].items()},
        )
    except (*BROKEN, OSError):
        return None
