"""What a person should know before using a map, in plain sentences.

What is usual was measured on the built-in head (control and patient, both presets,
signal-to-noise ratios of 40 to 5, one and three echoes, with and without bleed and
calcification, upright and oblique) and on three real scans (two whole heads at 3 T, part of a
brain at 7 T). Where a limit has to lie was measured on the same scans with faults made on
purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_qsm.qc.quality import QualityReport

Severity = Literal["serious", "warning", "note"]

#: Share of the mask without signal. Sound scans: at most 0.001; a mask one voxel (2 mm) too
#: wide: 0.016 to 0.020; two voxels: 0.07.
AIR_SHARE = 0.01
AIR_SHARE_SERIOUS = 0.05
#: Spread of the rim over that of the inner map. Built-in head: 0.43 to 0.92, but 1.6
#: where it is oblique; a mask one voxel too wide: 1.6; the coarse real scans: 1.5 and 1.6.
RIM_RATIO = 1.5
#: Spread of susceptibility without noise, ppm. Sound scans: 0.016 to 0.04; with a tenth of the
#: echo time: 0.15.
SPREAD_HIGH_PPM = 0.1
#: Spread of susceptibility, ppm. Sound scans: at least 0.0166; with nine times the echo time:
#: 0.0014.
SPREAD_LOW_PPM = 0.004
#: Tail asymmetry below which the sign is doubted. Sound scans: +0.10 (signal-to-noise 10), +0.13
#: to +0.18 (the real ones and the oblique one), +0.26 to +0.53 (the others); with the other sign
#: the same, negative.
TAIL_ASYMMETRY = -0.1
#: Iron-rich regions less the rest, ppm. Sound scans: +0.047 to +0.067; other sign: the negative.
#: The limit is twice the spread of repeated scans in large nuclei (2 to 5 ppb).
IRON_CONTRAST_PPM = -0.01
#: Share of pairs of neighbours with a step of more than half a turn. Sound scans: at most 0.0006
#: (three echoes); one voxel in a thousand a turn off, which spoils a map, makes 0.002.
WRAPS_SHARE = 0.001
#: Share of the mask that the map keeps. Presets: 0.86 to 0.90; balls of at least 8 mm: 0.67.
KEPT_SHARE = 0.7
#: Volume of a whole brain's mask, ml (adults: 1000 to 1700), and the share of the image below
#: which a small mask cannot be that of a small image.
SMALL_MASK_ML = 700.0
SMALL_MASK_SHARE = 0.15
#: Unexplained share of the local field. Presets: 0.19 to 0.54 on the built-in head, 0.31 to
#: 0.54 on the real scans.
RESIDUAL_RELATIVE = 0.65
#: Cone ratio. Truth 0.84; presets 0.7 to 0.97 at signal-to-noise ratios of 40 to 15, 1.30 at 10;
#: real scans 1.04 to 1.09; truncated division at 0.05: 1.07 to 1.55.
STREAK_RATIO = 1.2
#: Noise of the map over its spread. Signal-to-noise ratios of 40, 20, 10, 5: 0.3, 0.54, 0.80,
#: 0.94; real scans: 0.20 to 0.47.
NOISE_SHARE = 0.75


@dataclass(frozen=True)
class Finding:
    """One thing a person should know.

    Attributes
    ----------
    code : str
        Stays the same from version to version: ``"nan"``, ``"mask-air"``, ``"mask-rim"``,
        ``"mask-small"``, ``"eroded"``, ``"unit"``, ``"sign"``, ``"wraps"``, ``"residual"``,
        ``"streaks"`` or ``"noise"``.
    severity : {"serious", "warning", "note"}
        Do not use the map; look before using it; good to know.
    sentence : str
        What was seen, what it may mean, and what to do.
    """

    code: str
    severity: Severity
    sentence: str


def findings(quality: QualityReport) -> list[Finding]:
    """What stands out in the numbers, the gravest first; empty where all is usual."""
    found = [
        finding
        for finding in (
            _not_finite(quality),
            _mask_air(quality),
            _sign(quality),
            _unit(quality),
            _wraps(quality),
            _eroded(quality),
            _small(quality),
            _noise(quality),
            _residual(quality),
            _streaks(quality),
            _rim(quality),
        )
        if finding
    ]
    order: tuple[Severity, ...] = ("serious", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _not_finite(quality: QualityReport) -> Finding | None:
    if not quality.not_finite:
        return None
    return Finding(
        "nan",
        "serious",
        f"{quality.not_finite} voxels inside the mask hold no number. Leave them out of the mask "
        "and reconstruct again.",
    )


def _air_share(quality: QualityReport) -> float:
    return max(quality.noisy_phase_share or 0.0, quality.dark_share or 0.0)


def _mask_air(quality: QualityReport) -> Finding | None:
    share = _air_share(quality)
    if share <= AIR_SHARE:
        return None
    return Finding(
        "mask-air",
        "serious" if share > AIR_SHARE_SERIOUS else "warning",
        f"{100 * share:.1f} % of the mask has no signal: it reaches into air, bone or a signal "
        "void. Shadows then spread far into the brain. Make the mask tighter, or paint the "
        "part away.",
    )


def _rim(quality: QualityReport) -> Finding | None:
    if quality.rim_ratio is None or quality.rim_ratio <= RIM_RATIO:
        return None
    return Finding(
        "mask-rim",
        "note",
        f"The outer 2 mm of the map vary {quality.rim_ratio:.1f} times as much as its inner "
        "part. Do not measure there; a mask that is 1-2 mm smaller may help.",
    )


def _sign(quality: QualityReport) -> Finding | None:
    advice = (
        "The scanner may store phase with the other sign. Compare veins and globus pallidus "
        "with what you know of them, then switch 'invert' in the phase stage."
    )
    if quality.iron_contrast_ppm is not None:
        if quality.iron_contrast_ppm >= IRON_CONTRAST_PPM:
            return None
        return Finding(
            "sign",
            "serious",
            "Regions rich in iron are darker than the rest of the brain "
            f"({quality.iron_contrast_ppm:+.3f} ppm), so the map's sign is probably wrong. "
            + advice,
        )
    tails = quality.tail_asymmetry
    # Shadows of a mask that reaches into air have tails of their own.
    if tails is None or tails >= TAIL_ASYMMETRY or _air_share(quality) > AIR_SHARE_SERIOUS:
        return None
    return Finding(
        "sign",
        "warning",
        "The darkest parts of the inner map stand out more than the brightest, as if veins and "
        f"deep nuclei were negative. The map's sign may be wrong. {advice}",
    )


def _unit(quality: QualityReport) -> Finding | None:
    spread, noise = quality.chi_spread_ppm, quality.chi_noise_ppm or 0.0
    if spread is None:
        return None
    clean = max(spread**2 - noise**2, 0.0) ** 0.5
    if clean > SPREAD_HIGH_PPM:
        much, given = "far larger", "too small"
    elif spread < SPREAD_LOW_PPM:
        much, given = "far smaller", "too large"
    else:
        return None
    return Finding(
        "unit",
        "serious",
        f"Susceptibilities are {much} than in any brain (spread {spread:.4f} ppm; usual 0.015 to "
        f"0.05). The echo time or the field strength was probably given {given}, in another "
        "unit, or the phase was not scaled to -pi..pi.",
    )


def _wraps(quality: QualityReport) -> Finding | None:
    if quality.wraps_share is None or quality.wraps_share <= WRAPS_SHARE:
        return None
    return Finding(
        "wraps",
        "warning",
        f"{quality.wraps_left} neighbouring voxels still differ by more than half a turn of "
        f"phase ({100 * quality.wraps_share:.2f} %). Look at the unwrapped phase; try the other "
        "unwrapping method or a tighter mask.",
    )


def _eroded(quality: QualityReport) -> Finding | None:
    if quality.mask_share_kept is None or quality.mask_share_kept >= KEPT_SHARE:
        return None
    return Finding(
        "eroded",
        "warning",
        f"Only {100 * quality.mask_share_kept:.0f} % of the mask is left in the map; cortex and "
        "small structures near the rim are missing. Use a smaller smallest radius in the "
        "background stage.",
    )


def _small(quality: QualityReport) -> Finding | None:
    if quality.mask_ml >= SMALL_MASK_ML or quality.mask_share_of_volume >= SMALL_MASK_SHARE:
        return None
    return Finding(
        "mask-small",
        "warning",
        f"The mask holds {quality.mask_ml:.0f} ml, much less than a brain (1000 to 1700 ml in "
        "adults). Look whether parts of the brain are missing.",
    )


def _noise(quality: QualityReport) -> Finding | None:
    spread, noise = quality.chi_spread_ppm, quality.chi_noise_ppm
    if not spread or noise is None or noise <= NOISE_SHARE * spread:
        return None
    return Finding(
        "noise",
        "warning",
        f"Most of what the map shows is noise ({noise:.3f} ppm against a spread of "
        f"{spread:.3f} ppm). Means of large regions may still be sound; single voxels are not.",
    )


def _residual(quality: QualityReport) -> Finding | None:
    if quality.residual_relative is None or quality.residual_relative <= RESIDUAL_RELATIVE:
        return None
    return Finding(
        "residual",
        "warning",
        f"The map explains little of its field: {100 * quality.residual_relative:.0f} % of it is "
        "left over. Noise, a wrong direction of the main field, or too strong a smoothing can "
        "do this; look where the residual is large.",
    )


def _streaks(quality: QualityReport) -> Finding | None:
    if quality.streak_ratio is None or quality.streak_ratio <= STREAK_RATIO:
        return None
    return Finding(
        "streaks",
        "warning",
        "The map has much energy in the directions that the measurement hardly sees (ratio "
        f"{quality.streak_ratio:.2f}; usual up to 1.1): streaks are likely. A stronger "
        "regularisation in the inversion lessens them.",
    )
