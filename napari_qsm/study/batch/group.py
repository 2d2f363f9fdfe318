"""The group level: a page and a table on all scans that a study holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.formats import read_image
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.qc.group_page import GroupScan, group_pages, qc_table
from napari_qsm.qc.quality import QualityReport, findings, from_dict
from napari_qsm.qc.rating import read_ratings
from napari_qsm.qc.thumbnail import thumbnail
from napari_qsm.recon.recipe import recipe_sha256
from napari_qsm.study.batch.status import ScanStatus, read_status
from napari_qsm.study.batch.task import picture_path
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.study_scan import StudyScan, scans_in
from napari_qsm.units import sizes_text

#: Folders before the name of a file, which may name a person.
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\\/'\"\n]+[\\/])+")


def write_group_page(study: Path | str) -> Path:
    """Write ``group/index.html`` and ``group/qc.tsv`` of a study.

    Parameters
    ----------
    study : Path or str
        A folder of BIDS derivatives with results of ``batch`` or ``reconstruct``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileError
        If there is no such folder, or it holds no result, or the page cannot be written.
    """
    root = Path(study).absolute()
    if not root.is_dir():
        raise FileError(f"There is no folder '{study}'.")
    scans = group_scans(root)
    if not scans:
        raise FileError(
            f"'{study}' holds no results and no word of a batch; 'napari-qsm batch RAW --out STUDY "
            "participant' makes them."
        )
    visits = StudyFolder(root).imported if (root / "dataset_description.json").is_file() else ()
    known = {(scan.participant, scan.session) for scan in scans}
    without = [f"sub-{p}" + (f" ses-{s}" if s else "") for p, s in visits if (p, s) not in known]
    pages = group_pages(scans, without)
    folder = root / "group"
    old = [path.name for path in folder.glob("pictures-*.html")] if folder.is_dir() else []
    with staged_folder(folder, overwrite=True, replaces=old) as staging:
        for name, text in {**pages, "qc.tsv": qc_table(scans)}.items():
            (staging / name).write_bytes(text.encode("utf-8", errors="replace"))
    return folder / "index.html"


def group_scans(root: Path) -> list[GroupScan]:
    """Every scan that a study holds results of, or that a batch has tried, in order."""
    said = read_status(root / "batch" / "status.tsv")
    found = []
    for scan in scans_in(root):
        row = said.pop(scan.stem, None)
        if scan.is_reconstructed and scan.provenance.name in scan.files:
            found.append(_with_result(root, scan, row))
        elif row is not None:
            found.append(_without_result(row))
    found += [_without_result(row) for row in said.values()]
    return sorted(found, key=lambda scan: (scan.participant, scan.session, scan.name))


def _without_result(row: ScanStatus) -> GroupScan:
    state = "waiting" if row.state == "done" else row.state  # its files are gone
    return GroupScan(row.scan, row.participant, row.session, state, _neutral(row.message))


def _with_result(root: Path, scan: StudyScan, row: ScanStatus | None) -> GroupScan:
    provenance = _json(scan.provenance)
    quality = _quality(scan)
    ratings = read_ratings(scan.folder, prefix=scan.prefix)
    rating = ratings.latest(quality.chi_sha256) if quality else None
    report = ""
    if scan.report.name in scan.files:
        report = "../" + quote(scan.report.relative_to(root).as_posix())
    state = row.state if row is not None and row.state in ("failed", "skipped") else "done"
    return GroupScan(
        name=scan.stem,
        participant=scan.participant,
        session=scan.session,
        state=state,
        message=_neutral(row.message) if row is not None else "",
        numbers=quality.numbers if quality else {},
        findings=findings(quality) if quality else (),
        verdict=rating.verdict if rating else "",
        report=report,
        picture=_picture(root, scan),
        made_with=_software(provenance),
        recipe=_recipe(provenance),
        acquired=_acquired(provenance, scan),
    )


def _neutral(message: str) -> str:
    """A sentence without the folders of the files it names."""
    return _FOLDERS.sub("", message)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = parse_json(read_text(path))
    except (QsmError, PlainDataError):
        return {}
    return data if isinstance(data, dict) else {}


def _quality(scan: StudyScan) -> QualityReport | None:
    data = _json(scan.quality) if scan.quality.name in scan.files else {}
    data.pop("findings", None)
    try:
        return from_dict(data)
    except QsmError:
        return None  # of another version, or none


def _picture(root: Path, scan: StudyScan) -> bytes:
    """The small picture of the map, as the batch left it, or made anew."""
    kept = picture_path(root, scan.stem)
    if kept.is_file() and kept.stat().st_mtime_ns >= scan.map.stat().st_mtime_ns:
        return kept.read_bytes()
    try:
        return thumbnail(read_image(scan.map))
    except QsmError:
        return b""


def _software(provenance: Mapping[str, Any]) -> str:
    said = provenance.get("software")
    return ", ".join(f"{name} {version}" for name, version in said.items()) if said else ""


def _recipe(provenance: Mapping[str, Any]) -> str:
    said = provenance.get("recipe")
    return f"{said.get('name', 'unnamed')} ({recipe_sha256(said)[:8]})" if said else ""


def _acquired(provenance: Mapping[str, Any], scan: StudyScan) -> str:
    times = [float(t) * 1e3 for t in provenance.get("echo_times_s") or ()]
    words = [f"TE {', '.join(f'{t:.4g}' for t in times)} ms"] if times else []
    strength = provenance.get("field_strength_t")
    words = [f"{strength:.3g} T", *words] if strength else words
    size = provenance.get("voxel_size_mm")
    return "; ".join([*words, sizes_text(size)] if size else words)
