"""p over a family of tests: Bonferroni, Holm, and the false discovery rate.

A missing p (NaN) is no member of the family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_qsm.arrays import Array


def bonferroni(p: Sequence[float] | Array) -> Array:
    """Each p times their number."""
    return _over_known(p, lambda known: np.minimum(1.0, known * len(known)))


def holm(p: Sequence[float] | Array) -> Array:
    """Step-down p (Holm 1979)."""

    def step(known: Array) -> Array:
        order = np.argsort(known)
        grown = np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1))
        return _put_back(np.minimum(1.0, grown), order)

    return _over_known(p, step)


def benjamini_hochberg(p: Sequence[float] | Array) -> Array:
    """Step-up q of the false discovery rate (Benjamini & Hochberg 1995)."""

    def step(known: Array) -> Array:
        order = np.argsort(known)
        scaled = known[order] * len(known) / np.arange(1, len(known) + 1)
        least = np.minimum.accumulate(scaled[::-1])[::-1]
        return _put_back(np.minimum(1.0, least), order)

    return _over_known(p, step)


def _put_back(values: Array, order: Array) -> Array:
    out = np.empty_like(values)
    out[order] = values
    return out


def _over_known(p: Sequence[float] | Array, correct: Callable[[Array], Array]) -> Array:
    """Corrected values where there is a p; a missing one is no member of the family."""
    out = np.array(p, dtype=float)
    known = np.isfinite(out)
    if known.any():
        out[known] = correct(out[known])
    return out
