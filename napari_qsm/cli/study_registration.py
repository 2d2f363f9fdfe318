"""Commands that tell where one visit's head lies in another, and where shapes may go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_qsm.cli.terminal import note, say

if TYPE_CHECKING:
    from napari_qsm.study.register import Registered
    from napari_qsm.study.suggest import Suggested

Study = Annotated[Path, typer.Argument(help="The folder of the study.", metavar="STUDY")]
Participants = Annotated[
    list[str] | None,
    typer.Option("--participant-label", help="Only these participants.", metavar="LABEL..."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what is refused or fails.")]


def register(
    study: Study,
    participant_label: Participants = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also visits that are registered already.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Register every visit to the participant's first, rigidly, by their magnitudes."""
    from napari_qsm.study.register import PAGE, register_study

    def report(done: Registered, number: int, count: int) -> None:
        if not done.is_usable:
            note(f"{done.name} {done.state}: {done.message}")
        elif not quiet or done.message:
            say(f"{number}/{count} {_words(done)}")

    found = register_study(
        study, participants=participant_label or (), overwrite=overwrite, report=report
    )
    bad = [done for done in found if not done.is_usable]
    if not found:
        say("Nobody has a second visit; there is nothing to register.")
    elif not quiet or bad:
        say(
            f"{len(found) - len(bad)} of {len(found)} visits registered; checkerboards in "
            f"{Path(study) / 'group' / PAGE}"
        )
    if bad:
        raise typer.Exit(1)


def _words(done: Registered) -> str:
    numbers = done.quality
    moved = (
        f"{done.name} to ses-{done.to}: {numbers.get('shift_mm', 0):.1f} mm, "
        f"{numbers.get('turn_deg', 0):.1f}°, details {numbers.get('detail', 0):.2f}"
    )
    again = " (registered before)" if done.state == "kept" else ""
    return f"{moved}{again}. {done.message}".rstrip(". ") + "."


def suggest(
    study: Study,
    participant_label: Participants = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Fit the atlas anew where it was fitted before.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Suggest places for the protocol's shapes: from an atlas, and from the first visit."""
    from napari_qsm.study.suggest import suggest_study

    def report(done: Suggested, number: int, count: int) -> None:
        if done.state in ("refused", "failed"):
            note(f"{done.name} {done.state}: {done.message}")
        elif not quiet:
            again = " (atlas fitted before)" if done.state == "kept" else ""
            say(f"{number}/{count} {done.name}: {done.count} places{again}.")

    found = suggest_study(
        study, participants=participant_label or (), overwrite=overwrite, report=report
    )
    without = dict(pair for done in found for pair in done.without.items() if done.count)
    if without and not quiet:
        for why in sorted(set(without.values())):
            names = ", ".join(name for name, reason in without.items() if reason == why)
            say(f"Without a suggestion ({why}): {names}.")
    if not found:
        say("The study has no maps yet; there is nothing to suggest.")
    if any(done.state in ("refused", "failed") for done in found):
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Put these commands under ``napari-qsm study``."""
    app.command()(register)
    app.command()(suggest)
