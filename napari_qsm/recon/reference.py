"""Reference stage: which susceptibility is called zero.

Phase fixes susceptibility only up to a constant. What is subtracted here is returned, so that
it can be recorded and shown beside every number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning
from napari_qsm.recon.ventricles import ventricular_fluid

Array = npt.NDArray[Any]


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
    references=("QSM consensus 2024, Magn Reson Med 91:1834, doi:10.1002/mrm.30006",),
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
    _check(chi_ppm, local_mask)
    return _against(chi_ppm, local_mask, local_mask, "mask")


@method(
    "reference",
    "roi",
    title="Mean of a region",
    references=("QSM consensus 2024, Magn Reson Med 91:1834, doi:10.1002/mrm.30006",),
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
    _check(chi_ppm, local_mask)
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
    return _against(chi_ppm, local_mask, valid, "reference region")


@method(
    "reference",
    "csf",
    title="Ventricular fluid, found by its R2*",
    references=("Liu 2018, Magn Reson Med 79:2795, doi:10.1002/mrm.26946",),
)
def csf(
    chi_ppm: Array,
    local_mask: Array,
    magnitude: Array | None,
    magnitude_echo_times_s: Sequence[float],
    voxel_size_mm: Sequence[float],
    *,
    r2star_max: Annotated[
        float, Param("Fluid decays more slowly than this.", unit="1/s", ge=0.1, le=50)
    ] = 5.0,
    radius_mm: Annotated[
        float,
        Param("How far from the centre of the mask to look.", unit="mm", ge=1, le=100),
    ] = 30.0,
    smallest_mm3: Annotated[
        float, Param("With less fluid than this, refuse.", unit="mm³", ge=0)
    ] = 1000.0,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, float]:
    """The mean over the fluid of the ventricles becomes zero, if they can be found.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    magnitude : (M, x, y, z) ndarray or None
        Magnitudes at two echo times or more.
    magnitude_echo_times_s : M floats
        Their echo times, s.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    r2star_max, radius_mm, smallest_mm3 : float
        See :func:`~napari_qsm.recon.ventricles.ventricular_fluid`.
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
    MetadataError
        Without magnitudes at two echo times.
    QsmError
        If the ventricles are not found.
    """
    _check(chi_ppm, local_mask)
    if magnitude is None or len(magnitude) < 2 or len(magnitude_echo_times_s) < 2:
        raise MetadataError(
            "The fluid of the ventricles is found by its decay, which needs magnitudes at two "
            "echo times or more; give a reference region, or choose 'whole-mask'."
        )
    fluid = ventricular_fluid(
        magnitude,
        magnitude_echo_times_s,
        local_mask,
        voxel_size_mm,
        r2star_max=r2star_max,
        radius_mm=radius_mm,
        smallest_mm3=smallest_mm3,
    )
    return _against(chi_ppm, local_mask, fluid, "fluid of the ventricles")


def _check(chi_ppm: Array, local_mask: Array) -> None:
    if chi_ppm.shape != local_mask.shape:
        raise GeometryError(
            f"The map has shape {chi_ppm.shape} but its mask has {local_mask.shape}."
        )
    if not local_mask.any():
        raise QsmError("The mask is empty, so no reference can be taken from it.")


def _against(chi_ppm: Array, mask: Array, region: Array, name: str) -> tuple[Array, float]:
    """The map minus its mean in a region, zero outside the mask, and that mean."""
    reference = float(chi_ppm[region].mean(dtype=np.float64))
    if not np.isfinite(reference):
        raise QsmError(f"The map holds values that are not finite inside the {name}.")
    out = np.where(mask, chi_ppm - chi_ppm.dtype.type(reference), chi_ppm.dtype.type(0))
    return out, reference
