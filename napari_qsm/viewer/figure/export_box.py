"""Getting the figure out: picture, clipboard, spec; and a spec in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QApplication, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.figures.saving import ENDINGS
from napari_qsm.figures.spec import read_spec
from napari_qsm.session.figure.export import Frozen, clipboard_pixels, export, freeze, opened
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_open_file, ask_save_file
from napari_qsm.viewer.figure.preview_box import as_image
from napari_qsm.viewer.figure.work import BLINDED, FigureWork

_FILTERS = {
    "PNG picture (*.png)": ".png",
    "TIFF picture (*.tiff *.tif)": ".tiff",
    "PDF page (*.pdf)": ".pdf",
    "SVG drawing (*.svg)": ".svg",
}
_SPEC = "Figure spec (*.json)"


class ExportBox(QWidget):
    """The main button and its smaller siblings."""

    def __init__(self, work: FigureWork, commit: Callable[[], None]) -> None:
        super().__init__()
        self._work = work
        self._commit = commit
        self._services = work.context
        self._main = ui.button(
            "Export figure …",
            "qsm.figure.export",
            self.ask_export,
            tip="PNG, TIFF, PDF or SVG; with the caption, the table, and what it can be made again "
            "from",
            main=True,
        )
        self._copy, self._save, open_ = (
            ui.button(text, f"qsm.figure.{name}", call, tip=tip)
            for text, name, call, tip in (
                ("Copy", "copy_picture", self.copy, "The picture, to the clipboard"),
                (
                    "Save spec …",
                    "save_spec",
                    self.ask_save,
                    "The figure as data, without a picture",
                ),
                (
                    "Open spec …",
                    "open_spec",
                    self.ask_open,
                    "A figure that was exported or saved before",
                ),
            )
        )
        row = ui.row(self._copy, self._save, open_)
        self.setLayout(ui.column(self._main, row, margins=(8, 4, 8, 6)))

    def refresh(self) -> None:
        """Only what can be done."""
        for button in (self._main, self._copy, self._save):
            button.setEnabled(self._work.spec is not None)

    # -- questions ------------------------------------------------------------------------

    def ask_export(self) -> None:
        """Ask for a file and write the figure."""
        chosen = ask_save_file(
            self._services.window, "Export figure", "figure.png", ";;".join(_FILTERS)
        )
        if chosen is not None:
            path, kind = chosen
            if path.suffix.lower() not in ENDINGS:
                path = path.with_name(path.name + _FILTERS.get(kind, ".png"))
            self.write(path)

    def ask_save(self) -> None:
        """Ask for a file and write the spec."""
        chosen = ask_save_file(
            self._services.window, "Save the figure's spec", "figure.json", _SPEC
        )
        if chosen is not None:
            path = chosen[0]
            json = path.suffix.lower() == ".json"
            self.write(path if json else path.with_name(f"{path.name}.json"))

    def ask_open(self) -> None:
        """Ask for a spec and show its figure."""
        path = ask_open_file(self._services.window, "Open a figure's spec", _SPEC)
        if path is not None:
            self._work.attempt(lambda: self.read(path))

    # -- work -----------------------------------------------------------------------------

    def _frozen(self) -> Frozen:
        self._commit()
        spec = self._work.spec
        if spec is None:
            raise QsmError(
                "There is no figure yet. Choose a template, or add the current view as a panel."
            )
        if self._work.session.blinded:
            raise QsmError(BLINDED)
        return freeze(self._work.session, spec, self._work.known_provenance())

    def write(self, path: Path) -> None:
        """Write the figure, or with ``.json`` its spec alone, in the background."""
        frozen = self._work.attempt(self._frozen)
        if frozen is None:
            return

        def job(progress: Any, cancelled: Any) -> Any:
            return export(frozen, path, self._work.references, progress)

        self._services.run(f"Exporting {path.name}", job, self._written)

    def _written(self, result: tuple[list[Path], tuple[str, ...]]) -> None:
        files, notes = result
        beside = [f.name for f in files[1:] if f.parent == files[0].parent]
        data = next((f.parent.name for f in files if f.parent != files[0].parent), "")
        also = beside + ([f"the folder '{data}'"] if data else [])
        with_ = f", with {', '.join(also)} beside it" if also else ""
        say = self._services.message if notes else self._services.success
        say(" ".join([f"The figure is in '{files[0]}'{with_}.", *notes]))

    def copy(self) -> None:
        """Put the picture into the clipboard, at the resolution of the page."""
        frozen = self._work.attempt(self._frozen)
        if frozen is None:
            return

        def job(progress: Any, cancelled: Any) -> Any:
            return clipboard_pixels(frozen)

        def done(result: Any) -> None:
            pixels, dpi = result
            image = as_image(pixels)
            image.setDotsPerMeterX(round(dpi / 0.0254))
            image.setDotsPerMeterY(round(dpi / 0.0254))
            clipboard = QApplication.clipboard()
            if clipboard is not None:
                clipboard.setImage(image)
            self._services.success("The figure is in the clipboard; paste it where you need it.")

        self._services.run("Copying the figure", job, done)

    def read(self, path: Path) -> None:
        """Show the figure of a spec file.

        Raises
        ------
        QsmError
            If it is not a figure's file.
        """
        self._work.change("spec opened", opened(read_spec(path), path.parent), 0)
