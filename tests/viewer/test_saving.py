"""Saving, files of regions and recovery, as a person does them in the window."""

import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog, QLineEdit, QWidget

from napari_qsm.io.label_table import Region, read_label_table
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.session.opening import load
from napari_qsm.viewer.commands import COMMANDS
from napari_qsm.viewer.regions.files import FORMATS
from tests.viewer.actions import Answers, child, press
from tests.viewer.conftest import ORDERS, SHAPE, ramp, settle, stored_in

pytestmark = pytest.mark.window
ROOT = Path(__file__).resolve().parents[2]
PUTAMEN = Region(2, "Putamen L", "left", "#3388ff")


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        settle(1)
        time.sleep(0.005)
    settle()


@pytest.fixture
def clean(workspace):
    """Return the module's workspace with nothing saved or unsaved."""

    def forget():
        for entry in list(workspace.session):
            workspace.session.remove(entry)
        workspace.session._saved = None
        workspace.saving.unsaved.saved()
        workspace.saving.autosave.forget()
        settle()

    forget()
    yield workspace
    forget()


def idle(workspace):
    wait_for(lambda: not workspace.central.jobs.busy)


def map_file(folder, order=ORDERS[0], name="chi"):
    path = folder / f"{name}.nii.gz"
    write_volume(stored_in(ramp(name=name), order), path)
    return path


def with_regions(workspace, folder, order=ORDERS[0]):
    """Open a map file, and an empty label map on its grid."""
    workspace.show_loaded(load([map_file(folder, order)]))
    chi = workspace.session.entry("chi")
    values = np.zeros(SHAPE, np.uint16)
    values[2:5, 3:6, 4:7] = 1
    labels = workspace.session.add(
        chi.volume.with_data(values, name="regions", unit=""),
        role="labels",
        regions={1: Region(1, "Putamen R", "right", "#ff8800"), 2: PUTAMEN},
    )
    settle()
    return labels


def test_what_is_unsaved_is_shown_until_it_is_saved(clean, tmp_path):
    workspace = clean
    labels = with_regions(workspace, tmp_path)
    state = child(workspace, "qsm.data.state")
    assert state.isHidden()
    workspace.session.edit_labels(labels, np.arange(40), 2)
    settle()
    assert "Regions changed since the last save" in state.text() and not state.isHidden()
    folder = tmp_path / "work"
    dialog = Answers(
        "qsm.save.save",
        before=lambda d: d.findChild(QLineEdit, "qsm.save.folder").setText(str(folder)),
    )
    press(workspace, "qsm.data.save")
    idle(workspace)
    dialog.done()
    assert state.text() == "Saved in 'work'"
    assert (read_volume(folder / "regions.nii.gz").data == 2).sum() == 40
    assert not (folder / "chi.nii.gz").exists()
    assert workspace.saving.autosave.folder is None  # nothing to recover any more
    workspace.session.edit_labels(labels, np.arange(50), 2)
    press(workspace, "qsm.data.save")  # it knows the folder now
    idle(workspace)
    assert (read_volume(folder / "regions.nii.gz").data == 2).sum() == 50
    assert (read_volume(folder / "previous" / "regions.nii.gz").data == 2).sum() == 40


def test_removing_drawn_regions_asks_and_can_be_undone(clean, tmp_path):
    workspace = clean
    session = workspace.session
    labels = with_regions(workspace, tmp_path)
    session.edit_labels(labels, np.arange(40), 2)
    values = labels.labels.copy()
    session.selected = labels.id
    settle()
    answers = Answers("qsm.remove.keep")
    press(workspace, "qsm.data.remove")
    answers.done()
    assert session.entry("regions") is labels
    answers = Answers("qsm.remove.remove")
    press(workspace, "qsm.data.remove")
    answers.done()
    assert session.entry("regions") is None and len(workspace.viewer.layers) == 1
    assert workspace.saving.unsaved.is_unsaved
    assert workspace.saving.autosave.flush()
    (kept,) = find_recoveries_of(workspace)
    assert kept.drawn == {"regions": ["Putamen R", "Putamen L"]}
    session.history.undo()
    settle()
    assert session.entry("regions") is labels and len(workspace.viewer.layers) == 2
    np.testing.assert_array_equal(labels.labels, values)
    layer = workspace.controller.layers[labels.id]
    np.testing.assert_array_equal(np.asarray(layer.data).transpose(2, 1, 0), values)
    session.edit_labels(labels, np.arange(50), 2)
    assert (np.asarray(workspace.controller.layers[labels.id].data) == 2).sum() == 50
    workspace.viewer.layers.remove(workspace.controller.layers[labels.id])  # napari's own list
    settle()
    session.history.undo()
    settle()
    assert (session.entry("regions").labels == 2).sum() == 50


def find_recoveries_of(workspace):
    from napari_qsm.session.recovery import _about

    return [_about(workspace.saving.autosave.folder)]


def test_a_map_without_work_goes_without_a_question(clean, tmp_path):
    workspace = clean
    workspace.show_loaded(load([map_file(tmp_path)]))
    settle()
    press(workspace, "qsm.data.remove")
    assert not workspace.session.maps and not workspace.saving.unsaved.is_unsaved


def test_a_session_opened_again_is_unchanged_and_named(clean, tmp_path):
    workspace = clean
    with_regions(workspace, tmp_path)
    workspace.save(tmp_path / "work")
    for entry in list(workspace.session):
        workspace.session.remove(entry)
    workspace.session._saved = None
    workspace.saving.unsaved.saved()
    workspace.saving.autosave.forget()
    workspace.show_loaded(load([tmp_path / "work"]))
    settle()
    assert child(workspace, "qsm.data.state").text() == "Saved in 'work'"
    assert not workspace.saving.unsaved.is_unsaved
    assert workspace.saving.autosave.flush() and workspace.saving.autosave.folder is None


def test_somebody_elses_version_is_asked_about(clean, tmp_path):
    workspace = clean
    labels = with_regions(workspace, tmp_path)
    workspace.save(tmp_path / "work")
    path = tmp_path / "work" / "regions.nii.gz"
    theirs = read_volume(path)
    write_volume(theirs.with_data(np.full_like(theirs.data, 7)), path)
    workspace.session.edit_labels(labels, np.arange(40), 2)
    answers = Answers("qsm.changed.cancel")
    press(workspace, "qsm.data.save")
    idle(workspace)
    answers.done()
    assert "regions.nii.gz" in answers.texts[0]
    assert (read_volume(path).data == 7).all() and workspace.saving.unsaved.is_unsaved
    answers = Answers("qsm.changed.replace")
    press(workspace, "qsm.data.save")
    wait_for(lambda: not workspace.saving.unsaved.is_unsaved)
    answers.done()
    assert (read_volume(path).data == 2).sum() == 40


@pytest.mark.parametrize("ending", [".nii.gz", ".seg.nrrd"])
def test_regions_go_into_a_file_and_come_back(clean, tmp_path, monkeypatch, ending):
    workspace = clean
    labels = with_regions(workspace, tmp_path, ORDERS[29])
    path = tmp_path / f"mine{ending}"
    words = next(w for w, e, _ in FORMATS if e == ending)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), words))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    press(workspace, "qsm.data.save_regions")
    idle(workspace)
    assert path.exists() and "saved" in workspace.central.message.text
    if ending == ".nii.gz":
        assert [r.name for r in read_label_table(tmp_path / "mine.txt")] == [
            "Putamen R",
            "Putamen L",
        ]
        source = read_volume(tmp_path / "chi.nii.gz")
        np.testing.assert_array_equal(read_volume(path).affine, source.affine)
    expected = labels.editable.copy()
    workspace.session.remove(labels)
    workspace.session.selected = workspace.session.entry("chi").id
    press(workspace, "qsm.data.open_regions")
    idle(workspace)
    (again,) = workspace.session.of_role("labels")
    np.testing.assert_array_equal(again.editable, expected)
    assert again.regions[1].name == "Putamen R" and again.regions[1].color == "#ff8800"


def test_regions_of_another_grid_are_carried_over_only_when_asked(clean, tmp_path, monkeypatch):
    workspace = clean
    workspace.show_loaded(load([map_file(tmp_path)]))
    chi = workspace.session.entry("chi").volume
    affine = chi.affine.copy()
    affine[:3, :3] /= 2  # half as large voxels, whose first lies in a corner of the map's first
    affine[:3, 3] = chi.affine[:3, 3] - chi.affine[:3, :3] @ [0.25, 0.25, 0.25]
    values = np.zeros([2 * n for n in SHAPE], np.uint8)
    values[8:16, 10:20, 6:14] = 5
    path = tmp_path / "fine.nii.gz"
    write_volume(chi.__class__(values, affine), path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    answers = Answers("qsm.transfer.cancel")
    press(workspace, "qsm.data.open_regions")
    idle(workspace)
    answers.done()
    assert workspace.session.of_role("labels") == []
    answers = Answers("qsm.transfer.carry")
    press(workspace, "qsm.data.open_regions")
    wait_for(lambda: bool(workspace.session.of_role("labels")))
    answers.done()
    (labels,) = workspace.session.of_role("labels")
    expected = np.zeros(SHAPE, bool)
    expected[4:8, 5:10, 3:7] = True
    np.testing.assert_array_equal(labels.editable == 5, expected)
    assert "Carried over; volumes changed by up to 0 %" in workspace.central.message.text


def test_a_missing_map_is_asked_for(clean, tmp_path):
    workspace = clean
    with_regions(workspace, tmp_path)
    workspace.save(tmp_path / "work")
    for entry in list(workspace.session):
        workspace.session.remove(entry)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "chi.nii.gz").rename(tmp_path / "elsewhere" / "chi.nii.gz")
    answers = Answers("qsm.missing.without")
    workspace.show_loaded(load([tmp_path / "work"]))
    answers.done()
    assert "Where is 'chi.nii.gz'?" in answers.texts[0]
    assert [entry.name for entry in workspace.session] == ["regions"]
    workspace.session.remove(workspace.session.entry("regions"))
    with pytest.MonkeyPatch.context() as patch:
        found = str(tmp_path / "elsewhere" / "chi.nii.gz")
        patch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (found, ""))
        answers = Answers("qsm.missing.locate")
        workspace.show_loaded(load([tmp_path / "work"]))
        idle(workspace)
        answers.done()
    assert [entry.name for entry in workspace.session] == ["chi", "regions"]


def test_saving_over_another_grid_or_another_kind_of_file_is_refused(clean, tmp_path):
    workspace = clean
    labels = with_regions(workspace, tmp_path)
    files = workspace.region_files
    other = tmp_path / "other.nii.gz"
    write_volume(ramp().__class__(np.ones((4, 4, 4), np.uint8), np.eye(4)), other)
    before = other.read_bytes(), (tmp_path / "chi.nii.gz").read_bytes()
    files.save(labels, other, overwrite=True)
    idle(workspace)
    assert "another grid" in workspace.central.message.text
    files.save(labels, tmp_path / "chi.nii.gz", overwrite=True)
    idle(workspace)
    assert "no label map" in workspace.central.message.text
    assert before == (other.read_bytes(), (tmp_path / "chi.nii.gz").read_bytes())
    files.save(labels, tmp_path / "mine.nii.gz")
    idle(workspace)
    values = read_volume(tmp_path / "mine.nii.gz")
    write_volume(values.with_data(np.full_like(values.data, 9)), tmp_path / "mine.nii.gz")
    answers = Answers("qsm.replace.replace")
    files.save(labels, tmp_path / "mine.nii.gz")
    wait_for(lambda: (read_volume(tmp_path / "mine.nii.gz").data != 9).all())
    answers.done()
    assert "changed by another program" in answers.texts[0]
    assert (read_volume(tmp_path / "mine_previous.nii.gz").data == 9).all()


def test_a_copy_to_pass_on_is_written_by_command(clean, tmp_path, monkeypatch):
    with_regions(clean, tmp_path)
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path / "shared")
    )
    press(clean, "qsm.data.share")
    idle(clean)
    assert (tmp_path / "shared" / "session.json").is_file()
    assert str(tmp_path) not in (tmp_path / "shared" / "session.json").read_text(encoding="utf-8")
    assert clean.saving.folder is None  # the work itself is still not saved


def test_map_and_regions_go_back_to_the_hospital(clean, tmp_path):
    """By the menu's command: refused while a field lacks, then written, replaced only when asked."""
    import pydicom

    workspace = clean
    labels = with_regions(workspace, tmp_path)
    labels.regions = {1: Region(1, "Putamen L", "left", "#ff8800")}  # where they were drawn
    out = tmp_path / "out"
    said = []

    def fill(dialog):
        controls = dialog.form.controls
        go = dialog.findChild(QWidget, "qsm.dicom.go")
        said.append((go.isEnabled(), dialog.findChild(QWidget, "qsm.dicom.wrong").text()))
        dialog.form.show_values({"folder": str(out), "code": "P07"})
        dialog._refresh()
        assert go.isEnabled() and not controls["source"].widget.isEnabled()

    for questions in (["qsm.dicom.go"], ["qsm.dicom.go", "qsm.dicom.replace.yes"]):
        answers = Answers(*questions, before=lambda d: fill(d) if hasattr(d, "form") else None)
        command = next(c for c in COMMANDS if c.id == "qsm.export_dicom")
        command.call(workspace)
        answers.done()
        idle(workspace)
        assert "names nobody" in child(workspace, "qsm.message.good.text").text()
        read = [pydicom.dcmread(p) for p in out.rglob("*.dcm")]
        assert {str(ds.PatientID) for ds in read} == {"P07"}
        (segmentation,) = [ds for ds in read if ds.Modality == "SEG"]
        assert [s.SegmentLabel for s in segmentation.SegmentSequence] == ["Putamen L"]
    assert said == [(False, "Needed: a folder to write into.")] * 2
