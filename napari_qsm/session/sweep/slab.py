"""Which slices a quick preview runs on."""

from __future__ import annotations

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.recon.sweep import Slab
from napari_qsm.session import Session
from napari_qsm.volume import Volume


def slab_at_crosshair(session: Session, grid: Volume, slices: int) -> Slab:
    """Slices of the large view's plane, the crosshair's in the middle, within the image.

    Parameters
    ----------
    session : Session
        Its crosshair and large plane.
    grid : Volume
        Closest-canonical.
    slices : int
        How many; fewer if the image has no more.
    """
    axis = DEPTH_AXIS[session.large_plane]
    count = grid.shape[axis]
    at = round(float(np.asarray(grid.world_to_voxel(session.crosshair_mm))[axis]))
    slices = min(max(slices, 1), count)
    start = min(max(at - slices // 2, 0), count - slices)
    return Slab(axis, start, start + slices)
