"""Inversions that need one pass through Fourier space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon import fourier
from napari_qsm.recon.inversion.problem import (
    Problem,
    prepare,
)
from napari_qsm.recon.stages import Param, Progress, method, no_progress


@method(
    "inversion",
    "tkd",
    title="Truncated k-space division",
    references=(
        "Shmueli 2009, Magn Reson Med 62:1510, doi:10.1002/mrm.22135",
        "Schweser 2013, Magn Reson Med 69:1581, doi:10.1002/mrm.24405",
    ),
)
def tkd(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    *,
    threshold: Annotated[
        float, Param("The dipole kernel's size is held at least at this.", ge=0.01, le=0.66)
    ] = 0.15,
    corrected: Annotated[
        bool, Param("Undo the underestimation, by the height of the point response.")
    ] = True,
    padding_mm: Annotated[
        float, Param("Zeros between the object and its periodic copies.", unit="mm", ge=0, le=500)
    ] = 20.0,
    progress: Progress = no_progress,
) -> Array:
    """Divide by the dipole kernel, its small values replaced by a threshold of their sign.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, zero outside the mask.

    References
    ----------
    Shmueli, de Zwart, van Gelderen et al. 2009, Magn Reson Med 62:1510, doi:10.1002/mrm.22135.
    Schweser, Deistung, Sommer, Reichenbach 2013, Magn Reson Med 69:1581, doi:10.1002/mrm.24405.
    """
    problem = prepare(
        local_field_ppm, local_mask, voxel_size_mm, b0_direction, padding_mm=padding_mm
    )
    progress(0.3)
    chi = solve_tkd(problem, threshold, corrected)
    progress(1.0)
    return problem.restore(chi)


@method(
    "inversion",
    "l2",
    title="Closed-form L2",
    references=("Bilgic 2014, J Magn Reson Imaging 40:181, doi:10.1002/jmri.24365",),
)
def l2(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    *,
    lambda_l2: Annotated[
        float, Param("Weight of the squared gradient; more is smoother.", ge=1e-8, le=10)
    ] = 3e-3,
    padding_mm: Annotated[
        float, Param("Zeros between the object and its periodic copies.", unit="mm", ge=0, le=500)
    ] = 20.0,
    progress: Progress = no_progress,
) -> Array:
    """Least squares with a penalty on the squared gradient, in one division.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, zero outside the mask.

    Notes
    -----
    Minimises ``sum (D chi - f)² + lambda_l2 sum_a (s_a d_a chi)²`` over the padded grid, the
    field being zero outside the mask. Here lambda has no unit.

    References
    ----------
    Bilgic, Chatnuntawech, Fan et al. 2014, J Magn Reson Imaging 40:181, doi:10.1002/jmri.24365.
    """
    problem = prepare(
        local_field_ppm, local_mask, voxel_size_mm, b0_direction, padding_mm=padding_mm
    )
    progress(0.3)
    chi = solve_l2(problem, lambda_l2)
    progress(1.0)
    return problem.restore(chi)


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
