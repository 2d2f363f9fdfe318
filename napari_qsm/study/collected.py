"""The collected table of a study: where it lies, and whether it is as young as its sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError, QsmError
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.rows import some

LONG, DICTIONARY, WIDE = "roi_long.tsv", "roi_long.json", "roi_wide.xlsx"


def sources_of(study: StudyFolder) -> dict[str, dict[str, Any]]:
    """Checksum, size and time of every file that the table is made from.

    Returns
    -------
    dict of str to dict
        Path within the study (or of the raw data's table, absolute) to ``size``, ``mtime_ns`` and,
        of small files, ``sha256``.
    """
    paths = [*filter(None, [study.participants])]
    for scan in study.scans:
        readings = scan.readings()
        if readings:
            paths += [scan.shapes(*each) for each in readings]
            paths += [p for p in (scan.map, scan.rating) if p.name in scan.files]
    return {_name(path, study.root): _facts(path) for path in paths}


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _facts(path: Path) -> dict[str, Any]:
    told = path.stat()
    return {
        "size": told.st_size,
        "mtime_ns": told.st_mtime_ns,
        "sha256": sha256(path.read_bytes()).hexdigest(),
    }


def collected(study: StudyFolder) -> dict[str, Any]:
    """The dictionary of the collected table.

    Files whose size and time are as noted count as unchanged; of others the content decides, so
    that a study may be copied.

    Raises
    ------
    QsmError
        If nothing was collected yet, or the table is older than what it was made from.
    """
    protocol = study.protocol  # refuses one that was changed after it was frozen
    table, path = study.group / LONG, study.group / DICTIONARY
    how = f"napari-qsm study collect {study.root}"
    if not table.is_file() or not path.is_file():
        raise FileError(f"'{study.root.name}' has no table of readings yet; make it with '{how}'.")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        said = None
    noted = said.get("Sources") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(noted, dict):
        raise FileError(f"'{path}' does not tell what the table was made from; use '{how}'.")
    changed = _changed(study, noted)
    if said.get("GeneratedBy", {}).get("ProtocolSha256") != protocol.sha256:
        changed = [study.protocol_file.name, *changed]
    if changed:
        raise QsmError(
            f"'{LONG}' is older than what it was made from ({some(changed)}); make it anew with "
            f"'{how}'."
        )
    return said


def _changed(study: StudyFolder, noted: Mapping[str, Any]) -> list[str]:
    there: dict[str, Path] = {}
    for scan in study.scans:
        for each in scan.readings():
            path = scan.shapes(*each)
            there[_name(path, study.root)] = path
        if scan.readings() and scan.rating.name in scan.files:
            there[_name(scan.rating, study.root)] = scan.rating
    new = [path.name for name, path in there.items() if name not in noted]
    return new + [
        Path(name).name for name, facts in noted.items() if _differs(study.root / name, facts)
    ]


def _differs(path: Path, noted: Any) -> bool:
    if not path.is_file() or not isinstance(noted, dict):
        return True
    told = path.stat()
    if (told.st_size, told.st_mtime_ns) == (noted.get("size"), noted.get("mtime_ns")):
        return False
    if told.st_size != noted.get("size"):
        return True
    return sha256(path.read_bytes()).hexdigest() != noted.get("sha256")
