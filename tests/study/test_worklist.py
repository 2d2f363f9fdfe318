"""Worklists: codes, order, repeats; and what check and status say of a study."""

import json
import random
from collections import Counter

import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.reading_order import spread
from napari_qsm.study.readings import new_reading, submit_reading
from napari_qsm.study.status import status_of
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.worklist import (
    assign,
    how_many,
    is_unblinded,
    mark,
    read_key,
    read_worklist,
)
from tests.study.cohort_maker import make_cohort, placed, write_map

COHORT = [(f"{n:02}", f"t{v}") for n in range(31) for v in range(3)]
COHORT += [(f"c{n:02}", "t0") for n in range(20)]
EIGHT = [("01", "t0"), ("01", "t1"), ("01", "t2"), ("02", "t0"), ("02", "t1"), ("02", "t2")]
EIGHT += [("c1", "t0"), ("c2", "t0")]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a study whose maps are named but empty: lists need no more."""
    study = make_cohort(tmp_path_factory.mktemp("large") / "study", [])
    for key in COHORT:
        scan = study.scan(*key)
        scan.folder.mkdir(parents=True)
        scan.map.touch()
    return study.root


@pytest.fixture
def study(tmp_path):
    return make_cohort(tmp_path / "study", EIGHT, readings=())


def distances(items):
    """Smallest distance between scans of one person, and between readings of one scan."""
    person, scan = [], []
    for at, item in enumerate(items):
        person += [
            at - b for b, other in enumerate(items[:at]) if other.participant == item.participant
        ]
        scan += [at - b for b, other in enumerate(items[:at]) if other.key == item.key]
    return min(person), min(scan, default=0)


def test_a_list_keeps_visits_and_repeats_apart_and_tells_nothing(large, monkeypatch):
    study = StudyFolder(large)
    items, notes = assign(study, "AA", repeat="10%", seed=7)
    assert len(items) == 113 + 12
    assert not notes
    assert distances(items)[0] >= 5
    assert distances(items)[1] >= 20
    assert Counter(item.reading for item in items) == {1: 113, 2: 12}
    first = [item.key for item in items if item.reading == 1]
    assert sorted(first) == sorted(COHORT)
    for item in items:
        if item.reading == 2:
            one = next(i for i, o in enumerate(items) if o.key == item.key and o.reading == 1)
            assert one < items.index(item)
    text = study.worklist("AA").read_text()
    assert text.splitlines()[0] == "order\tcode\tstate\topened\tsubmitted"
    assert "sub-" not in text
    assert "ses-" not in text
    key = json.loads(study.key_file.read_text())["codes"]
    assert len(key) == 125
    assert read_worklist(study, "AA") == items
    # Another rater: another order and other codes; the same seed again: the same list.
    other, _ = assign(study, "BB", seed=7)
    assert [item.key for item in other] != first
    assert not {item.code for item in other} & {item.code for item in items}
    study.worklist("AA").unlink()
    study.key_file.unlink()
    assert assign(StudyFolder(large), "AA", repeat="10%", seed=7)[0] == items


def test_few_scans_are_spread_as_far_as_they_go():
    order, notes = spread([("a", "0"), ("a", "1"), ("b", "0"), ("b", "0")], random.Random(1))
    assert sorted(order) == [("a", "0"), ("a", "1"), ("b", "0"), ("b", "0")]
    assert len(notes) == 2
    assert spread([("a", "0")], random.Random(1)) == ([("a", "0")], [])


def test_scans_that_serve_agreement_are_read_without_suggestions(tmp_path):
    protocol = tmp_path / "p.yaml"
    protocol.write_text(
        "name: x\nplacement: carried\nregions:\n"
        "  - {name: Caudate, sides: [left, right], kind: circle, size_mm: 6, slices: 3}\n"
    )
    study = make_cohort(tmp_path / "study", EIGHT, readings=(), protocol=protocol)
    items, _ = assign(study, "AA", repeat="1", seed=1)
    rules = {item.key: item.placement for item in items}
    twice = [key for key, n in Counter(item.key for item in items).items() if n == 2]
    assert [key for key, rule in rules.items() if rule == "independent"] == twice
    assert Counter(rules.values()) == {"carried": 7, "independent": 1}
    mark(study, next(item for item in items if item.placement == "carried"), "open")
    others, notes = assign(study, "BB", seed=2)
    assert {item.placement for item in others} == {"independent"}
    assert Counter(item.placement for item in read_key(study).values())["carried"] == 1
    assert "agreement on them is flattered" in notes[-1]


def test_what_can_be_given_out(study):
    assert (how_many("20%", 113, "--sample"), how_many("12,5 %", 8, "--sample")) == (23, 1)
    for said in ("0", "9", "101%", "-5%", "1.5", "some", "nan%"):
        with pytest.raises(QsmError, match="--sample takes a part"):
            how_many(said, 8, "--sample")
    scan = study.scan("c1", "t0")
    add_rating(scan.folder, make_rating("fail", rater="Q"), prefix=scan.prefix)
    study.refresh()
    items, notes = assign(study, "AA", seed=3)
    assert len(items) == 7
    assert "sub-c1" in notes[0]
    with pytest.raises(QsmError, match=r"AA has a worklist already \(0 of 7 read\)"):
        assign(study, "AA", seed=4)
    with pytest.raises(QsmError, match="Every scan that can be read is on AA's list"):
        assign(study, "AA", add=True)
    write_map(study.scan("c3", "t0"), 9)
    study.refresh()
    more, _ = assign(study, "AA", add=True, seed=4)
    assert more[:7] == items
    assert more[7].key == ("c3", "t0")
    with pytest.raises(QsmError, match="label for a rater"):
        assign(study, "A A")


def test_a_list_of_somebody_else_or_none_is_refused(study):
    items, _ = assign(study, "AA", seed=3)
    with pytest.raises(FileError, match="no worklist for BB"):
        read_worklist(study, "BB")
    study.worklist("BB").write_bytes(study.worklist("AA").read_bytes())
    with pytest.raises(FileError, match="belongs to AA"):
        read_worklist(study, "BB")
    study.key_file.write_text("{}")
    with pytest.raises(FileError, match="damaged"):
        read_key(study)
    study.key_file.write_text('{"codes": {}}')
    with pytest.raises(FileError, match=f"{items[0].code} is in no key"):
        read_worklist(study, "AA")


def test_commands_from_a_new_study_to_unblinding(study, tmp_path, capsys):
    root = str(study.root)
    assert main(["study", "assign", root, "--rater", "AA"]) == 1
    assert "--all or --sample" in capsys.readouterr().err
    assert main(["study", "assign", root, "--rater", "AA", "--all", "--repeat", "10%"]) == 0
    assert "AA has 9 readings, 1 of them repeats" in capsys.readouterr().out
    item = read_worklist(study, "AA")[0]
    scan = study.scan(*item.key)
    volume = read_volume(scan.map)
    begun = new_reading(study, "AA", volume)
    full = type(begun)(begun.record, placed(study), begun.chi_sha256)
    submit_reading(study, scan, full, volume)
    mark(study, item, "submitted")
    assert main(["study", "status", root]) == 0
    grid = capsys.readouterr().out
    assert "4 participants, 8 scans: 8 reconstructed, 0 judged." in grid
    assert "AA: 1 of 8 read." in grid
    table = tmp_path / "status.tsv"
    assert main(["study", "status", root, "--out", str(table)]) == 0
    frame = pd.read_csv(table, sep="\t", keep_default_na=False)
    row = frame[(frame["participant_id"] == f"sub-{item.participant}")]
    row = row[row["session_id"] == f"ses-{item.session}"].iloc[0]
    assert (row["reconstructed"], row["AA"]) == ("done", "submitted")
    assert main(["study", "unblind", root, "--reason", " "]) == 1
    assert not is_unblinded(study.root)
    capsys.readouterr()
    assert main(["study", "unblind", root, "--reason", "all read"]) == 0
    assert f"{item.code}  AA" in capsys.readouterr().out
    assert is_unblinded(study.root)
    event = read_events(study.root)[-1]
    assert (event["reason"], event["unread"]) == ("all read", 8)


def test_check_names_what_is_wrong(study, tmp_path, capsys):
    root = str(study.root)
    assert main(["study", "check", root]) == 0
    said = capsys.readouterr().out
    assert "26 shapes a scan, placed independent; not frozen yet" in said
    assert "Group 'control' has 2 members" in said
    (study.root / "phenotype").mkdir()
    scores = "participant_id\tsession_id\tirls\n"
    scores += "sub-01\tses-t0\t41\nsub-01\tses-t0\t20\nsub-77\tses-t0\t20\n"
    (study.root / "phenotype" / "irls.tsv").write_text(scores)
    one: StudyScan = study.scan("02", "t1")
    one.map.unlink()
    two = study.scan("02", "t2")
    (two.folder / "sub-02_ses-t2_run-2_Chimap.nii.gz").write_bytes(two.map.read_bytes())
    text = study.protocol_file.read_text().replace("placement", "placment")
    study.protocol_file.write_text(text)
    assert main(["study", "check", root]) == 1
    said = capsys.readouterr().out
    for sentence in (
        "no 'placment'",
        "'irls.tsv', line 3: sub-01 at ses-t0 stands twice",
        "'irls.tsv', line 4: sub-77 is not in participants.tsv",
        "irls of sub-01 is 41, outside 0-40",
        "sub-02 ses-t2 has 2 maps",
    ):
        assert sentence in said


def test_new_makes_a_study_and_refuses_a_second(tmp_path, capsys):
    line = ["study", "new", str(tmp_path / "s"), "--protocol", "basal-ganglia"]
    assert main(line) == 0
    assert "knows no raw data set" in capsys.readouterr().err
    assert main(line) == 1
    assert "is a study already" in capsys.readouterr().err
    assert main([*line[:-1], str(tmp_path / "none.yaml")]) == 1
    assert main(["study", "status", str(tmp_path / "s")]) == 1
    assert "holds no scans" in capsys.readouterr().err


def test_status_tells_visits_in_their_order_and_what_is_registered(tmp_path, capsys):
    study = make_cohort(tmp_path / "s", [("2", "t10"), ("2", "t2"), ("10", "t2")], readings=())
    xfm = study.xfm("2", "t10", "t2")
    xfm.parent.mkdir()
    xfm.touch()
    rows = status_of(study)
    assert [row.key for row in rows] == [("2", "t2"), ("2", "t10"), ("10", "t2")]
    assert [row.registered for row in rows] == ["first", "yes", ""]
    assert [row.group for row in rows] == ["patient"] * 3
    assert main(["study", "status", str(study.root)]) == 0
    grid = capsys.readouterr().out.splitlines()
    assert [word for word in grid[3].split() if word.startswith("ses-")] == ["ses-t2", "ses-t10"]
