"""One press of the button: what is written, from where the mouse goes. Knows no Qt."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, Plane
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import brush
from napari_qsm.session import Session
from napari_qsm.session.painting.options import PaintOptions
from napari_qsm.session.painting.target import Limit, Target


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
    across : int
        Axis through its slices.
    points : list of (x, y, z)
        Display mm: the corners of an outline, or the last place of a brush.
    """

    def __init__(
        self,
        session: Session,
        options: PaintOptions,
        target: Target,
        limit: Limit | None,
        view: View,
    ) -> None:
        self._session = session
        self._options = options
        self._erase = options.kind == "eraser"
        self.text = f"{'erase' if self._erase else options.kind} {target.name}"
        self.target = target
        self.limit = limit
        self.view = view
        self.across = DEPTH_AXIS[view.plane]
        self.points: list[Array] = []

    @property
    def is_alive(self) -> bool:
        """Whether the maps that it writes to and reads from are still there."""
        maps = self._session.maps
        return self.target.entry in maps and (self.limit is None or self.limit.entry in maps)

    def sweep(self, start: Array, end: Array) -> None:
        """Move the brush; display mm."""
        target, options = self.target, self._options
        at = brush.stroke(
            target.entry.labels.shape,
            target.scale,
            target.grid_mm(start),
            target.grid_mm(end),
            options.diameter_mm,
            tip=options.tip,
            across=None if options.in_3d else self.across,
        )
        self._write(at)

    def outline(self) -> None:
        """Paint what lies inside the outline of ``points``."""
        target = self.target
        corners = target.grid_mm(np.array(self.points))
        shape = target.entry.labels.shape
        self._write(brush.outline(shape, target.scale, corners, self.across))

    def fill(self, at: Array) -> None:
        """Paint what is connected with a voxel and like it; display mm.

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
        if here == target.index:
            raise QsmError(f"This voxel is in {target.name} already; click beside it.")
        if not target.may_write(np.array([here]), protect=options.protect)[0]:
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
        found = brush.connected(allowed, inner, across=across, open_edges=self.limit is not None)
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
        write = target.may_write(values, protect=options.protect, erase=self._erase)
        if self.limit is not None:
            write &= self.limit.within(self.limit.entry.shown.data[places])
        value = 0 if self._erase else target.index
        self._session.edit_labels(target.entry, at[write], value, self.text)
