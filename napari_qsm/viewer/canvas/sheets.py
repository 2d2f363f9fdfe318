"""What the viewer's layers are for a painted picture, and when only napari can draw them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_qsm.colormaps import STEPS
from napari_qsm.compositing import Sheet, label_colours, map_colours, outline_pixels
from napari_qsm.viewer import compat_drawing, ui
from napari_qsm.viewer.canvas.layers import LEFT_OUT_KEY

#: Events of a layer after which its picture is another one.
_LOOKS = (
    "blending",
    "colormap",
    "contour",
    "contrast_limits",
    "data",
    "gamma",
    "interpolation2d",
    "mode",
    "opacity",
    "projection_mode",
    "selected_label",
    "show_selected_label",
    "visible",
    *("scale", "translate", "rotate", "shear", "affine"),
)
#: Events after which only the values are other ones.
_VALUES = ("set_data", "labels_update", "paint")
#: Steps of a colour table; a bent one needs more where it is steep.
_BENT_STEPS = 8192


class Sheets:
    """The viewer's layers as sheets of a picture, kept until a layer looks otherwise.

    Attributes
    ----------
    changed : Signal
        A layer whose picture is another one now, or None for all of them.
    """

    changed = Signal(object)

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._made: dict[Layer, Sheet] = {}
        self._followed: list[Layer] = []
        self._heard = ui.Subscriptions()
        layers = viewer.layers.events
        self._heard.connect(layers.inserted, layers.removed, to=self._on_layers)
        self._heard.connect(layers.reordered, to=self._on_order)
        self._heard.connect(*compat_drawing.overlay_switches(viewer), to=self._on_order)
        self._on_layers()

    def dispose(self) -> None:
        """Stop following."""
        self._heard.dispose()
        for layer in self._followed:
            self._follow(layer, on=False)
        self._followed.clear()
        self._made.clear()

    def __iter__(self) -> Iterator[Layer]:
        """The viewer's layers from the bottom to the top."""
        return iter(self._viewer.layers)

    def of(self, layer: Layer) -> Sheet:
        """A layer as part of a picture; only for what is not :meth:`beyond` painting."""
        made = self._made.get(layer)
        if made is None:
            made = self._made[layer] = _sheet(layer)
        return made

    @property
    def beyond(self) -> bool:
        """Whether something is on show that napari alone can draw, or one of its tools is in use."""
        return compat_drawing.has_overlays(self._viewer) or any(_is_beyond(layer) for layer in self)

    def _on_layers(self, event: Any = None) -> None:
        now = list(self._viewer.layers)
        for layer in self._followed:
            if layer not in now:
                self._follow(layer, on=False)
                self._made.pop(layer, None)
        for layer in now:
            if layer not in self._followed:
                self._follow(layer, on=True)
        self._followed = now
        self.changed.emit(None)

    def _on_order(self, event: Any = None) -> None:
        self.changed.emit(None)

    def _follow(self, layer: Layer, *, on: bool) -> None:
        hooks = [(name, self._on_looks) for name in _LOOKS]
        hooks += [(name, self._on_values) for name in _VALUES]
        pairs = [(getattr(layer.events, name, None), call) for name, call in hooks]
        pairs += [(emitter, self._on_order) for emitter in compat_drawing.extra_switches(layer)]
        for emitter, call in pairs:
            if emitter is not None:
                emitter.connect(call) if on else emitter.disconnect(call)

    def _on_looks(self, event: Any) -> None:
        layer = event.source
        if event.type == "selected_label" and not layer.show_selected_label:
            return
        self._made.pop(layer, None)
        self.changed.emit(event.source)

    def _on_values(self, event: Any) -> None:
        self.changed.emit(event.source)


def _is_beyond(layer: Layer) -> bool:
    """Whether a layer is on show in a way that only napari can draw."""
    if str(getattr(layer, "mode", "pan_zoom")) != "pan_zoom":
        return True
    if not layer.visible:
        return False
    if type(layer) not in (Image, Labels) or layer.ndim != 3:
        return True
    plain = (
        layer.blending in ("translucent", "translucent_no_depth")
        and not layer.multiscale
        and layer.data.dtype.kind in "biuf"
        and compat_drawing.is_upright(layer)
        and not compat_drawing.has_extras(layer)
    )
    if isinstance(layer, Labels):
        return not plain
    return not plain or layer.rgb or layer.interpolation2d not in ("nearest", "linear")


def _sheet(layer: Layer) -> Sheet:
    z, y, x = map(float, layer.scale)
    scale = (z, y, x)
    z, y, x = map(float, layer.translate)
    translate = (z, y, x)
    if isinstance(layer, Labels):
        colours = label_colours(layer.colormap.map, layer.opacity)
        return Sheet(layer.data, scale, translate, colours, outline=outline_pixels(layer.contour))
    colormap, bent = layer.colormap, layer.gamma != 1
    steps = _BENT_STEPS if bent else STEPS
    # From end to end, as figures sample the colours of a map.
    table = colormap.map(np.linspace(0, 1, steps) ** layer.gamma)
    ends = [
        end if colour is None else np.asarray(colour)
        for colour, end in ((colormap.low_color, table[0]), (colormap.high_color, table[-1]))
    ]
    low, high = layer.contrast_limits
    window = (float(low), float(high if high > low else low + max(abs(low) * 1e-6, 1e-9)))
    lost = None if colormap.nan_color is None else np.asarray(colormap.nan_color)
    colours = map_colours(window, table, (ends[0], ends[1]), layer.opacity, lost)
    left_out, _, grey = layer.metadata.get(LEFT_OUT_KEY, (None, 0.0, None))
    below = None
    if grey is not None:  # the map's own
        level = np.linspace(0, 1, STEPS)[:, None] * [1, 1, 1, 0] + [0, 0, 0, 1]
        below = map_colours(grey, level, (level[0], level[-1]), layer.opacity)
    smooth = layer.interpolation2d == "linear"
    return Sheet(
        layer.data, scale, translate, colours, smooth, left_out=left_out, left_out_colours=below
    )
