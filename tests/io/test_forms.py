"""Unit of length, direction of B0 and contradictions of the two forms of a header."""

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import GeometryError
from napari_qsm.io.forms import b0_note, form_problem, side_notes
from napari_qsm.io.nifti import read_volume, write_volume

SHAPE = (12, 10, 8)
SCANNER = np.array([[-1.0, 0, 0, 9], [0, 1.1, 0, -8], [0, 0, 2, -7], [0, 0, 0, 1]])


def turned(degrees, axis=0):
    t = np.radians(degrees)
    turn = np.eye(4)
    a, b = [i for i in range(3) if i != axis]
    turn[a, a] = turn[b, b] = np.cos(t)
    turn[a, b], turn[b, a] = -np.sin(t), np.sin(t)
    return turn


def saved(path, sform=(SCANNER, 1), qform=(SCANNER, 1), unit="mm", data=None):
    image = nib.Nifti1Image(np.ones(SHAPE, np.float32) if data is None else data, sform[0])
    image.set_sform(*sform)
    image.set_qform(*qform)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1e3), ("meter", 1e-3), ("mm", 1), (0, 1)])
class TestUnitOfLength:
    def test_is_read(self, tmp_path, unit, factor):
        affine = np.diag([factor, factor, factor, 1.0]) @ SCANNER
        path = saved(tmp_path / "a.nii", (affine, 1), (affine, 1), unit)
        read = read_volume(path)
        np.testing.assert_allclose(read.voxel_size_mm, (1, 1.1, 2), rtol=1e-5)
        np.testing.assert_allclose(read.affine, SCANNER, atol=1e-5)

    def test_goes_back_bit_by_bit(self, tmp_path, unit, factor):
        affine = np.diag([factor, factor, factor, 1.0]) @ SCANNER
        path = saved(tmp_path / "a.nii", (affine, 1), (affine, 1), unit)
        write_volume(read_volume(path).to_canonical(), tmp_path / "b.nii")
        first, second = nib.load(path).header, nib.load(tmp_path / "b.nii").header
        for name in ("srow_x", "srow_y", "srow_z", "qoffset_x", "quatern_b", "xyzt_units"):
            np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(first["pixdim"][:4], second["pixdim"][:4])


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1e3, "mm"), (1, "meter"), (1, "micron"), (1e-3, "mm"), (1e-3, 0), (1e3, 0)],
)
def test_impossible_voxels_are_refused(tmp_path, factor, unit):
    affine = np.diag([factor, factor, factor, 1.0]) @ SCANNER
    with pytest.raises(GeometryError, match="unit of length"):
        read_volume(saved(tmp_path / "a.nii", (affine, 1), (affine, 1), unit))


class TestDirectionOfB0:
    @pytest.mark.parametrize("code", [2, 3, 4, 5])
    @pytest.mark.parametrize("degrees", [5, 20, 70])
    def test_comes_from_the_scanners_form(self, tmp_path, code, degrees):
        form = turned(degrees) @ SCANNER
        read = read_volume(saved(tmp_path / "a.nii", (form, code)))
        np.testing.assert_allclose(read.affine, form, atol=1e-5)  # displayed as before
        np.testing.assert_allclose(read.b0_direction, (0, 0, 1), atol=1e-6)
        assert "qform" in b0_note(read)

    def test_also_where_the_template_is_reached_with_shear(self, tmp_path):
        shear = np.eye(4)
        shear[0, 1], shear[1, 2] = 0.2, -0.15
        oblique = turned(12) @ SCANNER
        read = read_volume(
            saved(tmp_path / "a.nii", (shear @ turned(30) @ oblique, 4), (oblique, 1))
        )
        # World z of the scanner in voxel axes: third row of the rotation.
        expected = oblique[2, :3] / np.linalg.norm(oblique[:3, :3], axis=0)
        np.testing.assert_allclose(read.b0_direction, expected, atol=1e-5)
        canonical = read.to_canonical()
        np.testing.assert_allclose(canonical.to_stored().b0_direction, expected, atol=1e-5)

    @pytest.mark.parametrize(("scode", "qcode"), [(1, 1), (1, 2), (2, 2), (2, 0), (0, 1), (4, 0)])
    def test_otherwise_it_is_world_z(self, tmp_path, scode, qcode):
        form = turned(20) @ SCANNER
        other = form if 0 in (scode, qcode) else turned(8) @ form
        read = read_volume(saved(tmp_path / "a.nii", (form, scode), (other, qcode)))
        expected = form[2, :3] / np.linalg.norm(form[:3, :3], axis=0)
        np.testing.assert_allclose(read.b0_direction, expected, atol=1e-6)

    def test_forms_that_agree_change_nothing(self, tmp_path):
        read = read_volume(saved(tmp_path / "a.nii", (SCANNER, 4)))
        assert read.b0_world == (0.0, 0.0, 1.0)
        assert b0_note(read) == ""

    def test_a_template_without_the_scanners_form_is_told(self, tmp_path):
        read = read_volume(saved(tmp_path / "a.nii", (SCANNER, 4), (SCANNER, 0)))
        assert "MNI" in b0_note(read)


class TestSides:
    def test_mirrored_forms_are_told(self, tmp_path):
        mirror = np.diag([-1.0, 1, 1, 1]) @ SCANNER
        read = read_volume(saved(tmp_path / "a.nii", (SCANNER, 1), (mirror, 1)))
        assert "mirror" in form_problem(read.stored.header)
        assert any("left and right" in note and "'a.nii'" in note for note in side_notes(read))

    def test_no_form_is_told(self, tmp_path):
        read = read_volume(saved(tmp_path / "a.nii", (SCANNER, 0), (SCANNER, 0)))
        assert any("guess" in note for note in side_notes(read))

    def test_sound_forms_are_not(self, tmp_path):
        assert side_notes(read_volume(saved(tmp_path / "a.nii"))) == []


class TestPairs:
    def pair(self, tmp_path):
        data = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
        nib.save(nib.Nifti1Pair(data, SCANNER), tmp_path / "p.img")
        return data

    @pytest.mark.parametrize("name", ["p.img", "p.hdr"])
    def test_are_read_by_either_name(self, tmp_path, name):
        data = self.pair(tmp_path)
        read = read_volume(tmp_path / name)
        np.testing.assert_array_equal(read.data, data)
        np.testing.assert_allclose(read.affine, SCANNER)
        assert read.name == "p"

    def test_half_a_pair_is_named(self, tmp_path):
        self.pair(tmp_path)
        (tmp_path / "p.hdr").unlink()
        with pytest.raises(Exception, match=r"'p\.hdr' is not beside it"):
            read_volume(tmp_path / "p.img")

    def test_analyze_is_named(self, tmp_path):
        nib.save(nib.AnalyzeImage(np.ones(SHAPE, np.float32), SCANNER), tmp_path / "p.img")
        with pytest.raises(Exception, match="Analyze"):
            read_volume(tmp_path / "p.img")

    def test_a_short_file_of_values(self, tmp_path):
        self.pair(tmp_path)
        content = (tmp_path / "p.img").read_bytes()
        (tmp_path / "p.img").write_bytes(content[:100])
        with pytest.raises(Exception, match="cut short"):
            read_volume(tmp_path / "p.img")
