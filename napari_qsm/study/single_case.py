"""One person against a group of controls, as it is right for small groups."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from napari_qsm.arrays import Array

#: Controls from which a spread can be told.
FEWEST = 3
#: Controls of known age from which a line over age can be drawn.
FEWEST_FOR_AGE = 5


class SingleCase(NamedTuple):
    """Where one person stands among controls; NaN where that cannot be told.

    Attributes
    ----------
    n : int
        Controls.
    mean, sd : float
        Of the controls (n - 1); at the person's age, with the scatter about the line (n - 2), where
        age was taken into account.
    z : float
        Distance from the mean in SD: the size of the effect.
    t, df : float
        Of the modified t-test.
    p : float
        Two-sided.
    percentile : float
        Percent of the controls' population that is expected to lie below the person.
    upper : float
        Upper end of the interval in which 95 % of people like the controls are expected.
    """

    n: int
    mean: float = math.nan
    sd: float = math.nan
    z: float = math.nan
    t: float = math.nan
    df: float = math.nan
    p: float = math.nan
    percentile: float = math.nan
    upper: float = math.nan


def against_controls(value: float, controls: Array) -> SingleCase:
    """The modified t-test of Crawford & Howell for one person and a small group.

    ``t = (value - mean) / (sd sqrt((n + 1) / n))`` with n - 1 degrees of freedom: mean and SD are
    themselves estimates, so that a plain z would call too many people unusual.

    Parameters
    ----------
    value : float
        Of the person.
    controls : (n,) ndarray
        Of the controls; NaN is left out.

    Returns
    -------
    SingleCase
        Without a test for fewer than three controls or where all have the same value.

    References
    ----------
    Crawford & Howell, Clin Neuropsychol 1998;12:482; Crawford, Garthwaite & Porter, Cogn
    Neuropsychol 2010;27:245 (z as size of the effect).
    """
    known = np.asarray(controls, np.float64)
    known = known[np.isfinite(known)]
    n = int(known.size)
    if n == 0:
        return SingleCase(0)
    mean = float(known.mean())
    sd = float(known.std(ddof=1)) if n > 1 else math.nan
    if n < FEWEST:
        return SingleCase(n, mean, sd)
    return _tested(value, n, mean, sd, sd * math.sqrt((n + 1) / n), n - 1)


def against_controls_at_age(value: float, age: float, controls: Array, ages: Array) -> SingleCase:
    """The same with the mean that a straight line over the controls' ages has at the person's.

    The error of the prediction has three parts: scatter about the line, its height, its slope.

    Parameters
    ----------
    value, age : float
        Of the person; years.
    controls, ages : (n,) ndarray
        Of the controls; those without a value or age are left out.

    Returns
    -------
    SingleCase
        Without a test for fewer than five such controls or where all are of one age.

    References
    ----------
    Crawford & Howell, J Clin Exp Neuropsychol 1998;20:755.
    """
    y, x = np.asarray(controls, np.float64), np.asarray(ages, np.float64)
    known = np.isfinite(y) & np.isfinite(x)
    y, x = y[known], x[known]
    n = int(y.size)
    spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if n < FEWEST_FOR_AGE or spread <= 0 or not math.isfinite(age):
        return SingleCase(n)
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    line = y.mean() + slope * (x - x.mean())
    expected = float(y.mean() + slope * (age - x.mean()))
    sd = math.sqrt(float(((y - line) ** 2).sum()) / (n - 2))
    error = sd * math.sqrt(1 + 1 / n + (age - float(x.mean())) ** 2 / spread)
    return _tested(value, n, expected, sd, error, n - 2)


def _tested(value: float, n: int, mean: float, sd: float, error: float, df: int) -> SingleCase:
    value = float(value)
    # Equal values leave rounding noise for an SD.
    if not sd > 1e-9 * abs(mean):
        return SingleCase(n, mean, sd)
    upper = mean + float(stdtrit(df, 0.975)) * error
    if not math.isfinite(value):
        return SingleCase(n, mean, sd, upper=upper)
    t = (value - mean) / error
    p = 2 * float(stdtr(df, -abs(t)))  # as scipy.stats.t, a hundred times faster
    percentile = 100 * float(stdtr(df, t))
    return SingleCase(n, mean, sd, (value - mean) / sd, t, df, p, percentile, upper)
