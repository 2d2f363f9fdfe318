"""Entries of the session and layers of the viewer, kept in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.errors import QsmError
from napari_qsm.rois.region import RegionTable, region_table
from napari_qsm.session import MapDisplay, MapEntry, Role, Session, first_display, unique_name
from napari_qsm.session.dealing import dealt
from napari_qsm.session.opening import Opened
from napari_qsm.study import identity_of
from napari_qsm.study.identity import identity_named
from napari_qsm.study.scan_source import MADE
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.entry_looks import EntryLooks
from napari_qsm.viewer.canvas.layer_order import LayerOrder
from napari_qsm.viewer.canvas.layers import (
    adopt,
    apply_display,
    drawn,
    make_layer,
    read_display,
    take_new_data,
)
from napari_qsm.viewer.canvas.mirrors import Mirrors
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.canvas.strokes import LabelStrokes
from napari_qsm.viewer.canvas.views import Views
from napari_qsm.viewer.plain.layers import (
    FACTS_KEY,
    HEAD_KEY,
    as_plain_napari_has_it,
    as_workspace_has_it,
)
from napari_qsm.viewer.plain.letters import mute_letters
from napari_qsm.volume import Volume

_LOOKS = ("contrast_limits", "colormap", "opacity", "contour")


class LayerSync:
    """Makes layers for entries and entries for layers, and follows changes on both sides.

    Attributes
    ----------
    layers : dict
        The viewer's layer of each entry, by entry id.
    mirrors : Mirrors
        Their copies in the views beside the large one.
    looks : EntryLooks
        How the session says that they are drawn.
    """

    first_shown = Signal()  # the session's first map has its layer
    settled = Signal()  # layers came, went or changed their places
    visible_changed = Signal()  # layers were ticked, or others came
    refused = Signal(str)  # why something was not taken over

    def __init__(self, session: Session, views: Views) -> None:
        self.session = session
        self.viewer = views.viewer
        self._views = views
        self.layers: dict[str, Layer] = {}
        self.mirrors = Mirrors(views)
        self.looks = EntryLooks(session, views, self.layers)
        self._strokes = LabelStrokes(session, views, self.mirrors, self.layers, self.entry_of)
        self._order = LayerOrder(session, views, self.layers, self.entry_of)
        self._order.changed.connect(self.settled.emit)
        mute_letters(self.viewer, True)
        self._heard = ui.Subscriptions()
        maps, layers = session.maps.events, self.viewer.layers
        self._heard.connect(maps.inserted, to=self._on_entry_added)
        self._heard.connect(maps.removed, to=self._on_entry_removed)
        self._heard.connect(layers.events.inserted, to=self._on_layer_inserted)
        self._heard.connect(layers.events.removed, to=self._on_layer_removed)
        self._heard.connect(layers.events.reordered, to=self.mirrors.sort)
        self._heard.connect(layers.selection.events.active, to=self._on_active)
        self._heard.connect(views.napari_draws, to=self._on_napari_draws)

    def dispose(self) -> None:
        """Stop following; layers stay in the viewer, as plain napari draws them upright."""
        self._heard.dispose()
        for entry in self.session:
            self.looks.unfollow(entry)
        for layer in list(self.layers.values()):
            self._disown(layer)
        self._strokes.dispose()
        self._order.dispose()
        self.layers.clear()
        self.mirrors.dispose()
        for layer in self.viewer.layers:
            as_plain_napari_has_it(layer)
        mute_letters(self.viewer, False)

    def entry_of(self, layer: Layer | None) -> MapEntry | None:
        """The entry a layer of the viewer shows."""
        for key, known in self.layers.items():
            if known is layer:
                return self.session.entry(key)
        return None

    def frame_of(self, entry: MapEntry) -> DisplayFrame | None:
        """The frame that an entry is drawn in."""
        return self._views.heads.frame_of(entry.case)

    # -- entries that come and go ---------------------------------------------------------

    def _on_entry_added(self, index: int, entry: MapEntry) -> None:
        self.looks.follow(entry)
        if entry.id in self.layers:
            return
        frame = self.frame_of(entry)
        assert frame is not None
        self._views.set_extent()
        with self._views.signals_blocked("layers"), self._views.main.signals_blocked():
            layer = make_layer(entry, frame)
            self.layers[entry.id] = layer
            self.viewer.layers.insert(min(index, len(self.viewer.layers)), layer)
        self._own(layer)
        if len(self.session.maps) == 1:
            self.first_shown.emit()
        self.settled.emit()

    def _on_entry_removed(self, index: int, entry: MapEntry) -> None:
        self.looks.unfollow(entry)
        layer = self.layers.pop(entry.id, None)
        if layer is not None and layer in self.viewer.layers:
            with self._views.signals_blocked("layers"):
                self._disown(layer)
                self.viewer.layers.remove(layer)
        self.replace_all()
        self.settled.emit()

    def replace_all(self) -> None:
        """The reference may have changed: give every layer its place in its frame."""
        if self._views.frame is None:
            return
        for entry in self.session:
            layer, frame = self.layers.get(entry.id), self.frame_of(entry)
            if layer is None or frame is None:
                continue
            view = drawn(entry, frame)
            turned = isinstance(view.data, np.ndarray) != isinstance(layer.data, np.ndarray)
            place = (tuple(layer.scale), tuple(layer.translate))
            if turned or place != (view.scale, view.translate):
                if not isinstance(view.data, np.ndarray) or layer.data.shape != view.data.shape:
                    with self._views.signals_blocked("layers"):
                        layer.data = view.data
                layer.scale, layer.translate = view.scale, view.translate
                if isinstance(layer, Labels):
                    layer.editable = view.placement.aligned
        self._views.set_extent()

    def _hooks(self, layer: Layer) -> list[tuple[Any, Callable[..., Any]]]:
        looks = [getattr(layer.events, name) for name in _LOOKS if hasattr(layer.events, name)]
        return [
            *((emitter, self._on_layer_looks) for emitter in looks),
            (layer.events.visible, self._on_layer_visible),
            (layer.events.name, self._on_layer_name),
            (layer.events.data, self._on_layer_data),
        ]

    def _own(self, layer: Layer) -> None:
        self.mirrors.add(layer)
        for emitter, call in self._hooks(layer):
            emitter.connect(call)
        self._strokes.follow(layer)

    def _disown(self, layer: Layer) -> None:
        self.mirrors.remove(layer)
        for emitter, call in self._hooks(layer):
            emitter.disconnect(call)
        self._strokes.unfollow(layer)

    def add_extra(self, layer: Layer) -> None:
        """Show a layer of the workspace itself, which stands for no entry, in every view."""
        with self._views.signals_blocked("layers"), self._views.main.signals_blocked():
            labels = (i for i, each in enumerate(self.viewer.layers) if isinstance(each, Labels))
            self.viewer.layers.insert(next(labels, len(self.viewer.layers)), layer)
        self.mirrors.add(layer)

    def remove_extra(self, layer: Layer) -> None:
        """Take away what :meth:`add_extra` showed."""
        with self._views.signals_blocked("layers"):
            self.mirrors.remove(layer)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    # -- what the user does in napari's own list ------------------------------------------

    def _on_layer_inserted(self, event: Any) -> None:
        if not self._views.is_blocked("layers"):
            self.take(event.value)

    def take(self, layer: Layer) -> None:
        """Make a layer that somebody else added part of the session."""
        if not isinstance(layer, Image | Labels):
            self.mirrors.add(layer)
            self.visible_changed.emit()
            return
        try:
            as_workspace_has_it(layer)
            volume, role, names, display = adopt(layer)
            with self._views.signals_blocked("layers"):
                self._adopt(layer, volume, role, region_table(names), display)
        except QsmError as error:
            self.refused.emit(str(error))

    def _adopt(
        self,
        layer: Layer,
        volume: Volume,
        role: Role,
        names: RegionTable,
        display: MapDisplay | None,
    ) -> None:
        who = (
            identity_named(layer.metadata.get(HEAD_KEY, ""))
            if volume.origin is None
            else identity_of(volume.origin, is_folder=False)
        )
        (case,), problems = dealt([Opened(volume, role, who=who)], self.session, None)
        if problems:
            self.refused.emit(" ".join(problems))
        said = layer.metadata.get(FACTS_KEY, {})
        facts = {key: each for key, each in said.items() if isinstance(each, float | int | str)}
        if "qsm_made" in layer.metadata:
            facts[MADE] = "by a single step"
        entry = MapEntry(
            name=unique_name(layer.name, (e.name for e in self.session)),
            role=role,
            volume=volume.to_canonical(),
            regions=names,
            case=case.id,
            display=display or first_display(volume, role),
            facts=facts,
        )
        entry.display.visible = bool(layer.visible)
        if isinstance(layer, Labels):
            entry.editable = np.asarray(layer.data).transpose(2, 1, 0)
            self.session.watch(entry)
        self.layers[entry.id] = layer
        below = list(self.viewer.layers)[: self.viewer.layers.index(layer)]
        index = sum(self.entry_of(other) is not None for other in below)
        self.session.maps.insert(index, entry)
        self._own(layer)
        self.replace_all()
        apply_display(entry.display, layer)
        if len(self.session.maps) == 1:
            self.first_shown.emit()
        self.session.active_case = case.id
        if not self.session.selected or role == "map":
            self.session.selected = entry.id
        self.settled.emit()

    def _on_layer_removed(self, event: Any) -> None:
        if self._views.is_blocked("layers"):
            return
        layer = event.value
        entry = self.entry_of(layer)
        if entry is None:
            self.mirrors.remove(layer)
            return
        self._disown(layer)
        self.layers.pop(entry.id, None)
        self.session.discard(entry)

    def _on_layer_looks(self, event: Any) -> None:
        layer = event.source
        entry = self.entry_of(layer)
        if entry is None or self._views.is_blocked("looks"):
            return
        changes = read_display(layer)
        changes = {k: v for k, v in changes.items() if getattr(entry.display, k) != v}
        if changes:
            self.session.set_display(entry, **changes)

    def _on_layer_visible(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is None or self._views.is_blocked("visible"):
            return
        visible = bool(event.source.visible)
        if visible:
            self.session.active_case = entry.case
        self.session.set_display(entry, visible=visible)
        self.visible_changed.emit()

    def _on_layer_data(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is None or self._views.is_blocked("layers"):
            return
        frame = self.frame_of(entry)
        if frame is None:
            return
        try:
            take_new_data(self.session, entry, event.source, drawn(entry, frame))
        except QsmError as error:
            self.refused.emit(str(error))

    def _on_layer_name(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is not None and entry.name != event.source.name:
            entry.name = event.source.name

    def _on_active(self, event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        if self._views.is_blocked("layers"):
            return
        self._choose_copies()
        entry = self.entry_of(active)
        if entry is not None and not self._views.is_blocked("select"):
            self.session.selected = entry.id

    def _choose_copies(self) -> None:
        active = self.viewer.layers.selection.active
        for view in self._views.beside:
            if view.canvas is not None:
                copy = view.layers.get(active) if active is not None else None
                view.canvas.model.layers.selection.active = copy

    def _on_napari_draws(self, view: SliceView) -> None:
        for layer in self.viewer.layers:
            self.mirrors.add(layer)
        self._choose_copies()
