"""What grows from a seed under given limits, before it is written. Knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.arrays import Array, Box
from napari_qsm.errors import QsmError
from napari_qsm.rois.seed_growth import grow_from_seed, limits_round
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.painting import Limit, PaintOptions, Target
from napari_qsm.session.stroke import View
from napari_qsm.volume import same_grid


def mask_for(session: Session, drawn: MapEntry) -> MapEntry | None:
    """The topmost mask of the patient on the grid of what is drawn into."""
    masks = session.case_of(drawn).of_role("mask")
    fitting = [m for m in masks if m is not drawn and same_grid(m.volume, drawn.volume)]
    return fitting[-1] if fitting else None


class Growth:
    """Voxels that would be painted from a seed on; follows the limits until it is taken.

    Attributes
    ----------
    target : Target
        What would be painted.
    seed : (x, y, z)
        Index of the first voxel.
    at : (n,) ndarray of intp
        Flat positions that would be painted, Fortran order.
    problem : str
        Why nothing grows; empty if something does.
    """

    def __init__(
        self,
        session: Session,
        options: PaintOptions,
        target: Target,
        view: View,
        seed: Sequence[int],
    ) -> None:
        self._session, self._options = session, options
        self.target = target
        self._across = DEPTH_AXIS[view.plane]
        self.seed = tuple(int(i) for i in seed)
        if not all(0 <= i < n for i, n in zip(self.seed, target.entry.labels.shape, strict=True)):
            raise QsmError("The click lies outside the map.")
        self.at: Array = np.empty(0, dtype=np.intp)
        self.problem = ""

    @property
    def across(self) -> int | None:
        """Axis through the one slice it keeps to; None in three dimensions."""
        return None if self._options.in_3d else self._across

    def follow(self, limit: Limit) -> None:
        """Grow anew under limits, and by the options as they are now."""
        target, values = self.target, limit.entry.shown.data
        mask = mask_for(self._session, target.entry) if self._options.inside_mask else None

        def allowed(box: Box) -> Array:
            here = target.entry.labels[box]
            free = target.may_write(here, protect=self._options.protect)
            return free if mask is None else free & (mask.labels[box] != 0)

        self.at = grow_from_seed(
            values, self.seed, target.scale, limit.low, limit.high, self._options.radius_mm,
            across=self.across, allowed=allowed,
        )  # fmt: skip
        self.problem = "" if self.at.size else self._why(limit, mask)

    def _why(self, limit: Limit, mask: MapEntry | None) -> str:
        seed = self.seed
        if mask is not None and not mask.labels[seed]:
            return f"The seed lies outside the mask '{mask.name}'."
        here = np.array([self.target.entry.labels[seed]])
        if not self.target.may_write(here, protect=self._options.protect)[0]:
            return "The seed lies in another region, which is spared."
        return f"The value of '{limit.entry.name}' at the seed lies outside the limits."

    def limits_here(self, limit: Limit) -> tuple[float, float] | None:
        """Limits in the map's own unit that fit the tissue round the seed; None without values."""
        low, high = limits_round(limit.entry.shown.data, self.seed, self.across)
        return (low, high) if np.isfinite(low) else None

    @property
    def volume_mm3(self) -> float:
        """Of what would be painted."""
        return float(self.at.size * np.prod(self.target.scale))

    def take(self) -> int:
        """Paint it, as one undo; returns how many voxels have changed."""
        text = f"grow {self.target.name}"
        return self._session.edit_labels(self.target.entry, self.at, self.target.index, text)
