"""One scan being read: region after region, each placed, or said not to be visible, and kept."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from psygnal import Signal

from napari_qsm.anatomy import Vector
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shape_changes import nudged
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.reading.flags import Flag
from napari_qsm.session.reading.standing import Standing
from napari_qsm.study.painted import PaintedStep
from napari_qsm.study.readings import ReadingRecord

#: Why a region may not be visible; the last one needs words.
REASONS = ("not covered", "artefact", "lesion", "other")


class ReadingWork(Standing):
    """The rater's way through one scan; every act is on the disk before it is shown.

    Parameters
    ----------
    opened : OpenedScan

    Attributes
    ----------
    opened : OpenedScan
    steps : tuple of Step or PaintedStep
    at : int
        The region in hand; the number of regions once all are done.
    reading : Reading
        As it is kept.
    painted : PaintedRegions
        Its label map.

    Notes
    -----
    Acts raise a QsmError where they cannot be done, or not be written; then nothing has changed.
    """

    #: Something that a window shows is another one now.
    changed = Signal()
    #: Another region is in hand.
    moved_on = Signal()

    def take(self) -> None:
        """Take the shape or contour that is shown, placed or suggested, and go on."""
        step = self._in_hand()
        if isinstance(step, PaintedStep):
            if not self.take_contour() and self.state_of(step) == "waiting":
                raise QsmError(
                    f"Nothing is painted of {step.region_name}: draw it with the left button, or press N "
                    "if it is not visible."
                )
        elif self.state_of(step) == "waiting":
            suggestion = self.suggestion
            if suggestion is None:
                raise QsmError(
                    f"Nothing is suggested for {step.region_name}: click where it lies, or press N if "
                    "it is not visible."
                )
            self._keep({**self.shapes, step.region_name: suggestion.shape}, self.reading.record)
        self.forward()

    def take_contour(self) -> bool:
        """Begin the region in hand with its first contour; returns whether there was one to take."""
        step = self._in_hand()
        if not isinstance(step, PaintedStep) or self.state_of(step) != "waiting":
            return False
        values = self.painted.with_contour(step)
        if values is not None:
            self.paint(values)
        return values is not None

    def paint(self, values: Array) -> None:
        """Keep other labels of the painted regions.

        Parameters
        ----------
        values : ndarray of int, shape (x, y, z)
            On the grid of ``opened.chi``; labels as in ``painted.numbers``.
        """
        self._check_open()
        self._keep(self.shapes, self.reading.record, values)
        self.changed.emit()

    def place(self, world_mm: Vector) -> None:
        """Put the region in hand with its centre at a point, RAS mm; it stays in hand."""
        step = self._shape_in_hand()
        x, y, z = (float(value) for value in world_mm)
        held = self.held
        shape = (held or step.shape).but(centre_mm=(x, y, z))
        placed = self.shape
        self._put(step, shape.but(id=placed.id if placed else uuid4().hex))

    def nudge(self, steps: tuple[int, int, int]) -> None:
        """Move the shape that is shown by whole voxels to the right, front and top."""
        step = self._shape_in_hand()
        held = self.held
        if held is None:
            raise QsmError(f"Click where {step.region_name} lies first; arrows then move it.")
        self._put(step, nudged(held, self.opened.chi, steps))

    def withdraw(self) -> None:
        """Take back what was placed or said of the region in hand."""
        step = self._in_hand()
        shapes = {name: shape for name, shape in self.shapes.items() if name != step.region_name}
        self._keep(shapes, self._without_reason(step), self._without_paint(step))
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
        record = self.reading.record.model_copy(update={"not_visible": said})
        self._keep(shapes, record, self._without_paint(step))
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

    def answer(self, flag: Flag, words: str) -> None:
        """Say something to a flag."""
        if not words.strip():
            raise QsmError(f"Say a few words to '{flag.key}', or put the shape elsewhere.")
        answers = {**self.reading.record.answers, flag.key: words.strip()}
        self._keep(self.shapes, self.reading.record.model_copy(update={"answers": answers}))
        self.changed.emit()

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
        self.painted.take(self.reading)
        self._go(self._next_waiting(-1))

    # -- inside ---------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.is_submitted:
            raise QsmError(f"{self.code} was handed in; a change of it needs a reason.")
        if self.opened.stale:
            raise QsmError(
                f"The map of {self.code} is another one than the one that was read; begin it anew."
            )

    def _in_hand(self) -> Step | PaintedStep:
        self._check_open()
        if self.step is None:
            raise QsmError("All regions are done; choose one in the list to change it.")
        return self.step

    def _shape_in_hand(self) -> Step:
        step = self._in_hand()
        if isinstance(step, PaintedStep):
            raise QsmError(f"{step.region_name} is painted: draw it with the left button.")
        return step

    def _put(self, step: Step, shape: FixedShape) -> None:
        placed = snap(shape, self.opened.chi)
        self._keep({**self.shapes, step.region_name: placed}, self._without_reason(step))
        self.changed.emit()

    def _without_paint(self, step: Step | PaintedStep) -> Array | None:
        return self.painted.without(step) if isinstance(step, PaintedStep) else None

    def _without_reason(self, step: Step | PaintedStep) -> ReadingRecord:
        said = dict(self.reading.record.not_visible)
        said.pop(step.region_name, None)
        return self.reading.record.model_copy(update={"not_visible": said})

    def _keep(
        self, shapes: dict[str, FixedShape], record: ReadingRecord, labels: Array | None = None
    ) -> None:
        """Write first: what cannot be kept is not shown as done."""
        order = [step.region_name for step in self.steps if step.region_name in shapes]
        kept = replace(self.reading, shapes=tuple(shapes[name] for name in order), record=record)
        if labels is not None:
            kept = self.opened.file.repainted(kept, self.opened.chi.with_data(labels))
        self.opened.file.save(kept)
        self.reading = kept
        if labels is not None:
            self.painted.take(kept)

    def _go(self, at: int) -> None:
        self.at = at
        self.moved_on.emit()
        self.changed.emit()
