"""Finished reconstructions judged, and the field that a map leaves unexplained. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.qc.field import residual_field
from napari_qsm.qc.judge import measure
from napari_qsm.qc.map_measures import IRON_RICH
from napari_qsm.qc.quality import Finding, QualityReport, findings
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.stages import Progress
from napari_qsm.session import Case, MapDisplay, MapEntry, Session
from napari_qsm.session.stage_results import put_result
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume, same_grid


@dataclass(frozen=True, eq=False)
class Subject:
    """A map that can be judged.

    Attributes
    ----------
    key : hashable
        Equal as long as the map is the same.
    make : callable
        Gives the result with all its intermediates; may take a while and runs in a thread.
    grid : Volume
        Stands for the grid of the result (closest-canonical).
    magnitude : (x, y, z) or (E, x, y, z) ndarray, or None
        On that grid.
    case : Case
        The case that the map belongs to.
    folder : Path or None
        Where the result lies on the disk, if it does.
    prefix : str
        What comes before ``rating.json`` there.
    """

    key: Hashable
    make: Callable[[], Result]
    grid: Volume
    case: Case
    magnitude: Array | None = None
    folder: Path | None = None
    prefix: str = ""


@dataclass(frozen=True)
class NamedLabels:
    """A label map on the grid of a result, and the names of its values."""

    values: Array
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The outcome for one map."""

    subject: Subject
    result: Result
    quality: QualityReport
    findings: list[Finding]


def finished_map(recon: Reconstruction | None, case: Case) -> Subject | None:
    """The map of a case's reconstruction if all of it is current; None otherwise."""
    if recon is None or recon.running or recon.stale_stages():
        return None
    arrays = recon.arrays()
    made = next((m for s in recon.active() if (m := recon.result_of(s)) is not None), None)
    if made is None or "chi_ppm" not in arrays:
        return None
    key = (id(recon), *(recon.number(stage) for stage in recon.active()), id(arrays["chi_ppm"]))
    return Subject(
        key=key,
        make=recon.result_maker(),
        grid=made.grid,
        magnitude=arrays.get("magnitude"),
        case=case,
    )


def judge(subject: Subject, labels: NamedLabels | None, progress: Progress) -> Judgement:
    """Measure a map; see :func:`napari_qsm.qc.judge.measure`."""
    result = subject.make()
    quality = measure(
        result,
        magnitude=subject.magnitude,
        labels=None if labels is None else labels.values,
        label_names=None if labels is None else labels.names,
        progress=progress,
    )
    return Judgement(subject, result, quality, findings(quality))


def iron_rich_labels(case: Case, grid: Volume) -> NamedLabels | None:
    """Regions that are positive in everybody, from a label map on the grid of the result.

    Parameters
    ----------
    case : Case
        Its label maps are looked through, the one that was drawn on last first.
    grid : Volume
        Closest-canonical.

    Returns
    -------
    NamedLabels or None
        A copy that a thread may read; None if there is no such region.
    """
    for entry in sorted(case.of_role("labels"), key=lambda e: e.id != case.painted):
        names = {key: region.name for key, region in entry.regions.items()}
        rich = [k for k, name in names.items() if name.strip().lower().startswith(IRON_RICH)]
        if rich and same_grid(entry.volume, grid) and np.isin(entry.labels, rich).any():
            return NamedLabels(np.array(entry.labels), names)
    return None


NAME = "unexplained field"
#: Its key among results, beside the names of stages.
RESULT = "unexplained"
#: Noise of the field is below 0.01 ppm; a structure that is left over stands out at twice that.
_WINDOW_PPM = (-0.02, 0.02)


def unexplained_field(result: Result) -> Volume:
    """``f − D·χ`` of a result, ppm; see :func:`napari_qsm.qc.field.residual_field`.

    Raises
    ------
    QsmError
        If the result started from a map, so that there is no field to compare it with.
    """
    have: Mapping[str, Any] = result.arrays
    local, mask = have.get("local_field_ppm"), have.get("local_mask")
    if local is None or mask is None:
        raise QsmError("This map was not made from a field here, so nothing can be left over.")
    grid = result.grid
    rest = residual_field(
        local,
        have["chi_ppm"],
        mask,
        grid.voxel_size_mm,
        grid.b0_direction,
        reference_ppm=float(have.get("reference_ppm") or 0),
    )
    return grid.with_data(rest, unit="ppm", name=NAME)


def put(session: Session, volume: Volume, case: Case, made_of: Mapping[str, Any]) -> MapEntry:
    """Show the field left over, in the place of an earlier one.

    Parameters
    ----------
    session : Session
    volume : Volume
        From :func:`unexplained_field`.
    case : Case
        That of the map.
    made_of : mapping
        Provenance of the map.
    """
    display = MapDisplay(window=_WINDOW_PPM, visible=False)
    return put_result(session, case, RESULT, volume, made_of, name=NAME, display=display)
