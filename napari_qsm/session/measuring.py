"""Highest and lowest value under a circle on a slice or inside a region. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry
from napari_qsm.volume import check_same_grid


@dataclass(frozen=True)
class Extremes:
    """What a circle or region holds.

    Attributes
    ----------
    voxels : int
        Voxels whose centres lie inside and that hold a number.
    low, high, mean, sd : float
        In the map's own unit; sd is that of a sample.
    low_mm, high_mm : (x, y, z)
        World RAS mm of the voxels with the lowest and the highest value.
    """

    voxels: int
    low: float
    high: float
    mean: float
    sd: float
    low_mm: tuple[float, float, float]
    high_mm: tuple[float, float, float]


def under_circle(
    entry: MapEntry, frame: DisplayFrame, plane: Plane, centre: Array, radius_mm: float
) -> Extremes:
    """Extremes of a map under a circle drawn on one slice of a view.

    Parameters
    ----------
    entry : MapEntry
        The map; read through its own grid.
    frame : DisplayFrame
        The frame of the views.
    plane : str
        The plane of the view.
    centre : (x, y, z)
        Display mm; its depth names the slice.
    radius_mm : float
        Voxels count if their centre lies within it.

    Raises
    ------
    QsmError
        If no voxel centre lies inside.
    """
    volume = entry.shown
    matrix = frame.display_of(volume)
    across, up = DRAWN_AXES[plane]
    depth = DEPTH_AXIS[plane]
    inverse = np.linalg.inv(matrix)
    step = np.linalg.norm(matrix[:3, :3], axis=0)
    # The box of voxels that the circle, one voxel thick, can reach.
    corners = []
    thick = np.abs(matrix[depth, :3]).sum() / 2
    for a in (-radius_mm, radius_mm):
        for b in (-radius_mm, radius_mm):
            for c in (-thick, thick):
                point = np.array(centre, dtype=np.float64)
                point[across] += a
                point[up] += b
                point[depth] += c
                corners.append(inverse[:3, :3] @ point + inverse[:3, 3])
    low = np.clip(np.floor(np.min(corners, axis=0)).astype(int), 0, np.array(volume.shape) - 1)
    high = np.clip(np.ceil(np.max(corners, axis=0)).astype(int), 0, np.array(volume.shape) - 1)
    grid = np.stack(
        np.meshgrid(*(np.arange(i, j + 1) for i, j in zip(low, high, strict=True)), indexing="ij"),
        axis=-1,
    ).reshape(-1, 3)
    places = grid @ matrix[:3, :3].T + matrix[:3, 3]
    away = np.hypot(places[:, across] - centre[across], places[:, up] - centre[up])
    # The slice the view draws: the voxel layer nearest to its depth.
    half = step[int(np.argmax(np.abs(matrix[depth, :3])))] / 2
    inside = (away <= radius_mm) & (np.abs(places[:, depth] - centre[depth]) <= half + 1e-6)
    return _extremes(entry, grid[inside], "under the circle")


def in_region(entry: MapEntry, labels: MapEntry, label: int) -> Extremes:
    """Extremes of a map inside a region of a label map on the same grid.

    Raises
    ------
    GeometryError
        If the two do not share a grid.
    QsmError
        If the region is empty.
    """
    check_same_grid(labels.volume, entry.shown)
    return _extremes(entry, np.argwhere(labels.volume.data == label), "in the region")


def _extremes(entry: MapEntry, voxels: Array, where: str) -> Extremes:
    volume = entry.shown
    values = volume.data[tuple(voxels.T)].astype(np.float64)
    finite = np.isfinite(values)
    values, voxels = values[finite], voxels[finite]
    if values.size == 0:
        raise QsmError(f"'{entry.name}' has no voxel {where}.")
    lowest, highest = (
        volume.voxel_to_world(voxels[int(i)]) for i in (values.argmin(), values.argmax())
    )
    return Extremes(
        voxels=int(values.size),
        low=float(values.min()),
        high=float(values.max()),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if values.size > 1 else float("nan"),
        low_mm=(float(lowest[0]), float(lowest[1]), float(lowest[2])),
        high_mm=(float(highest[0]), float(highest[1]), float(highest[2])),
    )
