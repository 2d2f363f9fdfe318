"""iLSQR: early-stopped weighted least squares, then estimated streaks are taken out.

Follows the description of Li et al. 2015. Ours: least squares is solved by conjugate
gradients on the normal equations (the same iterates as LSQR), its unknowns are confined to
the mask's surroundings, and the edges come from a truncated division by the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon import fourier
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.inversion.direct import solve_tkd
from napari_qsm.recon.inversion.problem import (
    Problem,
    data_weights,
    prepare,
)
from napari_qsm.recon.inversion.settings import Weighted, centred
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Gradients of the prior below the first percentile are streak-free tissue and count fully;
#: those above the second are edges and do not count.
_EDGE_PERCENTILES = (60.0, 99.9)

_EDGE_PRIOR_THRESHOLD = 0.125

#: Share of the work spent on the first step, for the progress report.
_FIRST = 0.6


@method(
    "inversion",
    "ilsqr",
    title="iLSQR",
    references=("Li 2015, NeuroImage 108:111, doi:10.1016/j.neuroimage.2014.12.043",),
)
def ilsqr(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    iterations: Annotated[
        int, Param("Least-squares steps; fewer are smoother.", ge=1, le=500)
    ] = 20,
    streak_iterations: Annotated[
        int, Param("Steps of the search for streaks; none leaves them.", ge=0, le=500)
    ] = 5,
    ill_conditioned_below: Annotated[
        float, Param("Streaks lie where the dipole kernel is smaller than this.", ge=0.001, le=0.5)
    ] = 0.1,
    weighted: Weighted = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Weighted least squares stopped early; then streaks are estimated and subtracted.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    See :mod:`napari_qsm.recon.inversion.ilsqr` for where this departs from the paper.

    References
    ----------
    Li, Wang, Yu et al. 2015, NeuroImage 108:111, doi:10.1016/j.neuroimage.2014.12.043.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    chi = solve_ilsqr(problem, iterations, streak_iterations, ill_conditioned_below, progress)
    return centred(problem, chi)


def solve_ilsqr(
    problem: Problem,
    iterations: int,
    streak_iterations: int,
    ill_conditioned_below: float,
    progress: Progress,
) -> Array:
    """Weighted least squares and streak removal; chi in ppm on the work grid.

    Parameters
    ----------
    problem : Problem
        Field, weights, support and kernel.
    iterations, streak_iterations : int
        Conjugate-gradient steps of the two parts. Few steps regularise the first.
    ill_conditioned_below : float
        Streaks are sought where the kernel's size is below this.
    progress : callable
        Called with the fraction done.
    """
    first = least_squares(problem, iterations, lambda part: progress(_FIRST * part))
    if streak_iterations == 0:
        progress(1.0)
        return first
    streaks = _streaks(
        problem,
        first,
        streak_iterations,
        ill_conditioned_below,
        lambda part: progress(_FIRST + (1 - _FIRST) * part),
    )
    chi: Array = first - streaks
    return chi


def least_squares(problem: Problem, iterations: int, progress: Progress) -> Array:
    """Weighted least squares by a fixed number of conjugate-gradient steps; on the work grid."""
    square = problem.weight**2
    convolve = problem.forward

    def normal(image: Array) -> Array:
        field = convolve(image)
        field *= square
        return convolve(field) * problem.support

    given = convolve(problem.field * square) * problem.support
    return conjugate_gradients(normal, given, 0.0, iterations, progress=progress, warn=no_warning)


def _streaks(
    problem: Problem, chi: Array, iterations: int, below: float, progress: Progress
) -> Array:
    """The image from ill-conditioned k-space whose removal leaves the least gradients."""
    weights = _smoothness_weights(problem)
    ill = np.abs(problem.dipole) < below

    def project(image: Array) -> Array:
        spectrum = fourier.rfftn(image)
        spectrum *= ill
        return fourier.irfftn(spectrum, problem.shape)

    def roughness(image: Array) -> Array:
        total = np.zeros_like(image)
        for axis, scale in enumerate(problem.scales):
            step = np.roll(image, -1, axis)
            step -= image
            step *= weights[axis]
            step *= image.dtype.type(scale**2)
            total -= step
            total += np.roll(step, 1, axis)
        return total

    return conjugate_gradients(
        # The unknown stays in the subspace the projection starts it in.
        lambda image: project(roughness(image)),
        project(roughness(chi)),
        0.0,
        iterations,
        progress=progress,
        warn=no_warning,
    )


def _smoothness_weights(problem: Problem) -> list[Array]:
    """Squared weights per axis: 1 in smooth tissue, falling to 0 at edges and out of the mask."""
    prior = solve_tkd(problem, _EDGE_PRIOR_THRESHOLD, corrected=False)
    weights = []
    for axis in range(3):
        step = np.abs(np.roll(prior, -1, axis) - prior)
        both = problem.mask & np.roll(problem.mask, -1, axis)
        low, high = np.percentile(step[both], _EDGE_PERCENTILES) if both.any() else (0.0, 1.0)
        fall = (high - step) / max(high - low, np.finfo(step.dtype).tiny)
        weights.append((np.clip(fall, 0, 1) * both).astype(step.dtype) ** 2)
    return weights
