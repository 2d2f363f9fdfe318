"""Grow from a seed: a click sets the seed, limits are tried out on the picture, Enter paints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.session.growth import Growth
from napari_qsm.session.painting import Limit
from napari_qsm.viewer.canvas.overlay_items import OverlayItem, Ring
from napari_qsm.viewer.regions.hands import Hand
from napari_qsm.viewer.regions.voxel_preview import VoxelPreview

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.regions.painter import Painter

_SEED_PIXELS = 5.0


class GrowHand(Hand):
    """A seed, and what has grown from it so far.

    Attributes
    ----------
    growth : Growth or None
        What would be painted; None before the first click.
    """

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self.growth: Growth | None = None
        self._limit: Limit | None = None
        self._preview: VoxelPreview | None = None
        self._view: SliceView | None = None
        self._at: Array | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is a seed."""
        return self.growth is not None

    @property
    def can_be_taken(self) -> bool:
        """Whether something has grown."""
        return self.growth is not None and self.growth.at.size > 0

    def press(self, view: SliceView, at: Array, *, erase: bool = False) -> None:
        """Put the seed here."""
        self.painter.cancel()
        try:
            target = self.painter.target()
            self.growth = Growth(
                self.painter.session, self.painter.options, target, view, target.voxel(at)
            )
            self._view, self._at = view, at
        except QsmError as error:
            self.painter.say(str(error))
            return
        self.follow()
        if self.growth is not None and self.growth.problem:
            self.painter.say(self.growth.problem)
        self.painter.changed.emit()

    def follow(self) -> None:
        """Grow anew under the limits as they are now."""
        growth, view = self.growth, self._view
        if growth is None or view is None:
            return
        try:
            self._limit = self.painter.limit(growth.target, view)
            growth.follow(self._limit)
        except QsmError as error:
            self.painter.say(str(error))
            self.painter.cancel()
            return
        self._preview = VoxelPreview(growth.target, growth.at)

    def fit_limits(self) -> None:
        """Set the limits to what fits the tissue round the seed."""
        if self.growth is None or self._limit is None:
            self.painter.say("Click the seed first.")
            return
        found = self.growth.limits_here(self._limit)
        if found is None:
            self.painter.say("The map has no value at the seed.")
            return
        factor = 1e3 if self._limit.entry.volume.unit == "ppb" else 1.0
        self.painter.options.window_ppm = (found[0] / factor, found[1] / factor)

    def take(self) -> None:
        """Paint what has grown, as one undo."""
        growth, self.growth = self.growth, None
        if growth is not None and growth.target.entry in self.painter.session.maps:
            growth.take()
        self.painter.changed.emit()

    def give_up(self) -> None:
        """Forget the seed."""
        self.growth = None

    def items(self, view: SliceView) -> Sequence[OverlayItem]:
        """What has grown, in every view, and the seed where it was put."""
        if self.growth is None or self._preview is None:
            return []
        patch = self._preview.patch(view)
        found: list[OverlayItem] = [] if patch is None else [patch]
        if view is self._view and self._at is not None:
            found.append(Ring(view.camera().to_pixel(self._at), _SEED_PIXELS))
        return found
