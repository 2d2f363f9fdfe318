"""Controls, limits and edges chosen in the window; the table's cells against numpy and scipy."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage, stats

from napari_qsm.io.label_table import Region
from napari_qsm.rois.high_part import HighLimits
from napari_qsm.session.table.choice import Choice
from napari_qsm.volume import Volume
from tests.viewer.actions import cell, child, drag, pixel_of, press
from tests.viewer.conftest import SHAPE, affine_of, settle

pytestmark = pytest.mark.window

REGIONS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#00ff00"),
}


@pytest.fixture
def opened(workspace):
    """A map and its regions, the table as a new user sees it, the section open."""
    workspace.table_panel.set_choice(Choice(columns=()))
    values = np.random.default_rng(1).normal(0.08, 0.03, SHAPE).astype(np.float32)
    chi = workspace.session.add(Volume(values, affine_of(), unit="ppm", name="χ one"))
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:9, 10:18, 6:10], labels[15:20, 10:17, 6:10] = 2, 1
    drawn = workspace.session.add(
        Volume(labels, affine_of(), name="regions"), role="labels", regions=dict(REGIONS)
    )
    workspace.session.unit = "ppb"
    box = workspace.panels.regions.context
    box.heading.setChecked(True)
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    settle(10)
    return workspace, chi, drawn


def shown(workspace):
    """The first row by the titles of its columns."""
    table = child(workspace, "qsm.stats.table")
    model = table.model()
    titles = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    if not model.rowCount():
        return {}
    return {t.split("\n")[-1]: cell(table, 0, i) for i, t in enumerate(titles)}


def controls_file(folder, groups=("controls", "ALS")):
    rows = ["participant_id,group,age,region,side,chi_ppb"]
    for group in groups:
        for k in range(5):
            rows += [
                f"{group}{k},{group},{50 + k},Putamen,{s},{60 + 3 * k}" for s in ("left", "right")
            ]
    path = folder / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def choose(monkeypatch, path):
    """Let the next dialog for a file give this one."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


def type_into(workspace, name, text):
    line = child(workspace, name)
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)


def inside(chi, drawn, label=1):
    values = chi.volume.data[drawn.editable == label].astype(np.float64)
    return values * 1e3


def test_controls_are_compared_only_on_the_users_word(opened, qtbot, tmp_path, monkeypatch):
    workspace, chi, drawn = opened
    choose(monkeypatch, controls_file(tmp_path))
    press(workspace, "qsm.context.controls")
    anyway = child(workspace, "qsm.context.anyway")
    qtbot.waitUntil(lambda: not anyway.isHidden(), timeout=20000)
    said = child(workspace, "qsm.context.said")
    assert "Not compared. Nothing tells reference, recipe" in said.text()
    assert "z" not in shown(workspace)
    press(workspace, "qsm.context.anyway")
    qtbot.waitUntil(lambda: "z" in shown(workspace), timeout=20000)
    mean, known = inside(chi, drawn).mean(), np.arange(60.0, 73, 3)
    z = (mean - known.mean()) / known.std(ddof=1)
    p = stats.ttest_ind([mean], known).pvalue
    row = shown(workspace)
    assert (row["controls"], row["controls mean ± SD (ppb)"]) == ("5", "66 ± 5")
    assert (row["z"], row["p"]) == (f"{z:.2f}", f"{p:.3f}")
    qtbot.waitUntil(lambda: "in spite of this" in said.text(), timeout=20000)
    assert "depends on the method of reconstruction" in said.text()
    press(workspace, "qsm.context.high_controls")
    upper = known.mean() + stats.t.ppf(0.975, 4) * known.std(ddof=1) * np.sqrt(1.2)
    share = (inside(chi, drawn) > upper).mean()
    qtbot.waitUntil(lambda: shown(workspace).get("high part") == f"{share:.3f}", timeout=20000)
    # It follows the brush.
    drawn.editable[15:18, 10:17, 6:10] = 0
    workspace.session.labels_edited.emit(drawn.id, (slice(15, 18), slice(10, 17), slice(6, 10)))
    mean = inside(chi, drawn).mean()
    z = (mean - known.mean()) / known.std(ddof=1)
    qtbot.waitUntil(lambda: shown(workspace)["z"] == f"{z:.2f}", timeout=20000)
    frame = workspace.table()
    assert frame["z"].iloc[0] == pytest.approx(z) and frame["controls_n"].iloc[0] == 5
    press(workspace, "qsm.context.forget")
    qtbot.waitUntil(lambda: "z" not in shown(workspace), timeout=20000)
    assert "z" not in workspace.table()


def test_a_table_that_leaves_open_who_the_controls_are_asks(opened, qtbot, tmp_path, monkeypatch):
    workspace, _, _ = opened
    choose(monkeypatch, controls_file(tmp_path, ("A", "B")))
    press(workspace, "qsm.context.controls")
    said, group = child(workspace, "qsm.context.said"), child(workspace, "qsm.context.group")
    qtbot.waitUntil(lambda: "which of its groups" in said.text(), timeout=20000)
    group.setCurrentIndex(group.findData("B"))
    group.activated.emit(group.currentIndex())
    qtbot.waitUntil(lambda: "Not compared" in said.text(), timeout=20000)
    press(workspace, "qsm.context.forget")


def test_the_high_part_and_the_edge_follow_a_stroke(opened, qtbot):
    workspace, chi, drawn = opened
    type_into(workspace, "qsm.context.high", "80; Putamen R=90")
    press(workspace, "qsm.context.edge")
    qtbot.waitUntil(lambda: "mean without edge (ppb)" in shown(workspace), timeout=20000)

    def expected():
        data = drawn.editable == 1
        values = inside(chi, drawn)
        inner = chi.volume.data[ndimage.binary_erosion(data)].astype(np.float64) * 1e3
        return f"{(values > 80).mean():.3f}", f"{inner.mean():.0f}"

    def now():
        row = shown(workspace)
        return row["high part"], row["mean without edge (ppb)"]

    qtbot.waitUntil(lambda: now() == expected(), timeout=20000)
    layer = workspace.controller.layers[drawn.id]
    workspace.viewer.layers.selection.active = layer
    layer.mode, layer.brush_size, layer.selected_label = "paint", 3, 1
    view = workspace.controller.views[0]
    at, to = (
        pixel_of(workspace, view, chi.volume.voxel_to_world(v)) for v in ([13, 12, 8], [17, 19, 8])
    )
    before = drawn.editable.copy()
    drag(view, at, to, steps=6)
    assert (before != drawn.editable).any()
    qtbot.waitUntil(lambda: now() == expected(), timeout=20000)
    type_into(workspace, "qsm.context.high", "1e9")
    assert workspace.table_panel.choice.high.ppm == (("", 0.08), ("Putamen R", 0.09))
    type_into(workspace, "qsm.context.high", " ")
    qtbot.waitUntil(lambda: "high part" not in shown(workspace), timeout=20000)


def test_histograms_of_the_marked_regions_are_saved(opened, qtbot, tmp_path, monkeypatch):
    workspace, chi, drawn = opened
    workspace.session.active_region = 1
    box = workspace.panels.regions.charts
    box.heading.setChecked(True)
    qtbot.waitUntil(lambda: "Putamen L" in shown(workspace).values(), timeout=20000)
    path = tmp_path / "h.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    workspace.table_panel.table.mark(0)
    press(workspace, "qsm.charts.save")
    qtbot.waitUntil(path.exists, timeout=20000)
    counts = pd.read_csv(path)
    edges = [*counts["from_ppb"], counts["to_ppb"].iloc[-1]]
    assert set(counts["label"]) == {1}
    assert counts["voxels"].tolist() == np.histogram(inside(chi, drawn), edges)[0].tolist()
    workspace.table_panel.set_choice(
        workspace.table_panel.choice.but(high=HighLimits((("", 0.08),)))
    )
    box.update_now()
    (group,) = box.chart.groups
    assert group.high_from == pytest.approx(80)
    assert group.text.endswith(f"{100 * (inside(chi, drawn) > 80).mean():.0f} % above 80 ppb")
