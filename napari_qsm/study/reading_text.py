"""The paragraph on readers and blinding, from readings, worklists, protocol and the log.

Everything that was hidden, changed or looked up after all stands in it, whoever would rather not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from napari_qsm.study.openings import OPENED
from napari_qsm.study.study_facts import StudyFacts
from napari_qsm.units import fixed

YOURS = "[to be written by you: {}]"
_PLACED = {
    "independent": "without any suggestion",
    "suggested": "from places suggested by an atlas",
    "carried": "from the reader's own shapes or contours of the first visit",
}


def reading_text(facts: StudyFacts) -> str:
    """Who read what and how, what was hidden, what was looked up, amended or called not visible."""
    parts = [
        _readers(facts),
        _how(facts),
        _hidden(facts),
        _elsewhere(facts),
        _looked_up(facts),
        _opened(facts),
        _changes(facts),
        _amended(facts),
        _not_visible(facts),
        _answered(facts),
    ]
    return " ".join(part for part in parts if part)


def _readers(facts: StudyFacts) -> str:
    said = []
    for rater, count in facts.raters().items():
        training = facts.protocol.raters.get(rater) or YOURS.format(f"training of {rater}")
        own = [record for record in facts.all_records() if record.rater == rater]
        repeats = sum(record.number > 1 for record in own)
        again = f", {repeats} of them repeats" if repeats else ""
        said.append(f"{rater} ({training}) made {count} readings{again}")
    return f"{'; '.join(said)}."


def _how(facts: StudyFacts) -> str:
    """How many readings began by which rule."""
    rules = {(i.rater, *i.key, i.reading): i.placement for i in facts.codes.values()}
    counts = Counter(
        rules.get((record.rater, *key, record.number), "")
        for key, records in facts.records.items()
        for record in records
    )
    known = [f"{n} {_PLACED[rule]}" for rule, n in counts.items() if rule]
    text = f"Of the readings, {', '.join(known)} were made" if len(known) > 1 else ""
    if len(known) == 1:
        text = f"All readings on a worklist were made {known[0].partition(' ')[2]}"
    return f"{text}." if text else ""


def _hidden(facts: StudyFacts) -> str:
    if not facts.is_blinded:
        return "NOT ALL READINGS come from a blinded worklist. " + YOURS.format(
            "what readers knew of participant, group and visit"
        )
    text = (
        "Scans were opened under random codes, different for each reader, in a random order "
        "with the visits of one participant and repeats far apart; participant, group, visit, "
        "values and other readings were hidden"
    )
    if facts.protocol.show_values_after_submit:
        text += "; the values of a reading were shown to its reader once it was handed in"
    low, high = (fixed(end, 0) for end in facts.protocol.window_ppb)
    return f"{text}. Every map was shown with the same grey window, {low} to {high} ppb."


def _elsewhere(facts: StudyFacts) -> str:
    merged: Counter[str] = Counter()
    for event in _events(facts, "bundle merged"):
        merged[str(event["rater"])] += int(event.get("new", 0) or 0)
    if not merged:
        return ""
    said = " and ".join(f"{rater} ({n} readings)" for rater, n in sorted(merged.items()))
    return (
        f"{said} read elsewhere, in the same program, from a file that held nothing but maps under "
        "codes."
    )


def _looked_up(facts: StudyFacts) -> str:
    """When codes were looked up, and why."""
    said = []
    for event in _events(facts, "unblinded"):
        unread = int(event.get("unread", 0) or 0)
        left = f"{unread} readings were not handed in" if unread else "every reading was handed in"
        said.append(f"on {_day(event)} ({_reason(event)}; {left})")
    if not said:
        return "Codes were never looked up." if facts.codes else ""
    text = f"Codes were looked up {'; '.join(said)}."
    if facts.unblinded_before_last():
        text += " CODES WERE LOOKED UP before the last reading was handed in."
    return text


def _opened(facts: StudyFacts) -> str:
    """Scans that whoever leads the study opened under their names while others read blind."""
    events = _events(facts, OPENED)
    if not events:
        return ""
    scans = {str(event.get("scan")) for event in events}
    reasons = "; ".join(dict.fromkeys(_reason(event) for event in events))
    text = (
        f"{len(scans)} scan{'' if len(scans) == 1 else 's'} were opened under their names while "
        f"readings were still to be made ({reasons})."
    )
    if len(scans) == 1:
        text = text.replace("scan were", "scan was")
    raters = {record.rater for record in facts.all_records()}
    by_reader = Counter(str(e["by"]) for e in events if e.get("by") in raters and e.get("unread"))
    for rater, count in sorted(by_reader.items()):
        text += (
            f" {rater} OPENED {count} OF THEM BEFORE READING THEM, so these readings are not blind."
        )
    return text


def _changes(facts: StudyFacts) -> str:
    """Changes of the protocol after it was frozen."""
    changes = facts.protocol.amendments
    if not changes:
        return ""
    said = "; ".join(
        f"{change.at:%Y-%m-%d}: {', '.join(change.changed) or 'the protocol'} ({change.reason})"
        for change in changes
    )
    times = "once" if len(changes) == 1 else f"{len(changes)} times"
    return f"The protocol was changed {times} after the first reading: {said}."


def _amended(facts: StudyFacts) -> str:
    amended = sum(len(record.amended) for record in facts.all_records())
    text = f"{amended or 'No'} amendment{'' if amended == 1 else 's'} after handing in"
    reasons = Counter(why for record in facts.all_records() for why in record.amended)
    if reasons:
        text += " (" + "; ".join(f"{why}: {n}" for why, n in reasons.items()) + ")"
    anew = len(_events(facts, "reading begun anew"))
    more = f" {anew} readings were begun anew, as their map had changed." if anew > 1 else ""
    if anew == 1:
        more = " 1 reading was begun anew, as its map had changed."
    return f"{text}.{more}"


def _not_visible(facts: StudyFacts) -> str:
    hidden = Counter(why for record in facts.all_records() for why in record.not_visible.values())
    if not hidden:
        return ""
    listed = "; ".join(f"{why}: {n}" for why, n in hidden.items())
    return f"Regions called not visible: {sum(hidden.values())} ({listed})."


def _answered(facts: StudyFacts) -> str:
    answers = Counter(said for record in facts.all_records() for said in record.answers.values())
    if not answers:
        return ""
    listed = "; ".join(f"{said}: {n}" for said, n in answers.items())
    return f"Doubtful places that readers confirmed before handing in: {sum(answers.values())} ({listed})."


def _events(facts: StudyFacts, name: str) -> Sequence[Mapping[str, Any]]:
    return [event for event in facts.events if event.get("event") == name]


def _day(event: Mapping[str, Any]) -> str:
    return str(event.get("at", ""))[:10]


def _reason(event: Mapping[str, Any]) -> str:
    return str(event.get("reason", "")).rstrip(".") or "no reason given"
