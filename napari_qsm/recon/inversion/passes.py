"""The sweeps of the total-variation solver, compiled: one pass through memory each.

The alternating direction method keeps a split variable ``y`` and a scaled dual ``u`` for each
constraint. Only their sum ``v = y + u`` is stored: the proximal map of ``v`` gives ``y`` and
the remainder gives ``u``, so three arrays do the work of six and over-relaxation is free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.parallel import threads

#: Newton steps per voxel and iteration in the nonlinear data term.
NEWTON_STEPS = 3


#: Slabs swept side by side; a fixed number, so that results do not depend on the machine.
_CHUNKS = 16


def compiled_sweep(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a sweep; each call takes no more threads than :func:`threads` says then."""
    compiled = numba.njit(
        cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy"
    )(function)

    @wraps(function)
    def call(*arguments: Any) -> None:
        # Numba keeps this for each thread that calls; its pool is of a size fixed at import.
        numba.set_num_threads(min(threads(), numba.config.NUMBA_NUM_THREADS))
        compiled(*arguments)

    return call


@numba.njit(cache=True, inline="always")
def clip(value, limit):  # type: ignore[no-untyped-def]
    """The value, within minus and plus the limit."""
    return min(max(value, -limit), limit)


def shrink(
    chi: Array,
    v: Array,
    out: Array,
    limits: tuple[float, ...],
    scales: tuple[float, ...],
    edges: Array,
    kept: float,
    relax: float,
) -> None:
    """Gradient, soft threshold, dual update and divergence in one go.

    Parameters
    ----------
    chi : (x, y, z) ndarray
        The current map.
    v : (3, x, y, z) ndarray
        Split plus dual per axis; updated in place.
    out : (x, y, z) ndarray
        Receives the adjoint gradient of ``y - u``.
    limits : three floats
        Threshold lambda / rho per axis.
    scales : three floats
        What a difference between neighbours is multiplied by, per axis.
    edges : (x, y, z) ndarray of uint8, or empty
        Bits 1, 2, 4: the difference towards the next voxel in x, y, z crosses an edge, where
        the threshold is multiplied by ``kept``.
    kept : float
        See ``edges``.
    relax : float
        Over-relaxation, 1 to 1.9.
    """
    real = chi.dtype.type
    _shrink(
        chi,
        v,
        out,
        tuple(real(limit) for limit in limits),
        tuple(real(scale) for scale in scales),
        edges,
        real(kept),
        real(relax),
    )


@compiled_sweep
def _shrink(chi, v, out, limits, scales, edges, kept, relax):  # type: ignore[no-untyped-def]
    # The inner loops run along rows that are views, and choose instead of branching: compilers
    # then take several voxels at once.
    nx, ny, nz = chi.shape
    lx, ly, lz = limits
    kx, ky, kz = lx * kept, ly * kept, lz * kept
    sx, sy, sz = scales
    with_edges = edges.size > 0
    chunks = min(_CHUNKS, nx)
    two = chi.dtype.type(2)
    for chunk in numba.prange(chunks):
        start = chunk * nx // chunks
        stop = (chunk + 1) * nx // chunks
        tx = np.full(nz, lx, chi.dtype)
        ty = np.full(nz, ly, chi.dtype)
        tz = np.full(nz, lz, chi.dtype)
        wx = np.zeros((ny, nz), chi.dtype)
        wy = np.zeros(nz, chi.dtype)
        wz = np.empty(nz, chi.dtype)
        for i in range(start, stop):
            up = i + 1 if i + 1 < nx else 0
            wy[:] = 0
            for j in range(ny):
                right = j + 1 if j + 1 < ny else 0
                if with_edges:
                    for k in range(nz):
                        bits = edges[i, j, k]
                        tx[k] = kx if bits & 1 else lx
                        ty[k] = ky if bits & 2 else ly
                        tz[k] = kz if bits & 4 else lz
                row = chi[i, j]
                above = chi[up, j]
                beside = chi[i, right]
                v0 = v[0, i, j]
                v1 = v[1, i, j]
                v2 = v[2, i, j]
                before = wx[j]
                line = out[i, j]
                for k in range(nz):
                    here = row[k]
                    a = v0[k]
                    a += relax * (sx * (above[k] - here) + clip(a, tx[k]) - a)
                    v0[k] = a
                    ax = a - two * clip(a, tx[k])
                    b = v1[k]
                    b += relax * (sy * (beside[k] - here) + clip(b, ty[k]) - b)
                    v1[k] = b
                    by = b - two * clip(b, ty[k])
                    # What lies before in x and y was swept before, except on a first line.
                    line[k] = sx * (before[k] - ax) + sy * (wy[k] - by)
                    before[k] = ax
                    wy[k] = by
                c = v2[nz - 1]
                c += relax * (sz * (row[0] - row[nz - 1]) + clip(c, tz[nz - 1]) - c)
                v2[nz - 1] = c
                wz[nz - 1] = c - two * clip(c, tz[nz - 1])
                for k in range(nz - 1):
                    c = v2[k]
                    c += relax * (sz * (row[k + 1] - row[k]) + clip(c, tz[k]) - c)
                    v2[k] = c
                    wz[k] = c - two * clip(c, tz[k])
                line[0] += sz * (wz[nz - 1] - wz[0])
                for k in range(1, nz):
                    line[k] += sz * (wz[k - 1] - wz[k])
            # The first line in y looks back, round the edge, at the last one.
            out[i, 0] += sy * wy
    for chunk in range(chunks):
        start = chunk * nx // chunks
        last = start - 1 if start > 0 else nx - 1
        for j in range(ny):
            for k in range(nz):
                limit = kx if with_edges and edges[last, j, k] & 1 else lx
                a = v[0, last, j, k]
                out[start, j, k] += sx * (a - two * clip(a, limit))


def confine(chi: Array, held: Array, out: Array, support: Array, hold: float, relax: float) -> None:
    """Keep the map zero outside its support; adds ``hold * (split - dual)`` to ``out``.

    Inside, the split follows the map and the dual is zero; outside it is the other way round.
    ``held`` is split plus dual, updated in place.
    """
    real = chi.dtype.type
    _confine(chi, held, out, support, real(hold), real(relax))


@compiled_sweep
def _confine(chi, held, out, support, hold, relax):  # type: ignore[no-untyped-def]
    nx, ny, nz = chi.shape
    zero = chi.dtype.type(0)
    for i in numba.prange(nx):
        for j in range(ny):
            row = chi[i, j]
            split = held[i, j]
            line = out[i, j]
            inside = support[i, j]
            for k in range(nz):
                g = split[k]
                g += relax * (row[k] - (g if inside[k] else zero))
                line[k] += hold * (g if inside[k] else -g)
                split[k] = g


def fit_field(field: Array, q: Array, target: Array, weight: Array, relax: float) -> None:
    """Pull the model's field towards the measured one where that can be trusted.

    Parameters
    ----------
    field : (x, y, z) ndarray
        In: the field of the current map. Out: ``z - s``, split minus dual.
    q : (x, y, z) ndarray
        Split plus dual; updated in place.
    target : (x, y, z) ndarray
        Measured field.
    weight : (x, y, z) ndarray
        ``W² / (W² + mu)``: 0 where nothing is known, below 1 elsewhere.
    relax : float
        Over-relaxation.
    """
    _fit_field(field, q, target, weight, q.dtype.type(relax))


@compiled_sweep
def _fit_field(field, q, target, weight, relax):  # type: ignore[no-untyped-def]
    one = q.dtype.type(1)
    two = q.dtype.type(2)
    nx, ny, nz = q.shape
    for i in numba.prange(nx):
        for j in range(ny):
            for k in range(nz):
                w = weight[i, j, k]
                a = w * target[i, j, k]
                old = q[i, j, k]
                new = old + relax * (field[i, j, k] - a - (one - w) * old)
                q[i, j, k] = new
                field[i, j, k] = two * (a + (one - w) * new) - new


def fit_phase(
    field: Array,
    q: Array,
    model: Array,
    target: Array,
    weight: Array,
    relax: float,
    rho: float,
    radians_per_ppm: float,
) -> None:
    """:func:`fit_field` for the nonlinear data term ``W² (1 - cos(s (z - f))) / s²``.

    A few Newton steps per voxel with the curvature kept positive, from the last model ``z``.

    Parameters
    ----------
    field, q, target, relax
        As in :func:`fit_field`.
    model : (x, y, z) ndarray
        The split z; updated in place.
    weight : (x, y, z) ndarray
        W².
    rho : float
        Penalty of the field split.
    radians_per_ppm : float
        s.
    """
    real = q.dtype.type
    _fit_phase(
        field,
        q,
        model,
        target,
        weight,
        real(relax),
        real(rho),
        real(radians_per_ppm),
        NEWTON_STEPS,
    )


@compiled_sweep
def _fit_phase(field, q, model, target, weight, relax, rho, s, steps):  # type: ignore[no-untyped-def]
    two = q.dtype.type(2)
    zero = q.dtype.type(0)
    nx, ny, nz = q.shape
    for i in numba.prange(nx):
        for j in range(ny):
            for k in range(nz):
                w = weight[i, j, k]
                f = target[i, j, k]
                z = model[i, j, k]
                new = q[i, j, k] + relax * (field[i, j, k] - z)
                q[i, j, k] = new
                if w == zero:
                    z = new
                else:
                    for _ in range(steps):
                        angle = s * (z - f)
                        slope = w * np.sin(angle) / s + rho * (z - new)
                        z -= slope / (w * max(np.cos(angle), zero) + rho)
                model[i, j, k] = z
                field[i, j, k] = two * z - new


def solve(gradient: Array, data: Array, dipole: Array, inverse: Array, share: float) -> None:
    """Solve for the map in Fourier space.

    Parameters
    ----------
    gradient, data : (x, y, z//2+1) complex ndarray
        In: spectra of the outputs of :func:`shrink` and :func:`fit_field`. Out: spectra of the
        map and of its field.
    dipole, inverse : (x, y, z//2+1) ndarray
        The dipole kernel and ``1 / (E² + share D²)``.
    share : float
        Penalty of the data split over that of the gradient split, mu / rho.
    """
    _solve(gradient, data, dipole, inverse, dipole.dtype.type(share))


@compiled_sweep
def _solve(gradient, data, dipole, inverse, share):  # type: ignore[no-untyped-def]
    nx, ny, nz = gradient.shape
    for i in numba.prange(nx):
        for j in range(ny):
            for k in range(nz):
                d = dipole[i, j, k]
                chi = (gradient[i, j, k] + share * d * data[i, j, k]) * inverse[i, j, k]
                gradient[i, j, k] = chi
                data[i, j, k] = d * chi


def solve_harmonic(
    of_map: Array,
    of_field: Array,
    of_bend: Array,
    dipole: Array,
    gradient_square: Array,
    penalties: tuple[float, float, float],
) -> None:
    """Solve for the map and a nearly harmonic remainder of the field in Fourier space.

    Parameters
    ----------
    of_map, of_field, of_bend : (x, y, z//2+1) complex ndarray
        In: spectra of what map, field and the remainder's Laplacian are pulled to. Out: spectra of
        the map, of its field with the remainder, and of the remainder's Laplacian.
    dipole, gradient_square : (x, y, z//2+1) ndarray
        The dipole kernel and E², minus the Laplacian.
    penalties : three floats
        Those of the field, support and Laplacian splits over that of the gradient split.
    """
    real = dipole.dtype.type
    _solve_harmonic(
        of_map, of_field, of_bend, dipole, gradient_square, tuple(real(p) for p in penalties)
    )


@compiled_sweep
def _solve_harmonic(of_map, of_field, of_bend, dipole, gradient_square, penalties):  # type: ignore[no-untyped-def]
    share, hold, stiff = penalties
    one = dipole.dtype.type(1)
    nx, ny, nz = dipole.shape
    for i in numba.prange(nx):
        for j in range(ny):
            for k in range(nz):
                d = dipole[i, j, k]
                e = gradient_square[i, j, k]
                g = share * of_field[i, j, k]
                prior = e + hold
                bend = stiff * e * e
                a = of_map[i, j, k] + d * g
                b = g - stiff * e * of_bend[i, j, k]
                inverse = one / (share * d * d * bend + prior * (share + bend))
                chi = ((share + bend) * a - share * d * b) * inverse
                rest = ((share * d * d + prior) * b - share * d * a) * inverse
                of_map[i, j, k] = chi
                of_field[i, j, k] = d * chi + rest
                of_bend[i, j, k] = -e * rest
