"""The figures of a cohort, as specs, from its numbers and results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from napari_qsm.arrays import Array
from napari_qsm.figures.cohort.agreement import BlandAltmanPanel
from napari_qsm.figures.cohort.forest import Effect, Forest, ForestPanel
from napari_qsm.figures.cohort.raincloud import Cloud, RaincloudPanel
from napari_qsm.figures.cohort.scatter import ScatterPanel
from napari_qsm.figures.cohort.visits import VisitsPanel
from napari_qsm.figures.kinds import BasePanel
from napari_qsm.figures.spec import LINE_ART_DPI, FigureSpec, Style
from napari_qsm.study import hypothesis_tests as tests
from napari_qsm.study.analysis_report import CORRECTED, p_text
from napari_qsm.study.cohort import Cohort, improvement
from napari_qsm.study.plan import Plan
from napari_qsm.study.results import Result
from napari_qsm.units import fixed

_STYLE = Style(width_mm=174.0, gap_mm=3.0, dpi=LINE_ART_DPI)
#: A figure is one page: more regions go onto further ones, but not onto any number.
_MOST_PANELS, _MOST_ROWS = 20, 40
_MOST_REGIONS = 60
_MOST_COLUMNS = 3
_ALL = "All regions"

Find = dict[tuple[str, str, str, str], Result]


def cohort_figures(rows: Sequence[Result], cohort: Cohort, plan: Plan) -> dict[str, FigureSpec]:
    """A spec for each figure that the cohort has the numbers for.

    Parameters
    ----------
    rows : sequence of Result
        Of :func:`napari_qsm.study.analyse.analyse`.
    cohort, plan
        What they were made from.

    Returns
    -------
    dict of str to FigureSpec
        ``visits``, ``groups``, ``changes``, ``effects``, by the names of their files.
    """
    find: Find = {(r.question, r.region, r.contrast, r.test): r for r in reversed(rows)}
    out: dict[str, FigureSpec] = {}
    multiples: list[tuple[str, Sequence[BasePanel]]] = [
        ("visits", _visits(find, cohort, plan)),
        ("groups", _groups(find, cohort, plan)),
        ("changes", _changes(find, cohort, plan)),
    ]
    for name, panels in multiples:
        out |= _pages(name, panels)
    for number, forests in enumerate(_effects(find, cohort, plan)):
        name = f"effects-{number + 1}" if number else "effects"
        out[name] = FigureSpec(panels=tuple(forests), columns=1, style=_STYLE, displays={})
    return out


def shown_regions(cohort: Cohort) -> list[str]:
    """Regions that figures show: all of them, unless there are more than anybody would print."""
    return cohort.regions[:_MOST_REGIONS]


def agreement_figures(readings: Mapping[str, pd.DataFrame]) -> dict[str, FigureSpec]:
    """A Bland-Altman figure of two readings: all regions together, then each.

    Parameters
    ----------
    readings : mapping of str to DataFrame
        What was compared, to two columns of values by (region, participant, session).
    """
    out: dict[str, FigureSpec] = {}
    for number, frame in enumerate(readings.values()):
        names = [str(column) for column in frame.columns]
        panels = []
        regions = [str(name) for name in dict.fromkeys(frame.index.get_level_values(0))]
        parts = [(_ALL, frame)] if len(regions) > 1 else []
        of_region = frame.index.get_level_values(0).astype(str)
        parts += [(region, frame[of_region == region]) for region in regions[:_MOST_REGIONS]]
        for region, part in parts:
            if len(part) < 3 or not tests.differ(part.to_numpy(dtype=float)):
                continue
            first, second = (tuple(part[c].astype(float)) for c in frame.columns)
            panels.append(
                BlandAltmanPanel(
                    title=region,
                    first=first,
                    second=second,
                    first_name=names[0],
                    second_name=names[1],
                )
            )
        out |= _pages(f"agreement-{number + 1}" if number else "agreement", panels, columns=4)
    return out


def _pages(name: str, panels: Sequence[BasePanel], columns: int = 0) -> dict[str, FigureSpec]:
    """Small multiples, on several pages where there are many; few stand on one column's width."""
    out = {}
    for first in range(0, len(panels), _MOST_PANELS):
        part = tuple(panels[first : first + _MOST_PANELS])
        number = first // _MOST_PANELS
        across = min(columns or (5 if len(part) > 8 else 4), len(part))
        width = 85.0 if across < 3 else 174.0
        out[f"{name}-{number + 1}" if number else name] = FigureSpec(
            panels=part,
            columns=across,
            style=_STYLE.model_copy(update={"width_mm": width}),
            displays={},
        )
    return out


def _visits(find: Find, cohort: Cohort, plan: Plan) -> list[VisitsPanel]:
    if len(cohort.visits) < 2:
        return []
    panels = []
    for name in [*shown_regions(cohort), *map(str, cohort.scores.columns)]:
        is_score = name not in cohort.regions
        wide = cohort.score_over_visits(name) if is_score else cohort.over_visits(name)
        if not np.isfinite(wide).any():
            continue
        panels.append(
            VisitsPanel(
                title=name,
                visits=tuple(cohort.visits),
                persons=_nested(wide[np.isfinite(wide).any(axis=1)]),
                quantity="score" if is_score else "χ (ppb)",
                note=_visit_note(find, name, plan, with_q=not is_score),
            )
        )
    return panels


def _nested(wide: Array) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(round(float(v), 6) if math.isfinite(v) else None for v in person) for person in wide
    )


def _visit_note(find: Find, name: str, plan: Plan, *, with_q: bool) -> str:
    """P of the plan's own test of visits: of the mixed model where somebody misses one."""
    mixed = find.get(("visits_mixed", name, "", "mixed"))
    plain = find.get(("visits", name, "", "rm_anova"))
    row = mixed if ("visits_mixed", name, "", "mixed_complete_case") in find else plain or mixed
    return "" if row is None else _p(row, plan, with_q=with_q)


def _p(row: Result, plan: Plan, *, with_q: bool = True) -> str:
    """``"p = .035, q (FDR) = .150"``."""
    said = f"p {_equals(row.outcome.p)}"
    title, value = CORRECTED[plan.correction]
    if with_q and plan.correction != "none" and math.isfinite(value(row)):
        said += f", {title} {_equals(value(row))}"
    return said


def _equals(p: float) -> str:
    text = p_text(p)
    return f"< {text[1:]}" if text.startswith("<") else f"= {text}"


def _groups(find: Find, cohort: Cohort, plan: Plan) -> list[RaincloudPanel]:
    if len(cohort.groups) < 2:
        return []
    panels = []
    for region in shown_regions(cohort):
        clouds = []
        for name, members in cohort.groups.items():
            values = cohort.baseline(region, members)
            known = values[np.isfinite(values)]
            if known.size:
                clouds.append(Cloud(name=name, values=tuple(round(float(v), 6) for v in known)))
        if len(clouds) < 2:
            continue
        said = [r for k, r in find.items() if k[:2] == ("group", region) and k[3] == "welch"]
        note = _p(said[0], plan) if len(said) == 1 else ""
        panels.append(RaincloudPanel(title=region, groups=tuple(clouds), note=note))
    return panels


def _changes(find: Find, cohort: Cohort, plan: Plan) -> list[ScatterPanel]:
    """Change of χ against improvement of the first score, from the first visit to the second."""
    if len(cohort.visits) < 2 or not len(cohort.scores.columns):
        return []
    score = str(cohort.scores.columns[0])
    early, late = cohort.visits[:2]
    better = improvement(cohort, plan, score, 0, 1)
    panels = []
    for region in shown_regions(cohort):
        wide = cohort.over_visits(region)
        change = wide[:, 1] - wide[:, 0]
        known = np.isfinite(change) & np.isfinite(better)
        row = find.get(("correlation", region, f"{early}-{late}", "pearson"))
        if row is None or known.sum() < 3:
            continue
        found = row.outcome
        low, high = (fixed(v, 2) for v in found.ci)
        note = f"r = {fixed(found.estimate, 2)} [{low}, {high}], n = {found.n}\n{_p(row, plan)}"
        panels.append(
            ScatterPanel(
                title=region,
                x=tuple(round(float(v), 6) for v in better[known]),
                y=tuple(round(float(v), 6) for v in change[known]),
                x_title=f"improvement of {score}",
                y_title=f"Δχ {late} − {early} (ppb)",
                note=note,
            )
        )
    return panels


def _effects(find: Find, cohort: Cohort, plan: Plan) -> Iterator[list[ForestPanel]]:
    """Standardised effects of all regions: groups, pairs of visits, correlation; a list a page."""
    columns = [
        *_group_effects(find, cohort, plan),
        *_pair_effects(find, cohort, plan),
        *_correlations(find, cohort, plan),
    ]
    legend = (
        f"filled: q < {plan.alpha:g} (false discovery rate over the family in statistics.tsv); "
        "hollow: not. Bars: 95 % intervals."
    )
    regions = shown_regions(cohort)
    firsts = range(0, len(columns), _MOST_COLUMNS)
    for top in range(0, len(regions), _MOST_ROWS) if columns else ():
        rows = slice(top, top + _MOST_ROWS)
        yield [
            ForestPanel(
                rows=tuple(regions[rows]),
                columns=tuple(
                    column.model_copy(update={"effects": column.effects[rows]})
                    for column in columns[first : first + _MOST_COLUMNS]
                ),
                legend=legend if first == firsts[-1] else "",
            )
            for first in firsts
        ]


def _group_effects(find: Find, cohort: Cohort, plan: Plan) -> Iterator[Forest]:
    for name in list(cohort.groups)[1:]:
        contrast = f"{name}-{cohort.reference}"
        effects = []
        for region in shown_regions(cohort):
            row = find.get(("group", region, contrast, "welch"))
            if row is None:
                effects.append(Effect())
                continue
            both = (cohort.baseline(region, cohort.groups[g]) for g in (name, cohort.reference))
            first, second = (values[np.isfinite(values)] for values in both)
            effects.append(_effect(row, tests.hedges_g(first, second)[1], plan))
        yield from _forest(f"{name} − {cohort.reference}", "Hedges g", effects)


def _pair_effects(find: Find, cohort: Cohort, plan: Plan) -> Iterator[Forest]:
    for early, late in itertools.combinations(cohort.visits, 2):
        effects = []
        for region in shown_regions(cohort):
            row = find.get(("posthoc", region, f"{early}-{late}", "paired_t"))
            if row is None:
                effects.append(Effect())
                continue
            ends = tests.noncentrality(row.outcome.statistic, row.outcome.df1)
            low, high = (end / math.sqrt(row.outcome.n) for end in ends)
            effects.append(_effect(row, (low, high), plan))
        yield from _forest(f"{late} − {early}", "Cohen dz", effects)


def _correlations(find: Find, cohort: Cohort, plan: Plan) -> Iterator[Forest]:
    if len(cohort.visits) < 2 or not len(cohort.scores.columns):
        return
    pair = "-".join(cohort.visits[:2])
    effects = []
    for region in shown_regions(cohort):
        row = find.get(("correlation", region, pair, "pearson"))
        effects.append(_effect(row, row.outcome.ci, plan) if row else Effect())
    yield from _forest(f"Δχ with Δ{cohort.scores.columns[0]}", "r", effects)


def _effect(row: Result, ends: tests.Interval, plan: Plan) -> Effect:
    low, high = (float(end) if math.isfinite(end) else None for end in ends)
    return Effect(
        estimate=row.outcome.effect,
        low=low,
        high=high,
        survives=bool(row.q_fdr < plan.alpha),
        text=f"{p_text(row.outcome.p)} / {p_text(row.q_fdr)}",
    )


def _forest(title: str, quantity: str, effects: Sequence[Effect]) -> Iterator[Forest]:
    """A column, unless nothing of it is known."""
    if any(effect.estimate is not None for effect in effects):
        yield Forest(title=title, quantity=quantity, text_title="p / q", effects=tuple(effects))
