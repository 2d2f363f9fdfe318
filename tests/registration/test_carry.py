"""Fixed shapes of one visit in another: they go where the head went, and count as many voxels."""

import numpy as np
import pytest

from napari_qsm.registration.carry import carried
from napari_qsm.rois.shapes import FixedShape, snap, voxels_of
from napari_qsm.volume import Volume
from tests.registration.heads import rigid


def grid(size=(1.0, 1.0, 2.0), first=(-60.0, -80.0, -40.0)):
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = first
    return Volume(np.broadcast_to(np.float32(0), (120, 140, 60)), affine)


SHAPES = [
    FixedShape(kind="circle", size_mm=(4,), slices=2, centre_mm=(12.3, 4.1, 2.2)),
    FixedShape(kind="ellipse", size_mm=(12, 5), slices=3, rotation_deg=-75, centre_mm=(-25, 0, 3)),
    FixedShape(kind="sphere", size_mm=(8,), centre_mm=(5, -19, -9)),
    FixedShape(kind="sphere", size_mm=(7,), centre_mm=(5.3, -19.4, -9.7), snapped=False),
    FixedShape(kind="rectangle", size_mm=(7, 4), plane="coronal", centre_mm=(10, -17, -13)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
@pytest.mark.parametrize("angles", [(0, 0, 0), (6, -4, 8), (2, 3, 21)])
def test_a_shape_goes_where_the_head_went_with_as_many_voxels(shape, angles):
    source, target = grid(), grid(first=(-57.3, -83.9, -36.6))
    matrix = rigid(angles, (5, -7, 4))
    before = snap(shape, source)
    after = carried(before, matrix, source, target).shape
    true = matrix[:3, :3] @ before.centre_mm + matrix[:3, 3]
    # Half a voxel each way is what snapping costs; a whole one through an even number of slices.
    assert (np.abs(np.array(after.centre_mm) - true) <= np.array([0.51, 0.51, 1.01])).all()
    assert len(voxels_of(after, target)) == len(voxels_of(before, source))
    assert (after.kind, after.size_mm, after.slices) == (shape.kind, shape.size_mm, shape.slices)
    assert after.id != before.id
    assert after == carried(before, matrix, source, target).shape


def test_a_head_that_hardly_moved_leaves_shapes_where_they_are():
    there = grid()
    on_a_tie = FixedShape(kind="sphere", size_mm=(6,), centre_mm=(12.5, 4.5, 3.0), snapped=False)
    for shift in (-0.001, 0.001, 0.2):
        after = carried(on_a_tie, rigid((0, 0, 0), (shift, -shift, shift)), there, there).shape
        assert after.centre_mm == on_a_tie.centre_mm
    after = carried(on_a_tie, rigid((0, 0, 0), (0.9, 0, 0)), there, there).shape
    assert after.centre_mm == (13.5, 4.5, 3.0)


def test_only_a_turn_of_more_than_five_degrees_in_the_plane_turns_a_shape():
    shape = FixedShape(kind="ellipse", size_mm=(30, 8), rotation_deg=-60, centre_mm=(0, -15, 10))
    there = grid()
    little = carried(shape, rigid((0, 0, 4), (0, 0, 0)), there, there)
    assert little.shape.rotation_deg == -60 and not little.note
    tilted = carried(shape, rigid((12, 0, 0), (0, 0, 0)), there, there)
    assert tilted.shape.rotation_deg == -60 and not tilted.note
    other_size = grid(size=(1.1, 1.1, 2.0))
    much = carried(shape, rigid((0, 0, 10), (0, 0, 0)), there, other_size)
    assert much.shape.rotation_deg == pytest.approx(-50, abs=0.01)
    assert "turned by 10.0°" in much.note
    same_size = carried(shape, rigid((0, 0, 10), (0, 0, 0)), there, there)
    assert abs(same_size.shape.rotation_deg + 50) <= 5
    assert "10.0°" in same_size.note
