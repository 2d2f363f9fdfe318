"""What measures of quality are taken from, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.qc.field import Wraps, count_wraps, residual_field
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.mask.left_out import LeftOut, left_out

#: How deep below the edge of the mask a voxel counts as inner, mm: rims of maps are never sound.
INNER_MM = 6.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a result, or of what one stage made; what measures share is kept.

    Attributes
    ----------
    have : mapping
        Quantities by name, ``voxel_size_mm`` and ``b0_direction`` among them.
    magnitude : (x, y, z) or (E, x, y, z) ndarray, optional
        On the same grid.
    labels, label_names : optional
        A label map on the same grid, and the names of its values.
    """

    have: Mapping[str, Any]
    magnitude: Array | None = None
    labels: Array | None = None
    label_names: Mapping[int, str] = field(default_factory=dict)
    _found: dict[str, Array | None] = field(default_factory=dict, init=False, repr=False)

    def once(self, name: str, find: Callable[[], Array | None]) -> Array | None:
        """What several measures take, found the first time that one asks for it."""
        if name not in self._found:
            self._found[name] = find()
        return self._found[name]

    def array(self, name: str) -> Array | None:
        """A quantity; None where there is none."""
        found: Array | None = self.have.get(name)
        return found

    @property
    def mask(self) -> Array | None:
        """The mask that was made or given."""
        return self.array("mask")

    @cached_property
    def valid(self) -> Array | None:
        """Where the map, or before it the local field, is valid."""
        valid, chi = self.array("local_mask"), self.array("chi_ppm")
        if valid is None and chi is not None:
            return np.isfinite(chi) & (chi != 0)
        return valid

    @property
    def outer(self) -> Array | None:
        """The mask, or where there is none, where the map is valid."""
        return self.valid if self.mask is None else self.mask

    @property
    def voxel_ml(self) -> float | None:
        """Volume of a voxel."""
        sizes = self.have.get("voxel_size_mm")
        return None if sizes is None else float(np.prod(sizes)) / 1000

    def ml(self, mask: Array | None) -> float | None:
        """Volume of a mask."""
        if mask is None or self.voxel_ml is None:
            return None
        return float(np.count_nonzero(mask) * self.voxel_ml)

    @cached_property
    def left_out(self) -> LeftOut | None:
        """Tissue that the mask leaves out."""
        if self.magnitude is None or self.mask is None:
            return None
        return left_out(self.mask, self.magnitude, self.have["voxel_size_mm"])

    @cached_property
    def finite(self) -> Array | None:
        """The map with 0 where it holds no number, float32."""
        chi = self.array("chi_ppm")
        if chi is None:
            return None
        return np.where(np.isfinite(chi), chi, 0).astype(np.float32, copy=False)

    @cached_property
    def wraps(self) -> Wraps | None:
        """Wraps left in the unwrapped phase."""
        unwrapped = self.array("unwrapped")
        if unwrapped is None or self.outer is None:
            return None
        return count_wraps(unwrapped, self.outer)

    @cached_property
    def residual_map(self) -> Array | None:
        """``f - D chi``, ppm; see :func:`~napari_qsm.qc.field.residual_field`."""
        local, chi, valid = self.array("local_field_ppm"), self.array("chi_ppm"), self.valid
        if local is None or chi is None or valid is None or not valid.any():
            return None
        return residual_field(
            local,
            chi,
            valid,
            self.have["voxel_size_mm"],
            self.have["b0_direction"],
            reference_ppm=float(self.have.get("reference_ppm") or 0),
        )

    @cached_property
    def residual(self) -> tuple[float | None, float | None]:
        """Root mean square of ``f - D chi`` inside the mask, ppm, and over that of ``f``."""
        local, valid, left = self.array("local_field_ppm"), self.valid, self.residual_map
        if local is None or valid is None or left is None:
            return None, None
        rest = left[valid].astype(np.float64)
        whole = local[valid].astype(np.float64)
        whole = whole[np.isfinite(whole)]
        rms = float(np.sqrt(np.mean(rest**2)))
        size = float(whole.std()) if whole.size else 0.0
        return rms, rms / size if size > 0 else None

    @cached_property
    def depth(self) -> Array | None:
        """Depth below the edge of the map, mm."""
        if self.valid is None:
            return None
        sizes = self.have["voxel_size_mm"]
        return depth_mm(self.valid, sizes, INNER_MM + max(sizes))

    @cached_property
    def deep(self) -> Array:
        """Values of the inner map."""
        if self.finite is None or self.depth is None:
            return np.empty(0, np.float32)
        return self.finite[self.depth > INNER_MM]


def spread(a: Array | None, mask: Array | None) -> float | None:
    """Half the distance between the 16th and 84th percentiles inside a mask.

    The standard deviation of a normal distribution, blind to a few extreme voxels.
    """
    if a is None or mask is None:
        return None
    values = a[mask]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, (15.87, 84.13))
    return float(high - low) / 2
