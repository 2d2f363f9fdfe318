"""Laplacian of wrapped phase and its inverse: the core of Laplacian unwrapping.

:mod:`napari_qsm.recon.wrapped_laplacian_numba` holds the compiled twin of the stencil.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_qsm.recon.edge_weights import by_slab
from napari_qsm.recon.fourier import WORKERS, fast_shape

Array = npt.NDArray[Any]


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
    try:
        compiled = importlib.import_module("napari_qsm.recon.wrapped_laplacian_numba")
    except ImportError:
        inner = out[tuple(slice(0, n) for n in phase.shape)]
        _stencil(phase, inner, weights)
        if mask is not None:
            inner *= mask
        return out
    source = np.ascontiguousarray(phase)
    kept = np.ones(phase.shape, bool) if mask is None else np.ascontiguousarray(mask)
    by_slab(len(phase), lambda *ends: compiled.stencil(source, kept, out, weights, *ends))
    return out


def _stencil(phase: Array, out: Array, weights: tuple[Any, ...]) -> None:
    pi, turn = phase.dtype.type(np.pi), phase.dtype.type(2 * np.pi)
    for axis, weight in enumerate(weights):
        step = np.diff(phase, axis=axis)
        step += np.where(step >= pi, -turn, np.where(step < -pi, turn, phase.dtype.type(0)))
        step *= weight
        before = (slice(None),) * axis
        out[(*before, slice(None, -1))] += step
        out[(*before, slice(1, None))] -= step


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
    spectrum = scipy.fft.dctn(laplacian, type=2, workers=WORKERS, overwrite_x=True)
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
    return scipy.fft.idctn(spectrum, type=2, workers=WORKERS, overwrite_x=True)


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
