"""Opening in the window, with the questions that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtWidgets import QInputDialog, QMainWindow

from napari_qsm.errors import QsmError
from napari_qsm.io.choosing import AmbiguousSeries
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.dealing import unclear
from napari_qsm.session.opening import Loaded, load, load_head, load_series
from napari_qsm.session.references import place_in
from napari_qsm.session.saved import SavedMap
from napari_qsm.study.folder import is_study
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder, ask_open_file, ask_open_files

if TYPE_CHECKING:
    from napari_qsm.viewer.services import Services


class Files:
    """What a workspace opens.

    Attributes
    ----------
    opened : Signal
        Something was put into the session; sends the paths it came from.
    study_found : Signal
        What is to be opened is a study; sends its folder.
    """

    opened = Signal(list)
    study_found = Signal(Path)

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def _window(self) -> QMainWindow:
        return self._services.window

    def choices(
        self, open_heads: Callable[[], Any]
    ) -> list[tuple[str, str, str, Callable[[], Any]]]:
        """What an empty window offers: name, text, explanation, what it does."""
        maps = "NIfTI files: susceptibility, magnitude, regions"
        head = "A head made by formula, with known iron"
        return [
            (
                "folder",
                "Open a scanner folder",
                "DICOM or BIDS, or a saved session",
                self.ask_folder,
            ),
            ("map", "Open a map", maps, self.ask_map),
            (
                "study",
                "Open a study",
                "A cohort: its scans, readings and results",
                self.ask_study,
            ),
            ("head", "Try the built-in head", head, open_heads),
        ]

    def open(self, paths: list[Path]) -> None:
        """Read files and folders in the background and show them; a study gets its page."""
        paths = self._without_studies(paths)
        if not paths:
            return
        names = ", ".join(path.name for path in paths[:3])

        def work(progress: Any, cancelled: Any) -> Loaded:
            return load(paths, progress=progress, cancelled=cancelled)

        def done(loaded: Loaded) -> None:
            self.show_loaded(loaded, paths=paths)

        self._services.run(f"Reading {names}", work, done)

    def open_now(self, paths: list[Path]) -> None:
        """The same, but what was read is shown when this comes back; the page of a study follows."""
        paths = self._without_studies(paths)
        if paths:
            self.show_loaded(load(paths), paths=paths)

    def _without_studies(self, paths: list[Path]) -> list[Path]:
        """Have the first study shown; returns what is none."""
        studies = [path for path in paths if is_study(path)]
        if studies:
            self.study_found.emit(studies[0])
        return [path for path in paths if path not in studies]

    def open_head(self, subject: str) -> None:
        """Make the built-in head in the background and show it."""

        def work(progress: Any, cancelled: Any) -> Loaded:
            return load_head(subject, lambda f: progress(f, f"Making the {subject}'s head"))

        self._services.run(f"Making the {subject}'s head", work, self.show_loaded)

    def show_loaded(self, loaded: Loaded, *, paths: Sequence[Path] = ()) -> None:
        """Put what was read into the session, and say what could not be.

        For maps of a saved session that are no longer where they were, the user is asked
        first; without a window to ask in, they are left out.

        Parameters
        ----------
        loaded : Loaded
            What was read.
        paths : sequence of path
            From where, for the list of what was opened lately.
        """
        found = self._ask_missing(loaded)
        if not found:
            self._take(loaded, paths)
            return

        def work(progress: Any, cancelled: Any) -> Loaded:
            for number, (each, path) in enumerate(found):
                progress(number / len(found), f"Reading {path.name}")
                try:
                    odd = each.read_from(path)
                except (QsmError, OSError) as error:
                    odd = str(error)
                if odd:
                    loaded.problems.append(odd)
            return loaded

        self._services.run("Reading maps", work, partial(self._take, paths=paths))

    def _take(self, loaded: Loaded, paths: Sequence[Path] = ()) -> None:
        problems = list(loaded.problems)
        session = self._services.session
        same: bool | None = None
        if self._window.isVisible() and unclear(loaded.maps, session):
            answer = self._ask_whose(loaded)
            if answer == "cancel":
                return
            same = answer == "same"
        try:
            problems += loaded.into(session, same_case=same)
        except QsmError as error:
            problems.append(str(error))
        if problems:
            self._services.message(" ".join(problems))
        if loaded.maps or loaded.sessions:
            self.opened.emit(list(paths))
        for folder, several in loaded.undecided:
            self._ask_series(folder, several)

    def _ask_whose(self, loaded: Loaded) -> str:
        """``"same"``, ``"new"`` or ``"cancel"``: nothing tells whose the files are."""
        names = ", ".join(f"'{opened.volume.name}'" for opened in loaded.maps[:3])
        case = shown_case(self._services.session, self._services.session.case)
        return ask(
            self._window,
            "qsm.whose",
            "Whose maps are these?",
            f"Do they belong to '{case}', or to another patient or visit?",
            f"{names}: neither their names nor their folder tell. Maps of one patient and visit "
            "share regions, midline and views; another one gets a case of its own.",
            (
                Answer("new", "A new case"),
                Answer("same", f"The same: {case}"),
                Answer("cancel", "Cancel", "no"),
            ),
        )

    def _ask_missing(self, loaded: Loaded) -> list[tuple[SavedMap, Path]]:
        """Where the files of a session are now; those found in one folder are not asked for."""
        found: list[tuple[SavedMap, Path]] = []
        folders: list[Path] = []
        if not self._window.isVisible():
            return found
        missing = [(each, saved.folder) for saved in loaded.sessions for each in saved.missing]
        for each, folder in missing:
            beside = (folder / each.file_name for folder in folders)
            path = next((place for place in beside if place.is_file()), None)
            if path is None:
                path = self._ask_where(each, folder)
            if path is not None:
                folders.append(path.parent)
                found.append((each, path))
        return found

    def _ask_where(self, each: SavedMap, folder: Path) -> Path | None:
        where = place_in(each.reference or {}, folder).parent
        answer = ask(
            self._window,
            "qsm.missing",
            "A map is missing",
            f"Where is '{each.file_name}'?",
            f"The map '{each.record['name']}' is not in '{where}' any more. Regions and everything "
            "else open without it too.",
            (Answer("locate", "Show me where …"), Answer("without", "Open without it", "no")),
        )
        if answer == "without":
            return None
        return ask_open_file(self._window, f"Where is {each.file_name}?")

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
            self._services.run(
                f"Reading {folder.name}",
                lambda progress, cancelled: load_series(folder, series),
                self.show_loaded,
            )

    def ask_map(self) -> None:
        """Ask for files and open them."""
        paths = ask_open_files(self._window, "Open maps")
        if paths:
            self.open(paths)

    def ask_study(self) -> None:
        """Ask for the folder of a study, and have it shown."""
        folder = ask_folder(self._window, "Open a study")
        if folder is not None:
            self.study_found.emit(folder)

    def ask_folder(self) -> None:
        """Ask for a folder and open what it holds."""
        folder = ask_folder(self._window, "Open a scan or a saved session")
        if folder is not None:
            self.open([folder])
