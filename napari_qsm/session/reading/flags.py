"""What may be wrong with what was placed or painted, and what the rater says to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_qsm.arrays import Array
from napari_qsm.rois.shape_checks import flags_of
from napari_qsm.rois.shapes import FixedShape, bounds_of
from napari_qsm.session.reading.opened import OpenedScan
from napari_qsm.session.reading.painting import PaintedRegions, without_doubles
from napari_qsm.session.reading.sides import Sides
from napari_qsm.study.readings import Reading

#: What is said to a flag by one key; words of one's own may be typed instead.
ANSWERS = ("looked at again: it belongs there", "no better place in this scan")


@dataclass(frozen=True)
class Flag:
    """Something about a placed shape that must be answered before the reading is handed in.

    Attributes
    ----------
    region_name : str
    words : str
        ``"only 8 voxels"``.
    answer : str
        What the rater says to it; empty until then.
    """

    region_name: str
    words: str
    answer: str = ""

    @property
    def key(self) -> str:
        """Under which the answer is kept."""
        return f"{self.region_name}: {self.words}"


class Flags:
    """Finds the flags of one scan; what is known of a shape is kept until it moves.

    Parameters
    ----------
    opened : OpenedScan
    sides : Sides
    painted : PaintedRegions
        As they are whenever flags are asked for.
    """

    def __init__(self, opened: OpenedScan, sides: Sides, painted: PaintedRegions) -> None:
        self._opened, self._sides, self._painted = opened, sides, painted
        self._known: dict[tuple[object, ...], list[str]] = {}
        self._boxes: dict[FixedShape, tuple[Array, Array]] = {}

    def of_reading(self, reading: Reading) -> list[Flag]:
        """Every flag of a reading, with its answer: of shapes, then of painted regions."""
        placed = {shape.region_name: shape for shape in reading.shapes}
        found: list[Flag] = []
        for name, shape in placed.items():
            # That two shapes share voxels is one thing, and is asked once.
            asked = tuple(f" with {flag.region_name}" for flag in found)
            for words in self.words(shape, placed):
                if not (words.startswith("shares ") and words.endswith(asked)):
                    found.append(Flag(name, words))
        found += [
            Flag(*pair) for pair in self._painted.all_flags({**self._opened.places, **placed})
        ]
        said = reading.record.answers
        return [Flag(flag.region_name, flag.words, said.get(flag.key, "")) for flag in found]

    def words(self, shape: FixedShape, placed: Mapping[str, FixedShape]) -> list[str]:
        """What may be wrong with one shape, beside those that are placed, by region."""
        low, high = self._box(shape)
        boxes = ((other, *self._box(other)) for other in placed.values())
        near = tuple(o for o, first, last in boxes if (first <= high).all() and (last >= low).all())
        midline = self._sides.midline_for(shape, placed, {**self._opened.places, **placed})
        key = (shape, near, midline)
        if key not in self._known:
            self._known[key] = self._find(shape, near, midline)
        shared = self._painted.shared(shape) if self._painted.is_wanted else []
        return [*self._known[key], *shared]

    def _box(self, shape: FixedShape) -> tuple[Array, Array]:
        box = self._boxes.get(shape)
        if box is None:
            box = self._boxes[shape] = bounds_of(shape, self._opened.chi)
        return box

    def _find(
        self, shape: FixedShape, others: Iterable[FixedShape], midline_mm: float
    ) -> list[str]:
        words = flags_of(
            shape,
            self._opened.chi,
            others=others,
            mask=self._opened.mask,
            frame=self._sides.frame,
            midline_mm=midline_mm,
        )
        return without_doubles(words)
