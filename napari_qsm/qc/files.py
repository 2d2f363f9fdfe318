"""Quality in files: beside a new result, and from the folder of an old one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, MetadataError, QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.bids import DERIVATIVES
from napari_qsm.io.formats import read_image
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.moving import finish
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.targets import check_out_file
from napari_qsm.io.whole_numbers import as_labels, as_mask
from napari_qsm.outputs import RESULT_NAMES, Layout, write_result
from napari_qsm.qc.judge import evidence_of, magnitude_of, measure, measure_evidence
from napari_qsm.qc.quality import Finding, QualityReport, findings, from_dict, map_checksum
from napari_qsm.qc.rating import RatingHistory, read_ratings
from napari_qsm.qc.report import report_html, write_report
from napari_qsm.recon.pipeline import Inputs, Result
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume

PROVENANCE_FILE = "provenance.json"
QUALITY_FILE = "quality.json"
REPORT_FILE = "report.html"
_MASKS = ("mask", "local_mask")


@dataclass(frozen=True)
class StoredResult:
    """A result as its folder holds it.

    Attributes
    ----------
    result : Result
        Closest-canonical, as after the run; inputs such as the wrapped phase are not stored.
    place : Path
        The folder of its provenance.
    prefix : str
        What comes before ``provenance.json`` there.
    ratings : RatingHistory
    quality : QualityReport or None
        The numbers of the run, if they belong to the map that is there now.
    """

    result: Result
    place: Path
    prefix: str
    ratings: RatingHistory
    quality: QualityReport | None

    def beside(self, name: str) -> Path:
        """Path of a file of this result, for example ``report.html``."""
        return self.place / f"{self.prefix}{name}"


def read_stored(folder: Path | str) -> StoredResult:
    """Read a result that ``reconstruct`` or the window wrote, under plain or BIDS names.

    Raises
    ------
    FileError
        If there is no result, more than one, or a file of it is missing or damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"There is no folder '{folder}'.")
    finish(folder)
    found = results_in(folder)
    if not found:
        raise FileError(
            f"'{folder}' holds no result: there is no {PROVENANCE_FILE}. Give the folder that "
            "'reconstruct' wrote."
        )
    if len(found) > 1:
        raise FileError(f"'{folder}' holds {len(found)} results; give the folder of one of them.")
    place, prefix = found[0].parent, found[0].name.removesuffix(PROVENANCE_FILE)
    provenance = _json(found[0])
    arrays: dict[str, Any] = {}
    grid: Volume | None = None
    for name in RESULT_NAMES:
        path = result_image(place, prefix, name)
        if path is None:
            continue
        volume = read_image(path).to_canonical()
        grid = grid or volume
        volume = volume.like(grid)
        if name in _MASKS:
            arrays[name] = as_mask(volume)
        else:
            data = volume.data
            echoes = data[None] if data.ndim == 3 else np.moveaxis(data, -1, 0)
            arrays[name] = echoes if name == "unwrapped" else data
    if grid is None or "chi_ppm" not in arrays:
        raise FileError(f"'{place}' holds no susceptibility map beside its {PROVENANCE_FILE}.")
    arrays["reference_ppm"] = provenance.get("reference_ppm")
    result = Result(grid.echo(0), arrays, provenance)
    return StoredResult(
        result,
        place,
        prefix,
        read_ratings(place, prefix=prefix),
        _quality(place / f"{prefix}{QUALITY_FILE}", arrays["chi_ppm"]),
    )


def results_in(folder: Path) -> list[Path]:
    """Every provenance of a result in a folder, or below it."""
    return sorted(folder.rglob(f"*{PROVENANCE_FILE}"))


def write_quality(
    result: Result,
    inputs: Inputs,
    path: Path,
    *,
    rated_in: Path | None = None,
    progress: Progress = no_progress,
) -> list[Finding]:
    """Write ``report.html`` and, beside it, ``quality.json`` of a new result.

    Parameters
    ----------
    result : Result
        As the run gave it.
    inputs : Inputs
        What it started from; their magnitude shows whether the mask reaches into air.
    path : Path
        The report; the numbers take its name with ``quality.json`` for ``report.html``.
    rated_in : Path, optional
        Folder of the ratings, where it isn't that of the report.
    progress : callable
        Told the fraction done, often; may raise to stop.

    Returns
    -------
    list of Finding
        What stands out.
    """
    prefix = path.name.removesuffix(REPORT_FILE)
    magnitude = magnitude_of(inputs, result.grid)
    progress(0.0)
    drawn = count(1)
    evidence = evidence_of(result, magnitude)
    quality = measure_evidence(result, evidence, progress=lambda done: progress(0.4 * done))
    ratings = read_ratings(rated_in or path.parent, prefix=prefix).ratings
    html = report_html(
        result,
        rating=ratings,
        quality=quality,
        magnitude=magnitude,
        residual=evidence.residual_map,
        alive=lambda: progress(min(0.4 + 0.04 * next(drawn), 1.0)),
    )
    write_text(path.with_name(f"{prefix}{QUALITY_FILE}"), quality_text(quality))
    write_text(path, html)
    return findings(quality)


def write_judged(
    result: Result,
    inputs: Inputs,
    folder: Path,
    layout: Layout,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> list[Finding]:
    """Write a new result together with its report and its numbers.

    Parameters
    ----------
    result : Result
    inputs : Inputs
        What it started from.
    folder, layout, overwrite
        As for :func:`napari_qsm.outputs.write_result`.
    progress : callable
        Told the fraction done, often; may raise to stop, and then nothing of the folder has changed.

    Returns
    -------
    list of Finding
        What stands out.
    """
    found: list[Finding] = []

    def judge(staging: Path) -> None:
        name = f"{layout.prefix}{REPORT_FILE}"
        found.extend(
            write_quality(
                result,
                inputs,
                staging / name,
                rated_in=(folder / name).parent,
                progress=lambda done: progress(0.4 + 0.6 * done),
            )
        )

    write_result(
        result,
        folder,
        layout,
        overwrite=overwrite,
        beside=judge,
        progress=lambda done: progress(0.4 * done),
    )
    return found


def rebuild_report(
    folder: Path | str,
    path: Path | None = None,
    *,
    labels: Path | None = None,
    label_table: Path | None = None,
    overwrite: bool = False,
) -> tuple[Path, list[Finding]]:
    """Write the report of a result from its folder, with its ratings.

    The wrapped phase and the magnitude are not part of a result, so their pictures are left
    out; the numbers taken from them are kept from the run if the map is still the same.

    Parameters
    ----------
    folder : Path or str
        What ``reconstruct`` or the window wrote.
    path : Path, optional
        Where to; ``report.html`` beside the result otherwise.
    labels, label_table : Path, optional
        Label map on the result's grid and the names of its values; regions known to be rich in
        iron settle the sign of the map, and tell where the deep nuclei are shown.
    overwrite : bool
        Whether a report may be replaced, the result's own too.

    Returns
    -------
    Path
        The report.
    list of Finding
        What stands out.

    Raises
    ------
    FileError
        If there is no result, or the report's name does not end in ``.html``.
    MetadataError
        If none of the regions is known to be rich in iron.
    GeometryError
        If the labels do not lie on the result's grid.
    """
    if path is not None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise FileError(f"'{path.name}' must end in .html.")
        check_out_file(path, overwrite=overwrite, is_ours=_is_report)
    stored = read_stored(folder)
    if path is None:
        path = stored.beside(REPORT_FILE)
        check_out_file(path, overwrite=overwrite, is_ours=_is_report)
    quality = stored.quality or measure(stored.result)
    drawn, names = None, {}
    if labels is not None:
        drawn = as_labels(read_image(labels).like(stored.result.grid))
        names = {r.index: r.name for r in read_label_table(label_table)} if label_table else {}
        contrast = _iron_contrast(stored.result, drawn, names)
        quality = quality.but(iron_contrast_ppm=contrast)
    write_report(
        stored.result,
        path,
        rating=stored.ratings.ratings,
        quality=quality,
        labels=drawn,
        label_names=names,
    )
    return path, findings(quality)


def _iron_contrast(result: Result, labels: Array, names: dict[int, str]) -> float:
    contrast = measure(result, labels=labels, label_names=names)["iron_contrast_ppm"]
    if contrast is None:
        raise MetadataError(
            "None of the regions inside the map has a name known to be rich in iron (putamen, "
            "globus pallidus, red nucleus, substantia nigra); give their names with --table."
        )
    return contrast


def _is_report(path: Path) -> bool:
    with path.open("rb") as handle:
        return b"Made with napari-qsm" in handle.read() or path.stat().st_size == 0


def quality_text(quality: QualityReport) -> str:
    """The text of ``quality.json``: the numbers, and what stands out in them."""
    data = quality.to_dict() | {"findings": [asdict(f) for f in findings(quality)]}
    return json.dumps(data, indent=2) + "\n"


def result_image(place: Path, prefix: str, name: str) -> Path | None:
    """The file of one quantity of a result, plain or by BIDS names; None where there is none.

    Parameters
    ----------
    place : Path
        The folder of its provenance.
    prefix : str
        What comes before ``provenance.json`` there.
    name : str
        As in :data:`napari_qsm.outputs.RESULT_NAMES`.
    """
    if not prefix:
        path = place / f"{RESULT_NAMES[name]}.nii.gz"
        return path if path.exists() else None
    pattern = prefix + DERIVATIVES[name].format(suffix="*") + ".nii.gz"
    return next(iter(sorted(place.glob(pattern))), None)


def _quality(path: Path, chi: Any) -> QualityReport | None:
    if not path.exists():
        return None
    try:
        numbers = _json(path)
        numbers.pop("findings", None)
        quality = from_dict(numbers)
    except QsmError:
        return None  # of another version: measured again
    return quality if quality.chi_sha256 == map_checksum(chi) else None


def _json(path: Path) -> dict[str, Any]:
    try:
        data = parse_json(path.read_text("utf-8"))
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}.") from error
    except (OSError, ValueError) as error:
        raise FileError(f"'{path.name}' cannot be read.") from error
    if not isinstance(data, dict):
        raise FileError(f"'{path.name}' does not hold what the program writes there.")
    return data
