"""One placed shape with its numbers, as the list of shapes shows it."""

from __future__ import annotations

from dataclasses import dataclass

from napari_qsm.arrays import Array
from napari_qsm.rois.shape_checks import Numbers
from napari_qsm.rois.shapes import FixedShape


@dataclass(frozen=True)
class Row:
    """One placed shape with its numbers on the map that is measured.

    Attributes
    ----------
    shape : FixedShape
    numbers : Numbers
    flags : tuple of str
        What may be wrong with it, in words.
    low, high : ndarray, shape (3,)
        Bounds of its voxels, canonical indices.
    """

    shape: FixedShape
    numbers: Numbers
    flags: tuple[str, ...]
    low: Array
    high: Array

    def meets(self, box: tuple[Array, Array]) -> bool:
        """Whether it may have voxels in common with what lies within bounds like its own."""
        low, high = box
        return not ((self.low > high).any() or (self.high < low).any())
