"""Shapes mirrored, carried to another map, checked, kept in files, and placed by a list."""

import json
import math

import numpy as np
import pytest

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.errors import FileError, QsmError
from napari_qsm.rois.guided import guided_presets, guided_text, load_guided
from napari_qsm.rois.shape_changes import (
    applied,
    mirrored,
    nudged,
    turned,
    with_area,
    with_volume,
)
from napari_qsm.rois.shape_checks import flags_of, numbers_under
from napari_qsm.rois.shape_files import read_shapes, write_shapes
from napari_qsm.rois.shapes import FixedShape, nominal, realised, snap, voxels_of
from tests.rois.test_shapes import KINDS, volume_of


def at(volume, index, kind="circle", size=(6.0,), **more):
    shape = FixedShape(
        kind=kind, size_mm=size, centre_mm=tuple(volume.voxel_to_world(index)), **more
    )
    return snap(shape, volume)


@pytest.mark.parametrize(("kind", "size", "more"), KINDS)
@pytest.mark.parametrize("degrees", [0.0, 14.0])
def test_mirrored_twice_is_the_shape_itself(kind, size, more, degrees):
    volume = volume_of((61, 40, 30), (0.9, 1.2, 2.0), degrees)
    frame = DisplayFrame(volume)
    middle = frame.origin_mm[0] + 30 * 0.9  # on voxel centres of column 30
    shape = at(volume, [14, 20, 12], kind, size, side="left", region=3, region_name="GP L", **more)
    other = mirrored(shape, frame, middle, volume)
    assert (other.side, other.region_name, other.region) == ("right", "GP R", 0)
    assert other.id != shape.id and realised(other, volume).voxels == realised(shape, volume).voxels
    # Voxel for voxel the mirror image, but for straight edges: those count on one side only.
    straight = kind in ("rectangle", "cylinder") or more.get("plane") == "sagittal"
    if not straight:
        mask = np.zeros(volume.shape, bool)
        mask[np.unravel_index(voxels_of(shape, volume), volume.shape, order="F")] = True
        twin = np.flatnonzero(mask[::-1].ravel(order="F"))
        np.testing.assert_array_equal(voxels_of(other, volume), twin)
    back = mirrored(other, frame, middle, volume)
    np.testing.assert_allclose(back.centre_mm, shape.centre_mm, atol=1e-9)
    assert back.rotation_deg == pytest.approx(shape.rotation_deg)


def test_nudges_and_turns():
    volume = volume_of(size=(0.9, 1.2, 2.0), degrees=10)
    shape = at(volume, [14, 20, 12], "ellipse", (9.0, 4.0), slices=2)
    moved = nudged(nudged(shape, volume, (1, 0, 0)), volume, (0, -2, 3))
    x, y, z = np.unravel_index(voxels_of(shape, volume), volume.shape, order="F")
    expected = np.ravel_multi_index((x + 1, y - 2, z + 3), volume.shape, order="F")
    np.testing.assert_array_equal(voxels_of(moved, volume), np.sort(expected))
    assert nudged(moved, volume, (-1, 2, -3)).centre_mm == pytest.approx(shape.centre_mm)
    assert [turned(shape, d).rotation_deg for d in (30, 100, -90, 180, 270)] == [30, -80, 90, 0, 90]
    circle = at(volume, [14, 20, 12])
    assert turned(circle, 30) == circle


def test_sizes_from_area_and_volume():
    for kind, size, more in KINDS:
        slices = more.get("slices", 1)
        for area in (20.0, 77.0):
            shape = FixedShape(kind=kind, size_mm=with_area(kind, size, area), slices=slices)
            assert nominal(shape, 2.0)[0] == pytest.approx(area)
        shape = FixedShape(
            kind=kind, size_mm=with_volume(kind, size, 300.0, 2.0 * slices), slices=slices
        )
        assert nominal(shape, 2.0)[1] == pytest.approx(300.0)
    assert with_area("circle", (1.0,), math.pi * 9) == pytest.approx((6.0,))
    with pytest.raises(QsmError, match="above 0 mm²"):
        with_area("circle", (1.0,), 0.0)


def test_flags_say_what_is_wrong():
    volume = volume_of()
    data = np.array(volume.data)
    data[20, 20, 10] = np.nan
    data[30:, :, :] = 0
    volume = volume.with_data(data)
    brain = np.zeros(volume.shape, np.uint8)
    brain[5:, :, :] = 1
    mask = volume.with_data(brain, unit="")
    good = at(volume, [12, 12, 10])
    assert flags_of(good, volume, mask=mask) == ()
    assert flags_of(at(volume, [20, 20, 10]), volume) == ("1 of 29 voxels without a number",)
    assert flags_of(at(volume, [12, 12, 10], size=(3.0,)), volume) == ("only 9 voxels",)
    assert flags_of(at(volume, [29, 20, 10]), volume) == (
        "11 of 29 voxels exactly 0, as where the map is empty",
    )
    assert flags_of(at(volume, [5, 12, 10]), volume, mask=mask) == (
        "11 of 29 voxels outside the mask",
    )
    assert flags_of(at(volume, [0, 12, 10]), volume)[0] == "11 of 29 voxels outside the map"
    near = at(volume, [14, 12, 10], region_name="Putamen L")
    shared = np.intersect1d(voxels_of(good, volume), voxels_of(near, volume)).size
    assert flags_of(good, volume, others=[good, near]) == (
        f"shares {shared} voxels with Putamen L",
    )
    frame = DisplayFrame(volume)
    middle = frame.origin_mm[0] + 20
    for side, said in (
        ("left", ()),
        ("right", ("on the patient's left, but its region is right",)),
    ):
        sided = good.but(side=side)
        assert flags_of(sided, volume, frame=frame, midline_mm=middle) == said


def test_numbers_are_numpys():
    volume = volume_of((30, 30, 12))
    data = np.array(volume.data)
    data[14, 15, 6] = np.nan
    volume = volume.with_data(data)
    shape = at(volume, [14, 15, 6], slices=3)
    inside = volume.data.ravel(order="F")[voxels_of(shape, volume)].astype(np.float64)
    found = numbers_under(shape, volume)
    assert (found.voxels, found.finite) == (87, 86)
    assert found.mean == pytest.approx(np.nanmean(inside), rel=1e-12)
    assert found.sd == pytest.approx(np.nanstd(inside, ddof=1), rel=1e-12)
    outside = numbers_under(at(volume, [-50, 0, 0]), volume)
    assert outside.voxels == 0 and math.isnan(outside.mean) and math.isnan(outside.sd)


def test_carried_to_another_visit():
    first = volume_of((40, 44, 30), (1.0, 1.0, 2.0))
    second = volume_of((36, 40, 28), (1.0, 1.0, 2.0), 7.0, origin=(-18.3, -19.2, -13.7))
    coarse = volume_of((20, 22, 30), (2.0, 2.0, 2.0))
    shapes = [
        at(first, [12, 20, 9], slices=3, region_name="Caudate L"),
        at(first, [39, 43, 29], slices=3, region_name="Dentate R"),
    ]
    counts = {shape.id: realised(shape, first).voxels for shape in shapes}
    there = applied(shapes, second, counts=counts)
    for old, new in zip(shapes, there.shapes, strict=True):
        assert new.size_mm == old.size_mm and new.id != old.id
        assert realised(new, second).voxels == counts[old.id]
        away = second.world_to_voxel(new.centre_mm) - second.world_to_voxel(old.centre_mm)
        assert np.abs(away).max() <= 0.5
    assert len(there.notes) == 1 and there.notes[0].startswith("Dentate R: ")
    assert there.notes[0].endswith("all 87 voxels lie outside the map.")
    on_coarse = applied(shapes[:1], coarse, counts=counts, copy=False)
    assert on_coarse.notes == ("Caudate L: 27 voxels here, 87 before.",)
    assert on_coarse.shapes[0].id == shapes[0].id


def test_file_round_trip(tmp_path):
    volume = volume_of(degrees=9)
    shapes = tuple(
        at(volume, [10 + n, 12.3, 9.8], kind, size, region=n, region_name=f'é "{n}"', **more)
        for n, (kind, size, more) in enumerate(KINDS)
    )
    path = tmp_path / "shapes.json"
    write_shapes(path, shapes, volume, "χ")
    found = read_shapes(path)
    assert found.shapes == shapes and found.map_name == "χ"
    assert found.counts == {s.id: realised(s, volume).voxels for s in shapes}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shapes.json"]
    write_shapes(path, ())
    assert read_shapes(path).shapes == ()
    with pytest.raises(FileError, match=r"end in \.json"):
        write_shapes(tmp_path / "shapes.txt", shapes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "no fixed shapes"),
        ({"colour": 1}, "unknown entries: colour"),
        ({"units": {"size": "cm"}}, "other units"),
        ({"shapes": 3}, "no list of shapes"),
        ({"shapes": [3]}, "Shape 1"),
        ({"shapes": [{"kind": "circle", "size_mm": [3]}]}, "no centre_mm"),
        (
            {"shapes": [{"kind": "circle", "size_mm": [3], "centre_mm": [0, 0, 0], "hue": 1}]},
            "unknown entry 'hue'",
        ),
        (
            {"shapes": [{"kind": "circle", "size_mm": [-3], "centre_mm": [0, 0, 0]}]},
            "size_mm.0: Input should be greater than 0",
        ),
        (
            {"shapes": [{"kind": "circle", "size_mm": [3], "centre_mm": [0, 0, 0], "id": "a"}] * 2},
            "have the id 'a'",
        ),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, change, said):
    whole = {"format": "napari-qsm shapes", "version": 1, "shapes": []} | change
    path = tmp_path / "s.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(FileError, match=said):
        read_shapes(path)
    path.write_text("{")
    with pytest.raises(FileError, match="is not valid JSON"):
        read_shapes(path)
    with pytest.raises(FileError, match="Cannot read"):
        read_shapes(tmp_path / "none.json")


def test_presets_are_whole_and_say_what_they_are():
    found = guided_presets()
    assert set(found) == {"basal-ganglia", "deep-grey-13"}
    thirteen = load_guided("deep-grey-13")
    assert len(thirteen.steps) == 26
    assert "not a published protocol" in thirteen.note
    assert "NOT the protocol" in guided_text("deep-grey-13")
    assert thirteen.steps[0].words == "left caudate, circle 6 mm, 3 slices"
    left, right = thirteen.steps[2:4]
    assert (left.region_name, right.region_name) == ("Putamen L", "Putamen R")
    assert left.shape.rotation_deg == -right.shape.rotation_deg == 75
    assert [s.side for s in thirteen.steps[:2]] == ["left", "right"]


def test_what_is_missing():
    preset = load_guided("basal-ganglia")
    volume = volume_of()
    done = [
        at(volume, [9, 9, 9], region_name="Caudate L"),
    ]
    assert [s.region_name for s in preset.missing(done)] == [
        "Caudate R",
        "Putamen L",
        "Putamen R",
        "Globus pallidus L",
        "Globus pallidus R",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not valid YAML"),
        ("3", "no list of regions"),
        ("name: x", "names no regions"),
        ("regions: [{name: A, kind: circle, size_mm: 3, wide: 2}]", "'A' in .* entries: wide"),
        ("regions: [{name: A, kind: circle}]", "'A' in .*size_mm"),
        ("regions: [{name: A, kind: blob, size_mm: 3}]", "'A' in .*kind"),
        ("regions: [{name: A, kind: circle, size_mm: 3, sides: both}]", "left and right"),
        ("regions: [{name: A, kind: sphere, size_mm: 3, slices: 4}]", "number of slices"),
        (
            "regions: [{name: A, kind: circle, size_mm: 3}, {name: A, kind: circle, size_mm: 3}]",
            "A twice",
        ),
    ],
)
def test_bad_lists_are_refused_by_name(tmp_path, text, said):
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(FileError, match=said):
        load_guided(path)
