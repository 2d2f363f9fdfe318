"""What a region's mean owes to its outer layer of voxels, which may lie half in other tissue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import nan

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.repeatability import Repeatability
from napari_qsm.units import fixed

#: Along an axis whose voxels are longer than so many of the shortest, no layer is taken off.
_THICK = 2.0


def edge_axes(voxel_size_mm: Sequence[float]) -> tuple[int, ...]:
    """Axes along which the outer layer is taken off.

    All three, unless slices are more than twice as thick as voxels are wide: a layer of such
    slices is millimetres of a small nucleus, and nothing of it would be left. There the layer
    is taken within slices.

    Examples
    --------
    >>> edge_axes((1.0, 1.0, 1.0)), edge_axes((0.625, 0.625, 2.0))
    ((0, 1, 2), (0, 1))
    """
    least = min(voxel_size_mm)
    return tuple(a for a, size in enumerate(voxel_size_mm) if size <= _THICK * least * (1 + 1e-6))


def edge_words(voxel_size_mm: Sequence[float]) -> str:
    """How the layer is taken off, for people."""
    if len(edge_axes(voxel_size_mm)) == 3:
        return "one voxel all round (6 neighbours)"
    return "one voxel within slices, which are thick (4 neighbours)"


def is_inner(places: Array, axes: Sequence[int]) -> Array:
    """Which voxels of a region have a neighbour of the same region on both sides.

    Parameters
    ----------
    places : (n, 3) ndarray of int
        Its voxels, each once.
    axes : sequence of int
        Along which neighbours count; see :func:`edge_axes`.

    Returns
    -------
    (n,) ndarray of bool
        Voxels at the border of the image are outer ones.
    """
    if not len(places):
        return np.zeros(0, bool)
    at = tuple((places - places.min(axis=0) + 1).T)
    inside = np.zeros([int(each.max()) + 2 for each in at], bool)
    inside[at] = True
    inner = np.ones(len(places), bool)
    for axis in axes:
        for step in (-1, 1):
            inner &= inside[tuple(c + step * (a == axis) for a, c in enumerate(at))]
    return inner


def with_edge(
    measures: Measures, values: Array, places: Array, voxel_size_mm: Sequence[float]
) -> Measures:
    """Numbers of a region with what they would be without its outer layer.

    Parameters
    ----------
    measures : Measures
        Of all its voxels.
    values : (x, y, z) ndarray
        The map.
    places : (n, 3) ndarray of int
        Its voxels.
    voxel_size_mm : sequence of float
    """
    inner = places[is_inner(places, edge_axes(voxel_size_mm))]
    found = values[tuple(inner.T)].astype(np.float64)
    found = found[np.isfinite(found)]
    mean = float(found.mean()) if found.size else nan
    return measures.with_external(
        {
            "inner_mean": mean,
            "edge_difference": mean - measures.mean,
            "inner_voxels": float(len(inner)),
        }
    )


def edge_notes(
    regions: Iterable[tuple[str, Measures]], to_ppb: float, repeatability: Repeatability
) -> list[str]:
    """Whose mean hangs on its edge by more than repeated scans of one person differ.

    Parameters
    ----------
    regions : iterable of (name, Measures)
        With their edges; those that nobody looked at are passed over.
    to_ppb : float
        From the unit of the measures to ppb.
    repeatability : Repeatability
        Within-subject SD of a region's mean.

    Returns
    -------
    list of str
        A sentence each, without a full stop.
    """
    hanging, gone, sizes = [], [], set()
    for name, measures in regions:
        apart = measures.value("edge_difference") * to_ppb
        if measures.voxels and measures.value("inner_voxels") == 0:
            gone.append(name)
        elif abs(apart) > repeatability.of(name):
            sizes.add(repeatability.of(name))
            hanging.append(f"{name} {fixed(apart, 1, signed=True)}")
    said = []
    if hanging:
        least, most = fixed(min(sizes), 1), fixed(max(sizes), 1)
        said.append(
            "Without their outer voxels, means change by more than repeated scans differ (SD "
            f"{least if least == most else f'{least} to {most}'} ppb): {', '.join(hanging)} ppb; "
            "look where these edges lie"
        )
    if gone:
        said.append(f"Nothing is left without outer voxels of {', '.join(gone)}")
    return said
