"""How numbers become colours and words."""

import numpy as np
import pytest

from napari_qsm.colormaps import (
    COLORMAPS,
    STEPS,
    colours,
    effective_window,
    end_colours,
    lookup_table,
)
from napari_qsm.session import MapDisplay, MapEntry, Session
from napari_qsm.session.appearance import quantity, value_text
from napari_qsm.units import from_shown, number, ticks, to_shown
from tests.viewer.conftest import ramp


def entry(unit="ppm", role="map", **more):
    return MapEntry(name="χ test", role=role, volume=ramp(unit=unit), **more)


def test_grey_rises_and_inverted_falls():
    up = lookup_table(MapDisplay(window=(-0.1, 0.2)))
    down = lookup_table(MapDisplay(window=(-0.1, 0.2), colouring="inverted"))
    assert up.shape == (STEPS, 4)
    np.testing.assert_allclose(up[:, 0], np.linspace(0, 1, STEPS), atol=1e-6)
    np.testing.assert_allclose(down[:, :3], up[::-1, :3])
    assert (up[:, 3] == 1).all()


@pytest.mark.parametrize("name", [r.name for r in COLORMAPS])
def test_every_ramp_on_offer_exists(name):
    table = lookup_table(MapDisplay(colouring="colour", colormap=name))
    assert table.min() >= 0 and table.max() <= 1
    assert len(np.unique(table[:, :3].round(3), axis=0)) > 100


def lightness(rgb):
    """CIE L* of sRGB colours."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


@pytest.mark.parametrize("name", ["magma", "inferno", "viridis", "cividis"])
def test_sequential_ramps_rise_evenly_in_lightness(name):
    steps = np.diff(lightness(lookup_table(MapDisplay(colouring="colour", colormap=name))[:, :3]))
    coarse = np.add.reduceat(steps, np.arange(0, len(steps), 64))
    assert (coarse > 0).all()


def test_jet_does_not_and_is_offered_for_comparison_only():
    steps = np.diff(lightness(lookup_table(MapDisplay(colouring="colour", colormap="jet"))[:, :3]))
    assert (steps < 0).any()
    assert "comparison" in next(r.kind for r in COLORMAPS if r.name == "jet")


def test_both_sides_are_symmetric_about_zero_and_differ_in_colour():
    display = MapDisplay(colouring="both sides", window=(-0.1, 0.2), threshold_low=0.02)
    assert effective_window(display) == (-0.2, 0.2)
    table = lookup_table(display)
    np.testing.assert_array_equal(table[:, 3], table[::-1, 3])
    rgba = colours(np.array([-0.15, -0.01, 0.0, 0.01, 0.15]), display)
    assert list(rgba[:, 3]) == [1, 0, 0, 0, 1]
    assert rgba[0, 2] > rgba[0, 0]  # negative is blue
    assert rgba[4, 0] > rgba[4, 2]  # positive is red to yellow


def test_both_sides_grow_lighter_outwards_on_both_sides():
    table = lookup_table(MapDisplay(colouring="both sides", window=(-1, 1)))
    light = lightness(table[:, :3])
    assert (np.diff(light[STEPS // 2 :]) >= -1e-3).all()
    assert (np.diff(light[: STEPS // 2]) <= 1e-3).all()


def test_thresholds_hide_exactly_what_lies_beyond_them():
    display = MapDisplay(window=(0.0, 0.2), threshold_low=0.05, threshold_high=0.15)
    values = np.array([-1, 0.04, 0.049, 0.051, 0.1, 0.149, 0.151, 0.3, np.nan])
    alpha = colours(values, display)[:, 3]
    assert list(alpha) == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_values_beyond_the_window_keep_the_colour_of_its_end():
    display = MapDisplay(window=(0.0, 0.1))
    first, last = end_colours(display)
    np.testing.assert_allclose(colours(np.array([-5.0, 5.0]), display), [first, last])
    assert first[3] == last[3] == 1


def test_an_empty_window_does_not_divide_by_zero():
    low, high = effective_window(MapDisplay(window=(0.3, 0.3)))
    assert high > low
    assert np.isfinite(colours(np.array([0.3]), MapDisplay(window=(0.3, 0.3)))).all()


def test_ppm_and_ppb():
    assert to_shown(0.041, "ppm", "ppb") == pytest.approx(41)
    assert to_shown(41, "ppb", "ppm") == pytest.approx(0.041)
    assert to_shown(3, "rad", "ppb") == 3
    for stored in ("ppm", "ppb", "rad"):
        for shown in ("ppm", "ppb"):
            assert from_shown(to_shown(0.7, stored, shown), stored, shown) == pytest.approx(0.7)
    assert value_text(0.0412, entry(), "ppm") == "0.041 ppm"
    assert value_text(0.0412, entry(), "ppb") == "41 ppb"
    assert quantity(entry(), "ppb") == "χ (ppb)"


def test_words_for_what_is_no_number():
    assert value_text(None, entry(), "ppm") == "outside"
    assert value_text(np.nan, entry(), "ppm") == "no value"
    assert value_text(1e30, entry(unit="", role="other"), "ppm") == "1e+30"


def test_minus_is_a_minus_and_zero_has_none():
    assert number(-0.041, "ppm") == "−0.041"
    assert number(-0.0001, "ppm") == "0.000"


def test_a_label_reads_as_its_name():
    labels = entry(unit="", role="labels", regions={3: "Putamen L"})
    assert value_text(3, labels, "ppm") == "3 Putamen L"
    assert value_text(7, labels, "ppm") == "7"
    assert value_text(0, labels, "ppm") == "–"


def test_a_field_in_ppm_is_not_called_susceptibility():
    field = MapEntry(name="local field", role="other", volume=ramp(unit="ppm"))
    assert quantity(field, "ppb") == "local field (ppb)"


@pytest.mark.parametrize("ends", [(-0.1, 0.2), (0, 0.15), (-200, 200), (0, 1e30), (3, 3.0001)])
def test_ticks_are_inside_even_and_few(ends):
    marks = np.array(ticks(*ends))
    assert (marks >= ends[0] - 1e-9 * abs(ends[0])).all()
    assert (marks <= ends[1] * (1 + 1e-9)).all()
    assert 3 <= len(marks) <= 7
    np.testing.assert_allclose(np.diff(marks), np.diff(marks)[0], rtol=1e-6)


def test_thresholds_belong_to_a_colouring():
    session = Session()
    entry = session.add(ramp())
    session.set_display(entry, colouring="colour")
    session.set_display(entry, threshold_low=0.05)
    session.set_display(entry, colouring="inverted")
    assert entry.display.threshold_low is None
    session.set_display(entry, colouring="colour")
    assert entry.display.threshold_low == 0.05
