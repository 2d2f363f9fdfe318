"""What can be done with the list of regions of a label map; every change is one undo.

Hiding and locking are no changes of the work itself and take no undo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.io.label_table import Region, default_color, side_of
from napari_qsm.rois import edits, mirror
from napari_qsm.rois.region import made_up
from napari_qsm.session.history import Desk
from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry

_HIGHEST = 65535
_MOST_PIECES = 20
_SIDE_WORDS = re.compile(r"[\s_.-]*\b(?:left|right|lh|rh|lt|rt|l|r)\b[\s_.-]*", flags=re.IGNORECASE)


@dataclass
class RegionEdit:
    """Rows of a label table before and after; whether a row is shown or locked is left alone.

    Attributes
    ----------
    entry : MapEntry
        The label map.
    before, after : mapping of int to Region or None
        None where there was, or is, no such row.
    """

    entry: MapEntry
    before: Mapping[int, Region | None]
    after: Mapping[int, Region | None]

    @property
    def nbytes(self) -> int:
        """Names and colours only."""
        return 256 * len(self.before)

    @property
    def case(self) -> str:
        """Id of the case that the label map belongs to."""
        return self.entry.case

    def apply(self, session: Desk, *, back: bool) -> None:
        """Set the rows as they were before, or after."""
        rows = dict(self.entry.regions)
        for index, row in (self.before if back else self.after).items():
            now = rows.pop(index, None)
            if row is None:
                continue
            if now is not None:
                row = replace(row, visible=now.visible, locked=now.locked)
            rows[index] = row
        self.entry.regions = dict(sorted(rows.items()))
        if session.painted == self.entry.id and session.active_region not in rows:
            session.active_region = 0


def region_of(entry: MapEntry, index: int) -> Region:
    """The row of a label, made up where the label map came without one."""
    return entry.regions.get(index) or made_up(index)


def regions_of(entry: MapEntry) -> list[Region]:
    """All rows of a label map, in the order of their labels."""
    return [region_of(entry, index) for index in sorted(entry.regions)]


def labels_present(entry: MapEntry) -> list[int]:
    """Labels that have at least one voxel."""
    counts = np.bincount(entry.labels.ravel(order="K"))
    return [int(label) for label in np.flatnonzero(counts) if label]


def list_labels(entry: MapEntry) -> None:
    """Give every label that has voxels but no name a row of its own; not an undo."""
    if entry.role != "labels":
        return
    missing = [label for label in labels_present(entry) if label not in entry.regions]
    if missing:
        wanted = sorted({*entry.regions, *missing})
        entry.regions = {index: region_of(entry, index) for index in wanted}


def new_region_map(
    session: Session, like: MapEntry, regions: Sequence[Region] = (), name: str = ""
) -> MapEntry:
    """Add an empty label map on a map's own grid, and choose it for drawing.

    Parameters
    ----------
    session : Session
        Gets the new label map.
    like : MapEntry
        The map whose grid, patient and file geometry it takes.
    regions : sequence of Region
        Its rows; the first becomes the active one.
    name : str
        "regions" and the map's name unless given.
    """
    shown = like.shown
    empty = np.zeros(shown.shape, dtype=np.uint16, order="F")
    name = name or f"regions {like.name.removeprefix('χ ')}".strip()
    entry = session.add(
        shown.with_data(empty, unit="", name=name),
        role="labels",
        name=name,
        regions={region.index: region for region in regions},
        case=session.case_of(like),
    )
    session.painted = entry.id
    session.active_region = regions[0].index if regions else 0
    return entry


def add_region(
    session: Session, entry: MapEntry, name: str = "", *, side: str | None = None, color: str = ""
) -> int:
    """Add a row under the lowest free label above all others; returns the label.

    Raises
    ------
    QsmError
        If there is no label left.
    """
    index = _free_label(entry)
    name = _clean(name) or _new_name(entry)
    region = Region(
        index, name, side_of(name) if side is None else side, color or default_color(index)
    )
    _change(session, entry, {index: region}, f"add {name}")
    return index


def add_regions(session: Session, entry: MapEntry, regions: Iterable[Region]) -> list[int]:
    """Add the rows of a preset that the list does not hold yet, by name; returns their labels."""
    taken = {row.name.casefold() for row in regions_of(entry)}
    rows: dict[int, Region | None] = {}
    free = _free_label(entry)
    for region in regions:
        if region.name.casefold() in taken:
            continue
        index = region.index
        if index in entry.regions or index in rows or (entry.labels == index).any():
            while free in rows:
                free += 1
            index = free
        if index > _HIGHEST:
            raise QsmError(f"A label map holds labels up to {_HIGHEST}; there is none left.")
        rows[index] = replace(region, index=index, visible=True, locked=False)
    if rows:
        _change(session, entry, rows, "add regions")
    return sorted(rows)


def rename_region(session: Session, entry: MapEntry, index: int, name: str) -> None:
    """Give a region another name; a side that the new name tells is taken over.

    Raises
    ------
    QsmError
        If the name is empty or another region has it.
    """
    name = _clean(name)
    row = region_of(entry, index)
    if not name:
        raise QsmError("A region needs a name.")
    others = (each for each in regions_of(entry) if each.index != index)
    if any(each.name.casefold() == name.casefold() for each in others):
        raise QsmError(f"There is a region '{name}' already.")
    if name == row.name:
        return
    told = side_of(name)
    side = told if told or side_of(row.name) else row.side
    _change(session, entry, {index: replace(row, name=name, side=side)}, f"rename {row.name}")


def recolour_region(session: Session, entry: MapEntry, index: int, color: str) -> None:
    """Give a region another colour, ``"#rrggbb"``."""
    row = region_of(entry, index)
    if color.lower() != row.color:
        _change(session, entry, {index: replace(row, color=color.lower())}, f"colour {row.name}")


def set_side(session: Session, entry: MapEntry, index: int, side: str) -> None:
    """Say on which side a region lies: ``"left"``, ``"right"`` or empty.

    Raises
    ------
    QsmError
        If its name says otherwise.
    """
    row = region_of(entry, index)
    told = side_of(row.name)
    if told and told != side:
        raise QsmError(f"'{row.name}' says {told}; rename it first.")
    if side != row.side:
        _change(session, entry, {index: replace(row, side=side)}, f"side of {row.name}")


def set_visible(entry: MapEntry, indices: Iterable[int], visible: bool) -> None:
    """Show or hide regions; takes no undo."""
    _mark(entry, indices, visible=visible)


def set_locked(entry: MapEntry, indices: Iterable[int], locked: bool) -> None:
    """Keep tools from regions, or let them; takes no undo."""
    _mark(entry, indices, locked=locked)


def delete_regions(session: Session, entry: MapEntry, indices: Iterable[int]) -> None:
    """Take regions out of the list and out of the map.

    Raises
    ------
    QsmError
        If one of them is locked.
    """
    rows = [_unlocked(entry, index, "delete") for index in indices]
    if not rows:
        return
    text = f"delete {rows[0].name}" if len(rows) == 1 else f"delete {len(rows)} regions"
    with session.history.group(text):
        for row in rows:
            session.edit_labels(entry, positions(entry, row.index), 0)
        _change(session, entry, {row.index: None for row in rows}, text)


def merge_regions(session: Session, entry: MapEntry, into: int, others: Iterable[int]) -> None:
    """Give the voxels of some regions to one of them, and take the others out of the list.

    Raises
    ------
    QsmError
        If one of them is locked, or there is nothing to merge.
    """
    target = _unlocked(entry, into, "merge")
    rows = [_unlocked(entry, index, "merge") for index in others if index != into]
    if not rows:
        raise QsmError("Choose two or more regions to merge: hold Ctrl and click their rows.")
    text = f"merge into {target.name}"
    with session.history.group(text):
        for row in rows:
            session.edit_labels(entry, positions(entry, row.index), into)
        _change(session, entry, {row.index: None for row in rows}, text)


def split_pieces(session: Session, entry: MapEntry, index: int) -> list[int]:
    """Make a region of each connected piece; the largest keeps name and label.

    Returns
    -------
    list of int
        The labels of the pieces, the largest first.

    Raises
    ------
    QsmError
        If the region is locked, in one piece, or in so many that a list is of no use.
    """
    row = _unlocked(entry, index, "split")
    found = edits.pieces(entry.labels == index)
    if len(found) < 2:
        raise QsmError(f"'{row.name}' is in one piece." if found else _nothing(row))
    if len(found) > _MOST_PIECES:
        raise QsmError(
            f"'{row.name}' is in {len(found)} pieces; smooth it or keep its largest piece first."
        )
    labels = [index]
    text = f"split {row.name}"
    with session.history.group(text):
        for number, piece in enumerate(found[1:], start=2):
            new = _free_label(entry)
            name = _untaken(entry, f"{row.name} {number}")
            made = Region(new, name, row.side, default_color(new))
            _change(session, entry, {new: made}, text)
            session.edit_labels(entry, np.flatnonzero(piece.ravel(order="F")), new)
            labels.append(new)
    return labels


def split_sides(session: Session, entry: MapEntry, index: int, plane: float) -> tuple[int, int]:
    """Make a left and a right region of one.

    Parameters
    ----------
    session, entry : Session, MapEntry
        Where.
    index : int
        The region; it becomes the left one.
    plane : float
        Voxel index along x of the plane between the sides; voxels on it go to the right one.

    Returns
    -------
    left, right : int
        Labels.

    Raises
    ------
    QsmError
        If the region is locked or lies on one side, or the map does not say how the patient lay.
    """
    row = _unlocked(entry, index, "split")
    if not entry.volume.orientation_known:
        raise QsmError(
            f"'{entry.name}' does not record how the patient lay, so left and right are unknown."
        )
    at = positions(entry, index)
    if at.size == 0:
        raise QsmError(_nothing(row))
    x = at % entry.labels.shape[0]
    right = x >= plane  # the first axis of a canonical map leads to the patient's right
    if right.all() or not right.any():
        side = "right" if right.all() else "left"
        raise QsmError(f"'{row.name}' lies wholly on the {side} of the midline.")
    base = _SIDE_WORDS.sub(" ", row.name).strip() or row.name
    text = f"split {row.name}"
    with session.history.group(text):
        left_name = _untaken(entry, f"{base} L", besides=index)
        left_row = replace(row, name=left_name, side="left")
        _change(session, entry, {index: left_row}, text)
        new = _free_label(entry)
        made = Region(new, _untaken(entry, f"{base} R"), "right", default_color(new))
        _change(session, entry, {new: made}, text)
        session.edit_labels(entry, at[right], new)
    return index, new


def mirror_region(session: Session, entry: MapEntry, index: int, plane: float) -> tuple[int, int]:
    """Draw a region's mirror image as its partner on the other side, in one undo.

    What the partner held before is replaced. A partner that is missing is added. Voxels of
    other regions stay.

    Parameters
    ----------
    session, entry : Session, MapEntry
        Where.
    index : int
        The region to mirror; it must have a side.
    plane : float
        Voxel index along x of the mirror plane; moved to the nearest voxel centre or boundary.

    Returns
    -------
    partner, missed : int
        The partner's label, and how many mirrored voxels fell outside or on other regions.

    Raises
    ------
    QsmError
        If there is no side or nothing to mirror, or the partner is locked.
    """
    row = region_of(entry, index)
    if not row.side:
        raise QsmError(f"'{row.name}' has no side; name it with L or R first.")
    at = positions(entry, index)
    if at.size == 0:
        raise QsmError(_nothing(row))
    there, lost = mirror.mirrored(at, entry.labels.shape, plane)
    partner = mirror.partner(entry.regions, index)
    text = f"mirror {row.name}"
    with session.history.group(text):
        if partner is None:
            name = mirror.other_side_name(row.name)
            if name == row.name:
                name = f"{row.name} {'R' if row.side == 'left' else 'L'}"
            partner = add_region(
                session, entry, name, side="right" if row.side == "left" else "left"
            )
        _unlocked(entry, partner, "draw")
        values = entry.labels[np.unravel_index(there, entry.labels.shape, order="F")]
        free = (values == 0) | (values == partner)
        old = positions(entry, partner)
        session.edit_labels(entry, np.setdiff1d(old, there[free]), 0)
        session.edit_labels(entry, there[free], partner)
    return partner, lost + int((~free).sum())


def positions(entry: MapEntry, index: int) -> Array:
    """Flat positions (Fortran order) of a label's voxels."""
    return np.flatnonzero(entry.labels.ravel(order="F") == index)


def writable(entry: MapEntry, values: Array, index: int, *, protect: bool) -> Array:
    """Where a tool that draws a region may write, by the values that are there.

    Parameters
    ----------
    entry : MapEntry
        The label map or mask.
    values : ndarray of int
        Labels there now.
    index : int
        The region that is drawn, or erased.
    protect : bool
        Whether other regions keep their voxels; locked ones always do.

    Returns
    -------
    ndarray of bool
        Shape of ``values``.
    """
    if protect:
        return np.asarray((values == 0) | (values == index))
    locked = [row.index for row in regions_of(entry) if row.locked and row.index != index]
    return ~np.isin(values, locked)


def plane_index(entry: MapEntry, x_mm: float, origin_mm: float) -> float:
    """Voxel index along x of a plane given in mm along the left-right axis.

    Raises
    ------
    GeometryError
        If the plane lies outside the map.
    """
    index = (x_mm - origin_mm) / entry.volume.voxel_size_mm[0]
    if not -0.5 <= index <= entry.volume.shape[0] - 0.5:
        raise GeometryError(f"The midline lies outside '{entry.name}'; set it again.")
    return index


def _change(
    session: Session, entry: MapEntry, after: Mapping[int, Region | None], text: str
) -> None:
    before = {index: region_of(entry, index) if index in entry.regions else None for index in after}
    edit = RegionEdit(entry, before, dict(after))
    edit.apply(session, back=False)
    session.history.push(edit, text)


def _mark(entry: MapEntry, indices: Iterable[int], **marks: bool) -> None:
    rows = dict(entry.regions)
    for index in indices:
        rows[index] = replace(region_of(entry, index), **marks)  # type: ignore[arg-type]
    entry.regions = dict(sorted(rows.items()))


def _unlocked(entry: MapEntry, index: int, what: str) -> Region:
    row = region_of(entry, index)
    if row.locked:
        raise QsmError(f"'{row.name}' is locked; unlock it to {what} it.")
    return row


def _nothing(row: Region) -> str:
    return f"Nothing is drawn of '{row.name}' yet."


def _free_label(entry: MapEntry) -> int:
    highest = max((int(entry.labels.max()), *entry.regions), default=0)
    if highest < _HIGHEST:
        return highest + 1
    taken = {*entry.regions, *labels_present(entry)}
    free = next((i for i in range(1, _HIGHEST + 1) if i not in taken), None)
    if free is None:
        raise QsmError(f"A label map holds labels up to {_HIGHEST}; there is none left.")
    return free


def _clean(name: str) -> str:
    """One line without tabs, as every kind of label table can hold it."""
    return " ".join(name.split())


def _new_name(entry: MapEntry) -> str:
    return _untaken(entry, "New region")


def _untaken(entry: MapEntry, name: str, besides: int = 0) -> str:
    taken = {row.name.casefold() for row in regions_of(entry) if row.index != besides}
    number, tried = 1, name
    while tried.casefold() in taken:
        number += 1
        tried = f"{name} {number}"
    return tried
