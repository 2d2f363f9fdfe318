"""What the numbers of the table are compared with: controls, published values, another map."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from napari_qsm.errors import MetadataError
from napari_qsm.rois.measures import STATISTICS
from napari_qsm.rois.repeatability import (
    LITERATURE,
    Measured,
    Repeatability,
    differences_between,
)
from napari_qsm.rois.statistics import needs
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.numbers import Numbers, Row, ShownMap
from napari_qsm.study.comparison import (
    ControlComparison,
    compared_with,
    in_unit,
)
from napari_qsm.study.controls import Controls
from napari_qsm.study.published_values import PublishedValues
from napari_qsm.study.scan_facts import ScanFacts, facts_beside, facts_from
from napari_qsm.units import factor

#: What is switched on with the controls.
CONTROL_COLUMNS = ("controls_n", "controls_mean", "z", "percentile", "p_controls")


@dataclass(frozen=True)
class InContext:
    """What the first map of the table is compared with.

    Attributes
    ----------
    comparison : ControlComparison or None
        Controls, once somebody chose a table of them.
    published : PublishedValues or None
        Values by age, once somebody chose a source that the map may be compared with.
    age : float
        Of the person in years; NaN if not given.
    repeatability : Repeatability
        By how much the mean of a region differs from scan to scan.
    """

    comparison: ControlComparison | None = None
    published: PublishedValues | None = None
    age: float = math.nan
    repeatability: Repeatability = LITERATURE

    def available(self, choice: Choice, maps: list[ShownMap]) -> Choice:
        """The choice without columns that there is nothing to fill with."""
        other = _other(maps)
        iron = self.published is not None and self.published.quantity == "iron"

        def has(name: str) -> bool:
            each = STATISTICS[name]
            if each.needs == "high":
                return bool(choice.high)
            if each.needs == "controls":
                return self.comparison is not None
            if each.needs == "published":
                return self.published is not None and iron == (name == "iron")
            return each.needs != "against" or other is not None

        return choice.but(columns=tuple(name for name in choice.columns if has(name)))

    def tell(
        self, numbers: Numbers, rows: list[Row], maps: list[ShownMap], columns: tuple[str, ...]
    ) -> None:
        """Add what the first map's regions are compared with to their measures.

        Parameters
        ----------
        numbers : Numbers
            For the regions of another map.
        rows : list of Row
            Of the first map; rows that are hidden are passed over.
        maps : list of ShownMap
            As the table shows them.
        columns : tuple of str
            Statistics that are wanted.
        """
        if not maps or not maps[0].entry.in_ppm:
            return
        first = maps[0]
        seen = _seen(rows, first)
        regions = [_measured(row, first) for row in seen]
        found: list[dict[str, float]] = [{} for _ in seen]
        told = []
        if self.comparison is not None and needs("controls", columns):
            told.append(self.comparison.compare(regions))
        if self.published is not None and needs("published", columns):
            told.append(self.published.compare(regions, self.age))
        other = _other(maps)
        if other is not None and needs("against", columns):
            theirs = _seen(numbers.rows([other], ranks=False, shapes=True), other)
            others = [_measured(row, other) for row in theirs]
            told.append(differences_between(regions, others, self.repeatability))
        for each in told:
            for kept, values in zip(found, each, strict=True):
                kept.update(in_unit(values, factor("ppb", first.entry.volume.unit or "ppm")))
        for row, values in zip(seen, found, strict=True):
            row.measures[first.entry.id] = row.measures[first.entry.id].with_external(values)

    def notes(
        self, rows: list[Row], maps: list[ShownMap], columns: tuple[str, ...]
    ) -> dict[str, str]:
        """What must be known of the comparisons, by a heading for each."""
        if not maps or not maps[0].entry.in_ppm:
            return {}
        regions = [_measured(row, maps[0]) for row in _seen(rows, maps[0])]
        said = {}
        if self.comparison is not None and needs("controls", columns):
            said["Controls"] = " ".join(self.comparison.sentences(regions))
        if self.published is not None and needs("published", columns):
            said["Published values"] = " ".join(self.published.sentences(regions, self.age))
        other = _other(maps)
        if other is not None and needs("against", columns):
            # Names of maps may be names of people; tables go to others.
            said["Difference"] = f"First map less the next one. {self.repeatability.sentence}"
        return said


@dataclass(frozen=True)
class Chosen:
    """What the user chose to compare with, before it is known whether the map may be.

    Attributes
    ----------
    controls : Controls or None
        A table that was read.
    group : str
        Which of its groups; the one called controls unless named.
    age : float
        Years; NaN if not given.
    at_age : bool
        Compare with a line over the controls' ages.
    anyway : tuple of str
        Differences in spite of which the user wants the comparison.
    published : PublishedValues or None
        Values by age.
    repeatability : Repeatability
        By how much the mean of a region differs from scan to scan.
    """

    controls: Controls | None = None
    group: str = ""
    age: float = math.nan
    at_age: bool = False
    anyway: tuple[str, ...] = ()
    published: PublishedValues | None = None
    repeatability: Repeatability = LITERATURE

    def beside(
        self, facts: ScanFacts, person: Collection[str]
    ) -> tuple[InContext, tuple[str, ...], list[str]]:
        """What a map is compared with.

        Parameters
        ----------
        facts : ScanFacts
            How it was made.
        person : collection of str
            What the person may be called in the table.

        Returns
        -------
        beside : InContext
            Without what it must not be compared with.
        differs : tuple of str
            Why it is not compared with the controls, which the user may overrule.
        problems : list of str
            What cannot be overruled.
        """
        comparison, published = None, None
        differs: tuple[str, ...] = ()
        problems: list[str] = []
        if self.controls is not None:
            try:
                comparison = compared_with(
                    self.controls,
                    facts,
                    group=self.group,
                    age=self.age,
                    at_age=self.at_age,
                    person=person,
                )
            except MetadataError as error:
                problems.append(str(error))
        if comparison is not None and not set(comparison.differs) <= set(self.anyway):
            differs = comparison.differs
            comparison = None
        if self.published is not None:
            against = self.published.what_differs(facts)
            if math.isnan(self.age):
                against.append("Published values go by age: give the person's.")
            published = None if against else self.published
            problems += against
        found = InContext(comparison, published, self.age, self.repeatability)
        return found, differs, problems


def facts_of_entry(shown: ShownMap) -> ScanFacts:
    """How a map was made, from its own record or the files beside it."""
    volume = shown.entry.volume
    if shown.entry.provenance:
        return facts_from(shown.entry.provenance, volume.voxel_size_mm)
    return facts_beside(volume.origin, volume.voxel_size_mm)


def _other(maps: list[ShownMap]) -> ShownMap | None:
    """The map that the first one is compared with: the next one of susceptibility."""
    return next((shown for shown in maps[1:] if shown.entry.in_ppm), None)


def _seen(rows: list[Row], shown: ShownMap) -> list[Row]:
    return [row for row in rows if shown.entry.id in row.measures and not row.hidden]


def _measured(row: Row, shown: ShownMap) -> Measured:
    measures = row.measures[shown.entry.id]
    scale = factor(shown.entry.volume.unit, "ppb")
    name = row.shape.region_name or row.name if row.shape is not None else row.name
    return Measured(name, row.side, measures.voxels, measures.mean * scale)
