"""One stroke of a drawing tool, from press to release, and its writing. Knows no Qt."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy import ndimage

from napari_qsm.anatomy import DEPTH_AXIS, Plane
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import brush, edge_aware, shifts
from napari_qsm.rois.outlines import polygon_round
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.painting import Limit, PaintOptions, Target


class View(Protocol):
    """What a stroke must know of the view it is drawn in."""

    @property
    def plane(self) -> Plane:
        """The plane of its slices."""


class Stroke:
    """What stays the same from press to release, and the writing.

    Attributes
    ----------
    target : Target
        What is drawn into.
    limit : Limit or None
        Which values are drawn.
    view : View
        Where the button went down.
    erase : bool
        Whether it empties voxels, as the eraser always does.
    across : int
        Axis through its slices.
    edges : MapEntry or None
        Whose edges the adaptive brush follows.
    points : list of (x, y, z)
        Display mm: the corners of an outline, or the last place of a brush.
    diameter_mm : float
        Width of the tip.
    replaces, holes : (n,) ndarray of intp
        Flat positions of the piece that an opened outline stands for, which go where the new
        one leaves them outside, and of the holes in it, which stay as they are.
    """

    def __init__(
        self,
        session: Session,
        options: PaintOptions,
        target: Target,
        limit: Limit | None,
        view: View,
        *,
        edges: MapEntry | None = None,
        erase: bool = False,
    ) -> None:
        self._session = session
        self._options = options
        self._erase = erase or options.kind == "eraser"
        self.text = f"{'erase' if self._erase else options.kind} {target.name}"
        self.target = target
        self.limit = limit
        self.edges = edges
        self.view = view
        self.across = DEPTH_AXIS[view.plane]
        self.diameter_mm = options.diameter_mm
        self.points: list[Array] = []
        self.replaces: Array = np.empty(0, dtype=np.intp)
        self.holes: Array = np.empty(0, dtype=np.intp)

    @property
    def is_alive(self) -> bool:
        """Whether the maps that it writes to and reads from are still there."""
        used = (self.target.entry, self.limit and self.limit.entry, self.edges)
        return all(entry in self._session.maps for entry in used if entry is not None)

    def sweep(self, start: Array, end: Array) -> None:
        """Move the brush; display mm."""
        self._write(self.under(start, end))

    def under(self, start: Array, end: Array) -> Array:
        """Flat positions that the brush covers on its way; display mm."""
        target, options = self.target, self._options
        start, end = target.grid_mm(start), target.grid_mm(end)
        across = None if options.in_3d else self.across
        if self.edges is not None:
            return edge_aware.stroke(
                self.edges.shown.data, target.scale, start, end, self.diameter_mm,
                tip=options.tip, across=across, edge=options.edge,
            )  # fmt: skip
        return brush.stroke(
            target.entry.labels.shape, target.scale, start, end, self.diameter_mm,
            tip=options.tip, across=across,
        )  # fmt: skip

    def push(self, at: Array) -> float:
        """Choose side and width for pushing the region's outline from a place; display mm.

        Returns
        -------
        float
            Width of the tip, mm: no wider than leaves the outline where it is.
        """
        target, options = self.target, self._options
        inside, self.diameter_mm = shifts.push_diameter(
            target.entry.labels,
            target.index,
            target.scale,
            target.grid_mm(at),
            options.diameter_mm,
            across=None if options.in_3d else self.across,
        )
        self._erase = not inside
        return self.diameter_mm

    def outline(self) -> None:
        """Paint what lies inside the outline of ``points``."""
        target = self.target
        corners = target.grid_mm(np.array(self.points))
        shape = target.entry.labels.shape
        inside = brush.outline(shape, target.scale, corners, self.across)
        left = np.setdiff1d(self.replaces, inside)
        with self._session.history.group(self.text):
            self._session.edit_labels(target.entry, left, 0, self.text)
            self._write(np.setdiff1d(inside, self.holes))

    def open_outline(self, at: Array) -> None:
        """Take the region's outline that lies nearest to a place as ``points``; display mm.

        Raises
        ------
        QsmError
            If the region has nothing on the slice.
        """
        target, across = self.target, self.across
        labels, voxel = target.entry.labels, target.voxel(at)
        if not 0 <= voxel[across] < labels.shape[across]:
            raise QsmError("This slice lies outside the region map.")
        first, second = (axis for axis in range(3) if axis != across)
        part = np.take(labels, voxel[across], axis=across) == target.index
        corners, piece = polygon_round(part, (voxel[first], voxel[second]))
        places = np.full((len(corners), 3), float(voxel[across]))
        places[:, [first, second]] = corners
        self.points = list(places * target.scale + np.array(target.translate))
        solid = ndimage.binary_fill_holes(piece)
        self.replaces = self._flat(piece, voxel[across])
        self.holes = self._flat(solid & ~piece, voxel[across])
        self.text = f"reshape {target.name}"

    def _flat(self, part: Array, at: int) -> Array:
        """Flat positions of the true voxels of a slice."""
        places = list(np.nonzero(part))
        places.insert(self.across, np.full(places[0].size, at))
        shape = self.target.entry.labels.shape
        return np.ravel_multi_index(tuple(places), shape, order="F").astype(np.intp)

    def fill(self, at: Array) -> None:
        """Paint, or empty, what is connected with a voxel and like it; display mm.

        Raises
        ------
        QsmError
            If nothing can be filled there.
        """
        target, options = self.target, self._options
        data = target.entry.labels
        seed = target.voxel(at)
        if not all(0 <= i < n for i, n in zip(seed, data.shape, strict=True)):
            raise QsmError("The click lies outside the map.")
        here = data[seed]
        if here == (0 if self._erase else target.index):
            name = "no region" if self._erase else target.name
            raise QsmError(f"This voxel is in {name} already; click beside it.")
        if not target.may_write(np.array([here]), protect=options.protect, erase=self._erase)[0]:
            raise QsmError("Another region lies here and is protected.")
        across = None if options.in_3d else self.across
        cut: list[Any] = [slice(None)] * 3
        inner = list(seed)
        if across is not None:  # one slice is quicker than all
            cut[across], inner[across] = slice(seed[across], seed[across] + 1), 0
        part = data[tuple(cut)]
        allowed = part == here
        if self.limit is not None:
            allowed &= self.limit.within(self.limit.entry.shown.data[tuple(cut)])
            if not allowed[tuple(inner)]:
                raise QsmError("The value of this voxel lies outside the limits.")
        # Without limits only a closed outline can hold the fill.
        open_edges = self._erase or self.limit is not None
        found = brush.connected(allowed, inner, across=across, open_edges=open_edges)
        places = list(np.unravel_index(found, part.shape, order="F"))
        if across is not None:
            places[across] = places[across] + seed[across]
        self._write(np.ravel_multi_index(tuple(places), data.shape, order="F"))

    def _write(self, at: Array) -> None:
        if at.size == 0:
            return
        target, options = self.target, self._options
        places = np.unravel_index(at, target.entry.labels.shape, order="F")
        values = target.entry.labels[places]
        # What is pushed inwards is the outline of this region alone.
        protect = options.protect or (options.kind == "push" and self._erase)
        write = target.may_write(values, protect=protect, erase=self._erase)
        if self.limit is not None:
            write &= self.limit.within(self.limit.entry.shown.data[places])
        value = 0 if self._erase else target.index
        self._session.edit_labels(target.entry, at[write], value, self.text)
