"""Edits are plain functions: they say what changes and write nothing themselves."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import QsmError
from napari_qsm.rois import edit
from napari_qsm.rois.region import Region, region_table

ROWS = region_table({1: "Putamen L", 2: "Putamen R", 7: "Pons"})


@pytest.fixture
def labels():
    """Two mirrored boxes and one in two pieces; read-only, so that a write would fail."""
    data = np.zeros((12, 7, 5), np.uint16, order="F")
    data[1:4, 2:5, 1:4] = 1
    data[8:11, 2:5, 1:4] = 2
    data[5:7, 0, 0] = 7
    data[5:7, 6, 3:5] = 7
    data.setflags(write=False)
    return data


def done(labels, change):
    """The labels with a change written, x fastest."""
    flat = labels.ravel(order="F").copy()
    flat[change.at] = change.values
    return flat.reshape(labels.shape, order="F")


def test_every_edit_names_each_voxel_once_and_the_rows(labels):
    for change in (
        edit.delete(labels, ROWS, [1, 7]),
        edit.merge(labels, ROWS, 2, [1, 7]),
        edit.split_pieces(labels, ROWS, 7),
        edit.split_sides(labels, ROWS, 7, 5.5),
        edit.mirror_region(labels, ROWS, 1, 5.0),
    ):
        assert np.unique(change.at).size == change.at.size == change.values.size
    gone = edit.delete(labels, ROWS, [1, 7])
    np.testing.assert_array_equal(done(labels, gone), np.where(labels == 2, 2, 0))
    assert gone.rows == {1: None, 7: None} and gone.text == "delete 2 regions"


def test_pieces_against_scipy(labels):
    pieces, _ = ndimage.label(labels == 7)
    change = edit.split_pieces(labels, ROWS, 7)
    assert change.regions == (7, 8) and change.rows[8].name == "Pons 2"
    after = done(labels, change)
    np.testing.assert_array_equal(after == 8, pieces == pieces[5, 0, 0])
    np.testing.assert_array_equal(after == 7, pieces == pieces[5, 6, 3])


def test_mirror_counts_what_it_leaves_out(labels):
    change = edit.mirror_region(labels, ROWS, 1, 0.5)  # x 1..3 falls on 0, -1, -2
    assert change.regions == (2,) and change.missed == 18
    expected = np.where(labels == 2, 0, labels)
    expected[0, 2:5, 1:4] = 2
    np.testing.assert_array_equal(done(labels, change), expected)


def test_what_changes_nothing_is_no_change(labels):
    for change in (
        edit.rename(ROWS, 1, " Putamen  L"),
        edit.recolour(ROWS, 1, ROWS[1].color.upper()),
        edit.set_side(ROWS, 7, ""),
        edit.delete(labels, ROWS, []),
    ):
        assert not change.rows and change.at.size == 0


def test_a_full_map_has_no_label_left(labels):
    full = dict.fromkeys(range(1, 65536), Region(1, "x", "", "#ffffff"))
    with pytest.raises(QsmError, match="none left"):
        edit.add(labels, full)
    del full[300]
    assert edit.add(labels, full).regions == (300,)
