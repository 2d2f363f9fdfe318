"""All readings of a study as one table: a row a region, measured on the maps as they are now."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, MetadataError, QsmError
from napari_qsm.io.formats import read_image
from napari_qsm.io.maps import read_map
from napari_qsm.qc.rating import read_ratings
from napari_qsm.recon.parallel import threads
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.shape_checks import flags_of_all, flags_of_voxels, values_at, values_under
from napari_qsm.rois.shape_table import region_name
from napari_qsm.rois.sums import measures_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.painted import indices_by_label, label_numbers, plain_region
from napari_qsm.study.participants import Person, participants_of
from napari_qsm.study.reading_sides import check_sides
from napari_qsm.study.readings import Reading, checksum_of, load_labels, read_reading
from napari_qsm.study.rows import plain_id, some
from napari_qsm.study.scan_facts import ScanFacts, departures, differences, facts_of
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.units import factor
from napari_qsm.volume import Volume

#: Most maps that are unpacked side by side.
_AHEAD = 4

#: The columns of ``roi_long.tsv`` and what each holds.
COLUMNS = {
    "participant_id": "Participant, as in participants.tsv.",
    "session_id": "Session (visit); n/a where the data have none.",
    "group": "Group of the participant, from participants.tsv.",
    "rater": "Who placed the shapes.",
    "reading": "1, or 2 and more for repeated readings of the same scan by the same rater.",
    "region": "Name of the region, without its side.",
    "side": "left, right, or n/a for a region without sides.",
    "voxels": "Voxels of the shape or painted region on the map's grid.",
    "volume_mm3": "Their volume, mm3.",
    "mean_ppb": "Mean susceptibility of the voxels that hold a number, ppb.",
    "sd_ppb": "Standard deviation of a sample (n - 1), ppb.",
    "median_ppb": "Median, ppb.",
    "p05": "5th percentile, interpolated linearly, ppb.",
    "p95": "95th percentile, interpolated linearly, ppb.",
    "skewness": "Third standardised moment, m3 / m2^1.5.",
    "reference": "What counts as zero: the method of the map's reference stage.",
    "reference_ppb": "Susceptibility that was subtracted from the whole map for that, ppb.",
    "map_sha256": "SHA-256 of the map's values (float32, axes turned to RAS), by which it is known.",
    "flags": "What may be wrong with where the shape lies, divided by '; '.",
    "qc_verdict": "What a person said of the map's quality: pass, doubtful or fail.",
    "excluded": "Why the row is left out of the analysis; n/a for rows that count.",
}


@dataclass
class Collected:
    """All readings of a study.

    Attributes
    ----------
    frame : DataFrame
        Columns as :data:`COLUMNS`; None and NaN where there is nothing.
    facts : dict of str to ScanFacts
        How each map was made, by the scan's name.
    notes : list of str
        What must be known of it.
    readings : int
        How many were handed in.
    amendments : int
        How often one was changed after that.
    unrecorded : list of str
        Readings that do not tell which map they were made on.
    """

    frame: pd.DataFrame
    facts: dict[str, ScanFacts]
    notes: list[str] = field(default_factory=list)
    readings: int = 0
    amendments: int = 0
    unrecorded: list[str] = field(default_factory=list)


def collect(
    study: StudyFolder,
    *,
    allow_mixed: bool = False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Collected:
    """Measure every reading that was handed in.

    Parameters
    ----------
    study : StudyFolder
    allow_mixed : bool
        Take maps together that were made in different ways, or from different acquisitions.
    progress : callable
        Called with the fraction done; may raise to stop.

    Raises
    ------
    QsmError
        If nobody has handed anything in, maps cannot be compared, a file is damaged, a person is
        not in ``participants.tsv``, or the sides of a reading are swapped.
    """
    scans = [scan for scan in study.scans if scan.readings()]
    people = participants_of(study)
    _check_people(study, scans, people)
    out = Collected(pd.DataFrame(columns=list(COLUMNS)), {})
    waiting: list[str] = []
    rows: list[dict[str, object]] = []
    jobs: list[tuple[StudyScan, list[Reading]]] = []
    for scan in scans:
        study.scan(*scan.key)  # refuses two maps of one visit
        every = [read_reading(scan.shapes(*each)) for each in scan.readings()]
        readings = [reading for reading in every if reading.record.state == "submitted"]
        waiting += [f"{scan.name} ({r.label})" for r in every if r not in readings]
        if readings:
            jobs.append((scan, readings))
    for number, ((scan, readings), measured) in enumerate(_with_maps(jobs)):
        progress(number / len(jobs))
        rows += _rows(study, scan, readings, measured, people.get(scan.participant), out)
    if not rows:
        raise QsmError(
            f"Nobody has handed in a reading of '{study.root.name}' yet."
            + (f" {len(waiting)} are begun." if waiting else "")
        )
    mixed = differences(out.facts)
    if mixed and not allow_mixed:
        raise MetadataError(f"{mixed[0]} They can be pooled only with --allow-mixed.")
    out.frame = pd.DataFrame(rows, columns=list(COLUMNS))
    unread = sorted(set(people) - {scan.participant for scan in scans})
    if unread:
        out.notes.append(
            f"Of {len(unread)} participants there is no reading ({some([f'sub-{p}' for p in unread])})."
        )
    out.notes = [*mixed, *departures(study.protocol, out.facts), *out.notes, *_notes(out, waiting)]
    progress(1.0)
    return out


def _check_people(study: StudyFolder, scans: list[StudyScan], people: dict[str, Person]) -> None:
    strangers = sorted({scan.participant for scan in scans} - set(people))
    if people and strangers:
        raise FileError(
            f"'{study.participants}' has no row for {some([f'sub-{p}' for p in strangers])}, of whom "
            "there are readings."
        )


@dataclass(frozen=True)
class _Measured:
    """A map to be measured, with what is known of it."""

    volume: Volume
    mask: Volume | None
    checksum: str
    facts: ScanFacts


def _with_maps(
    jobs: list[tuple[StudyScan, list[Reading]]],
) -> Iterator[tuple[tuple[StudyScan, list[Reading]], _Measured]]:
    """Scans with their maps, which are unpacked ahead, side by side, as that takes most of the time."""
    count = min(_AHEAD, threads())
    with ThreadPoolExecutor(count) as pool:
        pending: deque[tuple[tuple[StudyScan, list[Reading]], Future[_Measured]]] = deque()
        for job in jobs:
            pending.append((job, pool.submit(_measured, job[0])))
            if len(pending) > count:
                done, future = pending.popleft()
                yield done, future.result()
        for done, future in pending:
            yield done, future.result()


def _measured(scan: StudyScan) -> _Measured:
    if not scan.is_reconstructed:
        raise FileError(f"{scan.name} was read, but its map '{scan.map.name}' is missing.")
    volume = read_map(scan.map)
    mask = _mask_of(scan)
    facts = replace(
        facts_of(scan, volume.to_canonical().voxel_size_mm),
        whole_brain_ppm=_mean_within(volume, mask),
    )
    return _Measured(volume, mask, checksum_of(volume), facts)


def _rows(
    study: StudyFolder,
    scan: StudyScan,
    readings: list[Reading],
    measured: _Measured,
    person: Person | None,
    out: Collected,
) -> Iterator[dict[str, object]]:
    volume, mask, checksum = measured.volume, measured.mask, measured.checksum
    facts = measured.facts
    out.facts[scan.name] = facts
    verdict = read_ratings(scan.folder, prefix=scan.prefix).latest(checksum)
    left_out = {plain_id(who): why for who, why in study.protocol.plan().exclude.items()}
    excluded = left_out.get(scan.participant, "")
    shift = facts.reference_ppm
    common: dict[str, object] = {
        "participant_id": f"sub-{scan.participant}",
        "session_id": f"ses-{scan.session}" if scan.session else None,
        "group": person.group if person is not None else None,
        "reference": facts.reference or None,
        "reference_ppb": 1e3 * shift if shift is not None else math.nan,
        "map_sha256": checksum,
        "qc_verdict": verdict.verdict if verdict is not None else None,
    }
    for reading in readings:
        dseg = scan.dseg(reading.record.rater, reading.record.number)
        reading = load_labels(study, reading, volume, dseg)
        check_sides(study, scan, reading)
        out.readings += 1
        out.amendments += len(reading.record.amended)
        if not reading.chi_sha256:
            out.unrecorded.append(f"{scan.name} ({reading.label})")
        stale = bool(reading.chi_sha256) and reading.chi_sha256 != checksum
        if stale:
            out.notes.append(
                f"The map of {scan.name} has changed since {reading.label} read it: this reading is "
                "stale and left out until it is confirmed by an amendment."
            )
        why = excluded or ("stale: the map has changed since it was read" if stale else "")
        own = common | {"rater": reading.record.rater, "reading": reading.record.number}
        all_flags = flags_of_all(reading.shapes, volume, mask=mask)
        for shape, flags in zip(reading.shapes, all_flags, strict=True):
            numbers = _numbers(values_under(shape, volume), volume)
            where = {"region": region_name(shape), "side": shape.side}
            yield own | where | numbers | {"flags": "; ".join(flags), "excluded": why}
        for region, side, at in _painted(study, reading):
            flags = flags_of_voxels(at, volume, mask=mask)
            numbers = _numbers(values_at(at, volume), volume)
            where = {"region": region, "side": side}
            yield own | where | numbers | {"flags": "; ".join(flags), "excluded": why}
        for step in study.protocol.all_steps():
            if step.region_name in reading.record.not_visible:
                reason = reading.record.not_visible[step.region_name]
                name = plain_region(step.region_name, step.side)
                lacking = {"region": name, "side": step.side, "voxels": 0}
                yield own | lacking | {"flags": "", "excluded": why or f"not visible: {reason}"}


def _mean_within(volume: Volume, mask: Volume | None) -> float | None:
    """Mean of a map in ppm over its mask; None without one on its grid."""
    if mask is None or mask.shape != volume.shape:
        return None
    values = volume.data.T[np.asarray(mask.data).T > 0]  # as files hold them: far faster
    values = values[np.isfinite(values)]
    return float(values.mean()) * factor(volume.unit, "ppm") if values.size else None


def _mask_of(scan: StudyScan) -> Volume | None:
    """Where a map is valid, if the study keeps that."""
    for name in ("local_mask", "mask"):
        path = scan.image(name)
        if path.name in scan.files:
            return read_image(path)
    return None


def _painted(study: StudyFolder, reading: Reading) -> Iterator[tuple[str, str, Array]]:
    """Name, side and voxels of every painted region of a reading."""
    if reading.labels is None:
        return
    found = indices_by_label(reading.labels)
    numbers = label_numbers(study.protocol.all_steps())
    for step in study.protocol.painted():
        if numbers[step.region_name] in found:
            yield step.plain_name, step.side, found[numbers[step.region_name]]


def _numbers(values: Array, volume: Volume) -> dict[str, object]:
    measures: Measures = measures_of(values)
    to_ppb = factor(volume.unit, "ppb")
    return {
        "voxels": measures.voxels,
        "volume_mm3": measures.voxels * volume.voxel_volume_mm3,
        **{f"{name}_ppb": measures.value(name) * to_ppb for name in ("mean", "sd", "median")},
        **{name: measures.value(name) * to_ppb for name in ("p05", "p95")},
        "skewness": measures.value("skewness"),
    }


def _notes(out: Collected, waiting: list[str]) -> Iterator[str]:
    if waiting:
        yield f"{len(waiting)} readings are begun but not handed in ({some(waiting)})."
    if out.amendments:
        yield f"{out.amendments} amendments: the last of each counts."
    frame = out.frame
    if frame["group"].isna().all():
        yield "Groups are not known: there is no participants.tsv with a column 'group'."
    unknown = sorted(set(frame.loc[frame["reference"].isna(), "participant_id"]))
    if unknown:
        yield f"What counts as zero is not recorded for the maps of {some(unknown)}."
    if out.unrecorded:
        yield (
            f"{len(out.unrecorded)} readings do not record which map was read "
            f"({some(out.unrecorded)}); whether it changed since cannot be told."
        )
    flagged = int((frame["flags"].fillna("") != "").sum())
    if flagged:
        yield f"{flagged} of {len(frame)} rows carry flags."
