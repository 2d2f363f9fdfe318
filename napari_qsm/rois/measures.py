"""The numbers of a set of values, put together from the numbers of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from napari_qsm.arrays import Array

#: Percentiles of a region, in percent; the third is the median.
RANKS = (5.0, 25.0, 50.0, 75.0, 95.0)
#: Relative spread below which skewness is rounding noise.
_FLAT = 1e-9


@dataclass(frozen=True)
class Measures:
    """Numbers of one region on one map, in the map's own unit.

    Attributes
    ----------
    voxels : int
        All voxels of the region.
    numbers : int
        Those that hold a number; NaN and infinity are none.
    mean, min, max : float
        NaN without a number.
    sd : float
        Of a sample (n - 1); NaN with fewer than two numbers.
    skewness : float
        Third standardised moment, m3 / m2^1.5; NaN where all values are equal.
    ranks : tuple of float
        5th, 25th, 50th, 75th and 95th percentile, interpolated linearly; empty if nobody
        asked for them.
    """

    voxels: int
    numbers: int
    mean: float = nan
    sd: float = nan
    min: float = nan
    max: float = nan
    skewness: float = nan
    ranks: tuple[float, ...] = ()

    @property
    def missing(self) -> int:
        """Voxels that hold no number."""
        return self.voxels - self.numbers

    def value(self, name: str) -> float:
        """One number by the name of its column (``"mean"``, ``"p05"``, ``"median"``, ...)."""
        place = RANK_NAMES.get(name)
        if place is not None:
            return self.ranks[place] if self.ranks else nan
        return float(getattr(self, name))


#: Column names of the percentiles.
RANK_NAMES = {"p05": 0, "p25": 1, "median": 2, "p75": 3, "p95": 4}


class Parts:
    """Counts, means and central moments of many labels in many slices.

    Parameters
    ----------
    rows, slices : int
        Size of the arrays.

    Attributes
    ----------
    voxels, numbers, mean, second, third, low, high : (rows, slices) ndarray
        ``second`` and ``third`` are sums of powers of the deviation from the part's own mean.
    """

    NAMES = ("voxels", "numbers", "mean", "second", "third", "low", "high")

    def __init__(self, rows: int, slices: int) -> None:
        self.voxels = np.zeros((rows, slices), np.int64)
        self.numbers = np.zeros((rows, slices), np.int64)
        self.mean, self.second, self.third, self.low, self.high = (
            np.zeros((rows, slices)) for _ in range(5)
        )

    def grow(self, rows: int) -> None:
        """Make room for more labels."""
        for name in self.NAMES:
            old = getattr(self, name)
            new = np.zeros((rows, old.shape[1]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def fill(self, place: int, rows: Array, values: Array) -> None:
        """Measure one slice.

        Parameters
        ----------
        place : int
            Which slice.
        rows : (n,) ndarray of int
            Row of each voxel.
        values : (n,) ndarray of float64
            Value of each voxel, in an order that follows from their places alone: equal
            voxels give equal bits.
        """
        size = len(self.voxels)
        self.voxels[:, place] = np.bincount(rows, minlength=size)
        finite = np.isfinite(values)
        if not finite.all():
            rows, values = rows[finite], values[finite]
        count = np.bincount(rows, minlength=size)
        some = np.maximum(count, 1)
        mean = np.bincount(rows, values, size) / some
        deviation = values - mean[rows]
        square = deviation * deviation
        low, high = np.full(size, np.inf), np.full(size, -np.inf)
        np.minimum.at(low, rows, values)
        np.maximum.at(high, rows, values)
        self.numbers[:, place] = count
        self.mean[:, place] = mean
        self.second[:, place] = np.bincount(rows, square, size)
        self.third[:, place] = np.bincount(rows, square * deviation, size)
        self.low[:, place], self.high[:, place] = low, high

    def measures(self, rows: list[int], gathered: Array | None = None) -> Measures:
        """All slices of some labels as one region.

        Parameters
        ----------
        rows : list of int
            Rows of the labels.
        gathered : (n,) ndarray, optional
            Their values, if percentiles are wanted.

        Notes
        -----
        Moments of parts are joined by the formulas of Chan et al. (1983) and Pébay (2008), in
        the order of labels and slices, so that the result depends on the content alone.
        """
        voxels = int(self.voxels[rows].sum())
        count = self.numbers[rows].ravel()
        used = count > 0
        n = count[used].astype(np.float64)
        total = float(n.sum())
        if total == 0:
            return Measures(voxels, 0, ranks=() if gathered is None else (nan,) * len(RANKS))
        means = self.mean[rows].ravel()[used]
        seconds = self.second[rows].ravel()[used]
        mean = float((n * means).sum()) / total
        off = means - mean
        second = float((seconds + n * off**2).sum())
        third = float((self.third[rows].ravel()[used] + 3 * off * seconds + n * off**3).sum())
        ranks: tuple[float, ...] = ()
        if gathered is not None:
            finite = gathered[np.isfinite(gathered)]
            ranks = tuple(float(v) for v in np.percentile(finite, RANKS))
        variance = second / total
        return Measures(
            voxels,
            int(total),
            mean,
            sqrt(second / (total - 1)) if total > 1 else nan,
            float(self.low[rows].ravel()[used].min()),
            float(self.high[rows].ravel()[used].max()),
            third / total / variance**1.5 if variance > (_FLAT * mean) ** 2 else nan,
            ranks,
        )


def measures_of(values: Array) -> Measures:
    """Numbers of a plain set of values, percentiles included.

    Parameters
    ----------
    values : (n,) ndarray
        May hold NaN.
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    parts = Parts(1, 1)
    parts.fill(0, np.zeros(values.size, np.intp), values)
    return parts.measures([0], values)
