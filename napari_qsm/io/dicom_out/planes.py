"""A volume cut into planes as DICOM has them, in its world of LPS mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.volume import Volume, axis_order

#: RAS to LPS: right and left, front and back change places.
_LPS = np.diag([-1.0, -1.0, 1.0])
#: Directions of columns and rows and of the next plane in RAS, by the axis that planes are
#: stacked along: as radiologists look at sagittal, coronal and axial slices.
_VIEWS = {
    0: ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
    1: ((-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    2: ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
}
#: Cosine between axes of a grid beyond which it is sheared.
_SHEARED = 1e-3


@dataclass(frozen=True, eq=False)
class Planes:
    """Where each plane lies; LPS mm.

    Attributes
    ----------
    positions_mm : (n, 3) ndarray
        Middle of the first voxel of each plane.
    orientation : tuple of six float
        Direction along a row, then down a column.
    spacing_mm : (between rows, between columns)
    thickness_mm : float
        From plane to plane.
    affine : (4, 4) ndarray
        Column, row and plane to RAS mm, for reordering volumes.
    shape : (columns, rows, planes)
    """

    positions_mm: Array
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    thickness_mm: float
    affine: Array
    shape: tuple[int, int, int]

    def frames(self, volume: Volume) -> Array:
        """A volume on this grid as planes: (planes, rows, columns), nothing resampled.

        Raises
        ------
        GeometryError
            If it lies on another grid.
        """
        grid = Volume(
            np.broadcast_to(np.uint8(0), self.shape), self.affine, name="the DICOM series"
        )
        return np.ascontiguousarray(volume.like(grid).data.transpose(2, 1, 0))


def planes_of(volume: Volume) -> Planes:
    """Cut a volume as its file was cut, turned as radiologists look at it.

    Parameters
    ----------
    volume : Volume
        In any axis order; the third axis of its file is that of the slices.

    Raises
    ------
    GeometryError
        If the file does not tell sides, or its grid is sheared.
    """
    if not volume.orientation_known:
        raise GeometryError(
            f"'{volume.name or 'The map'}' records no orientation, so left and right cannot be told "
            "apart, and it must not go to a hospital."
        )
    stored = volume.to_stored()
    axes = stored.affine[:3, :3] / stored.voxel_size_mm
    cosines = axes.T @ axes - np.eye(3)
    if np.abs(cosines).max() > _SHEARED:
        raise GeometryError(
            f"The axes of '{volume.name or 'the map'}' are not at right angles "
            f"({np.degrees(np.arcsin(min(np.abs(cosines).max(), 1.0))):.2f}° off), which "
            "DICOM images cannot have; put it on the grid of its scan first."
        )
    towards = axis_order(stored.affine)
    along = next(world for world, (axis, _) in enumerate(towards) if axis == 2)
    order = []
    for direction in _VIEWS[along]:
        world = next(i for i, step in enumerate(direction) if step)
        axis, step = towards[world]
        order.append((axis, step * direction[world]))
    turned = stored._reoriented(order)
    return from_affine(turned.affine, turned.shape)


def from_affine(affine: Array, shape: Sequence[int]) -> Planes:
    """Planes of a grid whose axes are columns, rows and planes; affine to RAS mm."""
    across, down, through = (_LPS @ affine[:3, i] for i in range(3))
    size = [float(np.linalg.norm(v)) for v in (across, down, through)]
    first = _LPS @ affine[:3, 3]
    return Planes(
        positions_mm=first + np.arange(shape[2])[:, None] * through,
        orientation=(*(across / size[0]), *(down / size[1])),
        spacing_mm=(size[1], size[0]),
        thickness_mm=size[2],
        affine=np.array(affine, dtype=float),
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
    )


def from_series(
    positions_mm: Array,
    orientation: Sequence[float],
    spacing_mm: Sequence[float],
    shape: tuple[int, int],
) -> tuple[Planes, Array]:
    """Planes of a DICOM series from its headers, and the order in which they are stacked.

    Parameters
    ----------
    positions_mm : (n, 3) ndarray
        Image Position (Patient) of each plane, in any order.
    orientation : six float
    spacing_mm : (between rows, between columns)
    shape : (rows, columns)
    """
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    order = np.argsort(positions_mm @ np.cross(across, down), kind="stable")
    positions = np.asarray(positions_mm, float)[order]
    count = len(positions)
    through = (positions[-1] - positions[0]) / max(count - 1, 1)
    affine = np.eye(4)
    affine[:3, 0] = _LPS @ across * spacing_mm[1]
    affine[:3, 1] = _LPS @ down * spacing_mm[0]
    affine[:3, 2] = _LPS @ through if count > 1 else _LPS @ np.cross(across, down)
    affine[:3, 3] = _LPS @ positions[0]
    planes = from_affine(affine, (shape[1], shape[0], count))
    told = tuple(float(v) for v in orientation)
    spacing = float(spacing_mm[0]), float(spacing_mm[1])
    return replace(planes, positions_mm=positions, orientation=told, spacing_mm=spacing), order
