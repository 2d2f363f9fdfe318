"""A volume's grid in closest-canonical axis order, whatever order its array has."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.volume import Volume, axis_order


def canonical_spacing(volume: Volume) -> tuple[float, float, float]:
    """Voxel size of a volume in closest-canonical axis order, mm."""
    return _grid(volume).spacing


def index_of(world_mm: npt.ArrayLike, volume: Volume) -> Array:
    """Fractional indices, in closest-canonical axis order, of world RAS mm; shape (..., 3)."""
    grid = _grid(volume)
    return np.asarray(world_mm, dtype=np.float64) @ grid.to_index[:3, :3].T + grid.to_index[:3, 3]


def world_of(index: npt.ArrayLike, volume: Volume) -> Array:
    """World RAS mm of indices in closest-canonical axis order; shape (..., 3)."""
    affine = _grid(volume).affine
    return np.asarray(index, dtype=np.float64) @ affine[:3, :3].T + affine[:3, 3]


def within(indices: Array, volume: Volume) -> Array:
    """Which canonical indices lie on the grid; shape (n, 3) in, (n,) bool out."""
    return np.all((indices >= 0) & (indices < np.array(_grid(volume).shape)), axis=1)


@dataclass(frozen=True, eq=False)
class _Grid:
    """A volume's grid in closest-canonical axis order."""

    order: list[tuple[int, int]]
    shape: tuple[int, int, int]
    affine: Array
    to_index: Array
    spacing: tuple[float, float, float]


#: Working this out takes longer than all the rest, and drags ask for it again and again.
_GRIDS: WeakKeyDictionary[Volume, _Grid] = WeakKeyDictionary()


def _grid(volume: Volume) -> _Grid:
    grid = _GRIDS.get(volume)
    if grid is None:
        canonical = volume.to_canonical()
        affine = canonical.affine
        order = axis_order(volume.affine)
        inverse = np.linalg.inv(affine)
        grid = _Grid(order, canonical.shape, affine, inverse, canonical.voxel_size_mm)
        _GRIDS[volume] = grid
    return grid


def flat_positions(indices: Array, volume: Volume) -> Array:
    """Flat positions in the volume's own array of canonical indices on its grid.

    Returns
    -------
    (n,) ndarray of int
        x fastest (Fortran order over ``volume.shape``).
    """
    own: list[Array] = [indices[:, 0]] * 3
    for world, (axis, step) in enumerate(_grid(volume).order):
        along = indices[:, world]
        own[axis] = along if step > 0 else volume.shape[axis] - 1 - along
    columns, rows, _ = volume.shape
    return own[0] + columns * (own[1] + rows * own[2])
