import numpy as np
import pytest

from napari_qsm.rois.pairs import Pair, asymmetry, base_name, pair_up


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("Putamen L", "Putamen"),
        ("Left-Putamen", "Putamen"),
        ("putamen_right", "putamen"),
        ("Globus pallidus (R)", "Globus pallidus"),
        ("ctx-lh-insula", "ctx insula"),
        ("LeftPutamen", "Putamen"),
        ("Red nucleus", "Red nucleus"),
        ("L", "L"),
    ],
)
def test_names_without_their_side(name, base):
    assert base_name(name) == base


def test_pairs_keep_every_row_that_has_a_side():
    rows = [
        ("a", "Putamen L", "left"),
        ("b", "putamen R", "right"),
        ("c", "Caudate R", "right"),
        ("d", "Putamen L", "left"),
        ("e", "Brainstem", ""),
    ]
    assert pair_up(rows) == [
        Pair("Putamen", "a", "b"),
        Pair("Caudate", "", "c"),
        Pair("Putamen", "d", ""),
    ]


def test_asymmetry():
    assert asymmetry(1.1, 0.9) == pytest.approx(0.2)
    assert asymmetry(0.9, 1.1) == pytest.approx(-0.2)
    assert asymmetry(-1.1, -0.9) == pytest.approx(0.2)
    for left, right in ((1, -1), (0, 1), (np.nan, 1), (1, np.inf)):
        assert np.isnan(asymmetry(left, right))
