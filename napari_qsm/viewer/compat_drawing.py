"""napari's private parts that have to do with slicing and drawing; the rest is in ``compat``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.qt import QtViewer
from qtpy.QtGui import QImage, QResizeEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_qsm.viewer.compat import column_of

_OF_TOOLS = ("polygon", "brush_stroke")


def put_before_canvas(view: QtViewer, widget: QWidget) -> None:
    """Give a widget the place of a view's own canvas, which is shown or hidden beside it."""
    column_of(view).insertWidget(0, widget, stretch=1)
    canvas = view.canvas

    def screenshot() -> QImage:
        hidden = canvas.native
        if not hidden.isVisible():  # Qt keeps new sizes from it until it is seen
            QApplication.sendEvent(hidden, QResizeEvent(hidden.size(), hidden.size()))
        return hidden.grabFramebuffer()

    canvas.screenshot = screenshot


def take_from_canvas(view: QtViewer) -> None:
    """Undo :func:`put_before_canvas`; the widget is left to the caller."""
    vars(view.canvas).pop("screenshot", None)


def before_drawing(view: QtViewer, call: Callable[..., None]) -> None:
    """Let something happen before a canvas is drawn, for the screen or for a screenshot."""
    view.canvas.events.draw.connect(call, position="first")


def not_before_drawing(view: QtViewer, call: Callable[..., None]) -> None:
    """Undo :func:`before_drawing`."""
    view.canvas.events.draw.disconnect(call)


def put_slicing_off(viewer: ViewerModel, instead: Callable[..., None]) -> None:
    """Let napari not slice its layers at each step; ``instead`` is told of steps."""
    for emitter in (viewer.dims.events.point, viewer.dims.events.current_step):
        emitter.disconnect(viewer._update_layers)
        emitter.connect(instead)


def slice_at_each_step(viewer: ViewerModel, instead: Callable[..., None]) -> None:
    """Undo :func:`put_slicing_off`."""
    for emitter in (viewer.dims.events.point, viewer.dims.events.current_step):
        emitter.disconnect(instead)
        emitter.connect(viewer._update_layers, position="first")


def slice_layers(viewer: ViewerModel) -> None:
    """Let napari slice all layers where ``dims`` stands."""
    viewer._update_layers()


def read_values_from_data(layer: Layer) -> None:
    """Let ``layer.get_value`` read the array, whose slice may not have been taken yet.

    napari reads the slice, which is the same values at the same place.
    """

    def value_at(position: Any) -> Any:
        index = np.round(position).astype(int)
        if len(index) == layer.data.ndim and ((index >= 0) & (index < layer.data.shape)).all():
            return layer.data[tuple(index)]
        return None

    layer._get_value = value_at


def read_values_from_slice(layer: Layer) -> None:
    """Undo :func:`read_values_from_data`."""
    vars(layer).pop("_get_value", None)


def overlay_switches(viewer: ViewerModel) -> list[Any]:
    """Emitters that tell when something of napari's own appears over its canvas, or a grid."""
    every = [*viewer.canvas.overlays.values(), *viewer.scene.overlays.values()]
    dims = viewer.dims.events
    return [
        *(overlay.events.visible for overlay in every),
        viewer.canvas.grid.events.enabled,
        dims.margin_left,
        dims.margin_right,
    ]


def has_overlays(viewer: ViewerModel) -> bool:
    """Whether napari's own scale bar, axes or texts are on, or its grid or thick slices."""
    every = [*viewer.canvas.overlays.values(), *viewer.scene.overlays.values()]
    thick = (*viewer.dims.margin_left, *viewer.dims.margin_right)
    return viewer.canvas.grid.enabled or any(thick) or any(each.visible for each in every)


def extra_switches(layer: Layer) -> list[Any]:
    """Emitters that tell when napari draws something around or through a layer, or no longer."""
    planes = layer.experimental_clipping_planes.events
    return [planes, *(each.events.visible for each in layer._overlays.values())]


def has_extras(layer: Layer) -> bool:
    """Whether napari draws a box, a name or a colour bar with a layer, or cuts it."""
    # These two of labels draw only while their tools are in use.
    every = {name: each for name, each in layer._overlays.items() if name not in _OF_TOOLS}
    return bool(layer.experimental_clipping_planes) or any(e.visible for e in every.values())


def is_upright(layer: Layer) -> bool:
    """Whether a layer is placed by scale and translation only."""
    return bool(
        np.array_equal(layer.rotate, np.eye(layer.ndim))
        and not np.any(layer.shear)
        and np.array_equal(layer.affine.affine_matrix, np.eye(layer.ndim + 1))
    )
