"""How far readings agree: intraclass correlation, standard error of measurement, Bland-Altman."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from napari_qsm.arrays import Array


class Measure(NamedTuple):
    """One number of agreement with its 95 % interval; ``n`` is what was read more than once."""

    measure: str
    n: int
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan


def icc(ratings: Array, level: float = 0.95) -> list[Measure]:
    """Intraclass correlations of Shrout & Fleiss, SEM and smallest detectable difference.

    Parameters
    ----------
    ratings : (subjects, raters) ndarray
        Complete, at least 2 x 2.
    level : float
        Of the intervals.

    Returns
    -------
    list of Measure
        ``icc_1_1, icc_2_1, icc_3_1, icc_2_k, icc_3_k``; ``sem``, the root of the residual mean
        square of subjects x raters, and ``mdc95 = 1.96 sqrt(2) sem``, in the unit of the ratings.

    References
    ----------
    Shrout & Fleiss, Psychol Bull 1979;86:420; McGraw & Wong, Psychol Methods 1996;1:30;
    Weir, J Strength Cond Res 2005;19:231 (SEM).
    """
    n, k = ratings.shape
    grand = ratings.mean()
    subjects = k * float(((ratings.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    raters = n * float(((ratings.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    within = float(((ratings - ratings.mean(axis=1, keepdims=True)) ** 2).sum()) / (n * (k - 1))
    df_e = (n - 1) * (k - 1)
    error = max((within * n * (k - 1) - raters * (k - 1)) / df_e, 0.0)
    tail = (1 - level) / 2
    out = []

    def one_way(mean_square: float, df2: int, name: str) -> None:
        value = _ratio(subjects - mean_square, subjects + (k - 1) * mean_square)
        f = subjects / mean_square if mean_square > 0 else math.inf
        low = f / float(stats.f.isf(tail, n - 1, df2))
        high = f * float(stats.f.isf(tail, df2, n - 1))
        out.append(Measure(name, n, value, *(_ratio(x - 1, x + k - 1) for x in (low, high))))
        if name == "icc_3_1":
            mean = (_ratio(subjects - mean_square, subjects), 1 - 1 / low, 1 - 1 / high)
            out.append(Measure("icc_3_k", n, *mean))

    one_way(within, n * (k - 1), "icc_1_1")
    absolute = _ratio(subjects - error, subjects + (k - 1) * error + k * (raters - error) / n)
    low, high = _absolute_interval(absolute, subjects, raters, error, n, k, tail)
    out.append(Measure("icc_2_1", n, absolute, low, high))
    whole = subjects + (raters - error) / n
    of_mean = _ratio(subjects - error, whole) if whole > 0 else math.nan
    # Of a mean, nothing bounds it from below once that of one reading lies under -1/(k-1).
    up = [k * x / (1 + (k - 1) * x) if 1 + (k - 1) * x > 0 else -math.inf for x in (low, high)]
    out.append(Measure("icc_2_k", n, of_mean, *up))
    one_way(error, df_e, "icc_3_1")
    sem = math.sqrt(error)
    bounds = [sem * math.sqrt(df_e / float(stats.chi2.isf(t, df_e))) for t in (tail, 1 - tail)]
    out.append(Measure("sem", n, sem, *bounds))
    factor = float(stats.norm.ppf(0.975)) * math.sqrt(2)
    out.append(Measure("mdc95", n, factor * sem, *(factor * b for b in bounds)))
    return out


def _ratio(above: float, below: float) -> float:
    if math.isinf(above):
        return 1.0
    return above / below if below != 0 else math.nan


def _absolute_interval(
    value: float, subjects: float, raters: float, error: float, n: int, k: int, tail: float
) -> tuple[float, float]:
    """Of ICC(2,1), with the degrees of freedom of Satterthwaite (McGraw & Wong, case 2A)."""
    if not math.isfinite(value) or value >= 1:
        return value, value
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    mixed = a * raters + b * error
    below = (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    df = mixed**2 / below if below > 0 else math.inf
    f_low = float(stats.f.isf(tail, n - 1, df))
    f_high = float(stats.f.isf(tail, df, n - 1))
    rest = k * raters + (k * n - k - n) * error
    low = n * (subjects - f_low * error) / (f_low * rest + n * subjects)
    high = n * (f_high * subjects - error) / (rest + n * f_high * subjects)
    return low, high


def bland_altman(first: Array, second: Array, level: float = 0.95) -> list[Measure]:
    """Bias and limits of agreement of ``first - second``, and whether the bias grows.

    Parameters
    ----------
    first, second : (n,) ndarray
        Paired readings; at least 3.
    level : float
        Of the intervals.

    Returns
    -------
    list of Measure
        ``ba_bias, ba_sd, ba_low, ba_high`` (bias -/+ 1.96 SD) and ``ba_slope``, the change of the
        difference with each unit of the mean; an interval without zero is a proportional bias.

    References
    ----------
    Bland & Altman, Lancet 1986;327:307, and Stat Methods Med Res 1999;8:135.
    """
    n = len(first)
    difference = first - second
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.isf((1 - level) / 2, n - 1))
    z = float(stats.norm.ppf(0.975))
    half = t * sd / math.sqrt(n)
    half_limit = t * sd * math.sqrt(1 / n + z * z / (2 * (n - 1)))
    tails = [(1 - level) / 2, (1 + level) / 2]
    spread = [sd * math.sqrt((n - 1) / float(stats.chi2.isf(x, n - 1))) for x in tails]
    out = [
        Measure("ba_bias", n, bias, bias - half, bias + half),
        Measure("ba_sd", n, sd, *spread),
    ]
    for name, limit in (("ba_low", bias - z * sd), ("ba_high", bias + z * sd)):
        out.append(Measure(name, n, limit, limit - half_limit, limit + half_limit))
    mean = (first + second) / 2
    if np.ptp(mean) > 0:
        line = stats.linregress(mean, difference)
        around = float(stats.t.isf((1 - level) / 2, n - 2)) * float(line.stderr)
        slope = float(line.slope)
        out.append(Measure("ba_slope", n, slope, slope - around, slope + around))
    return out
