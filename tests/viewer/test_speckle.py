"""Speckle in the views: what the Display tab leaves out is what figures leave out, and is undone."""

import numpy as np
import pytest

from napari_qsm.figures.draw import render
from napari_qsm.session import Session
from napari_qsm.session.figure.from_session import given_of
from napari_qsm.session.store import read_session
from napari_qsm.volume import Volume
from tests.test_clusters import clusters_of
from tests.viewer.actions import child, picture, pixel_of, press
from tests.viewer.conftest import SHAPE, SIZE_MM, affine_of, settle

pytestmark = pytest.mark.window
LEAST_MM3 = 40.0  # a voxel has 9
LOW = 0.05


def values():
    """Noise, of which a threshold leaves speckle, and one large cluster."""
    data = np.random.default_rng(2).normal(0.0, 0.04, SHAPE).astype(np.float32)
    data[np.abs(data - LOW) < 0.3 / 512] = 0  # no value within a step of the colours
    data[4:11, 6:14, 5:12] = 0.12
    return data


def small(data):
    """Small clusters by a flood fill, voxel by voxel."""
    out = np.zeros(data.shape, bool)
    for cluster in clusters_of(data >= LOW):
        if len(cluster) * np.prod(SIZE_MM) < LEAST_MM3:
            out[tuple(np.array(list(cluster)).T)] = True
    return out


@pytest.fixture
def shown(workspace):
    session = workspace.session
    session.crosshair_visible = False
    chi = Volume(values(), affine_of(), unit="ppm", name="χ")
    below = session.add(chi.with_data(np.full(SHAPE, 9.0, np.float32), unit="", name="magnitude"),
                        role="magnitude")  # fmt: skip
    map_ = session.add(chi, role="map")
    other = session.add(chi.with_data(values()[::-1].copy(), name="second"), role="map")
    session.set_display(other, visible=False)
    session.set_display(below, visible=False)
    session.selected = map_.id
    session.set_display(map_, colouring="colour", window=(0.0, 0.15), threshold_low=LOW)
    settle()
    return workspace, below, map_, other


def seen(workspace, places):
    """Colours of points in the large view, (n, 3)."""
    main = workspace.controller.main
    shot, at = picture(main), [pixel_of(workspace, main, world) for world in places]
    return np.array([shot[pixel.y(), pixel.x()] for pixel in at])


def is_grey(pixels):
    return np.ptp(pixels, axis=1) <= 1


def voxels_on(view_axis, volume, mask, index):
    """World mm of the middles of some voxels of a slice."""
    found = np.argwhere(mask)
    return [volume.voxel_to_world(v) for v in found[found[:, view_axis] == index]]


def test_views_leave_out_what_a_flood_fill_finds_and_show_what_lies_below(shown):
    workspace, below, map_, other = shown
    session = workspace.session
    volume = map_.volume
    axial = int(volume.world_to_voxel(session.crosshair_mm)[2].round())
    speckle = small(volume.data)
    places = voxels_on(2, volume, speckle, axial)
    kept = voxels_on(2, volume, (volume.data >= LOW) & ~speckle, axial)
    assert len(places) > 5 and len(kept) > 5
    assert not is_grey(seen(workspace, [*places, *kept])).any()

    child(workspace, "qsm.display.speckle").setValue(LEAST_MM3)
    assert map_.display.smallest_cluster_mm3 == other.display.smallest_cluster_mm3 == LEAST_MM3
    assert not is_grey(seen(workspace, kept)).any()
    # Its own grey, as where the threshold hides a value: black -0.1, white 0.2.
    at = [tuple(np.rint(volume.world_to_voxel(place)).astype(int)) for place in places]
    own = 255 * (np.array([volume.data[voxel] for voxel in at]) + 0.1) / 0.3
    np.testing.assert_allclose(seen(workspace, places), own[:, None] * [1, 1, 1], atol=1.5)

    session.set_display(below, visible=True, window=(0.0, 18.0))
    np.testing.assert_allclose(seen(workspace, places), 127.5, atol=1.5)  # the magnitude

    assert session.history.undo_text == "size of speckle"
    session.history.undo()
    assert map_.display.smallest_cluster_mm3 == other.display.smallest_cluster_mm3 == 0
    assert not is_grey(seen(workspace, places)).any()
    session.history.redo()
    assert is_grey(seen(workspace, places)).all()


def test_a_curtain_of_two_maps_leaves_it_out_of_both(shown):
    workspace, _, map_, other = shown
    session = workspace.session
    child(workspace, "qsm.display.speckle").setValue(LEAST_MM3)
    session.compared = (map_.id, other.id)
    session.layout, session.mix = "compare", "curtain"
    settle()
    axial = int(map_.volume.world_to_voxel(session.crosshair_mm)[2].round())
    edge = SHAPE[0] / 2
    for entry, is_first in ((map_, True), (other, False)):
        places = voxels_on(2, entry.volume, small(entry.volume.data), axial)
        places = [p for p in places if (entry.volume.world_to_voxel(p)[0] < edge) == is_first]
        assert places and is_grey(seen(workspace, places)).all()


def test_a_figure_of_the_view_leaves_out_the_same_and_says_so(shown, tmp_path):
    workspace = shown[0]
    session = workspace.session
    child(workspace, "qsm.display.speckle").setValue(LEAST_MM3)
    press(workspace, "qsm.figure.add_view")
    spec = session.figure
    assert spec.displays["colour"].smallest_cluster_mm3 == LEAST_MM3
    drawn = render(spec, given_of(session, spec, {}, {}), preview=True)
    assert "nor clusters smaller than 40 mm³ (5 voxels that share faces, in 3-D)" in drawn.caption

    workspace.save(tmp_path / "work")
    again = Session()
    read_session(tmp_path / "work").into(again)
    assert again.of_role("map")[0].display.smallest_cluster_mm3 == LEAST_MM3


def test_without_thresholds_there_is_nothing_to_leave_out(shown):
    workspace, _, map_, _ = shown
    field = child(workspace, "qsm.display.speckle")
    assert field.isEnabled() and field.value() == 0
    press(workspace, "qsm.display.hide_below")
    assert not field.isEnabled() and map_.display.threshold_low is None
