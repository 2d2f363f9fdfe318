"""Rigid registration finds a known motion, and says where there is none to be found."""

import numpy as np
import pytest

from napari_qsm.errors import GeometryError
from napari_qsm.phantom import make_head
from napari_qsm.registration.rigid import register_rigid
from napari_qsm.volume import Volume
from tests.registration.heads import TINY, cut, moved_head, nuclei_mm, placed, rigid, shaded


@pytest.fixture(scope="module")
def first():
    return make_head("control", **TINY)


def error_mm(fit, matrix, head):
    """Return how far the nuclei of a fit lie from where they went."""
    points = nuclei_mm(head)
    found = points @ fit.matrix[:3, :3].T + fit.matrix[:3, 3]
    true = points @ matrix[:3, :3].T + matrix[:3, 3]
    return np.linalg.norm(found - true, axis=1).max()


def test_a_turned_shaded_and_cut_head_in_other_axes_is_found_to_a_fraction_of_a_voxel(first):
    matrix = rigid((6, -4, 8), (5, -7, 4))
    head, affine = moved_head(matrix, shape=(68, 76, 44), voxel_size_mm=(2.5, 2.6, 3.0))
    moved = cut(shaded(placed(head.scan.magnitude[0], affine)), 4, 5)
    turn = np.eye(4)[:, [1, 0, 2, 3]]  # second axis first, and reversed
    turn[1, 0], turn[1, 3] = -1, moved.shape[1] - 1
    moved = Volume(moved.data.transpose(1, 0, 2)[::-1], moved.affine @ turn)
    fit = register_rigid(first.scan.magnitude[0], moved, brain=first.mask.data > 0)
    assert error_mm(fit, matrix, first) < 0.4
    assert not fit.problem and not fit.doubt


def test_a_large_turn_is_found(first):
    matrix = rigid((20, 10, 25), (8, -5, 6))
    head, affine = moved_head(matrix)
    fit = register_rigid(first.scan.magnitude[0], placed(head.scan.magnitude[0], affine))
    assert error_mm(fit, matrix, first) < 0.4
    angle = np.degrees(np.arccos((np.trace(matrix[:3, :3]) - 1) / 2))
    assert fit.turn_deg == pytest.approx(angle, abs=0.3)


def test_another_person_is_doubted(first):
    other = make_head("patient", seed=3, **TINY)
    brain = first.mask.data > 0
    fit = register_rigid(first.scan.magnitude[0], other.scan.magnitude[0], brain=brain)
    assert "another person" in fit.doubt + fit.problem


def test_noise_is_refused_and_a_constant_image_too(first):
    image = first.scan.magnitude[0]
    few = Volume(image.data[::2, ::2, ::2], image.affine @ np.diag([2, 2, 2, 1]))
    noise = np.random.default_rng(0).rayleigh(size=few.shape).astype(np.float32)
    assert register_rigid(few, few.with_data(noise)).problem
    with pytest.raises(GeometryError, match="constant"):
        register_rigid(few, few.with_data(np.ones(few.shape, np.float32)))
