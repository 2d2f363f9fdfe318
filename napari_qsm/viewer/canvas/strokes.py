"""Labels painted on with napari's own brush or written to by scripts, found and made undoable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from qtpy.QtCore import QTimer

from napari_qsm.arrays import Box
from napari_qsm.session import MapEntry, Session
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.mirrors import LayerMirror, Mirrors
from napari_qsm.viewer.canvas.views import Views

#: How long nobody steps before labels are looked through for unseen edits.
_REST_MS = 300
_EVENTS = ("paint", "labels_update", "set_data")


class LabelStrokes:
    """Brings label layers and the session's labels in step, whoever wrote them.

    Parameters
    ----------
    session : Session
        Its history learns of every stroke.
    views : Views
    mirrors : Mirrors
        Copies are painted on too.
    layers : dict
        The viewer's layer of each entry, by entry id.
    entry_of : callable
        The entry of a layer.
    """

    def __init__(
        self,
        session: Session,
        views: Views,
        mirrors: Mirrors,
        layers: dict[str, Layer],
        entry_of: Callable[[Layer | None], MapEntry | None],
    ) -> None:
        self._session, self._views, self._mirrors = session, views, mirrors
        self._layers, self._entry_of = layers, entry_of
        self._point: tuple[float, ...] | None = None
        self._is_open = False
        self._look_again = QTimer()
        self._look_again.setSingleShot(True)
        self._look_again.setInterval(_REST_MS)
        self._look_again.timeout.connect(self._take_unseen)
        mirrors.made.connect(self._bind_undo)
        mirrors.painted.connect(self._on_copy_painted)
        session.labels_edited.connect(self._on_labels_edited)

    def dispose(self) -> None:
        """Stop following."""
        self._look_again.stop()
        self._mirrors.made.disconnect(self._bind_undo)
        self._mirrors.painted.disconnect(self._on_copy_painted)
        self._session.labels_edited.disconnect(self._on_labels_edited)

    def follow(self, layer: Layer) -> None:
        """Follow a layer of the viewer, if it holds labels."""
        if isinstance(layer, Labels):
            for name in _EVENTS:
                getattr(layer.events, name).connect(self._on_labels)
            self._bind_undo(layer)

    def unfollow(self, layer: Layer) -> None:
        """Follow it no longer."""
        if isinstance(layer, Labels):
            for name in _EVENTS:
                getattr(layer.events, name).disconnect(self._on_labels)
            for key in ("Control-Z", "Control-Shift-Z"):
                layer.bind_key(key, None)

    def _bind_undo(self, layer: Layer) -> None:
        """Ctrl+Z on a labels layer takes back whatever was done last, not only its own strokes."""
        if isinstance(layer, Labels):
            session = self._session
            layer.bind_key("Control-Z", lambda _: session.history.undo(), overwrite=True)
            layer.bind_key("Control-Shift-Z", lambda _: session.history.redo(), overwrite=True)

    def _on_labels(self, event: Any) -> None:
        layer = event.source
        entry = self._entry_of(layer)
        if entry is None:
            return
        if self._views.slicing.is_catching_up:
            self._look_again.start()
            return
        if event.type == "set_data":
            # Also sent by a mere step to another slice, which changes no label.
            point = tuple(self._views.viewer.dims.point)
            moved, self._point = point != self._point, point
            if moved:
                # Looking through the whole array waits until the hand rests.
                self._look_again.start()
                return
        if not self._views.is_blocked("paint"):
            self._take(entry, ends=event.type != "labels_update" or not compat.is_drawing(layer))

    def _on_copy_painted(self, mirror: LayerMirror, ends: bool) -> None:
        entry = self._entry_of(mirror.source)
        if entry is not None and not self._views.is_blocked("paint"):
            self._take(entry, ends=ends or not compat.is_drawing(mirror.copy))

    def _take_unseen(self) -> None:
        """Find what was written into label arrays without a word, before a step to a slice."""
        for key, layer in self._layers.items():
            entry = self._session.entry(key)
            if entry is not None and isinstance(layer, Labels) and not self._is_open:
                self._session.take_outside_edit(entry)

    def _take(self, entry: MapEntry, *, ends: bool) -> None:
        """Napari's own brush, or a script, has changed labels: one stroke is one undo."""
        history = self._session.history
        if not ends and not self._is_open:
            self._is_open = True
            history.begin("drawing")
        self._session.take_outside_edit(entry)
        if ends:
            if self._is_open:
                self._is_open = False
                history.end()
            # The session's history is the one that counts; two would disagree.
            compat.clear_history(self._layers[entry.id])

    def _on_labels_edited(self, key: str, box: Box) -> None:
        """Let napari draw changed labels in every canvas of its own."""
        layer = self._layers.get(key)
        if layer is None:
            return
        entry = self._session.entry(key)
        placed = isinstance(layer, Labels) and isinstance(layer.data, np.ndarray)
        with self._views.signals_blocked("paint"):
            for each in [layer, *self._mirrors.copies(layer)]:
                if each is layer and self._views.slicing.is_off:
                    self._views.slicing.owe(layer)
                elif placed and entry is not None and entry.editable is not None:
                    compat.refresh_labels(each, (box[2], box[1], box[0]))
                else:
                    each.refresh()
