"""The polygon: corners are set, dragged, put in between and taken out before it is painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.viewer.canvas.overlay_items import Outline, OverlayItem
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.regions.hands import Hand, on_slice

if TYPE_CHECKING:
    from napari_qsm.viewer.regions.painter import Painter

#: A click this near to a corner, in pixels, takes it.
_NEAR_PIXELS = 10.0
#: A click this near to a line between two corners puts a corner in between.
_ON_LINE_PIXELS = 4.0
#: A hand trembles: a corner that moved less was only clicked.
_TREMBLE_PIXELS = 3.0


class PolygonHand(Hand):
    """Corners, until the polygon is closed."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._grip = CornerGrip()

    @property
    def can_be_taken(self) -> bool:
        """Whether there is a polygon to close."""
        return self.stroke is not None

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Set a corner, or take one."""
        if self.stroke is not None and self.goes_on(view):
            opened = self.stroke.replaces.size > 0
            self._grip.take(view, self.stroke.points, at, closed=opened)
            return
        self.stroke = self._begun(view, at)
        self.painter.changed.emit()

    def press_right(self, view: SliceView, at: Array) -> bool:
        """Take the corner under the pointer out; elsewhere close the polygon."""
        if self.stroke is None:
            return False
        near = self._grip.near(view, self.stroke.points, at) if self.goes_on(view) else None
        if near is None:
            self.take()
        else:
            self._drop(near)
        return True

    def drag(self, view: SliceView, at: Array) -> None:
        """Move the corner that is held."""
        stroke = self.stroke
        if stroke is not None and stroke.view is view and self.goes_on(view):
            self._grip.drag(view, stroke.points, at)

    def release(self, view: SliceView, at: Array) -> None:
        """Let go; a click on the first corner closes the polygon."""
        if self.stroke is None:
            return
        first = self._grip.release() == 0
        if first and len(self.stroke.points) > 2 and not self.stroke.replaces.size:
            self.take()

    def press_twice(self, view: SliceView, at: Array) -> None:
        """Close the polygon."""
        self.take()

    def take(self) -> None:
        """Paint the inside."""
        stroke, self.stroke = self.stroke, None
        self._grip.release()
        if stroke is not None and stroke.is_alive:
            if len(stroke.points) < 3:
                self.painter.say("A polygon needs three corners; it was given up.")
            else:
                stroke.outline()
        self.painter.changed.emit()

    def give_up(self) -> None:
        """Forget the corners."""
        self._grip.release()
        super().give_up()

    def open(self, view: SliceView, at: Array) -> None:
        """Take the region's outline nearest to a place, display mm, as the polygon."""
        stroke = self._begun(view, at)
        if stroke is None:
            return
        try:
            stroke.open_outline(at)
        except QsmError as error:
            self.painter.say(str(error))
            return
        self.stroke = stroke
        self.painter.changed.emit()

    def drop_corner(self) -> None:
        """Take out the corner under the pointer, or else the last one."""
        stroke, view = self.stroke, self.painter.pointed
        if stroke is None:
            return
        near = None
        if stroke.view is view:
            near = self._grip.near(view, stroke.points, self.painter.pointer)
        self._drop(len(stroke.points) - 1 if near is None else near)

    def _drop(self, corner: int) -> None:
        assert self.stroke is not None
        self._grip.release()
        self.stroke.points.pop(corner)
        if not self.stroke.points:
            self.stroke = None
        self.painter.changed.emit()

    def _is_over(self, view: SliceView) -> bool:
        stroke = self.stroke
        return stroke is not None and (stroke.view is not view or not on_slice(view, stroke))

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """The corners, and the line to where the next one would be."""
        stroke, at = self.stroke, self.painter.pointer
        if stroke is None or stroke.view is not view or not on_slice(view, stroke):
            return []
        points, dots = [*stroke.points], len(stroke.points)
        if at is not None and self.painter.pointed is view and self._grip.taken is None:
            place = self._grip.place_for(view, points, at, closed=stroke.replaces.size > 0)
            if place is not None:
                points.insert(place, at)
                dots += place < dots  # a corner in between is offered as a dot
        camera = view.camera()
        places = tuple(camera.to_pixel(p) for p in points)
        return [Outline(places, closed=len(points) > 2, dots=dots)]


class CornerGrip:
    """Holds a corner between press and release.

    Attributes
    ----------
    taken : int or None
        Number of the corner that is held.
    """

    def __init__(self) -> None:
        self.taken: int | None = None
        #: Where it was taken, until it is dragged off.
        self._at: tuple[float, float] | None = None

    def near(self, view: SliceView, points: list[Array], at: Array | None) -> int | None:
        """The corner under the pointer."""
        if at is None or not points:
            return None
        camera = view.camera()
        here = camera.to_pixel(at)
        apart = [np.hypot(*np.subtract(camera.to_pixel(p), here)) for p in points]
        nearest = int(np.argmin(apart))
        return nearest if apart[nearest] <= _NEAR_PIXELS else None

    def place_for(
        self, view: SliceView, points: list[Array], at: Array, *, closed: bool
    ) -> int | None:
        """Which corner a click would set: one between two others, or the last.

        None where there is a corner to be taken, and off the line of a closed outline.
        """
        if self.near(view, points, at) is not None:
            return None
        camera = view.camera()
        here = np.array(camera.to_pixel(at))
        pixels = np.array([camera.to_pixel(p) for p in points])
        if len(points) > 2:
            start, way = pixels, np.roll(pixels, -1, axis=0) - pixels
            length2 = np.maximum((way**2).sum(axis=1), 1e-9)
            along = np.clip(((here - start) * way).sum(axis=1) / length2, 0, 1)
            apart = np.hypot(*(start + along[:, None] * way - here).T)
            if apart.min() <= _ON_LINE_PIXELS:
                return int(np.argmin(apart)) + 1
        return None if closed else len(points)

    def take(self, view: SliceView, points: list[Array], at: Array, *, closed: bool) -> None:
        """Take the corner under the pointer; set a new one where there is none."""
        near = self.near(view, points, at)
        if near is None:
            near = self.place_for(view, points, at, closed=closed)
            if near is None:
                return
            points.insert(near, at)
        self.taken, self._at = near, view.camera().to_pixel(at)

    def drag(self, view: SliceView, points: list[Array], at: Array) -> None:
        """Move the corner that is held."""
        if self._at is not None:
            apart = np.subtract(view.camera().to_pixel(at), self._at)
            if np.hypot(*apart) > _TREMBLE_PIXELS:
                self._at = None
        if self.taken is not None and self._at is None:
            points[self.taken] = at

    def release(self) -> int | None:
        """Let go; the corner's number if it was only clicked."""
        taken, self.taken = self.taken, None
        return taken if self._at is not None else None
