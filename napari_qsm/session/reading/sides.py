"""Left and right in a head of which nobody has set the midline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.arrays import bounding_box
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.rois.shape_changes import mirrored
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.volume import Volume


class Sides:
    """Where the plane between the sides lies, by the shapes that are known.

    Parameters
    ----------
    chi : Volume
        The map, canonical.
    mask : Volume or None
        Not 0 inside the brain; that of the map where there is none.

    Attributes
    ----------
    frame : DisplayFrame
        In which midlines are given, mm from left to right.
    """

    def __init__(self, chi: Volume, mask: Volume | None) -> None:
        self.frame = DisplayFrame(chi)
        self._chi, self._brain = chi, mask or chi
        self._middle: float | None = None

    def midline_mm(self, known: Mapping[str, FixedShape]) -> float:
        """The middle of the pairs among shapes; without any, that of the brain.

        Parameters
        ----------
        known : mapping
            Shapes that are placed or suggested, by region.
        """
        halves = [
            (self._across(shape) + self._across(known[other])) / 2
            for name, shape in known.items()
            if shape.side == "left" and (other := other_side_name(name)) in known
        ]
        return float(np.median(halves)) if halves else self._middle_of_brain()

    def midline_for(
        self, shape: FixedShape, placed: Mapping[str, FixedShape], known: Mapping[str, FixedShape]
    ) -> float:
        """The plane that a shape must not lie beyond.

        Between it and its partner where that is placed: some regions lie so close to the middle
        that a plane for all of the head would cut them.
        """
        partner = placed.get(other_side_name(shape.region_name))
        if partner is None or partner.side == shape.side:
            return self.midline_mm(known)
        return (self._across(shape) + self._across(partner)) / 2

    def mirrored(self, shape: FixedShape, known: Mapping[str, FixedShape]) -> FixedShape:
        """The shape on the other side, snapped to the map."""
        return mirrored(shape, self.frame, self.midline_mm(known), self._chi)

    def _across(self, shape: FixedShape) -> float:
        return float(self.frame.world_to_display(shape.centre_mm)[0])

    def _middle_of_brain(self) -> float:
        if self._middle is None:
            box = bounding_box(np.nan_to_num(self._brain.data) != 0)
            middle = np.array([(part.start + part.stop - 1) / 2 for part in box])
            world = self._brain.voxel_to_world(middle)
            self._middle = float(self.frame.world_to_display(world)[0])
        return self._middle
