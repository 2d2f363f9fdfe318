"""Edits of label maps, each one undo: what :mod:`napari_qsm.rois.edit` says, done in a session.

Hiding and locking are no changes of the work itself and take no undo. Each edit's rules and
errors stand with the function of :mod:`napari_qsm.rois.edit` that it applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.rois import edit, region, reshape, shifts
from napari_qsm.rois.recolouring import recolour_all
from napari_qsm.rois.region import Region
from napari_qsm.session.history import Desk
from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry


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


def apply(session: Session, entry: MapEntry, change: edit.Change) -> int:
    """Do an edit, as one undo.

    Parameters
    ----------
    session, entry : Session, MapEntry
        Where: a label map or a mask.
    change : Change
        What :mod:`napari_qsm.rois.edit` made of the entry's labels and rows.

    Returns
    -------
    int
        How many voxels have changed.
    """
    with session.history.group(change.text):
        # A label has its row as long as it has voxels, so that nobody makes one up meanwhile.
        _set_rows(session, entry, {k: r for k, r in change.rows.items() if r is not None}, change)
        changed = session.edit_labels(entry, change.at, change.values, change.text)
        _set_rows(session, entry, {k: r for k, r in change.rows.items() if r is None}, change)
    return changed


def _set_rows(
    session: Session, entry: MapEntry, after: Mapping[int, Region | None], change: edit.Change
) -> None:
    if after:
        done = RegionEdit(entry, {index: entry.regions.get(index) for index in after}, after)
        done.apply(session, back=False)
        session.history.push(done, change.text)


def region_of(entry: MapEntry, index: int) -> Region:
    """The row of a label, made up where the label map came without one."""
    return region.region_of(entry.regions, index)


def regions_of(entry: MapEntry) -> list[Region]:
    """All rows of a label map, in the order of their labels."""
    return [entry.regions[index] for index in sorted(entry.regions)]


def list_labels(entry: MapEntry) -> None:
    """Give every label that has voxels but no name a row of its own; not an undo."""
    if entry.role == "labels":
        table = region.listed(entry.labels, entry.regions)
        if table is not entry.regions:
            entry.regions = table


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
        regions={row.index: row for row in regions},
        case=session.case_of(like),
    )
    session.painted = entry.id
    session.active_region = regions[0].index if regions else 0
    return entry


def set_visible(entry: MapEntry, indices: Iterable[int], visible: bool) -> None:
    """Show or hide regions; takes no undo."""
    entry.regions = region.marked(entry.regions, indices, visible=visible)


def set_locked(entry: MapEntry, indices: Iterable[int], locked: bool) -> None:
    """Keep tools from regions, or let them; takes no undo."""
    entry.regions = region.marked(entry.regions, indices, locked=locked)


def add_region(
    session: Session, entry: MapEntry, name: str = "", *, side: str | None = None, color: str = ""
) -> int:
    """Add a row under the lowest free label above all others; returns the label."""
    change = edit.add(entry.labels, entry.regions, name, side=side, color=color)
    apply(session, entry, change)
    return change.regions[0]


def add_regions(session: Session, entry: MapEntry, regions: Iterable[Region]) -> list[int]:
    """Add the rows of a preset that the list does not hold yet, by name; returns their labels."""
    change = edit.add_all(entry.labels, entry.regions, regions)
    apply(session, entry, change)
    return list(change.regions)


def rename_region(session: Session, entry: MapEntry, index: int, name: str) -> None:
    """Give a region another name; a side that the new name tells is taken over."""
    apply(session, entry, edit.rename(entry.regions, index, name))


def recolour_region(session: Session, entry: MapEntry, index: int, color: str) -> None:
    """Give a region another colour, ``"#rrggbb"``."""
    apply(session, entry, edit.recolour(entry.regions, index, color))


def recolour_regions(session: Session, entry: MapEntry) -> None:
    """Give all regions colours that colour-blind readers can tell apart, as one undo."""
    apply(session, entry, recolour_all(entry.regions))


def set_side(session: Session, entry: MapEntry, index: int, side: str) -> None:
    """Say on which side a region lies: ``"left"``, ``"right"`` or empty."""
    apply(session, entry, edit.set_side(entry.regions, index, side))


def delete_regions(session: Session, entry: MapEntry, indices: Iterable[int]) -> None:
    """Take regions out of the list and out of the map."""
    apply(session, entry, edit.delete(entry.labels, entry.regions, indices))


def merge_regions(session: Session, entry: MapEntry, into: int, others: Iterable[int]) -> None:
    """Give the voxels of some regions to one of them, and take the others out of the list."""
    apply(session, entry, edit.merge(entry.labels, entry.regions, into, others))


def split_pieces(session: Session, entry: MapEntry, index: int) -> list[int]:
    """Make a region of each connected piece; returns their labels, the largest first."""
    change = edit.split_pieces(entry.labels, entry.regions, index)
    apply(session, entry, change)
    return list(change.regions)


def split_sides(session: Session, entry: MapEntry, index: int, plane: float) -> tuple[int, int]:
    """Make a left and a right region of one, at a voxel index along x; returns their labels.

    Raises
    ------
    QsmError
        Also if the map does not say how the patient lay.
    """
    edit.unlocked(entry.regions, index, "split")
    if not entry.volume.orientation_known:
        raise QsmError(
            f"'{entry.name}' does not record how the patient lay, so left and right are unknown."
        )
    change = edit.split_sides(entry.labels, entry.regions, index, plane)
    apply(session, entry, change)
    left, right = change.regions
    return left, right


def mirror_region(session: Session, entry: MapEntry, index: int, plane: float) -> tuple[int, int]:
    """Draw a region's mirror image as its partner on the other side.

    Returns
    -------
    partner, missed : int
        The partner's label, and how many mirrored voxels fell outside or on other regions.
    """
    change = edit.mirror_region(entry.labels, entry.regions, index, plane)
    apply(session, entry, change)
    return change.regions[0], change.missed


def change_shape(
    session: Session,
    entry: MapEntry,
    index: int,
    how: str,
    *,
    by_mm: float = 0.0,
    across: int | None = None,
) -> int:
    """Change a region's shape as :func:`napari_qsm.rois.reshape.changed` says.

    Returns
    -------
    int
        How many voxels have changed.
    """
    size = entry.volume.voxel_size_mm
    return _reshape(
        session,
        entry,
        index,
        how,
        lambda mask: reshape.changed(mask, how, size, by_mm=by_mm, across=across),
    )


def copy_region_slice(
    session: Session, entry: MapEntry, index: int, across: int, source: int, target: int
) -> int:
    """Add what a region has on one slice to another slice; returns how many voxels changed."""
    return _reshape(
        session,
        entry,
        index,
        "copy slice of",
        lambda mask: reshape.copy_slice(mask, across, source, target),
    )


def move_region(
    session: Session,
    entry: MapEntry,
    index: int,
    steps: Sequence[int],
    *,
    across: int | None = None,
    at: int = 0,
) -> int:
    """Move a region by whole voxels, or with ``across`` what it has on the slice ``at``.

    Returns
    -------
    int
        How many of its voxels were lost to other regions.
    """
    change = shifts.move(entry.labels, _called(entry, index), steps, across=across, at=at)
    apply(session, entry, change)
    return change.missed


def _called(entry: MapEntry, index: int) -> Region:
    """The row of a region, or one with the name of a mask."""
    row = region_of(entry, index)
    return replace(row, name=entry.name) if entry.role == "mask" else row


def _reshape(
    session: Session, entry: MapEntry, index: int, what: str, change: Callable[[Array], Array]
) -> int:
    row = _called(entry, index)
    return apply(session, entry, edit.replace_shape(entry.labels, row, what, change))


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
