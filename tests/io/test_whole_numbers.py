"""Masks and labels are read as they were meant."""

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.io.nifti import read_volume
from napari_qsm.io.whole_numbers import as_labels, as_mask
from napari_qsm.volume import Volume

AFFINE = np.diag([-1.0, 1, 2, 1])
LABELS = np.zeros((20, 22, 12))
LABELS.flat[: 18 * 100] = np.repeat(np.arange(1, 19), 100)
INSIDE = LABELS > 0


def saved(tmp_path, data, dtype, slope=None):
    image = nib.Nifti1Image(data, AFFINE)
    image.set_data_dtype(dtype)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nib.save(image, tmp_path / "l.nii.gz")
    return read_volume(tmp_path / "l.nii.gz")


def volume(data):
    return Volume(np.asarray(data), AFFINE, name="m")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_labels_that_nibabel_saved_with_a_scale(tmp_path, dtype):
    np.testing.assert_array_equal(as_labels(saved(tmp_path, LABELS, dtype)), LABELS)


@pytest.mark.parametrize("slope", [1.00005, 0.99995, 1.001])
def test_a_scale_that_is_nearly_one(tmp_path, slope):
    large = LABELS * 1111  # up to 19998, where the scale alone is a label and more
    raw = nib.Nifti1Image(large.astype(np.int16), AFFINE)
    raw.header["scl_slope"], raw.header["scl_inter"] = slope, 0
    content = bytearray(raw.to_bytes())
    content[112:116] = np.float32(slope).tobytes()  # nibabel takes the scale out when it writes
    (tmp_path / "l.nii").write_bytes(bytes(content))
    read = read_volume(tmp_path / "l.nii")
    assert read.data.max() != 19998
    np.testing.assert_array_equal(as_labels(read), large)


@pytest.mark.parametrize("off", [0.99998, 1.00002])
def test_dust_of_single_precision(off):
    said = []
    data = (LABELS * off).astype(np.float32)
    np.testing.assert_array_equal(as_labels(volume(data), warn=said.append), LABELS)
    assert len(said) == 1
    assert "nearest" in said[0]


def test_nan_is_no_region():
    said = []
    data = np.where(INSIDE, LABELS, np.nan)
    np.testing.assert_array_equal(as_labels(volume(data), warn=said.append), LABELS)
    assert f"{int((~INSIDE).sum())} voxels without a number" in said[0]


def test_smoothed_labels_are_refused(tmp_path):
    smooth = (LABELS + np.roll(LABELS, 1, 0)) / 2
    with pytest.raises(FileError, match="smoothing"):
        as_labels(volume(smooth))
    with pytest.raises(FileError, match="smoothing"):
        as_labels(saved(tmp_path, smooth, np.int16))


@pytest.mark.parametrize(
    ("inside", "dtype"),
    [
        (1, np.uint8),
        (255, np.uint8),
        (-1, np.int8),
        (65535, np.uint16),
        (1.00005, np.float32),
        (0.99998, np.float64),
        (255.0, np.float32),
    ],
)
def test_masks(inside, dtype):
    data = np.where(INSIDE, inside, 0).astype(dtype)
    np.testing.assert_array_equal(as_mask(volume(data)), INSIDE)


def test_nan_outside_of_a_mask():
    said = []
    mask = as_mask(volume(np.where(INSIDE, 1.0, np.nan)), warn=said.append)
    np.testing.assert_array_equal(mask, INSIDE)
    assert "outside" in said[0]


@pytest.mark.parametrize(
    "data",
    [
        np.where(INSIDE, 255, 1),
        np.where(INSIDE, 0, np.nan),
        np.where(INSIDE, 7, 0),
        np.where(INSIDE, 0.3, 0.0),
        np.where(INSIDE, np.inf, 0.0),
        LABELS,
    ],
)
def test_what_is_no_mask(data):
    with pytest.raises(FileError):
        as_mask(volume(data))


def test_a_full_and_an_empty_mask():
    assert as_mask(volume(np.ones((3, 3, 3)))).all()
    assert not as_mask(volume(np.zeros((3, 3, 3)))).any()
