"""Changes of a whole region's shape, each one undo; other regions are never touched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois import edits
from napari_qsm.rois.between_slices import interpolate
from napari_qsm.session.model import Session
from napari_qsm.session.regions import region_of
from napari_qsm.study.entry import MapEntry


def change_shape(
    session: Session,
    entry: MapEntry,
    index: int,
    how: str,
    *,
    by_mm: float = 0.0,
    across: int | None = None,
) -> int:
    """Smooth, shrink or grow a region, fill its holes, or keep its largest piece.

    Parameters
    ----------
    session, entry : Session, MapEntry
        Where: a label map or a mask.
    index : int
        The region; 1 in a mask.
    how : {"smooth", "shrink", "grow", "fill holes", "keep largest piece"}
        What to do.
    by_mm : float
        How far, for the first three.
    across : int or None
        Axis through the slices that are treated one by one; None for three dimensions.

    Returns
    -------
    int
        How many voxels have changed.

    Raises
    ------
    QsmError
        If the region is empty or locked, or nothing would be left of it.
    """
    size = entry.volume.voxel_size_mm

    def changed(mask: Array) -> Array:
        if how in edits.WITH_LENGTH:
            return edits.WITH_LENGTH[how](mask, by_mm, size, across=across)
        if how == "fill holes":
            return edits.fill_holes(mask, size, across=across)
        if how == "keep largest piece":
            return edits.keep_largest(mask, across=across)
        raise QsmError(f"There is no change called '{how}'.")

    return _replace(session, entry, index, how, changed)


def interpolate_region(session: Session, entry: MapEntry, index: int, across: int) -> int:
    """Fill the empty slices between the drawn ones; see :mod:`napari_qsm.rois.between_slices`.

    Returns
    -------
    int
        How many voxels have changed.
    """
    size = entry.volume.voxel_size_mm
    return _replace(
        session, entry, index, "interpolate", lambda mask: interpolate(mask, size, across)
    )


def copy_region_slice(
    session: Session, entry: MapEntry, index: int, across: int, source: int, target: int
) -> int:
    """Add what a region has on one slice to another slice.

    Returns
    -------
    int
        How many voxels have changed.
    """
    return _replace(
        session,
        entry,
        index,
        "copy slice of",
        lambda mask: edits.copy_slice(mask, across, source, target),
    )


def _replace(
    session: Session, entry: MapEntry, index: int, what: str, change: Callable[[Array], Array]
) -> int:
    """Give a region a new shape; voxels that other regions hold stay theirs."""
    is_mask = entry.role == "mask"
    row = region_of(entry, index)
    name = entry.name if is_mask else row.name
    if row.locked:
        raise QsmError(f"'{name}' is locked; click its lock to change it.")
    before = entry.labels == index
    if not before.any():
        raise QsmError(f"Nothing is drawn of '{name}' yet.")
    after = change(before)
    if not after.any():
        raise QsmError(f"Nothing would be left of '{name}'; take a smaller length.")
    gained = after & (entry.labels == 0)
    lost = before & ~after
    at = np.flatnonzero((gained | lost).ravel(order="F"))
    values = np.where(lost.ravel(order="F")[at], 0, index)
    return session.edit_labels(entry, at, values, f"{what} {name}")
