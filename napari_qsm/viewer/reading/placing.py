"""The mouse on a scan that is read: a click puts the region in hand there; and what is drawn."""

from __future__ import annotations

from collections.abc import Callable

from napari_qsm.anatomy import DRAWN_AXES, across_sign
from napari_qsm.arrays import Array
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.reading.area import SliceArea
from napari_qsm.viewer.regions.shape_drawing import Sections, patch_of

#: Of what is in hand, and of the other regions that are placed.
_IN_HAND, _OTHERS = "#ffd640", "#7fc4ff"


class Placing:
    """A tool of the views; what it draws of a scan's shapes.

    Parameters
    ----------
    area : SliceArea
    place : callable
        Given world mm where the region in hand shall lie.
    """

    def __init__(self, area: SliceArea, place: Callable[[Array], None]) -> None:
        self._area, self._place = area, place
        self._work: ReadingWork | None = None
        self._sections: Sections | None = None
        self._dragged: FixedShape | None = None
        self._active: SliceView = area.main
        area.entered.connect(self._on_entered)
        area.overlay_items.append(self.items)

    def dispose(self) -> None:
        """Let go of the views."""
        self._area.entered.disconnect(self._on_entered)
        self._area.overlay_items.remove(self.items)
        self._work = self._sections = None

    def activate(self, work: ReadingWork) -> None:
        """Work on another scan, which the views show already."""
        self._work, self._dragged = work, None
        frame = self._area.frame
        assert frame is not None
        self._sections = Sections(work.opened.chi, frame)
        self._area.use_tool(self)

    # -- the mouse ------------------------------------------------------------------------

    def press(self, view: SliceView, at: Array) -> None:
        """Show the shape under the pointer."""
        self._drag_to(at)

    def drag(self, view: SliceView, at: Array) -> None:
        """Let it follow."""
        self._drag_to(at)

    def release(self, view: SliceView, at: Array) -> None:
        """Put it there."""
        dragged, self._dragged = self._dragged, None
        frame = self._area.frame
        if dragged is not None and frame is not None:
            self._place(frame.display_to_world(at))

    def double_click(self, view: SliceView, at: Array) -> None:
        """The second click of two is a click."""
        self._drag_to(at)

    def _drag_to(self, at: Array) -> None:
        work, frame = self._work, self._area.frame
        if work is None or frame is None or work.is_submitted:
            return
        if not isinstance(work.step, Step):
            return
        held = work.held or work.step.shape
        x, y, z = (float(value) for value in frame.display_to_world(at))
        self._dragged = snap(held.but(centre_mm=(x, y, z)), work.opened.chi)
        self._area.repaint_all()

    # -- arrows ---------------------------------------------------------------------------

    @property
    def active(self) -> SliceView:
        """The view in whose plane arrows move: the one that the mouse was in last."""
        return self._active

    def voxels(self, right: int, up: int) -> tuple[int, int, int]:
        """Steps on the screen as voxels to the right, front and top of the head."""
        view = self._active
        across, upward = DRAWN_AXES[view.plane]
        steps = [0, 0, 0]
        steps[across] = right * across_sign(view.plane, view.radiological)
        steps[upward] = up
        return steps[0], steps[1], steps[2]

    def _on_entered(self, view: SliceView) -> None:
        self._active = view

    # -- what is drawn --------------------------------------------------------------------

    def items(self, view: SliceView) -> list[Patch]:
        """The region in hand, dashed while it is only suggested, and the others that are placed."""
        work, sections = self._work, self._sections
        if work is None or sections is None:
            return []
        held = self._dragged or work.looked_at
        name = "" if held is None else held.region_name
        out = []
        for shape in work.reading.shapes:
            if shape.region_name != name:
                out += self._patch(sections, view, shape, _OTHERS)
        if held is not None:
            dashed = self._dragged is None and work.suggestion is not None
            out += self._patch(sections, view, held, _IN_HAND, in_hand=True, dashed=dashed)
        return out

    def _patch(
        self,
        sections: Sections,
        view: SliceView,
        shape: FixedShape,
        colour: str,
        *,
        in_hand: bool = False,
        dashed: bool = False,
    ) -> list[Patch]:
        section = sections.of(shape, view.plane, view.depth_mm)
        if section is None:
            return []
        patch = patch_of(section, view, text=shape.region_name if in_hand else "")
        patch.colour, patch.bold, patch.dashed = colour, in_hand, dashed
        return [patch]
