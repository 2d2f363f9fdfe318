"""Maps beside chi from the same scan, made on request after the stages.

Each method gives quantities of its own (``gives``) and takes what the stages have made, or what
a method before it in this list gives.
"""

# They run, and forms and the documentation list them, in this order.
# isort: off
from napari_qsm.recon.contrasts.decay import r2star
from napari_qsm.recon.contrasts.weighting import mip, swi, tswi
from napari_qsm.recon.contrasts.separation import chi_separation
# isort: on

__all__ = ["chi_separation", "mip", "r2star", "swi", "tswi"]
