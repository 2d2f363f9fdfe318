"""Where things lie on the screen: planes, letters, the display frame, reading values.

Nothing here knows Qt; what figures share is in :mod:`napari_qsm.looks.geometry`. Three
frames are used:

* *world*: RAS mm through a volume's own affine, what a read-out writes;
* *display*: mm along the axes of the reference volume (x to the right, y to the front,
  z to the top). For an oblique scan it is the world turned; napari works in it, reversed
  to (z, y, x), with ``scale`` and ``translate`` only;
* *canvas*: pixels of a view, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_qsm.looks.geometry import (
    DEPTH_AXIS,
    DRAWN_AXES,
    ENDS,
    PLANES,
    DisplayFrame,
    Letters,
    Placement,
    Vector,
    across_sign,
    letters,
    nearest_voxel,
    obliquity_deg,
    place,
    scale_bar_mm,
    side_mm,
    slice_text,
    triple,
)
from napari_qsm.session import Plane
from napari_qsm.volume import Array, Volume

__all__ = [
    "DEPTH_AXIS",
    "DIMS_ORDER",
    "DRAWN_AXES",
    "PLANES",
    "Camera2D",
    "DisplayFrame",
    "Letters",
    "Placement",
    "Vector",
    "across_sign",
    "camera_orientation",
    "file_voxel",
    "letters",
    "letters_3d",
    "napari_order",
    "nearest_voxel",
    "obliquity_deg",
    "place",
    "scale_bar_mm",
    "side_mm",
    "slice_text",
    "snapped",
    "value_at",
]

#: Axes of :data:`DRAWN_AXES` for napari, whose axes are (z, y, x): the last two are drawn
#: (down, across).
DIMS_ORDER: dict[Plane, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}


def letters_3d(right_xyz: Vector, up_xyz: Vector) -> Letters:
    """Letters of a turned view from its screen directions in display axes.

    Parameters
    ----------
    right_xyz, up_xyz : (x, y, z)
        Display directions that point to the right and to the top of the screen.
    """

    def ends(direction: Vector) -> tuple[str, str]:
        axis = int(np.argmax(np.abs(direction)))
        low, high = ENDS[axis]
        return (low, high) if direction[axis] > 0 else (high, low)

    left, right = ends(right_xyz)
    bottom, top = ends(up_xyz)
    return Letters(left, right, top, bottom)


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


def snapped(world_mm: npt.ArrayLike, volume: Volume) -> tuple[float, float, float]:
    """World mm of the centre of the voxel of ``volume`` nearest to a point, kept inside it."""
    voxel = np.rint(volume.world_to_voxel(world_mm))
    voxel = np.clip(voxel, 0, np.array(volume.shape) - 1)
    return triple(volume.voxel_to_world(voxel))


def file_voxel(volume: Volume, world_mm: npt.ArrayLike) -> tuple[int, int, int] | None:
    """Voxel index, counted from 0 in the file's own axis order, of the voxel at a point."""
    voxel = nearest_voxel(volume, world_mm)
    if voxel is None or volume.stored is None:
        return voxel
    centre = volume.voxel_to_world(voxel)
    inverse = np.linalg.inv(volume.stored.affine)
    stored = np.rint(inverse[:3, :3] @ centre + inverse[:3, 3]).astype(int)
    return int(stored[0]), int(stored[1]), int(stored[2])


def value_at(volume: Volume, world_mm: npt.ArrayLike) -> float | None:
    """Value of the voxel at a point, never interpolated; None outside the volume."""
    voxel = nearest_voxel(volume, world_mm)
    return None if voxel is None else float(volume.data[voxel])


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
