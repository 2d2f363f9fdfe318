"""Agreement of raters and of repeated readings in a long table, by region and pooled."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from napari_qsm.errors import MetadataError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.study.analysis_files import write_figures
from napari_qsm.study.cohort_figures import agreement_figures
from napari_qsm.study.long_table import natural, read_long_table, side_means
from napari_qsm.study.reliability import Measure, bland_altman, icc
from napari_qsm.study.rows import cell, tsv
from napari_qsm.units import fixed

COLUMNS = ("region", "measure", "n", "value", "ci_low", "ci_high")
POOLED = "all regions"
_FEWEST = 3

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
    frames, notes = pairs_of(long.values)
    comparisons = compared(frames)
    pairs = {title: frame for title, frame in frames.items() if len(frame.columns) == 2}
    for note in dict.fromkeys([*long.notes, *notes]):
        warn(note)
    parts = []
    with staged_folder(out, overwrite=overwrite) as staging:
        for number, (title, found) in enumerate(comparisons.items()):
            word = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")
            name = "agreement.tsv" if number == 0 else f"agreement_{word}.tsv"
            (staging / name).write_text(_text(found), "utf-8", newline="\n")
            parts.append(f"{title} ({name})\n{_page(found)}")
        parts.append(
            "ICC of Shrout & Fleiss, SEM, MDC95, bias and limits in the unit of the values (ppb), "
            "95 % intervals. Bias is first minus second; a slope whose interval leaves out 0 is a "
            f"proportional bias. '{POOLED}' holds differences between regions too, which raise its "
            "ICC. Dice and the distance of centres need the readings themselves."
        )
        text = "\n\n".join(parts)
        (staging / "agreement.txt").write_text(text + "\n", "utf-8", newline="\n")
        if figures:
            write_figures(staging / "figures", agreement_figures(pairs))
    return text


def compared(frames: Mapping[str, pd.DataFrame]) -> dict[str, Agreement]:
    """Agreement of readings side by side, by region and pooled.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Of :func:`pairs_of`.

    Raises
    ------
    MetadataError
        If nobody read anything twice.
    """
    out = {title: found for title, frame in frames.items() if (found := _by_region(frame))}
    if not out:
        raise MetadataError(
            f"No region was read by two raters, or twice by one, in at least {_FEWEST} scans; the "
            "columns 'rater' and 'reading' tell who read and which time."
        )
    return out


def pairs_of(values: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Readings side by side: of all raters, of each pair of them, of each rater repeated.

    Parameters
    ----------
    values : DataFrame
        Of a :class:`napari_qsm.study.long_table.LongTable`.

    Returns
    -------
    dict of str to DataFrame
        What is compared, to a column a reading by (region, participant, session), complete.
    list of str
        Scans that not everybody read.
    """
    notes: list[str] = []
    raters = list(dict.fromkeys(values["rater"]))
    readings = {rater: _readings(values[values["rater"] == rater], notes) for rater in raters}
    first = {rater: readings[rater][0] for rater in raters}
    out: dict[str, pd.DataFrame] = {}

    def add(title: str, columns: Mapping[str, pd.Series]) -> None:
        joined = pd.DataFrame(columns)
        out[title] = joined.dropna()
        left = len(joined) - len(out[title])
        if left:
            notes.append(f"{title}: {left} values without all readings left out.")

    if len(raters) > 1:
        add(" - ".join(raters), first)
        if len(raters) > 2:
            for a, b in itertools.combinations(raters, 2):
                add(f"{a} - {b}", {a: first[a], b: first[b]})
    for rater in raters:
        if len(readings[rater]) > 1:
            names = [f"reading {number + 1}" for number in range(len(readings[rater]))]
            add(f"{rater} repeated".strip(), dict(zip(names, readings[rater], strict=True)))
    return out, notes


def _readings(values: pd.DataFrame, notes: list[str]) -> list[pd.Series]:
    """One rater's readings by time, each a value by region, participant and visit."""
    out = []
    for name in sorted(set(values["reading"]), key=natural):
        part = side_means(values[values["reading"] == name], notes)
        out.append(part.set_index(["region", "participant", "session"])["chi_ppb"])
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
        "upper limit": "ba_high", "slope": "ba_slope",
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
            places = 3 if name.startswith("icc") or name == "ba_slope" else 2
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
