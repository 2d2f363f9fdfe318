"""The part of a volume that background removal works on: the mask's box, checked and cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.stages import (
    Warn,
)


@dataclass(frozen=True, eq=False)
class Region:
    """A total field cropped to its mask.

    Attributes
    ----------
    field : ndarray, float32 or float64
        Field in ppm inside the box, less its mean in the mask; zero outside the mask. A
        constant is part of the background and would only cost float32 digits.
    mask : ndarray of bool
        The mask inside the box, without voxels whose field is not finite.
    box : tuple of slice
        Where the box lies in the volume.
    shape : tuple of int
        Shape of the volume.
    voxel_size_mm : tuple of float
        Edge lengths of a voxel.
    """

    field: Array
    mask: Array
    box: tuple[slice, ...]
    shape: tuple[int, ...]
    voxel_size_mm: tuple[float, float, float]

    def crop(self, a: Array) -> Array:
        """The same box of another volume."""
        return a[self.box]

    def put_back(self, local: Array, local_mask: Array) -> tuple[Array, Array]:
        """Local field (zero outside its mask) and mask on the grid of the volume."""
        field = np.zeros(self.shape, dtype=self.field.dtype)
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.box] = local_mask
        np.copyto(field[self.box], local, where=local_mask)
        return field, mask


def make_region(
    total_field_ppm: Array, mask: Array, voxel_size_mm: Sequence[float], warn: Warn
) -> Region:
    """Check a field and its mask, and crop both to the mask.

    Raises
    ------
    GeometryError
        If shapes differ, the field is not 3-D or a voxel size is not positive.
    QsmError
        If the mask is empty, or no voxel of it has a finite field.
    """
    field, mask = np.asarray(total_field_ppm), np.asarray(mask).astype(bool, copy=False)
    if field.ndim != 3:
        raise GeometryError(f"The total field has shape {field.shape}; a 3-D volume is needed.")
    check_like(mask, field, "mask")
    sizes = tuple(float(size) for size in voxel_size_mm)
    if len(sizes) != 3 or not all(np.isfinite(size) and size > 0 for size in sizes):
        raise GeometryError(f"Voxel sizes must be three positive lengths in mm, not {sizes}.")
    if not mask.any():
        raise QsmError(
            "The mask is empty, so there is no field to work on; make a new mask or load one."
        )
    box = bounding_box(mask)
    if any(s.start == 0 or s.stop == n for s, n in zip(box, field.shape, strict=True)):
        warn(
            "The mask touches the edge of the volume; what lies beyond the edge counts as "
            "outside the mask, so the local field ends before the edge."
        )
    dtype = np.float64 if field.dtype.itemsize > 4 else np.float32
    inside = np.ascontiguousarray(mask[box])
    values = np.array(field[box], dtype=dtype, order="C")
    finite = np.isfinite(values)
    lost = np.count_nonzero(inside & ~finite)
    if lost:
        warn(f"{lost} voxels of the mask have no finite field and were taken out of the mask.")
        inside &= finite
        if not inside.any():
            raise QsmError("The total field is not finite anywhere in the mask.")
    values[~inside] = 0
    mean = values.sum(dtype=np.float64) / np.count_nonzero(inside)
    np.subtract(values, dtype(mean), out=values, where=inside)
    return Region(values, inside, box, field.shape, sizes)


def check_like(a: Array, field: Array, what: str) -> None:
    """Refuse an array that does not have the field's shape.

    Raises
    ------
    GeometryError
        Naming both shapes.
    """
    if np.shape(a) != field.shape:
        raise GeometryError(
            f"The {what} has shape {np.shape(a)} but the total field has shape {field.shape}; "
            "they must come from the same scan."
        )


def checked_direction(b0_direction: Sequence[float] | None) -> tuple[float, float, float]:
    """B0 as a unit vector.

    Raises
    ------
    MetadataError
        If it is missing or has no length.
    """
    if b0_direction is None:
        raise MetadataError(
            "The direction of B0 is needed to estimate the tissue's field; give it, or set "
            "V-SHARP's deconvolution to none or truncated."
        )
    b = np.asarray(b0_direction, dtype=np.float64)
    length = float(np.linalg.norm(b)) if b.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise MetadataError(f"The direction of B0 must be three numbers, not {b0_direction}.")
    return float(b[0] / length), float(b[1] / length), float(b[2] / length)
