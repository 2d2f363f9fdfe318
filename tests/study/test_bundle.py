"""A bundle for a second rater: nobody's name goes out, and only what fits comes back."""

import hashlib
import json
import stat
import warnings
import zipfile

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.maps import read_map
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.rois.shape_files import read_shapes
from napari_qsm.rois.shapes import snap
from napari_qsm.study.bundle import make_bundle
from napari_qsm.study.bundle_card import opened_bundle
from napari_qsm.study.bundle_return import merge_bundle, return_bundle
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.magnitudes import magnitude_beside
from napari_qsm.study.protocol import amend
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.readings import (
    Reading,
    amend_reading,
    new_reading,
    read_reading,
    submit_reading,
)  # fmt: skip
from napari_qsm.study.status import status_of
from napari_qsm.study.suggestions import Places, Suggestions, read_suggestions, write_suggestions
from napari_qsm.study.transforms import Transform, points_between, visits_of, write_transform
from napari_qsm.study.worklist import assign, read_key, read_worklist, unblind
from tests.study.cohort_maker import AFFINE, SHAPE, make_cohort, placed, values

VISITS = [("Meier", "baseline"), ("Meier", "week6"), ("Huber", "baseline"), ("Huber", "week6")]
PROTOCOL = """
name: Iron
placement: {placement}
raters: {{AA: Prof. Weiss, BB: Dr. Schwarz}}
analysis: {{exclude: {{sub-Huber: withdrew}}, visits: [baseline, week6]}}
regions:
  - {{name: Caudate, sides: [left, right], kind: circle, size_mm: 6, slices: 3}}
  - {{name: Red nucleus, sides: [left, right], kind: circle, size_mm: 4, slices: 1}}
"""
SECRETS = ("meier", "huber", "baseline", "week6", "weiss", "schwarz", "withdrew", "1951")


def a_study(folder, placement="independent", visits=VISITS, **more):
    """Return a study with masks, raw magnitudes, and headers that say too much."""
    protocol = folder / "p.yaml"
    protocol.write_text(PROTOCOL.format(placement=placement))
    raw = folder / "raw-Meier"
    study = make_cohort(folder / "study", visits, protocol=protocol, groups=False, **more)
    for number, (person, visit) in enumerate(visits):
        scan = study.scan(person, visit)
        image = nib.Nifti1Image(values(number), AFFINE)
        for field, said in (
            ("descrip", b"Meier^Hans 1951"), ("aux_file", b"Meier"),
            ("db_name", b"Meier"), ("intent_name", b"Meier"),
        ):  # fmt: skip
            image.header[field] = said
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Meier^Hans"))
        nib.save(image, scan.map)
        inside = np.zeros(SHAPE, np.uint8)
        inside[8:32, 6:24, 2:10] = 1
        nib.save(nib.Nifti1Image(inside, AFFINE), scan.path("desc-brain_mask.nii.gz"))
        place = raw / f"sub-{person}" / f"ses-{visit}" / "anat"
        place.mkdir(parents=True)
        start = place / f"sub-{person}_ses-{visit}"
        for part in ("mag", "phase"):
            named = f"{start}_part-{part}_T2starw"
            nib.save(nib.Nifti1Image(np.full(SHAPE, 7.5, np.float32), AFFINE), f"{named}.nii.gz")
            (place / f"{start.name}_part-{part}_T2starw.json").write_text(
                json.dumps({"EchoTime": 0.02, "MagneticFieldStrength": 3, "PatientName": "Meier"})
            )
    said = json.loads((study.root / "dataset_description.json").read_text())
    said["SourceDatasets"] = [{"URL": "../raw-Meier"}]
    (study.root / "dataset_description.json").write_text(json.dumps(said))
    return StudyFolder(study.root)


@pytest.fixture
def study(tmp_path):
    study = a_study(tmp_path)
    assign(study, "BB", sample="3", repeat="1", seed=5)
    return study


def everything(path):
    """Return all names and all content of an archive as one text, and its members."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
        dates = {info.date_time for info in archive.infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}
    text = " ".join(members) + " ".join(b.decode("latin-1") for b in members.values())
    return text.lower(), members


def read_all(folder, rater="BB", shift=(2.0, 0.0, 0.0), only=None):
    """Hand in a reading of every code of an unpacked bundle, or of the first few."""
    bundle = StudyFolder(folder)
    for item in read_worklist(bundle, rater)[:only]:
        scan = bundle.scan(*item.key)
        volume = read_map(scan.map)
        begun = new_reading(bundle, rater, volume, item.reading)
        shapes = placed(bundle, shift)
        record = begun.record
        submit_reading(bundle, scan, Reading(record, shapes, begun.chi_sha256), volume)


def test_a_bundle_names_nobody_and_is_read_as_any_study(study, tmp_path, capsys):
    out = tmp_path / "for-BB.zip"
    assert main(["study", "bundle", str(study.root), "--rater", "BB", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "4 scans for BB" in said.out
    assert "whether a face can be seen" in said.err
    text, members = everything(out)
    for secret in (*SECRETS, "ses-", "key.json", str(tmp_path).lower()):
        assert secret not in text, secret
    codes = {item.code for item in read_worklist(study, "BB")}
    assert {name.split("/")[0] for name in members if name.startswith("sub-")} == {
        f"sub-{code}" for code in codes
    }
    key = read_key(study)
    folder = opened_bundle(out, "BB")
    assert folder == tmp_path / "for-BB"
    bundle = StudyFolder(folder)
    assert [item.code for item in read_worklist(bundle, "BB")] == [
        item.code for item in read_worklist(study, "BB")
    ]
    for item in read_worklist(bundle, "BB"):
        assert (item.participant, item.session, item.reading) == (item.code, "", 1)
        scan = bundle.scan(*item.key)
        real = study.scan(*key[item.code].key)
        mine, theirs = nib.load(real.map), nib.load(scan.map)
        np.testing.assert_array_equal(theirs.get_fdata(), mine.get_fdata())
        np.testing.assert_array_equal(theirs.affine, mine.affine)
        for field in ("descrip", "aux_file", "db_name", "intent_name"):
            assert theirs.header[field].item() == b""
        assert not theirs.header.extensions
        assert read_map(scan.map).unit == "ppm"
        # The magnitude shows the brain and a rim of 3 mm (one voxel of 2 mm), nothing further out.
        seen = np.asarray(magnitude_beside(bundle, scan).data) > 0
        near = np.zeros(SHAPE, bool)
        near[7:33, 5:25, 1:11] = True
        assert seen.sum() > 24 * 18 * 8
        assert not (seen & ~near).any()
    assert bundle.protocol.frozen is not None
    assert not bundle.protocol.raters
    assert StudyFolder(study.root).protocol.frozen is not None
    # Opened again it is the same folder, with what was read in it.
    read_all(folder, only=1)
    assert opened_bundle(out) == folder
    assert [i.state for i in read_worklist(bundle, "BB")].count("submitted") == 1
    with pytest.raises(FileError, match="a bundle for BB, not for AA"):
        opened_bundle(out, "AA")
    with pytest.raises(FileError, match="a bundle for BB, not for AA"):
        read_worklist(bundle, "AA")
    for refused in (
        lambda: assign(bundle, "CC"),
        lambda: unblind(bundle, "curious"),
        lambda: make_bundle(bundle, "BB", tmp_path / "x.zip"),
    ):
        with pytest.raises(QsmError, match="is a bundle"):
            refused()


def test_maps_that_failed_or_are_gone_stay_here_and_faces_are_told(study, tmp_path):
    listed = read_worklist(study, "BB")
    once = [item for item in listed if item.reading == 1 and item.key != listed[0].key]
    failed, gone = study.scan(*once[0].key), study.scan(*once[1].key)
    add_rating(failed.folder, make_rating("fail", rater="Q"), prefix=failed.prefix)
    gone.map.unlink()
    out = tmp_path / "b.zip"
    done = make_bundle(StudyFolder(study.root), "BB", out, magnitude=False)
    left = [item.code for item in listed if item.key not in (once[0].key, once[1].key)]
    assert done.scans == len(left)
    assert any("no map any more" in note and once[1].code in note for note in done.notes)
    assert any("judged to fail" in note and once[0].code in note for note in done.notes)
    # These maps hold noise everywhere, beyond the brain too.
    assert any("whether a face can be seen" in note and left[0] in note for note in done.notes)
    sent = {name.split("/")[0][4:] for name in everything(out)[1] if name.startswith("sub-")}
    assert sent == set(left)


def test_readings_come_back_under_the_real_scans(study, tmp_path, capsys):
    out, back = tmp_path / "b.zip", tmp_path / "BB.zip"
    make_bundle(study, "BB", out)
    folder = opened_bundle(out)
    with pytest.raises(QsmError, match="Nothing in 'b' was handed in"):
        return_bundle(folder, back)
    read_all(folder, only=3)
    assert main(["study", "return", str(folder), "--out", str(back)]) == 0
    said = capsys.readouterr()
    assert "3 readings of BB" in said.out
    assert "1 scans are not handed in yet (0 of them begun)" in said.err
    text, members = everything(back)
    assert not any(name.endswith(("Chimap.nii", "mask.nii")) for name in members)
    assert not any(secret in text for secret in SECRETS)
    root = str(study.root)
    assert main(["study", "merge", root, str(back)]) == 0
    assert "3 readings of BB joined the study" in capsys.readouterr().out
    key = read_key(study)
    listed = read_worklist(study, "BB")
    assert [item.state for item in listed] == ["submitted"] * 3 + ["waiting"]
    for item in listed[:3]:
        scan = study.scan(*key[item.code].key)
        kept = read_shapes(scan.shapes("BB", item.reading))
        sent = read_shapes(StudyFolder(folder).scan(item.code).shapes("BB"))
        assert kept.shapes == sent.shapes
        assert kept.map_name == f"{scan.stem}_Chimap"
        assert kept.reading["protocol_sha256"] == StudyFolder(root).protocol.sha256
        burnt = np.asanyarray(nib.load(scan.dseg("BB", item.reading)).dataobj)
        assert np.count_nonzero(burnt) == sum(kept.counts.values())
    # The same once more adds nothing; the rest comes when it is read.
    before = study.log_file.read_bytes()
    with pytest.raises(QsmError, match=r"All 3 readings in 'BB\.zip' were merged before"):
        merge_bundle(StudyFolder(root), back)
    assert study.log_file.read_bytes() == before
    bundle = StudyFolder(folder)
    first = read_worklist(bundle, "BB")[0]
    scan = bundle.scan(*first.key)
    volume = read_map(scan.map)
    old = read_reading(scan.shapes("BB"))
    moved = Reading(old.record, placed(bundle, (4.0, 0.0, 0.0)), old.chi_sha256)
    amend_reading(bundle, scan, moved, volume, "wrong slice")
    last = read_worklist(bundle, "BB")[3]
    scan, volume = bundle.scan(*last.key), read_map(bundle.scan(*last.key).map)
    begun = new_reading(bundle, "BB", volume)
    submit_reading(bundle, scan, Reading(begun.record, placed(bundle), begun.chi_sha256), volume)
    return_bundle(folder, back, overwrite=True)
    assert main(["study", "merge", root, str(back)]) == 0
    said = capsys.readouterr()
    assert "1 readings of BB and 1 amended ones joined" in said.out
    assert "2 readings were merged before" in said.err
    again = StudyFolder(root)
    real = again.scan(*key[first.code].key)
    reading = read_reading(real.shapes("BB", key[first.code].reading))
    assert reading.record.amended == ("wrong slice",)
    kept = (
        again.reading
        / "amended"
        / real.shapes("BB", key[first.code].reading).name.replace("_shapes", "_1_shapes")
    )
    assert read_shapes(kept).shapes[0].centre_mm == old.shapes[0].centre_mm
    events = [event["event"] for event in read_events(again.root)]
    assert events.count("reading submitted") == 4
    assert events.count("bundle merged") == 2
    # From here on it is as if it had been read here.
    row = next(r for r in status_of(again) if r.key == key[last.code].key)
    assert "submitted" in row.raters.values()


def test_agreement_follows(tmp_path, capsys):
    study = a_study(tmp_path, visits=[*VISITS[:2], ("Meier", "month3"), VISITS[2]])
    assign(study, "BB", seed=5)
    out, back = tmp_path / "b.zip", tmp_path / "BB.zip"
    make_bundle(study, "BB", out)
    read_all(opened_bundle(out), shift=(2.0, 0.0, 0.0))
    return_bundle(out, back)
    merge_bundle(study, back)
    assert main(["study", "collect", str(study.root)]) == 0
    long = pd.read_csv(study.group / "roi_long.tsv", sep="\t")
    assert set(long.groupby("rater").size()) == {16}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["study", "agree", str(study.root), "--no-figures"]) == 0
    table = pd.read_csv(study.group / "agreement.tsv", sep="\t").set_index(["region", "measure"])
    # BB lies 2 mm, one voxel, beside AA.
    assert table.loc[("Caudate", "distance_mm"), "value"] == pytest.approx(2.0)
    assert table.loc[("Caudate", "dice"), "n"] == 3  # the plan leaves Huber out
    capsys.readouterr()


def test_carried_shapes_keep_one_persons_scans_together_and_nothing_else(tmp_path):
    study = a_study(tmp_path, "carried", readings=())
    turn = np.eye(4)
    turn[:3, 3] = (1.0, -2.0, 3.0)
    write_transform(study, Transform("Meier", "week6", "baseline", turn, inputs={"Meier.nii": "x"}))
    items, _ = assign(study, "BB", seed=5)
    code = {item.key: item.code for item in items}
    first, later = code["Meier", "baseline"], code["Meier", "week6"]
    scan = study.scan("Meier", "week6")
    sha = hashlib.sha256(scan.map.read_bytes()).hexdigest()
    shapes = placed(study)
    write_suggestions(
        scan,
        Suggestions(
            common=Places("carried from ses-baseline: atlas", shapes[:2]),
            raters={
                "AA": Places("carried from ses-baseline: reading of AA", shapes[2:3]),
                "BB": Places("learned from the readings of BB", shapes[3:]),
            },
            notes=("sub-Meier turned",),
            map_sha256=sha,
        ),
        read_map(scan.map),
    )
    out = tmp_path / "b.zip"
    done = make_bundle(study, "BB", out, magnitude=False)
    assert done.together == 1
    assert any("cannot be carried" in note for note in done.notes)  # Huber is not registered
    text, _ = everything(out)
    assert not any(secret in text for secret in SECRETS)
    assert "reading of aa" not in text
    bundle = StudyFolder(opened_bundle(out))
    by_code = {item.code: item for item in read_worklist(bundle, "BB")}
    assert by_code[later].key == (first, later)
    assert by_code[first].key == (first, first)
    for person in ("baseline", "week6"):
        alone = code["Huber", person]
        assert by_code[alone].key == (alone, "")
    assert visits_of(bundle)[first] == [first, later]
    np.testing.assert_allclose(
        points_between(bundle, first, first, later), np.linalg.inv(turn), atol=1e-9
    )
    places = read_suggestions(bundle.scan(first, later).suggestion()).of("BB")
    assert {s.id for s in places.shapes} == {s.id for s in (*shapes[:2], *shapes[3:])}
    read_all(bundle.root)
    back = tmp_path / "BB.zip"
    return_bundle(bundle.root, back)
    assert len(merge_bundle(study, back).new) == 4
    assert read_shapes(scan.shapes("BB")).shapes


def test_what_was_read_here_of_a_first_visit_is_carried_there(tmp_path):
    study = a_study(tmp_path, "carried", readings=())
    turn = np.eye(4)
    turn[:3, 3] = (2.0, -2.0, 4.0)  # points of week6 to points of baseline
    write_transform(study, Transform("Meier", "week6", "baseline", turn))
    items, _ = assign(study, "BB", seed=5)
    code = {item.key: item.code for item in items}
    first = study.scan("Meier", "baseline")
    volume = read_map(first.map)
    begun = new_reading(study, "BB", volume)
    shapes = placed(study)
    submit_reading(study, first, Reading(begun.record, shapes, begun.chi_sha256), volume)
    out = tmp_path / "b.zip"
    assert make_bundle(study, "BB", out, magnitude=False).together == 0
    bundle = StudyFolder(opened_bundle(out))
    assert code["Meier", "baseline"] not in {item.code for item in read_worklist(bundle, "BB")}
    places = read_suggestions(bundle.scan(code["Meier", "week6"]).suggestion()).of("BB")
    assert "reading of BB" in places.source
    for there, here in zip(places.shapes, shapes, strict=True):
        # Snapped to the voxels of 2 mm on both sides, of which the head moved by whole ones.
        moved = np.subtract(snap(here, volume).centre_mm, (2.0, -2.0, 4.0))
        assert there.centre_mm == pytest.approx(moved)


def test_what_does_not_fit_is_refused_and_nothing_is_written(study, tmp_path):
    out, back = tmp_path / "b.zip", tmp_path / "BB.zip"
    make_bundle(study, "BB", out)
    with pytest.raises(FileError, match="exists already"):
        make_bundle(study, "BB", out)
    folder = opened_bundle(out)
    read_all(folder)
    return_bundle(folder, back)

    def refused(match, target=study, path=back):
        before = {p: p.read_bytes() for p in sorted(target.root.rglob("*")) if p.is_file()}
        with pytest.raises(QsmError, match=match):
            merge_bundle(StudyFolder(target.root), path)
        assert {p: p.read_bytes() for p in sorted(target.root.rglob("*")) if p.is_file()} == before

    other = make_cohort(tmp_path / "other", VISITS[:1], readings=())
    refused("not made from 'other'; it belongs to another study", other)
    refused("'study' is no bundle", study, study.root)
    scan = study.scan(*next(iter(read_key(study).values())).key)
    good = scan.map.read_bytes()
    nib.save(nib.Nifti1Image(values(99), AFFINE), scan.map)
    refused(rf"The maps of {scan.name} have changed since")
    scan.map.write_bytes(good)
    text = study.protocol_file.read_text()
    study.protocol_file.write_text(text.replace("size_mm: 4", "size_mm: 5"))
    refused("changed after it was frozen")
    kept = study.protocol_file.read_bytes()
    amend(study.protocol_file, "larger")
    refused("was amended since the bundle was made")
    study.protocol_file.write_bytes(kept)
    study.protocol_file.write_text(text)
    # A reading that was made here meanwhile is not replaced.
    item = read_worklist(study, "BB")[1]
    at = study.scan(*item.key)
    mine = new_reading(study, "BB", read_map(at.map), item.reading)
    submit_reading(
        study, at, Reading(mine.record, placed(study), mine.chi_sha256), read_map(at.map)
    )
    refused("of two readings of one code only one can count")
    # At the rater's: a map or the protocol that was changed.
    with pytest.raises(FileError, match="There is no"):
        return_bundle(tmp_path / "none.zip", tmp_path / "y.zip")
    code = read_worklist(study, "BB")[0].code
    coded = StudyFolder(folder).scan(code)
    nib.save(nib.Nifti1Image(values(5), AFFINE), coded.map)
    with pytest.raises(FileError, match=f"The map of {code} in 'b' was changed"):
        return_bundle(folder, tmp_path / "y.zip")
    assert not (tmp_path / "y.zip").exists()


def test_a_protocol_that_names_somebody_is_not_sent(tmp_path):
    protocol = tmp_path / "p.yaml"
    protocol.write_text("note: as in sub-Meier\n" + PROTOCOL.format(placement="independent"))
    study = make_cohort(tmp_path / "s", VISITS[:2], readings=(), protocol=protocol)
    assign(study, "BB", seed=1)
    with pytest.raises(QsmError, match="names sub-Meier"):
        make_bundle(study, "BB", tmp_path / "b.zip")
    assert not list(tmp_path.glob("*.zip"))
    assert study.protocol.frozen is None
    assert StudyFolder(study.root).protocol.frozen is None


def test_archives_that_were_made_to_harm_are_refused(study, tmp_path):
    out = tmp_path / "b.zip"
    make_bundle(study, "BB", out, magnitude=False)
    _, members = everything(out)

    def packed(name, extra, **changes):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in {**members, **changes}.items():
                archive.writestr(member, content)
            for info, content in extra:
                archive.writestr(info, content)
        return path

    link = zipfile.ZipInfo("README.txt.")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for number, extra in enumerate(
        ("../evil", "/evil", "C:/evil", "a\\..\\evil", "sub-K7Q2/../../evil", "run.exe", link)
    ):
        path = packed(f"x{number}.zip", [(extra, b"x")])
        with pytest.raises(FileError, match="does not belong there; nothing was unpacked"):
            opened_bundle(path)
        assert not path.with_suffix("").exists()
    with pytest.warns(UserWarning, match="Duplicate"):
        path = packed("twice.zip", [("README.txt", b"x")])
    with pytest.raises(FileError, match="two files of one name"):
        opened_bundle(path)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(out.read_bytes()[:-200])
    with pytest.raises(FileError, match="no zip archive"):
        opened_bundle(cut)
    damaged = bytearray(out.read_bytes())
    with zipfile.ZipFile(out) as archive:
        large = max(archive.infolist(), key=lambda info: info.compress_size)
    damaged[large.header_offset + 200] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(damaged)
    with pytest.raises(FileError, match="is damaged"):
        opened_bundle(tmp_path / "damaged.zip")
    assert not (tmp_path / "damaged").exists()
    # A returned archive that says it holds far more than readings can.
    bomb = bytearray(packed("bomb.zip", []).read_bytes())
    where = bomb.rindex(b"PK\x01\x02")
    bomb[where + 24 : where + 28] = (2**31).to_bytes(4, "little")
    (tmp_path / "bomb.zip").write_bytes(bomb)
    with pytest.raises(FileError, match="would unpack to"):
        merge_bundle(study, tmp_path / "bomb.zip")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(FileError, match="holds something else than the bundle"):
        opened_bundle(out)
    with pytest.raises(FileError, match="no zip archive"):
        opened_bundle(tmp_path / "p.yaml")
