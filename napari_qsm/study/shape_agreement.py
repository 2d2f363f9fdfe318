"""Where two readings of a scan lie: overlap of regions (Dice), distance of their centres."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from napari_qsm.io.formats import read_image
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shape_table import region_name
from napari_qsm.rois.shapes import FixedShape, snap, voxels_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.painted import PaintedStep, indices_by_label, label_numbers
from napari_qsm.study.readings import Reading, load_labels, read_reading
from napari_qsm.study.reliability import Measure
from napari_qsm.volume import Volume

POOLED = "all regions"


@dataclass(frozen=True)
class Overlap:
    """Two shapes, or painted regions, of one name on one scan.

    Attributes
    ----------
    region : str
        Without its side.
    dice : float
        Twice the shared voxels over the sum of both.
    distance_mm : float
        Between their centres as they are measured: on the grid where shapes are snapped; between
        the centroids of painted regions.
    """

    region: str
    dice: float
    distance_mm: float


def overlaps(
    first: Sequence[FixedShape], second: Sequence[FixedShape], volume: Volume
) -> list[Overlap]:
    """Overlap of every region that both readings placed.

    Parameters
    ----------
    first, second : sequence of FixedShape
    volume : Volume
        The map that both were placed on.
    """
    others = {shape.region_name: shape for shape in second}
    out = []
    for shape in first:
        other = others.get(shape.region_name)
        if other is None:
            continue
        a, b = (np.asarray(voxels_of(each, volume)) for each in (shape, other))
        shared = len(np.intersect1d(a, b))
        whole = len(a) + len(b)
        dice = 2 * shared / whole if whole else math.nan
        centres = [snap(each, volume).centre_mm for each in (shape, other)]
        out.append(Overlap(region_name(shape), dice, math.dist(*centres)))
    return out


def painted_overlaps(
    first: Volume, second: Volume, steps: Sequence[Step | PaintedStep]
) -> list[Overlap]:
    """Overlap of every painted region that both readings have, and distance of their centroids.

    Parameters
    ----------
    first, second : Volume
        Label maps of one grid.
    steps : sequence of Step or PaintedStep
        Of the protocol.
    """
    numbers, shape = label_numbers(steps), first.to_canonical().shape
    grid = first.to_canonical()
    ours, theirs = indices_by_label(first), indices_by_label(second)
    out = []
    for step in steps:
        label = numbers[step.region_name]
        if isinstance(step, PaintedStep) and label in ours and label in theirs:
            a, b = ours[label], theirs[label]
            flat = [np.ravel_multi_index(tuple(each.T), shape) for each in (a, b)]
            shared = len(np.intersect1d(flat[0], flat[1], assume_unique=True))
            centres = [grid.voxel_to_world(each.mean(axis=0)) for each in (a, b)]
            dice = 2 * shared / (len(a) + len(b))
            out.append(Overlap(step.plain_name, dice, math.dist(*centres)))
    return out


def sides_averaged(rows: Iterable[Overlap]) -> list[Overlap]:
    """One overlap a region: the mean of both sides."""
    by_region: dict[str, list[Overlap]] = {}
    for row in rows:
        by_region.setdefault(row.region, []).append(row)
    return [
        Overlap(
            region,
            float(np.mean([row.dice for row in both])),
            float(np.mean([row.distance_mm for row in both])),
        )
        for region, both in by_region.items()
    ]


def shape_agreement(
    study: StudyFolder,
    pairs: Mapping[str, tuple[tuple[str, int], tuple[str, int]]],
    counted: Mapping[str, Collection[tuple[str, str, str]]],
) -> dict[str, dict[str, list[Measure]]]:
    """Dice and distance of centres for pairs of readings, by region and pooled.

    Parameters
    ----------
    study : StudyFolder
    pairs : mapping of str to ((rater, reading), (rater, reading))
        What is compared.
    counted : mapping of str to collection of (region, participant, session)
        Values that are compared there: nothing that is excluded or stale.

    Returns
    -------
    dict of str to dict
        What is compared, to region, to ``dice`` and ``distance_mm``: the mean over scans, in each of
        which sides are averaged, with its t interval.
    """
    out: dict[str, dict[str, list[Measure]]] = {}
    found: dict[str, list[Overlap]] = {title: [] for title in pairs}
    steps = study.protocol.all_steps()
    for scan in study.scans:
        there = set(scan.readings())
        wanted = [(t, pair) for t, pair in pairs.items() if set(pair) <= there]
        if not wanted:
            continue
        volume = read_image(scan.map)
        kept: dict[tuple[str, int], Reading] = {}
        for key in {key for _, pair in wanted for key in pair}:
            reading = read_reading(scan.shapes(*key))
            if reading.record.state == "submitted":
                kept[key] = load_labels(study, reading, volume, scan.dseg(*key))
        for title, (first, second) in wanted:
            if first in kept and second in kept:
                one, other = kept[first], kept[second]
                rows = overlaps(one.shapes, other.shapes, volume)
                if one.labels is not None and other.labels is not None:
                    rows += painted_overlaps(one.labels, other.labels, steps)
                found[title] += [
                    row for row in sides_averaged(rows) if (row.region, *scan.key) in counted[title]
                ]
    for title, rows in found.items():
        if rows:
            regions = dict.fromkeys(row.region for row in rows)
            out[title] = {
                region: _measures(row for row in rows if row.region == region) for region in regions
            }
            if len(regions) > 1:
                out[title][POOLED] = _measures(rows)
    return out


def _measures(rows: Iterable[Overlap]) -> list[Measure]:
    rows = list(rows)
    return [
        _mean("dice", np.array([row.dice for row in rows])),
        _mean("distance_mm", np.array([row.distance_mm for row in rows])),
    ]


def _mean(name: str, values: np.ndarray) -> Measure:
    values = values[np.isfinite(values)]
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return Measure(name, n, mean)
    half = float(stats.t.ppf(0.975, n - 1) * stats.sem(values))
    low, high = max(mean - half, 0.0), mean + half
    return Measure(name, n, mean, low, min(high, 1.0) if name == "dice" else high)
