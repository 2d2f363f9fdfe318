"""What is judged: a finished reconstruction of the session, and the regions that help."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.qc.judge import measure
from napari_qsm.qc.map_measures import IRON_RICH
from napari_qsm.qc.quality import Finding, QualityReport, findings
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.stages import Progress
from napari_qsm.session import Case
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
