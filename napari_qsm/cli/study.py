"""Commands on a whole cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_qsm.cli import study_bundle, study_folder, study_registration
from napari_qsm.cli.terminal import note, say
from napari_qsm.errors import MetadataError

app = typer.Typer(help="A cohort: from its folder to tests and agreement.", no_args_is_help=True)
study_folder.add_to(app)
study_registration.add_to(app)
study_bundle.add_to(app)

_Study = Annotated[
    Path | None, typer.Argument(metavar="[STUDY]", help="The study's folder, or else --table.")
]
_Table = Annotated[
    Path | None,
    typer.Option(
        metavar="LONG.tsv",
        help="Without a study: one row a region at a visit: participant_id, session_id, group, "
        "region, chi_ppb, ... (.tsv or .csv).",
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where results of --table belong; a study has its group/."),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace earlier results of --table.")
]
_Figures = Annotated[
    bool, typer.Option("--figures/--no-figures", help="Draw figures as PDF, SVG and PNG.")
]


@app.command()
def analyse(
    study: _Study = None,
    table: _Table = None,
    out: _Out = None,
    participants: Annotated[
        Path | None, typer.Option(metavar="P.tsv", help="participant_id, group, age, sex.")
    ] = None,
    phenotype: Annotated[
        Path | None, typer.Option(metavar="S.tsv", help="participant_id, session_id and scores.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="PLAN.yaml", help="What is asked, and how; that of the protocol unless given."
        ),
    ] = None,
    correction: Annotated[
        Literal["fdr", "holm", "bonferroni", "none"] | None,
        typer.Option(help="Which decides whether a region survives; all are written."),
    ] = None,
    figures: _Figures = True,
    overwrite: _Overwrite = False,
) -> None:
    """Compare groups and visits region by region; print the table of the paper."""
    if study is not None:
        _only_of_a_table(table=table, out=out, participants=participants, phenotype=phenotype)
        from napari_qsm.study.analyse_study import analyse_study
        from napari_qsm.study.folder import StudyFolder

        folder = StudyFolder(study)
        say(
            analyse_study(folder, plan_path=plan, correction=correction, figures=figures, warn=note)
        )
        return
    from napari_qsm.study.analysis_files import analyse_files

    table, out = _table_and_out(table, out)
    say(
        analyse_files(
            table,
            out,
            participants=participants,
            phenotype=phenotype,
            plan_path=plan,
            correction=correction,
            figures=figures,
            overwrite=overwrite,
            warn=note,
        )
    )


@app.command()
def agree(
    study: _Study = None,
    table: _Table = None,
    out: _Out = None,
    figures: _Figures = True,
    overwrite: _Overwrite = False,
) -> None:
    """Agreement of raters and of repeated readings: ICC, SEM, Bland-Altman; Dice in a study."""
    from napari_qsm.study.agree import agree_files, agree_study

    if study is not None:
        _only_of_a_table(table=table, out=out)
        from napari_qsm.study.folder import StudyFolder

        say(agree_study(StudyFolder(study), figures=figures, warn=note))
        return
    table, out = _table_and_out(table, out)
    say(agree_files(table, out, figures=figures, overwrite=overwrite, warn=note))


def _only_of_a_table(**given: Path | None) -> None:
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if named:
        raise MetadataError(
            f"{' and '.join(named)} belong to a table; a study's folder holds its own."
        )


def _table_and_out(table: Path | None, out: Path | None) -> tuple[Path, Path]:
    if table is None:
        raise MetadataError("Give the folder of a study, or --table LONG.tsv.")
    if out is None:
        raise MetadataError("Give --out FOLDER, where the results of the table belong.")
    return table, out
