"""One view: a canvas with its own viewer model, its overlay, and the mouse on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.qt import QtViewer
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane, letters_3d
from napari_qsm.arrays import Array
from napari_qsm.session.frames import DIMS_ORDER, Camera2D, camera_orientation, napari_order
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.overlay import Overlay

FIT_MARGIN = 0.97
#: A volume is never mirrored: (depth, vertical, horizontal) of a right-handed frame.
ORIENTATION_3D = ("towards", "up", "right")


@dataclass
class Zoom:
    """What zoom and pan have made of the fitted view; shared by linked views.

    Attributes
    ----------
    factor : float
        1 where the whole field of view fits the canvas.
    centre : ndarray (x, y, z) or None
        Display mm in the middle; None for the middle of the field of view.
    """

    factor: float = 1.0
    centre: Array | None = None


class SliceView:
    """One plane on one canvas.

    The large view wraps napari's own viewer; the others have a model and a canvas of their
    own, whose layers share the data of the viewer's layers.

    Attributes
    ----------
    model : ViewerModel
        What is drawn.
    plane : str
        Which plane; ignored while ``is_3d``.
    linked_views : list of SliceView
        Views that show the same slice at the same scale, this one among them.
    """

    #: Zoom or pan was changed here, by the mouse or by napari.
    zoomed = Signal(object)
    #: The picture changed its place or size on the canvas.
    moved = Signal(object)

    def __init__(
        self,
        name: str,
        *,
        viewer: Any = None,
        plane: Plane = "axial",
        radiological: bool = True,
    ) -> None:
        self.name = name
        self.owns_canvas = viewer is None
        if viewer is None:
            self.model = ViewerModel(title=name, ndisplay=2)
            self.qt: QtViewer = compat.new_canvas(self.model)
        else:
            self.model = viewer
            self.qt = compat.qt_viewer(viewer)
        self.native: QWidget = compat.native(self.qt)
        self.overlay = Overlay(self.native)
        self.overlay.setObjectName(f"qsm.view.{name}.overlay")
        self.plane: Plane = plane
        self.radiological = radiological
        self.zoom = Zoom()
        self.linked_views: list[SliceView] = [self]
        self.extent = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
        self.layers: dict[Layer, Layer] = {}
        self._depth_mm = 0.0
        self._quiet = 0
        self._before = self._napari_state()
        self.model.canvas.background_color_override = "black"
        self._resizes = _Resizes(self._on_resize)
        self.native.installEventFilter(self._resizes)
        camera = self.model.scene.camera
        camera.events.zoom.connect(self._on_camera)
        camera.events.center.connect(self._on_camera)
        camera.events.angles.connect(self._on_angles)
        camera.events.orientation.connect(self._on_turned)
        self.model.dims.events.order.connect(self._on_order)
        self.model.events.reset_view.connect(self._on_reset)
        self.turn_to(plane, radiological)

    @property
    def is_3d(self) -> bool:
        """Whether the view shows a volume, not a slice."""
        return bool(self.model.dims.ndisplay == 3)

    @property
    def depth_mm(self) -> float:
        """Display position of the slice along the axis through the screen."""
        return self._depth_mm

    def turn_to(self, plane: Plane, radiological: bool) -> None:
        """Show another plane, or the same one from the other side."""
        self.plane, self.radiological = plane, radiological
        self._set_sides()
        self.fit()

    @property
    def _orientation(self) -> tuple[str, str, str]:
        """The directions of napari's axes that letters, marks and mouse go by."""
        return ORIENTATION_3D if self.is_3d else camera_orientation(self.plane, self.radiological)

    def _set_sides(self) -> None:
        """Give axes and camera the directions that letters, marks and mouse go by."""
        dims, camera = self.model.dims, self.model.scene.camera
        order = (0, 1, 2) if self.is_3d else DIMS_ORDER[self.plane]
        orientation = self._orientation
        with self.signals_blocked():
            if dims.ndim == 3 and tuple(dims.order) != order:
                dims.order = order
            if _directions(camera.orientation) != orientation:
                camera.orientation = orientation

    def set_3d(self, on: bool) -> None:
        """Switch between slice and volume."""
        if on == self.is_3d:
            return
        with self.signals_blocked():
            if on:
                self.model.dims.ndisplay = 3
                self._set_sides()
                # From the front, the patient's right on the left, a little from above.
                self.model.scene.camera.set_view_direction((-0.25, -1.0, 0.0), (1.0, 0.0, 0.0))
                self.model.fit_to_view()
            else:
                self.model.dims.ndisplay = 2
        if not on:
            self.turn_to(self.plane, self.radiological)

    def show_depth(self, display_xyz: Array) -> None:
        """Step to the slice through a display position."""
        axis = DEPTH_AXIS[self.plane]
        self._depth_mm = float(display_xyz[axis])
        dims = self.model.dims
        if dims.ndim == 3 and dims.point[2 - axis] != self._depth_mm:
            with self.signals_blocked():
                dims.set_point(2 - axis, self._depth_mm)

    @contextmanager
    def signals_blocked(self) -> Iterator[None]:
        """While in it, camera changes are not taken for the user's."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def camera(self) -> Camera2D:
        """What the canvas shows now."""
        across, up = DRAWN_AXES[self.plane]
        centre = self._centre()
        return Camera2D(
            plane=self.plane,
            radiological=self.radiological,
            centre=(float(centre[across]), float(centre[up])),
            zoom=self._fitted_zoom() * self.zoom.factor,
            size=(self.native.width(), self.native.height()),
        )

    def set_camera(self, camera: Camera2D) -> None:
        """Zoom and pan to what a mouse has made of :meth:`camera`."""
        across, up = DRAWN_AXES[self.plane]
        centre = self._centre().copy()
        centre[across], centre[up] = camera.centre
        self.zoom.factor = float(np.clip(camera.zoom / self._fitted_zoom(), 0.2, 60.0))
        self.zoom.centre = centre
        self.fit()
        self.zoomed.emit(self)

    def fit(self) -> None:
        """Bring the canvas to the state of ``zoom``."""
        if self.is_3d:
            self.moved.emit(self)
            return
        with self.signals_blocked():
            camera = self.camera()
            napari = self.model.scene.camera
            napari.center = (0.0, camera.centre[1], camera.centre[0])
            napari.zoom = camera.zoom
        self.moved.emit(self)

    def reset_zoom(self) -> None:
        """Show the whole field of view."""
        self.zoom.factor, self.zoom.centre = 1.0, None
        self.fit()
        self.zoomed.emit(self)

    def letters_in_3d(self) -> Any:
        """Letters at the edges of the turned volume."""
        camera = self.model.scene.camera
        view = np.array(napari_order(camera.view_direction))
        up = np.array(napari_order(camera.up_direction))
        # Display axes (x, y, z) are right-handed and the 3-D view is never mirrored.
        return letters_3d(np.cross(view, up), up)

    def dispose(self) -> None:
        """Give the canvas back as it was, or close it if it is our own."""
        self.linked_views = [self]
        self.native.removeEventFilter(self._resizes)
        camera = self.model.scene.camera
        camera.events.zoom.disconnect(self._on_camera)
        camera.events.center.disconnect(self._on_camera)
        camera.events.angles.disconnect(self._on_angles)
        camera.events.orientation.disconnect(self._on_turned)
        self.model.dims.events.order.disconnect(self._on_order)
        self.model.events.reset_view.disconnect(self._on_reset)
        self.overlay.setParent(None)
        self.overlay.deleteLater()
        self.layers.clear()
        if self.owns_canvas:
            compat.close_canvas(self.qt)
        else:
            self._give_back()
        # Whoever still holds the view, a tool perhaps, must not hold a closed window with it.
        del self.qt, self.native, self.model, self.overlay

    def _give_back(self) -> None:
        background, order, ndisplay, orientation = self._before
        self.model.dims.ndisplay = ndisplay
        if len(order) == self.model.dims.ndim:
            self.model.dims.order = order
        self.model.scene.camera.orientation = orientation
        self.model.canvas.background_color_override = background
        self.model.reset_view()

    def _napari_state(self) -> tuple[Any, ...]:
        model = self.model
        ndim = max(model.dims.ndim, 3) if not model.layers else model.dims.ndim
        order = tuple(range(ndim)) if not model.layers else tuple(model.dims.order)
        override = model.canvas.background_color_override
        return override, order, model.dims.ndisplay, model.scene.camera.orientation

    def _centre(self) -> Array:
        middle = self.extent.mean(axis=0)
        return middle if self.zoom.centre is None else self.zoom.centre

    def _fitted_zoom(self) -> float:
        """Pixels per mm at which the field of view fits, in this view and in those linked with it."""
        return min(view._own_fit() for view in self.linked_views)

    def _own_fit(self) -> float:
        across, up = DRAWN_AXES[self.plane]
        span = np.maximum(self.extent[1] - self.extent[0], 1e-6)
        fits = min(self.native.width() / span[across], self.native.height() / span[up])
        return max(float(fits) * FIT_MARGIN, 1e-6)

    def _on_resize(self) -> None:
        self.overlay.resize(self.native.size())
        for view in self.linked_views:
            view.fit()

    def _on_camera(self) -> None:
        """Napari itself moved the camera (zoom box, its own keys): follow it."""
        if self._quiet or self.is_3d:
            return
        napari = self.model.scene.camera
        if not (napari.zoom > 0 and np.isfinite((napari.zoom, *napari.center)).all()):
            self.fit()  # a zoom below zero would turn the picture by half a turn
            return
        across, up = DRAWN_AXES[self.plane]
        centre = self._centre().copy()
        centre[up], centre[across] = napari.center[-2:]
        self.zoom.factor = napari.zoom / self._fitted_zoom()
        self.zoom.centre = centre
        self.moved.emit(self)
        self.zoomed.emit(self)

    def _on_turned(self) -> None:
        """Napari's preferences or a script turned the camera: the picture is not theirs to turn.

        Letters, marks, shapes and the mouse go by plane and side; so must the picture. What was
        asked for is what napari gets when the view is given back.
        """
        # Put right within this very event, the camera may tell of it only afterwards.
        if self._quiet or _directions(self.model.scene.camera.orientation) == self._orientation:
            return
        background, order, ndisplay, _ = self._before
        self._before = background, order, ndisplay, self.model.scene.camera.orientation
        self._set_sides()
        self.moved.emit(self)

    def _on_order(self) -> None:
        """Napari's buttons or a script chose other axes: the plane is the session's to choose."""
        if not self._quiet:
            self._set_sides()
            self.fit()

    def _on_angles(self) -> None:
        if self.is_3d:
            self.moved.emit(self)

    def _on_reset(self) -> None:
        if not self._quiet and not self.is_3d:
            self.reset_zoom()


def _directions(orientation: tuple[Any, ...]) -> tuple[str, ...]:
    """Plain words of napari's enumerations."""
    return tuple(str(getattr(each, "value", each)) for each in orientation)


class _Resizes(QObject):
    """Calls a function after the watched widget changed its size or came on screen."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice sizes; never keep an event from its receiver."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._call()
        return False
