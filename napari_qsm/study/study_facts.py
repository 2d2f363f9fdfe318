"""What a study's folder tells about how it was done, gathered for its methods section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from napari_qsm.errors import QsmError
from napari_qsm.io.bids import inherited
from napari_qsm.io.names import PHASE, REAL, part_of
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.qc.rating import read_ratings
from napari_qsm.recon.methods_text import ACQUISITION
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.painted import PaintedStep, plain_region
from napari_qsm.study.participants import Person, participants_of
from napari_qsm.study.protocol import Protocol
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.readings import ReadingRecord, read_reading
from napari_qsm.study.rows import plain_id
from napari_qsm.study.study_scan import Key
from napari_qsm.study.worklist import Item, read_key


@dataclass(frozen=True)
class Placed:
    """A region as it was placed.

    Attributes
    ----------
    name, words : str
        ``"Caudate"``; ``"circle 6 mm, 3 slices"``, empty for a region that was painted.
    sides : tuple of str
    voxels, volume_mm3 : (low, high)
        Over all readings.
    """

    name: str
    words: str
    sides: tuple[str, ...]
    voxels: tuple[int, int]
    volume_mm3: tuple[float, float]


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """What the folder tells.

    Attributes
    ----------
    protocol : Protocol
    people : dict of str to Person
        Of ``participants.tsv``.
    scans : tuple of (participant, session)
        Of which there is a map or raw data.
    maps : dict of str to dict
        How each map that was read was made, by the scan's name, as ``study collect`` notes it.
    provenance : dict
        Of the first of them, in full.
    acquisition : dict of str to list of str
        Entry of the sidecars to its different values over scans.
    placed : tuple of Placed
    records : dict of (participant, session) to list of ReadingRecord
        Readings that were handed in.
    unread : dict of (participant, session) to str
        Scans of which no reading was handed in, with the reason.
    codes : dict of str to Item
        What the worklists' codes stand for; empty where nothing was assigned.
    events : list of dict
        The log.
    """

    protocol: Protocol
    people: Mapping[str, Person]
    scans: tuple[Key, ...]
    maps: Mapping[str, Mapping[str, Any]]
    provenance: Mapping[str, Any]
    acquisition: Mapping[str, list[str]]
    placed: tuple[Placed, ...]
    records: Mapping[Key, list[ReadingRecord]]
    unread: Mapping[Key, str] = field(default_factory=dict)
    codes: Mapping[str, Item] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()

    def raters(self) -> dict[str, int]:
        """Readings handed in by each rater."""
        counts: dict[str, int] = {}
        for record in self.all_records():
            counts[record.rater] = counts.get(record.rater, 0) + 1
        return counts

    def busiest(self) -> str:
        """The rater who read most."""
        counts = self.raters()
        return max(counts, key=lambda name: counts[name])

    def all_records(self) -> list[ReadingRecord]:
        """Every reading that was handed in."""
        return [record for records in self.records.values() for record in records]

    @property
    def is_blinded(self) -> bool:
        """Whether every reading stands on a worklist of codes."""
        listed = {(i.rater, i.participant, i.session, i.reading) for i in self.codes.values()}
        made = {(r.rater, *key, r.number) for key, rs in self.records.items() for r in rs}
        return bool(made) and made <= listed

    def unblinded_before_last(self) -> bool:
        """Whether codes were looked up before the last reading was handed in."""
        looked = [str(event["at"]) for event in self.events if event.get("event") == "unblinded"]
        # A reading in a bundle was handed in where no code can be looked up, before it was merged.
        last = [
            str(event.get("submitted_at") or event["at"])
            for event in self.events
            if event.get("event") == "reading submitted"
        ]
        return bool(looked and last) and min(looked) < max(last)


def facts_of_study(
    study: StudyFolder,
    long: pd.DataFrame,
    maps: Mapping[str, Any],
    *,
    leave_out: Iterable[str] = (),
) -> StudyFacts:
    """Gather them.

    Parameters
    ----------
    study : StudyFolder
    long : DataFrame
        ``roi_long.tsv`` as text.
    maps : mapping
        ``Scans`` of ``roi_long.json``.
    leave_out : iterable of str
        Participants whose scans need not be read.

    Raises
    ------
    QsmError
        If a file of the study is damaged.
    """
    records: dict[Key, list[ReadingRecord]] = {}
    read_scans = []
    for scan in study.scans:
        made = [read_reading(scan.shapes(*each)).record for each in scan.readings()]
        done = [record for record in made if record.state == "submitted"]
        if done:
            records[scan.key] = done
            read_scans.append(scan)
    provenance: dict[str, Any] = {}
    for scan in read_scans:
        if scan.provenance.name in scan.files:
            provenance = _json(read_text(scan.provenance, "provenance"))
            break
    scans = {*study.imported, *(scan.key for scan in study.scans if scan.is_reconstructed)}
    return StudyFacts(
        protocol=study.protocol,
        people=participants_of(study),
        scans=tuple(sorted(scans)),
        maps=maps,
        provenance=provenance,
        acquisition=_acquisition(study),
        placed=_placed(study, long),
        records=records,
        unread=_unread(study, scans - set(records), {plain_id(name) for name in leave_out}),
        codes=read_key(study),
        events=read_events(study.root),
    )


def _unread(study: StudyFolder, keys: Iterable[Key], leave_out: set[str]) -> dict[Key, str]:
    """Why scans were not read, as far as the folder tells."""
    out = {}
    for key in sorted(keys):
        if key[0] in leave_out:
            continue
        scan = study.scan(*key)
        latest = None
        if scan.rating.name in scan.files:
            latest = read_ratings(scan.folder, prefix=scan.prefix).latest()
        if not scan.is_reconstructed:
            out[key] = "no map"
        elif latest is not None and latest.verdict == "fail":
            out[key] = "quality of the map: fail"
        else:
            out[key] = "not read"
    return out


def _json(text: str) -> dict[str, Any]:
    try:
        said = parse_json(text)
    except PlainDataError:
        return {}
    return said if isinstance(said, dict) else {}


def _acquisition(study: StudyFolder) -> dict[str, list[str]]:
    """Different values of each entry, over the first phase image of every scan."""
    found: dict[str, dict[str, None]] = {}
    listed: dict[Any, Any] = {}
    for scan in study.scans:
        folder = study.raw_folder(scan)
        raw = study.raw
        if folder is None or raw is None:
            continue
        images = sorted(
            path for path in folder.rglob("*.nii*") if part_of(path, {}) in (PHASE, REAL)
        )
        if not images:
            continue
        try:
            said = inherited(images[0], raw, listed)
        except QsmError:
            continue  # what is wrong with it is for 'check' to say
        for key, _, unit in ACQUISITION:
            if key in said:
                value = said[key]
                text = f"{value:g}" if isinstance(value, int | float) else str(value)
                found.setdefault(key, {})[f"{text} {unit}".strip()] = None
    return {key: list(values) for key, values in found.items()}


def _placed(study: StudyFolder, long: pd.DataFrame) -> tuple[Placed, ...]:
    numbers = long.assign(
        voxels=pd.to_numeric(long["voxels"], errors="coerce"),
        volume=pd.to_numeric(long["volume_mm3"], errors="coerce"),
    )
    numbers = numbers[numbers["voxels"] > 0]
    sides: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for step in study.protocol.all_steps():
        name = plain_region(step.region_name, step.side)
        sides.setdefault(name, []).append(step.side)
        words.setdefault(name, "" if isinstance(step, PaintedStep) else step.shape.words)
    out = []
    for name, its in sides.items():
        part = numbers[numbers["region"] == name]
        if part.empty:
            continue
        out.append(
            Placed(
                name,
                words[name],
                tuple(side for side in its if side),
                (int(part["voxels"].min()), int(part["voxels"].max())),
                (float(part["volume"].min()), float(part["volume"].max())),
            )
        )
    return tuple(out)


def counted(values: Iterable[float]) -> tuple[float, float, int]:
    """Mean, SD and number of the values that are known."""
    known = np.array([v for v in values if v is not None and np.isfinite(v)], dtype=float)
    sd = float(known.std(ddof=1)) if known.size > 1 else float("nan")
    return (float(known.mean()) if known.size else float("nan")), sd, int(known.size)


def left_out_by_plan(protocol: Protocol) -> dict[str, str]:
    """Participants that the plan leaves out, with the reason."""
    return {plain_id(name): why for name, why in protocol.plan().exclude.items()}
