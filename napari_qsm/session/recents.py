"""What was opened lately: where it lies, whose it is, how far the work has come, a small picture.

Kept on this computer alone, in the user's own folder; without such a folder nothing is kept and
nothing else changes. A blinded reader's cases are kept by their letters and without a picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from platformdirs import user_state_dir

from napari_qsm.arrays import Array
from napari_qsm.colormaps import effective_window
from napari_qsm.io.atomic import write_text
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.model import Session
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry

#: Older entries are forgotten beyond this.
MOST = 12
THUMBNAIL_PIXELS = 96
_SETTING = "remember_recents"


@dataclass(frozen=True)
class Recent:
    """One thing that was opened or saved.

    Attributes
    ----------
    paths : tuple of str
        What opens it again: a session's folder, a scan's folder, or files.
    names : tuple of str
        Of its cases: participant and visit.
    state : str
        How far the work has come, in words: ``"scan, map, 4 regions"``.
    when : str
        ISO time, of the last time it was open.
    is_session : bool
        Whether the work itself is saved there.
    picture : str
        Name of the thumbnail's file; empty if there is none.
    is_study : bool
        Whether it is a study, which opens with its page.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...] = ()
    state: str = ""
    when: str = ""
    is_session: bool = False
    picture: str = ""
    is_study: bool = False

    @property
    def is_there(self) -> bool:
        """Whether all of it can still be found."""
        try:
            return all(Path(path).exists() for path in self.paths)
        except OSError:
            return False

    @property
    def moment(self) -> datetime | None:
        """When it was open last."""
        try:
            return datetime.fromisoformat(self.when)
        except ValueError:
            return None

    @property
    def thumbnail(self) -> Path | None:
        """The picture's file, if it is there."""
        path = home() / self.picture
        return path if self.picture and path.is_file() else None


def home() -> Path:
    """Where the list and its pictures lie; never roams."""
    return Path(user_state_dir("napari-qsm", appauthor=False, roaming=False)) / "recent"


def is_remembering() -> bool:
    """Whether the user wants a list at all."""
    return load_settings().get(_SETTING, True) is not False


def set_remembering(on: bool) -> None:
    """Keep a list from now on, or none; without one, what was kept goes."""
    save_settings({_SETTING: on})
    if not on:
        clear()


def listed() -> list[Recent]:
    """What was opened lately, the latest first; empty if nothing can be read."""
    try:
        rows = json.loads((home() / "list.json").read_text(encoding="utf-8"))
        return [found for row in rows if (found := _recent(row)) is not None][:MOST]
    except (OSError, ValueError, TypeError):
        return []


def _recent(row: object) -> Recent | None:
    """A row of the list; None where it is none."""
    if not isinstance(row, dict):
        return None
    paths, names = _words(row.get("paths")), _words(row.get("names"))
    if not paths or names is None:
        return None
    texts = {key: row.get(key, "") for key in ("state", "when", "picture")}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    # A name, never a way: nothing outside of the folder is shown or removed.
    texts["picture"] = Path(texts["picture"]).name
    of_session, of_study = (row.get(key) is True for key in ("is_session", "is_study"))
    return Recent(paths, names, is_session=of_session, is_study=of_study, **texts)


def _words(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return None


def key_of(paths: Iterable[Path]) -> tuple[str, ...]:
    """What tells one entry of the list from another."""
    return tuple(str(Path(path).absolute()) for path in paths)


def remember(
    session: Session, paths: Sequence[Path], cases: Iterable[Case], *, is_session: bool = False
) -> None:
    """Put what is open at the top of the list, with a picture of now.

    Parameters
    ----------
    session : Session
        Whether reading is blinded, and where the crosshair is.
    paths : sequence of Path
        What opens it again.
    cases : iterable of Case
        What is open of it.
    is_session : bool
        Whether the work itself is saved there.
    """
    cases = [case for case in cases if not case.is_empty]
    if not paths or not cases or not is_remembering():
        return
    folder, absolute = home(), key_of(paths)
    name = hashlib.sha256("\n".join(absolute).encode()).hexdigest()[:16] + ".png"
    recent = Recent(
        absolute,
        tuple(shown_case(session, case) for case in cases),
        state_of(cases),
        datetime.now(UTC).isoformat(timespec="seconds"),
        is_session,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shown = None if session.blinded else thumbnail(session, cases[0])
        if shown is not None:
            Image.fromarray(shown).save(folder / name)
            recent = replace(recent, picture=name)
        else:
            (folder / name).unlink(missing_ok=True)
        _keep([recent, *(each for each in listed() if each.paths != absolute)])
    except (OSError, ValueError):
        return


def remember_study(root: Path, name: str, state: str) -> None:
    """Put a study at the top of the list, with its name and how far it is in words."""
    if not is_remembering():
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    recent = Recent(key_of([root]), (name,), state, now, is_study=True)
    try:
        home().mkdir(parents=True, exist_ok=True)
        _keep([recent, *(each for each in listed() if each.paths != recent.paths)])
    except (OSError, ValueError):
        return


def forget(paths: tuple[str, ...]) -> None:
    """Take one out of the list; its files stay as they are."""
    try:
        _keep([each for each in listed() if each.paths != paths])
    except OSError:
        return


def clear() -> None:
    """Empty the list, and remove its pictures."""
    try:
        _keep([])
    except OSError:
        return


def _keep(rows: Iterable[Recent]) -> None:
    kept = list(rows)[:MOST]
    folder = home()
    if not folder.is_dir() and not kept:
        return
    write_text(folder / "list.json", json.dumps([asdict(row) for row in kept], indent=1) + "\n")
    wanted = {row.picture for row in kept}
    for picture in folder.glob("*.png"):
        if picture.name not in wanted:
            picture.unlink(missing_ok=True)


def state_of(cases: Iterable[Case]) -> str:
    """How far the work has come, in words."""
    listed = list(cases)
    words = []
    if any(case.scan_sources() for case in listed):
        words.append("scan")
    if any(entry.is_susceptibility for case in listed for entry in case.of_role("map")):
        words.append("map")
    drawn = sum(len(_present(entry)) for case in listed for entry in case.of_role("labels"))
    shapes = sum(len(case.shapes) for case in listed)
    for count, word in ((drawn, "region"), (shapes, "fixed shape")):
        if count:
            words.append(f"{count} {word}{'s' if count > 1 else ''}")
    return ", ".join(words)


def _present(entry: MapEntry) -> Array:
    return np.flatnonzero(np.bincount(entry.labels.ravel(order="K"))[1:])


def thumbnail(session: Session, case: Case) -> Array | None:
    """An axial slice of a case's map, as (rows, columns) of grey; None if it has no picture.

    It goes through the crosshair for the case on show, else through the middle. The patient's
    right is where the session has it; a map at an angle is shown on its own grid.
    """
    images = case.of_role("magnitude", "map")
    susceptibility = [entry for entry in images if entry.is_susceptibility]
    entry = next(iter(reversed(susceptibility or images)), None)
    if entry is None:
        return None
    volume = entry.shown
    level = volume.shape[2] // 2
    if case is session.case:
        at = round(float(volume.world_to_voxel(session.crosshair_mm)[2]))
        level = at if 0 <= at < volume.shape[2] else level
    values = np.asarray(volume.data[:, :, level], dtype=np.float32)
    low, high = effective_window(entry.display)
    grey = np.nan_to_num((values - low) / ((high - low) or 1.0), nan=0.0)
    picture = (np.clip(grey, 0, 1) * 255).astype(np.uint8).T[::-1]
    if session.radiological:
        picture = picture[:, ::-1]
    width, height = (volume.voxel_size_mm[k] * volume.shape[k] for k in (0, 1))
    scale = THUMBNAIL_PIXELS / max(width, height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size))
