"""How far a reading of one scan is, and what is suggested for the region in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_qsm.arrays import Array
from napari_qsm.rois.guided import Step
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session.reading.flags import Flag, Flags
from napari_qsm.session.reading.opened import OpenedScan
from napari_qsm.session.reading.painting import PaintedRegions
from napari_qsm.session.reading.sides import Sides
from napari_qsm.study.painted import PaintedStep
from napari_qsm.study.readings import Reading

State = Literal["waiting", "placed", "not visible"]
Source = Literal["suggested", "mirrored"]


@dataclass(frozen=True)
class Suggestion:
    """A place to start from.

    Attributes
    ----------
    shape : FixedShape
    source : {"suggested", "mirrored"}
        Not told is whether an atlas or another visit suggests it: that would tell the visit.
    """

    shape: FixedShape
    source: Source


class Standing:
    """Where the rater stands in one scan; acts are in :class:`~.work.ReadingWork`.

    Parameters
    ----------
    opened : OpenedScan
    """

    def __init__(self, opened: OpenedScan) -> None:
        self.opened = opened
        self.steps = opened.steps
        self.reading = opened.reading
        self._sides = Sides(opened.chi, opened.mask)
        self.painted = PaintedRegions(opened, self._sides)
        self._finder = Flags(opened, self._sides, self.painted)
        self._mirrored: dict[str, tuple[FixedShape, FixedShape]] = {}
        self._flags: tuple[Reading, list[Flag]] | None = None
        self.at = self._next_waiting(-1)

    @property
    def code(self) -> str:
        """Of the scan."""
        return self.opened.code

    @property
    def step(self) -> Step | PaintedStep | None:
        """The region in hand; None once all are done."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def shapes(self) -> dict[str, FixedShape]:
        """What is placed, by region."""
        return {shape.region_name: shape for shape in self.reading.shapes}

    @property
    def shape(self) -> FixedShape | None:
        """What is placed for the region in hand."""
        return None if self.step is None else self.shapes.get(self.step.region_name)

    @property
    def held(self) -> FixedShape | None:
        """What is shown for the region in hand: placed, or else suggested."""
        suggestion = self.suggestion
        return self.shape if suggestion is None else suggestion.shape

    @property
    def looked_at(self) -> FixedShape | None:
        """What a view goes to: the shape in hand; at the end, that of the first flag."""
        flags = self.unanswered if self.step is None else []
        return self.shapes.get(flags[0].region_name) if flags else self.held

    @property
    def middle_mm(self) -> Array | None:
        """What a view goes to where no shape is in hand: the middle of what is painted, RAS mm."""
        names = [flag.region_name for flag in self.unanswered] if self.step is None else []
        steps = [self.step] if self.step else [s for s in self.steps if s.region_name in names[:1]]
        step = steps[0] if steps else None
        return self.painted.middle_mm(step) if isinstance(step, PaintedStep) else None

    @property
    def can_take(self) -> bool:
        """Whether there is something that Enter takes or leaves as it is."""
        step = self.step
        if isinstance(step, PaintedStep) and self.state_of(step) == "waiting":
            return self.painted.with_contour(step) is not None
        return step is not None and (self.held is not None or self.state_of(step) != "waiting")

    @property
    def suggestion(self) -> Suggestion | None:
        """Where the region in hand may lie; None once it is placed, or where nothing tells."""
        step = self.step
        if not isinstance(step, Step) or self.state_of(step) != "waiting":
            return None
        return self._suggestion_of(step)

    def state_of(self, step: Step | PaintedStep) -> State:
        """How far a region is."""
        if step.region_name in self.reading.record.not_visible:
            return "not visible"
        done = step.region_name in self.shapes or step.region_name in self.reading.record.painted
        return "placed" if done else "waiting"

    def reason_of(self, step: Step | PaintedStep) -> str:
        """Why a region is not visible; empty for others."""
        return self.reading.record.not_visible.get(step.region_name, "")

    @property
    def done(self) -> int:
        """How many regions are placed or said not to be visible."""
        return sum(self.state_of(step) != "waiting" for step in self.steps)

    @property
    def is_submitted(self) -> bool:
        """Whether it is frozen."""
        return self.reading.record.state == "submitted" and not self.opened.file.amending

    def flags(self) -> list[Flag]:
        """What may be wrong with the shapes, in the order of the regions, with answers."""
        if self._flags is None or self._flags[0] is not self.reading:
            self._flags = (self.reading, self._finder.of_reading(self.reading))
        return self._flags[1]

    def flags_in_hand(self) -> list[str]:
        """What may be wrong with the region in hand, placed, suggested or painted."""
        held, step = self.held, self.step
        if isinstance(step, PaintedStep):
            return [flag.words for flag in self.flags() if flag.region_name == step.region_name]
        return [] if held is None else self._finder.words(held, self.shapes)

    @property
    def unanswered(self) -> list[Flag]:
        """Flags that nobody has answered yet."""
        return [flag for flag in self.flags() if not flag.answer]

    def missing(self) -> str:
        """What is still to be done before the reading can be handed in; empty for nothing."""
        waiting = [step.region_name for step in self.steps if self.state_of(step) == "waiting"]
        if waiting:
            more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
            how = "placed or painted" if self.painted.is_wanted else "placed"
            return f"{', '.join(waiting[:3])}{more} must be {how}, or said not to be visible."
        left = len(self.unanswered)
        if left:
            return f"{left} flag{'s are' if left > 1 else ' is'} to be answered."
        return ""

    def _next_waiting(self, after: int) -> int:
        count = len(self.steps)
        order = [*range(after + 1, count), *range(min(after + 1, count))]
        return next((i for i in order if self.state_of(self.steps[i]) == "waiting"), count)

    def _suggestion_of(self, step: Step) -> Suggestion | None:
        known = self.opened.places.get(step.region_name)
        if known is not None:
            return Suggestion(known, "suggested")
        partner = self.shapes.get(other_side_name(step.region_name)) if step.side else None
        if partner is None or not self.opened.mirrors:
            return None
        made = self._mirrored.get(step.region_name)
        if made is None or made[0] is not partner:
            shape = self._sides.mirrored(partner, {**self.opened.places, **self.shapes})
            made = self._mirrored[step.region_name] = (partner, shape)
        return Suggestion(made[1], "mirrored")
