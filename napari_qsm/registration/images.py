"""Images made ready for registration: coarser, evened out, taken on another grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.volume import Volume

#: Width of the Gaussian whose mean evens an image out, mm: wider than a nucleus, narrower than
#: the shading of coils.
LOCAL_MM = 12.0
#: Part of the head's brightness that is added to the local mean, so that air stays dark.
_FLOOR = 0.1
#: Part of the head's brightness above which a place belongs to the head.
_HEAD = 0.25


def coarser(volume: Volume, mm: float) -> Volume:
    """A volume low-passed and thinned to voxels of about a size, float32.

    Parameters
    ----------
    volume : Volume
        3-D; axes whose voxels are larger already stay as they are.
    mm : float
        The size wanted.

    Returns
    -------
    Volume
        Every n-th voxel of the low-passed array, so its grid is part of the old one.
    """
    sizes = np.array(volume.voxel_size_mm)
    steps = np.maximum(np.floor(mm / sizes + 1e-6).astype(int), 1)
    sigma = 0.5 * np.sqrt(np.maximum(mm**2 - sizes**2, 0)) / sizes
    data = np.asarray(volume.data, np.float32)
    smooth = ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=3)
    x, y, z = (slice(None, None, int(step)) for step in steps)
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] * steps
    return Volume(np.ascontiguousarray(smooth[x, y, z]), affine)


def smoothed(volume: Volume, mm: float) -> Array:
    """A volume's Gaussian mean of so many mm, float32."""
    sigma = mm / np.array(volume.voxel_size_mm)
    data = np.asarray(volume.data, np.float32)
    return ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=3)


def evened(volume: Volume, mm: float = LOCAL_MM) -> tuple[Volume, Array]:
    """A magnitude divided by its local mean, and where there is a head.

    Coils shade an image by a factor that stays with the scanner while the head moves; the
    quotient is free of it.

    Parameters
    ----------
    volume : Volume
        3-D magnitude.
    mm : float
        Width of the Gaussian whose mean it is divided by.

    Returns
    -------
    (Volume, (x, y, z) bool ndarray)
    """
    level = smoothed(volume, mm)
    bright = np.percentile(level, 98)
    head = level > _HEAD * bright
    quotient = np.asarray(volume.data, np.float32) / np.maximum(level + _FLOOR * bright, 1e-12)
    return volume.with_data(quotient), head


def points_of(volume: Volume, mask: Array) -> Array:
    """World RAS mm of the voxels in a mask; (n, 3)."""
    return volume.voxel_to_world(np.argwhere(mask))


def values_at(volume: Volume, points_mm: Array) -> tuple[Array, Array]:
    """Values of a 3-D volume at places in its world, linearly between voxels.

    Returns
    -------
    values : (m,) ndarray
        At the places that lie within the volume.
    inside : (n,) bool ndarray
        Which places these are.
    """
    at = volume.world_to_voxel(points_mm)
    inside = np.all((at >= 0) & (at <= np.array(volume.shape) - 1), axis=1)
    values = ndimage.map_coordinates(volume.data, at[inside].T, order=1, mode="nearest")
    return values, inside


def on_grid(
    moving: Volume, grid: Volume, matrix: Array | None = None, *, order: int = 1
) -> tuple[Array, Array]:
    """A volume taken on another grid, and where that grid lies within it.

    Parameters
    ----------
    moving : Volume
        3-D.
    grid : Volume
        Any volume on the grid wanted.
    matrix : (4, 4) ndarray, optional
        World RAS mm of the grid to that of ``moving``; as they are unless given.
    order : int
        0 for labels, 1 for linear.

    Returns
    -------
    ((x, y, z) ndarray, (x, y, z) bool ndarray)
        Zero outside.
    """
    matrix = np.eye(4) if matrix is None else matrix
    index = np.linalg.inv(moving.affine) @ matrix @ grid.affine
    data = moving.data if moving.data.dtype != bool else moving.data.astype(np.float32)
    values = ndimage.affine_transform(
        data, index[:3, :3], index[:3, 3], output_shape=grid.shape, order=order, mode="constant"
    )
    inside = np.ones(grid.shape, bool)
    axes = np.ogrid[tuple(slice(n) for n in grid.shape)]
    for row, count in zip(index[:3], moving.shape, strict=True):
        at = row[0] * axes[0] + row[1] * axes[1] + row[2] * axes[2] + row[3]
        inside &= (at >= -1e-6) & (at <= count - 1 + 1e-6)
    return values, inside


def turn_matrix(rotation: Array, about_mm: Array, to_mm: Array) -> Array:
    """4 x 4 of a rotation about one point that then lies at another."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = np.asarray(to_mm) - rotation @ np.asarray(about_mm)
    return matrix
