"""Commands that open the window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.display import display_problem
from napari_qsm.cli.terminal import progress, say
from napari_qsm.errors import FileError, QsmError


def view(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Maps, folders or a saved session to open.")
    ] = None,
) -> None:
    """Open the window, with files or folders if given."""
    for path in paths or []:
        if not path.exists():
            raise FileError(f"There is no file or folder '{path}'.")
    problem = display_problem()
    if problem:
        raise QsmError(f"{problem} 'napari-qsm demo' and 'napari-qsm reconstruct' need none.")
    from napari_qsm.viewer.program import run_program

    run_program(list(paths or []))


def demo(
    out: Annotated[Path, typer.Option(help="Where results go when there is no display.")] = Path(
        "napari-qsm-demo"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier demo.")
    ] = False,
) -> None:
    """Show the built-in head; without a display, reconstruct it and write the results."""
    problem = display_problem()
    if not problem:
        from napari_qsm.viewer.program import run_demo

        run_demo()
        return
    from napari_qsm.demo import write

    with progress() as report:
        table = write(out, progress=report, overwrite=overwrite)
    say(table)
    say(f"\n{problem} The results were written to '{out}'.")


def read(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="The study's folder, or a bundle that was sent.")
    ],
    rater: Annotated[
        str, typer.Option(metavar="AA", help="Whose worklist is read; see 'study assign'.")
    ],
) -> None:
    """Read a study's scans under codes, blinded, where the rater left off."""
    problem = display_problem()
    if problem:
        raise QsmError(f"{problem} Reading needs a window.")
    from napari_qsm.study.bundle_card import opened_bundle
    from napari_qsm.viewer.reading.program import run_reading

    run_reading(opened_bundle(study, rater), rater)
