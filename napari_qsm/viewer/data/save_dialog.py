"""Where a session is saved, and what goes into its folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.session import Session
from napari_qsm.session.folder import PREVIOUS, SESSION_FILE
from napari_qsm.viewer import ui


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
        self._folder = QLineEdit(str(folder))
        self._folder.setObjectName("qsm.save.folder")
        self._folder.textChanged.connect(self._explain)
        browse = QPushButton("Choose …")
        browse.setObjectName("qsm.save.choose")
        browse.setAutoDefault(False)
        browse.clicked.connect(lambda _=False: self._choose())
        self._copy = QCheckBox("Copy the scans in too")
        self._copy.setObjectName("qsm.save.copy")
        self._copy.setToolTip("Then the folder can go to another computer alone")
        self._copy.setChecked(copy_scans)
        self._copy.toggled.connect(self._explain)
        self._what = ui.quiet("")
        self._what.setObjectName("qsm.save.what")
        self._what.setMinimumHeight(90)
        self._save = ui.button("Save", "qsm.save.save", self.accept, main=True)
        self._save.setDefault(True)
        cancel = QPushButton("Cancel")
        cancel.setObjectName("qsm.save.cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(lambda _=False: self.reject())
        place = QHBoxLayout()
        place.addWidget(self._folder, 1)
        place.addWidget(browse)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self._save)
        self._save.setMinimumWidth(120)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(QLabel("A folder for this work:"))
        layout.addLayout(place)
        layout.addWidget(self._copy)
        layout.addWidget(self._what, 1)
        layout.addLayout(buttons)
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
        name = QFileDialog.getExistingDirectory(self, "Save into", str(self.folder.parent))
        if name:
            self._folder.setText(name)

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
