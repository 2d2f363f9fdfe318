"""Layers as views of the session's entries, and copies of layers for the other canvases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap
from psygnal import Signal

from napari_qsm.anatomy import DisplayFrame, Placement, place
from napari_qsm.colormaps import (
    COLORMAPS,
    colormap_name,
    effective_window,
    end_colours,
    has_thresholds,
    lookup_table,
    register_colormap,
)
from napari_qsm.errors import GeometryError
from napari_qsm.io.label_table import default_color, rgb
from napari_qsm.session import MapDisplay, MapEntry, Role, first_display, guess_role
from napari_qsm.session.composites import TurnedGrid
from napari_qsm.session.frames import napari_order
from napari_qsm.viewer import compat
from napari_qsm.viewer.contributions import (
    AXIS_LABELS,
    REGIONS_KEY,
    ROLE_KEY,
    UNITS,
    VOLUME_KEY,
)
from napari_qsm.volume import Volume


@dataclass
class Drawn:
    """The array a layer draws, in napari's (z, y, x) order, and where it lies."""

    data: Any
    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    placement: Placement


def drawn(entry: MapEntry, frame: DisplayFrame) -> Drawn:
    """The array of an entry as napari is to see it: a view, never a copy."""
    volume = entry.shown
    placement = place(volume, frame)
    if not placement.aligned:
        turned = TurnedGrid(volume, frame)
        return Drawn(turned, napari_order(turned.scale), napari_order(turned.translate), placement)
    source = volume.data if entry.editable is None else entry.editable
    return Drawn(
        source.transpose(2, 1, 0),
        napari_order(placement.scale),
        napari_order(placement.translate),
        placement,
    )


def make_layer(entry: MapEntry, frame: DisplayFrame) -> Layer:
    """A napari layer that shows an entry."""
    view = drawn(entry, frame)
    common: dict[str, Any] = {
        "name": entry.name,
        "scale": view.scale,
        "translate": view.translate,
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
        "metadata": {VOLUME_KEY: entry.volume, ROLE_KEY: entry.role},
    }
    if entry.editable is not None:
        common["metadata"][REGIONS_KEY] = entry.regions
        layer = Labels(view.data, opacity=entry.display.opacity, **common)
        if entry.regions:
            layer.colormap = region_colours(entry.regions)
        layer.editable = view.placement.aligned
        layer.visible = entry.display.visible
        return layer
    layer = Image(
        view.data,
        contrast_limits=effective_window(entry.display),
        blending="translucent_no_depth",
        **common,
    )
    apply_display(entry.display, layer)
    return layer


def region_colours(regions: dict[int, Any]) -> CyclicLabelColormap:
    """The colours of a label table; labels that are not in it get colours of their own.

    Hidden regions are see-through. The ring of colours reaches past the highest label of the
    table, so that no two of its rows share one; napari maps a ring at once, but compiles code
    for seconds when it is given a dictionary.
    """
    count = max(256, *(index + 1 for index in regions)) if regions else 256
    colours = np.zeros((count, 4), dtype=np.float32)
    for index in range(1, count):
        region = regions.get(index)
        if region is None and index > 255:
            continue
        name = getattr(region, "color", "") or default_color(index)
        colours[index, :3] = [part / 255 for part in rgb(name)]
        colours[index, 3] = float(getattr(region, "visible", True))
    return CyclicLabelColormap(colors=colours, background_value=0)


def apply_display(display: MapDisplay, layer: Layer) -> None:
    """Show a layer the way the session says; visibility is left to the views."""
    if layer.opacity != display.opacity:
        layer.opacity = display.opacity
    if not isinstance(layer, Image):
        return
    window = effective_window(display)
    if tuple(layer.contrast_limits) != window:
        low, high = layer.contrast_limits_range
        layer.contrast_limits_range = (min(low, window[0]), max(high, window[1]))
        layer.contrast_limits = window
    plain = not has_thresholds(display) and display.colouring != "both sides"
    name = colormap_name(display)
    if plain and compat.napari_ramp(name) is not None:
        if layer.colormap.name != name:
            layer.colormap = name
        return
    title = "both sides" if display.colouring == "both sides" else name
    compat.set_ramp(layer, title, lookup_table(display), end_colours(display))


def read_display(layer: Layer) -> dict[str, Any]:
    """What napari's own controls were set to, as changes of a :class:`MapDisplay`."""
    changes: dict[str, Any] = {"opacity": float(layer.opacity)}
    if not isinstance(layer, Image):
        return changes
    low, high = layer.contrast_limits
    changes["window"] = (float(low), float(high))
    name = layer.colormap.name
    if name.endswith(compat.RAMP_MARK):
        return changes
    if name in ("gray", "gray_r"):
        changes["colouring"] = "grey" if name == "gray" else "inverted"
    else:
        if name not in {ramp.name for ramp in COLORMAPS}:
            register_colormap(name, layer.colormap.map)
        changes.update(colouring="colour", colormap=name)
    return changes


def adopt(layer: Layer) -> tuple[Volume, Role, dict[int, str], MapDisplay | None]:
    """Make out what a layer that somebody else made holds.

    A layer opened through this plugin carries its volume. Any other 3-D image or labels
    layer is taken as (z, y, x) in mm with unknown orientation, so no side is ever claimed
    for it.

    Raises
    ------
    GeometryError
        If the layer cannot be shown in three planes.
    """
    volume = layer.metadata.get(VOLUME_KEY)
    names = dict(layer.metadata.get(REGIONS_KEY, {}))
    if isinstance(volume, Volume):
        role = layer.metadata.get(ROLE_KEY) or guess_role(volume)
        return volume, role, names, None
    if layer.ndim != 3 or getattr(layer, "rgb", False) or getattr(layer, "multiscale", False):
        kind = "coloured" if getattr(layer, "rgb", False) else f"{layer.ndim}-D"
        raise GeometryError(
            f"'{layer.name}' is {kind}; the three views show 3-D maps, so it is left as it is."
        )
    if not isinstance(layer.data, np.ndarray):
        raise GeometryError(
            f"'{layer.name}' is not held in memory; load it as an array to see it in three views."
        )
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(layer.scale)[::-1])
    affine[:3, 3] = np.asarray(layer.translate)[::-1]
    made = Volume(
        data=layer.data.transpose(2, 1, 0),
        affine=affine,
        name=layer.name,
        orientation_known=False,
    )
    if isinstance(layer, Labels):
        return made, "labels", names, None
    display = replace_display(first_display(made, "other"), read_display(layer))
    return made, guess_role(made), names, display


def replace_display(display: MapDisplay, changes: dict[str, Any]) -> MapDisplay:
    """A display with some fields changed."""
    return MapDisplay(**{**display.model_dump(), **changes})


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


class Mirror:
    """A copy of a layer for another canvas: same data, same looks, one undo history.

    What is set on the layer is set on the copy. Painting in the copy shows in the layer and
    in its other copies at once.

    Attributes
    ----------
    source, copy : Layer
        The viewer's own layer and the one made here.
    """

    #: The data were painted on through the copy; and whether that ends a stroke.
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
        if isinstance(source, Labels):
            self._hook(self.copy.events.labels_update, self._on_move)
            self._hook(self.copy.events.paint, self._on_stroke)
        self._busy = False

    def refresh(self) -> None:
        """Draw the shared data again."""
        self.copy.refresh()

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
        self._say(ends=False)

    def _on_stroke(self, event: Any = None) -> None:
        self._say(ends=True)

    def _say(self, *, ends: bool) -> None:
        if not self._busy:
            self._busy = True
            try:
                self.painted.emit(self, ends)
            finally:
                self._busy = False
