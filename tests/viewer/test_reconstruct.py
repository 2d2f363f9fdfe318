"""From the scan to susceptibility by clicks, and everything that can happen on the way."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_qsm.errors import QsmError, RecipeError
from napari_qsm.io.nifti import write_volume
from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.recon.stages import STAGES, no_progress
from napari_qsm.session.opening import Loaded, Opened
from napari_qsm.viewer.forms import Form, setting_field
from tests.viewer.actions import child, key, press
from tests.viewer.conftest import settle

pytestmark = [pytest.mark.window, pytest.mark.slow]

GRID = {"shape": (40, 48, 28), "voxel_size_mm": (4.2, 4.2, 4.8)}
#: V-SHARP is the one step of the presets kept; the others are quick.
FAST = ["mask.method=threshold", "background.deconvolution=none", "inversion.method=tkd"]


@pytest.fixture(scope="module")
def head():
    return make_head("control", **GRID, seed=3)


@pytest.fixture(scope="module")
def fast():
    return with_settings(load_recipe("case-report"), FAST)


@pytest.fixture
def panel(workspace):
    """The panel, in front, with nothing open."""
    workspace.tabs.setCurrentWidget(workspace.panels.reconstruct)
    settle()
    return workspace.panels.reconstruct


@pytest.fixture
def opened(workspace, panel, head, fast):
    """The built-in head open, and a quick recipe."""
    open_head(workspace, head)
    panel.recon.use_recipe(fast)
    settle()
    return panel


def open_head(workspace, head, name="control"):
    magnitude = replace(head.scan.magnitude[0], name="magnitude")
    Loaded(maps=[Opened(magnitude, "magnitude", case_name=name)], scan=head.scan).into(
        workspace.session
    )
    settle()


def finish(panel, seconds=120):
    """Wait for the run to end."""
    end = time.monotonic() + seconds
    while panel.recon.running:
        assert time.monotonic() < end, "the run does not end"
        settle(1)
        time.sleep(0.005)
    settle()


@contextmanager
def held(panel, stage):
    """Keep a stage running until the block is over."""
    go = threading.Event()
    choice = panel.recon.choices[stage]
    real = choice.method.function

    def slow(*args, progress=no_progress, **kwargs):
        while not go.wait(0.01):
            progress(0.5)
        return real(*args, **kwargs)

    method = replace(choice.method, function=slow, reports=frozenset({"progress"}))
    panel.recon.choices[stage] = replace(choice, method=method)
    try:
        yield
    finally:
        go.set()
        panel.recon.choices[stage] = choice


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        settle(1)
        time.sleep(0.005)


def light(workspace, stage):
    return child(workspace, f"qsm.reconstruct.{stage}.light").state


def lights(workspace):
    return [light(workspace, stage) for stage in STAGES]


def unfold(workspace, stage):
    press(workspace, f"qsm.reconstruct.{stage}.fold")


def choose(workspace, name, text):
    """Choose an item of a combo box, with the keyboard as a person may."""
    box = child(workspace, name)
    index = next(i for i in range(box.count()) if box.itemText(i).startswith(text))
    box.setFocus()
    box.setCurrentIndex(index)
    box.activated.emit(index)
    settle()


def type_in(workspace, name, text):
    """Replace the text of a field and press Enter."""
    field = child(workspace, name)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)
    settle()


def text(workspace, name):
    return child(workspace, name).text()


def results(workspace):
    return {e.name: e for e in workspace.session if e.provenance}


def test_empty_it_says_the_next_step(workspace, panel):
    assert "Open a scan first" in text(workspace, "qsm.reconstruct.plan")
    assert not child(workspace, "qsm.reconstruct.run_all").isEnabled()
    assert "Open a scanner folder" in text(workspace, "qsm.reconstruct.summary")


def test_run_all_by_one_click_equals_the_command_lines_arrays(workspace, opened, head, fast):
    assert text(workspace, "qsm.reconstruct.echo_times") == "21"
    assert text(workspace, "qsm.reconstruct.field_strength") == "3"
    assert lights(workspace) == ["not run"] * 7
    press(workspace, "qsm.reconstruct.run_all")
    assert not child(workspace, "qsm.reconstruct.run_all").isEnabled()
    finish(opened)
    assert lights(workspace) == ["done"] * 7
    expected = run(fast, Inputs(scan=head.scan))
    made = opened.recon.result()
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], values, err_msg=name)
    shown = results(workspace)
    assert list(shown) == [
        "wrapped phase",
        "unwrapped phase",
        "total field",
        "local field",
        "χ before referencing",
        "χ reconstructed",
        "brain mask",
    ]
    chi = shown["χ reconstructed"]
    np.testing.assert_array_equal(chi.volume.data, expected.arrays["chi_ppm"])
    assert (
        chi.volume.unit == "ppm"
        and chi.role == "map"
        and workspace.session.case_of(chi).name == "control"
    )
    assert chi.display.window == (-0.1, 0.2) and chi.display.visible
    assert workspace.session.selected == chi.id
    assert shown["wrapped phase"].display.window == pytest.approx((-np.pi, np.pi))
    assert not shown["local field"].display.visible
    assert "V-SHARP" in chi.provenance["methods"] and len(chi.provenance["stages"]) == 7
    assert len(shown["unwrapped phase"].provenance["stages"]) == 3
    assert "up to date" in text(workspace, "qsm.reconstruct.plan")


def test_one_step_runs_what_it_needs_and_a_change_makes_the_rest_stale(workspace, opened):
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    assert lights(workspace) == ["done"] * 3 + ["not run"] * 4
    assert child(workspace, "qsm.reconstruct.unwrap.eye").isChecked()
    press(workspace, "qsm.reconstruct.run_all")
    finish(opened)
    unfold(workspace, "background")
    type_in(workspace, "qsm.reconstruct.background.set.radius_max_mm", "8")
    assert opened.recon.choices["background"].settings["radius_max_mm"] == 8
    assert lights(workspace) == ["done"] * 4 + ["stale"] * 3
    assert "background, susceptibility, reference" in text(workspace, "qsm.reconstruct.plan")
    assert child(workspace, "qsm.reconstruct.recipe").currentText() == "case-report, changed"
    before = results(workspace)
    old = before["χ reconstructed"].volume.data
    workspace.session.set_display(before["χ reconstructed"], window=(-0.05, 0.05))
    press(workspace, "qsm.reconstruct.run_all")
    finish(opened)
    after = results(workspace)
    assert {n: e.id for n, e in after.items()} == {n: e.id for n, e in before.items()}
    chi = after["χ reconstructed"]
    layer = workspace.controller.layers[chi.id]
    np.testing.assert_array_equal(layer.data, chi.volume.data.transpose(2, 1, 0))
    assert (chi.volume.data != old).any() and chi.display.window == (-0.05, 0.05)
    # Old and new at the press of a key, marked in the name.
    key(workspace.controller.main, "J")
    assert chi.name == "χ reconstructed (previous result)"
    np.testing.assert_array_equal(chi.volume.data, old)
    assert chi.provenance["stages"][4]["settings"]["radius_max_mm"] == 12
    key(workspace.controller.main, "J")
    assert chi.name == "χ reconstructed" and (chi.volume.data != old).any()
    assert chi.provenance["stages"][4]["settings"]["radius_max_mm"] == 8
    press(workspace, "qsm.reconstruct.background.reset")
    assert lights(workspace)[4] == "stale"
    press(workspace, "qsm.reconstruct.echoes.eye")
    assert after["total field"].display.visible and not chi.display.visible
    unfold(workspace, "background")


def test_an_error_stands_in_its_section_and_the_rest_stays_usable(workspace, opened):
    unfold(workspace, "mask")
    choose(workspace, "qsm.reconstruct.mask.method", "A mask of your own")
    press(workspace, "qsm.reconstruct.run_all")
    finish(opened)
    assert lights(workspace) == ["done", "failed"] + ["not run"] * 5
    assert "given mask" in text(workspace, "qsm.reconstruct.mask.error")
    assert child(workspace, "qsm.reconstruct.mask.error").isVisible()
    choose(workspace, "qsm.reconstruct.mask.method", "Magnitude threshold")
    assert light(workspace, "mask") == "not run"
    assert not child(workspace, "qsm.reconstruct.mask.error").isVisible()
    press(workspace, "qsm.reconstruct.mask.run")
    finish(opened)
    assert light(workspace, "mask") == "done"
    unfold(workspace, "mask")


def test_memory_that_runs_out_is_a_sentence(workspace, opened, monkeypatch):
    def full(*args, **kwargs):
        raise MemoryError

    choice = opened.recon.choices["unwrap"]
    broken = replace(choice, method=replace(choice.method, function=full))
    opened.recon.choices["unwrap"] = broken
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    assert "GiB" in text(workspace, "qsm.reconstruct.unwrap.error")
    assert lights(workspace)[:3] == ["done", "done", "failed"]


def test_cancel_leaves_the_last_good_results_and_two_runs_cannot_collide(workspace, opened):
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    unwrapped = results(workspace)["unwrapped phase"].volume.data
    opened.recon.choose("unwrap", "quality-guided")
    settle()
    with held(opened, "unwrap"):
        press(workspace, "qsm.reconstruct.run_all")
        wait(lambda: opened.recon.running[:1] == ("unwrap",))
        for stage in STAGES:
            assert not child(workspace, f"qsm.reconstruct.{stage}.run").isEnabled()
        assert not child(workspace, "qsm.reconstruct.run_all").isEnabled()
        with pytest.raises(QsmError, match="running"):
            workspace.reconstruct("case-report")
        press(workspace, "qsm.reconstruct.cancel")
        finish(opened)
    assert lights(workspace) == ["done", "done", "stale"] + ["not run"] * 4
    np.testing.assert_array_equal(results(workspace)["unwrapped phase"].volume.data, unwrapped)
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    assert light(workspace, "unwrap") == "done"


def test_painting_the_mask_makes_later_steps_stale(workspace, opened):
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    unfold(workspace, "mask")
    press(workspace, "qsm.reconstruct.mask.paint")
    session = workspace.session
    entry = results(workspace)["brain mask"]
    assert session.painted == entry.id and session.active_region == 1
    assert entry.display.visible
    assert workspace.tabs.currentWidget() is workspace.panels.regions
    layer = workspace.controller.layers[entry.id]
    middle = np.array(layer.data.shape) // 2
    layer.brush_size, layer.n_edit_dimensions = 8, 3
    before = entry.editable.copy()
    layer.paint(tuple(middle), 0)  # what napari's own eraser does
    wait(lambda: opened.recon.hand is not None)
    removed = int((before != entry.editable).sum())
    assert removed > 50 and opened.recon.hand.removed == removed
    workspace.tabs.setCurrentWidget(opened)
    assert lights(workspace) == ["done", "done", "stale"] + ["not run"] * 4
    assert "edited by hand" in text(workspace, "qsm.reconstruct.mask.status")
    session.history.undo()
    wait(lambda: opened.recon.hand is None)
    assert lights(workspace) == ["done"] * 3 + ["not run"] * 4
    session.history.redo()
    wait(lambda: opened.recon.hand is not None)
    press(workspace, "qsm.reconstruct.unwrap.run")
    finish(opened)
    unwrapped = results(workspace)["unwrapped phase"]
    x, y, z = middle[::-1]
    assert unwrapped.volume.data[x, y, z] == 0 and entry.editable[x, y, z] == 0
    assert unwrapped.provenance["stages"][1]["edited_by_hand"]["removed"] == removed
    assert any("edited by hand" in sentence for sentence in unwrapped.provenance["warnings"])
    # The step itself makes a new mask; undo brings the painting back.
    press(workspace, "qsm.reconstruct.mask.run")
    finish(opened)
    np.testing.assert_array_equal(entry.editable, before)
    session.history.undo()
    wait(lambda: opened.recon.hand is not None)
    assert entry.editable[x, y, z] == 0
    unfold(workspace, "mask")


def test_start_from_an_open_map_and_from_a_dropped_file(workspace, opened, head, fast, tmp_path):
    expected = run(fast, Inputs(scan=head.scan))
    field = expected.volume("total_field_ppm")
    workspace.session.add(field, name="my field", role="other")
    settle()
    unfold(workspace, "echoes")
    choose(workspace, "qsm.reconstruct.echoes.from", "my field")
    assert lights(workspace)[2:4] == ["not needed", "given"]
    press(workspace, "qsm.reconstruct.run_all")
    finish(opened)
    again = run(fast, Inputs(scan=head.scan, total_field_ppm=field))
    np.testing.assert_array_equal(opened.recon.result().arrays["chi_ppm"], again.arrays["chi_ppm"])
    choose(workspace, "qsm.reconstruct.echoes.from", "computed here")
    assert light(workspace, "echoes") == "not run"
    unfold(workspace, "echoes")
    path = tmp_path / "mask.nii.gz"
    write_volume(head.mask, path)
    drop(child(workspace, "qsm.reconstruct.mask"), path)
    wait(lambda: "mask" in opened.recon.given)
    assert opened.recon.choices["mask"].method.name == "given"
    press(workspace, "qsm.reconstruct.mask.run")
    finish(opened)
    expected = run(fast, Inputs(scan=head.scan, mask=head.mask))
    np.testing.assert_array_equal(opened.recon.arrays()["mask"], expected.arrays["mask"])


def drop(widget, path):
    """Drop a file on a widget as the system does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    at, copy = QPoint(10, 10), Qt.DropAction.CopyAction
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QDragEnterEvent(at, copy, data, left, none))
    QApplication.sendEvent(widget, QDropEvent(QPointF(at), copy, data, left, none))
    settle()


def test_a_map_in_another_unit_is_refused(workspace, opened, head, tmp_path):
    path = tmp_path / "unwrapped.nii.gz"
    write_volume(head.scan.phase[0].with_data(head.scan.phase[0].data, unit="ppm"), path)
    small = tmp_path / "small.nii.gz"
    write_volume(replace(head.mask, data=head.mask.data[:-2], stored=None), small)
    drop(child(workspace, "qsm.reconstruct.mask"), small)
    wait(lambda: workspace.central.message.text)
    assert "voxels" in workspace.central.message.text
    assert not opened.recon.given


def test_values_typed_in_are_checked_and_their_source_shown(workspace, opened):
    type_in(workspace, "qsm.reconstruct.echo_times", "2100")
    assert "0.5-200 ms" in text(workspace, "qsm.reconstruct.problem")
    assert not child(workspace, "qsm.reconstruct.run_all").isEnabled()
    type_in(workspace, "qsm.reconstruct.echo_times", "20")
    assert not child(workspace, "qsm.reconstruct.problem").isVisible()
    assert opened.recon.facts.echo_times_s == (0.02,)
    type_in(workspace, "qsm.reconstruct.field_strength", "3000")
    assert "0.01-30 T" in text(workspace, "qsm.reconstruct.problem")
    type_in(workspace, "qsm.reconstruct.field_strength", "1.5")
    press(workspace, "qsm.reconstruct.phase.run")
    finish(opened)
    assert any("1.5 T" in s for s in opened.recon.warnings())


def test_missing_echo_times_are_asked_for(workspace, panel, head, fast, tmp_path):
    write_volume(head.scan.phase[0], tmp_path / "scan_ph.nii.gz")
    write_volume(head.scan.magnitude[0], tmp_path / "scan_mag.nii.gz")
    workspace.open([tmp_path])
    wait(lambda: panel.recon.source is not None)
    panel.recon.use_recipe(fast)
    settle()
    assert "echo time is missing" in text(workspace, "qsm.reconstruct.problem")
    assert not child(workspace, "qsm.reconstruct.run_all").isEnabled()
    type_in(workspace, "qsm.reconstruct.echo_times", "21")
    type_in(workspace, "qsm.reconstruct.field_strength", "3")
    press(workspace, "qsm.reconstruct.mask.run")
    finish(panel)
    assert lights(workspace)[:3] == ["done", "done", "not run"]


def test_recipes_are_opened_and_saved_as_the_command_line_has_them(
    workspace, opened, tmp_path, monkeypatch
):
    path = tmp_path / "mine.yaml"
    opened.recon.set("background", radius_max_mm=9)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), ""))
    press(workspace, "qsm.reconstruct.save_recipe")
    assert load_recipe(path).to_dict() == opened.recon.recipe().to_dict()
    choose(workspace, "qsm.reconstruct.recipe", "consensus")
    assert opened.recon.choices["unwrap"].method.name == "quality-guided"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    press(workspace, "qsm.reconstruct.open_recipe")
    assert opened.recon.recipe().to_dict() == load_recipe(path).to_dict()
    path.write_text("stages: {}", encoding="utf-8")
    press(workspace, "qsm.reconstruct.open_recipe")
    assert "does not say what to do" in workspace.central.message.text


def test_a_script_gets_the_result_and_the_window_shows_it(workspace, opened, head, fast):
    result = workspace.reconstruct(fast.to_dict())
    expected = run(fast, Inputs(scan=head.scan))
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(result.arrays[name], values, err_msg=name)
    assert result.provenance["recipe"] == expected.provenance["recipe"]
    assert "χ reconstructed" in results(workspace)
    with pytest.raises(RecipeError):
        workspace.reconstruct("no-such-recipe")
    bad = with_settings(fast, ["mask.method=given"])
    with pytest.raises(QsmError, match="given mask"):
        workspace.reconstruct(bad)


def test_how_a_result_was_made(workspace, opened):
    press(workspace, "qsm.reconstruct.mask.run")
    finish(opened)
    unfold(workspace, "mask")
    press(workspace, "qsm.reconstruct.mask.how")
    page = child(workspace, "qsm.reconstruct.how_made.text").toPlainText()
    assert "Magnitude threshold" in page and "TE 21 ms, B0 3 T" in page
    press(workspace, "qsm.reconstruct.how_made.copy")
    assert QApplication.clipboard().text() == opened.recon.provenance("mask")["methods"]
    press(workspace, "qsm.reconstruct.how_made.close")


def test_forms_say_units_bounds_and_papers(qapp):
    for preset in ("case-report", "consensus"):
        for choice in load_recipe(preset).choices.values():
            form = Form(map(setting_field, choice.method.settings.values()), "form", print)
            form.show_values(choice.settings)
            assert form.values() == dict(choice.settings)
    method = load_recipe("case-report").choices["background"].method
    form = Form(map(setting_field, method.settings.values()), "f", print)
    radius = form.controls["radius_max_mm"].widget
    assert radius.suffix() == " mm" and radius.maximum() == 60
    assert "Default: 12.0 mm" in radius.toolTip()
    form.show_values({"regularization": 2.5e-5})
    assert form.values()["regularization"] == 2.5e-5


def test_two_patients_keep_their_results_and_lights_apart(workspace, opened, head):
    session = workspace.session
    control = session.case
    press(workspace, "qsm.reconstruct.phase.run")
    finish(opened)
    open_head(workspace, replace(head, scan=replace(head.scan)), name="second")
    assert session.case.name == "second"
    assert lights(workspace) == ["not run"] * 7
    press(workspace, "qsm.reconstruct.phase.run")
    finish(opened)
    phases = list(results(workspace).values())
    assert [session.case_of(e).name for e in phases] == ["control", "second"]
    assert phases[1].name == "wrapped phase, second"
    assert lights(workspace) == ["done"] + ["not run"] * 6
    press(workspace, "qsm.reconstruct.mask.run")
    finish(opened)
    session.active_case = control.id
    settle()
    assert lights(workspace) == ["done"] + ["not run"] * 6
    assert "mask" not in [e.role for e in control.maps]


def click_to_chi(workspace, panel, folder):
    workspace.open([Path(folder)])
    wait(lambda: panel.recon.source is not None, 120)
    assert panel.recon.facts.phase_difference
    assert text(workspace, "qsm.reconstruct.echo_times") == "2.46"
    assert text(workspace, "qsm.reconstruct.field_strength") == "3"
    press(workspace, "qsm.reconstruct.run_all")
    finish(panel, 300)
    assert lights(workspace) == ["done"] * 7, [
        panel.recon.failure(stage) for stage in STAGES if panel.recon.failure(stage)
    ]
    chi = results(workspace)["χ reconstructed"]
    inside = panel.recon.arrays()["local_mask"]
    assert np.isfinite(chi.volume.data).all() and inside.sum() > 10_000
    assert 0.005 < chi.volume.data[inside].std() < 0.3
    return panel.recon


@pytest.mark.slow
def test_a_real_scan_by_clicks(workspace, panel, shared_data):
    folder = shared_data / "gre-wholehead-lowres"
    recon = click_to_chi(workspace, panel, folder)
    from napari_qsm.io.sources import open_source

    expected = run(recon.recipe(), Inputs(scan=open_source(folder)))
    np.testing.assert_array_equal(recon.arrays()["chi_ppm"], expected.arrays["chi_ppm"])


def test_a_scanner_folder_by_clicks(workspace, panel, shared_data):
    pytest.importorskip("dcm2niix")
    click_to_chi(workspace, panel, shared_data / "dicom-siemens-enhanced")


def test_results_are_saved_as_the_command_line_saves_them(
    workspace, opened, head, fast, tmp_path, monkeypatch
):
    from napari_qsm.io.nifti import read_volume
    from napari_qsm.outputs import write_result

    saving = child(workspace, "qsm.reconstruct.save")
    assert saving.isVisible() and not saving.isEnabled()
    press(workspace, "qsm.reconstruct.run_all")
    finish(opened)
    folder = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(folder))
    press(workspace, "qsm.reconstruct.save")
    wait(lambda: not workspace.central.jobs.busy)
    settle()
    write_result(run(fast, Inputs(scan=head.scan)), tmp_path / "line")
    for expected in sorted((tmp_path / "line").glob("*.nii.gz")):
        written = read_volume(folder / expected.name)
        np.testing.assert_array_equal(written.data, read_volume(expected).data)
    assert "</html>" in (folder / "report.html").read_text(encoding="utf-8")
    assert "report.html" in workspace.central.message.text
