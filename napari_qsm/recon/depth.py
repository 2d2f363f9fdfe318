"""How deep a voxel lies inside a mask."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_qsm.recon.edge_weights import by_slab

Array = npt.NDArray[Any]

#: Depths must exceed a radius by this factor, so that rounding cannot let a ball poke out.
TOLERANCE = 1 + 1e-6


def depth_mm(mask: Array, voxel_size_mm: Sequence[float], limit_mm: float) -> Array:
    """Distance in mm from each voxel's centre to the nearest centre outside the mask.

    A ball of voxel centres with radius r lies inside the mask exactly where the depth is
    larger than r. Beyond the array's edge counts as outside. Exact up to ``limit_mm``;
    whatever is deeper has that depth.

    Returns
    -------
    ndarray of float32
        Zero outside the mask.
    """
    try:
        compiled = importlib.import_module("napari_qsm.recon.balls_numba")
    except ImportError:
        padded = np.pad(mask, 1)
        depth = ndimage.distance_transform_edt(padded, sampling=voxel_size_mm)[1:-1, 1:-1, 1:-1]
        return np.minimum(depth, limit_mm).astype(np.float32)
    hx, hy, hz = (np.float32(size) for size in voxel_size_mm)
    limit = np.float32(limit_mm)
    inside = np.ascontiguousarray(mask)
    a, b = (np.empty(mask.shape, dtype=np.float32) for _ in range(2))
    nx, ny, _ = mask.shape
    by_slab(nx, lambda *ends: compiled.depth_along_z(inside, hz, a, *ends))
    # The same pass on the first two axes, once swapped: memory order stays along z.
    swapped = (a.transpose(1, 0, 2), b.transpose(1, 0, 2))
    by_slab(nx, lambda *ends: compiled.depth_along_x(swapped[0], hy, limit, swapped[1], *ends))
    by_slab(ny, lambda *ends: compiled.depth_along_x(b, hx, limit, a, *ends))
    np.sqrt(a, out=a)
    return np.minimum(a, limit, out=a)
