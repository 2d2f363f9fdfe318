"""One scan being read: region after region, each placed, or said not to be visible, and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from uuid import uuid4

from psygnal import Signal

from napari_qsm.anatomy import Vector
from napari_qsm.errors import QsmError
from napari_qsm.rois.guided import Step
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.rois.shape_changes import nudged
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.reading.flags import Flag, flags_of_reading, words_for
from napari_qsm.session.reading.opened import OpenedScan
from napari_qsm.session.reading.sides import Sides
from napari_qsm.study.readings import Reading, ReadingRecord

State = Literal["waiting", "placed", "not visible"]
Source = Literal["suggested", "mirrored"]
#: Why a region may not be visible; the last one needs words.
REASONS = ("not covered", "artefact", "lesion", "other")


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


class ReadingWork:
    """The rater's way through one scan; every act is on the disk before it is shown.

    Parameters
    ----------
    opened : OpenedScan

    Attributes
    ----------
    opened : OpenedScan
    steps : tuple of Step
    at : int
        The region in hand; the number of regions once all are done.
    reading : Reading
        As it is kept.

    Notes
    -----
    Acts raise a QsmError where they cannot be done, or not be written; then nothing has changed.
    """

    #: Something that a window shows is another one now.
    changed = Signal()
    #: Another region is in hand.
    moved_on = Signal()

    def __init__(self, opened: OpenedScan) -> None:
        self.opened = opened
        self.steps = opened.steps
        self.reading = opened.reading
        self._sides = Sides(opened.chi, opened.mask)
        self._mirrored: dict[str, tuple[FixedShape, FixedShape]] = {}
        self._flags: tuple[Reading, list[Flag]] | None = None
        self.at = self._next_waiting(-1)

    # -- where it stands ------------------------------------------------------------------

    @property
    def code(self) -> str:
        """Of the scan."""
        return self.opened.code

    @property
    def step(self) -> Step | None:
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
    def suggestion(self) -> Suggestion | None:
        """Where the region in hand may lie; None once it is placed, or where nothing tells."""
        step = self.step
        if step is None or self.state_of(step) != "waiting":
            return None
        return self._suggestion_of(step)

    def state_of(self, step: Step) -> State:
        """How far a region is."""
        if step.region_name in self.reading.record.not_visible:
            return "not visible"
        return "placed" if step.region_name in self.shapes else "waiting"

    def reason_of(self, step: Step) -> str:
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

    # -- acts -----------------------------------------------------------------------------

    def take(self) -> None:
        """Take the shape that is shown, placed or suggested, and go on."""
        step = self._in_hand()
        if self.state_of(step) == "waiting":
            suggestion = self.suggestion
            if suggestion is None:
                raise QsmError(
                    f"Nothing is suggested for {step.region_name}: click where it lies, or press N if "
                    "it is not visible."
                )
            self._keep({**self.shapes, step.region_name: suggestion.shape}, self.reading.record)
        self.forward()

    def place(self, world_mm: Vector) -> None:
        """Put the region in hand with its centre at a point, RAS mm; it stays in hand."""
        step = self._in_hand()
        x, y, z = (float(value) for value in world_mm)
        held = self.held
        shape = (held or step.shape).but(centre_mm=(x, y, z))
        placed = self.shape
        self._put(step, shape.but(id=placed.id if placed else uuid4().hex))

    def nudge(self, steps: tuple[int, int, int]) -> None:
        """Move the shape that is shown by whole voxels to the right, front and top."""
        step = self._in_hand()
        held = self.held
        if held is None:
            raise QsmError(f"Click where {step.region_name} lies first; arrows then move it.")
        self._put(step, nudged(held, self.opened.chi, steps))

    def withdraw(self) -> None:
        """Take back what was placed or said of the region in hand."""
        step = self._in_hand()
        shapes = {name: shape for name, shape in self.shapes.items() if name != step.region_name}
        self._keep(shapes, self._without_reason(step))
        self.changed.emit()

    def not_visible(self, reason: str, words: str = "") -> None:
        """Say why the region in hand cannot be placed, and go on.

        Parameters
        ----------
        reason : str
            One of :data:`REASONS`.
        words : str
            What else it is, for ``"other"``.
        """
        step = self._in_hand()
        if reason not in REASONS:
            raise QsmError(f"A region is not visible for one of: {', '.join(REASONS)}.")
        words = words.strip()
        if reason == "other" and not words:
            raise QsmError(f"Say in a few words why {step.region_name} is not visible.")
        shapes = {name: shape for name, shape in self.shapes.items() if name != step.region_name}
        said = {**self.reading.record.not_visible, step.region_name: f"{reason}: {words}"}
        if not words:
            said[step.region_name] = reason
        self._keep(shapes, self.reading.record.model_copy(update={"not_visible": said}))
        self.forward()

    def forward(self) -> None:
        """The next region that is not done, from here on and then from the start."""
        self._go(self._next_waiting(self.at))

    def back(self) -> None:
        """The region before this one, done or not."""
        self._go(max(self.at - 1, 0))

    def go_to(self, region_name: str) -> None:
        """A region of the list, done or not."""
        self._go(next(i for i, s in enumerate(self.steps) if s.region_name == region_name))

    # -- flags, and handing in ------------------------------------------------------------

    def flags(self) -> list[Flag]:
        """What may be wrong with the shapes, in the order of the regions, with answers."""
        if self._flags is None or self._flags[0] is not self.reading:
            self._flags = (self.reading, flags_of_reading(self.reading, self.opened, self._sides))
        return self._flags[1]

    def flags_in_hand(self) -> list[str]:
        """What may be wrong with the shape of the region in hand, placed or suggested."""
        held = self.held
        return [] if held is None else words_for(held, self.shapes, self.opened, self._sides)

    @property
    def unanswered(self) -> list[Flag]:
        """Flags that nobody has answered yet."""
        return [flag for flag in self.flags() if not flag.answer]

    def answer(self, flag: Flag, words: str) -> None:
        """Say something to a flag."""
        if not words.strip():
            raise QsmError(f"Say a few words to '{flag.key}', or put the shape elsewhere.")
        answers = {**self.reading.record.answers, flag.key: words.strip()}
        self._keep(self.shapes, self.reading.record.model_copy(update={"answers": answers}))
        self.changed.emit()

    def missing(self) -> str:
        """What is still to be done before the reading can be handed in; empty for nothing."""
        waiting = [step.region_name for step in self.steps if self.state_of(step) == "waiting"]
        if waiting:
            more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
            return f"{', '.join(waiting[:3])}{more} must be placed, or said not to be visible."
        left = len(self.unanswered)
        if left:
            return f"{left} flag{'s are' if left > 1 else ' is'} to be answered."
        return ""

    def submit(self, reason: str = "") -> None:
        """Hand the reading in; it is frozen then.

        Parameters
        ----------
        reason : str
            Why a reading that was handed in before is changed.
        """
        lacking = self.missing()
        if lacking:
            raise QsmError(f"{self.code} cannot be handed in yet: {lacking}")
        keys = {flag.key for flag in self.flags()}
        answers = {key: said for key, said in self.reading.record.answers.items() if key in keys}
        record = self.reading.record.model_copy(update={"answers": answers})
        self.reading = self.opened.file.submit(replace(self.reading, record=record), reason)
        self.changed.emit()

    def begin_anew(self) -> None:
        """Start again on a map that is another one than the one that was read."""
        self.reading = self.opened.file.begin_anew(self.reading)
        self.opened = replace(self.opened, reading=self.reading, stale=False)
        self._go(self._next_waiting(-1))

    # -- inside ---------------------------------------------------------------------------

    def _in_hand(self) -> Step:
        if self.is_submitted:
            raise QsmError(f"{self.code} was handed in; a change of it needs a reason.")
        if self.opened.stale:
            raise QsmError(
                f"The map of {self.code} is another one than the one that was read; begin it anew."
            )
        if self.step is None:
            raise QsmError("All regions are done; choose one in the list to change it.")
        return self.step

    def _put(self, step: Step, shape: FixedShape) -> None:
        placed = snap(shape, self.opened.chi)
        self._keep({**self.shapes, step.region_name: placed}, self._without_reason(step))
        self.changed.emit()

    def _without_reason(self, step: Step) -> ReadingRecord:
        said = dict(self.reading.record.not_visible)
        said.pop(step.region_name, None)
        return self.reading.record.model_copy(update={"not_visible": said})

    def _keep(self, shapes: dict[str, FixedShape], record: ReadingRecord) -> None:
        """Write first: what cannot be kept is not shown as done."""
        order = [step.region_name for step in self.steps if step.region_name in shapes]
        kept = replace(self.reading, shapes=tuple(shapes[name] for name in order), record=record)
        self.opened.file.save(kept)
        self.reading = kept

    def _next_waiting(self, after: int) -> int:
        count = len(self.steps)
        order = [*range(after + 1, count), *range(min(after + 1, count))]
        return next((i for i in order if self.state_of(self.steps[i]) == "waiting"), count)

    def _go(self, at: int) -> None:
        self.at = at
        self.moved_on.emit()
        self.changed.emit()

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
