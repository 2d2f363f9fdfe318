"""Checklists of reporting, filled as far as a study's folder can: STROBE, COBIDAS, QSM consensus.

Items 4 to 16 of STROBE (von Elm et al., PLoS Med 2007;4:e296), the parts of COBIDAS (Nichols et al.,
Nat Neurosci 2017;20:299) that touch a cohort of quantitative maps, and table 5 of the QSM consensus
(Magn Reson Med 2024;91:1834).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.study.analysis_files import Analysis, tsv

COLUMNS = ("checklist", "item", "topic", "status", "answer")
#: Stands in ``status`` where the folder cannot know.
YOURS = "to be written by you"
_PLACE = "[to be written by you"


class Item(NamedTuple):
    """One row."""

    checklist: str
    item: str
    topic: str
    status: str
    answer: str


def checklist(said: Mapping[str, str], analysis: Analysis) -> list[Item]:
    """Every item with its answer.

    Parameters
    ----------
    said : mapping of str to str
        Paragraphs of the methods, see :func:`napari_qsm.study.methods_text.paragraphs`.
    analysis : Analysis
        Numbers of participants and results.
    """
    return [*_strobe(said, analysis), *_cobidas(said), *_consensus(said)]


def checklist_text(items: list[Item]) -> str:
    """The table as ``checklist.tsv``."""
    return tsv(COLUMNS, [tuple(map(defused_text, item)) for item in items])


def _item(name: str, number: str, topic: str, answer: str = "") -> Item:
    """With its status: answered, in part, or left to the author."""
    flat = " ".join(answer.split())
    status = YOURS if not flat else "in part" if _PLACE in flat else "answered"
    return Item(name, number, topic, status, flat or YOURS)


def _strobe(said: Mapping[str, str], analysis: Analysis) -> Iterator[Item]:
    cohort = analysis.cohort
    numbers = "; ".join(f"{n or 'all'}: {len(m)}" for n, m in cohort.groups.items())
    visits = ", ".join(v for v in cohort.visits if v)
    missing = said["Quality, exclusions and missing visits"]
    rows = (
        ("4", "Study design", f"Visits: {visits}." if len(cohort.visits) > 1 else ""),
        ("5", "Setting, locations, dates", ""),
        ("6", "Participants: eligibility, sources, follow-up", ""),
        ("7", "Variables: outcomes, exposures, confounders", _variables(analysis)),
        ("8", "Data sources and measurement", f"{said['Acquisition']} {said['Regions']}"),
        ("9", "Efforts to address bias", said["Readers and blinding"]),
        ("10", "Study size", _size(analysis)),
        ("11", "Quantitative variables", f"{said['Reference']} Susceptibility in ppb, not grouped."),
        ("12a", "Statistical methods", said["Statistical analysis"]),
        ("12b", "Subgroups and interactions", ""),
        ("12c", "Missing data", missing),
        ("12d", "Loss to follow-up", missing),
        ("12e", "Sensitivity analyses", _sensitivity(analysis)),
        ("13", "Participants: numbers at each stage, flow diagram", f"{numbers}; figures/flow.pdf"),
        ("14", "Descriptive data", said["Participants"]),
        ("15", "Outcome data", "Mean ± SD of each region, group and visit: report.txt."),
        ("16", "Main results: estimates with intervals", "statistics.tsv; report.txt; figures."),
    )  # fmt: skip
    for number, topic, answer in rows:
        yield _item("STROBE", number, topic, answer)


def _variables(analysis: Analysis) -> str:
    scores = ", ".join(map(str, analysis.cohort.scores.columns))
    text = f"Outcome: susceptibility of {len(analysis.cohort.regions)} regions"
    text += f"; score: {scores}" if scores else ""
    held = ", ".join(analysis.plan.covariates)
    return f"{text}. Adjusted for: {held}." if held else f"{text}."


def _size(analysis: Analysis) -> str:
    found = [row for row in analysis.rows if row.test == "smallest_change"]
    if not found:
        return ""
    low, high = (f(row.outcome.estimate for row in found) for f in (min, max))
    return (
        f"n = {len(analysis.cohort.followed)} followed; smallest change seen with "
        f"{analysis.plan.power:.0%} power: {low:.1f} to {high:.1f} ppb by region. "
        "[to be written by you: how the size was arrived at]"
    )


def _sensitivity(analysis: Analysis) -> str:
    said = [
        "Rank tests, mixed model, complete cases and every correction stand beside the main test"
    ]
    if analysis.without_doubtful:
        said.append("all repeated without doubtful maps (statistics_without-doubtful.tsv)")
    return "; ".join(said) + "."


def _cobidas(said: Mapping[str, str]) -> Iterator[Item]:
    rows = (
        ("Design", "Subjects, recruitment, ethics", said["Participants"]),
        ("Acquisition", "Scanner, sequence, parameters", said["Acquisition"]),
        ("Preprocessing", "Software, versions, order of steps", said["Reconstruction"]),
        ("Preprocessing", "Quality control", said["Quality, exclusions and missing visits"]),
        ("Regions", "How regions were defined, by whom", f"{said['Regions']} {said['Readers and blinding']}"),
        ("Regions", "Reliability", said["Agreement"]),
        ("Modelling", "Model, covariates, contrasts, multiple testing", said["Statistical analysis"]),
        ("Results", "Estimates, intervals, all tests that were made", "statistics.tsv holds every one."),
        ("Sharing", "Code", said["Software"]),
        ("Sharing", "Data", ""),
    )  # fmt: skip
    for section, topic, answer in rows:
        yield _item("COBIDAS", section, topic, answer)


def _consensus(said: Mapping[str, str]) -> Iterator[Item]:
    rows = (
        ("Acquisition parameters", said["Acquisition"]),
        ("Toolbox with version", said["Software"]),
        ("Algorithms of every step with their parameters", said["Reconstruction"]),
        ("Reference region, also if whole brain; its mean ± SD against whole brain", said["Reference"]),
        ("Inclusion and exclusion, threshold of artefacts", said["Quality, exclusions and missing visits"]),
        ("Regions: size and how they were drawn", said["Regions"]),
        ("Statistics with multiple comparisons", said["Statistical analysis"]),
    )  # fmt: skip
    for number, (topic, answer) in enumerate(rows, 1):
        yield _item("QSM consensus, table 5", str(number), topic, answer)
