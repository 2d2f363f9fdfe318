"""The letters of the patient's sides round napari's own picture."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
from napari.components import ViewerModel
from napari.components.overlays import TextOverlay
from napari.layers import Layer

from napari_qsm.anatomy import Letters
from napari_qsm.session.upright import UNKNOWN, is_plain, letters_2d, letters_of_volume
from napari_qsm.viewer import compat
from napari_qsm.viewer.plain.layers import TURNED_KEY, VOLUME_KEY
from napari_qsm.volume import Volume

_PLACES = {
    "left": "middle_left",
    "right": "middle_right",
    "top": "top_center",
    "bottom": "bottom_center",
}
_POINTS = 15
#: Letters of viewers, which must not be held by them; and viewers that have others of their own.
_ROUND: WeakKeyDictionary[Any, EdgeLetters] = WeakKeyDictionary()
_MUTED: WeakSet[Any] = WeakSet()


class EdgeLetters:
    """Letters at the edges of a viewer's canvas, as long as it shows a volume of this plugin.

    They go by what napari draws at that moment: its axes, its camera, its preferences. Where the
    file says nothing about sides, or somebody turned a layer, they are question marks.

    Parameters
    ----------
    viewer : ViewerModel
        Its canvas gets four texts, which its screenshots hold too.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._texts = {
            edge: TextOverlay(position=place, font_size=_POINTS, box=True, gridded=True)
            for edge, place in _PLACES.items()
        }
        for edge, text in self._texts.items():
            viewer.canvas.overlays[f"qsm_{edge}"] = text
        layers, dims, camera = viewer.layers.events, viewer.dims.events, viewer.scene.camera.events
        for emitter in (layers.inserted, layers.removed):
            emitter.connect(self._on_layers)
        for emitter in (dims.order, dims.ndim, dims.ndisplay, camera.orientation, camera.angles):
            emitter.connect(self.show)
        for layer in viewer.layers:
            self._follow(layer)
        self.show()

    def _on_layers(self, event: Any) -> None:
        if event.type == "inserted":
            self._follow(event.value)
        self.show()

    def _follow(self, layer: Layer) -> None:
        if VOLUME_KEY not in layer.metadata:
            return
        events = layer.events
        for emitter in (events.visible, events.affine, events.rotate, events.shear, events.scale):
            emitter.connect(self.show)

    def show(self, event: Any = None) -> None:
        """Bring the texts up to date."""
        letters = self.letters()
        for edge, text in self._texts.items():
            if letters is not None:
                text.text = getattr(letters, edge)
            text.visible = letters is not None

    def letters(self) -> Letters | None:
        """What has to stand at the edges now; None for nothing."""
        viewer = self._viewer()
        if viewer is None or viewer in _MUTED:
            return None
        shown = [each for each in viewer.layers if each.visible and VOLUME_KEY in each.metadata]
        if not shown:
            return None
        if not all(map(_sides_are_known, shown)):
            return UNKNOWN
        dims, camera = viewer.dims, viewer.scene.camera
        extra = dims.ndim - 3  # axes of other layers come before ours
        axes = [axis - extra for axis in dims.displayed]
        if min(axes) < 0:
            return UNKNOWN
        if dims.ndisplay == 3:
            mirrored = camera.handedness.value != "right"
            return letters_of_volume(
                camera.view_direction, camera.up_direction, axes, mirrored=mirrored
            )
        _, vertical, horizontal = camera.orientation
        return letters_2d(axes, vertical.value, horizontal.value)


def _sides_are_known(layer: Layer) -> bool:
    volume = layer.metadata[VOLUME_KEY]
    if not isinstance(volume, Volume) or not volume.orientation_known or layer.ndim != 3:
        return False
    first = np.array(layer.data_to_world((0, 0, 0)))
    steps = [np.array(layer.data_to_world(one)) - first for one in np.eye(3)]
    return bool(layer.metadata.get(TURNED_KEY)) and is_plain(steps, layer.scale)


def show_letters(viewer: ViewerModel | None = None) -> None:
    """Put letters round a viewer's picture once it shows a volume; round all viewers' unless given."""
    for each in compat.open_viewers() if viewer is None else [compat.unwrapped(viewer)]:
        if each not in _ROUND:
            _ROUND[each] = EdgeLetters(each)


def mute_letters(viewer: ViewerModel, muted: bool) -> None:
    """Leave the letters of a viewer to the workspace around it, or show them again."""
    (_MUTED.add if muted else _MUTED.discard)(viewer)
    if viewer in _ROUND:
        _ROUND[viewer].show()
    elif not muted:
        show_letters(viewer)
