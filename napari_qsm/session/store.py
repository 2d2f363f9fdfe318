"""Reading a session's folder, as the user saved it or as it was kept in the background.

Both are one layout: a JSON file that holds everything but voxels (:mod:`.records`), and beside it
the voxels that lie nowhere else (:mod:`.places`). The file kept in the background has a name of its
own, by which folders to be offered are found; besides, it knows where the session was saved last,
and holds maps that an undo may bring back.
"""

from __future__ import annotations

from pathlib import Path

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import reason
from napari_qsm.session.places import volume_at
from napari_qsm.session.records import BROKEN, Record, parsed
from napari_qsm.session.references import (
    SavedAs,
    place_in,
    saved_as_in,
    stamp_in,
    stamp_of,
)
from napari_qsm.session.saved import SavedMap, SavedSession
from napari_qsm.session.upgrade import FORMAT, upgraded

SESSION_FILE = "session.json"
#: The same of work that was kept in the background.
RECOVERY_FILE = "recovery.json"


def session_file(folder: Path) -> Path:
    """The file that ties a session's folder together, whether or not it is there."""
    kept = folder / RECOVERY_FILE
    return (
        kept if kept.is_file() and not (folder / SESSION_FILE).is_file() else folder / SESSION_FILE
    )


def read_content(path: Path) -> Record:
    """The content of a session's or recovery file, in the present format.

    Raises
    ------
    FileError
        If it is damaged, of another kind, or of a newer format.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise FileError(f"'{path}' is not a readable session.") from error
    number = content.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise FileError(f"'{path}' is not a readable session.")
    if number > FORMAT:
        raise FileError(
            f"'{path}' was saved by a newer version of this program; update to open it."
        )
    if number == 1 and "session" in content:  # a recovery file of version 0.1
        number = 2
    state = "settings" if number == 1 else "session"
    if not isinstance(content.get(state), dict) or not isinstance(content.get("maps"), list):
        raise FileError(f"'{path}' is not a readable session.")
    content = upgraded(content, number)
    needed = {"session": dict, "maps": list, "cases": list}
    if any(not isinstance(content.get(name), kind) for name, kind in needed.items()):
        raise FileError(f"'{path}' is not a readable session.")
    return content


def read_session(folder: Path | str) -> SavedSession:
    """Read a session and all of its files that can be found.

    Parameters
    ----------
    folder : Path or str
        That holds :data:`SESSION_FILE` or :data:`RECOVERY_FILE`.

    Returns
    -------
    SavedSession
        What is missing, changed or damaged is told in its ``problems``; the rest is there.

    Raises
    ------
    FileError
        If the session's own file is missing, damaged or of a newer format.
    """
    folder = Path(folder).absolute()
    path = session_file(folder)
    try:
        content = read_content(path)
        known = SavedAs(folder, {path.name: stamp_of(path)})
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {reason(error)}.") from error
    saved = SavedSession(
        folder,
        cases=[each for each in content["cases"] if isinstance(each, dict)],
        state=content["session"],
    )
    if len(saved.cases) < len(content["cases"]):
        saved.problems.append("A case of the session could not be read and was left out.")
    for number, record in enumerate(content["maps"], 1):
        try:
            saved.maps.append(_map_of(record, folder, known, saved.problems))
        except (*BROKEN, OSError) as error:
            told = isinstance(error, QsmError | OSError)
            what = record.get("name") if isinstance(record, dict) else None
            name = f"'{what}'" if isinstance(what, str) else f"Map {number} of the session"
            saved.problems.append(
                str(error) if told else f"{name} could not be read and was left out."
            )
    if path.name == RECOVERY_FILE:
        saved.saved_as = saved_as_in(content.get("saved_as"))
    else:
        known.copy_scans = bool(saved.maps) and not any(each.reference for each in saved.maps)
        saved.saved_as = known
    return saved


def _map_of(record: Record, folder: Path, known: SavedAs, problems: list[str]) -> SavedMap:
    """Read a map; the files of it that lie in the folder are remembered."""
    name, unit = _text(record["name"]), _text(record["unit"])
    reference = record.get("reference") or None
    if reference:
        stamp_in(reference)
        place_in(reference, folder)
    volume, odd = volume_at(record, folder, unit=unit, name=name)
    problems += odd
    if not reference and record.get("file"):
        for own in (record["file"]["name"], record.get("table")):
            path = folder / Path(own).name if own else None
            if path is not None and path.is_file():
                known.stamps[path.name] = stamp_of(path)
    return SavedMap({**record, "name": name, "unit": unit}, volume, reference)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
