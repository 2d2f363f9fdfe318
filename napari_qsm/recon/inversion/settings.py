"""What several inversions share: settings, edges of the magnitude, the mean of the map."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.inversion.admm import NO_EDGES
from napari_qsm.recon.inversion.problem import (
    Problem,
    combined_magnitude,
    magnitude_edges,
    same_shape,
)
from napari_qsm.recon.noise_level import noise_level
from napari_qsm.recon.stages import Param

Lambda = Annotated[
    float, Param("Weight of total variation; more is smoother.", unit="ppm", ge=1e-7, le=0.1)
]

Iterations = Annotated[int, Param("Most iterations.", ge=1, le=1000)]

Tolerance = Annotated[
    float, Param("Stop when an iteration changes the map by less than this part.", ge=0, le=0.5)
]

Weighted = Annotated[
    bool, Param("Trust voxels by the noise map, or by the magnitude where there is none.")
]

EdgeFraction = Annotated[
    float,
    Param(
        "Part of the magnitude's differences, the steepest, where smoothing is spared; "
        "none without magnitudes.",
        ge=0,
        le=0.9,
    ),
]

OutlierSd = Annotated[
    float,
    Param(
        "Field values this many standard deviations off the model lose weight; 0 trusts all.",
        ge=0,
        le=100,
    ),
]


FollowNoise = Annotated[
    bool,
    Param(
        "Smooth more where the scan is noisier: lambda is then meant for a field noise of 1 ppb, "
        "and grows with the noise found in the local field, up to tenfold."
    ),
]

#: Field noise that lambda is meant for where it follows the noise, ppm, and how far it goes.
_NOISE_PPM = 1e-3
_MOST_NOISE = 10.0


def followed(lam: float, problem: Problem, follow_noise: bool) -> float:
    """Lambda for the noise of this scan; never less than what was asked for."""
    if not follow_noise:
        return lam
    return lam * min(max(noise_level(problem.field, problem.mask) / _NOISE_PPM, 1.0), _MOST_NOISE)


def edges_of(
    problem: Problem, magnitude: Array | None, local_mask: Array, fraction: float
) -> Array:
    """The steepest differences of the magnitude, or none where there is no magnitude."""
    if fraction <= 0 or magnitude is None:
        return NO_EDGES
    same_shape(magnitude.shape[-3:], local_mask.shape, "magnitude")
    x, y, z = problem.box
    image = combined_magnitude(magnitude[..., x, y, z], local_mask[x, y, z])
    return magnitude_edges(image, problem, fraction)


def centred(problem: Problem, chi: Array) -> Array:
    """The map on the caller's grid with mean zero over the mask."""
    mean = chi[problem.mask].mean(dtype=np.float64)
    return problem.restore(chi - chi.dtype.type(mean))
