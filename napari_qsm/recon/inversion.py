"""Dipole inversion: from the local field to susceptibility.

Every method takes the local field (ppm), its mask, the voxel size (mm) and the direction of
B0 (unit vector in voxel axes), and some take magnitudes and a noise map. Each gives chi in
ppm, zero outside the mask. The kernel does not see the mean, so chi is known up to a constant:
the direct methods leave it as Fourier division gives it, the iterative ones make the mean over
the mask zero; the reference stage settles it.

Lambda has one meaning everywhere, stated in :mod:`napari_qsm.recon.inverse_problem`. Fields
are in ppm of B0, so neither echo time nor field strength can change a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon.direct import solve_l2, solve_tkd
from napari_qsm.recon.ilsqr import solve_ilsqr
from napari_qsm.recon.inverse_problem import (
    Problem,
    combined_magnitude,
    magnitude_edges,
    prepare,
    trust,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning
from napari_qsm.recon.star import solve_star
from napari_qsm.recon.tv import NO_EDGES, Ending, solve_tv

Array = npt.NDArray[Any]

_Lambda = Annotated[
    float, Param("Weight of total variation; more is smoother.", unit="ppm", ge=1e-7, le=0.1)
]
_Iterations = Annotated[int, Param("Most iterations.", ge=1, le=1000)]
_Tolerance = Annotated[
    float, Param("Stop when an iteration changes the map by less than this part.", ge=0, le=0.5)
]
_Weighted = Annotated[
    bool, Param("Trust voxels by the noise map, or by the magnitude where there is none.")
]
_EdgeFraction = Annotated[
    float,
    Param(
        "Part of the magnitude's differences, the steepest, where smoothing is spared; "
        "none without magnitudes.",
        ge=0,
        le=0.9,
    ),
]
_OutlierSd = Annotated[
    float,
    Param(
        "Field values this many standard deviations off the model lose weight; 0 trusts all.",
        ge=0,
        le=100,
    ),
]


@method(
    "inversion",
    "star",
    title="STAR-QSM (two-level total variation)",
    references=("Wei 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383",),
)
def star(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    lambda_ppm: _Lambda = 5e-5,
    strong_lambda_ppm: Annotated[
        float, Param("The same for the first level, which finds strong sources.", "ppm", 1e-6, 1)
    ] = 1e-3,
    threshold_ppm: Annotated[
        float, Param("A source stronger than this is handled first.", unit="ppm", ge=0.01, le=10)
    ] = 0.2,
    iterations: _Iterations = 24,
    tolerance: _Tolerance = 0.005,
    weighted: _Weighted = True,
    edge_fraction: _EdgeFraction = 0.3,
    outlier_sd: _OutlierSd = 4.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Strong sources first, with a large lambda; then the rest of the tissue with a small one.

    Parameters
    ----------
    local_field_ppm : (x, y, z) ndarray
        Local field, ppm.
    local_mask : (x, y, z) ndarray of bool
        Where it is valid.
    voxel_size_mm : three floats
        Voxel edges, mm.
    b0_direction : three floats
        Unit vector of B0 in voxel axes.
    magnitude : (M, x, y, z) ndarray, optional
        Weights where there is no noise map.
    noise_ppm : (x, y, z) ndarray, optional
        Noise of the field, up to a factor.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Raises
    ------
    GeometryError, QsmError
        For arrays that do not fit, an empty or flat mask, or NaN inside the mask.

    Notes
    -----
    See :mod:`napari_qsm.recon.star` for where this departs from the paper.

    References
    ----------
    Wei, Dibb, Zhou et al. 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383.
    """
    weight = trust(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    chi = solve_star(
        problem,
        strong_lambda_ppm,
        lambda_ppm,
        threshold_ppm,
        Ending(iterations, tolerance),
        progress,
        edges=_edges(problem, magnitude, local_mask, edge_fraction),
        outlier_sd=outlier_sd,
    )
    return _centred(problem, chi)


@method(
    "inversion",
    "tv",
    title="Total variation",
    references=(
        "Bilgic 2014, Magn Reson Med 72:1444, doi:10.1002/mrm.25029",
        "Milovic 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073",
    ),
)
def tv(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    lambda_ppm: _Lambda = 5e-5,
    iterations: _Iterations = 24,
    tolerance: _Tolerance = 0.005,
    weighted: _Weighted = True,
    edge_fraction: _EdgeFraction = 0.3,
    outlier_sd: _OutlierSd = 4.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Least total variation among the maps that explain the field inside the mask.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    The data term counts only inside the mask, by a second splitting (Milovic et al. 2018),
    and sources are confined to the mask's surroundings; see :mod:`napari_qsm.recon.tv`.

    References
    ----------
    Bilgic, Fan, Polimeni et al. 2014, Magn Reson Med 72:1444, doi:10.1002/mrm.25029.
    Milovic, Bilgic, Zhao et al. 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073.
    """
    weight = trust(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    chi = solve_tv(
        problem,
        lambda_ppm,
        Ending(iterations, tolerance),
        progress,
        edges=_edges(problem, magnitude, local_mask, edge_fraction),
        kept=0.0,
        outlier_sd=outlier_sd,
    )
    return _centred(problem, chi)


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
    lambda_ppm: _Lambda = 5e-5,
    radians_per_ppm: Annotated[
        float, Param("Phase that one ppm stands for in the data term.", "rad/ppm", 0.1, 1000)
    ] = 16.0,
    edge_fraction: _EdgeFraction = 0.3,
    iterations: _Iterations = 24,
    tolerance: _Tolerance = 0.005,
    weighted: _Weighted = True,
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
    weight = trust(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    if magnitude is None and edge_fraction > 0:
        warn("There is no magnitude to take edges from; total variation counts everywhere.")
    chi = solve_tv(
        problem,
        lambda_ppm,
        Ending(iterations, tolerance),
        progress,
        edges=_edges(problem, magnitude, local_mask, edge_fraction),
        kept=0.0,
        radians_per_ppm=radians_per_ppm,
    )
    return _centred(problem, chi)


@method(
    "inversion",
    "ilsqr",
    title="iLSQR",
    references=("Li 2015, NeuroImage 108:111, doi:10.1016/j.neuroimage.2014.12.043",),
)
def ilsqr(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    *,
    iterations: Annotated[
        int, Param("Least-squares steps; fewer are smoother.", ge=1, le=500)
    ] = 20,
    streak_iterations: Annotated[
        int, Param("Steps of the search for streaks; none leaves them.", ge=0, le=500)
    ] = 5,
    ill_conditioned_below: Annotated[
        float, Param("Streaks lie where the dipole kernel is smaller than this.", ge=0.001, le=0.5)
    ] = 0.1,
    weighted: _Weighted = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Weighted least squares stopped early; then streaks are estimated and subtracted.

    Parameters and errors are those of :func:`star`.

    Returns
    -------
    (x, y, z) ndarray
        chi in ppm, mean zero over the mask, zero outside.

    Notes
    -----
    See :mod:`napari_qsm.recon.ilsqr` for where this departs from the paper.

    References
    ----------
    Li, Wang, Yu et al. 2015, NeuroImage 108:111, doi:10.1016/j.neuroimage.2014.12.043.
    """
    weight = trust(local_mask, magnitude, noise_ppm, warn) if weighted else None
    problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
    chi = solve_ilsqr(problem, iterations, streak_iterations, ill_conditioned_below, progress)
    return _centred(problem, chi)


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


def _edges(problem: Problem, magnitude: Array | None, local_mask: Array, fraction: float) -> Array:
    if fraction <= 0 or magnitude is None:
        return NO_EDGES
    return magnitude_edges(combined_magnitude(magnitude, local_mask), problem, fraction)


def _centred(problem: Problem, chi: Array) -> Array:
    """The map on the caller's grid with mean zero over the mask."""
    mean = chi[problem.mask].mean(dtype=np.float64)
    return problem.restore(chi - chi.dtype.type(mean))
