"""Who was enrolled, scanned, read and analysed, and who was not and why (STROBE, item 13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from napari_qsm.figures.cohort.flow import FlowPanel, Step
from napari_qsm.figures.spec import LINE_ART_DPI, FigureSpec, Style
from napari_qsm.study.cohort import Cohort
from napari_qsm.study.plan import Plan

Key = tuple[str, str]
#: Boxes side by side; more are lines of one box.
_MOST_ENDS = 5


def flow_figure(
    cohort: Cohort,
    plan: Plan,
    *,
    excluded: Mapping[Key, str],
    enrolled: Mapping[str, str] | None = None,
    scanned: Iterable[Key] | None = None,
    unread: Mapping[Key, str] | None = None,
) -> FigureSpec:
    """The flow of participants.

    Parameters
    ----------
    cohort, plan
        Of the analysis; participants that the plan leaves out are told with their reasons.
    excluded : mapping of (participant, session) to str
        Scans that were measured but left out, with the reason.
    enrolled : mapping of str to str, optional
        Group by participant, from ``participants.tsv``; those of the table unless given.
    scanned : iterable of (participant, session), optional
        Every scan; those of the table unless given.
    unread : mapping of (participant, session) to str, optional
        Scans without any value, with the reason.

    Returns
    -------
    FigureSpec
    """
    analysed = {key for region in cohort.regions for key in cohort.seen(region)}
    scans = set(scanned) if scanned is not None else analysed | set(excluded)
    people = dict(enrolled) if enrolled is not None else cohort.persons["group"].to_dict()
    left = {person: why for person, why in plan.exclude.items() if person in people}
    steps = [
        Step(
            title=f"{'Enrolled' if enrolled is not None else 'In the table'}: {len(people)} participants",
            lines=_by_group(people.values()),
            left_out=_reasons(left.values(), "participant"),
        )
    ]
    scans = {key for key in scans if key[0] not in left}
    steps.append(
        Step(
            title=f"Scanned: {_many(len(scans), 'scan')} of "
            f"{_many(len({person for person, _ in scans}), 'participant')}",
            left_out=(
                *_reasons((unread or {}).values(), "scan"),
                *_reasons((why for key, why in excluded.items() if key in scans), "scan"),
            ),
        )
    )
    steps.append(Step(title=f"Analysed: {_many(len(analysed), 'scan')}"))
    ends = list(_ends(cohort))
    if len(ends) > _MOST_ENDS:
        lines = tuple(f"{step.title}: {step.lines[0]}" for step in ends)
        ends = [Step(title="Participants analysed", lines=lines)]
    panel = FlowPanel(steps=tuple(steps), ends=tuple(ends))
    style = Style(width_mm=114.0, dpi=LINE_ART_DPI)
    return FigureSpec(panels=(panel,), columns=1, style=style, displays={})


def _ends(cohort: Cohort) -> Iterable[Step]:
    """Participants analysed of each group, by visit for those who are followed."""
    for name, members in cohort.groups.items():
        if set(members) & set(cohort.followed):
            for number, visit in enumerate(cohort.visits):
                counts = [_known(cohort.over_visits(r)[:, number]) for r in cohort.regions]
                title = ", ".join(word for word in (name, visit) if word) or "Participants"
                yield Step(title=title, lines=(_range(counts),))
        else:
            counts = [_known(cohort.baseline(region, members)) for region in cohort.regions]
            yield Step(title=name, lines=(_range(counts),))


def _known(values: np.ndarray) -> int:
    return int(np.isfinite(values).sum())


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"n = {low}" if low == high else f"n = {low} to {high}, by region"


def _by_group(groups: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(group for group in groups if group)
    return tuple(f"{name}: {count}" for name, count in counts.items())


def _reasons(reasons: Iterable[str], what: str) -> tuple[str, ...]:
    return tuple(f"{_many(count, what)}: {why}" for why, count in Counter(reasons).items())


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
