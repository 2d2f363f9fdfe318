"""References that are a mean: of nothing, of the whole mask, of a region."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.stages import Progress, Warn, method, no_progress, no_warning


@method("reference", "none", title="No reference")
def none(
    chi_ppm: Array,
    local_mask: Array,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, float]:
    """The map as the inversion left it.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    progress, warn : callables
        Unused here.

    Returns
    -------
    chi_ppm : (x, y, z) ndarray
        The same values.
    reference_ppm : float
        0.
    """
    return chi_ppm, 0.0


@method(
    "reference",
    "whole-mask",
    title="Mean of the whole mask",
    references=("Bilgic 2024, Magn Reson Med 91:1834, doi:10.1002/mrm.30006",),
)
def whole_mask(
    chi_ppm: Array,
    local_mask: Array,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, float]:
    """The mean over the mask becomes zero.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    progress, warn : callables
        Unused here.

    Returns
    -------
    chi_ppm : (x, y, z) ndarray
        Susceptibility against that mean inside the mask, 0 outside.
    reference_ppm : float
        The mean that was subtracted.

    Raises
    ------
    QsmError
        For an empty mask or a map with NaN inside it.
    """
    check(chi_ppm, local_mask)
    return against(chi_ppm, local_mask, local_mask, "mask")


@method(
    "reference",
    "roi",
    title="Mean of a region",
    references=("Bilgic 2024, Magn Reson Med 91:1834, doi:10.1002/mrm.30006",),
)
def roi(
    chi_ppm: Array,
    local_mask: Array,
    reference_roi: Array | None = None,
    *,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, float]:
    """The mean over a region of your own (ventricular fluid, for example) becomes zero.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    reference_roi : (x, y, z) bool ndarray or None
        The region. Its voxels outside the mask do not count, with a warning.
    progress, warn : callables
        ``warn`` is told of voxels that do not count.

    Returns
    -------
    chi_ppm : (x, y, z) ndarray
        Susceptibility against that mean inside the mask, 0 outside.
    reference_ppm : float
        The mean that was subtracted.

    Raises
    ------
    MetadataError
        Without a region.
    GeometryError
        For a region of another shape.
    QsmError
        For a region that is empty or lies outside the mask.
    """
    check(chi_ppm, local_mask)
    if reference_roi is None:
        raise MetadataError(
            "The recipe takes a region as reference but none was given; "
            "give one, or choose 'whole-mask'."
        )
    region = np.asarray(reference_roi) != 0
    if region.shape != chi_ppm.shape:
        raise GeometryError(
            f"The reference region has shape {region.shape} but the map has {chi_ppm.shape}."
        )
    if not region.any():
        raise QsmError("The reference region is empty; draw it, or choose 'whole-mask'.")
    valid = region & local_mask
    if not valid.any():
        raise QsmError(
            "The reference region lies outside the mask, where the map holds nothing; "
            "move it, or choose 'whole-mask'."
        )
    lost = int(region.sum()) - int(valid.sum())
    if lost:
        warn(f"{lost} of {int(region.sum())} voxels of the reference region lie outside the mask.")
    return against(chi_ppm, local_mask, valid, "reference region")


def check(chi_ppm: Array, local_mask: Array) -> None:
    """Refuse a map that does not fit its mask, and an empty mask.

    Raises
    ------
    GeometryError, QsmError
    """
    if chi_ppm.shape != local_mask.shape:
        raise GeometryError(
            f"The map has shape {chi_ppm.shape} but its mask has {local_mask.shape}."
        )
    if not local_mask.any():
        raise QsmError("The mask is empty, so no reference can be taken from it.")


def against(chi_ppm: Array, mask: Array, region: Array, name: str) -> tuple[Array, float]:
    """The map minus its mean in a region, zero outside the mask, and that mean."""
    reference = float(chi_ppm[region].mean(dtype=np.float64))
    if not np.isfinite(reference):
        raise QsmError(f"The map holds values that are not finite inside the {name}.")
    out = np.where(mask, chi_ppm - chi_ppm.dtype.type(reference), chi_ppm.dtype.type(0))
    return out, reference
