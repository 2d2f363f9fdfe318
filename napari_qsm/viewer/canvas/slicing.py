"""napari's slicing of the large view, put off while its picture is painted."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QTimer

from napari_qsm.viewer import compat, compat_drawing

#: How long nothing moves before napari's own slices are brought up to date, ms.
REST_MS = 700


class Slicing:
    """Saves napari the slices that nobody looks at.

    ``viewer.dims`` is right at once, and ``layer.get_value`` reads right values; slices follow when
    the hand rests, before napari draws or takes a screenshot, and when :meth:`catch_up` is called.

    Attributes
    ----------
    is_off : bool
        Whether slices are put off.
    is_catching_up : bool
        Whether what layers tell now comes from being sliced, not from new values.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._behind = False
        self._changed: list[Layer] = []
        self.is_off = self.is_catching_up = False
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.catch_up)
        layers = viewer.layers.events
        layers.inserted.connect(self._on_inserted)
        layers.removed.connect(self._on_removed)
        compat_drawing.before_drawing(compat.qt_viewer(viewer), self.catch_up)

    def put_off(self, off: bool) -> None:
        """Put slices off from now on, or have them taken at each step as napari does."""
        if off == self.is_off:
            return
        self.is_off = off
        if off:
            compat_drawing.put_slicing_off(self._viewer, self._on_step)
            for layer in self._viewer.layers:
                compat_drawing.read_values_from_data(layer)
        else:
            compat_drawing.slice_at_each_step(self._viewer, self._on_step)
            for layer in self._viewer.layers:
                compat_drawing.read_values_from_slice(layer)
            self.catch_up()

    def owe(self, layer: Layer) -> None:
        """The values of a layer have changed."""
        if layer not in self._changed:
            self._changed.append(layer)
        self._rest.start()

    def catch_up(self, event: Any = None) -> None:
        """Have napari take the slices that were put off."""
        self._rest.stop()
        if self.is_catching_up or not (self._behind or self._changed):
            return
        self.is_catching_up = True
        changed, self._changed = self._changed, []
        behind, self._behind = self._behind, False
        try:
            if behind:
                compat_drawing.slice_layers(self._viewer)
            for layer in changed:
                if layer in self._viewer.layers:
                    layer.refresh(extent=False, highlight=False)
        finally:
            self.is_catching_up = False

    def dispose(self) -> None:
        """Leave slicing to napari."""
        self.put_off(False)
        self._rest.stop()
        layers = self._viewer.layers.events
        layers.inserted.disconnect(self._on_inserted)
        layers.removed.disconnect(self._on_removed)
        compat_drawing.not_before_drawing(compat.qt_viewer(self._viewer), self.catch_up)
        self._viewer = None

    def _on_step(self, event: Any = None) -> None:
        self._behind = True
        self._rest.start()

    def _on_inserted(self, event: Any) -> None:
        if self.is_off:
            compat_drawing.read_values_from_data(event.value)

    def _on_removed(self, event: Any) -> None:
        compat_drawing.read_values_from_slice(event.value)
        if event.value in self._changed:
            self._changed.remove(event.value)
