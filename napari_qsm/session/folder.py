"""A session as a folder: a JSON file, regions, and whatever lies nowhere else on the disk.

Maps that were opened from files stay where they are; the folder keeps the way to them from the
folder (their path only where there is no way: on another drive of Windows) and their checksum.
Regions, masks and computed maps are written into the folder, beside label tables that other
programs read. The version before the last one stays in a folder of its own, which can be
opened like any session.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.segmentation import write_labels
from napari_qsm.session.exchange import Exchange
from napari_qsm.session.model import Session
from napari_qsm.session.records import Record, entry_record
from napari_qsm.session.references import (
    PREVIOUS,
    References,
    SavedAs,
    Stamp,
    drawing_checksum,
    stamp_of,
)
from napari_qsm.session.scan_record import content_of, scan_record
from napari_qsm.session.store import SESSION_FILE, read_content
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume

RECIPE_FILE = "recipe.yaml"


class ChangedOnDisk(FileError):
    """Somebody else wrote the files that are about to be replaced.

    Attributes
    ----------
    files : tuple of str
        Their names.
    """

    def __init__(self, message: str, files: tuple[str, ...]) -> None:
        super().__init__(message)
        self.files = files


def saved_as(session: Session) -> SavedAs | None:
    """Where a session was saved or read last; None if nowhere."""
    return session._saved


def save_session(
    session: Session,
    folder: Path | str,
    *,
    copy_scans: bool | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a session into a folder; all of it appears together or not at all.

    Parameters
    ----------
    session : Session
        Every volume is written on the grid and with the affine of the file it came from.
    folder : Path or str
        Made if missing. The session that was there goes into its folder ``previous``.
    copy_scans : bool, optional
        Copy maps that were opened from files too, so that the folder can travel alone; as
        the last time unless given.
    overwrite : bool
        Replace a session that is not the one this session was read from or saved as.

    Returns
    -------
    Path
        The session's JSON file.

    Raises
    ------
    ChangedOnDisk
        If somebody else wrote a session there in the meantime, unless ``overwrite``.
    FileError
        If nothing can be written there; what was there before then still is.
    """
    folder = Path(folder).absolute()
    before = saved_as(session)
    same = before is not None and before.folder == folder
    if not overwrite:
        _check_unchanged(folder, before if same else None)
    now = SavedAs(folder, references=before.references if before else References())
    if copy_scans is None:
        copy_scans = before.copy_scans if before else False
    now.copy_scans = copy_scans

    def check() -> None:  # somebody else may have saved there while the files were written
        if not overwrite:
            _check_unchanged(folder, before if same else None)

    listed = _files_of(folder)
    with Exchange(folder, PREVIOUS, last=SESSION_FILE, listed=listed, check=check) as exchange:
        writer = VolumeWriter(exchange.staging, now, before if same else None)
        maps = [writer.entry(entry) for entry in session.lasting]
        content = content_of(session, lambda case: scan_record(case, writer.keep), maps, folder)
        for number, case in enumerate(session.cases):
            if case.reconstruction is not None:
                name = recipe_file(number)
                write_text(exchange.staging / name, case.reconstruction.recipe().to_yaml())
                writer.names.append(name)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_text(exchange.staging / SESSION_FILE, text + "\n")
        exchange.keep(writer.kept)
        # Before they take their places: afterwards somebody else may write there.
        now.stamps = writer.stamps()
    session._saved = now
    return folder / SESSION_FILE


class VolumeWriter:
    """Writes volumes of one session into a staging folder, or finds where they are already."""

    def __init__(self, staging: Path, now: SavedAs, before: SavedAs | None) -> None:
        self._staging, self._now, self._before = staging, now, before
        #: All files of the session, and those of them that stay as they are.
        self.names: list[str] = []
        self.kept: list[str] = []

    def stamps(self) -> dict[str, Stamp]:
        """Stamps of all files of the session."""
        old = self._before.stamps if self._before else {}
        return {
            name: old[name] if name in self.kept else stamp_of(self._staging / name)
            for name in (SESSION_FILE, *self.names)
        }

    def entry(self, entry: MapEntry, name: str = "") -> Record:
        """Write an entry, under its own name unless another is given; returns its record."""
        name = name or entry.name
        record = {**entry_record(entry), "name": name}
        if entry.editable is not None:
            return {**record, **self._drawn(entry, name)}
        return {**record, **self.keep(entry.id, entry.volume, name)}

    def keep(self, key: str, volume: Volume, name: str) -> Record:
        """Where a volume is kept: in its own file, or in the folder."""
        if not self._now.copy_scans:
            reference = self._now.references.of(key, volume)
            if reference is not None:
                return {"reference": reference.record(self._now.folder)}
        copy = self._before.copies.get(key) if self._before else None
        if copy is not None and self._before is not None and copy[0] is volume.data:
            path, stamp = self._now.folder / copy[1], self._before.stamps.get(copy[1])
            if stamp is not None and stamp.agrees(path) and copy[1] not in self.names:
                self.kept.append(copy[1])
                return self._named(key, volume, copy[1], stamp)
        file = self._free(name or key, ".nii.gz")
        write_volume(volume, self._staging / file)
        return self._named(key, volume, file, stamp_of(self._staging / file))

    def _named(self, key: str, volume: Volume, file: str, stamp: Stamp) -> Record:
        self.names.append(file)
        self._now.copies[key] = (volume.data, file)
        return {"file": stamp.record(file)}

    def _drawn(self, entry: MapEntry, name: str) -> Record:
        """Labels as uint8 or uint16, with a table beside them; as they lie there if unchanged."""
        held = drawing_checksum(entry)
        kept = self._kept_drawing(entry.id, held)
        if kept is not None:
            return kept
        file = self._free(name, ".nii.gz")
        if entry.role == "labels":
            written = write_labels(
                entry.volume, entry.regions.values(), self._staging / file, table=".txt"
            )
        else:
            write_volume(entry.volume, self._staging / file)
            written = [self._staging / file]
        names = [path.name for path in written]
        self.names += names
        self._now.drawings[entry.id] = (held, names)
        return _drawn_record(names, stamp_of(self._staging / file))

    def _kept_drawing(self, key: str, held: str) -> Record | None:
        """The record of a drawing whose files hold it already; None if they do not."""
        before = self._before
        known, names = before.drawings.get(key, ("", [])) if before is not None else ("", [])
        if before is None or known != held or any(name in self.names for name in names):
            return None
        stamps = [before.stamps.get(name) for name in names]
        for name, stamp in zip(names, stamps, strict=True):
            if stamp is None or not stamp.agrees(self._now.folder / name):
                return None
        self.names += names
        self.kept += names
        self._now.drawings[key] = (held, names)
        return _drawn_record(names, before.stamps[names[0]])

    def _free(self, name: str, ending: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name.replace("χ", "chi")).strip("_.") or "map"
        reserved = {"con", "prn", "aux", "nul", PREVIOUS}
        if plain.lower() in reserved:
            plain = f"{plain}_map"
        taken = {each.lower() for each in self.names}
        file, number = f"{plain}{ending}", 2
        while file.lower() in taken:
            file, number = f"{plain}_{number}{ending}", number + 1
        return file


def _drawn_record(names: list[str], stamp: Stamp) -> Record:
    return {
        "file": stamp.record(names[0]),
        "table": names[1] if len(names) > 1 else None,
    }


def _check_unchanged(folder: Path, before: SavedAs | None) -> None:
    """Refuse to replace what somebody else has written."""
    if before is None:
        if (folder / SESSION_FILE).exists():
            raise ChangedOnDisk(
                f"'{folder}' already holds another session; choose another folder, or replace it "
                f"(the old one then stays in '{PREVIOUS}').",
                (SESSION_FILE,),
            )
        return
    changed = tuple(
        name
        for name, stamp in before.stamps.items()
        if (folder / name).exists() and not stamp.agrees(folder / name)
    )
    if changed:
        names = ", ".join(f"'{name}'" for name in changed)
        raise ChangedOnDisk(
            f"Another program or window has changed {names} in '{folder}' since this session was "
            "opened or saved; save into another folder, or replace it (the other version then "
            f"stays in '{PREVIOUS}').",
            changed,
        )


def _files_of(folder: Path) -> list[str]:
    """Names of the files that the session in a folder consists of."""
    try:
        content = read_content(folder / SESSION_FILE)
    except (OSError, FileError):
        return [SESSION_FILE]
    names = [SESSION_FILE]
    for case in content["cases"]:
        scan = case.get("scan") if isinstance(case, dict) else None
        if isinstance(case, dict) and case.get("reconstruction"):
            names.append(recipe_file(content["cases"].index(case)))
        for part in ("phase", "magnitude"):
            images = scan.get(part) if isinstance(scan, dict) else None
            names += [name for item in images or [] for name in _own_files(item)]
    names += [name for item in content["maps"] for name in _own_files(item)]
    return [Path(name).name for name in names]


def _own_files(item: object) -> list[str]:
    """Names of the files of one map or image that lie in the session's folder."""
    if not isinstance(item, dict):
        return []
    file = item.get("file")
    names = [file.get("name") if isinstance(file, dict) else file, item.get("table")]
    return [name for name in names if isinstance(name, str) and name]


def recipe_file(number: int) -> str:
    """Name of the recipe of a case, by its place: what the command line can run again."""
    return RECIPE_FILE if number == 0 else f"recipe_{number + 1}.yaml"
