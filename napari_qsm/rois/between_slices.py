"""The slices between painted slices, by the shape of their neighbours.

Raya SP, Udupa JK. Shape-based interpolation of multidimensional objects. IEEE Trans Med
Imaging 1990;9(1):32-42. doi:10.1109/42.52980
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError


def interpolate(mask: Array, voxel_size_mm: Sequence[float], across: int) -> Array:
    """Fill the empty slices between the slices on which a region is drawn.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The region; slices on which it has voxels stay as they are.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel, mm.
    across : int
        Axis through the slices.

    Returns
    -------
    (x, y, z) bool ndarray
        The region with the slices between filled; nothing is added beyond the outermost.

    Raises
    ------
    QsmError
        If fewer than two slices are drawn, or none is empty between them.

    Notes
    -----
    Each drawn slice becomes a map of signed distances to its outline in mm, positive inside.
    Between two slices the distances run linearly, and a voxel is inside where they are
    positive. Where two outlines do not overlap at all, they are first moved along the line
    between their centroids, which the paper leaves open; otherwise nothing would lie between.
    """
    mask = np.asarray(mask, dtype=bool)
    drawn = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != across)))
    if drawn.size < 2:
        raise QsmError("Draw the region on at least two slices first, with empty ones between.")
    if drawn.size == drawn[-1] - drawn[0] + 1:
        raise QsmError("There is no empty slice between the ones that are drawn.")
    size = [float(voxel_size_mm[axis]) for axis in range(3) if axis != across]
    out = mask.copy()
    target = np.moveaxis(out, across, 0)
    source = np.moveaxis(mask, across, 0)
    for low, high in pairwise(drawn):
        if high - low < 2:
            continue
        box = bounding_box((source[low] | source[high])[None], 0)[1:]
        below, above = source[low][box], source[high][box]
        for index in range(low + 1, high):
            part = (index - low) / (high - low)
            target[index][box] = _between(below, above, part, size)
    return out


def _between(below: Array, above: Array, part: float, size: Sequence[float]) -> Array:
    """The outline at a fraction of the way from one slice to the next, in their common box."""
    if (below & above).any():
        first, second = signed_distance(below, size), signed_distance(above, size)
        return np.asarray((1 - part) * first + part * second > 0)
    # A rim of outside, which is what moves in from beyond the box.
    first, second = (signed_distance(np.pad(each, 1), size) for each in (below, above))
    way = np.subtract(ndimage.center_of_mass(above), ndimage.center_of_mass(below))
    first = ndimage.shift(first, part * way, order=1, mode="nearest")
    second = ndimage.shift(second, (part - 1) * way, order=1, mode="nearest")
    return np.asarray((1 - part) * first + part * second > 0)[1:-1, 1:-1]


def signed_distance(outline: Array, size: Sequence[float]) -> Array:
    """Distance in mm to the nearest voxel on the other side, positive inside.

    What lies beyond the array counts as outside.
    """
    padded = np.pad(np.asarray(outline, dtype=bool), 1)
    inside = ndimage.distance_transform_edt(padded, sampling=size)
    outside = ndimage.distance_transform_edt(~padded, sampling=size)
    return np.asarray(inside - outside)[1:-1, 1:-1]
