"""A study at a glance: its grid of participants and visits, what is wrong, how far everybody is.

What the window shows of a study, worked out without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from napari_qsm.errors import QsmError
from napari_qsm.qc.rating import read_ratings
from napari_qsm.study.batch.status import ScanStatus as BatchStatus
from napari_qsm.study.batch.status import duration, read_status
from napari_qsm.study.check import check_tables, missing_visits
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.identity import case_name
from napari_qsm.study.participants import Person, participants_of
from napari_qsm.study.protocol import Protocol, read_protocol
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.status import LETTERS, STEPS, ScanStatus, status_of
from napari_qsm.study.study_scan import Key, rater_of
from napari_qsm.study.transforms import read_transform
from napari_qsm.study.visit_names import visit_order

#: How a cell is to be taken, whatever step it belongs to.
Kind = Literal["done", "begun", "waiting", "doubtful", "failed", "stale", "not done", "no scan"]
_KINDS: dict[str, Kind] = {
    "yes": "done", "done": "done", "first": "done", "pass": "done", "submitted": "done",
    "running": "begun", "open": "begun", "waiting": "waiting", "skipped": "doubtful",
    "doubtful": "doubtful", "failed": "failed", "fail": "failed", "damaged": "failed",
    "stale": "stale", "": "not done",
}  # fmt: skip
#: Letter and title of each step in the grid; raters stand behind them under their own labels.
STEP_HEADS = {
    "imported": ("I", "imported"),
    "reconstructed": ("R", "reconstructed"),
    "qc": ("Q", "quality as judged"),
    "registered": ("X", "registered to the first visit"),
}


@dataclass(frozen=True)
class Column:
    """One column of the grid.

    Attributes
    ----------
    visit : str
    step : str
        One of :data:`~napari_qsm.study.status.STEPS`, or the label of a rater's readings.
    """

    visit: str
    step: str

    @property
    def head(self) -> str:
        """What stands above it."""
        return STEP_HEADS[self.step][0] if self.step in STEP_HEADS else self.step


@dataclass(frozen=True)
class Cell:
    """One step of one scan.

    Attributes
    ----------
    state : str
        As in :class:`~napari_qsm.study.status.ScanStatus`; ``"no scan"`` where there is none.
    """

    state: str

    @property
    def letter(self) -> str:
        """What stands in it, so that nobody depends on its colour."""
        return "–" if self.state == "no scan" else LETTERS.get(self.state, self.state[:1])

    @property
    def kind(self) -> Kind:
        """How it is to be taken."""
        return "no scan" if self.state == "no scan" else _KINDS.get(self.state, "begun")


@dataclass(frozen=True, eq=False)
class Overview:
    """What is known of a study at one moment.

    Attributes
    ----------
    study : StudyFolder
    rows : tuple of ScanStatus
        By participant and visit.
    people : dict of str to Person
    protocol : Protocol or None
        As it stands in its file; None if there is none that can be read.
    is_changed : bool
        Whether the protocol was changed after it was frozen.
    problems, notes : tuple of str
        What must be mended, and what must be known, in sentences.
    missing : frozenset of (participant, session)
        Visits that others of the group have.
    batch : dict of (participant, session) to BatchStatus
        What the last batch said of each scan.
    events : tuple of dict
        The log of readings.
    stale : dict
        Readings of an earlier map, see :func:`napari_qsm.study.stale.stale_readings`.
    """

    study: StudyFolder
    rows: tuple[ScanStatus, ...]
    people: Mapping[str, Person]
    protocol: Protocol | None
    is_changed: bool = False
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: frozenset[Key] = frozenset()
    batch: Mapping[Key, BatchStatus] = field(default_factory=dict)
    events: tuple[Mapping[str, object], ...] = ()
    stale: Mapping[tuple[Key, str], str] = field(default_factory=dict)

    @cached_property
    def visits(self) -> tuple[str, ...]:
        """Sessions in their order; one that is empty where the data have none."""
        planned = list(self.protocol.plan().visits) if self.protocol else []
        rank = {name: number for number, name in enumerate(planned)}
        found = {row.session for row in self.rows}
        if len(found) > 1:
            found.discard("")  # people in participants.tsv of whom there is no scan
        return tuple(sorted(found, key=lambda v: (rank.get(v, len(rank)), visit_order(v))))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of readings: raters, and their repeats."""
        return tuple(self.rows[0].raters) if self.rows else ()

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """Everybody who has a list or a reading."""
        return tuple(dict.fromkeys(rater_of(label)[0] for label in self.labels))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """A block of steps for each visit."""
        steps = [*STEPS, *self.labels]
        return tuple(Column(visit, step) for visit in self.visits for step in steps)

    @cached_property
    def participants(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(dict.fromkeys(row.participant for row in self.rows))

    @cached_property
    def _by_key(self) -> dict[Key, ScanStatus]:
        return {row.key: row for row in self.rows}

    def row(self, participant: str, visit: str) -> ScanStatus | None:
        """One scan; None where there is none."""
        return self._by_key.get((participant, visit))

    def cell(self, participant: str, column: Column) -> Cell:
        """What the grid shows at one place."""
        row = self.row(participant, column.visit)
        return Cell("no scan") if row is None else self.cell_of(row, column.step)

    def cell_of(self, row: ScanStatus, step: str) -> Cell:
        """One step of one scan."""
        if step in STEPS:
            return Cell(getattr(row, step))
        return Cell("stale" if (row.key, step) in self.stale else row.raters.get(step, ""))

    def counts(self, rater: str) -> tuple[int, int]:
        """How many readings a rater has handed in, of how many."""
        states = [
            state
            for row in self.rows
            for label, state in row.raters.items()
            if state and rater_of(label)[0] == rater
        ]
        return states.count("submitted"), len(states)

    @property
    def unread(self) -> int:
        """Readings on lists that are not handed in."""
        return sum(of - done for done, of in map(self.counts, self.raters))

    @cached_property
    def unblinded(self) -> Mapping[str, object] | None:
        """The event by which unblinding was stated first; None while readers are blind."""
        return next((each for each in self.events if each.get("event") == "unblinded"), None)

    @property
    def is_blind(self) -> bool:
        """Whether somebody still has to read without knowing whose scan it is."""
        return self.unread > 0 and self.unblinded is None

    def with_stale(self, stale: Mapping[tuple[Key, str], str]) -> Overview:
        """The same, with readings that belong to an earlier map."""
        return replace(self, stale=stale)

    def summary(self) -> str:
        """One line: ``"51 participants, 113 scans: 110 maps, 2 failed, 98 judged; 5 visits missing"``."""
        scans = [row for row in self.rows if row.imported or row.reconstructed]
        done = sum(row.reconstructed == "done" for row in scans)
        parts = [counted(done, "map")]
        for state, words in (("failed", "failed"), ("running", "being made")):
            count = sum(row.reconstructed == state for row in scans)
            parts += [f"{count} {words}"] if count else []
        parts.append(f"{sum(bool(row.qc) for row in scans)} judged")
        failed = sum(row.qc == "fail" for row in scans)
        parts += [f"{failed} of them fail"] if failed else []
        text = f"{counted(len(self.participants), 'participant')}, {counted(len(scans), 'scan')}: {', '.join(parts)}"
        more = [f"{counted(len(self.missing), 'visit')} missing"] if self.missing else []
        more += [f"{counted(len(self.stale), 'reading')} of an earlier map"] if self.stale else []
        return "; ".join([text, *more]) + "."

    # -- in words -------------------------------------------------------------------------

    def words(self, participant: str, column: Column) -> str:
        """One cell in a sentence or two; reads small files of that scan."""
        row = self.row(participant, column.visit)
        name = case_name(participant, column.visit)
        if row is None:
            if (participant, column.visit) in self.missing:
                group = self.people[participant].group if participant in self.people else ""
                others = f"others of the group '{group}'" if group else "others"
                return f"{name} is missing: {others} have this visit."
            return f"There is no {name}, and nobody of the group has this visit."
        return f"{name}: {self._said(row, column.step)}"

    def _said(self, row: ScanStatus, step: str) -> str:
        if step == "imported":
            return "imported." if row.imported else "not in the raw data set."
        if step == "reconstructed":
            return self._made(row)
        if step == "qc":
            return self._judged(row)
        if step == "registered":
            return self._registered(row)
        return self._read(row, step)

    def _made(self, row: ScanStatus) -> str:
        tried = self.batch.get(row.key)
        message = f" {tried.message}" if tried is not None and tried.message else ""
        took = f", made in {duration(tried.seconds)}" if tried and tried.seconds else ""
        words = {
            "done": f"the map is there{took}.", "failed": "the reconstruction failed.", "": "no map yet.",
            "running": "being reconstructed now.", "waiting": "waits in a batch.",
            "skipped": "left as it is by the batch.",
        }  # fmt: skip
        return words.get(row.reconstructed, row.reconstructed) + message

    def _judged(self, row: ScanStatus) -> str:
        if not row.qc:
            return "quality not judged yet." if row.reconstructed == "done" else "no map to judge."
        if row.qc == "damaged":
            return "the file of ratings cannot be read."
        scan = self.study.scan(*row.key)
        latest = read_ratings(scan.folder, prefix=scan.prefix).latest()
        who = f" by {latest.rater} on {latest.rated_at:%Y-%m-%d}" if latest else ""
        why = f": {latest.comment.rstrip('.')}" if latest and latest.comment else ""
        follows = {
            "fail": " It is left out of new lists and of the analysis.",
            "doubtful": " It is read; the analysis is made with and without it.",
        }.get(row.qc, "")
        listed = [label for label, state in row.raters.items() if state in ("waiting", "open")]
        if row.qc == "fail" and listed:
            follows += f" It is still on the list of {', '.join(listed)}."
        return f"judged {row.qc}{who}{why}.{follows}"

    def _registered(self, row: ScanStatus) -> str:
        if row.registered == "first":
            return "the first visit, to which the others are registered."
        if not row.registered:
            only = sum(each.participant == row.participant for each in self.rows) < 2
            return "the only visit, nothing to register." if only else "not registered."
        first = next(each.session for each in self.rows if each.participant == row.participant)
        found = read_transform(self.study.xfm(*row.key, first))
        moved = found.quality.get("shift_mm"), found.quality.get("turn_deg")
        how = (
            f": the head lay {moved[0]:.1f} mm and {moved[1]:.1f}° from the first visit"
            if all(isinstance(each, int | float) for each in moved)
            else ""
        )
        return f"registered{how}. {found.doubt}".rstrip()

    def _read(self, row: ScanStatus, label: str) -> str:
        rater, number = rater_of(label)
        again = f", reading {number}" if number > 1 else ""
        if (row.key, label) in self.stale:
            return self.stale[row.key, label]
        words = {
            "": f"not on the list of {rater}{again}.",
            "waiting": f"on the list of {rater}{again}, not begun.",
            "open": f"{rater}{again} has begun.",
            "submitted": f"{rater}{again} has handed in.",
            "damaged": f"the reading of {rater}{again} cannot be used; see the sentence above.",
        }
        return words.get(row.raters.get(label, ""), row.raters.get(label, ""))


def counted(number: int, thing: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "map"), counted(2, "map")
    ('1 map', '2 maps')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def load_overview(root: Path | str) -> Overview:
    """Look at a study; what is damaged is said among its problems, and the rest is shown.

    Raises
    ------
    FileError
        If the folder is no study.
    """
    study = StudyFolder(root)
    problems: list[str] = []

    def told(error: QsmError) -> None:
        problems.append(str(error))

    rows = tuple(status_of(study, told=told))
    checked = check_tables(study)
    try:
        protocol = read_protocol(study.protocol_file, changed=True)
    except QsmError:
        protocol = None
    frozen = protocol.frozen if protocol else None
    try:
        people = participants_of(study)
    except QsmError:
        people = {}
    keys = {row.key for row in rows if row.imported or row.reconstructed}
    batch, events = {}, []
    try:
        batch = {(r.participant, r.session): r for r in read_status(study.status_file).values()}
        events = read_events(study.root)
    except QsmError as error:
        told(error)
    problems += _accounts(events)
    return Overview(
        study,
        rows,
        people,
        protocol,
        is_changed=bool(protocol and frozen and frozen.sha256 != protocol.sha256),
        problems=tuple(dict.fromkeys([*checked.problems, *problems])),
        notes=tuple(checked.notes),
        missing=frozenset(missing_visits(keys, people)),
        batch=batch,
        events=tuple(events),
    )


def _accounts(events: Sequence[Mapping[str, object]]) -> list[str]:
    """Raters who have read under several accounts, which may be two people with one label."""
    seen: dict[str, dict[str, None]] = {}
    for event in events:
        if event.get("event") == "rater began" and event.get("account"):
            account = str(event["account"]).partition(" on ")[0]
            seen.setdefault(str(event.get("rater")), {})[account] = None
    return [
        f"{rater} has read under the accounts {' and '.join(names)}. If these are two people, each "
        "needs a label and a list of their own."
        for rater, names in seen.items()
        if len(names) > 1
    ]


def moments_of(study: StudyFolder) -> tuple[int, ...]:
    """What tells whether anything worth showing has changed; costs a look at a few files.

    Lists, log, protocol and the state of a batch. Verdicts, which stand beside each map, are not in it.
    """
    paths = [study.status_file, study.key_file, study.log_file, study.protocol_file, study.group]
    if study.reading.is_dir():
        paths += sorted(study.reading.glob("worklist-*.tsv"))
    return tuple(_moment(path) for path in paths)


def _moment(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
