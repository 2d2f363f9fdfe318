"""Conjugate gradients on volumes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.stages import Progress, Warn

Operator = Callable[[Array], Array]


def conjugate_gradients(
    operator: Operator,
    given: Array,
    tolerance: float,
    max_iterations: int,
    *,
    precondition: Operator | None = None,
    progress: Progress,
    warn: Warn,
) -> Array:
    """Solve a symmetric positive (semi)definite system, starting from zero.

    Parameters
    ----------
    operator : callable
        Applies the system to a volume; it must not keep or change its argument.
    given : ndarray
        Right-hand side.
    tolerance : float
        Stop when the residual's norm falls below this part of that of ``given``.
    max_iterations : int
        Stop with a warning after so many.
    precondition : callable, optional
        Applies a symmetric positive definite approximate inverse.

    Returns
    -------
    ndarray
        The solution, in the precision of ``given``.
    """
    scale = given.dtype.type
    x = np.zeros_like(given)
    r = given.copy()
    start = inner(r, r)
    if start == 0:
        progress(1.0)
        return x
    z = r if precondition is None else precondition(r)
    p = z.copy()
    rz = inner(r, z)
    rr = start
    for step in range(max_iterations):
        q = operator(p)
        curvature = inner(p, q)
        if curvature <= 0:  # p has run out of everything the system sees
            break
        alpha = scale(rz / curvature)
        x += alpha * p
        q *= alpha
        r -= q
        rr = inner(r, r)
        progress((step + 1) / max_iterations)
        if rr <= tolerance**2 * start:
            break
        z = r if precondition is None else precondition(r)
        before, rz = rz, inner(r, z)
        p *= scale(rz / before)
        p += z
    if rr > tolerance**2 * start:
        warn(
            f"The solver stopped after {step + 1} iterations at a relative residual of "
            f"{(rr / start) ** 0.5:.2g}; {tolerance:g} was asked for."
        )
    progress(1.0)
    return x


def inner(a: Array, b: Array) -> float:
    """Inner product, summed in float64 plane by plane."""
    return float(sum(np.vdot(u, v) for u, v in zip(a, b, strict=True)))
