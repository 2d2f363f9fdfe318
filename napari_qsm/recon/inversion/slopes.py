"""The sweeps of total generalised variation, compiled; see :mod:`napari_qsm.recon.inversion.tgv`.

Slopes are three volumes, in x, y, z; a slope lies between the two voxels whose difference it is. How
they vary is a symmetric matrix, kept as six volumes xx, yy, zz, xy, xz, yz: xx lies at a voxel,
between two slopes in x, and xy amid four voxels, between slopes in x and slopes in y. So no axis
and no direction along one is preferred, and mirrored scans give mirrored maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.passes import clip, compiled_sweep


def shrink_slopes(
    chi: Array,
    slopes: Array,
    v: Array,
    e: Array,
    limits: tuple[float, float],
    scales: tuple[float, ...],
    relax: float,
) -> None:
    """Soft thresholds of the map's slopes less the free ones, and of how those vary.

    Parameters
    ----------
    chi : (x, y, z) ndarray
        The current map.
    slopes : (3, x, y, z) ndarray
        The free slopes.
    v, e : (3, x, y, z) and (6, x, y, z) ndarray
        Split plus dual; updated in place.
    limits : two floats
        Thresholds of both.
    scales : three floats
        What a difference between neighbours is multiplied by, per axis.
    relax : float
        Over-relaxation, 1 to 1.9.
    """
    real = chi.dtype.type
    _shrink_slopes(
        chi,
        slopes,
        v,
        e,
        tuple(real(limit) for limit in limits),
        tuple(real(scale) for scale in scales),
        real(relax),
    )


@numba.njit(cache=True, inline="always")
def _drawn(old, new, limit, relax):  # type: ignore[no-untyped-def]
    """Split plus dual, from the last one and what is split."""
    return old + relax * (new + clip(old, limit) - old)


@compiled_sweep
def _shrink_slopes(chi, slopes, v, e, limits, scales, relax):  # type: ignore[no-untyped-def]
    nx, ny, nz = chi.shape
    sx, sy, sz = scales
    first, second = limits
    half = chi.dtype.type(0.5)
    for i in numba.prange(nx):
        up = i + 1 if i + 1 < nx else 0
        down = i - 1 if i > 0 else nx - 1
        for j in range(ny):
            right = j + 1 if j + 1 < ny else 0
            left = j - 1 if j > 0 else ny - 1
            for k in range(nz):
                ahead = k + 1 if k + 1 < nz else 0
                back = k - 1 if k > 0 else nz - 1
                here = chi[i, j, k]
                x, y, z = slopes[0, i, j, k], slopes[1, i, j, k], slopes[2, i, j, k]
                a = sx * (chi[up, j, k] - here) - x
                b = sy * (chi[i, right, k] - here) - y
                c = sz * (chi[i, j, ahead] - here) - z
                v[0, i, j, k] = _drawn(v[0, i, j, k], a, first, relax)
                v[1, i, j, k] = _drawn(v[1, i, j, k], b, first, relax)
                v[2, i, j, k] = _drawn(v[2, i, j, k], c, first, relax)
                a = sx * (x - slopes[0, down, j, k])
                b = sy * (y - slopes[1, i, left, k])
                c = sz * (z - slopes[2, i, j, back])
                e[0, i, j, k] = _drawn(e[0, i, j, k], a, second, relax)
                e[1, i, j, k] = _drawn(e[1, i, j, k], b, second, relax)
                e[2, i, j, k] = _drawn(e[2, i, j, k], c, second, relax)
                a = half * (sy * (slopes[0, i, right, k] - x) + sx * (slopes[1, up, j, k] - y))
                b = half * (sz * (slopes[0, i, j, ahead] - x) + sx * (slopes[2, up, j, k] - z))
                c = half * (sz * (slopes[1, i, j, ahead] - y) + sy * (slopes[2, i, right, k] - z))
                e[3, i, j, k] = _drawn(e[3, i, j, k], a, second, relax)
                e[4, i, j, k] = _drawn(e[4, i, j, k], b, second, relax)
                e[5, i, j, k] = _drawn(e[5, i, j, k], c, second, relax)


def gather_slopes(
    v: Array,
    e: Array,
    out: Array,
    slopes: Array,
    limits: tuple[float, float],
    scales: tuple[float, ...],
    ratio: float,
) -> None:
    """What the splits pull map and slopes to: adjoint differences of split minus dual.

    Parameters
    ----------
    v, e, limits, scales
        As for :func:`shrink_slopes`, which comes before.
    out : (x, y, z) ndarray
        Receives that of the map.
    slopes : (3, x, y, z) ndarray
        Receives that of the slopes.
    ratio : float
        Penalty of the second split over that of the first.
    """
    real = out.dtype.type
    _gather_slopes(
        v,
        e,
        out,
        slopes,
        tuple(real(limit) for limit in limits),
        tuple(real(scale) for scale in scales),
        real(ratio),
    )


@numba.njit(cache=True, inline="always")
def _apart(value, limit):  # type: ignore[no-untyped-def]
    """Split minus dual."""
    inside = clip(value, limit)
    return value - inside - inside


@compiled_sweep
def _gather_slopes(v, e, out, slopes, limits, scales, ratio):  # type: ignore[no-untyped-def]
    nx, ny, nz = out.shape
    sx, sy, sz = scales
    s, t = limits
    for i in numba.prange(nx):
        up = i + 1 if i + 1 < nx else 0
        down = i - 1 if i > 0 else nx - 1
        for j in range(ny):
            right = j + 1 if j + 1 < ny else 0
            left = j - 1 if j > 0 else ny - 1
            for k in range(nz):
                ahead = k + 1 if k + 1 < nz else 0
                back = k - 1 if k > 0 else nz - 1
                a = _apart(v[0, i, j, k], s)
                b = _apart(v[1, i, j, k], s)
                c = _apart(v[2, i, j, k], s)
                out[i, j, k] = (
                    sx * (_apart(v[0, down, j, k], s) - a)
                    + sy * (_apart(v[1, i, left, k], s) - b)
                    + sz * (_apart(v[2, i, j, back], s) - c)
                )
                xy = _apart(e[3, i, j, k], t)
                xz = _apart(e[4, i, j, k], t)
                yz = _apart(e[5, i, j, k], t)
                x = sx * (_apart(e[0, i, j, k], t) - _apart(e[0, up, j, k], t))
                x += sy * (_apart(e[3, i, left, k], t) - xy)
                x += sz * (_apart(e[4, i, j, back], t) - xz)
                y = sy * (_apart(e[1, i, j, k], t) - _apart(e[1, i, right, k], t))
                y += sx * (_apart(e[3, down, j, k], t) - xy)
                y += sz * (_apart(e[5, i, j, back], t) - yz)
                z = sz * (_apart(e[2, i, j, k], t) - _apart(e[2, i, j, ahead], t))
                z += sx * (_apart(e[4, down, j, k], t) - xz)
                z += sy * (_apart(e[5, i, left, k], t) - yz)
                slopes[0, i, j, k] = ratio * x - a
                slopes[1, i, j, k] = ratio * y - b
                slopes[2, i, j, k] = ratio * z - c


def solve_slopes(
    of_map: Array,
    of_field: Array,
    of_slopes: Sequence[Array],
    dipole: Array,
    differences: Sequence[Array],
    penalties: tuple[float, float, float],
) -> None:
    """Solve for map and slopes in Fourier space: four equations at each frequency.

    Parameters
    ----------
    of_map, of_field : (x, y, z//2+1) complex ndarray
        In: spectra of what map and field are pulled to. Out: those of the map and of its field.
    of_slopes : three of them
        In: of what the slopes are pulled to. Out: of the slopes.
    dipole : (x, y, z//2+1) ndarray
        The dipole kernel.
    differences : three 1-D complex ndarrays
        Spectrum of the forward difference along each axis, scaled.
    penalties : three floats
        Those of the field, support and second slopes' splits over that of the first.
    """
    real = dipole.dtype.type
    kind = np.result_type(dipole.dtype, np.complex64)
    _solve_slopes(
        of_map,
        of_field,
        *of_slopes,
        dipole,
        *(d.astype(kind) for d in differences),
        tuple(real(p) for p in penalties),
    )


@compiled_sweep
def _solve_slopes(of_map, of_field, ox, oy, oz, dipole, dx, dy, dz, penalties):  # type: ignore[no-untyped-def]
    share, hold, ratio = penalties
    one, half = dipole.dtype.type(1), dipole.dtype.type(0.5)
    nx, ny, nz = dipole.shape
    for i in numba.prange(nx):
        x = dx[i]
        for j in range(ny):
            y = dy[j]
            for k in range(nz):
                z = dz[k]
                # The slopes' own equations: (1 + r/2 E² + r/2 d d*) w = d chi + m.
                e = (
                    (x.real * x.real + x.imag * x.imag)
                    + (y.real * y.real + y.imag * y.imag)
                    + (z.real * z.real + z.imag * z.imag)
                )
                a, b, c = ox[i, j, k], oy[i, j, k], oz[i, j, k]
                along = x.conjugate() * a + y.conjugate() * b + z.conjugate() * c
                d = dipole[i, j, k]
                soft = one / (one + ratio * e)
                pull = of_map[i, j, k] + share * d * of_field[i, j, k] + soft * along
                chi = pull / (share * d * d + hold + ratio * e * e * soft)
                stiff = one / (one + half * ratio * e)
                along = half * ratio * soft * (e * chi + along)
                ox[i, j, k] = stiff * (a + x * (chi - along))
                oy[i, j, k] = stiff * (b + y * (chi - along))
                oz[i, j, k] = stiff * (c + z * (chi - along))
                of_map[i, j, k] = chi
                of_field[i, j, k] = d * chi
