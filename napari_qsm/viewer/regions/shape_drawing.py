"""Fixed shapes as edges of voxels on the slices of a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane
from napari_qsm.arrays import Array
from napari_qsm.rois.canonical_grid import canonical_spacing
from napari_qsm.rois.shapes import FixedShape, centre_index, indices_of
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.volume import Volume

Corner = tuple[int, int]
#: Rough width of a letter of the text beside a shape, pixels.
_LETTER = 7.6


@dataclass(frozen=True)
class Section:
    """What a shape is on one slice of a plane, display mm; found once and drawn many times.

    Attributes
    ----------
    loops : list of (n, 3) ndarray
        Edges of its voxels.
    curve : (n, 3) ndarray or None
        The line of the shape itself, in its own plane.
    """

    loops: list[Array]
    curve: Array | None


class Sections:
    """Sections of shapes on the grid of one map, kept until the map or the slice changes."""

    def __init__(self, volume: Volume, frame: DisplayFrame) -> None:
        self.volume = volume
        self.reference = frame.reference
        self._matrix = frame.display_of(volume)
        self._known: dict[tuple[str, Plane], tuple[FixedShape, float, Section | None]] = {}

    def fits(self, volume: Volume, frame: DisplayFrame) -> bool:
        """Whether they are those of this map in this frame."""
        return volume is self.volume and frame.reference is self.reference

    def of(self, shape: FixedShape, plane: Plane, depth_mm: float) -> Section | None:
        """The part of a shape on a slice; None if there is none."""
        known = self._known.get((shape.id, plane))
        if known is None or known[0] is not shape or known[1] != depth_mm:
            known = (shape, depth_mm, self._find(shape, plane, depth_mm))
            self._known[shape.id, plane] = known
        return known[2]

    def _find(self, shape: FixedShape, plane: Plane, depth_mm: float) -> Section | None:
        matrix, volume = self._matrix, self.volume
        across, up = DRAWN_AXES[plane]
        depth = DEPTH_AXIS[plane]
        indices = indices_of(shape, volume)
        heights = indices @ matrix[depth, :3] + matrix[depth, 3]
        on = indices[np.abs(heights - depth_mm) <= abs(matrix[depth, depth]) * 0.5 - 1e-6]
        if len(on) == 0:
            return None
        middle = float(np.median(on[:, depth]))
        loops = []
        for loop in edges(on[:, (across, up)]):
            corners = np.empty((len(loop), 3))
            corners[:, (across, up)] = np.array(loop) - 0.5
            corners[:, depth] = middle
            loops.append(self._display(corners))
        own = plane == shape.plane
        return Section(loops, self._display(_curve(shape, volume, middle)) if own else None)

    def _display(self, index: Array) -> Array:
        return index @ self._matrix[:3, :3].T + self._matrix[:3, 3]


def patch_of(
    section: Section, view: SliceView, *, text: str = "", with_curve: bool = False
) -> Patch:
    """A section as a view draws it.

    Parameters
    ----------
    text : str
        Words beside it.
    with_curve : bool
        Draw the shape itself as well as its voxels.
    """
    camera = view.camera()
    loops = [[camera.to_pixel(place) for place in loop.tolist()] for loop in section.loops]
    patch = Patch(loops=loops, text=text)
    if with_curve and section.curve is not None:
        patch.curve = [camera.to_pixel(place) for place in section.curve.tolist()]
    if text:
        patch.text_at = _beside(loops, text, camera.size)
    return patch


def edges(cells: Array) -> list[list[Corner]]:
    """Closed lines round groups of cells of a plane.

    Parameters
    ----------
    cells : (n, 2) ndarray of int
        Cell (i, j) reaches from corner (i, j) to corner (i + 1, j + 1).

    Returns
    -------
    list of list of (i, j)
        Corners where a line bends, in order, with the cells on the left.
    """
    inside = {(int(i), int(j)) for i, j in cells}
    leads: dict[Corner, list[Corner]] = {}
    for i, j in inside:
        for beyond, start, end in (
            ((i, j - 1), (i, j), (i + 1, j)),
            ((i + 1, j), (i + 1, j), (i + 1, j + 1)),
            ((i, j + 1), (i + 1, j + 1), (i, j + 1)),
            ((i - 1, j), (i, j + 1), (i, j)),
        ):
            if beyond not in inside:
                leads.setdefault(start, []).append(end)
    loops = []
    while leads:
        first = next(iter(leads))
        loop, at, came = [], first, (0, 0)
        while True:
            ends = leads[at]
            # Where two cells touch at a corner, turn left, so that each keeps its own line.
            end = max(ends, key=lambda e: came[0] * (e[1] - at[1]) - came[1] * (e[0] - at[0]))
            ends.remove(end)
            if not ends:
                del leads[at]
            step = (end[0] - at[0], end[1] - at[1])
            if step != came:
                loop.append(at)
            at, came = end, step
            if at == first:
                break
        loops.append(loop)
    return loops


def _curve(shape: FixedShape, volume: Volume, slice_index: float) -> Array:
    """The shape's own line on one of its slices, as fractional indices (n, 3)."""
    across, up = DRAWN_AXES[shape.plane]
    depth = DEPTH_AXIS[shape.plane]
    spacing = canonical_spacing(volume)
    centre = centre_index(shape, volume)
    size = shape.size_mm
    a, b = (
        (size[0], size[1]) if shape.kind in ("ellipse", "rectangle", "ellipsoid") else size[:1] * 2
    )
    if shape.kind == "rectangle":
        u, v = np.array([-a, a, a, -a]) / 2, np.array([-b, -b, b, b]) / 2
    else:
        height = {"sphere": size[0], "ellipsoid": size[-1]}.get(shape.kind)
        part = 1.0
        if height is not None:  # round ends narrow towards the top and the bottom
            away = 2 * (slice_index - centre[depth]) * spacing[depth] / height
            part = float(np.sqrt(max(1 - away**2, 0.0)))
        angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        u, v = part * a / 2 * np.cos(angle), part * b / 2 * np.sin(angle)
    turn = np.radians(shape.rotation_deg)
    out = np.empty((len(u), 3))
    out[:, across] = centre[across] + (u * np.cos(turn) - v * np.sin(turn)) / spacing[across]
    out[:, up] = centre[up] + (u * np.sin(turn) + v * np.cos(turn)) / spacing[up]
    out[:, depth] = slice_index
    return out


def _beside(
    loops: list[list[tuple[float, float]]], text: str, size: tuple[int, int]
) -> tuple[float, float]:
    """Where a text fits: right of the shape, or left of it near the edge of the view."""
    points = np.array([point for loop in loops for point in loop])
    low, high = points.min(axis=0), points.max(axis=0)
    lines = text.split("\n")
    width = _LETTER * max(len(line) for line in lines)
    x = high[0] + 10
    if x + width > size[0] - 6:
        x = max(low[0] - 10 - width, 6)
    middle = (low[1] + high[1]) / 2 - 9 * (len(lines) - 1) + 5
    y = min(max(middle, 20), size[1] - 18 * len(lines))
    return float(x), float(y)
