"""Whether a study can be trusted as it lies there: who is in which table, and what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from napari_qsm.errors import QsmError
from napari_qsm.io.maps import read_map
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.identity import case_name
from napari_qsm.study.participants import Person, participants_of
from napari_qsm.study.reading_sides import check_sides
from napari_qsm.study.readings import Reading, checksum_of, load_labels, read_reading
from napari_qsm.study.rows import plain_id, read_rows, some
from napari_qsm.study.scan_facts import departures, differences, facts_of
from napari_qsm.study.scores import INSTRUMENTS
from napari_qsm.study.study_scan import Key, StudyScan
from napari_qsm.study.worklist import read_key, read_worklist
from napari_qsm.volume import Volume

_FEWEST = 3
T = TypeVar("T")


@dataclass
class StudyCheck:
    """What a look at a study found.

    Attributes
    ----------
    problems, notes : list of str
        What has to be mended, and what must be known; a sentence each, naming file or person.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self, study: StudyFolder) -> str:
        """For people."""
        lines = [f"{study.root}: {len(study.scans)} scans with results."]
        lines += [f"Note: {note}" for note in self.notes]
        lines += [f"PROBLEM: {problem}" for problem in self.problems]
        if not self.problems:
            lines.append("Nothing is wrong.")
        return "\n".join(lines)


def check_study(
    study: StudyFolder, *, progress: Callable[[float], None] = lambda fraction: None
) -> StudyCheck:
    """Look at everything that a study stands on; nothing is changed.

    Parameters
    ----------
    study : StudyFolder
    progress : callable
        Called with the fraction done; may raise to stop.
    """
    found = check_tables(study)
    _maps(study, found, progress)
    return found


def check_tables(study: StudyFolder) -> StudyCheck:
    """Look at protocol, participants, visits, scores and worklists, but at no map or reading."""
    found = StudyCheck()
    _try(found, lambda: _protocol(study, found))
    people = _try(found, lambda: participants_of(study)) or {}
    _data(study, people, found)
    for path in study.phenotypes():
        _try(found, partial(_scores, path, people, found))
    _try(found, lambda: _worklists(study, found))
    return found


def _try(found: StudyCheck, work: Callable[[], T]) -> T | None:
    """Do a part; what it refuses is a problem, and the other parts go on."""
    try:
        return work()
    except QsmError as error:
        found.problems.append(str(error))
        return None


def _protocol(study: StudyFolder, found: StudyCheck) -> None:
    protocol = study.protocol
    frozen = f"frozen on {protocol.frozen.at:%Y-%m-%d}" if protocol.frozen else "not frozen yet"
    amended = f", amended {len(protocol.amendments)} times" if protocol.amendments else ""
    painted = len(protocol.painted())
    counts = [(len(protocol.steps()), "shapes"), (painted, "painted regions")]
    told = " and ".join(f"{count} {what}" for count, what in counts if count)
    found.notes.append(
        f"'{protocol.name}': {told} a scan, placed {protocol.placement}; {frozen}{amended}."
    )


def _data(study: StudyFolder, people: dict[str, Person], found: StudyCheck) -> None:
    """Who is scanned, imported and listed, and which visits are missing."""
    if study.raw is None:
        found.notes.append("The raw data are not where 'dataset_description.json' says, or unsaid.")
    here: dict[Key, list[StudyScan]] = {}
    for scan in study.scans:
        here.setdefault(scan.key, []).append(scan)
    for scans in here.values():
        maps = [scan.stem for scan in scans if scan.is_reconstructed]
        if len(maps) > 1:
            found.problems.append(f"{scans[0].name} has {len(maps)} maps ({', '.join(maps)}).")
    keys = sorted({*here, *study.imported})
    waiting = [study.scan(*key).name for key in study.imported if not _has_map(here.get(key, ()))]
    if waiting:
        found.notes.append(f"{len(waiting)} imported scans have no map yet ({some(waiting)}).")
    if not people:
        found.notes.append("There is no participants.tsv, so groups are not known.")
        return
    strangers = sorted({person for person, _ in keys} - set(people))
    if strangers:
        found.problems.append(
            f"'{study.participants}' has no row for {some(_subjects(strangers))}, who were scanned."
        )
    absent = sorted(set(people) - {person for person, _ in keys})
    if absent:
        found.problems.append(
            f"'{study.participants}' lists {some(_subjects(absent))}, of whom there is no scan."
        )
    _groups(people, found)
    _visits(keys, people, found)


def _has_map(scans: Iterable[StudyScan]) -> bool:
    return any(scan.is_reconstructed for scan in scans)


def _subjects(labels: Iterable[str]) -> list[str]:
    return [f"sub-{label}" for label in labels]


def _groups(people: dict[str, Person], found: StudyCheck) -> None:
    names = [person.group for person in people.values()]
    without = _subjects(name for name, person in people.items() if not person.group)
    if without:
        found.notes.append(f"{some(without)} belong to no group.")
    for group in dict.fromkeys(name for name in names if name):
        if names.count(group) < _FEWEST:
            found.notes.append(
                f"Group '{group}' has {names.count(group)} members, too few to test."
            )
    if len(set(names) - {""}) == 1:
        found.notes.append("There is one group only, so groups cannot be compared.")


def _visits(keys: list[Key], people: dict[str, Person], found: StudyCheck) -> None:
    missing = [case_name(*key) for key in missing_visits(keys, people)]
    if missing:
        found.notes.append(f"{len(missing)} visits are missing ({some(missing)}).")


def missing_visits(keys: Iterable[Key], people: Mapping[str, Person]) -> list[Key]:
    """Visits that others of the same group have and a person has not.

    Parameters
    ----------
    keys : iterable of (participant, session)
        Of every scan that is known.
    people : mapping
        Participants by their label.
    """
    seen: dict[str, set[str]] = {}
    of_group: dict[str, set[str]] = {}
    for person, session in keys:
        seen.setdefault(person, set()).add(session)
        group = people[person].group if person in people else ""
        of_group.setdefault(group, set()).add(session)
    return [
        (person, session)
        for person, sessions in seen.items()
        for session in sorted(of_group[people[person].group if person in people else ""] - sessions)
        if session
    ]


def _scores(path: Path, people: dict[str, Person], found: StudyCheck) -> None:
    table = read_rows(path)
    table.need(["participant_id"])
    seen: set[Key] = set()
    for row in table.rows:
        person, session = plain_id(row["participant_id"]), plain_id(row["session_id"])
        if people and person not in people:
            found.problems.append(
                f"'{path.name}', line {row.line}: {row['participant_id']} is not in participants.tsv."
            )
        if (person, session) in seen:
            where = f" at {row['session_id']}" if session else ""
            found.problems.append(
                f"'{path.name}', line {row.line}: {row['participant_id']}{where} stands twice."
            )
        seen.add((person, session))
        for column in table.columns:
            bounds = INSTRUMENTS.get(column.casefold())
            if bounds is None or not row[column]:
                continue
            value = table.number(row, column, f" ({row['participant_id']})")
            if not bounds[0] <= value <= bounds[1]:
                found.notes.append(
                    f"'{path.name}', line {row.line}: {column} of {row['participant_id']} is {value:g}, "
                    f"outside {bounds[0]}-{bounds[1]}."
                )


def _worklists(study: StudyFolder, found: StudyCheck) -> None:
    readable = {scan.key for scan in study.scans if scan.is_reconstructed}
    # Never with the code: whoever reads this may still have to read blind.
    lost = {(item.rater, item.key) for item in read_key(study).values() if item.key not in readable}
    for rater, key in sorted(lost):
        found.problems.append(f"{study.scan(*key).name} is on the list of {rater}, but has no map.")
    for rater in study.raters():
        if study.worklist(rater).is_file():
            _try(found, partial(read_worklist, study, rater))


def _maps(study: StudyFolder, found: StudyCheck, progress: Callable[[float], None]) -> None:
    """How maps were made, and whether readings still belong to them."""
    facts = {}
    for number, scan in enumerate(study.scans):
        progress(number / len(study.scans))
        if scan.is_reconstructed:
            made = _try(found, partial(facts_of, scan))
            if made is not None:
                facts[scan.name] = made
        _try(found, partial(_readings, study, scan, found))
    found.notes += differences(facts)
    found.notes += _try(found, lambda: departures(study.protocol, facts)) or []
    progress(1.0)


def _readings(study: StudyFolder, scan: StudyScan, found: StudyCheck) -> None:
    readings = [read_reading(scan.shapes(*each)) for each in scan.readings()]
    known = [reading for reading in readings if reading.chi_sha256]
    if not readings:
        return
    if not scan.is_reconstructed:
        found.problems.append(f"{scan.name} was read, but has no map.")
        return
    volume = read_map(scan.map) if known or any(r.record.painted for r in readings) else None
    for reading in readings:
        _try(found, partial(_sides, study, scan, reading, volume))
    checksum = checksum_of(volume) if volume is not None and known else ""
    for reading in known:
        if reading.chi_sha256 != checksum:
            found.problems.append(
                f"The map of {scan.name} has changed since {reading.label} read it."
            )


def _sides(study: StudyFolder, scan: StudyScan, reading: Reading, volume: Volume | None) -> None:
    if volume is not None:
        dseg = scan.dseg(reading.record.rater, reading.record.number)
        reading = load_labels(study, reading, volume, dseg)
    check_sides(study, scan, reading)
