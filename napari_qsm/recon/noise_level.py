"""How noisy a field is, told from the field alone.

Fourth differences along all three axes at once keep the corners of Fourier space, where no structure of
several voxels reaches. With B0 along an axis and voxels that are cubes those corners lie at the magic angle,
where tissue makes no field at all. So next to nothing but noise is left, and voxels as coarse as
3 mm tell their noise as well as fine ones, which differences along single axes do not: at 1 ppb of
noise these gave 1.2 ppb with voxels of 1 mm, 1.5 with 2 mm and 1.8 with 3 mm.
"""

from __future__ import annotations

import numba
import numpy as np

from napari_qsm.arrays import Array

#: Fourth differences; along an axis with fewer voxels in a row, none are taken.
_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_REACH = len(_DIFFERENCE) // 2
#: Voxels that are enough for a median.
_ENOUGH = 200_000
#: With no more than these, differences along fewer axes are taken.
_FEWEST = 100


def noise_level(field: Array, mask: Array, relative: Array | None = None) -> float:
    """Standard deviation of a field's noise, over what is known of it.

    Parameters
    ----------
    field : (x, y, z) ndarray
        Any unit.
    mask : (x, y, z) ndarray of bool
        Voxels that count; only those with all neighbours that the differences take are looked at.
    relative : (x, y, z) ndarray, optional
        Noise up to a factor, positive in the mask; 1 everywhere if not given.

    Returns
    -------
    float
        In the unit of the field: the median absolute difference over 0.6745 and over what noise of
        ``relative`` would give. Zero where there are no five voxels in a row along any axis.

    Notes
    -----
    Noise that neighbours share, as of interpolated images, is underestimated. Axes along which
    the mask is less than five voxels thick (nearly) everywhere are left out; tissue then adds more.
    """
    for axes in ((0, 1, 2), (0, 1), (0, 2), (1, 2), (0,), (1,), (2,)):
        reach = tuple(_REACH if axis in axes else 0 for axis in range(3))
        found = _found(field, mask, relative, reach)
        if found.size > (_FEWEST if len(axes) > 1 else 0):
            return float(np.median(found)) / 0.6745
    return 0.0


def _found(field: Array, mask: Array, relative: Array | None, reach: tuple[int, ...]) -> Array:
    """Absolute differences over what the noise gives, wherever all voxels are in the mask."""
    inner = tuple(slice(r, max(n - r, r)) for r, n in zip(reach, mask.shape, strict=True))
    at = np.flatnonzero(mask[inner])
    at = at[:: 1 + at.size // _ENOUGH]
    places = np.stack(np.unravel_index(at, mask[inner].shape), axis=-1) + np.array(reach)
    weight = np.einsum("i,j,k->ijk", *(_DIFFERENCE if r else np.ones(1) for r in reach))
    noise = np.ones((1, 1, 1), field.dtype) if relative is None else relative
    found: Array = _differences(field, mask, noise, relative is not None, places, weight)
    return found[found >= 0]


@numba.njit(cache=True, nogil=True)
def _differences(field, mask, noise, known, places, weight):  # type: ignore[no-untyped-def]
    """Absolute differences over those that the noise gives; -1 where a neighbour is not in the mask."""
    n0, n1, n2 = weight.shape
    out = np.full(len(places), -1.0)
    for p in range(len(places)):
        x, y, z = places[p, 0] - n0 // 2, places[p, 1] - n1 // 2, places[p, 2] - n2 // 2
        total, variance, whole = 0.0, 0.0, True
        for i in range(n0):
            for j in range(n1):
                for k in range(n2):
                    if not mask[x + i, y + j, z + k]:
                        whole = False
                        break
                    w = weight[i, j, k]
                    total += w * field[x + i, y + j, z + k]
                    s = noise[x + i, y + j, z + k] if known else 1.0
                    variance += w * w * s * s
                if not whole:
                    break
            if not whole:
                break
        if whole and variance > 0:
            out[p] = abs(total) / np.sqrt(variance)
    return out
