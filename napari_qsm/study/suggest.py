"""Suggestions for a study: places and contours from the atlas at the first visit, carried to others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import Cancelled, FileError, QsmError
from napari_qsm.io.maps import read_map, read_volume
from napari_qsm.io.segmentation import regions_beside, write_labels
from napari_qsm.outlines.propose import propose_outlines, with_middles
from napari_qsm.registration.atlas import CITATION, NUCLEI
from napari_qsm.registration.carry import carried
from napari_qsm.registration.nuclei import AtlasFit, fit_atlas
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.identity import case_name
from napari_qsm.study.painted import (
    PaintedStep,
    carried_contours,
    label_numbers,
    outlined_contours,
    painted_regions,
    plain_region,
    read_painted,
)
from napari_qsm.study.readings import read_reading
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.suggestions import Places, Suggestions, read_suggestions, write_suggestions
from napari_qsm.study.transforms import doubts_of, points_between, visits_of
from napari_qsm.volume import Volume

#: A place is learned from the readings of so many people at least.
FEWEST_PEOPLE = 3


@dataclass(frozen=True)
class Suggested:
    """What became of one scan.

    Attributes
    ----------
    name : str
        Participant and visit.
    state : {"done", "kept", "refused", "failed"}
        Kept: the atlas was fitted to this map before.
    message : str
        Why there is none, in a sentence.
    count : int
        Shapes and first contours suggested.
    without : dict of str to str
        Regions that have none, and why.
    """

    name: str
    state: str
    message: str = ""
    count: int = 0
    without: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _First:
    """A first visit with the atlas in it."""

    scan: StudyScan
    grid: Volume
    fit: AtlasFit | None
    sha256: str
    problem: str
    kept: bool
    readings: dict[str, tuple[FixedShape, ...]]
    contours: Volume | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)


def suggest_study(
    root: Path | str,
    *,
    participants: Iterable[str] = (),
    overwrite: bool = False,
    report: Callable[[Suggested, int, int], None] = lambda done, number, count: None,
) -> list[Suggested]:
    """Write suggested places for the protocol's shapes beside every map of a study.

    Parameters
    ----------
    root : Path or str
        The study, with a protocol.
    participants : iterable of str
        Labels without ``sub-``; all unless given.
    overwrite : bool
        Fit the atlas anew where it was fitted to the same map before.
    report : callable
        Called after each scan with what became of it, its number and how many there are.

    Returns
    -------
    list of Suggested

    Raises
    ------
    FileError
        If it is no study with a protocol, or has no such participant.

    Notes
    -----
    At the first visit places come from the atlas. Regions that it lacks get the place that a rater's
    own first readings have on average in the space of the atlas, once there are three people.
    Later visits get the first visit's reading, or else its suggestion, carried rigidly. Painted
    regions get proposed outlines (:mod:`napari_qsm.outlines`) as first contours, in
    ``..._desc-suggested_dseg.nii.gz``.
    """
    folder = StudyFolder(root)
    steps = folder.protocol.all_steps()
    visits = {
        participant: [v for v in sessions if folder.scan(participant, v).is_reconstructed]
        for participant, sessions in visits_of(folder).items()
    }
    visits = {participant: own for participant, own in visits.items() if own}
    wanted = [label.removeprefix("sub-") for label in participants] or list(visits)
    missing = [label for label in wanted if label not in visits]
    if missing:
        raise FileError(f"'{folder.root.name}' has no map of participant '{missing[0]}'.")
    count = sum(len(visits[label]) for label in wanted)
    found: list[Suggested] = []

    def done(one: Suggested) -> None:
        found.append(one)
        report(one, len(found), count)

    firsts: dict[str, _First] = {}
    for participant in wanted:
        scan = folder.scan(participant, visits[participant][0])
        try:
            firsts[participant] = _first_visit(scan, steps, overwrite)
        except (Cancelled, KeyboardInterrupt):
            raise
        except QsmError as error:
            done(Suggested(scan.name, "failed", str(error)))
            count -= len(visits[participant]) - 1
    learned = _learned(firsts.values())
    for participant, first in firsts.items():
        own = _at_first(first, steps, learned)
        write_suggestions(first.scan, own, first.grid)
        contours = first.contours
        _write_contours(first.scan, contours, steps)
        state = "kept" if first.kept else "refused" if first.problem else "done"
        done(_said(first.scan.name, state, first.problem, own, contours))
        for session in visits[participant][1:]:
            done(_later(folder, first, own, contours, session))
    return found


def _said(
    name: str, state: str, message: str, own: Suggestions, contours: Volume | None
) -> Suggested:
    count = len(own.of(next(iter(sorted(own.raters)), "")).shapes)
    if contours is not None:
        count += len(np.unique(contours.data)) - 1
    return Suggested(name, state, message, count, dict(own.without))


def _write_contours(
    scan: StudyScan, contours: Volume | None, steps: Sequence[Step | PaintedStep]
) -> None:
    """First contours of painted regions beside the map; those of before go where there are none."""
    path = scan.contours()
    if contours is not None:
        write_labels(contours, painted_regions(steps), path)
        return
    for old in (path, path.with_name(path.name.replace(".nii.gz", ".tsv"))):
        old.unlink(missing_ok=True)


def _first_visit(scan: StudyScan, steps: Sequence[Step | PaintedStep], overwrite: bool) -> _First:
    digest = _sha256(scan.map)
    chi = read_map(scan.map, unit="ppm")
    readings = _readings(scan)
    before = read_suggestions(scan.suggestion())
    wanted = [region.name for region in painted_regions(steps)]
    path = scan.contours()
    known = {*before.without, *(region.name for region in regions_beside(path))}
    if before.atlas and before.map_sha256 == digest and not overwrite and known >= set(wanted):
        fit = AtlasFit.from_dict(before.atlas)
        contours = read_painted(path, steps, chi) if wanted and path.is_file() else None
        lacking = {name: before.without[name] for name in wanted if name in before.without}
        return _First(scan, _grid(chi), fit, digest, "", True, readings, contours, lacking)
    fit, contours, lacking = _fitted(scan, chi, steps, wanted)
    problem = fit.problem
    if not problem and not fit.middles:
        fit = with_middles(fit, chi, _mask(scan, chi))
    fit = AtlasFit.from_dict(fit.to_dict())  # as it will be read, to the last digit
    sentence = f"{problem[0].upper()}{problem[1:]}." if problem else ""
    found = None if problem else fit
    return _First(scan, _grid(chi), found, digest, sentence, False, readings, contours, lacking)


def _fitted(
    scan: StudyScan, chi: Volume, steps: Sequence[Step | PaintedStep], wanted: Sequence[str]
) -> tuple[AtlasFit, Volume | None, dict[str, str]]:
    """The atlas in a map; first contours of painted regions, and why some have none."""
    mask = _mask(scan, chi)
    if not wanted:
        return fit_atlas(chi, mask), None, {}
    try:
        made = propose_outlines(chi, mask=mask)
    except (Cancelled, KeyboardInterrupt):
        raise
    except QsmError as error:  # shapes may find their places all the same
        return fit_atlas(chi, mask), None, dict.fromkeys(wanted, str(error).rstrip("."))
    contours = outlined_contours(made.labels.like(chi), made.regions, steps)
    numbers = label_numbers(steps)
    there = set() if contours is None else set(np.unique(contours.data).tolist())
    lacking = {
        name: made.without.get(name, "not in the atlas")
        for name in wanted
        if numbers[name] not in there
    }
    return made.fit, contours, lacking


def _grid(volume: Volume) -> Volume:
    return volume.with_data(np.broadcast_to(np.float32(0), volume.shape))


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _mask(scan: StudyScan, chi: Volume) -> Volume:
    """The brain; where the study keeps no mask of it, what the map is not zero in."""
    for name in ("mask", "local_mask"):
        path = scan.image(name)
        if path.name in scan.files:
            return read_volume(path)
    return chi.with_data((np.nan_to_num(chi.data) != 0).astype(np.uint8))


def _readings(scan: StudyScan) -> dict[str, tuple[FixedShape, ...]]:
    """The shapes of everybody's first reading of a scan that was handed in."""
    found = {}
    for rater, number in scan.readings():
        if number == 1:
            reading = read_reading(scan.shapes(rater))
            if reading.record.state == "submitted":
                found[rater] = reading.shapes
    return found


def _learned(firsts: Iterable[_First]) -> dict[str, dict[str, Array]]:
    """For each rater, where regions lie in the atlas on average, from the first visits read."""
    places: dict[str, dict[str, list[Array]]] = {}
    for first in firsts:
        if first.fit is None:
            continue
        for rater, shapes in first.readings.items():
            own = places.setdefault(rater, {})
            for shape in shapes:
                at = first.fit.to_atlas(np.array([shape.centre_mm]))[0]
                own.setdefault(shape.region_name, []).append(at)
    return {
        rater: {k: np.mean(v, axis=0) for k, v in own.items() if len(v) >= FEWEST_PEOPLE}
        for rater, own in places.items()
    }


def _at_first(
    first: _First, steps: Sequence[Step | PaintedStep], learned: dict[str, dict[str, Array]]
) -> Suggestions:
    """What is suggested at a first visit: the atlas for all, learned places for their rater."""
    without: dict[str, str] = {}
    shapes: list[FixedShape] = []
    own: dict[str, list[FixedShape]] = {}
    for step in steps:
        name = plain_region(step.region_name, step.side)
        fit = first.fit
        if fit is None:
            without[step.region_name] = "the atlas does not fit this map"
            continue
        if isinstance(step, PaintedStep):
            if step.region_name in first.lacking:
                without[step.region_name] = first.lacking[step.region_name]
            continue
        if name in NUCLEI and step.side:
            shapes.append(_placed(step, np.array(fit.centre(name, step.side)), first.grid))
            continue
        without[step.region_name] = (
            f"not in the atlas; learned once {FEWEST_PEOPLE} people's first visits are read"
        )
        for rater, places in learned.items():
            if step.region_name in places:
                at = fit.to_map(places[step.region_name][None])[0]
                own.setdefault(rater, []).append(_placed(step, at, first.grid))
    return Suggestions(
        common=Places(f"atlas: {CITATION}" if shapes else "", tuple(shapes)),
        raters={
            rater: Places(f"learned from the readings of {rater}", tuple(places))
            for rater, places in own.items()
        },
        without=without,
        map_sha256=first.sha256,
        atlas=first.fit.to_dict() if first.fit else {},
    )


def _placed(step: Step, at: Array, grid: Volume) -> FixedShape:
    x, y, z = (float(value) for value in at)
    key = f"{step.region_name} {np.round(at, 3).tolist()}"
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return snap(step.shape.but(id=name, centre_mm=(x, y, z)), grid)


def _later(
    folder: StudyFolder, first: _First, own: Suggestions, contours: Volume | None, session: str
) -> Suggested:
    """Carry the first visit's readings and suggestions to a later one."""
    participant, start = first.scan.key
    name = case_name(participant, session)
    scan = folder.scan(participant, session)
    try:
        matrix = points_between(folder, participant, start, session)
        grid = _grid(read_map(scan.map, unit="ppm"))
        digest = _sha256(scan.map)
    except QsmError as error:
        scan.suggestion().unlink(missing_ok=True)
        _write_contours(scan, None, ())
        return Suggested(name, "failed", str(error))
    notes = doubts_of(folder, participant, (start, session))

    def moved(places: Places, source: str) -> Places:
        made = [carried(shape, matrix, first.grid, grid) for shape in places.shapes]
        notes.extend(each.note for each in made if each.note)
        return replace(places, source=source, shapes=tuple(each.shape for each in made))

    raters = {
        rater: moved(places, f"carried from ses-{start}: {places.source}")
        for rater, places in own.raters.items()
    }
    for rater, shapes in first.readings.items():
        source = f"carried from ses-{start}: reading of {rater}"
        raters[rater] = moved(Places(shapes=shapes), source)
    common = moved(own.common, f"carried from ses-{start}: {own.common.source}")
    suggestions = Suggestions(
        common=common,
        raters=raters,
        without=own.without,
        notes=tuple(dict.fromkeys(notes)),
        map_sha256=digest,
    )
    write_suggestions(scan, suggestions, grid)
    if contours is not None:
        contours = carried_contours(contours, matrix, grid)
    _write_contours(scan, contours, folder.protocol.all_steps())
    return _said(name, "done", "", suggestions, contours)
