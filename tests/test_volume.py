import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_qsm.errors import GeometryError
from napari_qsm.volume import Volume, check_same_grid, orientation_code

angles = st.floats(-0.7, 0.7)
sizes = st.floats(0.2, 5.0)
repeatable = settings(deadline=None, derandomize=True)


def affine_of(x, y, z, voxel, origin=(0, 0, 0)):
    turn = nib.eulerangles.euler2mat(z, y, x)
    return nib.affines.from_matvec(turn @ np.diag(voxel), origin)


def volume(affine, shape=(4, 5, 6)):
    return Volume(np.arange(np.prod(shape)).reshape(shape), affine)


class TestGeometry:
    @repeatable
    @given(angles, angles, angles, st.tuples(sizes, sizes, sizes))
    def test_b0_is_world_z_in_voxel_axes(self, x, y, z, voxel):
        """A step along B0 in voxel axes, in mm, leads straight up in the world."""
        v = volume(affine_of(x, y, z, voxel, (3, -9, 20)))
        b = np.array(v.b0_direction)
        assert np.linalg.norm(b) == pytest.approx(1)
        step = v.voxel_to_world(b / v.voxel_size_mm) - v.voxel_to_world([0, 0, 0])
        np.testing.assert_allclose(step, [0, 0, 1], atol=1e-9)

    def test_b0_of_an_oblique_anisotropic_scan(self):
        """The inverse of the scaled matrix would give another, wrong, direction here."""
        tilt = np.deg2rad(30)
        v = volume(affine_of(tilt, 0, 0, (0.5, 0.5, 3)))
        assert v.b0_direction == pytest.approx((0, np.sin(tilt), np.cos(tilt)))
        wrong = np.linalg.inv(v.affine[:3, :3]) @ [0, 0, 1]
        assert abs((wrong / np.linalg.norm(wrong))[1] - np.sin(tilt)) > 0.1

    @repeatable
    @given(angles, angles, angles, st.tuples(sizes, sizes, sizes))
    def test_voxel_sizes_and_volume(self, x, y, z, voxel):
        v = volume(affine_of(x, y, z, voxel))
        assert v.voxel_size_mm == pytest.approx(voxel)
        assert v.voxel_volume_mm3 == pytest.approx(np.prod(voxel))

    @repeatable
    @given(angles, angles, angles, st.tuples(sizes, sizes, sizes))
    def test_there_and_back(self, x, y, z, voxel):
        v = volume(affine_of(x, y, z, voxel, (10, 20, -30)))
        ijk = np.array([[0, 0, 0], [1.5, 2, 3], [-4, 0.25, 7]])
        np.testing.assert_allclose(v.world_to_voxel(v.voxel_to_world(ijk)), ijk, atol=1e-9)

    @repeatable
    @given(*[st.floats(-0.35, 0.35)] * 3)
    def test_orientation_agrees_with_nibabel(self, x, y, z):
        """As far from 45 degrees as any real scan; nearer to it conventions differ."""
        affine = affine_of(x, y, z, (1, 2, 3))
        assert orientation_code(affine) == "".join(nib.aff2axcodes(affine))

    def test_near_45_degrees_it_is_still_a_permutation(self):
        for x, y, z in itertools.product(np.deg2rad([44.9, 45, 45.1]), repeat=3):
            code = orientation_code(affine_of(x, y, z, (1, 1, 1)))
            assert {c.translate(str.maketrans("LPI", "RAS")) for c in code} == set("RAS")


class TestCanonical:
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    @pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
    def test_values_keep_their_place_in_the_world(self, order, signs):
        matrix = np.zeros((3, 3))
        for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
            matrix[world, axis] = sign * (axis + 0.5)
        v = volume(nib.affines.from_matvec(matrix, [7, -8, 9]))
        c = v.to_canonical()
        assert c.orientation == "RAS"
        assert np.shares_memory(c.data, v.data)
        for ijk in ([0, 0, 0], [3, 4, 5], [1, 2, 3]):
            place = v.voxel_to_world(ijk)
            there = np.rint(c.world_to_voxel(place)).astype(int)
            assert c.data[tuple(there)] == v.data[tuple(ijk)]
        back = c.to_stored()
        assert back.affine.tobytes() == v.affine.tobytes()
        np.testing.assert_array_equal(back.data, v.data)

    def test_it_does_nothing_twice(self):
        v = volume(np.diag([-1.0, 1, -2, 1]))
        once = v.to_canonical()
        twice = once.to_canonical()
        np.testing.assert_array_equal(once.data, twice.data)
        np.testing.assert_array_equal(once.affine, twice.affine)
        assert twice.stored is once.stored

    def test_echoes_stay_last(self):
        v = Volume(np.arange(240).reshape(4, 5, 6, 2), np.diag([-1.0, -1, 1, 1]))
        c = v.to_canonical()
        np.testing.assert_array_equal(c.data, v.data[::-1, ::-1])
        np.testing.assert_array_equal(c.echo(1).data, v.data[::-1, ::-1, :, 1])

    def test_like_another_volume(self):
        a = volume(np.diag([1.0, 1, 2, 1]))
        b = volume(np.diag([-1.0, 1, 2, 1]))
        flipped = Volume(a.data[::-1], nib.affines.from_matvec(np.diag([-1.0, 1, 2]), [3, 0, 0]))
        again = flipped.like(a)
        np.testing.assert_array_equal(again.data, a.data)
        with pytest.raises(GeometryError):
            b.like(a)  # a mirror image is not the same grid


class TestRefusals:
    @pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 6, 2, 2), (4, 0, 5)])
    def test_shapes(self, shape):
        with pytest.raises(GeometryError, match="shape"):
            Volume(np.zeros(shape), np.eye(4))

    @pytest.mark.parametrize(
        ("affine", "said"),
        [
            (np.eye(3), "4x4"),
            (np.diag([1, 1, np.nan, 1]), "NaN"),
            (np.diag([1, np.inf, 1, 1]), "infinite"),
            (np.diag([1, 0, 1, 1.0]), "zero"),
            (np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "singular"),
            (np.diag([1e200, 1, 1, 1]), "no number can hold"),
        ],
    )
    def test_affines(self, affine, said):
        with pytest.raises(GeometryError, match=said) as caught:
            Volume(np.zeros((2, 2, 2)), affine, name="chi")
        assert "'chi'" in str(caught.value)

    def test_data_and_affine_cannot_be_changed(self):
        array = np.zeros((2, 2, 2))
        v = Volume(array, np.eye(4))
        with pytest.raises(ValueError, match="read-only"):
            v.data[0, 0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            v.affine[0, 0] = 2
        array[0, 0, 0] = 5  # the caller's own array stays writeable, and nothing was copied
        assert v.data[0, 0, 0] == 5

    def test_data_of_another_shape(self):
        with pytest.raises(GeometryError, match=r"\(2, 2, 2\)"):
            volume(np.eye(4)).with_data(np.zeros((2, 2, 2)))

    def test_an_echo_that_is_not_there(self):
        with pytest.raises(GeometryError, match="no echo 1"):
            volume(np.eye(4)).echo(1)


class TestSameGrid:
    def named(self, name, affine, shape=(4, 5, 6)):
        return Volume(np.zeros(shape), affine, name=name)

    def test_shapes_are_named(self):
        with pytest.raises(GeometryError) as caught:
            check_same_grid(
                self.named("mask", np.eye(4), (4, 5, 7)), self.named("phase", np.eye(4))
            )
        for text in ("'mask'", "4 x 5 x 7", "'phase'", "4 x 5 x 6"):
            assert text in str(caught.value)

    def test_places_are_named(self):
        moved = np.eye(4)
        moved[0, 3] = 3
        with pytest.raises(GeometryError) as caught:
            check_same_grid(self.named("mask", moved), self.named("phase", np.eye(4)))
        for text in ("'mask'", "(3.0, 0.0, 0.0)", "'phase'", "(0.0, 0.0, 0.0)", "3.00 mm"):
            assert text in str(caught.value)

    def test_mirror_images_differ(self):
        mirror = nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [3, 0, 0])
        with pytest.raises(GeometryError, match=r"LAS.*RAS"):
            check_same_grid(self.named("a", mirror), self.named("b", np.eye(4)))

    def test_rounding_in_headers_is_forgiven(self):
        affine = affine_of(0.1, 0.2, 0.3, (0.6, 0.6, 2))
        check_same_grid(self.named("a", affine), self.named("b", affine.astype(np.float32)))
