"""The trend from the centre of a head to its rim, which no field can tell from background.

The field of a susceptibility ``r²``, counted from any point, is harmonic where it is: for D,
``1/3 ∇² r² - ∂²r²/∂b² = 2 - 2 = 0``, whatever the direction b of B0. Background removal takes it
out, so data do not settle how much of it a map holds; the steps of the inversion leave what they
come by. Most of the tissue varies little from voxel to voxel and is as likely to rise as to fall
towards the rim; most of its slopes therefore settle the trend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.stages import Param

#: Voxels this deep inside the local mask count; nearer to its rim the map is less certain.
_DEPTH_MM = 3.0
#: Slopes further off than this many robust standard deviations do not count: edges of tissues.
_OUTLIER_SD = 2.0
_STEPS = 20
#: Slopes along one axis that are enough.
_ENOUGH = 400_000
_FEWEST = 1000

SettleTrend = Annotated[
    bool,
    Param(
        "After updates, settle the map's trend from the centre to the rim, which no field tells "
        "from background, by most of the slopes in the tissue."
    ),
]


def settled(
    chi: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    alive: Callable[[], None] = lambda: None,
) -> Array:
    """The map less the ``r²`` that most of its slopes hold.

    Parameters
    ----------
    chi : (x, y, z) ndarray
        Susceptibility, any unit, zero outside the mask.
    mask : (x, y, z) ndarray of bool
    voxel_size_mm : three floats
    alive : callable
        Called often; may raise to stop.

    Returns
    -------
    (x, y, z) ndarray
        With the same mean in the mask, zero outside; the map itself where too few voxels are deep.
    """
    deep = depth_mm(mask, voxel_size_mm, 1.01 * _DEPTH_MM) > _DEPTH_MM
    places = [np.arange(n) * size for n, size in zip(mask.shape, voxel_size_mm, strict=True)]
    counts = [deep.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    if deep.sum() < _FEWEST:
        return chi
    places = [p - (c * p).sum() / c.sum() for p, c in zip(places, counts, strict=True)]
    slopes, unit = [], []
    for axis, (at, size) in enumerate(zip(places, voxel_size_mm, strict=True)):
        low, high = ((slice(None),) * axis + (part,) for part in (slice(-1), slice(1, None)))
        both = deep[low] & deep[high]
        found = np.flatnonzero(both)
        first = np.unravel_index(found[:: 1 + len(found) // _ENOUGH], both.shape)
        alive()
        second = (*first[:axis], first[axis] + 1, *first[axis + 1 :])
        slopes.append((chi[second].astype(np.float64) - chi[first]) / size)
        unit.append(at[first[axis] + 1] + at[first[axis]])
    slope, of_bowl = np.concatenate(slopes), np.concatenate(unit)
    amount = _fitted(slope, of_bowl, 0.0, np.inf)
    for _ in range(_STEPS - 1):
        alive()
        apart = np.abs(slope - amount * of_bowl).astype(np.float32)
        spread = 1.4826 * float(np.median(apart, overwrite_input=True))
        if spread == 0:
            break
        amount = _fitted(slope, of_bowl, amount, _OUTLIER_SD * spread)
    alive()
    x, y, z = (p**2 for p in places)
    bowl = x[:, None, None] + y[None, :, None] + z[None, None, :]
    bowl -= bowl[mask].mean()
    alive()
    return np.where(mask, chi - amount * bowl, 0).astype(chi.dtype)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fitted(slope, of_bowl, amount, cut):  # type: ignore[no-untyped-def]
    """Amount of least squares, with Tukey's weights by the distance from the last amount."""
    top = bottom = 0.0
    for i in range(slope.size):
        apart = (slope[i] - amount * of_bowl[i]) / cut
        if abs(apart) < 1:
            weight = (1 - apart**2) ** 2 * of_bowl[i]
            top += weight * slope[i]
            bottom += weight * of_bowl[i]
    return top / bottom
