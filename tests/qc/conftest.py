"""Small reconstructions of the built-in head, sound and with faults made on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.phantom import SMALL, make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings


def measured(head, scan=None, recipe="case-report", changes=(), mask=None):
    """Run a preset on a head's scan (or another one), and measure it."""
    from napari_qsm.qc.judge import magnitude_of, measure

    inputs = Inputs(scan=scan or head.scan, mask=mask)
    result = run(with_settings(load_recipe(recipe), changes), inputs)
    return result, measure(result, magnitude=magnitude_of(inputs, result.grid))


@pytest.fixture(scope="session")
def head():
    return make_head("patient", **SMALL, seed=3)


@pytest.fixture(scope="session")
def sound(head):
    return measured(head)


@pytest.fixture(scope="session")
def flipped_scan(head):
    phase = tuple(v.with_data(-np.asarray(v.data)) for v in head.scan.phase)
    return replace(head.scan, phase=phase)


@pytest.fixture(scope="session")
def wide_mask(head):
    grown = ndimage.binary_dilation(np.asarray(head.mask.data) > 0, iterations=2)
    return head.mask.with_data(grown.astype(np.uint8))
