"""napari's own canvas of a view: held to plane and side of the view, whatever turns it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_qsm.anatomy import DEPTH_AXIS, Letters, Plane, letters_3d
from napari_qsm.session.frames import DIMS_ORDER, Camera2D, camera_orientation, napari_order
from napari_qsm.viewer import compat

#: A volume is never mirrored: (depth, vertical, horizontal) of a right-handed frame.
_ORIENTATION_3D = ("towards", "up", "right")


class NapariCanvas:
    """A model and the widget that napari draws it in.

    Parameters
    ----------
    viewer : napari.Viewer, optional
        Whose canvas it is, given back by :meth:`dispose`; otherwise one of its own is made.
    title : str
        Of a model of its own.

    Attributes
    ----------
    model : ViewerModel
        What is drawn.
    qt : QtViewer
        napari's widget round the canvas.
    native : QWidget
        The widget that is drawn in.
    """

    #: napari itself moved the camera in two dimensions: its zoom and (vertical, horizontal) middle.
    moved = Signal(float, object)
    #: The picture is turned otherwise now.
    turned = Signal()
    #: napari was asked to show everything.
    reset = Signal()

    def __init__(self, viewer: Any = None, *, title: str = "") -> None:
        self.is_own = viewer is None
        self.model: Any = ViewerModel(title=title, ndisplay=2) if viewer is None else viewer
        self.qt: QtViewer = (
            compat.new_canvas(self.model) if viewer is None else compat.qt_viewer(viewer)
        )
        self.native: QWidget = compat.native(self.qt)
        self._quiet = 0
        self._plane: Plane = "axial"
        self._orientation: tuple[str, str, str] = _ORIENTATION_3D
        self._before = self._napari_state()
        self.model.canvas.background_color_override = "black"
        for emitter, call in self._hooks():
            emitter.connect(call)

    def _hooks(self) -> list[tuple[Any, Any]]:
        camera = self.model.scene.camera.events
        return [
            (camera.zoom, self._on_camera),
            (camera.center, self._on_camera),
            (camera.angles, self._on_angles),
            (camera.orientation, self._on_turned),
            (self.model.dims.events.order, self._on_order),
            (self.model.events.reset_view, self._on_reset),
        ]

    @property
    def is_3d(self) -> bool:
        """Whether it shows a volume, not a slice."""
        return bool(self.model.dims.ndisplay == 3)

    @contextmanager
    def signals_blocked(self) -> Iterator[None]:
        """While in it, camera changes are not taken for the user's."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def set_visible(self, visible: bool) -> None:
        """Show or hide it; the sliders below the viewer's own canvas stay."""
        (self.qt if self.is_own else self.native).setVisible(visible)

    def turn_to(self, plane: Plane, radiological: bool) -> None:
        """Show a plane from one side; a volume is always seen right way round."""
        self._plane = plane
        self._orientation = (
            _ORIENTATION_3D if self.is_3d else camera_orientation(plane, radiological)
        )
        self._set_sides()

    def _set_sides(self) -> None:
        """Give axes and camera the directions that letters, marks and mouse go by."""
        dims, camera = self.model.dims, self.model.scene.camera
        order = (0, 1, 2) if self.is_3d else DIMS_ORDER[self._plane]
        with self.signals_blocked():
            if dims.ndim == 3 and tuple(dims.order) != order:
                dims.order = order
            if _directions(camera.orientation) != self._orientation:
                camera.orientation = self._orientation

    def set_3d(self, on: bool) -> None:
        """Switch between slice and volume; :meth:`turn_to` comes next."""
        with self.signals_blocked():
            self.model.dims.ndisplay = 3 if on else 2
            if on:
                self.turn_to(self._plane, True)
                # From the front, the patient's right on the left, a little from above.
                self.model.scene.camera.set_view_direction((-0.25, -1.0, 0.0), (1.0, 0.0, 0.0))
                self.model.fit_to_view()

    def show_depth(self, plane: Plane, mm: float) -> None:
        """Step to the slice at a display position along the axis through the screen."""
        dims, axis = self.model.dims, 2 - DEPTH_AXIS[plane]
        if dims.ndim == 3 and dims.point[axis] != mm:
            with self.signals_blocked():
                dims.set_point(axis, mm)

    def look(self, camera: Camera2D) -> None:
        """Zoom and pan to where a camera looks."""
        with self.signals_blocked():
            napari = self.model.scene.camera
            napari.center = (0.0, camera.centre[1], camera.centre[0])
            napari.zoom = camera.zoom

    def letters_in_3d(self) -> Letters:
        """Letters at the edges of the turned volume."""
        camera = self.model.scene.camera
        view = np.array(napari_order(camera.view_direction))
        up = np.array(napari_order(camera.up_direction))
        # Display axes (x, y, z) are right-handed and the 3-D view is never mirrored.
        return letters_3d(np.cross(view, up), up)

    def dispose(self) -> None:
        """Give the canvas back as it was, or close it if it is our own."""
        for emitter, call in self._hooks():
            emitter.disconnect(call)
        if self.is_own:
            compat.close_canvas(self.qt)
        else:
            self._give_back()
        # Whoever still holds the canvas, a tool perhaps, must not hold a closed window with it.
        del self.qt, self.native, self.model

    def _give_back(self) -> None:
        background, order, ndisplay, orientation, angles = self._before
        self.model.dims.ndisplay = ndisplay
        if len(order) == self.model.dims.ndim:
            self.model.dims.order = order
        self.model.scene.camera.orientation = orientation
        self.model.canvas.background_color_override = background
        self.model.reset_view()
        self.model.scene.camera.angles = angles

    def _napari_state(self) -> tuple[Any, ...]:
        model = self.model
        ndim = max(model.dims.ndim, 3) if not model.layers else model.dims.ndim
        order = tuple(range(ndim)) if not model.layers else tuple(model.dims.order)
        override, camera = model.canvas.background_color_override, model.scene.camera
        return override, order, model.dims.ndisplay, camera.orientation, camera.angles

    def _on_camera(self) -> None:
        """Napari itself moved the camera (zoom box, its own keys)."""
        if not self._quiet and not self.is_3d:
            camera = self.model.scene.camera
            self.moved.emit(float(camera.zoom), np.array(camera.center[-2:], dtype=float))

    def _on_turned(self) -> None:
        """Napari's preferences or a script turned the camera: the picture is not theirs to turn.

        Letters, marks, shapes and the mouse go by plane and side; so must the picture. What was
        asked for is what napari gets when the view is given back.
        """
        # Put right within this very event, the camera may tell of it only afterwards.
        if self._quiet or _directions(self.model.scene.camera.orientation) == self._orientation:
            return
        background, order, ndisplay, _, angles = self._before
        asked = self.model.scene.camera.orientation
        self._before = background, order, ndisplay, asked, angles
        self._set_sides()
        self.turned.emit()

    def _on_order(self) -> None:
        """Napari's buttons or a script chose other axes: the plane is the session's to choose."""
        if not self._quiet:
            self._set_sides()
            self.turned.emit()

    def _on_angles(self) -> None:
        if self.is_3d:
            self.turned.emit()

    def _on_reset(self) -> None:
        if not self._quiet and not self.is_3d:
            self.reset.emit()


def _directions(orientation: tuple[Any, ...]) -> tuple[str, ...]:
    """Plain words of napari's enumerations."""
    return tuple(str(getattr(each, "value", each)) for each in orientation)
