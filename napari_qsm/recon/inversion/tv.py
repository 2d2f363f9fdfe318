"""The inversion *tv*: total variation with one lambda."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.admm import CUT_OVER_LAMBDA, Ending, solve_tv
from napari_qsm.recon.inversion.consistency import Updates, beyond_the_papers, prepared
from napari_qsm.recon.inversion.problem import data_weights
from napari_qsm.recon.inversion.settings import (
    EdgeFraction,
    FollowNoise,
    Iterations,
    Lambda,
    OutlierSd,
    Tolerance,
    Weighted,
    centred,
    edges_of,
    followed,
)
from napari_qsm.recon.inversion.trend import SettleTrend, settled
from napari_qsm.recon.stages import Progress, Warn, method, no_progress, no_warning


@method(
    "inversion",
    "tv",
    title="Total variation",
    references=(
        "Bilgic 2014, Magn Reson Med 72:1444, doi:10.1002/mrm.25029",
        "Milovic 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073",
    ),
    beyond=beyond_the_papers,
)
def tv(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    magnitude: Array | None = None,
    noise_ppm: Array | None = None,
    total_field_ppm: Array | None = None,
    mask: Array | None = None,
    *,
    lambda_ppm: Lambda = 5e-5,
    iterations: Iterations = 24,
    tolerance: Tolerance = 0.005,
    weighted: Weighted = True,
    edge_fraction: EdgeFraction = 0.3,
    outlier_sd: OutlierSd = 4.0,
    updates: Updates = 0,
    follow_noise: FollowNoise = False,
    settle_trend: SettleTrend = False,
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
    and sources are confined to the mask's surroundings; see :mod:`napari_qsm.recon.inversion.admm`.

    References
    ----------
    Bilgic, Fan, Polimeni et al. 2014, Magn Reson Med 72:1444, doi:10.1002/mrm.25029.
    Milovic, Bilgic, Zhao et al. 2018, Magn Reson Med 80:814, doi:10.1002/mrm.27073.
    """
    weight = data_weights(local_mask, magnitude, noise_ppm, warn) if weighted else None
    progress(0.0)
    problem, total = prepared(
        local_field_ppm,
        local_mask,
        voxel_size_mm,
        b0_direction,
        weight,
        total_field_ppm,
        mask,
        updates,
        warn,
        lambda: progress(0.0),
    )
    del weight  # the problem holds what is needed of it

    progress(0.0)
    lam = followed(lambda_ppm, problem, follow_noise)

    def renew(chi: Array, target: Array, alive: Callable[[], None]) -> Array:
        assert total is not None
        return total.renewed(chi, target, CUT_OVER_LAMBDA * lam, settle_trend, alive)

    chi = solve_tv(
        problem,
        lam,
        Ending(iterations, tolerance),
        progress,
        edges=edges_of(problem, magnitude, local_mask, edge_fraction),
        kept=0.0,
        outlier_sd=outlier_sd,
        renew=renew if total is not None else None,
        updates=updates,
    )
    chi = centred(problem, chi)
    if settle_trend and total is not None:
        chi = settled(chi, local_mask, voxel_size_mm, lambda: progress(1.0))
    return chi
