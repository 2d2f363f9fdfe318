"""Numbers under fixed shapes, and what may be wrong with where they lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.anatomy import DisplayFrame, Vector
from napari_qsm.arrays import Array
from napari_qsm.rois.canonical_grid import flat_positions, within, world_of
from napari_qsm.rois.shapes import (
    FEW_VOXELS,
    FixedShape,
    bounds_of,
    indices_of,
    voxels_of,
)
from napari_qsm.volume import Volume


@dataclass(frozen=True)
class Numbers:
    """What a map holds under a shape.

    Attributes
    ----------
    voxels : int
        Voxels of the shape on the map's grid.
    finite : int
        Those that hold a number.
    mean, sd : float
        In the map's unit; the SD is that of a sample (n - 1), NaN below two voxels.
    """

    voxels: int
    finite: int
    mean: float
    sd: float


def numbers_under(shape: FixedShape, volume: Volume) -> Numbers:
    """Statistics of a 3-D map under a shape; sums run in float64."""
    return numbers_of(values_under(shape, volume))


def numbers_of(values: Array) -> Numbers:
    """Statistics of some values of a map; sums run in float64."""
    values = values.astype(np.float64)
    finite = values[np.isfinite(values)]
    return Numbers(
        voxels=values.size,
        finite=finite.size,
        mean=float(finite.mean()) if finite.size else float("nan"),
        sd=float(finite.std(ddof=1)) if finite.size > 1 else float("nan"),
    )


def values_under(shape: FixedShape, volume: Volume) -> Array:
    """Values of a 3-D map in a shape's voxels, as float64, in the order of the positions."""
    at = voxels_of(shape, volume)
    return volume.data[np.unravel_index(at, volume.shape, order="F")].astype(np.float64)


def values_at(indices: Array, volume: Volume) -> Array:
    """Values of a 3-D map in voxels (n, 3) of RAS order that lie within it, as float64."""
    at = flat_positions(indices, volume)
    return volume.data[np.unravel_index(at, volume.shape, order="F")].astype(np.float64)


def flags_of(
    shape: FixedShape,
    volume: Volume,
    *,
    others: Iterable[FixedShape] = (),
    mask: Volume | None = None,
    frame: DisplayFrame | None = None,
    midline_mm: float | None = None,
) -> tuple[str, ...]:
    """What may be wrong with a shape, in words.

    Parameters
    ----------
    shape : FixedShape
        Any.
    volume : Volume
        The 3-D map that is measured.
    others : iterable of FixedShape
        Shapes on the same map, which should not share voxels with it; itself is passed over.
    mask : Volume, optional
        Not 0 inside the brain; any grid.
    frame, midline_mm : DisplayFrame and float, optional
        Where the plane between the patient's sides lies, to check the side.

    Returns
    -------
    tuple of str
        Empty if all is well.
    """
    indices = indices_of(shape, volume)
    flags = [*flags_of_voxels(indices, volume, mask=mask)]
    flags += [
        f"shares {n} voxels with {name}" for name, n in _shared(shape, indices, others, volume)
    ]
    wrong = wrong_side(shape.side, shape.centre_mm, frame, midline_mm)
    return (*flags, wrong) if wrong else tuple(flags)


def flags_of_voxels(
    indices: Array, volume: Volume, *, mask: Volume | None = None
) -> tuple[str, ...]:
    """What may be wrong with some voxels of a map, in words, whatever region they are.

    Parameters
    ----------
    indices : (n, 3) ndarray of int
        Voxels of the map in RAS order; some may lie beyond it.
    volume : Volume
        The 3-D map that is measured.
    mask : Volume, optional
        Not 0 inside the brain; any grid.
    """
    inside = within(indices, volume)
    count = len(indices)
    flags = []
    if count < FEW_VOXELS:
        flags.append(f"only {count} voxel{'' if count == 1 else 's'}")
    outside = int((~inside).sum())
    if outside:
        flags.append(f"{_part(outside, count)} outside the map")
    if mask is not None:
        out = int((~_in_mask(indices[inside], volume, mask)).sum())
        if out:
            flags.append(f"{_part(out, count)} outside the mask")
    values = values_at(indices[inside], volume)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        flags.append(f"{_part(missing, count)} without a number")
    empty = int((values == 0).sum())
    if empty:
        flags.append(f"{_part(empty, count)} exactly 0, as where the map is empty")
    return tuple(flags)


def flags_of_all(
    shapes: Sequence[FixedShape], volume: Volume, *, mask: Volume | None = None
) -> list[tuple[str, ...]]:
    """As :func:`flags_of` for each of many shapes, all of them being each other's others."""
    if not shapes:
        return []
    boxes = [bounds_of(shape, volume) for shape in shapes]
    low, high = (np.stack(ends) for ends in zip(*boxes, strict=True))
    apart = (low[:, None] > high[None]).any(axis=-1)
    near = np.logical_not(apart | apart.T).tolist()
    return [
        flags_of(shape, volume, others=itertools.compress(shapes, row), mask=mask)
        for shape, row in zip(shapes, near, strict=True)
    ]


def _part(some: int, of: int) -> str:
    return f"{some} of {of} voxels"


def _in_mask(indices: Array, volume: Volume, mask: Volume) -> Array:
    at = np.rint(mask.world_to_voxel(world_of(indices, volume))).astype(np.intp)
    inside = np.all((at >= 0) & (at < np.array(mask.shape)), axis=1)
    inside[inside] = mask.data[tuple(at[inside].T)] != 0
    return inside


def _shared(
    shape: FixedShape, indices: Array, others: Iterable[FixedShape], volume: Volume
) -> list[tuple[str, int]]:
    """Names of shapes that share voxels with it, and how many."""
    found: list[tuple[str, int]] = []
    if len(indices) == 0:
        return found
    low, high = indices.min(axis=0), indices.max(axis=0)
    own = None
    for other in others:
        if other.id == shape.id:
            continue
        their_low, their_high = bounds_of(other, volume)
        if (their_low > high).any() or (their_high < low).any():
            continue
        theirs = indices_of(other, volume)
        near = theirs[np.all((theirs >= low) & (theirs <= high), axis=1)]
        if len(near):
            own = own if own is not None else {tuple(index) for index in indices.tolist()}
            number = sum(tuple(index) in own for index in near.tolist())
            if number:
                found.append((other.name, number))
    return found


def wrong_side(
    side: str, centre_mm: Vector, frame: DisplayFrame | None, midline_mm: float | None
) -> str:
    """That a centre lies on the other side than its region's, in words; empty where it does not."""
    if not side or frame is None or midline_mm is None:
        return ""
    lies = "right" if frame.world_to_display(centre_mm)[0] > midline_mm else "left"
    return "" if lies == side else f"on the patient's {lies}, but its region is {side}"
