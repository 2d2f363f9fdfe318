"""The field of cells that are filled evenly, as a mean over cells: for grids that lie askew in the main field.

The dipole kernel of single frequencies jumps at the edge of Fourier space where the main field runs along no axis of
the grid: its terms ``kx ky`` change their sign there. A surface as strong as that of the head against air then
leaves ripples from voxel to voxel all through the brain. A cell that is filled evenly, and a field that is a
mean over it, have no such jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.fourier import fast_shape, forward_field, frequencies, irfftn, pad_to, rfftn


def field_of_cells(
    chi_ppm: Array, voxel_size_mm: Sequence[float], b0_direction: Sequence[float]
) -> Array:
    """Field in ppm that a susceptibility map in ppm makes, without wrap-round.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
    voxel_size_mm : three floats
    b0_direction : three floats
        Unit vector in voxel axes.

    Returns
    -------
    (x, y, z) ndarray
        Where the main field runs along an axis, :func:`~napari_qsm.recon.fourier.forward_field`.

    Notes
    -----
    A grid cannot tell a frequency f from f - 1 (in cycles per voxel). Even filling and the mean over a cell let
    each through by sinc², so the kernel is the mean of the dipole's at both, along every axis, with
    these weights; further ones have next to none.
    """
    if np.count_nonzero(np.abs(b0_direction) > 1e-6) < 2:
        return forward_field(chi_ppm, voxel_size_mm, b0_direction)
    shape = fast_shape([2 * n for n in chi_ppm.shape])
    ways = []
    for k, size in zip(frequencies(shape, voxel_size_mm, np.float32), voxel_size_mm, strict=True):
        near = k * np.float32(size)
        far = near - np.where(near < 0, -1, 1).astype(np.float32)
        share = np.sinc(near) ** 2 / (np.sinc(near) ** 2 + np.sinc(far) ** 2)
        ways.append(((k, share), (far / np.float32(size), 1 - share)))
    bx, by, bz = (np.float32(b) for b in b0_direction)
    spectrum = rfftn(pad_to(chi_ppm, shape))
    for i in range(shape[0]):
        kernel = np.zeros(spectrum.shape[1:], np.float32)
        for (x, wx), (y, wy), (z, wz) in product(*ways):
            k2 = x[i] ** 2 + y[0] ** 2 + z[0] ** 2
            along = bx * x[i] + by * y[0] + bz * z[0]
            part = np.divide(along**2, k2, out=np.full(k2.shape, 1 / 3, np.float32), where=k2 > 0)
            kernel += (wx[i] * wy[0] * wz[0]) * (np.float32(1 / 3) - part)
        spectrum[i] *= kernel
    field = irfftn(spectrum, shape)
    return np.ascontiguousarray(field[tuple(slice(0, n) for n in chi_ppm.shape)])
