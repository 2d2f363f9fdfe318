"""Small clusters of what thresholds leave of a map: speckle, which an overlay may leave out."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.colormaps import (
    Coloured,
    colour_steps,
    effective_window,
    end_colours,
    has_thresholds,
    lookup_table,
)


class Clustered(Coloured, Protocol):
    """A display that leaves out small clusters."""

    @property
    def smallest_cluster_mm3(self) -> float:
        """Below which a cluster is not shown."""


def least_voxels(smallest_mm3: float, voxel_mm3: float) -> int:
    """How many voxels a cluster has at least to be shown."""
    return max(math.ceil(smallest_mm3 / voxel_mm3 - 1e-6), 1)


def leaves_out_clusters(display: Clustered) -> bool:
    """Whether a display leaves out anything: without thresholds, all of a map is one cluster."""
    return display.smallest_cluster_mm3 > 0 and has_thresholds(display)


def small_clusters(data: Array, display: Clustered, voxel_mm3: float) -> Array | None:
    """The voxels that a display would colour, in clusters too small to be shown.

    Parameters
    ----------
    data : (x, y, z) ndarray
        In the unit of the display.
    display : Clustered
        Window, thresholds, and ``smallest_cluster_mm3``.
    voxel_mm3 : float
        Volume of a voxel.

    Returns
    -------
    (x, y, z) ndarray of bool, or None
        None where the display leaves out none.

    Notes
    -----
    A cluster is three-dimensional: voxels are of one cluster if they share a face. With
    ``"both sides"``, values above and below zero are clusters of their own.
    """
    if not leaves_out_clusters(display):
        return None
    least = least_voxels(display.smallest_cluster_mm3, voxel_mm3)
    # What is coloured, exactly: thresholds act on the steps of the colour table.
    first, last = end_colours(display)
    alpha = np.concatenate([[0.0, first[3]], lookup_table(display)[:, 3], [last[3]]])
    coloured = np.take(alpha > 0, colour_steps(data, *effective_window(display)))
    parts = [coloured]
    if display.colouring == "both sides":
        with np.errstate(invalid="ignore"):
            parts = [coloured & (data >= 0), coloured & (data < 0)]
    small = np.zeros(data.shape, dtype=bool)
    for part in parts:
        clusters, _ = ndimage.label(part)
        too_few = np.bincount(clusters.ravel()) < least
        too_few[0] = False
        small |= too_few[clusters]
    return small
