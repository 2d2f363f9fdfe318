"""What is done to fixed shapes: nudged, turned, resized, mirrored, carried to another map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any
from uuid import uuid4

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.errors import QsmError
from napari_qsm.io.region import Region, side_of
from napari_qsm.rois.canonical_grid import within, world_of
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.rois.region import region_side
from napari_qsm.rois.shapes import (
    SIZES,
    TURNABLE,
    FixedShape,
    Kind,
    Side,
    centre_index,
    indices_of,
    snap,
)
from napari_qsm.volume import Volume

_OTHER: dict[Side, Side] = {"left": "right", "right": "left", "": ""}


def nudged(shape: FixedShape, volume: Volume, steps: tuple[int, int, int]) -> FixedShape:
    """The shape moved by whole voxels along right, front and top of a volume's grid."""
    index = centre_index(shape, volume) + np.array(steps)
    x, y, z = (float(v) for v in world_of(index, volume))
    return snap(shape.but(centre_mm=(x, y, z)), volume)


def turned(shape: FixedShape, degrees: float) -> FixedShape:
    """The shape turned in its plane; round ones come back as they are."""
    if shape.kind not in TURNABLE:
        return shape
    return shape.but(rotation_deg=_half_turn(shape.rotation_deg + degrees))


def resized(shape: FixedShape, like: FixedShape, volume: Volume) -> FixedShape:
    """The shape with the kind, size and turn of another one, at its own place on a map."""
    fields = ("kind", "size_mm", "slices", "rotation_deg", "snapped")
    return snap(shape.but(**{name: getattr(like, name) for name in fields}), volume)


def region_fields(
    regions: Mapping[int, Region], name: str, index: int = 0, side: str = ""
) -> dict[str, Any]:
    """Label, name and side of a shape's region by its name, as a label map has them.

    ``index`` and ``side`` stand for a region that the label map does not have.
    """
    for key, region in regions.items():
        if name and region.name.casefold() == name.casefold():
            found = region_side(region) or side
            return {"region": key, "region_name": region.name, "side": found}
    return {"region": index, "region_name": name, "side": side or side_of(name)}


def _half_turn(degrees: float) -> float:
    """The same direction between -90 (excluded) and 90; a half turn changes no shape."""
    return 90.0 - (90.0 - degrees) % 180.0 + 0.0


def mirrored(
    shape: FixedShape, frame: DisplayFrame, midline_mm: float, volume: Volume
) -> FixedShape:
    """A new shape of the same size on the patient's other side.

    Parameters
    ----------
    shape : FixedShape
        Stays as it is.
    frame : DisplayFrame
        The frame in which the plane between the sides is given.
    midline_mm : float
        Where that plane lies along the frame's left-right axis.
    volume : Volume
        The grid it is snapped to.

    Returns
    -------
    FixedShape
        With an id of its own, the other side and the region name of the other side. Its
        ``region`` is 0 if the name has a side, for the caller to look up.
    """
    place = frame.world_to_display(shape.centre_mm)
    place[0] = 2 * midline_mm - place[0]
    x, y, z = (float(v) for v in frame.display_to_world(place))
    name = other_side_name(shape.region_name)
    turn = shape.rotation_deg if shape.plane == "sagittal" else _half_turn(-shape.rotation_deg)
    made = shape.but(
        id=uuid4().hex,
        centre_mm=(x, y, z),
        rotation_deg=turn,
        side=_OTHER[shape.side],
        region=shape.region if name == shape.region_name else 0,
        region_name=name,
    )
    return snap(made, volume)


def with_area(kind: Kind, size_mm: tuple[float, ...], area_mm2: float) -> tuple[float, ...]:
    """Sizes in mm of the same proportions whose section in the plane has an area.

    A cylinder keeps its height.

    Raises
    ------
    QsmError
        If the area is not a positive number.
    """
    _positive(area_mm2, "area", "mm²")
    if len(SIZES[kind]) == 1 or kind == "cylinder":
        return (2 * sqrt(area_mm2 / pi), *size_mm[1:])
    part = 1.0 if kind == "rectangle" else pi / 4
    factor = sqrt(area_mm2 / (part * size_mm[0] * size_mm[1]))
    return tuple(size * factor for size in size_mm)


def with_volume(
    kind: Kind, size_mm: tuple[float, ...], volume_mm3: float, height_mm: float
) -> tuple[float, ...]:
    """Sizes in mm of the same proportions that enclose a volume.

    Parameters
    ----------
    height_mm : float
        Thickness of all slices of a flat kind together, which stays; not used for others.
        A cylinder keeps its own height.

    Raises
    ------
    QsmError
        If the volume is not a positive number.
    """
    _positive(volume_mm3, "volume", "mm³")
    if kind == "sphere":
        return ((6 * volume_mm3 / pi) ** (1 / 3),)
    if kind == "ellipsoid":
        factor = (volume_mm3 / (pi / 6 * float(np.prod(size_mm)))) ** (1 / 3)
        return tuple(size * factor for size in size_mm)
    height = size_mm[1] if kind == "cylinder" else height_mm
    return with_area(kind, size_mm, volume_mm3 / height)


def _positive(value: float, what: str, unit: str) -> None:
    if not (np.isfinite(value) and value > 0):
        raise QsmError(f"A shape needs an {what} above 0 {unit}.".replace("an volume", "a volume"))


@dataclass(frozen=True)
class Applied:
    """Shapes on another map, and what the user should know about them.

    Attributes
    ----------
    shapes : tuple of FixedShape
        Snapped to the map's grid.
    notes : tuple of str
        A sentence for each that lies partly outside, or whose number of voxels differs.
    """

    shapes: tuple[FixedShape, ...]
    notes: tuple[str, ...]


def applied(
    shapes: Iterable[FixedShape],
    volume: Volume,
    *,
    counts: Mapping[str, int] | None = None,
    copy: bool = True,
) -> Applied:
    """Carry shapes to another map by their place in the world.

    Parameters
    ----------
    shapes : iterable of FixedShape
        Sizes stay; centres are snapped to the new grid.
    volume : Volume
        The map.
    counts : mapping, optional
        Voxels that each shape (by id) had before; differences are told.
    copy : bool
        Give the new shapes ids of their own.

    Returns
    -------
    Applied
    """
    made, notes = [], []
    for shape in shapes:
        new = snap(shape.but(id=uuid4().hex) if copy else shape, volume)
        indices = indices_of(new, volume)
        outside = int((~within(indices, volume)).sum())
        if outside:
            all_of = "all" if outside == len(indices) else f"{outside} of"
            notes.append(f"{new.name}: {all_of} {len(indices)} voxels lie outside the map.")
        before = (counts or {}).get(shape.id)
        if before is not None and before != len(indices):
            notes.append(f"{new.name}: {len(indices)} voxels here, {before} before.")
        made.append(new)
    return Applied(tuple(made), tuple(notes))
