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

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.device import device
from napari_qsm.recon.inversion import passes
from napari_qsm.recon.inversion.device_sweeps import Sweeps
from napari_qsm.recon.inversion.problem import Problem
from napari_qsm.recon.stages import Progress

#: Penalties of the gradient, field and support splits. In normalised ppm one set serves all
#: scans: they steer the speed of convergence, not its end.
_RHO_GRADIENT = 0.01
_RHO_FIELD = 0.3
_RHO_SUPPORT = 0.02
_OVER_RELAXATION = 1.6

#: Iterations of the first run, which only looks for outliers.
_SCOUTS = 8
#: The regularisation itself leaves residuals of some tens of lambda at edges; no outlier is
#: cut below this multiple, so that a noise-free field is not taken apart.
CUT_OVER_LAMBDA = 30.0

#: Steps between two updates of the field, and at least as many after the last one.
STEPS_BETWEEN = 8

#: From the map and the field to explain so far, the field to explain from now on; calls its third
#: argument often.
Renewal = Callable[[Array, Array, Callable[[], None]], Array]

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
    outlier_sd: float = 0.0,
    radians_per_ppm: float = 0.0,
    renew: Renewal | None = None,
    updates: int = 0,
) -> Array:
    """Minimise the weighted data term plus total variation.

    Parameters
    ----------
    problem : Problem
        Field, weights, support and kernel on the work grid.
    lam : float
        Lambda in ppm (see :mod:`napari_qsm.recon.inversion.problem`).
    ending : Ending
        Iterations and tolerance.
    progress : callable
        Called with the fraction done at each iteration; may raise.
    edges : (x, y, z) ndarray of uint8
        Bits 1, 2, 4 where a difference is penalised by ``kept * lam`` only.
    kept : float
        See ``edges``.
    outlier_sd : float
        If positive, voxels whose residual exceeds this many (robust) standard deviations lose
        weight after a short first run, as ``W / (1 + (residual / cut)²)``: unwrapping and
        background removal leave errors, round strong sources and at the mask's edge, that no
        susceptibility explains.
    radians_per_ppm : float
        If positive, the nonlinear data term ``W² (1 - cos(s (D chi - f))) / s²`` with this s.
    renew : callable, optional
        Given the map so far, the field that it was to explain, and a callable to call often, the field to
        explain from then on.
    updates : int
        How often it is asked: after every eighth step, as far as eight more are to follow.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm on the work grid.
    """
    terms = _Terms(problem, lam, edges, kept, radians_per_ppm)
    total = ending.iterations + (_SCOUTS if outlier_sd > 0 else 0)

    def trusted() -> Array:
        square = problem.weight**2
        if outlier_sd > 0:
            scouted = Ending(_SCOUTS, 0.0)
            _, field = _iterate(terms, square, scouted, lambda done: progress(done / total))
            square *= robust_weights(problem, field, outlier_sd, CUT_OVER_LAMBDA * lam)
        return square

    def renewed(chi: Array, field: Array, target: Array) -> tuple[Array, Array]:
        assert renew is not None
        target = renew(chi, target, lambda: progress(fraction))
        square = problem.weight**2
        if outlier_sd > 0:
            changed = replace(problem, field=target)
            square *= robust_weights(changed, field, outlier_sd, CUT_OVER_LAMBDA * lam)
        return target, square

    # From scratch: what outliers have put into the map is slow to leave it.
    spent = total - ending.iterations
    fraction = spent / total

    def report(done: int) -> None:
        nonlocal fraction
        fraction = (spent + done) / total
        progress(fraction)

    chi, _ = _iterate(
        terms,
        trusted(),
        ending,
        report,
        renewed if renew is not None else None,
        updates,
    )
    progress(1.0)
    return chi


@dataclass(frozen=True, eq=False)
class _Terms:
    """What stays the same over the iterations."""

    problem: Problem
    lam: float
    edges: Array
    kept: float
    radians_per_ppm: float


def _iterate(
    terms: _Terms,
    square: Array,
    ending: Ending,
    progress: Callable[[int], None],
    renewed: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None,
    updates: int = 0,
) -> tuple[Array, Array]:
    """The map and its field; ``progress`` is told the iterations done.

    From the map, its field and the measured field, ``renewed`` makes another measured field and
    W²; the splits stay.
    """
    problem, s = terms.problem, terms.radians_per_ppm
    shape, dtype = problem.shape, problem.field.dtype
    share = _RHO_FIELD / _RHO_GRADIENT
    hold = _RHO_SUPPORT / _RHO_GRADIENT
    inverse = problem.gradient_spectrum()
    inverse += dtype.type(hold)
    inverse += dtype.type(share) * problem.dipole**2
    np.reciprocal(inverse, out=inverse)
    progress(0)

    on = device()
    sweeps: Any = passes if on.xp is None else Sweeps(on.xp)

    def shares(square: Array) -> Any:
        return on.put(square if s else square / (square + dtype.type(_RHO_FIELD)))

    weight = shares(square)
    del square  # whoever needs it still has it
    measured = problem.field
    target, support, dipole = on.put(measured), on.put(problem.support), on.put(problem.dipole)
    edges, inverse = on.put(terms.edges), on.put(inverse)
    last = 0
    if renewed is not None:
        last = STEPS_BETWEEN * min(updates, ending.iterations // STEPS_BETWEEN - 1)
    chi, field, held, sweep = (on.zeros_like(target) for _ in range(4))
    v = on.put(np.zeros((3, *shape), dtype))
    # The first model of the field is the measurement itself, zero outside the mask.
    q = on.put(measured.copy())
    limits = (terms.lam / _RHO_GRADIENT,) * 3
    model = on.put(measured.copy()) if s else None
    for iteration in range(ending.iterations):
        progress(iteration)
        relax = _OVER_RELAXATION if iteration else 1.0
        if iteration:
            sweeps.shrink(chi, v, sweep, limits, problem.scales, edges, terms.kept, relax)
            sweeps.confine(chi, held, sweep, support, hold, relax)
            progress(iteration)
            gradient = on.rfftn(sweep)
        if model is None:
            sweeps.fit_field(field, q, target, weight, relax)
        else:
            sweeps.fit_phase(field, q, model, target, weight, relax, _RHO_FIELD, s)
        data = on.rfftn(field)
        if not iteration:
            gradient = on.zeros_like(data)  # of nothing
        sweeps.solve(gradient, data, dipole, inverse, share)
        previous, chi = chi, on.irfftn(gradient, shape)
        field = on.irfftn(data, shape)
        done = iteration + 1
        if renewed is not None and done <= last and done % STEPS_BETWEEN == 0:
            del gradient, data, previous  # room for the work on the background
            measured, square = renewed(on.back(chi), on.back(field), measured)
            target, weight = on.put(measured), shares(square)
            del square
        elif (
            done > last
            and ending.tolerance > 0
            and _change(chi, previous, on.xp) < ending.tolerance
        ):
            break
    return on.back(chi), on.back(field)


def robust_weights(
    problem: Problem, field: Array, outlier_sd: float, least_cut: float = 0.0
) -> Array:
    """Factor on W² per voxel: 1 where the model explains the field, small where it cannot."""
    residual = problem.field - field
    # For a normal distribution the standard deviation is 1.4826 median absolute deviations.
    spread = 1.4826 * float(np.median(np.abs(residual[problem.mask])))
    residual /= residual.dtype.type(max(outlier_sd * spread, least_cut))
    residual *= residual
    residual += 1
    residual *= residual
    np.reciprocal(residual, out=residual)
    return residual


def _change(new: Any, old: Any, xp: Any = None) -> float:
    """Relative change of the map; the sums in double precision by blocks."""
    if xp is not None:
        change, norm = (float(xp.sum(part * part)) for part in (new - old, new))
        return float(np.sqrt(change / norm)) if norm else 0.0
    change = norm = 0.0
    for a, b in zip(new, old, strict=True):
        step = a - b
        change += float(np.vdot(step, step))
        norm += float(np.vdot(a, a))
    return float(np.sqrt(change / norm)) if norm else 0.0
