"""Echoes against each other: what an echo shows of the field is known, because it was made so."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.phantom import SMALL, make_head
from napari_qsm.qc.echo_measures import echo_agreement
from napari_qsm.qc.quality import findings
from tests.qc.conftest import measured

SIZES = (1.5, 2.0, 2.5)
TIMES_S = (0.005, 0.011, 0.017, 0.023)


@pytest.fixture(scope="module")
def made():
    """Phases of a rough field over four echoes, with what coils and readout add, and a ball of a mask."""
    shape = (56, 42, 34)
    rng = np.random.default_rng(3)
    rough = ndimage.gaussian_filter(rng.standard_normal(shape), [3 / size for size in SIZES])
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    field = 120 * rough / rough.std() + 300 * (x * x - y * z)  # rad/s
    ramps = np.array([0.0, 1.0, 0.0, 1.0])[:, None, None, None] * (2 + 3 * x - y)
    phases = field * np.array(TIMES_S)[:, None, None, None] + 0.8 * y + ramps
    return phases + rng.normal(0, 0.05, phases.shape), x * x + y * y + z * z < 0.9


def agreement(made, phases, times=TIMES_S):
    return echo_agreement(phases, made[1], times, SIZES)


def test_sound_echoes_agree_whatever_coils_and_readout_add(made):
    np.testing.assert_allclose(agreement(made, made[0]), 1, atol=0.03)
    np.testing.assert_allclose(agreement(made, made[0][:2], TIMES_S[:2]), 1, atol=0.03)


@pytest.mark.parametrize("echo", range(4))
def test_an_echo_that_shows_another_field_is_found_and_does_not_accuse_the_others(made, echo):
    for factor, expected in ((-1.0, -1.0), (0.5, 0.5), (2.0, 0.5)):
        phases = made[0].copy()
        phases[echo] *= factor
        found = agreement(made, phases)
        assert found[echo] == pytest.approx(expected, abs=0.06)
        np.testing.assert_allclose(np.delete(found, echo), 1, atol=0.05)
    moved = made[0].copy()
    moved[echo] = moved[echo][::-1]
    found = agreement(made, moved)
    assert abs(found[echo]) < 0.4 and np.delete(found, echo).min() > 0.95


def test_a_wrong_echo_time_is_that_factor(made):
    times = (TIMES_S[0], 1.5 * TIMES_S[1], *TIMES_S[2:])
    assert agreement(made, made[0], times)[1] == pytest.approx(1 / 1.5, abs=0.04)


def test_what_cannot_be_compared_is_not(made):
    phases, mask = made
    assert echo_agreement(phases[:1], mask, TIMES_S[:1], SIZES) is None
    assert echo_agreement(phases, np.zeros_like(mask), TIMES_S, SIZES) is None
    assert echo_agreement(0 * phases, mask, TIMES_S, SIZES) is None


@pytest.fixture(scope="module")
def three():
    return make_head("patient", **SMALL, seed=4, echo_times_s=(0.006, 0.013, 0.020))


def told(head, phase):
    _, quality = measured(head, replace(head.scan, phase=tuple(phase)), "consensus")
    return [f.sentence for f in findings(quality) if f.code == "echoes"]


def test_files_in_the_wrong_order_and_an_echo_of_noise_are_told(three):
    first, second, third = three.scan.phase
    assert told(three, (first, second, third)) == []
    [sentence] = told(three, (first, third, second))
    assert "Echo" in sentence and "does not show the field" in sentence
    nothing = np.random.default_rng(0).uniform(-np.pi, np.pi, second.shape).astype(np.float32)
    [sentence] = told(three, (first, second.with_data(nothing), third))
    assert "The phase of echo 2 is mostly noise" in sentence
