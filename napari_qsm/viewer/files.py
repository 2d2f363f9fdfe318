"""Opening and saving in the window, with the questions that belong to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_qsm.errors import QsmError
from napari_qsm.io.series import AmbiguousSeries
from napari_qsm.session.folder import save_session
from napari_qsm.viewer import compat
from napari_qsm.viewer.opening import Loaded, load, load_head, load_series
from napari_qsm.viewer.settings import load_settings, save_settings

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace


class Files:
    """What a workspace opens and saves.

    Parameters
    ----------
    workspace : Workspace
        Whose session it is, and who runs the work.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def _window(self) -> Any:
        return compat.qt_window(self._workspace.viewer)

    def open(self, paths: list[Path]) -> None:
        """Read files and folders in the background and show them."""
        names = ", ".join(path.name for path in paths[:3])

        def work(progress: Any, cancelled: Any) -> Loaded:
            return load(paths, progress=progress, cancelled=cancelled)

        self._workspace.run(f"Reading {names}", work, self.show_loaded)

    def open_head(self, subject: str) -> None:
        """Make the built-in head in the background and show it."""

        def work(progress: Any, cancelled: Any) -> Loaded:
            return load_head(subject, lambda f: progress(f, f"Making the {subject}'s head"))

        self._workspace.run(f"Making the {subject}'s head", work, self.show_loaded)

    def show_loaded(self, loaded: Loaded) -> None:
        """Put what was read into the session, and say what could not be."""
        problems = list(loaded.problems)
        try:
            problems += loaded.into(self._workspace.session)
        except QsmError as error:
            problems.append(str(error))
        if problems:
            self._workspace.say(" ".join(problems))
        for folder, several in loaded.undecided:
            self._ask_series(folder, several)

    def _ask_series(self, folder: Path, several: AmbiguousSeries) -> None:
        """Let the user choose among the scans of a folder; none is opened unasked."""
        lines = [f"{scan.label}: {scan.description}" for scan in several.candidates]
        line, chosen = QInputDialog.getItem(
            self._window,
            "Which scan?",
            f"'{folder.name}' holds several scans:",
            lines,
            0,
            False,
        )
        if chosen:
            series = several.candidates[lines.index(line)].label
            self._workspace.run(
                f"Reading {folder.name}",
                lambda progress, cancelled: load_series(folder, series),
                self.show_loaded,
            )

    def ask_map(self) -> None:
        """Ask for files and open them."""
        names, _ = QFileDialog.getOpenFileNames(
            self._window, "Open maps", last_folder(), "NIfTI files (*.nii *.nii.gz)"
        )
        if names:
            save_settings({"folder": str(Path(names[0]).parent)})
            self.open([Path(name) for name in names])

    def ask_folder(self) -> None:
        """Ask for a folder and open what it holds."""
        name = QFileDialog.getExistingDirectory(
            self._window, "Open a scanner folder", last_folder()
        )
        if name:
            save_settings({"folder": str(Path(name).parent)})
            self.open([Path(name)])

    def ask_save(self) -> None:
        """Ask for a folder and save the session into it."""
        name = QFileDialog.getExistingDirectory(self._window, "Save into", last_folder())
        if name:
            session = self._workspace.session

            def work(progress: Any, cancelled: Any) -> Path:
                return save_session(session, name)

            self._workspace.run(
                "Saving", work, lambda path: self._workspace.say(f"Saved in '{path.parent}'.")
            )


def last_folder() -> str:
    """The folder that was used last, if it is still there."""
    folder = load_settings().get("folder", "")
    return folder if isinstance(folder, str) and Path(folder).is_dir() else ""
