"""Readings whose map was made anew since: found without opening more maps than are in doubt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_qsm.errors import QsmError
from napari_qsm.io.maps import read_map
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.readings import checksum_of
from napari_qsm.study.study_scan import Key, StudyScan, rater_label

#: Checksums of maps by path, size and time, so that looking again costs nothing.
Known = dict[tuple[str, int, int], str]


def stale_readings(
    study: StudyFolder,
    *,
    known: Known | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> dict[tuple[Key, str], str]:
    """Readings of another map than the one that is there now, each with a sentence.

    A reading is checked against its map when it is handed in. So a map that is older than it and
    has its checksum in the numbers of quality is not opened; any other is.

    Parameters
    ----------
    study : StudyFolder
    known : dict, optional
        Checksums from an earlier look; new ones are added.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    dict
        ``(participant, session), label of the reading`` to what is wrong. Readings that cannot be
        read, and maps that cannot, are for others to name.
    """
    known = {} if known is None else known
    found: dict[tuple[Key, str], str] = {}
    for number, scan in enumerate(study.scans):
        progress(number / len(study.scans))
        readings = scan.readings()
        if not readings:
            continue
        noted = _checksum_in(scan.quality, "chi_sha256") if scan.quality.name in scan.files else ""
        for rater, reading in readings:
            path = scan.shapes(rater, reading)
            try:
                sentence = _problem(scan, path, rater_label(rater, reading), noted, known)
            except (QsmError, OSError):
                continue
            if sentence:
                found[scan.key, rater_label(rater, reading)] = sentence
    return found


def _problem(scan: StudyScan, path: Path, label: str, noted: str, known: Known) -> str:
    """What is wrong with one reading; empty if nothing is, or the file does not tell its map."""
    was = _checksum_in(path, "map", "chi_sha256")
    if not was:
        return ""
    if not scan.is_reconstructed:
        return f"{label} read {scan.name}, whose map is gone."
    stat = scan.map.stat()
    if was == noted and stat.st_mtime_ns <= path.stat().st_mtime_ns:
        return ""
    place = (str(scan.map), stat.st_size, stat.st_mtime_ns)
    if place not in known:
        known[place] = checksum_of(read_map(scan.map))
    if known[place] == was:
        return ""
    return (
        f"The map of {scan.name} has changed since {label} read it: bring the earlier map back, or "
        "have the scan read anew."
    )


def _checksum_in(path: Path, *entries: str) -> str:
    """A text within a JSON file; empty where there is none."""
    try:
        said = parse_json(read_text(path))
    except PlainDataError:
        return ""
    for entry in entries:
        said = said.get(entry) if isinstance(said, dict) else None
    return said if isinstance(said, str) else ""
