"""Measures of a susceptibility map against a known truth.

Maps are in ppm on one grid, ``mask`` is boolean. A map is known up to a constant, so every
measure here removes the mean inside the mask first, except the slopes, which do not feel it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array


def nrmse(chi: Array, truth: Array, mask: Array) -> float:
    """Root-mean-square error in percent of the truth's own, both demeaned in the mask."""
    r, t = _demeaned(chi, mask), _demeaned(truth, mask)
    return float(100 * np.linalg.norm(r - t) / np.linalg.norm(t))


def detrended_nrmse(chi: Array, truth: Array, mask: Array) -> float:
    """The error that is left after the best line ``chi = a * truth + b`` has been undone.

    The line is fitted by least squares and inverted, so that a map that is only too pale
    scores zero.
    """
    r, t = _demeaned(chi, mask), _demeaned(truth, mask)
    slope = (r @ t) / (t @ t)
    if slope == 0:
        return float("inf")
    return float(100 * np.linalg.norm(r / slope - t) / np.linalg.norm(t))


def hfen(chi: Array, truth: Array, mask: Array, sigma: float = 1.5) -> float:
    """High-frequency error norm: difference of the Laplacian-of-Gaussian images, in percent.

    The filter (``sigma`` in voxels) runs over the masked, demeaned maps.

    References
    ----------
    Ravishankar, Bresler 2011, IEEE Trans Med Imaging 30:1028, doi:10.1109/TMI.2010.2090538.
    """
    filtered = []
    for values in (chi, truth):
        image = np.zeros(mask.shape)
        image[mask] = _demeaned(values, mask)
        filtered.append(ndimage.gaussian_laplace(image, sigma)[mask])
    return float(100 * np.linalg.norm(filtered[0] - filtered[1]) / np.linalg.norm(filtered[1]))


def xsim(chi: Array, truth: Array, mask: Array) -> float:
    """Structural similarity with constants that suit susceptibility (1 is perfect).

    Window 7 voxels a side, dynamic range 1 ppm, K1 0.01, K2 0.001, mean over the mask.

    References
    ----------
    Milovic et al. 2024, Magn Reson Med 91:411, doi:10.1002/mrm.29850.
    """
    a, b = (np.where(mask, values, 0).astype(np.float64) for values in (chi, truth))
    c1, c2 = 0.01**2, 0.001**2
    size = 7
    count = size**3

    def mean(x: Array) -> Array:
        return ndimage.uniform_filter(x, size)

    ma, mb = mean(a), mean(b)
    unbiased = count / (count - 1)
    var_a, var_b = unbiased * (mean(a * a) - ma**2), unbiased * (mean(b * b) - mb**2)
    cov = unbiased * (mean(a * b) - ma * mb)
    similarity = ((2 * ma * mb + c1) * (2 * cov + c2)) / (
        (ma**2 + mb**2 + c1) * (var_a + var_b + c2)
    )
    return float(similarity[mask].mean())


@dataclass(frozen=True)
class RegionFit:
    """How the means of some regions follow their true means.

    Attributes
    ----------
    slope, intercept_ppb : float
        Of the line ``measured = slope * true + intercept``.
    rmse_ppb : float
        Root-mean-square error of the means after the mean error over the mask is removed
        (the map's unknown constant).
    centred_rmse_ppb : float
        The same with the regions' own mean error removed.
    """

    slope: float
    intercept_ppb: float
    rmse_ppb: float
    centred_rmse_ppb: float


def region_fit(
    chi: Array, truth: Array, labels: Array, regions: Sequence[int], mask: Array
) -> RegionFit:
    """Compare the means of labelled regions inside the mask; at least two must be present."""
    offset = float(chi[mask].mean(dtype=np.float64) - truth[mask].mean(dtype=np.float64))
    inside = [(labels == label) & mask for label in regions]
    means = np.array(
        [
            (truth[region].mean(dtype=np.float64), chi[region].mean(dtype=np.float64) - offset)
            for region in inside
            if region.any()
        ]
    )
    slope, intercept = np.polyfit(means[:, 0], means[:, 1], 1)
    error = means[:, 1] - means[:, 0]
    return RegionFit(
        slope=float(slope),
        intercept_ppb=float(1000 * intercept),
        rmse_ppb=float(1000 * np.sqrt(np.mean(error**2))),
        centred_rmse_ppb=float(1000 * error.std()),
    )


@dataclass(frozen=True)
class RegionMeans:
    """How the means of regions follow their true means, both relative to the mask's mean.

    Attributes
    ----------
    ratio : float
        ``sum(r t) / sum(t²)``: slope of a line through the origin.
    rmse_ppb, worst_ppb : float
        Root-mean-square error of the means, and the one that is farthest off.
    """

    ratio: float
    rmse_ppb: float
    worst_ppb: float


#: Regions and boxes of fewer voxels say more about noise than about bias.
_LEAST_VOXELS = 30


def region_ratio(
    chi: Array, truth: Array, regions: Mapping[str, Array], mask: Array
) -> RegionMeans:
    """Compare the means of regions of at least 30 voxels inside the mask."""
    offsets = [a[mask].mean(dtype=np.float64) for a in (chi, truth)]
    pairs = []
    for voxels in regions.values():
        inside = voxels & mask
        if np.count_nonzero(inside) >= _LEAST_VOXELS:
            pairs.append(
                [
                    a[inside].mean(dtype=np.float64) - o
                    for a, o in zip((chi, truth), offsets, strict=True)
                ]
            )
    r, t = np.array(pairs).T
    error = 1e3 * (r - t)
    return RegionMeans(
        ratio=float(r @ t / (t @ t)),
        rmse_ppb=float(np.sqrt(np.mean(error**2))),
        worst_ppb=float(error[np.abs(error).argmax()]),
    )


@dataclass(frozen=True)
class BoxesFit:
    """Means over cubes: slope of their regression on the truth, and error less its mean."""

    slope: float
    rmse_ppb: float


def boxes_fit(
    chi: Array,
    truth: Array,
    mask: Array,
    strong: Array,
    voxel_size_mm: Sequence[float],
    side_mm: float = 7.0,
) -> BoxesFit:
    """Compare means over cubes of which seven tenths are in the mask and away from strong sources."""
    counts = [max(1, round(side_mm / size)) for size in voxel_size_mm]
    kept = mask & ~ndimage.binary_dilation(strong, iterations=2) if strong.any() else mask

    def sums(values: Array) -> Array:
        whole = tuple(slice(0, n // c * c) for n, c in zip(values.shape, counts, strict=True))
        shape = [v for n, c in zip(values.shape, counts, strict=True) for v in (n // c, c)]
        return values[whole].reshape(shape).sum(axis=(1, 3, 5), dtype=np.float64)

    number = sums(kept)
    full = number > 0.7 * np.prod(counts)
    r, t = (sums(np.where(kept, a, 0))[full] / number[full] for a in (chi, truth))
    r, t = r - r.mean(), t - t.mean()
    return BoxesFit(float(r @ t / (t @ t)), float(1e3 * np.sqrt(np.mean((r - t) ** 2))))


def streak_level(
    chi: Array,
    truth: Array,
    mask: Array,
    source: Array,
    voxel_size_mm: Sequence[float],
    reach_mm: float = 16.0,
) -> float:
    """Standard deviation (ppm) of the error in the shell around a strong source.

    The shell runs from 2 mm to ``reach_mm`` off the source, inside the mask: where streaks
    would stand, but not the source's own blurred rim.
    """
    distance = ndimage.distance_transform_edt(~source, sampling=voxel_size_mm)
    shell = mask & (distance > 2) & (distance <= reach_mm)
    if not shell.any():
        raise ValueError("There are no voxels around the source inside the mask.")
    error = chi[shell].astype(np.float64) - truth[shell]
    return float(error.std())


def _demeaned(values: Array, mask: Array) -> Array:
    inside = values[mask].astype(np.float64)
    return inside - inside.mean()
