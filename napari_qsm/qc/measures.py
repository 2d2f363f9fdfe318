"""Numbers that say how far a reconstruction can be trusted, from its own results alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.qc.field import count_wraps, noise_of, residual_field
from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, QualityReport, map_checksum
from napari_qsm.qc.spectrum import cone_ratio
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.mask.quality import phase_quality
from napari_qsm.recon.pipeline import Inputs, Result
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume

#: How deep below the edge of the mask a voxel counts as inner, mm: rims of maps are never sound.
INNER_MM = 6.0
#: The rim, mm below the edge of the mask.
RIM_MM = 2.0
#: Coherence of the phase below which a voxel is called noise. Noise alone gives 0, a magnitude
#: at twice its noise 0.5 (see :func:`~napari_qsm.recon.mask.quality.phase_quality`).
NOISE_COHERENCE = 0.3
#: Share of the mask's median magnitude below which a voxel is called dark. Air at a usual
#: signal-to-noise ratio of 40 to 20 has 0.03 to 0.06 of it, with single voxels up to 0.15;
#: tissue that dim has no phase worth having.
DARK_SHARE = 0.15
#: Regions rich in iron, by the beginning of their names, whose susceptibility is positive in
#: every adult (Hallgren & Sourander 1958, J Neurochem 3:41, doi:10.1111/j.1471-4159.1958.tb12607.x).
IRON_RICH = ("globus pallidus", "pallidum", "putamen", "substantia nigra", "red nucleus", "gp")

_TAIL_PERCENT = 0.5


def measure(
    result: Result,
    *,
    magnitude: Array | None = None,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
    progress: Progress = no_progress,
) -> QualityReport:
    """Measure the quality of a reconstruction.

    Parameters
    ----------
    result : Result
        As :func:`napari_qsm.recon.pipeline.run` gives it, or read back from its folder.
    magnitude : (x, y, z) or (E, x, y, z) ndarray, optional
        Magnitude on the grid of the result (closest-canonical), any unit; of several echoes
        the first counts.
    labels : (x, y, z) ndarray, optional
        Label map on the same grid.
    label_names : dict, optional
        Names of its values; those that begin like :data:`IRON_RICH` are used.
    progress : callable
        Told the fraction done.

    Returns
    -------
    QualityReport

    Raises
    ------
    QsmError
        If the result holds no susceptibility map.
    GeometryError
        If the magnitude or the labels have another shape.

    Notes
    -----
    Noise is the median absolute second difference of neighbours inside the mask over
    0.6745 and over the square root of 6, the smallest of the three axes: what white noise of
    that standard deviation would give. Tissue adds to it, smoothing takes away.
    """
    have = result.arrays
    chi = have.get("chi_ppm")
    if chi is None:
        raise QsmError("There is no susceptibility map to judge; run the inversion first.")
    sizes, direction = result.grid.voxel_size_mm, result.grid.b0_direction
    valid = have.get("local_mask")
    if valid is None:
        valid = np.isfinite(chi) & (chi != 0)
    mask = have.get("mask")
    outer = valid if mask is None else mask
    for name, other in (("magnitude", magnitude), ("label map", labels)):
        if other is not None and other.shape[-3:] != chi.shape:
            raise GeometryError(
                f"The {name} has shape {other.shape[-3:]} but the map has {chi.shape}; "
                "they must come from the same scan."
            )
    progress(0.05)
    fields = [have.get(name) for name in ("total_field_ppm", "local_field_ppm")]
    total, local = fields
    not_finite = sum(
        int(np.count_nonzero(~np.isfinite(a[m])))
        for a, m in ((total, outer), (local, valid), (chi, valid))
        if a is not None
    )
    wraps = None if have.get("unwrapped") is None else count_wraps(have["unwrapped"], outer)
    progress(0.2)
    reference = float(have.get("reference_ppm") or 0)
    residual = rms = relative = None
    if local is not None and valid.any():
        residual = residual_field(local, chi, valid, sizes, direction, reference_ppm=reference)
        rms, relative = residual_numbers(residual, local, valid)
        del residual
    progress(0.5)
    depth = depth_mm(valid, sizes, INNER_MM + max(sizes))
    inner = depth > INNER_MM
    finite = np.where(np.isfinite(chi), chi, 0).astype(np.float32, copy=False)
    inside = finite[valid]
    deep = finite[inner]
    counts, _ = np.histogram(inside, bins=HISTOGRAM_EDGES_PPM)
    progress(0.65)
    streaks = cone_ratio(finite, valid, sizes, direction)
    progress(0.8)
    phase = have.get("phase")
    noisy = None
    if phase is not None and outer.any():
        box = bounding_box(outer)
        quality = phase_quality(phase[(0, *box)] if phase.ndim == 4 else phase[box])
        noisy = float((quality[outer[box]] < NOISE_COHERENCE).mean())
    voxel_ml = result.grid.voxel_volume_mm3 / 1000
    kept = None
    if mask is not None and mask.any():
        kept = float(np.count_nonzero(valid & mask) / np.count_nonzero(mask))
    report = QualityReport(
        chi_sha256=map_checksum(chi),
        mask_ml=float(np.count_nonzero(outer) * voxel_ml),
        local_mask_ml=float(np.count_nonzero(valid) * voxel_ml),
        mask_share_of_volume=float(outer.mean()),
        mask_share_kept=kept,
        wraps_left=None if wraps is None else sum(wraps.left),
        wraps_by_axis=() if wraps is None else wraps.left,
        wraps_share=None if wraps is None else wraps.share,
        field_noise_ppm=None if total is None else noise_of(total, outer),
        total_field_spread_ppm=spread(total, outer),
        local_field_spread_ppm=spread(local, valid),
        chi_spread_ppm=spread(chi, valid),
        chi_noise_ppm=noise_of(finite, valid),
        streak_ratio=streaks,
        residual_rms_ppm=rms,
        residual_relative=relative,
        rim_ratio=_rim_ratio(finite, depth, deep),
        noisy_phase_share=noisy,
        dark_share=_dark_share(magnitude, outer),
        tail_asymmetry=_asymmetry(deep),
        iron_contrast_ppm=_iron_contrast(finite, valid, inner, labels, label_names or {}),
        not_finite=not_finite,
        histogram=tuple(int(n) for n in counts),
        below_histogram=int((inside < HISTOGRAM_EDGES_PPM[0]).sum()),
        above_histogram=int((inside > HISTOGRAM_EDGES_PPM[-1]).sum()),
        seconds={s["stage"]: float(s["seconds"]) for s in result.provenance.get("stages", ())},
    )
    progress(1.0)
    return report


def residual_numbers(
    residual: Array, local: Array, valid: Array
) -> tuple[float | None, float | None]:
    """Root mean square of a residual inside a mask, ppm, and over that of its field."""
    rest = residual[valid].astype(np.float64)
    whole = local[valid].astype(np.float64)
    whole = whole[np.isfinite(whole)]
    rms = float(np.sqrt(np.mean(rest**2)))
    size = float(whole.std()) if whole.size else 0.0
    return rms, rms / size if size > 0 else None


def spread(a: Array | None, mask: Array) -> float | None:
    """Half the distance between the 16th and 84th percentiles inside a mask."""
    if a is None:
        return None
    values = a[mask]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, (15.87, 84.13))
    return float(high - low) / 2


def _rim_ratio(chi: Array, depth: Array, deep: Array) -> float | None:
    rim = chi[(depth > 0) & (depth <= max(RIM_MM, float(depth[depth > 0].min(initial=np.inf))))]
    if rim.size < 2 or deep.size < 2 or not deep.std() > 0:
        return None
    return float(rim.std() / deep.std())


def _dark_share(magnitude: Array | None, mask: Array) -> float | None:
    if magnitude is None or not mask.any():
        return None
    values = (magnitude if magnitude.ndim == 3 else magnitude[0])[mask]
    values = np.where(np.isfinite(values), values, 0)
    return float((values < DARK_SHARE * np.median(values)).mean())


def _asymmetry(deep: Array) -> float | None:
    """``(bright tail - dark tail) / (bright tail + dark tail)``, tails from the median."""
    if deep.size < 1000:
        return None
    dark, middle, bright = np.percentile(deep, (_TAIL_PERCENT, 50, 100 - _TAIL_PERCENT))
    whole = float(bright - dark)
    return float(bright - 2 * middle + dark) / whole if whole > 0 else None


def _iron_contrast(
    chi: Array, valid: Array, inner: Array, labels: Array | None, names: Mapping[int, str]
) -> float | None:
    rich = [n for n, name in names.items() if name.strip().lower().startswith(IRON_RICH)]
    if labels is None or not rich:
        return None
    region = np.isin(labels, rich) & valid
    others = inner & ~region
    if not region.any() or not others.any():
        return None
    return float(chi[region].mean(dtype=np.float64) - chi[others].mean(dtype=np.float64))


def magnitude_of(inputs: Inputs, grid: Volume) -> Array | None:
    """First magnitude of a run's inputs in the axis order of its results, or None."""
    volumes = inputs.magnitude or (inputs.scan.magnitude if inputs.scan else ())
    return np.asarray(volumes[0].like(grid).data) if volumes else None
