"""The quality of a reconstruction, or of one stage, by all registered measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.qc import echo_measures as _echo_measures  # noqa: F401
from napari_qsm.qc import field_measures as _field_measures  # noqa: F401  registers them
from napari_qsm.qc import map_measures as _map_measures  # noqa: F401  after those of the field
from napari_qsm.qc.evidence import Evidence
from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, MEASURES, QualityReport, map_checksum
from napari_qsm.recon.pipeline import Inputs, Result
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume


def measure(
    result: Result,
    *,
    magnitude: Array | None = None,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
    progress: Progress = no_progress,
) -> QualityReport:
    """Measure the quality of a reconstruction.

    Parameters
    ----------
    result : Result
        As :func:`napari_qsm.recon.pipeline.run` gives it, or read back from its folder.
    magnitude : (x, y, z) or (E, x, y, z) ndarray, optional
        Magnitude on the grid of the result (closest-canonical), any unit; of several echoes
        the first counts.
    labels : (x, y, z) ndarray, optional
        Label map on the same grid.
    label_names : dict, optional
        Names of its values; those that begin like :data:`IRON_RICH` are used.
    progress : callable
        Told the fraction done.

    Returns
    -------
    QualityReport

    Raises
    ------
    QsmError
        If the result holds no susceptibility map.
    GeometryError
        If the magnitude or the labels have another shape.
    """
    evidence = evidence_of(result, magnitude, labels, label_names)
    return measure_evidence(result, evidence, progress=progress)


def evidence_of(
    result: Result,
    magnitude: Array | None = None,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
) -> Evidence:
    """What a result is judged by; parameters are those of :func:`measure`.

    Raises
    ------
    QsmError
        If the result holds no susceptibility map.
    GeometryError
        If the magnitude or the labels have another shape.
    """
    chi = result.arrays.get("chi_ppm")
    if chi is None:
        raise QsmError("There is no susceptibility map to judge; run the inversion first.")
    for name, other in (("magnitude", magnitude), ("label map", labels)):
        if other is not None and other.shape[-3:] != chi.shape:
            raise GeometryError(
                f"The {name} has shape {other.shape[-3:]} but the map has {chi.shape}; "
                "they must come from the same scan."
            )
    grid = result.grid
    known = {
        "voxel_size_mm": grid.voxel_size_mm,
        "b0_direction": grid.b0_direction,
        "echo_times_s": tuple(result.provenance.get("echo_times_s", ())),
    }
    return Evidence({**result.arrays, **known}, magnitude, labels, label_names or {})


def measure_evidence(
    result: Result, evidence: Evidence, *, progress: Progress = no_progress
) -> QualityReport:
    """As :func:`measure`, from evidence that the caller keeps: its fields are worked out once."""
    numbers: dict[str, float | None] = {}
    for done, each in enumerate(MEASURES.values(), 1):
        numbers[each.name] = each.compute(evidence)
        progress(done / (len(MEASURES) + 1))
    assert evidence.finite is not None and evidence.valid is not None
    inside = evidence.finite[evidence.valid]
    counts, _ = np.histogram(inside, bins=HISTOGRAM_EDGES_PPM)
    report = QualityReport(
        map_checksum(result.arrays["chi_ppm"]),
        numbers,
        () if evidence.wraps is None else evidence.wraps.left,
        tuple(int(n) for n in counts),
        int((inside < HISTOGRAM_EDGES_PPM[0]).sum()),
        int((inside > HISTOGRAM_EDGES_PPM[-1]).sum()),
        {s["stage"]: float(s["seconds"]) for s in result.provenance.get("stages", ())},
    )
    progress(1.0)
    return report


def stage_numbers(stage: str, have: Mapping[str, Any]) -> dict[str, float]:
    """Quality of what one stage made, by the measures that name it.

    Parameters
    ----------
    stage : str
        A key of :data:`napari_qsm.recon.stages.STAGES`.
    have : mapping
        Quantities by name, with those of the stage; ``voxel_size_mm`` and ``b0_direction``
        for an inversion.

    Returns
    -------
    dict of str to float
        Empty for a stage that no number judges; what cannot be known is left out.
    """
    evidence = Evidence(have)
    found = {
        each.name: each.compute(evidence) for each in MEASURES.values() if stage in each.stages
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def magnitude_of(inputs: Inputs, grid: Volume) -> Array | None:
    """First magnitude of a run's inputs in the axis order of its results, or None."""
    volumes = inputs.magnitude or (inputs.scan.magnitude if inputs.scan else ())
    return np.asarray(volumes[0].like(grid).data) if volumes else None
