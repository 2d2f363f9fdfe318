"""The trend from the centre of a head to its rim, which no field can tell from background.

The field of a susceptibility ``r²``, counted from any point, is harmonic where it is: for D,
``1/3 ∇² r² - ∂²r²/∂b² = 2 - 2 = 0``, whatever the direction b of B0. Background removal takes it
out, so data do not settle how much of it a map holds; the steps of the inversion leave what they
come by. Most of the tissue varies little from voxel to voxel and is as likely to rise as to fall
towards the rim; most of its slopes therefore settle the trend.

Total variation turns gentle slopes into steps between flat patches, which hide a trend: of a finished map's
one, most slopes show a quarter. So it is settled at every update too: the background is then estimated with a
map that has less of it, the field to explain holds the difference, and the steps that follow go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

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
        "At each update and after the last step, settle the map's trend from the centre to the rim, which "
        "no field tells from background, by most of the slopes in the tissue."
    ),
]


class Bowl(NamedTuple):
    """``r²`` from the middle of the deep voxels, mm², with mean zero in the mask, in little memory.

    Attributes
    ----------
    squares : three 1-D ndarrays
        Squared distances along each axis.
    mean : float
        Of their sum in the mask.
    """

    squares: tuple[Array, Array, Array]
    mean: float

    def volume(self) -> Array:
        """On the whole grid."""
        x, y, z = self.squares
        out: Array = x[:, None, None] + y[None, :, None] + (z - self.mean)[None, None, :]
        return out


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
    found = trend(chi, mask, voxel_size_mm, alive)
    if found is None:
        return chi
    amount, bowl = found
    return np.where(mask, chi - amount * bowl.volume(), 0).astype(chi.dtype)


def trend(
    chi: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    alive: Callable[[], None] = lambda: None,
) -> tuple[float, Bowl] | None:
    """The ``r²`` that most slopes of a map hold.

    Parameters are those of :func:`settled`; the map may go on outside the mask.

    Returns
    -------
    amount : float
        Per mm².
    bowl : Bowl
        ``r²``, mm², with mean zero in the mask.

    None instead where too few voxels are deep.
    """
    deep = depth_mm(mask, voxel_size_mm, 1.01 * _DEPTH_MM) > _DEPTH_MM
    places = [np.arange(n) * size for n, size in zip(mask.shape, voxel_size_mm, strict=True)]
    counts = [deep.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    if deep.sum() < _FEWEST:
        return None
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
    squares = (places[0] ** 2, places[1] ** 2, places[2] ** 2)
    mean = float(Bowl(squares, 0.0).volume()[mask].mean())
    alive()
    return amount, Bowl(squares, mean)


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
