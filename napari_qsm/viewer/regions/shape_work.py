"""Fixed shapes at work: the one in hand, those placed, and what is done to them. Knows no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import numpy as np
from psygnal import Signal

from napari_qsm.anatomy import Plane
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.canonical_grid import index_of, within
from napari_qsm.rois.region import shape_colour
from napari_qsm.rois.shape_changes import (
    Applied,
    applied,
    mirrored,
    nudged,
    region_fields,
    resized,
    turned,
)
from napari_qsm.rois.shape_checks import flags_of
from napari_qsm.rois.shape_files import read_shapes, write_shapes
from napari_qsm.rois.shapes import FixedShape, Realised, realised, snap
from napari_qsm.session import Case, MapEntry, Session
from napari_qsm.session.shape_row import Row, rows_now
from napari_qsm.viewer.canvas.controller import Controller
from napari_qsm.volume import Volume

DEFAULT = FixedShape(kind="circle", size_mm=(6.0,), slices=3)


class ShapeWork:
    """What the tool, the drawing and the panel share.

    Attributes
    ----------
    template : FixedShape
        What the next click places; its centre means nothing.
    placing : bool
        Whether a click on an empty place puts a shape there.
    ghost : FixedShape or None
        Where the next click would put it.
    chosen : str
        Id of the shape that keys and buttons act on; empty for none.
    rows : list of Row
        Shapes of the case on show, with their numbers.
    """

    template_changed = Signal()
    rows_changed = Signal()
    chosen_changed = Signal(str)
    placed = Signal(object)

    def __init__(self, session: Session, controller: Controller) -> None:
        self.session = session
        self.controller = controller
        self.template = DEFAULT
        self.placing = True
        self.ghost: FixedShape | None = None
        self.chosen = ""
        self.rows: list[Row] = []
        self.free_plane = True
        self._last: tuple[Any, ...] = ()
        session.case_events.shapes.connect(self.refresh)

    def dispose(self) -> None:
        """Stop listening."""
        self.session.case_events.shapes.disconnect(self.refresh)

    # -- what is measured -----------------------------------------------------------------

    @property
    def entry(self) -> MapEntry | None:
        """The map that is measured: that of the large view, or of the visit worked on."""
        return self.controller.worked_map

    @property
    def volume(self) -> Volume | None:
        """Its grid and values."""
        entry = self.entry
        return None if entry is None else entry.shown

    @property
    def case(self) -> Case:
        """The case that new shapes belong to."""
        entry = self.entry
        return self.session.case_of(entry) if entry is not None else self.session.case

    @property
    def shapes(self) -> list[FixedShape]:
        """Shapes of the case on show."""
        return [row.shape for row in self.rows]

    @property
    def chosen_shape(self) -> FixedShape | None:
        """The shape that keys act on, if it is on show."""
        return next((shape for shape in self.shapes if shape.id == self.chosen), None)

    @property
    def labels(self) -> MapEntry | None:
        """The label map whose regions shapes can stand for."""
        entry = self.entry
        return None if entry is None else self.session.labels_of(entry)

    def mask(self) -> Volume | None:
        """The brain mask that goes with the map."""
        masks = self.case.of_role("mask")
        return masks[-1].volume if masks else None

    def realised(self) -> Realised | None:
        """What one placement of the shape in hand comes to on the map."""
        volume = self.volume
        return None if volume is None else realised(self.template, volume)

    def colours(self, shapes: list[FixedShape]) -> list[str]:
        """Those of their regions."""
        labels = self.labels
        regions = labels.regions if labels is not None else {}
        return [shape_colour(shape.region_name, shape.region, regions) for shape in shapes]

    # -- keeping up -----------------------------------------------------------------------

    def refresh(self, *_: Any) -> None:
        """Take up what the session holds now."""
        entry, volume = self.entry, self.volume
        if entry is None or volume is None:
            self.rows = []
            self._last = ()
        else:
            shapes = list(self.case.shapes)
            key = (entry.id, entry.echo, self.case.midline_mm, id(self.mask()))
            known = {row.shape.id: row for row in self.rows} if key == self._last else {}
            self._last = key
            self.rows = rows_now(shapes, volume, known, lambda s: self.flags(s, shapes))
        if self.chosen and self.chosen_shape is None:
            self.choose("")
        self.rows_changed.emit()
        self.controller.repaint_all()

    def flags(
        self, shape: FixedShape, others: Iterable[FixedShape] | None = None
    ) -> tuple[str, ...]:
        """What may be wrong with a shape, in words."""
        volume = self.volume
        if volume is None:
            return ()
        return flags_of(
            shape,
            volume,
            others=self.shapes if others is None else others,
            mask=self.mask(),
            frame=self.controller.frame,
            midline_mm=self.case.midline_mm,
        )

    # -- the shape in hand ----------------------------------------------------------------

    def set_template(self, **changes: Any) -> None:
        """Change what the next click places.

        Raises
        ------
        QsmError
            If there can be no such shape.
        """
        try:
            self.template = self.template.but(**changes)
        except ValueError as error:
            raise QsmError("There is no shape of that size.") from error
        self.ghost = None
        self.template_changed.emit()
        self.controller.repaint_all()

    def hover(self, plane: Plane, world_mm: Array | None) -> None:
        """Let the shape in hand follow the pointer."""
        volume = self.volume
        if world_mm is None or volume is None or not self.placing:
            if self.ghost is not None:
                self.ghost = None
                self.controller.repaint_all()
            return
        ghost = self._at(world_mm, plane, volume)
        if self.ghost is None or self.ghost.centre_mm != ghost.centre_mm or self.ghost != ghost:
            self.ghost = ghost
            self.controller.repaint_all()

    def _at(self, world_mm: Array, plane: Plane, volume: Volume) -> FixedShape:
        x, y, z = (float(v) for v in world_mm)
        changes: dict[str, Any] = {"centre_mm": (x, y, z), "id": "ghost"}
        if self.free_plane:
            changes["plane"] = plane
        return snap(self.template.but(**changes), volume)

    # -- what is done to shapes; every one is one undo ---------------------------------------

    def place(self, plane: Plane, world_mm: Array) -> FixedShape | None:
        """Put the shape in hand down, if the place lies on the map.

        A region of a guided list that has its shape already gets it moved here instead.
        """
        volume = self.volume
        if volume is None:
            self.controller.message.emit("Open a map first; shapes are placed on its grid.")
            return None
        index = np.rint(index_of(world_mm, volume))[np.newaxis]
        if not within(index, volume)[0]:
            self.controller.message.emit("That lies outside the map; nothing was placed.")
            return None
        made = self._at(world_mm, plane, volume)
        earlier = None
        if not self.free_plane:
            earlier = next((s for s in self.shapes if s.region_name == made.region_name), None)
        made = made.but(id=earlier.id if earlier is not None else uuid4().hex)
        kept = [s for s in self.case.shapes if s.id != made.id]
        self.ghost = None
        self._set(f"place {made.name}", [*kept, made])
        self.choose(made.id)
        self.placed.emit(made)
        return made

    def move(self, key: str, world_mm: Array) -> None:
        """Bring a shape's centre to a place."""
        shape, volume = next((s for s in self.case.shapes if s.id == key), None), self.volume
        if shape is None or volume is None:
            return
        x, y, z = (float(v) for v in world_mm)
        moved = snap(shape.but(centre_mm=(x, y, z)), volume)
        if moved.centre_mm != shape.centre_mm:
            self._replace(f"move {shape.name}", moved)

    def nudge(self, steps: tuple[int, int, int]) -> None:
        """Move the chosen shape by whole voxels to the right, front and top."""
        shape, volume = self.chosen_shape, self.volume
        if shape is not None and volume is not None:
            self._replace(f"move {shape.name}", nudged(shape, volume, steps))

    def turn(self, degrees: float) -> None:
        """Turn the chosen shape in its plane."""
        shape = self.chosen_shape
        if shape is not None:
            made = turned(shape, degrees)
            if made != shape:
                self._replace(f"turn {shape.name}", made)

    def resize(self) -> None:
        """Give the chosen shape the kind and size of the one in hand."""
        shape, volume = self.chosen_shape, self.volume
        if shape is None or volume is None:
            return
        self._replace(f"resize {shape.name}", resized(shape, self.template, volume))

    def delete(self) -> None:
        """Take the chosen shape away."""
        shape = self.chosen_shape
        if shape is not None:
            kept = [s for s in self.case.shapes if s.id != shape.id]
            self._set(f"delete {shape.name}", kept)

    def mirror(self) -> FixedShape | None:
        """Put a twin of the chosen shape on the patient's other side.

        Raises
        ------
        QsmError
            If it is not known where the middle of the head is.
        """
        shape, volume, frame = self.chosen_shape, self.volume, self.controller.frame
        if shape is None or volume is None or frame is None:
            return None
        midline = self.case.midline_mm
        if midline is None:
            raise QsmError(
                "Where is the middle of the head? Put the crosshair on it and press "
                "'Set at crosshair'."
            )
        made = mirrored(shape, frame, midline, volume)
        made = made.but(**self.region_fields(made.region_name, made.region, made.side))
        if (
            made.region_name
            and made.side
            and any(other.region_name == made.region_name for other in self.shapes)
        ):
            raise QsmError(f"{made.region_name} has a shape already; delete that one first.")
        self._set(f"mirror {shape.name}", [*self.case.shapes, made])
        self.choose(made.id)
        self.placed.emit(made)
        return made

    def region_fields(self, name: str, index: int = 0, side: str = "") -> dict[str, Any]:
        """Label, name and side of a region by its name, as the label map has them."""
        labels = self.labels
        return region_fields(labels.regions if labels is not None else {}, name, index, side)

    def choose(self, key: str) -> None:
        """Make a shape the one that keys and buttons act on."""
        if key != self.chosen:
            self.chosen = key
            self.chosen_changed.emit(key)
            self.controller.repaint_all()

    # -- files and other maps ---------------------------------------------------------------

    def save(self, path: Any) -> int:
        """Write the shapes on show into a file; returns how many."""
        entry, shapes = self.entry, self.shapes
        write_shapes(path, shapes, self.volume, entry.name if entry is not None else "")
        return len(shapes)

    def load(self, path: Any) -> Applied:
        """Put the shapes of a file onto the map on show, by their places in the world."""
        volume = self.volume
        if volume is None:
            raise QsmError("Open a map first; shapes are placed on its grid.")
        file = read_shapes(path)
        found = applied(file.shapes, volume, counts=file.counts)
        self._set("open shapes", [*self.case.shapes, *found.shapes])
        return found

    def other_cases(self) -> list[Case]:
        """Cases with a map that shapes could be copied to."""
        own = self.case
        return [case for case in self.session.cases if case is not own and case.of_role("map")]

    # -- inside -----------------------------------------------------------------------------

    def _replace(self, text: str, made: FixedShape) -> None:
        self._set(text, [made if s.id == made.id else s for s in self.case.shapes])

    def _set(self, text: str, shapes: list[FixedShape]) -> None:
        self.session.change(text, self.case, shapes=tuple(shapes))
