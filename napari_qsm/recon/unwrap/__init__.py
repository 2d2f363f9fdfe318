"""Stage *unwrap*: from wrapped to unwrapped phase."""

# Forms and the documentation list the methods in this order.
# isort: off
from napari_qsm.recon.unwrap.laplacian import laplacian
from napari_qsm.recon.unwrap.quality_guided import quality_guided
# isort: on

__all__ = ["laplacian", "quality_guided"]
