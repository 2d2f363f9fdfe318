"""Drawing, choosing and moving marks with the mouse on a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, triple
from napari_qsm.arrays import Array
from napari_qsm.figures.annotations import Annotation, AnnotationKind, Point
from napari_qsm.session import Case, Session
from napari_qsm.session.figure.marks import moved_end, set_marks
from napari_qsm.viewer.figure.drawn_marks import DrawnMark, drawn_marks

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.canvas.slice_view import SliceView

#: Pixels within which the mouse is on a mark, and of a drag that counts as one.
_NEAR = 9.0
_DRAG = 4.0


class MarkTool:
    """Takes the left button: drag to draw; click to choose; drag the chosen one to move it.

    Parameters
    ----------
    controller : Controller
        Views.
    session : Session
        Holds the marks.
    new : callable
        Gives the fields of a new mark: its kind, colour, width, words.
    chosen_changed : callable
        Called when another mark is chosen, or none.
    """

    def __init__(
        self,
        controller: Controller,
        session: Session,
        new: Callable[[], dict[str, Any]],
        chosen_changed: Callable[[], None],
    ) -> None:
        self._controller = controller
        self._session = session
        self._new = new
        self._chosen_changed = chosen_changed
        self.chosen = ""
        self.shown = True
        self._live: Annotation | None = None
        self._grip = ""
        self._start: Array | None = None
        self._view: SliceView | None = None

    @property
    def mark(self) -> Annotation | None:
        """The chosen mark."""
        marks = (m for case in self._session.cases for m in case.annotations)
        return next((m for m in marks if m.id == self.chosen), None)

    def choose(self, key: str) -> None:
        """Choose a mark by its id; none if empty."""
        self.chosen = key
        self._chosen_changed()
        self._controller.repaint_all()

    # -- the mouse ------------------------------------------------------------------------

    def press(self, view: SliceView, at: Array) -> None:
        """Take hold of the chosen mark, or begin a new one."""
        self._view, self._start, self._live = view, np.array(at), None
        self._grip = "new"
        mark = self.mark
        if mark is not None and mark in self._on(view):
            self._grip = (
                drawn_marks(view, self._frame, [mark])[0].grip_at(view.camera().to_pixel(at), _NEAR)
                or "new"
            )

    def drag(self, view: SliceView, at: Array) -> None:
        """Draw, move or stretch."""
        if self._start is None or view is not self._view:
            return
        if self._live is None and self._pixels(view, at) < _DRAG:
            return
        self._live = self._made(view, at)
        self._controller.repaint_all()

    def release(self, view: SliceView, at: Array) -> None:
        """Keep what was drawn as one undo; a click chooses."""
        live, grip, start = self._live, self._grip, self._start
        self._live = self._start = self._view = None
        if live is not None:
            case = self._case(view)
            if grip == "new":
                set_marks(self._session, case, f"new {live.kind}", [*case.annotations, live])
            else:
                marks = [live if m.id == live.id else m for m in case.annotations]
                set_marks(self._session, case, f"{live.kind} moved", marks)
            self.choose(live.id)
        elif start is not None:
            self._click(view, at)
        self._controller.repaint_all()

    def _click(self, view: SliceView, at: Array) -> None:
        pixel = view.camera().to_pixel(at)
        for drawn in reversed(drawn_marks(view, self._frame, self._on(view))):
            if drawn.grip_at(pixel, _NEAR):
                self.choose(drawn.mark.id)
                return
        fields = self._new()
        if fields["kind"] != "text":
            self.choose("")
            return
        mark = Annotation(plane=view.plane, at_mm=self._world(at), **fields)
        case = self._case(view)
        set_marks(self._session, case, "new text", [*case.annotations, mark])
        self.choose(mark.id)

    def key(self, view: SliceView, event: QKeyEvent) -> Callable[[], None] | None:
        """Delete takes the chosen mark away; Escape lets go of it."""
        if not self.chosen:
            return None
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self.delete
        if event.key() == Qt.Key.Key_Escape:
            return lambda: self.choose("")
        return None

    def delete(self) -> None:
        """Take the chosen mark away."""
        mark = self.mark
        for case in self._session.cases:
            if mark is not None and mark in case.annotations:
                kept = [m for m in case.annotations if m.id != mark.id]
                set_marks(self._session, case, f"{mark.kind} deleted", kept)
        self.choose("")

    def restyle(self, **changes: Any) -> None:
        """Change colour, width or words of the chosen mark."""
        mark = self.mark
        if mark is None:
            return
        after = mark.restyled(**changes)
        for case in self._session.cases if after != mark else ():
            if mark in case.annotations:
                marks = [after if m.id == mark.id else m for m in case.annotations]
                set_marks(self._session, case, f"{mark.kind} changed", marks)

    # -- what a view draws ----------------------------------------------------------------

    def drawn(self, view: SliceView) -> list[DrawnMark]:
        """The marks of the slice that a view shows."""
        if not self.shown or view.is_3d or self._controller.frame is None:
            return []
        marks = self._on(view)
        live = self._live
        if live is not None:
            marks = [m for m in marks if m.id != live.id]
            if live.plane == view.plane and view is self._view:
                marks.append(live)
        chosen = live.id if live is not None else self.chosen
        return drawn_marks(view, self._frame, marks, chosen, live is not None)

    # -- inside ---------------------------------------------------------------------------

    @property
    def _frame(self) -> Any:
        return self._controller.frame

    def _case(self, view: SliceView) -> Case:
        """Whose head a view shows."""
        entry = self._controller.shown_in(view)
        return self._session.case_of(entry) if entry is not None else self._session.case

    def _on(self, view: SliceView) -> list[Annotation]:
        """The marks on the slice of a view."""
        frame = self._frame
        axis = DEPTH_AXIS[view.plane]
        half = frame.size_mm[axis] / 2 + 1e-6
        return [
            mark
            for mark in self._case(view).annotations
            if mark.plane == view.plane
            and abs(frame.world_to_display(mark.at_mm)[axis] - view.depth_mm) <= half
        ]

    def _pixels(self, view: SliceView, at: Array) -> float:
        assert self._start is not None
        a, b = view.camera().to_pixel(self._start), view.camera().to_pixel(at)
        return float(np.hypot(a[0] - b[0], a[1] - b[1]))

    def _world(self, display: Array) -> Point:
        x, y, z = triple(np.round(self._frame.display_to_world(display), 2) + 0.0)
        return x, y, z

    def _made(self, view: SliceView, at: Array) -> Annotation:
        """The mark as the mouse has it now."""
        assert self._start is not None
        mark = self.mark
        axes = list(DRAWN_AXES[view.plane])
        if self._grip == "new" or mark is None:
            return self._new_mark(view, at)
        if self._grip == "body":
            by = np.subtract(
                self._frame.display_to_world(at), self._frame.display_to_world(self._start)
            )
            x, y, z = triple(np.round(by, 2))
            return mark.moved((x, y, z))
        middle = self._frame.world_to_display(mark.at_mm)
        across, up = (max(round(float(abs(at[a] - middle[a])), 2), 0.1) for a in axes)
        if mark.kind == "circle":
            across = up = max(round(float(np.hypot(*(at[axes] - middle[axes]))), 2), 0.1)
        elif mark.radii_mm is not None and self._grip == "rim":
            # The rim is held at its side: the other half axis stays unless pulled as well.
            up = up if up > 0.2 * mark.radii_mm[1] else mark.radii_mm[1]
        to = self._world(at)
        if to in (mark.at_mm, mark.to_mm):
            return mark
        return moved_end(mark, self._grip, to, (across, up))

    def _new_mark(self, view: SliceView, at: Array) -> Annotation:
        assert self._start is not None
        fields = self._new()
        kind: AnnotationKind = fields["kind"]
        key = self._live.id if self._live is not None else None
        if key is not None:
            fields["id"] = key
        start, end = self._world(self._start), self._world(at)
        axes = list(DRAWN_AXES[view.plane])
        away = np.abs(at[axes] - self._start[axes])
        if kind == "arrow":  # drawn from its tail to its tip
            fields |= {"at_mm": end, "to_mm": start}
        elif kind == "line":
            fields |= {"at_mm": start, "to_mm": end}
        elif kind == "circle":
            radius = max(round(float(np.hypot(*away)), 2), 0.1)
            fields |= {"at_mm": start, "radii_mm": (radius, radius)}
        elif kind == "ellipse":
            across, up = (max(round(float(a), 2), 0.1) for a in away)
            fields |= {"at_mm": start, "radii_mm": (across, up)}
        else:
            fields |= {"at_mm": end}
        return Annotation(plane=view.plane, **fields)
