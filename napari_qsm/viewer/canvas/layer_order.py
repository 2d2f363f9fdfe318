"""The drawing order of entries and layers, changed in our list or in napari's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from psygnal import Signal

from napari_qsm.session import MapEntry, Session
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.views import Views


class LayerOrder:
    """Keeps the order of the viewer's layers that of the session's entries, and back.

    Parameters
    ----------
    session : Session
    views : Views
    layers : dict
        The viewer's layer of each entry, by entry id.
    entry_of : callable
        The entry of a layer.
    """

    changed = Signal()  # something lies over something else now

    def __init__(
        self,
        session: Session,
        views: Views,
        layers: dict[str, Layer],
        entry_of: Callable[[Layer | None], MapEntry | None],
    ) -> None:
        self._session, self._views = session, views
        self._layers, self._entry_of = layers, entry_of
        self._heard = ui.Subscriptions()
        self._heard.connect(session.maps.events.moved, to=self._on_moved)
        self._heard.connect(views.viewer.layers.events.reordered, to=self._on_reordered)

    def dispose(self) -> None:
        """Stop following."""
        self._heard.dispose()

    def _on_moved(self, *_: Any) -> None:
        if not self._views.is_blocked("order"):
            self._sort_layers()
            self.changed.emit()

    def _sort_layers(self) -> None:
        """Give the layers of entries the order of these; others keep their places."""
        listed = self._views.viewer.layers
        wanted = [self._layers[e.id] for e in self._session if e.id in self._layers]
        places = sorted(listed.index(layer) for layer in wanted)
        with self._views.signals_blocked("order"):
            for place, layer in zip(places, wanted, strict=True):
                at = listed.index(layer)
                if at != place:
                    listed.move(at, place)

    def _on_reordered(self, event: Any = None) -> None:
        """Somebody has dragged a layer in napari's list."""
        if self._views.is_blocked("order") or self._views.is_blocked("layers"):
            return
        found = [self._entry_of(layer) for layer in self._views.viewer.layers]
        with self._views.signals_blocked("order"):
            for case in self._session.cases:
                below: MapEntry | None = None
                for entry in found:
                    if entry is not None and entry.case == case.id:
                        self._session.place_over(entry, below)
                        below = entry
        self._sort_layers()  # where an image was put over label maps
        self.changed.emit()
