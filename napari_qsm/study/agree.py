"""Agreement of raters and of repeated readings in a long table, by region and pooled."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_qsm.errors import MetadataError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.study.analysis_files import write_figures
from napari_qsm.study.cohort_figures import agreement_figures
from napari_qsm.study.collected import LONG, collected
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.long_table import read_long_table, side_means
from napari_qsm.study.reliability import Measure, bland_altman, icc
from napari_qsm.study.rows import cell, tsv
from napari_qsm.study.shape_agreement import POOLED, shape_agreement
from napari_qsm.study.visit_names import natural
from napari_qsm.units import fixed

COLUMNS = ("region", "measure", "n", "value", "ci_low", "ci_high")
_FEWEST = 3
_NOBODY = (
    f"No region was read by two raters, or twice by one, in at least {_FEWEST} scans; the columns "
    "'rater' and 'reading' tell who read and which time."
)

#: Region to its measures.
Agreement = dict[str, list[Measure]]


def agree_files(
    table: Path,
    out: Path,
    *,
    figures: bool = True,
    overwrite: bool = False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> str:
    """Compare readings; write ``agreement.tsv``, one more for each pair of several, text and figures.

    Parameters
    ----------
    table : Path
        A long table with ``rater`` or ``reading``, see
        :func:`napari_qsm.study.long_table.read_long_table`.
    out : Path
        The folder; made if missing.
    figures : bool
        Whether Bland-Altman plots are drawn.
    overwrite : bool
        Whether results of an earlier comparison there may be replaced.
    warn : callable
        Told in sentences what must be known of the table.

    Returns
    -------
    str
        What ``agreement.txt`` holds.

    Raises
    ------
    QsmError
        If table or folder cannot be used. Nothing is written then.
    """
    long = read_long_table(table)
    found, notes = comparisons(long.values)
    agreements = agreement_of(found)
    if not agreements:
        raise MetadataError(_NOBODY)
    for note in dict.fromkeys([*long.notes, *notes]):
        warn(note)
    texts = agreement_texts(agreements)
    with staged_folder(out, overwrite=overwrite) as staging:
        for name, content in texts.items():
            (staging / name).write_text(content, "utf-8", newline="\n")
        if figures:
            write_figures(staging / "figures", agreement_figures(two_columns(found)))
    return texts["agreement.txt"].rstrip("\n")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Readings side by side.

    Attributes
    ----------
    title : str
        ``"AA - BB"``, ``"AA repeated"``.
    readings : tuple of (rater, reading)
    frame : DataFrame
        A column a reading by (region, participant, session), complete.
    """

    title: str
    readings: tuple[tuple[str, str], ...]
    frame: pd.DataFrame


def agreement_of(found: Sequence[Comparison]) -> dict[str, Agreement]:
    """Agreement by what is compared, region and pooled; without comparisons of too few scans."""
    return {one.title: its for one in found if (its := _by_region(one.frame))}


def agreement_of_study(study: StudyFolder, found: Sequence[Comparison]) -> dict[str, Agreement]:
    """The same with overlap of shapes and distance of their centres, from the readings."""
    out = agreement_of(found)
    pairs = {
        one.title: ((first[0], int(first[1] or 1)), (second[0], int(second[1] or 1)))
        for one in found
        if one.title in out and len(one.readings) == 2
        for first, second in [one.readings]
    }
    counted = {one.title: set(one.frame.index) for one in found}
    for title, by_region in shape_agreement(study, pairs, counted).items():
        for region, measures in by_region.items():
            if region in out[title]:
                out[title][region] = [*out[title][region], *measures]
    return out


def agree_study(
    study: StudyFolder,
    *,
    figures: bool = True,
    warn: Callable[[str], None] = lambda sentence: None,
) -> str:
    """Compare the readings of a study; write ``agreement.tsv``, text and figures into ``group/``.

    Raises
    ------
    QsmError
        If nobody read a scan twice, or the collected table is older than the readings.
    """
    _ = collected(study)
    found, notes = comparisons(read_long_table(study.group / LONG).values)
    agreements = agreement_of_study(study, found)
    if not agreements:
        raise MetadataError(_NOBODY)
    for note in dict.fromkeys(notes):
        warn(note)
    texts = agreement_texts(agreements)
    with staged_folder(study.group, overwrite=True) as staging:
        for name, content in texts.items():
            (staging / name).write_text(content, "utf-8", newline="\n")
        if figures:
            write_figures(staging / "figures", agreement_figures(two_columns(found)))
    return texts["agreement.txt"].rstrip("\n")


def agreement_texts(agreements: Mapping[str, Agreement]) -> dict[str, str]:
    """Names of files to what they hold; none where nothing was read twice."""
    out: dict[str, str] = {}
    parts = []
    for number, (title, found) in enumerate(agreements.items()):
        word = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")
        name = f"agreement_{word}.tsv" if number else "agreement.tsv"
        out[name] = _text(found)
        parts.append(f"{title} ({name})\n{_page(found)}")
    if parts:
        has_shapes = any(
            m.measure == "dice" for f in agreements.values() for r in f.values() for m in r
        )
        parts.append(
            "ICC of Shrout & Fleiss, SEM, MDC95, bias and limits in the unit of the values (ppb), "
            "95 % intervals. Bias is first minus second; a slope whose interval leaves out 0 is a "
            f"proportional bias. '{POOLED}' holds differences between regions too, which raise its "
            "ICC. "
            + (
                "Dice and distance of centres (mm): means over scans, sides averaged."
                if has_shapes
                else "Dice and the distance of centres need the readings themselves."
            )
        )
        out["agreement.txt"] = "\n\n".join(parts) + "\n"
    return out


def two_columns(found: Sequence[Comparison]) -> dict[str, pd.DataFrame]:
    """Comparisons of two readings, as Bland-Altman plots need them."""
    return {one.title: one.frame for one in found if len(one.readings) == 2}


def comparisons(values: pd.DataFrame) -> tuple[list[Comparison], list[str]]:
    """Readings side by side: of all raters, of each pair of them, of each rater repeated.

    Parameters
    ----------
    values : DataFrame
        Of a :class:`napari_qsm.study.long_table.LongTable`.

    Returns
    -------
    list of Comparison
    list of str
        Scans that not everybody read.
    """
    notes: list[str] = []
    raters = list(dict.fromkeys(values["rater"]))
    readings = {rater: _readings(values[values["rater"] == rater], notes) for rater in raters}
    first = {rater: next(iter(readings[rater].items())) for rater in raters}
    out: list[Comparison] = []

    def add(title: str, keys: list[tuple[str, str]], columns: Mapping[str, pd.Series]) -> None:
        joined = pd.DataFrame(columns)
        whole = joined.dropna()
        out.append(Comparison(title, tuple(keys), whole))
        both = set(zip(*map(whole.index.get_level_values, (1, 2)), strict=True))
        scans = zip(*map(joined.index.get_level_values, (1, 2)), strict=True)
        lacking = sum(scan in both for scan in scans) - len(whole)
        if lacking:  # of scans that only some were given to read, nothing is missing
            notes.append(f"{title}: {lacking} values without all readings left out.")

    def of_raters(names: Sequence[str]) -> None:
        keys = [(name, first[name][0]) for name in names]
        add(" - ".join(names), keys, {name: first[name][1] for name in names})

    if len(raters) > 1:
        of_raters(raters)
        if len(raters) > 2:
            for pair in itertools.combinations(raters, 2):
                of_raters(pair)
    for rater in raters:
        if len(readings[rater]) > 1:
            keys = [(rater, name) for name in readings[rater]]
            titles = [f"reading {number + 1}" for number in range(len(keys))]
            columns = dict(zip(titles, readings[rater].values(), strict=True))
            add(f"{rater} repeated".strip(), keys, columns)
    return out, notes


def _readings(values: pd.DataFrame, notes: list[str]) -> dict[str, pd.Series]:
    """One rater's readings by their number, each a value by region, participant and visit."""
    out = {}
    for name in sorted(set(values["reading"]), key=natural):
        part = side_means(values[values["reading"] == name], notes)
        out[name] = part.set_index(["region", "participant", "session"])["chi_ppb"]
    return out


def _by_region(whole: pd.DataFrame) -> Agreement:
    out: Agreement = {}
    regions = list(dict.fromkeys(whole.index.get_level_values(0)))
    for region in regions:
        part = whole.xs(region, level=0).to_numpy(dtype=float)
        if len(part) >= _FEWEST:
            out[str(region)] = _measures(part)
    if len(regions) > 1 and out:
        out[POOLED] = _measures(whole.to_numpy(dtype=float))
    return out


def _measures(ratings: np.ndarray) -> list[Measure]:
    if np.ptp(ratings) == 0:
        raise MetadataError(f"All readings are {ratings[0, 0]:g}; agreement cannot be told.")
    return icc(ratings) + (bland_altman(*ratings.T) if ratings.shape[1] == 2 else [])


def _text(found: Agreement) -> str:
    lines = [
        (defused_text(region), m.measure, m.n, cell(m.value), cell(m.ci_low), cell(m.ci_high))
        for region, measures in found.items()
        for m in measures
    ]
    return tsv(COLUMNS, lines)


def _page(found: Agreement) -> str:
    """A row a region: the numbers that a paper prints."""
    shown = {
        "n": "", "ICC(2,1)": "icc_2_1", "ICC(3,1)": "icc_3_1", "ICC(2,k)": "icc_2_k",
        "SEM": "sem", "MDC95": "mdc95", "bias": "ba_bias", "lower limit": "ba_low",
        "upper limit": "ba_high", "slope": "ba_slope", "Dice": "dice", "distance": "distance_mm",
    }  # fmt: skip
    has = {m.measure for measures in found.values() for m in measures}
    shown = {title: name for title, name in shown.items() if not name or name in has}
    table = [["region", *shown]]
    for region, measures in found.items():
        by_name = {m.measure: m for m in measures}
        line = [region]
        for name in shown.values():
            if not name:
                line.append(str(measures[0].n))
                continue
            places = 3 if name.startswith("icc") or name in ("ba_slope", "dice") else 2
            m = by_name.get(name)
            line.append(
                f"{fixed(m.value, places)} [{fixed(m.ci_low, places)}, {fixed(m.ci_high, places)}]"
                if m
                else ""
            )
        table.append(line)
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table
    )
