"""Coming and going: plain napari before and after, nothing left behind."""

import gc
import weakref

import numpy as np
import pytest
from napari.layers import Layer
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

import napari_qsm
from napari_qsm.session import Session
from napari_qsm.session.settings import load_settings, save_settings, settings_file
from napari_qsm.viewer.plain.layers import layer_data
from napari_qsm.viewer.plain.letters import show_letters
from napari_qsm.viewer.program import WorkspaceDock
from napari_qsm.viewer.reconstruct.layer_widgets import MaskWidget
from napari_qsm.viewer.workspace import Workspace
from tests.viewer.actions import child, press
from tests.viewer.conftest import ORDERS, SHAPE, ramp, settle

pytestmark = pytest.mark.window


def test_choices_are_kept_between_starts(own_window, make_napari_viewer):
    press(own_window, "qsm.view.sides")
    press(own_window, "qsm.view.unit")
    assert load_settings()["radiological"] is False
    second = Workspace(make_napari_viewer(show=True))
    assert (second.session.radiological, second.session.unit) == (False, "ppb")
    second.leave()
    assert Session().radiological


def test_a_damaged_settings_file_does_no_harm(make_napari_viewer):
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"unit": "ppt", "radiological": ', encoding="utf-8")
    assert load_settings() == {}
    settings_file().write_text('{"unit": "ppt", "views_linked": false}', encoding="utf-8")
    made = Workspace(make_napari_viewer())
    assert (made.session.unit, made.session.views_linked) == ("ppm", False)
    made.leave()


def test_a_damaged_choice_of_keys_does_no_harm(make_napari_viewer):
    save_settings({"keys": {"qsm.unit": "no such key", "qsm.gone": "F9", "qsm.help": 7}})
    made = Workspace(make_napari_viewer())
    bound = {command.id for command, _ in made.keys.bound}
    assert "qsm.crosshair" in bound and "qsm.unit" not in bound
    made.leave()


def state_of(viewer):
    """What of napari's own window a user would miss if it were changed."""
    qt = viewer.window._qt_viewer
    window = viewer.window._qt_window
    return {
        "order": tuple(viewer.dims.order),
        "ndisplay": viewer.dims.ndisplay,
        "orientation": viewer.scene.camera.orientation,
        "background": viewer.canvas.background_color_override,
        "keys": sorted(map(str, viewer.keymap)),
        "wheel": list(viewer.mouse_wheel_callbacks),
        "canvas_in_centre": qt.parent() is window.centralWidget(),
        "docks": sorted(viewer.window.dock_widgets),
        "docks_hidden": (qt.dockLayerList.isHidden(), qt.dockLayerControls.isHidden()),
        "drops": qt.acceptDrops(),
        "corner": window.corner(Qt.Corner.BottomRightCorner),
        "welcome": qt.show_welcome_screen,
        "layers": [layer.name for layer in viewer.layers],
    }


def test_leaving_gives_napari_back_as_it_was(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    image = viewer.add_image(np.random.default_rng(0).random(SHAPE[::-1]), name="own image")
    viewer.dims.order = (1, 0, 2)
    settle()
    before = state_of(viewer)
    timers = len(viewer.window._qt_window.findChildren(QTimer))
    made = Workspace(viewer)
    assert [e.name for e in made.session] == ["own image"]
    made.session.layout = "one"
    made.session.large_plane = "sagittal"
    settle()
    made.leave()
    settle()
    assert state_of(viewer) == before
    assert viewer.layers[0] is image
    assert not [
        w
        for w in viewer.window._qt_window.findChildren(QWidget)
        if w.objectName().startswith("qsm.")
    ]
    assert len(viewer.window._qt_window.findChildren(QTimer)) == timers
    made.leave()  # again: nothing to do


def test_nothing_of_a_left_workspace_stays_alive(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    made = Workspace(viewer)
    made.session.add(ramp())
    settle()
    parts = [
        weakref.ref(part)
        for part in (
            made,
            made.controller,
            made.session,
            made.controller.views[1],
            made.controller.views[1].native,
            made.controller.painting,
            made.readout,
            made.table_panel,
        )
    ]
    made.leave()
    del made
    settle(10)
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)


def test_from_the_plugins_menu_and_back(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.ones(SHAPE[::-1], np.float32), name="magnitude", scale=(3, 1.5, 2))
    viewer.add_labels(np.ones(SHAPE[::-1], np.uint8), name="regions", scale=(3, 1.5, 2))
    widget = WorkspaceDock(PublicOnlyProxy(viewer))  # what napari hands over
    dock = viewer.window.add_dock_widget(widget, name="Three linked views")
    settle()
    made = widget.workspace
    assert [(e.name, e.role) for e in made.session] == [
        ("magnitude", "magnitude"),
        ("regions", "labels"),
    ]
    # Napari layers say nothing about sides, so none is claimed.
    assert made.controller.main.overlay.content.letters.left == "?"
    assert made.session.maps[0].volume.voxel_size_mm == (2.0, 1.5, 3.0)
    chi = Layer.create(*layer_data(ramp())[0])  # as napari's own File menu opens it
    before = chi.data
    chi.visible = False
    viewer.add_layer(chi)
    assert not made.session.maps[2].display.visible  # hidden there, hidden here
    np.testing.assert_array_equal(chi.data, ramp().data.transpose(2, 1, 0))
    show_letters(viewer)
    assert not viewer.canvas.overlays["qsm_left"].visible  # the views have letters of their own
    depth = viewer.dims.point[0]
    viewer.window.remove_dock_widget(dock)
    settle()
    assert abs(viewer.dims.point[0] + depth) <= 1.5  # half a slice: the same one is on show
    assert [layer.name for layer in viewer.layers] == ["magnitude", "regions", "χ test"]
    np.testing.assert_array_equal(chi.data, before)
    chi.visible = True
    assert viewer.canvas.overlays["qsm_left"].text == "R"
    assert not made.controller.views


def value_on_show(viewer, layer):
    """The value of a layer where napari's sliders stand."""
    return layer.data[tuple(np.rint(layer.world_to_data(viewer.dims.point)).astype(int))]


@pytest.mark.parametrize(
    ("ndisplay", "order"), [(2, (0, 1, 2)), (2, (1, 0, 2)), (3, (0, 1, 2))], ids=str
)
def test_the_point_and_how_near_it_is_looked_at_stay_when_views_come_and_go(
    make_napari_viewer, ndisplay, order
):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 900)
    settle(20)
    for name in ("a", "b"):  # as a script adds them
        layer = viewer.add_layer(Layer.create(*layer_data(ramp(ORDERS[9], name=name))[0]))
    viewer.dims.order = order
    viewer.dims.point = layer.data_to_world((4, 20, 17))
    viewer.dims.ndisplay = ndisplay
    settle(20)
    viewer.reset_view()
    camera = viewer.scene.camera
    camera.zoom *= 2
    middle = layer.data_to_world((7, 11, 9))
    camera.center = tuple(middle[axis] for axis in order)
    settle(20)
    here, zoom, place, angles = layer.data[4, 20, 17], camera.zoom, camera.center, camera.angles
    assert value_on_show(viewer, layer) == here
    widget = WorkspaceDock(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Three linked views")
    settle(20)
    made = widget.workspace
    voxel = np.rint(ramp().world_to_voxel(made.session.crosshair_mm)).astype(int)
    assert ramp().data[tuple(voxel)] == here
    assert viewer.dims.point[0] == pytest.approx(layer.data_to_world(voxel[::-1])[0])
    main = made.controller.main
    if ndisplay == 2:
        assert main.zoom.factor == pytest.approx(2, rel=0.01)
        centre = main.zoom.centre[::-1]
        assert [centre[axis] for axis in order[1:]] == pytest.approx(
            [-middle[axis] for axis in order[1:]]
        )
    viewer.window.remove_dock_widget(dock)
    settle(20)
    assert value_on_show(viewer, layer) == here
    assert camera.zoom == pytest.approx(zoom, rel=0.02)
    assert camera.center[1:] == pytest.approx(place[1:], abs=1e-3)
    assert camera.angles == angles
    viewer.dims.ndisplay = 2
    settle()
    assert value_on_show(viewer, layer) == here


def test_views_and_steps_lie_behind_tabs_and_leave_each_other_their_room(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    viewer.add_layer(Layer.create(*layer_data(ramp())[0]))
    docks = [
        viewer.window.add_dock_widget(kind(viewer), name=name)
        for kind, name in ((WorkspaceDock, "Three linked views"), (MaskWidget, "Brain mask"))
    ]
    settle(20)
    assert viewer.window._qt_window.tabifiedDockWidgets(docks[0]) == [docks[1]]
    docks[0].raise_()
    settle()
    assert not docks[0].visibleRegion().isEmpty() and docks[0].height() > 500
    assert docks[0].findChild(WorkspaceDock).height() > docks[0].height() - 60  # no empty half
    assert viewer.window._qt_window.width() == 1280
    for dock in docks:
        viewer.window.remove_dock_widget(dock)


def test_where_the_crosshair_went_is_on_show_once_the_views_have_gone(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_layer(Layer.create(*layer_data(ramp(ORDERS[9]))[0]))
    settle(20)
    viewer.reset_view()
    whole = viewer.scene.camera.zoom
    widget = WorkspaceDock(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Three linked views")
    settle(20)
    assert widget.workspace.controller.main.zoom.factor == 1
    widget.workspace.controller.go_to(ramp().voxel_to_world([3, 4, 5]))
    viewer.window.remove_dock_widget(dock)
    settle(20)
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        viewer.dims.order = order
        settle()
        assert value_on_show(viewer, layer) == ramp().data[3, 4, 5]
    viewer.dims.order = (0, 1, 2)
    assert viewer.scene.camera.zoom == pytest.approx(whole, rel=0.02)


def test_closing_the_window_ends_everything(tmp_path, make_napari_viewer, monkeypatch):
    from napari_qsm.io.nifti import write_volume

    monkeypatch.setattr("napari.Viewer", make_napari_viewer)

    write_volume(ramp(), tmp_path / "a_Chimap.nii.gz")
    made = napari_qsm.open_workspace(tmp_path / "a_Chimap.nii.gz")
    assert [e.name for e in made.session] == ["a_Chimap"]
    assert made.session.selected_entry.volume.unit == "ppm"
    session = weakref.ref(made.session)
    made.close()
    del made
    settle(10)
    gc.collect()
    assert session() is None
    visible = [w.objectName() or type(w) for w in QApplication.topLevelWidgets() if w.isVisible()]
    assert not visible


def test_a_job_at_work_does_not_outlive_the_window(own_window):
    import time

    ended = []

    def work(progress, cancelled):
        for step in range(1000):
            progress(step / 1000, "counting")
            time.sleep(0.005)
        ended.append("not stopped")

    job = own_window.services.run("Counting", work, lambda result: ended.append("done"))
    settle(10)
    assert child(own_window, "qsm.jobs").isVisible()
    own_window.leave()
    assert job.wait(5)
    settle(10)
    assert ended == []


def test_napari_gets_the_orientation_that_was_asked_for_while_it_could_not_have_it(own_window):
    camera = own_window.viewer.scene.camera
    camera.orientation = ("away", "down", "left")
    own_window.leave()
    assert [str(getattr(e, "value", e)) for e in camera.orientation] == ["away", "down", "left"]


@pytest.mark.parametrize("own", [True, False], ids=["program", "plain napari"])
def test_ctrl_s_saves_the_session_in_our_window_only(make_napari_viewer, monkeypatch, own):
    """Real keys: in the program they save the work; in plain napari they stay napari's."""
    from napari._qt.qt_viewer import QtViewer

    theirs, ours = [], []
    monkeypatch.setattr(QtViewer, "_save_layers_dialog", lambda *a, **k: theirs.append(1))
    viewer = make_napari_viewer(show=True)
    workspace = Workspace(viewer, owns_viewer=own)
    monkeypatch.setattr(workspace.saving, "save", lambda: ours.append(1))
    workspace.session.add(ramp())
    settle(10)
    window = viewer.window._qt_window
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 10_000)  # keys of menus are those of the active one
    settle(10)
    workspace.controller.main.native.setFocus()
    QTest.keyClick(
        workspace.controller.main.native, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier
    )
    settle()
    assert (len(ours), len(theirs)) == ((1, 0) if own else (0, 1))
    if own:  # from a panel too
        workspace.tabs.setFocus()
        QTest.keyClick(workspace.tabs, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
        settle()
        assert (len(ours), len(theirs)) == (2, 0)
    workspace.leave()
