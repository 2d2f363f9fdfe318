"""The part of the receive coils' phase that is no field: it grows with the square of the distance.

A single echo carries the phase of the receive coils. What of it varies linearly, or is harmonic,
goes away with the background; its bowl ``a r²`` is neither, and would be read as 5 to 20 ppb of
smooth susceptibility. The field of sources outside the mask equals its mean over any ball inside
it, and that of the tissue does so on average, since sources add as much above as below; a bowl is
lower at the centre of each ball than in its mean, everywhere by the same amount. One number is
therefore enough. Terms of higher degree are left alone: the tissue's field has them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.background.balls import balanced_ball, ball_means
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.stages import Param

#: Radius of the balls; smaller ones see less of the bowl, larger ones fit nowhere in small masks.
_RADII_MM = (12.0, 8.0)
#: Differences from the ball mean count up to this many robust standard deviations.
_OUTLIER_SD = 5.0
#: Part of the mask in which the ball has to fit.
_ENOUGH = 0.05

Curvature = Annotated[
    bool,
    Param(
        "Where the phase at echo time zero is not estimated, take out its part that grows with the "
        "square of the distance, which is the receive coils' and no field."
    ),
]


def without_bowl(
    field: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    alive: Callable[[], None] = lambda: None,
) -> Array:
    """The field less the ``a r²`` in it, r in mm from the middle of the mask.

    Parameters
    ----------
    field : (x, y, z) ndarray
        Any unit, zero outside the mask.
    mask : (x, y, z) bool ndarray
    voxel_size_mm : three floats
    alive : callable
        Called often; may raise to stop.

    Returns
    -------
    (x, y, z) ndarray
        A copy, zero outside the mask; the field itself where the mask is too thin to tell.
    """
    box = bounding_box(mask)
    inside = mask[box]
    # What is left below the bowl, in the precision in which a small mean of large values needs it.
    values = np.where(inside, field[box] - field[mask].mean(dtype=np.float64), 0)
    bowl = _bowl(inside, voxel_size_mm)
    alive()
    for radius in _RADII_MM:
        if radius < 2 * max(voxel_size_mm):
            continue
        deep = depth_mm(inside, voxel_size_mm, 1.01 * radius) > radius * TOLERANCE
        if np.count_nonzero(deep) < _ENOUGH * np.count_nonzero(inside):
            continue
        voxels, weights = np.flatnonzero(deep), balanced_ball(radius, voxel_size_mm)
        alive()
        mean_at = ball_means(values)
        alive()
        apart = values.flat[voxels] - mean_at(voxels, weights)
        alive()
        middle = float(np.median(apart))
        cut = _OUTLIER_SD * 1.4826 * float(np.median(np.abs(apart - middle)))
        amount = -float(np.clip(apart, middle - cut, middle + cut).mean())
        # By how much a bowl of 1 per mm² lies below its ball mean.
        below = float((weights * _bowl(np.ones(weights.shape, bool), voxel_size_mm)).sum())
        out = field.copy()
        out[box] -= np.where(inside, amount / below * bowl, 0).astype(field.dtype)
        return out
    return field


def _bowl(mask: Array, voxel_size_mm: Sequence[float]) -> Array:
    """Squared distance from the middle of a mask, mm²."""
    axes = []
    for axis, size in enumerate(voxel_size_mm):
        other = tuple(a for a in range(3) if a != axis)
        count = mask.sum(axis=other)
        at = np.arange(mask.shape[axis]) * size
        axes.append((at - (count * at).sum() / count.sum()) ** 2)
    return axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
