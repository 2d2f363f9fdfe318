"""Dipole inversion: from the local field to susceptibility.

Every method takes the local field (ppm), its mask, the voxel size (mm) and the direction of
B0 (unit vector in voxel axes), and some take magnitudes and a noise map. Each gives chi in
ppm, zero outside the mask. The kernel does not see the mean, so chi is known up to a constant:
the direct methods leave it as Fourier division gives it, the iterative ones make the mean over
the mask zero; the reference stage settles it.

Lambda has one meaning everywhere, stated in :mod:`napari_qsm.recon.inversion.problem`. Fields
are in ppm of B0, so neither echo time nor field strength can change a map.
"""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.inversion.star import star
from napari_qsm.recon.inversion.tv import tv
from napari_qsm.recon.inversion.tgv import tgv
from napari_qsm.recon.inversion.weak_harmonic import weak_harmonic
from napari_qsm.recon.inversion.two_pass import two_pass
from napari_qsm.recon.inversion.medi import medi
from napari_qsm.recon.inversion.ilsqr import ilsqr
from napari_qsm.recon.inversion.rts import rts
from napari_qsm.recon.inversion.ndi import ndi
from napari_qsm.recon.inversion.direct import l2, tkd
# isort: on

__all__ = [
    "ilsqr",
    "l2",
    "medi",
    "ndi",
    "rts",
    "star",
    "tgv",
    "tkd",
    "tv",
    "two_pass",
    "weak_harmonic",
]
