"""The one place that knows both sides: the session, and the views and layers that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, Plane, Session, together
from napari_qsm.viewer import compat
from napari_qsm.viewer.arrangement import ViewArea
from napari_qsm.viewer.compare import MixedLayer
from napari_qsm.viewer.geometry import (
    DEPTH_AXIS,
    PLANES,
    DisplayFrame,
    nearest_voxel,
    obliquity_deg,
    place,
    snapped,
)
from napari_qsm.viewer.layers import Mirror, adopt, apply_display, drawn, make_layer, read_display
from napari_qsm.viewer.mouse import Tool
from napari_qsm.viewer.overlay import Ring
from napari_qsm.viewer.painting import overlay_content
from napari_qsm.viewer.slice_view import SliceView, Zoom
from napari_qsm.volume import Array

MAX_COMPARED = 4


class Controller:
    """Keeps napari's viewer, the other canvases and the session in step.

    Attributes
    ----------
    session : Session
        The truth.
    views : list of SliceView
        First the large one, which is napari's own canvas.
    layers : dict
        The viewer's layer of each entry, by entry id.
    """

    hovered = Signal(object)  # world mm under the pointer, or None
    drawn_again = Signal()  # something a panel may show has changed
    said = Signal(str)  # a sentence for the user
    entered = Signal(object)  # the view the mouse is in

    def __init__(self, viewer: Any, session: Session, area: ViewArea) -> None:
        self.viewer = viewer
        self.session = session
        self.area = area
        self.layers: dict[str, Layer] = {}
        self.mixed = MixedLayer(self)
        self.rings: list[Callable[[SliceView], list[Ring]]] = []
        self._mirrors: dict[tuple[SliceView, Layer], Mirror] = {}
        self._busy: set[str] = set()
        self._zoom = Zoom()
        self._tool: Tool | None = None
        self._disposed = False
        main = SliceView("large", viewer=viewer, plane=session.large_plane)
        self.views: list[SliceView] = [main]
        self._join(main)
        for plane in PLANES[1:]:
            self._add_view(plane)
        self._connect()
        self.arrange()

    # -- frames ---------------------------------------------------------------------------

    @property
    def main(self) -> SliceView:
        """The large view, napari's own canvas."""
        return self.views[0]

    @property
    def frame(self) -> DisplayFrame | None:
        """The frame the views are laid out in."""
        reference = self.session.reference
        return None if reference is None else DisplayFrame(reference)

    def entry_of(self, layer: Layer | None) -> MapEntry | None:
        """The entry a layer of the viewer shows."""
        for key, known in self.layers.items():
            if known is layer:
                return self.session.entry(key)
        return None

    def shown_in(self, view: SliceView) -> MapEntry | None:
        """The map whose colours a view is about: its colour bar and its title."""
        if self.session.layout == "compare" and self.session.mix == "side by side":
            index = self.views.index(view)
            keys = self.session.compared
            return self.session.entry(keys[index]) if index < len(keys) else None
        entry = self.session.selected_entry
        if entry is not None and entry.editable is None and self.session.is_shown(entry):
            return entry
        shown = [e for e in self.session if e.editable is None and self.session.is_shown(e)]
        return shown[-1] if shown else None

    # -- crosshair ------------------------------------------------------------------------

    def go_to(self, world_mm: Array) -> None:
        """Put the crosshair on the voxel of the reference nearest to a point."""
        reference = self.session.reference
        if reference is not None:
            self.session.crosshair_mm = snapped(world_mm, reference)

    def step(self, plane: Plane, steps: int) -> None:
        """Move the crosshair by slices of the reference along a plane's axis."""
        reference = self.session.reference
        if reference is None:
            return
        voxel = np.rint(reference.world_to_voxel(self.session.crosshair_mm))
        voxel[DEPTH_AXIS[plane]] += steps
        self.go_to(reference.voxel_to_world(voxel))

    def _on_crosshair(self) -> None:
        frame = self.frame
        if frame is None:
            return
        display = frame.world_to_display(self.session.crosshair_mm)
        with self._while("dims"):
            for view in self.views:
                if not view.is_3d:
                    view.show_depth(display)
        for view in self.views:
            self.repaint(view)

    def _on_dims(self) -> None:
        """The slice was stepped by napari's own slider or keys."""
        frame = self.frame
        if "dims" in self._busy or frame is None or self.main.is_3d:
            return
        if self.viewer.dims.ndim != 3:
            return
        display = frame.world_to_display(self.session.crosshair_mm)
        axis = DEPTH_AXIS[self.main.plane]
        wanted = float(self.viewer.dims.point[2 - axis])
        if abs(wanted - display[axis]) > 1e-6:
            display[axis] = wanted
            self.go_to(frame.display_to_world(display))
            if abs(self.main.depth_mm - wanted) > 1e-6:
                self._on_crosshair()

    def _picked(self, view: SliceView, display: Array) -> None:
        if self.frame is not None:
            self.go_to(self.frame.display_to_world(display))

    def _hovered(self, view: SliceView, display: Array | None) -> None:
        frame = self.frame
        self.entered.emit(view)
        self.hovered.emit(
            None if display is None or frame is None else frame.display_to_world(display)
        )

    # -- views ----------------------------------------------------------------------------

    def _add_view(self, plane: Plane) -> SliceView:
        view = SliceView(
            f"side{len(self.views)}", plane=plane, radiological=self.session.radiological
        )
        compat.share_keys(self.main.qt, view.qt)
        self.views.append(view)
        self._join(view)
        view.extent = self.main.extent
        for layer in self.viewer.layers:
            self._mirror(view, layer)
        self._set_visible()
        if self.frame is not None:
            view.show_depth(self.frame.world_to_display(self.session.crosshair_mm))
        return view

    def _join(self, view: SliceView) -> None:
        view.zoom = self._zoom if self.session.views_linked else Zoom()
        view.mouse.tool = self._tool
        view.mouse.picked.connect(self._picked)
        view.mouse.hovered.connect(self._hovered)
        view.mouse.stepped.connect(self._stepped)
        view.mouse.enlarged.connect(self._enlarged)
        view.zoomed.connect(self._zoomed)
        view.moved.connect(self.repaint)

    def _drop_view(self, view: SliceView) -> None:
        for key in [key for key in self._mirrors if key[0] is view]:
            self._mirrors.pop(key).dispose()
        compat.unshare_keys(self.main.qt, view.qt)
        self.views.remove(view)
        self.area.release(view.qt)
        view.dispose()

    def arrange(self) -> None:
        """Bring the views to the session's layout."""
        session = self.session
        comparing = session.layout == "compare" and len(session.compared) > 1
        count = len(session.compared[:MAX_COMPARED]) if comparing else 3
        if comparing and session.mix != "side by side":
            count, comparing = 3, False
        while len(self.views) > max(count, 3):
            self._drop_view(self.views[-1])
        while len(self.views) < count:
            self._add_view(session.large_plane)
        self.main.set_3d(session.layout == "volume")
        others = [plane for plane in PLANES if plane != session.large_plane]
        planes = [session.large_plane] * count if comparing else [session.large_plane, *others]
        for view, plane in zip(self.views, planes, strict=False):
            if view is not self.main or session.layout != "volume":
                view.turn_to(plane, session.radiological)
            else:
                view.plane = plane
        widgets = [view.qt for view in self.views]
        if comparing:
            if count == 4:
                self.area.show_columns([widgets[:1] + widgets[2:3], widgets[1:4:2]], [1, 1])
            else:
                self.area.show_columns([[w] for w in widgets[:count]], [1] * count)
        elif session.layout == "one":
            self.area.show_columns([[widgets[0]]], [1])
        else:
            self.area.show_columns([[widgets[0]], widgets[1:3]], [0.64, 0.36])
        for view in self.views:
            view.twins = self.views[:count] if comparing else [view]
        self.mixed.update()
        self._set_visible()
        self._on_crosshair()
        for view in self.views:
            view.fit()
        self.drawn_again.emit()

    def centre(self) -> None:
        """Bring the crosshair into the middle of every view."""
        frame = self.frame
        if frame is None:
            return
        for view in self.views:
            view.zoom.centre = frame.world_to_display(self.session.crosshair_mm)
            view.fit()

    def swap(self) -> None:
        """The next plane becomes the large one."""
        at = PLANES.index(self.session.large_plane)
        self.session.large_plane = PLANES[(at + 1) % len(PLANES)]

    def _enlarged(self, view: SliceView) -> None:
        session = self.session
        if session.layout == "compare":
            return
        if view is self.main:
            session.layout = "three" if session.layout == "one" else "one"
        else:
            session.large_plane = view.plane

    def _stepped(self, view: SliceView, steps: int) -> None:
        self.step(view.plane, steps)

    def _zoomed(self, view: SliceView) -> None:
        if self.session.views_linked:
            for other in self.views:
                if other is not view:
                    other.fit()

    def _on_views_linked(self, linked: bool) -> None:
        for view in self.views:
            view.zoom = self.main.zoom if linked else Zoom(view.zoom.factor, view.zoom.centre)
        self._zoom = self.main.zoom
        for view in self.views:
            view.fit()

    def use_tool(self, tool: Tool | None) -> None:
        """Give the left button in every view to a tool, or back to the crosshair."""
        self._tool = tool
        for view in self.views:
            view.mouse.tool = tool

    # -- entries and layers ---------------------------------------------------------------

    def _on_entry_added(self, index: int, entry: MapEntry) -> None:
        entry.display.events.connect(self._on_display)
        entry.events.name.connect(self._on_name)
        entry.events.echo.connect(self._on_echo)
        if entry.id in self.layers:
            return
        frame = self.frame
        assert frame is not None
        self._set_extent()
        with self._while("layers"), self.main.hushed():
            layer = make_layer(entry, frame)
            self.layers[entry.id] = layer
            self.viewer.layers.insert(min(index, len(self.viewer.layers)), layer)
        self._own(layer)
        if len(self.session.maps) == 1:
            self._first_look()
        self._settle()

    def _settle(self) -> None:
        """After layers came or went, bring every view to the state it should be in."""
        for view in self.views:
            view.turn_to(view.plane, self.session.radiological)
        self._set_visible()
        self._on_selected()
        self._on_crosshair()
        self.drawn_again.emit()

    def _first_look(self) -> None:
        reference = self.session.reference
        if reference is not None:
            middle = (np.array(reference.shape) - 1) / 2
            self.go_to(reference.voxel_to_world(middle))
        self._zoom.factor, self._zoom.centre = 1.0, None

    def _on_entry_removed(self, index: int, entry: MapEntry) -> None:
        entry.display.events.disconnect(self._on_display)
        entry.events.name.disconnect(self._on_name)
        entry.events.echo.disconnect(self._on_echo)
        layer = self.layers.pop(entry.id, None)
        if layer is not None and layer in self.viewer.layers:
            with self._while("layers"):
                self._disown(layer)
                self.viewer.layers.remove(layer)
        self.mixed.update()
        self._replace_all()
        self._settle()

    def _replace_all(self) -> None:
        """The reference may have changed: give every layer its place anew."""
        frame = self.frame
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
        self._set_extent()

    def _set_extent(self) -> None:
        frame = self.frame
        if frame is None:
            return
        corners = []
        for entry in self.session:
            matrix = frame.display_of(entry.volume)
            for corner in np.ndindex(2, 2, 2):
                voxel = np.array(corner) * np.array(entry.volume.shape) - 0.5
                corners.append(matrix[:3, :3] @ voxel + matrix[:3, 3])
        extent = np.array([np.min(corners, axis=0), np.max(corners, axis=0)])
        for view in self.views:
            view.extent = extent

    def _own(self, layer: Layer) -> None:
        for view in self.views[1:]:
            self._mirror(view, layer)
        for name in ("contrast_limits", "colormap", "opacity"):
            if hasattr(layer.events, name):
                getattr(layer.events, name).connect(self._on_layer_looks)
        layer.events.visible.connect(self._on_layer_visible)
        layer.events.name.connect(self._on_layer_name)
        if isinstance(layer, Labels):
            for name in ("paint", "labels_update", "set_data"):
                getattr(layer.events, name).connect(self._on_labels)

    def _disown(self, layer: Layer) -> None:
        for view in self.views[1:]:
            mirror = self._mirrors.pop((view, layer), None)
            if mirror is not None:
                mirror.dispose()
                view.layers.pop(layer, None)
                if mirror.copy in view.model.layers:
                    view.model.layers.remove(mirror.copy)
        for name in ("contrast_limits", "colormap", "opacity"):
            if hasattr(layer.events, name):
                getattr(layer.events, name).disconnect(self._on_layer_looks)
        layer.events.visible.disconnect(self._on_layer_visible)
        layer.events.name.disconnect(self._on_layer_name)
        if isinstance(layer, Labels):
            for name in ("paint", "labels_update", "set_data"):
                getattr(layer.events, name).disconnect(self._on_labels)

    def _mirror(self, view: SliceView, layer: Layer) -> None:
        if view is self.main or (view, layer) in self._mirrors or layer.ndim != 3:
            return
        mirror = Mirror(layer)
        mirror.painted.connect(self._on_copy_painted)
        self._mirrors[view, layer] = mirror
        view.layers[layer] = mirror.copy
        mirror.copy.visible = False
        below = list(self.viewer.layers)[: self.viewer.layers.index(layer)]
        index = sum((view, other) in self._mirrors for other in below)
        with view.hushed():
            view.model.layers.insert(index, mirror.copy)

    def add_extra(self, layer: Layer) -> None:
        """Show a layer of the workspace itself, which stands for no entry, in every view."""
        with self._while("layers"), self.main.hushed():
            labels = (i for i, each in enumerate(self.viewer.layers) if isinstance(each, Labels))
            self.viewer.layers.insert(next(labels, len(self.viewer.layers)), layer)
        for view in self.views[1:]:
            self._mirror(view, layer)

    def remove_extra(self, layer: Layer) -> None:
        """Take away what :meth:`add_extra` showed."""
        with self._while("layers"):
            for view in self.views[1:]:
                mirror = self._mirrors.pop((view, layer), None)
                if mirror is not None:
                    mirror.dispose()
                    view.model.layers.remove(mirror.copy)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    # -- what the user does in napari's own list ------------------------------------------

    def _on_layer_inserted(self, event: Any) -> None:
        if "layers" not in self._busy:
            self.take(event.value)

    def take(self, layer: Layer) -> None:
        """Make a layer that somebody else added part of the session."""
        if not isinstance(layer, Image | Labels):
            for view in self.views[1:]:
                self._mirror(view, layer)
            self._set_visible()
            return
        try:
            volume, role, names, display = adopt(layer)
            with self._while("layers"):
                self._adopt(layer, volume, role, names, display)
        except QsmError as error:
            self.said.emit(str(error))

    def _adopt(self, layer: Layer, volume: Any, role: Any, names: Any, display: Any) -> None:
        from napari_qsm.session import first_display, unique_name

        entry = MapEntry(
            name=unique_name(layer.name, (e.name for e in self.session)),
            role=role,
            volume=volume.to_canonical(),
            regions=names,
            display=display or first_display(volume, role),
        )
        if isinstance(layer, Labels):
            entry.editable = np.asarray(layer.data).transpose(2, 1, 0)
        self.layers[entry.id] = layer
        below = [k for k in list(self.viewer.layers)[: self.viewer.layers.index(layer)]]
        index = sum(self.entry_of(other) is not None for other in below)
        self.session.maps.insert(index, entry)
        self._own(layer)
        self._replace_all()
        apply_display(entry.display, layer)
        if len(self.session.maps) == 1:
            self._first_look()
        if not self.session.selected or role == "map":
            self.session.selected = entry.id
        self._settle()

    def _on_layer_removed(self, event: Any) -> None:
        if "layers" in self._busy:
            return
        layer = event.value
        entry = self.entry_of(layer)
        if entry is None:
            for view in self.views[1:]:
                mirror = self._mirrors.pop((view, layer), None)
                if mirror is not None:
                    mirror.dispose()
                    view.model.layers.remove(mirror.copy)
            return
        self._disown(layer)
        self.layers.pop(entry.id, None)
        self.session.remove(entry)

    def _on_reordered(self, event: Any = None) -> None:
        for view in self.views[1:]:
            for layer in self.viewer.layers:
                copy = view.layers.get(layer)
                if copy is not None and copy in view.model.layers:
                    view.model.layers.move(view.model.layers.index(copy), -1)

    def _on_layer_looks(self, event: Any) -> None:
        layer = event.source
        entry = self.entry_of(layer)
        if entry is None or "looks" in self._busy:
            return
        changes = read_display(layer)
        if entry.display.colouring == "both sides" and "colouring" not in changes:
            window = changes.get("window", entry.display.window)
            if window == effective(entry):
                changes.pop("window", None)
        changes = {k: v for k, v in changes.items() if getattr(entry.display, k) != v}
        if changes:
            self.session.set_display(entry, **changes)

    def _on_layer_visible(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is None or "visible" in self._busy:
            return
        visible = bool(event.source.visible)
        if visible and entry.group:
            self.session.active_group = entry.group
        self.session.set_display(entry, visible=visible)
        self._set_visible()

    def _on_layer_name(self, event: Any) -> None:
        entry = self.entry_of(event.source)
        if entry is not None and entry.name != event.source.name:
            entry.name = event.source.name

    def _on_active(self, event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        entry = self.entry_of(active)
        if "layers" in self._busy:
            return
        for view in self.views[1:]:
            copy = view.layers.get(active) if active is not None else None
            view.model.layers.selection.active = copy
        if entry is not None and "select" not in self._busy:
            self.session.selected = entry.id

    def _on_labels(self, event: Any) -> None:
        layer = event.source
        entry = self.entry_of(layer)
        if entry is None:
            return
        if event.type == "set_data":
            # Also sent by a mere step to another slice, which changes no label.
            point = tuple(self.viewer.dims.point)
            moved, self._labels_point = point != getattr(self, "_labels_point", None), point
            if moved or "paint" in self._busy:
                return
        with self._while("paint"):
            for (_, source), mirror in self._mirrors.items():
                if source is layer:
                    mirror.refresh()
        self.session.labels_edited.emit(entry.id)

    def _on_copy_painted(self, mirror: Mirror) -> None:
        if "paint" in self._busy:
            return
        with self._while("paint"):
            mirror.source.refresh()
            for (_, source), other in self._mirrors.items():
                if source is mirror.source and other is not mirror:
                    other.refresh()
        entry = self.entry_of(mirror.source)
        if entry is not None:
            self.session.labels_edited.emit(entry.id)

    # -- what the session says ------------------------------------------------------------

    def _on_display(self, event: Any = None) -> None:
        with self._while("looks"):
            for entry in self.session:
                layer = self.layers.get(entry.id)
                if layer is not None:
                    apply_display(entry.display, layer)
            self.mixed.restyle()
        self._set_visible()
        for view in self.views:
            self.repaint(view)
        self.drawn_again.emit()

    def _set_visible(self) -> None:
        """Decide for every layer in every view whether it is drawn."""
        with self._while("visible"):
            for entry in self.session:
                layer = self.layers.get(entry.id)
                if layer is None:
                    continue
                _show(layer, self._is_drawn(entry, self.main))
                for view in self.views[1:]:
                    copy = view.layers.get(layer)
                    if copy is not None:
                        _show(copy, self._is_drawn(entry, view))
            known = set(self.layers.values())
            for (_, source), mirror in self._mirrors.items():
                if source not in known:
                    _show(mirror.copy, source.visible)

    def _is_drawn(self, entry: MapEntry, view: SliceView) -> bool:
        session = self.session
        chosen = self.shown_in(view)
        is_labels = entry.editable is not None
        if view.is_3d:
            return entry is chosen or (is_labels and session.is_shown(entry))
        if session.layout != "compare" or chosen is None:
            return session.is_shown(entry)
        if entry is chosen:
            return session.mix == "side by side"
        if entry.id in session.compared or entry.role == "map":
            return False
        below = session.maps.index(entry) < session.maps.index(chosen)
        return entry.display.visible and together(entry, chosen) and (is_labels or below)

    def _on_selected(self) -> None:
        entry = self.session.selected_entry
        if entry is not None and entry.group:
            self.session.active_group = entry.group
        layer = self.layers.get(entry.id) if entry is not None else None
        if layer is not None and layer in self.viewer.layers:
            with self._while("select"):
                self.viewer.layers.selection.active = layer
        for view in self.views:
            self.repaint(view)
        self.drawn_again.emit()

    def _on_group(self) -> None:
        self._set_visible()
        self.repaint_all()
        self.drawn_again.emit()

    def _on_name(self) -> None:
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if layer is not None and layer.name != entry.name:
                layer.name = entry.name
        self.drawn_again.emit()

    def _on_echo(self) -> None:
        frame = self.frame
        if frame is None:
            return
        for entry in self.session:
            layer = self.layers.get(entry.id)
            if layer is not None and entry.volume.data.ndim == 4:
                layer.data = drawn(entry, frame).data
        self.drawn_again.emit()

    def repaint(self, view: SliceView) -> None:
        """Draw what lies over a view anew."""
        if self._disposed or view not in self.views:
            return
        content = overlay_content(view, self)
        for rings in self.rings:
            content.rings += rings(view)
        view.overlay.show_content(content)

    def repaint_all(self) -> None:
        """Draw what lies over every view anew."""
        for view in self.views:
            self.repaint(view)

    # -- notes ----------------------------------------------------------------------------

    def grid_note(self, entry: MapEntry) -> str:
        """What the read-out says about a map whose grid is not the reference's."""
        frame = self.frame
        if frame is None:
            return ""
        placement = place(entry.shown, frame)
        if not placement.own_grid:
            return ""
        sizes = " × ".join(f"{size:.3g}" for size in entry.volume.voxel_size_mm)
        if placement.aligned:
            return f"own grid, {sizes} mm voxels"
        turned = obliquity_deg(frame.display_of(entry.shown))
        return f"own grid, {sizes} mm voxels, turned {turned:.1f}°: drawn by nearest voxel"

    def inside(self, entry: MapEntry) -> bool:
        """Whether the crosshair lies inside a map."""
        return nearest_voxel(entry.shown, self.session.crosshair_mm) is not None

    # -- life -----------------------------------------------------------------------------

    @contextmanager
    def _while(self, what: str) -> Iterator[None]:
        """Mark changes made here, so that they are not taken for the user's."""
        outer = what in self._busy
        self._busy.add(what)
        try:
            yield
        finally:
            if not outer:
                self._busy.discard(what)

    def _connections(self) -> list[tuple[Any, Callable[..., Any]]]:
        session, viewer = self.session, self.viewer
        return [
            (session.maps.events.inserted, self._on_entry_added),
            (session.maps.events.removed, self._on_entry_removed),
            (session.events.crosshair_mm, self._on_crosshair),
            (session.events.crosshair_visible, self.repaint_all),
            (session.events.unit, self.repaint_all),
            (session.events.radiological, self.arrange),
            (session.events.layout, self.arrange),
            (session.events.large_plane, self.arrange),
            (session.events.compared, self.arrange),
            (session.events.mix, self.arrange),
            (session.events.views_linked, self._on_views_linked),
            (session.events.selected, self._on_selected),
            (session.events.active_group, self._on_group),
            (viewer.layers.events.inserted, self._on_layer_inserted),
            (viewer.layers.events.removed, self._on_layer_removed),
            (viewer.layers.events.reordered, self._on_reordered),
            (viewer.layers.selection.events.active, self._on_active),
            (viewer.dims.events.point, self._on_dims),
        ]

    def _connect(self) -> None:
        for emitter, call in self._connections():
            emitter.connect(call)

    def dispose(self) -> None:
        """Let go of napari and close every canvas of ours; its layers stay."""
        if self._disposed:
            return
        for emitter, call in self._connections():
            emitter.disconnect(call)
        self.mixed.dispose()
        for entry in self.session:
            entry.display.events.disconnect(self._on_display)
            entry.events.name.disconnect(self._on_name)
            entry.events.echo.disconnect(self._on_echo)
        for layer in list(self.layers.values()):
            self._disown(layer)
        for view in list(self.views[1:]):
            self._drop_view(view)
        self._disposed = True
        self.main.dispose()
        # Whoever still holds the controller must not hold a closed window with it.
        self.views.clear()
        self._mirrors.clear()
        self.layers.clear()
        compat.forget_ramps()


def effective(entry: MapEntry) -> tuple[float, float]:
    """The window an entry is drawn with."""
    from napari_qsm.viewer.display import effective_window

    return effective_window(entry.display)


def _show(layer: Layer, visible: bool) -> None:
    if layer.visible != visible:
        layer.visible = visible
