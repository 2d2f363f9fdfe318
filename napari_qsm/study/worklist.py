"""Worklists: which scans a rater reads, under codes, in an order of their own.

``reading/key.json`` tells what each code stands for; ``reading/worklist-<rater>.tsv`` holds codes
alone. Codes differ from rater to rater, and nothing in the list tells a repeat from a first reading.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.study.bundle_card import read_card
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.protocol import Placement
from napari_qsm.study.reading_log import read_events, write_event
from napari_qsm.study.reading_order import spread
from napari_qsm.study.rows import plain_id, read_rows, some, tsv
from napari_qsm.study.study_scan import Key

COLUMNS = ("order", "code", "state", "opened", "submitted")
#: Neither letters that look like digits nor vowels, which make words.
_LETTERS, _DIGITS = "BCDFGHJKLMNPQRSTVWXZ", "23456789"


@dataclass(frozen=True)
class Item:
    """One reading to be done.

    Attributes
    ----------
    code : str
        ``"K7Q2"``: all that a rater sees.
    rater : str
    participant, session : str
        BIDS labels without prefix.
    reading : int
        1, or 2 and more for repeats.
    placement : {"independent", "suggested", "carried"}
        Independent wherever the reading serves agreement, whatever the protocol says.
    state : {"waiting", "open", "submitted"}
    opened, submitted : str
        When, as text; empty before.
    """

    code: str
    rater: str
    participant: str
    session: str
    reading: int
    placement: Placement
    state: str = "waiting"
    opened: str = ""
    submitted: str = ""

    @property
    def key(self) -> Key:
        """Participant and session."""
        return self.participant, self.session


def read_key(study: StudyFolder) -> dict[str, Item]:
    """Every code and what it stands for; empty before anything was assigned.

    In a bundle for another rater a code stands for itself.

    Raises
    ------
    FileError
        If the key is damaged.
    """
    path = study.key_file
    if not path.is_file():
        card = read_card(study.root)
        if card is None:
            return {}
        return {
            code: Item(code, card.rater, scan.participant, scan.session, 1, scan.placement)
            for code, scan in card.scans.items()
        }
    try:
        said = parse_json(read_text(path, "key"))
        return {
            code: Item(
                code,
                row["rater"],
                plain_id(row["participant_id"]),
                plain_id(row["session_id"] or ""),
                int(row["reading"]),
                row["placement"],
            )
            for code, row in said["codes"].items()
        }
    except PlainDataError as error:
        raise FileError(f"'{path}' {error}.") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FileError(f"'{path}' is no key of codes; it is damaged.") from None


def read_worklist(study: StudyFolder, rater: str) -> list[Item]:
    """A rater's list in its order, with what has been done.

    Raises
    ------
    FileError
        If there is none, it is damaged, or holds a code that is another rater's.
    """
    path = study.worklist(rater)
    if not path.is_file():
        card = read_card(study.root)
        if card is not None and card.rater != rater:
            raise FileError(f"'{study.root.name}' is a bundle for {card.rater}, not for {rater}.")
        raise FileError(
            f"'{study.root.name}' has no worklist for {rater}; make one with 'napari-qsm study assign'."
        )
    table = read_rows(path)
    table.need(COLUMNS)
    key = read_key(study)
    items = []
    for row in table.rows:
        item = key.get(row["code"])
        if item is None or item.rater != rater:
            whose = f"belongs to {item.rater}" if item else "is in no key"
            raise FileError(f"'{path.name}', line {row.line}: code {row['code']} {whose}.")
        done = (row["state"], row["opened"], row["submitted"])
        items.append(replace(item, state=done[0], opened=done[1], submitted=done[2]))
    return items


def mark(study: StudyFolder, item: Item, state: str) -> list[Item]:
    """Note in a rater's list that a reading was opened or handed in; returns the list as it is then."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    items = read_worklist(study, item.rater)
    for number, other in enumerate(items):
        if other.code == item.code:
            opened = other.opened or now
            submitted = now if state == "submitted" else other.submitted
            items[number] = replace(other, state=state, opened=opened, submitted=submitted)
    write_text(study.worklist(item.rater), list_text(items))
    return items


def assign(
    study: StudyFolder,
    rater: str,
    *,
    sample: str | None = None,
    repeat: str | None = None,
    seed: int | None = None,
    add: bool = False,
) -> tuple[list[Item], list[str]]:
    """Give a rater a worklist.

    Parameters
    ----------
    study : StudyFolder
    rater : str
        Their label.
    sample : str, optional
        How many scans, ``"20%"`` or ``"10"``; all unless given.
    repeat : str, optional
        How many of these are read twice.
    seed : int, optional
        Of all that is left to chance; drawn and noted unless given.
    add : bool
        Put scans behind an existing list that are not on it yet.

    Returns
    -------
    items : list of Item
        In their order.
    notes : list of str
        Scans that were left out, and distances that could not be kept.

    Raises
    ------
    QsmError
        If the rater has a list already, or there is nothing to read.
    """
    path = study.worklist(rater)
    _refuse_bundle(study)
    _ = study.protocol  # refuses one that was changed after it was frozen
    before = read_worklist(study, rater) if path.is_file() else []
    if before and not add:
        done = sum(item.state == "submitted" for item in before)
        raise QsmError(
            f"{rater} has a worklist already ({done} of {len(before)} read). Another person needs "
            "another label; add scans to this list with --add."
        )
    seed = secrets.randbelow(10**6) if seed is None else seed
    chance = random.Random(hashlib.sha256(f"{seed} {rater}".encode()).digest())
    readable, notes = _readable(study)
    listed = {item.key for item in before}
    scans = [key for key in readable if key not in listed]
    if not scans:
        raise QsmError(
            f"Every scan that can be read is on {rater}'s list."
            if before
            else f"'{study.root.name}' holds no map to read yet."
        )
    if sample is not None:
        scans = sorted(chance.sample(scans, how_many(sample, len(scans), "--sample")))
    again = how_many(repeat, len(scans), "--repeat") if repeat else 0
    repeated = set(chance.sample(scans, again))
    ordered, kept = spread([*scans, *sorted(repeated)], chance)
    notes += kept
    key = read_key(study)
    new = _items(study, rater, ordered, repeated, key, chance)
    key |= {item.code: item for item in new}
    _force_independent(study, key, notes)
    items = [*before, *(key[item.code] for item in new)]
    with staged_folder(study.reading, overwrite=True) as staging:
        (staging / path.name).write_text(list_text(items), "utf-8", newline="\n")
        (staging / study.key_file.name).write_text(_key_text(key), "utf-8", newline="\n")
    write_event(
        study.root, "assigned", rater=rater, seed=seed, scans=len(scans), repeats=again,
        sample=sample, added=bool(before),
    )  # fmt: skip
    return items, notes


def how_many(said: str, of: int, option: str) -> int:
    """A part in percent (rounded up) or a number, as a number.

    Examples
    --------
    >>> how_many("20%", 113, "--sample"), how_many("7", 113, "--sample")
    (23, 7)
    """
    text = said.strip().removesuffix("%").strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    percent = said.strip().endswith("%")
    count = math.ceil(of * value / 100 - 1e-9) if percent and value >= 0 else value
    if not (0 < count <= of) or count != int(count):
        raise QsmError(
            f"{option} takes a part such as 20%, or a number from 1 to {of}, not '{said}'."
        )
    return int(count)


def _readable(study: StudyFolder) -> tuple[list[Key], list[str]]:
    """Scans with one map that nobody judged useless, and who is left out."""
    from napari_qsm.qc.rating import read_ratings

    notes = []
    found, failed = [], []
    for scan in study.scans:
        if scan.is_reconstructed:
            study.scan(*scan.key)
            latest = None
            if scan.rating.name in scan.files:
                latest = read_ratings(scan.folder, prefix=scan.prefix).latest()
            if latest is not None and latest.verdict == "fail":
                failed.append(scan.name)
            else:
                found.append(scan.key)
    if failed:
        notes.append(f"Left out, as their maps were judged to fail: {some(failed)}.")
    lacking = sorted(set(study.imported) - {scan.key for scan in study.scans})
    if lacking:
        names = [study.scan(*key).name for key in lacking]
        notes.append(f"{len(lacking)} scans have no map yet ({some(names)}).")
    return found, notes


def _items(
    study: StudyFolder,
    rater: str,
    ordered: Sequence[Key],
    repeated: set[Key],
    key: Mapping[str, Item],
    chance: random.Random,
) -> list[Item]:
    taken, seen = set(key), Counter[Key]()
    items = []
    for participant, session in ordered:
        while (code := _code(chance)) in taken:
            pass
        taken.add(code)
        seen[participant, session] += 1
        rule: Placement = study.protocol.placement
        if (participant, session) in repeated:
            rule = "independent"
        items.append(Item(code, rater, participant, session, seen[participant, session], rule))
    return items


def _refuse_bundle(study: StudyFolder) -> None:
    if read_card(study.root) is not None:
        raise QsmError(
            f"'{study.root.name}' is a bundle to be read; what its codes stand for, and who reads "
            "what, is kept in the study that it was made from."
        )


def _code(chance: random.Random) -> str:
    pattern = (_LETTERS, _DIGITS, _LETTERS, _DIGITS)
    return "".join(chance.choice(signs) for signs in pattern)


def _force_independent(study: StudyFolder, key: dict[str, Item], notes: list[str]) -> None:
    """Scans that serve agreement are read without suggestions by everybody who reads them."""
    readers = Counter(item.key for item in key.values())
    begun: dict[str, str] = {}
    for rater in {item.rater for item in key.values()}:
        if study.worklist(rater).is_file():
            begun |= {item.code: item.state for item in read_worklist(study, rater)}
    late = []
    for code, item in key.items():
        if readers[item.key] > 1 and item.placement != "independent":
            if begun.get(code, "waiting") != "waiting":
                late.append(item.rater)
            else:
                key[code] = replace(item, placement="independent")
    if late:
        notes.append(
            f"{len(late)} of these scans were read with suggestions already ({some(sorted(set(late)))}); "
            "agreement on them is flattered."
        )


def list_text(items: Iterable[Item]) -> str:
    """The text of a worklist."""
    rows = [
        (n, item.code, item.state, item.opened or "n/a", item.submitted or "n/a")
        for n, item in enumerate(items, 1)
    ]
    return tsv(COLUMNS, rows)


def _key_text(key: Mapping[str, Item]) -> str:
    codes: dict[str, Any] = {
        code: {
            "rater": item.rater,
            "participant_id": f"sub-{item.participant}",
            "session_id": f"ses-{item.session}" if item.session else "",
            "reading": item.reading,
            "placement": item.placement,
        }
        for code, item in sorted(key.items())
    }
    return json.dumps({"codes": codes}, indent=1) + "\n"


def unblind(study: StudyFolder, reason: str) -> dict[str, Item]:
    """State that codes are looked up from now on; returns what they stand for.

    Raises
    ------
    QsmError
        Without a reason, or where nothing was assigned.
    """
    if not reason.strip():
        raise QsmError("Unblinding needs a reason.")
    _refuse_bundle(study)
    key = read_key(study)
    if not key:
        raise QsmError(f"'{study.root.name}' has no worklists, so there is nothing to unblind.")
    raters = sorted({item.rater for item in key.values()})
    lists = [item for rater in raters for item in read_worklist(study, rater)]
    unread = sum(item.state != "submitted" for item in lists)
    write_event(study.root, "unblinded", reason=reason.strip(), unread=unread)
    return key


def is_unblinded(root: Path) -> bool:
    """Whether unblinding was ever stated."""
    return any(event["event"] == "unblinded" for event in read_events(root))
