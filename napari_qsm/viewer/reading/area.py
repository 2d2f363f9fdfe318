"""Three linked slices of one scan, without napari: what tools take for the controller of the views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSplitter

from napari_qsm.anatomy import (
    DEPTH_AXIS,
    PLANES,
    DisplayFrame,
    Plane,
    snapped,
)
from napari_qsm.arrays import Array
from napari_qsm.compositing import Sheet
from napari_qsm.session import MapDisplay, MapEntry, Session, first_display
from napari_qsm.session.shown import map_of_view
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.mouse import Mouse, MouseSignals, Tool
from napari_qsm.viewer.canvas.overlay_items import OverlayItem
from napari_qsm.viewer.canvas.slice_view import SliceView, Zoom
from napari_qsm.viewer.reading.pictures import blinded_content, extent_of, sheet_of
from napari_qsm.volume import Volume

_SHARES = (0.66, 0.34)


class SliceArea:
    """The views of the reader's window.

    Parameters
    ----------
    session : Session
        Where the crosshair is, which plane is large, what is shown.

    Attributes
    ----------
    session : Session
    widget : QWidget
        What stands in the window.
    views : list of SliceView
        The large one first.
    overlay_items : list of callables
        Each gives what it has to draw on the slice of a view.
    sheets_over : list of callables
        Each gives what lies over the map of a view.
    """

    hovered = Signal(object)  # world mm under the pointer, or None
    entered = Signal(object)  # the view the mouse is in
    message = Signal(str)  # a sentence for the user
    tool_changed = Signal(object)  # the tool that now has the left button, or None
    region_picked = Signal(object)  # world mm of an Alt + click, which chooses a region

    def __init__(self, session: Session) -> None:
        self.session = session
        self.overlay_items: list[Callable[[SliceView], Sequence[OverlayItem]]] = []
        self.sheets_over: list[Callable[[SliceView], Sequence[Sheet]]] = []
        self.mouse = MouseSignals()
        self._zoom = Zoom()
        self._sheets: dict[str, Sheet] = {}
        self._frame: DisplayFrame | None = None
        self._tool: Tool | None = None
        names = ("large", "upper", "lower")
        self.views = [
            SliceView(f"reading.{name}", None, self.sheets_of, plane=plane)
            for name, plane in zip(names, PLANES, strict=True)
        ]
        self._mice = [Mouse(view, self.mouse) for view in self.views]
        self.widget = ui.named(QSplitter(Qt.Orientation.Horizontal), "qsm.reading.views")
        self._beside = QSplitter(Qt.Orientation.Vertical)
        for splitter in (self.widget, self._beside):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(4)
        self.widget.addWidget(self.views[0].widget)
        self.widget.addWidget(self._beside)
        for view in self.views[1:]:
            self._beside.addWidget(view.widget)
        self.widget.setSizes([int(10000 * share) for share in _SHARES])
        for view in self.views:
            view.zoom = self._zoom
        self._heard = ui.Subscriptions()
        self._connect()

    def _connect(self) -> None:
        events, hear = self.session.events, self._heard.connect
        hear(events.crosshair_mm, to=self._on_crosshair)
        hear(events.crosshair_visible, to=self.repaint_all)
        hear(events.radiological, events.large_plane, events.layout, to=self.arrange)
        hear(self.mouse.picked, self.mouse.alt_clicked, to=self._on_picked)
        hear(self.mouse.hovered, to=self._on_hovered)
        hear(self.mouse.stepped, to=lambda view, steps: self.step(view.plane, steps))
        hear(self.mouse.enlarged, to=self._on_enlarged)
        for view in self.views:
            hear(view.moved, to=self.repaint)
            hear(view.zoomed, to=self._on_zoomed)

    def dispose(self) -> None:
        """Close the views."""
        self._heard.dispose()
        for mouse in self._mice:
            mouse.dispose()
        self._mice.clear()
        for view in self.views:
            view.linked_views = [view]
        for view in self.views:
            view.dispose()
        self.views.clear()

    # -- what is shown --------------------------------------------------------------------

    def show_scan(
        self,
        chi: Volume,
        magnitude: Volume | None,
        mask: Volume | None,
        window_ppm: tuple[float, float],
    ) -> None:
        """Put another scan in the place of the one that is shown.

        Parameters
        ----------
        chi, magnitude, mask : Volume
            All named by the code. The mask only tells where the brain is.
        window_ppm : (low, high)
            Of the map.
        """
        for entry in list(self.session):
            self.session.remove(entry)
        self._sheets.clear()
        own = self.session.add(
            chi, role="map", name=chi.name, display=MapDisplay(window=window_ppm), linked=False
        )
        self.session.case.keep_grid(own)
        if magnitude is not None:
            display = first_display(magnitude, "magnitude")
            display.visible = False
            self.session.add(
                magnitude,
                role="magnitude",
                name=chi.name,
                display=display,
                linked=False,
                select=False,
            )
        reference = self.session.reference
        assert reference is not None
        self._frame = DisplayFrame(reference)
        extent = extent_of(mask or chi, self._frame)
        for view in self.views:
            view.extent = extent
        self._zoom.centre = None  # the rater's zoom stays from scan to scan
        self.session.crosshair_mm = snapped(self._frame.display_to_world(extent.mean(axis=0)), chi)
        self.arrange()

    @property
    def magnitude(self) -> MapEntry | None:
        """The magnitude, if there is one."""
        return next((entry for entry in self.session if entry.role == "magnitude"), None)

    @property
    def shows_magnitude(self) -> bool:
        """Whether the magnitude is on show instead of the map."""
        return self.magnitude is not None and self.magnitude.display.visible

    def show_magnitude(self, on: bool) -> None:
        """Show the magnitude instead of the map, or the map again."""
        if self.magnitude is not None:
            self.magnitude.display.visible = on
            self.redraw()

    def sheets_of(self, view: SliceView) -> list[Sheet]:
        """What a view shows, from the bottom to the top."""
        entry = self.shown_in(view)
        if entry is None or self._frame is None:
            return []
        over = [sheet for sheets in self.sheets_over for sheet in sheets(view)]
        return [self._sheet(entry, self._frame), *over]

    def _sheet(self, entry: MapEntry, frame: DisplayFrame) -> Sheet:
        made = self._sheets.get(entry.id)
        if made is None:
            made = self._sheets[entry.id] = sheet_of(entry, frame)
        return made

    # -- what tools ask of a controller ---------------------------------------------------

    @property
    def is_aiming(self) -> bool:
        """Whether the left button moves the crosshair whatever the tool."""
        return self.mouse.aiming

    @property
    def frame(self) -> DisplayFrame | None:
        """The frame the views are laid out in."""
        return self._frame

    @property
    def main(self) -> SliceView:
        """The large view."""
        return self.views[0]

    def shown_in(self, view: SliceView) -> MapEntry | None:
        """The map that a view shows."""
        return map_of_view(self.session, self.views.index(view))

    def cross(self, world_mm: Array) -> None:
        """Put the crosshair on the voxel nearest to a point; pictures stay where they are."""
        if self.session.reference is not None:
            self.session.crosshair_mm = snapped(world_mm, self.session.reference)

    def go_to(self, world_mm: Array) -> None:
        """Put the crosshair on the voxel nearest to a point, and into sight."""
        frame = self._frame
        self.cross(world_mm)
        if frame is not None and self._zoom.factor > 1.01:
            self._zoom.centre = frame.world_to_display(self.session.crosshair_mm)
            for view in self.views:
                view.fit()

    def step(self, plane: Plane, steps: int) -> None:
        """Move the crosshair by slices along a plane's axis."""
        reference = self.session.reference
        if reference is not None:
            voxel = np.rint(reference.world_to_voxel(self.session.crosshair_mm))
            voxel[DEPTH_AXIS[plane]] += steps
            self.session.crosshair_mm = snapped(reference.voxel_to_world(voxel), reference)

    @property
    def tool(self) -> Tool | None:
        """What has the left button; None for the crosshair."""
        return self._tool

    def use_tool(self, tool: Tool | None) -> None:
        """Give the left button in every view to a tool, or back to the crosshair."""
        if tool is not self._tool:
            self._tool = tool
            for mouse in self._mice:
                mouse.tool = tool
            self.tool_changed.emit(tool)

    def redraw(self) -> None:
        """Paint pictures and what lies over them anew."""
        for view in self.views:
            view.surface.redraw()
        self.repaint_all()

    def repaint_all(self) -> None:
        """Draw what lies over every view anew."""
        for view in self.views:
            self.repaint(view)

    def repaint(self, view: SliceView) -> None:
        """Draw what lies over a view anew."""
        if view not in self.views or self._frame is None:
            return
        content = blinded_content(
            view, self.session, self._frame, self.shown_in(view), is_large=view is self.main
        )
        for items in self.overlay_items:
            content.items += items(view)
        view.overlay.show_content(content)

    # -- how they lie ---------------------------------------------------------------------

    def arrange(self) -> None:
        """Bring the views to the session's large plane and layout."""
        large = self.session.large_plane
        planes = [large, *(plane for plane in PLANES if plane != large)]
        for view, plane in zip(self.views, planes, strict=True):
            view.turn_to(plane, self.session.radiological)
        self._beside.setVisible(self.session.layout != "one")
        self._on_crosshair()
        self.redraw()

    def next_plane(self) -> None:
        """The next plane becomes the large one."""
        at = PLANES.index(self.session.large_plane)
        self.session.large_plane = PLANES[(at + 1) % len(PLANES)]

    def zoom_by(self, factor: float) -> None:
        """Zoom all views about the crosshair."""
        self._zoom.factor = float(np.clip(self._zoom.factor * factor, 1.0, 12.0))
        near = self._zoom.factor > 1.01 and self._frame is not None
        self._zoom.centre = None
        if near and self._frame is not None:
            self._zoom.centre = self._frame.world_to_display(self.session.crosshair_mm)
        for view in self.views:
            view.fit()

    def _on_enlarged(self, view: SliceView) -> None:
        if view is not self.main:
            self.session.large_plane = view.plane
        else:
            self.session.layout = "three" if self.session.layout == "one" else "one"

    def _on_zoomed(self, view: SliceView) -> None:
        for other in self.views:
            if other is not view:
                other.fit()

    def _on_crosshair(self) -> None:
        if self._frame is None:
            return
        display = self._frame.world_to_display(self.session.crosshair_mm)
        for view in self.views:
            view.show_depth(display)
        self.repaint_all()

    def _on_picked(self, display: Array) -> None:
        if self._frame is not None:
            self.cross(self._frame.display_to_world(display))

    def _on_hovered(self, view: SliceView, display: Array | None) -> None:
        self.entered.emit(view)
        frame = self._frame
        outside = display is None or frame is None
        self.hovered.emit(None if outside else frame.display_to_world(display))  # type: ignore[union-attr, arg-type]
