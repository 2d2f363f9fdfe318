"""Laplacian unwrapping: the Laplacian of the wrapped phase, and its inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numba
import numpy as np
import scipy.fft

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.fourier import fast_shape
from napari_qsm.recon.parallel import by_slab, threads
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning
from napari_qsm.recon.unwrap.checks import check_phase_and_mask
from napari_qsm.recon.unwrap.exact import unwrap_exactly

#: Free voxels kept round the mask, so that the borders of the box do not bend the solution.
_MARGIN_VOXELS = 12


def _beyond_the_papers(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    if not settings["exact"]:
        return ""
    return (
        "Beyond the cited method, napari-qsm unwrapped what Laplacian unwrapping left to the wrapped "
        "phase along a quality-guided tree, so that the result is exact to whole turns."
    )


@method(
    "unwrap",
    "laplacian",
    title="Laplacian",
    references=("Schofield 2003, Opt Lett 28:1194, doi:10.1364/OL.28.001194",),
    beyond=_beyond_the_papers,
)
def laplacian(
    phase: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    *,
    exact: Annotated[
        bool,
        Param("Afterwards unwrap what is left to the wrapped phase, along a quality-guided tree."),
    ] = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Laplacian unwrapping: fast and smooth, not exact to whole turns unless asked to be.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    mask : (x, y, z) bool ndarray
    voxel_size_mm : three floats
    magnitude : (M, x, y, z) ndarray, optional
    echo_times_s : E floats
        Both only for ``exact``, as for :func:`quality_guided`.

    Returns
    -------
    (E, x, y, z) ndarray
        Unwrapped phase, rad, same precision; 0 outside the mask. Its constant is chosen such
        that it agrees with the wrapped phase up to whole turns, on average, with a mean
        within half a turn of zero.

    Raises
    ------
    GeometryError, QsmError
        See :func:`check_phase_and_mask`.

    Notes
    -----
    The Laplacian is made from wrapped differences and inverted by a cosine transform on the
    box of the mask. Outside the mask it is set to zero: the phase of air is noise, and what
    any choice of it adds is harmonic inside the mask, so it goes away with the background
    field; zero was the choice with the smallest error before that (half of what noise or
    cut differences leave).

    The result differs from the truth by a smooth field, and by more where neighbours differ by
    more than half a turn: beside air, and round bleeds. With ``exact``, the difference between
    the wrapped phase and this result is unwrapped itself, with the weights, the steps over
    time and the care for steep places of :func:`quality_guided`, and added.
    """
    phase, mask = check_phase_and_mask(phase, mask)
    box = bounding_box(mask, _MARGIN_VOXELS)
    inside = mask[box]
    if exact:
        return unwrap_exactly(
            phase,
            mask,
            box,
            magnitude,
            echo_times_s,
            voxel_size_mm,
            guess=lambda wrapped: integrate(np.ascontiguousarray(wrapped), voxel_size_mm, inside),
            progress=progress,
        )
    out = np.zeros_like(phase)
    for echo in range(len(phase)):
        wrapped = phase[echo][box]
        solved = integrate(wrapped, voxel_size_mm, inside)
        constant = _constant(wrapped[inside], solved[inside])
        out[echo][box] = np.where(inside, solved + solved.dtype.type(constant), 0)
        progress((echo + 1) / len(phase))
    return out


def _constant(wrapped: Array, solved: Array) -> float:
    """Constant that makes ``solved`` agree with the wrapped phase, its mean within half a turn."""
    apart = wrapped - solved
    sine, cosine = (np.mean(part(apart), dtype=np.float64) for part in (np.sin, np.cos))
    constant = float(np.arctan2(sine, cosine))
    turns = (float(np.mean(solved, dtype=np.float64)) + constant) / (2 * np.pi)
    return constant - 2 * np.pi * float(np.rint(turns))


def wrapped_laplacian(
    phase: Array,
    voxel_size_mm: Sequence[float],
    mask: Array | None = None,
    shape: Sequence[int] | None = None,
) -> Array:
    """Laplacian of the phase from differences wrapped to [-pi, pi), rad/mm².

    It equals the Laplacian of the unwrapped phase wherever neighbours differ by less than pi,
    unlike the form with sines and cosines, which shrinks steep differences to their sine.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Phase wrapped to [-pi, pi), rad.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    mask : (x, y, z) bool ndarray, optional
        The result is zero outside it. Its own border voxels use their neighbours outside.
    shape : three ints, optional
        Grid of the result, at least that of the phase; zero beyond it.

    Returns
    -------
    ndarray of that shape, same precision
        No difference is taken across the faces of the phase's grid.
    """
    grid = tuple(shape) if shape is not None else phase.shape
    weights = tuple(phase.dtype.type(1 / size**2) for size in voxel_size_mm)
    out = np.zeros(grid, phase.dtype)
    source = np.ascontiguousarray(phase)
    kept = np.ones(phase.shape, bool) if mask is None else np.ascontiguousarray(mask)
    by_slab(len(phase), lambda *ends: _stencil(source, kept, out, weights, *ends))
    return out


def solve_poisson(laplacian: Array, voxel_size_mm: Sequence[float]) -> Array:
    """Function of mean zero whose 7-point Laplacian is given, no flux through the border.

    Parameters
    ----------
    laplacian : (x, y, z) ndarray
        Its mean is ignored. Overwritten.
    voxel_size_mm : three floats
        Edge lengths of a voxel.

    Notes
    -----
    The cosine transform (DCT-II) diagonalises the Laplacian with mirror borders, with
    eigenvalues ``sum_i (2 cos(pi m_i / n_i) - 2) / h_i²``.
    """
    spectrum = scipy.fft.dctn(laplacian, type=2, workers=threads(), overwrite_x=True)
    x, y, z = (
        ((2 * np.cos(np.pi * np.arange(n) / n) - 2) / size**2).astype(laplacian.dtype)
        for n, size in zip(laplacian.shape, voxel_size_mm, strict=True)
    )
    yz = y[:, None] + z[None, :]
    for i, plane in enumerate(spectrum):  # plane by plane: no grid of eigenvalues in memory
        eigenvalues = x[i] + yz
        if i == 0:
            eigenvalues[0, 0] = 1
        plane /= eigenvalues
    spectrum[0, 0, 0] = 0
    return scipy.fft.idctn(spectrum, type=2, workers=threads(), overwrite_x=True)


def integrate(phase: Array, voxel_size_mm: Sequence[float], mask: Array) -> Array:
    """Phase whose Laplacian is that of the wrapped phase inside a mask and zero outside.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Phase wrapped to [-pi, pi), rad.
    voxel_size_mm : three floats
    mask : (x, y, z) bool ndarray

    Returns
    -------
    (x, y, z) ndarray
        rad, up to a constant.
    """
    laplacian = wrapped_laplacian(phase, voxel_size_mm, mask, fast_shape(phase.shape))
    # A free border admits no net source. What the rim of the mask adds is taken back outside:
    # taken from the mean it would bend the phase inside.
    outside = laplacian.size - int(np.count_nonzero(mask))
    inside = tuple(slice(0, n) for n in phase.shape)
    if outside:
        spread = -laplacian.sum(dtype=np.float64) / outside
        kept = laplacian[inside][mask]
        laplacian.fill(spread)
        laplacian[inside][mask] = kept
    return solve_poisson(laplacian, voxel_size_mm)[inside]


@numba.njit(cache=True, inline="always")
def _wrap(step, pi, turn):  # type: ignore[no-untyped-def]
    if step >= pi:
        return step - turn
    if step < -pi:
        return step + turn
    return step


@numba.njit(cache=True, nogil=True)
def _stencil(phase, mask, out, weights, start, stop):  # type: ignore[no-untyped-def]
    """Fill planes start..stop of ``out`` inside the mask; differences across faces are zero."""
    nx, ny, nz = phase.shape
    wx, wy, wz = weights
    pi = phase.dtype.type(np.pi)
    turn = phase.dtype.type(2 * np.pi)
    for i in range(start, stop):
        here = phase[i]
        before = phase[max(i - 1, 0)]
        after = phase[min(i + 1, nx - 1)]
        for j in range(ny):
            row = here[j]
            left = here[max(j - 1, 0)]
            right = here[min(j + 1, ny - 1)]
            up = after[j]
            down = before[j]
            inside = mask[i, j]
            target = out[i, j]
            for k in range(nz):
                v = row[k]
                target[k] = wx * (
                    _wrap(up[k] - v, pi, turn) - _wrap(v - down[k], pi, turn)
                ) + wy * (_wrap(right[k] - v, pi, turn) - _wrap(v - left[k], pi, turn))
            for k in range(nz - 1):
                step = wz * _wrap(row[k + 1] - row[k], pi, turn)
                target[k] += step
                target[k + 1] -= step
            for k in range(nz):
                if not inside[k]:
                    target[k] = 0
