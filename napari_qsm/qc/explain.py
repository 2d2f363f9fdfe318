"""The quality numbers as rows of a table that explains itself."""

from __future__ import annotations

from dataclasses import dataclass

from napari_qsm.qc.quality import QualityReport


@dataclass(frozen=True)
class Row:
    """One number for people: what it is, its value with unit, what is usual, what it means."""

    name: str
    value: str
    usual: str
    meaning: str


def rows(quality: QualityReport) -> list[Row]:
    """Every number that is known, in the order of the work.

    "Usual" is what the presets give on the built-in head and on three real scans.
    """
    q = quality
    table = [
        Row(
            "Mask",
            f"{q.mask_ml:.0f} ml",
            "1000 to 1700 ml (adult brain)",
            f"Volume of the mask; {100 * q.mask_share_of_volume:.0f} % of the image.",
        ),
        Row(
            "Mask without signal",
            _percent(q.dark_share, 2),
            "below 0.1 %",
            "Part of the mask where the magnitude is as dark as air.",
        ),
        Row(
            "Mask with noisy phase",
            _percent(q.noisy_phase_share, 2),
            "below 0.1 %",
            "Part of the mask where the phase is noise.",
        ),
        Row(
            "Wraps left",
            ""
            if q.wraps_left is None or q.wraps_share is None
            else f"{q.wraps_left} ({100 * q.wraps_share:.3f} %)",
            "below 0.06 %",
            "Neighbouring voxels of the unwrapped phase that differ by more than half a turn "
            f"(right-left {_at(q, 0)}, front-back {_at(q, 1)}, up-down {_at(q, 2)}).",
        ),
        Row(
            "Noise of the field",
            _ppm(q.field_noise_ppm),
            "0.001 to 0.008 ppm",
            "Standard deviation of the noise of the total field.",
        ),
        Row(
            "Spread of the total field",
            _ppm(q.total_field_spread_ppm),
            "0.03 to 0.4 ppm",
            "Half the width of the middle 68 % of its values; most of it comes from air and shim.",
        ),
        Row(
            "Spread of the local field",
            _ppm(q.local_field_spread_ppm),
            "0.005 to 0.014 ppm",
            "The field of the tissue itself.",
        ),
        Row(
            "Map",
            f"{q.local_mask_ml:.0f} ml",
            "",
            "Volume in which the map is valid.",
        ),
        Row(
            "Mask kept",
            _percent(q.mask_share_kept, 1),
            "85 to 90 %",
            "Part of the mask that the map still covers; background removal takes the rim.",
        ),
        Row(
            "Spread of the map",
            _ppm(q.chi_spread_ppm),
            "0.015 to 0.05 ppm",
            "Half the width of the middle 68 % of its values.",
        ),
        Row(
            "Noise of the map",
            _ppm(q.chi_noise_ppm),
            "0.003 to 0.02 ppm",
            "Standard deviation of the noise from voxel to voxel.",
        ),
        Row(
            "Streaks",
            _plain(q.streak_ratio),
            "0.7 to 1.1",
            "Energy of the map in the directions that the measurement hardly sees, over that in "
            "the others. Above 1.2 streaks are likely; far below 0.7, fine structures are lost.",
        ),
        Row(
            "Rim",
            _plain(q.rim_ratio),
            "0.5 to 1.6",
            "How much the outer 2 mm of the map vary, over its inner part.",
        ),
        Row(
            "Field left unexplained",
            ""
            if q.residual_rms_ppm is None or q.residual_relative is None
            else f"{q.residual_rms_ppm:.4f} ppm ({100 * q.residual_relative:.0f} %)",
            "20 to 55 %",
            "Root mean square of the local field less the field of the map, and over that of the "
            "local field. Noise belongs here; structures do not.",
        ),
        Row(
            "Bright against dark extremes",
            "" if q.tail_asymmetry is None else f"{q.tail_asymmetry:+.2f}",
            "+0.1 to +0.55",
            "Veins and deep nuclei are positive, so the bright tail reaches further. Negative "
            "values put the sign of the map in doubt.",
        ),
        Row(
            "Iron-rich regions",
            "" if q.iron_contrast_ppm is None else f"{q.iron_contrast_ppm:+.3f} ppm",
            "+0.03 to +0.1 ppm",
            "Putamen, globus pallidus and the like, less the rest of the inner map.",
        ),
        Row(
            "Voxels without a number",
            str(q.not_finite),
            "0",
            "Voxels of the results that are not finite inside the mask.",
        ),
    ]
    return [row for row in table if row.value]


def _ppm(value: float | None) -> str:
    return "" if value is None else f"{value:.4f} ppm"


def _percent(value: float | None, digits: int) -> str:
    return "" if value is None else f"{100 * value:.{digits}f} %"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _at(quality: QualityReport, axis: int) -> str:
    return str(quality.wraps_by_axis[axis]) if len(quality.wraps_by_axis) == 3 else "?"
