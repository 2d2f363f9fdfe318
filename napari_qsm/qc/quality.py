"""The quality of one reconstruction as numbers to keep, and the register of these numbers.

A measure is one row: the function that measures, the words that explain the number, the range
that is usual, and the limits beyond which a person is told. The rows are in
:mod:`napari_qsm.qc.field_measures`, :mod:`napari_qsm.qc.echo_measures` and
:mod:`napari_qsm.qc.map_measures`; a new one is written there and stands in ``quality.json``, in the
report, in the window and, for the stages it names, beside tried-out settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.units import fixed, percent

if TYPE_CHECKING:
    from napari_qsm.qc.evidence import Evidence

Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")
#: Edges of the histogram of susceptibility, ppm; values beyond are counted apart.
HISTOGRAM_EDGES_PPM = tuple(round(-0.3 + 0.01 * n, 2) for n in range(61))


@dataclass(frozen=True)
class QualityReport:
    """Quality of one reconstruction; plain numbers, ready for JSON.

    Attributes
    ----------
    chi_sha256 : str
        Of the map that was measured, so that numbers cannot be shown beside another one.
    numbers : dict of str to float or None
        By the names of :data:`MEASURES`; None where not known.
    wraps_by_axis : tuple of int
        Wraps left along each axis of the RAS grid.
    histogram : tuple of int
        Voxels of the map between :data:`HISTOGRAM_EDGES_PPM`.
    below_histogram, above_histogram : int
        Voxels beyond its two ends.
    seconds : dict
        Time of each stage, s.
    """

    chi_sha256: str
    numbers: Mapping[str, float | None]
    wraps_by_axis: tuple[int, ...] = ()
    histogram: tuple[int, ...] = ()
    below_histogram: int = 0
    above_histogram: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float | None:
        """One number by the name of its measure; None where not known."""
        return self.numbers.get(name)

    def but(self, **numbers: float | None) -> QualityReport:
        """The same with some numbers changed."""
        return replace(self, numbers={**self.numbers, **numbers})

    def written(self, name: str) -> str:
        """One number as text, with its unit; empty where not known."""
        value = self[name]
        return "" if value is None else MEASURES[name].written(value)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON; :func:`from_dict` reads it back."""
        return {
            "chi_sha256": self.chi_sha256,
            **self.numbers,
            "wraps_by_axis": list(self.wraps_by_axis),
            "histogram": list(self.histogram),
            "below_histogram": self.below_histogram,
            "above_histogram": self.above_histogram,
            "seconds": dict(self.seconds),
        }


def from_dict(data: Mapping[str, Any]) -> QualityReport:
    """The report that :meth:`QualityReport.to_dict` wrote, by this version or another.

    Raises
    ------
    QsmError
        If the data are not those of a report.
    """
    try:
        return QualityReport(
            str(data["chi_sha256"]),
            {name: data.get(name) for name in MEASURES},
            tuple(data["wraps_by_axis"]),
            tuple(data["histogram"]),
            int(data["below_histogram"]),
            int(data["above_histogram"]),
            dict(data["seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise QsmError("These are not the quality numbers of this program.") from error


#: As many values as a line of a processor's cache holds.
_PLANES = 16


def map_checksum(chi_ppm: Array) -> str:
    """SHA-256 of a map's values as float32, by which numbers and ratings know their map.

    They are hashed in C order; a few planes at a time, as files hold them in the other order and
    turning a whole map round takes longer than all the rest.
    """
    found = hashlib.sha256()
    for start in range(0, len(chi_ppm), _PLANES):
        planes = chi_ppm[start : start + _PLANES]
        found.update(np.ascontiguousarray(planes, dtype=np.float32).data)
    return found.hexdigest()


@dataclass(frozen=True)
class Finding:
    """One thing a person should know.

    Attributes
    ----------
    code : str
        Stays the same from version to version: ``"nan"``, ``"mask-air"``, ``"mask-rim"``,
        ``"mask-small"``, ``"mask-cuts"``, ``"eroded"``, ``"unit"``, ``"sign"``, ``"wraps"``, ``"residual"``,
        ``"echoes"``, ``"direction"``, ``"streaks"`` or ``"noise"``.
    severity : {"serious", "warning", "note"}
        Do not use the map; look before using it; good to know.
    sentence : str
        What was seen, what it may mean, and what to do.
    """

    code: str
    severity: Severity
    sentence: str


@dataclass(frozen=True)
class Limit:
    """Where a number begins to be told.

    Attributes
    ----------
    code, severity : str
        As in :class:`Finding`.
    sentence : str
        ``{value}`` stands for the number with its unit, ``{name}`` for that of another measure.
    above, below : float or None
        The number is told beyond them.
    when : callable or None
        Further condition on all numbers.
    """

    code: str
    severity: Severity
    sentence: str
    above: float | None = None
    below: float | None = None
    when: Callable[[QualityReport], bool] | None = None

    def reached(self, value: float, quality: QualityReport) -> bool:
        """Whether the number is beyond it."""
        return (
            (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.when is None or self.when(quality))
        )


@dataclass(frozen=True)
class Measure:
    """One number of the quality of a result.

    Attributes
    ----------
    name : str
        In ``quality.json``.
    compute : callable
        From an :class:`~napari_qsm.qc.evidence.Evidence`; None where it cannot be known.
    title : str
        For people; a number without one stands in no table.
    meaning : str
        What it says; braces stand for other numbers, as in :attr:`Limit.sentence`.
    usual : str
        What the presets give on the built-in head and on three real scans.
    unit : {"ppm", "ml", "%", ""}
        A share of 1 is written in percent.
    decimals : int
        Of the text.
    signed : bool
        Write a plus too.
    text : str
        In tables instead of the number alone; braces as above.
    stages : tuple of str
        Stages whose own result it judges.
    limits : tuple of Limit
        The first that is reached is told.
    """

    name: str
    compute: Callable[[Evidence], float | None]
    title: str = ""
    meaning: str = ""
    usual: str = ""
    unit: str = ""
    decimals: int = 2
    signed: bool = False
    text: str = "{value}"
    stages: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()

    def written(self, value: float) -> str:
        """A value as text, with its unit."""
        if self.unit == "%":
            return percent(value, self.decimals, signed=self.signed)
        return f"{fixed(value, self.decimals, signed=self.signed)} {self.unit}".rstrip()

    def finding(self, quality: QualityReport) -> Finding | None:
        """What has to be told of it."""
        value = quality[self.name]
        if value is None:
            return None
        for limit in self.limits:
            if limit.reached(value, quality):
                return Finding(limit.code, limit.severity, filled(limit.sentence, self, quality))
        return None


#: Name to measure, in the order of the work.
MEASURES: dict[str, Measure] = {}


def quality_measure(
    name: str, title: str = "", **more: Any
) -> Callable[[Callable[[Evidence], float | None]], Callable[[Evidence], float | None]]:
    """Register a measure; parameters are the attributes of :class:`Measure`."""

    def register(
        compute: Callable[[Evidence], float | None],
    ) -> Callable[[Evidence], float | None]:
        MEASURES[name] = Measure(name, compute, title, **more)
        return compute

    return register


def filled(sentence: str, measure: Measure, quality: QualityReport) -> str:
    """A sentence with its numbers written in."""
    known = {name: quality.written(name) or "?" for name in MEASURES}
    axes = quality.wraps_by_axis if len(quality.wraps_by_axis) == 3 else ("?", "?", "?")
    return sentence.format(value=quality.written(measure.name), wraps_by_axis=axes, **known)


@dataclass(frozen=True)
class Row:
    """One number for people: what it is, its value with unit, what is usual, what it means."""

    name: str
    value: str
    usual: str
    meaning: str


def rows(quality: QualityReport) -> list[Row]:
    """Every number that is known and has a title, in the order of the work."""
    return [
        Row(
            each.title,
            filled(each.text, each, quality),
            each.usual,
            filled(each.meaning, each, quality),
        )
        for each in MEASURES.values()
        if each.title and quality[each.name] is not None
    ]


def findings(quality: QualityReport) -> list[Finding]:
    """What stands out in the numbers, the gravest first; empty where all is usual.

    Of two numbers that show the same fault, the graver one speaks, then the larger one.
    """
    found: dict[str, tuple[int, float, Finding]] = {}
    for each in MEASURES.values():
        finding = each.finding(quality)
        if finding is None:
            continue
        rank = (SEVERITIES.index(finding.severity), -(quality[each.name] or 0.0), finding)
        if finding.code not in found or rank[:2] < found[finding.code][:2]:
            found[finding.code] = rank
    return [finding for _, _, finding in sorted(found.values(), key=lambda rank: rank[0])]
