"""What each kind of drawing tool does with the mouse: tips, lasso, fill and picking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtGui import QKeyEvent

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.session.stroke import Stroke
from napari_qsm.viewer.canvas.overlay_items import Outline, OverlayItem
from napari_qsm.viewer.regions.brush_rim import rim
from napari_qsm.viewer.regions.voxel_preview import VoxelPreview

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.regions.painter import Painter


class Hand:
    """A kind of tool in use; this one does nothing yet.

    Parameters
    ----------
    painter : Painter
        The tool that it belongs to.
    """

    #: Whether the right button draws the other way round.
    both_buttons = False

    def __init__(self, painter: Painter) -> None:
        self.painter = painter
        self.stroke: Stroke | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is under way that can be given up."""
        return self.stroke is not None

    @property
    def can_be_taken(self) -> bool:
        """Whether Enter takes what is under way."""
        return False

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """The button went down; display mm."""

    def press_right(self, view: SliceView, at: Array) -> bool:
        """The right button went down; False if the tool has no use for it."""
        if self.both_buttons:
            self.press(view, at, erase=True)
        return self.both_buttons

    def drag(self, view: SliceView, at: Array) -> None:
        """The mouse moved with the button down."""

    def release(self, view: SliceView, at: Array) -> None:
        """The button came up."""

    def press_twice(self, view: SliceView, at: Array) -> None:
        """The second click of two; for most tools a click like any other."""
        self.press(view, at)

    def key(self, view: SliceView, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does; None if it is not for the tool."""
        return None

    def take(self) -> None:
        """Draw what is under way for good."""

    def give_up(self) -> None:
        """Leave what is under way, as far as it is drawn."""
        self.stroke = None

    def follow(self) -> None:
        """Something that it goes by is set otherwise."""

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """What a view shows of it."""
        return []

    def goes_on(self, view: SliceView) -> bool:
        """Whether a stroke may go on; gives it up where its map has gone."""
        stroke = self.stroke
        if stroke is None:
            return False
        if stroke.is_alive and stroke.view in self.painter.views and not self._is_over(view):
            return True
        self.painter.cancel()
        return False

    def _is_over(self, view: SliceView) -> bool:
        return False

    def _begun(self, view: SliceView, at: Array, *, erase: bool = False) -> Stroke | None:
        """A stroke from a place on; None where nothing can be drawn, which is said."""
        self.painter.cancel()
        try:
            stroke = self.painter.begin(view, erase=erase)
        except QsmError as error:
            self.painter.say(str(error))
            return None
        stroke.points.append(at)
        return stroke


class TipHand(Hand):
    """Brush, adaptive brush, eraser and push: a tip that draws wherever it goes."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._preview: VoxelPreview | None = None
        self._shown: tuple[object, ...] = ()

    @property
    def both_buttons(self) -> bool:  # type: ignore[override]
        """Pushing has its side from where it starts."""
        return self.painter.options.kind != "push"

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Begin a stroke."""
        stroke = self._begun(view, at, erase=erase)
        if stroke is None:
            return
        self.stroke = stroke
        self.painter.session.history.begin(stroke.text)
        if self.painter.options.kind == "push":
            stroke.push(at)
        else:
            stroke.sweep(at, at)

    def drag(self, view: SliceView, at: Array) -> None:
        """Draw along the way."""
        stroke = self.stroke
        if stroke is None or stroke.view is not view or not self.goes_on(view):
            return
        last = stroke.points[-1]
        # After a turn of the wheel the hand goes on in another slice.
        start = last if last[stroke.across] == at[stroke.across] else at
        stroke.sweep(start, at)
        stroke.points = [at]

    def release(self, view: SliceView, at: Array) -> None:
        """End the stroke."""
        self.stroke = None
        self.painter.session.history.end()

    def give_up(self) -> None:
        """End the stroke where it is."""
        if self.stroke is not None and self.painter.session.history.is_open:
            self.painter.session.history.end()
        self.stroke = None

    def _is_over(self, view: SliceView) -> bool:
        return not self.painter.session.history.is_open  # undone in the midst of it

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """The tip's rim, and in it what the adaptive brush would paint."""
        painter, options = self.painter, self.painter.options
        pointed, at = painter.pointed, painter.pointer
        if pointed is None or at is None:
            return []
        width = options.diameter_mm if self.stroke is None else self.stroke.diameter_mm
        found: list[OverlayItem] = []
        if self.stroke is None and options.kind in ("adaptive", "push"):
            try:
                ahead = painter.begin(pointed)
            except QsmError:
                pass  # the sentence below the tools says why
            else:
                if options.kind == "push":
                    width = ahead.push(at)
                else:
                    patch = self._ahead(ahead, at).patch(view)
                    found += [] if patch is None else [patch]
        return [*rim(view, pointed, at, width, options.tip, in_3d=options.in_3d), *found]

    def _ahead(self, stroke: Stroke, at: Array) -> VoxelPreview:
        """What the adaptive brush would paint; found once for all views."""
        edges = stroke.edges.id if stroke.edges is not None else ""
        key = (*at.tolist(), stroke.target.entry.id, stroke.across, stroke.target.index, edges)
        if self._preview is None or self._shown != key:
            self._shown = key
            self._preview = VoxelPreview(stroke.target, stroke.under(at, at), filled=False)
        return self._preview

    def follow(self) -> None:
        """Find anew what the adaptive brush would paint."""
        self._preview = None


class LassoHand(Hand):
    """Drag round what is to be painted."""

    both_buttons = True

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Begin the line."""
        self.stroke = self._begun(view, at, erase=erase)

    def drag(self, view: SliceView, at: Array) -> None:
        """Draw the line on."""
        stroke = self.stroke
        if stroke is not None and stroke.view is view and self.goes_on(view):
            stroke.points.append(at)

    def release(self, view: SliceView, at: Array) -> None:
        """Paint the inside."""
        stroke, self.stroke = self.stroke, None
        if stroke is not None and stroke.is_alive:
            stroke.outline()

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """The line so far."""
        stroke = self.stroke
        if stroke is None or stroke.view is not view or not on_slice(view, stroke):
            return []
        camera = view.camera()
        places = tuple(camera.to_pixel(p) for p in stroke.points)
        return [Outline(places, closed=len(places) > 2)]


class FillHand(Hand):
    """Click into what is to be painted."""

    both_buttons = True

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Fill from here."""
        stroke = self._begun(view, at, erase=erase)
        if stroke is not None:
            try:
                stroke.fill(at)
            except QsmError as error:
                self.painter.say(str(error))


class PickHand(Hand):
    """Click a region to choose it."""

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Choose the region here."""
        self.painter.pick(at)


def on_slice(view: SliceView, stroke: Stroke) -> bool:
    """Whether a view shows the slice on which an outline was begun."""
    return bool(np.abs(view.depth_mm - stroke.points[0][stroke.across]) <= 1e-3)
