"""Regions from and into the user's own files, and from one grid to another."""

import numpy as np
import pytest

from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.rois.canonical_grid import nearest
from napari_qsm.session import Session
from napari_qsm.session.folder import ChangedOnDisk
from napari_qsm.session.label_files import open_regions, previous_name, save_regions
from napari_qsm.volume import Volume
from tests.viewer.conftest import ORDERS, SHAPE, affine_of, code_of, ramp, stored_in


def labels_on(volume, seed=0):
    values = np.random.default_rng(seed).integers(0, 5, volume.shape).astype(np.uint16)
    return volume.with_data(values, unit="", name="regions")


def entry_on(volume):
    return Session().add(labels_on(volume), role="labels", regions={1: "Putamen L"})


@pytest.mark.parametrize("order", ORDERS[::9], ids=code_of)
def test_carrying_over_to_the_same_grid_changes_nothing(order):
    labels = labels_on(ramp())
    carried = nearest(stored_in(labels, order), ramp())
    np.testing.assert_array_equal(carried.volume.data, labels.data)
    assert carried.largest_change == pytest.approx(0, abs=1e-12) and carried.lost == ()


def test_carrying_over_asks_for_each_voxel_where_its_middle_lies():
    labels = labels_on(ramp(degrees=(4.0, 0.0, 9.0)))
    grid = Volume(
        np.zeros((20, 25, 30), np.float32), affine_of((20, 25, 30), (1.7, 2.1, 1.3), (0, 12.0, 3.0))
    )
    carried = nearest(labels, grid).volume
    rng = np.random.default_rng(2)
    for _ in range(300):
        voxel = tuple(int(rng.integers(n)) for n in grid.shape)
        at = np.rint(labels.world_to_voxel(grid.voxel_to_world(voxel))).astype(int)
        inside = bool(np.all(at >= 0) and np.all(at < SHAPE))
        assert carried.data[voxel] == (labels.data[tuple(at)] if inside else 0)


def test_what_is_lost_is_told():
    values = np.zeros(SHAPE, np.uint8)
    values[10, 10, 10] = 7
    values[:12] += 1
    fine = ramp().with_data(values)
    coarse = Volume(np.zeros((8, 10, 6)), affine_of((8, 10, 6), (6.0, 4.5, 9.0)))
    carried = nearest(fine, coarse)
    middle = np.rint(coarse.world_to_voxel(fine.voxel_to_world([10, 10, 10])))
    centre = np.rint(fine.world_to_voxel(coarse.voxel_to_world(middle)))
    assert (8 in carried.lost) == (centre.tolist() != [10, 10, 10])
    before, after = carried.volumes_mm3[1]
    assert before == pytest.approx((values == 1).sum() * 9.0)
    assert after == pytest.approx((carried.volume.data == 1).sum() * 243.0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((3, 3, 3), 0.5), "whole numbers"),
        (np.full((3, 3, 3), -1, np.int16), "within 0-65535"),
        (np.full((3, 3, 3), 70000, np.int32), "within 0-65535"),
        (np.full((3, 3, 3), np.nan), "NaN|no number"),
    ],
    ids=["fractions", "negative", "too large", "nan"],
)
def test_files_that_hold_no_labels_are_refused_in_words(tmp_path, values, words):
    write_volume(Volume(values, np.eye(4)), tmp_path / "labels.nii.gz")
    with pytest.raises(FileError, match=words):
        open_regions(tmp_path / "labels.nii.gz")


def test_another_grid_is_told_and_nothing_is_resampled(tmp_path):
    labels = labels_on(Volume(np.zeros((9, 9, 9)), np.eye(4)))
    write_volume(labels, tmp_path / "labels.nii.gz")
    opened = open_regions(tmp_path / "labels.nii.gz", ramp())
    assert "9 x 9 x 9" in opened.differs
    np.testing.assert_array_equal(opened.volume.data, labels.data)
    assert open_regions(tmp_path / "labels.nii.gz", labels).differs == ""


@pytest.mark.parametrize("ending", [".nii.gz", ".seg.nrrd"])
def test_saving_notices_others_and_keeps_the_version_before(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    entry = entry_on(ramp())
    stamp = save_regions(entry, path)
    stamp = save_regions(entry, path, known=stamp)
    theirs = entry_on(ramp())
    theirs.editable[:] = 4
    save_regions(theirs, path, overwrite=True)
    with pytest.raises(ChangedOnDisk, match="changed by another program"):
        save_regions(entry, path, known=stamp)
    with pytest.raises(ChangedOnDisk, match="already exists"):
        save_regions(entry, path)
    save_regions(entry, path, known=stamp, overwrite=True)
    before, after = (open_regions(p).volume.data for p in (previous_name(path), path))
    assert (before == 4).all() and np.array_equal(np.unique(after), range(5))


def test_another_grid_and_another_kind_of_file_are_never_replaced(tmp_path):
    entry = entry_on(ramp())
    write_volume(labels_on(Volume(np.zeros((5, 5, 5)), np.eye(4))), tmp_path / "small.nii.gz")
    write_volume(ramp(), tmp_path / "chi.nii.gz")
    (tmp_path / "text.nii.gz").write_text("mine")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(GeometryError, match="another grid"):
        save_regions(entry, tmp_path / "small.nii.gz", overwrite=True)
    for name in ("chi.nii.gz", "text.nii.gz"):
        with pytest.raises(FileError, match="no label map"):
            save_regions(entry, tmp_path / name, overwrite=True)
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_if_the_version_before_cannot_be_kept_nothing_is_replaced(tmp_path, monkeypatch):
    entry = entry_on(ramp())
    stamp = save_regions(entry, tmp_path / "mine.nii.gz")
    entry.editable[:] = 1

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(FileError, match="nothing was replaced"):
        save_regions(entry, tmp_path / "mine.nii.gz", known=stamp)
    assert len(np.unique(read_volume(tmp_path / "mine.nii.gz").data)) == 5
