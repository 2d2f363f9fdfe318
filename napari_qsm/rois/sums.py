"""The sums over slices that the statistics of regions are made from."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.rois.measures import Measures, measured
from napari_qsm.rois.register import Pool


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
    above, above_sum : (rows, slices) ndarray
        How many voxels lie above the limit of their label, and the sum of their values.
    """

    NAMES = ("voxels", "numbers", "mean", "second", "third", "low", "high", "above", "above_sum")

    def __init__(self, rows: int, slices: int) -> None:
        self.voxels = np.zeros((rows, slices), np.int64)
        self.numbers = np.zeros((rows, slices), np.int64)
        self.above = np.zeros((rows, slices), np.int64)
        self.mean, self.second, self.third, self.low, self.high, self.above_sum = (
            np.zeros((rows, slices)) for _ in range(6)
        )

    def grow(self, rows: int) -> None:
        """Make room for more labels."""
        for name in self.NAMES:
            old = getattr(self, name)
            new = np.zeros((rows, old.shape[1]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def fill(self, place: int, rows: Array, values: Array, limits: Array | None = None) -> None:
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
        limits : (rows,) ndarray, optional
            Above which voxels of each label are its high part; NaN for none.
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
        if limits is not None:
            above = values > limits[rows]  # NaN is never below
            self.above[:, place] = np.bincount(rows[above], minlength=size)
            self.above_sum[:, place] = np.bincount(rows[above], values[above], size)

    def measures(
        self, rows: list[int], gathered: Array | None = None, limits: Array | None = None
    ) -> Measures:
        """All slices of some labels as one region.

        Parameters
        ----------
        rows : list of int
            Rows of the labels.
        gathered : (n,) ndarray, optional
            Their values, if statistics are wanted that need every one.
        limits : (rows,) ndarray, optional
            As the slices were filled with.

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
        ordered = None if gathered is None else np.sort(gathered[np.isfinite(gathered)])
        if total == 0:
            return measured(Pool(voxels, 0, ordered=ordered))
        means = self.mean[rows].ravel()[used]
        seconds = self.second[rows].ravel()[used]
        mean = float((n * means).sum()) / total
        off = means - mean
        pool = Pool(
            voxels,
            int(total),
            mean,
            float(self.low[rows].ravel()[used].min()),
            float(self.high[rows].ravel()[used].max()),
            float((seconds + n * off**2).sum()),
            float((self.third[rows].ravel()[used] + 3 * off * seconds + n * off**3).sum()),
            ordered,
        )
        own = np.unique(limits[rows]) if limits is not None else np.empty(0)
        if own.size and not np.isnan(own).any():
            pool = replace(
                pool,
                high_from=float(own[0]) if own.size == 1 else nan,
                high=float(self.above[rows].sum()),
                high_sum=float(self.above_sum[rows].sum()),
            )
        return measured(pool)


def measures_of(values: Array, high_from: float = nan) -> Measures:
    """Numbers of a plain set of values, with all statistics but those of an edge.

    Parameters
    ----------
    values : (n,) ndarray
        May hold NaN.
    high_from : float
        Values above it are the high part; NaN for none.
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    parts, limits = Parts(1, 1), np.array([high_from])
    parts.fill(0, np.zeros(values.size, np.intp), values, limits)
    return parts.measures([0], values, limits)
