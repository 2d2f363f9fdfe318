"""Reference stage: which susceptibility is called zero.

Phase fixes susceptibility only up to a constant. What is subtracted here is returned, so that
it can be recorded and shown beside every number.
"""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.reference.mean import none, roi, whole_mask
from napari_qsm.recon.reference.csf import csf
# isort: on

__all__ = ["csf", "none", "roi", "whole_mask"]
