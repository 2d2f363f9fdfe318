"""One view: a slice that is painted here or drawn by napari, its overlay, and where it looks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Letters, Plane, letters
from napari_qsm.arrays import Array
from napari_qsm.compositing import Sheet
from napari_qsm.session.frames import Camera2D
from napari_qsm.viewer.canvas.napari_canvas import NapariCanvas
from napari_qsm.viewer.canvas.overlay import Overlay
from napari_qsm.viewer.canvas.raster import RasterCanvas
from napari_qsm.viewer.canvas.surface import Surface

FIT_MARGIN = 0.97


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
    """One plane.

    Its picture is painted from the layers' arrays, or drawn by napari, whose canvas the large
    view has from the start and others get when they first need it.

    Parameters
    ----------
    name : str
    viewer : napari.Viewer or None
        None in a window without napari.
    sheets : callable, optional
        What the view shows, from the bottom to the top; without it, napari always draws.
    is_large : bool
        Whether it stands in the place of the viewer's own canvas.
    plane, radiological
        Which way the axes run.

    Attributes
    ----------
    viewer : napari.Viewer or None
        Whose layers it shows.
    surface : Surface
        What its picture is on.
    plane : str
        Which plane; ignored while ``is_3d``.
    linked_views : list of SliceView
        Views that show the same slice at the same scale, this one among them.
    layers : dict
        Copies of the viewer's layers in a canvas of its own.
    """

    #: Zoom or pan was changed here, by the mouse or by napari.
    zoomed = Signal(object)
    #: The picture changed its place or size on the canvas.
    moved = Signal(object)
    #: A canvas of its own came into being, empty yet.
    canvas_made = Signal(object)
    #: Napari draws the picture from now on.
    napari_draws = Signal(object)

    def __init__(
        self,
        name: str,
        viewer: Any,
        sheets: Callable[[SliceView], list[Sheet]] | None,
        *,
        is_large: bool = False,
        plane: Plane = "axial",
        radiological: bool = True,
    ) -> None:
        self.name, self.viewer = name, viewer
        self.plane: Plane = plane
        self.radiological = radiological
        self.zoom = Zoom()
        self.linked_views: list[SliceView] = [self]
        self.extent = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
        self.layers: dict[Layer, Layer] = {}
        self._depth_mm = 0.0
        raster = None
        if sheets is not None:
            raster = RasterCanvas(lambda: sheets(self), self.camera, lambda: self._depth_mm)
        self.surface = Surface(name, viewer, raster, is_large=is_large)
        self.surface.canvas_made.connect(self._on_canvas_made)
        if self.canvas is not None:
            self._follow(self.canvas)
        self.overlay = Overlay(self.native)
        self.overlay.setObjectName(f"qsm.view.{name}.overlay")
        self._resizes = _Resizes(self._on_resize)
        self.surface.watch(self._resizes)
        self.turn_to(plane, radiological)

    # -- who draws ------------------------------------------------------------------------

    @property
    def canvas(self) -> NapariCanvas | None:
        """Napari's canvas, once there is one."""
        return self.surface.canvas

    @property
    def draws_napari(self) -> bool:
        """Whether napari draws the picture; it is painted otherwise."""
        return self.surface.draws_napari

    @property
    def native(self) -> QWidget:
        """The widget that shows the picture and gets the mouse and key events."""
        return self.surface.native

    @property
    def widget(self) -> QWidget:
        """What stands in the window."""
        return self.surface.widget

    def let_napari_draw(self, on: bool) -> None:
        """Have napari draw the picture, or paint it here."""
        if on == self.draws_napari:
            return
        self.surface.let_napari_draw(on, self.overlay)
        if on and self.canvas is not None:
            self.napari_draws.emit(self)  # an empty model has no third axis to step along
            self.canvas.turn_to(self.plane, self.radiological)
            self.canvas.show_depth(self.plane, self._depth_mm)
        self.fit()

    def _on_canvas_made(self, canvas: NapariCanvas) -> None:
        self._follow(canvas)
        self.canvas_made.emit(self)

    def _follow(self, canvas: NapariCanvas) -> None:
        canvas.moved.connect(self._on_camera)
        canvas.turned.connect(self.fit)
        canvas.reset.connect(self.reset_zoom)

    # -- what it shows --------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether napari holds no layer to show; without napari there always is something."""
        return self.viewer is not None and not self.viewer.layers

    @property
    def in_napari_tool(self) -> bool:
        """Whether the active layer is in a tool of napari's own."""
        active = None if self.viewer is None else self.viewer.layers.selection.active
        return active is not None and str(active.mode) not in ("pan_zoom", "transform")

    @property
    def is_3d(self) -> bool:
        """Whether the view shows a volume, not a slice."""
        return self.canvas is not None and self.canvas.is_3d

    @property
    def depth_mm(self) -> float:
        """Display position of the slice along the axis through the screen."""
        return self._depth_mm

    def turn_to(self, plane: Plane, radiological: bool) -> None:
        """Show another plane, or the same one from the other side."""
        self.plane, self.radiological = plane, radiological
        if self.canvas is not None and (self.draws_napari or not self.canvas.is_own):
            self.canvas.turn_to(plane, radiological)
        self.fit()

    def set_3d(self, on: bool) -> None:
        """Switch between slice and volume; only napari draws volumes."""
        if on == self.is_3d:
            return
        assert self.canvas is not None
        self.canvas.set_3d(on)
        if not on:
            self.turn_to(self.plane, self.radiological)

    def show_depth(self, display_xyz: Array) -> None:
        """Step to the slice through a display position."""
        before, self._depth_mm = self._depth_mm, float(display_xyz[DEPTH_AXIS[self.plane]])
        if self.canvas is not None and (self.draws_napari or not self.canvas.is_own):
            self.canvas.show_depth(self.plane, self._depth_mm)
        if before != self._depth_mm:
            self.surface.redraw()

    def signals_blocked(self) -> AbstractContextManager[None]:
        """While in it, camera changes are not taken for the user's."""
        return nullcontext() if self.canvas is None else self.canvas.signals_blocked()

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
        if self.canvas is not None and not self.is_3d:
            self.canvas.look(self.camera())
        self.surface.redraw()
        self.moved.emit(self)

    def reset_zoom(self) -> None:
        """Show the whole field of view."""
        self.zoom.factor, self.zoom.centre = 1.0, None
        self.fit()
        self.zoomed.emit(self)

    def letters_in_3d(self) -> Letters:
        """Letters at the edges of the turned volume."""
        return letters("axial") if self.canvas is None else self.canvas.letters_in_3d()

    def dispose(self) -> None:
        """Give napari its canvas back as it was; close everything of our own."""
        self.linked_views = [self]
        self.overlay.setParent(None)
        self.overlay.deleteLater()
        self.layers.clear()
        self.surface.dispose()
        # Whoever still holds the view, a tool perhaps, must not hold a closed window with it.
        self.viewer = None
        del self.overlay

    # -- inside ---------------------------------------------------------------------------

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

    def _on_resize(self, widget: QObject) -> None:
        if widget is self.native:
            self.overlay.resize(self.native.size())
            for view in self.linked_views:
                view.fit()

    def _on_camera(self, zoom: float, centre_zyx: Array) -> None:
        """Napari itself moved the camera (zoom box, its own keys): follow it."""
        if not (zoom > 0 and np.isfinite((zoom, *centre_zyx)).all()):
            self.fit()  # a zoom below zero would turn the picture by half a turn
            return
        across, up = DRAWN_AXES[self.plane]
        centre = self._centre().copy()
        centre[up], centre[across] = centre_zyx
        self.zoom.factor = zoom / self._fitted_zoom()
        self.zoom.centre = centre
        self.surface.redraw()
        self.moved.emit(self)
        self.zoomed.emit(self)


class _Resizes(QObject):
    """Calls a function after a watched widget changed its size or came on screen."""

    def __init__(self, call: Callable[[QObject], None]) -> None:
        super().__init__()
        self._call = call

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice sizes; never keep an event from its receiver."""
        kinds = (QEvent.Type.Resize, QEvent.Type.Show)
        if event is not None and watched is not None and event.type() in kinds:
            self._call(watched)
        return False
