"""A session saved into a folder and read back."""

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.label_table import Region, read_label_table
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.scan import Scan
from napari_qsm.session import Case, Session, locks
from napari_qsm.session.folder import ChangedOnDisk, save_session
from napari_qsm.session.locks import locked
from napari_qsm.session.store import read_session
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import source_of_scan
from napari_qsm.volume import Volume
from tests.viewer.conftest import ORDERS, SHAPE, code_of, ramp, stored_in

PUTAMEN = Region(3, "Putamen R", "right", "#ff8800", "Put", visible=False, locked=True)


def file_of(folder, name="chi", order=ORDERS[0]):
    path = folder / f"{name}.nii.gz"
    write_volume(stored_in(ramp(name=name), order), path)
    return path


def drawn(chi, name="regions"):
    values = np.zeros(SHAPE, np.uint16)
    values[3:7, 5:9, 4:8] = 3
    return chi.volume.with_data(values, name=name, unit="")


def work(folder, order=ORDERS[0], copies=False):
    """Return a session on a map file, with everything a person can make."""
    session = Session()
    chi = session.add(
        read_volume(file_of(folder, order=order), unit="ppm"), case=session.case_called("one")
    )
    labels = session.add(
        drawn(chi), role="labels", regions={3: PUTAMEN}, case=session.case_called("one")
    )
    session.set_display(chi, colouring="inverted", window=(-0.05, 0.15), threshold_low=0.01)
    session.case.update(
        {
            "shapes": (FixedShape(kind="circle", size_mm=(6.0,), slices=3, side="left"),),
            "annotations": (
                Annotation(kind="text", plane="axial", at_mm=(1.0, 2.0, 3.0), text="Σ “x”"),
            ),
            "midline_mm": 0.75,
            "participant": "01",
            "visit": "t0",
            "labels_used": {chi.id: labels.id},
        }
    )
    session.update(
        {
            "figure": FigureSpec(columns=3, caption="draft"),
            "notes": "seen twice – größer\nnext line",
            "crosshair_mm": (1.5, -2.0, 3.25),
            "unit": "ppb",
            "radiological": False,
            "layout": "one",
            "large_plane": "coronal",
            "blinded": True,
            "painted": labels.id,
            "active_region": 3,
            "compared": (chi.id,),
        }
    )
    return session


def again(folder):
    saved = read_session(folder)
    session = Session()
    problems = saved.problems + saved.into(session)
    return session, problems


def everything(session):
    """Return all that must come back, as plain values."""
    fields = set(type(session).model_fields) - {"maps", "study"}
    maps = [
        (
            {
                n: getattr(e, n)
                for n in ("id", "name", "role", "regions", "case", "linked", "rater")
            },
            e.display.model_dump(),
            e.volume.unit,
            e.volume.to_stored().data.tolist(),
            e.volume.to_stored().affine.tolist(),
        )
        for e in session
    ]
    of_case = set(Case.model_fields) - {"scan", "reconstruction"}
    cases = [{name: getattr(case, name) for name in of_case} for case in session.cases]
    return {name: getattr(session, name) for name in fields}, cases, maps


@pytest.mark.parametrize("copies", [False, True])
def test_everything_comes_back(tmp_path, copies):
    session = work(tmp_path)
    save_session(session, tmp_path / "work", copy_scans=copies)
    back, problems = again(tmp_path / "work")
    assert problems == []
    assert everything(back) == everything(session)
    assert (tmp_path / "work" / "chi.nii.gz").exists() == copies
    text = (tmp_path / "work" / "session.json").read_text(encoding="utf-8")
    assert "größer" in text and text.count("\n") > 50  # for people too


def test_the_scan_comes_back_and_its_images_are_kept_once(tmp_path):
    phase = read_volume(file_of(tmp_path, "phase"), unit="rad")
    magnitude = read_volume(file_of(tmp_path, "mag"))
    session = Session()
    session.case.scan = Scan((phase,), (0.021,), 3.0, (magnitude,), metadata={"Manufacturer": "GE"})
    session.add(magnitude, role="magnitude")
    save_session(session, tmp_path / "work", copy_scans=True)
    back, problems = again(tmp_path / "work")
    assert problems == []
    assert back.case.scan.echo_times_s == (0.021,) and back.case.scan.field_strength_t == 3.0
    assert back.case.scan.metadata == {"Manufacturer": "GE"}
    np.testing.assert_array_equal(back.case.scan.phase[0].data, phase.data)
    assert back.case.scan.phase[0].unit == "rad"
    images = sorted(p.name for p in (tmp_path / "work").glob("*.nii.gz"))
    assert images == ["mag.nii.gz", "scan_phase_1.nii.gz"]


def test_the_reconstruction_comes_back_with_what_was_typed_in(tmp_path):
    phase = read_volume(file_of(tmp_path, "phase"), unit="rad")
    session = Session()
    session.case_called("patient").scan = Scan((phase,), (0.021,), 3.0)
    session.add(phase, role="phase", case=session.case_called("patient"))
    made = session.add(ramp(name="χ made"), case=session.case_called("patient"))
    made.provenance = {"recipe": {"name": "consensus"}, "software": "x"}
    session.case.reconstruction = Reconstruction("consensus")
    session.case.reconstruction.use_scan(source_of_scan(session.case.scan, "patient"))
    session.case.reconstruction.set_facts(echo_times_s=(0.0205,), field_strength_t=2.89)
    save_session(session, tmp_path / "work")
    assert load_recipe(tmp_path / "work" / "recipe.yaml").name == "consensus"
    back, problems = again(tmp_path / "work")
    assert problems == []
    assert (
        back.case.reconstruction.recipe().to_dict()
        == session.case.reconstruction.recipe().to_dict()
    )
    assert back.case.reconstruction.facts == session.case.reconstruction.facts
    assert back.entry("χ made").provenance == made.provenance


def test_one_echo_of_a_file_is_kept_as_that(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(np.float32)
    write_volume(Volume(values, np.eye(4)), tmp_path / "four.nii.gz")
    session = Session()
    four = read_volume(tmp_path / "four.nii.gz")
    session.add(four.echo(2), name="third")
    session.add(four, name="all").echo = 1
    save_session(session, tmp_path / "work")
    back, problems = again(tmp_path / "work")
    assert problems == [] and not list((tmp_path / "work").glob("*.nii.gz"))
    np.testing.assert_array_equal(back.entry("third").volume.data, values[..., 2])
    np.testing.assert_array_equal(back.entry("all").shown.data, values[..., 1])


def test_a_map_that_was_converted_while_it_was_read_is_copied(tmp_path):
    volume = read_volume(file_of(tmp_path), unit="ppm")
    from dataclasses import replace

    session = Session()
    session.add(replace(volume, data=volume.data * 2))
    save_session(session, tmp_path / "work")
    np.testing.assert_array_equal(
        read_volume(tmp_path / "work" / "chi.nii.gz").data, volume.data * 2
    )


@pytest.mark.parametrize("order", ORDERS[::7], ids=code_of)
def test_regions_are_saved_as_the_maps_file_lies(tmp_path, order):
    session = work(tmp_path, order)
    save_session(session, tmp_path / "work")
    source, saved = (
        read_volume(p) for p in (tmp_path / "chi.nii.gz", tmp_path / "work" / "regions.nii.gz")
    )
    assert saved.shape == source.shape and saved.data.dtype == np.uint8
    np.testing.assert_array_equal(saved.affine, source.affine)
    expected = np.zeros(SHAPE, bool)
    expected[3:7, 5:9, 4:8] = True
    np.testing.assert_array_equal(saved.to_canonical().data == 3, expected)
    table = read_label_table(tmp_path / "work" / "regions.txt")
    assert [(row.index, row.name) for row in table] == [(3, "Putamen R")]


def test_a_folder_that_moves_with_its_maps_finds_them(tmp_path):
    (tmp_path / "study").mkdir()
    save_session(work(tmp_path / "study"), tmp_path / "study" / "work")
    shutil.move(tmp_path / "study", tmp_path / "elsewhere")
    back, problems = again(tmp_path / "elsewhere" / "work")
    assert problems == [] and back.entry("chi") is not None


def texts_in(value):
    """Return all texts in a JSON value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts_in(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts_in(each)]
    return [value] if isinstance(value, str) else []


def test_no_path_from_the_root_is_kept(tmp_path):
    home = tmp_path / "Mueller_Hans" / "study"
    (home / "maps").mkdir(parents=True)
    session = work(home / "maps")
    session.case.folders = (home / "maps",)
    save_session(session, home / "work")
    content = json.loads((home / "work" / "session.json").read_text(encoding="utf-8"))
    assert not [t for t in texts_in(content) if "Mueller" in t or str(tmp_path) in t]
    assert "../maps/chi.nii.gz" in texts_in(content) and "../maps" in texts_in(content)
    back, problems = again(home / "work")
    assert problems == [] and back.case.folders == (home / "maps",)


def test_a_folder_behind_a_link_finds_its_maps(tmp_path):
    (tmp_path / "deep" / "down").mkdir(parents=True)
    try:
        (tmp_path / "link").symlink_to(tmp_path / "deep" / "down", target_is_directory=True)
    except OSError:
        pytest.skip("no rights to make links")
    save_session(work(tmp_path), tmp_path / "link" / "work")
    for folder in (tmp_path / "link" / "work", tmp_path / "deep" / "down" / "work"):
        back, problems = again(folder)
        assert problems == [] and back.entry("chi") is not None


SAVER = """
import sys, pathlib
from napari_qsm.session import Session
from napari_qsm.session import folder as module
from napari_qsm.session.folder import ChangedOnDisk, save_session
from napari_qsm.session.store import read_session
place, name, ready = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
session = Session()
if place.exists():
    read_session(place).into(session)
session.notes = name
(ready / name).touch()
while len(list(ready.iterdir())) < 2:
    pass
try:
    save_session(session, place)
    print("saved")
except ChangedOnDisk:
    print("asked")
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_two_programs_that_save_at_the_same_moment(tmp_path, is_new):
    place = tmp_path / "work"
    for turn in range(3):
        if is_new:
            shutil.rmtree(place, ignore_errors=True)
        elif turn == 0:
            save_session(work(tmp_path), place)
        ready = tmp_path / f"ready-{turn}"
        ready.mkdir()
        both = [
            subprocess.Popen(
                [sys.executable, "-c", SAVER, str(place), name, str(ready)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        ]
        said = {
            name: each.communicate(timeout=120)[0].strip()
            for name, each in zip(("one", "two"), both, strict=True)
        }
        assert sorted(said.values()) == ["asked", "saved"]
        content = json.loads((place / "session.json").read_text(encoding="utf-8"))
        assert said[content["session"]["notes"]] == "saved"
        assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_whoever_holds_the_lock_too_long_is_told_of(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(FileError, match="by another window"),
        locked(tmp_path, wait_s=0.0),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_missing_and_changed_maps_are_told_and_the_rest_opens(tmp_path):
    session = work(tmp_path)
    save_session(session, tmp_path / "work")
    (tmp_path / "chi.nii.gz").rename(tmp_path / "moved.nii.gz")
    saved = read_session(tmp_path / "work")
    assert [each.file_name for each in saved.missing] == ["chi.nii.gz"]
    back = Session()
    assert "'chi.nii.gz' was not found" in saved.into(back)[0]
    assert back.entry("regions") is not None and len(back.case.shapes) == 1
    saved = read_session(tmp_path / "work")
    assert saved.missing[0].read_from(tmp_path / "moved.nii.gz") == ""
    back = Session()
    assert saved.into(back) == [] and back.entry("chi").volume.unit == "ppm"
    write_volume(ramp().with_data(ramp().data + 1), tmp_path / "chi.nii.gz")
    back, problems = again(tmp_path / "work")
    assert "'chi.nii.gz' has changed" in problems[0] and back.entry("chi") is not None


def test_somebody_elses_changes_are_not_overwritten_unasked(tmp_path):
    session = work(tmp_path)
    save_session(session, tmp_path / "work")
    save_session(session, tmp_path / "work")  # its own files: no question
    labels = tmp_path / "work" / "regions.nii.gz"
    theirs = read_volume(labels)
    write_volume(theirs.with_data(np.where(theirs.data == 3, 9, 0).astype(np.uint8)), labels)
    with pytest.raises(ChangedOnDisk, match=r"changed 'regions\.nii\.gz'") as told:
        save_session(session, tmp_path / "work")
    assert told.value.files == ("regions.nii.gz",)
    assert (read_volume(labels).data == 9).any()
    save_session(session, tmp_path / "work", overwrite=True)
    assert (read_volume(labels).data == 3).any()
    assert (read_volume(tmp_path / "work" / "previous" / "regions.nii.gz").data == 9).any()


def test_two_windows_on_one_folder_notice_each_other(tmp_path):
    save_session(work(tmp_path), tmp_path / "work")
    first, second = again(tmp_path / "work")[0], again(tmp_path / "work")[0]
    first.notes = "mine"
    save_session(first, tmp_path / "work")
    with pytest.raises(ChangedOnDisk):
        save_session(second, tmp_path / "work")
    with pytest.raises(ChangedOnDisk, match="another session"):
        save_session(Session(), tmp_path / "work")


def test_a_program_that_only_touches_a_file_does_not_count(tmp_path):
    session = work(tmp_path)
    save_session(session, tmp_path / "work")
    os.utime(tmp_path / "work" / "regions.nii.gz", (1, 1))
    save_session(session, tmp_path / "work")


def test_the_version_before_stays_and_opens(tmp_path):
    session = work(tmp_path)
    save_session(session, tmp_path / "work", copy_scans=True)
    before = everything(session)
    session.edit_labels(session.entry("regions"), np.arange(50), 4)
    session.remove(session.entry("chi"))
    save_session(session, tmp_path / "work")
    assert not (tmp_path / "work" / "chi.nii.gz").exists()
    back, problems = again(tmp_path / "work" / "previous")
    assert problems == [] and everything(back)[1] == before[1]


def test_computed_maps_are_not_written_again(tmp_path):
    session = Session()
    session.add(ramp(name="computed"))
    save_session(session, tmp_path / "work")
    path = tmp_path / "work" / "computed.nii.gz"
    first = path.stat()
    session.notes = "more"
    save_session(session, tmp_path / "work")
    assert path.stat().st_ino == first.st_ino and path.stat().st_mtime_ns == first.st_mtime_ns


def test_saving_writes_only_what_has_changed(tmp_path):
    session = work(tmp_path)
    session.add(ramp(name="computed"))
    folder = tmp_path / "work"
    for note in ("a", "b"):
        session.notes = note
        save_session(session, folder)
    places = [folder / "regions.nii.gz", folder / "regions.txt"]
    previous = [folder / "previous" / name for name in ("regions.nii.gz", "computed.nii.gz")]
    first = [path.stat().st_ino for path in (*places, *previous)]
    session.notes = "c"
    save_session(session, folder)
    assert [path.stat().st_ino for path in (*places, *previous)] == first
    # What was drawn, renamed or written by somebody else is written again.
    session.edit_labels(session.entry("regions"), np.arange(50), 4)
    save_session(session, folder)
    assert places[0].stat().st_ino != first[0]
    held = read_volume(places[0]).to_canonical().data
    assert (held.ravel(order="F")[:50] == 4).all()
    entry = session.entry("regions")
    label = min(entry.regions)
    entry.regions = {**entry.regions, label: replace(entry.regions[label], name="Renamed")}
    save_session(session, folder)
    assert "Renamed" in places[1].read_text(encoding="utf-8")
    # So is a session that was opened again.
    places.append(folder / "computed.nii.gz")
    first = [path.stat().st_ino for path in places]
    back, problems = again(folder)
    assert problems == [] and everything(back) == everything(session)
    save_session(back, folder)
    assert [path.stat().st_ino for path in places] == first
    last, problems = again(folder)
    assert problems == [] and everything(last) == everything(session)
    back.edit_labels(back.entry("regions"), np.arange(80), 4)
    places[2].unlink()
    save_session(back, folder)
    last, problems = again(folder)
    assert problems == [] and everything(last) == everything(back)


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("number", range(3))
def test_a_save_that_fails_leaves_the_folder_as_it_was(tmp_path, monkeypatch, number):
    session = work(tmp_path)
    save_session(session, tmp_path / "work")
    before = contents(tmp_path / "work")
    session.edit_labels(session.entry("regions"), np.arange(500), 4)
    session.notes = "later"
    real, calls = os.replace, []

    def failing(source, target):
        if Path(target).parent == tmp_path / "work":
            calls.append(target)
            if len(calls) > number:
                raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(FileError, match="No space left"):
        save_session(session, tmp_path / "work")
    monkeypatch.undo()
    assert contents(tmp_path / "work") == before
    assert sorted(p.name for p in (tmp_path / "work").iterdir() if p.is_dir()) == []
    save_session(session, tmp_path / "work")
    assert again(tmp_path / "work")[0].notes == "later"


def test_a_full_disk_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(volume, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_qsm.session.folder.write_volume", full)
    session = Session()
    session.add(ramp())
    with pytest.raises(FileError, match="No space left"):
        save_session(session, tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_a_session_of_the_first_format_opens(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    file_of(folder)
    display = {
        "colouring": "grey",
        "colormap": "magma",
        "window": [-0.1, 0.2],
        "threshold_low": None,
        "threshold_high": None,
        "opacity": 1.0,
        "visible": True,
    }
    item = {
        "file": "chi.nii.gz",
        "name": "χ",
        "role": "map",
        "unit": "ppm",
        "group": "",
        "linked": True,
        "display": display,
        "regions": [],
    }
    settings = {
        "crosshair_mm": [1.0, 2.0, 3.0],
        "crosshair_visible": True,
        "unit": "ppb",
        "radiological": False,
        "views_linked": True,
        "windows_linked": False,
        "large_plane": "sagittal",
    }
    text = json.dumps({"format": 1, "settings": settings, "maps": [item]})
    (folder / "session.json").write_text(text)
    back, problems = again(folder)
    assert problems == []
    assert (back.unit, back.large_plane, back.radiological) == ("ppb", "sagittal", False)
    np.testing.assert_array_equal(back.entry("χ").volume.data, ramp().data)
    save_session(back, folder)
    assert json.loads((folder / "session.json").read_text())["format"] == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 99}', "newer version"),
        ("{", "not a readable session"),
        ("[]", "not a readable session"),
        ('{"format": 2, "maps": [{"name": 1}]}', "not a readable session"),
        ('{"format": 3, "session": {}, "maps": []}', "not a readable session"),
    ],
)
def test_damaged_and_newer_sessions_are_refused_in_words(tmp_path, text, words):
    (tmp_path / "session.json").write_text(text)
    with pytest.raises(FileError, match=words):
        read_session(tmp_path)


def test_odd_names_become_files(tmp_path):
    session = Session()
    for name in ("χ: a/b", "con", 'q"uote\t', "   ", "previous", "CHI_a_b"):
        session.add(ramp(name=name), name=name)
    save_session(session, tmp_path / "work")
    back, problems = again(tmp_path / "work")
    assert problems == [] and [e.name for e in back] == [e.name for e in session]
    assert len({p.name.lower() for p in (tmp_path / "work").glob("*.nii.gz")}) == 6


def test_opening_into_other_work_replaces_nothing_drawn(tmp_path):
    save_session(work(tmp_path), tmp_path / "work")
    session = Session(notes="mine")
    mine = session.case
    mine.midline_mm = 2.0
    mine.shapes = (FixedShape(kind="sphere", size_mm=(4.0,)),)
    session.add(ramp(name="other"))
    saved = read_session(tmp_path / "work")
    assert saved.into(session) == []
    assert session.case is not mine  # another patient's, beside the one that was open
    assert [[s.kind for s in case.shapes] for case in session.cases] == [["sphere"], ["circle"]]
    assert [case.midline_mm for case in session.cases] == [2.0, 0.75]
    assert session.notes.startswith("mine\nseen twice")


def test_no_text_of_a_header_gets_into_the_folder(tmp_path):
    path = file_of(tmp_path)
    import nibabel as nib

    image = nib.load(path)
    image.header["descrip"] = b"DOE^JANE"
    image.header["db_name"] = b"DOE^JANE"
    nib.save(image, path)
    session = Session()
    chi = session.add(read_volume(path, unit="ppm"))
    session.add(drawn(chi), role="labels", regions={3: PUTAMEN})
    save_session(session, tmp_path / "work", copy_scans=True)
    for file in (tmp_path / "work").glob("*.nii.gz"):
        header = nib.load(file).header
        assert b"DOE" not in header.binaryblock
    assert "DOE" not in (tmp_path / "work" / "session.json").read_text()


@pytest.mark.parametrize("first_time", [True, False])
def test_two_that_save_at_the_same_moment_do_not_replace_each_other(
    tmp_path, monkeypatch, first_time
):
    import napari_qsm.session.folder as module

    folder = tmp_path / "session"
    mine = work(tmp_path)
    if first_time:
        other = Session()
    else:
        save_session(mine, folder)
        other = again(folder)[0]
        other.notes = "theirs"
    real = module.write_text

    def write_text(target, text):
        monkeypatch.setattr(module, "write_text", real)
        save_session(other, folder, overwrite=True)  # while mine is being written
        real(target, text)

    monkeypatch.setattr(module, "write_text", write_text)
    with pytest.raises(ChangedOnDisk):
        save_session(mine, folder)
    assert not list(folder.glob(".writing-*"))
    said = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    assert bool(said["maps"]) != first_time  # theirs


def test_a_folder_without_a_session_is_not_called_damaged(tmp_path):
    with pytest.raises(FileError, match=r"Cannot read .*No such file"):
        read_session(tmp_path)


def test_a_disk_without_locks_is_not_called_in_use(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", refuse)
    with pytest.raises(FileError, match="cannot be locked: No locks available"):
        locks.FolderLock(tmp_path)
    save_session(work(tmp_path), tmp_path / "work")  # the check of stamps is still there
    with pytest.raises(ChangedOnDisk):
        save_session(Session(), tmp_path / "work")
