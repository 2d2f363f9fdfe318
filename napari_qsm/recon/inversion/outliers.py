"""A short first run that finds what no susceptibility explains, and then the run that counts."""

from __future__ import annotations

from collections.abc import Callable

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.admm import robust_weights
from napari_qsm.recon.inversion.problem import Problem
from napari_qsm.recon.stages import Progress

#: Iterations of the first run.
_SCOUTS = 10

#: From W², a number of iterations and progress: the map, and the field that it explains.
Solve = Callable[[Array, int, Progress], tuple[Array, Array]]


def solved_twice(
    problem: Problem,
    solve: Solve,
    iterations: int,
    outlier_sd: float,
    least_cut: float,
    progress: Progress,
) -> Array:
    """The map of a solver whose outliers lose weight; ppm, on the work grid.

    Parameters
    ----------
    problem : Problem
    solve : callable
        Takes W², iterations and progress from 0 to 1.
    iterations : int
    outlier_sd : float
        See :func:`napari_qsm.recon.inversion.admm.solve_tv`; 0 makes one run only.
    least_cut : float
        Residuals below this are no outliers, ppm.
    progress : callable
    """
    scouts = _SCOUTS if outlier_sd > 0 else 0
    total = iterations + scouts
    square = problem.weight**2
    if scouts:
        _, field = solve(square, scouts, lambda done: progress(done * scouts / total))
        square *= robust_weights(problem, field, outlier_sd, least_cut)
        del field
    # From scratch: what outliers have put into the map is slow to leave it.
    chi, _ = solve(square, iterations, lambda done: progress((scouts + done * iterations) / total))
    return chi
