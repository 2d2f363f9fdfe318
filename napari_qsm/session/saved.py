"""A session read back from a folder, before it is put to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError, QsmError
from napari_qsm.session.model import Session
from napari_qsm.session.reconstruction_record import restore_reconstruction
from napari_qsm.session.references import find, read_reference, stamp_in
from napari_qsm.session.scan_record import scan_from
from napari_qsm.session.state import add_entry, apply_state
from napari_qsm.volume import Volume


@dataclass
class SavedMap:
    """One map of a saved session.

    Attributes
    ----------
    record : dict
        Its fields.
    volume : Volume or None
        None while its file is missing.
    reference : dict or None
        For a map that stayed where it was, what was known of its file.
    """

    record: dict[str, Any]
    volume: Volume | None = None
    reference: dict[str, Any] | None = None

    @property
    def file_name(self) -> str:
        """Name of the file it stayed in."""
        return Path(self.reference["path"]).name if self.reference else ""

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
        self.volume = read_reference(
            path, reference, unit=self.record["unit"], name=self.record["name"]
        )
        if reference and not stamp_in(reference).agrees(path):
            return (
                f"'{path.name}' holds other values than the file that '{self.record['name']}' "
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
    state : dict
        Fields of the session.
    scan : dict or None
        Echo times, field strength and what the scan's images are.
    reconstruction : dict or None
        Recipe and what was typed in.
    problems : list of str
        Sentences about files that are missing, changed or unreadable.
    saved_as : object
        Remembered by the session, so that saving again notices changes on disk.
    """

    folder: Path
    maps: list[SavedMap] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    scan: dict[str, Any] | None = None
    reconstruction: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)
    saved_as: Any = None

    @property
    def missing(self) -> list[SavedMap]:
        """Maps whose file is not where it was."""
        return [each for each in self.maps if each.volume is None and each.reference]

    def into(self, session: Session) -> list[str]:
        """Add everything that was found to a session.

        Returns
        -------
        list of str
            Sentences about what could not be brought back.
        """
        problems = []
        fresh = not session.maps
        ids: dict[str, str] = {}
        for each in self.maps:
            if each.volume is None:
                if each.reference:
                    problems.append(
                        f"'{each.file_name}' was not found, so '{each.record['name']}' is not open."
                    )
                continue
            try:
                entry = add_entry(session, each.record, each.volume)
            except QsmError as error:
                problems.append(str(error))
                continue
            ids[each.record.get("id", entry.id)] = entry.id
        problems += apply_state(self.state, session, ids, fresh=fresh)
        try:
            scan = scan_from(self.scan, self.folder, session, ids)
        except (QsmError, OSError, KeyError) as error:
            problems.append(f"The scan of the session is not complete: {error}")
            scan = None
        if scan is not None:
            session.scan = scan
        problems += restore_reconstruction(self.reconstruction, session)
        if fresh and self.saved_as is not None and not self.missing:
            session._saved = self.saved_as
        return problems


def look_up(each: SavedMap, folder: Path) -> list[str]:
    """Read a map from where it stayed; returns sentences about what is odd."""
    reference = each.reference or {}
    name = Path(reference["path"]).name
    found = find(reference, folder)
    if found.path is None:
        return []
    try:
        each.volume = read_reference(
            found.path, reference, unit=each.record["unit"], name=each.record["name"]
        )
    except (QsmError, OSError) as error:
        return [str(error)]
    if found.changed:
        return [
            f"'{name}' has changed since the session was saved; '{each.record['name']}' shows it "
            "as it is now, and numbers may differ."
        ]
    return []


def checked(record: Any, path: Path, newest: int) -> dict[str, Any]:
    """The content of a session's file, if this program can read it.

    Raises
    ------
    FileError
        If it is of another kind, damaged, or of a newer format.
    """
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise FileError(f"'{path}' is not a readable session.")
    if record["format"] > newest:
        raise FileError(
            f"'{path}' was saved by a newer version of this program; update to open it."
        )
    return record
