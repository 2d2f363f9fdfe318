"""The menu with lists of regions to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMenu, QSizePolicy, QToolButton

from napari_qsm.errors import QsmError
from napari_qsm.io.label_table import Region
from napari_qsm.rois.presets import (
    RegionPreset,
    built_in_presets,
    presets_in,
    read_preset,
    write_preset,
)
from napari_qsm.session import MapEntry, regions
from napari_qsm.session.settings import settings_file
from napari_qsm.viewer import ui
from napari_qsm.viewer.services import Services


def presets_folder() -> Path:
    """Where the user's own lists lie."""
    return settings_file().parent / "region-lists"


class PresetsButton(QToolButton):
    """Offers the lists that come with the program, the user's own, and files.

    Parameters
    ----------
    context : Services
        Where regions are added.
    like : callable
        Gives the map on whose grid a region map is made where there is none.
    """

    def __init__(self, context: Services, like: Callable[[], MapEntry | None]) -> None:
        super().__init__()
        self._context = context
        self._session = context.session
        self._like = like
        self.setText("Lists ▾")
        self.setObjectName("qsm.regions.presets")
        self.setToolTip("Lists of regions to start from")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setStyleSheet(ui.TOOL_BUTTONS)
        self._lists = QMenu(self)
        self._lists.setToolTipsVisible(True)
        self._lists.aboutToShow.connect(self._fill_menu)
        self.setMenu(self._lists)

    def stand_alone(self, alone: bool) -> None:
        """Say more, and take the whole row, where nothing stands beside it."""
        self.setText("Start from a list of regions ▾" if alone else "Lists ▾")
        policy = QSizePolicy.Policy.Expanding if alone else QSizePolicy.Policy.Preferred
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)

    def _entry(self) -> MapEntry | None:
        return self._session.entry(self._session.painted) if self._session.painted else None

    def _try(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except QsmError as error:
            self._context.message(str(error))

    def _fill_menu(self) -> None:
        self._lists.clear()
        own, problems = presets_in(presets_folder())
        for preset in built_in_presets():
            self._offer(preset)
        if own:
            self._lists.addSeparator()
            for preset in own:
                self._offer(preset)
        self._lists.addSeparator()
        self._lists.addAction("From a file …").triggered.connect(self._on_file)
        keep = self._lists.addAction("Keep these regions as a list …")
        keep.triggered.connect(self._on_keep)
        entry = self._entry()
        keep.setEnabled(entry is not None and bool(entry.regions))
        if problems:
            self._context.message(" ".join(problems))

    def _offer(self, preset: RegionPreset) -> None:
        action = self._lists.addAction(preset.name)
        action.setToolTip(preset.note)
        action.triggered.connect(lambda _=False: self._try(lambda: self.use_preset(preset)))

    def use_preset(self, preset: RegionPreset) -> None:
        """Add a list's regions to the region map, or make a region map with them."""
        entry, like = self._entry(), self._like()
        if entry is None or entry.role != "labels":
            if like is None:
                raise QsmError("Open a map first.")
            regions.new_region_map(self._session, like, preset.regions)
        else:
            added = regions.add_regions(self._session, entry, preset.regions)
            if not added:
                raise QsmError("All regions of this list are there already.")
            if self._session.active_region == 0:
                self._session.active_region = added[0]
        if preset.note:
            self._context.message(preset.note)

    def _on_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self,
            "A list of regions, or a label table",
            str(presets_folder()),
            "Lists and label tables (*.yaml *.yml *.txt *.label *.tsv *.lut *.ctbl *.json)",
        )
        if name:
            self._try(lambda: self.use_preset(read_preset(name)))

    def _on_keep(self) -> None:
        entry = self._entry()
        if entry is None:
            return
        name, kept = QInputDialog.getText(self, "Keep as a list", "Name of the list:")
        if kept and name.strip():
            self._try(lambda: self._keep(name.strip(), regions.regions_of(entry)))

    def _keep(self, name: str, rows: list[Region]) -> None:
        folder = presets_folder()
        plain = "".join(c if c.isalnum() or c in "-_ " else "_" for c in name).strip() or "list"
        folder.mkdir(parents=True, exist_ok=True)
        write_preset(folder / f"{plain}.yaml", name, rows)
        self._context.success(f"Kept as '{name}' in '{folder}'.")
