"""In whose head a view looks, and where points lie in it: of visits side by side, each in its own."""

from __future__ import annotations

import numpy.typing as npt

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.arrays import Array
from napari_qsm.session import Session
from napari_qsm.session.visits import at_visit, from_visit, links_on_show
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.volume import Volume


class Heads:
    """The frames that views and entries are laid out in.

    Parameters
    ----------
    session : Session
    views : list of SliceView
        The large one first; it is kept up by whoever made it.
    """

    def __init__(self, session: Session, views: list[SliceView]) -> None:
        self._session, self._views = session, views
        self._frames: dict[str, DisplayFrame] = {}  # by case; kept: asked for at every turn

    @property
    def frame(self) -> DisplayFrame | None:
        """The frame of the active case, in which its views are laid out."""
        return self._frame(self._session.active_case, self._session.reference)

    def _frame(self, case: str, reference: Volume | None) -> DisplayFrame | None:
        if reference is None:
            return None
        known = self._frames.get(case)
        if known is None or known.reference is not reference:
            known = self._frames[case] = DisplayFrame(reference)
        return known

    def case_in(self, view: SliceView) -> str:
        """Id of the case whose head a view shows."""
        session = self._session
        if links_on_show(session) and view in self._views[: len(session.compared)]:
            entry = session.entry(session.compared[self._views.index(view)])
            if entry is not None:
                return entry.case
        return session.active_case

    def is_worked_on(self, view: SliceView) -> bool:
        """Whether a view shows the active case, in whose frame tools and marks think."""
        return self.case_in(view) == self._session.active_case

    @property
    def worked_view(self) -> SliceView:
        """The first view that shows the active case."""
        return next((view for view in self._views if self.is_worked_on(view)), self._views[0])

    def frame_in(self, view: SliceView) -> DisplayFrame | None:
        """The frame that a view is laid out in."""
        return self.frame_of(self.case_in(view))

    def frame_of(self, case: str) -> DisplayFrame | None:
        """The frame that entries of a case are drawn in: its own among visits side by side."""
        found = self._session.study.case(case)
        if found is None or case not in links_on_show(self._session) or found.reference is None:
            return self.frame
        return self._frame(case, found.reference)

    def to_world(self, view: SliceView, display: Array) -> Array | None:
        """Where a display position of a view lies in the active case, RAS mm."""
        frame = self.frame_in(view)
        if frame is None:
            return None
        return from_visit(self._session, frame.display_to_world(display), self.case_in(view))

    def to_display(self, view: SliceView, world_mm: npt.ArrayLike) -> Array | None:
        """Where a point of the active case lies in a view."""
        frame = self.frame_in(view)
        if frame is None:
            return None
        return frame.world_to_display(at_visit(self._session, world_mm, self.case_in(view)))
