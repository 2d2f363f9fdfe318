"""Commands on the folder of a study: make it, look at it, give out readings, collect them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.terminal import note, progress, say

Study = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]
_Reason = Annotated[str, typer.Option(help="Why, in your words; it is written into the log.")]


def new(
    study: Study,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="PROTOCOL.yaml",
            help="Regions, shapes and plan: a file, or deep-grey-13 or basal-ganglia to start from.",
        ),
    ],
    raw: Annotated[Path | None, typer.Option(metavar="RAW", help="The BIDS data set.")] = None,
) -> None:
    """Make a folder a study, with its protocol."""
    from napari_qsm.study.folder import make_study
    from napari_qsm.study.protocol import load_protocol

    made = make_study(study, load_protocol(protocol), raw)
    told = f", with {len(made.imported)} scans in '{made.raw}'" if made.raw else ""
    say(f"'{study}' is the study '{made.protocol.name}'{told}.")
    if made.raw is None:
        note("The study knows no raw data set; 'napari-qsm batch RAW --out STUDY' tells it.")


def check(study: Study) -> None:
    """Say what is wrong with a study: persons, visits, scores, maps, readings."""
    from napari_qsm.study.check import check_study
    from napari_qsm.study.folder import StudyFolder

    folder = StudyFolder(study)
    with progress() as report:
        found = check_study(folder, progress=lambda part: report("looking at maps", part))
    say(found.text(folder))
    if found.problems:
        raise typer.Exit(1)


def status(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .tsv, .csv, .xlsx or .json file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a table.")] = False,
) -> None:
    """Show how far every participant is at every visit."""
    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.status import status_cells, status_columns, status_of, status_text

    folder = StudyFolder(study)
    rows = status_of(folder)
    if out is None:
        say(status_text(folder, rows))
        return
    import pandas as pd

    from napari_qsm.io.targets import check_out_file
    from napari_qsm.rois.exports import check_ending
    from napari_qsm.rois.files import write_table

    check_ending(out)
    check_out_file(out, overwrite=overwrite)
    frame = pd.DataFrame([status_cells(row) for row in rows], columns=status_columns(rows))
    write_table(frame.replace("", "n/a"), out)
    say(f"Written: {out}")


def assign(
    study: Study,
    rater: Annotated[str, typer.Option(metavar="AA", help="Letters and digits.")],
    all_: Annotated[bool, typer.Option("--all", help="Every scan that has a map.")] = False,
    sample: Annotated[
        str | None, typer.Option(metavar="20%", help="A random part of them, or a number.")
    ] = None,
    repeat: Annotated[
        str | None, typer.Option(metavar="10%", help="How many of these are read twice.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of order, sample and codes; drawn and noted if left out.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add new scans to an existing list.")] = False,
) -> None:
    """Give a rater a list of scans under codes, in random order."""
    from napari_qsm.errors import QsmError
    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.worklist import assign

    if all_ == (sample is not None):
        raise QsmError("Give either --all or --sample, such as --sample 20%.")
    folder = StudyFolder(study)
    items, notes = assign(folder, rater, sample=sample, repeat=repeat, seed=seed, add=add)
    for sentence in notes:
        note(sentence)
    again = sum(item.reading > 1 for item in items)
    told = f", {again} of them repeats" if again else ""
    say(f"{rater} has {len(items)} readings{told}: {folder.worklist(rater)}")


def unblind(study: Study, reason: _Reason) -> None:
    """Show what the codes stand for; that this was done is written into the log."""
    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.worklist import unblind

    folder = StudyFolder(study)
    key = unblind(folder, reason)
    lines = [
        f"{code}  {item.rater:<6} {folder.scan(*item.key).name}"
        + (f" (reading {item.reading})" if item.reading > 1 else "")
        for code, item in sorted(key.items(), key=lambda pair: (pair[1].rater, pair[1].key))
    ]
    say("\n".join(lines))


def amend(study: Study, reason: _Reason) -> None:
    """State a change of the protocol that was made after it was frozen."""
    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.protocol import amend

    folder = StudyFolder(study)
    change = amend(folder.protocol_file, reason).amendments[-1]
    say(f"Amended: {', '.join(change.changed) or 'the protocol'}. Frozen as it is now.")


def collect(
    study: Study,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Pool maps that were made in different ways.")
    ] = False,
) -> None:
    """Measure all readings: roi_long.tsv with its dictionary, and roi_wide.xlsx."""
    from napari_qsm.study.collect_files import collect_files
    from napari_qsm.study.folder import StudyFolder

    folder = StudyFolder(study)
    with progress() as report:
        done = collect_files(
            folder,
            allow_mixed=allow_mixed,
            progress=lambda part: report("measuring", part),
            warn=note,
        )
    say(f"{done.readings} readings, {len(done.frame)} rows: {folder.group / 'roi_long.tsv'}")


def add_to(app: typer.Typer) -> None:
    """Put these commands under ``napari-qsm study``."""
    for command in (new, check, status, assign, collect, unblind, amend):
        app.command()(command)
