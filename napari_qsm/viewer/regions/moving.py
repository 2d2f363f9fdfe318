"""Moving a region, or its outline on one slice, by whole voxels: arrows nudge, a drag carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, across_sign
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.shifts import moved, positions_on
from napari_qsm.session.painting import Target
from napari_qsm.session.regions import move_region
from napari_qsm.viewer.canvas.overlay_items import OverlayItem
from napari_qsm.viewer.regions.hands import Hand
from napari_qsm.viewer.regions.voxel_preview import VoxelPreview

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.regions.painter import Painter


class _Carried:
    """What is in the hand between press and release."""

    def __init__(self, target: Target, view: SliceView, start: Array, at: Array) -> None:
        self.target, self.view, self.start = target, view, start
        self.at = at  # flat positions
        self.steps = (0, 0, 0)
        self.preview = VoxelPreview(target, at)

    def go(self, place: Array) -> None:
        """Follow the pointer, within the plane of the view."""
        apart = (place - self.start) / np.array(self.target.scale)
        apart[DEPTH_AXIS[self.view.plane]] = 0
        i, j, k = np.rint(apart).astype(int).tolist()
        if (i, j, k) != self.steps:
            self.steps = (i, j, k)
            there, _ = moved(self.target.entry.labels, self.at, self.steps)
            self.preview = VoxelPreview(self.target, there)


class MoveHand(Hand):
    """The region in the hand."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._carried: _Carried | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the region is being dragged."""
        return self._carried is not None

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Take the region up."""
        self.painter.cancel()
        try:
            target = self.painter.target()
        except QsmError as error:
            self.painter.say(str(error))
            return
        across, slice_at = self._slice(target, view, at)
        found = positions_on(target.entry.labels, target.index, across, slice_at)
        if not found.size:
            where = "" if across is None else " on this slice"
            self.painter.say(f"Nothing is drawn of '{target.name}'{where} yet.")
            return
        self._carried = _Carried(target, view, at, found)

    def drag(self, view: SliceView, at: Array) -> None:
        """Carry it along."""
        if self._carried is not None and self._carried.view is view:
            self._carried.go(at)

    def release(self, view: SliceView, at: Array) -> None:
        """Put it down."""
        carried, self._carried = self._carried, None
        if carried is not None and any(carried.steps):
            self._move(view, carried.steps, carried.start)

    def give_up(self) -> None:
        """Leave it where it was."""
        self._carried = None

    def key(self, view: SliceView, event: QKeyEvent) -> Callable[[], None] | None:
        """Arrows move it by a voxel."""
        keypad = Qt.KeyboardModifier.KeypadModifier
        if event.modifiers() not in (Qt.KeyboardModifier.NoModifier, keypad):
            return None
        across, up = DRAWN_AXES[view.plane]
        right = across_sign(view.plane, view.radiological)
        moves = {
            Qt.Key.Key_Right: (across, right),
            Qt.Key.Key_Left: (across, -right),
            Qt.Key.Key_Up: (up, 1),
            Qt.Key.Key_Down: (up, -1),
        }
        if event.key() not in moves:
            return None
        axis, step = moves[Qt.Key(event.key())]
        steps = [0, 0, 0]
        steps[axis] = step
        place = np.zeros(3)
        place[DEPTH_AXIS[view.plane]] = view.depth_mm
        return partial(self._move, view, (steps[0], steps[1], steps[2]), place)

    def _slice(self, target: Target, view: SliceView, at: Array) -> tuple[int | None, int]:
        """Which slice moves, by a place on it; None for the whole region."""
        depth = DEPTH_AXIS[view.plane]
        across = None if self.painter.options.in_3d else depth
        return across, target.voxel(at)[depth]

    def _move(self, view: SliceView, steps: tuple[int, int, int], at: Array) -> None:
        try:
            target = self.painter.target()
            across, slice_at = self._slice(target, view, at)
            missed = move_region(
                self.painter.session, target.entry, target.index, steps, across=across, at=slice_at
            )
        except QsmError as error:
            self.painter.say(str(error))
            return
        if missed:
            self.painter.say(f"{missed} voxels fell on other regions, which keep them.")

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """The region where it would be put down."""
        patch = None if self._carried is None else self._carried.preview.patch(view)
        return [] if patch is None else [patch]
