"""Two maps in one picture, and the difference of two maps."""

from __future__ import annotations

import numpy as np
from napari.layers import Image

from napari_qsm.anatomy import DisplayFrame, place
from napari_qsm.colormaps import effective_window
from napari_qsm.errors import GeometryError
from napari_qsm.session import MapDisplay, MapEntry, Session
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.composites import MixedMaps
from napari_qsm.session.frames import napari_order
from napari_qsm.session.shown import grey_below
from napari_qsm.viewer.canvas.layer_sync import LayerSync
from napari_qsm.viewer.canvas.layers import apply_display, drawn, left_out_of
from napari_qsm.viewer.plain.layers import AXIS_LABELS, UNITS
from napari_qsm.volume import check_same_grid


class MixedLayer:
    """The layer of a checkerboard or curtain, there while the session asks for one."""

    def __init__(self, session: Session, sync: LayerSync) -> None:
        self._session, self._sync = session, sync
        self._layer: Image | None = None
        self._made_of: tuple[str, ...] = ()
        self.title = ""
        self.tile_mm = 20.0
        self.edge = 0.5

    def update(self, frame: DisplayFrame | None) -> None:
        """Make, change or remove the layer as the session says.

        Raises
        ------
        GeometryError
            If the two maps lie on different grids; they are then shown side by side.
        """
        session = self._session
        wanted = session.layout == "compare" and session.mix != "side by side"
        pair = [session.entry(key) for key in session.compared[:2]]
        first, second = pair if len(pair) == 2 else (None, None)
        made_of = (session.mix, *session.compared[:2])
        if self._layer is not None and (not wanted or made_of != self._made_of):
            self._sync.remove_extra(self._layer)
            self._layer = None
        if not wanted or frame is None or first is None or second is None or self._layer:
            return
        try:
            self._layer = self._make(first, second, frame)
        except GeometryError:
            session.mix = "side by side"
            raise
        self._made_of = made_of
        self._sync.add_extra(self._layer)

    def _make(self, first: MapEntry, second: MapEntry, frame: DisplayFrame) -> Image:
        check_same_grid(second.shown, first.shown)
        placement = place(first.shown, frame)
        kind = self._session.mix
        data = MixedMaps(
            drawn(first, frame).data,
            drawn(second, frame).data,
            napari_order(first.shown.voxel_size_mm),
            "curtain" if kind == "curtain" else "checkerboard",
        )
        data.tile_mm, data.edge = self.tile_mm, self.edge
        names = (shown_name(self._session, entry) for entry in (first, second))
        self.title = (" | " if kind == "curtain" else " / ").join(names)
        layer = Image(
            data,
            name=self.title,
            scale=napari_order(placement.scale),
            translate=napari_order(placement.translate),
            units=UNITS,
            axis_labels=AXIS_LABELS,
            contrast_limits=effective_window(first.display),
            blending="translucent_no_depth",
        )
        self._style(layer, first, second, frame)
        return layer

    def _style(self, layer: Image, first: MapEntry, second: MapEntry, frame: DisplayFrame) -> None:
        """Window and colours of the first map, also for the second."""
        each = [left_out_of(entry, frame, first.display) for entry in (first, second)]

        def left_out() -> MixedMaps:
            masks = [find() for find in each if find is not None]
            return layer.data.with_maps(*masks)

        grey = grey_below(self._session, first)
        apply_display(first.display, layer, grey, None if None in each else left_out)

    def set_edge(self, edge: float) -> None:
        """Draw the curtain to another place, 0 to 1 of the picture's width."""
        self.edge = edge
        self._change("edge", edge)

    def set_tile(self, tile_mm: float) -> None:
        """Give the squares of the checkerboard another size."""
        self.tile_mm = tile_mm
        self._change("tile_mm", tile_mm)

    def restyle(self) -> None:
        """Follow the first map's window and colours."""
        first, second = (self._session.entry(key) for key in self._made_of[1:] or ("", ""))
        if self._layer is not None and first is not None and second is not None:
            frame = self._sync.frame_of(first)
            if frame is not None:
                self._style(self._layer, first, second, frame)

    def dispose(self) -> None:
        """Remove the layer."""
        if self._layer is not None:
            self._sync.remove_extra(self._layer)
            self._layer = None

    def _change(self, name: str, value: float) -> None:
        if self._layer is None:
            return
        setattr(self._layer.data, name, value)
        self._layer.refresh()
        self._layer.events.data(value=self._layer.data)


def add_difference(session: Session, first: MapEntry, second: MapEntry) -> MapEntry:
    """Add the map ``first - second`` to a session, in two-sided colours.

    Parameters
    ----------
    session : Session
        Gets the new map.
    first, second : MapEntry
        On one grid, with values of one kind.

    Raises
    ------
    GeometryError
        If they lie on different grids or hold different quantities: subtracting would need
        resampling, which is never done silently.
    """
    a, b = first.shown, second.shown
    check_same_grid(b, a)
    kinds = {"ppm" if unit == "ppb" else unit for unit in (a.unit, b.unit)}
    if len(kinds) > 1:
        raise GeometryError(
            f"'{first.name}' is in {a.unit or 'an unknown unit'} and '{second.name}' in "
            f"{b.unit or 'an unknown unit'}; only maps of one quantity can be subtracted."
        )
    factor = 1.0 if a.unit == b.unit else (1e3 if a.unit == "ppb" else 1e-3)
    difference = np.subtract(a.data, b.data * np.float32(factor), dtype=np.float32)
    volume = a.with_data(difference, name=f"{first.name} − {second.name}")
    low, high = effective_window(first.display)
    width = max(abs(low), abs(high)) / 2
    display = MapDisplay(colouring="colour", colormap="coolwarm", window=(-width, width))
    return session.add(volume, role=first.role, display=display, linked=False)
