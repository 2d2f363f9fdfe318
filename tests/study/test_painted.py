"""Painted regions: in the protocol, as a reading, in the table, agreement, first contours, a bundle."""

import hashlib
import json
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.maps import read_map
from napari_qsm.io.region import Region
from napari_qsm.io.segmentation import read_labels
from napari_qsm.outlines import bending
from napari_qsm.registration.nuclei import AtlasFit
from napari_qsm.study.bundle import make_bundle
from napari_qsm.study.bundle_card import opened_bundle
from napari_qsm.study.bundle_return import merge_bundle, return_bundle
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.methods_text import regions
from napari_qsm.study.painted import carried_contours, outlined_contours
from napari_qsm.study.protocol import amend, load_protocol, parse_protocol, read_protocol
from napari_qsm.study.readings import (
    Reading,
    amend_reading,
    load_labels,
    new_reading,
    read_reading,
    repainted,
    save_reading,
    submit_reading,
)
from napari_qsm.study.status import status_of
from napari_qsm.study.study_facts import Placed
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.study.worklist import assign, read_key, read_worklist
from napari_qsm.volume import Volume
from tests.study.cohort_maker import AFFINE, SHAPE, make_cohort

PROTOCOL = """
name: Case report
method: painted
regions:
  - {name: Putamen, sides: [left, right]}
  - {name: Red nucleus, sides: [left], kind: sphere, size_mm: 6}
  - {name: Vein}
"""
VISITS = [("01", "t0"), ("01", "t1"), ("02", "t0")]
#: Labels by the protocol's order.
LEFT, RIGHT, NUCLEUS, VEIN = 1, 2, 3, 4


@pytest.fixture
def study(tmp_path):
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    return make_cohort(tmp_path / "study", VISITS, readings=(), protocol=tmp_path / "p.yaml")


def drawn(shift=0):
    """Return labels: a block on each side (x grows to the right), and a vein of few voxels."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[6 + shift : 12 + shift, 10:16, 4:8] = LEFT
    labels[28 + shift : 33 + shift, 10:16, 4:8] = RIGHT
    labels[20, 20:24, 5] = VEIN
    return labels


def read(study, key, rater="AA", *, labels=None, number=1, submit=True, nucleus=True):
    """Make a reading of a scan, and hand it in."""
    scan = study.scan(*key)
    volume = read_map(scan.map)
    step = study.protocol.steps()[0]
    begun = new_reading(study, rater, volume, number)
    shapes = (step.shape.but(centre_mm=(-10.0, 10.0, 0.0)),) if nucleus else ()
    begun = Reading(begun.record, shapes, begun.chi_sha256)
    painted = repainted(study, begun, volume.with_data(drawn() if labels is None else labels))
    act = submit_reading if submit else save_reading
    return act(study, scan, painted, volume), scan, volume


def test_a_protocol_may_say_that_regions_are_painted(tmp_path):
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    protocol = load_protocol(tmp_path / "p.yaml")
    assert [step.region_name for step in protocol.all_steps()] == [
        "Putamen L", "Putamen R", "Red nucleus L", "Vein",
    ]  # fmt: skip
    assert [step.region_name for step in protocol.steps()] == ["Red nucleus L"]
    assert [step.words for step in protocol.painted()] == [
        "left putamen, painted", "right putamen, painted", "Vein, painted",
    ]  # fmt: skip
    # Written out in full, it says the same.
    (tmp_path / "full.yaml").write_text(protocol.to_yaml())
    assert read_protocol(tmp_path / "full.yaml").sha256 == protocol.sha256
    for text, message in (
        ("method: drawn\nregions: [{name: A}]", "can only be 'painted'"),
        ("regions: [{name: A, method: shape}]", "can only be 'painted'"),
        ("regions: [{name: A, method: painted, size_mm: 3}]", "has no shape; take out size_mm"),
        ("regions: [{name: A}]", "kind|size_mm|Field required"),
        ("method: painted\nregions: [{name: A}, {name: A}]", "names A twice"),
        ("method: painted\nregions: [{sides: [left]}]", "has no name"),
    ):
        (tmp_path / "bad.yaml").write_text("name: x\n" + text)
        with pytest.raises(FileError, match=message):
            load_protocol(tmp_path / "bad.yaml")


def test_protocols_without_painted_regions_keep_their_checksum():
    said = {"name": "x", "regions": [{"name": "A", "kind": "circle", "size_mm": 6, "slices": 3}]}
    protocol = parse_protocol(said, "x")
    # All that a protocol said before there was painting, in the text of which the checksum was taken.
    whole = {
        "name": "x", "note": "", "regions": said["regions"], "unit": "ppb", "recipe": "case-report",
        "reference": "", "placement": "independent", "window_ppb": [-100.0, 200.0],
        "show_values_after_submit": False, "raters": {}, "analysis": {},
    }  # fmt: skip
    text = json.dumps(whole, sort_keys=True)
    assert protocol.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_painted_reading_from_the_first_stroke_to_an_amendment(study):
    half = np.where(drawn() == LEFT, LEFT, 0)
    _, scan, volume = read(study, ("01", "t0"), labels=half, submit=False, nucleus=False)
    begun = load_labels(study, read_reading(scan.shapes("AA")), volume, scan.dseg("AA"))
    np.testing.assert_array_equal(begun.labels.data, half)
    assert begun.record.painted == {"Putamen L": 6 * 6 * 4}
    with pytest.raises(QsmError, match="Putamen R, Red nucleus L, Vein must be painted or placed"):
        submit_reading(study, scan, begun, volume)
    whole = repainted(study, begun, volume.with_data(drawn()))
    centred = study.protocol.steps()[0].shape.but(centre_mm=(-29.0, -9.0, -3.0))  # over the putamen
    whole = Reading(whole.record, (centred,), whole.chi_sha256, whole.labels)
    done = submit_reading(study, scan, whole, volume)
    labels, table = read_labels(scan.dseg("AA"))
    # A shape never takes voxels from what was painted; it is measured where it lies all the same.
    np.testing.assert_array_equal(np.where(labels.data == NUCLEUS, 0, labels.data), drawn())
    assert {row.name for row in table} == {"Putamen L", "Putamen R", "Red nucleus L", "Vein"}
    with pytest.raises(QsmError, match="has handed in"):
        save_reading(study, scan, whole, volume)
    changed = repainted(study, done, volume.with_data(drawn(1)))
    amend_reading(study, scan, changed, volume, "too far to the left")
    study.refresh()
    again = load_labels(study, read_reading(scan.shapes("AA")), volume, scan.dseg("AA"))
    assert again.record.amended == ("too far to the left",)
    np.testing.assert_array_equal(again.labels.data, drawn(1))
    kept = study.reading / "amended" / "sub-01_ses-t0_desc-AA_1_dseg.nii.gz"
    before = np.asanyarray(nib.load(kept).dataobj)
    np.testing.assert_array_equal(np.where(before == NUCLEUS, 0, before), drawn())
    assert {row.key: row.raters for row in status_of(study)}["01", "t0"] == {"AA": "submitted"}


def test_an_amended_protocol_gives_other_labels_and_the_same_regions(study):
    _, scan, volume = read(study, ("01", "t0"))
    text = study.protocol_file.read_text()
    first = "regions:\n- {name: Thalamus, method: painted}\n"
    study.protocol_file.write_text(text.replace("regions:\n", first))
    amend(study.protocol_file, "thalamus too")
    now = StudyFolder(study.root)
    assert [step.region_name for step in now.protocol.all_steps()][:2] == ["Thalamus", "Putamen L"]
    reading = load_labels(now, read_reading(scan.shapes("AA")), volume, scan.dseg("AA"))
    # Every label is one higher now, but for that of the shape, which is no paint.
    np.testing.assert_array_equal(reading.labels.data, np.where(drawn() > 0, drawn() + 1, 0))


def test_painted_regions_are_collected_compared_and_told(study, capsys):
    for key in VISITS:
        read(study, key, "AA")
        read(study, key, "BB", labels=drawn(2))
    root = str(study.root)
    assert main(["study", "check", root]) == 0
    assert "1 shapes and 3 painted regions a scan" in capsys.readouterr().out
    assert main(["study", "collect", root]) == 0
    long = pd.read_csv(study.group / "roi_long.tsv", sep="\t").fillna({"side": "", "flags": ""})
    assert len(long) == 3 * 2 * 4
    for row in long[long["region"].isin(["Putamen", "Vein"])].itertuples():
        scan = study.scan(row.participant_id[4:], row.session_id[4:])
        chi = nib.load(scan.map).get_fdata()
        label = {"left": LEFT, "right": RIGHT}.get(row.side, VEIN)
        inside = chi[drawn(0 if row.rater == "AA" else 2) == label] * 1000
        assert row.voxels == inside.size
        assert row.volume_mm3 == pytest.approx(8 * inside.size)
        assert row.mean_ppb == pytest.approx(inside.mean(), rel=1e-6)
        assert row.sd_ppb == pytest.approx(inside.std(ddof=1), rel=1e-6)
        assert row.median_ppb == pytest.approx(np.median(inside), rel=1e-6)
    assert set(long.loc[long["region"] == "Vein", "flags"]) == {"only 4 voxels"}
    assert main(["study", "agree", root, "--no-figures"]) == 0
    table = pd.read_csv(study.group / "agreement.tsv", sep="\t").set_index(["region", "measure"])
    shared = [(drawn() == n) & (drawn(2) == n) for n in (LEFT, RIGHT)]
    dice = np.mean(
        [2 * both.sum() / ((drawn() == n).sum() + (drawn(2) == n).sum())
         for both, n in zip(shared, (LEFT, RIGHT), strict=True)]
    )  # fmt: skip
    assert table.loc[("Putamen", "dice"), "value"] == pytest.approx(dice, rel=1e-6)
    assert table.loc[("Putamen", "distance_mm"), "value"] == pytest.approx(4.0)
    assert table.loc[("Putamen", "icc_2_1"), "n"] == 3
    capsys.readouterr()


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("independent", "Each was outlined by hand, without a first contour."),
        ("suggested", "A first contour from an atlas was corrected by the reader."),
        ("carried", "visits of one participant are therefore not independent."),
    ],
)
def test_the_methods_text_says_what_was_painted(rule, sentence):
    said = {"name": "x", "placement": rule, "regions": [{"name": "Vein", "method": "painted"}]}
    facts = SimpleNamespace(
        placed=(Placed("Putamen", "", ("left", "right"), (120, 140), (960.0, 1120.0)),),
        protocol=parse_protocol(said, "x"),
        codes={},
    )
    text = regions(facts)
    assert text.startswith(
        "Regions were painted: putamen (left and right): 120 to 140 voxels, 960 to 1120 mm³. "
    )
    assert text.endswith(sentence)
    assert "fixed size" not in text


def test_what_is_wrong_with_a_label_map_is_told(study, capsys):
    _, scan, volume = read(study, ("01", "t0"))
    good = scan.dseg("AA").read_bytes()
    image = nib.load(scan.dseg("AA"))
    data = np.asanyarray(image.dataobj).copy()
    data[0, 0, 0] = LEFT
    nib.save(nib.Nifti1Image(data, image.affine), scan.dseg("AA"))
    assert main(["study", "check", str(study.root)]) == 1
    assert "was changed outside of its reading by AA" in capsys.readouterr().out
    assert main(["study", "collect", str(study.root)]) == 1
    assert "was changed outside of its reading by AA" in capsys.readouterr().err
    scan.dseg("AA").unlink()
    reading = read_reading(scan.shapes("AA"))
    with pytest.raises(FileError, match="is missing"):
        load_labels(study, reading, volume, scan.dseg("AA"))
    nib.save(nib.Nifti1Image(data, image.affine + np.eye(4)), scan.dseg("AA"))
    with pytest.raises(FileError, match="does not lie on the grid"):
        load_labels(study, reading, volume, scan.dseg("AA"))
    scan.dseg("AA").write_bytes(good)
    # Left painted where right is, and the other way round.
    swapped = drawn()
    swapped[drawn() == LEFT], swapped[drawn() == RIGHT] = RIGHT, LEFT
    read(study, ("02", "t0"), labels=swapped)
    study.refresh()
    assert main(["study", "collect", str(study.root)]) == 1
    assert "left lies right of right in Putamen" in capsys.readouterr().err


def proposal(labels, *names, without=None):
    """Return what a proposal of outlines holds: labels of these regions, in the order of their numbers."""
    regions = [
        Region(n, name, "left" if name.endswith(" L") else "right", "#fff")
        for n, name in enumerate(names, 1)
    ]
    every = range(1, 33)
    fit = AtlasFit(np.eye(4), dict.fromkeys(every, (0.0, 0.0, 0.0)), 1.0, dict.fromkeys(every, 0.9))
    return SimpleNamespace(labels=labels, regions=tuple(regions), fit=fit, without=without or {})


def test_first_contours_are_the_proposed_outlines_and_go_along_with_the_head():
    said = {"name": "x", "method": "painted", "regions": [
        {"name": "Vein"}, {"name": "Putamen", "sides": ["left", "right"]},
        {"name": "Globus pallidus", "sides": ["right"]}, {"name": "Thalamus", "sides": ["left"]},
    ]}  # fmt: skip
    steps = parse_protocol(said, "x").all_steps()
    made = np.zeros(SHAPE, np.uint8)
    for n in range(1, 6):
        made[6 * n : 6 * n + 4, 10:14, 4:8] = n
    names = ("Putamen L", "Putamen R", "Globus pallidus externus R", "Globus pallidus internus R")
    outlines = proposal(Volume(made, AFFINE), *names)
    ball = Region(40, "Thalamus L", "left", "#fff")  # no outline, but a ball to start from
    found = outlined_contours(outlines.labels, (*outlines.regions, ball), steps)
    wanted = np.select([made == 1, made == 2, (made == 3) | (made == 4)], [2, 3, 4], 0)
    np.testing.assert_array_equal(found.data, wanted)
    # The head two voxels further to the left and one up: so are its labels.
    matrix = np.eye(4)
    matrix[:3, 3] = (-4.0, 0.0, 2.0)
    moved = carried_contours(found, matrix, found)
    np.testing.assert_array_equal(moved.data, np.roll(wanted, (-2, 0, 1), (0, 1, 2)))
    # Half a globus pallidus is none.
    assert outlined_contours(outlines.labels, outlines.regions[3:], steps) is None


def test_suggest_writes_contours_once_and_says_what_has_none(study, monkeypatch, capsys):
    asked = []

    def propose(chi, *, mask):
        asked.append(chi.shape)
        labels = chi.with_data(np.where(drawn() == LEFT, 1, 0).astype(np.uint8), unit="")
        return proposal(labels, "Putamen L", without={"Putamen R": "it does not stand out"})

    monkeypatch.setattr("napari_qsm.study.suggest.propose_outlines", propose)
    # Middles of shapes, which are not looked at here, need not be near.
    monkeypatch.setattr(bending, "_LEVELS", bending._LEVELS[:1])
    turn = np.eye(4)
    turn[0, 3] = 4.0  # points of t1 to points of t0
    write_transform(study, Transform("01", "t1", "t0", turn))
    root = str(study.root)
    assert main(["study", "suggest", root]) == 0
    told = capsys.readouterr().out
    assert "Without a suggestion (it does not stand out): Putamen R" in told
    assert "Without a suggestion (not in the atlas): Vein" in told
    assert len(asked) == 2  # the first visit of two persons
    wanted = np.where(drawn() == LEFT, LEFT, 0)
    for key, shift in ((("01", "t0"), 0), (("01", "t1"), -2), (("02", "t0"), 0)):
        labels, _ = read_labels(study.scan(*key).contours())
        np.testing.assert_array_equal(labels.data, np.roll(wanted, shift, 0))
    # Again: what was found is kept, and so is what was not.
    assert main(["study", "suggest", root]) == 0
    assert len(asked) == 2
    assert "Without a suggestion (it does not stand out): Putamen R" in capsys.readouterr().out

    def refuse(chi, *, mask):
        raise QsmError("The atlas does not fit.")

    monkeypatch.setattr("napari_qsm.study.suggest.propose_outlines", refuse)
    monkeypatch.setattr("napari_qsm.study.suggest.fit_atlas", lambda chi, mask: proposal(None).fit)
    assert main(["study", "suggest", root, "--overwrite"]) == 0
    assert not study.scan("01", "t0").contours().exists()
    assert "(The atlas does not fit): Putamen L" in capsys.readouterr().out


def test_painted_readings_come_back_from_a_bundle(study, tmp_path):
    assign(study, "BB", seed=3)
    out, back = tmp_path / "b.zip", tmp_path / "BB.zip"
    make_bundle(study, "BB", out)
    bundle = StudyFolder(opened_bundle(out))
    for number, item in enumerate(read_worklist(bundle, "BB")):
        done, scan, volume = read(bundle, item.key, "BB", labels=drawn(number))
        if not number:
            amend_reading(
                bundle, scan, repainted(bundle, done, volume.with_data(drawn(3))), volume, "again"
            )
    return_bundle(bundle.root, back)
    assert len(merge_bundle(study, back).new) == 3
    key = read_key(study)
    for number, item in enumerate(read_worklist(study, "BB")):
        scan = study.scan(*key[item.code].key)
        labels = np.asanyarray(nib.load(scan.dseg("BB")).dataobj)
        np.testing.assert_array_equal(np.where(labels == NUCLEUS, 0, labels), drawn(number or 3))
        np.testing.assert_array_equal(nib.load(scan.dseg("BB")).affine, AFFINE)
    first = study.scan(*key[read_worklist(study, "BB")[0].code].key)
    kept = study.reading / "amended" / f"{first.stem}_desc-BB_1_dseg.nii.gz"
    before = np.asanyarray(nib.load(kept).dataobj)
    np.testing.assert_array_equal(np.where(before == NUCLEUS, 0, before), drawn(0))
    # What was changed on the way is not taken.
    coded = bundle.scan(*read_worklist(bundle, "BB")[1].key)
    image = nib.load(coded.dseg("BB"))
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.uint8), image.affine), coded.dseg("BB"))
    with pytest.raises(FileError, match="was changed outside of its reading by BB"):
        return_bundle(bundle.root, back, overwrite=True)


def test_a_bundle_starts_from_what_was_painted_here(tmp_path):
    (tmp_path / "p.yaml").write_text(PROTOCOL.replace("method", "placement: carried\nmethod", 1))
    study = make_cohort(tmp_path / "study", VISITS, readings=(), protocol=tmp_path / "p.yaml")
    turn = np.eye(4)
    turn[0, 3] = 4.0  # points of t1 to points of t0
    write_transform(study, Transform("01", "t1", "t0", turn))
    items, _ = assign(study, "BB", seed=3)
    half = np.where(drawn() == LEFT, LEFT, 0)
    _, scan, _ = read(study, ("01", "t0"), "BB", labels=half, submit=False)
    reading = read_reading(scan.shapes("BB"))
    hidden = {"Putamen R": "artefact", "Vein": "artefact"}
    volume = read_map(scan.map)
    reading = load_labels(study, reading, volume, scan.dseg("BB"))
    record = reading.record.model_copy(update={"not_visible": hidden})
    full = Reading(record, reading.shapes, reading.chi_sha256, reading.labels)
    submit_reading(study, scan, full, volume)
    out = tmp_path / "b.zip"
    make_bundle(study, "BB", out)
    code = next(item.code for item in items if item.key == ("01", "t1"))
    coded = StudyFolder(opened_bundle(out)).scan(code)
    labels = np.asanyarray(nib.load(coded.contours()).dataobj)
    np.testing.assert_array_equal(labels, np.roll(half, -2, 0))
