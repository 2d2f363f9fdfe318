"""Shapes against a slow loop over every voxel, and the same count wherever they lie."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_qsm.rois.shapes import SIZES, FixedShape, indices_of, realised, snap, voxels_of
from napari_qsm.volume import Volume

PLANE_AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}


def volume_of(shape=(40, 44, 30), size=(1.0, 1.0, 1.0), degrees=0.0, origin=(-20.0, -22.0, -15.0)):
    turn = math.radians(degrees)
    rotation = np.eye(3)
    rotation[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(size)
    affine[:3, 3] = origin
    values = np.random.default_rng(1).normal(0.05, 0.02, shape).astype(np.float32)
    return Volume(values, affine, unit="ppm", name="χ")


def slow_voxels(shape, volume):
    """Every voxel of the grid, one at a time, in plain arithmetic."""
    a, b, d = PLANE_AXES[shape.plane]
    size = volume.voxel_size_mm
    centre = [float(v) for v in volume.world_to_voxel(shape.centre_mm)]
    slices = shape.slices
    if shape.kind == "cylinder":
        half = shape.size_mm[1] / 2 / size[d]
        slices = sum(1 for n in range(-200, 200) if -half + 1e-6 < n <= half + 1e-6)
    if shape.snapped:
        even = slices % 2 == 0 and shape.kind not in ("sphere", "ellipsoid")
        for axis in range(3):
            if axis == d and even:
                centre[axis] = math.floor(centre[axis] + 1e-6) + 0.5
            else:
                centre[axis] = math.ceil(centre[axis] - 0.5 - 1e-6)
    turn = math.radians(shape.rotation_deg)
    found = []
    for index in np.ndindex(*volume.shape):
        x, y, z = ((index[axis] - centre[axis]) * size[axis] for axis in (a, b, d))
        u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
        through = -slices / 2 + 1e-6 < z / size[d] <= slices / 2 + 1e-6
        if shape.kind == "circle" or shape.kind == "cylinder":
            inside = through and math.hypot(x, y) <= shape.size_mm[0] / 2 + 1e-5
        elif shape.kind == "ellipse":
            p, q = shape.size_mm
            inside = through and (u / p) ** 2 + (v / q) ** 2 <= 0.25 + 1e-6
        elif shape.kind == "rectangle":
            p, q = shape.size_mm
            inside = through and all(-w / 2 + 1e-5 < e <= w / 2 + 1e-5 for w, e in ((p, u), (q, v)))
        elif shape.kind == "sphere":
            inside = math.hypot(x, y, z) <= shape.size_mm[0] / 2 + 1e-5
        else:
            p, q, r = shape.size_mm
            inside = (u / p) ** 2 + (v / q) ** 2 + (z / r) ** 2 <= 0.25 + 1e-6
        if inside:
            i, j, k = index
            found.append(i + volume.shape[0] * (j + volume.shape[1] * k))
    return sorted(found)


@pytest.mark.parametrize(
    ("spacing", "counts"), [(1.0, (9, 13, 21, 29, 49, 81)), (0.5, (29, 49, 81, 113, 197, 317))]
)
def test_known_counts_of_circles(spacing, counts):
    volume = volume_of(size=(spacing, spacing, 2.0))
    for width, count in zip((3, 4, 5, 6, 8, 10), counts, strict=True):
        shape = FixedShape(kind="circle", size_mm=(width,), centre_mm=(-9.7, -10.2, 3.1))
        found = realised(shape, volume)
        assert found.voxels == count == len(voxels_of(shape, volume))
        assert found.area_mm2 == pytest.approx(count * spacing**2)
        assert found.volume_mm3 == pytest.approx(count * spacing**2 * 2)
        assert found.nominal_area_mm2 == pytest.approx(math.pi / 4 * width**2)
        assert found.few == (count < 10)


KINDS = [
    ("circle", (7.0,), {"slices": 3}),
    ("circle", (6.0,), {"slices": 2, "plane": "coronal"}),
    ("ellipse", (9.0, 4.0), {"rotation_deg": 30.0, "slices": 4}),
    ("ellipse", (9.0, 4.0), {"rotation_deg": -70.0, "plane": "sagittal"}),
    ("rectangle", (8.0, 4.0), {"slices": 2}),
    ("rectangle", (7.0, 5.0), {"rotation_deg": 25.0, "plane": "coronal"}),
    ("sphere", (9.0,), {}),
    ("ellipsoid", (10.0, 6.0, 8.0), {"rotation_deg": 40.0}),
    ("ellipsoid", (10.0, 6.0, 4.0), {"rotation_deg": -20.0, "plane": "sagittal"}),
    ("cylinder", (6.0, 8.0), {}),
    ("cylinder", (6.0, 7.0), {"plane": "sagittal"}),
]


@pytest.mark.parametrize(("kind", "size", "more"), KINDS)
@pytest.mark.parametrize("snapped", [True, False])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 1.3, 2.0)])
def test_equal_to_a_loop_over_every_voxel(kind, size, more, snapped, spacing):
    volume = volume_of((22, 20, 16), spacing, degrees=11.0, origin=(-9.0, -11.0, -12.0))
    centre = volume.voxel_to_world([10.28, 9.61, 7.37])
    shape = FixedShape(kind=kind, size_mm=size, centre_mm=centre, snapped=snapped, **more)
    assert voxels_of(shape, volume).tolist() == slow_voxels(shape, volume)
    corner = shape.but(centre_mm=tuple(volume.voxel_to_world([0.2, 18.7, 1.1])))
    assert voxels_of(corner, volume).tolist() == slow_voxels(corner, volume)


spacings = st.tuples(*[st.floats(0.4, 3.0)] * 3)
clicks = st.tuples(*[st.floats(10.0, 20.0)] * 3)


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(sorted(SIZES)),
    lengths=st.tuples(*[st.floats(2.0, 9.0)] * 3),
    slices=st.integers(1, 5),
    plane=st.sampled_from(sorted(PLANE_AXES)),
    turn=st.floats(-89, 90),
    spacing=spacings,
    degrees=st.floats(-30, 30),
    first=clicks,
    second=clicks,
)
def test_every_click_gives_the_same_count(
    kind, lengths, slices, plane, turn, spacing, degrees, first, second
):
    volume = volume_of((60, 60, 60), spacing, degrees)
    template = FixedShape(
        kind=kind,
        size_mm=lengths[: len(SIZES[kind])],
        slices=slices if kind in ("circle", "ellipse", "rectangle") else 1,
        plane=plane,
        rotation_deg=turn,
    )
    wanted = realised(template, volume)
    relative = []
    for click in (first, second):
        shape = snap(template.but(centre_mm=tuple(volume.voxel_to_world(click))), volume)
        indices = indices_of(shape, volume)
        inside = ((indices >= 0) & (indices < 60)).all(axis=1)
        assert len(indices) == wanted.voxels == realised(shape, volume).voxels
        assert len(voxels_of(shape, volume)) == inside.sum()
        # Snapping again changes nothing, and the clicked slice is among the shape's.
        assert np.array_equal(indices_of(snap(shape, volume), volume), indices)
        depth = PLANE_AXES[plane][2]
        if wanted.voxels:
            assert round(click[depth] - 1e-9) in indices[:, depth] or slices % 2 == 0
        relative.append(indices - indices[0] if len(indices) else indices)
    assert np.array_equal(*relative)


def test_even_slices_reach_one_further_up_from_the_click():
    volume = volume_of()
    for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        click = np.array([12.0, 13.0, 14.0])
        for slices, wanted in ((1, (0, 0)), (2, (0, 1)), (3, (-1, 1)), (4, (-1, 2))):
            shape = FixedShape(
                kind="circle",
                size_mm=(4,),
                slices=slices,
                plane=plane,
                centre_mm=tuple(volume.voxel_to_world(click)),
            )
            shape = snap(shape, volume)
            along = indices_of(shape, volume)[:, axis] - int(click[axis])
            assert (along.min(), along.max()) == wanted
            # One slice more and one less again: it stays where it was.
            more = snap(shape.but(slices=slices + 1), volume)
            assert snap(more.but(slices=slices), volume).centre_mm == pytest.approx(shape.centre_mm)


def test_straight_edges_make_whole_numbers_of_voxels():
    volume = volume_of()
    for width in (1, 2, 3, 4, 5, 8):
        box = FixedShape(kind="rectangle", size_mm=(width, 3), slices=2)
        assert realised(box, volume).voxels == width * 3 * 2
        tube = FixedShape(kind="cylinder", size_mm=(6, width))
        assert realised(tube, volume).slices == width
        assert realised(tube, volume).nominal_volume_mm3 == pytest.approx(math.pi * 9 * width)


@pytest.mark.parametrize("order", [((0, 1), (1, 1), (2, 1)), ((1, -1), (2, 1), (0, -1))])
def test_axis_order_of_the_array_makes_no_difference(order):
    volume = volume_of((20, 22, 16), (1.0, 1.2, 2.0), degrees=8)
    turned = volume._reoriented(order)
    shape = FixedShape(
        kind="ellipse",
        size_mm=(9, 5),
        rotation_deg=25,
        slices=2,
        plane="coronal",
        centre_mm=tuple(volume.voxel_to_world([9.2, 11.4, 7.7])),
    )
    plain = volume.data.ravel(order="F")[voxels_of(shape, volume)]
    other = turned.data.ravel(order="F")[voxels_of(shape, turned)]
    assert len(plain) > 20
    np.testing.assert_array_equal(np.sort(plain), np.sort(other))


def test_volumes_approach_the_formula():
    fine = volume_of((2, 2, 2), (0.2, 0.2, 0.2))
    for kind, size, _ in KINDS:
        found = realised(FixedShape(kind=kind, size_mm=size), fine)
        assert found.volume_mm3 == pytest.approx(found.nominal_volume_mm3, rel=0.04), kind
        assert found.area_mm2 == pytest.approx(found.nominal_area_mm2, rel=0.04), kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "circle", "size_mm": (3, 4)},
        {"kind": "circle", "size_mm": (0,)},
        {"kind": "circle", "size_mm": (float("nan"),)},
        {"kind": "sphere", "size_mm": (5,), "slices": 3},
        {"kind": "circle", "size_mm": (5,), "slices": 0},
        {"kind": "circle", "size_mm": (5,), "centre_mm": (0, 0, float("inf"))},
        {"kind": "circle", "size_mm": (5,), "colour": "red"},
        {"kind": "star", "size_mm": (5,)},
    ],
)
def test_impossible_shapes_are_refused(wrong):
    with pytest.raises(ValidationError):
        FixedShape(**wrong)
