"""What a mask leaves out that it should hold: tissue in the depth of the brain, and holes of tissue.

A mask that ends inside the brain takes the field's sources away from beside its edge. Nuclei that the edge
cuts, or comes near, are then too small, and the map is as smooth as a sound one. Skull, rim and
cortex may well be missing; what lies a centimetre deep may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError
from napari_qsm.recon.mask.extraction import (
    LARGEST_BRAIN_MM3,
    brain_mask,
    coarser_grid,
    combined_magnitude,
    resampled,
)
from napari_qsm.recon.mask.morphology import erode_mm, fill_holes

#: How deep below the surface of the brain tissue has to be in a mask, mm. Masks that were made 6 mm
#: smaller than the brain leave next to nothing that deep.
DEEP_MM = 10.0
#: Limits beyond which a person is told, ml; what sound and cut masks leave out is in the documentation.
DEEP_LIMIT_ML, HOLES_LIMIT_ML = 6.0, 0.3

#: Grid on which the brain is looked for, mm.
_GRID_MM = 2.5
#: Share of the mask's median magnitude above which there is tissue: bleeds and large veins lie below.
_SIGNAL = 0.3


#: ``{missing}`` stands for what.
CUTS = (
    "{missing} are not in the mask. Nuclei that it cuts, or whose edge it comes near, come out too "
    "small. Look where it ends; fill it there, or let the program make the mask."
)
IN_DEPTH = f"{{ml}} of tissue more than {DEEP_MM:g} mm inside the brain"
IN_HOLES = "Holes with {ml} of tissue"


class LeftOut(NamedTuple):
    """Tissue that is missing in a mask, ml.

    Attributes
    ----------
    deep_ml : float
        More than 1 cm below the surface of the brain.
    holes_ml : float
        In holes that the mask encloses.
    """

    deep_ml: float
    holes_ml: float

    @property
    def sentence(self) -> str:
        """What the user should know; empty where a mask is sound."""
        if self.deep_ml > DEEP_LIMIT_ML:
            return CUTS.format(missing=IN_DEPTH.format(ml=f"{self.deep_ml:.1f} ml"))
        if self.holes_ml > HOLES_LIMIT_ML:
            return CUTS.format(missing=IN_HOLES.format(ml=f"{self.holes_ml:.1f} ml"))
        return ""


def left_out(mask: Array, magnitude: Array, voxel_size_mm: Sequence[float]) -> LeftOut | None:
    """Tissue in the depth of the brain that a mask does not hold.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        Not modified.
    magnitude : (x, y, z) or (M, x, y, z) ndarray
        Any unit.
    voxel_size_mm : three floats
        Edge lengths of a voxel.

    Returns
    -------
    LeftOut or None
        None where there is no mask, or the magnitude shows no brain.

    Notes
    -----
    The brain is that of :func:`~napari_qsm.recon.mask.extraction.brain_mask` on a grid of 2.5 mm,
    together with the mask. Where this finds more than a human brain holds, scalp or neck are in it and
    only holes are told. What lies beyond the image counts as outside the brain.
    """
    if not mask.any():
        return None
    try:
        image = combined_magnitude(magnitude)
        shape, sizes = coarser_grid(mask.shape, voxel_size_mm, _GRID_MM)
        coarse = resampled(image, shape)
        brain = brain_mask(coarse, sizes)
    except QsmError:
        return None
    typical = _SIGNAL * float(np.median(image[mask]))
    box = bounding_box(mask, 1)
    holes = fill_holes(mask[box], voxel_size_mm) & ~mask[box] & (image[box] > typical)
    holes_ml = np.count_nonzero(holes) * float(np.prod(voxel_size_mm)) / 1000
    voxel_mm3 = float(np.prod(sizes))
    if np.count_nonzero(brain) * voxel_mm3 > LARGEST_BRAIN_MM3:
        return LeftOut(0.0, holes_ml)
    held = resampled(mask.astype(np.float32), shape) > 0.5
    deep = erode_mm(brain | held, DEEP_MM, sizes, from_edges=True)
    missing = deep & ~held & (coarse > typical)
    return LeftOut(np.count_nonzero(missing) * voxel_mm3 / 1000, holes_ml)
