"""The scan of a session as JSON: echo times, field strength, and where its images are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from napari_qsm.errors import FileError
from napari_qsm.scan import Scan
from napari_qsm.session.model import Session
from napari_qsm.session.references import find, own_volume, read_reference
from napari_qsm.volume import Volume

#: Says where a volume is kept: ``{"reference": ...}`` or ``{"file": ...}``.
Keeper = Callable[[str, Volume], dict[str, Any]]


def scan_record(session: Session, keep: Keeper) -> dict[str, Any] | None:
    """What must be kept of a session's scan; None without one.

    Parameters
    ----------
    session : Session
        Images of its scan that are among its maps are named, not kept twice.
    keep : callable
        Keeps any other image; called with a key and the volume.
    """
    scan = session.scan
    if scan is None:
        return None

    def place(part: str, number: int, volume: Volume) -> dict[str, Any]:
        for entry in session:
            if same_memory(entry.volume, volume):
                return {"map": entry.id}
        kept = keep(f"scan {part} {number + 1}", volume)
        return {**kept, "unit": volume.unit, "name": volume.name}

    return {
        "echo_times_s": list(scan.echo_times_s),
        "field_strength_t": scan.field_strength_t,
        "magnitude_echo_times_s": list(scan.magnitude_echo_times_s),
        "phase_difference": scan.phase_difference,
        "metadata": to_jsonable_python(scan.metadata, fallback=str),
        "phase": [place("phase", n, v) for n, v in enumerate(scan.phase)],
        "magnitude": [place("magnitude", n, v) for n, v in enumerate(scan.magnitude)],
    }


def scan_from(
    record: dict[str, Any] | None, folder: Path, session: Session, ids: dict[str, str]
) -> Scan | None:
    """The scan that a record tells of.

    Raises
    ------
    FileError
        If one of its images is gone.
    """
    if record is None:
        return None

    def volume(place: dict[str, Any]) -> Volume:
        if "map" in place:
            entry = session.entry(ids.get(place["map"], "")) if place["map"] in ids else None
            if entry is None:
                raise FileError("one of its images was not found.")
            return entry.volume
        if "file" in place:
            path = folder / Path(place["file"]["name"]).name
            return own_volume(path, unit=place["unit"], name=place["name"]).to_canonical()
        found = find(place["reference"], folder)
        if found.path is None:
            raise FileError(f"'{Path(place['reference']['path']).name}' was not found.")
        # In the order of the session's maps, which may be this scan's other images.
        return read_reference(
            found.path, place["reference"], unit=place["unit"], name=place["name"]
        ).to_canonical()

    return Scan(
        phase=tuple(volume(place) for place in record["phase"]),
        echo_times_s=tuple(record["echo_times_s"]),
        field_strength_t=record["field_strength_t"],
        magnitude=tuple(volume(place) for place in record["magnitude"]),
        magnitude_echo_times_s=tuple(record["magnitude_echo_times_s"]),
        phase_difference=record["phase_difference"],
        metadata=record["metadata"],
    )


def same_memory(a: Volume, b: Volume) -> bool:
    """Whether two volumes are views of the very same values."""
    first, second = a.to_canonical().data, b.to_canonical().data
    return (
        first.shape == second.shape
        and first.strides == second.strides
        and first.dtype == second.dtype
        and first.__array_interface__["data"][0] == second.__array_interface__["data"][0]
    )
