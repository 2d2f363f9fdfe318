"""Saving and region files, below the list of maps."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_qsm.viewer.data.saving import UNSAVED, Saving
from napari_qsm.viewer.regions.files import RegionFiles


class SaveButtons(QWidget):
    """Save everything, files of regions, and whether something is unsaved."""

    def __init__(self, saving: Saving, files: RegionFiles) -> None:
        super().__init__()
        self.setObjectName("qsm.data.keep")
        self._saving = saving
        self._state = QLabel()
        self._state.setObjectName("qsm.data.state")
        self._state.setWordWrap(True)
        grid = QGridLayout()
        grid.setSpacing(6)
        for place, name, text, tip, call in (
            (
                (0, 0),
                "save",
                "Save",
                "All of this work into its folder (asked for the first time)",
                saving.save,
            ),
            (
                (0, 1),
                "save_as",
                "Save elsewhere …",
                "All of this work into another folder",
                saving.ask,
            ),
            (
                (1, 0),
                "open_regions",
                "Open regions …",
                "Regions drawn in this or another program, onto the chosen map",
                files.ask_open,
            ),
            (
                (1, 1),
                "save_regions",
                "Save regions as …",
                "One label map with its names, for ITK-SNAP, 3D Slicer, FSLeyes or BIDS",
                files.ask_save,
            ),
        ):
            grid.addWidget(self._button(name, text, tip, call), *place)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._state)
        layout.addLayout(grid)
        self._saving.unsaved.changed.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._saving.unsaved.changed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Say whether something is unsaved, and where it is saved."""
        folder = self._saving.folder
        if self._saving.unsaved.is_unsaved:
            self._state.setText(f"<b>●</b> {UNSAVED}")
        elif folder is not None:
            self._state.setText(f"Saved in '{folder.name}'")
            self._state.setToolTip(str(folder))
        self._state.setVisible(self._saving.unsaved.is_unsaved or folder is not None)

    def _button(self, name: str, text: str, tip: str, call: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"qsm.data.{name}")
        button.setToolTip(tip)
        button.clicked.connect(lambda _=False: call())
        return button
