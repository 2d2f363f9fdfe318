"""The drawing tools: brush, eraser, polygon, lasso, fill and picking a region."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.session.painting import (
    Limit,
    PaintOptions,
    Stroke,
    Target,
    find_limit,
    find_target,
    next_click,
)
from napari_qsm.viewer.canvas.overlay_items import Outline, Ring
from napari_qsm.viewer.regions.brush_rim import rim
from napari_qsm.viewer.regions.corner_grip import CornerGrip

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.canvas.slice_view import SliceView


class Painter:
    """The one tool object behind all drawing buttons; which it is stands in ``options``.

    Attributes
    ----------
    options : PaintOptions
        How it is set.
    """

    #: The sentence that says what the next click does may be another.
    changed = Signal()

    def __init__(self, controller: Controller) -> None:
        self.options = PaintOptions()
        self._controller = controller
        self._session = controller.session
        self._stroke: Stroke | None = None
        self._grip = CornerGrip()
        self._hover: Array | None = None
        self._view: SliceView | None = None
        self._connections: list[tuple[Any, Callable[..., Any]]] = [
            (controller.entered, self._on_entered),
            (controller.hovered, self._on_hovered),
            (controller.tool_changed, self._on_tool),
            (self._session.events.painted, self._on_target),
            (self._session.events.active_region, self._on_target),
            (self._session.maps.events.removed, self._on_target),
            (self.options.events, self._on_options),
        ]
        for emitter, call in self._connections:
            emitter.connect(call)
        controller.overlay_items.append(self.rings)

    def dispose(self) -> None:
        """Put the tool away and stop listening."""
        self.cancel()
        for emitter, call in self._connections:
            emitter.disconnect(call)
        if self.rings in self._controller.overlay_items:
            self._controller.overlay_items.remove(self.rings)
        if self._controller.tool is self:
            self._controller.use_tool(None)

    # -- what the mouse does --------------------------------------------------------------

    def press(self, view: SliceView, at: Array) -> None:
        """Begin a stroke, or set a corner."""
        at = np.array(at, dtype=np.float64)
        kind = self.options.kind
        if kind == "pick":
            frame = self._controller.frame
            if frame is not None:
                self._controller.region_picked.emit(frame.display_to_world(at))
            return
        if kind == "polygon" and self._stroke is not None and self._goes_on(view):
            self._grip.take(view, self._stroke.points, at)
            self._repaint()
            return
        self._start(view, at)

    def press_right(self, view: SliceView, at: Array) -> bool:
        """Erase with the tool in hand; close a polygon. False if the tool has no use for it."""
        kind = self.options.kind
        if kind == "polygon":
            if self._stroke is None:
                return False
            self.close()
            return True
        if kind not in ("brush", "eraser", "lasso", "fill"):
            return False
        self._start(view, np.array(at, dtype=np.float64), erase=True)
        return True

    def _start(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        self.cancel()
        kind = self.options.kind
        try:
            stroke = self._begin(view, erase=erase)
            if kind == "fill":
                stroke.fill(at)
                return
        except QsmError as error:
            self._controller.said.emit(str(error))
            return
        self._stroke = stroke
        stroke.points.append(at)
        if kind in ("brush", "eraser"):
            self._session.history.begin(stroke.text)
            stroke.sweep(at, at)
        self._repaint()
        if kind == "polygon":
            self.changed.emit()

    def drag(self, view: SliceView, at: Array) -> None:
        """Go on."""
        at = np.array(at, dtype=np.float64)
        stroke = self._stroke
        self._hover = at
        if stroke is None or stroke.view is not view or not self._goes_on(view):
            return
        if self.options.kind == "lasso":
            stroke.points.append(at)
            self._repaint()
        elif self.options.kind == "polygon":
            self._grip.drag(view, stroke.points, at)
            self._repaint()
        elif self.options.kind in ("brush", "eraser"):
            last = stroke.points[-1]
            # After a turn of the wheel the hand goes on in another slice.
            start = last if last[stroke.across] == at[stroke.across] else at
            stroke.sweep(start, at)
            stroke.points = [at]  # the rim has followed the pointer already

    def release(self, view: SliceView, at: Array) -> None:
        """End a stroke; a polygon goes on until it is closed."""
        stroke = self._stroke
        if stroke is None:
            return
        if self.options.kind == "polygon":
            if self._grip.release() == 0 and len(stroke.points) > 2:
                self.close()
            return
        self._stroke = None
        if self.options.kind in ("brush", "eraser"):
            self._session.history.end()
        elif self.options.kind == "lasso" and stroke.is_alive:
            stroke.outline()
        self._repaint()

    def double_click(self, view: SliceView, at: Array) -> None:
        """Close the polygon; for the other tools a second click is a click."""
        if self.options.kind == "polygon":
            self.close()
        else:
            self.press(view, at)

    @property
    def has_outline(self) -> bool:
        """Whether a polygon is being drawn and waits for its next corner."""
        return self._stroke is not None and self.options.kind == "polygon"

    # -- what keys and buttons do ---------------------------------------------------------

    def use(self, kind: Any) -> None:
        """Take up a tool; the one in hand, or an empty name, puts it away."""
        self.cancel()
        self.options.kind = "" if kind == self.options.kind else kind

    def close(self) -> None:
        """Close the polygon that is being drawn."""
        stroke, self._stroke = self._stroke, None
        self._grip.release()
        if stroke is not None and self.options.kind == "polygon" and stroke.is_alive:
            if len(stroke.points) < 3:
                self._controller.said.emit("A polygon needs three corners; it was given up.")
            else:
                stroke.outline()
        self._repaint()
        self.changed.emit()

    def drop_corner(self) -> None:
        """Take the polygon's last corner back."""
        if self._stroke is not None and self.options.kind == "polygon":
            self._stroke.points.pop()
            if not self._stroke.points:
                self._stroke = None
                self.changed.emit()
            self._repaint()

    def cancel(self) -> bool:
        """Give up an outline, or end a stroke where it is; returns whether there was one."""
        stroke, self._stroke = self._stroke, None
        self._grip.release()
        if stroke is None:
            return False
        if self.options.kind in ("brush", "eraser") and self._session.history.is_open:
            self._session.history.end()
        self._repaint()
        self.changed.emit()
        return True

    # -- what is shown --------------------------------------------------------------------

    def rings(self, view: SliceView) -> list[Ring | Outline]:
        """The brush's rim, or the outline that is being drawn."""
        options = self.options
        if self._controller.tool is not self or view.is_3d or self._controller.is_aiming:
            return []
        stroke, pointed = self._stroke, self._view
        if options.kind in ("polygon", "lasso"):
            if stroke is None or stroke.view is not view:
                return []
            if abs(view.depth_mm - stroke.points[0][stroke.across]) > 1e-3:
                return []
            points = [*stroke.points]
            free = self._grip.near(view, points, self._hover) is None
            if options.kind == "polygon" and self._hover is not None and pointed is view and free:
                points.append(self._hover)
            camera = view.camera()
            dots = len(stroke.points) if options.kind == "polygon" else 0
            places = tuple(camera.to_pixel(p) for p in points)
            return [Outline(places, closed=len(points) > 2, dots=dots)]
        if options.kind not in ("brush", "eraser") or pointed is None or self._hover is None:
            return []
        return rim(
            view, pointed, self._hover, options.diameter_mm, options.tip, in_3d=options.in_3d
        )

    def sentence(self) -> tuple[str, bool]:
        """What the next click does, and whether it does anything."""
        view = self._view if self._view in self._controller.views else self._controller.main
        assert view is not None
        return next_click(
            self._session,
            self._controller.frame,
            self.options,
            view.plane,
            self._controller.shown_in(view),
        )

    # -- inside ---------------------------------------------------------------------------

    def _begin(self, view: SliceView, *, erase: bool) -> Stroke:
        target = find_target(self._session, self._controller.frame)
        limit = self._limit(target, view)
        return Stroke(self._session, self.options, target, limit, view, erase=erase)

    def _limit(self, target: Target, view: SliceView) -> Limit | None:
        if not self.options.limited:
            return None
        shown = self._controller.shown_in(view)
        return find_limit(self._session, shown, target, self.options.window_ppm)

    def _goes_on(self, view: SliceView) -> bool:
        """Whether the stroke may go on; ends it where its map or its undo has gone."""
        stroke = self._stroke
        if stroke is None:
            return False
        gone = not stroke.is_alive or stroke.view not in self._controller.views
        if self.options.kind in ("brush", "eraser"):
            gone = gone or not self._session.history.is_open  # undone in the midst of it
        elif self.options.kind == "polygon":
            other = abs(view.depth_mm - stroke.points[0][stroke.across]) > 1e-3
            gone = gone or stroke.view is not view or other
        if gone:
            self.cancel()
        return not gone

    def _repaint(self) -> None:
        if self.options.in_3d or self._view is None:
            self._controller.repaint_all()
        else:
            self._controller.repaint(self._view)

    def _on_entered(self, view: SliceView) -> None:
        left, self._view = self._view, view
        if left is not None and left is not view and self._controller.tool is self:
            self._controller.repaint(left)
            self.changed.emit()

    def _on_hovered(self, world: Array | None) -> None:
        frame = self._controller.frame
        self._hover = None if world is None or frame is None else frame.world_to_display(world)
        if self._controller.tool is self:
            self._repaint()

    def _on_tool(self, tool: object) -> None:
        if tool is not self and self.options.kind:
            self.cancel()
            self.options.kind = ""
        self._controller.repaint_all()

    def _on_target(self) -> None:
        if self._stroke is not None:
            self.cancel()
        self.changed.emit()

    def _on_options(self) -> None:
        tool = self._controller.tool
        if self.options.kind and tool is not self:
            self._controller.use_tool(self)
        elif not self.options.kind and tool is self:
            self._controller.use_tool(None)
        self._controller.repaint_all()
        self.changed.emit()
