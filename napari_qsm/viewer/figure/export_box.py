"""Getting the figure out: picture, clipboard, spec; and a spec in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.figures.saving import ENDINGS
from napari_qsm.figures.spec_files import read_spec
from napari_qsm.session.figure.export import Frozen, clipboard_pixels, export, freeze, opened
from napari_qsm.session.settings import save_settings
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import last_folder
from napari_qsm.viewer.figure.preview_box import as_image
from napari_qsm.viewer.figure.work import BLINDED, FigureWork

_FILTERS = {
    "PNG picture (*.png)": ".png",
    "TIFF picture (*.tiff *.tif)": ".tiff",
    "PDF page (*.pdf)": ".pdf",
    "SVG drawing (*.svg)": ".svg",
}


class ExportBox(QWidget):
    """The main button and its smaller siblings."""

    def __init__(self, work: FigureWork, commit: Callable[[], None]) -> None:
        super().__init__()
        self._work = work
        self._commit = commit
        self._services = work.context
        self._main = ui.button("Export figure …", "qsm.figure.export", self.ask_export, main=True)
        self._main.setToolTip(
            "PNG, TIFF, PDF or SVG; with the caption, the table, and what it can be made again from"
        )
        self._copy = self._button(
            "Copy", "copy_picture", self.copy, "The picture, to the clipboard"
        )
        self._save = self._button(
            "Save spec …", "save_spec", self.ask_save, "The figure as data, without a picture"
        )
        self._open = self._button(
            "Open spec …", "open_spec", self.ask_open, "A figure that was exported or saved before"
        )
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self._copy, self._save, self._open):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(4)
        layout.addWidget(self._main)
        layout.addLayout(row)

    def _button(self, text: str, name: str, call: Callable[[], None], tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"qsm.figure.{name}")
        button.setToolTip(tip)
        button.clicked.connect(lambda _=False: call())
        return button

    def refresh(self) -> None:
        """Only what can be done."""
        for button in (self._main, self._copy, self._save):
            button.setEnabled(self._work.spec is not None)

    # -- questions ------------------------------------------------------------------------

    @property
    def _window(self) -> Any:
        return self._services.window

    def ask_export(self) -> None:
        """Ask for a file and write the figure."""
        name, chosen = QFileDialog.getSaveFileName(
            self._window,
            "Export figure",
            str(Path(last_folder()) / "figure.png"),
            ";;".join(_FILTERS),
        )
        if name:
            path = Path(name)
            if path.suffix.lower() not in ENDINGS:
                path = path.with_name(path.name + _FILTERS.get(chosen, ".png"))
            self.write(path)

    def ask_save(self) -> None:
        """Ask for a file and write the spec."""
        name, _ = QFileDialog.getSaveFileName(
            self._window,
            "Save the figure's spec",
            str(Path(last_folder()) / "figure.json"),
            "Figure spec (*.json)",
        )
        if name:
            path = Path(name)
            self.write(path if path.suffix.lower() == ".json" else Path(name + ".json"))

    def ask_open(self) -> None:
        """Ask for a spec and show its figure."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open a figure's spec", last_folder(), "Figure spec (*.json)"
        )
        if name:
            self._work.attempt(lambda: self.read(Path(name)))

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
        save_settings({"folder": str(path.parent)})

        def job(progress: Any, cancelled: Any) -> Any:
            return export(frozen, path, self._work.references, progress)

        self._services.run(f"Exporting {path.name}", job, self._written)

    def _written(self, result: tuple[list[Path], tuple[str, ...]]) -> None:
        files, notes = result
        beside = [f.name for f in files[1:] if f.parent == files[0].parent]
        data = next((f.parent.name for f in files if f.parent != files[0].parent), "")
        also = beside + ([f"the folder '{data}'"] if data else [])
        with_ = f", with {', '.join(also)} beside it" if also else ""
        self._services.message(" ".join([f"The figure is in '{files[0]}'{with_}.", *notes]))

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
            self._services.message("The figure is in the clipboard; paste it where you need it.")

        self._services.run("Copying the figure", job, done)

    def read(self, path: Path) -> None:
        """Show the figure of a spec file.

        Raises
        ------
        QsmError
            If it is not a figure's file.
        """
        self._work.change("spec opened", opened(read_spec(path), path.parent), 0)
        save_settings({"folder": str(path.parent)})
