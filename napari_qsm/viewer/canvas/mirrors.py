"""Copies of the viewer's layers for the views beside the large one, where napari draws those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.canvas.views import Views

_IMAGE_FIELDS = ("contrast_limits", "colormap", "gamma", "interpolation2d", "rendering")
_LABEL_FIELDS = (
    "selected_label",
    "brush_size",
    "contour",
    "show_selected_label",
    "n_edit_dimensions",
    "contiguous",
    "preserve_labels",
    "colormap",
)
_COMMON_FIELDS = ("opacity", "blending", "scale", "translate", "name", "editable")


class LayerMirror:
    """A copy of a layer for another canvas: same data, same looks, one undo history.

    What is set on the layer is set on the copy. Painting in the copy shows in the layer and
    in its other copies at once.

    Attributes
    ----------
    source, copy : Layer
        The viewer's own layer and the one made here.
    """

    #: This mirror's data were painted on through the copy; and whether that ends a stroke.
    painted = Signal(object, bool)

    def __init__(self, source: Layer) -> None:
        data, state, kind = source.as_layer_data_tuple()
        state = {**state, "metadata": {}}
        self.source = source
        self.copy: Layer = Layer.create(data, state, kind)
        fields: tuple[str, ...] = _COMMON_FIELDS
        if isinstance(source, Image):
            fields += _IMAGE_FIELDS
        elif isinstance(source, Labels):
            fields += _LABEL_FIELDS
            compat.share_history(source, self.copy)
        self._hooks: list[tuple[Any, Callable[..., None]]] = []
        for name in fields:
            if hasattr(source.events, name) and hasattr(self.copy, name):
                self._follow(name)
        self._hook(source.events.data, self._on_data)
        if hasattr(source.events, "mode"):
            self._hook(source.events.mode, self._on_mode)
            self._on_mode()
        if isinstance(source, Labels):
            self._hook(self.copy.events.labels_update, self._on_move)
            self._hook(self.copy.events.paint, self._on_stroke)
        self._busy = False

    def dispose(self) -> None:
        """Stop following."""
        for emitter, call in self._hooks:
            emitter.disconnect(call)
        self._hooks.clear()

    def _hook(self, emitter: Any, call: Callable[..., None]) -> None:
        emitter.connect(call)
        self._hooks.append((emitter, call))

    def _follow(self, name: str) -> None:
        def follow(event: Any = None) -> None:
            setattr(self.copy, name, getattr(self.source, name))

        self._hook(getattr(self.source.events, name), follow)

    def _on_mode(self, event: Any = None) -> None:
        if self.copy.mode != self.source.mode:
            self.copy.mode = self.source.mode

    def _on_data(self, event: Any = None) -> None:
        if self.copy.data is not self.source.data:
            self.copy.data = self.source.data
            if isinstance(self.source, Labels):
                compat.share_history(self.source, self.copy)
        else:
            self.copy.refresh()

    def _on_move(self, event: Any = None) -> None:
        self._tell(ends=False)

    def _on_stroke(self, event: Any = None) -> None:
        self._tell(ends=True)

    def _tell(self, *, ends: bool) -> None:
        if not self._busy:
            self._busy = True
            try:
                self.painted.emit(self, ends)
            finally:
                self._busy = False


class Mirrors:
    """Every layer of the viewer that is 3-D, once in each canvas beside the large one.

    A copy is made when napari first draws it there: copies cost more than the layer itself.

    Attributes
    ----------
    painted : Signal
        A :class:`LayerMirror` whose data were painted on through its copy, and whether that
        ends a stroke.
    made : Signal
        A new copy.
    """

    painted = Signal(object, bool)
    made = Signal(object)

    def __init__(self, views: Views) -> None:
        self._views = views
        self._mirrors: dict[tuple[SliceView, Layer], LayerMirror] = {}

    def add(self, layer: Layer) -> None:
        """Copy a layer into every canvas that is drawn and has no copy yet."""
        if layer.ndim != 3:
            return
        viewer_layers = self._views.viewer.layers
        below = list(viewer_layers)[: viewer_layers.index(layer)]
        for view in self._views.beside:
            if layer in view.layers or view.canvas is None or not view.draws_napari:
                continue
            mirror = self._mirrors[view, layer] = LayerMirror(layer)
            mirror.painted.connect(self._on_painted)
            view.layers[layer] = mirror.copy
            mirror.copy.visible = False
            self.made.emit(mirror.copy)
            index = sum(other in view.layers for other in below)
            with view.signals_blocked():
                view.canvas.model.layers.insert(index, mirror.copy)

    def remove(self, layer: Layer) -> None:
        """Take the copies of a layer away."""
        for view in self._views.beside:
            mirror = self._mirrors.pop((view, layer), None)
            if mirror is not None:
                mirror.dispose()
                del view.layers[layer]
                if view.canvas is not None and mirror.copy in view.canvas.model.layers:
                    view.canvas.model.layers.remove(mirror.copy)

    def copies(self, layer: Layer) -> list[Layer]:
        """The copies of a layer."""
        return [mirror.copy for (_, source), mirror in self._mirrors.items() if source is layer]

    @property
    def sources(self) -> set[Layer]:
        """The layers that have copies."""
        return {source for _, source in self._mirrors}

    def sort(self, event: Any = None) -> None:
        """Bring the copies into the order of the viewer's layers."""
        for view in self._views.beside:
            if view.canvas is None:
                continue
            for layer in self._views.viewer.layers:
                copy = view.layers.get(layer)
                if copy is not None and copy in view.canvas.model.layers:
                    view.canvas.model.layers.move(view.canvas.model.layers.index(copy), -1)

    def drop_view(self, view: SliceView) -> None:
        """Forget the copies in a view that is about to be closed."""
        for key in [key for key in self._mirrors if key[0] is view]:
            self._mirrors.pop(key).dispose()

    def dispose(self) -> None:
        """Let go of every layer; copies stay where they are."""
        for mirror in self._mirrors.values():
            mirror.dispose()
        self._mirrors.clear()

    def _on_painted(self, mirror: LayerMirror, ends: bool) -> None:
        self.painted.emit(mirror, ends)
