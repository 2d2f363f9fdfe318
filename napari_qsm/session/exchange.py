"""Replacing the files of a folder by new ones, all or none, with the old ones kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import flush, flush_folder, reason
from napari_qsm.session.locks import locked


class Exchange:
    """New files for a folder; they take their places when the block ends well.

    Parameters
    ----------
    folder : Path
        Made if missing.
    previous : str
        Name of the folder within it that keeps the files replaced last.
    last : str
        The file that ties the others together; it moves last.
    listed : sequence of str
        Files of the version that is there now. Those that the new version doesn't have go.
    check : callable
        Called once all new files are written, before the first takes its place; it may raise,
        for example because another program has written there meanwhile. From then until the
        last file stands no other exchange of this folder comes in between.

    Attributes
    ----------
    staging : Path
        Where new files are written.
    """

    def __init__(
        self,
        folder: Path,
        previous: str,
        *,
        last: str,
        listed: Sequence[str],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder
        self.staging = folder
        self._previous, self._last = previous, last
        self._listed = [name for name in dict.fromkeys(listed) if (folder / name).is_file()]
        self._check = check
        self._kept: set[str] = set()
        self._made = False

    def keep(self, names: Iterable[str]) -> None:
        """Files of the folder that belong to the new version as they are."""
        self._kept.update(names)

    def __enter__(self) -> Exchange:
        if self.folder.exists() and not self.folder.is_dir():
            raise FileError(f"'{self.folder}' is a file; a folder name is needed.")
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        except OSError as error:
            raise FileError(f"Cannot write into '{self.folder}': {reason(error)}.") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        done = False
        try:
            if kind is None:
                self._replace()
                done = True
            elif isinstance(error, OSError) and not isinstance(error, FileError):
                raise FileError(f"Cannot write into '{self.folder}': {reason(error)}.") from error
        except OSError as trouble:
            raise FileError(f"Cannot write into '{self.folder}': {reason(trouble)}.") from trouble
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)
            if self._made and not done:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()

    def _replace(self) -> None:
        new = sorted(p.name for p in self.staging.iterdir() if p.is_file())
        new.sort(key=lambda name: name == self._last)
        for name in new:
            flush(self.staging / name)
        with locked(self.folder):
            self._check()
            self._swap(new)

    def _swap(self, new: list[str]) -> None:
        old = [*self._listed, *(n for n in new if n not in self._listed)]
        old = [name for name in old if (self.folder / name).exists()]
        backup = self.staging / "old"
        backup.mkdir()
        # Copies, not links: other programs write straight into files they have opened.
        for name in old:
            _back_up(self.folder / name, self.folder / self._previous / name, backup / name)
        moved: list[str] = []
        try:
            for name in new:
                os.replace(self.staging / name, self.folder / name)  # noqa: PTH105
                moved.append(name)
        except OSError:
            for name in moved:
                _put_back(backup / name, self.folder / name)
            raise
        flush_folder(self.folder)
        for name in self._listed:
            if name not in new and name not in self._kept:
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink()
        if old:
            self._keep_previous(backup)

    def _keep_previous(self, backup: Path) -> None:
        previous = self.folder / self._previous
        aside = self.staging / "older"
        with contextlib.suppress(OSError):  # the new version stands; only the old one is at stake
            if previous.exists():
                previous.rename(aside)
            backup.rename(previous)


def _back_up(path: Path, earlier: Path, target: Path) -> None:
    """Copy a file; where the version before holds the same already, that copy is used again."""
    with contextlib.suppress(OSError):
        now, then = path.stat(), earlier.stat()
        if (now.st_size, now.st_mtime_ns) == (then.st_size, then.st_mtime_ns):
            os.link(earlier, target)  # nobody writes into that folder
            return
    shutil.copy2(path, target)


def _put_back(backup: Path, place: Path) -> None:
    with contextlib.suppress(OSError):
        if backup.exists():
            shutil.copy2(backup, place)
        else:
            place.unlink(missing_ok=True)
