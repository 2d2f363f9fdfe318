"""One person's regions against controls, published values and another map, with what must be said."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_qsm.errors import MetadataError
from napari_qsm.rois.high_part import HighLimits
from napari_qsm.rois.measures import STATISTICS
from napari_qsm.rois.pairs import Place, place_of
from napari_qsm.rois.repeatability import Measured, Repeatability
from napari_qsm.study.controls import Controls, control_group
from napari_qsm.study.rows import plain_id, read_rows, some
from napari_qsm.study.scan_facts import FIELD_T, ScanFacts
from napari_qsm.study.shape_agreement import POOLED
from napari_qsm.study.single_case import FEWEST, against_controls, against_controls_at_age

#: Always said: what a z of a susceptibility is worth.
DEPENDS_SENTENCE = (
    "χ depends on the method of reconstruction and on its reference: z and percentile hold only "
    "against maps made in the same way."
)


@dataclass(frozen=True)
class ControlComparison:
    """One person against a group of controls.

    Attributes
    ----------
    controls : Controls
    persons : tuple of str
        Those of its participants to compare with.
    age : float
        Of the person, years; NaN if not given.
    at_age : bool
        Compare with what a line over the controls' ages has at the person's.
    differs : tuple of str
        In what the controls' maps differ from the person's, in spite of which they are compared.
    left_out : str
        The person's own name in the table, if it is there; the person is no control.
    """

    controls: Controls
    persons: tuple[str, ...]
    age: float = math.nan
    at_age: bool = False
    differs: tuple[str, ...] = ()
    left_out: str = ""

    def compare(self, regions: Sequence[Measured]) -> list[dict[str, float]]:
        """Where each region stands among the controls: statistics by name, values in ppb."""
        return [self._one(region, regions)[0] for region in regions]

    def high_limits(self) -> HighLimits:
        """For each region of the controls the upper end of where 95 % of their means lie.

        A voxel above it is higher than the whole region is expected to be in people like them. At
        the person's age where that is taken into account. Whole region and high part are told
        apart as in Li et al. 2021 (doi:10.3389/fnins.2020.607705); the limit is ours.

        Raises
        ------
        MetadataError
            If there are too few controls for any region.
        """
        found = []
        for place in self.controls.values:
            values, ages = self.controls.of(place, self.persons)
            if self.at_age:
                told = against_controls_at_age(math.nan, self.age, values, ages)
            else:
                told = against_controls(math.nan, values)
            if math.isfinite(told.upper):
                found.append((" ".join(place).strip(), float(f"{told.upper / 1e3:.6g}")))
        if not found:
            raise MetadataError(
                f"'{self.controls.name}' has too few controls for limits of regions."
            )
        return HighLimits(tuple(found))

    def _one(self, region: Measured, regions: Sequence[Measured]) -> tuple[dict[str, float], bool]:
        """What is told of a region, and whether both sides stand for it."""
        place = place_of(region.name, region.side)
        values, ages = self.controls.of(place, self.persons)
        mean, pooled = region.mean_ppb, False
        if not values.size and place[1]:
            values, ages = self.controls.of((place[0], ""), self.persons)
            mean, pooled = _both_sides(place, regions), bool(values.size)
        if self.at_age:
            found = against_controls_at_age(mean, self.age, values, ages)
        else:
            found = against_controls(mean, values)
        return (
            {
                "controls_n": float(found.n),
                "controls_mean": found.mean,
                "controls_sd": found.sd,
                "z": found.z,
                "percentile": found.percentile,
                "p_controls": found.p,
            },
            pooled,
        )

    def sentences(self, regions: Sequence[Measured]) -> list[str]:
        """What must be known of the comparison; the first says with whom."""
        told = [self._one(region, regions) for region in regions]
        n = len(self.persons)
        how = f" at {self.age:g} years (line over their ages)" if self.at_age else ""
        said = [
            f"Compared with {n} control{'s' if n != 1 else ''} of '{self.controls.name}'{how}; p is "
            "two-sided and not corrected for the number of regions."
        ]
        if self.left_out:
            said.append(f"'{self.left_out}' is the person compared, and no control.")
        missing = [r.name for r, (t, _) in zip(regions, told, strict=True) if not t["controls_n"]]
        if missing:
            said.append(f"No control has a value of {some(missing)}.")
        few = [
            r.name
            for r, (t, _) in zip(regions, told, strict=True)
            if t["controls_n"] and not math.isfinite(t["z"]) and math.isfinite(r.mean_ppb)
        ]
        if few:
            said.append(
                f"Too few controls of different values"
                f"{' or ages' if self.at_age else f' (at least {FEWEST})'} for a z of {some(few)}."
            )
        both = [r.name for r, (_, pooled) in zip(regions, told, strict=True) if pooled]
        if both:
            said.append(
                f"The controls' values are of both sides in {some(both)}; the mean of left and right "
                "is compared."
            )
        ages = [self.controls.ages[p] for p in self.persons if p in self.controls.ages]
        if ages and math.isfinite(self.age) and not min(ages) <= self.age <= max(ages):
            said.append(
                f"An age of {self.age:g} years lies outside that of the controls, "
                f"{min(ages):g} to {max(ages):g}."
            )
        elif ages and not math.isfinite(self.age):
            said.append(
                f"The controls are {min(ages):g} to {max(ages):g} years old; χ rises with age, and the "
                "person's age was not given."
            )
        said.append(DEPENDS_SENTENCE)
        if self.differs:
            said.append(f"Compared in spite of this: {' '.join(self.differs)}")
        return said


def compared_with(
    controls: Controls,
    facts: ScanFacts,
    *,
    group: str = "",
    age: float = math.nan,
    at_age: bool = False,
    person: Collection[str] = (),
) -> ControlComparison:
    """One person against a group of a table; ``differs`` says why they should not be compared.

    Parameters
    ----------
    controls : Controls
        As read.
    facts : ScanFacts
        How the person's map was made.
    group : str
        See :func:`napari_qsm.study.controls.control_group`.
    age, at_age
        See :class:`ControlComparison`.
    person : collection of str
        What the person may be called in the table.

    Raises
    ------
    MetadataError
        If nothing tells who the controls are, or nobody is left.
    """
    named = {plain_id(name) for name in person if name}
    group_ = control_group(controls, group)
    persons = tuple(each for each in group_ if each not in named)
    if not persons:
        raise MetadataError(f"'{controls.name}' holds no control to compare with.")
    left_out = next((each for each in group_ if each in named), "")
    differs = what_differs(facts, facts_of_group(controls, persons))
    return ControlComparison(controls, persons, age, at_age, tuple(differs), left_out)


def _both_sides(place: Place, regions: Sequence[Measured]) -> float:
    """Mean of left and right, weighted by their voxels; NaN where one lacks."""
    found: dict[str, Measured] = {}
    for region in regions:
        base, side = place_of(region.name, region.side)
        if base == place[0] and side and math.isfinite(region.mean_ppb):
            found.setdefault(side, region)
    if set(found) != {"left", "right"}:
        return math.nan
    voxels = sum(region.voxels for region in found.values())
    return sum(region.voxels * region.mean_ppb for region in found.values()) / voxels


def what_differs(
    person: ScanFacts, others: Iterable[ScanFacts], whose: str = "the controls' maps"
) -> list[str]:
    """Why maps should not be compared, each in a sentence; empty if nothing speaks against it.

    Parameters
    ----------
    person : ScanFacts
        Of the person's map.
    others : iterable of ScanFacts
        Of the controls' maps; none where nothing tells how they were made.
    whose : str
        What the others are called.

    Notes
    -----
    Reference, recipe (its settings, whatever its name) and field strength must be known of both and
    equal. Of echo times and voxel sizes tables seldom tell.
    """
    controls = list(others)
    names = {f.recipe_sha256: f"{f.recipe} ({f.recipe_sha256[:8]})" for f in (person, *controls)}
    compared = (
        ("reference", person.reference, {f.reference for f in controls}),
        ("recipe", person.recipe_sha256, {f.recipe_sha256 for f in controls}),
        ("field strength", _field(person, person), {_field(f, person) for f in controls}),
    )
    said: list[str] = []
    unknown: dict[str, list[str]] = {}
    for what, mine, theirs in compared:
        known = theirs - {""}
        odd = ", ".join(sorted(names.get(each, each) for each in known - {mine}))
        if not mine or not known:
            silent = ([] if mine else ["this map"]) + ([] if known else [whose])
            unknown.setdefault(" and of ".join(silent), []).append(what)
        elif odd:
            own = names.get(mine, mine)
            said.append(f"The {what} of {whose} ({odd}) is not that of this map ({own}).")
    said += [f"Nothing tells {', '.join(what)} of {who}." for who, what in unknown.items()]
    return said


def _field(facts: ScanFacts, person: ScanFacts) -> str:
    """A field strength in words; one that is nearly the person's in the words of that."""
    mine, own = person.field_strength_t, facts.field_strength_t
    if mine is not None and own is not None and abs(own - mine) <= FIELD_T:
        own = mine
    return "" if own is None else f"{own:.4g} T"


def facts_of_group(controls: Controls, persons: Iterable[str]) -> list[ScanFacts]:
    """How the maps of some controls were made; of all in the table where names do not tell."""
    known = [controls.facts[person] for person in persons if person in controls.facts]
    return known or list(controls.facts.values())


def in_unit(told: Mapping[str, float], ppb_to_unit: float) -> dict[str, float]:
    """Statistics by name, those that have the unit of a map brought from ppb to it."""
    return {
        name: value * (ppb_to_unit if STATISTICS[name].in_map_unit else 1)
        for name, value in told.items()
    }


def read_repeatability(path: Path | str) -> Repeatability:
    """The within-subject SD of a region's mean, from ``agreement.tsv`` of ``study agree``.

    Parameters
    ----------
    path : Path or str
        With the measure ``sem`` (ppb) of regions; those that it lacks get the root mean square of
        those that it has.

    Raises
    ------
    QsmError
        If it cannot be read or holds no such measure.

    Notes
    -----
    The standard error of measurement is the within-subject SD of readings: of repeated scans where
    scans were repeated, of the outlines alone where one scan was read twice.
    """
    table = read_rows(path)
    table.need(["region", "measure", "value"])
    found = {
        place_of(row["region"])[0]: table.number(row, "value")
        for row in table.rows
        if row["measure"] == "sem"
    }
    found = {name: value for name, value in found.items() if math.isfinite(value) and value > 0}
    if not found:
        raise MetadataError(
            f"'{table.who}' holds no measure 'sem', so it does not tell how readings differ."
        )
    pooled = found.pop(POOLED.casefold(), math.nan)
    whole = math.sqrt(sum(v**2 for v in found.values()) / len(found)) if found else pooled
    source = f"'{table.who}' (SEM of {len(found)} regions, root mean square {whole:.2f} ppb)"
    return Repeatability(whole, source, found)
