"""A linear mixed model with a random intercept: visits compared on all observations there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from napari_qsm.arrays import Array
from napari_qsm.study.hypothesis_tests import Outcome


class Mixed(NamedTuple):
    """A linear mixed model with a random intercept for each person.

    Attributes
    ----------
    coefficients, covariance : (p,), (p, p) ndarray
        Of the fixed effects.
    person, residual : float
        Variances.
    n : int
        Observations.
    """

    coefficients: Array
    covariance: Array
    person: float
    residual: float
    n: int

    def contrast(self, weights: Array, level: float = 0.95) -> Outcome:
        """One weighted sum of the fixed effects, tested as z (Wald)."""
        se = math.sqrt(float(weights @ self.covariance @ weights))
        return _wald(float(weights @ self.coefficients), se, self.n, level)

    def omnibus(self) -> Outcome:
        """Wald's test that all fixed effects but the first are zero."""
        b = self.coefficients[1:]
        statistic = float(b @ np.linalg.solve(self.covariance[1:, 1:], b))
        return Outcome(
            self.n, statistic=statistic, df1=len(b), p=float(stats.chi2.sf(statistic, len(b)))
        )


def mixed_model(values: Array, design: Array, persons: Sequence[int] | Array) -> Mixed:
    """Random-intercept model by restricted maximum likelihood, on all observations there are.

    With one random intercept the likelihood depends on a single number, the ratio of the two
    variances, for which each person's block inverts in closed form; the search over it is
    therefore exact to rounding and cannot fail to converge.

    Parameters
    ----------
    values : (n,) ndarray
        Observations.
    design : (n, p) ndarray
        Of the fixed effects; the first column ones.
    persons : (n,) ints
        Whose observation each is.

    References
    ----------
    Laird & Ware, Biometrics 1982;38:963.
    """
    _, place = np.unique(np.asarray(persons), return_inverse=True)
    sizes = np.bincount(place).astype(float)
    n, p = design.shape
    sums_x = np.stack([np.bincount(place, design[:, j]) for j in range(p)], axis=1)
    sums_y = np.bincount(place, values)
    xx, xy, yy = design.T @ design, design.T @ values, float(values @ values)

    def parts(ratio: float) -> tuple[Array, Array, float]:
        shrink = ratio / (1 + sizes * ratio)
        a = xx - (sums_x.T * shrink) @ sums_x
        b = np.linalg.solve(a, xy - (sums_x.T * shrink) @ sums_y)
        rss = (
            yy - float((sums_y**2 * shrink).sum()) - float(b @ (xy - (sums_x.T * shrink) @ sums_y))
        )
        return a, b, rss

    def deviance(ratio: float) -> float:
        a, _, rss = parts(ratio)
        return float(
            np.log1p(sizes * ratio).sum()
            + np.linalg.slogdet(a)[1]
            + (n - p) * math.log(max(rss, 1e-300))
        )

    ratio = _least(deviance)
    a, b, rss = parts(ratio)
    residual = rss / (n - p)
    covariance = residual * np.linalg.inv(a)
    if ratio > 0:
        # Observed information: the ratio is an estimate too, and where persons miss visits the
        # coefficients move with it. In log(ratio), whose scale is that of the search.
        step = 1e-3
        less, more = (ratio * math.exp(sign * step) for sign in (-1, 1))
        moved = (parts(more)[1] - parts(less)[1]) / (2 * step)
        curvature = (deviance(more) - 2 * deviance(ratio) + deviance(less)) / (2 * step**2)
        if curvature > 1e-6:
            covariance = covariance + np.outer(moved, moved) / curvature
    return Mixed(b, covariance, ratio * residual, residual, n)


def _least(deviance: Callable[[float], float]) -> float:
    """The ratio of variances, 0 included, at which the deviance is least."""
    exponents = np.linspace(-12, 12, 49)
    at = int(np.argmin([deviance(math.exp(e)) for e in exponents]))
    around = (exponents[max(at - 1, 0)], exponents[min(at + 1, len(exponents) - 1)])
    found = optimize.minimize_scalar(
        lambda e: deviance(math.exp(e)), bounds=around, method="bounded", options={"xatol": 1e-10}
    )
    best = math.exp(found.x)
    return 0.0 if deviance(0.0) <= deviance(best) else best


def _wald(estimate: float, se: float, n: int, level: float) -> Outcome:
    half = float(stats.norm.ppf((1 + level) / 2)) * se
    z = float(estimate) / se
    return Outcome(
        n,
        float(estimate),
        (float(estimate) - half, float(estimate) + half),
        statistic=z,
        p=float(2 * stats.norm.sf(abs(z))),
        note=f"SE {se:.3f}; z",
    )
