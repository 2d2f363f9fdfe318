"""Files made to fill the memory, and files that say other than they hold."""

import errno
import gzip
import io
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_qsm.errors import QsmError
from napari_qsm.io import nifti
from napari_qsm.io.nifti import read_volume

AFFINE = np.diag([2.0, 2, 3, 1])
DATA = np.arange(5 * 6 * 4, dtype=np.float32).reshape(5, 6, 4)


def image_bytes(data=DATA, kind=nib.Nifti1Image):
    return kind(data, AFFINE).to_bytes()


def peak_of(path):
    """What the reader says, and the most memory it took."""
    tracemalloc.start()
    try:
        with pytest.raises(QsmError) as caught:
            read_volume(path)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def packed_zeros(path, start, size):
    """A header and so many zeros, packed."""
    with gzip.open(path, "wb", 9) as handle:
        handle.write(start)
        block = bytes(2**20)
        for _ in range(size // 2**20):
            handle.write(block)


def test_a_file_that_unpacks_to_gigabytes_is_found_by_its_header(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((1024, 1024, 128))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    packed_zeros(tmp_path / "bomb.nii.gz", header.binaryblock + bytes(4), 512 * 2**20)
    said, peak = peak_of(tmp_path / "bomb.nii.gz")
    assert "unpack" in said and peak < 20 * 2**20


def test_a_small_header_before_gigabytes(tmp_path):
    packed_zeros(tmp_path / "tail.nii.gz", image_bytes(), 64 * 2**20)
    said, peak = peak_of(tmp_path / "tail.nii.gz")
    assert "far more than its header declares" in said and peak < 30 * 2**20


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_header_that_promises_more_than_there_is(tmp_path, ending):
    content = bytearray(image_bytes())
    content[40:56] = struct.pack("<8h", 3, 30000, 30000, 30000, 1, 1, 1, 1)
    path = tmp_path / f"lie{ending}"
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    said, peak = peak_of(path)
    assert "promises" in said and peak < 10 * 2**20


def test_bytes_behind_the_packed_file_are_passed_over(tmp_path):
    path = tmp_path / "trail.nii.gz"
    path.write_bytes(gzip.compress(image_bytes()) + b"trailing" * 10)
    np.testing.assert_array_equal(read_volume(path).data, DATA)


def test_two_packed_parts_are_one_file(tmp_path):
    content = image_bytes()
    path = tmp_path / "parts.nii.gz"
    path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    np.testing.assert_array_equal(read_volume(path).data, DATA)


def test_the_checksum_still_counts(tmp_path):
    packed = bytearray(gzip.compress(image_bytes()))
    packed[-6] ^= 1
    path = tmp_path / "sum.nii.gz"
    path.write_bytes(packed)
    with pytest.raises(QsmError, match="checksum"):
        read_volume(path)


def test_the_name_does_not_decide_whether_it_is_packed(tmp_path):
    (tmp_path / "packed.nii").write_bytes(gzip.compress(image_bytes()))
    np.testing.assert_array_equal(read_volume(tmp_path / "packed.nii").data, DATA)
    (tmp_path / "plain.nii.gz").write_bytes(image_bytes())
    with pytest.raises(QsmError, match=r"rename it to end in \.nii"):
        read_volume(tmp_path / "plain.nii.gz")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
)
def test_any_header_is_read_or_refused_in_a_sentence(tmp_path_factory, changes, packed, kind):
    content = bytearray(image_bytes(kind=kind))
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / f"mutated.nii{'.gz' if packed else ''}"
    out = io.BytesIO()
    out.write(gzip.compress(content) if packed else content)
    path.write_bytes(out.getvalue())
    try:
        volume = read_volume(path)
    except QsmError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert np.isfinite(volume.affine).all()
        assert np.isfinite(volume.voxel_size_mm).all() and min(volume.voxel_size_mm) > 0


def test_a_pair_is_read_no_further_than_its_header_asks(tmp_path):
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Pair(values, np.eye(4)), tmp_path / "a.img")
    with (tmp_path / "a.img").open("r+b") as handle:
        handle.truncate(512 * 2**20)  # zeros behind the values, which take no room on the disk
    tracemalloc.start()
    data = read_volume(tmp_path / "a.hdr").data
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(data, values)
    assert peak < 30 * 2**20


def test_a_pair_larger_than_the_memory_is_refused_before_it_is_read(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape((32000, 32000, 200))
    header["magic"] = b"ni1"
    (tmp_path / "a.hdr").write_bytes(header.binaryblock + bytes(4))
    with (tmp_path / "a.img").open("wb") as handle:
        try:
            handle.truncate(32000 * 32000 * 200 * 8)
        except OSError:
            pytest.skip("the disk knows no files with holes of this size")
    with pytest.raises(QsmError, match="too large for the memory that is free"):
        read_volume(tmp_path / "a.img")


@pytest.mark.parametrize("ending", [".nii", ".img"])
def test_a_disk_that_fails_is_not_taken_for_a_bad_file(tmp_path, monkeypatch, ending):
    kind = nib.Nifti1Pair if ending == ".img" else nib.Nifti1Image
    nib.save(kind(DATA, AFFINE), tmp_path / f"a{ending}")

    def fail(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(nifti, "read_content", fail)
    monkeypatch.setattr(nifti, "read_pair", fail)
    with pytest.raises(QsmError, match=r"Cannot read .*: Input/output error"):
        read_volume(tmp_path / f"a{ending}")
