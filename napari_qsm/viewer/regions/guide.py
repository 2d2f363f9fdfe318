"""Working through a list of regions, one shape after the other. Knows no Qt."""

from __future__ import annotations

from psygnal import Signal

from napari_qsm.rois.guided import GuidedPreset, Step
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.viewer.regions.shape_work import ShapeWork


class Guide:
    """Says what to place next and what is missing.

    The next step is the first whose region has no shape yet and that was not skipped; undoing
    a placement so brings its step back.

    Attributes
    ----------
    preset : GuidedPreset or None
        The list that is worked through.
    """

    changed = Signal()

    def __init__(self, work: ShapeWork) -> None:
        self._work = work
        self.preset: GuidedPreset | None = None
        self._skipped: set[str] = set()
        self._asked: str = ""
        self._shown: str | None = None
        self._before: FixedShape | None = None
        work.rows_changed.connect(self._on_rows)
        work.placed.connect(self._on_placed)

    def dispose(self) -> None:
        """Stop listening."""
        self._work.rows_changed.disconnect(self._on_rows)
        self._work.placed.disconnect(self._on_placed)

    def start(self, preset: GuidedPreset) -> None:
        """Begin with the first region that has no shape yet."""
        if self.preset is None:
            self._before = self._work.template
        self.preset = preset
        self._skipped.clear()
        self._asked, self._shown = "", None
        self._work.free_plane = False
        self._update()

    def stop(self) -> None:
        """Back to placing freely."""
        if self.preset is None:
            return
        self.preset = None
        self._work.free_plane, self._work.placing = True, True
        if self._before is not None:
            self._work.set_template(**dict(self._before))
        self.changed.emit()

    @property
    def step(self) -> Step | None:
        """What to place now; None once the list is through."""
        if self.preset is None:
            return None
        if self._asked:
            return next((s for s in self.preset.steps if s.region_name == self._asked), None)
        open_steps = (s for s in self.missing if s.region_name not in self._skipped)
        return next(open_steps, None)

    @property
    def missing(self) -> list[Step]:
        """Steps without a shape, skipped ones too."""
        if self.preset is None:
            return []
        return self.preset.missing(self._work.shapes)

    @property
    def progress(self) -> str:
        """Where in the list: "4 of 26"."""
        step = self.step
        if self.preset is None or step is None:
            return ""
        return f"{self.preset.steps.index(step) + 1} of {len(self.preset.steps)}"

    @property
    def words(self) -> str:
        """What to do now, or what is missing at the end."""
        if self.preset is None:
            return ""
        step = self.step
        if step is not None:
            again = "" if step in self.missing else " (placed; click to put it elsewhere)"
            return f"Now: {step.words}{again}"
        missing = self.missing
        if not missing:
            return f"Done: all {len(self.preset.steps)} shapes are placed."
        names = ", ".join(s.region_name for s in missing)
        return f"Still missing ({len(missing)} of {len(self.preset.steps)}): {names}."

    def skip(self) -> None:
        """Leave this region out for now."""
        step = self.step
        if step is not None:
            self._skipped.add(step.region_name)
            self._asked = ""
            self._update()

    def back(self) -> None:
        """The step before this one, whether it has its shape or not."""
        if self.preset is None:
            return
        steps, step = self.preset.steps, self.step
        at = len(steps) if step is None else steps.index(step)
        if at > 0:
            self._asked = steps[at - 1].region_name
            self._skipped.discard(self._asked)
            self._update()

    def again(self) -> None:
        """Go through what was left out."""
        self._skipped.clear()
        self._asked = ""
        self._update()

    def _on_placed(self, shape: FixedShape) -> None:
        if self.preset is not None and shape.region_name == self._asked:
            self._asked = ""
        self._update()

    def _on_rows(self) -> None:
        if self.preset is not None:
            self._update()

    def _update(self) -> None:
        """Put the step's shape in hand."""
        if self.preset is None:
            return
        step = self.step
        name = step.region_name if step is not None else ""
        if name != self._shown:
            self._shown = name
            self._work.placing = step is not None
            if step is not None:
                self._work.set_template(
                    **{
                        **dict(step.shape),
                        **self._work.region_fields(step.region_name, 0, step.side),
                        "region_name": step.region_name,
                    }
                )
            else:
                self._work.ghost = None
        self.changed.emit()
