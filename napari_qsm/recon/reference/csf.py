"""The fluid of the ventricles as reference, found by its slow decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.recon.reference.mean import against, check
from napari_qsm.recon.relaxometry import fit_r2star
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

# The pieces kept: two lateral ventricles and one more, as in the paper.
_PIECES = 3

# Smoothing of the decay rate, mm (standard deviation): noise alone must not look like fluid.
_SMOOTHING_MM = 1.0

# Fluid is nearly as bright as brain; darker voxels hold no decay worth a fit.
_DARK = 0.25


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
        See :func:`~napari_qsm.recon.reference.csf.ventricular_fluid`.
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
    check(chi_ppm, local_mask)
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
    return against(chi_ppm, local_mask, fluid, "fluid of the ventricles")


def ventricular_fluid(
    magnitude: Array,
    echo_times_s: Sequence[float],
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    r2star_max: float = 5.0,
    radius_mm: float = 30.0,
    smallest_mm3: float = 1000.0,
) -> Array:
    """The largest pieces with slow decay near the centre of the brain.

    Parameters
    ----------
    magnitude : (E, x, y, z) ndarray
        Magnitudes of at least two echoes, any unit.
    echo_times_s : E floats
        Their echo times, s.
    mask : (x, y, z) bool ndarray
        The brain.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    r2star_max : float
        Fluid decays more slowly than this, 1/s.
    radius_mm : float
        How far from the centre of the mask fluid is looked for.
    smallest_mm3 : float
        With less fluid than this the search has failed.

    Returns
    -------
    (x, y, z) bool ndarray
        The fluid.

    Raises
    ------
    QsmError
        If too little is found to be the ventricles.
    MetadataError, GeometryError
        If magnitudes and echo times do not fit; see
        :func:`~napari_qsm.recon.relaxometry.fit_r2star`.

    Notes
    -----
    After [1]_: R2* below 5/s, within 30 mm of the centre, the three largest pieces. The rate is
    smoothed first, and the search gives up instead of settling for a few voxels.

    References
    ----------
    .. [1] Liu 2018, Magn Reson Med 79:2795, doi:10.1002/mrm.26946
    """
    rate = fit_r2star(magnitude, echo_times_s, mask)
    bright = np.asarray(magnitude[0])
    usable = mask & (bright > _DARK * np.median(bright[mask]))
    sigma = [_SMOOTHING_MM / size for size in voxel_size_mm]
    weight = ndimage.gaussian_filter(usable.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(usable, rate, 0).astype(np.float32), sigma)
    slow = usable & (smooth < r2star_max * weight) & _central(mask, voxel_size_mm, radius_mm)
    labels, _ = ndimage.label(slow)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = np.argsort(-sizes, kind="stable")[:_PIECES]
    fluid = np.isin(labels, largest[sizes[largest] > 0])
    volume = int(fluid.sum()) * float(np.prod(voxel_size_mm))
    if volume < smallest_mm3:
        raise QsmError(
            f"The fluid of the ventricles was not found: only {volume / 1000:.2f} cm³ near the "
            f"centre decay more slowly than {r2star_max:g}/s. "
            "Draw a reference region, or choose 'whole-mask'."
        )
    return fluid


def _central(mask: Array, voxel_size_mm: Sequence[float], radius_mm: float) -> Array:
    """Voxels within a radius of the mask's centre of mass."""
    squared: Array = np.zeros((1, 1, 1))
    for axis, size in enumerate(voxel_size_mm):
        others = tuple(a for a in range(3) if a != axis)
        counts = mask.sum(axis=others)
        at = np.arange(len(counts))
        offset = (at - np.average(at, weights=counts)) * float(size)
        squared = squared + np.expand_dims(offset**2, others)
    return squared <= radius_mm**2
