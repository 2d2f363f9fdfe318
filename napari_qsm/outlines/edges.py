"""Outlines that follow the edges of a map, near where the atlas puts them.

Within a band round the atlas's outline each voxel goes to the structure, or to what surrounds it, whose value
thereabouts is most like its own. The atlas has its say by the distance to its outline, and so have
the neighbours (a Markov random field, solved by mean fields: Zhang, Brady & Smith 2001, IEEE Trans Med
Imaging 20:45, give the model). Half-way between two values is where a manual reader draws, too. Distances
are in mm, so that thick slices count as what they are.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume

#: Structures of the atlas that touch each other, by their labels on the left; each group is outlined at once.
#: Both parts of the substantia nigra are one.
_GROUPS = ((1, 3, 5, 9, 11), (13, 15, 31))
MERGED = {17: 13, 18: 14}
#: How far an edge may lie from the atlas's, mm.
BAND_MM = 2.5
#: By how much values of one structure differ, ppm; beyond so many of these it is something else, and the atlas
#: alone decides, as in a bleed.
_SPREAD_PPM, _MOST = 0.02, 6.0
#: Distance to the atlas's outline that weighs as much as one spread, about; mm.
_PRIOR_MM = 1.5
#: What is so near a structure is blurred by it; width of the means that are the values thereabouts, mm.
_CLEAR_MM, _AROUND_MM, _WITHIN_MM = 1.5, 3.0, 4.0
#: How far neighbours reach, mm, and what they weigh.
_NEIGHBOURS_MM, _COUPLING = 0.8, 4.0
_ROUNDS = 3
#: Values of a structure that are further from its median than this are not its own, ppm.
_OWN_PPM = 0.04
_LIMITS_PPM, _AROUND_LIMITS_PPM = (-0.08, 0.3), (-0.08, 0.1)
#: Pieces smaller than this part of a structure's largest are not kept.
_SMALLEST_PIECE = 0.1


def follow_edges(chi: Volume, labels: Array, *, progress: Progress = no_progress) -> Array:
    """Move outlines onto the edges of a map.

    Parameters
    ----------
    chi : Volume
        ppm.
    labels : (x, y, z) uint8 ndarray
        The atlas's labels on the grid of the map, as :meth:`BentAtlas.labels_on` gives them.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    (x, y, z) uint8 ndarray
        The same labels, those of :data:`MERGED` as one. No voxel is further than
        :data:`BAND_MM` outside the structure that it was, or goes to.
    """
    whole = np.zeros(256, np.uint8)
    for group in _GROUPS:
        whole[[label + side for label in group for side in (0, 1)]] = [
            label + side for label in group for side in (0, 1)
        ]
    whole[list(MERGED)] = list(MERGED.values())
    start = whole[labels]
    out = np.zeros_like(start)
    sizes = np.array(chi.voxel_size_mm)
    margin = [int(n) for n in np.ceil((BAND_MM + 2 * _AROUND_MM) / sizes)]
    for number, (group, side) in enumerate((g, s) for g in _GROUPS for s in (0, 1)):
        found = np.where(np.isin(start, [label + side for label in group]), start, 0)
        if found.any():
            box = bounding_box(found > 0, margin)
            values = np.clip(np.nan_to_num(np.asarray(chi.data[box], np.float32)), *_LIMITS_PPM)
            # Structures of other groups are not background.
            other = (start[box] > 0) & (found[box] == 0)
            mine = _outlined(values, found[box], other, sizes)
            out[box][mine > 0] = mine[mine > 0]
        progress((number + 1) / (2 * len(_GROUPS)))
    return out


def _outlined(values: Array, start: Array, other: Array, sizes: Array) -> Array:
    """Labels of one group in its box."""
    names = [0, *(int(label) for label in np.unique(start) if label)]
    depths = [_depth((start == name) if name else (start == 0), sizes) for name in names]
    index = np.searchsorted(names, start)
    for _ in range(_ROUNDS):
        means = _means(values, index, len(names), other, sizes)
        cost = np.stack(
            [
                np.minimum((values - mean) ** 2 / (2 * _SPREAD_PPM**2), _MOST) - depth / _PRIOR_MM
                for mean, depth in zip(means, depths, strict=True)
            ]
        )
        for row, depth in zip(cost, depths, strict=True):
            row[depth < -BAND_MM] = np.inf
        cost[1:, other] = np.inf
        index = _settled(cost, sizes)
        for number in range(1, len(names)):
            index[_stray(index == number)] = 0
    return np.array(names, np.uint8)[index]


def _depth(inside: Array, sizes: Array) -> Array:
    """How deep each voxel lies in a structure, mm; negative outside."""
    within = ndimage.distance_transform_edt(inside, sampling=sizes)
    return np.asarray(within - ndimage.distance_transform_edt(~inside, sampling=sizes), np.float32)


def _means(values: Array, index: Array, count: int, other: Array, sizes: Array) -> list[Array]:
    """The value thereabouts of what surrounds the structures, and of each of them."""
    away = ndimage.distance_transform_edt((index == 0) & ~other, sampling=sizes)
    clear = (away > _CLEAR_MM).astype(np.float32)
    around = np.clip(values, *_AROUND_LIMITS_PPM) * clear
    means = [_mean(around, _AROUND_MM, sizes) / np.maximum(_mean(clear, _AROUND_MM, sizes), 1e-3)]
    for number in range(1, count):
        depth = ndimage.distance_transform_edt(index == number, sampling=sizes)
        core = depth >= min(1.5, 0.6 * float(depth.max()))
        core &= index == number
        if not core.any():
            means.append(np.full_like(values, np.inf))
            continue
        median = float(np.median(values[core]))
        own = np.clip(values, median - _OWN_PPM, median + _OWN_PPM) * core
        weight = _mean(core.astype(np.float32), _WITHIN_MM, sizes)
        means.append((_mean(own, _WITHIN_MM, sizes) + 0.02 * median) / (weight + 0.02))
    return means


def _settled(cost: Array, sizes: Array) -> Array:
    """The label of each voxel, given what each costs and what its neighbours have."""
    total = cost
    for _ in range(3):
        shares = np.exp(-(total - total.min(axis=0)))
        shares /= shares.sum(axis=0)
        total = cost - _COUPLING * np.stack([_mean(s, _NEIGHBOURS_MM, sizes) for s in shares])
    return total.argmin(axis=0)


def _stray(inside: Array) -> Array:
    """Pieces of a structure that are small beside its largest."""
    pieces, count = ndimage.label(inside)
    if count < 2:
        return np.zeros_like(inside)
    voxels = np.bincount(pieces.ravel())
    voxels[0] = 0
    small = voxels < _SMALLEST_PIECE * voxels.max()
    small[0] = False
    return small[pieces]


def _mean(values: Array, mm: float, sizes: Array) -> Array:
    return ndimage.gaussian_filter(values, mm / sizes, mode="nearest", truncate=3)
