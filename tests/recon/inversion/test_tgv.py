"""Total generalised variation against another solver, and against what it is meant for."""

import numpy as np

from napari_qsm.recon.inversion.problem import prepare
from napari_qsm.recon.inversion.tgv import solve_tgv
from napari_qsm.recon.stages import no_progress

B0 = tuple(np.array([0.2, -0.3, 1.0]) / np.sqrt(1.13))
VOXEL = (1.0, 1.2, 1.5)


def problem_of(field, weight=None):
    """The problem on a grid without padding, in double precision, sources anywhere."""
    inside = np.ones(field.shape, bool)
    problem = prepare(field, inside, VOXEL, B0, weight=weight, padding_mm=0, support_margin_mm=100)
    assert problem.shape == field.shape
    return problem


class Plain:
    """The functional by its definition, and its minimum by the papers' primal-dual method."""

    def __init__(self, problem, lam, ratio):
        self.problem, self.lam, self.ratio = problem, lam, ratio

    def field_of(self, chi):
        spectrum = np.fft.rfftn(chi) * self.problem.dipole
        return np.fft.irfftn(spectrum, self.problem.shape, axes=(0, 1, 2))

    def forward(self, a, axis):
        return self.problem.scales[axis] * (np.roll(a, -1, axis) - a)

    def backward(self, a, axis):
        return self.problem.scales[axis] * (a - np.roll(a, 1, axis))

    def gradient(self, chi):
        return np.stack([self.forward(chi, axis) for axis in range(3)])

    def bends(self, w):
        """How slopes vary: backwards along themselves, forwards across."""
        found = np.empty((3, 3, *self.problem.shape))
        for i in range(3):
            found[i, i] = self.backward(w[i], i)
            for j in {0, 1, 2} - {i}:
                found[i, j] = (self.forward(w[i], j) + self.forward(w[j], i)) / 2
        return found

    def value(self, chi, w):
        misfit = self.problem.weight * (self.field_of(chi) - self.problem.field)
        steps, bends = np.abs(self.gradient(chi) - w).sum(), np.abs(self.bends(w)).sum()
        return 0.5 * (misfit**2).sum() + self.lam * (steps + self.ratio * bends)

    def solve(self, steps, tau=1 / 60**0.5):
        problem = self.problem
        chi = ahead = np.zeros(problem.shape)
        w = w_ahead = np.zeros((3, *problem.shape))
        p, q, y = np.zeros_like(w), np.zeros((3, 3, *problem.shape)), np.zeros_like(chi)
        for _ in range(steps):
            p = p + tau * (self.gradient(ahead) - w_ahead)
            p = np.clip(p, -self.lam, self.lam)
            q = q + tau * self.bends(w_ahead)
            q = np.clip(q, -self.ratio * self.lam, self.ratio * self.lam)
            y = y + tau * (self.field_of(ahead) - problem.field)
            y /= 1 + tau / problem.weight**2
            # Adjoints: minus the other kind of difference.
            down = -sum(self.backward(p[axis], axis) for axis in range(3)) + self.field_of(y)
            bent = np.stack(
                [
                    -sum((self.forward if i == j else self.backward)(q[i, j], j) for j in range(3))
                    for i in range(3)
                ]
            )
            before, chi = chi, chi - tau * down
            w_before, w = w, w - tau * (bent - p)
            ahead, w_ahead = 2 * chi - before, 2 * w - w_before
        return chi, w


def test_it_reaches_the_minimum_that_a_primal_dual_method_finds():
    shape = (9, 8, 8)
    x, y, z = np.indices(shape)
    chi = 0.002 * x + 0.1 * ((y > 3) & (y < 7) & (z > 1) & (z < 5))
    rng = np.random.default_rng(0)
    field = problem_of(np.zeros(shape)).forward(chi) + 1e-3 * rng.standard_normal(shape)
    problem = problem_of(field, rng.uniform(0.3, 1, shape))
    plain = Plain(problem, 2e-3, 2.0)
    expected, slopes = plain.solve(1500)
    assert plain.value(expected, slopes) < 0.8 * plain.value(0 * expected, 0 * slopes)
    found, explained = solve_tgv(problem, problem.weight**2, 2e-3, 2.0, 400, no_progress)
    centred = expected - expected.mean()
    error = np.linalg.norm(found - found.mean() - centred) / np.linalg.norm(centred)
    assert error < 0.01
    np.testing.assert_allclose(explained, plain.field_of(found), atol=1e-9)


def test_a_slope_is_free_where_total_variation_makes_steps_of_it():
    # A ridge of constant slopes under noise: many of its differences vanish under total variation.
    from napari_qsm.recon.inversion.admm import Ending, solve_tv

    shape = (24, 8, 6)
    ridge = 0.01 * np.abs(np.arange(24) - 12.0)[:, None, None] * np.ones(shape)
    noise = 2e-2 * np.random.default_rng(1).standard_normal(shape)
    problem = problem_of(np.zeros(shape))
    problem = problem_of(problem.forward(ridge + noise))
    lam = 4e-3
    general, _ = solve_tgv(problem, problem.weight**2, lam, 3.0, 120, no_progress)
    plain = solve_tv(problem, lam, Ending(120, 0.0), no_progress)

    def error(chi):
        off = (chi - ridge).mean(axis=(1, 2))
        return (off - off.mean()).std()

    assert error(general) < 0.7 * error(plain)
