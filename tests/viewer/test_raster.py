"""Painted views: the same picture as napari's, never an old one, and napari where it must draw."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint

from napari_qsm.viewer.canvas import raster
from napari_qsm.viewer.canvas.sheets import Sheets
from napari_qsm.volume import Volume
from tests.viewer.actions import CTRL, drag, picture, pixel_of, wheel
from tests.viewer.conftest import SHAPE, affine_of, settle

pytestmark = pytest.mark.window
RNG = np.random.default_rng(5)


def values(seed=0):
    return np.random.default_rng(seed).normal(0.03, 0.06, SHAPE).astype(np.float32)


def chi(name="χ"):
    data = values()
    data[3:6, 3:6] = np.nan
    return Volume(data, affine_of(), unit="ppm", name=name)


@pytest.fixture
def shown(workspace):
    """Magnitude, map and regions, without a crosshair."""
    session = workspace.session
    session.crosshair_visible = False
    below = chi().with_data(np.abs(values(1)) * 5, unit="", name="magnitude")
    magnitude = session.add(below, role="magnitude")
    map_ = session.add(chi(), role="map")
    drawn = RNG.integers(0, 4, SHAPE).astype(np.uint16)
    drawn[:, ::3] = 0
    labels = session.add(
        chi().with_data(drawn, unit="", name="regions"), role="labels", regions={1: "A", 2: "B"}
    )
    session.set_display(magnitude, visible=True)
    settle()
    return workspace, magnitude, map_, labels


def assert_as_napari_draws(workspace, most=0.01):
    """Every view painted here and drawn by napari: the same pixels but for edges of voxels.

    Where an edge lies in the middle of a pixel, a line of pixels goes to either side: half a
    percent of a small view.
    """
    controller = workspace.controller
    views = controller.views
    assert not any(view.draws_napari for view in views)
    painted = [picture(view) for view in views]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sheets, "beyond", True)
        controller.painting.choose()
        assert all(view.draws_napari for view in views)
        drawn = [picture(view) for view in views]
    controller.painting.choose()
    for view, here, there in zip(views, painted, drawn, strict=True):
        assert here.shape == there.shape and there.max() > 50, view.name
        other = (np.abs(here - there).max(axis=-1) > 3).mean()
        assert other < most, (view.name, other)
        assert (here == picture(view)).all(), "the same again once it is painted again"


def test_painted_and_drawn_pictures_agree(shown):
    workspace, _magnitude, map_, labels = shown
    session = workspace.session
    assert_as_napari_draws(workspace)
    session.set_display(map_, colouring="colour", threshold_low=0.02, opacity=0.8)
    session.set_display(labels, opacity=0.35)
    session.radiological = not session.radiological
    session.large_plane = "sagittal"
    workspace.controller.step("axial", 2)
    assert_as_napari_draws(workspace)
    session.set_display(map_, colouring="inverted", threshold_low=None)
    layer = workspace.controller.layers[map_.id]
    layer.gamma = 0.6
    wheel(workspace.controller.main, QPoint(100, 90), 3, CTRL)
    assert_as_napari_draws(workspace)
    layer.gamma, layer.interpolation2d = 1.0, "linear"
    session.set_display(map_, opacity=1.0)
    assert_as_napari_draws(workspace, most=0.02)  # graphics cards interpolate in 1/256 steps


def test_labels_on_another_grid_and_beyond_the_table(shown):
    workspace, _magnitude, map_, _labels = shown
    affine = affine_of((30, 20, 40), (1.1, 1.7, 0.9), centre=(5.0, -4.0, 9.0))
    fine = RNG.integers(0, 700, (30, 20, 40)).astype(np.int32)
    fine[::2] = 0
    atlas = workspace.session.add(Volume(fine, affine, name="atlas"), role="labels")
    # Two translucent layers of napari's can hide each other, as they lie at one depth.
    workspace.controller.layers[atlas.id].blending = "translucent_no_depth"
    workspace.session.add(Volume(values(3), affine_of(degrees=(8, 3, 0)), name="turned"))
    workspace.session.set_display(workspace.session.maps[-1], opacity=0.5)
    workspace.controller.go_to(map_.volume.voxel_to_world([11, 14, 8]))
    assert_as_napari_draws(workspace)


def test_what_scripts_set_is_painted_at_once(shown):
    workspace, magnitude, map_, labels = shown
    map_layer = workspace.controller.layers[map_.id]
    label_layer = workspace.controller.layers[labels.id]
    views = workspace.controller.views

    def change():
        map_layer.contrast_limits = (0.0, 0.02)
        yield
        map_layer.colormap = "viridis"
        yield
        map_layer.opacity = 0.5
        yield
        map_layer.data = values(9).transpose(2, 1, 0)
        yield
        map_layer.visible = False
        yield
        workspace.controller.layers[magnitude.id].visible = False
        yield
        label_layer.selected_label = 2
        label_layer.show_selected_label = True
        yield
        label_layer.show_selected_label = False
        yield
        label_layer.data_setitem(np.nonzero(np.asarray(label_layer.data) == 2), 3)
        yield
        label_layer.data[label_layer.data == 1] = 0
        label_layer.refresh()
        yield
        map_layer.visible = True
        workspace.viewer.layers.move(workspace.viewer.layers.index(map_layer), 3)
        yield

    before = [picture(view) for view in views]
    for number, _ in enumerate(change()):
        after = [picture(view) for view in views]
        for view, old, new in zip(views, before, after, strict=True):
            assert (old != new).any(), (number, view.name)
        before = after
    assert_as_napari_draws(workspace)


class Counts:
    """How often napari slices and draws."""

    def __init__(self, workspace, patch):
        self.slices = self.draws = 0
        from napari.components._layer_slicer import _LayerSlicer

        submit = _LayerSlicer.submit

        def counted(slicer, **kwargs):
            self.slices += 1
            return submit(slicer, **kwargs)

        patch.setattr(_LayerSlicer, "submit", counted)
        for view in workspace.controller.views:
            if view.canvas is not None:
                view.canvas.qt.canvas.events.draw.connect(self._drawn)

    def _drawn(self, event):
        self.draws += 1


def test_steps_and_drags_ask_napari_for_nothing(shown, monkeypatch):
    """The slider, scripts and values are right at once; slices follow when somebody wants them."""
    workspace, _magnitude, map_, _labels = shown
    controller, viewer = workspace.controller, workspace.viewer
    settle(10)
    counts = Counts(workspace, monkeypatch)
    main = controller.main
    for plane in ("axial", "coronal", "sagittal"):
        controller.step(plane, 2)
        settle(2)
    side = controller.views[1]
    drag(side, QPoint(80, 80), QPoint(120, 110), steps=6)
    wheel(main, QPoint(60, 60), 1)
    display = controller.frame.world_to_display(workspace.session.crosshair_mm)
    assert viewer.dims.point[0] == pytest.approx(display[2]) == main.depth_mm
    assert (counts.slices, counts.draws) == (0, 0)
    layer = controller.layers[map_.id]
    at = np.array(layer.data.shape) // 2
    at[0] = round((main.depth_mm - layer.translate[0]) / layer.scale[0])
    assert layer.get_value(tuple(at)) == layer.data[tuple(at)]
    viewer.dims.set_point(0, viewer.dims.point[0] + 3.0)  # napari's slider, or a script
    settle(2)
    display = controller.frame.world_to_display(workspace.session.crosshair_mm)
    assert display[2] == pytest.approx(viewer.dims.point[0]) == main.depth_mm
    assert (counts.slices, counts.draws) == (0, 0)
    painted = picture(main)
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    assert counts.slices == 1
    assert shot.shape == painted.shape
    assert (np.abs(shot - painted).max(axis=-1) > 3).mean() < 0.004
    controller.step("axial", 1)
    controller._views.slicing._rest.timeout.emit()  # the hand rested
    at[0] += 2
    np.testing.assert_array_equal(layer._slice.image.raw, layer.data[at[0]])
    assert counts.slices == 2


def test_a_brush_paints_its_box_only_and_nothing_old_stays(shown, monkeypatch):
    workspace, _magnitude, map_, labels = shown
    session, controller = workspace.session, workspace.controller
    before = [picture(view) for view in controller.views]
    sizes = []

    def counted(sheets, plane, depth, across, up):
        sizes.append((len(up), len(across)))
        return compose(sheets, plane, depth, across, up)

    compose = raster.compose
    monkeypatch.setattr(raster, "compose", counted)
    here = np.rint(map_.volume.world_to_voxel(session.crosshair_mm)).astype(int)
    box = np.stack(np.meshgrid(*([h - 1, h, h + 1] for h in here), indexing="ij")).reshape(3, -1)
    at = np.ravel_multi_index(tuple(box), SHAPE, order="F")
    session.edit_labels(labels, at, 2)
    after = [picture(view) for view in controller.views]
    assert len(sizes) == 3
    assert max(rows * columns for rows, columns in sizes) < before[2].size / 3 / 8
    for view, old, new in zip(controller.views, before, after, strict=True):
        assert (old != new).any()
        view.surface.redraw()
        np.testing.assert_array_equal(picture(view), new)
    session.history.undo()
    for view, old in zip(controller.views, before, strict=True):
        np.testing.assert_array_equal(picture(view), old)


def test_napari_draws_what_only_it_can_and_gives_the_views_back(shown):
    workspace, _magnitude, map_, labels = shown
    viewer, controller = workspace.viewer, workspace.controller
    painted = [picture(view) for view in controller.views]
    map_layer, label_layer = controller.layers[map_.id], controller.layers[labels.id]

    def drawn_by_napari():
        return [view.draws_napari for view in controller.views]

    def check(on, off):
        on()
        settle()
        assert drawn_by_napari() == [True] * 3
        for view in controller.views:
            assert view.native is view.canvas.native and view.native.isVisible()
            assert view.overlay.parent() is view.native
        off()
        settle()
        assert drawn_by_napari() == [False] * 3
        for view, old in zip(controller.views, painted, strict=True):
            np.testing.assert_array_equal(picture(view), old)

    middle = np.array([map_layer.translate + 8 * np.array(map_layer.scale)])
    check(
        lambda: viewer.add_points(middle, name="marks", size=4),
        lambda: viewer.layers.remove("marks"),  # napari's slider jumps when a layer goes
    )
    for layer, name, value in (
        (map_layer, "blending", "additive"),
        (map_layer, "interpolation2d", "spline36"),
        (map_layer, "rotate", (0, 0, 10)),
        (label_layer, "mode", "paint"),
        (viewer.canvas.overlays["scale_bar"], "visible", True),
        (map_layer.bounding_box, "visible", True),
        (viewer.dims, "margin_left", (3.0, 0.0, 0.0)),
    ):
        old = getattr(layer, name)
        check(
            lambda layer=layer, name=name, value=value: setattr(layer, name, value),
            lambda layer=layer, name=name, old=old: setattr(layer, name, old),
        )
    workspace.session.layout = "volume"
    assert drawn_by_napari() == [True, False, False]
    workspace.session.layout = "three"
    assert drawn_by_napari() == [False] * 3


def test_resized_and_rearranged_views_are_painted_whole(shown):
    workspace, _magnitude, map_, _labels = shown
    for width, height, layout in ((900, 700, "one"), (1300, 820, "three")):
        workspace.viewer.window.resize(width, height)
        workspace.session.layout = layout
        settle(6)
        for view in workspace.controller.views:
            if not view.native.isVisible():
                continue
            shot = picture(view)
            size, ratio = view.native.size(), view.native.devicePixelRatioF()
            assert shot.shape[:2] == (round(size.height() * ratio), round(size.width() * ratio))
            middle = pixel_of(workspace, view, map_.volume.voxel_to_world(np.array(SHAPE) / 2))
            assert abs(middle.x() - size.width() / 2) < 3 * view.camera().zoom
            assert shot[shot.shape[0] // 2].max() > 50
