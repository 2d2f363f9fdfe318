"""Settings tried side by side in the window, through its buttons and fields."""

import time

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.qc.judge import stage_numbers
from napari_qsm.recon.pipeline import Inputs
from napari_qsm.recon.recipe import default_choice, load_recipe
from napari_qsm.recon.stages import STAGES, methods
from napari_qsm.recon.sweep import Slab, run_sweep
from napari_qsm.session.sweep import main_setting, neighbours, slab_at_crosshair
from napari_qsm.viewer.reconstruct.sweep_dialog import Sweeps
from tests.viewer.conftest import ramp, settle
from tests.viewer.reconstructed import GROUP, reconstruction_of, run, settled_jobs, small_head

pytestmark = [pytest.mark.window, pytest.mark.slow]


@pytest.fixture(scope="module")
def head():
    return small_head()


@pytest.fixture(scope="module")
def finished(head):
    return run(reconstruction_of(head))


@pytest.fixture
def recon(head, finished):
    own = reconstruction_of(head)
    own.take_prepared(finished._prepared)
    for stage in finished.active():
        own.number(stage)
        own.take(finished.result_of(stage))
    assert not own.stale_stages()
    return own


@pytest.fixture
def tryouts(workspace, recon):
    session = workspace.session
    session.add(head_map(recon), role="map", name="χ", case=session.case_called(GROUP))
    settle()
    made = Sweeps(workspace.services)
    yield made
    made.close()
    settled_jobs(workspace)


def head_map(recon):
    return recon.result().volume("chi_ppm")


def press_in(dialog, name):
    [button] = dialog.findChildren(QWidget, name)
    at = QPoint(8 if isinstance(button, QCheckBox) else button.width() // 2, button.height() // 2)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    settle()


def field(dialog, name):
    return next(w for w in dialog.findChildren(QWidget, name) if not w.isHidden())


def type_into(spin, text):
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, text)
    QTest.keyClick(spin, Qt.Key.Key_Return)
    settle()


def choose(box, data):
    """Pick an item as a person does, with the keyboard."""
    box.setFocus()
    index = box.findData(data)
    while box.currentIndex() != index:
        QTest.keyClick(box, Qt.Key.Key_Down if index > box.currentIndex() else Qt.Key.Key_Up)
    settle()


def test_every_method_has_two_or_three_things_to_compare():
    for stage in STAGES:
        for name in methods(stage):
            now = default_choice(stage, name)
            found = neighbours(now)
            assert found[0] is now and 2 <= len(found) <= 3
            for other in found:
                for key, value in other.settings.items():
                    assert other.method.settings[key].check(value, key) == value
            main = main_setting(now)
            if main:
                assert len({c.settings[main] for c in found}) == len(found) > 1
    vsharp = default_choice("background", "vsharp")
    assert [c.settings["radius_max_mm"] for c in neighbours(vsharp)] == [12, 8, 16]
    star = load_recipe("case-report").choices["inversion"]
    assert [c.settings["lambda_ppm"] for c in neighbours(star)] == [5e-5, 1.5e-5, 1.5e-4]
    assert [c.method.name for c in neighbours(default_choice("unwrap", "laplacian"))] == [
        "laplacian", "quality-guided"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plane", "wanted"), [("axial", Slab(2, 6, 12)), ("sagittal", Slab(0, 0, 6))]
)
def test_the_slab_lies_round_the_crosshair_within_the_image(workspace, plane, wanted):
    session = workspace.session
    volume = ramp()
    session.large_plane = plane
    session.crosshair_mm = tuple(volume.voxel_to_world([1, 15, 9]))
    assert slab_at_crosshair(session, volume, 6) == wanted
    assert slab_at_crosshair(session, volume, 500) == Slab(
        wanted.axis, 0, volume.shape[wanted.axis]
    )


def test_variants_of_a_slab_are_shown_side_by_side_and_one_is_used(workspace, recon, tryouts):
    session = workspace.session
    session.crosshair_mm = tuple(recon.grid().to_canonical().voxel_to_world([24, 28, 16]))
    layout, selected = session.layout, session.selected
    dialog = tryouts.open(recon, "inversion")
    settle()
    spin = field(dialog, "qsm.tryouts.slices")
    type_into(spin, "4")
    type_into(field(dialog, "qsm.tryouts.threshold_b"), "0.2")
    press_in(dialog, "qsm.tryouts.run")
    settled_jobs(workspace)
    assert [e.name for e in session if e.preview] == ["preview A", "preview B", "preview C"]
    previews = [e for e in session if e.preview]
    assert session.layout == "compare" and session.compared == tuple(e.id for e in previews)
    shown = [view.native for view in workspace.controller.views]
    assert len({picture.height() for picture in shown}) == 1  # none above a slider
    have = dict(recon.arrays())
    del have["chi_ppm"], have["reference_ppm"]
    expected = run_sweep(
        recon.recipe(), have, "inversion", dialog.grid.wanted, slab=Slab(2, 14, 18),
        judge=stage_numbers,
    )  # fmt: skip
    assert dialog.grid.wanted[1].settings["threshold"] == 0.2
    for entry, one in zip(previews, expected, strict=True):
        np.testing.assert_array_equal(entry.volume.data, one.arrays["chi_ppm"])
        assert not entry.volume.data[:, :, :14].any() and not entry.is_susceptibility
    streaks = [f"<b>{one.numbers['streak_ratio']:.2f}</b>" for one in expected]
    shown = [
        w.text()
        for letter in "abc"
        for w in dialog.findChildren(type(dialog._state), f"qsm.tryouts.number_{letter}")
        if not w.isHidden() and w.text() in streaks
    ]
    assert shown[:3] == streaks
    assert "Slices 15 to 18 only" in dialog._state.text()
    session.set_display(previews[0], window=(-0.3, 0.3))  # they would not compare otherwise
    assert {e.display.window for e in previews} == {(-0.3, 0.3)}
    assert recon.choices["inversion"].settings["threshold"] == 0.15
    press_in(dialog, "qsm.tryouts.use_b")
    assert recon.choices["inversion"].settings["threshold"] == 0.2
    assert recon.state("inversion") == "stale" and recon.state("background") == "done"
    assert not [e for e in session if e.preview]
    assert (session.layout, session.selected, session.compared) == (layout, selected, ())
    assert tryouts.dialog is None
    assert "settings of B" in workspace.central.message.text


def test_the_whole_head_and_the_map_in_the_end(workspace, recon, tryouts):
    dialog = tryouts.open(recon, "background")
    choose(field(dialog, "qsm.tryouts.extent"), "whole")
    assert field_hidden(dialog, "qsm.tryouts.slices")
    choose(field(dialog, "qsm.tryouts.look"), "chi_ppm")
    press_in(dialog, "qsm.tryouts.third")  # two will do
    press_in(dialog, "qsm.tryouts.run")
    settled_jobs(workspace)
    previews = [e for e in workspace.session if e.preview]
    assert [e.name for e in previews] == ["preview A", "preview B"]
    np.testing.assert_array_equal(previews[0].volume.data, recon.arrays()["chi_ppm"])
    assert (previews[1].volume.data != previews[0].volume.data).any()
    dialog.close()
    settle()
    assert not [e for e in workspace.session if e.preview]


def field_hidden(dialog, name):
    return all(w.isHidden() for w in dialog.findChildren(QWidget, name))


def test_steps_before_it_run_first_without_becoming_results(workspace, head, tryouts):
    recon = reconstruction_of(head)
    dialog = tryouts.open(recon, "unwrap")
    press_in(dialog, "qsm.tryouts.run")
    settled_jobs(workspace)
    names = [c.method.name for c in dialog.grid.wanted]
    assert names == ["laplacian", "quality-guided"]
    expected = run_sweep(
        recon.recipe(), Inputs(scan=head.scan), "unwrap", dialog.grid.wanted,
        slab=Slab(2, *_slab_of(dialog)),
    )  # fmt: skip
    previews = [e for e in workspace.session if e.preview]
    for entry, one in zip(previews, expected, strict=True):
        np.testing.assert_array_equal(entry.volume.data, one.arrays["unwrapped"][-1])
    assert all(recon.state(stage) == "not run" for stage in recon.active())


def _slab_of(dialog):
    words = dialog._state.text().split("Slices ")[1].split(" only")[0].split(" to ")
    return int(words[0]) - 1, int(words[1])


def test_a_mask_is_drawn_on_the_magnitude(workspace, recon, tryouts):
    dialog = tryouts.open(recon, "mask")
    assert not field(dialog, "qsm.tryouts.extent").isEnabled()
    press_in(dialog, "qsm.tryouts.run")
    settled_jobs(workspace)
    first = next(e for e in workspace.session if e.preview)
    magnitude = recon.arrays()["magnitude"][0]
    mask = recon.result_of("mask").quantities["mask"]
    np.testing.assert_array_equal(first.volume.data[mask], magnitude[mask])
    np.testing.assert_allclose(first.volume.data[~mask], 0.35 * magnitude[~mask], rtol=1e-5)
    assert first.role == "other" and first.editable is None


def test_a_variant_that_fails_says_why_and_the_others_are_there(
    workspace, recon, tryouts, monkeypatch
):
    from napari_qsm.recon import sweep as engine

    real = engine.run_stage

    def fails(stage, choice, have, **more):
        if choice.settings.get("threshold") == 0.25:
            raise QsmError("This threshold does not work here.")
        return real(stage, choice, have, **more)

    monkeypatch.setattr(engine, "run_stage", fails)
    dialog = tryouts.open(recon, "inversion")
    type_into(field(dialog, "qsm.tryouts.threshold_b"), "0.25")
    press_in(dialog, "qsm.tryouts.run")
    settled_jobs(workspace)
    assert field(dialog, "qsm.tryouts.error_b").text() == "This threshold does not work here."
    names = [e.name for e in workspace.session if e.preview]
    assert names == ["preview A", "preview C"]


def test_cancel_leaves_nothing_behind(workspace, recon, tryouts, monkeypatch):
    from napari_qsm.viewer.reconstruct import sweep_dialog as module

    def endless(*args, progress, cancelled, **more):
        while True:
            time.sleep(0.005)  # a loop without rest would only keep the window from its work
            progress(0.5)

    monkeypatch.setattr(module, "run_sweep", endless)
    dialog = tryouts.open(recon, "inversion")
    press_in(dialog, "qsm.tryouts.run")
    assert not field(dialog, "qsm.tryouts.run").isEnabled()
    press_in(dialog, "qsm.tryouts.cancel")
    settled_jobs(workspace)
    assert dialog._state.text() == "Stopped; nothing was changed."
    assert field(dialog, "qsm.tryouts.run").isEnabled()
    press_in(dialog, "qsm.tryouts.run")
    QTest.keyClick(dialog, Qt.Key.Key_Escape)  # closes it, and stops what runs
    settled_jobs(workspace)
    assert tryouts.dialog is None and not [e for e in workspace.session if e.preview]
    assert workspace.central.message.text == ""


def test_settings_can_be_seen_in_full_and_methods_changed(workspace, recon, tryouts):
    dialog = tryouts.open(recon, "background")
    assert field_hidden(dialog, "qsm.tryouts.step_mm_a")
    press_in(dialog, "qsm.tryouts.all")
    assert field(dialog, "qsm.tryouts.step_mm_a").value() == 1.0
    box = field(dialog, "qsm.tryouts.method_b")
    box.setFocus()
    QTest.keyClicks(box, "LBV")
    settle()
    assert dialog.grid.wanted[1].method.name == "lbv"
    assert field_hidden(dialog, "qsm.tryouts.step_mm_b")
    assert field(dialog, "qsm.tryouts.peel_mm_b").value() == 2.0


def test_another_scan_closes_the_window(workspace, recon, tryouts):
    tryouts.open(recon, "background")
    recon.use_scan(None)
    settle()
    assert tryouts.dialog is None


def test_a_step_that_takes_no_part_cannot_be_tried(workspace, head, tryouts):
    recon = reconstruction_of(head)
    recon.set_input("total_field_ppm", head.chi)
    with pytest.raises(MetadataError, match="does not run"):
        tryouts.open(recon, "unwrap")
