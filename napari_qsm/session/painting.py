"""Drawing: what a tool writes into and where it may, and its settings. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from psygnal import EventedModel
from pydantic import ConfigDict, Field

from napari_qsm.anatomy import DisplayFrame, place
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import edit
from napari_qsm.rois.brush import Tip
from napari_qsm.rois.edge_aware import EDGE
from napari_qsm.rois.region import region_of
from napari_qsm.session import MapEntry, Session
from napari_qsm.volume import check_same_grid

#: What a mask's inside is written as.
_IN_MASK = 1


@dataclass(frozen=True)
class Target:
    """One region of one label map, or a mask, that can be drawn into.

    Attributes
    ----------
    entry : MapEntry
        The label map or mask.
    index : int
        The value that is written.
    name : str
        What the user calls it.
    scale, translate : (x, y, z)
        Display mm of a voxel and of the first voxel's centre.
    locked : tuple of int
        Labels no tool may change.
    """

    entry: MapEntry
    index: int
    name: str
    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    locked: tuple[int, ...]

    def grid_mm(self, display: Array) -> Array:
        """Display mm as voxel index times voxel size."""
        return np.asarray(display, dtype=np.float64) - self.translate

    def voxel(self, display: Array) -> tuple[int, int, int]:
        """Index of the voxel at a display position; may lie outside the map."""
        i, j, k = np.floor(self.grid_mm(display) / self.scale + 0.5).astype(int)
        return int(i), int(j), int(k)

    def may_write(self, values: Array, *, protect: bool, erase: bool = False) -> Array:
        """Which of these voxels, by the labels they hold, may be painted or erased.

        Parameters
        ----------
        values : ndarray of int
            Labels there now.
        protect : bool
            Whether regions other than this one keep their voxels.
        erase : bool
            Whether the voxels are to be emptied.
        """
        return edit.may_write(values, self.index, protect=protect, locked=self.locked, erase=erase)


def find_target(session: Session, frame: DisplayFrame | None) -> Target:
    """What the tools would draw into now.

    Raises
    ------
    QsmError
        If that is nothing; the sentence says what to do.
    """
    entry = session.entry(session.painted) if session.painted else None
    if frame is None or not session.maps:
        raise QsmError("Open a map first.")
    if entry is None or entry.editable is None:
        raise QsmError("Make a region map first: nothing is drawn without one.")
    if entry.role == "mask":
        index, name = _IN_MASK, f"the mask '{entry.name}'"
    else:
        index = session.active_region
        if index <= 0 or index not in entry.regions:
            raise QsmError("Choose a region in the list first.")
        row = region_of(entry.regions, index)
        name = row.name
        if row.locked:
            raise QsmError(f"'{name}' is locked; click its lock to draw in it.")
        if not row.visible:
            raise QsmError(f"'{name}' is hidden; click its eye to draw in it.")
    if not session.is_shown(entry):
        raise QsmError(f"'{entry.name}' is not on show; show it to draw in it.")
    if not entry.editable.flags.writeable:
        raise QsmError(f"'{entry.name}' cannot be written to.")
    placement = place(entry.volume, frame)
    if not placement.aligned:
        raise QsmError(
            f"'{entry.name}' is turned against '{session.case.grid_name}', whose grid counts in the "
            "case, so it cannot be drawn on here. Open the map it belongs to as a case of its own."
        )
    locked = edit.locked_labels(entry.regions)
    return Target(entry, index, name, placement.scale, placement.translate, locked)


@dataclass(frozen=True)
class Limit:
    """Only voxels whose value lies within are drawn.

    Attributes
    ----------
    entry : MapEntry
        The map whose values count.
    low, high : float
        In the map's own unit; both ends are within.
    """

    entry: MapEntry
    low: float
    high: float

    def within(self, values: Array) -> Array:
        """Which values lie within; what is no number never does."""
        with np.errstate(invalid="ignore"):
            return np.asarray((values >= self.low) & (values <= self.high))


def find_limit(
    session: Session, shown: MapEntry | None, target: Target, window_ppm: tuple[float, float]
) -> Limit:
    """The susceptibility map under view, with limits in its unit.

    Where another map is looked at, for example the magnitude, it is the topmost susceptibility
    map of the same patient.

    Raises
    ------
    QsmError
        If there is none on the grid of the region map.
    """
    entry = limited_map(session, shown, target.entry)
    if entry is None:
        raise QsmError("Limits of values need a susceptibility map; none is open.")
    try:
        check_same_grid(entry.shown, target.entry.volume)
    except QsmError as error:
        raise QsmError(f"Limits of values need one grid: {error}") from error
    factor = 1e3 if entry.volume.unit == "ppb" else 1.0
    return Limit(entry, window_ppm[0] * factor, window_ppm[1] * factor)


def limited_map(
    session: Session, shown: MapEntry | None, labels: MapEntry | None
) -> MapEntry | None:
    """The map whose values limit the tools; None if there is none."""
    if shown is not None and shown.is_susceptibility:
        return shown
    case = session.case_of(labels) if labels is not None else session.case
    maps = [e for e in case.maps if e.is_susceptibility]
    return maps[-1] if maps else None


def find_edges(session: Session, shown: MapEntry | None, target: Target) -> MapEntry:
    """The map whose edges the adaptive brush follows: the one under view.

    Where a label map alone is looked at, it is the topmost susceptibility map of the patient.

    Raises
    ------
    QsmError
        If there is none on the grid of the region map.
    """
    entry = shown
    if entry is None or entry.editable is not None:
        entry = limited_map(session, None, target.entry)
    if entry is None:
        raise QsmError("The adaptive brush follows the edges of a map; none is open.")
    try:
        check_same_grid(entry.shown, target.entry.volume)
    except QsmError as error:
        raise QsmError(f"The adaptive brush needs one grid: {error}") from error
    return entry


Kind = Literal[
    "", "brush", "adaptive", "eraser", "push", "polygon", "lasso", "fill", "grow", "move", "pick"
]
#: Tools that draw wherever their tip goes.
TIPPED: frozenset[Kind] = frozenset({"brush", "adaptive", "eraser", "push"})
#: Widths the keys step through, mm.
WIDTHS_MM = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0)


class PaintOptions(EventedModel):
    """What is set under "Draw".

    Attributes
    ----------
    kind : str
        The tool that has the left button; empty for the crosshair.
    diameter_mm : float
        Width of the brush.
    tip : {"round", "square"}
        Its form.
    in_3d : bool
        Whether brush and fill reach into neighbouring slices.
    protect : bool
        Whether other regions keep their voxels.
    limited : bool
        Whether only some values are drawn.
    window_ppm : (low, high)
        Which ones.
    edge : float
        How many times the noise a step must be for the adaptive brush to stop at it.
    radius_mm : float
        How far a region grows from its seed at most.
    inside_mask : bool
        Whether it grows only inside the patient's mask.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    kind: Kind = ""
    diameter_mm: float = Field(default=4.0, ge=0.1, le=100.0)
    tip: Tip = "round"
    in_3d: bool = False
    protect: bool = True
    limited: bool = False
    window_ppm: tuple[float, float] = (0.02, 0.3)
    edge: float = Field(default=EDGE, ge=0.5, le=20.0)
    radius_mm: float = Field(default=15.0, ge=0.5, le=100.0)
    inside_mask: bool = False

    def wider(self, steps: int) -> None:
        """Take the next wider, or with -1 narrower, width."""
        others = [width for width in WIDTHS_MM if (width - self.diameter_mm) * steps > 1e-6]
        if others:
            self.diameter_mm = min(others) if steps > 0 else max(others)
