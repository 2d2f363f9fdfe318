"""Mask stage: which voxels hold brain whose phase can be trusted.

Each method first finds a region (in the magnitude, in the phase, by another program, from
outside) and then refines it in the same steps, see :mod:`napari_qsm.recon.mask.refine`.
"""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.mask.brain import brain
from napari_qsm.recon.mask.threshold import threshold
from napari_qsm.recon.mask.phase_quality import phase_quality_mask
from napari_qsm.recon.mask.given import given
from napari_qsm.recon.mask.whole import whole
from napari_qsm.recon.mask.tools import bet, hd_bet, synthstrip
# isort: on

__all__ = [
    "bet",
    "brain",
    "given",
    "hd_bet",
    "phase_quality_mask",
    "synthstrip",
    "threshold",
    "whole",
]
