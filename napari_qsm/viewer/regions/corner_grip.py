"""Taking a corner of an unfinished polygon and dragging it to a better place."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.viewer.canvas.slice_view import SliceView

#: A click this near to a corner, in pixels, takes it.
_NEAR_PIXELS = 10.0
#: A hand trembles: a corner that moved less was only clicked.
_TREMBLE_PIXELS = 3.0


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

    def take(self, view: SliceView, points: list[Array], at: Array) -> None:
        """Take the corner under the pointer; set a new one where there is none."""
        near = self.near(view, points, at)
        if near is None:
            near = len(points)
            points.append(at)
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
