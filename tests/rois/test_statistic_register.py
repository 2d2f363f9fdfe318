"""The register of region statistics: a new one is written in one place and arrives everywhere."""

import json

import numpy as np
import pandas as pd
import pytest

from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import Measured, TablePanel
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.figures.tables import table_cells
from napari_qsm.io.region import Region
from napari_qsm.rois.exports import Exported, write_export
from napari_qsm.rois.files import table_text, write_table
from napari_qsm.rois.measures import STATISTICS, statistic
from napari_qsm.rois.statistics import columns, region_statistics
from napari_qsm.session import Session
from napari_qsm.session.table.choice import Choice, optional
from napari_qsm.session.table.content import content_of, needs_ranks
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.volume import Volume

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
REGIONS = {2: Region(2, "Putamen L", "left", "#ff0000")}


@pytest.fixture
def spread():
    """A statistic of one region that nobody has heard of, for the length of a test."""

    @statistic("iqr", "Interquartile range", heading="IQR", needs_values=True)
    def iqr(pool):
        """Distance between the quartiles."""
        return pool.percentile(75) - pool.percentile(25)

    yield
    del STATISTICS["iqr"]


@pytest.fixture
def head():
    values = np.random.default_rng(5).normal(0.05, 0.02, (6, 5, 4)).astype(np.float32)
    labels = np.zeros(values.shape, np.uint16)
    labels[1:5, 1:4, 1:3] = 2
    return Volume(values, AFFINE, unit="ppm", name="chi"), Volume(labels, AFFINE, name="labels")


def expected(head):
    values, labels = head
    inside = values.data[labels.data == 2].astype(np.float64)
    return np.subtract(*np.percentile(inside, [75, 25]))


def test_a_new_statistic_is_a_column_of_every_table_and_file(spread, head, tmp_path):
    assert columns()[-1] == "iqr_ppm"
    frame = region_statistics(*head, REGIONS)
    assert frame["iqr_ppm"].iloc[0] == pytest.approx(expected(head), rel=1e-12)
    ppb = region_statistics(*head, REGIONS, unit="ppb")
    assert ppb["iqr_ppb"].iloc[0] == pytest.approx(1000 * expected(head), rel=1e-12)
    assert f"{expected(head):.3f}" in table_text(frame)
    for ending in (".csv", ".json", ".xlsx"):
        write_table(frame, tmp_path / f"t{ending}")
    assert pd.read_csv(tmp_path / "t.csv")["iqr_ppm"].iloc[0] == frame["iqr_ppm"].iloc[0]
    assert "iqr_ppm" in json.loads((tmp_path / "t.json").read_text())[0]
    assert "iqr_ppm" in pd.read_excel(tmp_path / "t.xlsx")


def test_it_stands_in_the_data_dictionary(spread, head, tmp_path):
    write_export([Exported(region_statistics(*head, REGIONS), "ppm")], tmp_path / "t.csv")
    said = json.loads((tmp_path / "t.about.json").read_text())["columns"]
    assert said["iqr_ppm"] == "Distance between the quartiles, ppm."
    assert list(said) == columns()


def test_it_is_offered_in_the_window_and_follows_the_brush(spread, head):
    assert optional()["iqr"] == "Interquartile range"
    session = Session()
    entry = session.add(head[0], role="map")
    labels = session.add(head[1], role="labels", regions=dict(REGIONS))
    numbers, choice = Numbers(session), Choice(columns=("iqr",))
    assert needs_ranks(choice)

    def cell():
        maps = [numbers.shown(entry)]
        rows = numbers.rows(maps, ranks=True, shapes=False)
        content = content_of(numbers, maps, rows, choice, {entry.id: 3})
        assert content.columns[-1].title == "IQR (ppm)"
        assert content.columns[-1].hint == "Distance between the quartiles."
        return content.lines[0].cells[-1]

    assert cell() == f"{expected(head):.3f}"
    labels.editable[1:5, 1:4, 1] = 0
    numbers.edited(labels.id, (slice(1, 5), slice(1, 4), slice(1, 2)))
    inside = head[0].data[1:5, 1:4, 2].astype(np.float64)
    assert cell() == f"{np.subtract(*np.percentile(inside, [75, 25])):.3f}"


def test_it_can_be_named_in_a_figure(spread, head):
    panel = TablePanel(
        measured=(Measured(map="m", labels="l", subject="A"),), columns=("region", "iqr")
    )
    spec = FigureSpec.model_validate({"panels": [panel.model_dump()], "columns": 1})
    given = {"m": Given(head[0]), "l": Given(head[1], regions=REGIONS)}
    drawn = render(spec, given, preview=True)
    assert drawn.table["iqr_ppm"].iloc[0] == pytest.approx(expected(head), rel=1e-12)
    from napari_qsm.figures.gather import gather
    from napari_qsm.figures.plans import plan_figure

    (plan,) = plan_figure(spec, gather(spec, given)).panels
    assert table_cells(plan) == (
        ["Region", "Interquartile range (ppm)"],
        [["Left putamen", f"{expected(head):.3f}"]],
    )


def test_the_columns_that_others_rely_on_come_first_and_stay():
    assert columns() == [
        *("label", "name", "side", "voxels", "volume_mm3", "mean_ppm", "sd_ppm", "median_ppm"),
        *("min_ppm", "max_ppm", "p05_ppm", "p95_ppm", "skewness"),
    ]


def test_a_column_nobody_knows_is_refused_by_name():
    with pytest.raises(ValueError, match="no column 'iqr'"):
        TablePanel(measured=(Measured(map="m", labels="l"),), columns=("region", "iqr"))
