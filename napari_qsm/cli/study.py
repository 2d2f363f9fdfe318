"""Commands on a whole cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_qsm.cli import study_folder
from napari_qsm.cli.terminal import note, say

app = typer.Typer(help="A cohort: from its folder to tests and agreement.", no_args_is_help=True)
study_folder.add_to(app)

_Table = Annotated[
    Path,
    typer.Option(
        metavar="LONG.tsv",
        help="One row a region at a visit: participant_id, session_id, group, region, chi_ppb, ... "
        "(.tsv or .csv).",
    ),
]
_Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results belong.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")]
_Figures = Annotated[
    bool, typer.Option("--figures/--no-figures", help="Draw figures as PDF, SVG and PNG.")
]


@app.command()
def analyse(
    table: _Table,
    out: _Out,
    participants: Annotated[
        Path | None, typer.Option(metavar="P.tsv", help="participant_id, group, age, sex.")
    ] = None,
    phenotype: Annotated[
        Path | None, typer.Option(metavar="S.tsv", help="participant_id, session_id and scores.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="PLAN.yaml", help="What is asked, and how.")
    ] = None,
    correction: Annotated[
        Literal["fdr", "holm", "bonferroni", "none"] | None,
        typer.Option(help="Which decides whether a region survives; all are written."),
    ] = None,
    figures: _Figures = True,
    overwrite: _Overwrite = False,
) -> None:
    """Compare groups and visits region by region; print the table of the paper."""
    from napari_qsm.study.analysis_files import analyse_files

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
    table: _Table, out: _Out, figures: _Figures = True, overwrite: _Overwrite = False
) -> None:
    """Agreement of raters and of repeated readings: ICC, SEM, Bland-Altman."""
    from napari_qsm.study.agree import agree_files

    say(agree_files(table, out, figures=figures, overwrite=overwrite, warn=note))
