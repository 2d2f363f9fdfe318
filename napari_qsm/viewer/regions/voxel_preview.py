"""Voxels that would be painted, as the views show them before they are."""

from __future__ import annotations

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane
from napari_qsm.arrays import Array
from napari_qsm.rois.outlines import outlines
from napari_qsm.rois.region import region_of
from napari_qsm.session.painting import Target
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.canvas.slice_view import SliceView

#: Of masks, which have no colour of their own.
_OF_MASK = "#ffd640"


class VoxelPreview:
    """Some voxels of a label map, in the colour of the region they would belong to.

    Parameters
    ----------
    target : Target
        What would be painted.
    at : (n,) ndarray of intp
        Flat positions, Fortran order.
    filled : bool
        Whether they are tinted.
    """

    def __init__(self, target: Target, at: Array, *, filled: bool = True) -> None:
        shape = target.entry.labels.shape
        self._places = np.array(np.unravel_index(at, shape, order="F"))
        self._target, self._filled = target, filled
        self._known: dict[tuple[Plane, int], list[Array]] = {}

    def patch(self, view: SliceView) -> Patch | None:
        """Those on the slice that a view shows; None if there is none."""
        if view.is_3d:
            return None
        target, depth = self._target, DEPTH_AXIS[view.plane]
        index = round((view.depth_mm - target.translate[depth]) / target.scale[depth])
        key = (view.plane, index)
        if key not in self._known:
            self._known[key] = self._loops(view.plane, index)
        if not self._known[key]:
            return None
        camera = view.camera()
        loops = [[camera.to_pixel(place) for place in loop] for loop in self._known[key]]
        colour = _OF_MASK
        if target.entry.role == "labels":
            colour = region_of(target.entry.regions, target.index).color
        return Patch(loops=loops, colour=colour, filled=self._filled)

    def _loops(self, plane: Plane, index: int) -> list[Array]:
        """Edges of the voxels on a slice, display mm."""
        depth, axes = DEPTH_AXIS[plane], list(DRAWN_AXES[plane])
        here = self._places[:, self._places[depth] == index][axes]
        if not here.size:
            return []
        low = here.min(axis=1)
        inside = np.zeros(here.max(axis=1) - low + 1, dtype=bool)
        inside[tuple(here - low[:, None])] = True
        loops = []
        for path in outlines(inside):
            places = np.full((len(path), 3), float(index))
            places[:, axes] = path + low
            loops.append(places * self._target.scale + np.array(self._target.translate))
        return loops
