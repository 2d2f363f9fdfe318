"""Background removal: the field of the tissue inside the mask, without that of everything else.

Every method takes

total_field_ppm : (x, y, z) float ndarray
    Field in ppm of B0. Only the mask is looked at; voxels of it that are not finite are taken
    out of it with a warning. The result has its precision.
mask : (x, y, z) bool ndarray
    Where the field can be trusted. Beyond the array's edge counts as outside.
voxel_size_mm : three floats
    Edge lengths of a voxel.

and gives

local_field_ppm : (x, y, z) ndarray
    Field of the tissue in ppm, zero outside the local mask, known up to a constant.
local_mask : (x, y, z) bool ndarray
    Where the local field is valid; never larger than the mask.

All raise :class:`~napari_qsm.errors.GeometryError` where shapes do not fit, and
:class:`~napari_qsm.errors.QsmError` where the mask is empty or too thin for the method. The
settings are explained by their :class:`~napari_qsm.recon.stages.Param`.

Which one to take: on heads simulated at several grids and noise levels, the error of the local
field was lowest with V-SHARP and its estimate of the tissue's field, and its regression on the
truth nearest to one. RESHARP and PDF come next; LBV is as good or better where the rim of the
mask is clean and poor where it is not. ``python -m benchmarks.background`` prints the table.
"""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.background.sharp import sharp, vsharp
from napari_qsm.recon.background.resharp import resharp
from napari_qsm.recon.background.ismv import ismv
from napari_qsm.recon.background.pdf import pdf
from napari_qsm.recon.background.lbv import lbv
# isort: on

__all__ = ["ismv", "lbv", "pdf", "resharp", "sharp", "vsharp"]
