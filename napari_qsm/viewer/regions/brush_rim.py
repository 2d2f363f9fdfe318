"""What the views show of a brush before it paints."""

from __future__ import annotations

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.arrays import Array
from napari_qsm.rois.brush import Tip
from napari_qsm.viewer.canvas.overlay_items import Outline, Ring
from napari_qsm.viewer.canvas.slice_view import SliceView


def rim(
    view: SliceView,
    pointed: SliceView,
    at: Array,
    diameter_mm: float,
    tip: Tip,
    *,
    in_3d: bool,
) -> list[Ring | Outline]:
    """What a view shows of a brush that another view, or this one, points with.

    Parameters
    ----------
    view, pointed : SliceView
        The one that draws, and the one under the mouse.
    at : (x, y, z)
        Display mm of the brush's centre.
    diameter_mm, tip
        The brush.
    in_3d : bool
        A ball or cube shows in every view whose slice it reaches.
    """
    if view.is_3d:
        return []
    radius = diameter_mm / 2
    away = abs(view.depth_mm - float(at[DEPTH_AXIS[view.plane]]))
    if view is not pointed:
        if not in_3d or away > radius:
            return []
        if tip == "round":
            radius = float(np.sqrt(radius**2 - away**2))
    camera = view.camera()
    if tip == "round":
        return [Ring(camera.to_pixel(at), radius * camera.zoom)]
    across, up = DRAWN_AXES[view.plane]
    corners = []
    for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = np.array(at, dtype=np.float64)
        corner[across] += a * radius
        corner[up] += b * radius
        corners.append(camera.to_pixel(corner))
    return [Outline(tuple(corners), closed=True)]
