"""Total-variation inversion by the alternating direction method of multipliers (ADMM).

The map ``chi`` is split into its gradient (soft threshold), its field (weighted data term,
quadratic or nonlinear) and itself (zero outside the support). All splits are independent
given chi, and chi given the splits is a division in Fourier space.

The method of Bilgic et al. 2014 has the gradient split only: its data term then takes the
zeros outside the mask for measurements. The field split lets them be unknown, and weights
each voxel by its noise; it costs a second pair of transforms per iteration. With the exterior
unknown, sources far outside the mask could explain parts of the field, slowly and at will;
the support split forbids them, which also makes the iteration converge several times faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon import fourier
from napari_qsm.recon.inverse_problem import Problem
from napari_qsm.recon.stages import Progress
from napari_qsm.recon.tv_passes import passes

Array = npt.NDArray[Any]

#: Penalties of the gradient, field and support splits. In normalised ppm one set serves all
#: scans: they steer the speed of convergence, not its end.
_RHO_GRADIENT = 0.01
_RHO_FIELD = 0.3
_RHO_SUPPORT = 0.02
_OVER_RELAXATION = 1.6

NO_EDGES = np.zeros((0, 0, 0), dtype=np.uint8)


@dataclass(frozen=True)
class Ending:
    """When to stop: after so many iterations, or when a step changes the map by less."""

    iterations: int
    tolerance: float


def solve_tv(
    problem: Problem,
    lam: float,
    ending: Ending,
    progress: Progress,
    *,
    edges: Array = NO_EDGES,
    kept: float = 1.0,
    radians_per_ppm: float = 0.0,
) -> Array:
    """Minimise the weighted data term plus total variation.

    Parameters
    ----------
    problem : Problem
        Field, weights, support and kernel on the work grid.
    lam : float
        Lambda in ppm (see :mod:`napari_qsm.recon.inverse_problem`).
    ending : Ending
        Iterations and tolerance.
    progress : callable
        Called with the fraction done at each iteration; may raise.
    edges : (x, y, z) ndarray of uint8
        Bits 1, 2, 4 where a difference is penalised by ``kept * lam`` only.
    kept : float
        See ``edges``.
    radians_per_ppm : float
        If positive, the nonlinear data term ``W² (1 - cos(s (D chi - f))) / s²`` with this s.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm on the work grid.
    """
    fast = passes()
    shape, dtype = problem.shape, problem.field.dtype
    share = _RHO_FIELD / _RHO_GRADIENT
    hold = _RHO_SUPPORT / _RHO_GRADIENT
    inverse = problem.gradient_spectrum()
    inverse += dtype.type(hold)
    inverse += dtype.type(share) * problem.dipole**2
    np.reciprocal(inverse, out=inverse)
    weight = problem.weight**2
    if not radians_per_ppm:
        weight /= weight + dtype.type(_RHO_FIELD)

    chi = np.zeros(shape, dtype)
    field = np.zeros(shape, dtype)
    v = np.zeros((3, *shape), dtype)
    # The first model of the field is the measurement itself, zero outside the mask.
    q = problem.field.copy()
    held = np.zeros(shape, dtype)
    sweep = np.empty(shape, dtype)
    limits = (lam / _RHO_GRADIENT,) * 3
    model = q.copy() if radians_per_ppm else None
    for iteration in range(ending.iterations):
        progress(iteration / ending.iterations)
        relax = _OVER_RELAXATION if iteration else 1.0
        fast.shrink(chi, v, sweep, limits, problem.scales, edges, kept, relax)
        fast.confine(chi, held, sweep, problem.support, hold, relax)
        gradient = fourier.rfftn(sweep)
        if model is None:
            fast.fit_field(field, q, problem.field, weight, relax)
        else:
            fast.fit_phase(
                field, q, model, problem.field, weight, relax, _RHO_FIELD, radians_per_ppm
            )
        data = fourier.rfftn(field)
        fast.solve(gradient, data, problem.dipole, inverse, share)
        previous, chi = chi, fourier.irfftn(gradient, shape)
        field = fourier.irfftn(data, shape)
        if ending.tolerance > 0 and _change(chi, previous) < ending.tolerance:
            break
    progress(1.0)
    return chi


def _change(new: Array, old: Array) -> float:
    """Relative change of the map; the sums in double precision by blocks."""
    change = norm = 0.0
    for a, b in zip(new, old, strict=True):
        step = a - b
        change += float(np.vdot(step, step))
        norm += float(np.vdot(a, a))
    return float(np.sqrt(change / norm)) if norm else 0.0
