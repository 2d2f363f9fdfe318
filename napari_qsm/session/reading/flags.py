"""What may be wrong with what was placed or painted, and what the rater says to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_qsm.rois.shape_checks import flags_of
from napari_qsm.rois.shapes import FixedShape
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


def flags_of_reading(
    reading: Reading, opened: OpenedScan, sides: Sides, painted: PaintedRegions
) -> list[Flag]:
    """Every flag of a reading, with its answer: those of shapes, then those of painted regions."""
    placed = {shape.region_name: shape for shape in reading.shapes}
    found: list[Flag] = []
    for shape in reading.shapes:
        # That two shapes share voxels is one thing, and is asked once.
        asked = tuple(f" with {flag.region_name}" for flag in found)
        for words in words_for(shape, placed, opened, sides, painted):
            if not (words.startswith("shares ") and words.endswith(asked)):
                found.append(Flag(shape.region_name, words))
    found += [Flag(*pair) for pair in painted.all_flags({**opened.places, **placed})]
    said = reading.record.answers
    return [Flag(flag.region_name, flag.words, said.get(flag.key, "")) for flag in found]


def words_for(
    shape: FixedShape,
    placed: Mapping[str, FixedShape],
    opened: OpenedScan,
    sides: Sides,
    painted: PaintedRegions,
) -> list[str]:
    """What may be wrong with one shape among those that are placed, in words."""
    words = flags_of(
        shape,
        opened.chi,
        others=placed.values(),
        mask=opened.mask,
        frame=sides.frame,
        midline_mm=sides.midline_for(shape, placed, {**opened.places, **placed}),
    )
    return [*without_doubles(words), *painted.shared(shape)]
