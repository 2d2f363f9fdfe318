"""Save a finished reconstruction as the command line writes it: same files, same names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_qsm.errors import FileError
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder


def ask_result_folder(parent: QWidget) -> Path | None:
    """Ask where results go, and whether results that are there already may be replaced."""
    from napari_qsm.outputs import check_free

    folder = ask_folder(parent, "A folder for the results")
    if folder is None:
        return None
    try:
        check_free(folder)
    except FileError:
        check_free(folder, overwrite=True)  # what leave to replace does not mend is said
        answer = ask(
            parent,
            "qsm.reconstruct.replace",
            "Replace the results?",
            f"'{folder.name}' already holds results of a reconstruction. Replace them?",
            "",
            (Answer("yes", "Replace", "destroys"), Answer("no", "Cancel", "no")),
        )
        if answer == "no":
            return None
    return folder


def result_writer(recon: Reconstruction, folder: Path) -> Callable[..., Path]:
    """What writes the finished results and their report into a folder, for a thread.

    Raises
    ------
    QsmError
        If a step has not run or is out of date.
    """
    make, inputs = recon.result_maker(), recon.inputs()

    def work(progress: Any, cancelled: Any) -> Path:
        from napari_qsm.outputs import write_result
        from napari_qsm.qc.files import write_quality

        result = make()

        def report(staging: Path) -> None:
            write_quality(
                result,
                inputs,
                staging / "report.html",
                rated_in=folder,
                progress=lambda fraction: progress(0.6 + 0.4 * fraction, "Writing the report"),
            )

        write_result(
            result,
            folder,
            overwrite=True,
            beside=report,
            progress=lambda fraction: progress(0.1 + 0.5 * fraction, "Writing the maps"),
        )
        return folder

    return work
