"""Rows of an analysis, and their p over the families that they belong to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_qsm.study.cohort import Cohort
from napari_qsm.study.corrections import benjamini_hochberg, bonferroni, holm
from napari_qsm.study.hypothesis_tests import Outcome


@dataclass(frozen=True)
class Result:
    """One row of ``statistics.tsv``.

    Attributes
    ----------
    question, region, contrast, test : str
        What was asked, of what, between which visits or groups, and how.
    outcome : Outcome
        The numbers.
    p_bonferroni, p_holm, q_fdr : float
        Over the family that ``note`` names.
    note : str
        What else must be known.
    """

    question: str
    region: str
    contrast: str
    test: str
    outcome: Outcome
    p_bonferroni: float = math.nan
    p_holm: float = math.nan
    q_fdr: float = math.nan
    note: str = ""


#: The columns of ``statistics.tsv`` and what each holds; also its data dictionary.
COLUMNS = {
    "question": "group, visits, visits_mixed, posthoc, correlation, laterality or sensitivity",
    "region": "region of the brain, or an instrument whose score is tested in the same way",
    "contrast": "first-second visit or group; empty for a test of all visits together",
    "test": "the test",
    "n": "participants; observations for mixed models",
    "estimate": "posthoc and visits_mixed: later minus earlier visit, ppb; group: first minus second "
    "named, ppb; laterality: left minus right, ppb; correlation: the coefficient; sensitivity: the "
    "smallest change, ppb",
    "ci_low": "lower end of the 95 % interval of the estimate",
    "ci_high": "upper end of the 95 % interval of the estimate",
    "effect": "standardised: Hedges g, d_z, partial eta squared, Kendall's W, rank-biserial r",
    "statistic": "t, z, F, chi squared, U or W of the test",
    "df1": "degrees of freedom",
    "df2": "degrees of freedom of the denominator of F",
    "p": "two-sided, not corrected",
    "p_bonferroni": "p corrected over the family in note (Bonferroni)",
    "p_holm": "p corrected over the family in note (Holm)",
    "q_fdr": "false discovery rate over the family in note (Benjamini-Hochberg)",
    "note": "family of the correction; sizes of parts; what to be careful with",
}


def corrected(rows: Sequence[Result], cohort: Cohort) -> list[Result]:
    """The rows with p over their families: the regions, or the pairs of visits of one region."""
    regions = set(cohort.regions)
    by_contrast: dict[tuple[str, ...], list[int]] = {}
    over_regions: dict[tuple[str, ...], list[int]] = {}
    for at, row in enumerate(rows):
        kind = "regions" if row.region in regions or row.question == "laterality" else row.region
        # A correlation names its instrument in the note: one family for each.
        about = row.note if row.question == "correlation" else ""
        contrast = "pairs" if _is_pair(row) else row.contrast
        over_regions.setdefault((row.question, row.test, contrast, kind, about), []).append(at)
        if _is_pair(row):
            by_contrast.setdefault((row.question, row.test, row.region), []).append(at)
    out = [replace(row, note=_joined(row.note, row.outcome.note)) for row in rows]
    for members in over_regions.values():
        p = [rows[at].outcome.p for at in members]
        q, b, h = (f(p) for f in (benjamini_hochberg, bonferroni, holm))
        family = _family(rows, members)
        for number, at in enumerate(members):
            if not math.isfinite(p[number]):
                continue
            out[at] = replace(
                out[at],
                q_fdr=float(q[number]),
                p_bonferroni=float(b[number]),
                p_holm=float(h[number]),
                note=_joined(out[at].note, f"family: {family}"),
            )
    for members in by_contrast.values():
        p = [rows[at].outcome.p for at in members]
        b, h = bonferroni(p), holm(p)
        for number, at in enumerate(members):
            note = out[at].note.replace("family: ", "q over ")
            out[at] = replace(
                out[at],
                p_bonferroni=float(b[number]),
                p_holm=float(h[number]),
                note=_joined(
                    note, f"family of Bonferroni and Holm: {len(members)} pairs of visits"
                ),
            )
    return out


def _is_pair(row: Result) -> bool:
    return row.question in ("posthoc", "visits_mixed") and row.contrast != ""


def _family(rows: Sequence[Result], members: Sequence[int]) -> str:
    regions = len({rows[at].region for at in members})
    pairs = len(members) // regions
    what = f"{regions} regions" if regions > 1 else f"{rows[members[0]].region} alone"
    return f"{what} x {pairs} pairs" if pairs > 1 else what


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
