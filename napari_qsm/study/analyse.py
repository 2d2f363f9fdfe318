"""From a cohort and a plan to one row for each result, corrected over named families."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.study import hypothesis_tests as tests
from napari_qsm.study.cohort import Cohort, improvement
from napari_qsm.study.hypothesis_tests import Outcome
from napari_qsm.study.mixed_model import mixed_model
from napari_qsm.study.plan import Plan
from napari_qsm.study.results import Result, corrected

#: Persons below whom no test is made.
FEWEST = 4


Rows = Iterator[Result]


def analyse(cohort: Cohort, plan: Plan) -> list[Result]:
    """Every result that a plan asks for.

    Parameters
    ----------
    cohort : Cohort
        Of :func:`napari_qsm.study.cohort.cohort_of`.
    plan : Plan
        Whose ``questions`` are answered where the cohort has what they need.

    Returns
    -------
    list of Result
        By question, region and contrast, with corrections.

    Raises
    ------
    MetadataError
        If nothing that is asked for can be answered.
    """
    asked: dict[str, Callable[[Cohort, Plan], Rows]] = {
        "group": _group,
        "visits": _visits,
        "posthoc": _posthoc,
        "correlation": _correlation,
        "laterality": _laterality,
        "sensitivity": _sensitivity,
    }
    rows = [row for question in plan.questions for row in asked[question](cohort, plan)]
    if not rows:
        raise MetadataError(
            f"There is nothing to compare: {len(cohort.followed)} participants in "
            f"{len(cohort.groups)} group(s) at {len(cohort.visits)} visit(s), and at least {FEWEST} "
            "at two visits or two groups of three are needed."
        )
    return corrected(rows, cohort)


def _group(cohort: Cohort, plan: Plan) -> Rows:
    if len(cohort.groups) < 2:
        return
    for region in cohort.regions:
        second = cohort.groups[cohort.reference]
        for name, members in cohort.groups.items():
            if name == cohort.reference:
                continue
            row = partial(Result, "group", region, f"{name}-{cohort.reference}")
            a, b = cohort.baseline(region, members), cohort.baseline(region, second)
            first_known, second_known = a[np.isfinite(a)], b[np.isfinite(b)]
            if min(len(first_known), len(second_known)) < 3:
                cohort.notes.append(
                    f"{region}: too few values at the first visit to compare groups."
                )
                continue
            yield row("welch", tests.welch(first_known, second_known))
            yield row("mann_whitney", tests.mann_whitney(first_known, second_known))
            yield from _adjusted(cohort, plan, row, [*members, *second], np.r_[a, b], len(members))


def _adjusted(
    cohort: Cohort,
    plan: Plan,
    row: Callable[[str, Outcome], Result],
    persons: Sequence[str],
    values: Array,
    first: int,
) -> Rows:
    """The group's coefficient beside age and sex; ``first`` persons belong to the first group."""
    group = (np.arange(len(persons)) < first).astype(float)
    held, names = _covariates(cohort, plan, persons)
    if not names:
        return
    known = np.isfinite(values) & np.isfinite(held).all(axis=1)
    held = held[known] - held[known].mean(axis=0) if known.any() else held[known]
    held = held[:, np.ptp(held, axis=0) > 0] if known.any() else held
    design = np.column_stack([np.ones(known.sum()), group[known], held])
    if np.linalg.matrix_rank(design) < design.shape[1] or len(design) <= design.shape[1] + 1:
        cohort.notes.append("Groups cannot be told apart from age and sex; nothing was adjusted.")
        return
    left_out = f"; {len(known) - known.sum()} without {', '.join(names)} left out"
    for test, robust in (("ols_adjusted", False), ("ols_adjusted_hc3", True)):
        found = tests.ols(design, values[known], 1, robust=robust)
        base = float(values[known].mean() - found.estimate * group[known].mean())
        note = (
            f"{found.note}; adjusted for {', '.join(names)}; adjusted means "
            f"{base + found.estimate:.2f} and {base:.2f}{left_out if not known.all() else ''}"
        )
        yield row(test, found._replace(note=note))


def _covariates(cohort: Cohort, plan: Plan, persons: Sequence[str]) -> tuple[Array, list[str]]:
    """(persons, columns) of what is adjusted for, NaN where not known, and its names."""
    people = cohort.persons.loc[list(persons)]
    columns: list[Array] = []
    names: list[str] = []
    if "age" in plan.covariates and people["age"].notna().any():
        columns.append(people["age"].to_numpy(dtype=float))
        names.append("age")
    kinds = sorted({sex for sex in people["sex"] if sex})
    if "sex" in plan.covariates and len(kinds) > 1:
        names.append("sex")
        sexes = people["sex"].to_numpy()
        for kind in kinds[1:]:
            columns.append(np.where(sexes == "", np.nan, (sexes == kind).astype(float)))
    return (np.column_stack(columns) if columns else np.empty((len(people), 0))), names


def _each(cohort: Cohort) -> Iterator[tuple[str, Array]]:
    """Regions and instruments over the visits of those who are followed."""
    if len(cohort.visits) < 2:
        return
    for region in cohort.regions:
        yield region, cohort.over_visits(region)
    for score in map(str, cohort.scores.columns):
        wide = cohort.score_over_visits(score)
        changes = np.diff(wide[np.isfinite(wide).all(axis=1)])
        if len(changes) and not tests.differ(changes - changes[0]):
            cohort.notes.append(f"{score} changes by the same in everybody; it is not tested.")
            continue
        yield score, wide


def _visits(cohort: Cohort, plan: Plan) -> Rows:
    for region, wide in _each(cohort):
        row = partial(Result, "visits", region, "")
        whole = wide[np.isfinite(wide).all(axis=1)]
        some = int(np.isfinite(wide).any(axis=1).sum())
        if some < FEWEST:
            cohort.notes.append(f"{region}: {some} participants are too few to compare visits.")
            continue
        beside = ""
        if len(whole) < some:
            beside = f"; complete case: {len(whole)} of {some}, see visits_mixed for all"
        if len(whole) >= FEWEST:
            found = tests.rm_anova(whole)
            yield row("rm_anova", found.plain, note=beside.lstrip("; "))
            yield row("rm_anova_gg", found.corrected, note=beside.lstrip("; "))
            if wide.shape[1] > 2:
                yield row("friedman", tests.friedman(whole), note=beside.lstrip("; "))
        yield from _mixed(region, wide, cohort.visits, "mixed")
        if FEWEST <= len(whole) < some:
            yield from _mixed(region, whole, cohort.visits, "mixed_complete_case")


def _mixed(region: str, wide: Array, visits: Sequence[str], test: str) -> Rows:
    known = np.isfinite(wide)
    per_visit = known.sum(axis=0)
    if (per_visit == 0).any() or known.sum() - known.any(axis=1).sum() <= len(visits):
        return
    person, visit = np.nonzero(known)
    design = np.column_stack([np.ones(len(visit)), *(visit == j for j in range(1, len(visits)))])
    model = mixed_model(wide[known], design.astype(float), person)
    row = partial(Result, "visits_mixed", region)
    counts = ", ".join(f"{v} {n}" for v, n in zip(visits, per_visit, strict=True))
    note = (
        f"REML, random intercept of {known.any(axis=1).sum()} participants; observations {counts}; "
        f"variance between participants {model.person:.1f}, residual {model.residual:.1f}; z, not t"
    )
    yield row("", test, model.omnibus(), note=note)
    for early, late in itertools.combinations(range(len(visits)), 2):
        weights = np.zeros(len(visits))
        weights[late] = 1
        if early:
            weights[early] = -1
        yield row(f"{visits[early]}-{visits[late]}", test, model.contrast(weights), note=note)


def _posthoc(cohort: Cohort, plan: Plan) -> Rows:
    for region, wide in _each(cohort):
        for early, late in itertools.combinations(range(len(cohort.visits)), 2):
            pair = wide[np.isfinite(wide[:, [early, late]]).all(axis=1)]
            before, after = pair[:, early], pair[:, late]
            if len(pair) < FEWEST or not tests.differ(after - before):
                continue
            row = partial(
                Result, "posthoc", region, f"{cohort.visits[early]}-{cohort.visits[late]}"
            )
            yield row("paired_t", tests.paired_t(before, after), note="effect is d_z")
            yield row("wilcoxon", tests.wilcoxon(before, after))


def _correlation(cohort: Cohort, plan: Plan) -> Rows:
    if len(cohort.visits) < 2:
        return
    for score in cohort.scores.columns:
        name = str(score)
        falls = name not in plan.higher_is_better
        for region in cohort.regions:
            wide = cohort.over_visits(region)
            for early, late in itertools.combinations(range(len(cohort.visits)), 2):
                change = wide[:, late] - wide[:, early]
                better = improvement(cohort, plan, name, early, late)
                known = np.isfinite(change) & np.isfinite(better)
                if known.sum() <= FEWEST:
                    cohort.notes.append(
                        f"{known.sum()} participants are too few to correlate changes with {name}."
                    )
                    continue
                if not (tests.differ(change[known]) and tests.differ(better[known])):
                    continue
                row = partial(
                    Result, "correlation", region, f"{cohort.visits[early]}-{cohort.visits[late]}"
                )
                way = "before - after" if falls else "after - before"
                note = f"change of chi (after - before) with improvement of {name} ({way})"
                yield row("pearson", tests.pearson(change[known], better[known]), note=note)
                yield row("spearman", tests.spearman(change[known], better[known]), note=note)
                yield from _partial(cohort, row, note, change, better, wide[:, early], known)


def _partial(
    cohort: Cohort,
    row: Callable[..., Result],
    note: str,
    change: Array,
    better: Array,
    before: Array,
    known: Array,
) -> Rows:
    """The correlation with age and the first value held."""
    age = cohort.persons.loc[cohort.followed, "age"].to_numpy(dtype=float)
    held = np.column_stack([before, age]) if np.isfinite(age).any() else before[:, None]
    known = known & np.isfinite(held).all(axis=1)
    names = "value before and age" if held.shape[1] == 2 else "value before"
    if known.sum() < FEWEST + 1 + held.shape[1]:
        return
    found = tests.partial_pearson(change[known], better[known], held[known])
    yield row("partial_pearson", found, note=f"{note}; {names} held")


def _laterality(cohort: Cohort, plan: Plan) -> Rows:
    first = cohort.sided[cohort.sided["session"] == cohort.visits[0]]
    for region, part in first.groupby("region", sort=False):
        both = part.pivot(index="participant", columns="side", values="chi_ppb")
        both = both.reindex(columns=["right", "left"]).dropna()
        right, left = both["right"].to_numpy(), both["left"].to_numpy()
        if len(both) < FEWEST:
            continue
        if not tests.differ(left - right):
            cohort.notes.append(f"{region}: left and right differ by the same in everybody.")
            continue
        row = partial(Result, "laterality", str(region), "left-right")
        visit = f"at {cohort.visits[0]}, all groups" if cohort.visits[0] else "all groups"
        yield row("paired_t", tests.paired_t(right, left), note=f"{visit}; effect is d_z")
        yield row("wilcoxon", tests.wilcoxon(right, left), note=visit)


def _sensitivity(cohort: Cohort, plan: Plan) -> Rows:
    for region, wide in _each(cohort):
        whole = wide[np.isfinite(wide).all(axis=1)]
        if len(whole) < FEWEST:
            continue
        sd, n = tests.rm_anova(whole).within_sd, len(whole)
        pairs = math.comb(len(cohort.visits), 2)
        for name, alpha in (
            ("smallest_change", plan.alpha),
            ("smallest_change_bonferroni", plan.alpha / pairs),
        ):
            change = tests.smallest_change(sd, n, alpha=alpha, power=plan.power)
            yield Result(
                "sensitivity",
                region,
                "",
                name,
                Outcome(n, change, effect=change / (sd * math.sqrt(2))),
                note=f"{plan.power:.0%} power, alpha {alpha:.4g}, SD within participants {sd:.2f}; "
                "effect is d_z",
            )
