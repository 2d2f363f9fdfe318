"""The inversion *medi*: nonlinear data term, edges of the magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.admm import Ending, solve_tv
from napari_qsm.recon.inversion.problem import (
    data_weights,
    prepare,
)
from napari_qsm.recon.inversion.settings import (
    EdgeFraction,
    Iterations,
    Lambda,
    Tolerance,
    Weighted,
    centred,
    edges_of,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning


@method(
    "inversion",
    "medi",
    title="Nonlinear morphology-enabled inversion",
    references=(
        "Liu 2013, Magn Reson Med 69:467, doi:10.1002/mrm.24272",
        "Milovic 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073",
    ),
)
def medi(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    lambda_ppm: Lambda = 5e-5,
    radians_per_ppm: Annotated[
        float, Param("Phase that one ppm stands for in the data term.", "rad/ppm", 0.1, 1000)
    ] = 16.0,
    edge_fraction: EdgeFraction = 0.3,
    iterations: Iterations = 24,
    tolerance: Tolerance = 0.005,
    weighted: Weighted = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Nonlinear data term, total variation except where the magnitude has edges.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    The data term ``W² (1 - cos(s (D chi - f))) / s²`` forgives errors of whole turns. Its
    scale s is fixed (16 rad/ppm is 20 ms at 3 T), not taken from the scan, so that echo time
    and field strength cannot change the map. Solved by ADMM instead of Gauss-Newton.

    References
    ----------
    Liu, Wisnieff, Lou et al. 2013, Magn Reson Med 69:467, doi:10.1002/mrm.24272.
    Milovic, Bilgic, Zhao et al. 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    if magnitude is None and edge_fraction > 0:
        warn("There is no magnitude to take edges from; total variation counts everywhere.")
    chi = solve_tv(
        problem,
        lambda_ppm,
        Ending(iterations, tolerance),
        progress,
        edges=edges_of(problem, magnitude, local_mask, edge_fraction),
        kept=0.0,
        radians_per_ppm=radians_per_ppm,
    )
    return centred(problem, chi)
