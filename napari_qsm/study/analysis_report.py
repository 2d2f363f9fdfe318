"""The results of a cohort as a page of text: the table of a paper, and both sides of every choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.study.cohort import Cohort
from napari_qsm.study.plan import Plan
from napari_qsm.study.results import Result
from napari_qsm.units import NOTHING, fixed, mean_sd

#: Correction to what it is called in a table, and its value of a result.
CORRECTED: dict[str, tuple[str, Callable[[Result], float]]] = {
    "none": ("p", lambda row: row.outcome.p),
    "fdr": ("q (FDR)", lambda row: row.q_fdr),
    "holm": ("p (Holm)", lambda row: row.p_holm),
    "bonferroni": ("p (Bonf.)", lambda row: row.p_bonferroni),
}


def p_text(p: float) -> str:
    """A p as papers print it: ``.035``, ``<.001``, with two digits from a tenth on."""
    if not math.isfinite(p):
        return NOTHING
    if p < 0.001:
        return "<.001"
    if p > 0.995:
        return "1.0"
    return f"{p:.2f}".lstrip("0") if p >= 0.2 else f"{p:.3f}".lstrip("0")


def report(rows: Sequence[Result], cohort: Cohort, plan: Plan) -> str:
    """Table, verdict and choices of an analysis.

    Parameters
    ----------
    rows : sequence of Result
        Of :func:`napari_qsm.study.analyse.analyse`.
    cohort, plan
        What they were made from.
    """
    find = {(r.question, r.region, r.contrast, r.test): r for r in reversed(rows)}
    table = _table(find, cohort, plan)
    parts = [_aligned(table), "χ in ppb, mean ± SD" + _what(cohort, plan)]
    parts.append(_verdict(rows, cohort, plan))
    parts.append("Both sides of every choice (regions with p or q < " + f"{plan.alpha:g}):")
    parts.append(_choices(rows, cohort, plan))
    parts.append(f"Plan sha256 {plan.sha256}")
    return "\n".join(parts)


Find = dict[tuple[str, str, str, str], Result]


def _table(find: Find, cohort: Cohort, plan: Plan) -> list[list[str]]:
    groups = [name for name in cohort.groups if name == cohort.reference and name]
    many = len(cohort.visits) > 1
    compared = any(key[0] == "group" for key in find)
    corrected, value = CORRECTED[plan.correction]
    head = ["region"]
    head += [f"{name} ({len(cohort.groups[name])})" for name in groups]
    counts = [
        max(
            (int(np.isfinite(cohort.over_visits(r)[:, v]).sum()) for r in cohort.regions), default=0
        )
        for v in range(len(cohort.visits))
    ]
    head += [f"{visit or 'visit'} ({n})" for visit, n in zip(cohort.visits, counts, strict=True)]
    head += ["group p"] if compared else []
    mixed = any(key[3] == "mixed_complete_case" for key in find)
    score = next(iter(cohort.scores.columns), None)
    if many:
        head += ["visits F", "p", "p (GG)"] + (["p (mixed)"] if mixed else [])
        head += [corrected] if plan.correction != "none" else []
        head += ["post-hoc (Bonferroni)"]
        head += [f"r(Δχ, {score} improvement) {_first_pair(cohort)}"] if score else []
    out = [head]
    for name in [*cohort.regions, *cohort.scores.columns]:
        region = str(name)
        is_score = region not in cohort.regions
        wide = cohort.score_over_visits(region) if is_score else cohort.over_visits(region)
        line = [region]
        for group in groups:
            line.append("" if is_score else _mean_sd(cohort.baseline(region, cohort.groups[group])))
        line += [_mean_sd(wide[:, v]) for v in range(len(cohort.visits))]
        if compared:
            tests = [r for k, r in find.items() if k[:2] == ("group", region) and k[3] == "welch"]
            line.append(" ".join(p_text(r.outcome.p) for r in reversed(tests)))
        if many:
            line += _visit_cells(find, region, mixed)
            main = find.get(("visits", region, "", "rm_anova"))
            if plan.correction != "none":
                main = find.get(("visits_mixed", region, "", "mixed")) if mixed else main
                line.append("" if is_score or main is None else p_text(value(main)))
            line.append(_posthoc(find, region, plan.alpha))
            if score:
                found = find.get(("correlation", region, _first_pair(cohort), "pearson"))
                line.append(_correlation(found))
        out.append(line)
    return out


def _first_pair(cohort: Cohort) -> str:
    return "-".join(cohort.visits[:2])


def _mean_sd(values: Array) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return NOTHING
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return mean_sd(float(known.mean()), sd, 1)


def _visit_cells(find: Find, region: str, mixed: bool) -> list[str]:
    plain = find.get(("visits", region, "", "rm_anova"))
    greenhouse = find.get(("visits", region, "", "rm_anova_gg"))
    model = find.get(("visits_mixed", region, "", "mixed"))
    cells = [NOTHING, NOTHING, NOTHING]
    if plain and greenhouse:
        f = fixed(plain.outcome.statistic, 2)
        cells = [f, p_text(plain.outcome.p), p_text(greenhouse.outcome.p)]
    return cells + ([p_text(model.outcome.p) if model else NOTHING] if mixed else [])


def _posthoc(find: Find, region: str, alpha: float) -> str:
    said = []
    for (question, name, contrast, test), row in reversed(find.items()):
        if (question, name, test) != ("posthoc", region, "paired_t") or row.p_bonferroni >= alpha:
            continue
        found = row.outcome
        before, _, after = contrast.partition("-")
        sign = "<" if found.estimate > 0 else ">"
        ci = f"[{fixed(found.ci[0], 1)}, {fixed(found.ci[1], 1)}]"
        said.append(
            f"{before}{sign}{after} {fixed(found.estimate, 1, signed=True)} {ci} "
            f"{p_text(row.p_bonferroni)}"
        )
    return "; ".join(said) or "none"


def _correlation(row: Result | None) -> str:
    if row is None:
        return ""
    found = row.outcome
    low, high = (fixed(v, 2) for v in found.ci)
    return f"{fixed(found.estimate, 2)} [{low}, {high}] {p_text(found.p)}"


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _what(cohort: Cohort, plan: Plan) -> str:
    averaged = any(note.startswith("Sides are averaged") for note in cohort.notes)
    sides = ", sides averaged" if averaged else ", each side by itself" * (plan.sides == "separate")
    return f"{sides}; group: Welch's t; post-hoc: paired t, later minus earlier visit, ppb."


def _family_rows(rows: Sequence[Result], cohort: Cohort, question: str, test: str) -> list[Result]:
    regions = set(cohort.regions)
    return [r for r in rows if r.question == question and r.test == test and r.region in regions]


def _verdict(rows: Sequence[Result], cohort: Cohort, plan: Plan) -> str:
    """Which regions survive the correction over all of them; or that none does."""
    name, value = CORRECTED[plan.correction]
    name = name.partition(" ")[0]
    how = {"fdr": "Benjamini-Hochberg", "none": "not corrected"}.get(
        plan.correction, plan.correction.capitalize()
    )
    said = []
    for question, test, what in (
        ("group", "welch", "groups"),
        ("visits", "rm_anova", "visits"),
        ("visits_mixed", "mixed", "visits, mixed model"),
        ("correlation", "pearson", "correlation"),
        ("laterality", "paired_t", "laterality"),
    ):
        found = _family_rows(rows, cohort, question, test)
        for contrast in dict.fromkeys(r.contrast for r in found):
            if question == "visits_mixed" and contrast:
                continue
            family = [r for r in found if r.contrast == contrast]
            known = [r for r in family if math.isfinite(value(r))]
            if not known:
                continue
            kept = [r for r in known if value(r) < plan.alpha]
            least = min(value(r) for r in known)
            count = len({r.region for r in known})
            where = f"{what} {contrast}".strip()
            names = ", ".join(f"{r.region} {p_text(value(r))}" for r in kept)
            verdict = names or f"no region survives (smallest {name} {p_text(least)})"
            said.append(f"{where}: {count} regions, {name} < {plan.alpha:g} ({how}): {verdict}.")
    return "\n".join(said)


def _choices(rows: Sequence[Result], cohort: Cohort, plan: Plan) -> str:
    """For every question the regions that each way of asking finds."""
    table = [["question", "test", "not corrected", "FDR", "Holm", "Bonferroni"]]
    kinds = dict.fromkeys(
        (r.question, r.contrast, r.test) for r in rows if r.region in cohort.regions
    )
    for question, contrast, test in kinds:
        if question == "sensitivity":
            continue
        family = [r for r in _family_rows(rows, cohort, question, test) if r.contrast == contrast]
        line = [f"{question} {contrast}".strip(), test]
        for key in ("none", "fdr", "holm", "bonferroni"):
            value = CORRECTED[key][1]
            names = [r.region for r in family if value(r) < plan.alpha]
            line.append(f"{len(names)}" + (f": {', '.join(names)}" if 0 < len(names) < 6 else ""))
        table.append(line)
    return _aligned(table)
