"""The row that chooses a recipe, and opens and saves recipe files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.recon.recipe import Recipe, load_recipe, preset_names
from napari_qsm.session.settings import save_settings
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import last_folder

_FILES = "Recipes (*.yaml *.yml *.json)"


class RecipeRow(QWidget):
    """Presets, files that were opened, and whether anything was changed since.

    Parameters
    ----------
    recon : Reconstruction
        Gets the recipe.
    say : callable
        Tells the user a sentence.
    """

    def __init__(self, recon: Reconstruction, say: Any) -> None:
        super().__init__()
        self._recon = recon
        self._say = say
        self._recipes: list[Recipe] = [load_recipe(name) for name in preset_names()]
        self._choice = QComboBox()
        self._choice.setObjectName("qsm.reconstruct.recipe")
        self._choice.setToolTip("Which methods and settings; every step can be changed below")
        self._choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._choice.activated.connect(self._on_choice)
        ui.spare_wheel(self._choice)
        self._open = QPushButton("Open …")
        self._open.setObjectName("qsm.reconstruct.open_recipe")
        self._open.setToolTip("A recipe file (YAML or JSON), the same as for the command line")
        self._open.clicked.connect(self._on_open)
        self._save = QPushButton("Save …")
        self._save.setObjectName("qsm.reconstruct.save_recipe")
        self._save.setToolTip("Write all methods and settings into a recipe file")
        self._save.clicked.connect(self._on_save)
        self._text = ui.quiet(" ")
        self._text.setObjectName("qsm.reconstruct.recipe_text")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._choice, 1)
        row.addWidget(self._open)
        row.addWidget(self._save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._text)
        self.refresh()

    def refresh(self) -> None:
        """Show the recipe that is used, and whether it was changed."""
        recon = self._recon
        if recon.origin not in self._recipes:
            self._recipes.append(recon.origin)
        at = self._recipes.index(recon.origin)
        names = [recipe.name for recipe in self._recipes]
        if recon.is_changed:
            names[at] = f"{names[at]}, changed"
        if [self._choice.itemText(i) for i in range(self._choice.count())] != names:
            self._choice.clear()
            self._choice.addItems(names)
        self._choice.setCurrentIndex(at)
        self._text.setText(recon.origin.description)
        self._text.setVisible(bool(recon.origin.description))
        for control in (self._choice, self._open):
            control.setEnabled(not recon.running)

    def open_file(self, path: Path) -> None:
        """Use a recipe file."""
        try:
            self._recon.use_recipe(path)
        except QsmError as error:
            self._say(str(error))

    def save_file(self, path: Path) -> None:
        """Write the recipe as it stands, as the command line reads it."""
        if path.suffix.lower() not in (".yaml", ".yml", ".json"):
            path = path.with_name(f"{path.name}.yaml")
        try:
            write_text(path, self._recon.recipe().to_yaml())
        except (QsmError, OSError) as error:
            self._say(f"The recipe could not be saved: {error}")
            return
        self._say(f"The recipe is in '{path.name}'.")

    def _on_choice(self, index: int) -> None:
        self._recon.use_recipe(self._recipes[index])

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a recipe", last_folder(), _FILES)
        if name:
            save_settings({"folder": str(Path(name).parent)})
            self.open_file(Path(name))

    def _on_save(self) -> None:
        start = str(Path(last_folder()) / f"{self._recon.origin.name}.yaml")
        name, _ = QFileDialog.getSaveFileName(self, "Save the recipe", start, _FILES)
        if name:
            self.save_file(Path(name))
