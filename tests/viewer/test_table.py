"""The table of regions in a real window: always what numpy says of the arrays as they are."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QPushButton

from napari_qsm.io.label_table import Region
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.rois.statistics import columns
from napari_qsm.session.table.content import Column, Line
from napari_qsm.viewer.regions.table_actions import as_numbers, as_shown
from napari_qsm.volume import Volume
from tests.viewer.actions import LEFT, NONE, Answers, cell, child, drag, pixel_of, press
from tests.viewer.conftest import SHAPE, affine_of, settle

pytestmark = pytest.mark.window

REGIONS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#00ff00"),
    5: Region(5, "Red nucleus", "", "#0000ff"),
}


def noisy(seed=1, name="χ one", unit="ppm", mean=0.05, sd=0.03):
    values = np.random.default_rng(seed).normal(mean, sd, SHAPE).astype(np.float32)
    return Volume(values, affine_of(), unit=unit, name=name)


def some_labels():
    data = np.zeros(SHAPE, np.uint8)
    data[4:9, 10:18, 6:10] = 2
    data[15:20, 10:17, 6:10] = 1
    return Volume(data, affine_of(), name="regions")


@pytest.fixture(autouse=True)
def default_columns(workspace):
    """The table as a new user sees it."""
    from napari_qsm.session.table.choice import Choice

    workspace.table_panel.set_choice(Choice())


@pytest.fixture
def opened(workspace):
    """A map and its regions."""
    chi = workspace.session.add(noisy())
    labels = workspace.session.add(some_labels(), role="labels", regions=dict(REGIONS))
    wait()
    return workspace, chi, labels


def wait(rounds=3):
    """Let the table's own timer run; nothing here asks the table to update."""
    import time

    for _ in range(rounds):
        settle(2)
        time.sleep(0.035)
    settle(2)


def cells(workspace):
    table = child(workspace, "qsm.stats.table")
    return [
        [cell(table, row, column) for column in range(table.model().columnCount())]
        for row in range(table.model().rowCount())
    ]


def titles(workspace):
    table = child(workspace, "qsm.stats.table")
    model = table.model()
    return [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]


def note(workspace):
    return child(workspace, "qsm.stats.note").text()


def expected(chi, labels, factor=1.0, places=3):
    """The always-shown columns, from nothing but the arrays."""
    data = np.asarray(labels.editable)
    mm3 = chi.volume.voxel_volume_mm3
    rows = []
    for label in sorted(set(np.unique(data).tolist()) - {0} | set(labels.regions)):
        inside = chi.shown.data[data == label].astype(np.float64)
        inside = inside[np.isfinite(inside)] * factor
        region = labels.regions.get(label)
        text = "–"
        if inside.size > 1:
            mean = round(inside.mean(), places) + 0.0  # no minus before zero
            text = f"{mean:.{places}f} ± {inside.std(ddof=1):.{places}f}"
        elif inside.size:
            text = f"{inside[0]:.{places}f}"
        count = int((data == label).sum())
        rows.append(
            [
                str(label),
                region.name if region else f"region {label}",
                region.side if region else "",
                str(count),
                f"{count * mm3 + 1e-9:.1f}",
                text.replace("-", "−"),
            ]
        )
    return rows


def check(workspace, chi, labels):
    wait()
    assert [row[:6] for row in cells(workspace)] == expected(chi, labels)


def menu_actions(workspace, name):
    button = child(workspace, f"qsm.stats.{name}")
    menu = button.menu()
    menu.aboutToShow.emit()
    return {action.objectName().removeprefix("qsm.stats."): action for action in menu.actions()}


def choose(workspace, menu, name):
    """Tick a menu entry."""
    menu_actions(workspace, menu)[name].trigger()
    wait()


def test_one_row_per_region(opened):
    workspace, chi, labels = opened
    check(workspace, chi, labels)
    assert titles(workspace)[:6] == [
        "label",
        "region",
        "side",
        "voxels",
        "volume (mm³)",
        "mean ± SD (ppm)",
    ]
    assert cells(workspace)[2][1:] == ["Red nucleus", "", "0", "0.0", "–", "–", "–", "–"]
    frame = workspace.table()
    assert list(frame.columns) == columns()
    inside = chi.volume.data[labels.editable == 2].astype(np.float64)
    row = frame.set_index("label").loc[2]
    assert row["mean_ppm"] == pytest.approx(inside.mean(), rel=1e-12)
    assert row["p95_ppm"] == pytest.approx(np.percentile(inside, 95), rel=1e-12)


def test_strokes_undo_and_redo(opened):
    workspace, chi, labels = opened
    layer = workspace.controller.layers[labels.id]
    workspace.viewer.layers.selection.active = layer
    layer.mode, layer.brush_size, layer.selected_label = "paint", 3, 5
    view = workspace.controller.views[0]
    seen = []

    def look():
        seen.append(cells(workspace)[2][3])

    workspace.table_panel.updated.connect(look)
    for start, end in (([8, 8, 8], [14, 20, 8]), ([15, 12, 8], [19, 14, 8])):
        at, to = (pixel_of(workspace, view, chi.volume.voxel_to_world(v)) for v in (start, end))
        before = np.array(labels.editable)
        drag(view, at, to, steps=6)
        assert (labels.editable != before).any()
        check(workspace, chi, labels)
    workspace.table_panel.updated.disconnect(look)
    assert len(set(seen)) > 3  # it moved while the hand did
    layer.mode = "erase"
    drag(view, at, to)
    check(workspace, chi, labels)
    layer.mode = "pan_zoom"
    for _ in range(3):
        workspace.session.history.undo()
        check(workspace, chi, labels)
    assert cells(workspace)[2][3] == "0"
    for _ in range(3):
        workspace.session.history.redo()
        check(workspace, chi, labels)


def test_the_first_move_of_a_stroke_shows_at_once(opened):
    workspace, chi, labels = opened
    at = np.flatnonzero((labels.editable == 0).ravel(order="F"))[:7]
    workspace.session.edit_labels(labels, at, 5)
    assert [row[:6] for row in cells(workspace)] == expected(chi, labels)


def test_edits_from_code(opened):
    workspace, chi, labels = opened
    layer = workspace.controller.layers[labels.id]
    layer.data_setitem((np.array([7, 7]), np.array([2, 3]), np.array([2, 2])), 5)
    check(workspace, chi, labels)
    layer.fill((8, 12, 5), 9)
    check(workspace, chi, labels)
    assert "region 9" in [row[1] for row in cells(workspace)]
    layer.data[3:6, 4:9, 4:9] = 1
    layer.refresh()
    wait(12)
    check(workspace, chi, labels)
    new = np.zeros(layer.data.shape, np.int64)
    new[5:9, 5:9, 5:9] = 2
    layer.data = new
    check(workspace, chi, labels)
    assert np.shares_memory(layer.data, labels.editable)
    assert cells(workspace)[1][3] == "64"
    workspace.session.history.undo()
    check(workspace, chi, labels)
    assert cells(workspace)[1][3] != "64"
    layer.data = np.zeros((3, 3, 3), np.uint8)
    check(workspace, chi, labels)
    assert "3 x 3 x 3" in workspace.central.message.text


def test_long_random_work_in_the_window(opened):
    workspace, chi, labels = opened
    rng = np.random.default_rng(4)
    session, layer = workspace.session, workspace.controller.layers[labels.id]
    for step in range(60):
        what = rng.integers(7)
        if what < 2:
            at = rng.choice(labels.editable.size, 150, replace=False)
            session.edit_labels(labels, at, int(rng.choice([0, 1, 2, 5, 7])))
        elif what == 2:
            session.history.undo()
        elif what == 3:
            session.history.redo()
        elif what == 4:
            layer.paint(tuple(rng.uniform(3, 15, 3)), int(rng.integers(0, 6)))
        elif what == 5:
            chi_layer = workspace.controller.layers[chi.id]
            new = rng.normal(0, 0.04, chi_layer.data.shape).astype(np.float32)
            new[rng.random(new.shape) < 0.02] = np.nan
            chi_layer.data = new
        else:
            regions = dict(labels.regions)
            regions[7] = Region(7, f"step {step}", "", "#123456")
            session.change("rename", labels, regions=regions)
        if step % 6 == 5:
            check(workspace, chi, labels)
    table = workspace.table().set_index("label")
    for label in np.unique(labels.editable)[1:]:
        inside = chi.shown.data[labels.editable == label].astype(np.float64)
        inside = inside[np.isfinite(inside)]
        assert table.mean_ppm[label] == pytest.approx(inside.mean(), abs=1e-9)
        assert table.sd_ppm[label] == pytest.approx(inside.std(ddof=1), abs=1e-9)
        assert table.median_ppm[label] == pytest.approx(np.median(inside), abs=1e-9)


def test_unit_map_and_names(opened):
    workspace, chi, labels = opened
    workspace.session.unit = "ppb"
    wait()
    assert titles(workspace)[5] == "mean ± SD (ppb)"
    assert [row[:6] for row in cells(workspace)] == expected(chi, labels, 1e3, 0)
    assert "mean_ppb" in workspace.table()
    workspace.session.unit = "ppm"
    other = workspace.session.add(noisy(7, "χ two", mean=0.2))
    check(workspace, other, labels)
    box = child(workspace, "qsm.stats.map")
    assert box.currentText() == "χ two"
    box.setCurrentIndex(box.findText("χ one"))
    check(workspace, chi, labels)
    assert workspace.session.selected == chi.id
    regions = {**labels.regions, 1: Region(1, "Renamed", "right", "#aabbcc")}
    workspace.session.change("rename", labels, regions=regions)
    check(workspace, chi, labels)
    swatch = cell(child(workspace, "qsm.stats.table"), 0, 1, Qt.ItemDataRole.DecorationRole)
    assert swatch.pixmap(8, 8).toImage().pixelColor(4, 4).name() == "#aabbcc"
    workspace.session.remove(other)
    check(workspace, chi, labels)


def test_the_choice_of_a_rater_is_one_for_table_views_and_tools(opened):
    workspace, chi, labels = opened
    wait()
    box = child(workspace, "qsm.stats.labels")
    assert not box.isVisible()  # nothing to choose
    drawn = np.zeros(labels.volume.shape, np.uint16)
    drawn[2:5, 3:6, 2:5] = 1
    other = workspace.session.add(
        replace(labels.volume, data=drawn, name="BB"), role="labels", regions=dict(REGIONS)
    )
    check(workspace, chi, labels)
    assert box.isVisible() and box.currentText() == labels.name
    box.showPopup()
    QTest.keyClick(box.view(), Qt.Key.Key_Down)
    QTest.keyClick(box.view(), Qt.Key.Key_Return)
    assert box.currentText() == "BB"
    check(workspace, chi, other)
    assert child(workspace, "qsm.regions.map").currentText() == "BB"
    layers = {layer.name: layer.visible for layer in workspace.viewer.layers}
    assert (layers["BB"], layers[labels.name]) == (True, False)
    workspace.session.painted = labels.id  # drawn on again
    check(workspace, chi, labels)
    assert box.currentText() == labels.name


def test_several_maps_with_their_own_units(opened):
    workspace, _, labels = opened
    rate = workspace.session.add(noisy(3, "R2*", "1/s", mean=30, sd=4), role="other", name="R2*")
    magnitude = workspace.session.add(noisy(5, "magnitude", "", mean=500, sd=40), role="magnitude")
    before = titles(workspace)
    choose(workspace, "maps", f"maps.{rate.id}")
    choose(workspace, "maps", f"maps.{magnitude.id}")
    shown = titles(workspace)
    assert "R2*\nmean ± SD (1/s)" in shown
    assert "magnitude\nmean ± SD (unit?)" in shown
    assert sum("voxels" in title for title in shown) == 1  # one label map: counted once
    column = shown.index("R2*\nmean ± SD (1/s)")
    inside = rate.volume.data[labels.editable == 1].astype(np.float64)
    assert cells(workspace)[0][column] == f"{inside.mean():.1f} ± {inside.std(ddof=1):.1f}"
    exported = workspace.table_panel.actions_.exported()
    assert [table.unit for table in exported] == ["ppm", "1/s", ""]
    assert "mean_per_s" in exported[1].frame
    choose(workspace, "maps", f"maps.{rate.id}")
    choose(workspace, "maps", f"maps.{magnitude.id}")
    assert titles(workspace) == before


def test_a_map_that_is_no_susceptibility_is_measured_only_if_asked(opened):
    workspace, chi, labels = opened
    rate = workspace.session.add(noisy(3, "R2*", "1/s", mean=30), role="other", name="R2*")
    workspace.session.selected = rate.id
    check(workspace, chi, labels)
    box = child(workspace, "qsm.stats.map")
    box.setCurrentIndex(box.findText("R2*"))
    wait()
    assert titles(workspace)[5] == "mean ± SD (1/s)"
    assert workspace.table()["mean_per_s"][0] == pytest.approx(
        rate.volume.data[labels.editable == 1].astype(np.float64).mean()
    )


def test_two_subjects_side_by_side_each_under_its_own_regions(workspace):
    session = workspace.session
    for seed, subject in ((1, "control"), (2, "patient")):
        case = session.case_called(subject)
        session.add(noisy(seed, f"χ {subject}"), case=case)
        data = np.array(some_labels().data)
        data[:6] = data[:6] * (seed == 1)
        session.add(
            Volume(data, affine_of(), name=f"regions {subject}"),
            role="labels",
            regions=dict(REGIONS),
            case=case,
        )
    wait()
    control = session.entry("χ control")
    choose(workspace, "maps", f"maps.{control.id}")
    shown, rows = titles(workspace), cells(workspace)
    for subject in ("control", "patient"):
        labels, chi = session.entry(f"regions {subject}"), session.entry(f"χ {subject}")
        row = expected(chi, labels)[1]
        assert rows[1][shown.index(f"χ {subject}\nvoxels")] == row[3]
        assert rows[1][shown.index(f"χ {subject}\nmean ± SD (ppm)")] == row[5]


def test_columns_pairs_and_total(opened):
    workspace, chi, labels = opened
    choose(workspace, "show", "show.p95")
    assert "95 % (ppm)" in titles(workspace)
    inside = chi.volume.data[labels.editable == 1].astype(np.float64)
    at = titles(workspace).index("95 % (ppm)")
    assert cells(workspace)[0][at] == f"{np.percentile(inside, 95):.3f}"
    from napari_qsm.session.table.choice import load_choice

    assert "p95" in load_choice().columns  # remembered
    choose(workspace, "show", "show.total")
    every = chi.volume.data[labels.editable > 0].astype(np.float64)
    last = cells(workspace)[-1]
    assert last[1:4] == ["all regions", "", str(every.size)]
    assert last[5] == f"{every.mean():.3f} ± {every.std(ddof=1):.3f}"
    choose(workspace, "show", "show.total")
    choose(workspace, "show", "show.pairs")
    ((name, *sides, mean, volume),) = cells(workspace)
    assert name == "Putamen"
    left, right = expected(chi, labels)[:2]
    assert sides == [*left[3:], *right[3:]]
    values = [chi.volume.data[labels.editable == n].astype(np.float64).mean() for n in (1, 2)]
    percent = 100 * (values[0] - values[1]) / ((values[0] + values[1]) / 2)
    assert mean == f"{percent:+.1f} %".replace("-", "−")
    assert volume == "−13.3 %"  # 140 and 160 voxels
    assert "1 without a side" in note(workspace)


def test_voxels_without_a_number_are_counted_and_said(opened):
    workspace, chi, labels = opened
    layer = workspace.controller.layers[chi.id]
    new = np.array(layer.data)
    new[6:8, 10, 15] = np.nan
    layer.data = new
    check(workspace, chi, labels)
    assert "Putamen L: 2 of 140 voxels hold no number" in note(workspace)
    choose(workspace, "show", "show.missing")
    assert cells(workspace)[0][titles(workspace).index("no number")] == "2"
    assert "2 of 140" in workspace.table_panel.actions_.exported()[0].about["Notes"]


def test_fixed_shapes_have_rows(opened):
    workspace, chi, _ = opened
    shape = FixedShape(
        kind="circle", size_mm=(8.0,), slices=3, region=1, region_name="Putamen L", side="left"
    ).but(centre_mm=tuple(chi.volume.voxel_to_world([12, 15, 9])))
    workspace.session.case.shapes = (shape,)
    wait()
    row = cells(workspace)[-1]
    at = voxels_of(shape, chi.shown)
    inside = chi.shown.data.ravel(order="F")[at].astype(np.float64)
    assert row[1] == "Putamen L – circle 8 mm, 3 slices"
    assert row[2:6] == [
        "left",
        str(at.size),
        f"{at.size * chi.volume.voxel_volume_mm3:.1f}",
        f"{inside.mean():.3f} ± {inside.std(ddof=1):.3f}",
    ]
    assert cell(child(workspace, "qsm.stats.table"), 3, 1, Qt.ItemDataRole.FontRole).italic()
    assert list(workspace.table()["voxels"])[-1] == at.size
    workspace.session.case.shapes = (shape.but(slices=1),)
    wait()
    assert cells(workspace)[-1][3] == str(at.size // 3)
    choose(workspace, "show", "show.shapes")
    assert len(cells(workspace)) == 3


def test_a_click_on_a_row_goes_there(opened):
    workspace, _, labels = opened
    table = child(workspace, "qsm.stats.table")
    place = table.visualRect(table.model().index(1, 1)).center()
    QTest.mouseClick(table.viewport(), LEFT, NONE, place)
    settle()
    voxel = np.rint(labels.volume.world_to_voxel(workspace.session.crosshair_mm)).astype(int)
    assert labels.editable[tuple(voxel)] == 2
    assert tuple(voxel[:2]) in {(6, 13), (6, 14)}
    assert workspace.session.active_region == 2
    workspace.session.active_region = 1
    wait()
    assert table.currentIndex().row() == 0


def test_other_grid_is_said_and_transferred_only_when_asked(workspace):
    session = workspace.session
    coarse = Volume(
        np.array(some_labels().data[::2, ::2, ::2]),
        affine_of() @ np.diag([2, 2, 2, 1]),
        name="coarse regions",
    )
    labels = session.add(coarse, role="labels", regions=dict(REGIONS))
    chi = session.add(noisy())
    wait()
    assert cells(workspace) == []
    assert "coarse regions" in child(workspace, "qsm.stats.problem").text()
    button = child(workspace, "qsm.stats.transfer")
    assert button.isVisible()
    answers = Answers("qsm.stats.transfer.ask.cancel", "qsm.stats.transfer.ask.make")
    press(workspace, "qsm.stats.transfer")
    assert len(session.of_role("labels")) == 1
    press(workspace, "qsm.stats.transfer")
    answers.done()
    assert "do not share a grid" in answers.texts[0]
    for _ in range(100):
        wait(1)
        if len(session.of_role("labels")) == 2:
            break
    new = next(entry for entry in session.of_role("labels") if entry is not labels)
    assert new.volume.shape == chi.volume.shape
    check(workspace, chi, new)
    assert not button.isVisible()
    assert "nearest voxel" in workspace.central.message.text


def test_the_clipboard_holds_text_and_html(opened):
    workspace, chi, labels = opened
    regions = {**labels.regions, 2: Region(2, "a < b\t& c", "", "#00ff00")}
    workspace.session.change("rename", labels, regions=regions)
    wait()
    press(workspace, "qsm.stats.copy")
    data = QApplication.clipboard().mimeData()
    lines = data.text().rstrip("\n").split("\n")
    rows = expected(chi, labels)
    assert lines[0].split("\t")[3:6] == ["voxels", "volume (mm³)", "mean ± SD (ppm)"]
    assert lines[1].split("\t")[:6] == rows[0]
    assert lines[2].split("\t")[1] == "a < b & c"
    assert {line.count("\t") for line in lines} == {8}
    import pandas as pd

    html = data.html()
    assert "a &lt; b &amp; c" in html
    assert html.count("<tr>") == 4
    assert f">{rows[0][5]}<" in html
    choose(workspace, "show", "copy.numbers")
    text = QApplication.clipboard().mimeData().text()
    from io import StringIO

    back = pd.read_csv(StringIO(text), sep="\t")
    frame = workspace.table()
    assert list(back.columns) == list(frame.columns)
    np.testing.assert_allclose(back["mean_ppm"], frame["mean_ppm"], rtol=1e-15)


def test_export(opened, tmp_path):
    workspace, *_ = opened
    workspace.table_panel.actions_.export(tmp_path / "t.csv")
    import pandas as pd

    back = pd.read_csv(tmp_path / "t.csv")
    table = workspace.table()
    assert list(back.columns) == list(table.columns)
    for column in table.select_dtypes("number"):
        np.testing.assert_array_equal(back[column], table[column])
    about = json.loads((tmp_path / "t.about.json").read_text(encoding="utf-8"))["about"][0]
    assert (about["Map"], about["Regions"], about["Unit"]) == ("χ one", "regions", "ppm")
    assert about["Reference"] == "not recorded"
    assert "t.csv" in workspace.central.message.text
    workspace.table_panel.actions_.export(tmp_path / "none" / "t.csv")
    assert "does not exist" in workspace.central.message.text


def test_blinded_reading(opened, tmp_path):
    workspace, chi, labels = opened
    session = workspace.session
    regions = {**labels.regions, 1: Region(1, "Putamen L", "left", "#ff0000", locked=True)}
    session.change("lock", labels, regions=regions)
    choose(workspace, "show", "show.blinded")
    assert session.blinded
    rows = cells(workspace)
    assert rows[0][:6] == expected(chi, labels)[0]
    assert rows[1][5:] == ["hidden until locked", "–", "–", "–"]
    frame = workspace.table().set_index("label")
    assert np.isnan(frame.mean_ppm[2]) and frame.voxels[2] == 160
    assert np.isfinite(frame.mean_ppm[1])
    box = child(workspace, "qsm.stats.map")
    assert box.currentText() == "χ, case A"
    assert "one" not in note(workspace)
    press(workspace, "qsm.stats.copy")
    secret = f"{chi.volume.data[labels.editable == 2].mean():.3f}"
    assert secret not in QApplication.clipboard().mimeData().text()
    workspace.table_panel.actions_.export(tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text(encoding="utf-8")
    assert "χ one" not in text and "Hidden until locked" in text
    choose(workspace, "show", "show.total")
    assert cells(workspace)[-1][5] == "hidden until locked"
    choose(workspace, "show", "show.total")
    choose(workspace, "show", "show.pairs")
    assert cells(workspace)[0][6:8] == ["hidden until locked", "–"]
    choose(workspace, "show", "show.pairs")
    # Locking shows the value.
    regions[2] = Region(2, "Putamen R", "right", "#00ff00", locked=True)
    session.change("lock", labels, regions=dict(regions))
    wait()
    assert cells(workspace)[1][:6] == expected(chi, labels)[1]
    choose(workspace, "show", "show.blinded")
    assert "blinded reading switched off" in session.notes
    assert "Not locked: Red nucleus" in session.notes
    check(workspace, chi, labels)


def test_without_regions_or_map(workspace):
    assert list(workspace.table().columns) == columns()
    labels = workspace.session.add(some_labels(), role="labels", regions=dict(REGIONS))
    wait()
    assert len(workspace.table()) == 0
    assert "Open a map" in note(workspace)
    chi = workspace.session.add(noisy())
    check(workspace, chi, labels)
    workspace.session.remove(labels)
    wait()
    assert len(workspace.table()) == 0


def test_removing_layers_in_the_middle_of_a_stroke(opened):
    workspace, _, labels = opened
    layer = workspace.controller.layers[labels.id]
    workspace.session.history.begin("drawing")
    layer.paint((8, 12, 12), 5)
    workspace.viewer.layers.remove(layer)
    wait()
    workspace.session.history.end()
    assert len(workspace.table()) == 0


def test_only_changed_cells_are_written(opened):
    workspace, _, labels = opened
    table = child(workspace, "qsm.stats.table")
    written = []
    table.model().dataChanged.connect(
        lambda first, last, roles: written.extend(range(first.row(), last.row() + 1))
    )
    at = np.flatnonzero((labels.editable == 2).ravel(order="F"))[:3]
    workspace.session.edit_labels(labels, at, 0)
    wait()
    assert written and set(written) == {1}


def test_a_click_on_a_heading_sorts_what_is_shown_and_nothing_else(opened):
    workspace, _, labels = opened
    table = child(workspace, "qsm.stats.table")
    header = table.horizontalHeader()
    as_listed = cells(workspace)
    frame = workspace.table()
    sizes = {k: int((labels.editable == k).sum()) for k in labels.regions}
    at = titles(workspace).index("voxels")

    def press_heading(column):
        x = header.sectionViewportPosition(column) + 15
        QTest.mouseClick(header.viewport(), LEFT, NONE, QPoint(x, header.height() // 2))
        settle()

    press_heading(at)
    assert [int(row[at]) for row in cells(workspace)] == sorted(sizes.values())
    press_heading(at)
    assert [int(row[at]) for row in cells(workspace)] == sorted(sizes.values(), reverse=True)
    assert workspace.table().equals(frame)
    press(workspace, "qsm.stats.copy")
    copied = QApplication.clipboard().text().splitlines()[1:]
    assert [line.split("\t")[at] for line in copied] == [row[at] for row in cells(workspace)]
    exported = workspace.table_panel.actions_.exported()[0].frame
    assert list(exported["label"]) == sorted(sizes)
    # A click goes to the region that stands there, wherever the list has it.
    largest = max(sizes, key=sizes.get)
    place = table.visualRect(table.model().index(0, 1)).center()
    QTest.mouseClick(table.viewport(), LEFT, NONE, place)
    settle()
    assert workspace.session.active_region == largest
    workspace.session.active_region = min(sizes, key=sizes.get)
    wait()
    assert {index.row() for index in table.selectedIndexes()} == {len(sizes) - 1}
    press_heading(at)
    assert cells(workspace) == as_listed
    press_heading(1)
    assert [row[1] for row in cells(workspace)] == sorted(row[1] for row in as_listed)
    press_heading(1)
    press_heading(1)
    assert cells(workspace) == as_listed


def test_buttons_are_named_and_explained(opened):
    workspace, *_ = opened
    for name in ("copy", "export"):
        button = child(workspace, f"qsm.stats.{name}")
        assert isinstance(button, QPushButton) and button.toolTip()
    assert isinstance(child(workspace, "qsm.stats.show").menu(), QMenu)


def test_the_chart_follows_marked_rows(opened):
    workspace, chi, labels = opened
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    box = child(workspace, "qsm.charts")
    box.set_open(True)
    table = child(workspace, "qsm.stats.table")
    table.clearSelection()
    workspace.session.active_region = 0
    table.selectRow(0)
    wait(15)
    (group,) = box.chart.groups
    inside = chi.volume.data[labels.editable == 1].astype(np.float64)
    np.testing.assert_array_equal(np.sort(group.values), np.sort(inside))
    assert group.text == f"{inside.mean():.3f} ± {inside.std(ddof=1):.3f} ppm, 140 voxels"
    at = np.flatnonzero((labels.editable == 1).ravel(order="F"))[:40]
    workspace.session.edit_labels(labels, at, 0)
    wait(15)
    assert box.chart.groups[0].values.size == 100
    child(workspace, "qsm.charts.kind").setCurrentIndex(1)
    wait(15)
    assert box.chart.kind == "boxes"
    assert not box.chart.grab().isNull()
    workspace.session.blinded = True
    wait(15)
    assert box.chart.groups == [] and "locked" in box.chart.empty_text
    box.set_open(False)


def test_no_name_is_a_formula_where_it_is_pasted_and_numbers_stay_numbers(qtbot):
    frame = pd.DataFrame({"region": ["=1+1", "Putamen L"], "mean": [-0.25, 0.5]})
    data = as_numbers(frame)
    assert data.text() == "region\tmean\n'=1+1\t-0.25\nPutamen L\t0.5\n"
    assert ">=1+1" not in data.html()
    lines = [Line("a", ("@SUM", "\u22120.250 ± 0.100"))]
    shown = as_shown([Column("region", is_text=True), Column("mean ± SD")], lines)
    assert shown.text() == "region\tmean ± SD\n'@SUM\t-0.250 ± 0.100\n"
