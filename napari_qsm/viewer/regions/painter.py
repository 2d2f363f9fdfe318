"""The drawing tools as one: which is in use, what the mouse and the keys ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtGui import QKeyEvent

from napari_qsm.arrays import Array
from napari_qsm.session.painting import (
    TIPPED,
    Kind,
    Limit,
    PaintOptions,
    Target,
    find_edges,
    find_limit,
    find_target,
)
from napari_qsm.session.stroke import Stroke
from napari_qsm.session.tool_words import next_click
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.overlay_items import OverlayItem
from napari_qsm.viewer.regions.growing import GrowHand
from napari_qsm.viewer.regions.hands import FillHand, Hand, LassoHand, PickHand, TipHand
from napari_qsm.viewer.regions.moving import MoveHand
from napari_qsm.viewer.regions.polygon_hand import PolygonHand

if TYPE_CHECKING:
    from napari_qsm.session import Session
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.reading.area import SliceArea


class Painter:
    """The one tool object behind all drawing buttons; which it is stands in ``options``.

    Attributes
    ----------
    options : PaintOptions
        How it is set.
    session : Session
    pointer : (x, y, z) or None
        Display mm under the mouse.
    pointed : SliceView or None
        The view that the mouse was last in.
    grown : GrowHand
        What grows from a seed.
    """

    #: The sentence that says what the next click does may be another.
    changed = Signal()

    def __init__(self, controller: Controller | SliceArea) -> None:
        self.options = PaintOptions()
        self._controller = controller
        self.session: Session = controller.session
        self.pointer: Array | None = None
        self.pointed: SliceView | None = None
        self._polygon = PolygonHand(self)
        self.grown = GrowHand(self)
        self._hands: dict[Kind, Hand] = {
            "": Hand(self),
            **dict.fromkeys(TIPPED, TipHand(self)),
            "polygon": self._polygon,
            "lasso": LassoHand(self),
            "fill": FillHand(self),
            "grow": self.grown,
            "move": MoveHand(self),
            "pick": PickHand(self),
        }
        self._kind: Kind = ""
        self._heard = ui.Subscriptions()
        hear = self._heard.connect
        hear(controller.entered, to=self._on_entered)
        hear(controller.hovered, to=self._on_hovered)
        hear(controller.tool_changed, to=self._on_tool)
        hear(
            self.session.events.painted,
            self.session.events.active_region,
            self.session.maps.events.removed,
            to=self._on_target,
        )
        hear(self.session.labels_edited, to=self._on_edited)
        hear(self.options.events, to=self._on_options)
        controller.overlay_items.append(self.overlay)

    def dispose(self) -> None:
        """Put the tool away and stop listening."""
        self.cancel()
        self._heard.dispose()
        if self.overlay in self._controller.overlay_items:
            self._controller.overlay_items.remove(self.overlay)
        if self._controller.tool is self:
            self._controller.use_tool(None)

    @property
    def _hand(self) -> Hand:
        return self._hands[self.options.kind]

    # -- what the mouse does --------------------------------------------------------------

    def press(self, view: SliceView, at: Array) -> None:
        """Begin a stroke, or set a corner."""
        self.pointer = np.array(at, dtype=np.float64)
        self._hand.press(view, self.pointer)
        self._repaint()

    def press_right(self, view: SliceView, at: Array) -> bool:
        """Draw the other way round; False if the tool has no use for it."""
        is_used = self._hand.press_right(view, np.array(at, dtype=np.float64))
        self._repaint()
        return is_used

    def drag(self, view: SliceView, at: Array) -> None:
        """Go on."""
        self.pointer = np.array(at, dtype=np.float64)
        if not self._hand.is_busy:
            return
        self._hand.drag(view, self.pointer)
        if self.options.kind not in TIPPED:  # the rim of a tip has followed the pointer already
            self._repaint()

    def release(self, view: SliceView, at: Array) -> None:
        """End a stroke."""
        if self._hand.is_busy:
            self._hand.release(view, np.array(at, dtype=np.float64))
            self._repaint()

    def double_click(self, view: SliceView, at: Array) -> None:
        """Close the polygon; for the other tools a second click is a click."""
        self._hand.press_twice(view, np.array(at, dtype=np.float64))
        self._repaint()

    def key(self, view: SliceView, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does, before it means anything else."""
        return self._hand.key(view, event)

    # -- what keys and buttons do ---------------------------------------------------------

    @property
    def has_outline(self) -> bool:
        """Whether a polygon is being drawn and waits for its next corner."""
        return self._polygon.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether something is under way that can be given up."""
        return self._hand.is_busy

    @property
    def can_be_taken(self) -> bool:
        """Whether something waits for Enter to be painted."""
        return self._hand.can_be_taken

    def use(self, kind: Any) -> None:
        """Take up a tool; the one in hand, or an empty name, puts it away."""
        self.cancel()
        self.options.kind = "" if kind == self.options.kind else kind

    def take(self) -> None:
        """Paint what waits for it: the inside of a polygon, what has grown."""
        self._hand.take()
        self._repaint()

    def drop_corner(self) -> None:
        """Take out the polygon's corner under the pointer, or else its last one."""
        self._polygon.drop_corner()
        self._repaint()

    def open_outline(self) -> None:
        """Take the chosen region's outline on the slice of the view last used as a polygon."""
        view = self._view
        frame = self._controller.frame
        at = self.pointer if self.pointed is view else None
        if at is None and frame is not None:
            at = np.array(frame.world_to_display(np.array(self.session.crosshair_mm)))
        self.cancel()
        self.options.kind = "polygon"
        if at is not None:
            self._polygon.open(view, at)
        self._repaint()

    def cancel(self) -> bool:
        """Give up an outline, or end a stroke where it is; returns whether there was one."""
        hand = self._hands[self._kind]
        if not hand.is_busy:
            return False
        hand.give_up()
        self._repaint()
        self.changed.emit()
        return True

    # -- what hands ask for ---------------------------------------------------------------

    @property
    def views(self) -> list[SliceView]:
        """All views there are."""
        return self._controller.views

    def say(self, sentence: str) -> None:
        """Tell the user."""
        self._controller.message.emit(sentence)

    def pick(self, at: Array) -> None:
        """Choose the region at a place, display mm."""
        frame = self._controller.frame
        if frame is not None:
            self._controller.region_picked.emit(frame.display_to_world(at))

    def target(self) -> Target:
        """What is drawn into; raises a :class:`QsmError` if there is nothing."""
        return find_target(self.session, self._controller.frame)

    def limit(self, target: Target, view: SliceView) -> Limit:
        """The limits of values, by the map that a view is about."""
        shown = self._controller.shown_in(view)
        return find_limit(self.session, shown, target, self.options.window_ppm)

    def begin(self, view: SliceView, *, erase: bool = False) -> Stroke:
        """A stroke in a view; raises a :class:`QsmError` where nothing can be drawn."""
        target = self.target()
        limit = self.limit(target, view) if self.options.limited else None
        edges = None
        if self.options.kind == "adaptive":
            edges = find_edges(self.session, self._controller.shown_in(view), target)
        return Stroke(self.session, self.options, target, limit, view, edges=edges, erase=erase)

    # -- what is shown --------------------------------------------------------------------

    def overlay(self, view: SliceView) -> list[OverlayItem]:
        """What a view shows of the tool: a rim, an outline, voxels that would be painted."""
        if self._controller.tool is not self or view.is_3d or self._controller.is_aiming:
            return []
        return list(self._hand.items(view))

    def sentence(self) -> tuple[str, bool]:
        """What the next click does, and whether it does anything."""
        growth = self.grown.growth if self.options.kind == "grow" else None
        return next_click(
            self.session,
            self._controller.frame,
            self.options,
            self._view.plane,
            self._controller.shown_in(self._view),
            growth=growth,
        )

    # -- inside ---------------------------------------------------------------------------

    @property
    def _view(self) -> SliceView:
        """The view the mouse was last in, or the large one."""
        view = self.pointed
        return view if view is not None and view in self.views else self._controller.main

    def _repaint(self) -> None:
        if self.options.in_3d or self.pointed is None or self.options.kind == "grow":
            self._controller.repaint_all()
        else:
            self._controller.repaint(self.pointed)

    def _on_entered(self, view: SliceView) -> None:
        left, self.pointed = self.pointed, view
        if left is not None and left is not view and self._controller.tool is self:
            self._controller.repaint(left)
            self.changed.emit()

    def _on_hovered(self, world: Array | None) -> None:
        frame = self._controller.frame
        self.pointer = None if world is None or frame is None else frame.world_to_display(world)
        if self._controller.tool is self:
            self._repaint()

    def _on_tool(self, tool: object) -> None:
        if tool is not self and self.options.kind:
            self.cancel()
            self.options.kind = ""
        self._controller.repaint_all()

    def _on_target(self) -> None:
        self.cancel()
        self.changed.emit()

    def _on_edited(self) -> None:
        """What is shown of tips goes by what is drawn already."""
        self._hand.follow()

    def _on_options(self) -> None:
        if self._kind != self.options.kind:
            self.cancel()
            self._kind = self.options.kind
        tool = self._controller.tool
        if self.options.kind and tool is not self:
            self._controller.use_tool(self)
        elif not self.options.kind and tool is self:
            self._controller.use_tool(None)
        self._hand.follow()
        self._controller.repaint_all()
        self.changed.emit()
