"""How far a study is: participants at visits, and what has been done of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from napari_qsm.errors import QsmError
from napari_qsm.qc.rating import read_ratings
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.participants import Person, participants_of
from napari_qsm.study.readings import read_reading
from napari_qsm.study.rows import plain_id, read_rows
from napari_qsm.study.study_scan import Key, StudyScan, rater_label
from napari_qsm.study.transforms import visits_of
from napari_qsm.study.visit_names import natural, visit_order
from napari_qsm.study.worklist import Item, read_worklist

STEPS = ("imported", "reconstructed", "qc", "registered")
T = TypeVar("T")
Told = Callable[[QsmError], None]


@dataclass(frozen=True)
class ScanStatus:
    """What has been done of one scan.

    Attributes
    ----------
    participant, session, group : str
    imported : str
        ``"yes"`` or empty.
    reconstructed : str
        ``"done"``, a state of the batch (``"failed"``, ``"running"`` ...) or empty.
    qc : str
        A person's verdict, or empty.
    registered : str
        ``"yes"``, ``"first"`` for the visit that others are brought to, or empty.
    raters : dict of str to str
        ``"waiting"``, ``"open"`` or ``"submitted"`` by rater; a repeat has its own label.
    """

    participant: str
    session: str
    group: str
    imported: str
    reconstructed: str
    qc: str
    registered: str
    raters: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Participant and session."""
        return self.participant, self.session


def status_of(study: StudyFolder, *, told: Told | None = None) -> list[ScanStatus]:
    """The state of every scan that is imported, reconstructed or expected, by participant.

    Parameters
    ----------
    study : StudyFolder
    told : callable, optional
        Told of each table and reading that cannot be used; it is passed over then, and what was
        read in vain counts as ``"damaged"``.

    Raises
    ------
    QsmError
        If a table of the study is damaged, and nobody is told.
    """
    people = _tried(partial(participants_of, study), dict[str, Person], told)
    by_key: dict[Key, StudyScan] = {}
    for scan in study.scans:
        by_key.setdefault(scan.key, scan)
    listed = {scan.key for scan in study.scans} | set(study.imported)
    known = {key[0] for key in listed}
    absent = [(person, "") for person in people if person not in known]
    imported = set(study.imported)
    batch = _tried(partial(_batch_states, study), dict[Key, str], told)
    raters = _rater_states(study, told)
    visits = visits_of(study, as_it_is=told is not None)
    order = {(who, visit): n for who in visits for n, visit in enumerate(visits[who])}
    out = []
    for key in sorted([*listed, *absent], key=lambda key: (natural(key[0]), order.get(key, 0))):
        found = by_key.get(key)
        person = people.get(key[0])
        done = found is not None and found.is_reconstructed
        out.append(
            ScanStatus(
                participant=key[0],
                session=key[1],
                group=person.group if person else "",
                imported="yes" if key in imported else "",
                reconstructed="done" if done else batch.get(key, ""),
                qc=_tried(partial(_verdict, found), _damaged, told),
                registered=_registered(study, key, visits.get(key[0], [])),
                raters={label: states.get(key, "") for label, states in raters.items()},
            )
        )
    return out


def _tried(work: Callable[[], T], instead: Callable[[], T], told: Told | None) -> T:
    """What the work gives; where it refuses and somebody is told, what stands for it."""
    try:
        return work()
    except QsmError as error:
        if told is None:
            raise
        told(error)
        return instead()


def _damaged() -> str:
    return "damaged"


def _batch_states(study: StudyFolder) -> dict[Key, str]:
    if not study.status_file.is_file():
        return {}
    table = read_rows(study.status_file)
    table.need(["participant_id", "state"])
    return {
        (plain_id(row["participant_id"]), plain_id(row["session_id"])): row["state"]
        for row in table.rows
    }


def _verdict(scan: StudyScan | None) -> str:
    if scan is None or scan.rating.name not in scan.files:
        return ""
    latest = read_ratings(scan.folder, prefix=scan.prefix).latest()
    return latest.verdict if latest else ""


def _registered(study: StudyFolder, key: Key, visits: Sequence[str]) -> str:
    if len(visits) < 2:
        return ""
    if key[1] == visits[0]:
        return "first"
    return "yes" if study.xfm(*key, visits[0]).is_file() else ""


def _rater_states(study: StudyFolder, told: Told | None) -> dict[str, dict[Key, str]]:
    """State by label (rater, or rater and repeat) and scan: the list's, or the file's if further."""
    out: dict[str, dict[Key, str]] = {}
    for rater in study.raters():
        out[rater] = {}
        if study.worklist(rater).is_file():
            for item in _tried(partial(read_worklist, study, rater), list[Item], told):
                label = rater_label(rater, item.reading)
                out.setdefault(label, {})[item.key] = item.state
    for scan in study.scans:
        for rater, number in scan.readings():
            states = out.setdefault(rater_label(rater, number), {})
            if states.get(scan.key) != "submitted":
                path = scan.shapes(rater, number)
                states[scan.key] = _tried(partial(_state_in, path), _damaged, told)
    return dict(sorted(out.items()))


def _state_in(path: Path) -> str:
    return read_reading(path).record.state


def status_columns(rows: Sequence[ScanStatus]) -> list[str]:
    """Columns of the grid as a table."""
    raters = list(rows[0].raters) if rows else []
    return ["participant_id", "session_id", "group", *STEPS, *raters]


def status_cells(row: ScanStatus) -> list[str]:
    """One row of the grid as a table."""
    names = [f"sub-{row.participant}", f"ses-{row.session}" if row.session else ""]
    done = [row.imported, row.reconstructed, row.qc, row.registered]
    return [*names, row.group, *done, *row.raters.values()]


#: Letters of the grid for people.
LETTERS = {
    "yes": "+", "done": "+", "first": "1", "": ".", "failed": "F", "fail": "F", "pass": "P",
    "doubtful": "D", "running": "r", "waiting": "w", "open": "o", "submitted": "S", "skipped": "s",
    "damaged": "?", "stale": "!",
}  # fmt: skip


def status_text(study: StudyFolder, rows: Sequence[ScanStatus]) -> str:
    """The grid for a terminal: a line a participant, a block a visit, a letter a step."""
    if not rows:
        raise QsmError(f"'{study.root.name}' holds no scans, and knows no raw data that do.")
    raters = list(rows[0].raters)
    visits = sorted({row.session for row in rows}, key=visit_order)
    by_key = {row.key: row for row in rows}
    heads = ["I", "R", "Q", "X", *raters]
    lines = [
        "I imported  R reconstructed  Q quality  X registered to the first visit (1)"
        + "".join(f"  {rater}" for rater in raters),
        "+ done  . not  w waiting  o begun  S handed in  P pass  D doubtful  F failed",
        "",
    ]
    wide = max(len("participant"), *(len(f"sub-{row.participant}") for row in rows))
    block = " ".join(heads)
    titles = [f"ses-{visit}" if visit else "" for visit in visits]
    width = max(len(block), *(len(title) for title in titles))
    lines.append("".ljust(wide) + "  " + "  ".join(title.ljust(width) for title in titles))
    lines.append("participant".ljust(wide) + "  " + "  ".join(block.ljust(width) for _ in visits))
    for person in dict.fromkeys(row.participant for row in rows):
        cells = []
        for visit in visits:
            row = by_key.get((person, visit))
            values = status_cells(row)[3:] if row else [""] * len(heads)
            letters = [LETTERS.get(v, v[:1]) if row else "-" for v in values]
            cells.append(" ".join(x.ljust(len(h)) for x, h in zip(letters, heads, strict=True)))
        line = f"sub-{person}".ljust(wide) + "  " + "  ".join(c.ljust(width) for c in cells)
        lines.append(line.rstrip())
    return "\n".join([*lines, "", *_sums(rows, raters)])


def _sums(rows: Sequence[ScanStatus], raters: Sequence[str]) -> list[str]:
    done = sum(row.reconstructed == "done" for row in rows)
    failed = sum(row.reconstructed == "failed" for row in rows)
    judged = sum(bool(row.qc) for row in rows)
    parts = [
        f"{len({row.participant for row in rows})} participants, {len(rows)} scans: {done} reconstructed"
        + (f", {failed} failed" if failed else "")
        + f", {judged} judged."
    ]
    for rater in raters:
        states = [row.raters[rater] for row in rows if row.raters[rater]]
        parts.append(f"{rater}: {states.count('submitted')} of {len(states)} read.")
    return parts
