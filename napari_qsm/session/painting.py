"""Drawing: what a tool writes into and where it may, its settings, and one stroke. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from psygnal import EventedModel
from pydantic import ConfigDict, Field

from napari_qsm.anatomy import DEPTH_AXIS, DisplayFrame, Plane, place
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import brush, edit
from napari_qsm.rois.brush import Tip
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


Kind = Literal["", "brush", "eraser", "polygon", "lasso", "fill", "pick"]
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
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    kind: Kind = ""
    diameter_mm: float = Field(default=4.0, ge=0.1, le=100.0)
    tip: Tip = "round"
    in_3d: bool = False
    protect: bool = True
    limited: bool = False
    window_ppm: tuple[float, float] = (0.02, 0.3)

    def wider(self, steps: int) -> None:
        """Take the next wider, or with -1 narrower, width."""
        others = [width for width in WIDTHS_MM if (width - self.diameter_mm) * steps > 1e-6]
        if others:
            self.diameter_mm = min(others) if steps > 0 else max(others)


class View(Protocol):
    """What a stroke must know of the view it is drawn in."""

    @property
    def plane(self) -> Plane:
        """The plane of its slices."""


class Stroke:
    """What stays the same from press to release, and the writing.

    Attributes
    ----------
    target : Target
        What is drawn into.
    limit : Limit or None
        Which values are drawn.
    view : View
        Where the button went down.
    erase : bool
        Whether it empties voxels, as the eraser always does.
    across : int
        Axis through its slices.
    points : list of (x, y, z)
        Display mm: the corners of an outline, or the last place of a brush.
    """

    def __init__(
        self,
        session: Session,
        options: PaintOptions,
        target: Target,
        limit: Limit | None,
        view: View,
        *,
        erase: bool = False,
    ) -> None:
        self._session = session
        self._options = options
        self._erase = erase or options.kind == "eraser"
        self.text = f"{'erase' if self._erase else options.kind} {target.name}"
        self.target = target
        self.limit = limit
        self.view = view
        self.across = DEPTH_AXIS[view.plane]
        self.points: list[Array] = []

    @property
    def is_alive(self) -> bool:
        """Whether the maps that it writes to and reads from are still there."""
        maps = self._session.maps
        return self.target.entry in maps and (self.limit is None or self.limit.entry in maps)

    def sweep(self, start: Array, end: Array) -> None:
        """Move the brush; display mm."""
        target, options = self.target, self._options
        at = brush.stroke(
            target.entry.labels.shape,
            target.scale,
            target.grid_mm(start),
            target.grid_mm(end),
            options.diameter_mm,
            tip=options.tip,
            across=None if options.in_3d else self.across,
        )
        self._write(at)

    def outline(self) -> None:
        """Paint what lies inside the outline of ``points``."""
        target = self.target
        corners = target.grid_mm(np.array(self.points))
        shape = target.entry.labels.shape
        self._write(brush.outline(shape, target.scale, corners, self.across))

    def fill(self, at: Array) -> None:
        """Paint, or empty, what is connected with a voxel and like it; display mm.

        Raises
        ------
        QsmError
            If nothing can be filled there.
        """
        target, options = self.target, self._options
        data = target.entry.labels
        seed = target.voxel(at)
        if not all(0 <= i < n for i, n in zip(seed, data.shape, strict=True)):
            raise QsmError("The click lies outside the map.")
        here = data[seed]
        if here == (0 if self._erase else target.index):
            name = "no region" if self._erase else target.name
            raise QsmError(f"This voxel is in {name} already; click beside it.")
        if not target.may_write(np.array([here]), protect=options.protect, erase=self._erase)[0]:
            raise QsmError("Another region lies here and is protected.")
        across = None if options.in_3d else self.across
        cut: list[Any] = [slice(None)] * 3
        inner = list(seed)
        if across is not None:  # one slice is quicker than all
            cut[across], inner[across] = slice(seed[across], seed[across] + 1), 0
        part = data[tuple(cut)]
        allowed = part == here
        if self.limit is not None:
            allowed &= self.limit.within(self.limit.entry.shown.data[tuple(cut)])
            if not allowed[tuple(inner)]:
                raise QsmError("The value of this voxel lies outside the limits.")
        # Without limits only a closed outline can hold the fill.
        open_edges = self._erase or self.limit is not None
        found = brush.connected(allowed, inner, across=across, open_edges=open_edges)
        places = list(np.unravel_index(found, part.shape, order="F"))
        if across is not None:
            places[across] = places[across] + seed[across]
        self._write(np.ravel_multi_index(tuple(places), data.shape, order="F"))

    def _write(self, at: Array) -> None:
        if at.size == 0:
            return
        target, options = self.target, self._options
        places = np.unravel_index(at, target.entry.labels.shape, order="F")
        values = target.entry.labels[places]
        write = target.may_write(values, protect=options.protect, erase=self._erase)
        if self.limit is not None:
            write &= self.limit.within(self.limit.entry.shown.data[places])
        value = 0 if self._erase else target.index
        self._session.edit_labels(target.entry, at[write], value, self.text)


def next_click(
    session: Session,
    frame: DisplayFrame | None,
    options: PaintOptions,
    plane: Plane,
    shown: MapEntry | None,
) -> tuple[str, bool]:
    """What the next click does, in a sentence, and whether it does anything.

    Parameters
    ----------
    session : Session
    frame : DisplayFrame or None
        None while nothing is open.
    options : PaintOptions
    plane : {"axial", "coronal", "sagittal"}
    shown : MapEntry or None
        The map that the view under the pointer is about.
    """
    if options.kind == "":
        return "Click a tool to draw; without one, a click moves the crosshair.", False
    if options.kind == "pick":
        return "Chooses the region that is clicked.", True
    try:
        target = find_target(session, frame)
        limit = find_limit(session, shown, target, options.window_ppm) if options.limited else None
    except QsmError as error:
        return str(error), False
    text = _what_it_does(options, target, plane)
    if limit is not None:
        text += f", where '{limit.entry.name}' is within the limits"
    return text + ".", True


def _what_it_does(options: PaintOptions, target: Target, plane: Plane) -> str:
    name = target.name
    if options.kind == "fill":
        how = "in three dimensions" if options.in_3d else "in this slice"
        return f"Fills {name} from the clicked voxel, {how}"
    if options.kind == "lasso":
        return (
            f"Drag round {name}: the inside is painted in this slice, with the right button erased"
        )
    if options.kind == "polygon":
        return (
            f"Click corners round {name}, drag them to their places; double click, right click or "
            "Enter paints the inside"
        )
    reached = slices_reached(plane, options.diameter_mm, target.scale, in_3d=options.in_3d)
    where = f"in {reached} slice{'s' if reached > 1 else ''}" if options.in_3d else "in this slice"
    if options.kind == "eraser" and not options.protect and target.entry.role == "labels":
        name = "any region"
    verb = "Paints" if options.kind == "brush" else "Erases"
    also = "; the right button erases" if options.kind == "brush" else ""
    return f"{verb} {name}, {options.diameter_mm:g} mm {options.tip}, {where}{also}"


def slices_reached(
    plane: Plane, diameter_mm: float, scale: tuple[float, float, float], *, in_3d: bool
) -> int:
    """On how many slices of a plane a dab on the middle of a voxel leaves paint."""
    return 2 * int(in_3d * diameter_mm / 2 / scale[DEPTH_AXIS[plane]] + 1e-6) + 1
