"""Segmentations against ITK's reader, in several orientations."""

from dataclasses import replace
from itertools import permutations

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.label_table import Region, read_label_table, write_label_table
from napari_qsm.io.segmentation import on_grid, read_labels, write_labels
from napari_qsm.volume import StoredGrid, Volume, same_affine

SHAPE = (6, 5, 4)
REGIONS = (
    Region(1, "Putamen R", "right", "#ff8000"),
    Region(3, 'χ "core" Ä', "left", "#0000ff", locked=True),
    Region(700, "Caudate L", "left", "#10ff20"),
)
FEW = REGIONS[:2]


def labels(order=((0, 1), (1, 1), (2, 1)), degrees=12, values=(1, 3)):
    """A label map, oblique, stored in any axis order."""
    data = np.zeros(SHAPE, np.uint16)
    data[1:3, 1:4, 1], data[4, 2:, 2:] = values
    angle = np.radians(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] = affine[:3, :3] @ np.diag([0.7, 1.1, 2.5])
    affine[:3, 3] = (-12.0, 5.0, 31.0)
    turned = Volume(data, affine, name="labels")._reoriented(order)
    return replace(turned, stored=StoredGrid(turned.shape, turned.affine))


ORDERS = [
    tuple(zip(axes, signs, strict=True))
    for axes in permutations(range(3))
    for signs in ((1, 1, 1), (-1, -1, 1), (1, -1, -1))
]


def world_points(data, affine, value):
    at = np.argwhere(np.asarray(data) == value)
    return np.array(sorted(map(tuple, np.round(at @ affine[:3, :3].T + affine[:3, 3], 4))))


@pytest.mark.parametrize("order", ORDERS)
def test_itk_finds_every_voxel_where_it_was(tmp_path, order):
    sitk = pytest.importorskip("SimpleITK")
    volume = labels(order)
    path = tmp_path / "a.seg.nrrd"
    assert write_labels(volume.to_canonical(), FEW, path) == [path]
    image = sitk.ReadImage(str(path))
    assert image.GetSize() == volume.shape  # the file's own axis order
    for value in (1, 3):
        found = np.argwhere(value == sitk.GetArrayFromImage(image).T)
        lps = [image.TransformIndexToPhysicalPoint([int(n) for n in at]) for at in found]
        ras = sorted(map(tuple, np.round(np.array(lps) * (-1, -1, 1), 4)))
        np.testing.assert_allclose(ras, world_points(volume.data, volume.affine, value), atol=2e-4)
    assert image.GetMetaData("Segment0_Name") == "Putamen R"
    assert image.GetMetaData("Segment0_Extent").split()[0].isdigit()
    back, regions = read_labels(path)
    assert same_affine(back.affine, volume.affine, 1e-9)
    np.testing.assert_array_equal(back.data, volume.data)
    assert regions == FEW


def test_a_file_that_itk_wrote_opens_in_place(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    volume = labels(((1, -1), (0, 1), (2, -1)))
    nib.save(nib.Nifti1Image(volume.data, volume.affine), tmp_path / "a.nii.gz")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.nii.gz")), str(tmp_path / "a.nrrd"))
    back, regions = read_labels(tmp_path / "a.nrrd")
    assert regions == ()
    assert same_affine(back.affine, volume.affine, 1e-4)
    np.testing.assert_array_equal(back.data, volume.data)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".seg.nrrd"])
@pytest.mark.parametrize(("value", "kind"), [(3, np.uint8), (700, np.uint16)])
def test_there_and_back(tmp_path, ending, value, kind):
    volume = labels(values=(1, value))
    files = write_labels(volume, REGIONS, tmp_path / f"a{ending}")
    assert sorted(files) == sorted(tmp_path.iterdir())
    back, regions = read_labels(files[0])
    assert back.data.dtype == kind
    np.testing.assert_array_equal(back.data, volume.data)
    assert same_affine(back.affine, volume.affine, 1e-4)
    assert [(r.index, r.color) for r in regions] == [(r.index, r.color) for r in REGIONS]
    # ITK-SNAP has no way to write a quote inside a name.
    name = REGIONS[1].name if ending == ".seg.nrrd" else "χ 'core' Ä"
    assert [r.name for r in regions] == ["Putamen R", name, "Caudate L"]


def test_bids_names_get_a_bids_table(tmp_path):
    files = write_labels(labels(), FEW, tmp_path / "sub-01_dseg.nii.gz")
    assert [file.name for file in files] == ["sub-01_dseg.nii.gz", "sub-01_dseg.tsv"]
    assert [r.name for r in read_label_table(files[1])] == [r.name for r in FEW]


def test_a_stranger_is_not_replaced(tmp_path):
    (tmp_path / "a.txt").write_text("my notes")
    with pytest.raises(FileError, match=r"a\.txt"):
        write_labels(labels(), FEW, tmp_path / "a.nii.gz")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    write_label_table(tmp_path / "a.txt", REGIONS)
    write_labels(labels(), FEW, tmp_path / "a.nii.gz")
    assert len(read_label_table(tmp_path / "a.txt")) == 2


def test_labels_without_names_get_segments(tmp_path):
    write_labels(labels(), (), tmp_path / "a.seg.nrrd")
    _, regions = read_labels(tmp_path / "a.seg.nrrd")
    assert [(r.index, r.name) for r in regions] == [(1, "region 1"), (3, "region 3")]


def slicer_file(path, data, segments, space="left-posterior-superior", more=()):
    """As 3D Slicer writes, worked out from its description; data (layers, x, y, z) or (x, y, z)."""
    listed = "none " if data.ndim == 4 else ""
    kinds = "list domain domain domain" if data.ndim == 4 else "domain domain domain"
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {data.ndim}",
        f"space: {space}",
        f"sizes: {' '.join(map(str, data.shape))}",
        f"space directions: {listed}(2,0,0) (0,2,0) (0,0,3)",
        f"kinds: {kinds}",
        "encoding: raw",
        "space origin: (-10,-20,30)",
        *more,
    ]
    for number, fields in enumerate(segments):
        lines += [f"Segment{number}_{key}:={value}" for key, value in fields.items()]
    content = "\n".join([*lines, "", ""]).encode() + data.astype(np.uint8).tobytes(order="F")
    path.write_bytes(content)


def test_layers_of_slicer_become_one_map(tmp_path):
    layers = np.zeros((2, 4, 3, 2), np.uint8)
    layers[0, 0], layers[1, 3] = 1, 1
    segments = [
        {"Name": "Left-Putamen", "LabelValue": 1, "Layer": 0, "Color": "1 0.5 0"},
        {"Name": "Right-Putamen", "LabelValue": 1, "Layer": 1, "Color": "0 0 1"},
    ]
    slicer_file(tmp_path / "a.seg.nrrd", layers, segments)
    volume, regions = read_labels(tmp_path / "a.seg.nrrd")
    assert [(r.index, r.name, r.side, r.color) for r in regions] == [
        (1, "Left-Putamen", "left", "#ff8000"),
        (2, "Right-Putamen", "right", "#0000ff"),
    ]
    np.testing.assert_array_equal(volume.data, layers[0] + 2 * layers[1])
    np.testing.assert_allclose(volume.affine[:3, 3], (10, 20, 30))
    assert volume.orientation == "LPS"
    layers[1, 0, 0, 0] = 1
    slicer_file(tmp_path / "b.seg.nrrd", layers, segments)
    with pytest.raises(FileError, match=r"Left-Putamen.*Right-Putamen.*overlap"):
        read_labels(tmp_path / "b.seg.nrrd")


def test_old_files_hold_one_segment_per_layer(tmp_path):
    layers = np.zeros((2, 4, 3, 2), np.uint8)
    layers[0, 0], layers[1, 3] = 1, 1
    slicer_file(tmp_path / "a.seg.nrrd", layers, [{"Name": "A"}, {"Name": "B"}])
    volume, regions = read_labels(tmp_path / "a.seg.nrrd")
    assert [(r.index, r.name) for r in regions] == [(1, "A"), (2, "B")]
    np.testing.assert_array_equal(volume.data, layers[0] + 2 * layers[1])


def test_the_worlds_of_the_format(tmp_path):
    data = np.ones((4, 3, 2), np.uint8)
    for space, code in (("RAS", "RAS"), ("right-anterior-superior", "RAS"), ("LPS", "LPS")):
        slicer_file(tmp_path / "a.nrrd", data, [{"Name": "A", "LabelValue": 1}], space)
        volume, _ = read_labels(tmp_path / "a.nrrd")
        assert volume.orientation == code
        assert volume.orientation_known
    slicer_file(tmp_path / "a.nrrd", data, [], "scanner-xyz")
    assert not read_labels(tmp_path / "a.nrrd")[0].orientation_known


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "damaged"), (b"NRRD0004\ntype: nonsense\n\n", "damaged"), (b"hello", "damaged")],
)
def test_broken_files_are_refused(tmp_path, content, said):
    (tmp_path / "a.seg.nrrd").write_bytes(content)
    with pytest.raises(FileError, match=said):
        read_labels(tmp_path / "a.seg.nrrd")
    write_labels(labels(), FEW, tmp_path / "b.seg.nrrd")
    whole = (tmp_path / "b.seg.nrrd").read_bytes()
    (tmp_path / "b.seg.nrrd").write_bytes(whole[:-8])
    with pytest.raises(FileError, match="damaged"):
        read_labels(tmp_path / "b.seg.nrrd")
    with pytest.raises(FileError, match="no file"):
        read_labels(tmp_path / "c.seg.nrrd")


def test_impossible_labels_are_refused(tmp_path):
    odd = labels().with_data(labels().data * 0.5)
    for ending in (".nii.gz", ".seg.nrrd"):
        with pytest.raises(FileError, match="whole numbers"):
            write_labels(odd, FEW, tmp_path / f"a{ending}")
    with pytest.raises(FileError, match="must end"):
        write_labels(labels(), FEW, tmp_path / "a.mha")
    with pytest.raises(FileError, match="two regions"):
        write_labels(labels(), (REGIONS[0], REGIONS[0]), tmp_path / "a.seg.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_the_grid_goes_back_to_its_place():
    whole = labels(degrees=30)
    corner = (1, 1, 1)
    affine = np.array(whole.affine)
    affine[:3, 3] = whole.voxel_to_world(corner)
    part = Volume(whole.data[1:5, 1:5, 1:], affine, name="part")
    turned = part._reoriented(((1, -1), (2, 1), (0, -1)))
    for each in (part, turned):
        placed = on_grid(each, whole)
        np.testing.assert_array_equal(placed.data, whole.data)
        assert same_affine(placed.affine, whole.affine)
    affine[:3, 3] += 0.3
    with pytest.raises(GeometryError):
        on_grid(replace(part, affine=affine), whole)


def test_regions_beyond_the_map_are_not_cut_off_in_silence():
    whole = labels(degrees=0)
    larger = Volume(np.ones((8, 5, 4), np.uint8), whole.affine, name="larger")
    with pytest.raises(GeometryError, match="cut off"):
        on_grid(larger, whole)
    empty_there = np.ones((8, 5, 4), np.uint8)
    empty_there[6:] = 0
    assert on_grid(larger.with_data(empty_there), whole).data.all()
