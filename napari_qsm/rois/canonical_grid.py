"""A volume's grid in closest-canonical axis order, whatever order its array has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.io.whole_numbers import as_labels
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


@dataclass(frozen=True)
class Transferred:
    """Labels on another grid, and what it cost.

    Attributes
    ----------
    volume : Volume
        On the new grid.
    volumes_mm3 : dict
        For each label, its volume before and after, in mm³.
    """

    volume: Volume
    volumes_mm3: dict[int, tuple[float, float]]

    @property
    def lost(self) -> tuple[int, ...]:
        """Labels of which no voxel is left."""
        return tuple(label for label, (_, after) in self.volumes_mm3.items() if after == 0)

    @property
    def largest_change(self) -> float:
        """Largest relative change of a label's volume, 0.1 for a tenth; 0 without labels."""
        changes = (abs(after / before - 1) for before, after in self.volumes_mm3.values())
        return max(changes, default=0.0)


def nearest(labels: Volume, grid: Volume) -> Transferred:
    """Labels on another grid: each voxel takes the label in which its centre lies.

    Parameters
    ----------
    labels : Volume
        Whole numbers 0-65535, in any axis order.
    grid : Volume
        Any volume on the grid wanted; its own axis order and file grid are kept.

    Returns
    -------
    Transferred
        uint8 or uint16. Voxels whose centre lies outside the labels' grid are 0.

    Raises
    ------
    FileError
        If values are no labels.

    Notes
    -----
    Places are compared in the scanner's world (RAS mm): nothing is registered. Small regions
    change their volume; say so where numbers are reported.
    """
    source = as_labels(labels)
    matrix = np.linalg.inv(labels.affine) @ grid.affine
    columns, rows, slices = grid.shape
    data = np.zeros(grid.shape, source.dtype, order="F")
    i, j = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    plane = np.stack([i.ravel(), j.ravel()]).astype(np.float64)
    across = matrix[:3, :2] @ plane + matrix[:3, 3:]
    limits = np.array(source.shape)[:, None]
    for k in range(slices):
        # Half-way goes up; the slack keeps grids that coincide from being rounded apart.
        at = np.floor(across + matrix[:3, 2:3] * k + 0.5 + 1e-6).astype(np.intp)
        inside = np.all((at >= 0) & (at < limits), axis=0)
        layer = np.zeros(columns * rows, source.dtype)
        layer[inside] = source[tuple(at[:, inside])]
        data[:, :, k] = layer.reshape(columns, rows)
    volume = replace(grid, data=data, unit="", name=labels.name, origin=None)
    before, after = (_volumes(v, x) for v, x in ((labels, source), (grid, data)))
    return Transferred(volume, {n: (mm3, after.get(n, 0.0)) for n, mm3 in before.items()})


def _volumes(volume: Volume, data: Array) -> dict[int, float]:
    counts = np.bincount(data.ravel(order="K"))
    found = np.flatnonzero(counts)
    return {int(n): float(counts[n]) * volume.voxel_volume_mm3 for n in found if n}
