"""The inversion *weak-harmonic*: total variation, with what background removal left as an unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon import fourier
from napari_qsm.recon.inversion import passes
from napari_qsm.recon.inversion.admm import CUT_OVER_LAMBDA, NO_EDGES
from napari_qsm.recon.inversion.outliers import solved_twice
from napari_qsm.recon.inversion.problem import Problem, data_weights, prepare
from napari_qsm.recon.inversion.settings import (
    EdgeFraction,
    FollowNoise,
    Iterations,
    Lambda,
    OutlierSd,
    Weighted,
    centred,
    edges_of,
    followed,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Penalties of the splits, and of the remainder's Laplacian. They steer the speed of convergence, not
#: its end. Smaller than those of total variation alone: what has to move far is slow in space.
_RHO_GRADIENT = 0.001
_RHO_FIELD = 0.1
_RHO_SUPPORT = 0.002
_RHO_BEND = 0.6
_OVER_RELAXATION = 1.6


@method(
    "inversion",
    "weak-harmonic",
    title="Weak-harmonic inversion (WH-QSM)",
    references=("Milovic 2019, Magn Reson Med 81:1399, doi:10.1002/mrm.27483",),
)
def weak_harmonic(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    lambda_ppm: Lambda = 5e-5,
    harmonic_weight: Annotated[
        float,
        Param(
            "Weight that holds what is left of the background to a harmonic field; "
            "less takes more from the local field.",
            ge=0.01,
            le=1e6,
        ),
    ] = 150.0,
    iterations: Iterations = 60,
    weighted: Weighted = True,
    edge_fraction: EdgeFraction = 0.3,
    outlier_sd: OutlierSd = 4.0,
    follow_noise: FollowNoise = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Total variation beside a nearly harmonic field that background removal has left.

    Parameters and errors are those of :func:`~napari_qsm.recon.inversion.star.star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    Minimises over chi and the remainder h ``1/2 ‖W (D chi + h - f)‖² + b/2 ‖M ∇²h‖² + lambda sum_a
    s_a |d_a chi|``, where M is the mask, ``∇² = - sum_a s_a² d_aᵀ d_a`` and b the
    ``harmonic_weight``. Ours: the data term is linear, as the field is unwrapped; chi and h are
    solved for together; sources are confined to the mask's surroundings; field values off the
    model lose weight as in ``tv``.

    References
    ----------
    Milovic, Bilgic, Zhao, Langkammer, Tejos, Acosta-Cabronero 2019, Magn Reson Med 81:1399,
    doi:10.1002/mrm.27483.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    progress(0.0)
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    del weight  # the problem holds what is needed of it
    progress(0.0)
    lam = followed(lambda_ppm, problem, follow_noise)
    edges = edges_of(problem, magnitude, local_mask, edge_fraction)

    def solve(square: Array, steps: int, told: Progress) -> tuple[Array, Array]:
        return solve_weak_harmonic(problem, square, lam, harmonic_weight, steps, told, edges=edges)

    chi = solved_twice(problem, solve, iterations, outlier_sd, CUT_OVER_LAMBDA * lam, progress)
    return centred(problem, chi)


def solve_weak_harmonic(
    problem: Problem,
    square: Array,
    lam: float,
    harmonic_weight: float,
    iterations: int,
    progress: Progress,
    *,
    edges: Array = NO_EDGES,
) -> tuple[Array, Array]:
    """The map, and the field that it and the remainder explain; both ppm, on the work grid.

    Parameters
    ----------
    problem : Problem
    square : (x, y, z) ndarray
        W² of the data term.
    lam, harmonic_weight : float
        Weights of total variation (ppm) and of the remainder's Laplacian.
    iterations : int
    progress : callable
        Told the fraction done; may raise to stop.
    edges : (x, y, z) ndarray of uint8
        Bits 1, 2, 4 where a difference is not penalised.

    Notes
    -----
    Alternating directions as in :mod:`napari_qsm.recon.inversion.admm`, with two more splits: of
    the field into map and remainder, and of the remainder's Laplacian, which counts in the mask
    only. Map and remainder given the splits are two equations at each frequency.
    """
    shape, dtype = problem.shape, problem.field.dtype
    bend_rho = _RHO_BEND
    share, hold = _RHO_FIELD / _RHO_GRADIENT, _RHO_SUPPORT / _RHO_GRADIENT
    known = square / (square + dtype.type(_RHO_FIELD))
    stiff = problem.mask * dtype.type(harmonic_weight / (harmonic_weight + bend_rho))
    gradient_square = problem.gradient_spectrum()
    chi, field, bend = (np.zeros(shape, dtype) for _ in range(3))
    q, flat = problem.field.copy(), np.zeros(shape, dtype)
    held, bent, sweep = (np.zeros(shape, dtype) for _ in range(3))
    v = np.zeros((3, *shape), dtype)
    limits = (lam / _RHO_GRADIENT,) * 3
    for iteration in range(iterations):
        fraction = iteration / iterations
        progress(fraction)
        relax = _OVER_RELAXATION if iteration else 1.0
        passes.shrink(chi, v, sweep, limits, problem.scales, edges, 0.0, relax)
        passes.confine(chi, held, sweep, problem.support, hold, relax)
        of_map = fourier.rfftn(sweep)
        passes.fit_field(field, q, problem.field, known, relax)
        progress(fraction)
        of_field = fourier.rfftn(field)
        passes.fit_field(bend, bent, flat, stiff, relax)
        of_bend = fourier.rfftn(bend)
        passes.solve_harmonic(
            of_map,
            of_field,
            of_bend,
            problem.dipole,
            gradient_square,
            (share, hold, bend_rho / _RHO_GRADIENT),
        )
        progress(fraction)
        chi = fourier.irfftn(of_map, shape)
        field = fourier.irfftn(of_field, shape)
        bend = fourier.irfftn(of_bend, shape)
    progress(1.0)
    return chi, field
