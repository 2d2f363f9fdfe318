"""Painted regions of a scan that is read: labels, first contours, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.rois.shape_checks import flags_of_voxels, wrong_side
from napari_qsm.rois.shapes import FixedShape, indices_of
from napari_qsm.session.reading.opened import OpenedScan
from napari_qsm.session.reading.sides import Sides
from napari_qsm.study.painted import PaintedStep, indices_by_label, label_numbers
from napari_qsm.study.readings import Reading

#: How far a region of one side may reach over the middle of the head, which nobody has set.
_ROOM_MM = 8.0


class PaintedRegions:
    """The label map of a reading, as it is kept.

    Parameters
    ----------
    opened : OpenedScan
    sides : Sides

    Attributes
    ----------
    numbers : dict of str to int
        Label by region.
    values : ndarray of uint16, shape (x, y, z)
        Labels on the grid of ``opened.chi``, not to be written to.
    """

    def __init__(self, opened: OpenedScan, sides: Sides) -> None:
        self._opened, self._sides = opened, sides
        self._steps = [step for step in opened.steps if isinstance(step, PaintedStep)]
        self.numbers = label_numbers(opened.steps)
        self.take(opened.reading)

    @property
    def is_wanted(self) -> bool:
        """Whether the protocol has any."""
        return bool(self._steps)

    def take(self, reading: Reading) -> None:
        """Another reading is kept now."""
        labels = reading.labels
        grid = self._opened.chi
        self.values: Array = (
            np.zeros(grid.shape, np.uint16) if labels is None else labels.like(grid).data
        )
        self._at = indices_by_label(grid.with_data(self.values))

    def with_contour(self, step: PaintedStep) -> Array | None:
        """The labels with a region's first contour in them; None where there is no contour.

        What other regions hold already stays theirs.
        """
        contours, label = self._opened.contours, self.numbers[step.region_name]
        inside = None if contours is None else contours.data == label
        if inside is None or not inside.any():
            return None
        return np.where(inside & (self.values == 0), label, self.values).astype(np.uint16)

    def without(self, step: PaintedStep) -> Array:
        """The labels with a region taken out."""
        label = self.numbers[step.region_name]
        return np.where(self.values == label, 0, self.values).astype(np.uint16)

    def middle_mm(self, step: PaintedStep) -> Array | None:
        """The voxel of a region, or else of its first contour, that lies most in its middle, RAS mm."""
        label, contours = self.numbers[step.region_name], self._opened.contours
        at = self._at.get(label)
        if at is None and contours is not None:
            at = np.argwhere(contours.data == label)
        if at is None or not len(at):
            return None
        nearest = at[np.square(at - at.mean(axis=0)).sum(axis=1).argmin()]
        return self._opened.chi.voxel_to_world(nearest)

    def all_flags(self, known: Mapping[str, FixedShape]) -> list[tuple[str, str]]:
        """Region and words of every flag of what is painted; see :meth:`flags`."""
        return [(s.region_name, words) for s in self._steps for words in self.flags(s, known)]

    def flags(self, step: PaintedStep, known: Mapping[str, FixedShape]) -> list[str]:
        """What may be wrong with a painted region, in words; nothing before it is painted.

        Parameters
        ----------
        step : PaintedStep
        known : mapping of str to FixedShape
            Shapes that are placed or suggested, by which the midline is told.
        """
        at = self._at.get(self.numbers[step.region_name])
        if at is None:
            return []
        words = without_doubles(flags_of_voxels(at, self._opened.chi, mask=self._opened.mask))
        pieces = _pieces(at)
        if pieces > 1:
            words.append(f"in {pieces} pieces that do not touch")
        frame, centre = self._sides.frame, self._centre(at)
        planes = self._midlines(step, at, known)
        wrong = [w for mm in planes if (w := wrong_side(step.side, centre, frame, mm))]
        return [*words, *wrong[:1]]

    def shared(self, shape: FixedShape) -> list[str]:
        """Which painted regions a shape shares voxels with, in words."""
        at = indices_of(shape, self._opened.chi)
        at = at[np.all((at >= 0) & (at < np.array(self.values.shape)), axis=1)]
        counts = np.bincount(self.values[tuple(at.T)], minlength=max(self.numbers.values()) + 1)
        return [
            f"shares {counts[label]} voxels with {name}"
            for name, label in self.numbers.items()
            if counts[label]
        ]

    def _centre(self, at: Array) -> Array:
        return self._opened.chi.voxel_to_world(at.mean(axis=0))

    def _midlines(
        self, step: PaintedStep, at: Array, known: Mapping[str, FixedShape]
    ) -> list[float]:
        """Planes that a region must not lie beyond.

        The one between it and its partner where that is painted, and, with some room, that of the
        head, as both may lie on one side.
        """
        head = self._sides.midline_mm(known)
        other = self._at.get(self.numbers.get(other_side_name(step.region_name), 0))
        if other is None:
            return [head]
        both = [self._sides.frame.world_to_display(self._centre(each))[0] for each in (at, other)]
        room = _ROOM_MM if step.side == "left" else -_ROOM_MM
        return [float(np.mean(both)), head + room]


def _pieces(at: Array) -> int:
    """How many parts voxels form that do not touch, not even by corners."""
    low = at.min(axis=0)
    inside = np.zeros(at.max(axis=0) - low + 1, bool)
    inside[tuple((at - low).T)] = True
    return int(ndimage.label(inside, np.ones((3, 3, 3)))[1])


def without_doubles(words: Iterable[str]) -> list[str]:
    """Flags without those that say a second time that voxels lie outside: maps are 0 there."""
    said = list(words)
    outside = any(each.endswith("outside the mask") for each in said)
    return [each for each in said if not (outside and "exactly 0" in each)]
