"""One placed shape with its numbers, as the list of shapes shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from napari_qsm.arrays import Array
from napari_qsm.rois.shape_checks import Numbers, numbers_under
from napari_qsm.rois.shapes import FixedShape, bounds_of
from napari_qsm.volume import Volume


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


def rows_now(
    shapes: Sequence[FixedShape],
    volume: Volume,
    known: Mapping[str, Row],
    flags: Callable[[FixedShape], tuple[str, ...]],
) -> list[Row]:
    """Rows of shapes; only what has changed, or may share voxels with that, is measured anew.

    Parameters
    ----------
    shapes : sequence of FixedShape
    volume : Volume
        The map that is measured.
    known : mapping of str to Row
        Rows as they were for the same map, by the id of their shape.
    flags : callable
        Gives what may be wrong with a shape among the others.
    """
    gone = [row for row in known.values() if not any(s is row.shape for s in shapes)]
    fresh = {
        s.id: bounds_of(s, volume)
        for s in shapes
        if s.id not in known or known[s.id].shape is not s
    }
    boxes = [(row.low, row.high) for row in gone] + list(fresh.values())
    touched = {key for key, row in known.items() if any(row.meets(box) for box in boxes)}

    def row_of(shape: FixedShape) -> Row:
        low, high = fresh.get(shape.id) or bounds_of(shape, volume)
        return Row(shape, numbers_under(shape, volume), flags(shape), low, high)

    return [row_of(s) if s.id in fresh or s.id in touched else known[s.id] for s in shapes]
