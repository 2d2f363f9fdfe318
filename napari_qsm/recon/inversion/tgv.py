"""The inversion *tgv*: total generalised variation of second order.

Total variation makes steps of slow slopes. Here a slope costs nothing as such: the map's gradient may
follow free slopes w, and what costs is the difference, and how the slopes vary:

    minimise over chi, w   1/2 ‖W (D chi - f)‖²  +  lambda (sum |∇ chi - w|  +  r sum |E w|)

with E the symmetric gradient ``(∇ w + ∇ wᵀ) / 2``, differences scaled by voxel size, and r the
``curvature_ratio``. Bredies 2010, SIAM J Imaging Sci 3:492, has the functional; Langkammer 2015 brought
it to susceptibility, from the wrapped phase in one step and by a primal-dual method. Two things
depart from the papers. The local field is inverted, as by the other methods, by alternating directions:
map and slopes given the splits are four equations at each frequency, so that some tens of steps
are enough. And |.| sums the components, as total variation does here, where the papers take the
length of a vector: one-sided differences along x, y, z lie at three places, and the length of what does
not lie together makes maps of mirrored scans that are not quite mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon import fourier
from napari_qsm.recon.inversion import passes, slopes
from napari_qsm.recon.inversion.admm import CUT_OVER_LAMBDA
from napari_qsm.recon.inversion.outliers import solved_twice
from napari_qsm.recon.inversion.problem import Problem, data_weights, prepare
from napari_qsm.recon.inversion.settings import (
    FollowNoise,
    Iterations,
    Lambda,
    OutlierSd,
    Weighted,
    centred,
    followed,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Penalties of the splits, as in :mod:`napari_qsm.recon.inversion.admm`; that of the slopes'
#: variation is a multiple of that of the gradient. They steer the speed of convergence, not its end.
_RHO_GRADIENT = 0.01
_RHO_FIELD = 0.3
_RHO_SUPPORT = 0.02
_RATIO = 3.0
_OVER_RELAXATION = 1.6


@method(
    "inversion",
    "tgv",
    title="Total generalised variation (TGV)",
    references=(
        "Bredies 2010, SIAM J Imaging Sci 3:492, doi:10.1137/090769521",
        "Langkammer 2015, NeuroImage 111:622, doi:10.1016/j.neuroimage.2015.02.041",
    ),
)
def tgv(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    lambda_ppm: Lambda = 5e-5,
    curvature_ratio: Annotated[
        float,
        Param(
            "Cost of a bend over that of a step; more comes near to total variation.",
            ge=0.1,
            le=100,
        ),
    ] = 3.0,
    iterations: Iterations = 40,
    weighted: Weighted = True,
    outlier_sd: OutlierSd = 4.0,
    follow_noise: FollowNoise = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Like total variation, but slow slopes are free of cost and make no steps.

    Parameters and errors are those of :func:`~napari_qsm.recon.inversion.star.star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    See :mod:`napari_qsm.recon.inversion.tgv` for what is minimised and where it departs from the
    papers. Sources are confined to the mask's surroundings; field values off the model lose weight as
    in ``tv``.

    References
    ----------
    Bredies, Kunisch, Pock 2010, SIAM J Imaging Sci 3:492, doi:10.1137/090769521.
    Langkammer, Bredies, Poser et al. 2015, NeuroImage 111:622,
    doi:10.1016/j.neuroimage.2015.02.041.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    progress(0.0)
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    del weight  # the problem holds what is needed of it
    progress(0.0)
    lam = followed(lambda_ppm, problem, follow_noise)

    def solve(square: Array, steps: int, told: Progress) -> tuple[Array, Array]:
        return solve_tgv(problem, square, lam, curvature_ratio, steps, told)

    chi = solved_twice(problem, solve, iterations, outlier_sd, CUT_OVER_LAMBDA * lam, progress)
    return centred(problem, chi)


def solve_tgv(
    problem: Problem,
    square: Array,
    lam: float,
    curvature_ratio: float,
    iterations: int,
    progress: Progress,
) -> tuple[Array, Array]:
    """The map and its field, ppm, on the work grid.

    Parameters
    ----------
    problem : Problem
    square : (x, y, z) ndarray
        W² of the data term.
    lam : float
        Lambda, ppm.
    curvature_ratio : float
        Cost of the slopes' variation over lambda.
    iterations : int
    progress : callable
        Told the fraction done; may raise to stop.
    """
    shape, dtype = problem.shape, problem.field.dtype
    share, hold = _RHO_FIELD / _RHO_GRADIENT, _RHO_SUPPORT / _RHO_GRADIENT
    known = square / (square + dtype.type(_RHO_FIELD))
    steps = _difference_spectra(problem)
    limits = (lam / _RHO_GRADIENT, curvature_ratio * lam / (_RATIO * _RHO_GRADIENT))
    chi, field, held, sweep = (np.zeros(shape, dtype) for _ in range(4))
    q = problem.field.copy()
    free, v = (np.zeros((3, *shape), dtype) for _ in range(2))
    e = np.zeros((6, *shape), dtype)
    for iteration in range(iterations):
        fraction = iteration / iterations
        progress(fraction)
        relax = _OVER_RELAXATION if iteration else 1.0
        slopes.shrink_slopes(chi, free, v, e, limits, problem.scales, relax)
        progress(fraction)
        slopes.gather_slopes(v, e, sweep, free, limits, problem.scales, _RATIO)
        passes.confine(chi, held, sweep, problem.support, hold, relax)
        progress(fraction)
        of_slopes = [fourier.rfftn(part) for part in free]
        del free  # its place is needed, since memory is at its peak here
        progress(fraction)
        of_map = fourier.rfftn(sweep)
        passes.fit_field(field, q, problem.field, known, relax)
        of_field = fourier.rfftn(field)
        progress(fraction)
        slopes.solve_slopes(
            of_map, of_field, of_slopes, problem.dipole, steps, (share, hold, _RATIO)
        )
        progress(fraction)
        chi = fourier.irfftn(of_map, shape)
        field = fourier.irfftn(of_field, shape)
        del of_map, of_field
        free = np.empty((3, *shape), dtype)
        for axis in range(3):
            free[axis] = fourier.irfftn(of_slopes.pop(0), shape)
    progress(1.0)
    return chi, field


def _difference_spectra(problem: Problem) -> tuple[Array, Array, Array]:
    """Spectra of the scaled forward differences along each axis of the half grid."""
    spectra = []
    for axis, (n, scale) in enumerate(zip(problem.shape, problem.scales, strict=True)):
        k = np.arange(n if axis < 2 else n // 2 + 1)
        spectra.append(scale * (np.exp(2j * np.pi * k / n) - 1))
    return spectra[0], spectra[1], spectra[2]
