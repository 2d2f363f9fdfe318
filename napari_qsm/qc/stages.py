"""The numbers that judge one stage by what it made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.qc.field import count_wraps, noise_of, residual_field
from napari_qsm.qc.measures import residual_numbers, spread
from napari_qsm.qc.spectrum import cone_ratio


def stage_numbers(stage: str, have: Mapping[str, Any]) -> dict[str, float]:
    """Quality of what one stage made; names and meanings as in ``QualityReport``.

    Parameters
    ----------
    stage : str
        A key of :data:`napari_qsm.recon.stages.STAGES`.
    have : mapping
        Quantities by name, with those of the stage; ``voxel_size_mm`` and ``b0_direction``
        for an inversion.

    Returns
    -------
    dict of str to float
        Empty for a stage that no number judges; what cannot be known is left out.
    """
    mask = have.get("mask")
    numbers: dict[str, float | None] = {}
    if stage == "mask" and mask is not None and "voxel_size_mm" in have:
        voxel_ml = float(np.prod(have["voxel_size_mm"])) / 1000
        numbers["mask_ml"] = float(np.count_nonzero(mask)) * voxel_ml
    elif stage == "unwrap" and mask is not None:
        wraps = count_wraps(have["unwrapped"], mask)
        numbers |= {"wraps_left": float(sum(wraps.left)), "wraps_share": wraps.share}
    elif stage == "echoes" and mask is not None:
        numbers["field_noise_ppm"] = noise_of(have["total_field_ppm"], mask)
        numbers["total_field_spread_ppm"] = spread(have["total_field_ppm"], mask)
    elif stage == "background":
        valid = have["local_mask"]
        numbers["local_field_spread_ppm"] = spread(have["local_field_ppm"], valid)
        if mask is not None and mask.any():
            numbers["mask_share_kept"] = np.count_nonzero(valid & mask) / np.count_nonzero(mask)
    elif stage in ("inversion", "reference"):
        numbers |= _of_the_map(have)
    return {name: float(value) for name, value in numbers.items() if value is not None}


def _of_the_map(have: Mapping[str, Any]) -> dict[str, float | None]:
    chi, valid = have["chi_ppm"], have["local_mask"]
    sizes, direction = have["voxel_size_mm"], have["b0_direction"]
    numbers = {
        "chi_spread_ppm": spread(chi, valid),
        "chi_noise_ppm": noise_of(chi, valid),
        "streak_ratio": cone_ratio(chi, valid, sizes, direction),
    }
    local = have.get("local_field_ppm")
    if local is not None and valid.any():
        residual = residual_field(
            local, chi, valid, sizes, direction, reference_ppm=have.get("reference_ppm") or 0.0
        )
        numbers["residual_rms_ppm"], numbers["residual_relative"] = residual_numbers(
            residual, local, valid
        )
    return numbers
