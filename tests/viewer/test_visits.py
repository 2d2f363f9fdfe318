"""Visits side by side in a real window: crosshair, slices, zoom and pan follow the head, not the scanner.

Where a point lies is told here by 4 x 4 matrices and the affines of the files alone.
"""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint
from scipy.spatial.transform import Rotation

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.io.nifti import write_volume
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.opening import load
from napari_qsm.session.visits import links_on_show
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.volume import Volume
from tests.viewer.actions import CTRL, MIDDLE, child, click, double_click, drag, press, wheel
from tests.viewer.conftest import settle

pytestmark = pytest.mark.window

#: Points of the second visit to points of the first.
BACK = np.eye(4)
BACK[:3, :3] = Rotation.from_euler("xyz", (5, -4, 9), degrees=True).as_matrix()
BACK[:3, 3] = (4.5, -6.25, 3.75)
THERE = np.linalg.inv(BACK)
GRIDS = {"t0": ((30, 34, 22), (2.0, 2.0, 3.0)), "t1": ((36, 32, 30), (1.75, 2.0, 2.25))}


def affine_of(visit):
    shape, size = GRIDS[visit]
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * size
    return affine


def chi_of(visit):
    shape, _ = GRIDS[visit]
    values = np.random.default_rng(len(visit) + int(visit[1])).normal(0.02, 0.04, shape)
    return Volume(values.astype(np.float32), affine_of(visit), unit="ppm")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort") / "study"
    (root / "sub-01").mkdir(parents=True)
    make_study(root, load_protocol("basal-ganglia"))
    for visit in GRIDS:
        anat = root / "sub-01" / f"ses-{visit}" / "anat"
        anat.mkdir(parents=True)
        write_volume(chi_of(visit), anat / f"sub-01_ses-{visit}_Chimap.nii.gz")
    write_transform(StudyFolder(root), Transform("01", "t1", "t0", BACK, {"correlation": 0.93}))
    return root


@pytest.fixture(scope="module")
def beside(one_window, study, request):
    """The first visit is opened; the other one is read when both are asked for."""
    workspace = one_window
    path = study / "sub-01" / "ses-t0" / "anat" / "sub-01_ses-t0_Chimap.nii.gz"
    workspace.show_loaded(load([path]), paths=[path])
    workspace.tabs.setCurrentWidget(workspace.panels.display)
    workspace.panels.display.visits.set_open(True)
    settle()
    rows = child(workspace, "qsm.visits.list")
    assert [rows.item(i).text() for i in range(rows.count())] == [
        "sub-01 ses-t0",
        "sub-01 ses-t1 (not open yet)",
    ]
    press(workspace, "qsm.visits.start")
    QtBot(request).waitUntil(lambda: bool(links_on_show(workspace.session)), timeout=20000)
    settle()
    return workspace


def near_middle(view, across, down):
    """A pixel so far from the middle of a view."""
    return QPoint(view.native.width() // 2 + across, view.native.height() // 2 + down)


def moved(matrix, point):
    return matrix[:3, :3] @ np.asarray(point) + matrix[:3, 3]


def centre_of(view):
    """World mm in the middle of a view's canvas, in the visit's own millimetres."""
    camera = view.camera()
    found = np.zeros(3)
    found[list(DRAWN_AXES[view.plane])] = camera.centre
    found[DEPTH_AXIS[view.plane]] = view.depth_mm
    return found


def shown_at(view):
    """World mm of the crosshair as it is drawn, in the slice that the view shows."""
    camera, pixel = view.camera(), view.overlay.content.crosshair
    return camera.to_display(pixel, view.depth_mm)  # these grids are upright: display is world


def test_a_click_in_either_visit_goes_to_the_same_place_of_the_head(beside):
    session, (first, second) = beside.session, beside.controller.views[:2]
    assert [session.entry(key).case for key in session.compared] == [
        beside.controller.case_in(view) for view in (first, second)
    ]
    for key, visit in zip(session.compared, GRIDS, strict=True):
        layer = beside.controller.layers[key]
        assert isinstance(layer.data, np.ndarray)  # its own grid, nothing resampled
        assert np.allclose(layer.scale[::-1], GRIDS[visit][1])
        assert np.allclose(layer.translate[::-1], affine_of(visit)[:3, 3])
    for at in (near_middle(first, 30, 40), near_middle(first, -50, -20)):
        click(first, at)
        here = np.array(session.crosshair_mm)
        pressed = first.camera().to_display((at.x(), at.y()), first.depth_mm)
        assert (np.abs(here - pressed) <= np.array(GRIDS["t0"][1]) / 2 + 1e-6).all()
        assert np.allclose(shown_at(second), moved(THERE, here), atol=1e-3)
    at = near_middle(second, 25, 33)
    click(second, at)
    pressed = second.camera().to_display((at.x(), at.y()), second.depth_mm)
    there = shown_at(second)
    assert (np.abs(there - pressed)[:2] <= np.array(GRIDS["t1"][1])[:2] / 2 + 1e-6).all()
    voxel = np.linalg.inv(affine_of("t1")) @ [*there, 1]
    assert np.allclose(voxel, np.rint(voxel), atol=1e-6)  # on a voxel of the visit clicked in
    assert np.allclose(session.crosshair_mm, moved(BACK, there), atol=1e-3)


def test_slices_zoom_and_pan_follow(beside):
    session, (first, second) = beside.session, beside.controller.views[:2]
    click(first, near_middle(first, 20, 40))
    before = np.rint(np.linalg.inv(affine_of("t1")) @ [*shown_at(second), 1])
    wheel(second, QPoint(200, 200), 1)
    after = np.linalg.inv(affine_of("t1")) @ [*shown_at(second), 1]
    assert np.allclose(after - before, (0, 0, 1, 0), atol=1e-5)  # a slice of the visit's own
    assert np.allclose(session.crosshair_mm, moved(BACK, shown_at(second)), atol=1e-3)
    drag(second, QPoint(200, 200), QPoint(230, 180), button=MIDDLE)
    wheel(second, QPoint(120, 140), 2, CTRL)
    settle()
    assert first.camera().zoom == pytest.approx(second.camera().zoom)
    assert np.allclose(centre_of(first)[:2], moved(BACK, centre_of(second))[:2], atol=1e-3)
    drag(first, QPoint(200, 200), QPoint(170, 240), button=MIDDLE)
    middle = moved(THERE, centre_of(first))
    assert np.allclose(centre_of(second)[:2], middle[:2], atol=1e-3)
    # The pictures stay under the pointer while the crosshair is dragged.
    before = first.camera(), second.camera()
    drag(second, near_middle(second, 0, 0), near_middle(second, 40, -30))
    assert (first.camera(), second.camera()) == before


def test_what_is_read_is_each_visits_own_value_at_its_own_place(beside):
    click(beside.controller.views[0], near_middle(beside.controller.main, -20, 30))
    beside.readout.update_now()
    here = np.array(beside.session.crosshair_mm)
    table = beside.readout.table
    said = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(2)}
    for visit, place in (("t0", here), ("t1", moved(THERE, here))):
        at = tuple(np.rint(np.linalg.inv(affine_of(visit)) @ [*place, 1])[:3].astype(int))
        (text,) = [text for name, text in said.items() if visit in name]
        assert text == f"{chi_of(visit).data[at]:.3f} ppm".replace("-", "−")


def test_the_visit_worked_on_changes_by_a_double_click_and_the_place_stays(beside):
    session, (first, second) = beside.session, beside.controller.views[:2]
    click(first, near_middle(first, 20, 40))
    place = np.array(session.crosshair_mm)
    double_click(second, near_middle(second, 5, -10))
    assert session.case.visit == "t1"
    there = np.array(session.crosshair_mm)
    assert np.allclose(shown_at(first), moved(BACK, there), atol=1e-3)
    assert not np.allclose(place, there)
    assert "worked on" in second.overlay.content.title
    press(beside, "qsm.visits.start")
    assert session.layout == "three" and session.case.visit == "t1"
    assert np.allclose(session.crosshair_mm, there)


def patches(view):
    return [item for item in view.overlay.content.items if isinstance(item, Patch)]


def middle_of(view, patch):
    """World mm of the middle of a patch, in the visit's own millimetres."""
    corners = [view.camera().to_display(at, view.depth_mm) for at in patch.loops[0]]
    return (np.min(corners, axis=0) + np.max(corners, axis=0)) / 2


def test_a_shape_is_broken_where_it_is_carried_and_whole_where_it_was_placed(beside):
    session, (first, second) = beside.session, beside.controller.views[:2]
    if not links_on_show(session):
        press(beside, "qsm.visits.start")
    by_visit = {case.visit: case for case in session.cases if case.visit}
    session.active_case = by_visit["t0"].id
    volume = by_visit["t0"].of_role("map")[0].volume
    shape = snap(FixedShape(kind="circle", size_mm=(8,), slices=3, region_name="GPi L",
                            centre_mm=(9, -7, 4.5)), volume)  # fmt: skip
    by_visit["t0"].shapes = (shape,)
    beside.controller.go_to(np.array(shape.centre_mm))
    settle()
    (placed,), (carried,) = patches(first), patches(second)
    assert not placed.dashed and carried.dashed
    assert (np.abs(middle_of(first, placed) - shape.centre_mm)[:2] < 0.01).all()
    there = moved(THERE, shape.centre_mm)
    assert (
        np.abs(middle_of(second, carried) - there)[:2] <= np.array([1.75, 2.0]) / 2 + 0.01
    ).all()
    beside.tabs.setCurrentWidget(beside.panels.regions)
    beside.panels.regions.shapes.set_open(True)
    settle()
    assert child(beside, "qsm.shapes.groups").currentText() == "sub-01 ses-t1"
    press(beside, "qsm.shapes.copy")  # a transform is known: nothing is asked
    assert len(by_visit["t1"].shapes) == 1
    assert "with the head" in beside.central.message.text
    (now,) = patches(second)
    assert not now.dashed and np.allclose(middle_of(second, now), middle_of(second, carried))
    session.history.undo()
    settle()
    assert patches(second)[0].dashed and session.case.visit == "t1"  # undoing shows where
    session.active_case = by_visit["t0"].id
    # A tool acts in the visit that is worked on; in the other view a click moves the crosshair.
    press(beside, "qsm.shapes.place")
    click(second, near_middle(second, 30, 30))
    assert by_visit["t1"].shapes == () and by_visit["t0"].shapes == (shape,)
    click(first, near_middle(first, -40, 10))
    assert len(by_visit["t0"].shapes) == 2 and by_visit["t1"].shapes == ()
    press(beside, "qsm.shapes.place")


def test_the_table_of_changes_follows_and_is_marked_by_what_was_chosen(beside, tmp_path):
    session = beside.session
    by_visit = {case.visit: case for case in session.cases if case.visit}
    for case in by_visit.values():
        case.shapes = ()
    session.unit = "ppb"
    if not links_on_show(session):
        press(beside, "qsm.visits.start")
    beside.tabs.setCurrentWidget(beside.panels.display)
    settle()
    press(beside, "qsm.visits.changes")
    dialog = beside.panels.display.visits.changes
    assert dialog.table.content.lines == ()
    means = {}
    for visit, case in by_visit.items():
        volume = case.of_role("map")[0].volume
        shape = snap(FixedShape(kind="sphere", size_mm=(8,), region_name="GPi L",
                                centre_mm=(4, -6, 3)), volume)  # fmt: skip
        case.shapes = (shape,)
        at = np.moveaxis(np.indices(volume.shape), 0, -1) * GRIDS[visit][1]
        at = at + affine_of(visit)[:3, 3]
        inside = np.linalg.norm(at - shape.centre_mm, axis=-1) <= 4 + 1e-6
        means[visit] = 1e3 * volume.data[inside].astype(float).mean()
    dialog.refresh()
    cells = dialog.table.content.lines[0].cells
    assert cells[2:4] == tuple(f"{means[v]:.0f}".replace("-", "−") for v in GRIDS)
    change = means["t1"] - means["t0"]
    assert cells[4] == f"{change:+.1f}".replace("-", "−")
    by = child(beside, "qsm.changes.by")
    by.setCurrentIndex(by.findData("own"))
    by.activated.emit(by.currentIndex())
    child(beside, "qsm.changes.sdw").setValue(abs(change) / (1.96 * 2**0.5) * 0.95)
    settle()
    assert dialog.table.content.lines[0].cells[4].endswith(" *")
    assert "without a source" in child(beside, "qsm.changes.words").text()
    dialog.export(tmp_path / "changes.csv")
    assert "change_ppb_visit2" in (tmp_path / "changes.csv").read_text("utf-8")
    dialog.close()
    settle()
    assert beside.panels.display.visits.changes is None
    press(beside, "qsm.visits.figure")
    one, other, lines, table = session.figure.panels
    assert np.allclose(other.through_mm, moved(THERE, one.through_mm), atol=2e-3)
    assert lines.kind == table.kind == "changes" and table.rows[0].is_beyond(1)
    assert table.judged_by == "a value typed in, without a source"
    session.unit = "ppm"
