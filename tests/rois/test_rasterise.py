"""Fixed shapes written into labels without a session, against distances worked out here."""

import numpy as np
import pytest

from napari_qsm.rois.rasterise import rasterise
from napari_qsm.rois.region import Region
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.volume import Volume

SHAPE = (14, 12, 10)
NAMES = {1: "Putamen L", 7: "other", 9: "vein"}
VOLUME = Volume(np.zeros(SHAPE, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]), unit="ppm")


def ball(name, voxel, mm=9.0):
    centre = tuple(2.0 * np.array(voxel, float))
    return FixedShape(kind="sphere", size_mm=(mm,), centre_mm=centre, region_name=name)


def inside(voxel, mm=9.0):
    """Voxels whose middles lie within half of the diameter."""
    there = np.stack(np.indices(SHAPE), axis=-1) * 2.0 - 2.0 * np.array(voxel)
    return np.sqrt((there**2).sum(axis=-1)) <= mm / 2


def written(labels, change):
    out = labels.ravel(order="F").copy()
    out[change.at] = change.values
    return out.reshape(SHAPE, order="F")


@pytest.mark.parametrize("clear_first", [False, True])
@pytest.mark.parametrize("over_others", [False, True])
def test_who_gets_which_voxel(clear_first, over_others):
    labels = np.zeros(SHAPE, np.uint16)
    labels[0:3], labels[6, 6], labels[5, 5, 2] = 1, 7, 9
    before = labels.copy()
    table = {k: Region(k, name, "", "#ff0000", locked=k == 9) for k, name in NAMES.items()}
    first, second = ball("putamen l", (5, 6, 5)), ball("Red nucleus R", (8, 6, 5))
    change, shapes, notes = rasterise(
        labels, table, [first, second], VOLUME, clear_first=clear_first, over_others=over_others
    )
    np.testing.assert_array_equal(labels, before)
    expected = before.copy()
    if clear_first:
        expected[expected == 1] = 0
    new = next(iter(change.rows))
    for index, where in ((1, inside((5, 6, 5))), (new, inside((8, 6, 5)))):
        free = expected != 9 if over_others else np.isin(expected, (0, index))
        expected[where & free] = index
    np.testing.assert_array_equal(written(labels, change), expected)
    assert new == 2 and list(change.rows) == [2] and shapes == [first, second]
    assert (change.rows[2].name, change.rows[2].side) == ("Red nucleus R", "right")
    assert change.at.size == (expected != before).sum()
    assert any("stay vein" in note for note in notes) or not (inside((5, 6, 5))[5, 5, 2])


def test_a_shape_of_a_locked_region_stays_a_shape():
    labels = np.zeros(SHAPE, np.uint16)
    table = {1: Region(1, "Putamen L", "left", "#ff0000", locked=True)}
    change, shapes, notes = rasterise(labels, table, [ball("Putamen L", (5, 6, 5))], VOLUME)
    assert shapes == [] and change.at.size == 0 and not change.rows
    assert notes == ["Putamen L is locked, so its shape stays a shape."]


def test_shapes_without_a_region_get_a_name_of_their_own():
    labels = np.zeros(SHAPE, np.uint16)
    pair = [ball("", (3, 6, 5), 5.0), ball("", (9, 6, 5), 5.0)]
    change, _, _ = rasterise(labels, {}, pair, VOLUME)
    assert [row.name for row in change.rows.values()] == ["Sphere 1", "Sphere 2"]
    assert set(np.unique(written(labels, change))) == {0, 1, 2}
