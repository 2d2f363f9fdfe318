"""Where things lie: planes, their letters, the display frame. In the window and in figures.

Two frames are used:

* *world*: RAS mm through a volume's own affine, what a read-out writes;
* *display*: mm along the axes of the reference volume (x to the right, y to the front,
  z to the top). For an oblique scan it is the world turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.volume import Volume

Plane = Literal["axial", "coronal", "sagittal"]
#: Three numbers, (x, y, z) unless said otherwise.
Vector = Sequence[float] | Array
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
#: Canonical array axis (x, y, z) that a plane steps through.
DEPTH_AXIS: dict[Plane, int] = {"axial": 2, "coronal": 1, "sagittal": 0}
#: Canonical axes drawn (across, up) in each plane.
DRAWN_AXES: dict[Plane, tuple[int, int]] = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
#: Letters at the low and high ends of the canonical axes.
ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
#: Volumes are drawn through scale and translation alone if no corner moves further than
#: this part of a voxel.
_ALIGNED = 0.01


@dataclass(frozen=True)
class Letters:
    """The letters at the four edges of a view."""

    left: str
    right: str
    top: str
    bottom: str


def across_sign(plane: Plane, radiological: bool) -> int:
    """1 where the drawn horizontal axis grows to the right of the screen, else -1.

    The sagittal view has the nose on the left in both conventions.
    """
    if plane == "sagittal":
        return -1
    return -1 if radiological else 1


def letters(plane: Plane, *, radiological: bool = True, known: bool = True) -> Letters:
    """Letters at the edges of a plane of a canonical volume.

    Parameters
    ----------
    plane : {"axial", "coronal", "sagittal"}
        The plane drawn.
    radiological : bool
        Patient's right on the left of the screen.
    known : bool
        False where the file does not say how the patient lay; the letters are then "?".
    """
    if not known:
        return Letters("?", "?", "?", "?")
    across, up = DRAWN_AXES[plane]
    low, high = ENDS[across]
    if across_sign(plane, radiological) < 0:
        low, high = high, low
    return Letters(left=low, right=high, top=ENDS[up][1], bottom=ENDS[up][0])


@dataclass(frozen=True)
class DisplayFrame:
    """The frame in which the views are laid out: that of a reference volume."""

    reference: Volume

    @cached_property
    def size_mm(self) -> Array:
        """Voxel size of the reference, (x, y, z)."""
        return np.array(self.reference.voxel_size_mm)

    @cached_property
    def origin_mm(self) -> Array:
        """Display position of the centre of the reference's first voxel, (x, y, z)."""
        rotation = self.reference.affine[:3, :3] / self.size_mm
        return rotation.T @ self.reference.affine[:3, 3]

    def display_to_world(self, display: npt.ArrayLike) -> Array:
        """World RAS mm of display positions; shape (..., 3)."""
        voxel = (np.asarray(display, dtype=np.float64) - self.origin_mm) / self.size_mm
        return self.reference.voxel_to_world(voxel)

    def world_to_display(self, world_mm: npt.ArrayLike) -> Array:
        """Display position of world RAS mm; shape (..., 3)."""
        return self.reference.world_to_voxel(world_mm) * self.size_mm + self.origin_mm

    def display_of(self, volume: Volume) -> Array:
        """The (4, 4) map from a volume's voxel indices to display mm."""
        out = np.eye(4)
        origin = self.world_to_display(volume.voxel_to_world([0, 0, 0]))
        for axis in range(3):
            step = np.eye(3)[axis]
            out[:3, axis] = self.world_to_display(volume.voxel_to_world(step)) - origin
        out[:3, 3] = origin
        return out

    @property
    def obliquity_deg(self) -> float:
        """Largest angle between a display axis and its world axis, in degrees."""
        return obliquity_deg(self.reference.affine)


def obliquity_deg(affine: Array) -> float:
    """Largest angle between a canonical volume's axes and the world's, in degrees."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.clip(np.abs(np.diag(affine[:3, :3] / sizes)), 0, 1)
    return float(np.degrees(np.arccos(cosines.min())))


@dataclass(frozen=True)
class Placement:
    """How a volume lies in the display frame.

    Attributes
    ----------
    scale, translate : (x, y, z)
        Millimetres, display frame; exact where ``aligned``.
    aligned : bool
        Whether scale and translation place every voxel exactly.
    own_grid : bool
        Whether its grid differs from the reference's.
    """

    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    aligned: bool
    own_grid: bool


def place(volume: Volume, frame: DisplayFrame) -> Placement:
    """Find a volume's place in the display frame."""
    matrix = frame.display_of(volume)
    scale = np.diag(matrix)[:3]
    extent = np.array(volume.shape) - 1
    skew = np.abs(matrix[:3, :3] - np.diag(scale)) @ extent
    sizes = np.array(volume.voxel_size_mm)
    aligned = bool((scale > 0).all() and (skew <= _ALIGNED * sizes.min()).all())
    reference = frame.reference
    same = (
        volume.shape == reference.shape
        and bool(np.allclose(matrix[:3, 3], frame.origin_mm, atol=_ALIGNED * sizes.min()))
        and aligned
        and bool(np.allclose(scale, frame.size_mm, rtol=1e-4))
    )
    if same:  # bit-equal placement, so that rounding never shifts a slice
        scale, translate = frame.size_mm, frame.origin_mm
    else:
        translate = matrix[:3, 3]
    return Placement(triple(scale), triple(translate), aligned, own_grid=not same)


def triple(values: npt.ArrayLike) -> tuple[float, float, float]:
    """Three plain numbers."""
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z


def nearest_voxel(volume: Volume, world_mm: npt.ArrayLike) -> tuple[int, int, int] | None:
    """Index of the voxel of the array that holds a point; None outside."""
    voxel = np.rint(volume.world_to_voxel(world_mm)).astype(int)
    if (voxel < 0).any() or (voxel >= np.array(volume.shape)).any():
        return None
    return int(voxel[0]), int(voxel[1]), int(voxel[2])


def slice_text(plane: Plane, world_mm: Sequence[float], index: int, count: int) -> str:
    """Where a slice lies, in a reader's words: ``"S 4.0 mm · 37/72"``."""
    axis = DEPTH_AXIS[plane]
    return f"{side_mm(axis, world_mm[axis])} · {index + 1}/{count}"


def side_mm(axis: int, value_mm: float) -> str:
    """A coordinate with the side it lies on: ``"R 12.5 mm"``."""
    rounded = round(value_mm, 1) + 0.0
    low, high = ENDS[axis]
    return f"{high if rounded >= 0 else low} {abs(rounded):.1f} mm"


def scale_bar_mm(pixels_per_mm: float, target_pixels: float = 110) -> float:
    """A round length (1, 2 or 5 times a power of ten) close to ``target_pixels`` wide."""
    wanted = max(target_pixels / max(pixels_per_mm, 1e-9), 1e-6)
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * 1.0001))


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
