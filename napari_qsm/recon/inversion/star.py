"""STAR-QSM: two levels of total variation for maps with a large dynamic range.

After Wei et al. 2015: a large lambda keeps only strong sources; their field is subtracted; a
small lambda recovers the rest; the maps are summed. Ours, where the paper leaves it open or
where it can be bettered:

- which voxels are strong: those of the first map above a threshold in ppm;
- without strong voxels the first map is dropped, so the result is that of the second level
  alone, to the bit;
- the large lambda shrinks the strong sources, and the second level would shrink what it
  recovers of the difference once more: differences at and inside strong voxels go unpenalised
  there, so that strong sources are in the end fitted to the field by least squares;
- signal loss and broken unwrapping corrupt the field in and around strong sources: right beside
  them the second level distrusts what the first map cannot explain;
- veins and iron-rich nuclei of normal tissue exceed the threshold too: a piece counts as strong
  only if it somewhere exceeds twice the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.admm import (
    CUT_OVER_LAMBDA,
    NO_EDGES,
    Ending,
    robust_weights,
    solve_tv,
)
from napari_qsm.recon.inversion.consistency import TotalField, Updates, beyond_the_papers, prepared
from napari_qsm.recon.inversion.problem import (
    Problem,
    data_weights,
    dilate,
)
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
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Around strong sources, field values the first map cannot explain are distrusted this far.
_NEAR_MM = 2.2
#: A strong source's peak, over the threshold from which it is grown.
_PEAK = 2.0

#: The first level need not be finished: what it lacks, the second recovers.
_FIRST_ITERATIONS = 12

#: Share of the first level in the work, for the progress report.
_FIRST = 0.4


@method(
    "inversion",
    "star",
    title="STAR-QSM (two-level total variation)",
    references=("Wei 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383",),
    beyond=beyond_the_papers,
)
def star(
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
    strong_lambda_ppm: Annotated[
        float, Param("The same for the first level, which finds strong sources.", "ppm", 1e-6, 1)
    ] = 1e-3,
    threshold_ppm: Annotated[
        float,
        Param(
            "A source stronger than this is handled first, if its peak is twice as strong.",
            unit="ppm",
            ge=0.01,
            le=10,
        ),
    ] = 0.2,
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
    total_field_ppm : (x, y, z) ndarray, optional
        Field before background removal, ppm; needed for ``updates``.
    mask : (x, y, z) ndarray of bool, optional
        Where that can be trusted.

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
    See :mod:`napari_qsm.recon.inversion.star` for where this departs from the paper.

    References
    ----------
    Wei, Dibb, Zhou et al. 2015, NMR Biomed 28:1294, doi:10.1002/nbm.3383.
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
    edges = edges_of(problem, magnitude, local_mask, edge_fraction)
    progress(0.0)
    chi = solve_star(
        problem,
        strong_lambda_ppm,
        followed(lambda_ppm, problem, follow_noise),
        threshold_ppm,
        Ending(iterations, tolerance),
        progress,
        edges=edges,
        outlier_sd=outlier_sd,
        total=total,
        updates=updates,
        settle_trend=settle_trend,
    )
    chi = centred(problem, chi)
    if settle_trend and total is not None:
        chi = settled(chi, local_mask, voxel_size_mm, lambda: progress(1.0))
    return chi


def solve_star(
    problem: Problem,
    strong_lam: float,
    lam: float,
    threshold_ppm: float,
    ending: Ending,
    progress: Progress,
    *,
    edges: Array = NO_EDGES,
    outlier_sd: float = 0.0,
    total: TotalField | None = None,
    updates: int = 0,
    settle_trend: bool = False,
) -> Array:
    """Strong sources first, then the rest; chi in ppm on the work grid.

    Parameters
    ----------
    problem : Problem
        Field, weights, support and kernel.
    strong_lam, lam : float
        Lambda of the two levels, ppm.
    threshold_ppm : float
        What counts as strong.
    ending : Ending
        Iterations and tolerance of the second level; the first takes at most 12 iterations.
    progress : callable
        Called with the fraction done.
    edges, outlier_sd
        For the second level, as in :func:`napari_qsm.recon.inversion.admm.solve_tv`.
    total : TotalField, optional
        Gives the second level its field anew, ``updates`` times.
    updates : int
    settle_trend : bool
        Take the map's trend out of the map that the field is made anew with.
    """
    first = solve_tv(
        problem,
        strong_lam,
        replace(ending, iterations=min(ending.iterations, _FIRST_ITERATIONS)),
        lambda part: progress(_FIRST * part),
        outlier_sd=outlier_sd,
    )
    strong = _pieces_with_peak(np.abs(first) * problem.support, threshold_ppm)
    sources = np.where(strong, first, 0).astype(first.dtype)
    sources_field = problem.forward(sources) if strong.any() else np.zeros_like(first)
    weight = problem.weight
    if strong.any():
        marks = touching(strong)
        edges = marks | edges if edges.size else marks
        if outlier_sd > 0:
            near = dilate(strong, _NEAR_MM, problem.voxel_size_mm)
            believed = np.sqrt(robust_weights(problem, problem.forward(first), outlier_sd))
            weight = np.where(near, weight * believed, weight)
    del first  # of this size little is left over where memory is scarce

    def renew(chi: Array, target: Array, alive: Callable[[], None]) -> Array:
        assert total is not None
        cut = CUT_OVER_LAMBDA * lam
        if not strong.any():  # the usual case, and memory is at its peak here
            return total.renewed(chi, target, cut, settle_trend, alive)
        whole = target + sources_field * problem.mask
        field = total.renewed(chi + sources, whole, cut, settle_trend, alive)
        return np.where(problem.mask, field - sources_field, 0)

    remaining = (problem.field - sources_field) * problem.mask
    sources += solve_tv(
        replace(problem, field=remaining, weight=weight),
        lam,
        ending,
        lambda part: progress(_FIRST + (1 - _FIRST) * part),
        edges=edges,
        kept=0.0,
        outlier_sd=outlier_sd,
        renew=renew if total is not None else None,
        updates=updates,
    )
    return sources


def _pieces_with_peak(strength: Array, threshold_ppm: float) -> Array:
    """Connected voxels above a threshold, of pieces that somewhere exceed twice of it."""
    pieces, _ = ndimage.label(strength > threshold_ppm)
    peaked = np.unique(pieces[strength > _PEAK * threshold_ppm])
    found: Array = np.isin(pieces, peaked[peaked > 0])
    return found


def touching(region: Array) -> Array:
    """Bits 1, 2, 4 at differences in x, y, z with at least one end in the region."""
    bits = np.zeros(region.shape, dtype=np.uint8)
    for axis in range(3):
        bits[region | np.roll(region, -1, axis)] |= 1 << axis
    return bits
