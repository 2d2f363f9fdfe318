"""Laplacian of wrapped phase and its inverse: the core of Laplacian unwrapping.

:mod:`napari_qsm.recon.wrapped_laplacian_numba` holds the compiled twin of the stencil.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_qsm.recon.fourier import WORKERS, fast_shape

Array = npt.NDArray[Any]


def wrapped_laplacian(
    phase: Array, voxel_size_mm: Sequence[float], shape: Sequence[int] | None = None
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
    shape : three ints, optional
        Grid of the result, at least that of the phase, which is continued by its border
        values. No difference leaves the grid (Neumann).

    Returns
    -------
    ndarray of that shape, same precision.
    """
    grid = tuple(shape) if shape is not None else phase.shape
    weights = tuple(phase.dtype.type(1 / size**2) for size in voxel_size_mm)
    try:
        compiled = importlib.import_module("napari_qsm.recon.wrapped_laplacian_numba")
    except ImportError:
        return _stencil(phase, grid, weights)
    out = np.empty(grid, phase.dtype)
    source = np.ascontiguousarray(phase)
    edges = np.linspace(0, grid[0], WORKERS + 1).astype(int)
    with ThreadPoolExecutor(WORKERS) as pool:
        # Threads of our own: numba's may not be entered from two threads at once.
        list(
            pool.map(
                lambda i: compiled.stencil(source, out, weights, *edges[i : i + 2]), range(WORKERS)
            )
        )
    return out


def _stencil(phase: Array, grid: tuple[int, ...], weights: tuple[Any, ...]) -> Array:
    out = np.zeros(grid, phase.dtype)
    padded = np.pad(phase, [(0, m - n) for n, m in zip(phase.shape, grid, strict=True)], "edge")
    pi, turn = phase.dtype.type(np.pi), phase.dtype.type(2 * np.pi)
    for axis, weight in enumerate(weights):
        step = np.diff(padded, axis=axis)
        step += np.where(step >= pi, -turn, np.where(step < -pi, turn, phase.dtype.type(0)))
        step *= weight
        lower: list[slice] = [slice(None)] * 3
        upper: list[slice] = [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        out[tuple(lower)] += step
        out[tuple(upper)] -= step
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
    shape = fast_shape(phase.shape)
    laplacian = wrapped_laplacian(phase, voxel_size_mm, shape)
    inside = tuple(slice(0, n) for n in phase.shape)
    if laplacian.shape != phase.shape or not mask.all():
        kept = np.zeros(shape, bool)
        kept[inside] = mask
        laplacian *= kept
    return solve_poisson(laplacian, voxel_size_mm)[inside]
