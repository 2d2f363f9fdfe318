"""A session read back from a folder, before it is put to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from napari_qsm.errors import QsmError
from napari_qsm.session.model import Session
from napari_qsm.session.records import (
    BROKEN,
    Record,
    add_case,
    add_entry,
    apply_labels,
    apply_session,
)
from napari_qsm.session.references import (
    SavedAs,
    drawing_checksum,
    place_in,
    read_reference,
    stamp_in,
)
from napari_qsm.session.scan_record import restore_reconstruction, scan_from
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
        problems: list[str] = []
        try:
            case.scan = scan_from(record.get("scan"), self.folder, session, ids, problems)
        except (*BROKEN, OSError) as error:
            why = str(error) if isinstance(error, QsmError | OSError) else "it cannot be read."
            problems.append(f"The scan of '{case.name}' is not complete: {why}")
        return problems + restore_reconstruction(record.get("reconstruction"), case)
