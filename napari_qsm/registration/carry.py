"""Fixed shapes of one visit in another: where the head moved, the shape goes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from napari_qsm.anatomy import DRAWN_AXES
from napari_qsm.arrays import Array
from napari_qsm.rois.canonical_grid import canonical_spacing, index_of, world_of
from napari_qsm.rois.shape_changes import turned
from napari_qsm.rois.shapes import TURNABLE, FixedShape, indices_of, snap
from napari_qsm.volume import Volume

#: A shift of less than so many voxels is none: snapping would make a jump of a whole voxel of
#: a thousandth of a millimetre where a centre lies half-way between two.
STILL_VOXELS = 0.25
#: A head that turned less in the plane of a shape leaves the shape's turn as it is.
STILL_DEG = 5.0
#: How far the turn may differ from the head's so that the number of voxels stays.
_SLACK_DEG = 5.0
#: Spacings that differ by less are the same, mm.
_SAME_MM = 1e-3


@dataclass(frozen=True)
class Carried:
    """A shape in another visit's map.

    Attributes
    ----------
    shape : FixedShape
        With an id of its own that follows from the old one's.
    note : str
        What was done to its turn, in a sentence; empty for nothing.
    """

    shape: FixedShape
    note: str = ""


def carried(shape: FixedShape, matrix: Array, source: Volume, target: Volume) -> Carried:
    """Carry a shape from one visit's map to another's.

    Parameters
    ----------
    shape : FixedShape
        As placed in ``source``.
    matrix : (4, 4) ndarray
        Points of the first visit (world RAS mm) to points of the second; rigid.
    source, target : Volume
        Any volumes on the grids of the two maps.

    Returns
    -------
    Carried
        Size and, up to 5 degrees, turn are those of the first visit. Where the voxels have
        one size, so has the number of them.
    """
    place = shape.centre_mm
    moved = matrix[:3, :3] @ np.array(place) + matrix[:3, 3]
    still, there = index_of(place, target), index_of(moved, target)
    if np.abs(there - still).max() <= STILL_VOXELS:
        there = still
    if not shape.snapped and _same_spacing(source, target):
        # By whole voxels, so that as many centres lie inside as before.
        start = index_of(place, source)
        there = np.round(there - start) + start
    x, y, z = (float(value) for value in world_of(there, target))
    key = (
        f"{shape.id} {target.shape} {np.round(target.affine, 4).tolist()} {moved.round(3).tolist()}"
    )
    centred = shape.but(id=uuid5(NAMESPACE_OID, key).hex, centre_mm=(x, y, z))
    aligned, note = _turned(centred, matrix, source, target)
    return Carried(snap(aligned, target), note)


def _same_spacing(source: Volume, target: Volume) -> bool:
    return np.allclose(canonical_spacing(source), canonical_spacing(target), rtol=0, atol=_SAME_MM)


def _turned(
    shape: FixedShape, matrix: Array, source: Volume, target: Volume
) -> tuple[FixedShape, str]:
    """The shape turned with the head, if that turned by more than 5 degrees in its plane."""
    if shape.kind not in TURNABLE:
        return shape, ""
    angle = _angle_deg(shape, matrix, source, target)
    if abs(angle) <= STILL_DEG:
        return shape, ""
    wanted = len(indices_of(snap(shape, target), target)) if _same_spacing(source, target) else None
    for slack in sorted(np.arange(-_SLACK_DEG, _SLACK_DEG + 0.1, 0.25), key=abs):
        made = turned(shape, round(angle + float(slack), 2))
        if wanted is None or len(indices_of(snap(made, target), target)) == wanted:
            words = f"{shape.name}: turned by {angle + slack:.1f}° in its plane, as the head was"
            return made, f"{words} ({angle:.1f}°)." if slack else f"{words}."
    return shape, (
        f"{shape.name}: the head turned by {angle:.1f}° in its plane, but no turn near that leaves "
        "the number of voxels as it is; the shape was not turned."
    )


def _angle_deg(shape: FixedShape, matrix: Array, source: Volume, target: Volume) -> float:
    """By how much the head turned in the shape's plane, from across to up, in target's axes."""
    across, up = DRAWN_AXES[shape.plane]
    axes = [np.asarray(v.to_canonical().affine)[:3, :3] for v in (source, target)]
    before, after = (a / np.linalg.norm(a, axis=0) for a in axes)
    turn = after.T @ matrix[:3, :3] @ before
    # Both drawn axes tell it; their mean is free of what tilts out of the plane.
    return float(
        np.degrees(
            np.arctan2(turn[up, across] - turn[across, up], turn[across, across] + turn[up, up])
        )
    )
