"""Every edit of a label map: its voxels, its rows, and what locks and protection leave alone.

Plain functions of the label values and the table of regions. None of them writes: each returns
a :class:`Change`, which a session applies so that it can be undone. Voxels are named by flat
positions, x fastest (Fortran order over x, y, z).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import mirror, reshape
from napari_qsm.rois.region import (
    MAX_INDEX,
    Region,
    RegionTable,
    clean_name,
    default_color,
    free_label,
    free_name,
    labels_present,
    no_label_left,
    region_of,
    side_of,
)

_MOST_PIECES = 20


@dataclass(frozen=True, eq=False)
class Change:
    """What an edit makes of a label map.

    Attributes
    ----------
    text : str
        What the undo is called.
    rows : mapping of int to Region or None
        Rows that are new or another; None for those that go.
    at : (n,) ndarray of intp
        Flat positions of the voxels that are written, each once.
    values : (n,) ndarray of int
        Their new labels.
    regions : tuple of int
        The labels that the edit is about, for example of the pieces, the largest first.
    missed : int
        Voxels that were wanted and left as they are, outside the map or in other regions.
    """

    text: str
    rows: Mapping[int, Region | None] = field(default_factory=dict)
    at: Array = field(default_factory=lambda: np.empty(0, np.intp))
    values: Array = field(default_factory=lambda: np.empty(0, np.intp))
    regions: tuple[int, ...] = ()
    missed: int = 0


def positions(labels: Array, index: int) -> Array:
    """Flat positions of a label's voxels."""
    return np.flatnonzero(labels.ravel(order="F") == index)


def may_write(
    values: Array, index: int, *, protect: bool, locked: Collection[int] = (), erase: bool = False
) -> Array:
    """Which voxels an edit of a region may change, by the labels they hold: the one rule.

    Parameters
    ----------
    values : ndarray of int
        Labels there now.
    index : int
        The region that is drawn or erased.
    protect : bool
        Whether other regions keep their voxels; locked ones always do.
    locked : collection of int
        See :func:`locked_labels`.
    erase : bool
        Whether the voxels are to be emptied.

    Returns
    -------
    ndarray of bool
        Shape of ``values``.
    """
    if protect:
        return np.asarray((values == index) | ((values == 0) & (not erase)))
    return np.asarray((values == index) | ~np.isin(values, list(locked)))


def locked_labels(table: Mapping[int, Region]) -> tuple[int, ...]:
    """Labels that no tool may change."""
    return tuple(index for index, row in sorted(table.items()) if row.locked)


def unlocked(table: Mapping[int, Region], index: int, what: str) -> Region:
    """The row of a region that may be changed.

    Raises
    ------
    QsmError
        If it is locked; ``what`` completes "unlock it to ... it".
    """
    row = region_of(table, index)
    if row.locked:
        raise QsmError(f"'{row.name}' is locked; unlock it to {what} it.")
    return row


def add(
    labels: Array, table: RegionTable, name: str = "", *, side: str | None = None, color: str = ""
) -> Change:
    """A new row under the lowest free label above all others.

    Raises
    ------
    QsmError
        If there is no label left.
    """
    index = free_label(labels, table)
    name = clean_name(name) or free_name(table, "New region")
    side = side_of(name) if side is None else side
    row = Region(index, name, side, color or default_color(index))
    return Change(f"add {name}", {index: row}, regions=(index,))


def add_all(labels: Array, table: RegionTable, regions: Iterable[Region]) -> Change:
    """The rows of a preset that the table does not hold yet, by name; labels in use stay.

    Raises
    ------
    QsmError
        If there is no label left.
    """
    names = {row.name.casefold() for row in table.values()}
    present = set(labels_present(labels))
    rows: dict[int, Region | None] = {}
    free = free_label(labels, table)
    for region in regions:
        if region.name.casefold() in names:
            continue
        index = region.index
        if index in table or index in rows or index in present:
            while free in rows:
                free += 1
            index = free
        if index > MAX_INDEX:
            raise no_label_left()
        rows[index] = replace(region, index=index, visible=True, locked=False)
    return Change("add regions", rows, regions=tuple(sorted(rows)))


def rename(table: RegionTable, index: int, name: str) -> Change:
    """Another name; a side that the new name tells is taken over.

    Raises
    ------
    QsmError
        If the name is empty or another region has it.
    """
    name = clean_name(name)
    row = region_of(table, index)
    if not name:
        raise QsmError("A region needs a name.")
    if any(r.name.casefold() == name.casefold() for k, r in table.items() if k != index):
        raise QsmError(f"There is a region '{name}' already.")
    told = side_of(name)
    side = told if told or side_of(row.name) else row.side
    return _row_change(f"rename {row.name}", row, replace(row, name=name, side=side))


def recolour(table: RegionTable, index: int, color: str) -> Change:
    """Another colour, ``"#rrggbb"``."""
    row = region_of(table, index)
    return _row_change(f"colour {row.name}", row, replace(row, color=color.lower()))


def set_side(table: RegionTable, index: int, side: str) -> Change:
    """The side on which a region lies: ``"left"``, ``"right"`` or empty.

    Raises
    ------
    QsmError
        If its name says otherwise.
    """
    row = region_of(table, index)
    told = side_of(row.name)
    if told and told != side:
        raise QsmError(f"'{row.name}' says {told}; rename it first.")
    return _row_change(f"side of {row.name}", row, replace(row, side=side))


def delete(labels: Array, table: RegionTable, indices: Iterable[int]) -> Change:
    """Regions out of the table and out of the map.

    Raises
    ------
    QsmError
        If one of them is locked.
    """
    rows = [unlocked(table, index, "delete") for index in indices]
    what = rows[0].name if len(rows) == 1 else f"{len(rows)} regions"
    return _given_to(labels, rows, 0, f"delete {what}")


def merge(labels: Array, table: RegionTable, into: int, others: Iterable[int]) -> Change:
    """The voxels of some regions to one of them, and the others out of the table.

    Raises
    ------
    QsmError
        If one of them is locked, or there is nothing to merge.
    """
    target = unlocked(table, into, "merge")
    rows = [unlocked(table, index, "merge") for index in others if index != into]
    if not rows:
        raise QsmError("Choose two or more regions to merge: hold Ctrl and click their rows.")
    return _given_to(labels, rows, into, f"merge into {target.name}")


def split_pieces(labels: Array, table: RegionTable, index: int) -> Change:
    """A region of each connected piece; the largest keeps name and label.

    Raises
    ------
    QsmError
        If the region is locked, in one piece, or in so many that a list is of no use.
    """
    row = unlocked(table, index, "split")
    found = reshape.pieces(labels == index)
    if len(found) < 2:
        raise QsmError(f"'{row.name}' is in one piece." if found else _nothing(row.name))
    if len(found) > _MOST_PIECES:
        raise QsmError(
            f"'{row.name}' is in {len(found)} pieces; smooth it or keep its largest piece first."
        )
    rows: dict[int, Region] = {}
    at, values = [], []
    for number, piece in enumerate(found[1:], start=2):
        so_far = {**table, **rows}
        new = free_label(labels, so_far)
        name = free_name(so_far, f"{row.name} {number}")
        rows[new] = Region(new, name, row.side, default_color(new))
        at.append(np.flatnonzero(piece.ravel(order="F")))
        values.append(np.full(at[-1].size, new))
    return Change(
        f"split {row.name}", rows, np.concatenate(at), np.concatenate(values), (index, *rows)
    )


def split_sides(labels: Array, table: RegionTable, index: int, plane: float) -> Change:
    """A left and a right region of one; it becomes the left one.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Canonical: the first axis leads to the patient's right.
    table : RegionTable
        Its rows.
    index : int
        The region.
    plane : float
        Voxel index along x of the plane between the sides; voxels on it go to the right one.

    Raises
    ------
    QsmError
        If the region is locked or lies on one side.
    """
    row = unlocked(table, index, "split")
    at = positions(labels, index)
    if at.size == 0:
        raise QsmError(_nothing(row.name))
    right = at % labels.shape[0] >= plane
    if right.all() or not right.any():
        side = "right" if right.all() else "left"
        raise QsmError(f"'{row.name}' lies wholly on the {side} of the midline.")
    base = mirror.without_side(row.name)
    left_row = replace(row, name=free_name(table, f"{base} L", besides=index), side="left")
    so_far = {**table, index: left_row}
    new = free_label(labels, so_far)
    right_row = Region(new, free_name(so_far, f"{base} R"), "right", default_color(new))
    there = at[right]
    rows = {index: left_row, new: right_row}
    return Change(f"split {row.name}", rows, there, np.full(there.size, new), (index, new))


def mirror_region(labels: Array, table: RegionTable, index: int, plane: float) -> Change:
    """A region's mirror image as its partner on the other side, which is added if missing.

    What the partner held before is replaced; voxels of other regions stay.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Canonical: the first axis leads to the patient's right.
    table : RegionTable
        Its rows.
    index : int
        The region to mirror; it must have a side.
    plane : float
        Voxel index along x of the mirror plane; moved to the nearest voxel centre or boundary.

    Returns
    -------
    Change
        Its ``regions`` is the partner's label.

    Raises
    ------
    QsmError
        If there is no side or nothing to mirror, or the partner is locked.
    """
    row = region_of(table, index)
    if not row.side:
        raise QsmError(f"'{row.name}' has no side; name it with L or R first.")
    at = positions(labels, index)
    if at.size == 0:
        raise QsmError(_nothing(row.name))
    there, lost = mirror.mirrored(at, labels.shape, plane)
    partner = mirror.partner(table, index)
    rows: Mapping[int, Region | None] = {}
    if partner is None:
        name = mirror.other_side_name(row.name)
        if name == row.name:
            name = f"{row.name} {'R' if row.side == 'left' else 'L'}"
        added = add(labels, table, name, side="right" if row.side == "left" else "left")
        rows, (partner,) = added.rows, added.regions
    unlocked(table, partner, "draw")
    values = labels[np.unravel_index(there, labels.shape, order="F")]
    free = may_write(values, partner, protect=True)
    cleared = np.setdiff1d(positions(labels, partner), there[free])
    return Change(
        f"mirror {row.name}",
        rows,
        np.concatenate([cleared, there[free]]),
        np.repeat([0, partner], [cleared.size, int(free.sum())]),
        (partner,),
        lost + int((~free).sum()),
    )


def replace_shape(
    labels: Array, row: Region, what: str, change: Callable[[Array], Array]
) -> Change:
    """A region with a new shape; voxels that other regions hold stay theirs.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Label values.
    row : Region
        The region, with the name that sentences use.
    what : str
        Completes the undo's name: "smooth", "copy slice of".
    change : callable
        Makes the new shape from the old one, both (x, y, z) ndarrays of bool.

    Raises
    ------
    QsmError
        If the region is empty or locked, or nothing would be left of it.
    """
    if row.locked:
        raise QsmError(f"'{row.name}' is locked; click its lock to change it.")
    before = labels == row.index
    if not before.any():
        raise QsmError(_nothing(row.name))
    after = change(before)
    if not after.any():
        raise QsmError(f"Nothing would be left of '{row.name}'; take a smaller length.")
    gained = after & may_write(labels, row.index, protect=True) & ~before
    lost = before & ~after
    at = np.flatnonzero((gained | lost).ravel(order="F"))
    values = np.where(lost.ravel(order="F")[at], 0, row.index)
    return Change(f"{what} {row.name}", at=at, values=values, regions=(row.index,))


def _row_change(text: str, before: Region, after: Region) -> Change:
    rows = {} if after == before else {after.index: after}
    return Change(text, rows, regions=(after.index,))


def _given_to(labels: Array, rows: list[Region], index: int, text: str) -> Change:
    """All voxels of some regions to another or to none, and their rows out of the table."""
    gone = [row.index for row in rows]
    at = np.flatnonzero(np.isin(labels.ravel(order="F"), gone))
    return Change(text, dict.fromkeys(gone), at, np.full(at.size, index), (index,) if index else ())


def _nothing(name: str) -> str:
    return f"Nothing is drawn of '{name}' yet."
