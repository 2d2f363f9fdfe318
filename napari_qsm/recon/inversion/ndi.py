"""The inversion *ndi*: nonlinear dipole inversion, regularised by stopping early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon import fourier
from napari_qsm.recon.inversion.problem import Problem, data_weights, prepare
from napari_qsm.recon.inversion.settings import Weighted, centred
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Step of the descent, in parts of the inverse curvature where that is largest; 2 would diverge.
_STEP = 1.8
#: Square of the dipole kernel's largest size.
_LARGEST = 4 / 9


@method(
    "inversion",
    "ndi",
    title="Nonlinear dipole inversion (NDI)",
    references=("Polak 2020, NMR Biomed 33:e4271, doi:10.1002/nbm.4271",),
)
def ndi(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    iterations: Annotated[int, Param("Steps; fewer are smoother.", ge=1, le=2000)] = 80,
    tikhonov: Annotated[
        float, Param("Weight of the squared map beside the data; more is smaller.", ge=0, le=1)
    ] = 1e-4,
    radians_per_ppm: Annotated[
        float, Param("Phase that one ppm stands for in the data term.", "rad/ppm", 0.1, 1000)
    ] = 16.0,
    weighted: Weighted = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Gradient descent on the nonlinear data term, with no other regularisation than its end.

    Parameters and errors are those of :func:`~napari_qsm.recon.inversion.star.star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    From zero, ``chi <- chi - a (D W² sin(s (D chi - f)) / s + t chi)`` with s the
    ``radians_per_ppm``, t the ``tikhonov`` weight and a step a of ``1.8 / (4/9 + t)``. Sources are confined to the mask's
    surroundings. Ours: s is fixed, so that echo time and field strength cannot change a map.

    References
    ----------
    Polak, Chatnuntawech, Yoon et al. 2020, NMR Biomed 33:e4271, doi:10.1002/nbm.4271.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    return centred(problem, solve_ndi(problem, iterations, tikhonov, radians_per_ppm, progress))


def solve_ndi(
    problem: Problem, iterations: int, tikhonov: float, s: float, progress: Progress
) -> Array:
    """The descent; chi in ppm on the work grid."""
    real = problem.field.dtype.type
    square = problem.weight**2
    length = _STEP / (_LARGEST + tikhonov)
    chi = np.zeros_like(problem.field)
    for iteration in range(iterations):
        progress(iteration / iterations)
        residual = problem.forward(chi)
        residual -= problem.field
        residual *= real(s)
        np.sin(residual, out=residual)
        residual *= square
        spectrum = fourier.rfftn(residual)
        spectrum *= problem.dipole
        step = fourier.irfftn(spectrum, problem.shape)
        step *= real(length / s)
        chi *= real(1 - length * tikhonov)
        chi -= np.where(problem.support, step, 0)
    progress(1.0)
    return chi
