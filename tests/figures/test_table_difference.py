"""The patient less the control in a figure's table, with the uncertainty of repeated scans."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from napari_qsm.errors import QsmError
from napari_qsm.figures.captions import caption
from napari_qsm.figures.draw import render
from napari_qsm.figures.editing import has_differences, with_differences, with_panel
from napari_qsm.figures.gather import Given, gather
from napari_qsm.figures.panels import Measured, TablePanel
from napari_qsm.figures.plans import plan_figure
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.figures.tables import table_cells
from napari_qsm.io.region import Region
from napari_qsm.volume import Volume

REGIONS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#00ff00"),
}


@pytest.fixture(scope="module")
def given():
    """A control and a patient, 0.034 and 0.068 ppm on the left, each in another label map."""
    out = {}
    for who, shift, grown in (("control", 0.0, 0), ("patient", 0.034, 1)):
        values = np.random.default_rng(2).normal(0.034, 0.005, (9, 8, 6)).astype(np.float32)
        labels = np.zeros(values.shape, np.uint16)
        labels[1 : 4 + grown, 1:6, 1:5], labels[5:8, 1:6, 1:5] = 1, 2
        out[who] = Given(Volume(values + np.float32(shift), np.eye(4), unit="ppm", name=who))
        out[f"{who} labels"] = Given(Volume(labels, np.eye(4)), regions=REGIONS)
    return out


def spec_of(*columns, **more):
    measured = tuple(
        Measured(map=who, labels=f"{who} labels", subject=who.capitalize())
        for who in ("control", "patient")
    )
    panel = TablePanel(measured=measured, columns=("subject", "region", *columns), **more)
    return FigureSpec.model_validate({"panels": [panel.model_dump()], "columns": 1})


def inside(given, who, label):
    data = given[f"{who} labels"].volume.data == label
    return given[who].volume.data[data].astype(np.float64)


def test_the_difference_stands_beside_the_second_subject_with_its_interval(given):
    spec = spec_of("mean_sd", "difference")
    plan = plan_figure(spec, gather(spec, given))
    head, rows = table_cells(plan.panels[0])
    assert head[-1] == "Difference ± 95 % (ppm)"
    half = stats.norm.ppf(0.975) * math.sqrt(2) * 0.00236
    expected = [
        inside(given, "patient", n).mean() - inside(given, "control", n).mean() for n in (1, 2)
    ]
    assert [row[-1] for row in rows] == ["–", "–", *(f"{e:.3f} ± {half:.3f}" for e in expected)]
    said = caption(plan)
    assert "not the uncertainty of its mean" in said and "Naji et al." in said
    drawn = render(spec, given, preview=True)
    assert drawn.table["difference_ppm"].tolist()[2:] == pytest.approx(expected, rel=1e-9)


def test_ones_own_repeated_scans_take_the_place_of_the_literature(given):
    spec = spec_of("difference", sdw_ppb=5.0)
    plan = plan_figure(spec, gather(spec, given))
    half = stats.norm.ppf(0.975) * math.sqrt(2) * 0.005
    assert table_cells(plan.panels[0])[1][2][-1].endswith(f"± {half:.3f}")
    assert "5 ppb" in caption(plan) and "Naji" not in caption(plan)
    with pytest.raises(ValueError, match="greater than 0"):
        spec_of("difference", sdw_ppb=0.0)


def test_the_column_comes_and_goes_in_tables_of_two_subjects_only(given):
    spec = spec_of("mean_sd")
    assert has_differences(spec) is False
    more = with_differences(spec)
    assert has_differences(more) and more.panels[0].columns[-1] == "difference"
    assert with_differences(more) == more and with_differences(more, False) == spec
    alone = with_panel(spec, 0, measured=spec.panels[0].measured[:1])
    assert has_differences(alone) is None
    with pytest.raises(QsmError, match="no table of two subjects"):
        with_differences(alone)


def test_quartiles_and_means_without_edge_can_stand_in_a_figure(given):
    spec = spec_of("p25", "inner_mean")
    plan = plan_figure(spec, gather(spec, given))
    _, rows = table_cells(plan.panels[0])
    assert rows[0][-2] == f"{np.percentile(inside(given, 'control', 1), 25):.3f}"
    inner = ndimage.binary_erosion(given["control labels"].volume.data == 1)
    assert rows[0][-1] == f"{given['control'].volume.data[inner].mean():.3f}"
    assert "repeated" not in caption(plan)
    with pytest.raises(ValueError, match="no column 'z'"):
        spec_of("z")
