"""What every unwrapping checks first."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.recon.phase.scale import wrap_phase


def check_phase_and_mask(phase: Array, mask: Array) -> tuple[Array, Array]:
    """Phase echoes wrapped to [-pi, pi) and finite, and the mask as bool; copies only if needed.

    Raises
    ------
    GeometryError
        If the shapes do not fit.
    QsmError
        If the mask is empty or a phase voxel inside it is not finite.
    """
    phase, mask = np.asarray(phase), np.asarray(mask, dtype=bool)
    if phase.ndim != 4 or phase.shape[1:] != mask.shape:
        raise GeometryError(
            f"The phase has shape {phase.shape} but the mask {mask.shape}; "
            "(echo, x, y, z) and (x, y, z) are needed."
        )
    if not mask.any():
        raise QsmError("The mask is empty, so there is nothing to unwrap.")
    low, high = float(phase.min()), float(phase.max())
    if not np.isfinite(low + high):
        bad = int((~np.isfinite(phase[:, mask])).sum())
        if bad:
            raise QsmError(
                f"{bad} phase voxels inside the mask are not finite; the phase stage sets them "
                "to zero, or leave them out of the mask."
            )
        phase = np.where(np.isfinite(phase), phase, phase.dtype.type(0))
    if low < -np.pi - 1e-6 or high > np.pi + 1e-6:
        phase = wrap_phase(phase)
    return phase, mask
