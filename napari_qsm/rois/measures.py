"""What is told of a region on a map: its statistics.

A statistic is a function of a :class:`Pool`. Write one here, put ``@statistic`` on it, and it
stands in the table below the views and its choice of columns, in every export and its data
dictionary, on the command line, and can be named in a figure's table::

    @statistic("iqr", "Interquartile range", needs_values=True)
    def _iqr(pool: Pool) -> float:
        "Distance between the 25th and the 75th percentile."
        return pool.percentile(75) - pool.percentile(25)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import nan, sqrt

from napari_qsm.rois.register import STATISTICS, Pool, Statistic, external_statistic, statistic

__all__ = [
    "STATISTICS",
    "Measures",
    "Pool",
    "Statistic",
    "external_statistic",
    "measured",
    "statistic",
]
#: Relative spread below which skewness is rounding noise.
_FLAT = 1e-9


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


@statistic("high_from", "Limit of the high part", heading="high from", exported=False, needs="high")
def _high_from(pool: Pool) -> float:
    """Limit above which voxels count as the region's high part."""
    return pool.high_from


@statistic(
    "high_fraction",
    "High part, share of the region",
    heading="high part",
    in_map_unit=False,
    decimals=3,
    exported=False,
    needs="high",
)
def _high_fraction(pool: Pool) -> float:
    """Share (0-1) of the voxels with a number that lie above the limit."""
    return pool.high / pool.numbers if pool.numbers else nan


@statistic("high_mean", "High part, mean", heading="high part mean", exported=False, needs="high")
def _high_mean(pool: Pool) -> float:
    """Mean of the voxels above the limit; none where there is no such voxel."""
    return pool.high_sum / pool.high if pool.high > 0 else nan


@statistic(
    "high_voxels",
    "High part, voxels",
    heading="high voxels",
    in_map_unit=False,
    decimals=0,
    exported=False,
    needs="high",
)
def _high_voxels(pool: Pool) -> float:
    """Voxels above the limit."""
    return pool.high


external_statistic(
    "inner_mean",
    "Mean without edge",
    "Mean without the outer layer of voxels; none where nothing is left.",
    needs="edge",
)
external_statistic(
    "edge_difference",
    "Mean without edge, less mean",
    "Mean without the outer layer of voxels, less the mean of all.",
    heading="without edge − with",
    needs="edge",
)
external_statistic(
    "inner_voxels",
    "Voxels without edge",
    "Voxels that are left without the outer layer.",
    heading="inner voxels",
    in_map_unit=False,
    decimals=0,
    needs="edge",
)
external_statistic(
    "se",
    "Standard error by noise",
    "Standard error of the mean by the scan's noise alone, with what neighbouring voxels share; no "
    "systematic error, no choice of reference and no difference between scans is in it. None "
    "without a noise map of the reconstruction.",
    heading="SE by noise",
    needs="noise",
    finer=1,
)


external_statistic(
    "controls_n",
    "Controls: how many",
    "Controls with a value of the region.",
    heading="controls",
    in_map_unit=False,
    decimals=0,
    needs="controls",
)
external_statistic(
    "controls_mean",
    "Controls: mean",
    "Mean of the controls; at the person's age where age was taken into account.",
    heading="controls mean ± SD",
    needs="controls",
)
external_statistic(
    "controls_sd",
    "Controls: SD",
    "SD of the controls (n - 1); their scatter about the line over age (n - 2) where age was taken "
    "into account.",
    heading="controls: SD",
    needs="controls",
)
external_statistic(
    "z",
    "z against the controls",
    "Distance of the mean from that of the controls, in their SD; none for fewer than three.",
    heading="z",
    in_map_unit=False,
    needs="controls",
)
external_statistic(
    "percentile",
    "Percentile among the controls",
    "Percent of people like the controls expected to lie below (Crawford & Howell 1998).",
    heading="percentile",
    in_map_unit=False,
    decimals=1,
    needs="controls",
)
external_statistic(
    "p_controls",
    "p against the controls",
    "Two-sided p of the modified t-test for one person and few controls (Crawford & Howell 1998), "
    "not corrected for the number of regions.",
    heading="p",
    in_map_unit=False,
    decimals=3,
    needs="controls",
)
external_statistic(
    "expected",
    "Published: expected at this age",
    "Published value at the person's age, of the source that was chosen.",
    needs="published",
)
external_statistic(
    "expected_z",
    "Published: z",
    "Distance from the published value in the published SD, where there is one.",
    in_map_unit=False,
    needs="published",
)
external_statistic(
    "iron",
    "Published: iron at this age",
    "Iron expected at the person's age, mg in 100 g of wet tissue, measured after death.",
    heading="iron (mg/100 g)",
    in_map_unit=False,
    decimals=1,
    needs="published",
)
external_statistic(
    "other_mean",
    "Other map: mean",
    "Mean of the same region on the map compared with.",
    needs="against",
)
external_statistic(
    "difference",
    "Difference from the other map",
    "Mean less that of the same region on the map compared with.",
    heading="difference",
    needs="against",
)
external_statistic(
    "difference_95",
    "Difference: ± 95 %",
    "Half the 95 % interval of the difference as far as repeating the scans makes it uncertain: "
    "1.96 sqrt(2) SDw.",
    heading="± 95 %",
    needs="against",
)


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

    def with_external(self, values: Mapping[str, float]) -> Measures:
        """The same with numbers that do not follow from its values, by their names."""
        return replace(self, found={**self.found, **values})


def measured(pool: Pool) -> Measures:
    """Every statistic of a region but those of its edge."""
    gathered = pool.ordered is not None
    found = {
        each.name: float(each.compute(pool))
        for each in STATISTICS.values()
        if each.compute is not None and (gathered or not each.needs_values)
    }
    return Measures(pool.voxels, pool.numbers, found, gathered)
