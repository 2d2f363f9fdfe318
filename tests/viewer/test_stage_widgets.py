"""Each stage as a widget of plain napari, on layers of one's choice."""

import time

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QWidget,
)

from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.viewer.plain.layers import layer_data
from napari_qsm.viewer.reconstruct.layer_widgets import (
    BackgroundWidget,
    EchoesWidget,
    InversionWidget,
    MaskWidget,
    PhaseWidget,
    ReferenceWidget,
    UnwrapWidget,
)
from tests.viewer.conftest import settle

GRID = {"shape": (32, 36, 20), "voxel_size_mm": (5.5, 5.5, 7.0)}


@pytest.fixture(scope="module")
def made():
    head = make_head("control", **GRID, seed=3, echo_times_s=(0.01, 0.02))
    recipe = with_settings(
        load_recipe("case-report"),
        [
            "mask.method=threshold",
            "unwrap.exact=false",
            "echoes.coil_curvature=false",
            "background.method=sharp",
            "background.radius_mm=9",
            "inversion.method=tkd",
        ],
    )
    return run(recipe, Inputs(scan=head.scan))


class Viewer:
    """As much of napari's viewer as the widgets use, without a window."""

    def __new__(cls):
        from napari.components import ViewerModel

        return ViewerModel()


def add(viewer, volume, role=None):
    for item in layer_data(volume, role):
        viewer.add_layer(Layer.create(*item))


def click_run(widget):
    button = widget.findChild(QWidget, f"{widget.objectName()}.run")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    end = time.monotonic() + 60
    said = widget.findChild(QWidget, f"{widget.objectName()}.said")
    while widget._running or said.text().startswith("Running"):
        assert time.monotonic() < end
        settle(1)
        time.sleep(0.005)
    return said.text()


def text_in(widget, name):
    return widget.findChild(QWidget, f"{widget.objectName()}.{name}").text()


def type_in(widget, name, text):
    QTest.keyClicks(widget.findChild(QWidget, f"{widget.objectName()}.{name}"), text)


def test_steps_on_layers_give_the_arrays_of_the_pipeline(qtbot, made):
    viewer = Viewer()
    add(viewer, made.volume("phase"), "phase")
    mask = made.volume("mask")
    add(viewer, mask.with_data(mask.data.astype(np.uint8), name="mask"), "mask")
    unwrap = UnwrapWidget(viewer)
    qtbot.addWidget(unwrap)
    chosen = [layer.name for layer in unwrap._choosers["phase"].value]
    assert chosen == ["phase 1", "phase 2"]  # without a click
    assert unwrap._choosers["mask"].value is viewer.layers["mask"]
    unwrap._form.show_values({"exact": False})  # as in the recipe above
    unwrap._choosers["phase"].value = []
    run_button = unwrap.findChild(QWidget, "qsm.stage.unwrap.run")
    assert not run_button.isEnabled()
    assert "Phase (rad) (Phase to radians makes one)" in text_in(unwrap, "lacks")
    phases = [layer for layer in viewer.layers if layer.name.startswith("phase")]
    unwrap._choosers["phase"].value = phases
    unwrap._choosers["mask"].value = viewer.layers["mask"]
    assert click_run(unwrap).startswith("Done")
    names = ["unwrapped phase 1", "unwrapped phase 2"]
    for echo, name in enumerate(names):
        layer = viewer.layers[name]
        expected = made.arrays["unwrapped"][echo].transpose(2, 1, 0)[::-1, ::-1, ::-1]
        np.testing.assert_array_equal(layer.data, expected)
        assert tuple(layer.scale) == tuple(phases[0].scale)
        assert layer.metadata["qsm_made"]["method"] == "laplacian"
    echoes = EchoesWidget(viewer)
    qtbot.addWidget(echoes)
    method = echoes.findChild(QWidget, "qsm.stage.echoes.method")
    method.setCurrentIndex(method.findData("laplacian-sum"))
    echoes._form.show_values({"coil_curvature": False})
    echoes._choosers["unwrapped"].value = [viewer.layers[name] for name in names]
    echoes._choosers["mask"].value = viewer.layers["mask"]
    assert "echo time" in click_run(echoes)  # never assumed
    type_in(echoes, "echo_times", "10, 20")
    assert "field strength" in click_run(echoes)
    type_in(echoes, "field_strength", "3")
    assert click_run(echoes).startswith("Done")
    field = viewer.layers["total field"]
    expected = made.arrays["total_field_ppm"].transpose(2, 1, 0)[::-1, ::-1, ::-1]
    np.testing.assert_allclose(field.data, expected, atol=1e-7)
    assert field.metadata["qsm_volume"].unit == "ppm"


def test_facts_and_the_best_layer_go_from_stage_to_stage(qtbot, made):
    """What stands in the sidecars is never typed, nor are layers looked for."""
    viewer = Viewer()
    facts = {"EchoTime": [0.01, 0.02], "MagneticFieldStrength": 3.0}
    mask = made.volume("mask")
    parts = [
        (made.volume("phase"), "phase", facts),
        (mask.with_data(mask.data.astype(np.uint8), name="mask"), "mask", None),
    ]
    for head in ("sub-02", "sub-01"):  # somebody else's lie on the same grid
        for volume, role, said in parts:
            known = said if head == "sub-01" else None
            for item in layer_data(volume, role, facts=known, head=head):
                viewer.add_layer(Layer.create(*item))
    unwrap = UnwrapWidget(viewer)
    qtbot.addWidget(unwrap)
    assert text_in(unwrap, "echo_times") == "10, 20"
    assert click_run(unwrap).startswith("Done")
    echoes = EchoesWidget(viewer)
    qtbot.addWidget(echoes)
    assert [text_in(echoes, n) for n in ("echo_times", "field_strength")] == ["10, 20", "3"]
    assert click_run(echoes).startswith("Done")
    field = viewer.layers["total field"]
    assert field.metadata["qsm_facts"] == {"MagneticFieldStrength": 3.0}
    assert field.metadata["qsm_head"] == "sub-01"
    background = BackgroundWidget(viewer)
    qtbot.addWidget(background)
    assert background._choosers["total_field_ppm"].value is field
    assert background._choosers["mask"].value.metadata["qsm_head"] == "sub-01"
    assert click_run(background).startswith("Done")
    inversion = InversionWidget(viewer)
    qtbot.addWidget(inversion)
    chosen = {name: chooser.value for name, chooser in inversion._choosers.items()}
    assert chosen["local_field_ppm"].name == "local field"
    assert chosen["total_field_ppm"] is field


def test_one_step_after_the_other_untouched_gives_the_map_of_the_preset(qtbot):
    """Nobody who presses Run at each step gets another number than the whole reconstruction."""
    scan = make_head("patient", **GRID, seed=3).scan
    facts = {**scan.metadata, "EchoTime": list(scan.echo_times_s)}
    viewer = Viewer()
    for volumes, role in ((scan.phase, "phase"), (scan.magnitude, "magnitude")):
        for item in layer_data(volumes[0], role, facts=facts, head="patient"):
            viewer.add_layer(Layer.create(*item))
    steps = (PhaseWidget, MaskWidget, UnwrapWidget, EchoesWidget, BackgroundWidget)
    for kind in (*steps, InversionWidget, ReferenceWidget):
        widget = kind(viewer)
        qtbot.addWidget(widget)
        assert text_in(widget, "lacks") == ""
        assert click_run(widget).startswith("Done")
    chi = [x for x in viewer.layers if x.metadata.get("qsm_quantity") == "chi_ppm"][-1]
    expected = run(load_recipe("case-report"), Inputs(scan=scan)).arrays["chi_ppm"]
    np.testing.assert_allclose(
        chi.data, expected.transpose(2, 1, 0)[::-1, ::-1, ::-1], rtol=0, atol=1e-6
    )
    inversion = InversionWidget(viewer)
    qtbot.addWidget(inversion)
    inversion._choosers["total_field_ppm"].value = None
    assert "total field" in text_in(inversion, "lacks")


def test_a_step_that_lacks_a_layer_says_so_and_cannot_be_run(qtbot, made):
    viewer = Viewer()
    add(viewer, made.volume("phase"), "phase")
    widget = UnwrapWidget(viewer)
    qtbot.addWidget(widget)
    button = widget.findChild(QWidget, "qsm.stage.unwrap.run")
    assert text_in(widget, "lacks") == "Choose a layer for: Mask (Brain mask makes one)."
    assert not button.isEnabled()
    mask = made.volume("mask")
    add(viewer, mask.with_data(mask.data.astype(np.uint8), name="mask"), "mask")
    assert text_in(widget, "lacks") == "" and button.isEnabled()
    viewer.layers.remove("mask")
    assert not button.isEnabled()


def test_names_of_layers_and_methods_can_be_told_apart(qtbot, made):
    """Echoes of the crop differ in one figure; what is chosen is in sight."""
    viewer = Viewer()
    names = [f"{part} {n} (real crop, B0 not recorded)" for part in "ab" for n in (1, 2, 3)]
    for name in names:
        echo = made.volume("phase").echo(0)
        add(viewer, echo.with_data(echo.data, name=name), "phase")
    widget = PhaseWidget(viewer)
    qtbot.addWidget(widget)
    widget.resize(300, 700)
    widget.show()
    settle(5)
    chooser = widget._choosers["raw_phase"].native
    assert [chooser.item(row).toolTip() for row in range(chooser.count())] == names
    assert chooser.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    assert chooser.textElideMode() == Qt.TextElideMode.ElideMiddle
    chosen = chooser.selectedItems()
    assert [item.text() for item in chosen] == names[3:]
    for item in chosen:
        assert chooser.viewport().rect().contains(chooser.visualItemRect(item).center())
    for kind in (PhaseWidget, MaskWidget, UnwrapWidget, EchoesWidget, InversionWidget):
        each = kind(viewer)
        qtbot.addWidget(each)
        each.resize(300, 700)
        each.show()
        box = each.findChild(QWidget, f"{each.objectName()}.method")
        for row in range(box.count()):
            box.setCurrentIndex(row)
            settle(3)
            room = box.style().subControlRect(
                QStyle.ComplexControl.CC_ComboBox,
                option_of(box),
                QStyle.SubControl.SC_ComboBoxEditField,
                box,
            )
            assert box.fontMetrics().horizontalAdvance(box.currentText()) <= room.width()
            body = each.findChild(QScrollArea).widget()
            assert body.mapTo(each, body.rect().topRight()).x() <= each.width()
            for child in body.findChildren(QWidget):
                if child.isVisible():
                    right = child.mapTo(body, child.rect().topRight()).x()
                    assert right <= body.width(), child.objectName()


def option_of(box):
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    return option


def test_what_was_chosen_or_typed_by_hand_stays(qtbot, made):
    viewer = Viewer()
    facts = {"EchoTime": [0.01, 0.02]}
    for item in layer_data(made.volume("phase"), "phase", facts=facts):
        viewer.add_layer(Layer.create(*item))
    widget = UnwrapWidget(viewer)
    qtbot.addWidget(widget)
    type_in(widget, "echo_times", ", 30")
    widget._choosers["phase"].value = [viewer.layers["phase 2"]]
    for item in layer_data(made.volume("phase"), "phase"):
        viewer.add_layer(Layer.create(*item))
    assert widget._choosers["phase"].value == [viewer.layers["phase 2"]]
    assert text_in(widget, "echo_times") == "10, 20, 30"


def test_a_layer_in_another_unit_is_refused(qtbot, made):
    viewer = Viewer()
    add(viewer, made.volume("unwrapped"), "phase")
    mask = made.volume("mask")
    add(viewer, mask.with_data(mask.data.astype(np.uint8), name="mask"), "mask")
    widget = ReferenceWidget(viewer)
    qtbot.addWidget(widget)
    widget._choosers["chi_ppm"].value = viewer.layers["unwrapped 1"]
    widget._choosers["local_mask"].value = viewer.layers["mask"]
    assert "is in rad" in click_run(widget)


def test_stages_lie_behind_tabs_not_below_each_other(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    docks = []
    for kind in (UnwrapWidget, EchoesWidget, ReferenceWidget):
        dock = QDockWidget()
        dock.setWidget(kind(Viewer()))
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        docks.append(dock)
        window.show()
        settle(5)
    assert set(window.tabifiedDockWidgets(docks[0])) == {docks[1], docks[2]}
    (bar,) = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    assert bar.elideMode() == Qt.TextElideMode.ElideNone and bar.usesScrollButtons()
