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
from napari_qsm.study.painted import PaintedStep, label_numbers
from napari_qsm.study.readings import Reading


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
        at = np.argwhere(self.values == label)
        if not len(at) and contours is not None:
            at = np.argwhere(contours.data == label)
        if not len(at):
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
        inside = self.values == self.numbers[step.region_name]
        at = np.argwhere(inside)
        if not len(at):
            return []
        words = without_doubles(flags_of_voxels(at, self._opened.chi, mask=self._opened.mask))
        pieces = ndimage.label(inside, np.ones((3, 3, 3)))[1]
        if pieces > 1:
            words.append(f"in {pieces} pieces that do not touch")
        centre = self._centre(at)
        wrong = wrong_side(step.side, centre, self._sides.frame, self._midline(step, at, known))
        return [*words, wrong] if wrong else words

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

    def _midline(self, step: PaintedStep, at: Array, known: Mapping[str, FixedShape]) -> float:
        """Between the region and its partner where that is painted; else the head's."""
        partner = self.numbers.get(other_side_name(step.region_name))
        other = np.argwhere(self.values == partner) if partner else np.empty((0, 3))
        if not len(other):
            return self._sides.midline_mm(known)
        both = [self._sides.frame.world_to_display(self._centre(each))[0] for each in (at, other)]
        return float(np.mean(both))


def without_doubles(words: Iterable[str]) -> list[str]:
    """Flags without those that say a second time that voxels lie outside: maps are 0 there."""
    said = list(words)
    outside = any(each.endswith("outside the mask") for each in said)
    return [each for each in said if not (outside and "exactly 0" in each)]
