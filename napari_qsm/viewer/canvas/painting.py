"""Which views are painted and which napari draws, and when a painted one has to be painted anew."""

from __future__ import annotations

import numpy as np
from napari.layers import Layer
from psygnal import Signal

from napari_qsm.arrays import Box
from napari_qsm.compositing import Sheet
from napari_qsm.session import Session
from napari_qsm.session.shown import is_drawn
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.layer_sync import LayerSync
from napari_qsm.viewer.canvas.sheets import Sheets
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.canvas.views import Views


class Painting:
    """Keeps painted views in step with layers and session.

    Volumes, layers other than three-dimensional images and labels, blendings other than laying
    over, napari's own overlays and its tools need napari's canvas.

    Attributes
    ----------
    switched : Signal
        Other views than before are drawn by napari.
    """

    switched = Signal()

    def __init__(self, session: Session, views: Views, sync: LayerSync) -> None:
        self._session, self._views, self._sync = session, views, sync
        self._choosing = False
        self.sheets = Sheets(views.viewer)
        views.sheets_of = self.sheets_of
        self._heard = ui.Subscriptions()
        self._heard.connect(self.sheets.changed, to=self._on_changed)
        self._heard.connect(session.labels_edited, to=self._on_labels_edited)
        self._heard.connect(views.viewer.dims.events.ndisplay, to=self.choose)

    def dispose(self) -> None:
        """Stop following."""
        self._heard.dispose()
        self.sheets.dispose()
        self._views.sheets_of = lambda view: []

    def sheets_of(self, view: SliceView) -> list[Sheet]:
        """What a painted view shows, from the bottom to the top."""
        return [self.sheets.of(layer) for layer in self.sheets if self._is_shown(layer, view)]

    def _is_shown(self, layer: Layer, view: SliceView) -> bool:
        entry = None if view is self._views.main else self._sync.entry_of(layer)
        if entry is None:
            return bool(layer.visible)
        return is_drawn(self._session, entry, self._views.all.index(view))

    def choose(self) -> None:
        """Let napari draw where it has to, and paint everywhere else."""
        if self._choosing:
            return
        self._choosing = True
        try:
            views = self._views
            beyond = views.always_napari or self.sheets.beyond
            before = [view.draws_napari for view in views.all]
            views.slicing.put_off(not (beyond or views.main.is_3d))
            for view in views.all:
                view.let_napari_draw(beyond or view.is_3d)
            if before != [view.draws_napari for view in views.all]:
                self.switched.emit()
        finally:
            self._choosing = False

    def redraw(self) -> None:
        """Paint every painted view anew."""
        for view in self._views.all:
            view.surface.redraw()

    def _on_changed(self, layer: Layer | None) -> None:
        if self._views.slicing.is_catching_up:
            return
        self.choose()
        self.redraw()

    def _on_labels_edited(self, key: str, box: Box) -> None:
        layer = self._sync.layers.get(key)
        if layer is None:
            return
        if not isinstance(layer.data, np.ndarray):
            self.redraw()
            return
        scale, translate = np.array(layer.scale)[::-1], np.array(layer.translate)[::-1]
        rim = getattr(layer, "contour", 0)
        low = translate + (np.array([part.start for part in box]) - 0.5 - rim) * scale
        high = translate + (np.array([part.stop for part in box]) - 0.5 + rim) * scale
        for view in self._views.all:
            view.surface.redraw_box(low, high)
