"""RTS and NDI against their definitions."""

import numpy as np

from napari_qsm.recon.inversion.ndi import solve_ndi
from napari_qsm.recon.inversion.problem import prepare
from napari_qsm.recon.inversion.rts import fill_in
from napari_qsm.recon.stages import no_progress

B0 = tuple(np.array([0.2, -0.3, 1.0]) / np.sqrt(1.13))
VOXEL = (1.0, 1.2, 1.5)


def problem_of(field, weight=None):
    """The problem on a grid without padding, in double precision."""
    return prepare(field, np.ones(field.shape, bool), VOXEL, B0, weight=weight, padding_mm=0)


def test_ndi_of_small_fields_is_weighted_ridge_regression():
    rng = np.random.default_rng(0)
    shape, ridge = (6, 5, 4), 0.02
    weight = rng.uniform(0.3, 1, shape)
    problem = problem_of(1e-4 * rng.standard_normal(shape), weight)
    assert problem.shape == shape
    columns = [problem_column(problem, i) for i in range(weight.size)]
    forward = np.array(columns).T
    square = np.diag(weight.ravel() ** 2)
    matrix = forward.T @ square @ forward + ridge * np.eye(weight.size)
    expected = np.linalg.solve(matrix, forward.T @ square @ problem.field.ravel())
    found = solve_ndi(problem, 600, ridge, 16.0, no_progress)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4 * np.abs(expected).max())


def problem_column(problem, index):
    """Field of one voxel, by numpy's own transform."""
    point = np.zeros(problem.shape)
    point.flat[index] = 1
    spectrum = np.fft.rfftn(point) * problem.dipole
    return np.fft.irfftn(spectrum, problem.shape, axes=(0, 1, 2)).ravel()


def test_ndi_with_the_heaviest_ridge_stays_finite_and_small():
    field = 1e-3 * np.random.default_rng(4).standard_normal((8, 7, 6))
    found = solve_ndi(problem_of(field), 300, 1.0, 16.0, no_progress)
    assert 0 < np.abs(found).max() < np.abs(field).max()


def test_ndi_forgives_a_whole_turn():
    rng = np.random.default_rng(1)
    field = 1e-3 * rng.standard_normal((12, 10, 8))
    turned = field.copy()
    turned[5, 5, 4] += 2 * np.pi / 16.0
    one, two = (solve_ndi(problem_of(f), 30, 1e-4, 16.0, no_progress) for f in (field, turned))
    np.testing.assert_allclose(two, one, atol=1e-12)


def cubes(shape):
    chi = np.zeros(shape)
    chi[8:16, 9:17, 6:12] = 0.1
    chi[18:23, 8:20, 10:15] = -0.06
    return chi


def test_rts_fills_in_what_the_kernel_does_not_see_and_keeps_the_rest():
    shape = (30, 27, 20)
    chi = cubes(shape)
    problem = problem_of(np.zeros(shape))
    assert problem.shape == shape
    seen = np.abs(problem.dipole) > 0.15
    first = np.fft.irfftn(np.fft.rfftn(chi) * seen, shape, axes=(0, 1, 2))
    found = fill_in(problem, first, 1e-5, 0.15, 300, no_progress)
    truth = chi - chi.mean()

    def error(map_):
        return np.linalg.norm(map_ - map_.mean() - truth) / np.linalg.norm(truth)

    assert error(found) < 0.1 * error(first)
    kept = np.abs(np.fft.rfftn(found - first)[seen])
    assert kept.max() < 0.01 * np.abs(np.fft.rfftn(first)).max()


def test_rts_smooths_more_with_more_lambda():
    rng = np.random.default_rng(2)
    first = rng.standard_normal((15, 12, 10))
    problem = problem_of(first * 0)

    def variation(map_):
        return sum(np.abs(np.diff(map_, axis=axis)).sum() for axis in range(3))

    found = [
        variation(fill_in(problem, first, lam, 0.15, 60, no_progress)) for lam in (1e-6, 0.05, 5)
    ]
    assert found[0] > found[1] > found[2]
