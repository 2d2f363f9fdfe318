"""Inversions that need one pass through Fourier space."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon import fourier
from napari_qsm.recon.inverse_problem import Problem

Array = npt.NDArray[Any]


def solve_tkd(problem: Problem, threshold: float, corrected: bool) -> Array:
    """Divide by the dipole kernel, its size held above a threshold; chi on the work grid."""
    dipole = problem.dipole
    large = np.abs(dipole) > threshold
    inverse = np.sign(dipole) / threshold
    np.divide(1, dipole, out=inverse, where=large)
    if corrected:
        inverse /= _point_response(inverse * dipole, problem.shape)
    return _filtered(problem, inverse)


def solve_l2(problem: Problem, lam: float) -> Array:
    """Least squares with a penalty on the squared gradient; chi on the work grid."""
    dipole = problem.dipole
    denominator = dipole**2 + dipole.dtype.type(lam) * problem.gradient_spectrum()
    denominator[0, 0, 0] = 1  # the mean is not determined: D is 0 there, and so is the map
    return _filtered(problem, dipole / denominator)


def _filtered(problem: Problem, transfer: Array) -> Array:
    spectrum = fourier.rfftn(problem.field)
    spectrum *= transfer
    return fourier.irfftn(spectrum, problem.shape)


def _point_response(transfer: Array, shape: tuple[int, ...]) -> float:
    """Height at the origin of a real transfer function's point response: its mean over k."""
    total = 2 * transfer.sum(dtype=np.float64) - transfer[..., 0].sum(dtype=np.float64)
    if shape[2] % 2 == 0:
        total -= transfer[..., -1].sum(dtype=np.float64)
    return float(total / np.prod(shape))
