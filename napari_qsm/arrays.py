"""Arrays: their type, and the boxes within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import GeometryError

Array = npt.NDArray[Any]
#: A part of a volume: one slice of indices an axis.
Box = tuple[slice, slice, slice]


#: The longest radius, in voxels, within which anything is computed.
MOST_VOXELS = 256


def bounding_box(mask: Array, margin: Sequence[int] | int = 0) -> tuple[slice, ...]:
    """Slices of the smallest box that holds every true voxel, grown by a margin inside the array.

    An empty mask gives the whole array.
    """
    margins = [margin] * mask.ndim if isinstance(margin, int) else list(margin)
    box = []
    for axis, extra in enumerate(margins):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        if hits.size == 0:
            return tuple(slice(0, n) for n in mask.shape)
        box.append(
            slice(max(int(hits[0]) - extra, 0), min(int(hits[-1]) + 1 + extra, mask.shape[axis]))
        )
    return tuple(box)


def margin_voxels(radius_mm: float, voxel_size_mm: Sequence[float]) -> tuple[int, ...]:
    """Voxels needed on each axis to cover a length in mm.

    Raises
    ------
    GeometryError
        If they are so many that the voxel size must be wrong: work within a radius would then
        take hours and gigabytes.
    """
    smallest = min(voxel_size_mm)
    if not radius_mm / smallest <= MOST_VOXELS:
        raise GeometryError(
            f"A radius of {radius_mm:g} mm spans {radius_mm / smallest:.0f} voxels of "
            f"{smallest:g} mm, more than the {MOST_VOXELS} that are allowed; check the voxel size "
            "in the file's header."
        )
    return tuple(int(np.ceil(radius_mm / size)) for size in voxel_size_mm)
