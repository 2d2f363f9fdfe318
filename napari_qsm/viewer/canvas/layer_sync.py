"""Entries of the session and layers of the viewer, kept in step, with copies in every view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QTimer

from napari_qsm.arrays import Box
from napari_qsm.colormaps import effective_window
from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, first_display, unique_name
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.layers import (
    Mirror,
    adopt,
    apply_display,
    drawn,
    make_layer,
    read_display,
    region_colours,
)
from napari_qsm.viewer.canvas.replaced import take_new_data
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.contributions import REGIONS_KEY, VOLUME_KEY

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.controller import Controller

_LOOKS = ("contrast_limits", "colormap", "opacity")
#: How long nobody steps before labels are looked through for unseen edits.
_REST_MS = 300
_LABEL_EVENTS = ("paint", "labels_update", "set_data")


class LayerSync:
    """Makes layers for entries and entries for layers, and follows changes on both sides.

    Attributes
    ----------
    layers : dict
        The viewer's layer of each entry, by entry id.
    mirrors : dict
        The copy of each layer in each view but the large one.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self.session = controller.session
        self.viewer = controller.viewer
        self.layers: dict[str, Layer] = {}
        self.mirrors: dict[tuple[SliceView, Layer], Mirror] = {}
        self._labels_point: tuple[float, ...] | None = None
        self._stroke = False
        self._look_again = QTimer()
        self._look_again.setSingleShot(True)
        self._look_again.setInterval(_REST_MS)
        self._look_again.timeout.connect(self._take_unseen)
        self._connections: list[tuple[Any, Callable[..., Any]]] = [
            (self.session.maps.events.inserted, self._on_entry_added),
            (self.session.maps.events.removed, self._on_entry_removed),
            (self.session.labels_edited, self._on_labels_edited),
            (self.viewer.layers.events.inserted, self._on_layer_inserted),
            (self.viewer.layers.events.removed, self._on_layer_removed),
            (self.viewer.layers.events.reordered, self._on_reordered),
            (self.viewer.layers.selection.events.active, self._on_active),
        ]
        for emitter, call in self._connections:
            emitter.connect(call)

    def dispose(self) -> None:
        """Stop following; layers stay in the viewer."""
        self._look_again.stop()
        for emitter, call in self._connections:
            emitter.disconnect(call)
        for entry in self.session:
            self._forget(entry)
        for layer in list(self.layers.values()):
            self._disown(layer)
        self.layers.clear()
        self.mirrors.clear()

    def drop_view(self, view: SliceView) -> None:
        """Forget the copies in a view that is about to be closed."""
        for key in [key for key in self.mirrors if key[0] is view]:
            self.mirrors.pop(key).dispose()

    def _forget(self, entry: MapEntry) -> None:
        entry.display.events.disconnect(self._on_display)
        entry.events.name.disconnect(self._on_name)
        entry.events.echo.disconnect(self._on_echo)
        entry.events.volume.disconnect(self._on_volume)
        entry.events.regions.disconnect(self._on_regions)

    def entry_of(self, layer: Layer | None) -> MapEntry | None:
        """The entry a layer of the viewer shows."""
        for key, known in self.layers.items():
            if known is layer:
                return self.session.entry(key)
        return None

    def _on_entry_added(self, index: int, entry: MapEntry) -> None:
        entry.display.events.connect(self._on_display)
        entry.events.name.connect(self._on_name)
        entry.events.echo.connect(self._on_echo)
        entry.events.volume.connect(self._on_volume)
        entry.events.regions.connect(self._on_regions)
        if entry.id in self.layers:
            return
        frame = self._controller.frame
        assert frame is not None
        self._controller.set_extent()
        with self._controller.marked("layers"), self._controller.main.hushed():
            layer = make_layer(entry, frame)
            self.layers[entry.id] = layer
            self.viewer.layers.insert(min(index, len(self.viewer.layers)), layer)
        self._own(layer)
        if len(self.session.maps) == 1:
            self._controller.first_look()
        self._controller.settle()

    def _on_entry_removed(self, index: int, entry: MapEntry) -> None:
        self._forget(entry)
        layer = self.layers.pop(entry.id, None)
        if layer is not None and layer in self.viewer.layers:
            with self._controller.marked("layers"):
                self._disown(layer)
                self.viewer.layers.remove(layer)
        self._controller.mixed.update()
        self._replace_all()
        self._controller.settle()

    def _replace_all(self) -> None:
        """The reference may have changed: give every layer its place anew."""
        frame = self._controller.frame
        if frame is None:
            return
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if layer is None:
                continue
            view = drawn(entry, frame)
            if tuple(layer.scale) != view.scale or tuple(layer.translate) != view.translate:
                if not isinstance(view.data, np.ndarray) or layer.data.shape != view.data.shape:
                    layer.data = view.data
                layer.scale, layer.translate = view.scale, view.translate
        self._controller.set_extent()

    def _own(self, layer: Layer) -> None:
        for view in self._controller.views[1:]:
            self.mirror(view, layer)
        for name in _LOOKS:
            if hasattr(layer.events, name):
                getattr(layer.events, name).connect(self._on_layer_looks)
        layer.events.visible.connect(self._on_layer_visible)
        layer.events.name.connect(self._on_layer_name)
        layer.events.data.connect(self._on_layer_data)
        if isinstance(layer, Labels):
            for name in _LABEL_EVENTS:
                getattr(layer.events, name).connect(self._on_labels)
            self._bind_undo(layer)

    def _bind_undo(self, layer: Layer) -> None:
        """Ctrl+Z on a labels layer takes back whatever was done last, not only its own strokes."""
        layer.bind_key("Control-Z", lambda _: self.session.history.undo(), overwrite=True)
        layer.bind_key("Control-Shift-Z", lambda _: self.session.history.redo(), overwrite=True)

    def _disown(self, layer: Layer) -> None:
        for view in self._controller.views[1:]:
            mirror = self.mirrors.pop((view, layer), None)
            if mirror is not None:
                mirror.dispose()
                view.layers.pop(layer, None)
                if mirror.copy in view.model.layers:
                    view.model.layers.remove(mirror.copy)
        for name in _LOOKS:
            if hasattr(layer.events, name):
                getattr(layer.events, name).disconnect(self._on_layer_looks)
        layer.events.visible.disconnect(self._on_layer_visible)
        layer.events.name.disconnect(self._on_layer_name)
        layer.events.data.disconnect(self._on_layer_data)
        if isinstance(layer, Labels):
            for name in _LABEL_EVENTS:
                getattr(layer.events, name).disconnect(self._on_labels)
            for key in ("Control-Z", "Control-Shift-Z"):
                layer.bind_key(key, None)

    def mirror(self, view: SliceView, layer: Layer) -> None:
        """Show a copy of a layer in a view that has none yet."""
        if view is self._controller.main or (view, layer) in self.mirrors or layer.ndim != 3:
            return
        mirror = Mirror(layer)
        mirror.painted.connect(self._on_copy_painted)
        self.mirrors[view, layer] = mirror
        view.layers[layer] = mirror.copy
        mirror.copy.visible = False
        if isinstance(layer, Labels):
            self._bind_undo(mirror.copy)
        below = list(self.viewer.layers)[: self.viewer.layers.index(layer)]
        index = sum((view, other) in self.mirrors for other in below)
        with view.hushed():
            view.model.layers.insert(index, mirror.copy)

    def add_extra(self, layer: Layer) -> None:
        """Show a layer of the workspace itself, which stands for no entry, in every view."""
        with self._controller.marked("layers"), self._controller.main.hushed():
            labels = (i for i, each in enumerate(self.viewer.layers) if isinstance(each, Labels))
            self.viewer.layers.insert(next(labels, len(self.viewer.layers)), layer)
        for view in self._controller.views[1:]:
            self.mirror(view, layer)

    def remove_extra(self, layer: Layer) -> None:
        """Take away what :meth:`add_extra` showed."""
        with self._controller.marked("layers"):
            for view in self._controller.views[1:]:
                mirror = self.mirrors.pop((view, layer), None)
                if mirror is not None:
                    mirror.dispose()
                    view.model.layers.remove(mirror.copy)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    # -- what the user does in napari's own list ------------------------------------------

    def _on_layer_inserted(self, event: Any) -> None:
        if "layers" not in self._controller.busy:
            self.take(event.value)

    def take(self, layer: Layer) -> None:
        """Make a layer that somebody else added part of the session."""
        if not isinstance(layer, Image | Labels):
            for view in self._controller.views[1:]:
                self.mirror(view, layer)
            self._controller.set_visible()
            return
        try:
            volume, role, names, display = adopt(layer)
            with self._controller.marked("layers"):
                self._adopt(layer, volume, role, names, display)
        except QsmError as error:
            self._controller.said.emit(str(error))

    def _adopt(self, layer: Layer, volume: Any, role: Any, names: Any, display: Any) -> None:
        entry = MapEntry(
            name=unique_name(layer.name, (e.name for e in self.session)),
            role=role,
            volume=volume.to_canonical(),
            regions=names,
            display=display or first_display(volume, role),
        )
        if isinstance(layer, Labels):
            entry.editable = np.asarray(layer.data).transpose(2, 1, 0)
            self.session.watch(entry)
        self.layers[entry.id] = layer
        below = list(list(self.viewer.layers)[: self.viewer.layers.index(layer)])
        index = sum(self.entry_of(other) is not None for other in below)
        self.session.maps.insert(index, entry)
        self._own(layer)
        self._replace_all()
        apply_display(entry.display, layer)
        if len(self.session.maps) == 1:
            self._controller.first_look()
        if not self.session.selected or role == "map":
            self.session.selected = entry.id
        self._controller.settle()

    def _on_layer_removed(self, event: Any) -> None:
        if "layers" in self._controller.busy:
            return
        layer = event.value
        entry = self.entry_of(layer)
        if entry is None:
            for view in self._controller.views[1:]:
                mirror = self.mirrors.pop((view, layer), None)
                if mirror is not None:
                    mirror.dispose()
                    view.model.layers.remove(mirror.copy)
            return
        self._disown(layer)
        self.layers.pop(entry.id, None)
        self.session.remove(entry)

    def _on_reordered(self, event: Any = None) -> None:
        for view in self._controller.views[1:]:
            for layer in self.viewer.layers:
                copy = view.layers.get(layer)
                if copy is not None and copy in view.model.layers:
                    view.model.layers.move(view.model.layers.index(copy), -1)

    def _on_layer_looks(self, event: Any) -> None:
        layer = event.source
        entry = self.entry_of(layer)
        if entry is None or "looks" in self._controller.busy:
            return
        changes = read_display(layer)
        if entry.display.colouring == "both sides" and "colouring" not in changes:
            window = changes.get("window", entry.display.window)
            if window == effective_window(entry.display):
                changes.pop("window", None)
        changes = {k: v for k, v in changes.items() if getattr(entry.display, k) != v}
        if changes:
            self.session.set_display(entry, **changes)

    def _on_layer_visible(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is None or "visible" in self._controller.busy:
            return
        visible = bool(event.source.visible)
        if visible and entry.group:
            self.session.active_group = entry.group
        self.session.set_display(entry, visible=visible)
        self._controller.set_visible()

    def _on_layer_data(self, event: Any) -> None:
        entry, frame = self.entry_of(event.source), self._controller.frame
        if entry is None or frame is None or "layers" in self._controller.busy:
            return
        try:
            take_new_data(self.session, entry, event.source, drawn(entry, frame))
        except QsmError as error:
            self._controller.said.emit(str(error))

    def _on_layer_name(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is not None and entry.name != event.source.name:
            entry.name = event.source.name

    def _on_active(self, event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        entry = self.entry_of(active)
        if "layers" in self._controller.busy:
            return
        for view in self._controller.views[1:]:
            copy = view.layers.get(active) if active is not None else None
            view.model.layers.selection.active = copy
        if entry is not None and "select" not in self._controller.busy:
            self.session.selected = entry.id

    def _on_labels(self, event: Any) -> None:
        layer = event.source
        entry = self.entry_of(layer)
        if entry is None:
            return
        if event.type == "set_data":
            # Also sent by a mere step to another slice, which changes no label.
            point = tuple(self.viewer.dims.point)
            moved, self._labels_point = point != self._labels_point, point
            if moved:
                # Looking through the whole array waits until the hand rests.
                self._look_again.start()
                return
        if "paint" in self._controller.busy:
            return
        ends = event.type != "labels_update" or not compat.is_drawing(layer)
        self._take_stroke(entry, ends=ends)

    def _on_copy_painted(self, mirror: Mirror, ends: bool) -> None:
        entry = self.entry_of(mirror.source)
        if entry is not None and "paint" not in self._controller.busy:
            self._take_stroke(entry, ends=ends or not compat.is_drawing(mirror.copy))

    def _take_unseen(self) -> None:
        """Find what was written into label arrays without a word, before a step to a slice."""
        for key, layer in self.layers.items():
            entry = self.session.entry(key)
            if entry is not None and isinstance(layer, Labels) and not self._stroke:
                self.session.take_outside_edit(entry)

    def _take_stroke(self, entry: MapEntry, *, ends: bool) -> None:
        """Napari's own brush, or a script, has changed labels: one stroke is one undo."""
        history = self.session.history
        if not ends and not self._stroke:
            self._stroke = True
            history.begin("drawing")
        self.session.take_outside_edit(entry)
        if ends:
            if self._stroke:
                self._stroke = False
                history.end()
            # The session's history is the one that counts; two would disagree.
            compat.clear_history(self.layers[entry.id])

    def _on_labels_edited(self, key: str, box: Box) -> None:
        """Draw changed labels in every view."""
        layer = self.layers.get(key)
        if layer is None:
            return
        entry = self.session.entry(key)
        placed = isinstance(layer, Labels) and isinstance(layer.data, np.ndarray)
        with self._controller.marked("paint"):
            for each in [layer, *(m.copy for (_, s), m in self.mirrors.items() if s is layer)]:
                if placed and entry is not None and entry.editable is not None:
                    compat.refresh_labels(each, (box[2], box[1], box[0]))
                else:
                    each.refresh()

    # -- what the session says ------------------------------------------------------------

    def _on_display(self, event: Any = None) -> None:
        with self._controller.marked("looks"):
            for entry in self.session:
                layer = self.layers.get(entry.id)
                if layer is not None:
                    apply_display(entry.display, layer)
            self._controller.mixed.restyle()
        self._controller.set_visible()
        for view in self._controller.views:
            self._controller.repaint(view)
        self._controller.drawn_again.emit()

    def _on_name(self) -> None:
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if layer is not None and layer.name != entry.name:
                layer.name = entry.name
        self._controller.drawn_again.emit()

    def _on_regions(self) -> None:
        """Names, colours or eyes in a label table have changed."""
        for entry in self.session.of_role("labels"):
            layer = self.layers.get(entry.id)
            if isinstance(layer, Labels) and layer.metadata.get(REGIONS_KEY) != entry.regions:
                layer.metadata[REGIONS_KEY] = entry.regions
                with self._controller.marked("looks"):
                    layer.colormap = region_colours(entry.regions)
        self._controller.drawn_again.emit()

    def _on_volume(self) -> None:
        """An image was replaced by another one on the same grid."""
        frame = self._controller.frame
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if frame is None or layer is None or layer.metadata.get(VOLUME_KEY) is entry.volume:
                continue
            layer.metadata[VOLUME_KEY] = entry.volume
            if entry.editable is None:
                layer.data = drawn(entry, frame).data
        self._controller.drawn_again.emit()

    def _on_echo(self) -> None:
        frame = self._controller.frame
        if frame is None:
            return
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if layer is not None and entry.volume.data.ndim == 4:
                layer.data = drawn(entry, frame).data
        self._controller.drawn_again.emit()
