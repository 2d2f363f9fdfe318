"""Stage *echoes*: from the unwrapped phase of each echo to one field map in ppm and its noise.

Every method gives ``(total_field_ppm, noise_ppm)`` on the grid of the mask, the field zero
outside it.
"""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.echoes.weighted import weighted
from napari_qsm.recon.echoes.fits import linear_fit, nonlinear_fit
from napari_qsm.recon.echoes.laplacian_sum import laplacian_sum
# isort: on

__all__ = ["laplacian_sum", "linear_fit", "nonlinear_fit", "weighted"]
