"""The weak-harmonic inversion against another solver, and with background left in the field."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from napari_qsm.recon import fourier
from napari_qsm.recon.inversion import tv, weak_harmonic
from napari_qsm.recon.inversion.problem import prepare
from napari_qsm.recon.inversion.weak_harmonic import solve_weak_harmonic
from napari_qsm.recon.stages import no_progress

B0 = tuple(np.array([0.2, -0.3, 1.0]) / np.sqrt(1.13))
VOXEL = (1.0, 1.2, 1.5)


def test_it_reaches_the_minimum_another_solver_finds():
    shape, lam, heavy = (8, 6, 6), 1e-3, 2.0
    rng = np.random.default_rng(3)
    inside = np.ones(shape, bool)
    chi = 0.1 * (((np.indices(shape) - 3.0) ** 2).sum(axis=0) < 6)
    field = fourier.forward_field(chi, VOXEL, B0) + 0.01 * rng.standard_normal(shape)
    weight = rng.uniform(0.4, 1, shape)
    problem = prepare(field, inside, VOXEL, B0, weight=weight, padding_mm=0, support_margin_mm=100)
    # Where nothing is known, the remainder is free.
    problem = replace(problem, mask=np.indices(shape)[0] < 6)
    grid, count = problem.shape, problem.field.size

    def field_of(image):
        return np.fft.irfftn(np.fft.rfftn(image) * problem.dipole, grid, axes=(0, 1, 2))

    def laplacian(image):
        return sum(
            s**2 * (np.roll(image, 1, a) + np.roll(image, -1, a) - 2 * image)
            for a, s in enumerate(problem.scales)
        )

    def smooth(values):
        image, rest = values[:count].reshape(grid), values[count:].reshape(grid)
        misfit = problem.weight**2 * (field_of(image) + rest - problem.field)
        bend = problem.mask * laplacian(rest)
        value = 0.5 * (misfit**2 / np.maximum(problem.weight, 1e-9) ** 2).sum()
        value += 0.5 * heavy * (bend**2).sum()
        slope = field_of(misfit)
        for axis, s in enumerate(problem.scales):
            step = s * (np.roll(image, -1, axis) - image)
            length = np.sqrt(step**2 + 1e-10)
            value += lam * length.sum()
            part = lam * s * step / length
            slope += np.roll(part, 1, axis) - part
        return value, np.concatenate([slope.ravel(), (misfit + heavy * laplacian(bend)).ravel()])

    reference = minimize(
        smooth, np.zeros(2 * count), jac=True, method="L-BFGS-B", options={"maxiter": 600}
    )
    square = problem.weight**2
    found, explained = solve_weak_harmonic(problem, square, lam, heavy, 800, no_progress)
    rest = explained - field_of(found)
    value, _ = smooth(np.concatenate([found.ravel(), rest.ravel()]))
    assert value < 1.003 * reference.fun
    assert value < 0.8 * smooth(np.zeros(2 * count))[0]


def test_a_harmonic_field_left_by_background_removal_hardly_counts():
    shape = (30, 27, 22)
    x, y, z = ((np.arange(n) - n / 2 + 0.5) * v for n, v in zip(shape, VOXEL, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    mask = (x / 12) ** 2 + (y / 12) ** 2 + (z / 13) ** 2 < 1
    chi = 0.1 * ((x - 4) ** 2 + y**2 + z**2 < 12) - 0.08 * ((x + 5) ** 2 + y**2 + (z - 3) ** 2 < 9)
    field = (fourier.forward_field(chi, VOXEL, B0) * mask).astype(np.float32)
    # Of degree 3, so that no small trend of the map explains it either.
    left = np.where(mask, 2e-5 * (x**3 - 3 * x * y**2 + 2 * z**3 - 3 * z * (x**2 + y**2)), 0)
    spoilt = field + left
    assert left[mask].std() > 0.3 * field[mask].std()

    def error(method, given):
        given = given.astype(np.float32)
        found = method(given, mask, VOXEL, B0, outlier_sd=0.0)[mask]
        truth = chi[mask] - chi[mask].mean()
        return np.linalg.norm(found - truth) / np.linalg.norm(truth)

    assert error(tv, spoilt) > 1
    assert error(weak_harmonic, spoilt) < 0.1
    assert error(weak_harmonic, field) < 0.05
