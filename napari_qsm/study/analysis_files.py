"""The analysis of a table from file to folder: read, plan, answer, write, say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from napari_qsm._version import __version__
from napari_qsm.figures.draw import render
from napari_qsm.figures.spec import FigureSpec, spec_text
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused, defused_text
from napari_qsm.study.analyse import analyse
from napari_qsm.study.analysis_report import report
from napari_qsm.study.cohort import Cohort, cohort_of
from napari_qsm.study.cohort_figures import cohort_figures
from napari_qsm.study.flow import flow_figure
from napari_qsm.study.long_table import LongTable, read_long_table
from napari_qsm.study.plan import Correction, Plan, read_plan
from napari_qsm.study.results import COLUMNS, Result
from napari_qsm.study.rows import cell, tsv

Warn = Callable[[str], None]

#: As which every figure is drawn.
ENDINGS = (".pdf", ".svg", ".png")


@dataclass(frozen=True, eq=False)
class Analysis:
    """A long table, what a plan asks of it, and the answers.

    Attributes
    ----------
    plan : Plan
    table : LongTable
    cohort : Cohort
    rows : list of Result
    text : str
        The report.
    without_doubtful : list of Result
        The same without maps of doubtful quality; empty where there is none.
    """

    plan: Plan
    table: LongTable
    cohort: Cohort
    rows: list[Result]
    text: str
    without_doubtful: list[Result]

    def notes(self) -> list[str]:
        """What the user must know, each sentence once."""
        left = _left_out(self.plan.exclude.items())
        return list(dict.fromkeys([*left, *_missing(self.cohort), *self.cohort.notes]))


def answered(table: LongTable, plan: Plan) -> Analysis:
    """Ask a table what a plan asks.

    Raises
    ------
    MetadataError
        If the table cannot answer.
    """
    cohort = cohort_of(table, plan)
    rows = analyse(cohort, plan)
    text = report(rows, cohort, plan)
    doubtful: list[Result] = []
    if (table.values["verdict"] == "doubtful").any():
        less = cohort_of(table, plan, without_doubtful=True)
        doubtful = analyse(less, plan)
        text += "\n\nWithout maps of doubtful quality:\n" + report(doubtful, less, plan)
    return Analysis(plan, table, cohort, rows, text, doubtful)


def analyse_files(
    table: Path,
    out: Path,
    *,
    participants: Path | None = None,
    phenotype: Path | None = None,
    plan_path: Path | None = None,
    correction: Correction | None = None,
    figures: bool = True,
    overwrite: bool = False,
    warn: Warn = lambda sentence: None,
) -> str:
    """Analyse a long table; write statistics, report, plan and figures.

    Parameters
    ----------
    table, participants, phenotype, plan_path : Path
        See :func:`napari_qsm.study.long_table.read_long_table` and
        :func:`napari_qsm.study.plan.read_plan`.
    out : Path
        The folder; made if missing.
    correction : str, optional
        In place of the plan's.
    figures : bool
        Whether they are drawn.
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
    found = answered(long, plan)
    specs = cohort_figures(found.rows, found.cohort, plan) if figures else {}
    if figures:
        specs["flow"] = flow_figure(found.cohort, plan, excluded=long.excluded)
    for note in found.notes():
        warn(note)
    sources = [p for p in (table, participants, phenotype, plan_path) if p is not None]
    with staged_folder(out, overwrite=overwrite) as staging:
        write_analysis(staging, found, about_sources(sources))
        if specs:
            write_figures(staging / "figures", specs)
    return found.text


def about_sources(sources: Iterable[Path]) -> dict[str, str]:
    """Checksum of each file that was read, by its name."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sources}


def write_analysis(folder: Path, found: Analysis, sources: Mapping[str, str]) -> None:
    """Write ``statistics.tsv`` with its dictionary, ``report.txt`` and ``plan.yaml``."""
    _write(folder / "statistics.tsv", statistics_text(found.rows))
    if found.without_doubtful:
        text = statistics_text(found.without_doubtful)
        _write(folder / "statistics_without-doubtful.tsv", text)
    about = {
        "Columns": COLUMNS,
        "PlanSha256": found.plan.sha256,
        "Sources": dict(sources),
        "GeneratedBy": {"Name": "napari-qsm", "Version": __version__},
        "Notes": found.notes(),
    }
    _write(folder / "statistics.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    _write(folder / "report.txt", found.text + "\n")
    _write(folder / "plan.yaml", found.plan.to_yaml())


def write_figures(
    folder: Path, specs: Mapping[str, FigureSpec], *, home: Path | None = None
) -> None:
    """Draw figures as PDF, SVG and PNG, each with its spec, caption and numbers beside it.

    Parameters
    ----------
    folder : Path
        Made if missing.
    specs : mapping of str to FigureSpec
        By the names of their files; paths in them are absolute.
    home : Path, optional
        Where the files will lie in the end, from which their specs name maps.
    """
    folder.mkdir(exist_ok=True)
    for name, spec in specs.items():
        drawn = render(spec, base=folder)
        for ending in ENDINGS:
            (folder / f"{name}{ending}").write_bytes(drawn.picture(ending))
        _write(folder / f"{name}.json", spec_text(spec, folder=home or folder))
        _write(folder / f"{name}.txt", drawn.caption.rstrip() + "\n")
        if drawn.table is not None:
            _write(folder / f"{name}.csv", defused(drawn.table).to_csv(index=False))


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")


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
