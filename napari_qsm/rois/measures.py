"""What is told of a region on a map: the register of statistics, and the sums they are made from.

A statistic is a function of a :class:`Pool`. Write one here, put ``@statistic`` on it, and it
stands in the table below the views and its choice of columns, in every export and its data
dictionary, on the command line, and can be named in a figure's table::

    @statistic("iqr", "Interquartile range", needs_values=True)
    def _iqr(pool: Pool) -> float:
        "Distance between the 25th and the 75th percentile."
        return pool.percentile(75) - pool.percentile(25)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import nan, sqrt

import numpy as np

from napari_qsm.arrays import Array

#: Relative spread below which skewness is rounding noise.
_FLAT = 1e-9


@dataclass(frozen=True, eq=False)
class Pool:
    """All voxels of a region on one map, in the map's own unit.

    Attributes
    ----------
    voxels : int
        All voxels of the region.
    numbers : int
        Those that hold a number; NaN and infinity are none.
    mean, min, max : float
        NaN without a number.
    second, third : float
        Sums of powers of the deviation from the mean.
    ordered : (numbers,) ndarray or None
        The values, ascending; None unless gathered, which takes longer.
    """

    voxels: int
    numbers: int
    mean: float = nan
    min: float = nan
    max: float = nan
    second: float = nan
    third: float = nan
    ordered: Array | None = None

    def percentile(self, percent: float) -> float:
        """A percentile, interpolated linearly; NaN without a number."""
        if self.ordered is None or not self.ordered.size:
            return nan
        # As numpy interpolates, to the last bit, without its cost of a call for each region.
        at = (self.ordered.size - 1) * (percent / 100)
        below = int(at)
        low = float(self.ordered[below])
        high = float(self.ordered[min(below + 1, self.ordered.size - 1)])
        part, apart = at - below, high - low
        return low + apart * part if part < 0.5 else high - apart * (1 - part)


@dataclass(frozen=True)
class Statistic:
    """A number that is told of regions.

    Attributes
    ----------
    name : str
        Of its column; the unit is added where it has that of the map.
    title : str
        In menus, ``"5th percentile"``.
    compute : callable
        From a :class:`Pool`; its docstring is the column's entry in data dictionaries.
    heading : str
        Above its column in the window and in figures.
    needs_values : bool
        Whether it needs every value and not only sums: it is then left out while nobody looks.
    in_map_unit : bool
        Whether it has the unit of the map.
    decimals : int
        Of what has another unit.
    exported : bool
        Whether tables in files hold it.
    optional : bool
        Whether the window offers it as a column of its own.
    """

    name: str
    title: str
    compute: Callable[[Pool], float]
    heading: str
    needs_values: bool = False
    in_map_unit: bool = True
    decimals: int = 2
    exported: bool = True
    optional: bool = True

    @property
    def meaning(self) -> str:
        """What it is, in a sentence or two."""
        return " ".join((inspect.getdoc(self.compute) or self.title).split())


#: Name to statistic, in the order of columns.
STATISTICS: dict[str, Statistic] = {}


def statistic(
    name: str,
    title: str,
    *,
    heading: str = "",
    needs_values: bool = False,
    in_map_unit: bool = True,
    decimals: int = 2,
    exported: bool = True,
    optional: bool = True,
) -> Callable[[Callable[[Pool], float]], Callable[[Pool], float]]:
    """Register a statistic; parameters are the attributes of :class:`Statistic`."""

    def register(compute: Callable[[Pool], float]) -> Callable[[Pool], float]:
        STATISTICS[name] = Statistic(
            name,
            title,
            compute,
            heading or title[0].lower() + title[1:],
            needs_values,
            in_map_unit,
            decimals,
            exported,
            optional,
        )
        return compute

    return register


@statistic("mean", "Mean", optional=False)
def _mean(pool: Pool) -> float:
    """Mean of the voxels that hold a number."""
    return pool.mean


@statistic("sd", "SD", heading="SD", optional=False)
def _sd(pool: Pool) -> float:
    """Standard deviation of a sample (n - 1)."""
    return sqrt(pool.second / (pool.numbers - 1)) if pool.numbers > 1 else nan


@statistic("median", "Median", needs_values=True)
def _median(pool: Pool) -> float:
    """Median."""
    return pool.percentile(50)


@statistic("min", "Minimum", heading="min")
def _min(pool: Pool) -> float:
    """Smallest value."""
    return pool.min


@statistic("max", "Maximum", heading="max")
def _max(pool: Pool) -> float:
    """Largest value."""
    return pool.max


@statistic("p05", "5th percentile", heading="5 %", needs_values=True)
def _p05(pool: Pool) -> float:
    """5th percentile, interpolated linearly."""
    return pool.percentile(5)


@statistic("p25", "25th percentile", heading="25 %", needs_values=True, exported=False)
def _p25(pool: Pool) -> float:
    """25th percentile, interpolated linearly."""
    return pool.percentile(25)


@statistic("p75", "75th percentile", heading="75 %", needs_values=True, exported=False)
def _p75(pool: Pool) -> float:
    """75th percentile, interpolated linearly."""
    return pool.percentile(75)


@statistic("p95", "95th percentile", heading="95 %", needs_values=True)
def _p95(pool: Pool) -> float:
    """95th percentile, interpolated linearly."""
    return pool.percentile(95)


@statistic("skewness", "Skewness", in_map_unit=False)
def _skewness(pool: Pool) -> float:
    """Third standardised moment, m3 / m2^1.5; none where all values are equal."""
    if not pool.numbers:
        return nan
    variance = pool.second / pool.numbers
    if not variance > (_FLAT * pool.mean) ** 2:
        return nan
    return pool.third / pool.numbers / variance**1.5


@statistic(
    "missing",
    "Voxels without a number",
    heading="no number",
    in_map_unit=False,
    decimals=0,
    exported=False,
)
def _missing(pool: Pool) -> float:
    """Voxels of the region that hold NaN or infinity on this map."""
    return float(pool.voxels - pool.numbers)


@dataclass(frozen=True)
class Measures:
    """Numbers of one region on one map, in the map's own unit.

    Attributes
    ----------
    voxels : int
        All voxels of the region.
    numbers : int
        Those that hold a number; NaN and infinity are none.
    found : dict of str to float
        By the names of :data:`STATISTICS`; NaN without a number.
    ranks : bool
        Whether those are there that need every value.
    """

    voxels: int
    numbers: int
    found: Mapping[str, float] = field(default_factory=dict)
    ranks: bool = False

    @property
    def missing(self) -> int:
        """Voxels that hold no number."""
        return self.voxels - self.numbers

    @property
    def mean(self) -> float:
        """The mean."""
        return self.value("mean")

    @property
    def sd(self) -> float:
        """The standard deviation of a sample (n - 1)."""
        return self.value("sd")

    def value(self, name: str) -> float:
        """One number by the name of its statistic; NaN if it was not asked for."""
        return self.found.get(name, nan)


def _measures(pool: Pool) -> Measures:
    gathered = pool.ordered is not None
    found = {
        each.name: float(each.compute(pool))
        for each in STATISTICS.values()
        if gathered or not each.needs_values
    }
    return Measures(pool.voxels, pool.numbers, found, gathered)


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
            Their values, if statistics are wanted that need every one.

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
            return _measures(Pool(voxels, 0, ordered=ordered))
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
        return _measures(pool)


def measures_of(values: Array) -> Measures:
    """Numbers of a plain set of values, with all statistics.

    Parameters
    ----------
    values : (n,) ndarray
        May hold NaN.
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    parts = Parts(1, 1)
    parts.fill(0, np.zeros(values.size, np.intp), values)
    return parts.measures([0], values)
