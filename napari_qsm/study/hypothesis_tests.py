"""Tests and effects of a cohort on plain arrays: one function a question.

Designs are matrices made from numbers; no formula is ever built from a name in somebody's file.
Two-sided throughout. Departures from normality are for the rank tests beside each of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from napari_qsm.arrays import Array

Interval = tuple[float, float]
NAN = math.nan


class Outcome(NamedTuple):
    """What one test gives.

    Attributes
    ----------
    n : int
        Persons (or observations, for a mixed model).
    estimate, ci : float, (float, float)
        In the unit of the values (or a coefficient of correlation) with its interval.
    effect : float
        Standardised: Hedges g, d_z, partial eta squared, Kendall's W, rank-biserial r.
    statistic, df1, df2, p : float
        Of the test; NaN where it has none.
    note : str
        What else must be known.
    """

    n: int
    estimate: float = NAN
    ci: Interval = (NAN, NAN)
    effect: float = NAN
    statistic: float = NAN
    df1: float = NAN
    df2: float = NAN
    p: float = NAN
    note: str = ""


def differ(values: Array) -> bool:
    """Whether values differ by more than the rounding of sums, so that they have a spread."""
    return bool(np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max())))


def welch(first: Array, second: Array, level: float = 0.95) -> Outcome:
    """Welch's t test of ``first - second``, with Hedges g and its exact interval in the note."""
    found = stats.ttest_ind(first, second, equal_var=False)
    low, high = found.confidence_interval(level)
    g, (g_low, g_high) = hedges_g(first, second, level)
    return Outcome(
        len(first) + len(second),
        float(first.mean() - second.mean()),
        (float(low), float(high)),
        g,
        float(found.statistic),
        float(found.df),
        NAN,
        float(found.pvalue),
        f"n {len(first)} and {len(second)}; effect is Hedges g, "
        f"{level:.0%} CI {g_low:.3f} to {g_high:.3f}",
    )


def hedges_g(first: Array, second: Array, level: float = 0.95) -> tuple[float, Interval]:
    """Standardised difference of means without small-sample bias, and its interval.

    The interval is that of the noncentrality of the pooled t (Hedges 1981; Cumming & Finch 2001).
    """
    n1, n2 = len(first), len(second)
    df = n1 + n2 - 2
    pooled = ((n1 - 1) * first.var(ddof=1) + (n2 - 1) * second.var(ddof=1)) / df
    d = float((first.mean() - second.mean()) / math.sqrt(pooled))
    correction = 1 - 3 / (4 * df - 1)
    size = math.sqrt(1 / n1 + 1 / n2)
    low, high = noncentrality(d / size, df, level)
    return d * correction, (low * size * correction, high * size * correction)


def noncentrality(t: float, df: float, level: float = 0.95) -> Interval:
    """Interval of the noncentrality of a t distribution that gave ``t``."""
    tail = (1 - level) / 2
    reach = 10 + abs(t)

    def at(share: float) -> float:
        def off(nc: float) -> float:
            return _noncentral(t, df, nc) - share

        return float(optimize.brentq(off, t - reach, t + reach))

    return at(1 - tail), at(tail)


def _noncentral(t: float, df: float, nc: float) -> float:
    """Distribution function of the noncentral t; scipy gives NaN far out, where it is 0 or 1."""
    found = float(stats.nct.cdf(t, df, nc))
    return found if math.isfinite(found) else float(nc < t)


def mann_whitney(first: Array, second: Array) -> Outcome:
    """Mann-Whitney U of ``first`` against ``second``; the effect is the rank-biserial r."""
    found = stats.mannwhitneyu(first, second, alternative="two-sided")
    return Outcome(
        len(first) + len(second),
        float(np.median(first) - np.median(second)),
        effect=float(2 * found.statistic / (len(first) * len(second)) - 1),
        statistic=float(found.statistic),
        p=float(found.pvalue),
        note="estimate is the difference of medians; effect is the rank-biserial r",
    )


def ols(
    design: Array, values: Array, column: int, *, robust: bool = False, level: float = 0.95
) -> Outcome:
    """Least squares; the coefficient of one column, tested as t.

    Parameters
    ----------
    design : (n, p) ndarray
        Of full rank, with its column of ones.
    values : (n,) ndarray
        What is explained.
    column : int
        Which coefficient is asked for.
    robust : bool
        With HC3 errors, which hold where groups spread differently.

    References
    ----------
    MacKinnon & White, J Econometrics 1985;29:305 (HC3).
    """
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ values
    residuals = values - design @ coefficients
    df = len(values) - design.shape[1]
    covariance = inverse * float(residuals @ residuals) / df
    if robust:
        leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
        weights = (residuals / np.maximum(1 - leverage, 1e-12)) ** 2
        covariance = inverse @ (design.T * weights) @ design @ inverse
    estimate, se = float(coefficients[column]), math.sqrt(covariance[column, column])
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    return Outcome(
        len(values),
        estimate,
        (estimate - half, estimate + half),
        statistic=estimate / se,
        df1=df,
        p=float(2 * stats.t.sf(abs(estimate / se), df)),
        note=f"SE {se:.3f}{' (HC3)' if robust else ''}",
    )


class RepeatedMeasures(NamedTuple):
    """One-way analysis of variance of repeated measures, with and without sphericity."""

    plain: Outcome
    corrected: Outcome
    epsilon: float
    within_sd: float


def rm_anova(values: Array) -> RepeatedMeasures:
    """One-way repeated-measures analysis of variance.

    Parameters
    ----------
    values : (persons, visits) ndarray
        Complete.

    Returns
    -------
    RepeatedMeasures
        F with partial eta squared; the same with the degrees of freedom of Greenhouse & Geisser;
        their epsilon; the standard deviation within persons.

    References
    ----------
    Greenhouse & Geisser, Psychometrika 1959;24:95.
    """
    n, k = values.shape
    grand = values.mean()
    between_visits = n * ((values.mean(axis=0) - grand) ** 2).sum()
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + grand
    error = float((rest**2).sum())
    df1, df2 = k - 1, (k - 1) * (n - 1)
    f = float((between_visits / df1) / (error / df2))
    eta = float(between_visits / (between_visits + error))
    centred = np.cov(rest.T, ddof=1)
    epsilon = float(np.trace(centred) ** 2 / (df1 * (centred**2).sum()))
    epsilon = min(1.0, epsilon)
    normal = shapiro_note(rest.ravel())
    plain = Outcome(n, effect=eta, statistic=f, df1=df1, df2=df2, p=float(stats.f.sf(f, df1, df2)))
    corrected = plain._replace(
        df1=df1 * epsilon,
        df2=df2 * epsilon,
        p=float(stats.f.sf(f, df1 * epsilon, df2 * epsilon)),
        note=f"Greenhouse-Geisser epsilon {epsilon:.3f}",
    )
    note = f"effect is partial eta squared; {normal}"
    return RepeatedMeasures(plain._replace(note=note), corrected, epsilon, math.sqrt(error / df2))


def shapiro_note(residuals: Array) -> str:
    """How normal residuals are, in words."""
    if residuals.size > 5000:  # beyond what the test's p is known for
        return "too many residuals for Shapiro-Wilk"
    p = float(stats.shapiro(residuals).pvalue)
    advice = ": use the rank test" if p < 0.01 else ""
    return f"Shapiro-Wilk of residuals p {p:.4f}{advice}"


def friedman(values: Array) -> Outcome:
    """Friedman's test over at least three visits; the effect is Kendall's W."""
    n, k = values.shape
    found = stats.friedmanchisquare(*values.T)
    return Outcome(
        n,
        effect=float(found.statistic) / (n * (k - 1)),
        statistic=float(found.statistic),
        df1=k - 1,
        p=float(found.pvalue),
        note="effect is Kendall's W",
    )


def paired_t(before: Array, after: Array, level: float = 0.95) -> Outcome:
    """Paired t of ``after - before``; the effect is d_z, the mean over the SD of differences."""
    change = after - before
    found = stats.ttest_rel(after, before)
    low, high = found.confidence_interval(level)
    return Outcome(
        len(change),
        float(change.mean()),
        (float(low), float(high)),
        float(change.mean() / change.std(ddof=1)),
        float(found.statistic),
        len(change) - 1,
        NAN,
        float(found.pvalue),
    )


def wilcoxon(before: Array, after: Array) -> Outcome:
    """Wilcoxon's signed ranks of ``after - before``; the effect is the rank-biserial r."""
    change = after - before
    found = stats.wilcoxon(change)
    moved = change[change != 0]
    ranks = stats.rankdata(np.abs(moved))
    return Outcome(
        len(change),
        float(np.median(change)),
        effect=float((ranks * np.sign(moved)).sum() / ranks.sum()),
        statistic=float(found.statistic),
        p=float(found.pvalue),
        note="estimate is the median difference; effect is the rank-biserial r",
    )


def fisher_interval(r: float, n: int, *, given: int = 0, level: float = 0.95) -> Interval:
    """Interval of a correlation by Fisher's z, ``given`` other variables being held."""
    if n - 3 - given <= 0 or not abs(r) < 1:
        return NAN, NAN
    half = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(n - 3 - given)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def pearson(x: Array, y: Array, level: float = 0.95) -> Outcome:
    """Pearson's r with Fisher's interval."""
    return _correlation(float(np.corrcoef(x, y)[0, 1]), len(x), 0, level)


def partial_pearson(x: Array, y: Array, given: Array, level: float = 0.95) -> Outcome:
    """Pearson's r of what is left of both after the columns of ``given`` (n, k) are regressed out."""
    design = np.column_stack([np.ones(len(x)), given])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    return _correlation(float(np.corrcoef(*left)[0, 1]), len(x), given.shape[1], level)


def _correlation(r: float, n: int, given: int, level: float) -> Outcome:
    df = n - 2 - given
    t = r * math.sqrt(df / max(1 - r * r, 1e-300))
    return Outcome(
        n,
        r,
        fisher_interval(r, n, given=given, level=level),
        r,
        t,
        df,
        NAN,
        float(2 * stats.t.sf(abs(t), df)),
    )


def spearman(x: Array, y: Array, level: float = 0.95) -> Outcome:
    """Spearman's rho; interval with the standard error of Bonett & Wright 2000."""
    found = stats.spearmanr(x, y)
    rho, n = float(found.statistic), len(x)
    ci = (NAN, NAN)
    if n > 3 and abs(rho) < 1:
        half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
        ci = (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    return Outcome(n, rho, ci, rho, p=float(found.pvalue))


def smallest_change(within_sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest mean change between two visits that a paired t test of ``n`` persons would show.

    Parameters
    ----------
    within_sd : float
        Standard deviation within persons; that of a difference is root two of it.
    n : int
        Persons; at least 2.
    alpha, power : float
        Two-sided level, and the chance to see the change.
    """
    df = n - 1
    critical = float(stats.t.isf(alpha / 2, df))

    def lacking(nc: float) -> float:
        return 1 - _noncentral(critical, df, nc) + _noncentral(-critical, df, nc) - power

    most = critical + 5.0
    while lacking(most) < 0:
        most *= 2
    nc = float(optimize.brentq(lacking, 0.0, most))
    return nc / math.sqrt(n) * math.sqrt(2) * within_sd
