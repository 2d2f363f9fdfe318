"""The one place that knows both sides: the session, and the views and layers that show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal

from napari_qsm.anatomy import DEPTH_AXIS, PLANES, DisplayFrame, Plane, snapped, triple
from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.shown import is_drawn, map_of_view
from napari_qsm.session.visits import at_visit, from_visit, links_on_show
from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.canvas.compare import MixedLayer
from napari_qsm.viewer.canvas.layer_sync import LayerSync
from napari_qsm.viewer.canvas.mouse import Tool
from napari_qsm.viewer.canvas.overlay_content import overlay_content
from napari_qsm.viewer.canvas.overlay_items import OverlayItem
from napari_qsm.viewer.canvas.painting import Painting
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.canvas.views import Views
from napari_qsm.viewer.canvas.windowing import WindowDrag


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
    case_in, frame_in : callables
        Id of the case whose head a view shows, and the frame that the view is laid out in: among
        visits side by side those of its visit, else of the active case.
    overlay_items : list of callables
        Each gives what it has to draw on the slice of a view of the active case.
    items_everywhere : list of callables
        The same for views of another visit side by side with it.
    """

    hovered = Signal(object)  # world mm under the pointer, or None
    drawn_again = Signal()  # something a panel may show has changed
    message = Signal(str)  # a sentence for the user
    entered = Signal(object)  # the view the mouse is in
    tool_changed = Signal(object)  # the tool that now has the left button, or None
    region_picked = Signal(object)  # world mm of an Alt + click, which chooses a region

    def __init__(
        self, viewer: Any, session: Session, area: ViewArea, *, painted: bool = True
    ) -> None:
        self.viewer = viewer
        self.session = session
        self.overlay_items: list[Callable[[SliceView], Sequence[OverlayItem]]] = []
        self.items_everywhere: list[Callable[[SliceView], Sequence[OverlayItem]]] = []
        self._case = session.active_case
        self._disposed = False
        self._views = Views(viewer, session, area, painted=painted)
        self._views.mouse.takes_tools = self._views.heads.is_worked_on
        self.case_in, self.frame_in = self._views.heads.case_in, self._views.heads.frame_in
        self.views = self._views.all
        self.sync = LayerSync(session, self._views)
        self.painting = Painting(session, self._views, self.sync)
        self.mixed = MixedLayer(session, self.sync)
        self.windowing: WindowDrag = WindowDrag(
            session, self._views.mouse, self.shown_in, self.repaint
        )
        self.overlay_items.append(self.windowing.words)
        self.items_everywhere.append(self.windowing.words)
        self._heard = ui.Subscriptions()
        self._connect()
        for plane in PLANES[1:]:
            self._views.add(plane)
        self.arrange()

    # -- frames ---------------------------------------------------------------------------

    @property
    def main(self) -> SliceView:
        """The large view, napari's own canvas."""
        return self._views.main

    @property
    def frame(self) -> DisplayFrame | None:
        """The frame of the active case, in which its views are laid out."""
        return self._views.frame

    @property
    def layers(self) -> dict[str, Layer]:
        """The viewer's layer of each entry, by entry id."""
        return self.sync.layers

    def shown_in(self, view: SliceView) -> MapEntry | None:
        """The map whose colours a view is about: its colour bar and its title."""
        return map_of_view(self.session, self.views.index(view))

    @property
    def worked_map(self) -> MapEntry | None:
        """The map that panels measure: that of the large view, or of the visit worked on."""
        return self.shown_in(self._views.heads.worked_view)

    # -- crosshair ------------------------------------------------------------------------

    def go_to(self, world_mm: Array) -> None:
        """Put the crosshair on the voxel of the reference nearest to a point."""
        reference = self.session.reference
        if reference is not None:
            self.session.crosshair_mm = snapped(world_mm, reference)

    def go_to_in(self, view: SliceView, world_mm: Array) -> None:
        """Put the crosshair on the voxel nearest to a point of the case that a view shows."""
        frame = self.frame_in(view)
        if frame is not None:
            place = from_visit(self.session, snapped(world_mm, frame.reference), self.case_in(view))
            self.session.crosshair_mm = triple(place)

    def step(self, plane: Plane, steps: int, view: SliceView | None = None) -> None:
        """Move the crosshair along a plane's axis by slices of a view's case, or the active one's."""
        view = view or self._views.heads.worked_view
        frame = self.frame_in(view)
        if frame is None:
            return
        reference = frame.reference
        here = at_visit(self.session, self.session.crosshair_mm, self.case_in(view))
        voxel = np.rint(reference.world_to_voxel(here))
        voxel[DEPTH_AXIS[plane]] += steps
        self.go_to_in(view, reference.voxel_to_world(voxel))

    def centre(self) -> None:
        """Bring the crosshair into the middle of every view."""
        if self.frame is not None:
            self._views.centre_on(self.session.crosshair_mm)

    def _on_crosshair(self) -> None:
        if self.frame is None:
            return
        with self._views.signals_blocked("dims"):
            for view in self.views:
                display = self._views.heads.to_display(view, self.session.crosshair_mm)
                if not view.is_3d and display is not None:
                    view.show_depth(display)
        self.repaint_all()

    def _on_dims(self) -> None:
        """The slice was stepped by napari's own slider or keys."""
        if self._views.is_blocked("dims") or self.main.is_3d or self.viewer.dims.ndim != 3:
            return
        frame = self.frame_in(self.main)
        display = self._views.heads.to_display(self.main, self.session.crosshair_mm)
        if frame is None or display is None:
            return
        axis = DEPTH_AXIS[self.main.plane]
        wanted = float(self.viewer.dims.point[2 - axis])
        if abs(wanted - display[axis]) > 1e-6:
            display[axis] = wanted
            self.go_to_in(self.main, frame.display_to_world(display))
            if abs(self.main.depth_mm - wanted) > 1e-6:
                self._on_crosshair()

    def _on_ndisplay(self) -> None:
        """2-D or 3-D was chosen with napari's own button or key."""
        if self._views.is_blocked("dims"):
            return
        if self.main.is_3d:
            self.session.layout = "volume"
        elif self.session.layout == "volume":
            self.session.layout = "three"

    def first_look(self) -> None:
        """The middle of the first map, whole."""
        reference = self.session.reference
        if reference is not None:
            middle = (np.array(reference.shape) - 1) / 2
            self.go_to(reference.voxel_to_world(middle))
        self._views.show_whole()

    # -- the mouse ------------------------------------------------------------------------

    def aim(self, on: bool) -> None:
        """Let the left button move the crosshair whatever the tool, or give it back."""
        self._views.mouse.aiming = on
        self.repaint_all()

    @property
    def is_aiming(self) -> bool:
        """Whether the left button moves the crosshair whatever the tool."""
        return self._views.mouse.aiming

    @property
    def tool(self) -> Tool | None:
        """What has the left button; None for the crosshair."""
        return self._views.tool

    def use_tool(self, tool: Tool | None) -> None:
        """Give the left button in every view to a tool, or back to the crosshair."""
        self._views.use_tool(tool)

    def _on_picked(self, view: SliceView, display: Array) -> None:
        frame = self.frame_in(view)
        if frame is not None:
            self.go_to_in(view, frame.display_to_world(display))

    def _on_alt_clicked(self, view: SliceView, display: Array) -> None:
        world = self._views.heads.to_world(view, display)
        if world is not None:
            self.region_picked.emit(world)

    def _on_hovered(self, view: SliceView, display: Array | None) -> None:
        self.entered.emit(view)
        self.hovered.emit(None if display is None else self._views.heads.to_world(view, display))

    def _on_stepped(self, view: SliceView, steps: int) -> None:
        self.step(view.plane, steps, view)

    # -- views ----------------------------------------------------------------------------

    def arrange(self) -> None:
        """Bring the views to the session's layout."""
        self._views.arrange()
        self.sync.replace_all()
        self._mix()
        self.set_visible()
        self._on_crosshair()
        self._views.fit()
        self.drawn_again.emit()

    def swap(self) -> None:
        """The next plane becomes the large one."""
        at = PLANES.index(self.session.large_plane)
        self.session.large_plane = PLANES[(at + 1) % len(PLANES)]

    def _on_added(self, view: SliceView) -> None:
        self.painting.choose()
        self.set_visible()
        display = self._views.heads.to_display(view, self.session.crosshair_mm)
        if display is not None:
            view.show_depth(display)

    def _on_settled(self) -> None:
        """After layers came or went, bring every view to the state it should be in."""
        self._mix()
        self.sync.looks.restyle()
        for view in self.views:
            view.turn_to(view.plane, self.session.radiological)
        self.set_visible()
        self._on_selected()
        self._on_crosshair()
        self.drawn_again.emit()

    # -- what is drawn -------------------------------------------------------------------

    def _mix(self) -> None:
        try:
            self.mixed.update(self.frame)
        except GeometryError as error:
            self.message.emit(str(error))

    def set_visible(self) -> None:
        """Decide for every layer in every view whether it is drawn."""
        with self._views.signals_blocked("visible"):
            for entry in self.session:
                layer = self.sync.layers.get(entry.id)
                if layer is None:
                    continue
                for index, view in enumerate(self.views):
                    drawn = layer if index == 0 else view.layers.get(layer)
                    if drawn is not None:
                        shown = is_drawn(self.session, entry, index, is_3d=view.is_3d)
                        _show(drawn, shown and (index == 0 or view.draws_napari))
            for layer in self.sync.mirrors.sources - set(self.sync.layers.values()):
                for view in self._views.beside:
                    if layer in view.layers:
                        _show(view.layers[layer], layer.visible and view.draws_napari)
        self.painting.redraw()

    def _on_selected(self) -> None:
        entry = self.session.selected_entry
        layer = self.sync.layers.get(entry.id) if entry is not None else None
        if layer is not None and layer in self.viewer.layers:
            with self._views.signals_blocked("select"):
                self.viewer.layers.selection.active = layer
        self.repaint_all()
        self.drawn_again.emit()

    def _on_restyled(self) -> None:
        self.mixed.restyle()
        self._show_again()

    def _on_case(self) -> None:
        """Another patient: the views take over the grid of the case."""
        before, self._case = self._case, self.session.active_case
        links = links_on_show(self.session)
        if before in links and self._case in links:
            # The same point of the same head, in the millimetres of another visit.
            place = from_visit(self.session, self.session.crosshair_mm, before)
            self.session.crosshair_mm = triple(place)
            self._on_settled()
            return
        self.sync.replace_all()
        reference = self.session.reference
        if reference is not None:
            voxel = reference.world_to_voxel(self.session.crosshair_mm)
            if (voxel < -0.5).any() or (voxel > np.array(reference.shape) - 0.5).any():
                self.first_look()
            else:
                self.go_to(np.array(self.session.crosshair_mm))
        self._on_settled()
        self._views.fit()

    def _show_again(self) -> None:
        self.set_visible()
        self.repaint_all()
        self.drawn_again.emit()

    def repaint(self, view: SliceView) -> None:
        """Draw what lies over a view anew."""
        if self._disposed or view not in self.views:
            return
        content = overlay_content(
            view,
            self.session,
            self.frame_in(view),
            self.shown_in(view),
            triple(at_visit(self.session, self.session.crosshair_mm, self.case_in(view))),
            is_large=view is self.main,
            mixed_title=self.mixed.title,
        )
        for items in (
            self.overlay_items if self._views.heads.is_worked_on(view) else self.items_everywhere
        ):
            content.items += items(view)
        view.overlay.show_content(content)

    def repaint_all(self) -> None:
        """Draw what lies over every view anew."""
        for view in self.views:
            self.repaint(view)

    # -- life -----------------------------------------------------------------------------

    def _connect(self) -> None:
        events, views, sync = self.session.events, self._views, self.sync
        dims, hear = self.viewer.dims.events, self._heard.connect
        hear(events.crosshair_mm, to=self._on_crosshair)
        hear(events.crosshair_visible, events.unit, to=self.repaint_all)
        hear(events.radiological, events.layout, events.large_plane, to=self.arrange)
        hear(events.compared, events.mix, events.visits, events.blinded, to=self.arrange)
        hear(events.views_linked, to=views.link)
        hear(events.selected, to=self._on_selected)
        hear(events.active_case, to=self._on_case)
        hear(dims.point, to=self._on_dims)
        hear(dims.ndisplay, to=self._on_ndisplay)
        hear(views.mouse.picked, to=self._on_picked)
        hear(views.mouse.alt_clicked, to=self._on_alt_clicked)
        hear(views.mouse.hovered, to=self._on_hovered)
        hear(views.mouse.stepped, to=self._on_stepped)
        hear(views.moved, to=self.repaint)
        hear(views.shaken, to=self._on_crosshair)
        hear(views.tool_changed, to=self.tool_changed.emit)
        hear(views.added, to=self._on_added)
        hear(views.dropping, to=sync.mirrors.drop_view)
        hear(self.painting.switched, to=self.set_visible)
        hear(sync.first_shown, to=self.first_look)
        hear(sync.settled, to=self._on_settled)
        hear(sync.looks.restyled, to=self._on_restyled)
        hear(sync.visible_changed, to=self.set_visible)
        hear(sync.looks.redrawn, to=self.drawn_again.emit)
        hear(sync.refused, to=self.message.emit)

    def dispose(self) -> None:
        """Let go of napari and close every canvas of ours; its layers stay."""
        if self._disposed:
            return
        self._disposed = True
        self._heard.dispose()
        self.windowing.dispose()
        self.mixed.dispose()
        self.painting.dispose()
        self.sync.dispose()
        self._views.dispose()
        compat.forget_colormaps()


def _show(layer: Layer, visible: bool) -> None:
    if layer.visible != visible:
        layer.visible = visible
