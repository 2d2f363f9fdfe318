"""Fixed shapes: regions of one size in every head, kept as objects until burnt into labels.

A shape has a kind, a size in mm and a centre in world mm. Its voxels follow from these and
from the grid it is measured on: a voxel belongs to the shape if the voxel's centre lies
inside. Axes of a shape are the voxel axes of the map in closest-canonical order, also where
the scan is oblique.

Snapping
--------
A circle of 3 mm holds 4 to 9 voxels of 1 mm, depending on where exactly the click fell. So
shapes are snapped unless told otherwise: in the plane, the centre moves to the centre of the
nearest voxel; through the plane, an odd number of slices is centred on a slice and an even
number between two, reaching one slice further to the top (front, right) from the slice that
was clicked. The number of voxels then is the same wherever the shape lies.

Straight edges (rectangles, ends of cylinders) count voxel centres on their upper edge and not
those on their lower one, so that 4 mm are four voxels of 1 mm; round edges count both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, pi
from typing import Annotated, Literal
from uuid import uuid4

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane
from napari_qsm.arrays import Array
from napari_qsm.rois.canonical_grid import (
    canonical_spacing,
    flat_positions,
    index_of,
    within,
    world_of,
)
from napari_qsm.units import with_unit
from napari_qsm.volume import Volume

Kind = Literal["circle", "ellipse", "rectangle", "sphere", "ellipsoid", "cylinder"]
Side = Literal["left", "right", ""]
Point = tuple[float, float, float]

#: Numbers that give the size of each kind, in mm.
SIZES: dict[Kind, tuple[str, ...]] = {
    "circle": ("width",),
    "ellipse": ("length", "width"),
    "rectangle": ("length", "width"),
    "sphere": ("width",),
    "ellipsoid": ("length", "width", "height"),
    "cylinder": ("width", "height"),
}
#: Kinds drawn on a number of slices; the others have a height of their own.
FLAT: tuple[Kind, ...] = ("circle", "ellipse", "rectangle")
#: Kinds that look different when turned in their plane.
TURNABLE: tuple[Kind, ...] = ("ellipse", "rectangle", "ellipsoid")
#: A mean over fewer voxels says little.
FEW_VOXELS = 10
#: Part of the size by which a voxel centre may miss the edge and still lie on it; headers
#: store sizes with seven digits.
_EDGE = 1e-5
#: Part of a voxel within which a centre counts as lying half-way between two.
_TIE = 1e-6

Millimetres = Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]


class FixedShape(BaseModel):
    """One region of fixed size.

    Attributes
    ----------
    id : str
        Stays the same for the life of the shape, whatever is changed about it.
    kind : str
        What it is.
    size_mm : tuple of float
        Full widths, not radii, as :data:`SIZES` lists them: across and up in ``plane``, then
        through it.
    slices : int
        On how many slices a circle, ellipse or rectangle lies; 1 for the others.
    plane : {"axial", "coronal", "sagittal"}
        The plane it was drawn in.
    rotation_deg : float
        Turn in the plane from the axis drawn across (right; in sagittal slices front) to the
        one drawn up (front; top), -90 to 90 excluding -90.
    centre_mm : (x, y, z)
        World RAS mm. For snapped shapes, :func:`snap` brings it to the grid.
    side : {"left", "right", ""}
        The side that its region has.
    region : int
        Label that it stands for; 0 for none yet.
    region_name : str
        What the user calls it.
    snapped : bool
        Whether the centre keeps to the grid, so that the number of voxels is constant.

    Examples
    --------
    >>> shape = FixedShape(kind="circle", size_mm=(6.0,), slices=3)
    >>> shape.words
    'circle 6 mm, 3 slices'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)
    kind: Kind
    size_mm: tuple[Millimetres, ...]
    slices: int = Field(default=1, ge=1, le=100)
    plane: Plane = "axial"
    rotation_deg: float = Field(default=0.0, gt=-90, le=90)
    centre_mm: tuple[Coordinate, Coordinate, Coordinate] = (0.0, 0.0, 0.0)
    side: Side = ""
    region: int = Field(default=0, ge=0, le=65535)
    region_name: str = ""
    snapped: bool = True

    @model_validator(mode="before")
    @classmethod
    def _without_group(cls, data: object) -> object:
        """Version 0.1 wrote whose head it lies in; the case that holds it tells that."""
        if isinstance(data, dict) and "group" in data:
            return {key: value for key, value in data.items() if key != "group"}
        return data

    @model_validator(mode="after")
    def _fits(self) -> FixedShape:
        wanted = SIZES[self.kind]
        if len(self.size_mm) != len(wanted):
            raise ValueError(
                f"a {self.kind} needs {len(wanted)} sizes in mm ({', '.join(wanted)}), "
                f"not {len(self.size_mm)}"
            )
        if self.slices != 1 and self.kind not in FLAT:
            raise ValueError(f"a {self.kind} has a height in mm, not a number of slices")
        return self

    @property
    def words(self) -> str:
        """Kind and size for people."""
        size = " x ".join(f"{size:.4g}" for size in self.size_mm)
        text = f"{self.kind} {size} mm"
        if self.kind in FLAT:
            text += f", {self.slices} slice{'s' if self.slices > 1 else ''}"
        if self.rotation_deg and self.kind in TURNABLE:
            text += f", turned {self.rotation_deg:g}°"
        return text

    @property
    def name(self) -> str:
        """The region's name, or the kind where it has none."""
        return self.region_name or self.kind

    def but(self, **changes: object) -> FixedShape:
        """The shape with some fields changed, and everything checked again."""
        return FixedShape.model_validate({**dict(self), **changes})


@dataclass(frozen=True)
class Realised:
    """What a shape comes to on a grid, beside what its formula says.

    Attributes
    ----------
    voxels : int
        Voxels whose centres lie inside, in a grid without end.
    slices : int
        On how many slices of its plane.
    area_mm2 : float
        Area of those on the fullest slice.
    volume_mm3 : float
        Volume of all.
    nominal_area_mm2, nominal_volume_mm3 : float
        From the size in mm; flat kinds are as thick as their slices.
    """

    voxels: int
    slices: int
    area_mm2: float
    volume_mm3: float
    nominal_area_mm2: float
    nominal_volume_mm3: float

    @property
    def few(self) -> bool:
        """Whether a mean over it would say little."""
        return self.voxels < FEW_VOXELS

    @property
    def words(self) -> str:
        """Count, area and volume for people."""
        area, volume = with_unit(self.area_mm2, "mm²"), with_unit(self.volume_mm3, "mm³")
        return f"{self.voxels} voxels · {area} · {volume}"


def voxels_of(shape: FixedShape, volume: Volume) -> Array:
    """Flat positions of a shape's voxels in a volume's array.

    Parameters
    ----------
    shape : FixedShape
        Any.
    volume : Volume
        The grid; any axis order.

    Returns
    -------
    (n,) ndarray of intp
        Ascending, x fastest (Fortran order over ``volume.shape``), each once. Voxels beyond
        the grid are left out.
    """
    indices = indices_of(shape, volume)
    at = indices[within(indices, volume)]
    return np.sort(flat_positions(at, volume))


def indices_of(shape: FixedShape, volume: Volume) -> Array:
    """Voxel indices of a shape in closest-canonical axis order, those beyond the grid too.

    Returns
    -------
    (n, 3) ndarray of int
    """
    centre = centre_index(shape, volume)
    base = np.floor(centre + _TIE).astype(np.intp)
    rest = np.round(centre - base, 9) + 0.0
    return base + _offsets_for(shape, canonical_spacing(volume), tuple(rest.tolist()))


def bounds_of(shape: FixedShape, volume: Volume) -> tuple[Array, Array]:
    """Lowest and highest canonical index of a shape's voxels; low above high if it has none."""
    centre = centre_index(shape, volume)
    base = np.floor(centre + _TIE).astype(np.intp)
    rest = np.round(centre - base, 9) + 0.0
    offsets = _offsets_for(shape, canonical_spacing(volume), tuple(rest.tolist()))
    if len(offsets) == 0:
        return base, base - 1
    # Offsets come in the order of their first axis; the other two need a look at all of them.
    return base + offsets.min(axis=0), base + offsets.max(axis=0)


def realised(shape: FixedShape, volume: Volume) -> Realised:
    """What a shape comes to on a volume's grid.

    For a snapped shape this holds wherever it lies; for another, where it lies now.
    """
    indices = indices_of(shape, volume)
    spacing = canonical_spacing(volume)
    depth = DEPTH_AXIS[shape.plane]
    per_slice = np.unique(indices[:, depth], return_counts=True)[1]
    voxel = volume.voxel_volume_mm3
    nominal_area, nominal_volume = nominal(shape, spacing[depth])
    return Realised(
        voxels=len(indices),
        slices=len(per_slice),
        area_mm2=float(per_slice.max(initial=0)) * voxel / spacing[depth],
        volume_mm3=len(indices) * voxel,
        nominal_area_mm2=nominal_area,
        nominal_volume_mm3=nominal_volume,
    )


def nominal(shape: FixedShape, slice_mm: float) -> tuple[float, float]:
    """Area in mm² and volume in mm³ that a shape's size says.

    Parameters
    ----------
    shape : FixedShape
        Any.
    slice_mm : float
        How far slices of its plane lie apart; the thickness of flat kinds.
    """
    size = shape.size_mm
    if shape.kind == "sphere":
        return pi / 4 * size[0] ** 2, pi / 6 * size[0] ** 3
    if shape.kind == "ellipsoid":
        return pi / 4 * size[0] * size[1], pi / 6 * size[0] * size[1] * size[2]
    if shape.kind == "rectangle":
        area = size[0] * size[1]
    elif shape.kind == "ellipse":
        area = pi / 4 * size[0] * size[1]
    else:
        area = pi / 4 * size[0] ** 2
    return area, area * (size[1] if shape.kind == "cylinder" else shape.slices * slice_mm)


def snap(shape: FixedShape, volume: Volume) -> FixedShape:
    """The shape with its centre brought to the grid it is measured on.

    Shapes that are not snapped come back as they are.
    """
    if not shape.snapped:
        return shape
    x, y, z = (float(v) for v in world_of(centre_index(shape, volume), volume))
    return shape.but(centre_mm=(x, y, z))


def centre_index(shape: FixedShape, volume: Volume) -> Array:
    """Centre in voxel indices of the canonical axis order, snapped if the shape is.

    Returns
    -------
    (3,) ndarray of float64
        Whole numbers where snapped; half-way between two through an even number of slices.
    """
    index = index_of(shape.centre_mm, volume)
    if not shape.snapped:
        return index
    depth = DEPTH_AXIS[shape.plane]
    # Half-way goes down, so that a shape snapped before stays where it is when it gains and
    # loses a slice.
    snapped = np.floor(index + 0.5 - _TIE)
    if slices_of(shape, canonical_spacing(volume)[depth]) % 2 == 0:
        snapped[depth] = np.floor(index[depth] + _TIE) + 0.5
    return snapped


def slices_of(shape: FixedShape, slice_mm: float) -> int:
    """How many slices a shape with straight ends reaches; 1 for round ones, which are centred."""
    if shape.kind in FLAT:
        return shape.slices
    if shape.kind != "cylinder":
        return 1
    half = shape.size_mm[1] / 2 / slice_mm
    return floor(half * (1 + _EDGE)) + ceil(half * (1 - _EDGE))


def _offsets_for(shape: FixedShape, spacing: Point, rest: tuple[float, ...]) -> Array:
    slices = slices_of(shape, spacing[DEPTH_AXIS[shape.plane]])
    turn = shape.rotation_deg if shape.kind in TURNABLE else 0.0
    return _offsets(shape.kind, shape.size_mm, slices, shape.plane, turn, spacing, rest)


@lru_cache(maxsize=512)
def _offsets(
    kind: Kind,
    size_mm: tuple[float, ...],
    slices: int,
    plane: Plane,
    rotation_deg: float,
    spacing: Point,
    rest: tuple[float, ...],
) -> Array:
    """Voxels inside, counted from the one at or below the centre.

    Parameters
    ----------
    rest : (x, y, z)
        How far the centre lies from that voxel, in voxels, 0 to 1.
    """
    across, up = DRAWN_AXES[plane]
    depth = DEPTH_AXIS[plane]
    far = max(size_mm)  # half the diagonal of a rectangle at the most, and half of all else
    counts = [int(far / step) + 2 for step in spacing]
    if kind in FLAT or kind == "cylinder":
        counts[depth] = slices // 2 + 2
    ranges = [np.arange(-n, n + 2) for n in counts]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    place = (grid - np.array(rest)) * np.array(spacing)
    turn = np.radians(rotation_deg)
    u = place[:, across] * np.cos(turn) + place[:, up] * np.sin(turn)
    v = place[:, up] * np.cos(turn) - place[:, across] * np.sin(turn)
    w = place[:, depth]
    if kind in ("sphere", "ellipsoid"):
        a, b, c = size_mm if kind == "ellipsoid" else size_mm * 3
        inside = (2 * u / a) ** 2 + (2 * v / b) ** 2 + (2 * w / c) ** 2 <= 1 + _EDGE
    else:
        through = place[:, depth] / spacing[depth]
        inside = _straight(through, float(slices))
        if kind == "rectangle":
            inside &= _straight(u, size_mm[0]) & _straight(v, size_mm[1])
        else:
            a, b = size_mm if kind == "ellipse" else (size_mm[0], size_mm[0])
            inside &= (2 * u / a) ** 2 + (2 * v / b) ** 2 <= 1 + _EDGE
    offsets = grid[inside].astype(np.intp)
    offsets.flags.writeable = False
    return offsets


def _straight(along: Array, width: float) -> Array:
    """Between two straight edges; the upper one belongs to the shape, the lower one not."""
    edge = width / 2
    slack = _EDGE * width
    return np.logical_and(along <= edge + slack, along > slack - edge)
