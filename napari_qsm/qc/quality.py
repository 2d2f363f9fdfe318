"""The quality of one reconstruction, as numbers to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError

#: Edges of the histogram of susceptibility, ppm; values beyond are counted apart.
HISTOGRAM_EDGES_PPM = tuple(round(-0.3 + 0.01 * n, 2) for n in range(61))


@dataclass(frozen=True)
class QualityReport:
    """Quality of one reconstruction; plain numbers, ready for JSON. None where not known.

    Attributes
    ----------
    chi_sha256 : str
        Of the map that was measured, so that numbers cannot be shown beside another one.
    mask_ml, local_mask_ml : float
        Volume of the mask, and of its part where the map is valid, ml.
    mask_share_of_volume : float
        Voxels of the mask over all voxels.
    mask_share_kept : float or None
        Voxels of the map over voxels of the mask.
    wraps_left : int or None
        Pairs of neighbours inside the mask whose unwrapped phases differ by more than pi,
        over all echoes.
    wraps_by_axis : tuple of int
        The same along each axis of the RAS grid.
    wraps_share : float or None
        Over all pairs of neighbours.
    field_noise_ppm : float or None
        Standard deviation of the noise of the total field, ppm; see :func:`napari_qsm.qc.measures.measure`.
    total_field_spread_ppm, local_field_spread_ppm, chi_spread_ppm : float or None
        Half the distance between the 16th and 84th percentiles inside the mask, ppm: the
        standard deviation of a normal distribution, blind to a few extreme voxels.
    chi_noise_ppm : float
        Standard deviation of the noise of the map, ppm.
    streak_ratio : float or None
        Amplitude of the map near the magic angle over that away from it; see
        :func:`napari_qsm.qc.spectrum.cone_ratio`.
    residual_rms_ppm, residual_relative : float or None
        Root mean square of ``f - D chi``, ppm, and over that of ``f``; means removed.
    rim_ratio : float or None
        Spread of the map in the outer 2 mm over that of the part deeper than 6 mm.
    noisy_phase_share : float or None
        Share of the mask whose phase is noise.
    dark_share : float or None
        Share of the mask without signal in the magnitude.
    tail_asymmetry : float or None
        -1 to 1: how much further the bright tail of the inner map reaches than the dark one.
    iron_contrast_ppm : float or None
        Mean of the regions named as rich in iron less the mean of the inner map, ppm.
    not_finite : int
        Voxels of the results that are NaN or infinite inside the mask.
    histogram : tuple of int
        Voxels of the map between :data:`HISTOGRAM_EDGES_PPM`.
    below_histogram, above_histogram : int
        Voxels beyond its two ends.
    seconds : dict
        Time of each stage, s.
    """

    chi_sha256: str
    mask_ml: float
    local_mask_ml: float
    mask_share_of_volume: float
    mask_share_kept: float | None
    wraps_left: int | None
    wraps_by_axis: tuple[int, ...]
    wraps_share: float | None
    field_noise_ppm: float | None
    total_field_spread_ppm: float | None
    local_field_spread_ppm: float | None
    chi_spread_ppm: float | None
    chi_noise_ppm: float | None
    streak_ratio: float | None
    residual_rms_ppm: float | None
    residual_relative: float | None
    rim_ratio: float | None
    noisy_phase_share: float | None
    dark_share: float | None
    tail_asymmetry: float | None
    iron_contrast_ppm: float | None
    not_finite: int
    histogram: tuple[int, ...]
    below_histogram: int
    above_histogram: int
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON; :func:`from_dict` reads it back."""
        data = asdict(self)
        data["seconds"] = dict(self.seconds)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in data.items()}


def from_dict(data: Mapping[str, Any]) -> QualityReport:
    """The report that :meth:`QualityReport.to_dict` wrote.

    Raises
    ------
    QsmError
        If the data are not those of a report of this version.
    """
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    try:
        return QualityReport(**values)
    except (TypeError, ValueError) as error:
        raise QsmError("These are not the quality numbers of this version of the program.") from (
            error
        )


def map_checksum(chi_ppm: Array) -> str:
    """SHA-256 of a map's values as float32, by which numbers and ratings know their map."""
    return hashlib.sha256(np.ascontiguousarray(chi_ppm, dtype=np.float32).data).hexdigest()
