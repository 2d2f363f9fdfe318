"""What plain napari had on show, kept while the workspace comes and goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_qsm.arrays import Array
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.controller import Controller
from napari_qsm.viewer.plain.layers import TURNED_KEY

#: What napari's picture takes of its canvas where it is shown whole.
_WHOLE = 0.95
#: Nearer than that, and it counts as zoomed.
_ZOOMED = 1.1


class PlainLook:
    """The point in the head, and how near it was looked at.

    Positions are of the display frame of :mod:`napari_qsm.anatomy`, (x, y, z) mm, whichever way
    round the layers lie.

    Parameters
    ----------
    viewer : napari.Viewer
        Before a workspace changes anything in it.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._point: Array | None = None
        self._centre: Array | None = None
        self._camera_3d: tuple[float, Any] | None = None
        self._factor = 1.0
        dims, camera = viewer.dims, viewer.scene.camera
        if not viewer.layers or dims.ndim < 3:
            return
        point = np.array(dims.point, dtype=float)
        self._point = self._turned(point)
        self._camera_3d = (camera.zoom, camera.center[-2:]) if dims.ndisplay == 3 else None
        if dims.ndisplay == 2:
            drawn = list(dims.displayed)
            extent = viewer.layers.extent
            spans = extent.world[1] - extent.world[0] + extent.step
            fitting = np.array(viewer.canvas.size) / spans[drawn]
            self._factor = float(camera.zoom / (_WHOLE * fitting.min()))
            point[drawn] = camera.center[-2:]
            self._centre = self._turned(point)

    def _turned(self, napari: Array) -> Array:
        """The last three axes of napari as (x, y, z) of the display frame, and the other way."""
        turned = any(layer.metadata.get(TURNED_KEY) for layer in self._viewer.layers)
        return napari[-3:][::-1] * (-1 if turned else 1)

    def take_over(self, controller: Controller) -> None:
        """Make the viewer's layers part of the session, and look where napari has looked."""
        for layer in list(self._viewer.layers):
            controller.sync.take(layer)
        frame, main = controller.frame, controller.main
        if frame is None or self._point is None:
            return
        controller.go_to(frame.display_to_world(self._point))
        if self._factor > _ZOOMED:
            main.zoom.factor, main.zoom.centre = self._factor, self._centre
            for view in controller.views:
                view.fit()

    def keep(self, controller: Controller) -> None:
        """Note where the workspace looks, before it goes."""
        frame, zoom = controller.frame, controller.main.zoom
        if frame is not None:
            self._point = frame.world_to_display(controller.session.crosshair_mm)
            self._factor, self._centre = zoom.factor, zoom.centre

    def give_back(self) -> None:
        """Have napari look there, once the workspace has gone."""
        dims = self._viewer.dims
        if self._point is not None and dims.ndim >= 3:
            dims.set_point(range(dims.ndim - 3, dims.ndim), self._turned(self._point))
            QTimer.singleShot(0, self._look)  # once the canvas has its own size again

    def _look(self) -> None:
        if compat.is_closed(self._viewer):
            return
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        self._viewer.reset_view(reset_camera_angle=False)
        drawn = list(dims.displayed)
        if dims.ndisplay == 3:
            if self._camera_3d is not None:
                camera.zoom, middle = self._camera_3d
                # Back in 2-D, napari's slider follows the camera.
                camera.center = (dims.point[drawn[0]], *middle)
            return
        camera.zoom *= self._factor
        if self._centre is not None:
            place = np.array(dims.point)
            place[-3:] = self._turned(self._centre)
            camera.center = (0.0, *place[drawn])
