"""Commands that open the window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.terminal import has_display, progress, say
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
    if not has_display():
        raise QsmError(
            "There is no display to open a window on; 'napari-qsm demo' and 'napari-qsm "
            "reconstruct' work without one."
        )
    from napari_qsm.viewer.program import run_program

    run_program(list(paths or []))


def demo(
    out: Annotated[Path, typer.Option(help="Where results go when there is no display.")] = Path(
        "napari-qsm-demo"
    ),
) -> None:
    """Show the built-in head; without a display, reconstruct it and write the results."""
    if has_display():
        from napari_qsm.viewer.program import run_demo

        run_demo()
        return
    from napari_qsm.demo import write

    with progress() as report:
        table = write(out, progress=report, overwrite=True)
    say(table)
    say(f"\nThere is no display, so the results were written to '{out}'.")
