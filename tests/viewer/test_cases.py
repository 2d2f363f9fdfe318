"""Two patients in one window: nothing of one gets into picture, grid, bar or table of the other."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_qsm.io.nifti import write_volume
from napari_qsm.session.opening import load
from napari_qsm.volume import Volume
from tests.viewer.actions import child, press
from tests.viewer.conftest import settle

pytestmark = pytest.mark.window

GRIDS = {"anna": ((24, 28, 16), 2.0, -2.0), "berta": ((36, 40, 24), 1.25, 2.5)}


def write_head(folder, name):
    shape, size, at = GRIDS[name]
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) * size / 2 + [at, 0, 0]
    seed = list(GRIDS).index(name)
    values = np.random.default_rng(seed).normal(0.05 + 0.1 * seed, 0.01, shape)
    where = folder / name
    where.mkdir()
    write_volume(Volume(values.astype(np.float32), affine, unit="ppm"), where / "chi.nii.gz")
    labels = np.zeros(shape, np.uint8)
    labels[4:8, 10:14, 6:10] = 1
    write_volume(Volume(labels, affine), where / "rois_dseg.nii.gz")
    lines = "################\n# ITK-SnAP Label Description File\n"
    (where / "rois_dseg.label").write_text(
        lines + '    1   255    0    0        1  1  1    "Putamen L"\n'
    )
    return where


def answered(monkeypatch, key):
    """Answer the next question with one of its buttons; returns the names of what was asked."""
    asked = []

    def exec_(box):
        asked.append(box.objectName())
        box.button_ = next(b for b in box.buttons() if b.objectName().endswith(f".{key}"))
        return 0

    monkeypatch.setattr(QMessageBox, "exec", exec_)
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda box: box.button_)
    return asked


@pytest.fixture
def two(workspace, tmp_path, monkeypatch):
    workspace.show_loaded(load([write_head(tmp_path, "anna")]))
    asked = answered(monkeypatch, "new")
    workspace.show_loaded(load([write_head(tmp_path, "berta")]))
    settle()
    assert asked == ["qsm.whose"]  # once for all files of the folder
    return workspace.session.cases


def drawn(workspace):
    return [layer for layer in workspace.viewer.layers if layer.visible]


def test_each_is_shown_alone_in_its_own_grid_with_its_own_numbers(workspace, two):
    session = workspace.session
    assert [case.name for case in two] == ["Case 1", "Case 2"]
    box = child(workspace, "qsm.data.case")
    assert [box.itemText(i) for i in range(box.count())] == ["Case 1", "Case 2"]
    for name, case in zip(GRIDS, two, strict=True):
        session.active_case = case.id
        settle()
        shape, size, _ = GRIDS[name]
        assert workspace.controller.frame.reference.shape == shape
        assert {workspace.controller.sync.entry_of(layer).case for layer in drawn(workspace)} == {
            case.id
        }
        assert workspace.controller.shown_in(workspace.controller.main) in case.maps
        measured, labels = case.of_role("map")[0], case.of_role("labels")[0]
        inside = measured.volume.data[labels.editable == 1].astype(np.float64)
        table = workspace.table()
        assert list(table["name"]) == ["Putamen L"] and table["voxels"][0] == inside.size
        assert table["mean_ppm"][0] == pytest.approx(inside.mean(), rel=1e-6)
        # The crosshair steps by slices of this patient's own grid.
        before = session.crosshair_mm[2]
        workspace.controller.step("axial", 1)
        assert session.crosshair_mm[2] - before == pytest.approx(size)


def test_the_midline_is_set_for_the_one_on_show_only(workspace, two):
    session = workspace.session
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    for name, case in zip(GRIDS, two, strict=True):
        session.active_case = case.id
        at = GRIDS[name][2]
        workspace.controller.go_to(np.array([at, 0.0, 0.0]))
        settle()
        press(workspace, "qsm.mirror.here")
    middles = [case.midline_mm for case in two]
    for (_, size, at), middle in zip(GRIDS.values(), middles, strict=True):
        assert abs(middle - at) <= size / 2
    assert middles[0] < 0 < middles[1]


def test_a_case_with_unsaved_strokes_is_closed_only_when_asked(workspace, two, monkeypatch):
    session = workspace.session
    second = session.case
    (labels,) = second.of_role("labels")
    session.edit_labels(labels, np.array([0, 1]), 1)
    asked = answered(monkeypatch, "cancel")
    press(workspace, "qsm.data.case_close")
    assert asked == ["qsm.close_case"] and second in session.cases
    session.active_case = two[0].id
    settle()
    press(workspace, "qsm.data.case_close")  # nothing of it is unsaved
    assert asked == ["qsm.close_case"] and session.cases == [second]
    answered(monkeypatch, "drop")
    press(workspace, "qsm.data.case_close")
    assert session.case.is_empty and list(session) == [] and not workspace.viewer.layers
    assert QApplication.activeModalWidget() is None


def test_layers_of_two_heads_in_plain_napari_are_two_cases(workspace):
    from napari.layers import Layer

    from napari_qsm.viewer.plain.layers import layer_data

    session, viewer = workspace.session, workspace.viewer
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    own = {}
    for n, (head, column) in enumerate((("control", 4), ("patient", 14), ("control", 4))):
        labels = np.zeros((24, 28, 16), np.uint8)
        labels[column : column + 3, 10:14, 6:10] = 1
        chi = np.where(labels, 0.1, 0.0).astype(np.float32)
        regions = Volume(labels, affine, name=f"regions {head} {n}")
        map_ = Volume(chi, affine, unit="ppm", name=f"chi {head} {n}")
        both = layer_data(regions, "labels", head=head) + layer_data(map_, "map", head=head)
        for data, options, kind in both:
            viewer.add_layer(Layer.create(data, options, kind))
        own[n] = f"chi {head} {n}", head
    settle()
    assert len({entry.case for entry in session}) == 2
    for chi, head in own.values():
        map_ = next(entry for entry in session if entry.name == chi)
        measured = session.labels_of(map_)
        assert session.case_of(map_).participant == head
        assert measured is not None and f"regions {head}" in measured.name


def test_what_sidecars_say_of_layers_in_plain_napari_is_known_in_the_three_views(workspace):
    """Nobody types an echo time that the layers carry; what a single step made is no echo more."""
    from napari.layers import Layer

    from napari_qsm.viewer.plain.layers import layer_data

    session, viewer = workspace.session, workspace.viewer
    values = np.random.default_rng(0).uniform(-3, 3, (24, 28, 16)).astype(np.float32)
    phase = Volume(values, np.eye(4), unit="rad", name="phase")
    facts = {"EchoTime": 0.021, "MagneticFieldStrength": 3.0}
    for name, made in (("phase", {}), ("wrapped phase", {"qsm_made": {"method": "scale"}})):
        volume = phase.with_data(values, name=name)
        for data, options, kind in layer_data(volume, "phase", facts=facts, head="anna"):
            layer = Layer.create(data, options, kind)
            layer.metadata.update(made)
            viewer.add_layer(layer)
    settle()
    (source,) = session.case.scan_sources()
    assert source.echoes == 1
    assert (source.recorded.echo_times_s, source.recorded.field_strength_t) == ((0.021,), 3.0)
    assert source.make(source.recorded).metadata == {"MagneticFieldStrength": 3.0}
