import gzip
import itertools
import os
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import Cancelled, FileError, GeometryError
from napari_qsm.io import atomic
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.io.whole_numbers import as_labels, as_mask
from napari_qsm.volume import Volume, orientation_code

GEOMETRY = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x"),
    *("qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "pixdim", "xyzt_units"),
)
CODES = [
    "".join(c)
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for c in itertools.product(*axes)
]
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.2, -0.3, 0.25) @ np.diag([0.5, 0.75, 2.0]), [-30, 20, 11.5]
)


def anatomy(shape=(9, 7, 5)):
    """A volume in which every voxel differs."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def save(path, data, affine=OBLIQUE, *, kind=nib.Nifti1Image, **header):
    image = kind(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def geometry_bytes(path):
    header = nib.load(path).header
    return {name: header[name].tobytes() for name in GEOMETRY}


def resave(path, target, *, change=lambda volume: volume):
    """Read, turn to canonical, work there, write."""
    volume = read_volume(path)
    canonical = volume.to_canonical()
    write_volume(change(canonical.with_data(canonical.data, name="result")), target)
    return canonical


def world_to_value(data, affine):
    """Every voxel's place in the world, with its value."""
    index = np.indices(data.shape).reshape(3, -1)
    places = np.round(affine[:3, :3] @ index + affine[:3, 3:], 3).T
    order = np.lexsort(places.T)
    return places[order], data.ravel()[order]


class TestAllOrientations:
    def test_real_files(self, shared_data, tmp_path):
        """48 files show one head: the same content once canonical, and the same file again."""
        sitk = pytest.importorskip("SimpleITK")
        files = sorted((shared_data / "orientations").glob("*.nii.gz"))
        assert len(files) == 48
        reference = None
        for path in files:
            code = path.name[:3]
            canonical = resave(path, tmp_path / path.name)
            assert canonical.orientation == "RAS"
            assert read_volume(path).orientation == code
            if reference is None:
                reference = canonical
                assert reference.data.std() > 0
            np.testing.assert_array_equal(canonical.data, reference.data, err_msg=code)
            again = nib.load(tmp_path / path.name)
            original = nib.load(path)
            np.testing.assert_allclose(again.get_fdata(), original.get_fdata(), rtol=1e-6)
            assert again.affine.tobytes() == original.affine.tobytes()
            assert geometry_bytes(tmp_path / path.name) == geometry_bytes(path)
            ours, theirs = (
                sitk.DICOMOrient(sitk.ReadImage(str(p)), "LPS")
                for p in (tmp_path / path.name, path)
            )
            np.testing.assert_allclose(
                sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs), rtol=1e-6
            )
            # ITK's LPS against our RAS: the first two axes reversed, order z, y, x.
            itk = sitk.GetArrayViewFromImage(ours).transpose(2, 1, 0)[::-1, ::-1]
            np.testing.assert_array_equal(itk, reference.data, err_msg=code)

    @pytest.mark.parametrize("code", CODES)
    def test_made_files_keep_every_voxel_in_its_place(self, code, tmp_path):
        turn = nib.orientations.axcodes2ornt(code)
        base = nib.Nifti1Image(anatomy(), np.diag([1.0, 1.25, 2.0, 1]))
        image = base.as_reoriented(
            nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), turn)
        )
        nib.save(image, tmp_path / "a.nii")
        canonical = resave(tmp_path / "a.nii", tmp_path / "b.nii.gz")
        np.testing.assert_array_equal(canonical.data, anatomy())
        for one, other in zip(
            world_to_value(canonical.data, canonical.affine),
            world_to_value(image.get_fdata(), image.affine),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
        again = nib.load(tmp_path / "b.nii.gz")
        assert orientation_code(again.affine) == code
        assert again.affine.tobytes() == nib.load(tmp_path / "a.nii").affine.tobytes()
        np.testing.assert_array_equal(again.get_fdata(), image.get_fdata())

    def test_work_on_the_canonical_array_lands_in_the_right_voxel(self, tmp_path):
        """Paint one voxel on the patient's left, save, and find it there in the file."""
        affine = nib.affines.from_matvec([[0, 0, -2], [0.5, 0, 0], [0, -1.0, 0]], [20, -3, 4])
        save(tmp_path / "a.nii", np.zeros((6, 8, 10), np.uint8), affine)
        place = affine @ [2, 3, 9, 1]  # x = 2: near the left end of the third axis

        def paint(volume):
            data = np.zeros(volume.shape, np.uint8)
            data[tuple(np.rint(volume.world_to_voxel(place[:3])).astype(int))] = 1
            return volume.with_data(data)

        resave(tmp_path / "a.nii", tmp_path / "b.nii", change=paint)
        assert np.argwhere(nib.load(tmp_path / "b.nii").get_fdata()).tolist() == [[2, 3, 9]]


class TestReading:
    def test_oblique_geometry_is_kept_to_the_bit(self, tmp_path):
        save(tmp_path / "a.nii.gz", anatomy(), descrip=b"keep out")
        resave(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
        assert geometry_bytes(tmp_path / "a.nii.gz") == geometry_bytes(tmp_path / "b.nii.gz")
        assert b"keep out" not in gzip.decompress((tmp_path / "b.nii.gz").read_bytes())

    @pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 2), (4, 4)])
    def test_codes_of_both_forms_are_kept(self, tmp_path, codes):
        save(tmp_path / "a.nii", anatomy())
        image = nib.load(tmp_path / "a.nii")
        image.header["qform_code"], image.header["sform_code"] = codes
        nib.save(nib.Nifti1Image(image.dataobj, None, image.header), tmp_path / "c.nii")
        resave(tmp_path / "c.nii", tmp_path / "b.nii")
        header = nib.load(tmp_path / "b.nii").header
        assert (header["qform_code"], header["sform_code"]) == codes
        assert geometry_bytes(tmp_path / "c.nii") == geometry_bytes(tmp_path / "b.nii")

    @pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", "i8"])
    @pytest.mark.parametrize("order", "<>")
    def test_every_type_in_both_byte_orders(self, tmp_path, dtype, order):
        data = np.arange(60).reshape(5, 4, 3).astype(np.dtype(dtype))
        header = nib.Nifti1Header(endianness=order)
        header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
        image = nib.Nifti1Image(data, OBLIQUE, header, dtype=np.dtype(dtype))
        nib.save(image, tmp_path / "a.nii")
        volume = read_volume(tmp_path / "a.nii")
        assert volume.data.dtype == np.dtype(dtype) and volume.data.dtype.isnative
        np.testing.assert_array_equal(volume.data, data)
        write_volume(volume, tmp_path / "b.nii")
        np.testing.assert_array_equal(nib.load(tmp_path / "b.nii").get_fdata(), data)

    def test_a_scale_beyond_any_number_is_refused(self, tmp_path):
        image = nib.Nifti2Image(np.full((3, 3, 3), 300, np.int16), np.eye(4))
        image.header.set_slope_inter(1e300, 0.0)
        nib.save(image, tmp_path / "huge.nii")
        with pytest.raises(FileError, match=r"'huge\.nii' has a scale .* infinite"):
            read_volume(tmp_path / "huge.nii")

    def test_slope_and_intercept(self, tmp_path):
        stored = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
        image = nib.Nifti1Image(stored, OBLIQUE)
        image.header.set_slope_inter(2.0, -4096.0)
        nib.save(image, tmp_path / "a.nii")
        # nibabel rescales floats on saving, so set the fields in the file itself.
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        raw[112:120] = np.array([2.0, -4096.0], "<f4").tobytes()
        raw[352:] = stored.tobytes(order="F")
        (tmp_path / "a.nii").write_bytes(raw)
        volume = read_volume(tmp_path / "a.nii")
        assert volume.data.dtype == np.float32
        np.testing.assert_array_equal(volume.data, stored * 2.0 - 4096)

    def test_echoes_come_last(self, tmp_path):
        data = anatomy((5, 4, 3, 2))
        save(tmp_path / "a.nii", data)
        save(tmp_path / "five.nii", data.reshape(5, 4, 3, 1, 2))
        save(tmp_path / "trailing.nii", data[..., :1])
        np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").data, data)
        np.testing.assert_array_equal(read_volume(tmp_path / "five.nii").data, data)
        assert read_volume(tmp_path / "trailing.nii").data.ndim == 3
        canonical = resave(tmp_path / "a.nii", tmp_path / "b.nii")
        np.testing.assert_array_equal(nib.load(tmp_path / "b.nii").get_fdata(), data)
        assert canonical.data.shape[3] == 2

    def test_nifti_2(self, tmp_path):
        save(tmp_path / "a.nii.gz", anatomy(), kind=nib.Nifti2Image)
        resave(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
        again = nib.load(tmp_path / "b.nii.gz")
        assert isinstance(again, nib.Nifti2Image)
        np.testing.assert_array_equal(again.get_fdata(), anatomy())

    def test_no_orientation_recorded(self, tmp_path):
        image = nib.Nifti1Image(anatomy(), None)
        image.header["qform_code"] = image.header["sform_code"] = 0
        nib.save(image, tmp_path / "a.nii")
        assert not read_volume(tmp_path / "a.nii").orientation_known
        save(tmp_path / "b.nii", anatomy())
        assert read_volume(tmp_path / "b.nii").orientation_known

    def test_b0_of_a_real_oblique_scan(self, shared_data):
        path = shared_data / "gre-wholehead-lowres" / "me_FieldMap_GRE_3_e2_ph.nii"
        volume = read_volume(path)
        assert volume.b0_direction == pytest.approx((0, 0.056, 0.998), abs=5e-4)


def header_with(path, at, value):
    save(path, anatomy())
    raw = bytearray(path.read_bytes())
    raw[at : at + len(value)] = value
    path.write_bytes(raw)


def floats(*numbers):
    return np.array(numbers, "<f4").tobytes()


def make_bad(kind, path):
    """Write a file that must be refused."""
    nan, inf = np.nan, np.inf
    if kind == "text":
        path.write_text("this is no image")
    elif kind == "long text":
        path.write_text("this is no image, though it is long enough for one. " * 50)
    elif kind == "analyze":
        save(path, anatomy())
        raw = bytearray(path.read_bytes())
        raw[344:348] = bytes(4)
        path.write_bytes(raw)
    elif kind == "empty":
        path.touch()
    elif kind == "short header":
        path.write_bytes(b"\x5c\x01" + bytes(100))
    elif kind == "truncated":
        save(path, anatomy())
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "zero voxel size":
        header_with(path, 80, floats(0))
    elif kind == "nan voxel size":
        header_with(path, 84, floats(nan))
    elif kind == "singular":
        header_with(path, 280, floats(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0))
    elif kind == "nan affine":
        header_with(path, 280, floats(nan))
    elif kind == "inf affine":
        header_with(path, 292, floats(inf))
    elif kind == "2-D":
        nib.save(nib.Nifti1Image(anatomy()[:, :, 0], np.eye(4)), path)
    elif kind == "complex":
        nib.save(nib.Nifti1Image(anatomy().astype(np.complex64), np.eye(4)), path)
    elif kind == "colour":
        rgb = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
        nib.save(nib.Nifti1Image(rgb, np.eye(4)), path)
    elif kind == "no voxels":
        header_with(path, 42, np.array([0], "<i2").tobytes())
    elif kind == "header larger than file":
        header_with(path, 42, np.array([30000, 30000, 30000], "<i2").tobytes())
    elif kind == "all NaN":
        nib.save(nib.Nifti1Image(np.full((4, 4, 4), nan, np.float32), np.eye(4)), path)
    elif kind == "six dimensions":
        nib.save(nib.Nifti1Image(np.zeros((2,) * 6, np.uint8), np.eye(4)), path)
    elif kind == "folder":
        path.mkdir()


BAD = {
    "text": FileError,
    "long text": FileError,
    "analyze": FileError,
    "empty": FileError,
    "short header": FileError,
    "truncated": FileError,
    "zero voxel size": GeometryError,
    "nan voxel size": GeometryError,
    "singular": GeometryError,
    "nan affine": GeometryError,
    "inf affine": GeometryError,
    "2-D": GeometryError,
    "complex": FileError,
    "colour": FileError,
    "no voxels": (GeometryError, FileError),
    "header larger than file": FileError,
    "all NaN": FileError,
    "six dimensions": GeometryError,
    "folder": FileError,
    "missing": FileError,
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_get_one_plain_sentence(kind, tmp_path):
    path = tmp_path / "scan.nii"
    make_bad(kind, path)
    with pytest.raises(BAD[kind]) as caught:
        read_volume(path)
    said = str(caught.value)
    assert "scan" in said and "\n" not in said and len(said) < 250
    assert "Error" not in said and "Traceback" not in said


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_writing_can_be_stopped_at_every_block(ending, tmp_path):
    volume = Volume(np.arange(24.0).reshape(2, 3, 4), np.eye(4))
    write_volume(volume, tmp_path / f"plain{ending}")
    calls = []
    write_volume(volume, tmp_path / f"told{ending}", lambda: calls.append(1))
    told = nib.load(tmp_path / f"told{ending}")
    assert len(calls) > 4 and (np.asarray(told.dataobj) == volume.data).all()
    assert (tmp_path / f"told{ending}").read_bytes() == (tmp_path / f"plain{ending}").read_bytes()

    def stop():
        calls.pop()
        if len(calls) < 3:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        write_volume(volume, tmp_path / f"stopped{ending}", stop)
    assert not (tmp_path / f"stopped{ending}").exists()


@pytest.mark.parametrize("keep", [5, 30, -20])
def test_cut_gz(keep, tmp_path):
    rng = np.random.default_rng(0)
    save(tmp_path / "scan.nii.gz", rng.normal(size=(20, 20, 20)))
    packed = (tmp_path / "scan.nii.gz").read_bytes()
    (tmp_path / "scan.nii.gz").write_bytes(packed[:keep])
    with pytest.raises(FileError, match=r"'scan\.nii\.gz'"):
        read_volume(tmp_path / "scan.nii.gz")


def test_a_gz_with_a_wrong_byte(tmp_path):
    save(tmp_path / "scan.nii.gz", np.random.default_rng(0).normal(size=(20, 20, 20)))
    packed = bytearray((tmp_path / "scan.nii.gz").read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "scan.nii.gz").write_bytes(packed)
    with pytest.raises(FileError, match="damaged"):
        read_volume(tmp_path / "scan.nii.gz")


def test_a_gz_header_that_promises_too_much_takes_no_memory(tmp_path):
    header_with(tmp_path / "a.nii", 42, np.array([30000, 30000, 30000], "<i2").tobytes())
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    with pytest.raises(FileError, match="promises"):
        read_volume(tmp_path / "scan.nii.gz")


class TestMasksAndLabels:
    def volume(self, data):
        return Volume(np.asarray(data), np.eye(4), name="m")

    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32, np.int16])
    def test_masks(self, dtype):
        data = (np.arange(27).reshape(3, 3, 3) % 2).astype(dtype)
        mask = as_mask(self.volume(data))
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, data == 1)

    @pytest.mark.parametrize("odd", [2, 0.5, -1])
    def test_what_is_no_mask(self, odd):
        data = np.zeros((3, 3, 3), np.float32)
        data[1, 1, 1] = odd
        with pytest.raises(FileError, match=f"'m' holds the value {odd:g}"):
            as_mask(self.volume(data))

    def test_labels(self):
        data = np.arange(27).reshape(3, 3, 3)
        assert as_labels(self.volume(data.astype(np.float32))).dtype == np.uint8
        assert as_labels(self.volume(data * 100)).dtype == np.uint16
        np.testing.assert_array_equal(as_labels(self.volume(data * 100)), data * 100)

    @pytest.mark.parametrize("odd", [0.5, -1, 70000, np.inf])
    def test_what_are_no_labels(self, odd):
        data = np.zeros((3, 3, 3), np.float64)
        data[1, 1, 1] = odd
        with pytest.raises(FileError, match="'m' holds"):
            as_labels(self.volume(data))

    @pytest.mark.parametrize("check", [as_mask, as_labels])
    def test_four_dimensions(self, check):
        with pytest.raises(FileError, match="4-D"):
            check(self.volume(np.zeros((3, 3, 3, 2), np.uint8)))


class TestWriting:
    def test_without_a_source_both_forms_say_the_same(self, tmp_path):
        write_volume(Volume(anatomy(), OBLIQUE), tmp_path / "a.nii.gz")
        header = nib.load(tmp_path / "a.nii.gz").header
        np.testing.assert_allclose(header.get_sform(), OBLIQUE, atol=1e-5)
        np.testing.assert_allclose(header.get_qform(), OBLIQUE, atol=1e-4)
        assert header.get_xyzt_units()[0] == "mm"

    def test_booleans_and_halves(self, tmp_path):
        write_volume(Volume(anatomy() > 5, OBLIQUE), tmp_path / "a.nii")
        assert nib.load(tmp_path / "a.nii").get_data_dtype() == np.uint8
        write_volume(Volume(anatomy().astype(np.float16), OBLIQUE), tmp_path / "b.nii")
        assert nib.load(tmp_path / "b.nii").get_data_dtype() == np.float32

    def test_itk_reads_what_is_written(self, tmp_path):
        sitk = pytest.importorskip("SimpleITK")
        volume = Volume(anatomy(), OBLIQUE)
        write_volume(volume, tmp_path / "a.nii.gz")
        image = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), volume.data)
        for index in ([0, 0, 0], [8, 6, 4], [3, 0, 2]):
            lps = image.TransformIndexToPhysicalPoint(index)
            np.testing.assert_allclose(
                np.array(lps) * [-1, -1, 1], volume.voxel_to_world(index), atol=1e-3
            )

    @pytest.mark.parametrize("name", ["a.mgz", "a.nii.bz2", "nii", "a"])
    def test_other_endings_are_refused(self, tmp_path, name):
        with pytest.raises(FileError, match="must end in"):
            write_volume(Volume(anatomy(), OBLIQUE), tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_a_result_on_another_grid_is_refused(self, tmp_path):
        save(tmp_path / "a.nii", anatomy())
        volume = read_volume(tmp_path / "a.nii").to_canonical()
        moved = Volume(volume.data, volume.affine + 0.5, stored=volume.stored)
        with pytest.raises(GeometryError):
            write_volume(moved, tmp_path / "b.nii")
        assert not (tmp_path / "b.nii").exists()

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(FileError, match="does not exist"):
            write_volume(Volume(anatomy(), OBLIQUE), tmp_path / "no" / "a.nii")

    @pytest.mark.parametrize("when", ["flush", "replace"])
    def test_a_failed_write_keeps_the_old_file(self, tmp_path, monkeypatch, when):
        path = tmp_path / "a.nii.gz"
        write_volume(Volume(anatomy(), OBLIQUE), path)
        before = path.read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(atomic if when == "flush" else os, when, full)
        with pytest.raises(FileError, match="No space left"):
            write_volume(Volume(anatomy() + 1, OBLIQUE), path)
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.skipif(os.name != "posix", reason="kills with a POSIX signal")
    def test_a_killed_process_leaves_no_half_file(self, tmp_path):
        path = tmp_path / "a.nii.gz"
        write_volume(Volume(anatomy(), OBLIQUE), path)
        before = path.read_bytes()
        code = """
import sys
import numpy as np
from napari_qsm.io.nifti import write_volume
from napari_qsm.volume import Volume
data = np.random.default_rng(0).normal(size=(200, 200, 100)).astype(np.float32)
print("go", flush=True)
while True:
    write_volume(Volume(data, np.eye(4)), sys.argv[1])
    print("one whole file written too early", flush=True)
"""
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout.readline() == "go\n"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                begun = [p for p in tmp_path.iterdir() if p.name.startswith(".writing-")]
                if begun and begun[0].stat().st_size > 100_000:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            assert process.stdout.read() == ""
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        assert begun, "the writing was never seen under way"
        assert path.read_bytes() == before
