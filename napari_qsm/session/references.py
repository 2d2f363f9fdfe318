"""Files that a session points to instead of copying them: where they are and what they held."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.formats import is_image
from napari_qsm.io.nifti import read_volume
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume

#: Folder within a session's folder that holds the version before.
PREVIOUS = "previous"
_CHUNK = 2**20


@dataclass(frozen=True)
class Stamp:
    """What tells one state of a file from another.

    Attributes
    ----------
    size : int
        Bytes.
    mtime_ns : int
        When it was changed last, by the clock of its disk.
    sha256 : str
        Checksum of its bytes.
    """

    size: int
    mtime_ns: int
    sha256: str

    def record(self, name: str) -> dict[str, Any]:
        """As JSON, with the name of the file."""
        return {"name": name, **asdict(self)}

    def agrees(self, path: Path) -> bool:
        """Whether a file is still the same; the checksum decides where size and time don't."""
        try:
            now = path.stat()
            if now.st_size != self.size:
                return False
            return now.st_mtime_ns == self.mtime_ns or sha256_of(path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class Reference:
    """A volume by the file that it was read from.

    Attributes
    ----------
    path : Path
        Absolute.
    stamp : Stamp
        The file when the volume was found to be equal to it.
    echo : int or None
        Which part of a 4-D file; None for all of it.
    """

    path: Path
    stamp: Stamp
    echo: int | None = None

    def record(self, folder: Path) -> dict[str, Any]:
        """As JSON; names of folders above those that ``folder`` and the file share stay out."""
        way = path_from(self.path, folder.resolve())
        return {
            ("path" if Path(way).is_absolute() else "relative"): way,
            **asdict(self.stamp),
            "echo": self.echo,
        }


def path_from(path: Path, folder: Path) -> str:
    """The way from a folder to a path; the path itself where there is none (another drive).

    Both are absolute.
    """
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.as_posix()


def sha256_of(path: Path) -> str:
    """Checksum of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def stamp_of(path: Path) -> Stamp:
    """Stamp of a file."""
    before = path.stat()
    return Stamp(before.st_size, before.st_mtime_ns, sha256_of(path))


class References:
    """Finds out which volumes are still what their files hold; asks each file once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Volume, Reference | None]] = {}

    def of(self, key: str, volume: Volume) -> Reference | None:
        """The file that holds a volume; None where it must be written to be kept.

        Parameters
        ----------
        key : str
            Under which the answer is remembered.
        volume : Volume
            Compared with its file, value by value; a file that was converted while it was
            read (units, DICOM) doesn't count.
        """
        known = self._known.get(key)
        if known is not None and known[0].data is volume.data:
            reference = known[1]
            if reference is None or reference.stamp.agrees(reference.path):
                return reference
        reference = _reference(volume)
        self._known[key] = (volume, reference)
        return reference


@dataclass
class SavedAs:
    """What a session remembers of its folder since it was read or saved.

    Attributes
    ----------
    folder : Path
        Absolute.
    stamps : dict
        Name of each file there that the session wrote or read, with its stamp.
    copies : dict
        For maps written there, their values and the name of the file.
    drawings : dict
        For label maps and masks written there, a checksum of what they held and the names of
        their files.
    references : References
        For maps that stayed where they were.
    copy_scans : bool
        Whether the user asked for copies of all maps.
    """

    folder: Path
    stamps: dict[str, Stamp] = field(default_factory=dict)
    copies: dict[str, tuple[Array, str]] = field(default_factory=dict)
    drawings: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    references: References = field(default_factory=References)
    copy_scans: bool = False

    def record(self) -> dict[str, Any]:
        """As JSON, without the values."""
        return {
            "folder": self.folder.as_posix(),
            "copy_scans": self.copy_scans,
            "stamps": {name: asdict(stamp) for name, stamp in list(self.stamps.items())},
        }


def saved_as_in(record: object) -> SavedAs | None:
    """The folder that a record tells of; None where it tells of none that is still there."""
    if not isinstance(record, dict) or not isinstance(record.get("folder"), str):
        return None
    folder = Path(record["folder"])
    try:
        stamps = {str(name): stamp_in(each) for name, each in record["stamps"].items()}
        if not folder.is_dir():
            return None
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return None
    return SavedAs(folder, stamps, copy_scans=record.get("copy_scans") is True)


def drawing_checksum(entry: MapEntry) -> str:
    """Of everything that the files of a label map or mask are written from."""
    about = (entry.role, entry.name, sorted(entry.regions.items()), entry.labels.shape)
    digest = hashlib.sha256(repr((about, entry.labels.dtype)).encode())
    digest.update(np.asfortranarray(entry.labels).T.data)
    return digest.hexdigest()


def _reference(volume: Volume) -> Reference | None:
    path = volume.origin
    if path is None or not is_image(path):
        return None
    try:
        path = path.resolve()
        stamp = stamp_of(path)
        held = read_volume(path).to_canonical()
    except (QsmError, OSError, MemoryError):
        return None
    canonical = volume.to_canonical()
    if _equal(held, canonical):
        return Reference(path, stamp)
    if held.data.ndim == 4 and canonical.data.ndim == 3:
        for echo in range(held.data.shape[3]):
            if _equal(held.echo(echo), canonical):
                return Reference(path, stamp, echo)
    return None


def _equal(held: Volume, volume: Volume) -> bool:
    if held.data.shape != volume.data.shape or not np.array_equal(held.affine, volume.affine):
        return False
    floats = held.data.dtype.kind == "f" and volume.data.dtype.kind == "f"
    return bool(np.array_equal(held.data, volume.data, equal_nan=floats))


@dataclass(frozen=True)
class Found:
    """A file that a session points to, as it is now.

    Attributes
    ----------
    path : Path or None
        None if it is gone.
    changed : bool
        Whether it holds something else than when the session was saved.
    """

    path: Path | None
    changed: bool = False


def find(record: dict[str, Any], folder: Path) -> Found:
    """Look for a file where a session says it is, seen from its folder and from the root.

    Parameters
    ----------
    record : dict
        As :meth:`Reference.record` wrote it; older versions wrote both ways into one record.
    folder : Path
        Of the session.
    """
    stamp = stamp_in(record)
    places = [start / record["relative"] for start in _starts(folder) if record.get("relative")]
    if record.get("path"):
        places.append(Path(record["path"]))
    there = [place for place in places if place.is_file()]
    for place in there:
        if stamp.agrees(place):
            return Found(place)
    return Found(there[0], changed=True) if there else Found(None)


def _starts(folder: Path) -> list[Path]:
    """Folders that the ways of a session's file start from, the likeliest first."""
    real = folder.resolve()
    return [real, real.parent] if folder.name == PREVIOUS else [real]


def place_in(record: dict[str, Any], folder: Path) -> Path:
    """Where a session expects a file, whether or not it is there.

    Raises
    ------
    LookupError, TypeError
        If the record names none.
    """
    return Path(os.path.normpath(_starts(folder)[-1] / (record.get("relative") or record["path"])))


def stamp_in(record: dict[str, Any]) -> Stamp:
    """The stamp that a record holds."""
    return Stamp(int(record["size"]), int(record["mtime_ns"]), str(record["sha256"]))


def own_volume(path: Path, *, unit: str, name: str) -> Volume:
    """Read a volume that the session itself wrote.

    It is not tied to that file: the next save moves the file away, and whoever took it for the
    volume's own place would point to nothing.
    """
    return replace(read_volume(path, unit=unit, name=name), origin=None)


def read_reference(path: Path, record: dict[str, Any], *, unit: str, name: str) -> Volume:
    """Read the volume that a record means from a file.

    Raises
    ------
    FileError
        If the file cannot be read, or has too few volumes.
    """
    volume = read_volume(path, unit=unit, name=name)
    echo = record.get("echo")
    if echo is None:
        return volume
    if volume.data.ndim != 4 or not 0 <= int(echo) < volume.data.shape[3]:
        raise FileError(f"'{path.name}' does not hold volume {int(echo) + 1} any more.")
    return replace(volume.echo(int(echo)), name=name)
