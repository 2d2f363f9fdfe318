"""How far a scan's noise makes a susceptibility map, and means of regions on it, uncertain.

The noise of the field is known voxel by voxel up to a factor, from the magnitudes. A few more maps
are made, from the field with a little more noise of that kind each; what differs among them is how
noise runs through background removal, inversion and referencing, whatever these are. With
``chi = R(f)``, the maps ``R(f + p n_k)`` have the variance ``p² diag(J Σ Jᵀ)``: that of the noise to
first order, and on average never below it (Poincaré's inequality for normal variables), which is why
p is small. Total variation would smooth noise of full size added to a noisy field more than the
scan's own.

Two things make a handful of maps enough. The variance of a voxel varies slowly in space and is averaged
over its neighbourhood. And how fast noise averages out over a region, which decides on the
uncertainty of its mean because errors of neighbours go together, is taken from balls of several sizes
everywhere in the map, not from the few values that one region has.

The factor follows from what the map leaves unexplained in the field. Differences
(:mod:`napari_qsm.recon.noise_level`) keep of tissue's fields next to nothing once those of the map are taken off; what part
of the noise the map has followed is known from the added noise.

Only noise is in it. What is systematic (background that leaks, smoothing, a wrong mask), what differs
from scan to scan (place, motion, physiology) and noise that neighbouring voxels share (interpolated
images) is not.

References
----------
Efron, Tibshirani 1993, An Introduction to the Bootstrap, chapter 6 (standard errors from perturbed data).
Chernoff 1981, Ann Probab 9:533 (the inequality).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.errors import QsmError
from napari_qsm.recon import fourier
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.inversion.problem import combined_magnitude
from napari_qsm.recon.noise_level import noise_level

#: Perturbed maps that are made unless said otherwise; how many are allowed.
REPEATS, FEWEST, MOST = 4, 2, 20
#: Name of the work for progress.
STAGE = "uncertainty"
NO_NOISE = (
    "uncertainty: there is no noise map, because the noise of the field is only known where there are "
    "magnitudes, and what the reconstruction starts from has none."
)

#: Size of the added noise over that of the scan.
_PART = 0.5
#: Width (FWHM) over which the variance is averaged.
_SMOOTH_MM = 5.0
#: Radii of the balls over which it is seen how noise averages out.
_RADII_MM = (2.5, 3.5, 5.0, 7.0, 10.0, 14.0, 20.0)
#: Balls that have to fit for their mean square to count.
_ENOUGH = 50
#: Room around the mask, so that opposite ends of the grid hardly see each other.
_MARGIN_MM = 20.0
_SEED = 20_121
#: Residuals keep at least this part of the noise: below it they tell nothing.
_LEAST_KEPT = 0.3
#: Magnitudes count as at least this part of the typical one.
_LEAST_MAGNITUDE = 1e-3

#: Called with a stage and its quantities; gives what it makes (the pipeline's own stages).
RunStage = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Uncertainty(NamedTuple):
    """What a scan's noise does to a map.

    Attributes
    ----------
    noise_ppm : (x, y, z) ndarray of float32
        Standard deviation of chi by noise alone, ppm; zero outside the local mask.
    record : dict
        JSON-ready: ``repeats``; ``field_noise_ppm``, the median in the mask; ``volumes_mm3`` and
        ``parts``, what part of the noise of its voxels the mean of a compact region of a volume has.
    """

    noise_ppm: Array
    record: dict[str, Any]

    @property
    def words(self) -> str:
        """For the methods paragraph."""
        return (
            "The standard deviation of susceptibility by the scan's noise, and from it standard errors of "
            f"regional means, were found from {self.record['repeats']} reconstructions of the field with "
            f"a little more noise; the field's noise was {1e3 * self.record['field_noise_ppm']:.2g} ppb "
            "in the median. They hold noise alone, no systematic error and no difference between scans."
        )


def uncertainty_of(
    have: Mapping[str, Any],
    run_stage: RunStage,
    *,
    repeats: int = REPEATS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Uncertainty | None:
    """Noise of the map that a finished reconstruction has made.

    Parameters
    ----------
    have : mapping
        All quantities, from :func:`napari_qsm.recon.pipeline.start` and the stages.
    run_stage : callable
        Runs one stage of its recipe on quantities and gives those it makes; may raise to stop.
    repeats : int
        Perturbed maps, 2 to 20. Each takes as long as background removal and inversion together.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    Uncertainty or None
        None where the noise of the field cannot be known: no magnitudes.

    Raises
    ------
    QsmError
        For a number of repeats outside the allowed, a map that was given and not made from a field, or
        a mask in which the noise cannot be told.
    """
    check_repeats(repeats)
    name = "total_field_ppm" if "total_field_ppm" in have else "local_field_ppm"
    if name not in have:
        raise QsmError("The noise of a map that was given cannot be told; start from a field.")
    mask = have["mask" if name == "total_field_ppm" else "local_mask"]
    relative = _relative_noise(have, mask)
    if relative is None:
        return None
    stages = ("background", "inversion", "reference")[name == "local_field_ppm" :]
    residual = _Residual(have, relative)
    left = residual.of(have)
    scale = residual.spread(left)
    if not scale > 0:
        raise QsmError(
            "The noise of the map cannot be told: its mask has no five voxels in a row along any "
            "axis, or the field no noise."
        )
    maps, followed = [], []
    for repeat in range(repeats):
        progress(repeat / repeats)
        noise = np.random.default_rng([_SEED, repeat]).standard_normal(mask.shape, np.float32)
        noise *= relative
        noise *= np.float32(_PART * scale)
        changed = {**have, name: have[name] + noise.astype(have[name].dtype)}
        for stage in stages:
            changed.update(run_stage(stage, changed))
        maps.append(np.where(residual.mask, changed["chi_ppm"][residual.box], 0))
        followed.append(residual.spread(residual.of(changed) - left))
    # Of the added noise residuals keep a part; of the scan's own they do as well.
    kept = max(float(np.mean(followed)) / (_PART * scale), _LEAST_KEPT)
    apart = np.stack(maps)
    apart -= apart.mean(axis=0)
    apart *= np.float32(1 / (_PART * kept) * np.sqrt(repeats / (repeats - 1)))
    variance = _smooth(np.mean(apart**2, axis=0), residual.mask, have["voxel_size_mm"])
    volumes, parts = _averaging(apart, variance, residual.mask, have["voxel_size_mm"])
    noise_ppm = np.zeros(mask.shape, np.float32)
    noise_ppm[residual.box] = np.sqrt(variance)
    field_noise = float(np.median(relative[mask])) * scale / kept
    progress(1.0)
    return Uncertainty(
        noise_ppm,
        {
            "repeats": repeats,
            "field_noise_ppm": field_noise,
            "volumes_mm3": volumes,
            "parts": parts,
        },
    )


def check_repeats(repeats: int) -> None:
    """Refuse a number of perturbed maps that is not allowed.

    Raises
    ------
    QsmError
        Naming the allowed numbers.
    """
    if not FEWEST <= repeats <= MOST:
        raise QsmError(
            f"The noise of a map is found from {FEWEST} to {MOST} more maps, not {repeats}."
        )


def _relative_noise(have: Mapping[str, Any], mask: Array) -> Array | None:
    """Noise of the field up to a factor, zero outside the mask; None where nothing tells it."""
    noise = have.get("noise_ppm")
    if noise is None:
        if have.get("magnitude") is None:
            return None
        strength = combined_magnitude(have["magnitude"], mask)
        inside = strength[mask]
        if not inside.any():
            return None
        noise = 1 / np.maximum(strength, _LEAST_MAGNITUDE * np.median(inside[inside > 0]))
    return np.where(mask, noise, 0).astype(np.float32)


class _Residual:
    """What a map leaves unexplained in the local field, looked at where the map holds little.

    Parameters
    ----------
    have : mapping
        A finished reconstruction, for its grid and local mask.
    relative : (x, y, z) ndarray
        Noise of the field up to a factor.
    """

    def __init__(self, have: Mapping[str, Any], relative: Array) -> None:
        sides = have["voxel_size_mm"]
        self.box = bounding_box(have["local_mask"])
        self.mask: Array = have["local_mask"][self.box]
        self._shape = fourier.fast_shape(self.mask.shape, margin_voxels(_MARGIN_MM, sides))
        self._dipole = fourier.dipole_kernel(self._shape, sides, have["b0_direction"])
        self._relative = relative[self.box]

    def of(self, made: Mapping[str, Any]) -> Array:
        """Local field less the field of the map, in the box of the mask."""
        chi = np.where(self.mask, made["chi_ppm"][self.box], 0).astype(np.float32)
        spectrum = fourier.rfftn(fourier.pad_to(chi, self._shape))
        spectrum *= self._dipole
        model = fourier.irfftn(spectrum, self._shape)[tuple(slice(0, n) for n in chi.shape)]
        return np.where(self.mask, made["local_field_ppm"][self.box] - model, 0)

    def spread(self, residual: Array) -> float:
        """Size of a residual over the relative noise."""
        return noise_level(residual, self.mask, self._relative)


def _smooth(values: Array, mask: Array, voxel_size_mm: Sequence[float]) -> Array:
    """Mean over a neighbourhood within the mask, zero outside."""
    widths = [_SMOOTH_MM / 2.355 / size for size in voxel_size_mm]
    total = ndimage.gaussian_filter(np.where(mask, values, 0), widths, mode="constant")
    weight = ndimage.gaussian_filter(mask.astype(np.float32), widths, mode="constant")
    return np.divide(total, weight, out=np.zeros_like(total), where=mask)


def _averaging(
    apart: Array, variance: Array, mask: Array, voxel_size_mm: Sequence[float]
) -> tuple[list[float], list[float]]:
    """How noise averages out: volumes, and what part of it is left in means over them.

    Parameters
    ----------
    apart : (n, x, y, z) ndarray
        Samples of noise, zero outside the mask.
    variance : (x, y, z) ndarray
        Of them.
    mask : (x, y, z) ndarray of bool
    voxel_size_mm : three floats
    """
    voxel = float(np.prod(voxel_size_mm))
    volumes, parts = [voxel], [1.0]
    depth = depth_mm(mask, voxel_size_mm, 1.01 * max(_RADII_MM))
    shape = fourier.fast_shape(mask.shape, margin_voxels(max(_RADII_MM), voxel_size_mm))
    inner = tuple(slice(0, n) for n in mask.shape)
    spectra = [fourier.rfftn(fourier.pad_to(a, shape)) for a in (variance, *apart)]
    for radius in _RADII_MM:
        weights = fourier.ball(radius, voxel_size_mm)
        count = int(np.count_nonzero(weights))
        fits = depth > radius
        if count < 2 or np.count_nonzero(fits) < _ENOUGH:
            continue
        transfer = fourier.kernel_spectrum(weights, shape)
        means = [fourier.irfftn(s * transfer, shape)[inner][fits] for s in spectra]
        square = np.mean([np.mean(np.square(m, dtype=np.float64)) for m in means[1:]])
        volumes.append(count * voxel)
        parts.append(float(np.sqrt(square / np.mean(means[0], dtype=np.float64))))
    return volumes, parts
