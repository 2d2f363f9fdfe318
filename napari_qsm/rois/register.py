"""The register of statistics: what numbers of regions there are, whoever tells them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Literal

from napari_qsm.arrays import Array

Needs = Literal["values", "high", "edge", "controls", "published", "against", "noise"]


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
    high_from : float
        Values above it are the high part; NaN if nobody gave such a limit, or regions with
        different ones are told as one.
    high, high_sum : float
        How many voxels the high part has, and the sum of their values; NaN without a limit.
    """

    voxels: int
    numbers: int
    mean: float = nan
    min: float = nan
    max: float = nan
    second: float = nan
    third: float = nan
    ordered: Array | None = None
    high_from: float = nan
    high: float = nan
    high_sum: float = nan

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
    compute : callable or None
        From a :class:`Pool`; None for what others tell of a region, see :func:`external_statistic`.
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
    needs : {"values", "high", "edge", "controls", "published", "against", "noise"}
        What it takes besides the values of a region: a limit above which they are high; its
        outer layer, which is too slow for every move of a brush; controls, published values or
        another map to compare with; or the noise map of this one.
    finer : int
        Decimals beyond those of the unit.
    meaning : str
        What it is, in a sentence or two: its entry in data dictionaries.
    """

    name: str
    title: str
    compute: Callable[[Pool], float] | None
    heading: str
    needs_values: bool = False
    in_map_unit: bool = True
    decimals: int = 2
    exported: bool = True
    optional: bool = True
    needs: Needs = "values"
    meaning: str = ""
    finer: int = 0


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
    needs: Needs = "values",
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
            needs,
            " ".join((inspect.getdoc(compute) or title).split()),
        )
        return compute

    return register


def external_statistic(
    name: str,
    title: str,
    meaning: str,
    *,
    needs: Needs,
    heading: str = "",
    in_map_unit: bool = True,
    decimals: int = 2,
    finer: int = 0,
) -> None:
    """Register a number that does not follow from a region's values alone.

    It stands in files only where it was asked for; other parameters are the attributes of
    :class:`Statistic`.
    """
    STATISTICS[name] = Statistic(
        name,
        title,
        None,
        heading or title[0].lower() + title[1:],
        in_map_unit=in_map_unit,
        decimals=decimals,
        exported=False,
        needs=needs,
        meaning=meaning,
        finer=finer,
    )
