"""What a view's picture is on: a widget painted here, or napari's canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_qsm.arrays import Array
from napari_qsm.compositing import unpacked
from napari_qsm.viewer import compat, compat_drawing
from napari_qsm.viewer.canvas.napari_canvas import NapariCanvas
from napari_qsm.viewer.canvas.raster import RasterCanvas


class Surface:
    """One of two widgets in one place.

    Parameters
    ----------
    name : str
        Of the view.
    viewer : napari.Viewer or None
        None where there is none; the picture is painted then, whatever is asked for.
    raster : RasterCanvas, optional
        Without it, napari always draws.
    is_large : bool
        Whether it has the place of the viewer's own canvas, which is there from the start; others
        get a canvas when they first need it.

    Attributes
    ----------
    widget : QWidget
        What stands in the window.
    canvas : NapariCanvas or None
        napari's, once there is one.
    draws_napari : bool
        Whether napari draws the picture; it is painted otherwise.
    """

    #: napari's canvas came into being.
    canvas_made = Signal(object)

    def __init__(
        self, name: str, viewer: Any, raster: RasterCanvas | None, *, is_large: bool
    ) -> None:
        self._name, self._raster = name, raster
        self._watchers: list[QObject] = []
        self.canvas: NapariCanvas | None = None
        self.draws_napari = raster is None
        own = None if viewer is None else compat.qt_viewer(viewer)
        self.widget: QWidget = own if is_large and own is not None else QWidget()
        if is_large and own is not None:
            self.canvas = NapariCanvas(viewer)
            if raster is not None:
                compat_drawing.put_before_canvas(own, raster)
                raster.mouse_to = self.canvas.native
                self.canvas.set_visible(False)
        else:
            self._column = QVBoxLayout(self.widget)
            self._column.setContentsMargins(0, 2, 0, 2)
            if raster is not None:
                self._column.addWidget(raster)
        if raster is not None:
            raster.setObjectName(f"qsm.view.{name}.picture")
            raster.keys_to = None if own is None else compat.native(own)

    @property
    def native(self) -> QWidget:
        """The widget that shows the picture and gets the mouse and key events."""
        if self.draws_napari or self._raster is None:
            return self.made_canvas().native
        return self._raster

    def made_canvas(self) -> NapariCanvas:
        """Napari's canvas, made if there is none yet."""
        if self.canvas is None:
            self.canvas = NapariCanvas(title=self._name)
            for watcher in self._watchers:
                self.canvas.native.installEventFilter(watcher)
            self._column.addWidget(self.canvas.qt)
            self.canvas_made.emit(self.canvas)
        return self.canvas

    def let_napari_draw(self, on: bool, overlay: QWidget) -> None:
        """Change places; what lies over the picture goes along."""
        assert self._raster is not None
        canvas, before = self.made_canvas(), self.native
        self.draws_napari = on
        self.native.resize(before.size())
        has_focus = before.hasFocus()
        overlay.setParent(self.native)
        self._raster.setVisible(not on)
        canvas.set_visible(on)
        overlay.show()
        overlay.raise_()
        if has_focus:
            self.native.setFocus()

    def watch(self, watcher: QObject) -> None:
        """Let a filter see what happens to whichever widget shows the picture."""
        self._watchers.append(watcher)
        for widget in self._widgets():
            widget.installEventFilter(watcher)

    def unwatch(self, watcher: QObject) -> None:
        """Undo :meth:`watch`."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
        for widget in self._widgets():
            widget.removeEventFilter(watcher)

    def holds(self, widget: QObject) -> bool:
        """Whether a widget shows, or at other times shows, the picture."""
        return widget in self._widgets()

    def redraw(self) -> None:
        """Paint the picture anew, soon; napari looks after its own."""
        if self._raster is not None and not self.draws_napari:
            self._raster.redraw()

    def redraw_box(self, low: Array, high: Array) -> None:
        """Paint anew what lies between two corners, display (x, y, z) mm."""
        if self._raster is not None and not self.draws_napari:
            self._raster.redraw_box(low, high)

    def picture(self) -> Array:
        """What is shown, without what lies over it.

        Returns
        -------
        ndarray, shape (height, width, 3), uint8
            In pixels of the screen.
        """
        if self._raster is not None and not self.draws_napari:
            return unpacked(self._raster.picture())
        return np.asarray(self.made_canvas().qt.screenshot(flash=False))[..., :3]

    def dispose(self) -> None:
        """Give napari its canvas back as it was; close everything of our own."""
        for watcher in list(self._watchers):
            self.unwatch(watcher)
        is_own = self.canvas is None or self.canvas.is_own
        if self.canvas is not None:
            compat_drawing.take_from_canvas(self.canvas.qt)
            self.canvas.set_visible(True)
            self.canvas.dispose()
        if self._raster is not None:
            self._raster.setParent(None)
            self._raster.deleteLater()
        if is_own:
            self.widget.deleteLater()
        # Whoever still holds the view, a tool perhaps, must not hold a closed window with it.
        self._raster = self.canvas = None
        del self.widget

    def _widgets(self) -> list[QWidget]:
        drawn = [] if self.canvas is None else [self.canvas.native]
        return drawn if self._raster is None else [self._raster, *drawn]
