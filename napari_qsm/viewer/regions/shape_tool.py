"""The mouse and the keys on fixed shapes: click places, drag moves, arrows nudge, wheel turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, across_sign
from napari_qsm.arrays import Array
from napari_qsm.rois.shapes import TURNABLE, FixedShape, bounds_of, indices_of
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.regions.shape_drawing import Section, Sections, patch_of
from napari_qsm.viewer.regions.shape_work import ShapeWork
from napari_qsm.viewer.regions.visit_shapes import VisitShapes

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView

#: What a notch of the wheel turns.
TURN_DEG = 5.0
GHOST = "#ffd640"
WARNING = "#ffb020"


@dataclass(frozen=True)
class _Held:
    """A shape in the hand: its centre (display mm) and the pixel that was pressed."""

    id: str
    centre: Array
    pixel: tuple[float, float]


class ShapeTool:
    """The left button in every view while shapes are placed.

    Parameters
    ----------
    work : ShapeWork
        What is done to shapes.
    deactivate : callable
        Called by the Escape key.
    words : callable
        Name and numbers of a placed shape, to stand beside it.
    """

    def __init__(
        self,
        work: ShapeWork,
        deactivate: Callable[[], None],
        words: Callable[[FixedShape], str],
    ) -> None:
        self._work = work
        self._deactivate = deactivate
        self._words = words
        self._held: _Held | None = None
        self._over: SliceView | None = None
        self._sections: Sections | None = None
        self._visits = VisitShapes(work.controller)
        self._dragging = False
        self.active = False

    # -- mouse ------------------------------------------------------------------------------

    def press(self, view: SliceView, at: Array) -> None:
        """Take the shape under the pointer, or put one down."""
        frame = self._work.controller.frame
        if frame is None:
            return
        pixel = view.camera().to_pixel(at)
        under = self.under(view, at)
        doing = f"move {under.name}" if under is not None else f"place {self._work.template.name}"
        self._work.session.history.begin(doing)
        self._dragging = True
        if under is None and self._work.placing:
            under = self._work.place(view.plane, frame.display_to_world(at))
        elif under is None:
            self._work.controller.go_to(frame.display_to_world(at))
        if under is None:
            self._held = None
            return
        self._work.choose(under.id)
        self._work.hover(view.plane, None)
        self._held = _Held(under.id, frame.world_to_display(under.centre_mm), pixel)

    def drag(self, view: SliceView, at: Array) -> None:
        """Move the shape that is held, within the slice."""
        frame = self._work.controller.frame
        if self._held is None or frame is None:
            return
        # From pixels anew each time: the first shape may bring up the table, and the view shrink.
        start = view.camera().to_display(self._held.pixel, at[DEPTH_AXIS[view.plane]])
        self._work.move(self._held.id, frame.display_to_world(self._held.centre + at - start))

    def release(self, view: SliceView, at: Array) -> None:
        """Let go; the whole drag is one undo."""
        self._held = None
        if self._dragging:
            self._dragging = False
            self._work.session.history.end()

    def hover(self, view: SliceView, at: Array | None) -> None:
        """The shape in hand follows the pointer, unless there is one to take."""
        frame = self._work.controller.frame
        self._over = view
        world = None
        if at is not None and frame is not None and self.under(view, at) is None:
            world = frame.display_to_world(at)
        self._work.hover(view.plane, world)

    def wheel(self, view: SliceView, at: Array, notches: float, shift: bool) -> bool:
        """Turn the shape under the pointer; with Shift the one chosen or, failing that, in hand."""
        work = self._work
        under = self.under(view, at)
        if under is not None and under.kind in TURNABLE:
            work.choose(under.id)
            work.turn(TURN_DEG * notches * self._way(view))
            return True
        if not shift:
            return False
        chosen = work.chosen_shape
        if chosen is not None and chosen.kind in TURNABLE and work.ghost is None:
            work.turn(TURN_DEG * notches * self._way(view))
        elif work.template.kind in TURNABLE:
            degrees = work.template.rotation_deg + TURN_DEG * notches * self._way(view)
            work.set_template(rotation_deg=90.0 - (90.0 - degrees) % 180.0)
            self.hover(view, at)
        return True

    @staticmethod
    def _way(view: SliceView) -> int:
        """Wheel up turns counter-clockwise on the screen."""
        return across_sign(view.plane, view.radiological)

    def under(self, view: SliceView, at: Array) -> FixedShape | None:
        """The shape one of whose voxels lies under the pointer, the chosen one first."""
        work, frame, volume = self._work, self._work.controller.frame, self._work.volume
        if frame is None or volume is None:
            return None
        matrix = frame.display_of(volume)
        index = np.linalg.solve(matrix[:3, :3], np.asarray(at) - matrix[:3, 3])
        shapes = sorted(work.shapes, key=lambda shape: shape.id != work.chosen)
        for shape in shapes:
            low, high = bounds_of(shape, volume)
            if (index < low - 0.5).any() or (index > high + 0.5).any():
                continue
            apart = np.abs(indices_of(shape, volume) - index).max(axis=1)
            if (apart <= 0.5 + 1e-6).any():
                return shape
        return None

    # -- keys -------------------------------------------------------------------------------

    def key(self, view: SliceView, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does to the chosen shape."""
        key = event.key()
        keypad = Qt.KeyboardModifier.KeypadModifier
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, keypad)
        if not plain:
            return None
        if key == Qt.Key.Key_Escape:
            return self._deactivate
        if self._work.chosen_shape is None:
            return None
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self._work.delete
        across, up = DRAWN_AXES[view.plane]
        right = across_sign(view.plane, view.radiological)
        moves = {
            Qt.Key.Key_Right: (across, right),
            Qt.Key.Key_Left: (across, -right),
            Qt.Key.Key_Up: (up, 1),
            Qt.Key.Key_Down: (up, -1),
            Qt.Key.Key_PageUp: (DEPTH_AXIS[view.plane], 1),
            Qt.Key.Key_PageDown: (DEPTH_AXIS[view.plane], -1),
        }
        if key not in moves:
            return None
        axis, step = moves[Qt.Key(key)]
        steps = [0, 0, 0]
        steps[axis] = step
        follow = axis == DEPTH_AXIS[view.plane]
        return partial(self._nudge, (steps[0], steps[1], steps[2]), follow)

    def _nudge(self, steps: tuple[int, int, int], follow: bool) -> None:
        self._work.nudge(steps)
        shape = self._work.chosen_shape
        if follow and shape is not None:  # a shape that leaves the slice takes the view along
            self._work.controller.go_to(np.array(shape.centre_mm))

    # -- drawing ----------------------------------------------------------------------------

    def patches_beside(self, view: SliceView) -> list[Patch]:
        """What another visit, side by side with the one worked on, has on its slice."""
        return self._visits.patches(view, placed=True)

    def patches(self, view: SliceView) -> list[Patch]:
        """Everything placed, and the shape in hand, on the slice that a view shows."""
        work, frame, volume = self._work, self._work.controller.frame, self._work.volume
        if frame is None or volume is None or view.is_3d:
            return []
        visits = self._visits.on_show
        if work.session.layout == "compare" and not visits:
            return []
        if self._sections is None or not self._sections.fits(volume, frame):
            self._sections = Sections(volume, frame)
        found = []
        colours = work.colours(work.shapes)
        for row, colour in zip(work.rows, colours, strict=True):
            section = self._sections.of(row.shape, view.plane, view.depth_mm)
            if section is None:
                continue
            chosen = self.active and row.shape.id == work.chosen
            own = chosen and work.ghost is None and view.plane == row.shape.plane
            text = self._words(row.shape) if own else ""
            patch = patch_of(section, view, text=text, with_curve=chosen)
            patch.colour, patch.bold = colour, chosen
            # Beside other visits broken edges mean that a shape is only carried.
            patch.dashed, patch.filled = bool(row.flags) and not visits, chosen
            found.append(patch)
        found += self._visits.patches(view, placed=False) if visits else []
        if self.active and work.ghost is not None:
            section = self._sections.of(work.ghost, view.plane, view.depth_mm)
            if section is not None:
                found.append(self._ghost(view, work.ghost, section))
        return found

    def _ghost(self, view: SliceView, ghost: FixedShape, section: Section) -> Patch:
        work = self._work
        flags, result = work.flags(ghost), work.realised()
        words = [ghost.region_name]
        if result is not None:
            sizes = f"{result.area_mm2:.1f} mm² · {result.volume_mm3:.1f} mm³"
            words += [f"{result.voxels} voxels", sizes]
        words += [f"! {flag}" for flag in flags]
        # In the other views the outline is enough.
        text = "\n".join(word for word in words if word) if view is self._over else ""
        patch = patch_of(section, view, text=text, with_curve=True)
        patch.filled, patch.dashed = True, bool(flags)
        patch.colour = WARNING if flags else GHOST
        return patch
