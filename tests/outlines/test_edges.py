"""Outlines on the edges of a map: moved onto them, in mm, and not into what is no nucleus."""

import numpy as np

from napari_qsm.outlines.edges import BAND_MM, follow_edges
from napari_qsm.volume import Volume

_SIZES = (1.0, 1.0, 2.0)
_PUTAMEN, _PALLIDUM = 1, 9


def boxes(*parts):
    """Return a label map in mm: (label, from, to) each; and places in mm."""
    at = np.meshgrid(
        *(np.arange(n) * s for n, s in zip((44, 44, 22), _SIZES, strict=True)), indexing="ij"
    )
    labels = np.zeros(at[0].shape, np.uint8)
    for label, low, high in parts:
        inside = np.logical_and.reduce(
            [(a >= lo) & (a < hi) for a, lo, hi in zip(at, low, high, strict=True)]
        )
        labels[inside] = label
    return labels


def volume(values):
    rng = np.random.default_rng(0)
    noisy = values + rng.normal(0, 0.005, values.shape)
    return Volume(noisy.astype(np.float32), np.diag([*_SIZES, 1.0]))


def test_outlines_move_onto_the_edges_and_touching_nuclei_stay_apart():
    truth = boxes((_PUTAMEN, (10, 12, 12), (18, 32, 32)), (_PALLIDUM, (18, 14, 14), (26, 28, 30)))
    started = boxes((_PUTAMEN, (11, 13, 12), (19, 33, 32)), (_PALLIDUM, (19, 14, 14), (27, 29, 30)))
    chi = volume(np.choose(np.searchsorted([0, 1, 9], truth), [-0.02, 0.05, 0.14]))
    found = follow_edges(chi, started)
    for label in (_PUTAMEN, _PALLIDUM):
        before, after = (
            2
            * ((each == label) & (truth == label)).sum()
            / ((each == label).sum() + (truth == label).sum())
            for each in (started, found)
        )
        assert before < 0.89 and after > 0.96


def test_a_bleed_beside_a_nucleus_does_not_draw_it_out():
    truth = boxes((_PUTAMEN, (12, 12, 12), (22, 32, 32)))
    chi = np.where(truth, 0.06, -0.02)
    chi[boxes((1, (18, 18, 16), (36, 28, 28))) > 0] = 1.0
    found = follow_edges(volume(chi), truth) > 0
    assert not found[boxes((1, (22 + BAND_MM, 0, 0), (44, 44, 44))) > 0].any()
    assert 0.9 < found.sum() / (truth > 0).sum() < 1.1


def test_parts_of_the_substantia_nigra_are_one():
    started = boxes((13, (12, 12, 14), (16, 24, 24)), (17, (16, 12, 14), (20, 24, 24)))
    found = follow_edges(volume(np.where(started, 0.12, -0.02)), started)
    assert set(np.unique(found)) == {0, 13}
    assert (found > 0).sum() > 0.9 * (started > 0).sum()
