"""The scan of a case and how it is reconstructed, as JSON.

Of a scan echo times, field strength and where its images are; of a reconstruction recipe and
what was typed in. Results are maps of the session; each of them carries how it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from napari_qsm._version import __version__
from napari_qsm.errors import FileError, QsmError
from napari_qsm.recon.recipe import contrast_choices, parse_recipe
from napari_qsm.scan import Scan
from napari_qsm.session.model import Session
from napari_qsm.session.places import volume_at
from napari_qsm.session.records import (
    BROKEN,
    Record,
    case_record,
    session_record,
    without_wrong_numbers,
)
from napari_qsm.session.references import place_in
from napari_qsm.session.upgrade import FORMAT
from napari_qsm.study.case import Case
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume

#: Says where a volume is kept: ``{"reference": ...}`` or ``{"file": ...}``.
Keeper = Callable[[str, Volume, str], Record]


def content_of(
    session: Session,
    scan_of: Callable[[Case], Record | None],
    maps: list[Record],
    folder: Path,
) -> Record:
    """All that a session's file holds.

    Parameters
    ----------
    scan_of : callable
        What is kept of a case's scan, from :func:`scan_record`.
    maps : list of dict
        What the maps' records are, with the places of their voxels.
    folder : Path
        Where the file will lie; paths are kept as ways from there.
    """
    return {
        "format": FORMAT,
        "program": f"napari-qsm {__version__}",
        "saved": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "session": session_record(session, folder),
        "cases": [
            {
                **case_record(case, folder),
                "scan": scan_of(case),
                "reconstruction": reconstruction_record(case),
            }
            for case in session.cases
        ],
        "maps": maps,
    }


def scan_record(case: Case, keep: Keeper) -> Record | None:
    """What must be kept of a case's scan; None without one.

    Parameters
    ----------
    case : Case
        Images of its scan that are among its maps are named, not kept twice.
    keep : callable
        Keeps any other image; called with a key, the volume and a name.
    """
    scan = case.scan
    if scan is None:
        return None

    def place(part: str, number: int, volume: Volume) -> Record:
        for entry in case.maps:
            if same_memory(entry.volume, volume):
                return {"map": entry.id}
        kept = keep(f"scan {case.id} {part} {number + 1}", volume, f"scan {part} {number + 1}")
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
    record: Record | None,
    folder: Path,
    session: Session,
    ids: dict[str, str],
    problems: list[str],
) -> Scan | None:
    """The scan that a record tells of; what is odd about its images joins ``problems``.

    Raises
    ------
    FileError
        If one of its images is gone.
    """
    if record is None:
        return None

    def volume(place: Record) -> Volume:
        if "map" in place:
            entry = session.entry(ids.get(place["map"], "")) if place["map"] in ids else None
            if entry is None:
                raise FileError("one of its images was not found.")
            return entry.volume
        found, odd = volume_at(place, folder, unit=place["unit"], name=place["name"])
        if found is None:
            why = " ".join(odd) or f"'{place_in(place['reference'], folder).name}' was not found."
            raise FileError(why)
        problems.extend(odd)
        # In the order of the session's maps, which may be this scan's other images.
        return found.to_canonical()

    return Scan(
        phase=tuple(volume(place) for place in record["phase"]),
        echo_times_s=tuple(record["echo_times_s"]),
        field_strength_t=record["field_strength_t"],
        magnitude=tuple(volume(place) for place in record["magnitude"]),
        magnitude_echo_times_s=tuple(record["magnitude_echo_times_s"]),
        phase_difference=record["phase_difference"],
        metadata=without_wrong_numbers(dict(record["metadata"])),
    )


def reconstruction_record(case: Case) -> Record | None:
    """What must be kept of a case's reconstruction; None without one."""
    work = case.reconstruction
    if work is None:
        return None
    return {
        "recipe": work.recipe().to_dict(),
        "scan": None if work.source is None else {"title": work.source.title},
        "facts": asdict(work.facts),
        **({"contrasts": set_} if (set_ := work.contrast_settings) else {}),
    }


def restore_reconstruction(record: object, case: Case) -> list[str]:
    """Take recipe, scan and facts up again; the reconstruction that is there stays the same one.

    Returns
    -------
    list of str
        Sentences about what could not be brought back.
    """
    if record is None:
        return []
    work = case.reconstruction
    if work is None:
        work = Reconstruction()
        case.reconstruction = work
    try:
        if not isinstance(record, dict):
            raise TypeError
        work.use_recipe(parse_recipe(record["recipe"], where="The session's recipe"))
        work.contrast_settings = _contrast_settings(record.get("contrasts", {}))
        wanted = record.get("scan")
        if wanted is not None:
            sources = case.scan_sources()
            titled = [s for s in sources if s.title == wanted.get("title")]
            if titled or len(sources) == 1:
                work.use_scan((titled or sources)[0])
                facts = dict(record["facts"])
                facts["echo_times_s"] = tuple(float(t) for t in facts["echo_times_s"])
                work.set_facts(**facts)
    except QsmError as error:
        return [str(error)]
    except BROKEN:
        return ["How the scan was reconstructed could not be read and was left out."]
    return []


def _contrast_settings(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was set of maps beside χ, checked as on the command line."""
    out = {}
    for name, values in record.items():
        lines = [f"{name}.{key}={value}" for key, value in dict(values).items()]
        made = {choice.method.name: choice for choice in contrast_choices([name], lines)}
        out[name] = {key: made[name].settings[key] for key in values}
    return out


def same_memory(a: Volume, b: Volume) -> bool:
    """Whether two volumes are views of the very same values."""
    first, second = a.to_canonical().data, b.to_canonical().data
    return (
        first.shape == second.shape
        and first.strides == second.strides
        and first.dtype == second.dtype
        and first.__array_interface__["data"][0] == second.__array_interface__["data"][0]
    )
