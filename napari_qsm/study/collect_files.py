"""The tables of a study's readings, written into ``group/`` together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from napari_qsm._version import __version__
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.recon.provenance import software_versions
from napari_qsm.study.collect import COLUMNS, Collected, collect
from napari_qsm.study.collected import DICTIONARY, LONG, WIDE, sources_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.rows import tsv
from napari_qsm.study.scan_facts import ScanFacts

_IDS = ("participant_id", "session_id", "group", "rater", "reading")
_LEVELS = {
    "side": {"left": "the patient's left", "right": "the patient's right"},
    "qc_verdict": {"pass": "good", "doubtful": "used, and repeated without", "fail": "not used"},
}


def collect_files(
    study: StudyFolder,
    *,
    allow_mixed: bool = False,
    progress: Callable[[float], None] = lambda fraction: None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Collected:
    """Measure all readings; write ``roi_long.tsv``, its ``.json`` and ``roi_wide.xlsx``.

    Earlier tables are replaced, as they say what the same folder says now.

    Parameters
    ----------
    study : StudyFolder
    allow_mixed, progress
        See :func:`napari_qsm.study.collect.collect`.
    warn : callable
        Told in sentences what must be known of the tables.

    Raises
    ------
    QsmError
        As from :func:`~napari_qsm.study.collect.collect`. Nothing is written then.
    """
    collected = collect(study, allow_mixed=allow_mixed, progress=progress)
    for note in dict.fromkeys(collected.notes):
        warn(note)
    with staged_folder(study.group, overwrite=True) as staging:
        (staging / LONG).write_text(long_text(collected.frame), "utf-8", newline="\n")
        text = json.dumps(_dictionary(study, collected), indent=2, ensure_ascii=False)
        (staging / DICTIONARY).write_text(text + "\n", "utf-8", newline="\n")
        _write_workbook(collected, staging / WIDE)
    return collected


def long_text(frame: pd.DataFrame) -> str:
    """The long table as text: all digits, ``n/a`` where there is nothing."""
    rows = zip(*(frame[column].tolist() for column in frame.columns), strict=True)
    return tsv(list(frame.columns), ([_text(value) for value in row] for row in rows))


def _text(value: object) -> str:
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    return defused_text(value) if isinstance(value, str) else repr(value)


def _dictionary(study: StudyFolder, collected: Collected) -> dict[str, object]:
    """The data dictionary in BIDS terms, with what the table was made from."""
    columns: dict[str, object] = {}
    for name, words in COLUMNS.items():
        said: dict[str, object] = {"Description": words}
        if name.endswith("_ppb") or name in ("p05", "p95"):
            said["Units"] = "ppb"
        elif name == "volume_mm3":
            said["Units"] = "mm3"
        if name in _LEVELS:
            said["Levels"] = _LEVELS[name]
        columns[name] = said
    return {
        **columns,
        "Scans": {name: _told(facts) for name, facts in collected.facts.items()},
        "Sources": sources_of(study),
        "GeneratedBy": {
            "Name": "napari-qsm",
            "Version": __version__,
            "Libraries": software_versions(),
            "At": datetime.now(UTC).isoformat(timespec="seconds"),
            "ProtocolSha256": study.protocol.sha256,
            "Readings": collected.readings,
            "Amendments": collected.amendments,
            "Notes": list(dict.fromkeys(collected.notes)),
        },
    }


def _told(facts: ScanFacts) -> dict[str, object]:
    """How a map was made, with its shifts in ppb."""
    said = asdict(facts)
    for name in ("reference", "whole_brain"):
        ppm = said.pop(f"{name}_ppm")
        said[f"{name}_ppb"] = None if ppm is None else 1e3 * ppm
    return said


def wide_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[object]]]:
    """A row a reading, with the mean of each region and side that is not excluded.

    Returns
    -------
    columns : list of str
        Ids, then ``"Caudate L"`` and the like; where a region has sides, also ``"Caudate"``, the
        mean of both weighted by their voxels.
    rows : list of list
    """
    names: dict[str, None] = {}
    cells: dict[tuple[object, ...], dict[str, tuple[float, float]]] = {}
    columns = [*_IDS, "region", "side", "mean_ppb", "voxels", "excluded"]
    for *ids, region, side, mean, voxels, excluded in frame[columns].itertuples(index=False):
        found = cells.setdefault(tuple(ids), {})
        name = f"{region} {side[0].upper()}" if side else region
        names[name] = None
        if not excluded and math.isfinite(mean):
            found[name] = (mean, voxels)
    for region, side in dict.fromkeys(zip(frame["region"], frame["side"], strict=True)):
        if side:
            names.setdefault(region, None)
    rows: list[list[object]] = []
    for ids_, found in cells.items():
        row: list[object] = list(ids_)
        for name in names:
            sides = [found.get(f"{name} {letter}") for letter in "LR"]
            if name in found:
                row.append(found[name][0])
            elif all(sides):
                whole = sum(n for _, n in sides if n)  # type: ignore[misc]
                row.append(sum(m * n for m, n in sides if n) / whole)  # type: ignore[misc]
            else:
                row.append(None)
        rows.append(row)
    return [*_IDS, *names], rows


def _write_workbook(collected: Collected, path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    columns, rows = wide_rows(collected.frame)
    _sheet(book, "Mean ppb", columns, rows)
    frame = collected.frame
    values = zip(*(frame[column].tolist() for column in frame.columns), strict=True)
    _sheet(book, "Regions", list(frame.columns), values)
    about = [[name, words] for name, words in COLUMNS.items()]
    about.append(["Mean ppb", "mean_ppb of every row that is not excluded, a row a reading."])
    _sheet(book, "About", ["column", "meaning"], [*about, *(["note", n] for n in collected.notes)])
    book.save(path)


def _sheet(
    book: object, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    sheet = book.create_sheet(title)  # type: ignore[attr-defined]
    sheet.freeze_panes = "A2"
    head = []
    for name in columns:
        cell = WriteOnlyCell(sheet, defused_text(str(name)))
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for row in rows:
        sheet.append([_cell(value) for value in row])


def _cell(value: object) -> object:
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return defused_text(value) if isinstance(value, str) else value
