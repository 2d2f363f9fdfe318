"""One table of units: the same number reads the same everywhere."""

import math

import numpy as np
import pandas as pd
import pytest

from napari_qsm import units
from napari_qsm.io.region import Region
from napari_qsm.rois.files import table_text
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.session import Session
from napari_qsm.session.appearance import value_text
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.content import content_of
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.volume import Volume


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.04126, "ppm", "0.041"),
        (41.26, "ppb", "41"),
        (-0.0405, "ppm", "−0.041"),  # halves away from zero, as papers round
        (0.0005, "ppm", "0.001"),
        (-0.0004, "ppm", "0.000"),  # no minus before nothing
        (math.nan, "ppm", "–"),
        (1185.94, "mm³", "1185.9"),
        (512.25, "", "512.3"),
        (-3.25, "", "−3.25"),
        (1e30, "", "1e+30"),
    ],
)
def test_numbers_as_text(value, unit, said):
    assert units.number(value, unit) == said


def test_whats_around_a_number():
    assert units.fixed(1185.94, 1, thousands=True) == "1,185.9"
    assert units.fixed(-1234567.0, 0, thousands=True) == "−1,234,567"
    assert units.fixed(0.041, 3, signed=True) == "+0.041"
    assert units.fixed(0.0, 3, signed=True) == "0.000"
    assert units.mean_sd(0.0341, 0.0049, 3) == "0.034 ± 0.005"
    assert units.mean_sd(0.0341, math.nan, 3) == "0.034"
    assert units.mean_sd(math.nan, math.nan, 3) == "–"
    assert units.percent(0.0413, signed=True) == "+4.1 %"
    assert units.with_unit(0.041, "ppm") == "0.041 ppm"


@pytest.mark.parametrize("unit", ["ppm", "ppb"])
@pytest.mark.parametrize("value", [0.0413, -0.0087, 0.1405, 0.00049])
def test_read_out_window_table_terminal_and_figure_say_the_same(unit, value):
    """One voxel as a region: its mean is its value, wherever it is written."""
    values = np.full((3, 3, 3), 0.02)
    values[1, 1, 1] = value
    labels = np.zeros(values.shape, np.uint16)
    labels[1, 1, 1] = 1
    region = Region(1, "Putamen L", "left", "#ff0000")
    session = Session(unit=unit)
    entry = session.add(Volume(values, np.eye(4), unit="ppm", name="chi"), role="map")
    session.add(Volume(labels, np.eye(4), name="rois"), role="labels", regions={1: region})
    read_out = value_text(value, entry, unit).removesuffix(f" {unit}")
    numbers = Numbers(session)
    maps = [numbers.shown(entry)]
    rows = numbers.rows(maps, ranks=True, shapes=False)
    places = {entry.id: units.decimals(unit)}
    content = content_of(numbers, maps, rows, Choice(columns=("median",)), places)
    frame = region_statistics(entry.volume, session.of_role("labels")[0].volume, unit=unit)
    assert content.lines[0].cells[-2:] == (read_out, read_out)
    assert read_out.replace("−", "-") in table_text(frame).split()
    assert units.number(frame[f"mean_{unit}"].iloc[0], unit) == read_out
    assert isinstance(frame, pd.DataFrame)


def test_units_of_susceptibility_convert_both_ways():
    assert units.factor("ppm", "ppb") == 1e3 and units.factor("ppb", "ppm") == 1e-3
    assert units.factor("", "ppb") == 1e3 and units.factor("rad", "ppb") == 1.0
    for stored in ("ppm", "ppb", "rad"):
        for shown in ("ppm", "ppb"):
            there = units.to_shown(0.041, stored, shown)
            assert units.from_shown(there, stored, shown) == pytest.approx(0.041)


def test_columns_name_their_unit():
    words = [units.column_word(unit) for unit in ("ppm", "1/s", "mm³", "", "a.u.")]
    assert words == ["ppm", "per_s", "mm3", "", "a_u"]


def test_ticks_read_alike():
    assert units.tick_texts(units.ticks(-0.1, 0.2, 4)) == ["−0.1", "0.0", "0.1", "0.2"]


def test_whole_numbers_without_a_known_unit_stay_whole():
    assert [units.number(v, "") for v in (512.0, 3.0, -4.0, 512.25)] == ["512", "3", "−4", "512.3"]
    assert units.number(3.0, "ppm") == "3.000"
    assert units.number(512.0, "", scale=100.0) == "512.0"
