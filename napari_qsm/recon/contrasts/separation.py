"""Chi-separation: how much of a voxel's chi comes from paramagnetic, how much from diamagnetic sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.recon.stages import Param, Warn, method, no_warning

#: Field strength at which the relaxometric constants are stated, T.
_STATED_AT_T = 3.0

_Constant = Annotated[
    float,
    Param(
        "R2' that sources of 1 ppm cause at 3 T; it grows with the field strength.",
        unit="1/s per ppm",
        ge=1,
        le=2000,
    ),
]


def _ready(have: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    _check_r2(have.get("r2_per_s"), settings["r2"])
    if have.get("field_strength_t") is None:
        raise MetadataError("χ-separation needs the field strength of the scanner.")


def _check_r2(r2_per_s: Array | None, r2: float) -> None:
    if r2_per_s is None and r2 == 0:
        raise MetadataError(
            "χ-separation takes R2 off R2*, so R2 has to be known: give a map of it, or state one "
            "value for all tissue in 1/s (on the command line --r2-map FILE, or --set "
            "chi-separation.r2=...). The program assumes none."
        )


@method(
    "contrasts",
    "chi-separation",
    title="χ-separation from R2* and χ",
    references=(
        "Shin 2021, NeuroImage 240:118371, doi:10.1016/j.neuroimage.2021.118371",
        "Dimov 2022, Tomography 8:1544, doi:10.3390/tomography8030127",
    ),
    gives=("chi_positive_ppm", "chi_negative_ppm"),
    ready=_ready,
)
def chi_separation(
    chi_ppm: Array,
    local_mask: Array,
    r2star_per_s: Array,
    field_strength_t: float,
    r2_per_s: Array | None = None,
    *,
    r2: Annotated[
        float,
        Param(
            "R2 of all tissue at the scan's field strength, where no R2 map is given; "
            "it has to be stated.",
            unit="1/s",
            ge=0,
            le=200,
        ),
    ] = 0.0,
    constant_positive: _Constant = 137.0,
    constant_negative: _Constant = 137.0,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Two maps that add up to χ and whose sizes add up to what R2' asks for.

    Parameters
    ----------
    chi_ppm : (x, y, z) ndarray
        Susceptibility, ppm.
    local_mask : (x, y, z) bool ndarray
        Where it is valid.
    r2star_per_s : (x, y, z) ndarray
        R2*, 1/s.
    field_strength_t : float
        T.
    r2_per_s : (x, y, z) ndarray, optional
        R2 from spin echoes, 1/s.
    r2, constant_positive, constant_negative
        Settings.
    warn : callable
        Always told what was assumed.

    Returns
    -------
    chi_positive_ppm, chi_negative_ppm : (x, y, z) ndarrays
        ppm, not below and not above zero; zero outside the mask. Their sum is χ to rounding.

    Raises
    ------
    MetadataError
        If R2 is neither given as a map nor stated.

    Notes
    -----
    The model is Shin 2021's: ``chi = chi+ + chi-`` and ``R2' = R2* - R2 = D+ |chi+| + D- |chi-|``,
    with ``chi+ >= 0 >= chi-``. They solve it together with the dipole inversion, with priors on
    edges; here the recipe's own χ is taken as it is, and each voxel is solved by itself::

        chi+ = max((R2' + D- chi) / (D+ + D-), chi, 0),   chi- = chi - chi+

    so that where R2' is too small for the χ there, one source alone is left. The relaxometric
    constant of 137 1/s per ppm is that paper's, from R2' and χ of deep grey matter at 3 T. Static dephasing by
    spheres would give 2π γ B0 / (9 √3) per ppm, 324 at 3 T (Yablonskiy 1994, Magn Reson Med 32:749,
    doi:10.1002/mrm.1910320610): the constant is no law of nature, and another tissue may have
    another one. It is taken in proportion to B0. With one R2 for all tissue, what R2 truly varies
    goes into both maps in equal parts, with opposite signs.
    """
    _check_r2(r2_per_s, r2)
    if r2_per_s is not None:
        unknown = float((~(r2_per_s > 0))[local_mask].mean()) if local_mask.any() else 0.0
        if unknown > 0.001:
            warn(f"in {unknown:.1%} of the map's voxels R2 is not known; they stay 0.")
            local_mask = local_mask & (r2_per_s > 0)
    scale = field_strength_t / _STATED_AT_T
    up, down = constant_positive * scale, constant_negative * scale
    chi = np.where(local_mask, chi_ppm, 0).astype(np.float64)
    prime = np.maximum(r2star_per_s - (r2 if r2_per_s is None else r2_per_s), 0)
    positive = np.maximum((prime + down * chi) / (up + down), np.maximum(chi, 0))
    positive = np.where(local_mask, positive, 0)
    negative = np.minimum(chi - positive, 0)
    inside = int(np.count_nonzero(local_mask))
    single = np.count_nonzero(local_mask & (prime <= np.where(chi > 0, up, -down) * chi))
    scaled = "" if scale == 1 else f", scaled from {_STATED_AT_T:g} T"
    taken = (
        f"R2 was taken as {r2:g}/s in every voxel" if r2_per_s is None else "R2 is the map given"
    )
    warn(
        f"the two maps rest on assumptions: {taken}; 1 ppm causes an R2' of {up:.4g}/s "
        f"(paramagnetic) and {down:.4g}/s (diamagnetic) at {field_strength_t:g} T{scaled}; and the "
        "zero of χ is that of the reference. R2* and χ of white matter also depend on how its "
        "fibres lie to B0, which is not modelled."
    )
    warn(
        "the method was checked on simulated signals only, not on scans of people against "
        "histology; the numbers are for research."
    )
    if inside and single:
        warn(
            f"in {single / inside:.0%} of the voxels R2' is too small for the χ there, so that one "
            "of the two maps is zero."
        )
    kind = chi_ppm.dtype
    return positive.astype(kind), negative.astype(kind)
