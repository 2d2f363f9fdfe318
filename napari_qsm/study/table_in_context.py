"""A region table from files with what its numbers are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.errors import MetadataError
from napari_qsm.rois.files import region_table
from napari_qsm.rois.measures import STATISTICS
from napari_qsm.rois.repeatability import (
    LITERATURE,
    Measured,
    Repeatability,
    differences_between,
)
from napari_qsm.rois.statistics import column_of
from napari_qsm.study.comparison import (
    ControlComparison,
    compared_with,
    in_unit,
    read_repeatability,
    what_differs,
)
from napari_qsm.study.controls import read_controls
from napari_qsm.study.identity import identity_of
from napari_qsm.study.published_values import published_files, read_published
from napari_qsm.study.scan_facts import ScanFacts, facts_beside
from napari_qsm.units import SusceptibilityUnit, factor

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Asked:
    """What a table's numbers shall be compared with.

    Attributes
    ----------
    controls : Path or None
        A table of several people.
    group : str
        Which of its groups; the one called controls unless given.
    age : float
        Of the person, years; NaN if not given.
    at_age : bool
        Compare with a line over the controls' ages.
    allow_mixed : bool
        Compare although the maps were made in different ways, or nothing tells how.
    published : str
        A file of published values, or the name of one that comes with the program.
    against : Path or None
        Another map.
    against_labels : Path or None
        Its regions; those of the map itself unless given.
    agreement : Path or None
        ``agreement.tsv``, for the repeatability.
    """

    controls: Path | None = None
    group: str = ""
    age: float = math.nan
    at_age: bool = False
    allow_mixed: bool = False
    published: str = ""
    against: Path | None = None
    against_labels: Path | None = None
    agreement: Path | None = None

    def repeatability(self) -> Repeatability:
        """Of the study that was named, else of the literature."""
        return read_repeatability(self.agreement) if self.agreement else LITERATURE

    def checked(self) -> Asked:
        """The same, if its parts go together.

        Raises
        ------
        MetadataError
            If one lacks what it needs.
        """
        if self.controls is None and (self.group or self.at_age or self.allow_mixed):
            raise MetadataError("--group, --at-age and --allow-mixed go with --controls TABLE.")
        if math.isnan(self.age) and (self.at_age or self.published):
            raise MetadataError("--at-age and --published need the person's --age in years.")
        if not math.isnan(self.age) and not 0 <= self.age <= 120:
            raise MetadataError(f"An age of {self.age:g} years is not possible.")
        if self.against is None and self.against_labels is not None:
            raise MetadataError("--against-labels goes with --against MAP.")
        return self


def with_context(
    frame: pd.DataFrame,
    map_path: Path,
    labels_path: Path,
    asked: Asked,
    *,
    unit: SusceptibilityUnit,
    names_path: Path | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> pd.DataFrame:
    """The region table with columns behind it that put its means in context.

    Parameters
    ----------
    frame : DataFrame
        From :func:`napari_qsm.rois.files.region_table`.
    map_path, labels_path, names_path
        What it was made from.
    asked : Asked
        What to compare with.
    unit : {"ppm", "ppb"}
        Of the table.
    warn : callable
        Told in sentences what must be known of the comparison.

    Raises
    ------
    QsmError
        If a file cannot be used, or maps must not be compared.
    """
    asked = asked.checked()
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        warn(sentence)

    regions = _measured(frame, unit)
    facts = facts_beside(map_path)
    told: list[list[dict[str, float]]] = []
    if asked.controls is not None:
        comparison = comparison_of(asked, map_path)
        told.append(comparison.compare(regions))
        for sentence in (*comparison.controls.notes, *comparison.sentences(regions)):
            say(sentence)
    if asked.published:
        told.append(_published(asked, facts, regions, say))
    if asked.against is not None:
        other = region_table(
            asked.against,
            asked.against_labels or labels_path,
            names_path=None if asked.against_labels else names_path,
            unit=unit,
            warn=warn,
        )
        for sentence in what_differs(facts, [facts_beside(asked.against)], "the other map"):
            say(sentence)
        repeatability = asked.repeatability()
        told.append(differences_between(regions, _measured(other, unit), repeatability))
        say(repeatability.sentence)
    columns: dict[str, list[float]] = {}
    for by_region in told:
        for values in by_region:
            for name, value in in_unit(values, factor("ppb", unit)).items():
                columns.setdefault(column_of(STATISTICS[name], unit), []).append(value)
    out = frame.assign(**columns)
    about = dict(frame.attrs.get("about", {}))
    out.attrs = {"about": about | ({"In context": " ".join(said)} if said else {})}
    return out


def comparison_of(asked: Asked, map_path: Path) -> ControlComparison:
    """The comparison of a map with the controls that were asked for.

    Raises
    ------
    QsmError
        If there are none, or maps that were made in different ways must not be compared.
    """
    if asked.controls is None:
        raise MetadataError("'--high controls' needs --controls TABLE.")
    comparison = compared_with(
        read_controls(asked.controls),
        facts_beside(map_path),
        group=asked.group,
        age=asked.age,
        at_age=asked.at_age,
        person=[identity_of(map_path, is_folder=False).participant],
    )
    if comparison.differs and not asked.allow_mixed:
        raise MetadataError(
            f"{' '.join(comparison.differs)} Values of maps that were made in different ways "
            "cannot be compared; if you know that these can, add --allow-mixed."
        )
    return comparison


def _published(
    asked: Asked, facts: ScanFacts, regions: Sequence[Measured], say: Callable[[str], None]
) -> list[dict[str, float]]:
    shipped = {path.stem: path for path in published_files()}
    values = read_published(shipped.get(asked.published, Path(asked.published)))
    differs = values.what_differs(facts)
    if differs:
        raise MetadataError(" ".join(differs))
    for sentence in values.sentences(regions, asked.age):
        say(sentence)
    return values.compare(regions, asked.age)


def _measured(frame: pd.DataFrame, unit: SusceptibilityUnit) -> list[Measured]:
    scale = factor(unit, "ppb")
    columns = [frame[name] for name in ("name", "side", "voxels", f"mean_{unit}")]
    return [Measured(n, s, int(v), m * scale) for n, s, v, m in zip(*columns, strict=True)]
