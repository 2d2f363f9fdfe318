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
- signal loss and broken unwrapping corrupt the field in and around strong sources: within
  1 cm of them the second level distrusts what the first map cannot explain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon import fourier
from napari_qsm.recon.inverse_problem import Problem, grown
from napari_qsm.recon.stages import Progress
from napari_qsm.recon.tv import NO_EDGES, Ending, credit, solve_tv

Array = npt.NDArray[Any]

#: Around strong sources, field values the first map cannot explain are distrusted this far.
_NEAR_MM = 10.0
#: The first level need not be finished: what it lacks, the second recovers.
_FIRST_ITERATIONS = 12
#: Share of the first level in the work, for the progress report.
_FIRST = 0.4


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
        For the second level, as in :func:`napari_qsm.recon.tv.solve_tv`.
    """
    first = solve_tv(
        problem,
        strong_lam,
        replace(ending, iterations=min(ending.iterations, _FIRST_ITERATIONS)),
        lambda part: progress(_FIRST * part),
        outlier_sd=outlier_sd,
    )
    strong = (np.abs(first) > threshold_ppm) & problem.support
    rest = lambda part: progress(_FIRST + (1 - _FIRST) * part)  # noqa: E731
    if not strong.any():
        return solve_tv(problem, lam, ending, rest, edges=edges, kept=0.0, outlier_sd=outlier_sd)
    sources = np.where(strong, first, 0).astype(first.dtype)
    weight = problem.weight
    if outlier_sd > 0:
        near = grown(strong, _NEAR_MM, problem.voxel_size_mm)
        believed = np.sqrt(credit(problem, _field(problem, first), outlier_sd))
        weight = np.where(near, weight * believed, weight)
    remaining = (problem.field - _field(problem, sources)) * problem.mask
    sources += solve_tv(
        replace(problem, field=remaining, weight=weight),
        lam,
        ending,
        rest,
        edges=touching(strong) | edges if edges.size else touching(strong),
        kept=0.0,
        outlier_sd=outlier_sd,
    )
    return sources


def _field(problem: Problem, chi: Array) -> Array:
    spectrum = fourier.rfftn(chi)
    spectrum *= problem.dipole
    return fourier.irfftn(spectrum, problem.shape)


def touching(region: Array) -> Array:
    """Bits 1, 2, 4 at differences in x, y, z with at least one end in the region."""
    bits = np.zeros(region.shape, dtype=np.uint8)
    for axis in range(3):
        bits[region | np.roll(region, -1, axis)] |= 1 << axis
    return bits
