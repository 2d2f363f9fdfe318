"""Readings of a cohort as one table, against numpy on the voxels of each map."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, MetadataError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.recon.recipe import recipe_sha256
from napari_qsm.rois.shape_files import write_shapes
from napari_qsm.study.collect import COLUMNS, collect
from napari_qsm.study.comparison import compared_with
from napari_qsm.study.controls import control_group, read_controls
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.long_table import read_long_table
from napari_qsm.study.protocol import freeze
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.readings import (
    amend_reading,
    checksum_of,
    new_reading,
    read_reading,
    save_reading,
    submit_reading,
)
from napari_qsm.study.scan_facts import ScanFacts
from tests.study.cohort_maker import (
    AFFINE,
    PROVENANCE,
    SHAPE,
    make_cohort,
    placed,
    values,
    write_map,
)

VISITS = [(f"{n:02}", f"t{v}") for n in range(31) for v in range(3)]
VISITS += [(f"c{n:02}", "t0") for n in range(20)]


def inside(centre, radius=3.0):
    world = np.stack(np.indices(SHAPE), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.linalg.norm(world - centre, axis=-1) <= radius + 1e-9


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    study = make_cohort(tmp_path_factory.mktemp("cohort") / "study", VISITS)
    assert main(["study", "collect", str(study.root)]) == 0
    return study


@pytest.fixture
def study(tmp_path):
    return make_cohort(tmp_path / "study", [("01", "t0"), ("01", "t1"), ("c1", "t0")], readings=())


@pytest.fixture
def read(tmp_path):
    """Return the same with files of shapes, which count as handed in."""
    return make_cohort(tmp_path / "study", [("01", "t0"), ("01", "t1"), ("c1", "t0")])


def hand_in(study, rater="AA", number=1, shift=(0.0, 0.0, 0.0)):
    for scan in study.scans:
        volume = read_volume(scan.map)
        reading = new_reading(study, rater, volume, number)
        submit_reading(study, scan, with_shapes(reading, placed(study, shift)), volume)
    study.refresh()


def with_shapes(reading, shapes, **said):
    record = reading.record.model_copy(update=said)
    return type(reading)(record, shapes, reading.chi_sha256)


def test_113_readings_become_2938_rows(cohort):
    long = pd.read_csv(cohort.group / "roi_long.tsv", sep="\t", keep_default_na=False)
    assert (
        list(long.columns)
        == (
            "participant_id session_id group rater reading region side voxels volume_mm3 mean_ppb sd_ppb "
            "median_ppb p05 p95 skewness reference reference_ppb map_sha256 flags qc_verdict excluded"
        ).split()
    )
    assert len(long) == 113 * 26
    row = long[(long["participant_id"] == "sub-30") & (long["session_id"] == "ses-t2")].iloc[3]
    chi = values(92)[inside(placed(cohort)[3].centre_mm)].astype(float) * 1e3
    assert (row["region"], row["side"], row["group"]) == ("Putamen", "right", "patient")
    assert row["voxels"] == chi.size
    assert row["volume_mm3"] == pytest.approx(8 * chi.size)
    assert row["mean_ppb"] == pytest.approx(chi.mean(), abs=1e-9)
    assert row["sd_ppb"] == pytest.approx(chi.std(ddof=1), abs=1e-9)
    found = [row[name] for name in ("median_ppb", "p05", "p95")]
    assert found == pytest.approx(list(np.percentile(chi, (50, 5, 95))), abs=1e-9)
    assert (row["reference"], row["reference_ppb"]) == ("whole-mask", 2.0)
    assert (row["qc_verdict"], row["excluded"]) == ("n/a", "n/a")
    said = json.loads((cohort.group / "roi_long.json").read_text("utf-8"))
    assert set(COLUMNS) < set(said)
    assert said["GeneratedBy"]["ProtocolSha256"] == cohort.protocol.sha256


def test_the_workbook_holds_the_same_numbers(cohort):
    long = pd.read_csv(cohort.group / "roi_long.tsv", sep="\t")
    sheets = pd.read_excel(cohort.group / "roi_wide.xlsx", sheet_name=None)
    assert list(sheets) == ["Mean ppb", "Regions", "About"]
    pd.testing.assert_frame_equal(
        sheets["Regions"].drop(columns=["flags", "qc_verdict", "excluded"]),
        long.drop(columns=["flags", "qc_verdict", "excluded"]),
        check_dtype=False,
        rtol=0,
        atol=1e-12,
    )
    wide = sheets["Mean ppb"]
    assert len(wide) == 113
    one = long[(long["participant_id"] == "sub-07") & (long["session_id"] == "ses-t1")]
    row = wide[(wide["participant_id"] == "sub-07") & (wide["session_id"] == "ses-t1")].iloc[0]
    sides = one[one["region"] == "Pulvinar"]["mean_ppb"].tolist()
    assert [row["Pulvinar L"], row["Pulvinar R"]] == sides
    assert row["Pulvinar"] == pytest.approx(np.mean(sides))


@pytest.mark.parametrize("name", ["roi_long.tsv", "roi_wide.xlsx"])
def test_one_person_can_be_compared_with_the_controls_of_the_study(cohort, name):
    controls = read_controls(cohort.group / name)
    persons = control_group(controls)
    assert len(persons) == 20 and all(person.startswith("c") for person in persons)
    long = pd.read_csv(cohort.group / "roi_long.tsv", sep="\t")
    own = long[
        (long["group"] == "control") & (long["region"] == "Putamen") & (long["side"] == "left")
    ]
    values, ages = controls.of(("putamen", "left"), persons)
    assert values == pytest.approx(own["mean_ppb"].to_numpy())
    assert np.isfinite(ages).all() and ages.min() >= 40
    facts = ScanFacts(recipe_sha256=recipe_sha256(PROVENANCE["recipe"]), reference="whole-mask",
                      field_strength_t=3.0)  # fmt: skip
    assert compared_with(controls, facts).differs == ()


def test_the_table_is_what_the_analysis_reads(cohort):
    long = read_long_table(
        cohort.group / "roi_long.tsv", participants=cohort.root / "participants.tsv"
    )
    assert len(long.values) == 2938
    assert long.persons["group"].value_counts().to_dict() == {"patient": 31, "control": 20}


def test_a_reading_is_frozen_when_it_is_handed_in(study):
    scan = study.scans[0]
    volume = read_volume(scan.map)
    shapes = placed(study)
    begun = with_shapes(new_reading(study, "AA", volume), shapes[:3])
    save_reading(study, scan, begun, volume)
    assert read_reading(scan.shapes("AA")) == begun
    assert study.__class__(study.root).protocol.frozen is not None
    with pytest.raises(QsmError, match="Putamen R, Globus pallidus L"):
        submit_reading(study, scan, begun, volume)
    study.refresh()
    with pytest.raises(QsmError, match="Nobody has handed in"):
        collect(study)
    seen = with_shapes(begun, shapes[:-1], not_visible={"Claustrum R": "artefact"})
    done = submit_reading(study, scan, seen, volume)
    burnt = np.asarray(nib.load(scan.dseg("AA")).dataobj)
    assert np.array_equal(burnt == 4, inside(shapes[3].centre_mm))
    assert "Putamen R" in scan.dseg("AA").with_name(f"{scan.prefix}desc-AA_dseg.tsv").read_text()
    with pytest.raises(QsmError, match="needs a reason"):
        save_reading(study, scan, begun, volume)
    with pytest.raises(QsmError, match="needs a reason"):
        amend_reading(study, scan, done, volume, "")
    study.refresh()
    frame = collect(study).frame
    assert len(frame) == 26
    assert frame["excluded"].tolist()[-1] == "not visible: artefact"


def test_an_amendment_counts_once(study):
    hand_in(study)
    scan = study.scans[0]
    volume = read_volume(scan.map)
    moved = with_shapes(read_reading(scan.shapes("AA")), placed(study, (2.0, 0.0, 0.0)))
    amend_reading(study, scan, moved, volume, "wrong slice")
    collected = collect(study)
    assert (collected.readings, collected.amendments, len(collected.frame)) == (3, 1, 78)
    chi = values(0)[inside(moved.shapes[0].centre_mm)].astype(float)
    assert collected.frame["mean_ppb"][0] == pytest.approx(1e3 * chi.mean(), abs=1e-9)
    with (study.root / "participants.tsv").open("a") as handle:
        handle.write("sub-77\tcontrol\t60\tM\n")
    assert any("1 participants there is no reading (sub-77)" in n for n in collect(study).notes)
    (kept,) = (study.reading / "amended").iterdir()
    assert "desc-AA_1_shapes.json" in kept.name
    event = read_events(study.root)[-1]
    assert (event["event"], event["reason"]) == ("reading amended", "wrong slice")


def test_a_reading_of_another_map_is_stale(study):
    hand_in(study)
    write_map(study.scans[1], seed=99)
    collected = collect(study)
    frame = collected.frame
    stale = frame["excluded"].str.contains("map has changed")
    assert stale.sum() == 26
    assert set(frame.loc[stale, "session_id"]) == {"ses-t1"}
    assert any("sub-01 ses-t1 has changed since AA" in note for note in collected.notes)
    assert main(["study", "check", str(study.root)]) == 1


def test_verdicts_exclusions_and_repeats_stand_in_the_table(study):
    hand_in(study)
    hand_in(study, number=2, shift=(0.0, 2.0, 0.0))
    scan = study.scans[0]
    rating = make_rating("doubtful", rater="Q", chi_sha256=checksum_of(read_volume(scan.map)))
    add_rating(scan.folder, rating, prefix=scan.prefix)
    text = study.protocol_file.read_text("utf-8")
    excluded = text.replace("analysis: {}", "analysis: {exclude: {sub-c1: moved}}", 1)
    study.protocol_file.write_text(excluded, "utf-8")
    assert main(["study", "collect", str(study.root)]) == 1  # frozen
    assert main(["study", "amend", str(study.root), "--reason", "moved"]) == 0
    study.refresh()
    frame = collect(study).frame
    assert frame.groupby("reading").size().to_dict() == {1: 78, 2: 78}
    assert set(frame["rater"]) == {"AA"}
    verdicts = frame.groupby(["participant_id", "session_id"])["qc_verdict"].first()
    assert verdicts["sub-01", "ses-t0"] == "doubtful"
    assert set(frame[frame["excluded"] == "moved"]["participant_id"]) == {"sub-c1"}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"echo_times_s": [0.025]}, "echo times"),
        ({"field_strength_t": 1.5}, "field strengths"),
        ({"recipe": {"name": "consensus"}}, "recipes"),
        ({"software": {"napari-qsm": "0.2.0"}}, "versions"),
        ({"stages": [{"stage": "reference", "method": "csf"}]}, "references"),
    ],
)
def test_maps_made_in_different_ways_are_pooled_only_with_leave(read, changed, what):
    study = read
    study.scans[2].provenance.write_text(json.dumps(PROVENANCE | changed))
    with pytest.raises(MetadataError, match=f"differ in their {what}.*sub-c1"):
        collect(study)
    assert any(what in note for note in collect(study, allow_mixed=True).notes)


def test_maps_made_otherwise_than_the_protocol_says_are_told_of(read, capsys):
    study = read
    freeze(study.protocol_file)
    study.refresh()
    made = study.protocol.chosen_recipe().to_dict()
    for scan in study.scans:
        scan.provenance.write_text(json.dumps(PROVENANCE | {"recipe": made}))
    assert not any("protocol's" in note for note in collect(study).notes)
    other = json.loads(json.dumps(made))
    other["stages"]["reference"] = {"method": "none"}
    study.scans[2].provenance.write_text(json.dumps(PROVENANCE | {"recipe": other}))
    text = study.protocol_file.read_text("utf-8").replace("reference: ''", "reference: csf")
    study.protocol_file.write_text(text, "utf-8")
    assert main(["study", "amend", str(study.root), "--reason", "ventricles"]) == 0
    assert "Amended: reference" in capsys.readouterr().out
    study.refresh()
    notes = collect(study, allow_mixed=True).notes
    assert any(
        "1 maps were not made with the protocol's recipe" in n and "sub-c1" in n for n in notes
    )
    assert any("3 maps have another reference than the protocol's 'csf'" in n for n in notes)


def test_what_cannot_be_collected_is_refused_in_words(study, capsys):
    hand_in(study)
    people = study.root / "participants.tsv"
    text = people.read_text()
    people.write_text(text.replace("sub-c1", "sub-c2"))
    with pytest.raises(FileError, match=r"participants.tsv' has no row for sub-c1"):
        collect(study)
    assert main(["study", "check", str(study.root)]) == 1
    said = capsys.readouterr().out
    assert "no row for sub-c1" in said
    assert "lists sub-c2" in said
    people.write_text(text.replace("40", "forty"))
    with pytest.raises(QsmError, match="sub-01"):
        collect(study)
    people.write_text(text)
    scan = study.scans[0]
    path = scan.shapes("AA")
    kept = path.read_text("utf-8")
    path.write_text(kept.replace('"rater": "AA"', '"rater": "BB"'), "utf-8")
    with pytest.raises(FileError, match="two raters must not have one label"):
        collect(study)
    swapped = [
        shape.but(centre_mm=(-shape.centre_mm[0], *shape.centre_mm[1:])) for shape in placed(study)
    ]
    write_shapes(path, swapped)
    with pytest.raises(FileError, match="sub-01 ses-t0, AA: left lies right of right in Caudate"):
        collect(study)
    path.write_text(kept, "utf-8")
    scan.map.unlink()
    with pytest.raises(FileError, match="sub-01 ses-t0 was read, but"):
        collect(StudyFolder(study.root))
    assert not study.group.exists()
