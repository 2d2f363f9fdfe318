"""What is measured of mask, phase and field: one row a number, in the order of the work.

What is usual was measured on the built-in head, two heads of real cortex and nuclei that were warped at
random, and three real scans (two whole heads at 3 T, part of a brain at 7 T), with the presets as they
are. Where a limit has to lie was measured on one of these heads with faults made on purpose
(``python -m benchmarks quality``), and, where it is said so, on the built-in head with earlier settings.
"""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import bounding_box
from napari_qsm.qc.direction import direction_doubt
from napari_qsm.qc.evidence import Evidence, spread
from napari_qsm.qc.quality import Limit, quality_measure
from napari_qsm.recon.mask.left_out import (
    CUTS,
    DEEP_LIMIT_ML,
    HOLES_LIMIT_ML,
    IN_DEPTH,
    IN_HOLES,
)
from napari_qsm.recon.mask.quality import phase_quality
from napari_qsm.recon.noise_level import noise_level

#: Coherence of the phase below which a voxel is called noise. Noise alone gives 0, a magnitude
#: at twice its noise 0.5 (see :func:`~napari_qsm.recon.mask.quality.phase_quality`).
NOISE_COHERENCE = 0.3
#: Share of the mask's median magnitude below which a voxel is called dark. Air at a usual
#: signal-to-noise ratio of 40 to 20 has 0.03 to 0.06 of it, with single voxels up to 0.15;
#: tissue that dim has no phase worth having.
DARK_SHARE = 0.15


@quality_measure(
    "mask_ml",
    "Mask",
    usual="1000 to 1700 ml (adult brain)",
    meaning="Volume of the mask; {mask_share_of_volume} of the image.",
    unit="ml",
    decimals=0,
    stages=("mask",),
    limits=(
        # Adults: 1000 to 1700 ml; part of a brain that fills its image is no small mask.
        Limit(
            "mask-small",
            "warning",
            "The mask holds {value}, much less than a brain (1000 to 1700 ml in adults). Look "
            "whether parts of the brain are missing.",
            below=700.0,
            when=lambda quality: (quality["mask_share_of_volume"] or 0) < 0.15,
        ),
    ),
)
def _mask_ml(of: Evidence) -> float | None:
    """Volume of the mask, ml."""
    return of.ml(of.outer)


@quality_measure("mask_share_of_volume", unit="%", decimals=0)
def _mask_share_of_volume(of: Evidence) -> float | None:
    """Voxels of the mask over all voxels."""
    return None if of.outer is None else float(of.outer.mean())


@quality_measure(
    "left_out_deep_ml",
    "Tissue left out",
    usual="below 2 ml",
    meaning="Tissue more than 1 cm inside the brain that is not in the mask, and tissue in holes of "
    "the mask. Nuclei at the edge of a mask come out too small.",
    unit="ml",
    decimals=1,
    text="{value}, in holes {left_out_holes_ml}",
    limits=(
        # Sound masks of 13 heads made by formula and two real ones: 0.4 at most; made 2 to 4 mm smaller:
        # 2.1; 6 mm: 5.1. Planes and boxes through nuclei: 20 and more.
        Limit(
            "mask-cuts",
            "warning",
            CUTS.format(missing=IN_DEPTH.format(ml="{value}")),
            above=DEEP_LIMIT_ML,
        ),
    ),
)
def _left_out_deep(of: Evidence) -> float | None:
    """See :func:`napari_qsm.recon.mask.left_out.left_out`."""
    return None if of.left_out is None else of.left_out.deep_ml


@quality_measure(
    "left_out_holes_ml",
    unit="ml",
    decimals=1,
    limits=(
        # Sound masks: 0; the mask without one putamen: 0.9 to 7.7.
        Limit(
            "mask-cuts",
            "warning",
            CUTS.format(missing=IN_HOLES.format(ml="{value}")),
            above=HOLES_LIMIT_ML,
        ),
    ),
)
def _left_out_holes(of: Evidence) -> float | None:
    return None if of.left_out is None else of.left_out.holes_ml


#: Sound scans: at most 0.001; a mask one voxel (2 mm) too wide: 0.016 to 0.020; two: 0.07.
_AIR = (
    "{value} of the mask has no signal: it reaches into air, bone or a signal void. Shadows then "
    "spread far into the brain. Make the mask tighter, or paint the part away."
)
AIR_SERIOUS = 0.05
_AIR_LIMITS = (
    Limit("mask-air", "serious", _AIR, above=AIR_SERIOUS),
    Limit("mask-air", "warning", _AIR, above=0.01),
)


@quality_measure(
    "dark_share",
    "Mask without signal",
    usual="below 0.1 %",
    meaning="Part of the mask where the magnitude is as dark as air.",
    unit="%",
    limits=_AIR_LIMITS,
)
def _dark_share(of: Evidence) -> float | None:
    """Share of the mask without signal in the magnitude."""
    if of.magnitude is None or of.outer is None or not of.outer.any():
        return None
    values = (of.magnitude if of.magnitude.ndim == 3 else of.magnitude[0])[of.outer]
    values = np.where(np.isfinite(values), values, 0)
    return float((values < DARK_SHARE * np.median(values)).mean())


@quality_measure(
    "noisy_phase_share",
    "Mask with noisy phase",
    usual="below 0.1 %",
    meaning="Part of the mask where the phase is noise.",
    unit="%",
    limits=_AIR_LIMITS,
)
def _noisy_phase_share(of: Evidence) -> float | None:
    """Share of the mask whose phase is noise."""
    phase = of.array("phase")
    if phase is None or of.outer is None or not of.outer.any():
        return None
    box = bounding_box(of.outer)
    first = phase[0] if phase.ndim == 4 else phase
    quality = phase_quality(first[box])
    return float((quality[of.outer[box]] < NOISE_COHERENCE).mean())


@quality_measure(
    "wraps_left",
    "Wraps left",
    usual="below 0.06 %",
    meaning="Neighbouring voxels of the unwrapped phase that differ by more than half a turn "
    "(right-left {wraps_by_axis[0]}, front-back {wraps_by_axis[1]}, up-down {wraps_by_axis[2]}).",
    decimals=0,
    text="{value} ({wraps_share})",
    stages=("unwrap",),
)
def _wraps_left(of: Evidence) -> float | None:
    """Pairs of neighbours inside the mask that differ by more than pi, over all echoes."""
    return None if of.wraps is None else sum(of.wraps.left)


@quality_measure(
    "wraps_share",
    unit="%",
    decimals=3,
    stages=("unwrap",),
    limits=(
        # Sound scans: at most 0.0006 (three echoes); one voxel in a thousand a turn off, which
        # spoils a map, makes 0.002.
        Limit(
            "wraps",
            "warning",
            "{wraps_left} neighbouring voxels still differ by more than half a turn of phase "
            "({value}). Look at the unwrapped phase; try the other unwrapping method or a tighter "
            "mask.",
            above=0.001,
        ),
    ),
)
def _wraps_share(of: Evidence) -> float | None:
    """Wraps left over all pairs of neighbours."""
    return None if of.wraps is None else of.wraps.share


@quality_measure(
    "field_noise_ppm",
    "Noise of the field",
    usual="0.001 to 0.005 ppm",
    meaning="Standard deviation of the noise of the total field.",
    unit="ppm",
    decimals=4,
    stages=("echoes",),
)
def _field_noise(of: Evidence) -> float | None:
    """See :func:`napari_qsm.recon.noise_level.noise_level`."""
    total = of.array("total_field_ppm")
    if total is None or of.outer is None:
        return None
    box = bounding_box(of.outer)
    return noise_level(total[box], of.outer[box] & np.isfinite(total[box])) or None


@quality_measure(
    "total_field_spread_ppm",
    "Spread of the total field",
    usual="0.03 to 0.4 ppm",
    meaning="Half the width of the middle 68 % of its values; most of it comes from air and shim.",
    unit="ppm",
    decimals=4,
    stages=("echoes",),
)
def _total_field_spread(of: Evidence) -> float | None:
    return spread(of.array("total_field_ppm"), of.outer)


@quality_measure(
    "local_field_spread_ppm",
    "Spread of the local field",
    usual="0.005 to 0.014 ppm",
    meaning="The field of the tissue itself.",
    unit="ppm",
    decimals=4,
    stages=("background",),
)
def _local_field_spread(of: Evidence) -> float | None:
    return spread(of.array("local_field_ppm"), of.valid)


@quality_measure(
    "direction_doubt",
    "Doubt in the direction of B0",
    usual="0.4 to 0.95",
    meaning="How strong the local field is where the stated direction of the main field leaves none, over "
    "the same for the best of other directions. Above 1 another one fits better.",
    stages=("background",),
    limits=(
        # Sound heads: 0.46 to 0.52; two real scans, 3 T, 3 mm: 0.89 and 0.90. Directions 15 degrees off: 1.6
        # to 1.7, real ones 1.08; 20: 1.9 to 2.4, real ones 1.11 to 1.26.
        Limit(
            "direction",
            "warning",
            "The local field fits another direction of the main field better than the stated one "
            "({value}; usual below 0.95). Check how the files say the images lie; nuclei come out a fifth too "
            "small where the direction is 20 degrees off.",
            above=1.05,
        ),
    ),
)
def _direction_doubt(of: Evidence) -> float | None:
    """See :func:`napari_qsm.qc.direction.direction_doubt`."""
    local, valid = of.array("local_field_ppm"), of.valid
    if local is None or valid is None or not {"voxel_size_mm", "b0_direction"} <= of.have.keys():
        return None
    return direction_doubt(local, valid, of.have["voxel_size_mm"], of.have["b0_direction"])


@quality_measure(
    "local_mask_ml", "Map", meaning="Volume in which the map is valid.", unit="ml", decimals=0
)
def _local_mask_ml(of: Evidence) -> float | None:
    return of.ml(of.valid)


@quality_measure(
    "mask_share_kept",
    "Mask kept",
    usual="85 to 90 %",
    meaning="Part of the mask that the map still covers; background removal takes the rim.",
    unit="%",
    decimals=1,
    stages=("background",),
    limits=(
        # Presets: 0.86 to 0.90; balls of at least 8 mm: 0.67.
        Limit(
            "eroded",
            "warning",
            "Only {value} of the mask is left in the map; cortex and small structures near the "
            "rim are missing. Use a smaller smallest radius in the background stage.",
            below=0.7,
        ),
    ),
)
def _mask_share_kept(of: Evidence) -> float | None:
    """Voxels of the map over voxels of the mask."""
    if of.mask is None or of.valid is None or not of.mask.any():
        return None
    return float(np.count_nonzero(of.valid & of.mask) / np.count_nonzero(of.mask))
