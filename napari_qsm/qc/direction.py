"""Whether a local field looks as if the main field ran where the scan says.

Tissue makes no field at the magic angle of Fourier space, whatever it is. Where a field is weak tells the direction of
the main field, without any map. A direction that is 20 degrees off costs nuclei a fifth of their means, and
the map looks as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.qc.field import cone_ratio
from napari_qsm.recon.mask.extraction import coarser_grid, resampled

#: Grid on which it is looked at, mm; directions that are tried: degrees off, and how many all round.
_GRID_MM = 2.5
_OFF_DEG = (20.0, 40.0)
_ROUND = 6
#: Voxels longer than that leave too few frequencies: sound maps come near 1.
_COARSEST_MM = 4.0


def direction_doubt(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
) -> float | None:
    """How much stronger a field is at the magic angle of the stated direction than at that of the best other one.

    Parameters
    ----------
    local_field_ppm : (x, y, z) ndarray
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    voxel_size_mm : three floats
    b0_direction : three floats
        Unit vector in voxel axes.

    Returns
    -------
    float or None
        Below 1 where the stated direction is the best. None where the mask is too small or the voxels too coarse to tell.

    Notes
    -----
    See :func:`~napari_qsm.qc.field.cone_ratio`. The others are the axes and diagonals of the grid, and twelve
    directions 20 and 40 degrees off.
    """
    if max(voxel_size_mm) > _COARSEST_MM:
        return None
    shape, sizes = coarser_grid(local_mask.shape, voxel_size_mm, _GRID_MM)
    inside = local_mask & np.isfinite(local_field_ppm)
    full = resampled(inside.astype(np.float32), shape) > 0.99
    field = resampled(np.where(inside, local_field_ppm, 0).astype(np.float32), shape)
    stated = np.asarray(b0_direction, float)
    ratios = [cone_ratio(field, full, sizes, tuple(b)) for b in (stated, *_others(stated))]
    if ratios[0] is None:
        return None
    return ratios[0] / min(r for r in ratios[1:] if r is not None)


def _others(stated: Array) -> list[Array]:
    """Unit vectors at least 20 degrees off."""
    least = np.eye(3)[np.abs(stated).argmin()]
    across = np.cross(stated, least)
    across /= np.linalg.norm(across)
    third = np.cross(stated, across)
    least_off = np.cos(np.deg2rad(_OFF_DEG[0]))
    # Edges, faces' and bodies' diagonals of a cube; one of each opposite two.
    steps = [np.array(s, float) for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
    units = [step / np.linalg.norm(step) for step in steps]
    found = [unit for unit in units if abs(unit @ stated) < least_off]
    for off in np.deg2rad(_OFF_DEG):
        for turn in np.arange(_ROUND) * (2 * np.pi / _ROUND):
            side = np.cos(turn) * across + np.sin(turn) * third
            found.append(np.cos(off) * stated + np.sin(off) * side)
    return found
