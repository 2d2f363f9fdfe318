"""Who is compared with whom in a long table: groups, visits, whose readings, which scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.study.hypothesis_tests import differ
from napari_qsm.study.long_table import LongTable, in_columns, side_means
from napari_qsm.study.plan import Plan
from napari_qsm.study.rows import plain_id
from napari_qsm.study.visit_names import is_numbered, natural, visit_order

_CONTROLS = frozenset(
    [
        "control",
        "controls",
        "ctrl",
        "ctrls",
        "con",
        "hc",
        "hcs",
        "nc",
        "healthy",
        "healthycontrol",
        "healthycontrols",
        "volunteer",
        "volunteers",
        "normal",
        "reference",
    ]
)
_FEWEST = 3


def is_control(group: str) -> bool:
    """Whether a group's name is one that people give to controls."""
    return group.casefold().replace(" ", "").replace("_", "") in _CONTROLS


@dataclass
class Cohort:
    """A cohort as its plan sees it.

    Attributes
    ----------
    regions : list of str
        The family of every correction.
    visits : list of str
        Of those who are followed; the first is the baseline.
    followed : list of str
        Participants whose visits are compared.
    groups : dict of str to list of str
        Participants by group; the reference group first.
    reference : str
        Name of the reference group; empty without groups.
    sided : DataFrame
        ``participant, session, region, side, chi_ppb`` of left and right.
    persons, scores : DataFrame
        See :class:`napari_qsm.study.long_table.LongTable`.
    notes : list of str
        What the user must know.
    """

    regions: list[str]
    visits: list[str]
    followed: list[str]
    groups: dict[str, list[str]]
    reference: str
    sided: pd.DataFrame
    persons: pd.DataFrame
    scores: pd.DataFrame
    notes: list[str]
    _by_region: dict[str, pd.DataFrame]

    def over_visits(self, region: str) -> Array:
        """(followed, visits) in ppb, NaN where a visit is missing."""
        return in_columns(self._by_region[region], self.visits, self.followed)

    def seen(self, region: str) -> set[tuple[str, str]]:
        """Participant and session of every value of a region, of groups compared or visits."""
        part = self._by_region[region]
        keys = set(zip(part["participant"], part["session"], strict=True))
        followed = set(self.followed)
        return {(p, s) for p, s in keys if p not in followed or s in self.visits}

    def score_over_visits(self, score: str) -> Array:
        """(followed, visits) of an instrument, NaN where nothing is known."""
        keys = pd.MultiIndex.from_product([self.followed, self.visits])
        known = self.scores[score].reindex(keys).to_numpy(dtype=float)
        return known.reshape(len(self.followed), len(self.visits))

    def baseline(self, region: str, persons: Sequence[str]) -> Array:
        """(persons,) in ppb at the first visit; of persons with a single visit at that one."""
        part = self._by_region[region]
        first = part[part["session"] == self.visits[0]].set_index("participant")["chi_ppb"]
        single = part["participant"].map(part["participant"].value_counts()) == 1
        elsewhere = part[single & ~part["session"].isin(self.visits)]
        alone = elsewhere.set_index("participant")["chi_ppb"]
        return pd.concat([first, alone]).reindex(list(persons)).to_numpy(dtype=float)


def cohort_of(table: LongTable, plan: Plan, *, without_doubtful: bool = False) -> Cohort:
    """What a plan makes of a long table.

    Parameters
    ----------
    table : LongTable
        As read.
    plan : Plan
        Its names are looked up in the table.
    without_doubtful : bool
        Leave out what was measured on maps whose quality was called doubtful.

    Raises
    ------
    MetadataError
        If the plan names what the table lacks, or the table leaves open what to compare: several
        raters, a group of fewer than three, no second group, values that never differ.
    """
    notes = list(table.notes)
    values = _one_reading(table.values, plan, notes)
    if without_doubtful:
        values = values[values["verdict"] != "doubtful"]
    if plan.regions:
        _present(plan.regions, table.regions, "region")
        values = values[values["region"].isin(plan.regions)]
    sided = values[values["side"].isin(["left", "right"])]
    if plan.sides == "separate":
        values = values.assign(region=values["region"] + " " + values["side"])
        values["region"] = values["region"].str.strip()
    else:
        values = side_means(values, notes)
    if values.empty:
        raise MetadataError("The table holds no value that the plan would have analysed.")
    known = list(dict.fromkeys(values["region"]))
    regions = [name for name in table.regions if name in known]
    regions = regions if len(regions) == len(known) else known  # a side each
    groups, reference = _groups(table.persons, plan, notes)
    followed = _followed(values, groups, reference, plan)
    visits = _visits(values, followed, plan, notes)
    if not visits:
        raise MetadataError(f"The table holds no value of {', '.join(followed[:5])}.")
    kept = values[values["participant"].isin(followed) & values["session"].isin(visits)]
    present = set(kept["participant"])
    by_region = {str(name): part for name, part in values.groupby("region", sort=False)}
    scores = _scores(table.scores, plan, followed, visits)
    out = Cohort(
        regions,
        visits,
        [person for person in followed if person in present],
        groups,
        reference,
        sided,
        table.persons,
        scores,
        notes,
        by_region,
    )
    _check_values(out)
    return out


def improvement(cohort: Cohort, plan: Plan, score: str, early: int, late: int) -> Array:
    """(followed,) by how much a score got better between two visits, told by their numbers."""
    over = cohort.score_over_visits(score)
    fallen = over[:, early] - over[:, late]
    return -fallen if score in plan.higher_is_better else fallen


def _present(asked: Sequence[str], there: Sequence[str], what: str) -> None:
    for name in asked:
        if name not in there:
            raise MetadataError(
                f"The plan names the {what} '{name}', which the table lacks ({', '.join(there)})."
            )


def _one_reading(values: pd.DataFrame, plan: Plan, notes: list[str]) -> pd.DataFrame:
    """The readings of one rater, the first of each scan unless the plan says which."""
    raters = list(dict.fromkeys(values["rater"]))
    rater = plan.rater
    if rater:
        _present([rater], raters, "rater")
    elif len(raters) > 1:
        scans = values.groupby("rater", sort=False)[["participant", "session"]].apply(
            lambda rows: len(rows.drop_duplicates())
        )
        most = scans[scans == scans.max()]
        if len(most) > 1:
            raise MetadataError(
                f"The table holds readings of {', '.join(raters)}; say in the plan whose are "
                "analysed (rater: NAME)."
            )
        rater = str(most.index[0])
        notes.append(f"Readings of {rater}, who read most scans, are analysed.")
    if rater:
        values = values[values["rater"] == rater]
    readings = sorted(set(values["reading"]), key=natural)
    if plan.reading:
        _present([plan.reading], readings, "reading")
        return values[values["reading"] == plan.reading]
    if len(readings) > 1:
        notes.append("Of repeated readings the first is analysed.")
        place = ["participant", "session", "region", "side"]
        order = values["reading"].map({name: at for at, name in enumerate(readings)})
        first = values.assign(order=order).sort_values("order", kind="stable")
        return first.drop_duplicates(place).sort_index().drop(columns="order")
    return values


def _groups(
    persons: pd.DataFrame, plan: Plan, notes: list[str]
) -> tuple[dict[str, list[str]], str]:
    """Participants by group, the reference group first; all together where none are told."""
    names = list(dict.fromkeys(persons["group"]))
    if names == [""]:
        return {"": list(persons.index)}, ""
    nobody = persons.index[persons["group"] == ""]
    if len(nobody):
        raise MetadataError(f"The group of {nobody[0]} is not known.")
    groups = {name: list(persons.index[persons["group"] == name]) for name in names}
    if "group" not in plan.questions:
        return groups, plan.reference_group
    if len(names) == 1:
        raise MetadataError(
            f"The column 'group' holds only '{names[0]}', so there is nothing to compare it with; "
            "leave group out of 'questions' in a plan to analyse visits alone."
        )
    for name, members in groups.items():
        if len(members) < _FEWEST:
            raise MetadataError(
                f"The group '{name}' has {len(members)} participants ({', '.join(members)}); at "
                f"least {_FEWEST} are needed."
            )
    reference = plan.reference_group
    if reference:
        _present([reference], names, "group")
    else:
        likely = [name for name in names if is_control(name)]
        reference = likely[0] if len(likely) == 1 else sorted(names)[0]
        if len(likely) != 1:
            notes.append(
                f"'{reference}' is taken for the reference group (reference_group in a plan tells)."
            )
    order = [reference, *(name for name in names if name != reference)]
    return {name: groups[name] for name in order}, reference


def _followed(
    values: pd.DataFrame, groups: dict[str, list[str]], reference: str, plan: Plan
) -> list[str]:
    if plan.followed_group:
        _present([plan.followed_group], list(groups), "group")
        return groups[plan.followed_group]
    counts = values.groupby("participant")["session"].nunique()
    others = [name for name in groups if name != reference] if len(groups) > 1 else list(groups)
    several = [n for n in others if counts.reindex(groups[n]).max() > 1]
    if len(several) > 1:
        raise MetadataError(
            f"Several groups have more than one visit ({', '.join(several)}); say in a plan whose "
            "are compared (followed_group: NAME)."
        )
    return groups[(several or others)[0]]


def _visits(
    values: pd.DataFrame, followed: Sequence[str], plan: Plan, notes: list[str]
) -> list[str]:
    sessions = set(values.loc[values["participant"].isin(followed), "session"])
    there = sorted(sessions, key=visit_order)
    if plan.visits:
        asked = [plain_id(visit) for visit in plan.visits]
        _present(asked, there, "visit")
        return asked
    if not is_numbered(there):
        notes.append(
            f"Visits are taken in this order: {', '.join(there)} ('visits' in a plan tells)."
        )
    return there


def _scores(
    scores: pd.DataFrame, plan: Plan, followed: Sequence[str], visits: Sequence[str]
) -> pd.DataFrame:
    """Instruments of the plan, or all whose values change over the visits of a person."""
    _present(plan.scores, list(scores.columns), "score")
    if plan.scores:
        return scores[list(plan.scores)]
    keys = pd.MultiIndex.from_product([followed, visits])
    part = scores.reindex(keys)
    spread = part.groupby(level=0).nunique()
    return scores[[name for name in scores.columns if (spread[name] > 1).any()]]


def _check_values(cohort: Cohort) -> None:
    """Refuse values that never differ: a column filled down, or a visit that was copied."""
    for region in cohort.regions:
        everything = cohort._by_region[region]["chi_ppb"].to_numpy()
        if len(everything) > 1 and not differ(everything):
            raise MetadataError(f"Every value of {region} is {everything[0]:g} ppb.")
        wide = cohort.over_visits(region)
        for late in range(1, len(cohort.visits)):
            for early in range(late):
                change = wide[:, late] - wide[:, early]
                change = change[np.isfinite(change)]
                if len(change) >= _FEWEST and not differ(change):
                    raise MetadataError(
                        f"{region} changes by the same {change[0]:g} ppb from "
                        f"{cohort.visits[early]} to {cohort.visits[late]} in every participant; was "
                        "a visit copied?"
                    )
