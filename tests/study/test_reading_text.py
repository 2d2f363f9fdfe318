"""The paragraph on readers and blinding: nothing that was hidden, looked up or changed is left out."""

from datetime import UTC, datetime

from napari_qsm.study.openings import OPENED
from napari_qsm.study.protocol import Amendment, Protocol
from napari_qsm.study.reading_text import reading_text
from napari_qsm.study.readings import ReadingRecord
from napari_qsm.study.study_facts import StudyFacts
from napari_qsm.study.worklist import Item

REGIONS = ({"name": "Midbrain", "kind": "sphere", "size_mm": 8},)


def facts(events=(), records=None, *, listed=True, **said):
    protocol = Protocol(name="P", regions=REGIONS, raters={"AA": "ten years of reading"}, **said)
    records = records or {("01", "t0"): [ReadingRecord(rater="AA")]}
    rules = {"AA": "carried", "BB": "independent"}
    codes = {
        f"C{n}": Item(f"C{n}", each.rater, *key, each.number, rules[each.rater])
        for n, (key, each) in enumerate((k, e) for k, es in records.items() for e in es)
    }
    return StudyFacts(
        protocol, {}, tuple(records), {}, {}, {}, (), records, codes=codes if listed else {},
        events=list(events),
    )  # fmt: skip


def event(name, day=1, **said):
    return {"at": f"2026-05-{day:02}T08:00:00+00:00", "event": name, **said}


def test_what_is_hidden_and_how_each_reading_began():
    records = {
        ("01", "t0"): [ReadingRecord(rater="AA"), ReadingRecord(rater="BB")],
        ("01", "t1"): [ReadingRecord(rater="AA"), ReadingRecord(rater="AA", number=2)],
    }
    text = reading_text(facts(records=records, window_ppb=(-150, 250)))
    assert "AA (ten years of reading) made 3 readings, 1 of them repeats" in text
    assert "BB ([to be written by you: training of BB]) made 1 readings" in text
    assert "3 from the reader's own shapes or contours of the first visit" in text
    assert "1 without any suggestion" in text
    assert "the same grey window, −150 to 250 ppb" in text
    assert "participant, group, visit, values and other readings were hidden." in text
    assert "Codes were never looked up." in text
    assert "shown to its reader once" in reading_text(facts(show_values_after_submit=True))
    assert "NOT ALL READINGS come from a blinded worklist" in reading_text(facts(listed=False))


def test_what_was_looked_up_opened_and_sent_is_said_with_its_day_and_reason():
    log = [
        event("bundle merged", 2, rater="BB", new=7),
        event(OPENED, 3, scan="sub-01_ses-t0", by="AA", reason="odd map", unread=["AA"]),
        event(OPENED, 3, scan="sub-02_ses-t0", by="Dr. Lead", reason="odd map", unread=[]),
        event("unblinded", 4, reason="to look at one scan", unread=3),
        event("reading submitted", 5),
        event("unblinded", 6, reason="all read.", unread=0),
    ]
    text = reading_text(facts(log))
    assert "BB (7 readings) read elsewhere" in text
    assert (
        "2 scans were opened under their names while readings were still to be made (odd map)"
        in text
    )
    assert "AA OPENED 1 OF THEM BEFORE READING THEM" in text
    assert "Lead" not in text
    assert (
        "Codes were looked up on 2026-05-04 (to look at one scan; 3 readings were not handed in); "
        "on 2026-05-06 (all read; every reading was handed in)." in text
    )
    assert "CODES WERE LOOKED UP before the last reading" in text


def test_changes_amendments_and_what_was_not_visible():
    change = Amendment(
        at=datetime(2026, 5, 2, tzinfo=UTC), reason="shapes were too large", changed=("regions",),
        was="0", sha256="1",
    )  # fmt: skip
    record = ReadingRecord(
        rater="AA",
        amended=("wrong slice",),
        not_visible={"Midbrain": "artefact"},
        answers={"Midbrain: only 8 voxels": "no better place in this scan"},
    )
    told = facts([event("reading begun anew")], {("01", "t0"): [record]}, amendments=(change,))
    text = reading_text(told)
    assert (
        "changed once after the first reading: 2026-05-02: regions (shapes were too large)" in text
    )
    assert "1 amendment after handing in (wrong slice: 1). 1 reading was begun anew" in text
    assert "Regions called not visible: 1 (artefact: 1)." in text
    assert "confirmed before handing in: 1 (no better place in this scan: 1)" in text
