"""Commands that send scans to a rater elsewhere and take the readings back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.terminal import note, progress, say

_Out = Annotated[Path, typer.Option(metavar="FILE.zip", help="The file to send.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier one.")]


def bundle(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")],
    rater: Annotated[str, typer.Option(metavar="BB", help="Who has a list ('study assign').")],
    out: _Out,
    magnitude: Annotated[
        bool, typer.Option(help="Send magnitudes too, of the brain alone.")
    ] = True,
    overwrite: _Overwrite = False,
) -> None:
    """Put what a rater has still to read into one file, under codes and without names."""
    from napari_qsm.study.bundle import make_bundle
    from napari_qsm.study.folder import StudyFolder

    with progress() as report:
        done = make_bundle(
            StudyFolder(study),
            rater,
            out,
            magnitude=magnitude,
            overwrite=overwrite,
            progress=lambda part: report("packing", part),
        )
    for sentence in done.notes:
        note(sentence)
    if done.together:
        note(
            f"Shapes are carried between visits, so the scans of {done.together} persons lie "
            "together, each person under a code."
        )
    say(f"{done.scans} scans for {rater}: {out} ({out.stat().st_size / 1e6:.1f} MB)")
    say(f"{rater} reads them with: napari-qsm read {out.name} --rater {rater}")


def return_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The bundle in which was read.")],
    out: _Out,
    overwrite: _Overwrite = False,
) -> None:
    """Write the readings of a bundle into one file to send back."""
    from napari_qsm.study.bundle_return import return_bundle

    state = return_bundle(folder, out, overwrite=overwrite)
    left = len(state.begun) + len(state.waiting)
    if left:
        note(
            f"{left} scans are not handed in yet ({len(state.begun)} of them begun); the file can be "
            "written again when they are."
        )
    say(f"{len(state.done)} readings of {state.rater}: {out}")


def merge(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")],
    returned: Annotated[Path, typer.Argument(metavar="BB.zip", help="What 'study return' wrote.")],
) -> None:
    """Bring the readings of a bundle back under the real scans."""
    from napari_qsm.study.bundle_return import merge_bundle
    from napari_qsm.study.folder import StudyFolder

    done = merge_bundle(StudyFolder(study), returned)
    if done.known:
        note(f"{len(done.known)} readings were merged before and are unchanged.")
    if done.open:
        note(f"{done.open} scans of the bundle are not handed in yet.")
    told = f" and {len(done.amended)} amended ones" if done.amended else ""
    say(f"{len(done.new)} readings of {done.rater}{told} joined the study.")


def add_to(app: typer.Typer) -> None:
    """Put these commands under ``napari-qsm study``."""
    app.command()(bundle)
    app.command("return")(return_)
    app.command()(merge)
