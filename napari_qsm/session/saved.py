"""A session read back from a folder or a recovery folder, before it is put to use."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.session.grids import volume_on
from napari_qsm.session.model import Session
from napari_qsm.session.records import (
    BROKEN,
    Record,
    add_case,
    add_entry,
    apply_labels,
    apply_session,
    parsed,
)
from napari_qsm.session.references import (
    SavedAs,
    drawing_checksum,
    find,
    own_volume,
    place_in,
    read_reference,
    stamp_in,
)
from napari_qsm.session.scan_record import restore_reconstruction, scan_from
from napari_qsm.session.upgrade import FORMAT, upgraded
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume


@dataclass
class SavedMap:
    """One map of a saved session.

    Attributes
    ----------
    record : dict
        Its fields; ``name``, ``role`` and ``unit`` are there.
    volume : Volume or None
        None while its file is missing.
    reference : dict or None
        For a map that stayed where it was, what was known of its file.
    """

    record: Record
    volume: Volume | None = None
    reference: Record | None = None

    @property
    def name(self) -> str:
        """What the user calls it."""
        return str(self.record["name"])

    @property
    def file_name(self) -> str:
        """Name of the file it stayed in."""
        return place_in(self.reference, Path()).name if self.reference else ""

    def read_from(self, path: Path) -> str:
        """Take its values from a file that the user has found.

        Returns
        -------
        str
            A sentence if that file is not the one that was saved; empty if it is.

        Raises
        ------
        QsmError
            If the file cannot be read.
        """
        reference = self.reference or {}
        self.volume = read_reference(path, reference, unit=self.record["unit"], name=self.name)
        if reference and not stamp_in(reference).agrees(path):
            return (
                f"'{path.name}' holds other values than the file that '{self.name}' "
                "was saved with; check that it is the right one."
            )
        return ""


@dataclass
class SavedSession:
    """A session read back.

    Attributes
    ----------
    folder : Path
        Where it was read.
    maps : list of SavedMap
        In drawing order.
    cases : list of dict
        Fields of the cases, with their scans and reconstructions.
    state : dict
        Fields of the session.
    problems : list of str
        Sentences about files that are missing, changed or unreadable.
    saved_as : SavedAs or None
        Remembered by the session, so that saving again notices changes on disk.
    """

    folder: Path
    maps: list[SavedMap] = field(default_factory=list)
    cases: list[Record] = field(default_factory=list)
    state: Record = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    saved_as: SavedAs | None = None

    @property
    def missing(self) -> list[SavedMap]:
        """Maps whose file is not where it was."""
        return [each for each in self.maps if each.volume is None and each.reference]

    def into(self, session: Session) -> list[str]:
        """Add everything that was found to a session, its cases beside those that are open.

        Returns
        -------
        list of str
            Sentences about what could not be brought back.
        """
        with session.no_work():
            return self._into(session)

    def _into(self, session: Session) -> list[str]:
        fresh = not session.maps
        before = session.case
        ids: dict[str, str] = {}
        cases, problems = self._add_cases(session, ids)
        if fresh and before.is_empty and cases:
            session.active_case = cases[0][0].id
            session.study.cases.remove(before)
            for case, record in cases:
                name = record.get("name")
                if isinstance(name, str) and name:
                    case.name = session.study.free_name(name, besides=case)
        for each in self.maps:
            problems += self._add_map(each, session, ids)
        for case, record in cases:
            apply_labels(record, case, ids)
            problems += self._add_scan(record, case, ids, session)
        problems += apply_session(self.state, session, ids, self.folder, fresh=fresh)
        if fresh and self.saved_as is not None and not self.missing:
            session._saved = self.saved_as
        return problems

    def _add_cases(
        self, session: Session, ids: dict[str, str]
    ) -> tuple[list[tuple[Case, Record]], list[str]]:
        made: list[tuple[Case, Record]] = []
        problems: list[str] = []
        for record in self.cases:
            case, odd = add_case(session, record, self.folder)
            problems += odd
            made.append((case, record))
            if isinstance(record.get("id"), str):
                ids[record["id"]] = case.id
        return made, problems

    def _add_map(self, each: SavedMap, session: Session, ids: dict[str, str]) -> list[str]:
        if each.volume is None:
            if each.reference is None:
                return []
            return [f"'{each.file_name}' was not found, so '{each.name}' is not open."]
        wanted = each.record.get("case")
        key = ids.get(wanted, "") if isinstance(wanted, str) else ""
        case = session.study.case(key) if key else None
        problems = []
        if case is None:
            case = session.case
            problems.append(f"'{each.name}' belonged to no case; it is shown with '{case.name}'.")
        try:
            entry, odd = add_entry(session, each.record, each.volume, case)
        except BROKEN as error:
            if isinstance(error, QsmError):
                return [str(error)]
            return [f"The map '{each.name}' could not be read and was left out."]
        if isinstance(each.record.get("id"), str):
            ids[each.record["id"]] = entry.id
        self._know_files(each, entry)
        if each.record.get("removed") is True:
            session.set_display(entry, visible=False)
            problems.append(
                f"'{entry.name}' had been removed; it is back, hidden, in case it is wanted."
            )
        return problems + odd

    def _know_files(self, each: SavedMap, entry: MapEntry) -> None:
        """Remember which files hold an entry, so that the next save leaves them as they are."""
        known, file = self.saved_as, each.record.get("file")
        if known is None or known.folder != self.folder or not isinstance(file, dict):
            return
        table = each.record.get("table")
        names = [Path(str(name)).name for name in (file.get("name"), table) if name]
        if any(name not in known.stamps for name in names):
            return
        if entry.editable is None:
            known.copies[entry.id] = (entry.volume.data, names[0])
        else:
            known.drawings[entry.id] = (drawing_checksum(entry), names)

    def _add_scan(
        self, record: Record, case: Case, ids: dict[str, str], session: Session
    ) -> list[str]:
        problems = []
        try:
            case.scan = scan_from(record.get("scan"), self.folder, session, ids)
        except (*BROKEN, OSError) as error:
            why = str(error) if isinstance(error, QsmError | OSError) else "it cannot be read."
            problems.append(f"The scan of '{case.name}' is not complete: {why}")
        return problems + restore_reconstruction(record.get("reconstruction"), case)


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


def read_saved(
    content: Record, folder: Path, read_own: Callable[[SavedMap], list[str]]
) -> SavedSession:
    """The session that a file's content tells of, with all of its files that can be found.

    Parameters
    ----------
    content : dict
        From :func:`read_content`.
    folder : Path
        Where the file lies.
    read_own : callable
        Reads a map that the folder itself holds; returns sentences about what is odd.
    """
    saved = SavedSession(
        folder,
        cases=[each for each in content["cases"] if isinstance(each, dict)],
        state=content["session"],
    )
    if len(saved.cases) < len(content["cases"]):
        saved.problems.append("A case of the session could not be read and was left out.")
    for number, record in enumerate(content["maps"], 1):
        try:
            each = SavedMap(
                {**record, "name": _text(record["name"]), "unit": _text(record["unit"])}
            )
            reference = record.get("reference")
            if reference:
                stamp_in(reference)
                place_in(reference, folder)
                each.reference = reference
            saved.problems += look_up(each, folder) if each.reference else read_own(each)
        except (*BROKEN, OSError) as error:
            known = isinstance(error, QsmError | OSError)
            what = record.get("name") if isinstance(record, dict) else None
            name = f"'{what}'" if isinstance(what, str) else f"Map {number} of the session"
            saved.problems.append(
                str(error) if known else f"{name} could not be read and was left out."
            )
            continue
        saved.maps.append(each)
    return saved


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def look_up(each: SavedMap, folder: Path) -> list[str]:
    """Read a map from where it stayed; returns sentences about what is odd."""
    reference = each.reference or {}
    name = each.file_name
    found = find(reference, folder)
    if found.path is None:
        return []
    try:
        each.volume = read_reference(
            found.path, reference, unit=each.record["unit"], name=each.name
        )
    except (QsmError, OSError) as error:
        return [str(error)]
    if found.changed:
        return [
            f"'{name}' has changed since the session was saved; '{each.name}' shows it "
            "as it is now, and numbers may differ."
        ]
    return []


def read_kept(each: SavedMap, folder: Path) -> list[str]:
    """Read a map that a recovery folder holds; returns sentences about what is odd."""
    record, name, unit = each.record, each.name, each.record["unit"]
    problems: list[str] = []
    try:
        if "store" in record:
            each.volume = _unpacked(folder, record, problems)
        elif "file" in record:
            path = folder / Path(record["file"]["name"]).name
            each.volume = own_volume(path, unit=unit, name=name)
        elif record.get("origin"):
            each.volume = read_volume(folder / record["origin"], unit=unit, name=name)
            problems.append(f"'{name}' was read from its file again; check its values and unit.")
        else:
            problems.append(f"'{name}' had not been kept yet; open it again.")
    except QsmError as error:
        problems.append(str(error))
    return problems


def _unpacked(folder: Path, record: Record, problems: list[str]) -> Volume:
    store = record["store"]
    shape = tuple(int(n) for n in store["shape"])
    kind = np.dtype(store["dtype"])
    if kind not in (np.uint8, np.uint16) or len(shape) != 3 or not 0 < np.prod(shape) < 2**33:
        raise ValueError("no label map")
    values = np.zeros(shape, dtype=kind, order="F")
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
