"""Values by age that were published, from small YAML files that can be copied and edited.

The files in ``published/`` show the form. A file holds either iron or susceptibilities; the latter
must say with which field strength, reference and inversion they were measured, because they hold
for maps made in that way alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_qsm.errors import FileError
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.io.text import read_text
from napari_qsm.rois.pairs import place_of
from napari_qsm.rois.repeatability import Measured
from napari_qsm.study.rows import some
from napari_qsm.study.scan_facts import FIELD_T, ScanFacts

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Years = Annotated[float, Field(ge=0, le=130)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Region(_Model):
    """Values of a region; ``sd`` is the spread of people about the curve, if it was published."""

    region: str | tuple[str, ...]
    sd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def names(self) -> set[str]:
        """What it is called, without sides, lower case."""
        listed = (self.region,) if isinstance(self.region, str) else self.region
        return {place_of(name)[0] for name in listed}


class LinearCurve(_Region):
    """``intercept + slope age``."""

    curve: Literal["linear"]
    intercept: _Finite
    slope: _Finite

    def at(self, age: float) -> float:
        """The value at an age in years."""
        return self.intercept + self.slope * age


class SaturatingCurve(_Region):
    """``a (1 - exp(-b age)) + c``."""

    curve: Literal["saturating"]
    a: _Finite
    b: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    c: _Finite

    def at(self, age: float) -> float:
        """The value at an age in years."""
        return self.a * (1 - math.exp(-self.b * age)) + self.c


class PointsCurve(_Region):
    """Values at some ages, joined by straight lines."""

    curve: Literal["points"]
    ages: tuple[_Years, ...] = Field(min_length=2)
    values: tuple[_Finite, ...]

    @model_validator(mode="after")
    def _ordered(self) -> PointsCurve:
        if len(self.ages) != len(self.values) or list(self.ages) != sorted(set(self.ages)):
            raise ValueError("ages must rise, with a value for each")
        return self

    def at(self, age: float) -> float:
        """The value at an age in years; NaN beyond the ages given."""
        inside = self.ages[0] <= age <= self.ages[-1]
        return float(np.interp(age, self.ages, self.values)) if inside else math.nan


class PublishedValues(_Model):
    """One source.

    Attributes
    ----------
    title, source, doi, note : str
        For people; the source is always named beside the values.
    quantity : {"iron", "susceptibility"}
        What was measured.
    unit : {"mg/100 g", "ppm", "ppb"}
        Of values, coefficients and SD.
    field_strength_t : float or None
    reference, inversion : str
        As the program calls the methods; for susceptibilities.
    age_years : (first, last)
        For which the source speaks.
    regions : tuple
        Their curves.
    """

    title: str
    source: str = Field(min_length=1)
    doi: str = ""
    note: str = ""
    quantity: Literal["iron", "susceptibility"]
    unit: Literal["mg/100 g", "ppm", "ppb"]
    field_strength_t: Annotated[float, Field(gt=0, lt=30)] | None = None
    reference: str = ""
    inversion: str = ""
    age_years: tuple[_Years, _Years]
    regions: tuple[
        Annotated[LinearCurve | SaturatingCurve | PointsCurve, Field(discriminator="curve")], ...
    ] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> PublishedValues:
        is_iron = self.quantity == "iron"
        if is_iron != (self.unit == "mg/100 g"):
            raise ValueError("iron is in mg/100 g, susceptibility in ppm or ppb")
        if not is_iron and not (self.field_strength_t and self.reference and self.inversion):
            raise ValueError(
                "susceptibilities need field_strength_t, reference and inversion: they hold for maps "
                "made in that way"
            )
        if self.age_years[0] >= self.age_years[1]:
            raise ValueError("age_years are the first and the last year")
        return self

    def what_differs(self, facts: ScanFacts) -> list[str]:
        """Why a map must not be compared with it, each in a sentence."""
        if self.quantity == "iron":
            return []
        said = []
        mine, theirs = facts.field_strength_t, self.field_strength_t
        if mine is None or theirs is None or abs(mine - theirs) > FIELD_T:
            known = "unknown" if mine is None else f"{mine:g} T"
            said.append(
                f"'{self.title}' holds for {theirs:g} T; the map's field strength is {known}."
            )
        for what in ("reference", "inversion"):
            wanted, known = getattr(self, what), getattr(facts, what)
            if wanted != known:
                said.append(
                    f"'{self.title}' holds for the {what} '{wanted}'; that of the map is "
                    f"{repr(known) if known else 'unknown'}."
                )
        return said

    def compare(self, regions: Sequence[Measured], age: float) -> list[dict[str, float]]:
        """What is expected of each region at an age: statistics by name, susceptibilities in ppb."""
        return [self._one(region, age) for region in regions]

    def _one(self, region: Measured, age: float) -> dict[str, float]:
        name = place_of(region.name, region.side)[0]
        curve = next((each for each in self.regions if name in each.names), None)
        first, last = self.age_years
        value = curve.at(age) if curve is not None and first <= age <= last else math.nan
        if self.quantity == "iron":
            return {"iron": value}
        scale = 1e3 if self.unit == "ppm" else 1.0
        sd = curve.sd * scale if curve is not None and curve.sd else math.nan
        expected = value * scale
        return {"expected": expected, "expected_z": (region.mean_ppb - expected) / sd}

    def sentences(self, regions: Sequence[Measured], age: float) -> list[str]:
        """What must be known of it; the first names the source."""
        doi = f", doi:{self.doi}" if self.doi else ""
        said = [f"Published values at {age:g} years: {self.source}{doi}. {self.note}".strip()]
        first, last = self.age_years
        if not first <= age <= last:
            said.append(f"It speaks for {first:g} to {last:g} years, not for {age:g}.")
            return said
        values = self.compare(regions, age)
        key = "iron" if self.quantity == "iron" else "expected"
        missing = [r.name for r, v in zip(regions, values, strict=True) if math.isnan(v[key])]
        if missing:
            said.append(f"It has no value of {some(missing)}.")
        return said


def published_files() -> list[Path]:
    """The files that come with the program."""
    folder = Path(str(resources.files("napari_qsm.study") / "published"))
    return sorted(folder.glob("*.yaml"))


def read_published(path: Path | str) -> PublishedValues:
    """Read such a file.

    Raises
    ------
    FileError
        If it cannot be read or says less than is needed; names the place.
    """
    path = Path(path)
    try:
        return PublishedValues.model_validate(parse_yaml(read_text(path, "list of values")))
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise FileError(f"'{path.name}'{', ' if where else ''}{where}: {words}.") from None
