"""What napari and a canvas need to know of the planes: order of axes, cameras, pixels.

*Display* is the frame of :mod:`napari_qsm.anatomy`; napari works in it, reversed to (z, y, x),
with ``scale`` and ``translate`` only. *Canvas* is pixels of a view, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane, Vector, across_sign
from napari_qsm.arrays import Array

#: Axes of :data:`DRAWN_AXES` for napari, whose axes are (z, y, x): the last two are drawn
#: (down, across).
DIMS_ORDER: dict[Plane, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}


def camera_orientation(plane: Plane, radiological: bool) -> tuple[str, str, str]:
    """Directions for ``camera.orientation`` (depth, vertical, horizontal).

    Depth is chosen so that the three together never mirror a 3-D view.
    """
    horizontal = "right" if across_sign(plane, radiological) > 0 else "left"
    return ("towards" if horizontal == "right" else "away", "up", horizontal)


def napari_order(xyz: Vector) -> tuple[float, float, float]:
    """(x, y, z) as napari's (z, y, x), and back."""
    x, y, z = (float(v) for v in xyz)
    return z, y, x


@dataclass(frozen=True)
class Camera2D:
    """What a 2-D view shows, enough to turn pixels into mm without asking the canvas.

    Attributes
    ----------
    plane, radiological
        Which way the axes run.
    centre : (across, up)
        Display mm at the middle of the canvas.
    zoom : float
        Canvas pixels per mm.
    size : (width, height)
        Canvas pixels.
    """

    plane: Plane
    radiological: bool
    centre: tuple[float, float]
    zoom: float
    size: tuple[int, int]

    def to_display(self, pixel: Sequence[float], depth_mm: float) -> Array:
        """Display (x, y, z) under a pixel, in the slice at ``depth_mm``."""
        across, up = DRAWN_AXES[self.plane]
        sign = across_sign(self.plane, self.radiological)
        out = np.empty(3)
        out[across] = self.centre[0] + sign * (pixel[0] - self.size[0] / 2) / self.zoom
        out[up] = self.centre[1] - (pixel[1] - self.size[1] / 2) / self.zoom
        out[DEPTH_AXIS[self.plane]] = depth_mm
        return out

    def to_pixel(self, display: Vector) -> tuple[float, float]:
        """Canvas pixel of a display position (its depth is ignored)."""
        across, up = DRAWN_AXES[self.plane]
        sign = across_sign(self.plane, self.radiological)
        return (
            self.size[0] / 2 + sign * (display[across] - self.centre[0]) * self.zoom,
            self.size[1] / 2 - (display[up] - self.centre[1]) * self.zoom,
        )

    def moved(self, by_pixels: Sequence[float]) -> Camera2D:
        """The camera after the picture was dragged by so many pixels."""
        sign = across_sign(self.plane, self.radiological)
        across = self.centre[0] - sign * by_pixels[0] / self.zoom
        return replace(self, centre=(across, self.centre[1] + by_pixels[1] / self.zoom))

    def zoomed(self, factor: float, at_pixel: Sequence[float]) -> Camera2D:
        """The camera after zooming with the point under a pixel held in place."""
        sign = across_sign(self.plane, self.radiological)
        dx, dy = at_pixel[0] - self.size[0] / 2, at_pixel[1] - self.size[1] / 2
        gain = (1 - 1 / factor) / self.zoom
        centre = (self.centre[0] + sign * dx * gain, self.centre[1] - dy * gain)
        return replace(self, centre=centre, zoom=self.zoom * factor)
