"""The one place that knows both sides: the session, and the views and layers that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal

from napari_qsm.anatomy import DEPTH_AXIS, PLANES, DisplayFrame, Plane, snapped
from napari_qsm.arrays import Array
from napari_qsm.session import MapEntry, Session, together
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.canvas.compare import MixedLayer
from napari_qsm.viewer.canvas.layer_sync import LayerSync
from napari_qsm.viewer.canvas.mouse import Tool
from napari_qsm.viewer.canvas.slice_view import SliceView, Zoom
from napari_qsm.viewer.canvas.view_content import overlay_content

MAX_COMPARED = 4


class Controller:
    """Keeps napari's viewer, the other canvases and the session in step.

    Attributes
    ----------
    session : Session
        The truth.
    views : list of SliceView
        First the large one, which is napari's own canvas.
    sync : LayerSync
        Entries and layers.
    """

    hovered = Signal(object)  # world mm under the pointer, or None
    drawn_again = Signal()  # something a panel may show has changed
    said = Signal(str)  # a sentence for the user
    entered = Signal(object)  # the view the mouse is in
    tool_changed = Signal(object)  # the tool that now has the left button, or None
    region_picked = Signal(object)  # world mm of an Alt + click, which chooses a region

    def __init__(self, viewer: Any, session: Session, area: ViewArea) -> None:
        self.viewer = viewer
        self.session = session
        self.area = area
        self.mixed = MixedLayer(self)
        self.rings: list[Callable[[SliceView], list[Any]]] = []
        self.busy: set[str] = set()
        self._zoom = Zoom()
        self._tool: Tool | None = None
        self._disposed = False
        main = SliceView("large", viewer=viewer, plane=session.large_plane)
        self.views: list[SliceView] = [main]
        self.sync = LayerSync(self)
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

    @property
    def layers(self) -> dict[str, Layer]:
        """The viewer's layer of each entry, by entry id."""
        return self.sync.layers

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
        with self.marked("dims"):
            for view in self.views:
                if not view.is_3d:
                    view.show_depth(display)
        for view in self.views:
            self.repaint(view)

    def _on_dims(self) -> None:
        """The slice was stepped by napari's own slider or keys."""
        frame = self.frame
        if "dims" in self.busy or frame is None or self.main.is_3d:
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

    def _on_ndisplay(self) -> None:
        """2-D or 3-D was chosen with napari's own button or key."""
        if "dims" in self.busy:
            return
        if self.main.is_3d:
            self.session.layout = "volume"
        elif self.session.layout == "volume":
            self.session.layout = "three"

    def _picked(self, view: SliceView, display: Array) -> None:
        if self.frame is not None:
            self.go_to(self.frame.display_to_world(display))

    def _alt_clicked(self, view: SliceView, display: Array) -> None:
        if self.frame is not None:
            self.region_picked.emit(self.frame.display_to_world(display))

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
            self.sync.mirror(view, layer)
        self.set_visible()
        if self.frame is not None:
            view.show_depth(self.frame.world_to_display(self.session.crosshair_mm))
        return view

    def _join(self, view: SliceView) -> None:
        view.zoom = self._zoom if self.session.views_linked else Zoom()
        view.mouse.tool = self._tool
        view.mouse.picked.connect(self._picked)
        view.mouse.hovered.connect(self._hovered)
        view.mouse.alt_clicked.connect(self._alt_clicked)
        view.mouse.stepped.connect(self._stepped)
        view.mouse.enlarged.connect(self._enlarged)
        view.zoomed.connect(self._zoomed)
        view.moved.connect(self.repaint)

    def _drop_view(self, view: SliceView) -> None:
        for other in self.views:  # none may go by the size of a view that is gone
            other.twins = [other]
        self.sync.drop_view(view)
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
        with self.marked("dims"):  # napari moves its slider when it leaves 3-D
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
        self.set_visible()
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

    @property
    def tool(self) -> Tool | None:
        """What has the left button; None for the crosshair."""
        return self._tool

    def use_tool(self, tool: Tool | None) -> None:
        """Give the left button in every view to a tool, or back to the crosshair."""
        if tool is self._tool:
            return
        self._tool = tool
        for view in self.views:
            view.mouse.tool = tool
        self.tool_changed.emit(tool)

    def set_extent(self) -> None:
        """Let every view know how far all maps reach."""
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

    def first_look(self) -> None:
        """The middle of the first map, whole."""
        reference = self.session.reference
        if reference is not None:
            middle = (np.array(reference.shape) - 1) / 2
            self.go_to(reference.voxel_to_world(middle))
        self._zoom.factor, self._zoom.centre = 1.0, None

    def settle(self) -> None:
        """After layers came or went, bring every view to the state it should be in."""
        for view in self.views:
            view.turn_to(view.plane, self.session.radiological)
        self.set_visible()
        self._on_selected()
        self._on_crosshair()
        self.drawn_again.emit()

    # -- what is drawn -------------------------------------------------------------------

    def set_visible(self) -> None:
        """Decide for every layer in every view whether it is drawn."""
        with self.marked("visible"):
            for entry in self.session:
                layer = self.sync.layers.get(entry.id)
                if layer is None:
                    continue
                _show(layer, self._is_drawn(entry, self.main))
                for view in self.views[1:]:
                    copy = view.layers.get(layer)
                    if copy is not None:
                        _show(copy, self._is_drawn(entry, view))
            known = set(self.sync.layers.values())
            for (_, source), mirror in self.sync.mirrors.items():
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
        layer = self.sync.layers.get(entry.id) if entry is not None else None
        if layer is not None and layer in self.viewer.layers:
            with self.marked("select"):
                self.viewer.layers.selection.active = layer
        for view in self.views:
            self.repaint(view)
        self.drawn_again.emit()

    def _on_group(self) -> None:
        self.set_visible()
        self.repaint_all()
        self.drawn_again.emit()

    def _on_blinded(self) -> None:
        self.mixed.update()
        self._on_group()

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

    # -- life -----------------------------------------------------------------------------

    @contextmanager
    def marked(self, what: str) -> Iterator[None]:
        """Mark changes made here, so that they are not taken for the user's."""
        outer = what in self.busy
        self.busy.add(what)
        try:
            yield
        finally:
            if not outer:
                self.busy.discard(what)

    def _connections(self) -> list[tuple[Any, Callable[..., Any]]]:
        session, viewer = self.session, self.viewer
        return [
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
            (session.events.blinded, self._on_blinded),
            (viewer.dims.events.point, self._on_dims),
            (viewer.dims.events.ndisplay, self._on_ndisplay),
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
        self.sync.dispose()
        for view in list(self.views[1:]):
            self._drop_view(view)
        self._disposed = True
        self.main.dispose()
        # Whoever still holds the controller must not hold a closed window with it.
        self.views.clear()
        compat.forget_ramps()


def _show(layer: Layer, visible: bool) -> None:
    if layer.visible != visible:
        layer.visible = visible
