"""Where a session is saved, and what goes into its folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDialog, QWidget

from napari_qsm.session import Session
from napari_qsm.session.references import PREVIOUS
from napari_qsm.session.store import SESSION_FILE
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_folder


class SaveDialog(QDialog):
    """Asks for a folder, and whether scans are copied into it.

    Parameters
    ----------
    session : Session
        What will be saved.
    folder : Path
        Proposed.
    copy_scans : bool
        Whether the box is ticked.
    parent : QWidget
        The window.
    """

    def __init__(
        self, session: Session, folder: Path, *, copy_scans: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.save")
        self.setWindowTitle("Save everything")
        self.setMinimumWidth(560)
        self._session = session
        self._folder = ui.line("qsm.save.folder", longest=4096)
        self._folder.setText(str(folder))
        self._folder.textChanged.connect(self._explain)
        browse = ui.button("Choose …", "qsm.save.choose", self._choose)
        self._copy = ui.check(
            "Copy the scans in too",
            "qsm.save.copy",
            lambda _: self._explain(),
            on=copy_scans,
            tip="Then the folder can go to another computer alone",
        )
        self._what = ui.quiet("", "qsm.save.what")
        self._what.setMinimumHeight(90)
        self._save = ui.button("Save", "qsm.save.save", self.accept, main=True)
        self._save.setDefault(True)
        self._save.setMinimumWidth(120)
        cancel = ui.button("Cancel", "qsm.save.cancel", self.reject)
        for button in (browse, cancel):
            button.setAutoDefault(False)
        self.setLayout(
            ui.column(
                ui.label("A folder for this work:"),
                ui.row((self._folder, 1), browse),
                self._copy,
                (self._what, 1),
                ui.row(None, cancel, self._save, spacing=6),
                spacing=10,
                margins=(16, 14, 16, 14),
            )
        )
        self._explain()
        QTimer.singleShot(0, self.adjustSize)

    @property
    def folder(self) -> Path:
        """The folder chosen."""
        return Path(self._folder.text().strip()).expanduser()

    @property
    def copy_scans(self) -> bool:
        """Whether scans are copied."""
        return self._copy.isChecked()

    def _choose(self) -> None:
        chosen = ask_folder(self, "Save into", str(self.folder.parent))
        if chosen is not None:
            self._folder.setText(str(chosen))

    def _explain(self) -> None:
        drawn, copied, stay = [], [], []
        for entry in self._session.lasting:
            if entry.editable is not None:
                drawn.append(entry.name)
            elif entry.volume.origin is None or self._copy.isChecked():
                copied.append(entry.name)
            else:
                stay.append(entry.name)
        lines = []
        if drawn:
            lines.append(f"Regions and masks, written here: {', '.join(drawn)}")
        if copied:
            lines.append(f"Maps, written here: {', '.join(copied)}")
        if stay:
            lines.append(f"Maps that stay in their own files: {', '.join(stay)}")
        if (self.folder / SESSION_FILE).is_file():
            lines.append(f"The session that is there now goes into its folder '{PREVIOUS}'.")
        self._what.setText("\n".join(lines))
        self._save.setEnabled(bool(self._folder.text().strip()) and self.folder.is_absolute())
