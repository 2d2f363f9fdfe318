"""What is measured of the susceptibility map: one row a number.

Where usual ranges and limits come from is said in :mod:`napari_qsm.qc.field_measures`.
"""

from __future__ import annotations

import numpy as np

from napari_qsm.qc.evidence import INNER_MM, Evidence, spread
from napari_qsm.qc.field import cone_ratio, roughness
from napari_qsm.qc.field_measures import AIR_SERIOUS
from napari_qsm.qc.quality import Limit, QualityReport, quality_measure

#: The rim, mm below the edge of the mask.
RIM_MM = 2.0
#: Regions rich in iron, by the beginning of their names, whose susceptibility is positive in
#: every adult (Hallgren & Sourander 1958, J Neurochem 3:41, doi:10.1111/j.1471-4159.1958.tb12607.x).
IRON_RICH = ("globus pallidus", "pallidum", "putamen", "substantia nigra", "red nucleus", "gp")

_TAIL_PERCENT = 0.5


def _air_share(quality: QualityReport) -> float:
    return max(quality["noisy_phase_share"] or 0.0, quality["dark_share"] or 0.0)


def _clean_spread(quality: QualityReport) -> float:
    """Spread of susceptibility without noise, ppm."""
    whole, noise = quality["chi_spread_ppm"] or 0.0, quality["chi_noise_ppm"] or 0.0
    return max(whole**2 - noise**2, 0.0) ** 0.5


_UNIT = (
    "Susceptibilities are far {size} than in any brain (spread {{value}}; usual 0.015 to 0.05). "
    "The echo time or the field strength was probably given too {given}, in another unit, or the "
    "phase was not scaled to -pi..pi."
)


@quality_measure(
    "chi_spread_ppm",
    "Spread of the map",
    usual="0.015 to 0.05 ppm",
    meaning="Half the width of the middle 68 % of its values.",
    unit="ppm",
    decimals=4,
    stages=("inversion", "reference"),
    limits=(
        # Sound scans without their noise: 0.017 to 0.036; with a tenth of the echo time: 0.15.
        Limit(
            "unit",
            "serious",
            _UNIT.format(size="larger", given="small"),
            when=lambda quality: _clean_spread(quality) > 0.1,
        ),
        # Sound scans: at least 0.0166; with nine times the echo time: 0.0014.
        Limit("unit", "serious", _UNIT.format(size="smaller", given="large"), below=0.004),
    ),
)
def _chi_spread(of: Evidence) -> float | None:
    return spread(of.array("chi_ppm"), of.valid)


@quality_measure(
    "chi_noise_ppm",
    "Noise of the map",
    usual="0.002 to 0.02 ppm",
    meaning="Standard deviation of the noise from voxel to voxel.",
    unit="ppm",
    decimals=4,
    stages=("inversion", "reference"),
    limits=(
        # Noise over spread of sound heads: 0.17 to 0.22; of real scans: 0.18 (7 T), 0.28 and 0.33 (3 T,
        # 3 mm); truncated division at 0.05: 0.71. On the built-in head with earlier settings, at
        # signal-to-noise ratios of 40, 15, 10, 5: 0.17, 0.30, 0.37, 0.59.
        Limit(
            "noise",
            "warning",
            "Most of what the map shows is noise ({value} against a spread of {chi_spread_ppm}). "
            "Means of large regions may still be sound; single voxels are not.",
            when=lambda q: (q["chi_noise_ppm"] or 0.0) > 0.6 * (q["chi_spread_ppm"] or np.inf),
        ),
    ),
)
def _chi_noise(of: Evidence) -> float | None:
    """See :func:`napari_qsm.qc.field.roughness`."""
    return None if of.finite is None or of.valid is None else roughness(of.finite, of.valid)


@quality_measure(
    "streak_ratio",
    "Streaks",
    usual="0.7 to 1.1",
    meaning="Energy of the map in the directions that the measurement hardly sees, over that in "
    "the others. Above 1.2 streaks are likely; far below 0.7, fine structures are lost.",
    stages=("inversion", "reference"),
    limits=(
        # Truth 0.84; sound heads 0.70 to 1.00; real scans 0.80, 0.86 and 1.08; truncated division at
        # 0.05: 1.27; a direction of B0 40 degrees off: 1.47.
        Limit(
            "streaks",
            "warning",
            "The map has much energy in the directions that the measurement hardly sees (ratio "
            "{value}; usual up to 1.1): streaks are likely. A stronger regularisation in the "
            "inversion lessens them.",
            above=1.2,
        ),
    ),
)
def _streak_ratio(of: Evidence) -> float | None:
    """See :func:`napari_qsm.qc.field.cone_ratio`."""
    if of.finite is None or of.valid is None:
        return None
    return cone_ratio(of.finite, of.valid, of.have["voxel_size_mm"], of.have["b0_direction"])


@quality_measure(
    "rim_ratio",
    "Rim",
    usual="0.25 to 1.35",
    meaning="How much the outer 2 mm of the map vary, over its inner part.",
    limits=(
        # Sound heads: 0.24 to 0.64; real scans: 0.86, 1.31 and 1.32. A mask one voxel too wide
        # made 1.6 on the built-in head with earlier settings; where nothing lies outside, no more than
        # 0.37, which `mask-air` sees.
        Limit(
            "mask-rim",
            "note",
            "The outer 2 mm of the map vary {value} times as much as its inner part. Do not "
            "measure there; a mask that is 1-2 mm smaller may help.",
            above=1.5,
        ),
    ),
)
def _rim_ratio(of: Evidence) -> float | None:
    """Spread of the map in the outer 2 mm over that of the part deeper than 6 mm."""
    if of.finite is None or of.depth is None:
        return None
    depth, deep = of.depth, of.deep
    nearest = float(depth[depth > 0].min(initial=np.inf))
    rim = of.finite[(depth > 0) & (depth <= max(RIM_MM, nearest))]
    if rim.size < 2 or deep.size < 2 or not deep.std() > 0:
        return None
    return float(rim.std() / deep.std())


@quality_measure("residual_rms_ppm", unit="ppm", decimals=4, stages=("inversion", "reference"))
def _residual_rms(of: Evidence) -> float | None:
    """Root mean square of ``f - D chi``, ppm; means removed."""
    return of.residual[0]


@quality_measure(
    "residual_relative",
    "Field left unexplained",
    usual="20 to 65 %",
    meaning="Root mean square of the local field less the field of the map, and over that of the "
    "local field. Noise belongs here, and what background removal left; structures do not.",
    unit="%",
    decimals=0,
    text="{residual_rms_ppm} ({value})",
    stages=("inversion", "reference"),
    limits=(
        # Sound heads: 0.23 to 0.37; real scans: 0.33 (7 T), 0.63 and 0.65 (3 T, 3 mm); a direction
        # 40 degrees off: 0.47, which the streaks tell; lambda 40 times too large: 0.61. Coarse sound scans and
        # too smooth maps of fine ones thus overlap: this limit finds the worst only.
        Limit(
            "residual",
            "warning",
            "The map explains little of its field: {value} of it is left over. Noise, a wrong "
            "direction of the main field, or too strong a smoothing can do this; look where the "
            "residual is large.",
            above=0.75,
        ),
    ),
)
def _residual_relative(of: Evidence) -> float | None:
    return of.residual[1]


_OTHER_SIGN = (
    "The scanner may store phase with the other sign. Compare veins and globus pallidus with what "
    "you know of them, then switch 'invert' in the phase stage."
)


@quality_measure(
    "tail_asymmetry",
    "Bright against dark extremes",
    usual="+0.1 to +0.55",
    meaning="Veins and deep nuclei are positive, so the bright tail reaches further. Negative "
    "values put the sign of the map in doubt.",
    signed=True,
    limits=(
        # Sound scans: +0.15 to +0.24 (the real ones), +0.46 to +0.53 (the others), +0.10 at a
        # signal-to-noise ratio of 10; with the other sign the same, negative. Known
        # regions overrule the tails, and a mask that reaches into air has tails of its own.
        Limit(
            "sign",
            "warning",
            "The darkest parts of the inner map stand out more than the brightest, as if veins "
            f"and deep nuclei were negative. The map's sign may be wrong. {_OTHER_SIGN}",
            below=-0.1,
            when=lambda q: q["iron_contrast_ppm"] is None and _air_share(q) <= AIR_SERIOUS,
        ),
    ),
)
def _tail_asymmetry(of: Evidence) -> float | None:
    """``(bright tail - dark tail) / (bright tail + dark tail)``, tails from the median."""
    if of.deep.size < 1000:
        return None
    dark, middle, bright = np.percentile(of.deep, (_TAIL_PERCENT, 50, 100 - _TAIL_PERCENT))
    whole = float(bright - dark)
    return float(bright - 2 * middle + dark) / whole if whole > 0 else None


@quality_measure(
    "iron_contrast_ppm",
    "Iron-rich regions",
    usual="+0.03 to +0.1 ppm",
    meaning="Putamen, globus pallidus and the like, less the rest of the inner map.",
    unit="ppm",
    decimals=3,
    signed=True,
    limits=(
        # Sound scans: +0.047 to +0.067; other sign: the negative. The limit is twice the spread
        # of repeated scans in large nuclei (2 to 5 ppb).
        Limit(
            "sign",
            "serious",
            "Regions rich in iron are darker than the rest of the brain ({value}), so the map's "
            f"sign is probably wrong. {_OTHER_SIGN}",
            below=-0.01,
        ),
    ),
)
def _iron_contrast(of: Evidence) -> float | None:
    """Mean of the regions named as rich in iron less the mean of the inner map, ppm."""
    rich = [n for n, name in of.label_names.items() if name.strip().lower().startswith(IRON_RICH)]
    if of.labels is None or not rich or of.finite is None or of.valid is None:
        return None
    region = np.isin(of.labels, rich) & of.valid
    others = (of.depth > INNER_MM) & ~region if of.depth is not None else ~region
    if not region.any() or not others.any():
        return None
    inside, beside = (of.finite[part].mean(dtype=np.float64) for part in (region, others))
    return float(inside - beside)


@quality_measure(
    "not_finite",
    "Voxels without a number",
    usual="0",
    meaning="Voxels of the results that are not finite inside the mask.",
    decimals=0,
    limits=(
        Limit(
            "nan",
            "serious",
            "{value} voxels inside the mask hold no number. Leave them out of the mask and "
            "reconstruct again.",
            above=0,
        ),
    ),
)
def _not_finite(of: Evidence) -> float | None:
    """Voxels of the results that are NaN or infinite inside the mask."""
    parts = (
        (of.array("total_field_ppm"), of.outer),
        (of.array("local_field_ppm"), of.valid),
        (of.array("chi_ppm"), of.valid),
    )
    return sum(
        int(np.count_nonzero(~np.isfinite(a[m])))
        for a, m in parts
        if a is not None and m is not None
    )
