"""The analysis of a study's folder: its table, its frozen plan, agreement, figures, methods."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from napari_qsm._version import __version__
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.atomic import staged_folder
from napari_qsm.recon.provenance import software_versions
from napari_qsm.study.agree import (
    agreement_of_study,
    agreement_texts,
    comparisons,
    two_columns,
)
from napari_qsm.study.analysis_files import (
    about_sources,
    answered,
    write_analysis,
    write_figures,
)
from napari_qsm.study.checklist import checklist, checklist_text
from napari_qsm.study.cohort import Cohort
from napari_qsm.study.cohort_figures import agreement_figures, cohort_figures
from napari_qsm.study.collected import LONG, collected
from napari_qsm.study.flow import flow_figure
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.long_table import LongTable, read_long_table
from napari_qsm.study.methods_text import methods_text, paragraphs
from napari_qsm.study.plan import Correction, Plan, read_plan
from napari_qsm.study.plate import plate_of_visits
from napari_qsm.study.protocol import Protocol
from napari_qsm.study.study_facts import StudyFacts, facts_of_study

Warn = Callable[[str], None]

#: What an analysis writes into ``group/``; those that a later one does not make leave with it.
FILES = (
    "statistics.tsv", "statistics.json", "statistics_without-doubtful.tsv", "report.txt", "plan.yaml",
    "agreement.tsv", "agreement.txt", "methods.txt", "checklist.tsv", "about.json",
)  # fmt: skip


def analyse_study(
    study: StudyFolder,
    *,
    plan_path: Path | None = None,
    correction: Correction | None = None,
    figures: bool = True,
    warn: Warn = lambda sentence: None,
) -> str:
    """Ask a study what its plan asks; write everything into ``group/``.

    Parameters
    ----------
    study : StudyFolder
        Whose readings were collected.
    plan_path : Path, optional
        Another plan than that of the protocol.
    correction : str, optional
        In place of the plan's.
    figures : bool
        Whether they are drawn.
    warn : callable
        Told in sentences what must be known.

    Returns
    -------
    str
        What ``report.txt`` holds.

    Raises
    ------
    QsmError
        If nothing was collected, the table is older than what it was made from, or it cannot
        answer. Nothing is written then.
    """
    said = collected(study)
    plan, plan_note = chosen_plan(study.protocol, plan_path, correction)
    table = _table(study, plan)
    found = answered(table, plan)
    long = _as_text(study.group / LONG)
    facts = facts_of_study(study, long, said.get("Scans", {}), leave_out=plan.exclude)
    compared, notes = comparisons(table.values)
    agreements = agreement_of_study(study, compared)
    for note in dict.fromkeys(
        [*said.get("GeneratedBy", {}).get("Notes", ()), *found.notes(), *notes]
    ):
        warn(note)
    text = f"{plan_note}\n\n{found.text}"
    found = replace(found, text=text)
    specs: dict[str, FigureSpec] = {}
    if figures:
        specs = cohort_figures(found.rows, found.cohort, plan)
        specs |= agreement_figures(two_columns(compared))
        specs["flow"] = _flow(facts, table, found.cohort, plan)
        plate = plate_of_visits(study, found.cohort, plan.rater or facts.busiest(), warn)
        if plate is not None:
            specs["plate"] = plate
    sources = [study.group / LONG, study.protocol_file, *filter(None, [study.participants])]
    sources += [*study.phenotypes(), *([plan_path] if plan_path else [])]
    checksums = about_sources(sources)
    gone = [*FILES, *_old_figures(study.group)]
    with staged_folder(study.group, overwrite=True, replaces=gone) as staging:
        write_analysis(staging, found, checksums)
        for name, content in agreement_texts(agreements).items():
            _write(staging / name, content)
        _write(staging / "methods.txt", methods_text(facts, found, agreements, plan_note))
        items = checklist(paragraphs(facts, found, agreements, plan_note), found)
        _write(staging / "checklist.tsv", checklist_text(items))
        about = _about(study.protocol, plan, plan_note, checksums)
        _write(staging / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        if specs:
            write_figures(staging / "figures", specs, home=study.group / "figures")
    return text


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")


def _as_text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def _table(study: StudyFolder, plan: Plan) -> LongTable:
    scanned = {key[0] for key in study.imported} | {scan.participant for scan in study.scans}
    return read_long_table(
        study.group / LONG,
        participants=study.participants,
        phenotype=study.phenotypes(),
        leave_out=list(plan.exclude),
        unread=sorted(scanned),
    )


def chosen_plan(
    protocol: Protocol, plan_path: Path | None, correction: Correction | None
) -> tuple[Plan, str]:
    """The plan, and a sentence on whether it was fixed before anybody read.

    Parameters
    ----------
    protocol : Protocol
    plan_path : Path, optional
        Of another plan.
    correction : str, optional
        In place of the plan's.
    """
    frozen = protocol.plan()
    plan = frozen if plan_path is None else read_plan(plan_path)
    if correction:
        plan = Plan(**{**asdict(plan), "correction": correction})
    differs = [name for name, value in asdict(plan).items() if value != getattr(frozen, name)]
    if protocol.frozen is None:
        return plan, (
            "EXPLORATORY: the plan was not frozen before the readings, so it may have been chosen "
            f"after looking at them (plan sha256 {plan.sha256[:12]})."
        )
    when = f"{protocol.frozen.at:%Y-%m-%d}"
    if differs:
        listed = ", ".join(
            f"{name} {getattr(frozen, name)!r} -> {getattr(plan, name)!r}" for name in differs
        )
        return plan, (
            f"EXPLORATORY: this is not the plan that was frozen with the protocol on {when}; it "
            f"differs in {listed} (plan sha256 {plan.sha256[:12]}, frozen {frozen.sha256[:12]})."
        )
    changes = [change for change in protocol.amendments if "analysis" in change.changed]
    if changes:
        why = "; ".join(f"{change.at:%Y-%m-%d}: {change.reason}" for change in changes)
        return plan, (
            f"The plan was amended after readings had begun ({why}); as it stands since {when}, "
            f"sha256 {plan.sha256[:12]}."
        )
    return plan, (
        f"The plan was frozen with the protocol before the first reading, on {when} (plan sha256 "
        f"{plan.sha256[:12]}, protocol {protocol.frozen.sha256[:12]})."
    )


def _flow(facts: StudyFacts, table: LongTable, cohort: Cohort, plan: Plan) -> FigureSpec:
    """The flow of participants from ``participants.tsv`` to the analysis."""
    enrolled = {name: person.group for name, person in facts.people.items()}
    return flow_figure(
        cohort,
        plan,
        excluded=table.excluded,
        enrolled=enrolled or None,
        scanned=facts.scans,
        unread=facts.unread,
    )


def _old_figures(group: Path) -> list[str]:
    folder = group / "figures"
    if not folder.is_dir():
        return []
    return [f"figures/{path.name}" for path in sorted(folder.iterdir()) if path.is_file()]


def _about(
    protocol: Protocol, plan: Plan, plan_note: str, checksums: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "GeneratedBy": {"Name": "napari-qsm", "Version": __version__},
        "Python": ".".join(map(str, sys.version_info[:3])),
        "Libraries": software_versions(),
        "At": datetime.now(UTC).isoformat(timespec="seconds"),
        "Protocol": {
            "Name": protocol.name,
            "Sha256": protocol.sha256,
            "FrozenAt": protocol.frozen.at.isoformat() if protocol.frozen else None,
            "Amendments": [change.model_dump(mode="json") for change in protocol.amendments],
        },
        "PlanSha256": plan.sha256,
        "PlanNote": plan_note,
        "Sources": dict(checksums),
    }
