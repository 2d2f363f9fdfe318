"""The slices beside each other: which there are, how they lie, and what moves them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_qsm.anatomy import DEPTH_AXIS, PLANES, DisplayFrame, Plane
from napari_qsm.compositing import Sheet
from napari_qsm.session import Session
from napari_qsm.session.visits import MOST_VISITS, links_on_show
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.canvas.heads import Heads
from napari_qsm.viewer.canvas.mouse import Mouse, MouseSignals, Tool
from napari_qsm.viewer.canvas.slice_view import SliceView, Zoom
from napari_qsm.viewer.canvas.slicing import Slicing


class Views:
    """The large view, which is napari's own canvas, and the ones beside it.

    Attributes
    ----------
    all : list of SliceView
        The large one first.
    heads : Heads
        In whose head each view looks, and where points of it lie.
    mouse : MouseSignals
        What the mouse asks for in any of them.
    always_napari : bool
        Whether napari draws every view, as it does where its window is not ours.
    sheets_of : callable
        What a painted view shows, from the bottom to the top.
    slicing : Slicing
        When napari slices its layers.
    """

    moved = Signal(object)  # a view whose picture changed its place
    tool_changed = Signal(object)  # the tool that now has the left button, or None
    added = Signal(object)  # a view that is empty yet
    napari_draws = Signal(
        object
    )  # a view that napari draws from now on; its canvas may lack layers
    shaken = Signal()  # napari may have stepped to another slice, which nobody asked for
    dropping = Signal(object)  # a view that is about to close

    def __init__(self, viewer: Any, session: Session, area: ViewArea, *, painted: bool) -> None:
        self.viewer = viewer
        self._session = session
        self._area = area
        self._zoom = Zoom()
        self._tool: Tool | None = None
        self._mice: dict[SliceView, Mouse] = {}
        self.mouse = MouseSignals()
        self.mouse.enlarged.connect(self._enlarged)
        self._ours: set[str] = set()
        self._apart = False  # visits side by side: a zoom for each, which follows the large one
        self.always_napari = not painted
        self.sheets_of: Callable[[SliceView], list[Sheet]] = lambda view: []
        self.slicing = Slicing(viewer)
        self.all: list[SliceView] = []
        self.heads = Heads(session, self.all)
        self._join(self._new("large", session.large_plane, is_large=True))
        # napari's slider gets another length when a layer goes, and jumps on the way.
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def main(self) -> SliceView:
        """The large view."""
        return self.all[0]

    @property
    def beside(self) -> list[SliceView]:
        """All views but the large one."""
        return self.all[1:]

    @property
    def frame(self) -> DisplayFrame | None:
        """The frame of the active case, in which its views are laid out."""
        return self.heads.frame

    def align(self, view: SliceView | None = None) -> None:
        """Bring visits side by side to place and scale of one view, the large one unless given.

        The middle of every picture is one point of the head: pictures stay where they are while
        the crosshair moves.
        """
        session, view = self._session, view or self.main
        if not self._apart or not session.views_linked:
            return
        middle = view.extent.mean(axis=0) if view.zoom.centre is None else view.zoom.centre
        world = self.heads.to_world(view, middle)
        for other in self.all[: len(session.compared)]:
            if other is not view and world is not None:
                other.zoom.factor = view.zoom.factor
                other.zoom.centre = self.heads.to_display(other, world)

    # -- changes made here ----------------------------------------------------------------

    @contextmanager
    def signals_blocked(self, what: str) -> Iterator[None]:
        """Mark changes of one kind, so that they are not taken for the user's."""
        outer = what in self._ours
        self._ours.add(what)
        try:
            yield
        finally:
            if not outer:
                self._ours.discard(what)

    def is_blocked(self, what: str) -> bool:
        """Whether changes of this kind are the program's own now."""
        return what in self._ours

    def _on_removing(self) -> None:
        self._ours.add("dims")

    def _on_removed(self) -> None:
        self._ours.discard("dims")
        self.shaken.emit()

    # -- which views there are ------------------------------------------------------------

    def add(self, plane: Plane) -> None:
        """Open one more view."""
        view = self._new(f"side{len(self.all)}", plane)
        view.extent = self.main.extent
        self._join(view)
        if view.canvas is not None:
            self._share_keys(view)
            self.napari_draws.emit(view)
        self.added.emit(view)

    def _new(self, name: str, plane: Plane, *, is_large: bool = False) -> SliceView:
        return SliceView(
            name,
            self.viewer,
            None if self.always_napari else lambda view: self.sheets_of(view),
            is_large=is_large,
            plane=plane,
            radiological=self._session.radiological,
        )

    def _share_keys(self, view: SliceView) -> None:
        assert view.canvas is not None
        compat.share_keys(compat.qt_viewer(self.viewer), view.canvas.qt)

    def _join(self, view: SliceView) -> None:
        view.canvas_made.connect(self._share_keys)
        view.napari_draws.connect(self.napari_draws.emit)
        self.all.append(view)
        view.zoom = self._zoom if self._session.views_linked else Zoom()
        self._mice[view] = Mouse(view, self.mouse)
        self._mice[view].tool = self._tool
        view.zoomed.connect(self._zoomed)
        view.moved.connect(self.moved.emit)

    def drop(self, view: SliceView) -> None:
        """Close a view."""
        for other in self.all:  # none may go by the size of a view that is gone
            other.linked_views = [other]
        self.dropping.emit(view)
        if view.canvas is not None:
            compat.unshare_keys(compat.qt_viewer(self.viewer), view.canvas.qt)
        self.all.remove(view)
        self._area.release(view.widget)
        self._mice.pop(view).dispose()
        view.dispose()

    def dispose(self) -> None:
        """Close the views of our own, and give napari its canvas back."""
        for view in self.beside:
            self.drop(view)
        compat.show_sliders(self.viewer, True)
        self.viewer.layers.events.removing.disconnect(self._on_removing)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self._mice.pop(self.main).dispose()
        self.slicing.dispose()
        self.main.dispose()
        # Whoever still holds the views must not hold a closed window with them.
        self.all.clear()

    # -- how they lie ---------------------------------------------------------------------

    def arrange(self) -> None:
        """Bring the views to the session's layout."""
        session = self._session
        side_by_side = session.layout == "compare" and session.mix == "side by side"
        compared = len(session.compared[:MOST_VISITS])
        count = compared if side_by_side and compared > 1 else 3
        comparing = side_by_side and compared > 1
        while len(self.all) > max(count, 3):
            self.drop(self.all[-1])
        while len(self.all) < count:
            self.add(session.large_plane)
        with self.signals_blocked("dims"):  # napari moves its slider when it leaves 3-D
            self.main.set_3d(session.layout == "volume")
        others = [plane for plane in PLANES if plane != session.large_plane]
        planes = [session.large_plane] * count if comparing else [session.large_plane, *others]
        for view, plane in zip(self.all, planes, strict=False):
            if view is not self.main or session.layout != "volume":
                view.turn_to(plane, session.radiological)
            else:
                view.plane = plane
        widgets = [view.widget for view in self.all]
        if comparing and count == 4:
            self._area.show_columns([widgets[:1] + widgets[2:3], widgets[1:4:2]], [1, 1])
        elif comparing:
            self._area.show_columns([[w] for w in widgets[:count]], [1] * count)
        elif session.layout == "one":
            self._area.show_columns([[widgets[0]]], [1])
        else:
            self._area.show_columns([[widgets[0]], widgets[1:3]], [0.64, 0.36])
        compat.show_sliders(self.viewer, not comparing)  # below one of them, it would be smaller
        for view in self.all:
            view.linked_views = self.all[:count] if comparing else [view]
        apart = bool(links_on_show(session))
        if apart != self._apart:
            self._apart = apart
            self.link(session.views_linked)
        self.set_extent()

    def _enlarged(self, view: SliceView) -> None:
        session = self._session
        if session.layout == "compare":
            session.active_case = self.heads.case_in(
                view
            )  # of visits side by side, that is worked on
            return
        if view is self.main:
            session.layout = "three" if session.layout == "one" else "one"
        else:
            session.large_plane = view.plane

    # -- zoom -----------------------------------------------------------------------------

    def fit(self) -> None:
        """Bring every canvas to its zoom."""
        self.align()
        for view in self.all:
            view.fit()

    def centre_on(self, world_mm: npt.ArrayLike) -> None:
        """Bring a point of the active case into the middle of every view."""
        for view in self.all:
            view.zoom.centre = self.heads.to_display(view, world_mm)
            view.fit()

    def show_whole(self) -> None:
        """Zoom out in all linked views; drawn with the next :meth:`fit`."""
        self._zoom.factor, self._zoom.centre = 1.0, None

    def link(self, linked: bool) -> None:
        """Zoom all views together, or each by itself."""
        one = linked and not self._apart
        for view in self.all:
            view.zoom = self.main.zoom if one else Zoom(view.zoom.factor, view.zoom.centre)
        self._zoom = self.main.zoom
        self.fit()

    def _zoomed(self, view: SliceView) -> None:
        if self._session.views_linked:
            if self._apart and view.zoom.centre is not None:  # a point of the slice, for the others
                view.zoom.centre[DEPTH_AXIS[view.plane]] = view.depth_mm
            self.align(view)
            for other in self.all:
                if other is not view:
                    other.fit()

    def set_extent(self) -> None:
        """Let every view know how far the maps of its case reach, and those compared with it."""
        session = self._session
        compared = session.compared if session.layout == "compare" else ()
        links = links_on_show(session)
        for case in {self.heads.case_in(view) for view in self.all}:
            frame = self.heads.frame_of(case)
            if frame is None:
                continue
            corners = []
            for entry in session:
                if entry.case != case and (links or entry.id not in compared):
                    continue
                matrix = frame.display_of(entry.volume)
                for corner in np.ndindex(2, 2, 2):
                    voxel = np.array(corner) * np.array(entry.volume.shape) - 0.5
                    corners.append(matrix[:3, :3] @ voxel + matrix[:3, 3])
            for view in self.all:
                if corners and self.heads.case_in(view) == case:
                    view.extent = np.array([np.min(corners, axis=0), np.max(corners, axis=0)])

    # -- the left button ------------------------------------------------------------------

    @property
    def tool(self) -> Tool | None:
        """What has the left button; None for the crosshair."""
        return self._tool

    def use_tool(self, tool: Tool | None) -> None:
        """Give the left button in every view to a tool, or back to the crosshair."""
        if tool is self._tool:
            return
        self._tool = tool
        for mouse in self._mice.values():
            mouse.tool = tool
        self.tool_changed.emit(tool)
