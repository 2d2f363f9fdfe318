"""What the session says of its entries, on the layers that show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Labels, Layer
from psygnal import Signal

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.shown import grey_below
from napari_qsm.viewer.canvas.layers import apply_display, drawn, left_out_of
from napari_qsm.viewer.canvas.views import Views
from napari_qsm.viewer.plain.layers import REGIONS_KEY, VOLUME_KEY, region_colours


class EntryLooks:
    """Follows looks, names, regions and images of entries; their layers are found or made elsewhere.

    Parameters
    ----------
    session : Session
    views : Views
    layers : dict
        The viewer's layer of each entry, by entry id, as somebody else keeps it.
    """

    restyled = Signal()  # entries are drawn in other colours
    redrawn = Signal()  # what a panel says of the entries has changed

    def __init__(self, session: Session, views: Views, layers: dict[str, Layer]) -> None:
        self._session = session
        self._views = views
        self._layers = layers

    def _watched(self, entry: MapEntry) -> list[tuple[Any, Callable[..., Any]]]:
        return [
            (entry.display.events, self._on_display),
            (entry.events.name, self._on_name),
            (entry.events.echo, self._on_echo),
            (entry.events.volume, self._on_volume),
            (entry.events.regions, self._on_regions),
        ]

    def follow(self, entry: MapEntry) -> None:
        """Follow what is said of an entry from now on."""
        for emitter, call in self._watched(entry):
            emitter.connect(call)

    def unfollow(self, entry: MapEntry) -> None:
        """Follow it no more."""
        for emitter, call in self._watched(entry):
            emitter.disconnect(call)

    def _shown(self) -> list[tuple[MapEntry, Layer, DisplayFrame]]:
        """Entries that have a layer, with it and the frame it is drawn in."""
        found = (
            (entry, self._layers.get(entry.id), self._views.heads.frame_of(entry.case))
            for entry in self._session
        )
        return [(e, layer, frame) for e, layer, frame in found if layer is not None and frame]

    def restyle(self) -> None:
        """Draw every entry as the session says."""
        with self._views.signals_blocked("looks"):
            for entry, layer, frame in self._shown():
                grey = grey_below(self._session, entry)
                apply_display(entry.display, layer, grey, left_out_of(entry, frame))

    def _on_display(self, event: Any = None) -> None:
        self.restyle()
        with self._views.signals_blocked("looks"):
            self.restyled.emit()

    def _on_name(self) -> None:
        for entry in self._session:
            layer = self._layers.get(entry.id)
            if layer is not None and layer.name != entry.name:
                layer.name = entry.name
        self.redrawn.emit()

    def _on_regions(self) -> None:
        """Names, colours or eyes in a label table have changed."""
        for entry in self._session.of_role("labels"):
            layer = self._layers.get(entry.id)
            if isinstance(layer, Labels) and layer.metadata.get(REGIONS_KEY) != entry.regions:
                layer.metadata[REGIONS_KEY] = entry.regions
                with self._views.signals_blocked("looks"):
                    layer.colormap = region_colours(entry.regions)
        self.redrawn.emit()

    def _on_volume(self) -> None:
        """An image was replaced by another one on the same grid."""
        for entry, layer, frame in self._shown():
            if layer.metadata.get(VOLUME_KEY) is entry.volume:
                continue
            layer.metadata[VOLUME_KEY] = entry.volume
            if entry.editable is None:
                layer.data = drawn(entry, frame).data
        self.redrawn.emit()

    def _on_echo(self) -> None:
        for entry, layer, frame in self._shown():
            if entry.volume.data.ndim == 4:
                layer.data = drawn(entry, frame).data
        self.redrawn.emit()
