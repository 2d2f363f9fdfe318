"""The analysis of a table from file to folder: read, plan, answer, write, say."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from napari_qsm._version import __version__
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused_text
from napari_qsm.study.analyse import COLUMNS, Result, analyse
from napari_qsm.study.analysis_report import report
from napari_qsm.study.cohort import Cohort, cohort_of
from napari_qsm.study.long_table import read_long_table
from napari_qsm.study.plan import Correction, read_plan

Warn = Callable[[str], None]


def analyse_files(
    table: Path,
    out: Path,
    *,
    participants: Path | None = None,
    phenotype: Path | None = None,
    plan_path: Path | None = None,
    correction: Correction | None = None,
    overwrite: bool = False,
    warn: Warn = lambda sentence: None,
) -> str:
    """Analyse a long table; write ``statistics.tsv`` and ``.json``, ``report.txt``, ``plan.yaml``.

    Parameters
    ----------
    table, participants, phenotype, plan_path : Path
        See :func:`napari_qsm.study.long_table.read_long_table` and
        :func:`napari_qsm.study.plan.read_plan`.
    out : Path
        The folder; made if missing.
    correction : str, optional
        In place of the plan's.
    overwrite : bool
        Whether results of an earlier analysis there may be replaced.
    warn : callable
        Told in sentences what must be known of the table.

    Returns
    -------
    str
        What ``report.txt`` holds.

    Raises
    ------
    QsmError
        If table, plan or folder cannot be used. Nothing is written then.
    """
    plan = read_plan(plan_path, correction=correction)
    long = read_long_table(
        table, participants=participants, phenotype=phenotype, leave_out=list(plan.exclude)
    )
    cohort = cohort_of(long, plan)
    rows = analyse(cohort, plan)
    text = report(rows, cohort, plan)
    doubtful: list[Result] = []
    if (long.values["verdict"] == "doubtful").any():
        less = cohort_of(long, plan, without_doubtful=True)
        doubtful = analyse(less, plan)
        text += "\n\nWithout maps of doubtful quality:\n" + report(doubtful, less, plan)
    for note in dict.fromkeys([*_left_out(plan.exclude.items()), *_missing(cohort), *cohort.notes]):
        warn(note)
    with staged_folder(out, overwrite=overwrite) as staging:
        (staging / "statistics.tsv").write_text(statistics_text(rows), "utf-8", newline="\n")
        if doubtful:
            (staging / "statistics_without-doubtful.tsv").write_text(
                statistics_text(doubtful), "utf-8", newline="\n"
            )
        sources = [p for p in (table, participants, phenotype, plan_path) if p is not None]
        about = {
            "Columns": COLUMNS,
            "PlanSha256": plan.sha256,
            "Sources": {p.name: sha256(p.read_bytes()).hexdigest() for p in sources},
            "GeneratedBy": {"Name": "napari-qsm", "Version": __version__},
            "Notes": cohort.notes,
        }
        (staging / "statistics.json").write_text(
            json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8", newline="\n"
        )
        (staging / "report.txt").write_text(text + "\n", "utf-8", newline="\n")
        (staging / "plan.yaml").write_text(plan.to_yaml(), "utf-8", newline="\n")
    return text


def _left_out(excluded: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{person} is left out: {why}." for person, why in excluded]


def _missing(cohort: Cohort) -> list[str]:
    """Who was not seen at which visit; all that there is of them is analysed."""
    if len(cohort.visits) < 2 or not cohort.regions:
        return []
    seen: set[tuple[str, str]] = set()
    for region in cohort.regions:
        wide = cohort.over_visits(region)
        seen |= {
            (person, visit)
            for p, person in enumerate(cohort.followed)
            for v, visit in enumerate(cohort.visits)
            if math.isfinite(wide[p, v])
        }
    gone = [f"{p} {v}" for p in cohort.followed for v in cohort.visits if (p, v) not in seen]
    if not gone:
        return []
    return [
        f"Missing visits: {', '.join(gone)}. The mixed model takes all others; complete cases stand "
        "beside it."
    ]


def statistics_text(rows: Sequence[Result]) -> str:
    """Results as ``statistics.tsv``; ``n/a`` where there is no number."""
    lines = []
    for row in rows:
        o = row.outcome
        numbers = [o.estimate, *o.ci, o.effect, o.statistic, o.df1, o.df2, o.p]
        numbers += [row.p_bonferroni, row.p_holm, row.q_fdr]
        words = [row.question, defused_text(row.region), defused_text(row.contrast), row.test]
        lines.append([*words, o.n, *map(cell, numbers), defused_text(row.note)])
    return tsv(list(COLUMNS), lines)


def cell(value: float) -> str:
    """A number to the digits it carries, ``n/a`` for none."""
    return f"{value:.10g}" if math.isfinite(value) else "n/a"


def tsv(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Lines under names, divided by tabs."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return out.getvalue()
