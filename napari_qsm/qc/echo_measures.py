"""Whether the echoes of a scan agree with each other: one row a number.

An echo that disagrees (another echo's file, another sign, a wrong time, motion, noise) goes into the field
with its weight, and nothing in the map need show it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.qc.evidence import Evidence
from napari_qsm.qc.field_measures import NOISE_COHERENCE
from napari_qsm.qc.quality import Limit, QualityReport, quality_measure
from napari_qsm.recon.mask.extraction import coarser_grid, resampled
from napari_qsm.recon.mask.quality import phase_quality

#: Grid on which echoes are compared, and the two Gaussians between which the band of their fields lies, mm.
_GRID_MM, _NARROW_MM, _WIDE_MM = 2.5, 2.0, 6.0
#: How much of the wide Gaussian has to lie in the mask, and in how many voxels.
_WITHIN, _ENOUGH = 0.95, 500
#: Values are cut at this many median sizes: veins and bleeds decide nothing.
_MOST = 5.0


def echo_agreement(
    unwrapped: Array, mask: Array, echo_times_s: Sequence[float], voxel_size_mm: Sequence[float]
) -> Array | None:
    """How well the field that each echo shows is the one that the others show.

    Parameters
    ----------
    unwrapped : (E, x, y, z) ndarray
        Unwrapped phase, rad.
    mask : (x, y, z) bool ndarray
    echo_times_s : E floats
    voxel_size_mm : three floats

    Returns
    -------
    (E,) ndarray or None
        1 where they agree, a half where an echo shows half or twice the field, 0 where it shows another one,
        -1 for the other sign. None for a single echo, or where no part of the mask is 4 cm wide.

    Notes
    -----
    Phase over echo time is compared in a band, its mean over 2 mm less that over 6 mm (Gaussians), which
    offsets of the coils, constants and ramps are not in. Of two echoes i and j with the covariances C,
    ``C_ij / min(C_ii, C_jj)``, or one over it where that is more than 1: noise, most of it in the larger variance,
    hardly lowers it. Each echo has the middle of its values (the better of two), so that one
    bad echo of three or more does not accuse the others.
    """
    if len(unwrapped) < 2 or len(unwrapped) != len(echo_times_s):
        return None
    shape, sizes = coarser_grid(mask.shape, voxel_size_mm, _GRID_MM)
    full = resampled(mask.astype(np.float32), shape) > 0.99

    def blurred(values: Array, sigma_mm: float) -> Array:
        widths = [sigma_mm / size for size in sizes]
        return np.asarray(ndimage.gaussian_filter(values, widths, mode="constant"))

    amount = full.astype(np.float32)
    narrow, wide = (np.maximum(blurred(amount, s), 1e-3) for s in (_NARROW_MM, _WIDE_MM))
    inner = full & (wide > _WITHIN)
    if np.count_nonzero(inner) < _ENOUGH:
        return None
    bands = np.empty((len(unwrapped), np.count_nonzero(inner)))
    for band, phase, time_s in zip(bands, unwrapped, echo_times_s, strict=True):
        part = np.where(full, resampled(np.where(mask, phase, 0).astype(np.float32), shape), 0)
        band[:] = (blurred(part, _NARROW_MM) / narrow - blurred(part, _WIDE_MM) / wide)[inner]
        band -= np.median(band)
        most = _MOST * np.median(np.abs(band))
        np.clip(band / time_s, -most / time_s, most / time_s, out=band)
    together = bands @ bands.T
    own = np.diag(together)
    smaller = np.minimum(own[:, None], own)
    if not smaller.min() > 0:
        return None
    pairs = together / smaller
    over = np.abs(pairs) > 1
    pairs[over] = 1 / pairs[over]
    found = []
    for echo, row in enumerate(pairs):
        others = np.sort(np.delete(row, echo))[::-1]
        found.append(others[(len(others) - 1) // 2])
    return np.array(found)


def _is_noise(quality: QualityReport) -> bool:
    coherence = quality["echo_coherence"]
    return coherence is not None and coherence < NOISE_COHERENCE


@quality_measure(
    "echo_agreement",
    "Agreement of the echoes",
    usual="above 0.95",
    meaning="How far the echo that agrees least shows the field of the others: 1 is the same, 0 another one, "
    "-1 the other sign.",
    text="{value} (echo {echo_apart})",
    limits=(
        # Sound heads of two to five echoes: 0.98 to 1.00, at a signal-to-noise ratio of 10 at least
        # 0.87, with voxels of 4 x 4 x 5 mm 0.86; an echo time 15 % off: 0.88; an echo moved by 4 mm: 0.66 to 0.80; two echoes exchanged:
        # 0.18 to 0.69; the other sign: -0.99 to -0.66.
        Limit(
            "echoes",
            "warning",
            "Echo {echo_apart} does not show the field of the other echoes (agreement {value}; usual above "
            "0.95). Its file or echo time may be another one's, its sign wrong, or the head has moved. "
            "Check it, or reconstruct without it.",
            below=0.83,
            when=lambda quality: not _is_noise(quality),  # it spoils the unwrapping of the others
        ),
    ),
)
def _echo_agreement(of: Evidence) -> float | None:
    """The least of :func:`echo_agreement`."""
    found = _agreements(of)
    return None if found is None else float(found.min())


@quality_measure("echo_apart", decimals=0)
def _echo_apart(of: Evidence) -> float | None:
    """Number of the echo that agrees least, from 1."""
    found = _agreements(of)
    return None if found is None else 1.0 + int(found.argmin())


def _agreements(of: Evidence) -> Array | None:
    return of.once("echo_agreement", lambda: _found_agreements(of))


def _found_agreements(of: Evidence) -> Array | None:
    unwrapped, mask, sizes = of.array("unwrapped"), of.outer, of.have.get("voxel_size_mm")
    if unwrapped is None or unwrapped.ndim != 4 or mask is None or sizes is None:
        return None
    return echo_agreement(unwrapped, mask, of.have.get("echo_times_s", ()), sizes)


@quality_measure(
    "echo_coherence",
    "Coherence of the echoes",
    usual="above 0.8",
    meaning="Of the echo with the noisiest phase, in the middle of the mask; noise alone has 0.",
    text="{value} (echo {echo_noisiest})",
    limits=(
        Limit(
            "echoes",
            "warning",
            "The phase of echo {echo_noisiest} is mostly noise (coherence {value}; noise alone has 0, a "
            "signal-to-noise ratio of 2 has 0.5). Check its file, or reconstruct without it.",
            below=NOISE_COHERENCE,
        ),
    ),
)
def _echo_coherence(of: Evidence) -> float | None:
    """Median of :func:`~napari_qsm.recon.mask.quality.phase_quality` of the noisiest echo."""
    found = _coherences(of)
    return None if found is None else float(found.min())


@quality_measure("echo_noisiest", decimals=0)
def _echo_noisiest(of: Evidence) -> float | None:
    found = _coherences(of)
    return None if found is None else 1.0 + int(found.argmin())


def _coherences(of: Evidence) -> Array | None:
    return of.once("echo_coherence", lambda: _found_coherences(of))


def _found_coherences(of: Evidence) -> Array | None:
    phase, mask = of.array("phase"), of.outer
    if phase is None or phase.ndim != 4 or len(phase) < 2 or mask is None or not mask.any():
        return None
    # The middle third of the slices is enough for a median.
    box = list(bounding_box(mask))
    third = (box[2].stop - box[2].start) // 3
    if third >= 3:
        box[2] = slice(box[2].start + third, box[2].stop - third)
    inside = mask[tuple(box)]
    if not inside.any():
        return None
    return np.array([np.median(phase_quality(echo[tuple(box)])[inside]) for echo in phase])
